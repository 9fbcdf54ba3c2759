// The programs: the library's own, not a rewrite.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { verifyBackups } from '../lib/index.mjs';
import { env, folder, inFolder, root } from './help.mjs';

const bin = (name) => path.join(root, `bindings-node/bin/${name}.cjs`);
const run = (name, args, more = {}) =>
  spawnSync(process.execPath, [bin(name), ...args], { env: { ...env, ...more }, encoding: 'utf8', timeout: 60_000 });

test('backproof: version, help, mistakes', () => {
  const version = run('backproof', ['--version']);
  assert.equal(version.status, 0, version.stderr);
  assert.match(version.stdout, /^backproof \d+\.\d+\.\d+/);
  assert.equal(run('backproof', ['help']).status, 0);
  assert.equal(run('backproof', ['nonsense']).status, 2);
});

test('backproof: a backup, from arguments to a status', (t) => {
  const place = folder(t);
  const repo = ['--repo', `file://${place}/repository`];
  assert.equal(run('backproof', ['init', ...repo]).status, 0);
  writeFileSync(path.join(place, 'data'), 'data');
  const backup = run('backproof', ['backup', ...repo, '--name', 'app', '--no-encryption', '--file', path.join(place, 'data'), '--json']);
  assert.equal(backup.status, 0, backup.stderr);
  const { id } = JSON.parse(backup.stdout);
  assert.equal(run('backproof', ['cat', 'latest', 'data', ...repo]).stdout, 'data');
  assert.ok(run('backproof', ['list', ...repo]).stdout.includes(id));
});

for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143]]) {
  test(`backproof: ${signal} ends a backup with ${status}, and nothing is left`, async (t) => {
    const { place } = await inFolder(t);
    const child = spawn(
      process.execPath,
      [bin('backproof'), 'backup', '--repo', `file://${place}/repository`, '--name', 'app', '--no-encryption', '--', 'sh', '-c', 'head -c 40000000 /dev/zero; echo $$ >&2; exec sleep 600'],
      { env, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    // It is reading from the program now.
    let said = '';
    child.stderr.on('data', (text) => {
      said += text;
      if (/^\d+$/m.test(said)) child.kill(signal);
    });
    // Whether the program's own words are passed on is the library's business: the folder shows that it began.
    const watch = setInterval(() => {
      if (readdirSync(path.join(place, 'repository')).includes('backups')) child.kill(signal);
    }, 20);
    const [code] = await once(child, 'exit');
    clearInterval(watch);
    assert.equal(code, status, said);
    const files = readdirSync(path.join(place, 'repository'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert.deepEqual(files.map(({ name }) => name), ['backproof.json']);
  });
}

test('verify-backups: healthy, warning, error, and the same for programs', async (t) => {
  const { session, place } = await inFolder(t);
  const settings = { BACKPROOF_REPO: `file://${place}/repository` };
  const said = async (...args) => run('verify-backups', args, settings);

  // Nothing there.
  const empty = await said('--json');
  assert.notEqual(empty.status, 0);
  assert.equal((await verifyBackups({ env: { ...env, ...settings } })).exitCode, empty.status);

  await session.backup({ source: Buffer.from('far too small') });
  const small = await said();
  assert.notEqual(small.status, 0);
  assert.equal((await verifyBackups({ env: { ...env, ...settings } })).exitCode, small.status);

  const { randomBytes } = await import('node:crypto');
  await session.backup({ source: randomBytes(1_200_000) });
  const healthy = await said('--json', '--local-only', '--verbose');
  assert.equal(healthy.status, 0, healthy.stdout + healthy.stderr);
  assert.equal(JSON.parse(healthy.stdout).exit_code, 0);
  const verified = await verifyBackups({ localOnly: true, env: { ...env, ...settings } });
  assert.equal(verified.exitCode, 0);
  assert.equal(verified.status, 'healthy');

  // There is no repository in a cloud.
  assert.equal((await said('--cloud-only')).status, 2);
  await assert.rejects(verifyBackups({ cloudOnly: true, env: { ...env, ...settings } }), { code: 'no_effect' });
  // Nobody can be alerted.
  assert.equal((await said('--alert-on-failure')).status, 2);
  await assert.rejects(verifyBackups({ alertOnFailure: true, env: { ...env, ...settings } }), { code: 'no_effect' });
  assert.equal((await said('--all')).status, 2);
});

test('verify-backups: a store that cannot be reached is an error', async () => {
  const settings = { R2_ENDPOINT: 'http://127.0.0.1:9', R2_BUCKET: 'backups', R2_ACCESS_KEY_ID: 'id', R2_SECRET_ACCESS_KEY: 'secret', DATABASE_URL: 'postgresql:///shop' };
  const unreachable = run('verify-backups', ['--json'], settings);
  assert.equal(unreachable.status, 2);
  const { code } = JSON.parse(unreachable.stdout).error;
  await assert.rejects(verifyBackups({ env: settings }), { code });
});
