# Made by scripts/python-types from bindings/api.json: change those.

"""Results, with the same fields as the program's `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Literal, TypeAlias, Union

from ._json import Record

__all__ = [
    "AssertionResult",
    "BackupId",
    "BackupResult",
    "BackupVerdict",
    "Capabilities",
    "CatResult",
    "ChangeKind",
    "ChangeValue",
    "Compared",
    "Compression",
    "ConfigResult",
    "Diff",
    "DiffResult",
    "DiffStatus",
    "Difference",
    "DrillReport",
    "DrillResult",
    "Duration",
    "Encryption",
    "Finding",
    "InitResult",
    "KeyFileEntry",
    "KeyPurpose",
    "KeygenResult",
    "Label",
    "LastProof",
    "LeftOut",
    "Level",
    "ListResult",
    "ListedBackup",
    "Manifest",
    "MissingBackup",
    "Name",
    "NameHex",
    "NewerData",
    "ObjectDiff",
    "ObjectiveResult",
    "Outcome",
    "Overwritten",
    "PartEntry",
    "Phase",
    "Previous",
    "Proof",
    "RecipientName",
    "ReplacedBackup",
    "RestorePlan",
    "RestoreReport",
    "RestoreResult",
    "RestoredTable",
    "RollbackPlan",
    "RollbackResult",
    "RolledBack",
    "RolledBackTable",
    "RowFormat",
    "Scheme",
    "SegmentFormat",
    "SequenceValue",
    "Series",
    "Setting",
    "Severity",
    "Sha256",
    "ShowResult",
    "Size",
    "SourceInfo",
    "Status",
    "Swapped",
    "TableDiff",
    "Untested",
    "Verdict",
    "VerifyResult",
    "WrittenPart",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupResult(Record):
    """A backup that was made."""

    id: BackupId
    """Its id."""

    label: Label
    """Its label."""

    left_out: int
    """How many things could not be captured."""

    manifest_sha256: Sha256
    """The SHA-256 of its manifest."""

    plain_bytes: int
    """Bytes of data."""

    seconds: float
    """How long it took, in seconds."""

    series: Series
    """Its series."""

    snapshot: datetime
    """When its snapshot was taken, by the source's clock."""

    stored_bytes: int
    """Bytes as stored."""

    warnings: tuple[str, ...]
    """What needs attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatResult(Record):
    """A file that was written."""

    bytes: int | None = None
    """Bytes of the part."""

    file: str
    """The file."""

    format: RowFormat | None = None
    """How rows are written."""

    part: str | None = None
    """The part that is in it."""

    rows: int | None = None
    """Rows of the table."""

    table: str | None = None
    """The table whose rows are in it."""

    warnings: tuple[str, ...] = ()
    """What needs attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Record):
    """Where a setting came from."""

    name: str
    """Its name, as in the file: `repository.url`."""

    origin: str
    """`flag`, `environment (NAME)`, `file (PATH)` or `configuration`."""

    value: str
    """Its value, with secrets redacted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigResult(Record):
    """The settings in effect."""

    settings: tuple[Setting, ...]
    """Each with where it comes from, with secrets redacted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared(Record):
    """A side of a comparison: a backup or a database."""

    backup: BackupId | None = None
    """The backup's id."""

    database: str | None = None
    """The database, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameHex(Record):
    """NameHex: what its fields say."""

    hex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceValue(Record):
    """Where a sequence stands."""

    called: bool
    """`is_called`: whether the next value is the one after it."""

    last: int
    """`last_value`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDiff(Record):
    """Anything but rows."""

    bytes: int | None = None
    """With `bytes`: how many bytes the large object has."""

    change: ChangeKind
    """What differs."""

    expected: ChangeValue | None = None
    """What it should be: with `rows`, `owner`, `tablespace`, `access_method`, `sequence`, `size` and `version`."""

    found: ChangeValue | None = None
    """What it is: with the same kinds of change."""

    kind: str
    """Its kind, in pg_dump's words; `TABLE DATA` for rows, `BLOB` for a large object."""

    missing: tuple[Name, ...] | None = None
    """With `columns`: those that are missing."""

    name: Name
    """Its name in its schema, pg_dump's tag."""

    object: str
    """The object, for people: `table public.orders`."""

    rows: int | None = None
    """With `values`: how many rows there are on both sides."""

    schema: Name | None = None
    """Its schema."""

    status: DiffStatus
    """What was done to it."""

    unexpected: tuple[Name, ...] | None = None
    """With `columns`: those that are not expected."""

    what: str
    """What differs, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDiff(Record):
    """Rows of one table."""

    columns_added: tuple[Name, ...] = ()
    """Columns that only the second has."""

    columns_removed: tuple[Name, ...] = ()
    """Columns that only the first has."""

    rows_after: int | None
    """Its rows in the second; `None` when it is not there."""

    rows_before: int | None
    """Its rows in the first; `None` when it is not there."""

    status: DiffStatus
    """What was done to it."""

    table: str
    """The table, as SQL has it: `public.orders`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff(Record):
    """What differs between a backup and something else."""

    equal_tables: int
    """Tables whose rows are the same."""

    notes: tuple[str, ...]
    """Worth knowing; no difference."""

    objects: tuple[ObjectDiff, ...]
    """Everything else that was added, removed or changed."""

    tables: tuple[TableDiff, ...]
    """Tables whose rows were added, removed or changed, by name."""

    version_after: str | None
    """The version of the second's server. Servers of different versions can write the same definition in other words."""

    version_before: str | None
    """The version of the first's server, as the dump has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffResult(Record):
    """What differs."""

    after: Compared
    """The other side."""

    before: Compared
    """The one side."""

    diff: Diff
    """What differs."""

    equal: bool
    """Whether both are the same."""

    warnings: tuple[str, ...] = ()
    """What needs attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Record):
    """Something that a verification found."""

    code: str
    """A stable name: an error code, or one of `no_backups`, `no_usable_backup`, `backup_missing`, `manifest_replaced`,
    `backup_too_old`, `backup_too_small`, `backup_shrank`, `newer_unusable`, `clock_skew`, `future_dated`,
    `dated_ahead`, `unexpected_object`, `left_out`, `structure_not_checked`, `restore_failed`, `difference`, `untested`,
    `assertion_failed`, `assertion_unverified`, `proof`, `proof_not_recorded`."""

    hint: str
    """What to do about it."""

    message: str
    """What was found."""

    severity: Severity
    """How much it matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionResult(Record):
    """What came of one of the user's own checks of the restored data."""

    detail: str
    """What was found, or why nothing could be."""

    name: str
    """Its name in the configuration."""

    outcome: Outcome
    """What came of it."""

    seconds: float
    """How long it took, in seconds."""

    warning_only: bool
    """Whether its failing is only a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Record):
    """An object that did not come back as it was backed up."""

    object: str
    """The object: its kind and name, e.g. `table public.orders`."""

    what: str
    """What differs, e.g. `120 rows in the backup, 119 restored`. Never a definition, which can hold secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase(Record):
    """A step of a proof, timed by the clock of this machine."""

    name: str
    """`provision`, `load`, `indexes`, `compare`, `assertions`, …"""

    seconds: float
    """How long it took, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Untested(Record):
    """Something that was not compared, by name."""

    accepted: bool
    """Whether the configuration accepts exactly this, by its name."""

    object: str
    """The object, e.g. `extension:pg_graphql` or `tablespace fast`: the name to accept it by."""

    reason: str
    """Why it was not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof(Record):
    """What is known after a backup was restored into a scratch place."""

    assertions: tuple[AssertionResult, ...]
    """The user's own checks."""

    compared: str
    """What was compared, for people, e.g. `19 tables with 1500000 rows, 20 large objects, 199 definitions`."""

    differences: tuple[Difference, ...]
    """What did not come back as it was backed up."""

    errors: tuple[str, ...]
    """Errors of the restore. Not empty: the backup is not restorable."""

    isolation: tuple[str, ...]
    """How the scratch place was kept apart from everything else, each as `what: how far`."""

    notes: tuple[str, ...]
    """Worth knowing; changes no outcome."""

    phases: tuple[Phase, ...]
    """The timed steps, in order."""

    scratch: str
    """Where it was restored, for people, without secrets."""

    untested: tuple[Untested, ...]
    """What was not compared."""

    versions: dict[str, str]
    """The versions of what took part: `server`, `scratch_server`, `pg_dump`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupVerdict(Record):
    """What is known of one backup."""

    authenticity: str
    """`trusted by NAME (FINGERPRINT)`, `not checked`, or why it was refused."""

    findings: tuple[Finding, ...]
    """What was found."""

    held: tuple[str, ...]
    """What each part was found to hold, as `part: what`, at level readable."""

    id: BackupId
    """Its id."""

    outcome: Outcome
    """Whether the level that was asked for was reached."""

    proof: Proof | None
    """What restoring it showed, at the levels restorable and identical."""

    reached: Level | None
    """The deepest level that was reached."""

    seconds: float
    """How long it took, in seconds."""

    series: Series
    """Its series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveResult(Record):
    """An objective, and what was measured."""

    limit_seconds: float
    """The objective, in seconds."""

    measured_seconds: float | None
    """What was measured, in seconds; none where nothing could be."""

    name: str
    """`rto` or `rpo`."""

    outcome: Outcome
    """Whether it is kept to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReport(Record):
    """What a drill did and found. One JSON document."""

    backup: BackupVerdict
    """The backup, the level that was reached, who signed it, every step, difference and assertion, and what was not
    tested."""

    finished: datetime
    """When it ended."""

    installation: str
    """The installation."""

    label: Label | None
    """The label of the backup."""

    location: str
    """The repository."""

    manifest: Sha256 | None
    """The SHA-256 of the backup's manifest."""

    objectives: tuple[ObjectiveResult, ...]
    """The objectives, and whether they were kept to."""

    program: str
    """The program, e.g. `backproof 0.1.0`."""

    snapshot: datetime | None
    """When the backup's snapshot was taken."""

    started: datetime
    """When the drill began, by this machine's clock."""

    version: int
    """The version of this document's fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult(Record):
    """What a drill did and found."""

    drills: tuple[DrillReport, ...]
    """One report for each backup."""

    exit_code: int
    """The same as a number: 0, 1 or 2."""

    files: tuple[str, ...] = ()
    """The files that were written."""

    status: Status
    """Healthy, warning or error: the worst of all."""

    warnings: tuple[str, ...] = ()
    """What else needs attention; changes no status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities(Record):
    """What a store can do. Found out by probing at `init`, recorded in the repository's marker."""

    append_only: bool
    """An object, once written, can be neither replaced nor deleted with these credentials."""

    consistent_listing: bool
    """A listing shows an object as soon as its put has ended, and no longer once it is deleted."""

    create_if_absent: bool
    """A second `Sink::create` of the same key fails, even when both run at once."""

    ranged_reads: bool
    """Parts of objects can be read."""

    upload_checksums: bool
    """The store checks a checksum of each upload itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitResult(Record):
    """A repository that was created."""

    installation: str
    """The installation's id: readers that trust signers need it."""

    lost: tuple[str, ...]
    """What the repository has to do without, in sentences."""

    repository: str
    """The repository."""

    repository_id: str
    """The repository's own id: writers that may only write need it."""

    store: Capabilities
    """What the store can do."""

    warnings: tuple[str, ...] = ()
    """What needs attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeygenResult(Record):
    """A key that was made. The first two are of an identity, the others of a signing key."""

    fingerprint: str | None = None
    """The fingerprint, `SHA256:…`."""

    identity_file: str | None = None
    """The file with the secret identity, which opens backups: keep it away from the host that makes them."""

    public_key_file: str | None = None
    """The file with its public half."""

    recipient: str | None = None
    """The public recipient, which backups are sealed to."""

    signing_key_file: str | None = None
    """The file with the secret signing key."""

    trusted_signers_line: str | None = None
    """The line by which readers trust it, in the file of trusted signers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastProof(Record):
    """How deeply a backup was last proven."""

    failed: bool
    """Whether the last proof failed."""

    reached: Level | None
    """The deepest level that was reached since the last failure."""

    time: datetime
    """When."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedBackup(Record):
    """A backup in the list."""

    age_seconds: int | None = None
    """How old it is, in seconds, by the store's clock where that is known."""

    dated_ahead: bool | None = None
    """Whether a wrong clock dated it."""

    encryption: Scheme | None = None
    """How it is encrypted."""

    id: BackupId
    """Its id."""

    kind: str | None = None
    """What it is of: `postgresql-dump`, `command`, `stream`, `file`."""

    label: Label | None = None
    """Its label."""

    last_proof: LastProof | None = None
    """How deeply it was last proven."""

    left_out: int | None = None
    """How many things could not be captured."""

    plain_bytes: int | None = None
    """Bytes of data."""

    problem: str | None
    """Why it cannot be read, or does not count."""

    series: Series
    """Its series."""

    snapshot: datetime | None = None
    """When its snapshot was taken, by the source's clock."""

    stored_bytes: int | None = None
    """Bytes as stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingBackup(Record):
    """A backup that a later manifest names as the one before it, and that is not there any more."""

    id: BackupId
    """Its id."""

    named_by: BackupId
    """The backup that names it."""

    series: Series
    """Its series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedBackup(Record):
    """A backup whose manifest is not the one that the manifest after it was written behind."""

    id: BackupId
    """Its id."""

    named_by: BackupId
    """The backup that names it with another hash."""

    series: Series
    """Its series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListResult(Record):
    """The backups of a repository."""

    backups: tuple[ListedBackup, ...]
    """The backups, by series and age, the oldest first."""

    missing: tuple[MissingBackup, ...]
    """Backups that later ones name as the one before them, and that are gone."""

    replaced: tuple[ReplacedBackup, ...] = ()
    """Backups whose manifest was replaced since a later one named it."""

    repository: str
    """The repository."""

    warnings: tuple[str, ...] = ()
    """What needs attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwritten(Record):
    """A restore into a live database itself."""

    assertions: tuple[AssertionResult, ...]
    """What came of the assertions."""

    backup: str
    """The backup."""

    live: str
    """The database."""

    safety_backup: str
    """The backup of what was there before: the way back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan(Record):
    """What a restore would do."""

    backup: BackupId | None = None
    """With `swap`: the backup."""

    connections: int | None = None
    """With `swap`: how many connections would be ended."""

    kept: str | None = None
    """With `swap`: the name under which the live database would be kept."""

    obstacles: tuple[str, ...]
    """What makes it impossible as asked, each with the way out."""

    steps: tuple[str, ...]
    """What would be done, in order, one line each."""

    target: str
    """Where it goes, without secrets."""

    warnings: tuple[str, ...]
    """What one should know before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPart(Record):
    """A part that was written into a file."""

    bytes: int
    """Its size in bytes."""

    file: str
    """The file."""

    part: str
    """The part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport(Record):
    """A restore into a new database or a folder."""

    bytes: int | None = None
    """Into a database: bytes of plaintext that were read."""

    files: tuple[WrittenPart, ...] | None = None
    """Into a folder: the files."""

    target: str
    """Where it went, without secrets."""

    warnings: tuple[str, ...] | None = None
    """Into a database: what needs attention although the restore succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped(Record):
    """A restore in place of a live database, which was put aside."""

    assertions: tuple[AssertionResult, ...]
    """What came of the assertions."""

    backup: str
    """The backup."""

    ended_connections: int
    """How many connections were ended."""

    kept: str | None
    """The name under which the old one is kept; null where it was dropped."""

    live: str
    """The live name, which the restored database has now."""

    safety_backup: str
    """The backup of what was live before."""

    warnings: tuple[str, ...]
    """Worth knowing: what stayed with the old database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredTable(Record):
    """A table that was restored."""

    into: str
    """The table that has its rows now, as SQL."""

    kept: str | None
    """With `replace`: the table with the rows that were there, as SQL."""

    put_back: int | None
    """With `missing_rows`: how many were put back."""

    rows: int
    """Rows in the backup."""

    table: str
    """The table in the backup, as SQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreResult(Record):
    """What a restore did, or, with `dry_run`, would do. Which fields are there depends on what was asked for."""

    dry_run: bool
    """Whether nothing was changed."""

    overwritten: Overwritten | None = None
    """With `in_place`: what was done."""

    plan: RestorePlan | None = None
    """With `dry_run`: what would be done."""

    report: RestoreReport | None = None
    """Into a new database or a folder: what was done."""

    swapped: Swapped | None = None
    """With `swap`: what was done."""

    tables: tuple[RestoredTable, ...] | None = None
    """With `tables`: what was done."""

    warnings: tuple[str, ...] = ()
    """What needs attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewerData(Record):
    """What was written to a live database since a swap: it would be lost there."""

    changed: str | None = None
    """What else was changed."""

    known: bool
    """Whether it can be told."""

    reason: str | None = None
    """Why it cannot be told."""

    rows: int | None = None
    """How many rows were inserted, updated or deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlan(Record):
    """What a rollback of a swap would do."""

    kept: str
    """The name of the database that would come back."""

    newer: NewerData
    """What was written to the live database since the swap."""

    obstacles: tuple[str, ...]
    """What makes it impossible."""

    put_aside: str
    """What the live database would be called."""

    steps: tuple[str, ...]
    """What would be done, in order, one line each."""

    target: str
    """The live database, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack(Record):
    """A swap that was taken back."""

    ended_connections: int
    """How many connections were ended."""

    live: str
    """The live name, which the database that was kept has again."""

    put_aside: str
    """The name under which the restored database is kept now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBackTable(Record):
    """A table whose rows go back, or went."""

    kept: str | None = None
    """With `dry_run`: the table that its rows are kept in, as SQL."""

    rows: int | None = None
    """How many rows it has back."""

    table: str
    """The table, as SQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult(Record):
    """What a rollback did, or, with `dry_run`, would do. Which fields are there depends on what was asked for."""

    dropped: tuple[str, ...] | None = None
    """With `drop_old`: the databases that were dropped."""

    dry_run: bool
    """Whether nothing was changed."""

    kept: tuple[str, ...] | None = None
    """With `drop_old`: the databases that are kept."""

    plan: RollbackPlan | None = None
    """Of a swap, with `dry_run`: what would be done."""

    rolled_back: RolledBack | None = None
    """Of a swap: what was done."""

    tables: tuple[RolledBackTable, ...] | None = None
    """Of tables: which."""

    warnings: tuple[str, ...] = ()
    """What needs attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut(Record):
    """Something that should have been in the backup and is not, by name. Sealed in `contents`; the manifest has the count."""

    kind: str
    """What kind of object, e.g. `table`."""

    name: str
    """Its name, e.g. `public.orders`."""

    reason: str
    """Why, and what would help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientName(Record):
    """A public key that may open backups, as the manifest names it."""

    id: str
    """The public key, or the fingerprint of one that is too long to print."""

    kind: str
    """`age`, `ssh`, `age-plugin`, `passphrase` or `openpgp`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFileEntry(Record):
    """A key file, under `keys/`."""

    bytes: int
    """Its size in bytes."""

    name: str
    """Its name, e.g. `0001.age`."""

    recipients: tuple[RecipientName, ...]
    """Whom it is sealed to."""

    sha256: Sha256
    """Its SHA-256, checked before any identity touches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption(Record):
    """How segments are encrypted and who can open them."""

    key_commitment: Sha256 | None
    """SHA-256 of `backproof-key-1`, 0, the id, 0, the secret line: what an opened key must match. Null without encryption."""

    key_files: tuple[KeyFileEntry, ...]
    """The key files, in the order they were written."""

    scheme: Scheme
    """The scheme of the segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartEntry(Record):
    """One part."""

    ending: str
    """The segments' endings, with the dot, e.g. `.zst.age`."""

    name: str
    """The part's name."""

    plain_bytes: int
    """Bytes of plaintext in all segments together."""

    segments: int
    """How many segments it has: at least one."""

    stored_bytes: int
    """Bytes of all segments as stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous(Record):
    """The manifest before this one."""

    id: BackupId
    """Its id."""

    sha256: Sha256
    """SHA-256 of its JSON: the one in its own `sha256` line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFormat(Record):
    """How plaintext became segments."""

    bytes: int
    """Bytes of plaintext in every segment but the last of a part."""

    compression: Compression
    """`zstd`, or `none`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo(Record):
    """What a source says of itself when its snapshot is taken. Goes into the manifest, in clear: nothing here is secret."""

    facts: dict[str, str]
    """What RESTORE.md needs to know beyond that, e.g. `encoding` → `UTF8`, `extensions` → `citext 1.6, hstore 1.8`."""

    kind: str
    """The kind, e.g. `postgresql-dump`, `command`, `stream`, `file`. Readers choose how to check and restore by it."""

    snapshot: datetime
    """When the snapshot was taken, by the source's own clock where it has one."""

    versions: dict[str, str]
    """Versions of what made the backup and of what it is of, e.g. `server` → `15.18`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(Record):
    """A backup's manifest. A backup exists exactly when its manifest does.

    All times are UTC, all sizes are bytes. Unknown fields are ignored when reading, unknown entries of `requires` are
    not."""

    encryption: Encryption
    """How segments are encrypted and who can open them."""

    finished: datetime
    """When its last object was confirmed, by the writer's clock."""

    format: int
    """The repository format, 1."""

    id: BackupId
    """The backup's id."""

    installation: str
    """The installation whose backup this is; shared by all copies of a repository."""

    kind: str
    """`manifest`: what this document is."""

    label: Label
    """The backup's label."""

    left_out: int
    """How many things could not be captured; their names are in the sealed `contents`."""

    parts: tuple[PartEntry, ...]
    """The parts, in the order of writing; `contents` is the last."""

    previous: Previous | None
    """The manifest before this one in the series; null for the first, and where it could not be read."""

    requires: tuple[str, ...]
    """What a reader must understand beyond the format; anything unknown here is refused."""

    segments: SegmentFormat
    """How plaintext became segments."""

    series: Series
    """The backup's series."""

    sha256sums: Sha256
    """SHA-256 of the folder's SHA256SUMS, which binds RESTORE.md, the key files and every part's SHA256SUMS."""

    source: SourceInfo
    """What was backed up, with the time of its snapshot by the server's clock."""

    started: datetime
    """When the backup began, by the writer's clock."""

    writer: str
    """What wrote it, e.g. `backproof 0.1.0`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowResult(Record):
    """One backup."""

    authenticity: str
    """Who signed it, and whether that counts."""

    dated_ahead: str | None = None
    """What is wrong with its date."""

    id: BackupId
    """Its id."""

    left_out: tuple[LeftOut, ...] | None
    """What could not be captured, by name; null without an identity, and where nothing was left out."""

    manifest: Manifest
    """Its manifest."""

    manifest_sha256: Sha256
    """The SHA-256 of its manifest."""

    restore_md: str | None = None
    """Its RESTORE.md, where that was asked for."""

    taken: datetime
    """When it was taken; where a wrong clock dated it, by the store's."""

    warnings: tuple[str, ...] = ()
    """What needs attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Record):
    """The result of a verification."""

    authenticity_checked: bool
    """Whether signatures were looked at: false when no signers are trusted."""

    backups: tuple[BackupVerdict, ...]
    """Each backup that was looked at, by series and id."""

    findings: tuple[Finding, ...]
    """What was found of the repository, and of the newest backup of each series."""

    level: Level
    """The level that was asked for."""

    location: str
    """The repository."""

    verified_at: datetime
    """When it ended, by this machine's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult(Record):
    """What a verification found."""

    exit_code: int
    """The same as a number: 0, 1 or 2."""

    status: Status
    """Healthy, warning or error."""

    verdict: Verdict
    """The verdict, backup by backup."""

    warnings: tuple[str, ...] = ()
    """What else needs attention, such as an alert that could not be sent; changes no status."""


BackupId: TypeAlias = str
"""The id of a backup. Sorts by the time of its snapshot."""

Label: TypeAlias = str
"""What a backup is for, e.g. `daily`; in the path, because buckets lock and expire by prefix."""

Sha256: TypeAlias = str
"""SHA-256 (FIPS 180-4), of stored bytes: what `sha256sum` prints."""

Series: TypeAlias = str
"""The backups of one database (or other source) under one name, e.g. `app`."""

RowFormat: TypeAlias = Literal["csv", "copy", "json"]
"""How rows are written."""

ChangeKind: TypeAlias = Literal["missing", "unexpected", "rows", "values", "columns", "definition", "owner", "tablespace", "access_method", "sequence", "size", "bytes", "privileges", "version"]
"""What can differ."""

Name: TypeAlias = Union[str, NameHex]

ChangeValue: TypeAlias = Union[int, Name, SequenceValue]
"""A number, a name, or where a sequence stands."""

DiffStatus: TypeAlias = Literal["added", "removed", "changed"]
"""What was done from the first to the second."""

Severity: TypeAlias = Literal["notice", "warning", "failure"]
"""How much a finding matters."""

Outcome: TypeAlias = Literal["passed", "unverified", "failed"]
"""What came of a check."""

Level: TypeAlias = Literal["present", "intact", "readable", "restorable", "identical"]
"""How deeply a backup is proven. Each level includes those before it."""

Status: TypeAlias = Literal["healthy", "warning", "error"]
"""The status of a verification, worst finding first."""

Duration: TypeAlias = Union[float, str]
"""A time span: seconds as a number, or text such as `90s`, `15m`, `48h`, `7d` or `2w`."""

KeyPurpose: TypeAlias = Literal["backup", "proof"]
"""What a signing key is for."""

Scheme: TypeAlias = Literal["none", "age-x25519", "openpgp-aes256"]
"""How a backup's segments are encrypted, as the manifest names it."""

Compression: TypeAlias = Literal["zstd", "none"]
"""How segments are compressed."""

Size: TypeAlias = Union[int, str]
"""A size: bytes as a number, or text such as `16MiB` (2^20), `1MB` (10^6) or `500k` (2^10)."""
