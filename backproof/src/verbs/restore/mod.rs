//! `restore`: into a new database or a folder, in place of a live database, or single tables.

mod check;
mod database;
mod folder;
mod in_place;
mod live;
mod tables;

use super::{Reading, selector};
use crate::Backproof;
use crate::session::cancelled;
use backup_core::Result;
use backup_core::id::BackupId;
use backup_core::level::{Level, Outcome};
use backup_core::proof::AssertionResult;
use backup_core::repository::catalog::Filter;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// How long a restore that was cancelled has to remove the database that it made.
const CLEANING_UP: Duration = Duration::from_secs(30);

/// What [`restore`](Backproof::restore) takes.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("required" = ["id"])))]
#[serde(default, deny_unknown_fields)]
pub struct RestoreOptions {
    /// An id, the start of one, or `latest`.
    pub id: String,
    /// The new database: a URL or key=value pairs. With `swap`, `in_place` and `tables`: the live one.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub to: Option<SecretString>,
    /// Restore in place of the live database that `to` names: beside it, and then the two change names.
    pub swap: bool,
    /// Restore into the live database itself, where `swap` is not possible: in one transaction, with writes stopped.
    pub in_place: bool,
    /// Restore these tables alone, named as in SQL, with `*` and `?` as patterns.
    pub tables: Vec<String>,
    /// With `tables`: the new schema for them; `restored_<time>` by default.
    pub schema: Option<String>,
    /// With `tables`: in place of the rows that are there, which are kept.
    pub replace: bool,
    /// With `tables`: put back only the rows whose key is gone.
    pub missing_rows: bool,
    /// With `swap` and `in_place`: how deeply the backup is proven first, intact or deeper; readable by default.
    pub level: Option<Level>,
    /// With `swap`: go on although replication slots and subscriptions stay with the old database.
    pub ignore_slots: bool,
    /// With `swap`: drop the old database afterwards; there is no way back then but the safety backup.
    pub drop_old: bool,
    /// With `swap` and `in_place`: leave out of the safety backup what the login cannot read.
    pub skip_unreadable: bool,
    /// With `swap` and `in_place`: do not encrypt the safety backup.
    pub no_encryption: bool,
    /// Do not ask before live data is replaced.
    pub yes: bool,
    /// Write each part to a file in this folder instead; the folder must not exist or be empty.
    pub to_directory: Option<PathBuf>,
    /// With `latest`: the newest backup whose snapshot is older than this time, e.g. `2026-11-20T12:00:00Z`.
    pub before: Option<Timestamp>,
    /// Say what would be done, and change nothing.
    pub dry_run: bool,
    /// Restore without owners and privileges, for servers that lack the roles.
    pub no_owner: bool,
    /// Restore everything into the server's default tablespace.
    pub no_tablespaces: bool,
    /// Connections that build indexes and constraints at once, 1 to 64; as many as this machine has cores, at most 8, by default.
    pub jobs: Option<usize>,
    /// Restore a backup that no trusted signer signed; it must be named by its id.
    pub allow_unsigned: bool,
    /// The backup was sealed to a passphrase: from the settings, or asked for.
    pub passphrase: bool,
}

/// What a restore did, or, with `dry_run`, would do. Which fields are there depends on what was asked for.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RestoreResult {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// With `dry_run`: what would be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<RestorePlan>,
    /// Into a new database or a folder: what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// With `swap`: what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swapped: Option<Swapped>,
    /// With `in_place`: what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overwritten: Option<Overwritten>,
    /// With `tables`: what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<RestoredTable>>,
    /// What needs attention.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What a restore would do.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RestorePlan {
    /// Where it goes, without secrets.
    pub target: String,
    /// What would be done, in order, one line each.
    pub steps: Vec<String>,
    /// What one should know before.
    pub warnings: Vec<String>,
    /// What makes it impossible as asked, each with the way out.
    pub obstacles: Vec<String>,
    /// With `swap`: the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupId>,
    /// With `swap`: the name under which the live database would be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// With `swap`: how many connections would be ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
}

impl From<backup_core::target::RestorePlan> for RestorePlan {
    fn from(plan: backup_core::target::RestorePlan) -> Self {
        RestorePlan {
            target: plan.target,
            steps: plan.steps,
            warnings: plan.warnings,
            obstacles: plan.obstacles,
            ..RestorePlan::default()
        }
    }
}

/// A restore into a new database or a folder.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "RestoreReport"))]
#[non_exhaustive]
pub struct Report {
    /// Where it went, without secrets.
    pub target: String,
    /// Into a database: bytes of plaintext that were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Into a database: what needs attention although the restore succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
    /// Into a folder: the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<WrittenPart>>,
}

/// A part that was written into a file.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WrittenPart {
    /// The part.
    pub part: String,
    /// The file.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A restore in place of a live database, which was put aside.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Swapped {
    /// The live name, which the restored database has now.
    pub live: String,
    /// The name under which the old one is kept; null where it was dropped.
    pub kept: Option<String>,
    /// The backup.
    pub backup: String,
    /// The backup of what was live before.
    pub safety_backup: String,
    /// How many connections were ended.
    pub ended_connections: u64,
    /// Worth knowing: what stayed with the old database.
    pub warnings: Vec<String>,
    /// What came of the assertions.
    pub assertions: Vec<AssertionResult>,
}

/// A restore into a live database itself.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Overwritten {
    /// The database.
    pub live: String,
    /// The backup.
    pub backup: String,
    /// The backup of what was there before: the way back.
    pub safety_backup: String,
    /// What came of the assertions.
    pub assertions: Vec<AssertionResult>,
}

/// A table that was restored.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RestoredTable {
    /// The table in the backup, as SQL.
    pub table: String,
    /// The table that has its rows now, as SQL.
    pub into: String,
    /// Rows in the backup.
    pub rows: u64,
    /// With `missing_rows`: how many were put back.
    pub put_back: Option<u64>,
    /// With `replace`: the table with the rows that were there, as SQL.
    pub kept: Option<String>,
}

impl RestoreResult {
    /// The program's exit status: 1 with warnings, 2 for a plan that meets obstacles.
    pub fn exit_code(&self) -> u8 {
        let plan = self.plan.as_ref();
        if plan.is_some_and(|plan| !plan.obstacles.is_empty()) {
            return 2;
        }
        let swapped = self.swapped.iter().flat_map(|done| &done.assertions);
        let mut assertions = swapped.chain(self.overwritten.iter().flat_map(|done| &done.assertions));
        let warned = !self.warnings.is_empty() || plan.is_some_and(|plan| !plan.warnings.is_empty());
        u8::from(warned || assertions.any(|result| result.outcome != Outcome::Passed))
    }
}

impl Backproof {
    /// Restores a backup: into a database that does not exist yet, into a folder, in place of a live database, or single tables of it.
    ///
    /// Cancelled, it removes what it made, for up to 30 seconds; a live database stays as it was.
    pub async fn restore(&self, options: &RestoreOptions) -> Result<RestoreResult> {
        check::check(options)?;
        if options.to.is_none() || options.dry_run {
            return self.unless_cancelled(Box::pin(self.restored(options))).await;
        }
        self.check_cancelled()?;
        let mut work = Box::pin(self.restored(options));
        tokio::select! {
            result = &mut work => result,
            () = self.stopped() => match tokio::time::timeout(CLEANING_UP, &mut work).await {
                Ok(result) => result,
                Err(_) => Err(cancelled()),
            },
        }
    }

    async fn restored(&self, options: &RestoreOptions) -> Result<RestoreResult> {
        let filter = Filter { before: options.before, ..self.settings().filter() };
        let recorder = self.recorder();
        let repository = self.repository().await?;
        let mut result = if let (Some(url), true) = (&options.to, options.swap || options.in_place) {
            let live = self.target(url.expose_secret(), &recorder)?;
            let selector = selector(&options.id)?;
            let (record, doubts) = repository.find_with_doubts(&selector, &filter, options.allow_unsigned).await?;
            doubts.into_iter().for_each(|doubt| recorder.warn(doubt));
            let restore = live::Live { session: self, options, repository: &repository, recorder: &recorder };
            match options.swap {
                true => Box::pin(restore.swap(record, live)).await?,
                false => Box::pin(restore.overwrite(record, live)).await?,
            }
        } else {
            let reading = Reading {
                id: &options.id,
                allow_unsigned: options.allow_unsigned,
                passphrase: options.passphrase,
                filter,
            };
            let request = self.read(&repository, reading, &recorder).await?;
            match (&options.to, &options.to_directory) {
                (Some(url), _) => {
                    let connection = self.target(url.expose_secret(), &recorder)?;
                    match options.tables.is_empty() {
                        true => Box::pin(database::restore(self, options, &request, connection)).await?,
                        false => Box::pin(tables::restore(self, options, &request, connection, &recorder)).await?,
                    }
                }
                (None, Some(folder)) => folder::restore(options, &request, folder).await?,
                (None, None) => return Err(check::nowhere()),
            }
        };
        result.dry_run = options.dry_run;
        result.warnings = recorder.warnings();
        Ok(result)
    }
}
