// AbortSignal: what was begun is cleaned up before the promise rejects.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { inFolder, inMemory } from './help.mjs';

const aborted = (reason) => (error) => {
  assert.equal(error.name, 'AbortError');
  assert.equal(error.code, 'ABORT_ERR');
  assert.equal(error.cause, reason);
  return true;
};

test('a signal that is aborted already', async () => {
  const session = await inMemory();
  const reason = new Error('too late');
  const stream = Readable.from([Buffer.from('x')]);
  await assert.rejects(session.backup({ source: stream, noEncryption: true }, { signal: AbortSignal.abort(reason) }), aborted(reason));
  assert.ok(stream.destroyed);
  await assert.rejects(session.list({}, { signal: AbortSignal.abort(reason) }), aborted(reason));
  assert.deepEqual((await session.list()).backups, []);
});

test('a backup that is aborted leaves nothing', async (t) => {
  const { session, place } = await inFolder(t);
  const controller = new AbortController();
  const reason = new Error('enough');
  let stopped = false;
  async function* endless() {
    try {
      for (let count = 0; ; count++) {
        if (count === 40) controller.abort(reason);
        yield Buffer.alloc(1 << 20, count);
      }
    } finally {
      stopped = true;
    }
  }
  await assert.rejects(session.backup({ source: endless() }, { signal: controller.signal }), aborted(reason));
  assert.ok(stopped);
  const files = readdirSync(path.join(place, 'repository'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.deepEqual(files.map(({ name }) => name), ['backproof.json']);
});

test('a source that never answers does not hold an abort up', { timeout: 30_000 }, async () => {
  const session = await inMemory();
  const controller = new AbortController();
  const silent = new Readable({ read() {} });
  const done = session.backup({ source: silent, noEncryption: true }, {
    signal: controller.signal,
    onProgress: ({ type }) => type === 'partStarted' && controller.abort(),
  });
  await assert.rejects(done, { name: 'AbortError' });
  assert.ok(silent.destroyed);
});

test('a signal that aborts afterwards changes nothing, and is let go', async () => {
  const session = await inMemory();
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const [add, remove] = [signal.addEventListener, signal.removeEventListener];
  signal.addEventListener = (...args) => (listeners++, add.apply(signal, args));
  signal.removeEventListener = (...args) => (listeners--, remove.apply(signal, args));
  const { id } = await session.backup({ source: Buffer.from('kept'), noEncryption: true }, { signal });
  assert.equal(listeners, 0);
  controller.abort();
  assert.deepEqual((await session.list()).backups.map((backup) => backup.id), [id]);
});

test('a timeout is an abort, with its reason', async () => {
  const session = await inMemory();
  const silent = new Readable({ read() {} });
  const error = await session
    .backup({ source: silent, noEncryption: true }, { signal: AbortSignal.timeout(50) })
    .then(assert.fail, (error) => error);
  assert.equal(error.name, 'AbortError');
  assert.equal(error.cause.name, 'TimeoutError');
});
