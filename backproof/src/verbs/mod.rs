//! The verbs: what can be done with a repository, each as one method of [`Backproof`], one struct of options and one struct of results.
//!
//! The program, the Python package and the npm package call these and nothing else. Options have the names of the program's long flags, and
//! can be read from JSON, durations and sizes as numbers or as text (`48h`, `16MiB`). Results are what the program prints with `--json`. Warnings go to the monitor
//! as they come up, and are in the result.
//!
//! | verb | does |
//! | --- | --- |
//! | [`init`](Backproof::init) | creates the repository, after probing what its store can do |
//! | [`keygen`](Backproof::keygen) | makes a key |
//! | [`backup`](Backproof::backup), [`backup_from`](Backproof::backup_from) | backs a database, a file, a program's output or any source up |
//! | [`list`](Backproof::list) | lists the backups |
//! | [`show`](Backproof::show) | shows one backup |
//! | [`cat`](Backproof::cat) | reads one part, or the rows of one table |
//! | [`verify`](Backproof::verify) | checks backups |
//! | [`restore`](Backproof::restore) | restores into a new database, a folder, in place of a live database, or single tables |
//! | [`rollback`](Backproof::rollback) | takes a restore in place of a live database back |
//! | [`diff`](Backproof::diff) | compares two backups, or one with a database |
//! | [`drill`](Backproof::drill) | restores backups into a scratch place, compares and times it |
//! | [`config`](Backproof::config) | shows the settings in effect |

mod backup;
mod cat;
mod config;
mod diff;
mod drill;
mod init;
mod keygen;
mod list;
mod new_file;
mod restore;
mod rollback;
mod show;
mod verify;

pub use backup::{BackupOptions, BackupResult};
pub use cat::{Cat, CatOptions, CatResult, PartReader, RowFormat, RowReader};
pub use config::{ConfigOptions, ConfigResult};
pub use diff::{Compared, DiffOptions, DiffResult};
pub use drill::{DrillOptions, DrillResult};
pub use init::{InitOptions, InitResult};
pub use keygen::{KeyPurpose, KeygenOptions, KeygenResult};
pub use list::{ListOptions, ListResult, ListedBackup, ListedManifest};
pub use restore::{
    Overwritten, Report, RestoreOptions, RestorePlan, RestoreResult, RestoredTable, Swapped, WrittenPart,
};
pub use rollback::{NewerData, RollbackOptions, RollbackPlan, RollbackResult, RolledBack, RolledBackTable};
pub use show::{ShowOptions, ShowResult};
pub use verify::{VerifyOptions, VerifyResult};

use crate::Backproof;
use backup_core::monitor::Recorder;
use backup_core::names::PartName;
use backup_core::repository::Repository;
use backup_core::repository::catalog::Filter;
use backup_core::restore::ReadRequest;
use backup_core::{Error, Result};
use backup_postgres::Connection;
use backup_postgres::inventory::TableName;
use std::sync::Arc;

/// Calls a macro with every verb: its method, its options, its result, and what it does.
#[allow(unused_macros, reason = "only where schemas are made")]
macro_rules! each_verb {
    ($call:ident) => {
        $call! {
            init, InitOptions, InitResult, "Creates the repository, after probing what its store can do.";
            keygen, KeygenOptions, KeygenResult, "Makes a key: an age identity that opens backups, or an SSH key that signs them.";
            backup, BackupOptions, BackupResult, "Backs up the configured database, a file, the output of a program, or a stream of bytes.";
            list, ListOptions, ListResult, "Lists the backups.";
            show, ShowOptions, ShowResult, "Shows one backup.";
            cat, CatOptions, CatResult, "Reads the plaintext of one part, or the rows of one table: as a stream, or, with `output`, into a file.";
            verify, VerifyOptions, VerifyResult, "Checks backups: that they are there, intact, readable, restorable, and identical to what was backed up.";
            restore, RestoreOptions, RestoreResult, "Restores a backup: into a new database, a folder, in place of a live database, or single tables of it.";
            rollback, RollbackOptions, RollbackResult, "Takes the last restore in place of a live database back.";
            diff, DiffOptions, DiffResult, "Shows what differs between two backups, or between a backup and the configured database.";
            drill, DrillOptions, DrillResult, "Restores backups into a scratch place, compares them row by row, and times it.";
            config, ConfigOptions, ConfigResult, "Shows the settings in effect and where each comes from, with secrets redacted.";
        }
    };
}
#[allow(unused_imports, reason = "only where schemas are made")]
pub(crate) use each_verb;

/// Which backup to read, and how.
struct Reading<'a> {
    id: &'a str,
    allow_unsigned: bool,
    passphrase: bool,
    filter: Filter,
}

impl Backproof {
    /// A request to read a backup, with the identities and the limits of the settings.
    async fn read<'r>(
        &self,
        repository: &'r Repository,
        which: Reading<'_>,
        recorder: &Arc<Recorder>,
    ) -> Result<ReadRequest<'r>> {
        Ok(repository
            .read(selector(which.id)?)
            .filter(which.filter)
            .allow_unsigned(which.allow_unsigned)
            .open_with(self.settings().opener(which.passphrase, self.prompter()).await?)
            .options(self.settings().pipeline.clone())
            .monitor(recorder.clone()))
    }

    /// The database of this URL. A password in it that others on this machine can see is a warning.
    fn target(&self, url: &str, recorder: &Recorder) -> Result<Connection> {
        let connection = self.settings().connection(url)?;
        connection.warnings().iter().for_each(|warning| recorder.warn(warning.to_string()));
        Ok(connection)
    }
}

fn selector(id: &str) -> Result<backup_core::repository::catalog::Selector> {
    if id.is_empty() {
        let message = "say which backup: an id, the start of one, or `latest`";
        return Err(Error::new(&backup_core::error::codes::INVALID_ARGUMENT, message));
    }
    id.parse()
}

fn usage(message: &str) -> Error {
    Error::new(&crate::error::codes::USAGE, message.to_owned())
}

fn no_effect(message: impl Into<String>) -> Error {
    Error::new(&backup_core::error::codes::NO_EFFECT, message.into())
}

fn part_name(text: &str) -> Result<PartName> {
    PartName::from_manifest(text)
}

fn table_name(text: &str) -> Result<TableName> {
    TableName::parse(text).ok_or_else(|| {
        Error::new(&backup_core::error::codes::INVALID_ARGUMENT, format!("{text:?} is not the name of a table"))
            .with_hint("write it as in SQL: public.orders, or public.\"Odd name\"")
    })
}
