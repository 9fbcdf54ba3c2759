//! `backup`: a new backup.

use super::no_effect;
use crate::Backproof;
use backup_core::digest::Sha256;
use backup_core::error::codes;
use backup_core::general::{CommandSource, FileSource};
use backup_core::id::BackupId;
use backup_core::names::{Label, Series};
use backup_core::source::Source;
use backup_core::{Error, Result};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// What [`backup`](Backproof::backup) takes.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct BackupOptions {
    /// Do not encrypt: whoever reads the store reads the data.
    pub no_encryption: bool,
    /// Seal to a passphrase too: from the settings, or asked for.
    pub passphrase: bool,
    /// Leave out what the login cannot read, list it in the backup, and warn.
    pub skip_unreadable: bool,
    /// Include the roles' password hashes in the globals; needs a superuser.
    pub role_passwords: bool,
    /// The zstd level, 1 (fastest) to 19 (smallest); 3 unless configured.
    pub compression_level: Option<i32>,
    /// Back up this file instead of a database.
    pub file: Option<PathBuf>,
    /// Back up the output of this program, with its arguments, instead of a database; it must exit with 0.
    #[serde(deserialize_with = "os_strings")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub command: Vec<OsString>,
}

fn os_strings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<OsString>, D::Error> {
    let words: Vec<String> = Deserialize::deserialize(deserializer)?;
    Ok(words.into_iter().map(OsString::from).collect())
}

/// A backup that was made.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BackupResult {
    /// Its id.
    pub id: BackupId,
    /// Its series.
    pub series: Series,
    /// Its label.
    pub label: Label,
    /// When its snapshot was taken, by the source's clock.
    pub snapshot: Timestamp,
    /// Bytes of data.
    pub plain_bytes: u64,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How many things could not be captured.
    pub left_out: u64,
    /// The SHA-256 of its manifest.
    pub manifest_sha256: Sha256,
    /// What needs attention.
    pub warnings: Vec<String>,
    /// Whether it is signed.
    #[serde(skip)]
    pub signed: bool,
}

impl BackupResult {
    /// The program's exit status: 1 with warnings.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.warnings.is_empty())
    }
}

impl Backproof {
    /// Backs up the configured database, a file, or the output of a program. It is published only after the source ended well and every object was
    /// confirmed stored; until then it does not exist.
    ///
    /// Cancelled, it removes what it stored.
    pub async fn backup(&self, options: &BackupOptions) -> Result<BackupResult> {
        Box::pin(self.backup_of(self.source(options)?, options)).await
    }

    /// Backs up this source: any stream of bytes is one ([`StreamSource`](backup_core::general::StreamSource)).
    pub async fn backup_from(&self, source: Arc<dyn Source>, options: &BackupOptions) -> Result<BackupResult> {
        if options.file.is_some() || !options.command.is_empty() {
            return Err(no_effect("a source is given, and a file or a program besides"));
        }
        database_only(options)?;
        Box::pin(self.backup_of(source, options)).await
    }

    async fn backup_of(&self, source: Arc<dyn Source>, options: &BackupOptions) -> Result<BackupResult> {
        let settings = self.settings();
        let series = settings.series.clone().ok_or_else(|| {
            Error::new(&codes::SERIES_REQUIRED, "a backup needs the name of its series")
                .with_hint("say --name, e.g. --name app, or configure one [series.NAME]")
        })?;
        if settings.label.as_ref().is_some_and(Label::is_safety) {
            let message = "the label \"safety\" is that of backups which a restore makes of what it replaces";
            return Err(Error::new(&codes::INVALID_ARGUMENT, message)
                .with_hint("choose another label: those are never `latest`, and do not count for the age of backups"));
        }
        let prepare = async {
            let sealer = settings.sealer(options.no_encryption, options.passphrase, self.prompter()).await?;
            let signer = settings.signer(self.prompter()).await?;
            Ok((sealer, signer, self.repository().await?))
        };
        let (sealer, signer, repository) = self.unless_cancelled(prepare).await?;
        let mut pipeline = settings.pipeline.clone();
        if let Some(level) = options.compression_level {
            pipeline.level = level;
        }
        let mut request = repository
            .backup(series.clone(), source)
            .label(settings.label.clone().unwrap_or_default())
            .seal(sealer)
            .options(pipeline)
            .single_writer(settings.store.allow_unconditional_create)
            .monitor(self.recorder())
            .cancel_with(self.cancellation());
        let signed = signer.is_some();
        if let Some(signer) = signer {
            request = request.sign(signer);
        }
        let report = request.run().await?;
        let manifest = report.manifest;
        Ok(BackupResult {
            plain_bytes: manifest.plain_bytes(),
            stored_bytes: manifest.stored_bytes(),
            seconds: manifest.finished.duration_since(manifest.started).as_secs_f64(),
            id: manifest.id,
            series,
            label: manifest.label,
            snapshot: manifest.source.snapshot,
            left_out: manifest.left_out,
            manifest_sha256: report.sha256,
            warnings: report.warnings,
            signed,
        })
    }

    fn source(&self, options: &BackupOptions) -> Result<Arc<dyn Source>> {
        let settings = self.settings();
        let general: Arc<dyn Source> = match (&options.file, options.command.split_first()) {
            (Some(_), Some(_)) => return Err(no_effect("a file is given, and a program besides")),
            (Some(path), None) => Arc::new(FileSource::new(path)),
            (None, Some((program, arguments))) => Arc::new(CommandSource::new(program).args(arguments)),
            (None, None) => {
                let skip = options.skip_unreadable || settings.skip_unreadable;
                return Ok(Arc::new(settings.dump()?.skip_unreadable(skip).role_passwords(options.role_passwords)));
            }
        };
        database_only(options)?;
        Ok(general)
    }
}

/// What has no effect on the backup of anything but a database.
fn database_only(options: &BackupOptions) -> Result<()> {
    for (given, name) in [(options.skip_unreadable, "skip_unreadable"), (options.role_passwords, "role_passwords")] {
        if given {
            return Err(no_effect(format!("{name} has an effect on the backup of a database only")));
        }
    }
    Ok(())
}
