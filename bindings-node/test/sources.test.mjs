// Any bytes of JavaScript as a source, a part as a stream.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { folder, inMemory, read } from './help.mjs';

const noise = randomBytes(3_000_001);
const sha = (bytes) => createHash('sha256').update(bytes).digest('hex');

function* pieces(size) {
  for (let at = 0; at < noise.length; at += size) yield noise.subarray(at, at + size);
}
async function* later(size) {
  for (const piece of pieces(size)) {
    await null;
    yield piece;
  }
}

const sources = {
  'a Buffer': () => noise,
  'a Uint8Array that is a part of another': () => new Uint8Array(noise.buffer, noise.byteOffset, noise.length),
  'an ArrayBuffer': () => noise.buffer.slice(noise.byteOffset, noise.byteOffset + noise.length),
  'a DataView': () => new DataView(noise.buffer, noise.byteOffset, noise.length),
  'a Blob': () => new Blob([noise]),
  'a Readable': () => Readable.from(pieces(64 * 1024), { objectMode: false }),
  'a web stream': () => new Blob([noise]).stream(),
  'an iterator': () => pieces(1000),
  'an array': () => [...pieces(70_000), new Uint8Array()],
  'an async iterator': () => later(64 * 1024),
};

for (const [name, source] of Object.entries(sources)) {
  test(`${name} is a source`, async () => {
    const session = await inMemory();
    const backup = await session.backup({ source: source(), noEncryption: true });
    assert.ok(backup.plainBytes >= noise.length); // and the list of what is in it
    const back = await session.cat({ id: backup.id, part: 'data' });
    assert.ok(back instanceof Readable);
    assert.equal(sha(await read(back)), sha(noise));
  });
}

test('a file and the output of a program are sources', async (t) => {
  const session = await inMemory();
  const file = path.join(folder(t), 'noise');
  writeFileSync(file, noise);
  for (const options of [{ file }, { command: ['cat', file] }, { source: createReadStream(file) }]) {
    const { id } = await session.backup({ ...options, noEncryption: true });
    assert.equal(sha(await read(await session.cat({ id, part: 'data' }))), sha(noise));
  }
});

test('nothing is a backup of no bytes, and is there', async () => {
  const session = await inMemory();
  const { id } = await session.backup({ source: [], noEncryption: true });
  assert.equal((await read(await session.cat({ id, part: 'data' }))).length, 0);
});

test('what a source throws is the cause, and nothing is published', async () => {
  const session = await inMemory();
  const mine = new RangeError('the sensor is off');
  let ended = false;
  async function* broken() {
    try {
      yield noise;
      throw mine;
    } finally {
      ended = true;
    }
  }
  const error = await session.backup({ source: broken(), noEncryption: true }).then(assert.fail, (error) => error);
  assert.equal(error.code, 'source_failed');
  let cause = error;
  while (cause.cause !== undefined) cause = cause.cause;
  assert.equal(cause, mine);
  assert.ok(ended);
  assert.deepEqual((await session.list()).backups, []);
});

test('a Readable that is destroyed is no end', async () => {
  const session = await inMemory();
  const stream = new Readable({ read() {} });
  stream.push(noise);
  const done = session.backup({ source: stream, noEncryption: true });
  setImmediate(() => stream.destroy());
  await assert.rejects(done, { code: 'source_failed' });
  assert.deepEqual((await session.list()).backups, []);
});

test('text is not bytes', async () => {
  const session = await inMemory();
  await assert.rejects(session.backup({ source: 'a path?', noEncryption: true }), TypeError);
  await assert.rejects(session.backup({ source: 42, noEncryption: true }), TypeError);
  const error = await session.backup({ source: ['text'], noEncryption: true }).then(assert.fail, (error) => error);
  assert.equal(error.code, 'source_failed');
});

test('a source is let go when the backup fails', async () => {
  const session = await inMemory();
  const stream = new Readable({ read() {} });
  await assert.rejects(session.backup({ source: stream, file: '/dev/null', noEncryption: true }), { code: 'no_effect' });
  assert.ok(stream.destroyed);
});

test('a source is not read ahead of the store', async () => {
  // Nothing takes segments while the pipeline is full: a source of 2 GB must not be read into memory.
  const session = await inMemory();
  const piece = Buffer.alloc(1 << 20);
  const controller = new AbortController();
  let given = 0;
  let most = 0;
  function* endless() {
    for (;;) {
      given += piece.length;
      most = Math.max(most, given);
      if (given >= 2 ** 31) controller.abort();
      yield piece;
    }
  }
  let through = 0;
  let ahead = 0;
  const onProgress = (event) => {
    if (event.type === 'progress') {
      through += event.plain;
      ahead = Math.max(ahead, given - through);
    }
  };
  await assert.rejects(session.backup({ source: endless(), noEncryption: true }, { signal: controller.signal, onProgress }), { name: 'AbortError' });
  assert.ok(most >= 2 ** 31);
  // The pipeline's own memory (256 MiB) is in flight; what JavaScript gave beyond that is bounded.
  assert.ok(ahead < 700 * 2 ** 20, `${ahead} bytes ahead`);
});

test('a part can be left before its end', async () => {
  const session = await inMemory();
  const { id } = await session.backup({ source: noise, noEncryption: true });
  const stream = await session.cat({ id, part: 'data' });
  for await (const piece of stream) {
    assert.ok(piece.length > 0);
    break;
  }
  assert.ok(stream.destroyed);
});
