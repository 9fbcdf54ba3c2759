"""PostgreSQL backups that prove themselves.

`Backproof` is a repository with its settings; its methods back up, list, verify, restore and drill. `AsyncBackproof` has the same
as coroutines. Errors are `BackproofError`, with a stable `code` and a `hint`; `CODES` has all of them.

>>> import backproof
>>> repo = backproof.Backproof("memory:///", name="app")
>>> _ = repo.init()
>>> backup = repo.backup(b"all that matters", no_encryption=True)
>>> repo.verify(backup.id, level="readable").status
'healthy'
>>> repo.open_part(backup.id, "data").read()
b'all that matters'
"""

from ._client import AsyncBackproof, Backproof
from ._codes import CODES, ErrorCode, __version__
from ._errors import BackproofAccessError, BackproofError, BackproofNotFoundError, BackproofTimeoutError
from ._json import Record
from ._program import main
from ._progress import *  # noqa: F403
from ._sources import AsyncSource, Source
from ._streams import AsyncPart, AsyncRows, Row, Rows
from ._types import *  # noqa: F403
from ._verbs import StrPath

__all__ = [
    "AssertionResult",
    "AsyncBackproof",
    "AsyncPart",
    "AsyncRows",
    "AsyncSource",
    "Backproof",
    "BackproofAccessError",
    "BackproofError",
    "BackproofNotFoundError",
    "BackproofTimeoutError",
    "BackupId",
    "BackupResult",
    "BackupVerdict",
    "CODES",
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
    "ErrorCode",
    "Event",
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
    "OnProgress",
    "Outcome",
    "Overwritten",
    "PartEntry",
    "PartFinished",
    "PartStarted",
    "Phase",
    "Previous",
    "Progress",
    "Proof",
    "RecipientName",
    "Record",
    "ReplacedBackup",
    "RestorePlan",
    "RestoreReport",
    "RestoreResult",
    "RestoredTable",
    "RollbackPlan",
    "RollbackResult",
    "RolledBack",
    "RolledBackTable",
    "Row",
    "RowFormat",
    "Rows",
    "Scheme",
    "SegmentFormat",
    "SequenceValue",
    "Series",
    "Setting",
    "Severity",
    "Sha256",
    "ShowResult",
    "Size",
    "Source",
    "SourceInfo",
    "Started",
    "Status",
    "Step",
    "StrPath",
    "Swapped",
    "TableDiff",
    "Untested",
    "Verdict",
    "VerifyResult",
    "Warned",
    "WrittenPart",
    "__version__",
    "main",
]
