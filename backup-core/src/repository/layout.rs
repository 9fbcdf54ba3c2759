//! Where things lie in a repository: every key is built here, from names that were checked.

use crate::error::Result;
use crate::id::BackupId;
use crate::key::ObjectKey;
use crate::names::{Label, PartName, Series};

/// The marker of a repository.
pub const MARKER: &str = "backproof.json";
/// The file of digests in a backup's folder, and in each part's.
pub const SUMS: &str = "SHA256SUMS";
/// The instructions in a backup's folder.
pub const RESTORE: &str = "RESTORE.md";

/// The folder of the catalog of one series.
pub fn catalog_folder(series: &Series) -> String {
    format!("catalog/{series}")
}

/// The key of a backup's manifest.
pub fn manifest(series: &Series, id: &BackupId) -> Result<ObjectKey> {
    ObjectKey::new(format!("catalog/{series}/{id}.manifest"))
}

/// The folder of one backup: `backups/<series>/<label>/<id>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupFolder(String);

impl BackupFolder {
    /// The folder of the backup with these names.
    pub fn new(series: &Series, label: &Label, id: &BackupId) -> Self {
        BackupFolder(format!("backups/{series}/{label}/{id}"))
    }

    /// The folder, without a trailing `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A file in the folder, by its path from there.
    pub fn file(&self, path: &str) -> Result<ObjectKey> {
        ObjectKey::new(format!("{}/{path}", self.0))
    }

    /// A part's SHA256SUMS.
    pub fn part_sums(&self, part: &PartName) -> Result<ObjectKey> {
        self.file(&format!("{part}/{SUMS}"))
    }

    /// A segment of a part.
    pub fn segment(&self, part: &PartName, number: u64, ending: &str) -> Result<ObjectKey> {
        self.file(&format!("{part}/{}", segment_name(number, ending)))
    }

    /// A key file.
    pub fn key_file(&self, name: &str) -> Result<ObjectKey> {
        self.file(&format!("keys/{name}"))
    }
}

/// The name of a segment in its part's folder: eight digits at least, then the ending.
pub fn segment_name(number: u64, ending: &str) -> String {
    format!("{number:08}{ending}")
}

/// An object in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogKey {
    /// The series, from the path.
    pub series: Series,
    /// The backup, from the name.
    pub id: BackupId,
    /// What follows the id and the dot: `manifest`, or an event such as `hold-1f…`.
    pub rest: String,
}

impl CatalogKey {
    /// Takes a key of the catalog apart; `None` when it is not one.
    pub fn parse(key: &ObjectKey) -> Option<Self> {
        let (series, name) = key.as_str().strip_prefix("catalog/")?.split_once('/')?;
        let (id, rest) = name.split_once('.')?;
        if rest.is_empty() || rest.contains('/') {
            return None;
        }
        Some(CatalogKey { series: series.parse().ok()?, id: id.parse().ok()?, rest: rest.to_owned() })
    }

    /// Whether it is a manifest.
    pub fn is_manifest(&self) -> bool {
        self.rest == "manifest"
    }
}
