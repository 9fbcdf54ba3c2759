//! `diff`: what was changed between two backups, or since one.

use super::{Reading, no_effect};
use crate::Backproof;
use backup_core::Result;
use backup_core::id::BackupId;
use backup_core::target::Restorable;
use backup_postgres::diff::{Diff, Other, diff};
use serde::{Deserialize, Serialize};

/// What [`diff`](Backproof::diff) takes.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("required" = ["before"])))]
#[serde(default, deny_unknown_fields)]
pub struct DiffOptions {
    /// A backup: an id, the start of one, or `latest`.
    pub before: String,
    /// Another one; the configured database, when there is none.
    pub after: Option<String>,
    /// Read backups that no trusted signer signed; they must be named by their ids.
    pub allow_unsigned: bool,
    /// The backups were sealed to a passphrase: from the settings, or asked for.
    pub passphrase: bool,
}

/// What differs.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DiffResult {
    /// The one side.
    pub before: Compared,
    /// The other side.
    pub after: Compared,
    /// Whether both are the same.
    pub equal: bool,
    /// What differs.
    pub diff: Diff,
    /// What needs attention.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A side of a comparison: a backup or a database.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Compared {
    /// The backup's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupId>,
    /// The database, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

impl DiffResult {
    /// The program's exit status: 0 equal, 1 different.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.equal)
    }
}

impl Backproof {
    /// Compares two backups by what was noted when they were made, or one with the configured database.
    pub async fn diff(&self, options: &DiffOptions) -> Result<DiffResult> {
        self.unless_cancelled(Box::pin(self.compared(options))).await
    }

    async fn compared(&self, options: &DiffOptions) -> Result<DiffResult> {
        let settings = self.settings();
        if options.after.is_some() && settings.database_flag.is_some() {
            return Err(no_effect("two backups are compared, and --database names a database")
                .with_hint("give one backup to compare it with the database"));
        }
        let repository = self.repository().await?;
        let recorder = self.recorder();
        let reading = |id| Reading {
            id,
            allow_unsigned: options.allow_unsigned,
            passphrase: options.passphrase,
            filter: settings.filter(),
        };
        let first = self.read(&repository, reading(&options.before), &recorder).await?.open().await?;
        let mut after = Compared::default();
        let diff = match &options.after {
            Some(id) => {
                let second = self.read(&repository, reading(id), &recorder).await?.open().await?;
                after.backup = Some(second.manifest().id.clone());
                diff(&first, Other::Backup(&second), recorder.clone()).await?
            }
            None => {
                let database = settings.dump()?.skip_unreadable(settings.skip_unreadable);
                after.database = Some(settings.source_connection()?.to_string());
                diff(&first, Other::Database(&database), recorder.clone()).await?
            }
        };
        let before = Compared { backup: Some(first.manifest().id.clone()), database: None };
        Ok(DiffResult { before, after, equal: diff.is_equal(), diff, warnings: recorder.warnings() })
    }
}
