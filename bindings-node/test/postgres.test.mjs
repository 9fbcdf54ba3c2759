// The verbs, on a real PostgreSQL.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Backproof } from '../lib/index.mjs';
import { env, inFolder, postgres, read } from './help.mjs';

test('a database', async (t) => {
  const server = postgres(t);
  const { session, place, key } = await inFolder(t, { database: server.url('shop'), pgBindir: server.bindir, label: 'daily' });
  const backup = await session.backup();

  await t.test('is backed up, with fields in camelCase and sizes as numbers', () => {
    assert.match(backup.id, /^\d{8}T\d{6}Z-[0-9a-f]{16}$/);
    assert.equal(backup.series, 'app');
    assert.equal(backup.label, 'daily');
    assert.ok(backup.plainBytes > 10_000 && backup.storedBytes > 1_000);
    assert.ok(Math.abs(Date.now() - Date.parse(backup.snapshot)) < 60_000);
    assert.deepEqual(backup.warnings, []);
  });

  await t.test('is listed and shown', async () => {
    const { backups, missing } = await session.list();
    assert.deepEqual(backups.map(({ id, label }) => [id, label]), [[backup.id, 'daily']]);
    assert.deepEqual(missing, []);
    const shown = await session.show({ id: 'latest' });
    assert.ok(JSON.stringify(shown).includes(backup.id));
  });

  await t.test('is read part by part, and row by row', async () => {
    const dump = await read(await session.cat({ id: 'latest', part: 'dump' }));
    assert.equal(dump.subarray(0, 5).toString(), 'PGDMP');
    const csv = (await read(await session.cat({ id: 'latest', table: 'public.customers' }))).toString();
    assert.equal(csv.split('\n')[0], 'id,name,Odd_name');
    const rows = [];
    for await (const row of session.rows({ id: 'latest', table: 'public.customers' })) rows.push(row);
    assert.equal(rows.length, 1000);
    // Names of columns are data, not fields.
    assert.deepEqual(rows[0], { id: '1', name: 'Customer 1', Odd_name: null });
    const output = path.join(place, 'orders.csv');
    const written = await session.cat({ id: 'latest', table: 'public.orders', output });
    assert.equal(written.rows, 5000);
    assert.ok(existsSync(output));
  });

  await t.test('is verified to identical', async () => {
    const verified = await session.verify({ ids: ['latest'], level: 'identical' });
    assert.equal(verified.status, 'healthy', JSON.stringify(verified));
    assert.equal(verified.exitCode, 0);
    const { backups } = await session.list();
    assert.equal(backups[0].lastProof.reached, 'identical');
  });

  await t.test('is drilled', async () => {
    const { status, drills } = await session.drill({ id: 'latest' });
    assert.equal(status, 'healthy', JSON.stringify(drills));
    assert.equal(drills.length, 1);
  });

  await t.test('is restored beside, and compared', async () => {
    const plan = await session.restore({ id: 'latest', to: server.url('shop_restored'), dryRun: true });
    assert.equal(plan.dryRun, true);
    assert.deepEqual(plan.plan.obstacles, []);
    await session.restore({ id: 'latest', to: server.url('shop_restored') });
    assert.equal(server.psql('shop_restored', 'SELECT count(*) FROM orders'), '5000');
    const same = await session.diff({ before: 'latest' });
    assert.equal(same.equal, true, JSON.stringify(same));
  });

  await t.test('is swapped and rolled back', async () => {
    const live = server.url('live');
    server.psql('postgres', 'CREATE DATABASE live TEMPLATE shop');
    server.psql('live', 'DELETE FROM orders WHERE id > 100');
    await assert.rejects(session.restore({ id: backup.id, to: live, swap: true }), { code: 'confirmation_required' });
    const { swapped } = await session.restore({ id: backup.id, to: live, swap: true, yes: true });
    assert.equal(swapped.live, 'live');
    assert.equal(server.psql('live', 'SELECT count(*) FROM orders'), '5000');
    await session.rollback({ to: live, yes: true });
    assert.equal(server.psql('live', 'SELECT count(*) FROM orders'), '100');
  });

  await t.test('is not read without the key', async () => {
    const stranger = await Backproof.open({ repo: `file://${place}/repository`, name: 'app', env });
    await assert.rejects(stranger.cat({ id: 'latest', part: 'dump' }), (error) => {
      assert.equal(error.code, 'identity_required');
      assert.match(error.hint, /identity/);
      return true;
    });
  });

  await t.test('needs the programs of PostgreSQL, and says so', async () => {
    const without = await Backproof.open({
      repo: `file://${place}/repository`, name: 'app', noEncryption: undefined, identities: [key],
      database: server.url('shop'), pgBindir: path.join(place, 'nothing-here'), env,
    });
    const error = await without.backup({ noEncryption: true }).then(assert.fail, (error) => error);
    assert.ok(error.code && error.hint, String(error));
    assert.match(`${error.message} ${error.hint}`, /pg_dump/);
    assert.equal((await without.verify({ level: 'readable' })).exitCode, 0);
  });
});
