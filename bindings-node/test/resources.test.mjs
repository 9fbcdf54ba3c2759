// What it costs the process: memory, and the turns of the event loop.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';
import { Readable } from 'node:stream';
import { inFolder, inMemory, read } from './help.mjs';

test('a thousand backups in one process do not make it grow', { timeout: 300_000 }, async () => {
  if (!globalThis.gc) throw new Error('run node with --expose-gc');
  const bytes = randomBytes(10_000);
  const round = async (count) => {
    for (let done = 0; done < count; done += 50) {
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
    return process.memoryUsage().rss;
  };
  // What is made once (threads, buffers, compiled code) is there after the first.
  const before = await round(200);
  const after = await round(1000);
  assert.ok(after - before < 10 * 2 ** 20, `${((after - before) / 2 ** 20).toFixed(1)} MiB more`);
});

test('the event loop turns while a backup runs', { timeout: 120_000 }, async (t) => {
  const { session } = await inFolder(t);
  const piece = randomBytes(64 * 1024);
  let left = 3000;
  const source = new Readable({ read() { this.push(left-- > 0 ? piece : null); } });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await session.backup({ source }, { onProgress() {} });
  delay.disable();
  const p99 = delay.percentile(99) / 1e6;
  assert.ok(p99 < 20, `p99 ${p99.toFixed(1)} ms`);
});
