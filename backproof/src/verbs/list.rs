//! `list`: the catalog.

use crate::Backproof;
use backup_core::Result;
use backup_core::cipher::Scheme;
use backup_core::id::BackupId;
use backup_core::names::{Label, Series};
use backup_core::repository::catalog::{Authenticity, CLOCK_TOLERANCE, Catalog, Entry, Missing, Replaced};
use backup_core::repository::event::LastProof;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What [`list`](Backproof::list) takes: nothing. The settings say of which series and label.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ListOptions {}

/// The backups of a repository.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ListResult {
    /// The repository.
    pub repository: String,
    /// The backups, by series and age, the oldest first.
    pub backups: Vec<ListedBackup>,
    /// Backups that later ones name as the one before them, and that are gone.
    pub missing: Vec<Missing>,
    /// Backups whose manifest was replaced since a later one named it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Replaced>,
    /// What needs attention.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// When it was listed, by the store's clock where that is known.
    #[serde(skip)]
    pub now: Timestamp,
}

/// A backup in the list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ListedBackup {
    /// Its id.
    pub id: BackupId,
    /// Its series.
    pub series: Series,
    /// Why it cannot be read, or does not count.
    pub problem: Option<String>,
    /// What its manifest says, where that can be read.
    #[serde(flatten)]
    pub manifest: Option<ListedManifest>,
}

/// What the list says of a backup whose manifest can be read.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ListedManifest {
    /// Its label.
    pub label: Label,
    /// What it is of: `postgresql-dump`, `command`, `stream`, `file`.
    pub kind: String,
    /// When its snapshot was taken, by the source's clock.
    pub snapshot: Timestamp,
    /// How old it is, in seconds, by the store's clock where that is known.
    pub age_seconds: i64,
    /// Bytes of data.
    pub plain_bytes: u64,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// How many things could not be captured.
    pub left_out: u64,
    /// How it is encrypted.
    pub encryption: Scheme,
    /// How deeply it was last proven.
    pub last_proof: Option<LastProof>,
    /// Whether a wrong clock dated it.
    pub dated_ahead: bool,
}

impl ListResult {
    /// The program's exit status: 1 with warnings, 2 where a backup is gone or was replaced.
    pub fn exit_code(&self) -> u8 {
        match self.missing.is_empty() && self.replaced.is_empty() {
            true => u8::from(!self.warnings.is_empty()),
            false => 2,
        }
    }
}

impl Backproof {
    /// Lists the backups.
    pub async fn list(&self, _options: &ListOptions) -> Result<ListResult> {
        self.unless_cancelled(Box::pin(self.listed())).await
    }

    async fn listed(&self) -> Result<ListResult> {
        let settings = self.settings();
        let repository = self.repository().await?;
        let catalog = repository.catalog(settings.series.as_ref()).await?;
        let proofs = repository.last_proofs(&catalog).await?;
        let recorder = self.recorder();
        let mut backups = Vec::new();
        for entry in catalog.entries() {
            if let (Ok(record), Some(label)) = (&entry.record, &settings.label)
                && record.manifest.label != *label
            {
                continue;
            }
            let problem = problem(entry);
            if let Some(problem) = &problem {
                recorder.warn(format!("{}: {problem}", entry.id));
            }
            let ahead = dated_ahead(entry, &catalog);
            if let Some(ahead) = &ahead {
                recorder.warn(format!("{ahead} [dated_ahead]"));
            }
            let manifest = entry.record.as_ref().ok().map(|record| ListedManifest {
                label: record.manifest.label.clone(),
                kind: record.manifest.source.kind.clone(),
                snapshot: record.manifest.source.snapshot,
                age_seconds: catalog.now().duration_since(record.taken()).as_secs(),
                plain_bytes: record.manifest.plain_bytes(),
                stored_bytes: record.manifest.stored_bytes(),
                left_out: record.manifest.left_out,
                encryption: record.manifest.encryption.scheme,
                last_proof: proofs.get(&entry.id).copied(),
                dated_ahead: ahead.is_some(),
            });
            backups.push(ListedBackup { id: entry.id.clone(), series: entry.series.clone(), problem, manifest });
        }
        let (missing, replaced) = (catalog.missing(), catalog.replaced());
        for gone in &missing {
            let Missing { series, id, named_by } = gone;
            recorder.warn(format!(
                "backup {id} of series {series} is gone: {named_by} names it as the one before it [backup_missing]"
            ));
        }
        for replaced in &replaced {
            let Replaced { series, id, named_by } = replaced;
            recorder.warn(format!(
                "the manifest of backup {id} of series {series} was replaced since {named_by} named it [manifest_replaced]"
            ));
        }
        let (repository, now) = (repository.sink().location(), catalog.now());
        Ok(ListResult { repository, backups, missing, replaced, warnings: recorder.warnings(), now })
    }
}

fn problem(entry: &Entry) -> Option<String> {
    match &entry.record {
        Err(error) => Some(format!("{} [{}]", error.chain(), error.code())),
        Ok(record) => match &record.authenticity {
            Authenticity::Refused { code, reason } => Some(format!("{reason} [{code}]")),
            _ => None,
        },
    }
}

/// What is wrong with its date, if anything is.
fn dated_ahead(entry: &Entry, catalog: &Catalog) -> Option<String> {
    let record = entry.usable()?;
    let future = record.manifest.source.snapshot.duration_since(catalog.now()) > CLOCK_TOLERANCE;
    record.dated_ahead().or_else(|| future.then(|| format!("{} is dated in the future", entry.id)))
}
