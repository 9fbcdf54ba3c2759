'use strict';
// PostgreSQL backups that prove themselves: the library, in JavaScript's words. What it decides, it decides in Rust.
const native = require('./native.cjs');
const shape = require('./shape.json');
const { AbortError, BackproofError, fromNative, thrown } = require('./error.cjs');
const { camel, toCamel, toSnake } = require('./names.cjs');
const { Feed } = require('./source.cjs');
const { Output, rows } = require('./output.cjs');

/** Lets nobody make a session but `open`. */
const OPENED = Symbol('opened');

class Backproof {
  #session;
  #onLog;

  constructor(key, session, onLog) {
    if (key !== OPENED) throw new TypeError('use await Backproof.open(settings)');
    this.#session = session;
    this.#onLog = onLog;
  }

  static async open(settings = {}, { onLog, logLevel = 'info' } = {}) {
    const { env = process.env, ...others } = settings;
    const given = toSnake(others, shape.settings);
    given.env = Object.fromEntries(Object.entries(env).filter(([, value]) => typeof value === 'string'));
    try {
      return new Backproof(OPENED, native.open(JSON.stringify(given), onLog ? logLevel : undefined), onLog);
    } catch (error) {
      throw thrown(error);
    }
  }

  /** One call of a verb: follows it to its end. */
  async #call(verb, options, { signal, onProgress } = {}, feed = undefined) {
    if (signal?.aborted) {
      feed?.stop();
      throw new AbortError(signal);
    }
    let operation;
    try {
      const given = JSON.stringify(toSnake(options, shape.verbs[verb].options));
      operation = this.#session.start(verb, given, feed?.native, onProgress !== undefined);
    } catch (error) {
      feed?.stop();
      throw thrown(error);
    }
    const abort = () => operation.cancel();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      feed?.run();
      for (;;) {
        for (const message of JSON.parse(await operation.next())) {
          if (message.progress) tell(onProgress, message.progress);
          else if (message.log) tell(this.#onLog, message.log);
          else if (message.dropped) tell(this.#onLog, dropped(message.dropped));
          else if (message.stream) return operation.stream();
          else if (message.error) throw failed(message.error, signal, feed);
          else return toCamel(message.result, shape.verbs[verb].result);
        }
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      feed?.stop();
    }
  }

  async backup(options = {}, call = {}) {
    const { source, ...others } = options;
    return await this.#call('backup', others, call, source == null ? undefined : new Feed(source));
  }

  async cat(options = {}, call = {}) {
    const found = await this.#call('cat', options, call);
    return found instanceof native.ByteStream ? new Output(found, call.signal) : found;
  }

  async *rows(options = {}, call = {}) {
    yield* rows(await this.cat({ ...options, format: 'json' }, call));
  }

  // All other verbs are alike.
  static {
    for (const verb of Object.keys(shape.verbs)) {
      const name = camel(verb);
      if (Object.hasOwn(Backproof.prototype, name)) continue;
      const method = { async [name](options = {}, call = {}) { return await this.#call(verb, options, call); } }[name];
      Object.defineProperty(Backproof.prototype, name, { value: method, writable: true, configurable: true });
    }
  }
}

/** A callback changes nothing about the work: what it throws is uncaught, as with listeners of events. */
function tell(callback, what) {
  try {
    callback?.(what);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

const dropped = (count) => ({
  level: 'warn',
  target: 'backproof',
  message: `${count} messages were dropped: the event loop was too busy to take them`,
  fields: {},
});

function failed(error, signal, feed) {
  // After the clean-up: what was begun is gone.
  if (signal?.aborted && error.code === 'cancelled') return new AbortError(signal);
  return fromNative(error, error.code === 'source_failed' ? feed?.failure : undefined);
}

async function verifyBackups(options = {}, call = {}) {
  const { env, onLog, logLevel, ...others } = options;
  const session = await Backproof.open({ env }, { onLog, logLevel });
  return await session.verify({ ...native.verifyBackupsDefaults(), ...others }, call);
}

module.exports = { Backproof, BackproofError, verifyBackups };
