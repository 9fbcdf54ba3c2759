//! The recipe of a verification: which backups, how deeply, and the verdict.

mod backup;
mod verdict;

pub use verdict::{BackupVerdict, Finding, Severity, Status, Verdict};

use crate::cipher::KeyOpener;
use crate::error::{Error, Result, codes};
use crate::level::Level;
use crate::monitor::{Monitor, Silent};
use crate::names::Series;
use crate::pipeline::PipelineOptions;
use crate::pipeline::budget::MIB;
use crate::pipeline::read::least_memory;
use crate::prover::Prover;
use crate::repository::Repository;
use crate::repository::catalog::{CLOCK_TOLERANCE, Catalog, Entry, Filter, ManifestRecord, Selector};
use crate::repository::event::ProofBody;
use crate::signature::Signer;
use async_trait::async_trait;
use futures::{FutureExt, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How old the newest backup of a series may be, unless told otherwise.
pub const DEFAULT_MAX_AGE: SignedDuration = SignedDuration::from_hours(48);

/// Backups that are verified at once, at the most; they share the memory budget.
const BACKUPS_AT_ONCE: usize = 4;

/// A verification to be made. Made by [`Repository::verify`], started by [`run`](VerifyRequest::run).
#[derive(Debug)]
pub struct VerifyRequest<'a> {
    repository: &'a Repository,
    selectors: Vec<Selector>,
    filter: Filter,
    level: Level,
    max_age: Option<SignedDuration>,
    min_size: Option<u64>,
    opener: Option<Arc<dyn KeyOpener>>,
    provers: Vec<Arc<dyn Prover>>,
    options: PipelineOptions,
    monitor: Arc<dyn Monitor>,
    pub(crate) allow_unsigned: bool,
    recorder: Option<Arc<dyn ProofRecorder>>,
}

/// Keeps what came of a proof. One interface, so that a proof can be kept in more than one place.
#[async_trait]
pub trait ProofRecorder: std::fmt::Debug + Send + Sync {
    /// Keeps this result about a backup.
    async fn record(&self, repository: &Repository, about: &ManifestRecord, result: ProofBody) -> Result<()>;
}

/// Keeps proofs as `proof` events beside the manifests, signed when there is a signer.
#[derive(Debug, Default)]
pub struct ProofEvents {
    signer: Option<Arc<dyn Signer>>,
}

impl ProofEvents {
    /// Events that this signer signs.
    pub fn new(signer: Option<Arc<dyn Signer>>) -> Self {
        ProofEvents { signer }
    }
}

#[async_trait]
impl ProofRecorder for ProofEvents {
    async fn record(&self, repository: &Repository, about: &ManifestRecord, result: ProofBody) -> Result<()> {
        repository.write_event(about, result, self.signer.as_deref()).await.map(drop)
    }
}

impl Repository {
    /// A verification; of all backups, to level intact, with the newest of each series younger than 48 hours, unless told
    /// otherwise.
    pub fn verify(&self) -> VerifyRequest<'_> {
        VerifyRequest {
            repository: self,
            selectors: Vec::new(),
            filter: Filter::default(),
            level: Level::Intact,
            max_age: None,
            min_size: None,
            opener: None,
            provers: Vec::new(),
            options: PipelineOptions::default(),
            monitor: Arc::new(Silent),
            allow_unsigned: false,
            recorder: None,
        }
    }
}

impl VerifyRequest<'_> {
    /// Only this backup; may be called several times.
    pub fn only(mut self, selector: Selector) -> Self {
        self.selectors.push(selector);
        self
    }

    /// Only backups that this admits.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// How deeply.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// How old the newest backup of each series may be: 48 hours by default, and not looked at by default where backups are
    /// chosen by id.
    pub fn max_age(mut self, max_age: Option<SignedDuration>) -> Self {
        self.max_age = max_age;
        self
    }

    /// How large the newest backup of each series must be, in bytes as stored: not looked at by default.
    pub fn min_size(mut self, min_size: Option<u64>) -> Self {
        self.min_size = min_size;
        self
    }

    /// The identities, for level readable and deeper.
    pub fn open_with(mut self, opener: Option<Arc<dyn KeyOpener>>) -> Self {
        self.opener = opener;
        self
    }

    /// Who knows how to check the data of a kind of source.
    pub fn prover(mut self, prover: Arc<dyn Prover>) -> Self {
        self.provers.push(prover);
        self
    }

    /// The memory budget and the workers.
    pub fn options(mut self, options: PipelineOptions) -> Self {
        self.options = options;
        self
    }

    /// Who is told about progress.
    pub fn monitor(mut self, monitor: Arc<dyn Monitor>) -> Self {
        self.monitor = monitor;
        self
    }

    /// Looks also at backups that no trusted signer signed. They still pass no level.
    pub fn allow_unsigned(mut self, allow: bool) -> Self {
        self.allow_unsigned = allow;
        self
    }

    /// Who keeps what came of it, at level readable and deeper: nobody unless set.
    pub fn recorder(mut self, recorder: Arc<dyn ProofRecorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Verifies.
    ///
    /// # Errors
    /// Only when nothing can be said at all: the store cannot be listed, an id does not exist, or something was asked for that has no effect. What is
    /// wrong with a backup is in the verdict.
    pub async fn run(self) -> Result<Verdict> {
        let catalog = self.repository.catalog(self.filter.series.as_ref()).await?;
        let mut findings = Vec::new();
        let mut chosen = self.choose(&catalog, &mut findings)?;
        chosen.sort_by(|a, b| (&a.series, a.order()).cmp(&(&b.series, b.order())));
        self.judge_catalog(&catalog, &chosen, &mut findings);

        let segment = chosen.iter().filter_map(|entry| entry.record.as_ref().ok());
        let largest = segment.map(|record| record.manifest.segments.bytes).max().unwrap_or(MIB);
        // One scratch place at a time: a restore takes the whole machine.
        let most = if self.level > Level::Readable { 1 } else { BACKUPS_AT_ONCE };
        let at_once = (1..=most.min(chosen.len()).max(1))
            .rev()
            .find(|share| self.options.memory / *share as u64 >= least_memory(largest))
            .unwrap_or(1);
        let options = PipelineOptions { memory: self.options.memory / at_once as u64, ..self.options.clone() };
        // Boxed one by one: a closure over references would keep this future from being `Send`.
        let mut verifications = Vec::with_capacity(chosen.len());
        for entry in chosen {
            verifications.push(self.verify_backup(entry, &options).boxed());
        }
        let backups: Vec<BackupVerdict> = futures::stream::iter(verifications).buffered(at_once).try_collect().await?;

        Ok(Verdict {
            location: self.repository.sink().location(),
            level: self.level,
            verified_at: Timestamp::now(),
            authenticity_checked: self.repository.trust().is_some(),
            backups,
            findings,
        })
    }

    /// The backups to look at. Those that cannot be read are looked at too: they fail.
    fn choose<'c>(&self, catalog: &'c Catalog, findings: &mut Vec<Finding>) -> Result<Vec<&'c Entry>> {
        let labelled = |entry: &&Entry| match (&self.filter.label, &entry.record) {
            (Some(label), Ok(record)) => record.manifest.label == *label,
            _ => true,
        };
        if self.selectors.is_empty() {
            let all: Vec<&Entry> = catalog.entries().iter().filter(labelled).collect();
            if all.is_empty() {
                findings.push(
                    Finding::failure("no_backups", "there is no backup here").hint("make one with `backproof backup`"),
                );
            }
            return Ok(all);
        }
        let mut chosen: Vec<&Entry> = Vec::new();
        for selector in &self.selectors {
            let found = match selector {
                Selector::Latest => {
                    let series = catalog.series();
                    if series.len() > 1 {
                        let names: Vec<&str> = series.iter().map(|series| series.as_str()).collect();
                        return Err(Error::new(&codes::SERIES_REQUIRED, "`latest` of which series?")
                            .with_hint(format!("say which one with --name: {}", names.join(", "))));
                    }
                    let latest = series.first().and_then(|series| catalog.latest(series, &self.filter));
                    let Some(latest) = latest else {
                        findings.push(
                            Finding::failure("no_backups", "there is no backup here that can be used")
                                .hint("make one with `backproof backup`"),
                        );
                        continue;
                    };
                    for entry in catalog.newer_unusable(latest) {
                        findings.push(
                            Finding::warning(
                                "newer_unusable",
                                format!("{} is newer than the latest backup, and cannot be used", entry.id),
                            )
                            .hint("verify it by its id to see why"),
                        );
                    }
                    catalog.entries().iter().find(|entry| entry.id == latest.manifest.id)
                }
                Selector::Id(prefix) => {
                    let mut found = catalog.entries().iter().filter(|entry| entry.id.as_str().starts_with(prefix));
                    let first = found.next();
                    if let (Some(first), Some(second)) = (first, found.next()) {
                        return Err(Error::new(
                            &codes::AMBIGUOUS_ID,
                            format!("{prefix} fits several backups, among them {} and {}", first.id, second.id),
                        ));
                    }
                    if first.is_none() {
                        return Err(Error::new(
                            &codes::BACKUP_NOT_FOUND,
                            format!("no backup's id starts with {prefix}"),
                        ));
                    }
                    first
                }
            };
            chosen.extend(found.filter(|entry| !chosen.iter().any(|other| other.id == entry.id)));
        }
        Ok(chosen)
    }

    /// What is checked of the catalog as a whole, and of the newest backup of each series.
    fn judge_catalog(&self, catalog: &Catalog, chosen: &[&Entry], findings: &mut Vec<Finding>) {
        for missing in catalog.missing() {
            findings.push(
                Finding::failure(
                    "backup_missing",
                    format!(
                        "backup {} of series {} is gone: {} names it as the one before it",
                        missing.id, missing.series, missing.named_by
                    ),
                )
                .hint("find out who removed it; other copies of the repository may still have it"),
            );
        }
        for replaced in catalog.replaced() {
            findings.push(
                Finding::failure(
                    "manifest_replaced",
                    format!(
                        "the manifest of backup {} of series {} is not the one that was there when {} was made",
                        replaced.id, replaced.series, replaced.named_by
                    ),
                )
                .hint("do not restore it; find out who can write to the store, and look at another copy"),
            );
        }
        let (now, stores_own) = self.repository.now();
        let skew = Timestamp::now().duration_since(now);
        if stores_own && skew.abs() > CLOCK_TOLERANCE {
            findings.push(
                Finding::warning(
                    "clock_skew",
                    format!("this machine's clock and the store's differ by {} seconds", skew.as_secs()),
                )
                .hint("set the clock of this machine"),
            );
        }
        let by_id = self.selectors.iter().any(|selector| *selector != Selector::Latest);
        let max_age = self.max_age.or_else(|| (!by_id).then_some(DEFAULT_MAX_AGE));
        let future = now.saturating_add(CLOCK_TOLERANCE).unwrap_or(now);
        for series in catalog.series() {
            let of_series = |entry: &&Entry| entry.series == *series;
            let usable = catalog.entries().iter().filter(of_series).filter_map(Entry::usable);
            let ahead: Vec<&ManifestRecord> = usable
                .filter(|record| {
                    record.manifest.source.snapshot <= future && record.written_before_its_date().is_some()
                })
                .collect();
            if let Some(said) = ahead.last().and_then(|newest| newest.dated_ahead()) {
                let others =
                    if ahead.len() > 1 { format!("; so were {} others", ahead.len() - 1) } else { String::new() };
                findings.push(
                    Finding::warning("dated_ahead", format!("series {series}: {said}{others}"))
                        .hint("set the clock of the database server; such a backup counts by the store's clock, and is named as long as it is there"),
                );
            }
        }
        for record in catalog.entries().iter().filter_map(Entry::usable) {
            let manifest = &record.manifest;
            if manifest.source.snapshot > future {
                findings.push(
                    Finding::warning(
                        "future_dated",
                        format!("{} of series {} is dated in the future", manifest.id, manifest.series),
                    )
                    .hint("set the database server's clock; until that time has come, it is not `latest`"),
                );
            }
        }
        // Who asks for one backup is told of its series alone.
        let asked = |series: &&Series| !by_id || chosen.iter().any(|entry| entry.series == **series);
        for series in catalog.series().into_iter().filter(asked) {
            match catalog.latest(series, &self.filter) {
                Some(newest) => self.judge_newest(catalog, newest, max_age, now, findings),
                None if by_id => {}
                None => findings.push(
                    Finding::failure("no_usable_backup", format!("series {series} has no backup that can be used"))
                        .hint("see what is said of each of its backups"),
                ),
            }
        }
    }

    fn judge_newest(
        &self,
        catalog: &Catalog,
        newest: &ManifestRecord,
        max_age: Option<SignedDuration>,
        now: Timestamp,
        findings: &mut Vec<Finding>,
    ) {
        let manifest = &newest.manifest;
        let (series, id) = (&manifest.series, &manifest.id);
        let age = now.duration_since(newest.taken());
        if let Some(max_age) = max_age.filter(|max_age| age > *max_age) {
            findings.push(
                Finding::failure(
                    "backup_too_old",
                    format!(
                        "the newest backup of series {series}, {id}, is {:#} old; at most {:#} are allowed",
                        round(age),
                        round(max_age)
                    ),
                )
                .hint("find out why no backup was made since"),
            );
        }
        if let Some(min_size) = self.min_size.filter(|min_size| manifest.stored_bytes() < *min_size) {
            findings.push(
                Finding::failure(
                    "backup_too_small",
                    format!(
                        "the newest backup of series {series}, {id}, has {} bytes; at least {min_size} are expected",
                        manifest.stored_bytes()
                    ),
                )
                .hint("look into it before you trust it: is this the right database?"),
            );
        }
        if let Some(before) = catalog.before(newest) {
            let (was, is) = (before.manifest.plain_bytes(), manifest.plain_bytes());
            if is.saturating_mul(2) < was {
                findings.push(
                    Finding::warning(
                        "backup_shrank",
                        format!("the newest backup of series {series}, {id}, has {is} bytes of data, under half of the {was} before it"),
                    )
                    .hint("make sure that nothing was lost in the database"),
                );
            }
        }
    }
}

/// A duration without its fractions of seconds, for people.
fn round(duration: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(duration.as_secs())
}
