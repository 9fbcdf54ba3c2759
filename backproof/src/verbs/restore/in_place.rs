//! A restore in place of a live database, brought together: prove the backup, back the live database up, restore beside it, compare, judge,
//! and let [`Swap`](backup_postgres::swap::Swap) change the names.

use super::RestoreOptions;
use crate::Backproof;
use crate::config::ProofOptions;
use crate::error::codes::{RESTORE_NOT_PROVEN, RESTORED_DIFFERENTLY};
use backup_core::cipher::{KeyOpener, KeySealer};
use backup_core::error::codes::{BAD_SIGNATURE, CANCELLED, UNSIGNED};
use backup_core::level::{Level, Outcome};
use backup_core::monitor::{Event, Monitor, Recorder};
use backup_core::names::Label;
use backup_core::proof::AssertionResult;
use backup_core::repository::Repository;
use backup_core::repository::catalog::{Filter, ManifestRecord, Selector};
use backup_core::restore::ReadRequest;
use backup_core::signature::Signer;
use backup_core::target::Restorable;
use backup_core::verify::Severity;
use backup_core::{Error, Result};
use backup_postgres::Connection;
use backup_postgres::assertions;
use backup_postgres::diff::{Diff, ObjectDiff, Other, Status, diff};
use backup_postgres::swap::SwapSteps;
use std::sync::{Arc, Mutex, PoisonError};

/// The label of the backups that are made of a live database before it is replaced.
pub const SAFETY_LABEL: &str = "safety";

/// Restores one backup in place of a live database, for [`Swap::run`](backup_postgres::swap::Swap::run), or, with
/// [`in_place`](RestoreOptions::in_place), for [`Overwrite::run`](backup_postgres::swap::Overwrite::run).
pub(super) struct InPlace<'a> {
    pub(super) session: &'a Backproof,
    pub(super) options: &'a RestoreOptions,
    pub(super) repository: &'a Repository,
    pub(super) recorder: Arc<Recorder>,
    pub(super) record: ManifestRecord,
    /// Whom the safety backup is sealed to.
    pub(super) sealer: Arc<dyn KeySealer>,
    /// Who signs it.
    pub(super) signer: Option<Arc<dyn Signer>>,
    /// The identities.
    pub(super) opener: Option<Arc<dyn KeyOpener>>,
    pub(super) results: Mutex<Vec<AssertionResult>>,
}

impl InPlace<'_> {
    /// What came of the assertions.
    pub(super) fn assertion_results(&self) -> Vec<AssertionResult> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Work that ends with an error as soon as it is cancelled, so that what it was for can be put in order.
    async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let cancel = self.session.cancellation();
        tokio::select! {
            result = work => result,
            () = cancel.cancelled() => Err(Error::new(&CANCELLED, "the restore was cancelled")
                .with_hint("the live database was not touched; run it again")),
        }
    }

    fn step(&self, doing: &str) {
        self.recorder.event(Event::Step { doing: doing.to_owned() });
    }

    /// By its whole id: once the safety backup is made, `latest` is that one.
    fn selector(&self) -> Selector {
        Selector::Id(self.record.manifest.id.to_string())
    }

    fn filter(&self) -> Filter {
        Filter { series: Some(self.record.manifest.series.clone()), ..Filter::default() }
    }

    fn request(&self) -> ReadRequest<'_> {
        self.repository
            .read(self.selector())
            .filter(self.filter())
            .allow_unsigned(self.options.allow_unsigned)
            .open_with(self.opener.clone())
            .options(self.session.settings().pipeline.clone())
            .monitor(self.recorder.clone())
    }
}

#[async_trait::async_trait]
impl SwapSteps for InPlace<'_> {
    async fn prove(&self) -> Result<()> {
        self.step("prove the backup");
        let (settings, level) = (self.session.settings(), self.options.level.unwrap_or(Level::Readable));
        let request = self
            .repository
            .verify()
            .only(self.selector())
            .filter(self.filter())
            .level(level)
            .prover(Arc::new(settings.prover(&ProofOptions::default())?))
            .open_with(self.opener.clone())
            .allow_unsigned(self.options.allow_unsigned)
            .options(settings.pipeline.clone())
            .monitor(self.recorder.clone());
        let verdict = self.unless_cancelled(request.run()).await?;
        let id = &self.record.manifest.id;
        let Some(backup) = verdict.backups.first() else {
            return Err(Error::new(&RESTORE_NOT_PROVEN, format!("backup {id} was not looked at")));
        };
        // That nobody signed it was allowed; anything else was not.
        let allowed =
            |code: &str| self.options.allow_unsigned && (code == UNSIGNED.name() || code == BAD_SIGNATURE.name());
        let sound = match backup.outcome {
            Outcome::Passed => true,
            Outcome::Failed => false,
            Outcome::Unverified => {
                let matters = |severity: Severity| severity > Severity::Notice;
                self.options.allow_unsigned
                    && backup.findings.iter().all(|finding| !matters(finding.severity) || allowed(finding.code))
            }
        };
        if sound {
            return Ok(());
        }
        let why: Vec<&str> = backup.findings.iter().map(|finding| finding.message.as_str()).collect();
        let message = format!("backup {id} does not pass level {level}: {}", why.join("; "));
        Err(Error::new(&RESTORE_NOT_PROVEN, message))
    }

    async fn safety_backup(&self, live: &Connection) -> Result<String> {
        self.step("back the live database up");
        let settings = self.session.settings();
        let skip = self.options.skip_unreadable || settings.skip_unreadable;
        let mut request = self
            .repository
            .backup(self.record.manifest.series.clone(), Arc::new(settings.dump_of(live.clone()).skip_unreadable(skip)))
            .label(Label::new(SAFETY_LABEL)?)
            .seal(self.sealer.clone())
            .options(settings.pipeline.clone())
            .monitor(self.recorder.clone())
            .cancel_with(self.session.cancellation());
        if let Some(signer) = &self.signer {
            request = request.sign(signer.clone());
        }
        Ok(request.run().await?.manifest.id.to_string())
    }

    async fn restore(&self, beside: &Connection) -> Result<String> {
        let target = self
            .session
            .settings()
            .restore_to(beside.clone())
            .no_owner(self.options.no_owner)
            .no_tablespaces(self.options.no_tablespaces)
            .cancel_with(self.session.cancellation());
        if self.options.in_place {
            self.step("restore");
            target.overwrite(&self.request().open().await?, &*self.recorder).await?;
        } else {
            self.request().restore(&target).await?;
        }
        Ok(self.record.manifest.id.to_string())
    }

    async fn judge(&self, beside: &Connection) -> Result<()> {
        self.step("compare what was restored with the backup");
        let backup = self.request().open().await?;
        let settings = self.session.settings();
        let restored = settings.dump_of(beside.clone()).globals(false);
        let comparing = diff(&backup, Other::Database(&restored), self.recorder.clone());
        let found = self.unless_cancelled(comparing).await?;
        let wrong = self.differences(&found);
        if !wrong.is_empty() {
            let message = format!("the restored database is not what was backed up: {}", wrong.join("; "));
            return Err(Error::new(&RESTORED_DIFFERENTLY, message));
        }
        if settings.proof.assertions.is_empty() {
            return Ok(());
        }
        self.step("check the assertions");
        let judging = assertions::run(beside, &settings.proof.assertions, backup.manifest().source.snapshot);
        let results = self.unless_cancelled(async { Ok(judging.await) }).await?;
        let failed: Vec<String> = results
            .iter()
            .filter(|result| result.outcome != Outcome::Passed && !result.warning_only)
            .map(|result| format!("{}: {}", result.name, result.detail))
            .collect();
        *self.results.lock().unwrap_or_else(PoisonError::into_inner) = results;
        if failed.is_empty() {
            return Ok(());
        }
        Err(Error::new(&RESTORED_DIFFERENTLY, format!("the assertions do not hold: {}", failed.join("; "))))
    }
}

impl InPlace<'_> {
    /// What of these differences stands in the way. Rows must be equal, and every object there. A definition, an owner or a privilege that reads differently is
    /// a warning only where it was to be expected: another version of the server, a restore without owners, or a kind of definition that even the
    /// same server writes in other words.
    fn differences(&self, found: &Diff) -> Vec<String> {
        // What a database has besides is nothing that a restore into it touches.
        let besides = |status: Status| self.options.in_place && status == Status::Added;
        let tables = found.tables.iter().filter(|table| !besides(table.status));
        let mut wrong: Vec<String> = tables.map(ToString::to_string).collect();
        let expected =
            self.options.no_owner || self.options.no_tablespaces || found.version_before != found.version_after;
        // Its own properties stay as they are, too.
        let own = |object: &ObjectDiff| {
            let difference = &object.difference;
            let of_it = difference.schema.is_none() && difference.name.as_bytes().starts_with(b"DATABASE ");
            self.options.in_place && (difference.kind.starts_with("DATABASE") || of_it)
        };
        for object in found.objects.iter().filter(|object| !besides(object.status) && !own(object)) {
            match object.status {
                Status::Changed if expected || object.difference.may_be_other_words() => {
                    self.recorder.warn(format!("restored differently: {object}"));
                }
                _ => wrong.push(object.to_string()),
            }
        }
        wrong
    }
}
