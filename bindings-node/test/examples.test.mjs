// The examples do what they say. Needs express and tsx, which scripts/install puts into BACKPROOF_TEST_TOOLS.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { backupsHealth } from '../examples/health-route.mjs';
import { env, inFolder, inMemory, root } from './help.mjs';

const tools = process.env.BACKPROOF_TEST_TOOLS;
assert.ok(tools, 'set BACKPROOF_TEST_TOOLS to what scripts/install test makes, or run scripts/node-test');
const require = createRequire(path.join(tools, 'node/'));
const example = (name) => path.join(root, 'bindings-node/examples', name);

test('the health route', async (t) => {
  const express = require('express');
  const session = await inMemory();
  const app = express();
  app.get('/health/backups', backupsHealth(session, { every: 0 }));
  const server = app.listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const ask = async () => {
    const response = await fetch(`http://127.0.0.1:${server.address().port}/health/backups`, { headers: { connection: 'close' } });
    return [response.status, (await response.json()).status];
  };
  assert.equal((await ask())[0], 503);
  await session.backup({ source: randomBytes(10_000), noEncryption: true });
  assert.deepEqual(await ask(), [200, 'healthy']);
});

test('the verify job and the script for tsx', async (t) => {
  const { session, place } = await inFolder(t);
  const settings = { ...env, BACKPROOF_REPO: `file://${place}/repository` };
  const job = () => spawnSync(process.execPath, [example('verify-job.mjs')], { env: settings, encoding: 'utf8' });
  const script = (...args) =>
    spawnSync(process.execPath, [require.resolve('tsx/cli'), example('verify-backups.ts'), ...args], { env: settings, encoding: 'utf8' });
  for (const run of [job, script]) assert.notEqual(run().status, 0);
  await session.backup({ source: randomBytes(1_200_000) });
  for (const run of [job, () => script('--local-only', '--verbose')]) {
    const { status, stdout, stderr } = run();
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /backups: healthy/);
  }
  assert.equal(script('--cloud-only').status, 2);
  assert.equal(script('--alert-on-failure').status, 2);
});
