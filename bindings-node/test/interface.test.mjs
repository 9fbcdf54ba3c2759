// Everything that the library has is here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Backproof } from '../lib/index.mjs';
import { root } from './help.mjs';

const api = JSON.parse(readFileSync(path.join(root, 'bindings/api.json')));
const types = readFileSync(path.join(root, 'bindings-node/lib/api.d.cts'), 'utf8') + readFileSync(path.join(root, 'bindings-node/lib/index.d.cts'), 'utf8');
const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());

test('every verb is a method, with types', () => {
  assert.ok(Object.keys(api.verbs).length >= 12);
  for (const verb of Object.keys(api.verbs)) {
    assert.equal(typeof Backproof.prototype[camel(verb)], 'function', verb);
    assert.match(types, new RegExp(`  ${camel(verb)}\\(options`), verb);
  }
});

test('every option, setting, field and code has a type', () => {
  const named = (schema) => (schema.$ref ? api.definitions[schema.$ref.replace('#/definitions/', '')] : schema);
  const lists = [api.settings, ...Object.values(api.verbs).flatMap(({ options, result }) => [options, result])].map(named);
  for (const schema of lists) {
    for (const name of Object.keys(schema.properties ?? {})) assert.match(types, new RegExp(`  ${camel(name)}\\??:`), name);
  }
  for (const code of Object.keys(api.errors)) assert.ok(types.includes(`| "${code}"`), code);
});

test('the types are those of bindings/api.json', () => {
  execFileSync(path.join(root, 'scripts/node-types'), ['--check'], { stdio: 'inherit' });
});
