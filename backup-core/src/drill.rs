//! The recipe of a drill: restore a backup as on the worst day of the year, compare, time it, and keep the result.

use crate::cipher::KeyOpener;
use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::id::BackupId;
use crate::level::{Level, Outcome};
use crate::monitor::Monitor;
use crate::names::{Label, Series};
use crate::pipeline::PipelineOptions;
use crate::proof::Proof;
use crate::prover::Prover;
use crate::repository::Repository;
use crate::repository::catalog::{Catalog, Entry, Filter, ManifestRecord, Selector};
use crate::repository::event::LastProof;
use crate::text::printable;
use crate::verify::{BackupVerdict, ProofRecorder, Status, VerifyRequest};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The version of [`DrillReport`] as JSON.
const VERSION: u32 = 1;

/// Which backups are drilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drilled {
    /// This one.
    One(Selector),
    /// This many, those whose proof is the longest ago first.
    Sample(usize),
}

/// What a restore must keep to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Objectives {
    /// The longest that a restore may take (recovery time objective): fetching, loading and indexing, not what judges the result.
    pub rto: Option<SignedDuration>,
    /// The oldest that the newest restorable backup may be (recovery point objective).
    pub rpo: Option<SignedDuration>,
}

/// An objective, and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ObjectiveResult {
    /// `rto` or `rpo`.
    pub name: &'static str,
    /// The objective, in seconds.
    pub limit_seconds: f64,
    /// What was measured, in seconds; none where nothing could be.
    pub measured_seconds: Option<f64>,
    /// Whether it is kept to.
    pub outcome: Outcome,
}

/// What a drill did and found. One JSON document.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DrillReport {
    /// The version of this document's fields.
    pub version: u32,
    /// The program, e.g. `backproof 0.1.0`.
    pub program: &'static str,
    /// The repository.
    pub location: String,
    /// The installation.
    pub installation: String,
    /// The label of the backup.
    pub label: Option<Label>,
    /// When the backup's snapshot was taken.
    pub snapshot: Option<Timestamp>,
    /// The SHA-256 of the backup's manifest.
    pub manifest: Option<Sha256>,
    /// When the drill began, by this machine's clock.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// The backup, the level that was reached, who signed it, every step, difference and assertion, and what was not tested.
    pub backup: BackupVerdict,
    /// The objectives, and whether they were kept to.
    pub objectives: Vec<ObjectiveResult>,
}

impl DrillReport {
    /// Healthy only if the backup came back identical, the assertions hold and the objectives are kept to.
    pub fn status(&self) -> Status {
        let kept = self.objectives.iter().all(|objective| objective.outcome == Outcome::Passed);
        self.backup.status().max(if kept { Status::Healthy } else { Status::Warning })
    }
}

impl fmt::Display for DrillReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.backup)?;
        if let Some(proof) = &self.backup.proof {
            for phase in &proof.phases {
                writeln!(f, "  {:<28} {:>9.1} s", phase.name, phase.seconds)?;
            }
            for result in &proof.assertions {
                writeln!(f, "  {:<28} {:<10} {}", result.name, result.outcome, printable(&result.detail))?;
            }
            for kept in &proof.isolation {
                writeln!(f, "  isolation: {kept}")?;
            }
        }
        for objective in &self.objectives {
            let measured = objective.measured_seconds.map_or("not measured".into(), seconds);
            let name = objective.name.to_uppercase();
            writeln!(f, "  {name:<28} {:<10} {measured} of {}", objective.outcome, seconds(objective.limit_seconds))?;
        }
        writeln!(f, "  authenticity: {}", self.backup.authenticity)?;
        write!(f, "{}: drill of {}", self.status(), self.backup.id)
    }
}

fn seconds(seconds: f64) -> String {
    match SignedDuration::try_from_secs_f64(seconds) {
        Ok(duration) => format!("{:#}", SignedDuration::from_secs(duration.as_secs().max(1))),
        Err(_) => format!("{seconds} s"),
    }
}

/// Drills to be made. Made by [`Repository::drill`].
#[derive(Debug)]
pub struct DrillRequest<'a> {
    repository: &'a Repository,
    verify: VerifyRequest<'a>,
    which: Drilled,
    filter: Filter,
    objectives: Objectives,
    options: PipelineOptions,
}

impl Repository {
    /// Drills of backups: restored into a scratch place, compared, timed.
    pub fn drill(&self, which: Drilled) -> DrillRequest<'_> {
        DrillRequest {
            repository: self,
            verify: self.verify().level(Level::Identical),
            which,
            filter: Filter::default(),
            objectives: Objectives::default(),
            options: PipelineOptions::default(),
        }
    }
}

impl DrillRequest<'_> {
    /// What the backups are chosen from.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Drills also what no trusted signer signed: a dump can run code when it is restored.
    pub fn allow_unsigned(mut self, allow: bool) -> Self {
        self.verify = self.verify.allow_unsigned(allow);
        self
    }

    /// The identities.
    pub fn open_with(mut self, opener: Option<Arc<dyn KeyOpener>>) -> Self {
        self.verify = self.verify.open_with(opener);
        self
    }

    /// Who restores and compares.
    pub fn prover(mut self, prover: Arc<dyn Prover>) -> Self {
        self.verify = self.verify.prover(prover);
        self
    }

    /// Who keeps the result.
    pub fn recorder(mut self, recorder: Arc<dyn ProofRecorder>) -> Self {
        self.verify = self.verify.recorder(recorder);
        self
    }

    /// What the restore must keep to.
    pub fn objectives(mut self, objectives: Objectives) -> Self {
        self.objectives = objectives;
        self
    }

    /// The memory budget and the workers.
    pub fn options(mut self, options: PipelineOptions) -> Self {
        self.options = options.clone();
        self.verify = self.verify.options(options);
        self
    }

    /// Who is told about progress.
    pub fn monitor(mut self, monitor: Arc<dyn Monitor>) -> Self {
        self.verify = self.verify.monitor(monitor);
        self
    }

    /// Drills, one backup after the other.
    ///
    /// # Errors
    /// When there is nothing to drill, or something was asked for that has no effect. What is wrong with a backup is in its report.
    pub async fn run(self) -> Result<Vec<DrillReport>> {
        let catalog = self.repository.catalog(self.filter.series.as_ref()).await?;
        let mut reports = Vec::new();
        for entry in self.choose(&catalog).await? {
            let started = Timestamp::now();
            let backup = self.verify.verify_backup(entry, &self.options).await?;
            let record = entry.record.as_ref().ok();
            let objectives = self.judge(&catalog, entry, &backup).await;
            reports.push(DrillReport {
                version: VERSION,
                program: concat!("backproof ", env!("CARGO_PKG_VERSION")),
                location: self.repository.sink().location(),
                installation: self.repository.marker().installation.clone(),
                label: record.map(|record| record.manifest.label.clone()),
                snapshot: record.map(|record| record.manifest.source.snapshot),
                manifest: record.map(|record| record.sha256),
                started,
                finished: Timestamp::now(),
                backup,
                objectives,
            });
        }
        Ok(reports)
    }

    async fn choose<'c>(&self, catalog: &'c Catalog) -> Result<Vec<&'c Entry>> {
        let nothing = || Error::new(&codes::BACKUP_NOT_FOUND, "there is no backup to drill");
        match &self.which {
            Drilled::One(selector) => {
                // Its signature is judged with everything else that is found.
                let by_id = matches!(selector, Selector::Id(_));
                let found = match (selector, by_id) {
                    (Selector::Id(prefix), _) => {
                        let fits = |entry: &&Entry| entry.id.as_str().starts_with(prefix);
                        let mut found = catalog.entries().iter().filter(fits);
                        let first = found.next().ok_or_else(|| {
                            Error::new(&codes::BACKUP_NOT_FOUND, format!("no backup's id starts with {prefix}"))
                        })?;
                        if let Some(second) = found.next() {
                            let message =
                                format!("{prefix} fits several backups, among them {} and {}", first.id, second.id);
                            return Err(Error::new(&codes::AMBIGUOUS_ID, message));
                        }
                        first
                    }
                    _ => {
                        let latest =
                            self.repository.find(&Selector::Latest, &self.filter, self.verify.allow_unsigned).await?;
                        let same =
                            |entry: &&Entry| entry.id == latest.manifest.id && entry.series == latest.manifest.series;
                        catalog.entries().iter().find(same).ok_or_else(nothing)?
                    }
                };
                Ok(vec![found])
            }
            Drilled::Sample(count) => {
                let usable = |entry: &&Entry| entry.usable().is_some_and(|record| self.filter.admits(record));
                let mut entries: Vec<&Entry> = catalog.entries().iter().filter(usable).collect();
                if entries.is_empty() {
                    return Err(nothing());
                }
                let last = self.repository.last_proofs(catalog).await?;
                // The newest first among those that were never proven.
                entries.sort_by(|a, b| {
                    let proven = |entry: &Entry| last.get(&entry.id).map(|last| last.time);
                    proven(a).cmp(&proven(b)).then_with(|| b.order().cmp(&a.order()))
                });
                entries.truncate(*count);
                Ok(entries)
            }
        }
    }

    async fn judge(&self, catalog: &Catalog, entry: &Entry, verdict: &BackupVerdict) -> Vec<ObjectiveResult> {
        let mut results = Vec::new();
        if let Some(rto) = self.objectives.rto {
            let restored = verdict.reached >= Some(Level::Restorable);
            let measured = verdict.proof.as_ref().filter(|_| restored).map(Proof::restore_seconds);
            let (limit, measured_seconds) = (rto.as_secs_f64(), measured);
            let outcome = match measured {
                None => Outcome::Unverified,
                Some(seconds) if seconds <= limit => Outcome::Passed,
                Some(_) => Outcome::Failed,
            };
            results.push(ObjectiveResult { name: "rto", limit_seconds: limit, measured_seconds, outcome });
        }
        if let Some(rpo) = self.objectives.rpo {
            // What was proven before counts too, where it can be read.
            let last = self.repository.last_proofs(catalog).await.unwrap_or_default();
            let restorable = |record: &&ManifestRecord| {
                record.manifest.series == entry.series
                    && !record.is_safety()
                    && (record.manifest.id == entry.id && verdict.reached >= Some(Level::Restorable)
                        || last
                            .get(&record.manifest.id)
                            .is_some_and(|last| !last.failed && last.reached >= Some(Level::Restorable)))
            };
            let newest = catalog.entries().iter().filter_map(Entry::usable).filter(restorable);
            let newest = newest.map(ManifestRecord::taken).max();
            let age = newest.map(|taken| self.repository.now().0.duration_since(taken).as_secs_f64());
            let limit = rpo.as_secs_f64();
            let outcome = match age {
                None => Outcome::Unverified,
                Some(age) if age <= limit => Outcome::Passed,
                Some(_) => Outcome::Failed,
            };
            results.push(ObjectiveResult { name: "rpo", limit_seconds: limit, measured_seconds: age, outcome });
        }
        results
    }
}

impl Repository {
    /// How deeply each backup of the catalog was last proven, as the `proof` events say that count.
    pub async fn last_proofs(&self, catalog: &Catalog) -> Result<BTreeMap<BackupId, LastProof>> {
        let series: Option<&Series> = match catalog.series().into_iter().collect::<Vec<_>>().as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        let records = catalog.entries().iter().filter_map(|entry| entry.record.as_ref().ok());
        let manifests = records.map(|record| (record.manifest.id.clone(), record.sha256)).collect();
        let proofs = self.proofs(series, &manifests).await?;
        let now = self.now().0;
        Ok(proofs.into_iter().filter_map(|(id, proofs)| Some((id, LastProof::of(&proofs, now)?))).collect())
    }
}
