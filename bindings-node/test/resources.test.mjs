// What it costs the process: memory. (The turns of the event loop are measured by scripts/bench-bindings.)
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Readable } from 'node:stream';
import { inMemory, read } from './help.mjs';

test('a thousand backups in one process do not make it grow', { timeout: 300_000 }, async () => {
  if (!globalThis.gc) throw new Error('run node with --expose-gc');
  const bytes = randomBytes(10_000);
  const round = async () => {
    for (let done = 0; done < 500; done += 50) {
      const session = await inMemory();
      for (let at = 0; at < 50; at++) {
        await session.backup({ source: Readable.from([bytes]), noEncryption: true }, { onProgress() {} });
      }
      await read(await session.cat({ id: 'latest', part: 'data' }));
    }
    for (let at = 0; at < 5; at++) {
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return process.memoryUsage().rss / 2 ** 20;
  };
  // What is made once (threads, their memory, compiled code) comes with the first rounds. What leaks grows in every thousand.
  const sizes = [await round(), await round(), await round()];
  const grown = () => sizes.at(-1) - sizes.at(-3);
  while (grown() >= 10 && sizes.length < 6) sizes.push(await round());
  assert.ok(grown() < 10, `MiB after each 500: ${sizes.map((size) => size.toFixed(1))}`);
});
