//! Every error code that this crate raises.

/// The codes that backup-postgres raises, beside those of backup-core.
pub mod codes {
    backup_core::codes! {
        /// No database was named: no URL, no variable, no service.
        DATABASE_NOT_CONFIGURED = "database_not_configured", permanent, "name the database with --database or DATABASE_URL (docs/postgres.md lists all ways)";
        /// A connection setting that libpq knows cannot be honoured by both our connection and PostgreSQL's programs.
        UNSUPPORTED_CONNECTION_SETTING = "unsupported_connection_setting", permanent, "remove the setting, or choose another way to connect (docs/postgres.md)";
        /// The server could not be reached, or takes no connections at the moment.
        DATABASE_UNREACHABLE = "database_unreachable", transient, "check host, port and network, and that the server runs";
        /// The server did not accept the role or its password, or lets nobody in from here.
        AUTHENTICATION_FAILED = "authentication_failed", permanent, "check user and password, and the server's pg_hba.conf";
        /// There is no such database on the server, or the role may not connect to it.
        DATABASE_NOT_FOUND = "database_not_found", permanent, "check the database's name; `psql -l` lists those that exist";
        /// TLS could not be agreed on, or the server's certificate was not accepted.
        TLS_FAILED = "database_tls_failed", permanent, "check sslmode and sslrootcert (docs/postgres.md)";
        /// A query of ours failed on the server.
        QUERY_FAILED = "query_failed", permanent, "see the cause";
        /// The connection broke in the middle.
        CONNECTION_LOST = "connection_lost", transient, "check the network and the server's log, then run it again";
        /// PostgreSQL's programs were not found in a version that fits the server.
        TOOLS_NOT_FOUND = "tools_not_found", permanent, "install PostgreSQL's client programs of the server's major version, or name their folder with PG_BINDIR";
        /// The connection goes through a pooler that gives every transaction another server connection.
        TRANSACTION_POOLER = "transaction_pooler", permanent, "use the direct connection, or the pooler's session mode";
        /// The login cannot read everything that belongs into the backup.
        UNREADABLE_OBJECTS = "unreadable_objects", permanent, "run the statements that are named as the objects' owner or a superuser, or leave the objects out with --skip-unreadable";
        /// An archive of pg_dump is of a version, format or compression that this program does not read.
        ARCHIVE_UNSUPPORTED = "archive_unsupported", permanent, "make the dump with pg_dump 12 to 18, custom format, without compression (-Fc -Z0), or install a newer backproof";
        /// pg_dump failed, or its archive is not complete.
        DUMP_FAILED = "dump_failed", permanent, "nothing was published; see pg_dump's message, and the server's log";
        /// The backup has no rows of a table of this name.
        TABLE_NOT_FOUND = "table_not_found", permanent, "write it as schema.table, in double quotes where PostgreSQL needs them; only tables with rows of their own have any";
        /// It is not known what the dump of a backup holds: nothing was noted when it was made.
        CONTENTS_UNAVAILABLE = "contents_unavailable", permanent, "use a backup that was made by a version of backproof that knows its PostgreSQL";
        /// Values of a table cannot be written in the format that was asked for.
        FORMAT_UNSUPPORTED = "format_unsupported", permanent, "ask for csv or copy: both give the bytes as they are";
        /// A table was locked by someone else for longer than the lock timeout.
        LOCK_TIMEOUT = "lock_timeout", transient, "find who holds the lock (pg_locks, pg_stat_activity), back up at another time, or raise the lock timeout";
        /// Tables were written anew (TRUNCATE, some ALTER TABLE) or renamed between the snapshot and pg_dump's locks: their rows would be missing.
        TABLE_REPLACED = "table_replaced", transient, "run it again; do not reload tables with TRUNCATE, ALTER TABLE or renames while a backup begins";
        /// The database to restore into exists already.
        DATABASE_EXISTS = "database_exists", permanent, "nothing was changed; choose a name that does not exist yet";
        /// The restore cannot be done as asked; nothing was changed.
        RESTORE_REFUSED = "restore_refused", permanent, "remove each obstacle as it says; --dry-run shows them again";
        /// The scratch cluster could not be started.
        SCRATCH_FAILED = "scratch_failed", permanent, "see the server's own words; --scratch-dir chooses the disk, --scratch another server";
        /// The scratch cluster ended, or broke its connections, in the middle of a drill.
        SCRATCH_LOST = "scratch_lost", transient, "see the server's own words, and whether the machine ran out of memory; then run it again";
        /// pg_restore or a statement of the restore failed.
        RESTORE_FAILED = "restore_failed", permanent, "see the messages; the restored database was removed unless the message says that it is left";
        /// A swap cannot be done as asked; nothing was changed.
        SWAP_REFUSED = "swap_refused", permanent, "remove each obstacle as it says; nothing was changed";
        /// A swap or rollback failed on the server, and was rolled back.
        SWAP_FAILED = "swap_failed", permanent, "the databases have the names that they had; see the cause";
        /// A live database was overwritten by a restore that then did not pass its judgement.
        OVERWRITTEN_AND_REFUSED = "overwritten_and_refused", permanent, "restore the safety backup that was made before";
        /// There is no database that a rollback could bring back.
        NOTHING_TO_ROLL_BACK = "nothing_to_roll_back", permanent, "`psql -l+` shows the databases that are kept, in their comments";
        /// A rollback would lose what was written since the swap, or it cannot be told whether it would.
        ROLLBACK_LOSES_DATA = "rollback_loses_data", permanent, "back the database up first; then say that newer data may be lost. It is not dropped: it is kept under a dated name";
    }
}
