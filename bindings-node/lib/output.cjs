'use strict';
// Bytes of the library as a stream of Node.
const { Readable } = require('node:stream');
const { thrown } = require('./error.cjs');

/** A part, or rows, as they are read. */
class Output extends Readable {
  #native;

  constructor(native, signal) {
    super({ highWaterMark: 1 << 20, signal });
    this.#native = native;
  }

  _read() {
    this.#native.next().then(
      (piece) => this.push(piece),
      (error) => this.destroy(thrown(error)),
    );
  }

  _destroy(error, done) {
    this.#native.close();
    done(error);
  }
}

/** The rows of lines of JSON. */
async function* rows(lines) {
  let rest = [];
  for await (const chunk of lines) {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      const line = chunk.subarray(from, at);
      yield JSON.parse(rest.length === 0 ? line.toString() : Buffer.concat([...rest, line]).toString());
      rest = [];
      from = at + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
  if (rest.length > 0) yield JSON.parse(Buffer.concat(rest).toString());
}

module.exports = { Output, rows };
