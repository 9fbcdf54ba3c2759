//! The error codes of this crate, and the list of all.

use backup_core::error::Code;

/// The codes that backproof itself raises.
pub mod codes {
    pub use backup_core::error::codes::NO_EFFECT;

    backup_core::codes! {
        /// The command line is not one that the program knows.
        USAGE = "usage", permanent, "`backproof help` and `backproof COMMAND --help` show what there is";
        /// The configuration file cannot be read or has a mistake.
        INVALID_CONFIGURATION = "invalid_configuration", permanent, "correct the line that is named; `backproof config` shows what is in effect";
        /// No repository was named.
        REPOSITORY_REQUIRED = "repository_required", permanent, "say where with --repo URL, BACKPROOF_REPO, or `url` under [repository] in backproof.toml";
        /// A backup that is to replace a live database did not pass the level that was asked for.
        RESTORE_NOT_PROVEN = "restore_not_proven", permanent, "nothing was changed; verify the backup to see more, or choose another one";
        /// What was restored beside a live database is not what was backed up, or does not hold what it must.
        RESTORED_DIFFERENTLY = "restored_differently", permanent, "the live database was not touched, and the restored one was removed; drill the backup to see more";
        /// Something that replaces live data needs a yes.
        CONFIRMATION_REQUIRED = "confirmation_required", permanent, "nothing was changed; confirm at a terminal, or say --yes (or FORCE=true) in a script";
        /// Nobody could be alerted of what a verification found.
        ALERT_FAILED = "alert_failed", transient, "check SENTRY_DSN and the network; what was found is in the result";
        /// Someone pressed Ctrl-C, or the program was told to end.
        INTERRUPTED = "interrupted", permanent, "nothing was published; run it again";
    }
}

/// Every error code of every crate, for documentation and bindings.
pub fn all_codes() -> Vec<&'static Code> {
    let crates: [&[&'static Code]; 5] = [
        backup_core::error::codes::ALL,
        backup_storage::error::codes::ALL,
        backup_crypto::error::codes::ALL,
        backup_postgres::error::codes::ALL,
        codes::ALL,
    ];
    crates.concat()
}
