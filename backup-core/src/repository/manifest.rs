//! The manifest: the commit of a backup, and all that may be known of it without a key.

use super::document::Document;
use super::layout::BackupFolder;
use crate::cipher::{RecipientName, Scheme};
use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::id::BackupId;
use crate::names::{Label, PartName, Series};
use crate::pipeline::budget::MIB;
use crate::source::SourceInfo;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The number of the repository format that this version writes.
pub const FORMAT: u32 = 1;

/// A backup's manifest. A backup exists exactly when its manifest does.
///
/// All times are UTC, all sizes are bytes. Unknown fields are ignored when reading, unknown entries of
/// [`requires`](Manifest::requires) are not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Manifest {
    /// The repository format, 1.
    pub format: u32,
    /// `manifest`: what this document is.
    pub kind: String,
    /// What a reader must understand beyond the format; anything unknown here is refused.
    pub requires: Vec<String>,
    /// The installation whose backup this is; shared by all copies of a repository.
    pub installation: String,
    /// The backup's series.
    pub series: Series,
    /// The backup's id.
    pub id: BackupId,
    /// The backup's label.
    pub label: Label,
    /// What was backed up, with the time of its snapshot by the server's clock.
    pub source: SourceInfo,
    /// When the backup began, by the writer's clock.
    pub started: Timestamp,
    /// When its last object was confirmed, by the writer's clock.
    pub finished: Timestamp,
    /// What wrote it, e.g. `backproof 0.1.0`.
    pub writer: String,
    /// How plaintext became segments.
    pub segments: SegmentFormat,
    /// How segments are encrypted and who can open them.
    pub encryption: Encryption,
    /// The parts, in the order of writing; `contents` is the last.
    pub parts: Vec<PartEntry>,
    /// SHA-256 of the folder's SHA256SUMS, which binds RESTORE.md, the key files and every part's SHA256SUMS.
    pub sha256sums: Sha256,
    /// How many things could not be captured; their names are in the sealed `contents`.
    pub left_out: u64,
    /// The manifest before this one in the series; null for the first, and where it could not be read.
    pub previous: Option<Previous>,
}

/// How plaintext became segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SegmentFormat {
    /// Bytes of plaintext in every segment but the last of a part.
    pub bytes: u64,
    /// `zstd`, or `none`.
    pub compression: Compression,
}

/// How segments are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// One zstd frame per segment, with content size and checksum.
    Zstd,
    /// Not at all.
    None,
}

/// How segments are encrypted and who can open them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Encryption {
    /// The scheme of the segments.
    pub scheme: Scheme,
    /// SHA-256 of `backproof-key-1`, 0, the id, 0, the secret line: what an opened key must match. Null without encryption.
    pub key_commitment: Option<Sha256>,
    /// The key files, in the order they were written.
    pub key_files: Vec<KeyFileEntry>,
}

/// A key file, under `keys/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyFileEntry {
    /// Its name, e.g. `0001.age`.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, checked before any identity touches it.
    pub sha256: Sha256,
    /// Whom it is sealed to.
    pub recipients: Vec<RecipientName>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PartEntry {
    /// The part's name.
    pub name: String,
    /// How many segments it has: at least one.
    pub segments: u64,
    /// Bytes of plaintext in all segments together.
    pub plain_bytes: u64,
    /// Bytes of all segments as stored.
    pub stored_bytes: u64,
    /// The segments' endings, with the dot, e.g. `.zst.age`.
    pub ending: String,
}

/// The manifest before this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Previous {
    /// Its id.
    pub id: BackupId,
    /// SHA-256 of its JSON: the one in its own `sha256` line.
    pub sha256: Sha256,
}

impl Manifest {
    /// Reads a manifest and checks that it is one, of the backup it was found as, and consistent in itself.
    ///
    /// The signature is not looked at here.
    pub fn read(document: &Document, installation: &str, series: &Series, id: &BackupId) -> Result<Self> {
        let what = format!("the manifest of {id}");
        super::check_format(document.json(), "manifest", &what)?;
        let manifest: Manifest = document.read(&what)?;
        let wrong = |reason: String| Err(Error::new(&codes::INVALID_DOCUMENT, format!("{what} {reason}")));
        if manifest.installation != installation {
            return wrong(format!("is of installation {}, not {installation}", manifest.installation));
        }
        if manifest.series != *series || manifest.id != *id {
            return wrong(format!("is that of {} in series {}", manifest.id, manifest.series));
        }
        if manifest.source.snapshot.as_second() != id.time().as_second() {
            return wrong("has another time of snapshot than its id".into());
        }
        match manifest.inconsistency() {
            Some(reason) => wrong(reason),
            None => Ok(manifest),
        }
    }

    /// What is wrong with the numbers and names, if anything.
    fn inconsistency(&self) -> Option<String> {
        let segment = self.segments.bytes;
        if !(MIB..=256 * MIB).contains(&segment) {
            return Some(format!("has segments of {segment} bytes"));
        }
        let ending = self.segments.compression.ending().to_owned() + &dotted(self.encryption.scheme.ending());
        let mut names = std::collections::HashSet::new();
        for part in &self.parts {
            if PartName::from_manifest(&part.name).is_err() || !names.insert(&part.name) {
                return Some(format!("has a part {:?} that cannot be", part.name));
            }
            if part.segments != part.plain_bytes.div_ceil(segment).max(1) {
                return Some(format!(
                    "counts {} segments for {} bytes of {}",
                    part.segments, part.plain_bytes, part.name
                ));
            }
            if part.ending != ending {
                return Some(format!("gives segments of {} the ending {:?}", part.name, part.ending));
            }
        }
        if self.parts.last().is_none_or(|part| part.name != "contents") {
            return Some("does not end its parts with contents".into());
        }
        let encrypted = self.encryption.scheme != Scheme::None;
        if encrypted != self.encryption.key_commitment.is_some() || encrypted == self.encryption.key_files.is_empty() {
            return Some("does not have the key files that its encryption needs".into());
        }
        let mut files = std::collections::HashSet::new();
        for file in &self.encryption.key_files {
            let valid = file.name.split_once('.').is_some_and(|(stem, ending)| {
                !stem.is_empty()
                    && stem.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                    && matches!(ending, "age" | "gpg")
            });
            if !valid || !files.insert(&file.name) {
                return Some(format!("has a key file {:?} that cannot be", file.name));
            }
        }
        None
    }

    /// A part by its name.
    pub fn part(&self, name: &PartName) -> Result<&PartEntry> {
        self.parts.iter().find(|part| part.name == name.as_str()).ok_or_else(|| {
            Error::new(&codes::PART_NOT_FOUND, format!("backup {} has no part {name}", self.id)).with_hint(format!(
                "its parts are: {}",
                self.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(", ")
            ))
        })
    }

    /// Bytes of plaintext in all parts.
    pub fn plain_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.plain_bytes).fold(0, u64::saturating_add)
    }

    /// Bytes of all segments as stored.
    pub fn stored_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.stored_bytes).fold(0, u64::saturating_add)
    }

    /// The backup's folder.
    pub fn folder(&self) -> BackupFolder {
        BackupFolder::new(&self.series, &self.label, &self.id)
    }
}

impl Compression {
    /// What it adds to the names of segments, with the dot.
    pub fn ending(self) -> &'static str {
        match self {
            Compression::Zstd => ".zst",
            Compression::None => "",
        }
    }
}

/// An ending with its dot, or nothing.
pub(crate) fn dotted(ending: &str) -> String {
    if ending.is_empty() { String::new() } else { format!(".{ending}") }
}
