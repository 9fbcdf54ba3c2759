// What the tests share: this checkout's package, keys, and throw-away PostgreSQL clusters.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Backproof } from '../lib/index.mjs';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Variables of nobody: only what programs need to run. */
export const env = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: os.tmpdir(), AWS_EC2_METADATA_DISABLED: 'true' };

/** A folder that goes away with the test. */
export function folder(t) {
  const made = mkdtempSync(path.join(os.tmpdir(), 'backproof-node-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A session with a new, empty repository in memory, of series `app`. */
export async function inMemory(settings = {}, logs = {}) {
  const session = await Backproof.open({ repo: 'memory:///', name: 'app', env, ...settings }, logs);
  await session.init();
  return session;
}

/** A session with a new repository in a folder, whose backups are encrypted. */
export async function inFolder(t, settings = {}, logs = {}) {
  const place = folder(t);
  const key = path.join(place, 'key.txt');
  const keys = await Backproof.open({ env });
  const { recipient } = await keys.keygen({ output: key });
  const session = await Backproof.open(
    { repo: `file://${place}/repository`, name: 'app', recipients: [recipient], identities: [key], env, ...settings },
    logs,
  );
  await session.init();
  return { session, place, key, recipient };
}

const cluster = path.join(root, 'scripts/cluster');

/** A PostgreSQL cluster with a database `shop` of two tables; gives its URL. */
export function postgres(t) {
  const place = mkdtempSync(path.join('/tmp', 'backproof-node-pg-'));
  execFileSync('chmod', ['755', place]);
  const data = path.join(place, 'server');
  t.after(() => {
    execFileSync(cluster, ['stop', data]);
    rmSync(place, { recursive: true, force: true });
  });
  execFileSync(cluster, ['start', data]);
  const url = (database) => `postgresql://postgres@/${database}?host=${encodeURIComponent(data)}`;
  const bindir = execFileSync(cluster, ['bindir']).toString().trim();
  const psql = (database, sql) =>
    execFileSync(path.join(bindir, 'psql'), ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', url(database), '-c', sql], { env }).toString().trim();
  psql('postgres', 'CREATE DATABASE shop');
  psql(
    'shop',
    `CREATE TABLE customers (id int PRIMARY KEY, name text, "Odd_name" text);
     INSERT INTO customers SELECT i, 'Customer ' || i, CASE WHEN i % 2 = 0 THEN 'even' END FROM generate_series(1, 1000) i;
     CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, amount numeric);
     INSERT INTO orders SELECT i, 1 + i % 1000, i / 7.0 FROM generate_series(1, 5000) i;`,
  );
  return { url, psql, bindir };
}

/** Collects a stream. */
export async function read(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}
