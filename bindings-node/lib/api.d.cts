// Made by scripts/node-types from bindings/api.json: change the library, and run it again.

import type { CallOptions } from './index.cjs';

/** One named check of a restored database: exactly one of the checks is given. */
export interface Assertion {
  /** The extension amcheck must find nothing wrong. */
  amcheck?: boolean | null;
  /** A program with its arguments, run without a shell; it gets the database's URL as `DATABASE_URL`. */
  command?: string[] | null;
  /** A number that must lie in a range. */
  count?: Count | null;
  /** A table whose newest row must be new. */
  fresh?: Fresh | null;
  /** A function or procedure that must exist: with the types of its arguments, or any of that name. */
  function?: string | null;
  /** Its name, in results. */
  name: string;
  /** Numbers that must follow one another. */
  noGaps?: NoGaps | null;
  /** Tables that must have row-level security on; `schema.*` for all of a schema. */
  rowLevelSecurity?: string[] | null;
  /** What its failing means. */
  severity?: AssertionSeverity;
  /** One SQL statement that must give one row with one column, true. */
  sql?: string | null;
  /** Tables that must exist. */
  tables?: string[] | null;
  /** How long it may take, e.g. `5m`; an assertion that takes longer is unverified. */
  timeout?: string | null;
  /** No constraint may be `NOT VALID`. */
  validConstraints?: boolean | null;
  /** No index may be invalid. */
  validIndexes?: boolean | null;
}

/** What came of one of the user's own checks of the restored data. */
export interface AssertionResult {
  /** What was found, or why nothing could be. */
  detail: string;
  /** Its name in the configuration. */
  name: string;
  /** What came of it. */
  outcome: Outcome;
  /** How long it took, in seconds. */
  seconds: number;
  /** Whether its failing is only a warning. */
  warningOnly: boolean;
}

/**
 * What it means when an assertion does not pass.
 *
 * - `fail`: A failure.
 * - `warn`: A warning.
 */
export type AssertionSeverity = "fail" | "warn";

/** The id of a backup. Sorts by the time of its snapshot. */
export type BackupId = string;

/** What `backup` takes. */
export interface BackupOptions {
  /** Back up the output of this program, with its arguments, instead of a database; it must exit with 0. */
  command?: string[];
  /** The zstd level, 1 (fastest) to 19 (smallest); 3 unless configured. */
  compressionLevel?: number | null;
  /** Back up this file instead of a database. */
  file?: string | null;
  /** Do not encrypt: whoever reads the store reads the data. */
  noEncryption?: boolean;
  /** Seal to a passphrase too: from the settings, or asked for. */
  passphrase?: boolean;
  /** Include the roles' password hashes in the globals; needs a superuser. */
  rolePasswords?: boolean;
  /** Leave out what the login cannot read, list it in the backup, and warn. */
  skipUnreadable?: boolean;
}

/** A backup that was made. */
export interface BackupResult {
  /** Its id. */
  id: BackupId;
  /** Its label. */
  label: Label;
  /** How many things could not be captured. */
  leftOut: number;
  /** The SHA-256 of its manifest. */
  manifestSha256: Sha256;
  /** Bytes of data. */
  plainBytes: number;
  /** How long it took, in seconds. */
  seconds: number;
  /** Its series. */
  series: Series;
  /** When its snapshot was taken, by the source's clock. */
  snapshot: string;
  /** Bytes as stored. */
  storedBytes: number;
  /** What needs attention. */
  warnings: string[];
}

/** `[backup]`: how backups are made. */
export interface BackupSection {
  /** `zstd` or `none`. */
  compression?: string | null;
  /** The zstd level, 1 (fastest) to 19 (smallest). */
  compressionLevel?: number | null;
  /** The label of new backups. */
  label?: string | null;
  /** How long an upload may make no progress, e.g. `5m`. */
  maxStall?: string | null;
  /** The memory budget, e.g. `256MiB`. */
  memory?: string | null;
  /** Bytes of plaintext in each object, e.g. `16MiB`. */
  segmentSize?: string | null;
  /** How many segments are worked on at once; by default as many as there are cores. */
  workers?: number | null;
}

/** What is known of one backup. */
export interface BackupVerdict {
  /** `trusted by NAME (FINGERPRINT)`, `not checked`, or why it was refused. */
  authenticity: string;
  /** What was found. */
  findings: Finding[];
  /** What each part was found to hold, as `part: what`, at level readable. */
  held: string[];
  /** Its id. */
  id: BackupId;
  /** Whether the level that was asked for was reached. */
  outcome: Outcome;
  /** What restoring it showed, at the levels restorable and identical. */
  proof: Proof | null;
  /** The deepest level that was reached. */
  reached: Level | null;
  /** How long it took, in seconds. */
  seconds: number;
  /** Its series. */
  series: Series;
}

/** What a store can do. Found out by probing at `init`, recorded in the repository's marker. */
export interface Capabilities {
  /** An object, once written, can be neither replaced nor deleted with these credentials. */
  appendOnly: boolean;
  /** A listing shows an object as soon as its put has ended, and no longer once it is deleted. */
  consistentListing: boolean;
  /** A second `Sink::create` of the same key fails, even when both run at once. */
  createIfAbsent: boolean;
  /** Parts of objects can be read. */
  rangedReads: boolean;
  /** The store checks a checksum of each upload itself. */
  uploadChecksums: boolean;
}

/** What `cat` takes: a part or a table. */
export interface CatOptions {
  /** Read a backup that no trusted signer signed; it must be named by its id. */
  allowUnsigned?: boolean;
  /** How rows are written into `output`; `csv` by default. */
  format?: RowFormat | null;
  /** An id, the start of one, or `latest`. */
  id: string;
  /** A file for the plaintext, created; never overwritten. */
  output?: string | null;
  /** The part: `dump`, `globals`, `contents`, … */
  part?: string | null;
  /** The backup was sealed to a passphrase: from the settings, or asked for. */
  passphrase?: boolean;
  /** The rows of this table instead, named as in SQL: `public.orders`. Only the segments that hold them are read; no server is needed. */
  table?: string | null;
}

/** A file that was written. */
export interface CatResult {
  /** Bytes of the part. */
  bytes?: number | null;
  /** The file. */
  file: string;
  /** How rows are written. */
  format?: RowFormat | null;
  /** The part that is in it. */
  part?: string | null;
  /** Rows of the table. */
  rows?: number | null;
  /** The table whose rows are in it. */
  table?: string | null;
  /** What needs attention. */
  warnings?: string[];
}

/** What can differ. */
export type ChangeKind = "missing" | "unexpected" | "rows" | "values" | "columns" | "definition" | "owner" | "tablespace" | "access_method" | "sequence" | "size" | "bytes" | "privileges" | "version";

/** A number, a name, or where a sequence stands. */
export type ChangeValue = number | Name | SequenceValue;

/** A side of a comparison: a backup or a database. */
export interface Compared {
  /** The backup's id. */
  backup?: BackupId | null;
  /** The database, without secrets. */
  database?: string | null;
}

/**
 * How segments are compressed.
 *
 * - `zstd`: One zstd frame per segment, with content size and checksum.
 * - `none`: Not at all.
 */
export type Compression = "zstd" | "none";

/** What `config` takes: nothing. */
export type ConfigOptions = Record<string, never>;

/** The settings in effect. */
export interface ConfigResult {
  /** Each with where it comes from, with secrets redacted. */
  settings: Setting[];
}

/** The whole file. */
export interface Configuration {
  /** What must hold of every restored database. */
  assertions?: Assertion[];
  /** How backups are made. */
  backup?: BackupSection;
  /** How backups are restored for a proof. */
  drill?: DrillSection;
  /** PostgreSQL's programs. */
  postgres?: PostgresSection;
  /** Where backups are, and the keys. */
  repository?: RepositorySection;
  /** The databases, by the names of their series. */
  series?: Record<string, SeriesSection>;
  /** What a verification asks for. */
  verify?: VerifySection;
}

/** A number that must lie in a range: of a table's rows, or what one SQL statement gives. */
export interface Count {
  /** The most that passes. */
  max?: number | null;
  /** The least that passes. */
  min?: number | null;
  /** The SQL statement that gives the number. */
  sql?: string | null;
  /** The table whose rows are counted. */
  table?: string | null;
}

/** What differs between a backup and something else. */
export interface Diff {
  /** Tables whose rows are the same. */
  equalTables: number;
  /** Worth knowing; no difference. */
  notes: string[];
  /** Everything else that was added, removed or changed. */
  objects: ObjectDiff[];
  /** Tables whose rows were added, removed or changed, by name. */
  tables: TableDiff[];
  /** The version of the second's server. Servers of different versions can write the same definition in other words. */
  versionAfter: string | null;
  /** The version of the first's server, as the dump has it. */
  versionBefore: string | null;
}

/** What `diff` takes. */
export interface DiffOptions {
  /** Another one; the configured database, when there is none. */
  after?: string | null;
  /** Read backups that no trusted signer signed; they must be named by their ids. */
  allowUnsigned?: boolean;
  /** A backup: an id, the start of one, or `latest`. */
  before: string;
  /** The backups were sealed to a passphrase: from the settings, or asked for. */
  passphrase?: boolean;
}

/** What differs. */
export interface DiffResult {
  /** The other side. */
  after: Compared;
  /** The one side. */
  before: Compared;
  /** What differs. */
  diff: Diff;
  /** Whether both are the same. */
  equal: boolean;
  /** What needs attention. */
  warnings?: string[];
}

/**
 * What was done from the first to the second.
 *
 * - `added`: Only the second has it.
 * - `removed`: Only the first has it.
 * - `changed`: Both have it, and it differs.
 */
export type DiffStatus = "added" | "removed" | "changed";

/** An object that did not come back as it was backed up. */
export interface Difference {
  /** The object: its kind and name, e.g. `table public.orders`. */
  object: string;
  /** What differs, e.g. `120 rows in the backup, 119 restored`. Never a definition, which can hold secrets. */
  what: string;
}

/** What `drill` takes. */
export interface DrillOptions {
  /** Accept that this cannot be tested, by the names that a proof gives, e.g. `extension:pg_graphql`. */
  accept?: string[];
  /** Drill a backup that no trusted signer signed: a dump can run code when it is restored. */
  allowUnsigned?: boolean;
  /** An id, the start of one, or `latest`, which it is by default. */
  id?: string | null;
  /** Work with low priority for processor and disk. */
  lowPriority?: boolean;
  /** Do not keep the result in the repository. */
  noRecord?: boolean;
  /** Also write each result into this folder, as `test-<time>.json`. */
  output?: string | null;
  /** The backup was sealed to a passphrase: from the settings, or asked for. */
  passphrase?: boolean;
  /** The oldest that the newest restorable backup may be: seconds, or text, e.g. `1h`. */
  rpo?: Duration | null;
  /** The longest that the restore may take: seconds, or text, e.g. `4h`. */
  rto?: Duration | null;
  /** This many backups instead, those whose proof is the longest ago first. */
  sample?: number | null;
  /** Restore into a database of this server instead of a cluster of its own: a URL; the database is dropped afterwards. */
  scratch?: string | null;
  /** The folder for the scratch cluster, on a disk with room for the database; the system's temporary folder unless configured. */
  scratchDir?: string | null;
}

/** What a drill did and found. One JSON document. */
export interface DrillReport {
  /** The backup, the level that was reached, who signed it, every step, difference and assertion, and what was not tested. */
  backup: BackupVerdict;
  /** When it ended. */
  finished: string;
  /** The installation. */
  installation: string;
  /** The label of the backup. */
  label: Label | null;
  /** The repository. */
  location: string;
  /** The SHA-256 of the backup's manifest. */
  manifest: Sha256 | null;
  /** The objectives, and whether they were kept to. */
  objectives: ObjectiveResult[];
  /** The program, e.g. `backproof 0.1.0`. */
  program: string;
  /** When the backup's snapshot was taken. */
  snapshot: string | null;
  /** When the drill began, by this machine's clock. */
  started: string;
  /** The version of this document's fields. */
  version: number;
}

/** What a drill did and found. */
export interface DrillResult {
  /** One report for each backup. */
  drills: DrillReport[];
  /** The same as a number: 0, 1 or 2. */
  exitCode: number;
  /** The files that were written. */
  files?: string[];
  /** Healthy, warning or error: the worst of all. */
  status: Status;
  /** What else needs attention; changes no status. */
  warnings?: string[];
}

/** `[drill]`: how backups are restored for a proof, and what must hold then. */
export interface DrillSection {
  /** What cannot be tested here and need not be, by name. */
  accept?: OneOrMore | null;
  /** Whether to work with low priority for processor and disk. */
  lowPriority?: boolean | null;
  /** A managed service whose own extensions are accepted: `supabase`. */
  profile?: string | null;
  /** The oldest that the newest restorable backup may be, e.g. `1h`. */
  rpo?: string | null;
  /** The longest that a restore may take, e.g. `4h`. */
  rto?: string | null;
  /** A server to restore into, in place of a cluster of its own. */
  scratch?: string | null;
  /** The folder for scratch clusters, on a disk with room for the database. */
  scratchDir?: string | null;
}

/** A time span: seconds as a number, or text such as `90s`, `15m`, `48h`, `7d` or `2w`. */
export type Duration = number | string;

/** How segments are encrypted and who can open them. */
export interface Encryption {
  /** SHA-256 of `backproof-key-1`, 0, the id, 0, the secret line: what an opened key must match. Null without encryption. */
  keyCommitment: Sha256 | null;
  /** The key files, in the order they were written. */
  keyFiles: KeyFileEntry[];
  /** The scheme of the segments. */
  scheme: Scheme;
}

/** Something that a verification found. */
export interface Finding {
  /** A stable name: an error code, or one of `no_backups`, `no_usable_backup`, `backup_missing`, `manifest_replaced`, `backup_too_old`, `backup_too_small`, `backup_shrank`, `newer_unusable`, `clock_skew`, `future_dated`, `datedAhead`, `unexpected_object`, `leftOut`, `structure_not_checked`, `restore_failed`, `difference`, `untested`, `assertion_failed`, `assertion_unverified`, `proof`, `proof_not_recorded`. */
  code: string;
  /** What to do about it. */
  hint: string;
  /** What was found. */
  message: string;
  /** How much it matters. */
  severity: Severity;
}

/** A table whose newest row must be new: not older than `within` before the time that the data is of. */
export interface Fresh {
  /** Its column with the time: a `timestamptz`, or what PostgreSQL casts to one. */
  column: string;
  /** The table. */
  table: string;
  /** How old the newest row may be. */
  within: string;
}

/** What `init` takes. */
export interface InitOptions {
  /** Use a store that cannot create an object only if it is absent: safe with one writer only. */
  allowUnconditionalCreate?: boolean;
}

/** A repository that was created. */
export interface InitResult {
  /** The installation's id: readers that trust signers need it. */
  installation: string;
  /** What the repository has to do without, in sentences. */
  lost: string[];
  /** The repository. */
  repository: string;
  /** The repository's own id: writers that may only write need it. */
  repositoryId: string;
  /** What the store can do. */
  store: Capabilities;
  /** What needs attention. */
  warnings?: string[];
}

/** A key file, under `keys/`. */
export interface KeyFileEntry {
  /** Its size in bytes. */
  bytes: number;
  /** Its name, e.g. `0001.age`. */
  name: string;
  /** Whom it is sealed to. */
  recipients: RecipientName[];
  /** Its SHA-256, checked before any identity touches it. */
  sha256: Sha256;
}

/**
 * What a signing key is for.
 *
 * - `backup`: Manifests: it is on a host that backs up.
 * - `proof`: Evidence: it is on a host that verifies and drills.
 */
export type KeyPurpose = "backup" | "proof";

/** What `keygen` takes. */
export interface KeygenOptions {
  /** Make no new key: this is the form of one that was kept on paper, typed or scanned. */
  fromPaper?: string | null;
  /** The file for the secret key; never overwritten. */
  output: string;
  /** Protect the secret key with a passphrase: from the settings, or asked for. */
  passphrase?: boolean;
  /** With `signing`, the name of the key's holder in the list of trusted signers; `backup-host` by default. */
  principal?: string | null;
  /** With `signing`, what the key is for (`--for` on the command line); `backup` by default. */
  purpose?: KeyPurpose | null;
  /** Make an SSH key that signs manifests and evidence, instead of an age identity. */
  signing?: boolean;
}

/** A key that was made. The first two are of an identity, the others of a signing key. */
export interface KeygenResult {
  /** The fingerprint, `SHA256:…`. */
  fingerprint?: string | null;
  /** The file with the secret identity, which opens backups: keep it away from the host that makes them. */
  identityFile?: string | null;
  /** The file with its public half. */
  publicKeyFile?: string | null;
  /** The public recipient, which backups are sealed to. */
  recipient?: string | null;
  /** The file with the secret signing key. */
  signingKeyFile?: string | null;
  /** The line by which readers trust it, in the file of trusted signers. */
  trustedSignersLine?: string | null;
}

/** What a backup is for, e.g. `daily`; in the path, because buckets lock and expire by prefix. */
export type Label = string;

/** How deeply a backup was last proven. */
export interface LastProof {
  /** Whether the last proof failed. */
  failed: boolean;
  /** The deepest level that was reached since the last failure. */
  reached: Level | null;
  /** When. */
  time: string;
}

/** Something that should have been in the backup and is not, by name. Sealed in `contents`; the manifest has the count. */
export interface LeftOut {
  /** What kind of object, e.g. `table`. */
  kind: string;
  /** Its name, e.g. `public.orders`. */
  name: string;
  /** Why, and what would help. */
  reason: string;
}

/**
 * How deeply a backup is proven. Each level includes those before it.
 *
 * - `present`: The manifest (rightly signed, where signers are trusted), every segment and at least one valid key file are there, in their sizes.
 * - `intact`: The stored bytes hash as the manifest says.
 * - `readable`: Every segment decrypts, decompresses and hashes as recorded at backup time, and the data parses to its end.
 * - `restorable`: Restored into a scratch cluster without error.
 * - `identical`: The restored database has the same contents.
 */
export type Level = "present" | "intact" | "readable" | "restorable" | "identical";

/** What `list` takes: nothing. The settings say of which series and label. */
export type ListOptions = Record<string, never>;

/** The backups of a repository. */
export interface ListResult {
  /** The backups, by series and age, the oldest first. */
  backups: ListedBackup[];
  /** Backups that later ones name as the one before them, and that are gone. */
  missing: MissingBackup[];
  /** Backups whose manifest was replaced since a later one named it. */
  replaced?: ReplacedBackup[];
  /** The repository. */
  repository: string;
  /** What needs attention. */
  warnings?: string[];
}

/** A backup in the list. */
export interface ListedBackup {
  /** How old it is, in seconds, by the store's clock where that is known. */
  ageSeconds?: number;
  /** Whether a wrong clock dated it. */
  datedAhead?: boolean;
  /** How it is encrypted. */
  encryption?: Scheme;
  /** Its id. */
  id: BackupId;
  /** What it is of: `postgresql-dump`, `command`, `stream`, `file`. */
  kind?: string;
  /** Its label. */
  label?: Label;
  /** How deeply it was last proven. */
  lastProof?: LastProof | null;
  /** How many things could not be captured. */
  leftOut?: number;
  /** Bytes of data. */
  plainBytes?: number;
  /** Why it cannot be read, or does not count. */
  problem: string | null;
  /** Its series. */
  series: Series;
  /** When its snapshot was taken, by the source's clock. */
  snapshot?: string;
  /** Bytes as stored. */
  storedBytes?: number;
}

/**
 * A backup's manifest. A backup exists exactly when its manifest does.
 *
 * All times are UTC, all sizes are bytes. Unknown fields are ignored when reading, unknown entries of `requires` are not.
 */
export interface Manifest {
  /** How segments are encrypted and who can open them. */
  encryption: Encryption;
  /** When its last object was confirmed, by the writer's clock. */
  finished: string;
  /** The repository format, 1. */
  format: number;
  /** The backup's id. */
  id: BackupId;
  /** The installation whose backup this is; shared by all copies of a repository. */
  installation: string;
  /** `manifest`: what this document is. */
  kind: string;
  /** The backup's label. */
  label: Label;
  /** How many things could not be captured; their names are in the sealed `contents`. */
  leftOut: number;
  /** The parts, in the order of writing; `contents` is the last. */
  parts: PartEntry[];
  /** The manifest before this one in the series; null for the first, and where it could not be read. */
  previous: Previous | null;
  /** What a reader must understand beyond the format; anything unknown here is refused. */
  requires: string[];
  /** How plaintext became segments. */
  segments: SegmentFormat;
  /** The backup's series. */
  series: Series;
  /** SHA-256 of the folder's SHA256SUMS, which binds RESTORE.md, the key files and every part's SHA256SUMS. */
  sha256sums: Sha256;
  /** What was backed up, with the time of its snapshot by the server's clock. */
  source: SourceInfo;
  /** When the backup began, by the writer's clock. */
  started: string;
  /** What wrote it, e.g. `backproof 0.1.0`. */
  writer: string;
}

/** A backup that a later manifest names as the one before it, and that is not there any more. */
export interface MissingBackup {
  /** Its id. */
  id: BackupId;
  /** The backup that names it. */
  namedBy: BackupId;
  /** Its series. */
  series: Series;
}

export type Name = string | {
  hex: string;
};

/** What was written to a live database since a swap: it would be lost there. */
export interface NewerData {
  /** What else was changed. */
  changed?: string | null;
  /** Whether it can be told. */
  known: boolean;
  /** Why it cannot be told. */
  reason?: string | null;
  /** How many rows were inserted, updated or deleted. */
  rows?: number | null;
}

/** Whole numbers that must follow one another without gaps and repetitions. */
export interface NoGaps {
  /** Each value of this column has numbers of its own. */
  by?: string | null;
  /** Its column with the numbers. */
  column: string;
  /** What the first number must be. Otherwise rows that are missing before the first are not noticed; those after the last never are. */
  from?: number | null;
  /** The table. */
  table: string;
}

/** Anything but rows. */
export interface ObjectDiff {
  /** With `bytes`: how many bytes the large object has. */
  bytes?: number | null;
  /** What differs. */
  change: ChangeKind;
  /** What it should be: with `rows`, `owner`, `tablespace`, `access_method`, `sequence`, `size` and `version`. */
  expected?: ChangeValue | null;
  /** What it is: with the same kinds of change. */
  found?: ChangeValue | null;
  /** Its kind, in pg_dump's words; `TABLE DATA` for rows, `BLOB` for a large object. */
  kind: string;
  /** With `columns`: those that are missing. */
  missing?: Name[] | null;
  /** Its name in its schema, pg_dump's tag. */
  name: Name;
  /** The object, for people: `table public.orders`. */
  object: string;
  /** With `values`: how many rows there are on both sides. */
  rows?: number | null;
  /** Its schema. */
  schema?: Name | null;
  /** What was done to it. */
  status: DiffStatus;
  /** With `columns`: those that are not expected. */
  unexpected?: Name[] | null;
  /** What differs, in words. */
  what: string;
}

/** An objective, and what was measured. */
export interface ObjectiveResult {
  /** The objective, in seconds. */
  limitSeconds: number;
  /** What was measured, in seconds; none where nothing could be. */
  measuredSeconds: number | null;
  /** `rto` or `rpo`. */
  name: string;
  /** Whether it is kept to. */
  outcome: Outcome;
}

/** A string, or a list of them. */
export type OneOrMore = string | string[];

/**
 * What came of a check.
 *
 * - `passed`: It was checked, and holds.
 * - `unverified`: It could not be checked: never a pass.
 * - `failed`: It was checked, and does not hold.
 */
export type Outcome = "passed" | "unverified" | "failed";

/** A restore into a live database itself. */
export interface Overwritten {
  /** What came of the assertions. */
  assertions: AssertionResult[];
  /** The backup. */
  backup: string;
  /** The database. */
  live: string;
  /** The backup of what was there before: the way back. */
  safetyBackup: string;
}

/** One part. */
export interface PartEntry {
  /** The segments' endings, with the dot, e.g. `.zst.age`. */
  ending: string;
  /** The part's name. */
  name: string;
  /** Bytes of plaintext in all segments together. */
  plainBytes: number;
  /** How many segments it has: at least one. */
  segments: number;
  /** Bytes of all segments as stored. */
  storedBytes: number;
}

/** A step of a proof, timed by the clock of this machine. */
export interface Phase {
  /** `provision`, `load`, `indexes`, `compare`, `assertions`, … */
  name: string;
  /** How long it took, in seconds. */
  seconds: number;
}

/** `[postgres]`: PostgreSQL's programs. */
export interface PostgresSection {
  /** The folder of pg_dump and pg_restore. */
  bindir?: string | null;
  /** How long pg_dump waits for a lock, e.g. `60s`. */
  lockWaitTimeout?: string | null;
}

/** The manifest before this one. */
export interface Previous {
  /** Its id. */
  id: BackupId;
  /** SHA-256 of its JSON: the one in its own `sha256` line. */
  sha256: Sha256;
}

/** What is known after a backup was restored into a scratch place. */
export interface Proof {
  /** The user's own checks. */
  assertions: AssertionResult[];
  /** What was compared, for people, e.g. `19 tables with 1500000 rows, 20 large objects, 199 definitions`. */
  compared: string;
  /** What did not come back as it was backed up. */
  differences: Difference[];
  /** Errors of the restore. Not empty: the backup is not restorable. */
  errors: string[];
  /** How the scratch place was kept apart from everything else, each as `what: how far`. */
  isolation: string[];
  /** Worth knowing; changes no outcome. */
  notes: string[];
  /** The timed steps, in order. */
  phases: Phase[];
  /** Where it was restored, for people, without secrets. */
  scratch: string;
  /** What was not compared. */
  untested: Untested[];
  /** The versions of what took part: `server`, `scratch_server`, `pg_dump`, … */
  versions: Record<string, string>;
}

/** A public key that may open backups, as the manifest names it. */
export interface RecipientName {
  /** The public key, or the fingerprint of one that is too long to print. */
  id: string;
  /** `age`, `ssh`, `age-plugin`, `passphrase` or `openpgp`. */
  kind: string;
}

/** A backup whose manifest is not the one that the manifest after it was written behind. */
export interface ReplacedBackup {
  /** Its id. */
  id: BackupId;
  /** The backup that names it with another hash. */
  namedBy: BackupId;
  /** Its series. */
  series: Series;
}

/** `[repository]`: where backups are, and the keys. */
export interface RepositorySection {
  /** Files with secret keys that open backups. */
  identity?: OneOrMore | null;
  /** The installation's id, where signers are trusted. */
  installation?: string | null;
  /** The file whose first line is the passphrase for whatever asks for one. */
  passphraseFile?: string | null;
  /** Public keys that may open new backups. */
  recipients?: OneOrMore | null;
  /** With `writeOnly`: the repository's own id, which `init` tells. */
  repositoryId?: string | null;
  /** The SSH private key that signs new backups. */
  signingKey?: string | null;
  /** How the object store is spoken to. */
  store?: StoreSection;
  /** The file that says whose signatures count, in OpenSSH's allowed_signers format. */
  trustedSigners?: string | null;
  /** The repository's URL. */
  url?: string | null;
  /** This host may only write: nothing is read or listed, and the ids come from here. */
  writeOnly?: boolean | null;
}

/** What `restore` takes. */
export interface RestoreOptions {
  /** Restore a backup that no trusted signer signed; it must be named by its id. */
  allowUnsigned?: boolean;
  /** With `latest`: the newest backup whose snapshot is older than this time, e.g. `2026-11-20T12:00:00Z`. */
  before?: string | Date | null;
  /** With `swap`: drop the old database afterwards; there is no way back then but the safety backup. */
  dropOld?: boolean;
  /** Say what would be done, and change nothing. */
  dryRun?: boolean;
  /** An id, the start of one, or `latest`. */
  id: string;
  /** With `swap`: go on although replication slots and subscriptions stay with the old database. */
  ignoreSlots?: boolean;
  /** Restore into the live database itself, where `swap` is not possible: in one transaction, with writes stopped. */
  inPlace?: boolean;
  /** Connections that build indexes and constraints at once, 1 to 64; as many as this machine has cores, at most 8, by default. */
  jobs?: number | null;
  /** With `swap` and `inPlace`: how deeply the backup is proven first, intact or deeper; readable by default. */
  level?: Level | null;
  /** With `tables`: put back only the rows whose key is gone. */
  missingRows?: boolean;
  /** With `swap` and `inPlace`: do not encrypt the safety backup. */
  noEncryption?: boolean;
  /** Restore without owners and privileges, for servers that lack the roles. */
  noOwner?: boolean;
  /** Restore everything into the server's default tablespace. */
  noTablespaces?: boolean;
  /** The backup was sealed to a passphrase: from the settings, or asked for. */
  passphrase?: boolean;
  /** With `tables`: in place of the rows that are there, which are kept. */
  replace?: boolean;
  /** With `tables`: the new schema for them; `restored_<time>` by default. */
  schema?: string | null;
  /** With `swap` and `inPlace`: leave out of the safety backup what the login cannot read. */
  skipUnreadable?: boolean;
  /** Restore in place of the live database that `to` names: beside it, and then the two change names. */
  swap?: boolean;
  /** Restore these tables alone, named as in SQL, with `*` and `?` as patterns. */
  tables?: string[];
  /** The new database: a URL or key=value pairs. With `swap`, `inPlace` and `tables`: the live one. */
  to?: string | null;
  /** Write each part to a file in this folder instead; the folder must not exist or be empty. */
  toDirectory?: string | null;
  /** Do not ask before live data is replaced. */
  yes?: boolean;
}

/** What a restore would do. */
export interface RestorePlan {
  /** With `swap`: the backup. */
  backup?: BackupId | null;
  /** With `swap`: how many connections would be ended. */
  connections?: number | null;
  /** With `swap`: the name under which the live database would be kept. */
  kept?: string | null;
  /** What makes it impossible as asked, each with the way out. */
  obstacles: string[];
  /** What would be done, in order, one line each. */
  steps: string[];
  /** Where it goes, without secrets. */
  target: string;
  /** What one should know before. */
  warnings: string[];
}

/** A restore into a new database or a folder. */
export interface RestoreReport {
  /** Into a database: bytes of plaintext that were read. */
  bytes?: number | null;
  /** Into a folder: the files. */
  files?: WrittenPart[] | null;
  /** Where it went, without secrets. */
  target: string;
  /** Into a database: what needs attention although the restore succeeded. */
  warnings?: string[] | null;
}

/** What a restore did, or, with `dryRun`, would do. Which fields are there depends on what was asked for. */
export interface RestoreResult {
  /** Whether nothing was changed. */
  dryRun: boolean;
  /** With `inPlace`: what was done. */
  overwritten?: Overwritten | null;
  /** With `dryRun`: what would be done. */
  plan?: RestorePlan | null;
  /** Into a new database or a folder: what was done. */
  report?: RestoreReport | null;
  /** With `swap`: what was done. */
  swapped?: Swapped | null;
  /** With `tables`: what was done. */
  tables?: RestoredTable[] | null;
  /** What needs attention. */
  warnings?: string[];
}

/** A table that was restored. */
export interface RestoredTable {
  /** The table that has its rows now, as SQL. */
  into: string;
  /** With `replace`: the table with the rows that were there, as SQL. */
  kept: string | null;
  /** With `missingRows`: how many were put back. */
  putBack: number | null;
  /** Rows in the backup. */
  rows: number;
  /** The table in the backup, as SQL. */
  table: string;
}

/** What `rollback` takes. */
export interface RollbackOptions {
  /** Do not go back: drop the databases that swaps and rollbacks put aside. */
  dropOld?: boolean;
  /** Say what would be done, and change nothing. */
  dryRun?: boolean;
  /** Go back although rows were written since; they stay in the database that is put aside. */
  loseNewerData?: boolean;
  /** Put back the rows that a restore with `tables` and `replace` kept of these tables, named as in SQL, with `*` and `?` as patterns. */
  tables?: string[];
  /** The live database: a URL or key=value pairs. */
  to: string;
  /** Do not ask. */
  yes?: boolean;
}

/** What a rollback of a swap would do. */
export interface RollbackPlan {
  /** The name of the database that would come back. */
  kept: string;
  /** What was written to the live database since the swap. */
  newer: NewerData;
  /** What makes it impossible. */
  obstacles: string[];
  /** What the live database would be called. */
  putAside: string;
  /** What would be done, in order, one line each. */
  steps: string[];
  /** The live database, without secrets. */
  target: string;
}

/** What a rollback did, or, with `dryRun`, would do. Which fields are there depends on what was asked for. */
export interface RollbackResult {
  /** With `dropOld`: the databases that were dropped. */
  dropped?: string[] | null;
  /** Whether nothing was changed. */
  dryRun: boolean;
  /** With `dropOld`: the databases that are kept. */
  kept?: string[] | null;
  /** Of a swap, with `dryRun`: what would be done. */
  plan?: RollbackPlan | null;
  /** Of a swap: what was done. */
  rolledBack?: RolledBack | null;
  /** Of tables: which. */
  tables?: RolledBackTable[] | null;
  /** What needs attention. */
  warnings?: string[];
}

/** A swap that was taken back. */
export interface RolledBack {
  /** How many connections were ended. */
  endedConnections: number;
  /** The live name, which the database that was kept has again. */
  live: string;
  /** The name under which the restored database is kept now. */
  putAside: string;
}

/** A table whose rows go back, or went. */
export interface RolledBackTable {
  /** With `dryRun`: the table that its rows are kept in, as SQL. */
  kept?: string | null;
  /** How many rows it has back. */
  rows?: number | null;
  /** The table, as SQL. */
  table: string;
}

/**
 * How rows are written.
 *
 * - `csv`: Comma-separated values, with a header: NULL is nothing, an empty string is `""`.
 * - `copy`: As COPY's text, byte for byte as in the dump.
 * - `json`: One JSON object a line; all values are strings or null.
 */
export type RowFormat = "csv" | "copy" | "json";

/**
 * How a backup's segments are encrypted, as the manifest names it.
 *
 * - `none`: Not at all: `--no-encryption`.
 * - `age-x25519`: age v1 files with one X25519 stanza.
 * - `openpgp-aes256`: OpenPGP (RFC 4880) AES-256, one passphrase packet and one integrity-protected packet.
 */
export type Scheme = "none" | "age-x25519" | "openpgp-aes256";

/** How plaintext became segments. */
export interface SegmentFormat {
  /** Bytes of plaintext in every segment but the last of a part. */
  bytes: number;
  /** `zstd`, or `none`. */
  compression: Compression;
}

/** Where a sequence stands. */
export interface SequenceValue {
  /** `is_called`: whether the next value is the one after it. */
  called: boolean;
  /** `last_value`. */
  last: number;
}

/** The backups of one database (or other source) under one name, e.g. `app`. */
export type Series = string;

/** `[series.NAME]`: one database. */
export interface SeriesSection {
  /** What must hold of this one, besides. */
  assertions?: Assertion[];
  /** The database: a URL or key=value pairs. */
  database?: string | null;
  /** The label of new backups. */
  label?: string | null;
  /** Leave out what the login cannot read, list it in the backup, and end with a warning. */
  skipUnreadable?: boolean | null;
}

/** Where a setting came from. */
export interface Setting {
  /** Its name, as in the file: `repository.url`. */
  name: string;
  /** `flag`, `environment (NAME)`, `file (PATH)` or `configuration`. */
  origin: string;
  /** Its value, with secrets redacted. */
  value: string;
}

/** Settings given directly, which go before the environment and the configuration file. All are optional. */
export interface Settings {
  /** The configuration file; by default `BACKPROOF_CONFIG`, then `backproof.toml` here, then `/etc/backproof/backproof.toml`. */
  config?: string | null;
  /** What a configuration file would say, given directly; then none is read. */
  configuration?: Configuration | null;
  /** The database that is backed up: a URL or key=value pairs. [env: `DATABASE_URL`, `SUPABASE_DB_URL`, `PG*`, `POSTGRES_*`] */
  database?: string | null;
  /** The environment variables to take settings and credentials from; by default those of this process. */
  env?: Record<string, string> | null;
  /** Files with secret keys that open backups (age, SSH or OpenPGP). [env: `BACKPROOF_IDENTITY`] */
  identities?: string[];
  /** The installation's id, where signers are trusted. [env: `BACKPROOF_INSTALLATION`] */
  installation?: string | null;
  /** What a backup is for, e.g. `daily`; where backups are looked for, only those. [env: `BACKPROOF_LABEL`; default for new backups: `manual`] */
  label?: string | null;
  /** The memory budget in bytes, or as text, e.g. `256MiB`. [env: `BACKPROOF_MEMORY`] */
  memory?: Size | null;
  /** The series of backups, e.g. `app`. [env: `BACKPROOF_NAME`] */
  name?: string | null;
  /** The passphrase for whatever asks for one, in place of a file. */
  passphrase?: string | null;
  /** The file whose first line is the passphrase for whatever asks for one. [env: `BACKPROOF_PASSPHRASE_FILE`] */
  passphraseFile?: string | null;
  /** The folder of pg_dump and pg_restore. [env: `PG_BINDIR`] */
  pgBindir?: string | null;
  /** Public keys that may open new backups: `age1…`, `ssh-ed25519 …`, a file of these, an OpenPGP public key file, or a key in gpg's keyring. [env: `BACKPROOF_RECIPIENTS`] */
  recipients?: string[];
  /** The repository's URL: `file:///path`, `s3://bucket/prefix`, `gs://…`, `az://…`; `memory:///` is new and empty, and lives as long as the session. [env: `BACKPROOF_REPO`] */
  repo?: string | null;
  /** The SSH private key that signs new backups. [env: `BACKPROOF_SIGNING_KEY`] */
  signingKey?: string | null;
  /** The file that says whose signatures count, in OpenSSH's allowed_signers format. [env: `BACKPROOF_TRUSTED_SIGNERS`] */
  trustedSigners?: string | null;
}

/**
 * How much a finding matters.
 *
 * - `notice`: Worth knowing; does not change the status.
 * - `warning`: Needs attention.
 * - `failure`: A backup that should be good is not, or is not there.
 */
export type Severity = "notice" | "warning" | "failure";

/** SHA-256 (FIPS 180-4), of stored bytes: what `sha256sum` prints. */
export type Sha256 = string;

/** What `show` takes. */
export interface ShowOptions {
  /** Show a backup that no trusted signer signed; it must be named by its id. */
  allowUnsigned?: boolean;
  /** An id, the start of one, or `latest`. */
  id: string;
  /** Read its RESTORE.md, too. */
  restoreMd?: boolean;
}

/** One backup. */
export interface ShowResult {
  /** Who signed it, and whether that counts. */
  authenticity: string;
  /** What is wrong with its date. */
  datedAhead?: string | null;
  /** Its id. */
  id: BackupId;
  /** What could not be captured, by name; null without an identity, and where nothing was left out. */
  leftOut: LeftOut[] | null;
  /** Its manifest. */
  manifest: Manifest;
  /** The SHA-256 of its manifest. */
  manifestSha256: Sha256;
  /** Its RESTORE.md, where that was asked for. */
  restoreMd?: string | null;
  /** When it was taken; where a wrong clock dated it, by the store's. */
  taken: string;
  /** What needs attention. */
  warnings?: string[];
}

/** A size: bytes as a number, or text such as `16MiB` (2^20), `1MB` (10^6) or `500k` (2^10). */
export type Size = number | string;

/** What a source says of itself when its snapshot is taken. Goes into the manifest, in clear: nothing here is secret. */
export interface SourceInfo {
  /** What RESTORE.md needs to know beyond that, e.g. `encoding` → `UTF8`, `extensions` → `citext 1.6, hstore 1.8`. */
  facts: Record<string, string>;
  /** The kind, e.g. `postgresql-dump`, `command`, `stream`, `file`. Readers choose how to check and restore by it. */
  kind: string;
  /** When the snapshot was taken, by the source's own clock where it has one. */
  snapshot: string;
  /** Versions of what made the backup and of what it is of, e.g. `server` → `15.18`. */
  versions: Record<string, string>;
}

/**
 * The status of a verification, worst finding first.
 *
 * - `healthy`: Everything that was asked for was checked, and holds.
 * - `warning`: Something needs attention, or could not be verified.
 * - `error`: Something failed.
 */
export type Status = "healthy" | "warning" | "error";

/** `[repository.store]`: how the object store is spoken to. */
export interface StoreSection {
  /** Whether an endpoint without TLS may be used. */
  allowHttp?: boolean | null;
  /** Whether a store may be used that cannot create an object only if it is absent: safe with one writer only. */
  allowUnconditionalCreate?: boolean | null;
  /** A file with certificates to trust beside the system's, as PEM. */
  caFile?: string | null;
  /** Whether uploads carry checksums that the store verifies. */
  checksums?: boolean | null;
  /** How long connecting may take, e.g. `5s`. */
  connectTimeout?: string | null;
  /** The store's endpoint, where it is not the cloud's own: a URL. */
  endpoint?: string | null;
  /** With `server_side_encryption = "kms"`: the key. */
  kmsKeyId?: string | null;
  /** Whether the machine's metadata service is asked for credentials. */
  metadataService?: boolean | null;
  /** Whether the bucket stands in the path, not in the host's name. */
  pathStyle?: boolean | null;
  /** The bucket's region. */
  region?: string | null;
  /** How long one request may take, e.g. `30s`. */
  requestTimeout?: string | null;
  /** How long what fails is tried again, e.g. `3m`. */
  retryFor?: string | null;
  /** `aes256` or `kms`. */
  serverSideEncryption?: string | null;
  /** The storage class of new objects. */
  storageClass?: string | null;
  /** Tags of new objects. */
  tags?: Record<string, string> | null;
}

/** A restore in place of a live database, which was put aside. */
export interface Swapped {
  /** What came of the assertions. */
  assertions: AssertionResult[];
  /** The backup. */
  backup: string;
  /** How many connections were ended. */
  endedConnections: number;
  /** The name under which the old one is kept; null where it was dropped. */
  kept: string | null;
  /** The live name, which the restored database has now. */
  live: string;
  /** The backup of what was live before. */
  safetyBackup: string;
  /** Worth knowing: what stayed with the old database. */
  warnings: string[];
}

/** Rows of one table. */
export interface TableDiff {
  /** Columns that only the second has. */
  columnsAdded?: Name[];
  /** Columns that only the first has. */
  columnsRemoved?: Name[];
  /** Its rows in the second; `None` when it is not there. */
  rowsAfter: number | null;
  /** Its rows in the first; `None` when it is not there. */
  rowsBefore: number | null;
  /** What was done to it. */
  status: DiffStatus;
  /** The table, as SQL has it: `public.orders`. */
  table: string;
}

/** Something that was not compared, by name. */
export interface Untested {
  /** Whether the configuration accepts exactly this, by its name. */
  accepted: boolean;
  /** The object, e.g. `extension:pg_graphql` or `tablespace fast`: the name to accept it by. */
  object: string;
  /** Why it was not compared. */
  reason: string;
}

/** The result of a verification. */
export interface Verdict {
  /** Whether signatures were looked at: false when no signers are trusted. */
  authenticityChecked: boolean;
  /** Each backup that was looked at, by series and id. */
  backups: BackupVerdict[];
  /** What was found of the repository, and of the newest backup of each series. */
  findings: Finding[];
  /** The level that was asked for. */
  level: Level;
  /** The repository. */
  location: string;
  /** When it ended, by this machine's clock. */
  verifiedAt: string;
}

/** What `verify` takes. */
export interface VerifyOptions {
  /** Accept that this cannot be tested, by the names that a proof gives, e.g. `extension:pg_graphql`. */
  accept?: string[];
  /** Alert somebody of any status but healthy, and of an error: Sentry, by the variable `SENTRY_DSN`. */
  alertOnFailure?: boolean;
  /** Only repositories in an object store. */
  cloudOnly?: boolean;
  /** Ids, starts of them, or `latest`; all backups when there is none. */
  ids?: string[];
  /** How deeply; intact unless configured. Present needs a listing, intact reads every object, readable needs an identity; restorable and identical restore each backup into a scratch place, which needs PostgreSQL's programs. */
  level?: Level | null;
  /** Only repositories in a folder of this machine. */
  localOnly?: boolean;
  /** Work with low priority for processor and disk. */
  lowPriority?: boolean;
  /** How old the newest backup of each series may be: seconds, or text, e.g. `25h`; 48 hours unless configured, and not looked at where backups are chosen by id. */
  maxAge?: Duration | null;
  /** How large the newest backup of each series must be, as stored: bytes, or text, e.g. `1MB`; not looked at unless given. */
  minSize?: Size | null;
  /** Do not keep the result in the repository. */
  noRecord?: boolean;
  /** The backups were sealed to a passphrase: from the settings, or asked for. */
  passphrase?: boolean;
  /** Restore into a database of this server instead of a cluster of its own: a URL; the database is dropped afterwards. */
  scratch?: string | null;
  /** The folder for the scratch cluster, on a disk with room for the database; the system's temporary folder unless configured. */
  scratchDir?: string | null;
}

/** What a verification found. */
export interface VerifyResult {
  /** The same as a number: 0, 1 or 2. */
  exitCode: number;
  /** Healthy, warning or error. */
  status: Status;
  /** The verdict, backup by backup. */
  verdict: Verdict;
  /** What else needs attention, such as an alert that could not be sent; changes no status. */
  warnings?: string[];
}

/** `[verify]`: what a verification asks for. */
export interface VerifySection {
  /** How deeply: `present`, `intact`, `readable`, `restorable` or `identical`. */
  level?: string | null;
  /** How old the newest backup of each series may be, e.g. `25h`. */
  maxAge?: string | null;
  /** How large the newest backup of each series must be, as stored, e.g. `1MB`. */
  minSize?: string | null;
}

/** A part that was written into a file. */
export interface WrittenPart {
  /** Its size in bytes. */
  bytes: number;
  /** The file. */
  file: string;
  /** The part. */
  part: string;
}

/** The stable code of an error. */
export type ErrorCode =
  /**
   * The store refused the credentials, or they lack a right.
   *
   * Hint: check the credentials and their rights (docs/permissions.md lists what each command needs).
   */
  | "access_denied"
  /**
   * Nobody could be alerted of what a verification found.
   *
   * Hint: check SENTRY_DSN and the network; what was found is in the result.
   */
  | "alert_failed"
  /**
   * An object of that name exists already, with other contents.
   *
   * Hint: nothing was overwritten; choose another name, or look at what is there.
   */
  | "already_exists"
  /**
   * The id fits several backups.
   *
   * Hint: give more characters of the id.
   */
  | "ambiguous_id"
  /**
   * An archive of pg_dump is of a version, format or compression that this program does not read.
   *
   * Hint: make the dump with pg_dump 12 to 18, custom format, without compression (-Fc -Z0), or install a newer backproof.
   */
  | "archive_unsupported"
  /**
   * The server did not accept the role or its password, or lets nobody in from here.
   *
   * Hint: check user and password, and the server's pg_hba.conf.
   */
  | "authentication_failed"
  /**
   * There is no such backup.
   *
   * Hint: `backproof list` shows the backups that exist.
   */
  | "backup_not_found"
  /**
   * A signature is wrong, or by a key that is not trusted for this.
   *
   * Hint: do not restore it; check trusted_signers and who can write to the store.
   */
  | "bad_signature"
  /**
   * The bucket or container does not exist.
   *
   * Hint: create the bucket first, or correct its name, the endpoint or the account.
   */
  | "bucket_not_found"
  /**
   * The memory budget is too small for one segment.
   *
   * Hint: raise the memory budget or make the segments smaller.
   */
  | "budget_too_small"
  /**
   * The operation was cancelled.
   *
   * Hint: nothing was published; run it again.
   */
  | "cancelled"
  /**
   * The store computed another checksum than the one sent along, and did not store the object.
   *
   * Hint: the object changed on its way; look for a faulty proxy, network card or memory, then run it again.
   */
  | "checksum_refused"
  /**
   * Something that replaces live data needs a yes.
   *
   * Hint: nothing was changed; confirm at a terminal, or say --yes (or FORCE=true) in a script.
   */
  | "confirmation_required"
  /**
   * The connection broke in the middle.
   *
   * Hint: check the network and the server's log, then run it again.
   */
  | "connection_lost"
  /**
   * It is not known what the dump of a backup holds: nothing was noted when it was made.
   *
   * Hint: use a backup that was made by a version of backproof that knows its PostgreSQL.
   */
  | "contents_unavailable"
  /**
   * The credentials have a form that cannot be used, or the service that hands them out refused or did not answer.
   *
   * Hint: check the variables, and the role or identity they name (docs/stores.md).
   */
  | "credentials_failed"
  /**
   * No credentials for the store were found.
   *
   * Hint: set the variables that are named (docs/stores.md lists them for each store).
   */
  | "credentials_missing"
  /**
   * The database to restore into exists already.
   *
   * Hint: nothing was changed; choose a name that does not exist yet.
   */
  | "database_exists"
  /**
   * No database was named: no URL, no variable, no service.
   *
   * Hint: name the database with --database or DATABASE_URL (docs/postgres.md lists all ways).
   */
  | "database_not_configured"
  /**
   * There is no such database on the server, or the role may not connect to it.
   *
   * Hint: check the database's name; `psql -l` lists those that exist.
   */
  | "database_not_found"
  /**
   * TLS could not be agreed on, or the server's certificate was not accepted.
   *
   * Hint: check sslmode and sslrootcert (docs/postgres.md).
   */
  | "database_tls_failed"
  /**
   * The server could not be reached, or takes no connections at the moment.
   *
   * Hint: check host, port and network, and that the server runs.
   */
  | "database_unreachable"
  /**
   * A segment does not decompress to what was recorded.
   *
   * Hint: the object was damaged or replaced; use another backup or copy.
   */
  | "decompress_failed"
  /**
   * A segment or key file cannot be decrypted with the backup's key.
   *
   * Hint: the object was damaged or replaced; use another backup or copy.
   */
  | "decrypt_failed"
  /**
   * pg_dump failed, or its archive is not complete.
   *
   * Hint: nothing was published; see pg_dump's message, and the server's log.
   */
  | "dump_failed"
  /**
   * A file or folder of this machine that was named is not there.
   *
   * Hint: check the path: there is nothing of that name.
   */
  | "file_not_found"
  /**
   * Values of a table cannot be written in the format that was asked for.
   *
   * Hint: ask for csv or copy: both give the bytes as they are.
   */
  | "format_unsupported"
  /**
   * The gpg program is missing, or failed.
   *
   * Hint: install GnuPG, or give the exported public key as a file.
   */
  | "gpg_failed"
  /**
   * Reading needs an identity and none was given.
   *
   * Hint: give one with --identity FILE or BACKPROOF_IDENTITY, or --passphrase where it is sealed to one.
   */
  | "identity_required"
  /**
   * Someone pressed Ctrl-C, or the program was told to end.
   *
   * Hint: nothing was published; run it again.
   */
  | "interrupted"
  /**
   * An argument or a setting has a value that cannot be used.
   *
   * Hint: correct the value that is named and run it again.
   */
  | "invalid_argument"
  /**
   * The configuration file cannot be read or has a mistake.
   *
   * Hint: correct the line that is named; `backproof config` shows what is in effect.
   */
  | "invalid_configuration"
  /**
   * A document is not what the format says: not JSON, wrong hash, duplicate keys, too large, or found at the wrong place.
   *
   * Hint: the object was damaged or tampered with; verify the repository and look at another copy.
   */
  | "invalid_document"
  /**
   * An identity cannot be read: unknown form, a damaged file, or a public key where a secret one is needed.
   *
   * Hint: give an age identity file, an SSH private key or an exported OpenPGP secret key.
   */
  | "invalid_identity"
  /**
   * A name (series, label or part) does not match `[a-z0-9][a-z0-9_-]{0,62}`, or is reserved.
   *
   * Hint: use lower-case letters, digits, '-' and '_', starting with a letter or a digit, at most 63 characters.
   */
  | "invalid_name"
  /**
   * A key's paper form has a typing mistake.
   *
   * Hint: compare the line that is named with the paper, character by character.
   */
  | "invalid_paper_key"
  /**
   * A recipient is not one: unknown form, not in gpg's keyring, ambiguous, expired, revoked, or not able to encrypt.
   *
   * Hint: give an age or SSH public key, a file of them, an OpenPGP public key file, or the fingerprint of a key in gpg's keyring.
   */
  | "invalid_recipient"
  /**
   * A signing key cannot be read or used.
   *
   * Hint: give an OpenSSH private key (ed25519 is best); `backproof keygen --signing` makes one.
   */
  | "invalid_signing_key"
  /**
   * The list of trusted signers is not in the allowed_signers format, or says something that cannot be honoured.
   *
   * Hint: correct the line that is named; `man ssh-keygen`, ALLOWED SIGNERS, describes the format.
   */
  | "invalid_trusted_signers"
  /**
   * The repository's URL is not one, or has something in it that does not belong there.
   *
   * Hint: give a URL such as file:///var/backups/app, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX.
   */
  | "invalid_url"
  /**
   * Reading or writing failed in the operating system.
   *
   * Hint: see the cause.
   */
  | "io"
  /**
   * A table was locked by someone else for longer than the lock timeout.
   *
   * Hint: find who holds the lock (pg_locks, pg_stat_activity), back up at another time, or raise the lock timeout.
   */
  | "lock_timeout"
  /**
   * A setting or flag is given that has no effect here.
   *
   * Hint: remove the setting that is named.
   */
  | "no_effect"
  /**
   * There is no repository at this place.
   *
   * Hint: check the URL, or create one with `backproof init`.
   */
  | "no_repository"
  /**
   * The disk or the store's quota is full.
   *
   * Hint: free some space and run it again.
   */
  | "no_space"
  /**
   * There is no database that a rollback could bring back.
   *
   * Hint: `psql -l+` shows the databases that are kept, in their comments.
   */
  | "nothing_to_roll_back"
  /**
   * An object that should be there is not.
   *
   * Hint: check the repository's URL and the id.
   */
  | "object_not_found"
  /**
   * A live database was overwritten by a restore that then did not pass its judgement.
   *
   * Hint: restore the safety backup that was made before.
   */
  | "overwritten_and_refused"
  /**
   * The data of a part is not what its kind says (for example a dump that ends early).
   *
   * Hint: this backup cannot be restored as it is; use another one.
   */
  | "part_invalid"
  /**
   * The backup has no such part.
   *
   * Hint: `backproof show ID` lists the parts.
   */
  | "part_not_found"
  /**
   * A passphrase is needed and nobody could be asked for it.
   *
   * Hint: run it on a terminal, or give the passphrase with --passphrase-file.
   */
  | "passphrase_required"
  /**
   * An age plugin is missing, or failed.
   *
   * Hint: install the plugin's program (age-plugin-NAME) where PATH finds it, and see its message.
   */
  | "plugin_failed"
  /**
   * A query of ours failed on the server.
   *
   * Hint: see the cause.
   */
  | "query_failed"
  /**
   * No recipient was given, and encryption was not switched off.
   *
   * Hint: give a recipient with --recipient, make one with `backproof keygen`, or say --no-encryption.
   */
  | "recipient_required"
  /**
   * There is a repository at this place already.
   *
   * Hint: use it as it is, or choose another prefix.
   */
  | "repository_exists"
  /**
   * No repository was named.
   *
   * Hint: say where with --repo URL, BACKPROOF_REPO, or `url` under [repository] in backproof.toml.
   */
  | "repository_required"
  /**
   * pg_restore or a statement of the restore failed.
   *
   * Hint: see the messages; the restored database was removed unless the message says that it is left.
   */
  | "restore_failed"
  /**
   * A backup that is to replace a live database did not pass the level that was asked for.
   *
   * Hint: nothing was changed; verify the backup to see more, or choose another one.
   */
  | "restore_not_proven"
  /**
   * The restore cannot be done as asked; nothing was changed.
   *
   * Hint: remove each obstacle as it says; --dry-run shows them again.
   */
  | "restore_refused"
  /**
   * What was restored beside a live database is not what was backed up, or does not hold what it must.
   *
   * Hint: the live database was not touched, and the restored one was removed; drill the backup to see more.
   */
  | "restored_differently"
  /**
   * A rollback would lose what was written since the swap, or it cannot be told whether it would.
   *
   * Hint: back the database up first; then say that newer data may be lost. It is not dropped: it is kept under a dated name.
   */
  | "rollback_loses_data"
  /**
   * The scratch cluster could not be started.
   *
   * Hint: see the server's own words; --scratch-dir chooses the disk, --scratch another server.
   */
  | "scratch_failed"
  /**
   * The scratch cluster ended, or broke its connections, in the middle of a drill.
   *
   * Hint: see the server's own words, and whether the machine ran out of memory; then run it again.
   */
  | "scratch_lost"
  /**
   * A segment is missing, or not of the recorded size or hash.
   *
   * Hint: this backup is damaged; use another one or another copy, and find out what changed the object.
   */
  | "segment_damaged"
  /**
   * Compressed or encrypted data did not read back as what went in: a fault of memory, processor or library.
   *
   * Hint: nothing was published; test this machine's memory before the next backup.
   */
  | "self_check_failed"
  /**
   * `latest` needs a name when there are several series.
   *
   * Hint: say which one with --name.
   */
  | "series_required"
  /**
   * The source ended badly, so its output cannot be trusted to be complete.
   *
   * Hint: nothing was published; see the cause and the source's own messages.
   */
  | "source_failed"
  /**
   * The store refused the request for a reason of its own.
   *
   * Hint: the cause says why; check the endpoint and the settings of the store.
   */
  | "store_refused"
  /**
   * The store could not be reached, or answered that it is not able to right now.
   *
   * Hint: check the network and the endpoint, then run it again.
   */
  | "store_unavailable"
  /**
   * A swap or rollback failed on the server, and was rolled back.
   *
   * Hint: the databases have the names that they had; see the cause.
   */
  | "swap_failed"
  /**
   * A swap cannot be done as asked; nothing was changed.
   *
   * Hint: remove each obstacle as it says; nothing was changed.
   */
  | "swap_refused"
  /**
   * The backup has no rows of a table of this name.
   *
   * Hint: write it as schema.table, in double quotes where PostgreSQL needs them; only tables with rows of their own have any.
   */
  | "table_not_found"
  /**
   * Tables were written anew (TRUNCATE, some ALTER TABLE) or renamed between the snapshot and pg_dump's locks: their rows would be missing.
   *
   * Hint: run it again; do not reload tables with TRUNCATE, ALTER TABLE or renames while a backup begins.
   */
  | "table_replaced"
  /**
   * The restore's target refused or failed.
   *
   * Hint: see the cause; the target may hold half of the data and should not be used.
   */
  | "target_failed"
  /**
   * The store's certificate is not trusted, or there was no agreement on TLS.
   *
   * Hint: check the endpoint's name; for a private certificate authority give its certificate with `caFile`.
   */
  | "tls_failed"
  /**
   * PostgreSQL's programs were not found in a version that fits the server.
   *
   * Hint: install PostgreSQL's client programs of the server's major version, or name their folder with PG_BINDIR.
   */
  | "tools_not_found"
  /**
   * The connection goes through a pooler that gives every transaction another server connection.
   *
   * Hint: use the direct connection, or the pooler's session mode.
   */
  | "transaction_pooler"
  /**
   * The repository or document is of a format, or needs a feature, that this version does not know.
   *
   * Hint: install a newer version of backproof.
   */
  | "unknown_format"
  /**
   * The URL's scheme names no kind of store that this version knows.
   *
   * Hint: use file://, s3://, gs://, az:// or memory:///.
   */
  | "unknown_scheme"
  /**
   * The login cannot read everything that belongs into the backup.
   *
   * Hint: run the statements that are named as the objects' owner or a superuser, or leave the objects out with --skip-unreadable.
   */
  | "unreadable_objects"
  /**
   * A manifest or record carries no signature although signers are trusted.
   *
   * Hint: sign new backups with a signing key; one that you know the origin of can be read, restored and drilled with --allow-unsigned.
   */
  | "unsigned"
  /**
   * The store does not support what was asked for.
   *
   * Hint: remove the setting, or use a store that has it.
   */
  | "unsupported_by_store"
  /**
   * A connection setting that libpq knows cannot be honoured by both our connection and PostgreSQL's programs.
   *
   * Hint: remove the setting, or choose another way to connect (docs/postgres.md).
   */
  | "unsupported_connection_setting"
  /**
   * An upload made no progress for longer than `maxStall`.
   *
   * Hint: check the store and the network; raise max_stall if the line is that slow.
   */
  | "upload_stalled"
  /**
   * The command line is not one that the program knows.
   *
   * Hint: `backproof help` and `backproof COMMAND --help` show what there is.
   */
  | "usage"
  /**
   * A setting is given that has no effect on this store.
   *
   * Hint: remove the setting: one without effect would only look as if it protected something.
   */
  | "useless_setting"
  /**
   * The backup took so long between two writes that a sweep might have removed its first objects.
   *
   * Hint: nothing was published; run the backup again.
   */
  | "writer_too_old"
  /**
   * None of the identities given opens this backup.
   *
   * Hint: give the identity, or the passphrase, of one of the recipients that `backproof show ID` lists.
   */
  | "wrong_identity"
  /**
   * A passphrase does not open the key it was given for.
   *
   * Hint: check the passphrase and the file that it belongs to.
   */
  | "wrong_passphrase"
  /**
   * The bucket is in another region than the request was signed for.
   *
   * Hint: set AWS_REGION, or the setting `region`, to the bucket's region.
   */
  | "wrong_region";

/** The verbs that take options and give a result, and nothing else. */
export interface Verbs {
  /** Shows the settings in effect and where each comes from, with secrets redacted. */
  config(options?: ConfigOptions, call?: CallOptions): Promise<ConfigResult>;
  /** Shows what differs between two backups, or between a backup and the configured database. */
  diff(options: DiffOptions, call?: CallOptions): Promise<DiffResult>;
  /** Restores backups into a scratch place, compares them row by row, and times it. */
  drill(options?: DrillOptions, call?: CallOptions): Promise<DrillResult>;
  /** Creates the repository, after probing what its store can do. */
  init(options?: InitOptions, call?: CallOptions): Promise<InitResult>;
  /** Makes a key: an age identity that opens backups, or an SSH key that signs them. */
  keygen(options: KeygenOptions, call?: CallOptions): Promise<KeygenResult>;
  /** Lists the backups. */
  list(options?: ListOptions, call?: CallOptions): Promise<ListResult>;
  /** Restores a backup: into a new database, a folder, in place of a live database, or single tables of it. */
  restore(options: RestoreOptions, call?: CallOptions): Promise<RestoreResult>;
  /** Takes the last restore in place of a live database back. */
  rollback(options: RollbackOptions, call?: CallOptions): Promise<RollbackResult>;
  /** Shows one backup. */
  show(options: ShowOptions, call?: CallOptions): Promise<ShowResult>;
  /** Checks backups: that they are there, intact, readable, restorable, and identical to what was backed up. */
  verify(options?: VerifyOptions, call?: CallOptions): Promise<VerifyResult>;
}
