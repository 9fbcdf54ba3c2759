# Made by scripts/python-types from bindings/api.json: change those.

"""The verbs as methods, blocking and for asyncio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from os import PathLike
from typing import Any, Union

from ._progress import OnProgress
from ._session import AsyncSession, BlockingSession, Session
from ._sources import AsyncSource, Source
from ._types import (
    BackupResult,
    CatResult,
    ConfigResult,
    DiffResult,
    DrillResult,
    Duration,
    InitResult,
    KeyPurpose,
    KeygenResult,
    Level,
    ListResult,
    RestoreResult,
    RollbackResult,
    RowFormat,
    ShowResult,
    Size,
    VerifyResult,
)

__all__ = ["AsyncVerbs", "StrPath", "Verbs"]

StrPath = Union[str, "PathLike[str]"]
"""The path of a file or a folder."""


class Opened(Session):
    """Takes the settings."""

    def __init__(
        self,
        repo: str | None = None,
        *,
        config: StrPath | None = None,
        configuration: Mapping[str, Any] | None = None,
        database: str | None = None,
        env: Mapping[str, str] | None = None,
        identities: Sequence[StrPath] | None = None,
        installation: str | None = None,
        label: str | None = None,
        memory: Size | None = None,
        name: str | None = None,
        passphrase: str | None = None,
        passphrase_file: StrPath | None = None,
        pg_bindir: StrPath | None = None,
        recipients: Sequence[str] | None = None,
        signing_key: StrPath | None = None,
        trusted_signers: StrPath | None = None,
    ) -> None:
        """A session with these settings; what they leave open comes from the environment and the configuration file.

        Reads the configuration file; neither the store nor the database is spoken to yet.

        Args:
            repo: The repository's URL: `file:///path`, `s3://bucket/prefix`, `gs://…`, `az://…`; `memory:///` is new
                and empty, and lives as long as the session. [env: `BACKPROOF_REPO`]
            config: The configuration file; by default `BACKPROOF_CONFIG`, then `backproof.toml` here, then
                `/etc/backproof/backproof.toml`.
            configuration: What a configuration file would say, given directly; then none is read.
            database: The database that is backed up: a URL or key=value pairs. [env: `DATABASE_URL`, `SUPABASE_DB_URL`,
                `PG*`, `POSTGRES_*`]
            env: The environment variables to take settings and credentials from; by default those of this process.
            identities: Files with secret keys that open backups (age, SSH or OpenPGP). [env: `BACKPROOF_IDENTITY`]
            installation: The installation's id, where signers are trusted. [env: `BACKPROOF_INSTALLATION`]
            label: What a backup is for, e.g. `daily`; where backups are looked for, only those. [env:
                `BACKPROOF_LABEL`; default for new backups: `manual`]
            memory: The memory budget in bytes, or as text, e.g. `256MiB`. [env: `BACKPROOF_MEMORY`]
            name: The series of backups, e.g. `app`. [env: `BACKPROOF_NAME`]
            passphrase: The passphrase for whatever asks for one, in place of a file.
            passphrase_file: The file whose first line is the passphrase for whatever asks for one. [env:
                `BACKPROOF_PASSPHRASE_FILE`]
            pg_bindir: The folder of pg_dump and pg_restore. [env: `PG_BINDIR`]
            recipients: Public keys that may open new backups: `age1…`, `ssh-ed25519 …`, a file of these, an OpenPGP
                public key file, or a key in gpg's keyring. [env: `BACKPROOF_RECIPIENTS`]
            signing_key: The SSH private key that signs new backups. [env: `BACKPROOF_SIGNING_KEY`]
            trusted_signers: The file that says whose signatures count, in OpenSSH's allowed_signers format. [env:
                `BACKPROOF_TRUSTED_SIGNERS`]

        Raises:
            BackproofError: A setting is not valid.
        """
        given: dict[str, Any] = {
            "config": config,
            "configuration": configuration,
            "database": database,
            "env": env,
            "identities": identities,
            "installation": installation,
            "label": label,
            "memory": memory,
            "name": name,
            "passphrase": passphrase,
            "passphrase_file": passphrase_file,
            "pg_bindir": pg_bindir,
            "recipients": recipients,
            "repo": repo,
            "signing_key": signing_key,
            "trusted_signers": trusted_signers,
        }
        self._open(given)


class Verbs(BlockingSession, Opened):
    """Every verb as a method that waits for its result."""

    def backup(
        self,
        source: Source | None = None,
        *,
        command: Sequence[str] | None = None,
        compression_level: int | None = None,
        file: StrPath | None = None,
        no_encryption: bool = False,
        passphrase: bool = False,
        role_passwords: bool = False,
        skip_unreadable: bool = False,
        on_progress: OnProgress | None = None,
    ) -> BackupResult:
        """Backs up the configured database, a file, the output of a program, or a stream of bytes.

        Args:
            source: What is backed up in place of the configured database: a path, bytes or what has a buffer, a file
                object opened for bytes, an iterable of bytes.
            command: Back up the output of this program, with its arguments, instead of a database; it must exit with 0.
            compression_level: The zstd level, 1 (fastest) to 19 (smallest); 3 unless configured.
            file: Back up this file instead of a database.
            no_encryption: Do not encrypt: whoever reads the store reads the data.
            passphrase: Seal to a passphrase too: from the settings, or asked for.
            role_passwords: Include the roles' password hashes in the globals; needs a superuser.
            skip_unreadable: Leave out what the login cannot read, list it in the backup, and warn.
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "command": command,
            "compression_level": compression_level,
            "file": file,
            "no_encryption": no_encryption,
            "passphrase": passphrase,
            "role_passwords": role_passwords,
            "skip_unreadable": skip_unreadable,
        }
        return self._call_with_source("backup", given, source, BackupResult, on_progress)

    def cat(
        self,
        id: str,
        output: StrPath,
        *,
        allow_unsigned: bool = False,
        format: RowFormat | None = None,
        part: str | None = None,
        passphrase: bool = False,
        table: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> CatResult:
        """Reads the plaintext of one part, or the rows of one table: as a stream, or, with `output`, into a file.

        Args:
            id: An id, the start of one, or `latest`.
            output: A file for the plaintext, created; never overwritten.
            allow_unsigned: Read a backup that no trusted signer signed; it must be named by its id.
            format: How rows are written into `output`; `csv` by default.
            part: The part: `dump`, `globals`, `contents`, …
            passphrase: The backup was sealed to a passphrase: from the settings, or asked for.
            table: The rows of this table instead, named as in SQL: `public.orders`. Only the segments that hold them
                are read; no server is needed.
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "id": id,
            "output": output,
            "allow_unsigned": allow_unsigned,
            "format": format,
            "part": part,
            "passphrase": passphrase,
            "table": table,
        }
        return self._call("cat", given, CatResult, on_progress)

    def config(
        self,
        *,
        on_progress: OnProgress | None = None,
    ) -> ConfigResult:
        """Shows the settings in effect and where each comes from, with secrets redacted.

        Args:
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {}
        return self._call("config", given, ConfigResult, on_progress)

    def diff(
        self,
        before: str,
        after: str | None = None,
        *,
        allow_unsigned: bool = False,
        passphrase: bool = False,
        on_progress: OnProgress | None = None,
    ) -> DiffResult:
        """Shows what differs between two backups, or between a backup and the configured database.

        Args:
            before: A backup: an id, the start of one, or `latest`.
            after: Another one; the configured database, when there is none.
            allow_unsigned: Read backups that no trusted signer signed; they must be named by their ids.
            passphrase: The backups were sealed to a passphrase: from the settings, or asked for.
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "before": before,
            "after": after,
            "allow_unsigned": allow_unsigned,
            "passphrase": passphrase,
        }
        return self._call("diff", given, DiffResult, on_progress)

    def drill(
        self,
        id: str | None = None,
        *,
        accept: Sequence[str] | None = None,
        allow_unsigned: bool = False,
        low_priority: bool = False,
        no_record: bool = False,
        output: StrPath | None = None,
        passphrase: bool = False,
        rpo: Duration | timedelta | None = None,
        rto: Duration | timedelta | None = None,
        sample: int | None = None,
        scratch: str | None = None,
        scratch_dir: StrPath | None = None,
        on_progress: OnProgress | None = None,
    ) -> DrillResult:
        """Restores backups into a scratch place, compares them row by row, and times it.

        Args:
            id: An id, the start of one, or `latest`, which it is by default.
            accept: Accept that this cannot be tested, by the names that a proof gives, e.g. `extension:pg_graphql`.
            allow_unsigned: Drill a backup that no trusted signer signed: a dump can run code when it is restored.
            low_priority: Work with low priority for processor and disk.
            no_record: Do not keep the result in the repository.
            output: Also write each result into this folder, as `test-<time>.json`.
            passphrase: The backup was sealed to a passphrase: from the settings, or asked for.
            rpo: The oldest that the newest restorable backup may be: seconds, or text, e.g. `1h`.
            rto: The longest that the restore may take: seconds, or text, e.g. `4h`.
            sample: This many backups instead, those whose proof is the longest ago first.
            scratch: Restore into a database of this server instead of a cluster of its own: a URL; the database is
                dropped afterwards.
            scratch_dir: The folder for the scratch cluster, on a disk with room for the database; the system's
                temporary folder unless configured.
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "id": id,
            "accept": accept,
            "allow_unsigned": allow_unsigned,
            "low_priority": low_priority,
            "no_record": no_record,
            "output": output,
            "passphrase": passphrase,
            "rpo": rpo,
            "rto": rto,
            "sample": sample,
            "scratch": scratch,
            "scratch_dir": scratch_dir,
        }
        return self._call("drill", given, DrillResult, on_progress)

    def init(
        self,
        *,
        allow_unconditional_create: bool = False,
        on_progress: OnProgress | None = None,
    ) -> InitResult:
        """Creates the repository, after probing what its store can do.

        Args:
            allow_unconditional_create: Use a store that cannot create an object only if it is absent: safe with one
                writer only.
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "allow_unconditional_create": allow_unconditional_create,
        }
        return self._call("init", given, InitResult, on_progress)

    def keygen(
        self,
        output: StrPath,
        *,
        from_paper: str | None = None,
        passphrase: bool = False,
        principal: str | None = None,
        purpose: KeyPurpose | None = None,
        signing: bool = False,
        on_progress: OnProgress | None = None,
    ) -> KeygenResult:
        """Makes a key: an age identity that opens backups, or an SSH key that signs them.

        Args:
            output: The file for the secret key; never overwritten.
            from_paper: Make no new key: this is the form of one that was kept on paper, typed or scanned.
            passphrase: Protect the secret key with a passphrase: from the settings, or asked for.
            principal: With `signing`, the name of the key's holder in the list of trusted signers; `backup-host` by
                default.
            purpose: With `signing`, what the key is for (`--for` on the command line); `backup` by default.
            signing: Make an SSH key that signs manifests and evidence, instead of an age identity.
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "output": output,
            "from_paper": from_paper,
            "passphrase": passphrase,
            "principal": principal,
            "purpose": purpose,
            "signing": signing,
        }
        return self._call("keygen", given, KeygenResult, on_progress)

    def list(
        self,
        *,
        on_progress: OnProgress | None = None,
    ) -> ListResult:
        """Lists the backups.

        Args:
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {}
        return self._call("list", given, ListResult, on_progress)

    def restore(
        self,
        id: str,
        *,
        allow_unsigned: bool = False,
        before: datetime | str | None = None,
        drop_old: bool = False,
        dry_run: bool = False,
        ignore_slots: bool = False,
        in_place: bool = False,
        jobs: int | None = None,
        level: Level | None = None,
        missing_rows: bool = False,
        no_encryption: bool = False,
        no_owner: bool = False,
        no_tablespaces: bool = False,
        passphrase: bool = False,
        replace: bool = False,
        schema: str | None = None,
        skip_unreadable: bool = False,
        swap: bool = False,
        tables: Sequence[str] | None = None,
        to: str | None = None,
        to_directory: StrPath | None = None,
        yes: bool = False,
        on_progress: OnProgress | None = None,
    ) -> RestoreResult:
        """Restores a backup: into a new database, a folder, in place of a live database, or single tables of it.

        Args:
            id: An id, the start of one, or `latest`.
            allow_unsigned: Restore a backup that no trusted signer signed; it must be named by its id.
            before: With `latest`: the newest backup whose snapshot is older than this time, e.g.
                `2026-11-20T12:00:00Z`.
            drop_old: With `swap`: drop the old database afterwards; there is no way back then but the safety backup.
            dry_run: Say what would be done, and change nothing.
            ignore_slots: With `swap`: go on although replication slots and subscriptions stay with the old database.
            in_place: Restore into the live database itself, where `swap` is not possible: in one transaction, with
                writes stopped.
            jobs: Connections that build indexes and constraints at once, 1 to 64; as many as this machine has cores, at
                most 8, by default.
            level: With `swap` and `in_place`: how deeply the backup is proven first, intact or deeper; readable by
                default.
            missing_rows: With `tables`: put back only the rows whose key is gone.
            no_encryption: With `swap` and `in_place`: do not encrypt the safety backup.
            no_owner: Restore without owners and privileges, for servers that lack the roles.
            no_tablespaces: Restore everything into the server's default tablespace.
            passphrase: The backup was sealed to a passphrase: from the settings, or asked for.
            replace: With `tables`: in place of the rows that are there, which are kept.
            schema: With `tables`: the new schema for them; `restored_<time>` by default.
            skip_unreadable: With `swap` and `in_place`: leave out of the safety backup what the login cannot read.
            swap: Restore in place of the live database that `to` names: beside it, and then the two change names.
            tables: Restore these tables alone, named as in SQL, with `*` and `?` as patterns.
            to: The new database: a URL or key=value pairs. With `swap`, `in_place` and `tables`: the live one.
            to_directory: Write each part to a file in this folder instead; the folder must not exist or be empty.
            yes: Do not ask before live data is replaced.
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "id": id,
            "allow_unsigned": allow_unsigned,
            "before": before,
            "drop_old": drop_old,
            "dry_run": dry_run,
            "ignore_slots": ignore_slots,
            "in_place": in_place,
            "jobs": jobs,
            "level": level,
            "missing_rows": missing_rows,
            "no_encryption": no_encryption,
            "no_owner": no_owner,
            "no_tablespaces": no_tablespaces,
            "passphrase": passphrase,
            "replace": replace,
            "schema": schema,
            "skip_unreadable": skip_unreadable,
            "swap": swap,
            "tables": tables,
            "to": to,
            "to_directory": to_directory,
            "yes": yes,
        }
        return self._call("restore", given, RestoreResult, on_progress)

    def rollback(
        self,
        to: str,
        *,
        drop_old: bool = False,
        dry_run: bool = False,
        lose_newer_data: bool = False,
        tables: Sequence[str] | None = None,
        yes: bool = False,
        on_progress: OnProgress | None = None,
    ) -> RollbackResult:
        """Takes the last restore in place of a live database back.

        Args:
            to: The live database: a URL or key=value pairs.
            drop_old: Do not go back: drop the databases that swaps and rollbacks put aside.
            dry_run: Say what would be done, and change nothing.
            lose_newer_data: Go back although rows were written since; they stay in the database that is put aside.
            tables: Put back the rows that a restore with `tables` and `replace` kept of these tables, named as in SQL,
                with `*` and `?` as patterns.
            yes: Do not ask.
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "to": to,
            "drop_old": drop_old,
            "dry_run": dry_run,
            "lose_newer_data": lose_newer_data,
            "tables": tables,
            "yes": yes,
        }
        return self._call("rollback", given, RollbackResult, on_progress)

    def show(
        self,
        id: str,
        *,
        allow_unsigned: bool = False,
        restore_md: bool = False,
        on_progress: OnProgress | None = None,
    ) -> ShowResult:
        """Shows one backup.

        Args:
            id: An id, the start of one, or `latest`.
            allow_unsigned: Show a backup that no trusted signer signed; it must be named by its id.
            restore_md: Read its RESTORE.md, too.
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "id": id,
            "allow_unsigned": allow_unsigned,
            "restore_md": restore_md,
        }
        return self._call("show", given, ShowResult, on_progress)

    def verify(
        self,
        *ids: str,
        accept: Sequence[str] | None = None,
        alert_on_failure: bool = False,
        cloud_only: bool = False,
        level: Level | None = None,
        local_only: bool = False,
        low_priority: bool = False,
        max_age: Duration | timedelta | None = None,
        min_size: Size | None = None,
        no_record: bool = False,
        passphrase: bool = False,
        scratch: str | None = None,
        scratch_dir: StrPath | None = None,
        on_progress: OnProgress | None = None,
    ) -> VerifyResult:
        """Checks backups: that they are there, intact, readable, restorable, and identical to what was backed up.

        Args:
            ids: Ids, starts of them, or `latest`; all backups when there is none.
            accept: Accept that this cannot be tested, by the names that a proof gives, e.g. `extension:pg_graphql`.
            alert_on_failure: Alert somebody of any status but healthy, and of an error: Sentry, by the variable
                `SENTRY_DSN`.
            cloud_only: Only repositories in an object store.
            level: How deeply; intact unless configured. Present needs a listing, intact reads every object, readable
                needs an identity; restorable and identical restore each backup into a scratch place, which needs
                PostgreSQL's programs.
            local_only: Only repositories in a folder of this machine.
            low_priority: Work with low priority for processor and disk.
            max_age: How old the newest backup of each series may be: seconds, or text, e.g. `25h`; 48 hours unless
                configured, and not looked at where backups are chosen by id.
            min_size: How large the newest backup of each series must be, as stored: bytes, or text, e.g. `1MB`; not
                looked at unless given.
            no_record: Do not keep the result in the repository.
            passphrase: The backups were sealed to a passphrase: from the settings, or asked for.
            scratch: Restore into a database of this server instead of a cluster of its own: a URL; the database is
                dropped afterwards.
            scratch_dir: The folder for the scratch cluster, on a disk with room for the database; the system's
                temporary folder unless configured.
            on_progress: Called with each event; in this thread.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "ids": ids,
            "accept": accept,
            "alert_on_failure": alert_on_failure,
            "cloud_only": cloud_only,
            "level": level,
            "local_only": local_only,
            "low_priority": low_priority,
            "max_age": max_age,
            "min_size": min_size,
            "no_record": no_record,
            "passphrase": passphrase,
            "scratch": scratch,
            "scratch_dir": scratch_dir,
        }
        return self._call("verify", given, VerifyResult, on_progress)


class AsyncVerbs(AsyncSession, Opened):
    """Every verb as a coroutine."""

    async def backup(
        self,
        source: AsyncSource | None = None,
        *,
        command: Sequence[str] | None = None,
        compression_level: int | None = None,
        file: StrPath | None = None,
        no_encryption: bool = False,
        passphrase: bool = False,
        role_passwords: bool = False,
        skip_unreadable: bool = False,
        on_progress: OnProgress | None = None,
    ) -> BackupResult:
        """Backs up the configured database, a file, the output of a program, or a stream of bytes.

        Args:
            source: What is backed up in place of the configured database: a path, bytes or what has a buffer, a file
                object opened for bytes, an iterable of bytes, an asynchronous one.
            command: Back up the output of this program, with its arguments, instead of a database; it must exit with 0.
            compression_level: The zstd level, 1 (fastest) to 19 (smallest); 3 unless configured.
            file: Back up this file instead of a database.
            no_encryption: Do not encrypt: whoever reads the store reads the data.
            passphrase: Seal to a passphrase too: from the settings, or asked for.
            role_passwords: Include the roles' password hashes in the globals; needs a superuser.
            skip_unreadable: Leave out what the login cannot read, list it in the backup, and warn.
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "command": command,
            "compression_level": compression_level,
            "file": file,
            "no_encryption": no_encryption,
            "passphrase": passphrase,
            "role_passwords": role_passwords,
            "skip_unreadable": skip_unreadable,
        }
        return await self._call_with_source("backup", given, source, BackupResult, on_progress)

    async def cat(
        self,
        id: str,
        output: StrPath,
        *,
        allow_unsigned: bool = False,
        format: RowFormat | None = None,
        part: str | None = None,
        passphrase: bool = False,
        table: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> CatResult:
        """Reads the plaintext of one part, or the rows of one table: as a stream, or, with `output`, into a file.

        Args:
            id: An id, the start of one, or `latest`.
            output: A file for the plaintext, created; never overwritten.
            allow_unsigned: Read a backup that no trusted signer signed; it must be named by its id.
            format: How rows are written into `output`; `csv` by default.
            part: The part: `dump`, `globals`, `contents`, …
            passphrase: The backup was sealed to a passphrase: from the settings, or asked for.
            table: The rows of this table instead, named as in SQL: `public.orders`. Only the segments that hold them
                are read; no server is needed.
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "id": id,
            "output": output,
            "allow_unsigned": allow_unsigned,
            "format": format,
            "part": part,
            "passphrase": passphrase,
            "table": table,
        }
        return await self._call("cat", given, CatResult, on_progress)

    async def config(
        self,
        *,
        on_progress: OnProgress | None = None,
    ) -> ConfigResult:
        """Shows the settings in effect and where each comes from, with secrets redacted.

        Args:
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {}
        return await self._call("config", given, ConfigResult, on_progress)

    async def diff(
        self,
        before: str,
        after: str | None = None,
        *,
        allow_unsigned: bool = False,
        passphrase: bool = False,
        on_progress: OnProgress | None = None,
    ) -> DiffResult:
        """Shows what differs between two backups, or between a backup and the configured database.

        Args:
            before: A backup: an id, the start of one, or `latest`.
            after: Another one; the configured database, when there is none.
            allow_unsigned: Read backups that no trusted signer signed; they must be named by their ids.
            passphrase: The backups were sealed to a passphrase: from the settings, or asked for.
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "before": before,
            "after": after,
            "allow_unsigned": allow_unsigned,
            "passphrase": passphrase,
        }
        return await self._call("diff", given, DiffResult, on_progress)

    async def drill(
        self,
        id: str | None = None,
        *,
        accept: Sequence[str] | None = None,
        allow_unsigned: bool = False,
        low_priority: bool = False,
        no_record: bool = False,
        output: StrPath | None = None,
        passphrase: bool = False,
        rpo: Duration | timedelta | None = None,
        rto: Duration | timedelta | None = None,
        sample: int | None = None,
        scratch: str | None = None,
        scratch_dir: StrPath | None = None,
        on_progress: OnProgress | None = None,
    ) -> DrillResult:
        """Restores backups into a scratch place, compares them row by row, and times it.

        Args:
            id: An id, the start of one, or `latest`, which it is by default.
            accept: Accept that this cannot be tested, by the names that a proof gives, e.g. `extension:pg_graphql`.
            allow_unsigned: Drill a backup that no trusted signer signed: a dump can run code when it is restored.
            low_priority: Work with low priority for processor and disk.
            no_record: Do not keep the result in the repository.
            output: Also write each result into this folder, as `test-<time>.json`.
            passphrase: The backup was sealed to a passphrase: from the settings, or asked for.
            rpo: The oldest that the newest restorable backup may be: seconds, or text, e.g. `1h`.
            rto: The longest that the restore may take: seconds, or text, e.g. `4h`.
            sample: This many backups instead, those whose proof is the longest ago first.
            scratch: Restore into a database of this server instead of a cluster of its own: a URL; the database is
                dropped afterwards.
            scratch_dir: The folder for the scratch cluster, on a disk with room for the database; the system's
                temporary folder unless configured.
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "id": id,
            "accept": accept,
            "allow_unsigned": allow_unsigned,
            "low_priority": low_priority,
            "no_record": no_record,
            "output": output,
            "passphrase": passphrase,
            "rpo": rpo,
            "rto": rto,
            "sample": sample,
            "scratch": scratch,
            "scratch_dir": scratch_dir,
        }
        return await self._call("drill", given, DrillResult, on_progress)

    async def init(
        self,
        *,
        allow_unconditional_create: bool = False,
        on_progress: OnProgress | None = None,
    ) -> InitResult:
        """Creates the repository, after probing what its store can do.

        Args:
            allow_unconditional_create: Use a store that cannot create an object only if it is absent: safe with one
                writer only.
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "allow_unconditional_create": allow_unconditional_create,
        }
        return await self._call("init", given, InitResult, on_progress)

    async def keygen(
        self,
        output: StrPath,
        *,
        from_paper: str | None = None,
        passphrase: bool = False,
        principal: str | None = None,
        purpose: KeyPurpose | None = None,
        signing: bool = False,
        on_progress: OnProgress | None = None,
    ) -> KeygenResult:
        """Makes a key: an age identity that opens backups, or an SSH key that signs them.

        Args:
            output: The file for the secret key; never overwritten.
            from_paper: Make no new key: this is the form of one that was kept on paper, typed or scanned.
            passphrase: Protect the secret key with a passphrase: from the settings, or asked for.
            principal: With `signing`, the name of the key's holder in the list of trusted signers; `backup-host` by
                default.
            purpose: With `signing`, what the key is for (`--for` on the command line); `backup` by default.
            signing: Make an SSH key that signs manifests and evidence, instead of an age identity.
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "output": output,
            "from_paper": from_paper,
            "passphrase": passphrase,
            "principal": principal,
            "purpose": purpose,
            "signing": signing,
        }
        return await self._call("keygen", given, KeygenResult, on_progress)

    async def list(
        self,
        *,
        on_progress: OnProgress | None = None,
    ) -> ListResult:
        """Lists the backups.

        Args:
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {}
        return await self._call("list", given, ListResult, on_progress)

    async def restore(
        self,
        id: str,
        *,
        allow_unsigned: bool = False,
        before: datetime | str | None = None,
        drop_old: bool = False,
        dry_run: bool = False,
        ignore_slots: bool = False,
        in_place: bool = False,
        jobs: int | None = None,
        level: Level | None = None,
        missing_rows: bool = False,
        no_encryption: bool = False,
        no_owner: bool = False,
        no_tablespaces: bool = False,
        passphrase: bool = False,
        replace: bool = False,
        schema: str | None = None,
        skip_unreadable: bool = False,
        swap: bool = False,
        tables: Sequence[str] | None = None,
        to: str | None = None,
        to_directory: StrPath | None = None,
        yes: bool = False,
        on_progress: OnProgress | None = None,
    ) -> RestoreResult:
        """Restores a backup: into a new database, a folder, in place of a live database, or single tables of it.

        Args:
            id: An id, the start of one, or `latest`.
            allow_unsigned: Restore a backup that no trusted signer signed; it must be named by its id.
            before: With `latest`: the newest backup whose snapshot is older than this time, e.g.
                `2026-11-20T12:00:00Z`.
            drop_old: With `swap`: drop the old database afterwards; there is no way back then but the safety backup.
            dry_run: Say what would be done, and change nothing.
            ignore_slots: With `swap`: go on although replication slots and subscriptions stay with the old database.
            in_place: Restore into the live database itself, where `swap` is not possible: in one transaction, with
                writes stopped.
            jobs: Connections that build indexes and constraints at once, 1 to 64; as many as this machine has cores, at
                most 8, by default.
            level: With `swap` and `in_place`: how deeply the backup is proven first, intact or deeper; readable by
                default.
            missing_rows: With `tables`: put back only the rows whose key is gone.
            no_encryption: With `swap` and `in_place`: do not encrypt the safety backup.
            no_owner: Restore without owners and privileges, for servers that lack the roles.
            no_tablespaces: Restore everything into the server's default tablespace.
            passphrase: The backup was sealed to a passphrase: from the settings, or asked for.
            replace: With `tables`: in place of the rows that are there, which are kept.
            schema: With `tables`: the new schema for them; `restored_<time>` by default.
            skip_unreadable: With `swap` and `in_place`: leave out of the safety backup what the login cannot read.
            swap: Restore in place of the live database that `to` names: beside it, and then the two change names.
            tables: Restore these tables alone, named as in SQL, with `*` and `?` as patterns.
            to: The new database: a URL or key=value pairs. With `swap`, `in_place` and `tables`: the live one.
            to_directory: Write each part to a file in this folder instead; the folder must not exist or be empty.
            yes: Do not ask before live data is replaced.
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "id": id,
            "allow_unsigned": allow_unsigned,
            "before": before,
            "drop_old": drop_old,
            "dry_run": dry_run,
            "ignore_slots": ignore_slots,
            "in_place": in_place,
            "jobs": jobs,
            "level": level,
            "missing_rows": missing_rows,
            "no_encryption": no_encryption,
            "no_owner": no_owner,
            "no_tablespaces": no_tablespaces,
            "passphrase": passphrase,
            "replace": replace,
            "schema": schema,
            "skip_unreadable": skip_unreadable,
            "swap": swap,
            "tables": tables,
            "to": to,
            "to_directory": to_directory,
            "yes": yes,
        }
        return await self._call("restore", given, RestoreResult, on_progress)

    async def rollback(
        self,
        to: str,
        *,
        drop_old: bool = False,
        dry_run: bool = False,
        lose_newer_data: bool = False,
        tables: Sequence[str] | None = None,
        yes: bool = False,
        on_progress: OnProgress | None = None,
    ) -> RollbackResult:
        """Takes the last restore in place of a live database back.

        Args:
            to: The live database: a URL or key=value pairs.
            drop_old: Do not go back: drop the databases that swaps and rollbacks put aside.
            dry_run: Say what would be done, and change nothing.
            lose_newer_data: Go back although rows were written since; they stay in the database that is put aside.
            tables: Put back the rows that a restore with `tables` and `replace` kept of these tables, named as in SQL,
                with `*` and `?` as patterns.
            yes: Do not ask.
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "to": to,
            "drop_old": drop_old,
            "dry_run": dry_run,
            "lose_newer_data": lose_newer_data,
            "tables": tables,
            "yes": yes,
        }
        return await self._call("rollback", given, RollbackResult, on_progress)

    async def show(
        self,
        id: str,
        *,
        allow_unsigned: bool = False,
        restore_md: bool = False,
        on_progress: OnProgress | None = None,
    ) -> ShowResult:
        """Shows one backup.

        Args:
            id: An id, the start of one, or `latest`.
            allow_unsigned: Show a backup that no trusted signer signed; it must be named by its id.
            restore_md: Read its RESTORE.md, too.
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "id": id,
            "allow_unsigned": allow_unsigned,
            "restore_md": restore_md,
        }
        return await self._call("show", given, ShowResult, on_progress)

    async def verify(
        self,
        *ids: str,
        accept: Sequence[str] | None = None,
        alert_on_failure: bool = False,
        cloud_only: bool = False,
        level: Level | None = None,
        local_only: bool = False,
        low_priority: bool = False,
        max_age: Duration | timedelta | None = None,
        min_size: Size | None = None,
        no_record: bool = False,
        passphrase: bool = False,
        scratch: str | None = None,
        scratch_dir: StrPath | None = None,
        on_progress: OnProgress | None = None,
    ) -> VerifyResult:
        """Checks backups: that they are there, intact, readable, restorable, and identical to what was backed up.

        Args:
            ids: Ids, starts of them, or `latest`; all backups when there is none.
            accept: Accept that this cannot be tested, by the names that a proof gives, e.g. `extension:pg_graphql`.
            alert_on_failure: Alert somebody of any status but healthy, and of an error: Sentry, by the variable
                `SENTRY_DSN`.
            cloud_only: Only repositories in an object store.
            level: How deeply; intact unless configured. Present needs a listing, intact reads every object, readable
                needs an identity; restorable and identical restore each backup into a scratch place, which needs
                PostgreSQL's programs.
            local_only: Only repositories in a folder of this machine.
            low_priority: Work with low priority for processor and disk.
            max_age: How old the newest backup of each series may be: seconds, or text, e.g. `25h`; 48 hours unless
                configured, and not looked at where backups are chosen by id.
            min_size: How large the newest backup of each series must be, as stored: bytes, or text, e.g. `1MB`; not
                looked at unless given.
            no_record: Do not keep the result in the repository.
            passphrase: The backups were sealed to a passphrase: from the settings, or asked for.
            scratch: Restore into a database of this server instead of a cluster of its own: a URL; the database is
                dropped afterwards.
            scratch_dir: The folder for the scratch cluster, on a disk with room for the database; the system's
                temporary folder unless configured.
            on_progress: Called with each event; in this event loop.

        Raises:
            BackproofError: It could not be done; `code` says why.
        """
        given: dict[str, Any] = {
            "ids": ids,
            "accept": accept,
            "alert_on_failure": alert_on_failure,
            "cloud_only": cloud_only,
            "level": level,
            "local_only": local_only,
            "low_priority": low_priority,
            "max_age": max_age,
            "min_size": min_size,
            "no_record": no_record,
            "passphrase": passphrase,
            "scratch": scratch,
            "scratch_dir": scratch_dir,
        }
        return await self._call("verify", given, VerifyResult, on_progress)
