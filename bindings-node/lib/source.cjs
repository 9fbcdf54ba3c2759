'use strict';
// Bytes of JavaScript's streams and iterables, given to the library as fast as it takes them.
const { Readable } = require('node:stream');
const { setImmediate: turn } = require('node:timers/promises');
const { ByteSource } = require('./native.cjs');

/** So many bytes are copied at once, and so many before the event loop gets its turn. */
const PIECE = 256 * 1024;
const TURN = 1024 * 1024;

/** Bytes of anything that has some; undefined otherwise. */
function bytes(chunk) {
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer || chunk instanceof SharedArrayBuffer) return new Uint8Array(chunk);
  return undefined;
}

function* one(value) {
  yield value;
}

/** An iterator of a source's chunks; undefined when it is none. */
function chunks(source) {
  if (bytes(source) !== undefined) return one(source);
  if (typeof Blob !== 'undefined' && source instanceof Blob) source = source.stream();
  if (typeof source?.[Symbol.asyncIterator] === 'function') return source[Symbol.asyncIterator]();
  if (typeof source !== 'string' && typeof source?.[Symbol.iterator] === 'function') return source[Symbol.iterator]();
  return undefined;
}

/** A source that the library reads while JavaScript goes on. */
class Feed {
  native = new ByteSource();
  /** What the source threw. */
  failure = undefined;
  #source;
  #iterator;
  #stopped = false;

  constructor(source) {
    this.#source = source;
    this.#iterator = chunks(source);
    if (this.#iterator === undefined) {
      throw new TypeError('source must be a Readable, a ReadableStream, a Blob, bytes, or an (async) iterable of Uint8Array');
    }
  }

  /** Gives everything; does not throw. */
  async run() {
    let sinceTurn = 0;
    try {
      while (!this.#stopped) {
        const { value, done } = await this.#iterator.next();
        if (done) {
          this.native.end();
          return;
        }
        const chunk = bytes(await value);
        if (chunk === undefined) {
          throw new TypeError(`a source gives Uint8Array, and this one gave ${value === null ? 'null' : typeof value}`);
        }
        for (let at = 0; at < chunk.length; at += PIECE) {
          const piece = chunk.length <= PIECE ? chunk : chunk.subarray(at, at + PIECE);
          const more = this.native.push(piece);
          sinceTurn += piece.length;
          if (!more) {
            sinceTurn = 0;
            if (!(await this.native.ready())) return this.stop();
          } else if (sinceTurn >= TURN) {
            sinceTurn = 0;
            await turn();
          }
        }
      }
    } catch (error) {
      this.failure = error;
      this.native.fail(error instanceof Error ? error.message : String(error));
      this.stop();
    }
  }

  /** Nobody reads any more: tells the source, and waits for nothing. */
  stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    try {
      // A stream that was never read is not ended by its iterator.
      if (this.#source instanceof Readable) this.#source.destroy();
      Promise.resolve(this.#iterator.return?.()).catch(() => {});
    } catch {
      // It cannot be told.
    }
  }
}

module.exports = { Feed };
