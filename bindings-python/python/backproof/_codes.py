# Made by scripts/python-types from bindings/api.json: change those.

"""Every error code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ._json import Record

__all__ = ["CODES", "ErrorCode", "__version__"]

__version__ = "0.1.0"
"""The version of the package, and of the library and the program in it."""


@dataclass(frozen=True, slots=True)
class ErrorCode(Record):
    """What a code means.

    Attributes:
        code: Its name, which never changes.
        meaning: What it says.
        hint: What to do, unless the error itself says something better.
        transient: Whether the same call may succeed later with nothing changed.
    """

    code: str
    meaning: str
    hint: str
    transient: bool


CODES: Mapping[str, ErrorCode] = MappingProxyType(
    {
        code.code: code
        for code in (
            ErrorCode("aborted", "The work ended without a result: a defect of backproof.", "report it, with the text on stderr", False),
            ErrorCode("access_denied", "The store refused the credentials, or they lack a right.", "check the credentials and their rights (docs/permissions.md lists what each command needs)", False),
            ErrorCode("alert_failed", "Nobody could be alerted of what a verification found.", "check SENTRY_DSN and the network; what was found is in the result", True),
            ErrorCode("already_exists", "An object of that name exists already, with other contents.", "nothing was overwritten; choose another name, or look at what is there", False),
            ErrorCode("ambiguous_id", "The id fits several backups.", "give more characters of the id", False),
            ErrorCode("archive_unsupported", "An archive of pg_dump is of a version, format or compression that this program does not read.", "make the dump with pg_dump 12 to 18, custom format, without compression (-Fc -Z0), or install a newer backproof", False),
            ErrorCode("authentication_failed", "The server did not accept the role or its password, or lets nobody in from here.", "check user and password, and the server's pg_hba.conf", False),
            ErrorCode("backup_not_found", "There is no such backup.", "`backproof list` shows the backups that exist", False),
            ErrorCode("bad_signature", "A signature is wrong, or by a key that is not trusted for this.", "do not restore it; check trusted_signers and who can write to the store", False),
            ErrorCode("bucket_not_found", "The bucket or container does not exist.", "create the bucket first, or correct its name, the endpoint or the account", False),
            ErrorCode("budget_too_small", "The memory budget is too small for one segment.", "raise the memory budget or make the segments smaller", False),
            ErrorCode("cancelled", "The operation was cancelled.", "nothing was published; run it again", False),
            ErrorCode("checksum_refused", "The store computed another checksum than the one sent along, and did not store the object.", "the object changed on its way; look for a faulty proxy, network card or memory, then run it again", True),
            ErrorCode("closed", "The session was closed.", "open a new session", False),
            ErrorCode("confirmation_required", "Something that replaces live data needs a yes.", "nothing was changed; confirm at a terminal, or say --yes (or FORCE=true) in a script", False),
            ErrorCode("connection_lost", "The connection broke in the middle.", "check the network and the server's log, then run it again", True),
            ErrorCode("contents_unavailable", "It is not known what the dump of a backup holds: nothing was noted when it was made.", "use a backup that was made by a version of backproof that knows its PostgreSQL", False),
            ErrorCode("credentials_failed", "The credentials have a form that cannot be used, or the service that hands them out refused or did not answer.", "check the variables, and the role or identity they name (docs/stores.md)", False),
            ErrorCode("credentials_missing", "No credentials for the store were found.", "set the variables that are named (docs/stores.md lists them for each store)", False),
            ErrorCode("database_exists", "The database to restore into exists already.", "nothing was changed; choose a name that does not exist yet", False),
            ErrorCode("database_not_configured", "No database was named: no URL, no variable, no service.", "name the database with --database or DATABASE_URL (docs/postgres.md lists all ways)", False),
            ErrorCode("database_not_found", "There is no such database on the server, or the role may not connect to it.", "check the database's name; `psql -l` lists those that exist", False),
            ErrorCode("database_tls_failed", "TLS could not be agreed on, or the server's certificate was not accepted.", "check sslmode and sslrootcert (docs/postgres.md)", False),
            ErrorCode("database_unreachable", "The server could not be reached, or takes no connections at the moment.", "check host, port and network, and that the server runs", True),
            ErrorCode("decompress_failed", "A segment does not decompress to what was recorded.", "the object was damaged or replaced; use another backup or copy", False),
            ErrorCode("decrypt_failed", "A segment or key file cannot be decrypted with the backup's key.", "the object was damaged or replaced; use another backup or copy", False),
            ErrorCode("dump_failed", "pg_dump failed, or its archive is not complete.", "nothing was published; see pg_dump's message, and the server's log", False),
            ErrorCode("file_not_found", "A file or folder of this machine that was named is not there.", "check the path: there is nothing of that name", False),
            ErrorCode("forked", "The process was forked after the session was opened: the child has none of its threads.", "open a session in each process, after the fork", False),
            ErrorCode("format_unsupported", "Values of a table cannot be written in the format that was asked for.", "ask for csv or copy: both give the bytes as they are", False),
            ErrorCode("gpg_failed", "The gpg program is missing, or failed.", "install GnuPG, or give the exported public key as a file", False),
            ErrorCode("identity_required", "Reading needs an identity and none was given.", "give one with --identity FILE or BACKPROOF_IDENTITY, or --passphrase where it is sealed to one", False),
            ErrorCode("interrupted", "Someone pressed Ctrl-C, or the program was told to end.", "nothing was published; run it again", False),
            ErrorCode("invalid_argument", "An argument or a setting has a value that cannot be used.", "correct the value that is named and run it again", False),
            ErrorCode("invalid_configuration", "The configuration file cannot be read or has a mistake.", "correct the line that is named; `backproof config` shows what is in effect", False),
            ErrorCode("invalid_document", "A document is not what the format says: not JSON, wrong hash, duplicate keys, too large, or found at the wrong place.", "the object was damaged or tampered with; verify the repository and look at another copy", False),
            ErrorCode("invalid_identity", "An identity cannot be read: unknown form, a damaged file, or a public key where a secret one is needed.", "give an age identity file, an SSH private key or an exported OpenPGP secret key", False),
            ErrorCode("invalid_name", "A name (series, label or part) does not match `[a-z0-9][a-z0-9_-]{0,62}`, or is reserved.", "use lower-case letters, digits, '-' and '_', starting with a letter or a digit, at most 63 characters", False),
            ErrorCode("invalid_paper_key", "A key's paper form has a typing mistake.", "compare the line that is named with the paper, character by character", False),
            ErrorCode("invalid_recipient", "A recipient is not one: unknown form, not in gpg's keyring, ambiguous, expired, revoked, or not able to encrypt.", "give an age or SSH public key, a file of them, an OpenPGP public key file, or the fingerprint of a key in gpg's keyring", False),
            ErrorCode("invalid_signing_key", "A signing key cannot be read or used.", "give an OpenSSH private key (ed25519 is best); `backproof keygen --signing` makes one", False),
            ErrorCode("invalid_trusted_signers", "The list of trusted signers is not in the allowed_signers format, or says something that cannot be honoured.", "correct the line that is named; `man ssh-keygen`, ALLOWED SIGNERS, describes the format", False),
            ErrorCode("invalid_url", "The repository's URL is not one, or has something in it that does not belong there.", "give a URL such as file:///var/backups/app, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX", False),
            ErrorCode("io", "Reading or writing failed in the operating system.", "see the cause", False),
            ErrorCode("lock_timeout", "A table was locked by someone else for longer than the lock timeout.", "find who holds the lock (pg_locks, pg_stat_activity), back up at another time, or raise the lock timeout", True),
            ErrorCode("no_effect", "A setting or flag is given that has no effect here.", "remove the setting that is named", False),
            ErrorCode("no_repository", "There is no repository at this place.", "check the URL, or create one with `backproof init`", False),
            ErrorCode("no_space", "The disk or the store's quota is full.", "free some space and run it again", False),
            ErrorCode("nothing_to_roll_back", "There is no database that a rollback could bring back.", "`psql -l+` shows the databases that are kept, in their comments", False),
            ErrorCode("object_not_found", "An object that should be there is not.", "check the repository's URL and the id", False),
            ErrorCode("overwritten_and_refused", "A live database was overwritten by a restore that then did not pass its judgement.", "restore the safety backup that was made before", False),
            ErrorCode("part_invalid", "The data of a part is not what its kind says (for example a dump that ends early).", "this backup cannot be restored as it is; use another one", False),
            ErrorCode("part_not_found", "The backup has no such part.", "`backproof show ID` lists the parts", False),
            ErrorCode("passphrase_required", "A passphrase is needed and nobody could be asked for it.", "run it on a terminal, or give the passphrase with --passphrase-file", False),
            ErrorCode("plugin_failed", "An age plugin is missing, or failed.", "install the plugin's program (age-plugin-NAME) where PATH finds it, and see its message", False),
            ErrorCode("query_failed", "A query of ours failed on the server.", "see the cause", False),
            ErrorCode("recipient_required", "No recipient was given, and encryption was not switched off.", "give a recipient with --recipient, make one with `backproof keygen`, or say --no-encryption", False),
            ErrorCode("repository_exists", "There is a repository at this place already.", "use it as it is, or choose another prefix", False),
            ErrorCode("repository_required", "No repository was named.", "say where with --repo URL, BACKPROOF_REPO, or `url` under [repository] in backproof.toml", False),
            ErrorCode("restore_failed", "pg_restore or a statement of the restore failed.", "see the messages; the restored database was removed unless the message says that it is left", False),
            ErrorCode("restore_not_proven", "A backup that is to replace a live database did not pass the level that was asked for.", "nothing was changed; verify the backup to see more, or choose another one", False),
            ErrorCode("restore_refused", "The restore cannot be done as asked; nothing was changed.", "remove each obstacle as it says; --dry-run shows them again", False),
            ErrorCode("restored_differently", "What was restored beside a live database is not what was backed up, or does not hold what it must.", "the live database was not touched, and the restored one was removed; drill the backup to see more", False),
            ErrorCode("rollback_loses_data", "A rollback would lose what was written since the swap, or it cannot be told whether it would.", "back the database up first; then say that newer data may be lost. It is not dropped: it is kept under a dated name", False),
            ErrorCode("scratch_failed", "The scratch cluster could not be started.", "see the server's own words; --scratch-dir chooses the disk, --scratch another server", False),
            ErrorCode("scratch_lost", "The scratch cluster ended, or broke its connections, in the middle of a drill.", "see the server's own words, and whether the machine ran out of memory; then run it again", True),
            ErrorCode("segment_damaged", "A segment is missing, or not of the recorded size or hash.", "this backup is damaged; use another one or another copy, and find out what changed the object", False),
            ErrorCode("self_check_failed", "Compressed or encrypted data did not read back as what went in: a fault of memory, processor or library.", "nothing was published; test this machine's memory before the next backup", False),
            ErrorCode("series_required", "`latest` needs a name when there are several series.", "say which one with --name", False),
            ErrorCode("source_failed", "The source ended badly, so its output cannot be trusted to be complete.", "nothing was published; see the cause and the source's own messages", False),
            ErrorCode("store_refused", "The store refused the request for a reason of its own.", "the cause says why; check the endpoint and the settings of the store", False),
            ErrorCode("store_unavailable", "The store could not be reached, or answered that it is not able to right now.", "check the network and the endpoint, then run it again", True),
            ErrorCode("swap_failed", "A swap or rollback failed on the server, and was rolled back.", "the databases have the names that they had; see the cause", False),
            ErrorCode("swap_refused", "A swap cannot be done as asked; nothing was changed.", "remove each obstacle as it says; nothing was changed", False),
            ErrorCode("table_not_found", "The backup has no rows of a table of this name.", "write it as schema.table, in double quotes where PostgreSQL needs them; only tables with rows of their own have any", False),
            ErrorCode("table_replaced", "Tables were written anew (TRUNCATE, some ALTER TABLE) or renamed between the snapshot and pg_dump's locks: their rows would be missing.", "run it again; do not reload tables with TRUNCATE, ALTER TABLE or renames while a backup begins", True),
            ErrorCode("target_failed", "The restore's target refused or failed.", "see the cause; the target may hold half of the data and should not be used", False),
            ErrorCode("tls_failed", "The store's certificate is not trusted, or there was no agreement on TLS.", "check the endpoint's name; for a private certificate authority give its certificate with `ca_file`", False),
            ErrorCode("tools_not_found", "PostgreSQL's programs were not found in a version that fits the server.", "install PostgreSQL's client programs of the server's major version, or name their folder with PG_BINDIR", False),
            ErrorCode("transaction_pooler", "The connection goes through a pooler that gives every transaction another server connection.", "use the direct connection, or the pooler's session mode", False),
            ErrorCode("unknown_format", "The repository or document is of a format, or needs a feature, that this version does not know.", "install a newer version of backproof", False),
            ErrorCode("unknown_scheme", "The URL's scheme names no kind of store that this version knows.", "use file://, s3://, gs://, az:// or memory:///", False),
            ErrorCode("unreadable_objects", "The login cannot read everything that belongs into the backup.", "run the statements that are named as the objects' owner or a superuser, or leave the objects out with --skip-unreadable", False),
            ErrorCode("unsigned", "A manifest or record carries no signature although signers are trusted.", "sign new backups with a signing key; one that you know the origin of can be read, restored and drilled with --allow-unsigned", False),
            ErrorCode("unsupported_by_store", "The store does not support what was asked for.", "remove the setting, or use a store that has it", False),
            ErrorCode("unsupported_connection_setting", "A connection setting that libpq knows cannot be honoured by both our connection and PostgreSQL's programs.", "remove the setting, or choose another way to connect (docs/postgres.md)", False),
            ErrorCode("upload_stalled", "An upload made no progress for longer than `max_stall`.", "check the store and the network; raise max_stall if the line is that slow", True),
            ErrorCode("usage", "The command line is not one that the program knows.", "`backproof help` and `backproof COMMAND --help` show what there is", False),
            ErrorCode("useless_setting", "A setting is given that has no effect on this store.", "remove the setting: one without effect would only look as if it protected something", False),
            ErrorCode("writer_too_old", "The backup took so long between two writes that a sweep might have removed its first objects.", "nothing was published; run the backup again", False),
            ErrorCode("wrong_identity", "None of the identities given opens this backup.", "give the identity, or the passphrase, of one of the recipients that `backproof show ID` lists", False),
            ErrorCode("wrong_passphrase", "A passphrase does not open the key it was given for.", "check the passphrase and the file that it belongs to", False),
            ErrorCode("wrong_region", "The bucket is in another region than the request was signed for.", "set AWS_REGION, or the setting `region`, to the bucket's region", False),
        )
    }
)
"""Every code that an error of this library can have, by name."""
