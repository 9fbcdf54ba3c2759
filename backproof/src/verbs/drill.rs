//! `drill`: restore, compare, time, and keep the result.

use super::verify::{accepted_in_vain, prover};
use super::{no_effect, selector};
use crate::Backproof;
use crate::config::ProofOptions;
use crate::config::units::TimeSpan;
use backup_core::drill::{DrillReport, Drilled, Objectives};
use backup_core::error::{codes, io_error};
use backup_core::verify::Status;
use backup_core::{Error, Result};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What [`drill`](Backproof::drill) takes.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DrillOptions {
    /// An id, the start of one, or `latest`, which it is by default.
    pub id: Option<String>,
    /// This many backups instead, those whose proof is the longest ago first.
    pub sample: Option<u32>,
    /// The longest that the restore may take: seconds, or text, e.g. `4h`.
    pub rto: Option<TimeSpan>,
    /// The oldest that the newest restorable backup may be: seconds, or text, e.g. `1h`.
    pub rpo: Option<TimeSpan>,
    /// Also write each result into this folder, as `test-<time>.json`.
    pub output: Option<PathBuf>,
    /// Restore into a database of this server instead of a cluster of its own: a URL; the database is dropped afterwards.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub scratch: Option<SecretString>,
    /// The folder for the scratch cluster, on a disk with room for the database; the system's temporary folder unless configured.
    pub scratch_dir: Option<PathBuf>,
    /// Accept that this cannot be tested, by the names that a proof gives, e.g. `extension:pg_graphql`.
    pub accept: Vec<String>,
    /// Work with low priority for processor and disk.
    pub low_priority: bool,
    /// Do not keep the result in the repository.
    pub no_record: bool,
    /// Drill a backup that no trusted signer signed: a dump can run code when it is restored.
    pub allow_unsigned: bool,
    /// The backup was sealed to a passphrase: from the settings, or asked for.
    pub passphrase: bool,
}

/// What a drill did and found.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DrillResult {
    /// Healthy, warning or error: the worst of all.
    pub status: Status,
    /// The same as a number: 0, 1 or 2.
    pub exit_code: u8,
    /// One report for each backup.
    pub drills: Vec<DrillReport>,
    /// The files that were written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// What else needs attention; changes no status.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl DrillResult {
    /// The program's exit status: 0 healthy, 1 warning, 2 error.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl Backproof {
    /// Restores backups into a scratch place, compares them with what was noted when they were made, runs the assertions of the configuration, and
    /// times each step.
    pub async fn drill(&self, options: &DrillOptions) -> Result<DrillResult> {
        self.unless_cancelled(Box::pin(self.drilled(options))).await
    }

    async fn drilled(&self, options: &DrillOptions) -> Result<DrillResult> {
        let settings = self.settings();
        let which = match (&options.id, options.sample) {
            (Some(_), Some(_)) => return Err(no_effect("a backup is named, and a sample asked for")),
            (_, Some(0)) => return Err(no_effect("a sample of no backups")),
            (_, Some(count)) => Drilled::Sample(count as usize),
            (id, None) => Drilled::One(selector(id.as_deref().unwrap_or("latest"))?),
        };
        if let Some(folder) = &options.output {
            std::fs::create_dir_all(folder).map_err(|error| io_error(format!("make {}", folder.display()), error))?;
        }
        let objectives = Objectives {
            rto: options.rto.map(|span| span.0).or(settings.rto),
            rpo: options.rpo.map(|span| span.0).or(settings.rpo),
        };
        let proof = ProofOptions {
            scratch: options.scratch.clone(),
            scratch_dir: options.scratch_dir.clone(),
            accept: options.accept.clone(),
            low_priority: options.low_priority,
            assertions: Vec::new(),
        };
        let repository = self.repository().await?;
        let recorder = self.recorder();
        let prover = prover(settings, &proof, matches!(which, Drilled::One(_)))?;
        let mut request = repository
            .drill(which)
            .filter(settings.filter())
            .allow_unsigned(options.allow_unsigned)
            .open_with(settings.opener(options.passphrase, self.prompter()).await?)
            .prover(Arc::new(prover.clone()))
            .objectives(objectives)
            .options(settings.pipeline.clone())
            .monitor(recorder.clone());
        if let Some(keeper) = self.proof_recorder(options.no_record).await? {
            request = request.recorder(keeper);
        }
        let drills = request.run().await?;
        accepted_in_vain(&prover, &proof, drills.iter().map(|drill| &drill.backup), &recorder);
        let mut files = Vec::new();
        if let Some(folder) = &options.output {
            for report in &drills {
                files.push(write(report, folder)?);
            }
        }
        let status = drills.iter().map(DrillReport::status).max().unwrap_or(Status::Error);
        Ok(DrillResult { status, exit_code: status.exit_code(), drills, files, warnings: recorder.warnings() })
    }
}

/// Writes `test-<time>.json`, whole or not at all; never overwrites.
fn write(report: &DrillReport, folder: &Path) -> Result<PathBuf> {
    let time = report.started.strftime("%Y%m%dT%H%M%SZ");
    let json = serde_json::to_vec_pretty(report)
        .map_err(|error| Error::new(&codes::IO, "write the result of a drill").with_source(error))?;
    for number in 1..1000 {
        let name = if number == 1 { format!("test-{time}.json") } else { format!("test-{time}-{number}.json") };
        let path = folder.join(name);
        let failed = |error| io_error(format!("write {}", path.display()), error);
        let mut file = tempfile::Builder::new().prefix(".backproof-").tempfile_in(folder).map_err(failed)?;
        file.write_all(&json).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            // Two drills within one second.
            Err(refused) if refused.error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(refused) => return Err(failed(refused.error)),
        }
    }
    Err(Error::new(&codes::ALREADY_EXISTS, format!("{} is full of results of this second", folder.display())))
}
