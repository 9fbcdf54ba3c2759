// The behaviour suite of all languages (bindings/behaviour), in Node.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { Backproof, BackproofError } from '../lib/index.mjs';
import { folder, read, root } from './help.mjs';

const json = (file) => JSON.parse(readFileSync(path.join(root, 'bindings', file), 'utf8'));
const api = json('api.json');
const files = readdirSync(path.join(root, 'bindings/behaviour')).filter((name) => name.endsWith('.json'));
const cases = files.flatMap((file) => {
  const { shapes, cases } = json(`behaviour/${file}`);
  return cases.map((one) => ({ ...one, shapes, name: `${path.parse(file).name}: ${one.name}` }));
});

// The suite's names are the library's; the package's are camelCase. Keys that are data, which no schema knows, are the same in both.
const camel = (name) => name.replace(/_./g, ([, letter]) => letter.toUpperCase());
const schemas = (schema) =>
  [schema, ...[schema?.anyOf, schema?.oneOf].flat(), schema?.$ref && api.definitions[schema.$ref.split('/').pop()]].filter(Boolean);
const flat = (schema) => schemas(schema).flatMap((one) => (one === schema ? [one] : flat(one)));

/** A value with its fields called what `name` says, given what they are called in the schema. */
function renamed(value, schema, name) {
  if (value === null || typeof value !== 'object') return value;
  const within = flat(schema);
  if (Array.isArray(value)) return value.map((item) => renamed(item, within.find(({ items }) => items)?.items, name));
  const properties = Object.assign({}, ...within.map((one) => one.properties));
  const others = within.find((one) => typeof one.additionalProperties === 'object')?.additionalProperties;
  const entries = Object.entries(value).map(([key, inner]) => {
    const to = name(key, Object.keys(properties));
    return [to, renamed(inner, properties[key] ?? properties[to] ?? others, name)];
  });
  return Object.fromEntries(entries);
}
const toPackage = (value, schema) => renamed(value, schema, (key, fields) => (fields.includes(key) ? camel(key) : key));
const fromPackage = (value, schema) =>
  renamed(value, schema, (key, fields) => {
    const field = fields.find((one) => camel(one) === key);
    return field ?? (fields.includes(key) ? `${key}, which should be ${camel(key)}` : key);
  });

/** The value, with what is known in the place of each `${name}`. */
function filled(value, known) {
  if (Array.isArray(value)) return value.map((inner) => filled(inner, known));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [filled(key, known), filled(inner, known)]));
  }
  if (typeof value !== 'string') return value;
  const of = (name) => {
    const found = name.split('.').reduce((from, key) => from?.[key], known);
    assert.notEqual(found, undefined, `nothing is known of ${name}`);
    return found;
  };
  const whole = /^\$\{([^}]+)\}$/.exec(value);
  return whole ? of(whole[1]) : value.replace(/\$\{([^}]+)\}/g, (_, name) => of(name));
}

const PLACEHOLDERS = {
  id: String.raw`\d{8}T\d{6}Z-[0-9a-f]{16}`,
  time: String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`,
  stamp: String.raw`\d{8}T\d{6}Z`,
  sha256: '[0-9a-f]{64}',
  number: String.raw`\d+`,
  text: String.raw`[\s\S]+`,
};

function same(expected, found) {
  if (expected === '$number') return Number.isSafeInteger(found) && found >= 0;
  if (expected === '$seconds') return typeof found === 'number' && found >= 0;
  if (typeof expected !== 'string' || typeof found !== 'string') return expected === found;
  const pattern = expected.split(/\$([a-z0-9]+)/).map((piece, at) => {
    if (at % 2 === 0) return piece.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    assert.ok(piece in PLACEHOLDERS, `there is no placeholder $${piece}`);
    return PLACEHOLDERS[piece];
  });
  return new RegExp(`^${pattern.join('')}$`).test(found);
}

/** Where what was found is not what was expected: the path, and both values. */
function* differences(expected, found, at) {
  const [one, other] = [expected, found].map((value) => (value === null || typeof value !== 'object' ? 'plain' : Array.isArray(value)));
  if (one === 'plain' || one !== other || (one && expected.length !== found.length)) {
    if (!same(expected, found)) yield `${at}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`;
    return;
  }
  for (const key of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    if (!Object.hasOwn(found, key)) yield `${at}.${key}: is missing; expected ${JSON.stringify(expected[key])}`;
    else if (!Object.hasOwn(expected, key)) yield `${at}.${key}: is not expected: ${JSON.stringify(found[key])}`;
    else yield* differences(expected[key], found[key], `${at}.${key}`);
  }
}

/** The text of a file, or the names of all files of a folder. */
function holds(file) {
  if (statSync(file).isFile()) return readFileSync(file, 'utf8');
  return readdirSync(file, { recursive: true }).filter((name) => statSync(path.join(file, name)).isFile()).sort();
}

async function* source({ pieces, times = 1, fails }, whenRead) {
  for (let time = 0; time < times; time += 1) yield* pieces.map((piece) => Buffer.from(piece));
  if (fails !== undefined) throw new Error(fails);
  if (whenRead) await new Promise(whenRead);
}

/** An error, as the suite has it: the message with those of its causes. */
function described({ code, hint, transient, message, cause }) {
  for (; cause; cause = cause.cause) if (!message.endsWith(cause.message)) message += `: ${cause.message}`;
  return { code, hint, transient, message };
}

/** Calls the verb, as the package has it; gives what came of it. */
async function call(session, step) {
  const options = toPackage(step.options ?? {}, api.verbs[step.verb].options);
  if (step.cancelled) {
    const abort = new AbortController();
    options.source = source(step.source, () => abort.abort());
    await assert.rejects(session[camel(step.verb)](options, { signal: abort.signal }), { name: 'AbortError' });
    return { cancelled: true };
  }
  if (step.source) options.source = source(step.source);
  if (step.rows) {
    const rows = [];
    for await (const row of session.rows(options)) rows.push(row);
    return { rows };
  }
  const result = await session[camel(step.verb)](options);
  if (step.verb === 'cat' && !options.output) return { bytes: (await read(result)).toString() };
  return { expect: fromPackage(result, api.verbs[step.verb].result) };
}

async function run({ settings = {}, shapes, steps }, dir, server) {
  const known = { dir, root: path.resolve(root), socket: server.folder, bindir: server.bindir, path: process.env.PATH };
  Object.assign(known, filled(shapes, known));
  const base = { env: { PATH: process.env.PATH }, configuration: {}, ...settings };
  let session;
  const open = (own) => {
    const given = Object.entries(filled({ ...base, ...own }, known)).filter(([, value]) => value !== null);
    return Backproof.open(toPackage(Object.fromEntries(given), api.settings));
  };
  for (const [at, { settings: own, ...template }] of steps.entries()) {
    const step = filled(template, known);
    let found;
    if (step.setup) {
      for (const [to, what] of Object.entries(step.setup.copy ?? {})) cpSync(what, to, { recursive: true });
      for (const [file, text] of Object.entries(step.setup.write ?? {})) writeFileSync(file, text);
      for (const file of step.setup.remove ?? []) rmSync(file);
      for (const [database, statement] of step.setup.sql ?? []) server.psql(database, statement);
      continue;
    } else if (step.query) {
      found = [...differences(step.gives, server.psql(step.database, step.query), 'gives')];
    } else if (step.file) {
      found = [...differences(step.holds, holds(step.file), 'holds')];
    } else {
      let outcome;
      try {
        outcome = await call(own ? await open(own) : (session ??= await open()), step);
      } catch (error) {
        if (!(error instanceof BackproofError)) throw error;
        outcome = { error: described(error) };
      }
      const key = ['expect', 'bytes', 'rows', 'error', 'cancelled'].find((key) => key in step);
      found = [...differences({ [key]: step[key] }, outcome, step.verb)];
      if (step.keep) known[step.keep] = outcome.expect;
    }
    assert.deepEqual(found, [], `step ${at + 1}:\n${found.join('\n')}`);
  }
}

describe('the behaviour of all languages', { concurrency: 2 }, () => {
  const cluster = path.join(root, 'scripts/cluster');
  // A short path: a socket's may have 107 bytes.
  const place = mkdtempSync('/tmp/bp-');
  chmodSync(place, 0o755);
  const server = {
    folder: `${place}/pg`,
    bindir: execFileSync(cluster, ['bindir']).toString().trim(),
    psql(database, sql) {
      const url = `postgresql://postgres@/${database}?host=${this.folder}`;
      return execFileSync(`${this.bindir}/psql`, ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', url, '-c', sql]).toString().trim();
    },
  };
  after(() => {
    execFileSync(cluster, ['stop', server.folder]);
    rmSync(place, { recursive: true, force: true });
  });
  execFileSync(cluster, ['start', server.folder]);
  for (const one of cases) test(one.name, (t) => run(one, folder(t), server));

  const calls = cases.flatMap(({ steps }) => steps);
  for (const verb of Object.keys(api.verbs)) {
    test(`${verb} is in it`, () => {
      assert.ok(calls.some((step) => step.verb === verb && !step.error), `no step has ${verb} succeed`);
      assert.ok(calls.some((step) => step.verb === verb && step.error), `no step has ${verb} fail`);
    });
  }
});
