'use strict';
// snake_case, as Rust and JSON have it, to camelCase and back: by the schemas, so that keys which are data stay as they are.
const { definitions } = require('./shape.json');

/** `plain_bytes` → `plainBytes`. */
const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());

function* members(shape) {
  if (!shape) return;
  yield shape;
  for (const name of shape.refs ?? []) yield* members(definitions[name]);
}

/** What a schema says of the values of a key: undefined when it knows the key as data, or not at all. */
function property(shape, key) {
  for (const member of members(shape)) {
    if (member.properties && Object.hasOwn(member.properties, key)) return { shape: member.properties[key] };
  }
  for (const member of members(shape)) {
    if (member.values !== undefined) return { shape: member.values, data: true };
  }
  return { data: true };
}

function items(shape) {
  for (const member of members(shape)) if (member.items) return member.items;
  return undefined;
}

function set(object, key, value) {
  // A key can be `__proto__`: that is data as well.
  Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
}

/** A result, as JavaScript names its fields. */
function toCamel(value, shape) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => toCamel(item, items(shape)));
  const named = {};
  for (const [key, inner] of Object.entries(value)) {
    const { shape: of, data } = property(shape, key);
    set(named, data ? key : camel(key), toCamel(inner, of));
  }
  return named;
}

/** Options, as the library names its fields. What no schema knows goes through as it is, and the library refuses it by its name. */
function toSnake(value, shape) {
  if (typeof value?.toJSON === 'function') value = value.toJSON();
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => toSnake(item, items(shape)));
  const known = new Map();
  for (const member of members(shape)) {
    for (const key of Object.keys(member.properties ?? {})) known.set(camel(key), key);
  }
  const named = {};
  for (const [key, inner] of Object.entries(value)) {
    const name = known.get(key) ?? key;
    if (inner !== undefined) set(named, name, toSnake(inner, property(shape, name).shape));
  }
  return named;
}

module.exports = { camel, toCamel, toSnake };
