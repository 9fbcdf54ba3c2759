//! `verify`: checks backups.

use super::no_effect;
use crate::Backproof;
use crate::alerts::{Alert, Alerts};
use crate::config::units::{ByteSize, TimeSpan};
use crate::config::{ProofOptions, Settings};
use backup_core::Result;
use backup_core::error::codes::CANCELLED;
use backup_core::level::Level;
use backup_core::monitor::Recorder;
use backup_core::verify::{BackupVerdict, ProofEvents, ProofRecorder, Status, Verdict};
use backup_postgres::PgProver;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// What [`verify`](Backproof::verify) takes.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct VerifyOptions {
    /// Ids, starts of them, or `latest`; all backups when there is none.
    pub ids: Vec<String>,
    /// How deeply; intact unless configured. Present needs a listing, intact reads every object, readable needs an identity; restorable and identical
    /// restore each backup into a scratch place, which needs PostgreSQL's programs.
    pub level: Option<Level>,
    /// How old the newest backup of each series may be: seconds, or text, e.g. `25h`; 48 hours unless configured, and not looked at where backups are
    /// chosen by id.
    pub max_age: Option<TimeSpan>,
    /// How large the newest backup of each series must be, as stored: bytes, or text, e.g. `1MB`; not looked at unless given.
    pub min_size: Option<ByteSize>,
    /// Only repositories in a folder of this machine.
    pub local_only: bool,
    /// Only repositories in an object store.
    pub cloud_only: bool,
    /// Alert somebody of any status but healthy, and of an error: Sentry, by the variable `SENTRY_DSN`.
    pub alert_on_failure: bool,
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
    /// The backups were sealed to a passphrase: from the settings, or asked for.
    pub passphrase: bool,
}

/// What a verification found.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct VerifyResult {
    /// Healthy, warning or error.
    pub status: Status,
    /// The same as a number: 0, 1 or 2.
    pub exit_code: u8,
    /// The verdict, backup by backup.
    pub verdict: Verdict,
    /// What else needs attention, such as an alert that could not be sent; changes no status.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl VerifyResult {
    /// The program's exit status: 0 healthy, 1 warning, 2 error.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl Backproof {
    /// Checks backups, and says what was found; an error only where it could not look.
    pub async fn verify(&self, options: &VerifyOptions) -> Result<VerifyResult> {
        let alerts = options.alert_on_failure.then(|| Alerts::from_env(&self.settings().env)).transpose()?;
        let recorder = self.recorder();
        let mut found = self.unless_cancelled(Box::pin(self.verified(options, &recorder))).await;
        if let Some(alerts) = alerts {
            let alert = match &found {
                Ok(result) if result.status == Status::Healthy => None,
                Ok(result) => Some(Alert::of_verdict(&result.verdict)),
                Err(error) if error.is(&CANCELLED) => None,
                Err(error) => Some(Alert::of_error(error)),
            };
            if let Some(alert) = alert
                && let Err(error) = alerts.send(&alert).await
            {
                recorder.warn(format!("nobody was alerted: {} [{}]", error.chain(), error.code()));
            }
        }
        if let Ok(result) = &mut found {
            result.warnings = recorder.warnings();
        }
        found
    }

    async fn verified(&self, options: &VerifyOptions, recorder: &Arc<Recorder>) -> Result<VerifyResult> {
        let settings = self.settings();
        let level = options.level.or(settings.level).unwrap_or(Level::Intact);
        let proof = options.proof();
        if level < Level::Restorable
            && (proof.scratch.is_some()
                || proof.scratch_dir.is_some()
                || proof.low_priority
                || !proof.accept.is_empty())
        {
            return Err(no_effect(format!("level {level} restores nothing: there is no scratch place"))
                .with_hint("ask for --level restorable or identical, or leave out the options of the scratch place"));
        }
        if options.local_only && options.cloud_only {
            return Err(no_effect("local_only and cloud_only leave nothing"));
        }
        let repository = self.repository().await?;
        let local = repository.sink().is_local();
        if (options.local_only && !local) || (options.cloud_only && local) {
            let (wanted, flag) =
                if local { ("in an object store", "--cloud-only") } else { ("on this machine", "--local-only") };
            return Err(no_effect(format!("{flag}: no repository {wanted} is configured")));
        }
        let prover = prover(settings, &proof, options.ids.len() == 1)?;
        let mut request = repository
            .verify()
            .filter(settings.filter())
            .level(level)
            .max_age(options.max_age.map(|span| span.0).or(settings.max_age))
            .min_size(options.min_size.map(|size| size.0).or(settings.min_size))
            .open_with(settings.opener(options.passphrase, self.prompter()).await?)
            .prover(Arc::new(prover.clone()))
            .options(settings.pipeline.clone())
            .monitor(recorder.clone());
        if level >= Level::Readable
            && let Some(recorder) = self.proof_recorder(options.no_record).await?
        {
            request = request.recorder(recorder);
        }
        for id in &options.ids {
            request = request.only(super::selector(id)?);
        }
        let verdict = request.run().await?;
        accepted_in_vain(&prover, &proof, &verdict.backups, recorder);
        Ok(VerifyResult { status: verdict.status(), exit_code: verdict.exit_code(), verdict, warnings: Vec::new() })
    }

    /// Who keeps the proofs: the repository, unless told otherwise.
    pub(super) async fn proof_recorder(&self, no_record: bool) -> Result<Option<Arc<dyn ProofRecorder>>> {
        if no_record {
            return Ok(None);
        }
        let signer = self.settings().signer(self.prompter()).await?;
        Ok(Some(Arc::new(ProofEvents::new(signer))))
    }
}

/// The prover. What the flags accept is meant for the one backup that is named; of several, each name may be of another.
pub(super) fn prover(settings: &Settings, proof: &ProofOptions, one: bool) -> Result<PgProver> {
    let prover = settings.prover(proof)?;
    Ok(if one { prover.accept_known(&proof.accept) } else { prover })
}

/// Tells what the flags accepted and nothing needed, where everything was looked at.
pub(super) fn accepted_in_vain<'v>(
    prover: &PgProver,
    proof: &ProofOptions,
    backups: impl IntoIterator<Item = &'v BackupVerdict>,
    recorder: &Recorder,
) {
    if !backups.into_iter().all(|backup| backup.proof.as_ref().is_some_and(|proof| proof.errors.is_empty())) {
        return;
    }
    let in_vain = prover.accepted_in_vain();
    for name in proof.accept.iter().filter(|name| in_vain.contains(name)) {
        recorder
            .warn(format!("--accept {name:?} had no effect: there was nothing of that name that could not be tested"));
    }
}

impl VerifyOptions {
    fn proof(&self) -> ProofOptions {
        ProofOptions {
            scratch: self.scratch.clone(),
            scratch_dir: self.scratch_dir.clone(),
            accept: self.accept.clone(),
            low_priority: self.low_priority,
            assertions: Vec::new(),
        }
    }
}
