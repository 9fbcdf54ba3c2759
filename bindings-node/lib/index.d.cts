import type { Readable } from 'node:stream';
import type { BackupOptions, BackupResult, CatOptions, CatResult, ErrorCode, Settings, Verbs, VerifyOptions, VerifyResult } from './api.cjs';

export type * from './api.cjs';

/** Bytes in pieces of any size. */
export type Chunk = ArrayBufferView | ArrayBufferLike;

/**
 * Where the bytes of a backup come from: a Node `Readable`, a web `ReadableStream`, a `Blob`, bytes, or any iterable of bytes, asynchronous or not.
 *
 * The backup is published only when it ends without throwing. Memory stays bounded: the source is read as fast as the bytes are stored.
 */
export type Source = Readable | ReadableStream<Chunk> | Blob | Chunk | Iterable<Chunk> | AsyncIterable<Chunk>;

/** Something that happened during a call. */
export type Progress =
  /** A step began, as a verb phrase for people. */
  | { type: 'step'; doing: string }
  /** A backup got the id that it will have when it is published. */
  | { type: 'started'; backup: string }
  /** A part began; about so many bytes will come, if that is known. */
  | { type: 'partStarted'; part: string; expected: number | null }
  /** So many bytes went through since the last such event: of data, and as stored. Comes at most 20 times a second. */
  | { type: 'progress'; plain: number; stored: number }
  /** A part is complete. */
  | { type: 'partFinished'; part: string; plain: number; stored: number }
  /** Something needs attention, and the work goes on. */
  | { type: 'warning'; message: string };

/** What every call takes besides its options. */
export interface CallOptions {
  /**
   * Ends the call: what was begun is cleaned up, then the promise rejects with an error whose name is `AbortError` and whose cause is the signal's reason.
   * Where the work was done already, it stands and its result is given.
   */
  signal?: AbortSignal;
  /** Is told what happens. What it throws is uncaught, and changes nothing about the work. */
  onProgress?: (event: Progress) => void;
}

/** A line of the library's log. */
export interface LogEvent {
  level: 'error' | 'warn' | 'info' | 'debug' | 'trace';
  /** The module that says it, e.g. `backup_core::pipeline`. */
  target: string;
  message: string;
  /** What else it says, by name. */
  fields: Record<string, string | number | boolean>;
}

/** The variables of an environment, as `process.env` has them. */
export type Variables = Record<string, string | undefined>;

/** Where the logs of a session go. */
export interface LogOptions {
  /** Is given the lines while calls go on: pass them to your own logger. Without it, nothing is logged. */
  onLog?: (event: LogEvent) => void;
  /** The least urgent level that is given; `info` by default. */
  logLevel?: LogEvent['level'];
}

/** What goes wrong, with a stable code, the same as in `--json`, Rust and Python. */
export class BackproofError extends Error {
  private constructor();
  readonly name: 'BackproofError';
  /** What happened, for programs. */
  readonly code: ErrorCode;
  /** What to do about it, for people. */
  readonly hint: string;
  /** Whether the same call may succeed later with nothing changed. */
  readonly transient: boolean;
  /** What it came from: another `BackproofError`, what a source threw, or an error of the operating system or the store. */
  readonly cause?: unknown;
}

/** A repository with its settings. Nothing is global: there may be several at once. */
export class Backproof {
  private constructor();

  /**
   * Opens a session. What the settings leave open comes from the environment and the configuration file, as with the program; neither the store nor the
   * database is spoken to yet.
   */
  static open(settings?: Omit<Settings, 'env'> & { env?: Variables }, logs?: LogOptions): Promise<Backproof>;

  /** Backs up the configured database, a file, the output of a program, or `source`. */
  backup(options?: BackupOptions & { source?: Source | null }, call?: CallOptions): Promise<BackupResult>;

  /** Reads the plaintext of one part, or the rows of one table; with `output`, into a file. It is whole only when the stream ends without an error. */
  cat(options: CatOptions & { output: string }, call?: CallOptions): Promise<CatResult>;
  cat(options: CatOptions & { output?: null }, call?: CallOptions): Promise<Readable>;

  /** The rows of one table, by column: values as PostgreSQL writes them, or null. They are all only when the loop ends without an error. */
  rows(options: Omit<CatOptions, 'part' | 'output' | 'format'> & { table: string }, call?: CallOptions): AsyncGenerator<Record<string, string | null>, void, void>;
}

export interface Backproof extends Verbs {}

/** What `verifyBackups` takes: what `verify` takes, with its two limits, and where the settings come from. */
export interface VerifyBackupsOptions extends VerifyOptions, LogOptions {
  /** The environment that settings come from; by default, that of the process. */
  env?: Variables;
}

/**
 * What the program `verify-backups` does: the newest backup of each series exists, is younger than 48 h and larger than 1 MB, the store can be reached, and
 * every checksum is right. `exitCode` is 0 healthy, 1 warning, 2 error; it throws only where it could not look.
 */
export function verifyBackups(options?: VerifyBackupsOptions, call?: CallOptions): Promise<VerifyResult>;
