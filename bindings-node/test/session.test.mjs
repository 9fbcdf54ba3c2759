// Settings, errors, progress, logs, several sessions at once.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { Backproof, BackproofError } from '../lib/index.mjs';
import { env, folder, inFolder, inMemory, read } from './help.mjs';

const require = createRequire(import.meta.url);

test('import and require give the same classes', () => {
  assert.equal(require('../lib/index.cjs').BackproofError, BackproofError);
  assert.equal(require('../lib/index.cjs').Backproof, Backproof);
});

test('an error has a code, a hint, a cause and a name', async (t) => {
  const session = await Backproof.open({ repo: `file://${folder(t)}/none`, env });
  const error = await session.list().then(assert.fail, (error) => error);
  assert.ok(error instanceof BackproofError && error instanceof Error);
  assert.equal(error.name, 'BackproofError');
  assert.equal(error.code, 'no_repository');
  assert.match(error.hint, /backproof init/);
  assert.equal(error.transient, false);
  assert.match(error.stack, /BackproofError/);
});

test('settings that there are not, or of another kind, are refused', async () => {
  await assert.rejects(Backproof.open({ repository: 'memory:///', env }), { code: 'invalid_argument', message: /repository/ });
  await assert.rejects(Backproof.open({ repo: 7, env }), { code: 'invalid_argument' });
  const session = await inMemory();
  await assert.rejects(session.verify({ minimumSize: 1 }), { code: 'invalid_argument', message: /minimumSize/ });
  await assert.rejects(session.show(), { code: 'invalid_argument', message: /which backup/ });
  assert.throws(() => new Backproof(), TypeError);
});

test('the environment is the one that is given', async (t) => {
  const { place } = await inFolder(t);
  const session = await Backproof.open({ env: { BACKPROOF_REPO: `file://${place}/repository`, BACKPROOF_NAME: 'app' } });
  assert.deepEqual((await session.list()).backups, []);
  await assert.rejects(Backproof.open({ env: {} }).then((session) => session.list()), { code: 'repository_required' });
});

test('a configuration file is read', async (t) => {
  const { place } = await inFolder(t);
  const config = path.join(place, 'backproof.toml');
  writeFileSync(config, `[repository]\nurl = "file://${place}/repository"\n[series.shop]\nlabel = "nightly"\n`);
  const session = await Backproof.open({ config, env });
  const { series, label } = await session.backup({ source: Buffer.from('x'), noEncryption: true });
  assert.deepEqual([series, label], ['shop', 'nightly']);
});

test('sizes and times are numbers or text', async () => {
  const session = await inMemory({ memory: 256 * 2 ** 20 });
  await session.backup({ source: Buffer.from('small'), noEncryption: true });
  assert.equal((await session.verify({ minSize: 1, maxAge: 3600 })).exitCode, 0);
  assert.notEqual((await session.verify({ minSize: '1MB', maxAge: '48h' })).exitCode, 0);
});

test('what happens is told', async () => {
  const session = await inMemory();
  const events = [];
  const { id } = await session.backup(
    { source: [Buffer.alloc(40 << 20)], noEncryption: true },
    { onProgress: (event) => events.push(event) },
  );
  assert.equal(events.find(({ type }) => type === 'started').backup, id);
  assert.ok(events.some(({ type, part }) => type === 'partStarted' && part === 'data'));
  const finished = events.find(({ type, part }) => type === 'partFinished' && part === 'data');
  assert.equal(finished.plain, 40 << 20);
  const through = events.filter(({ type }) => type === 'progress').reduce((sum, { plain }) => sum + plain, 0);
  assert.ok(through >= 40 << 20, `${through}`);
});

test('logs go to the session that makes them', async (t) => {
  const lines = [];
  const silent = [];
  const logged = await inMemory({}, { onLog: (line) => lines.push(line), logLevel: 'debug' });
  const other = await inMemory({}, { onLog: (line) => silent.push(line), logLevel: 'error' });
  await Promise.all([logged, other].map((session) => session.backup({ source: Buffer.from('x'), noEncryption: true })));
  assert.ok(lines.length > 0);
  for (const line of lines) {
    assert.ok(['error', 'warn', 'info', 'debug'].includes(line.level));
    assert.equal(typeof line.message, 'string');
    assert.equal(typeof line.target, 'string');
  }
  assert.deepEqual(silent, []);
  await assert.rejects(Backproof.open({ env }, { onLog() {}, logLevel: 'loud' }), { code: 'invalid_argument' });
});

test('a callback that throws does not touch the backup', () => {
  // In a process of its own: the runner takes what is uncaught for its own failure.
  const script = `
    import { Backproof } from ${JSON.stringify(new URL('../lib/index.mjs', import.meta.url).href)};
    process.once('uncaughtException', (error) => console.log('uncaught:', error.message));
    const session = await Backproof.open({ repo: 'memory:///', name: 'app', env: {} });
    await session.init();
    const onProgress = ({ type }) => { if (type === 'started') throw new Error('the progress bar fell over'); };
    await session.backup({ source: Buffer.from('x'), noEncryption: true }, { onProgress });
    console.log('backups:', (await session.list()).backups.length);
  `;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { env, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(stdout, 'uncaught: the progress bar fell over\nbackups: 1\n');
});

test('several sessions work at once', async (t) => {
  const sessions = [await inMemory({ name: 'one' }), await inMemory({ name: 'two' }), (await inFolder(t, { name: 'three' })).session];
  const made = await Promise.all(
    sessions.map((session, at) => session.backup({ source: Buffer.alloc(5_000_000, at + 1), noEncryption: at < 2 })),
  );
  assert.deepEqual(made.map(({ series }) => series), ['one', 'two', 'three']);
  for (const [at, session] of sessions.entries()) {
    assert.deepEqual((await session.list()).backups.map(({ id }) => id), [made[at].id]);
    assert.ok((await read(await session.cat({ id: 'latest', part: 'data' }))).every((byte) => byte === at + 1));
  }
});
