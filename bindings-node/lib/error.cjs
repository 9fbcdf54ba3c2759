'use strict';

/**
 * What goes wrong, with a stable code, a hint on what to do, and its cause.
 *
 * The codes are the same as in `--json`, Rust and Python.
 */
class BackproofError extends Error {
  constructor(message, { code, hint, transient = false, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
    this.transient = transient;
  }
}
Object.defineProperty(BackproofError.prototype, 'name', { value: 'BackproofError', configurable: true, writable: true });

/** As Node's own functions reject when a signal aborts them. */
class AbortError extends Error {
  constructor(signal) {
    super('The operation was aborted', { cause: signal.reason });
    this.code = 'ABORT_ERR';
  }
}
Object.defineProperty(AbortError.prototype, 'name', { value: 'AbortError', configurable: true, writable: true });

/** An error of the library as it crosses into JavaScript: with its causes as a list, the nearest first. */
function fromNative({ message, code, hint, transient, causes }, innermost) {
  const cause = causes.reduceRight(
    (cause, { message, code, hint, transient }) =>
      code ? new BackproofError(message, { code, hint, transient, cause }) : new Error(message, cause && { cause }),
    innermost,
  );
  return new BackproofError(message, { code, hint, transient, cause });
}

/** The error that a native function threw. */
function thrown(error) {
  try {
    return fromNative(JSON.parse(error.message));
  } catch {
    return error;
  }
}

module.exports = { AbortError, BackproofError, fromNative, thrown };
