//! The catalog: which backups exist. One paged LIST of `catalog/`, then the manifests.

use super::document::Document;
use super::layout::{self, CatalogKey};
use super::manifest::Manifest;
use super::{Repository, json};
use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::id::BackupId;
use crate::names::{Label, Series};
use crate::signature::{DocumentKind, TrustedSignature};
use crate::sink::SinkExt;
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Manifests that are read at once.
const READS_AT_ONCE: usize = 16;
/// How far a clock may be off before it is a finding.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// What is known about who wrote a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authenticity {
    /// No signers are trusted, so no signature was looked at.
    NotChecked {
        /// Whether there is one.
        signed: bool,
    },
    /// Rightly signed by a trusted signer.
    Trusted(TrustedSignature),
    /// Signers are trusted, and this is not signed, or not rightly.
    Refused {
        /// `unsigned` or `bad_signature`.
        code: &'static crate::error::Code,
        /// Why.
        reason: String,
    },
}

impl Authenticity {
    /// Whether the document may count where signers are trusted.
    pub fn is_acceptable(&self) -> bool {
        !matches!(self, Authenticity::Refused { .. })
    }

    /// The error for a refused document.
    pub fn require(&self, what: &str) -> Result<()> {
        match self {
            Authenticity::Refused { code, reason } => Err(Error::new(code, format!("{what}: {reason}"))),
            _ => Ok(()),
        }
    }
}

/// A manifest that was read, and what is known of its writer.
#[derive(Clone, Debug)]
pub struct ManifestRecord {
    /// The manifest.
    pub manifest: Manifest,
    /// SHA-256 of its JSON: what later documents name it by.
    pub sha256: Sha256,
    /// Who wrote it.
    pub authenticity: Authenticity,
    /// When it was written, by the store's clock, where the store tells.
    pub written: Option<Timestamp>,
}

impl ManifestRecord {
    /// Whether it was made of a live database before a restore replaced it ([`Label::safety`]).
    pub fn is_safety(&self) -> bool {
        self.manifest.label.is_safety()
    }

    /// What backups of a series are sorted by: the time of the snapshot, then the id.
    pub fn order(&self) -> (Timestamp, &BackupId) {
        (self.taken(), &self.manifest.id)
    }

    /// When its snapshot was taken: as the manifest says, unless a wrong clock said that. Then it is as long before the writing as the backup took.
    pub fn taken(&self) -> Timestamp {
        let manifest = &self.manifest;
        let Some(written) = self.written_before_its_date() else { return manifest.source.snapshot };
        // Of one clock, right or wrong, the difference is right.
        let took = manifest.finished.duration_since(manifest.started).max(SignedDuration::ZERO);
        written.saturating_sub(took).unwrap_or(written)
    }

    /// When it was written, if that is more than five minutes before the time of its snapshot: a wrong clock dated it.
    ///
    /// A copy is written later than the snapshot was taken, so it never looks like that for being one.
    pub fn written_before_its_date(&self) -> Option<Timestamp> {
        let written = self.written?;
        (self.manifest.source.snapshot.duration_since(written) > CLOCK_TOLERANCE).then_some(written)
    }

    /// The same, for people.
    pub fn dated_ahead(&self) -> Option<String> {
        let (id, snapshot) = (&self.manifest.id, self.manifest.source.snapshot);
        let written = self.written_before_its_date()?;
        Some(format!(
            "{id} was dated by a wrong clock: {snapshot}, though the store says that its manifest was written at {written}"
        ))
    }
}

/// A backup in the catalog.
#[derive(Debug)]
pub struct Entry {
    /// Its series.
    pub series: Series,
    /// Its id.
    pub id: BackupId,
    /// Its manifest, or why that cannot be read.
    pub record: Result<ManifestRecord>,
}

impl Entry {
    /// The manifest, where it can be read and may count.
    pub fn usable(&self) -> Option<&ManifestRecord> {
        self.record.as_ref().ok().filter(|record| record.authenticity.is_acceptable())
    }

    /// What backups of a series are sorted by: the time of the snapshot, then the id, whose time is of the same second.
    ///
    /// Of a manifest that cannot be read, only the second is known: it comes before all others of it.
    pub fn order(&self) -> (Timestamp, &BackupId) {
        match &self.record {
            Ok(record) => record.order(),
            Err(_) => (self.id.time(), &self.id),
        }
    }

    /// Whether this backup is, or may be, newer than that one.
    fn may_be_newer(&self, record: &ManifestRecord) -> bool {
        match &self.record {
            Ok(own) => own.order() > record.order(),
            Err(_) => self.id != record.manifest.id && self.id.time().as_second() >= record.taken().as_second(),
        }
    }
}

/// A backup that a later manifest names as the one before it, and that is not there any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "MissingBackup"))]
pub struct Missing {
    /// Its series.
    pub series: Series,
    /// Its id.
    pub id: BackupId,
    /// The backup that names it.
    pub named_by: BackupId,
}

/// A backup whose manifest is not the one that the manifest after it was written behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ReplacedBackup"))]
pub struct Replaced {
    /// Its series.
    pub series: Series,
    /// Its id.
    pub id: BackupId,
    /// The backup that names it with another hash.
    pub named_by: BackupId,
}

/// All backups of a repository, or of one series, sorted by series and by age, the oldest first.
#[derive(Debug)]
pub struct Catalog {
    entries: Vec<Entry>,
    now: Timestamp,
}

/// How a user names a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The newest backup, of the series given beside it.
    Latest,
    /// An id, or a prefix of one that fits a single backup.
    Id(String),
}

impl std::str::FromStr for Selector {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let plain = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'T' | b'Z' | b'-');
        match text {
            "latest" => Ok(Selector::Latest),
            _ if !text.is_empty() && text.bytes().all(plain) => Ok(Selector::Id(text.to_owned())),
            _ => Err(Error::new(
                &codes::INVALID_ARGUMENT,
                format!("{text:?} is neither `latest` nor the start of a backup id"),
            )
            .with_hint("an id looks like 20261120T020000Z-7f3a9c51d2e8b604; `backproof list` shows them")),
        }
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Selector::Latest => "latest",
            Selector::Id(id) => id,
        })
    }
}

/// Which backups `latest` is chosen from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this series; required where there are several.
    pub series: Option<Series>,
    /// With this label. Without one, safety backups ([`Label::safety`]) are left out.
    pub label: Option<Label>,
    /// With a snapshot taken before this time.
    pub before: Option<Timestamp>,
}

impl Filter {
    pub(crate) fn admits(&self, record: &ManifestRecord) -> bool {
        let manifest = &record.manifest;
        self.series.as_ref().is_none_or(|series| manifest.series == *series)
            && self.label.as_ref().is_none_or(|label| manifest.label == *label)
            && self.before.is_none_or(|before| record.taken() < before)
    }
}

impl Repository {
    /// Lists the backups of all series, or of one.
    pub async fn catalog(&self, series: Option<&Series>) -> Result<Catalog> {
        let keys: Vec<CatalogKey> =
            self.catalog_keys(series).await?.into_iter().filter(CatalogKey::is_manifest).collect();
        let reads = keys.into_iter().map(|key| async move {
            let record = self.read_manifest(&key.series, &key.id).await;
            // What is about this one manifest is an entry's error; that the store cannot be read is everybody's.
            match record {
                Err(error) if error.is_transient() || error.is(&codes::ACCESS_DENIED) => Err(error),
                record => Ok(Entry { series: key.series, id: key.id, record }),
            }
        });
        let mut entries: Vec<Entry> =
            futures::stream::iter(reads).buffer_unordered(READS_AT_ONCE).try_collect().await?;
        entries.sort_by(|a, b| (&a.series, a.order()).cmp(&(&b.series, b.order())));
        Ok(Catalog { entries, now: self.now().0 })
    }

    /// Who allows unsigned backups where nothing is forbidden may believe that signatures are checked.
    fn require_effect(&self, selector: &Selector) -> Result<()> {
        let (message, hint) = match (self.trust(), selector) {
            (None, _) => (
                "unsigned backups were allowed, and no trusted signers are set: no signature is checked anyway",
                "leave out --allow-unsigned, or name the signers with trusted_signers",
            ),
            (Some(_), Selector::Latest) => (
                "unsigned backups were allowed, and `latest` never is one",
                "give the backup's id, or leave out --allow-unsigned",
            ),
            (Some(_), Selector::Id(_)) => return Ok(()),
        };
        Err(Error::new(&codes::NO_EFFECT, message).with_hint(hint))
    }

    pub(crate) async fn catalog_keys(&self, series: Option<&Series>) -> Result<Vec<CatalogKey>> {
        let folder = series.map_or_else(|| "catalog".to_owned(), layout::catalog_folder);
        let listing = self.sink().list(&folder);
        let keys = listing.try_filter_map(async |object| Ok(CatalogKey::parse(&object.key)));
        let keys: Result<Vec<CatalogKey>> = keys.try_collect().await;
        let mut keys = keys.map_err(|error| error.context("list the catalog"))?;
        // A store may list a key twice; a backup is there once.
        keys.sort_by(|a, b| (&a.series, &a.id, &a.rest).cmp(&(&b.series, &b.id, &b.rest)));
        keys.dedup();
        Ok(keys)
    }

    /// Who wrote a document, as far as this reader can know.
    pub(crate) fn authenticity(&self, document: &Document, kind: DocumentKind, what: &str) -> Authenticity {
        match self.trust() {
            None => Authenticity::NotChecked { signed: document.signature().is_some() },
            // Validity is judged by our own clock: the store's is told by whoever answers.
            Some(trust) => match document.authenticate(kind, &**trust, Timestamp::now(), what) {
                Ok(signature) => Authenticity::Trusted(signature),
                Err(error) => Authenticity::Refused { code: error.code(), reason: error.chain() },
            },
        }
    }

    /// Reads one manifest and checks its signature where signers are trusted.
    pub async fn read_manifest(&self, series: &Series, id: &BackupId) -> Result<ManifestRecord> {
        let what = format!("the manifest of {id}");
        let key = layout::manifest(series, id)?;
        let found = self.sink().read_small_of(&key, json::MAX_BYTES).await;
        let (bytes, info) = found.map_err(|error| {
            if error.is(&codes::OBJECT_NOT_FOUND) {
                Error::new(&codes::BACKUP_NOT_FOUND, format!("there is no backup {id} in series {series}"))
            } else {
                error.context(format_args!("read {what}"))
            }
        })?;
        let document = Document::parse(&bytes, &what)?;
        let authenticity = self.authenticity(&document, DocumentKind::Manifest, &what);
        let manifest = match (Manifest::read(&document, &self.marker().installation, series, id), &authenticity) {
            // What a stranger wrote is not judged by what it says.
            (Err(_), Authenticity::Refused { code, reason }) => return Err(Error::new(code, reason.clone())),
            (read, _) => read?,
        };
        Ok(ManifestRecord { manifest, sha256: document.sha256(), authenticity, written: info.modified })
    }

    /// The manifest that a user's words mean, without reading the others where that is possible.
    ///
    /// A backup that signers who are trusted did not sign is never `latest`, and is found by id only with `allow_unsigned`.
    ///
    /// # Errors
    /// [`NO_EFFECT`](codes::NO_EFFECT) for `allow_unsigned` where it allows nothing: no signers are trusted, or `latest` is asked for.
    pub async fn find(&self, selector: &Selector, filter: &Filter, allow_unsigned: bool) -> Result<ManifestRecord> {
        Ok(self.find_with_doubts(selector, filter, allow_unsigned).await?.0)
    }

    /// As [`find`](Repository::find); with `latest`, also what makes it doubtful that this is the newest backup: newer ones that cannot be
    /// used, and ones that are gone.
    pub async fn find_with_doubts(
        &self,
        selector: &Selector,
        filter: &Filter,
        allow_unsigned: bool,
    ) -> Result<(ManifestRecord, Vec<String>)> {
        let series = filter.series.as_ref();
        if allow_unsigned {
            self.require_effect(selector)?;
        }
        match selector {
            Selector::Id(prefix) => {
                let keys = self.catalog_keys(series).await?;
                let mut found = keys.into_iter().filter(|key| key.is_manifest() && key.id.as_str().starts_with(prefix));
                let first = found.next().ok_or_else(|| {
                    Error::new(&codes::BACKUP_NOT_FOUND, format!("no backup's id starts with {prefix}"))
                })?;
                if let Some(second) = found.next() {
                    return Err(Error::new(
                        &codes::AMBIGUOUS_ID,
                        format!("{prefix} fits several backups, among them {} and {}", first.id, second.id),
                    ));
                }
                let record = self.read_manifest(&first.series, &first.id).await?;
                if !allow_unsigned {
                    record.authenticity.require(&format!("backup {}", record.manifest.id))?;
                }
                Ok((record, Vec::new()))
            }
            Selector::Latest => {
                let catalog = self.catalog(series).await?;
                let mut all: BTreeSet<&Series> = catalog.entries.iter().map(|entry| &entry.series).collect();
                if series.is_none() && all.len() > 1 {
                    let names: Vec<&str> = all.iter().map(|series| series.as_str()).collect();
                    return Err(Error::new(&codes::SERIES_REQUIRED, "`latest` of which series?")
                        .with_hint(format!("say which one with --name: {}", names.join(", "))));
                }
                let latest = all.pop_first().and_then(|series| catalog.latest(series, filter));
                let latest = latest.cloned().ok_or_else(|| {
                    let of = series.map_or_else(String::new, |series| format!(" of series {series}"));
                    let error = Error::new(&codes::BACKUP_NOT_FOUND, format!("there is no backup{of} that can be used"));
                    let safety = |entry: &&Entry| entry.usable().is_some_and(ManifestRecord::is_safety);
                    match catalog.entries.iter().find(safety) {
                        Some(entry) if filter.label.is_none() => error.with_hint(format!(
                            "there are safety backups, which are never `latest`: give the id, e.g. {}, or --label safety",
                            entry.id
                        )),
                        _ => error,
                    }
                })?;
                let doubts = catalog.doubts(&latest, filter);
                Ok((latest, doubts))
            }
        }
    }
}

impl Catalog {
    /// All backups, sorted by series and by age, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The names of the series.
    pub fn series(&self) -> BTreeSet<&Series> {
        self.entries.iter().map(|entry| &entry.series).collect()
    }

    /// The newest backup of a series by the time of its snapshot, not later than the store's clock plus five minutes.
    ///
    /// A safety backup is it only where the filter names its label: it has what a restore replaced, and is no sign that backups are made.
    ///
    /// One that a wrong clock dated counts by the store's clock ([`ManifestRecord::taken`]), so that it does not outlast those made after it.
    pub fn latest(&self, series: &Series, filter: &Filter) -> Option<&ManifestRecord> {
        let limit = self.now.saturating_add(CLOCK_TOLERANCE).unwrap_or(self.now);
        let usable = self.entries.iter().filter(|entry| entry.series == *series).filter_map(Entry::usable);
        usable
            .filter(|record| record.manifest.source.snapshot <= limit)
            .filter(|record| filter.admits(record) && (filter.label.is_some() || !record.is_safety()))
            .max_by(|a, b| a.order().cmp(&b.order()))
    }

    /// What makes it doubtful that this is the newest backup of its series that there should be.
    pub fn doubts(&self, latest: &ManifestRecord, filter: &Filter) -> Vec<String> {
        let (series, id) = (&latest.manifest.series, &latest.manifest.id);
        let before = |entry: &Entry| filter.before.is_none_or(|before| entry.order().0 < before);
        let newer = |entry: &&Entry| entry.series == *series && entry.may_be_newer(latest) && before(entry);
        let unusable = self.entries.iter().filter(newer).filter_map(|entry| match &entry.record {
            Err(error) if entry.id.time() == id.time() => {
                Some(format!("{} may be newer than {id} and cannot be used: {}", entry.id, error.chain()))
            }
            Err(error) => Some(format!("{} is newer than {id} and cannot be used: {}", entry.id, error.chain())),
            Ok(record) => match &record.authenticity {
                Authenticity::Refused { reason, .. } => {
                    Some(format!("{} is newer than {id} and cannot be used: {reason}", entry.id))
                }
                _ if record.manifest.source.snapshot > self.now => Some(format!("{} is dated in the future", entry.id)),
                _ => None,
            },
        });
        // What says to be newer, and does not count as that, or counts all the same.
        let ahead = |entry: &&Entry| entry.series == *series && before(entry);
        let ahead = self.entries.iter().filter(ahead).filter_map(Entry::usable).filter(|record| {
            record.manifest.source.snapshot <= self.now && record.manifest.source.snapshot >= latest.taken()
        });
        let ahead = ahead.filter_map(ManifestRecord::dated_ahead);
        let missing = self.missing().into_iter().filter(|gone| gone.series == *series);
        let missing =
            missing.map(|gone| format!("backup {} is gone: {} names it as the one before it", gone.id, gone.named_by));
        unusable.chain(ahead).chain(missing).collect()
    }

    /// Backups that are, or may be, newer than this one of their series, and cannot be used.
    pub fn newer_unusable(&self, latest: &ManifestRecord) -> impl Iterator<Item = &Entry> {
        let series = self.entries.iter().filter(|entry| entry.series == latest.manifest.series);
        series.filter(|entry| entry.usable().is_none() && entry.may_be_newer(latest))
    }

    /// The backup before this one in its series, among those that can be used; no safety backup, unless this is one.
    pub fn before(&self, record: &ManifestRecord) -> Option<&ManifestRecord> {
        let manifest = &record.manifest;
        let series = self.entries.iter().filter(|entry| entry.series == manifest.series);
        series
            .filter_map(Entry::usable)
            .filter(|other| other.order() < record.order() && (record.is_safety() || !other.is_safety()))
            .max_by(|a, b| a.order().cmp(&b.order()))
    }

    /// Backups that others name as their predecessor, and that are gone.
    pub fn missing(&self) -> Vec<Missing> {
        let there: BTreeSet<(&Series, &BackupId)> =
            self.entries.iter().map(|entry| (&entry.series, &entry.id)).collect();
        let mut missing: BTreeMap<(&Series, &BackupId), &BackupId> = BTreeMap::new();
        for record in self.entries.iter().filter_map(Entry::usable) {
            let manifest = &record.manifest;
            if let Some(previous) = &manifest.previous {
                let named = (&manifest.series, &previous.id);
                if !there.contains(&named) {
                    missing.entry(named).or_insert(&manifest.id);
                }
            }
        }
        let owned = |((series, id), named_by): ((&Series, &BackupId), &BackupId)| Missing {
            series: series.clone(),
            id: id.clone(),
            named_by: named_by.clone(),
        };
        missing.into_iter().map(owned).collect()
    }

    /// Backups whose manifest was replaced since a later one named it: manifests never change.
    pub fn replaced(&self) -> Vec<Replaced> {
        let usable = || self.entries.iter().filter_map(Entry::usable);
        let hashes: BTreeMap<(&Series, &BackupId), Sha256> =
            usable().map(|record| ((&record.manifest.series, &record.manifest.id), record.sha256)).collect();
        let differs = |record: &&ManifestRecord| {
            let previous = record.manifest.previous.as_ref();
            previous.is_some_and(|named| {
                hashes.get(&(&record.manifest.series, &named.id)).is_some_and(|found| *found != named.sha256)
            })
        };
        let named = |record: &ManifestRecord| {
            let previous = record.manifest.previous.as_ref()?;
            let (series, named_by) = (record.manifest.series.clone(), record.manifest.id.clone());
            Some(Replaced { series, id: previous.id.clone(), named_by })
        };
        usable().filter(differs).filter_map(named).collect()
    }

    /// The time by the store's clock when the catalog was listed.
    pub fn now(&self) -> Timestamp {
        self.now
    }
}
