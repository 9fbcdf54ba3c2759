//! Events: what happened to a backup after it was made, each a document of its own beside the manifest.
//!
//! `catalog/<series>/<id>.<kind>-<time>-<random>`. An event names the installation, the repository, the series, the backup and the SHA-256
//! of its manifest; it counts only for exactly those, so that one cannot be replayed for another backup or in a copy of the repository.

use super::catalog::{Authenticity, CLOCK_TOLERANCE, ManifestRecord};
use super::document::{self, Document};
use super::layout::CatalogKey;
use super::{Repository, json, manifest};
use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::id::BackupId;
use crate::key::ObjectKey;
use crate::level::{Level, Outcome};
use crate::names::Series;
use crate::signature::{DocumentKind, Signer};
use crate::sink::SinkExt;
use futures::StreamExt;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Events that are read at once.
const READS_AT_ONCE: usize = 16;

/// What every event says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventHead {
    /// The version of the repository's format.
    pub format: u32,
    /// The kind, as in the event's name.
    pub kind: String,
    /// What a reader must understand.
    #[serde(default)]
    pub requires: Vec<String>,
    /// The installation.
    pub installation: String,
    /// The repository: an event of a copy does not count here.
    pub repository: String,
    /// The series of the backup.
    pub series: Series,
    /// The backup.
    pub id: BackupId,
    /// The SHA-256 of the backup's manifest.
    pub manifest: Sha256,
    /// When it happened, by the clock of the machine that wrote it.
    pub time: Timestamp,
}

/// An event of one kind.
pub trait EventBody: Serialize + DeserializeOwned + Send + Sync {
    /// Its kind.
    const KIND: DocumentKind;
}

/// An event: its head and what its kind adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event<T> {
    /// What every event says.
    #[serde(flatten)]
    pub head: EventHead,
    /// What this kind says.
    #[serde(flatten)]
    pub body: T,
}

/// How deeply a backup was proven, by one verification or drill. Holds what may be known without a key: no names, no counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProofBody {
    /// The level that was asked for.
    pub level: Level,
    /// What came of it.
    pub outcome: Outcome,
    /// The deepest level that was reached.
    pub reached: Option<Level>,
    /// How long it took, in whole milliseconds.
    pub milliseconds: u64,
    /// The program that did it, e.g. `backproof 0.1.0`.
    pub prover: String,
}

impl ProofBody {
    /// An event of this version of backproof.
    pub fn new(level: Level, outcome: Outcome, reached: Option<Level>, took: std::time::Duration) -> Self {
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        ProofBody {
            level,
            outcome,
            reached,
            milliseconds,
            prover: concat!("backproof ", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

impl EventBody for ProofBody {
    const KIND: DocumentKind = DocumentKind::Proof;
}

/// How deeply a backup was last proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LastProof {
    /// The deepest level that was reached since the last failure.
    pub reached: Option<Level>,
    /// Whether the last proof failed.
    pub failed: bool,
    /// When.
    pub time: Timestamp,
}

impl LastProof {
    /// What these proofs say together, by their times: a failure stands until a later proof passes at the level that failed, or deeper; otherwise the
    /// deepest level counts, at the last time that it was reached. A proof dated later than `now` says nothing: it would hide what comes after it.
    pub fn of(proofs: &[Event<ProofBody>], now: Timestamp) -> Option<LastProof> {
        let limit = now.saturating_add(CLOCK_TOLERANCE).unwrap_or(now);
        let counts = |proof: &&Event<ProofBody>| proof.body.outcome != Outcome::Unverified && proof.head.time <= limit;
        let mut proofs: Vec<_> = proofs.iter().filter(counts).collect();
        proofs.sort_by_key(|proof| proof.head.time);
        let mut last: Option<LastProof> = None;
        // The deepest level that a failure which still stands was about.
        let mut wanted: Option<Level> = None;
        for proof in proofs {
            let (time, reached) = (proof.head.time, proof.body.reached);
            if proof.body.outcome == Outcome::Failed {
                wanted = wanted.max(Some(proof.body.level));
                last = Some(LastProof { reached, failed: true, time });
                continue;
            }
            last = match last {
                Some(before) if before.failed && reached < wanted => Some(before),
                Some(before) if !before.failed && before.reached > reached => Some(before),
                _ => {
                    wanted = None;
                    Some(LastProof { reached, failed: false, time })
                }
            };
        }
        last
    }
}

impl Repository {
    /// Writes an event about a backup; where signers are trusted, only one that counts.
    pub async fn write_event<T: EventBody>(
        &self,
        about: &ManifestRecord,
        body: T,
        signer: Option<&dyn Signer>,
    ) -> Result<Event<T>> {
        let head = EventHead {
            format: manifest::FORMAT,
            kind: T::KIND.as_str().into(),
            requires: Vec::new(),
            installation: self.marker().installation.clone(),
            repository: self.marker().repository.clone(),
            series: about.manifest.series.clone(),
            id: about.manifest.id.clone(),
            manifest: about.sha256,
            time: Timestamp::now(),
        };
        let event = Event { head, body };
        let (bytes, _) = document::write(T::KIND, &event, signer).await?;
        // What would not count is not written.
        if let Some(trust) = self.trust() {
            let what = format!("this {}", T::KIND);
            let written = Document::parse(&bytes, &what)?;
            written.authenticate(T::KIND, &**trust, event.head.time, &what).map_err(|error| {
                Error::new(error.code(), format!("a {} that the trusted signers do not vouch for does not count", T::KIND))
                    .with_hint(format!(
                        "give a signing key that trusted_signers lists for {}: `backproof keygen --signing --for proof` makes one",
                        T::KIND.namespace()
                    ))
                    .with_source(error)
            })?;
        }
        // An id is a time and 64 random bits: what makes any name unique.
        let unique = BackupId::generate(event.head.time)?;
        let key = format!("catalog/{}/{}.{}-{unique}", event.head.series, event.head.id, T::KIND);
        let written = self.sink().create_or_same(&ObjectKey::new(key)?, bytes.into()).await;
        written.map_err(|error| error.context(format_args!("write a {} of {}", T::KIND, event.head.id)))?;
        Ok(event)
    }

    /// The proofs that count, by backup. Where signers are trusted, only rightly signed ones do; one that cannot be read, or is about
    /// another manifest, never does.
    pub async fn proofs(
        &self,
        series: Option<&Series>,
        manifests: &BTreeMap<BackupId, Sha256>,
    ) -> Result<BTreeMap<BackupId, Vec<Event<ProofBody>>>> {
        let prefix = format!("{}-", DocumentKind::Proof);
        let keys = self.catalog_keys(series).await?.into_iter();
        let keys = keys.filter(|key| key.rest.starts_with(&prefix) && manifests.contains_key(&key.id));
        let reads = keys.map(|key| async move {
            match self.read_event::<ProofBody>(&key).await {
                Err(error) if error.is_transient() || error.is(&codes::ACCESS_DENIED) => Err(error),
                read => Ok(read.ok()),
            }
        });
        let mut found: BTreeMap<BackupId, Vec<_>> = BTreeMap::new();
        let mut reads = futures::stream::iter(reads).buffer_unordered(READS_AT_ONCE);
        while let Some(read) = reads.next().await {
            if let Some((event, authenticity)) = read?
                && authenticity.is_acceptable()
                && manifests.get(&event.head.id) == Some(&event.head.manifest)
            {
                found.entry(event.head.id.clone()).or_default().push(event);
            }
        }
        Ok(found)
    }

    /// Reads an event, and checks that it is about what its name says.
    pub async fn read_event<T: EventBody>(&self, key: &CatalogKey) -> Result<(Event<T>, Authenticity)> {
        let what = format!("{} of {}", key.rest, key.id);
        let object = ObjectKey::new(format!("catalog/{}/{}.{}", key.series, key.id, key.rest))?;
        let bytes = self.sink().read_small(&object, json::MAX_BYTES).await;
        let bytes = bytes.map_err(|error| error.context(format_args!("read {what}")))?;
        let document = Document::parse(&bytes, &what)?;
        let authenticity = self.authenticity(&document, T::KIND, &what);
        super::check_format(document.json(), T::KIND.as_str(), &what)?;
        let event: Event<T> = document.read(&what)?;
        let head = &event.head;
        let here = head.installation == self.marker().installation
            && head.repository == self.marker().repository
            && head.series == key.series
            && head.id == key.id;
        if !here {
            return Err(Error::new(&codes::INVALID_DOCUMENT, format!("{what} is about something else")));
        }
        Ok((event, authenticity))
    }
}
