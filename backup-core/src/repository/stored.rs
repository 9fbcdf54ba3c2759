//! A backup as it is stored: everything its manifest binds, checked from the manifest downwards.

use super::catalog::ManifestRecord;
use super::contents::Contents;
use super::layout::{self, BackupFolder};
use super::manifest::{KeyFileEntry, Manifest};
use super::sums::{self, Sum};
use super::{Repository, json};
use crate::cipher::{Cipher, KeyFile, KeyOpener, Plain, Scheme};
use crate::digest::{Blake3, Sha256};
use crate::error::{Error, Result, codes};
use crate::key::ObjectKey;
use crate::monitor::Monitor;
use crate::names::PartName;
use crate::pipeline::PipelineOptions;
use crate::pipeline::read::{PartStream, SegmentReader, StoredSegment};
use crate::sink::SinkExt;
use crate::target::Restorable;
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// A part's SHA256SUMS is read up to this size, whatever a manifest says: that of 24 TB in segments of 16 MiB.
const MAX_PART_SUMS: u64 = 192 << 20;

/// A backup whose lists of digests were read and agree with its manifest.
#[derive(Clone, Debug)]
pub struct StoredBackup {
    repository: Repository,
    record: ManifestRecord,
    folder: BackupFolder,
    /// The folder's SHA256SUMS.
    sums_bytes: u64,
    files: BTreeMap<String, Sum>,
    /// Each part's SHA256SUMS as stored: it is read again line by line wherever it is needed.
    parts: BTreeMap<PartName, Bytes>,
}

/// An object that a backup must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedObject {
    /// Its key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Sha256,
}

impl Repository {
    /// Reads a backup's lists of digests and checks them against its manifest.
    pub async fn stored(&self, record: ManifestRecord) -> Result<StoredBackup> {
        let manifest = &record.manifest;
        let folder = manifest.folder();
        let bytes = self.read_bound(&folder.file(layout::SUMS)?, json::MAX_BYTES, manifest.sha256sums).await?;
        let mut files = BTreeMap::new();
        let invalid =
            |reason: String| Error::new(&codes::INVALID_DOCUMENT, format!("SHA256SUMS of {} {reason}", manifest.id));
        for sum in sums::read(&bytes, layout::SUMS) {
            let sum = sum?;
            if let Some(twice) = files.insert(sum.name.clone(), sum) {
                return Err(invalid(format!("lists {} twice", twice.name)));
            }
        }
        let listed = |name: &str| files.get(name).ok_or_else(|| invalid(format!("does not list {name}")));
        listed(layout::RESTORE)?;
        for file in &manifest.encryption.key_files {
            let sum = listed(&format!("keys/{}", file.name))?;
            if (sum.bytes, sum.sha256) != (file.bytes, file.sha256) {
                return Err(invalid(format!("has another {} than the manifest", file.name)));
            }
        }
        // Its names become keys, so it may have those that the manifest calls for and no others.
        if files.len() != 1 + manifest.encryption.key_files.len() + manifest.parts.len() {
            return Err(invalid("lists something that the manifest does not call for".into()));
        }
        let mut parts = BTreeMap::new();
        for part in &manifest.parts {
            let name = PartName::from_manifest(&part.name)?;
            let sum = listed(&format!("{name}/{}", layout::SUMS))?;
            let limit = sum.bytes.min(MAX_PART_SUMS);
            let bytes = self.read_bound(&folder.part_sums(&name)?, limit, sum.sha256).await?;
            let (mut count, mut stored) = (0, 0u64);
            for sum in sums::read(&bytes, &part.name) {
                let sum = sum?;
                if sum.name != layout::segment_name(count, &part.ending) {
                    return Err(invalid(format!("has {:?} where segment {count} of {name} should be", sum.name)));
                }
                count += 1;
                stored = stored.saturating_add(sum.bytes);
            }
            if (count, stored) != (part.segments, part.stored_bytes) {
                return Err(invalid(format!("does not count the segments of {name} as the manifest does")));
            }
            parts.insert(name, bytes);
        }
        let sums_bytes = bytes.len() as u64;
        Ok(StoredBackup { repository: self.clone(), record, folder, sums_bytes, files, parts })
    }

    /// Reads an object whose digest is known.
    async fn read_bound(&self, key: &ObjectKey, limit: u64, sha256: Sha256) -> Result<Bytes> {
        let bytes = self.sink().read_small(key, limit).await.map_err(|error| {
            if error.is(&codes::OBJECT_NOT_FOUND) {
                Error::new(&codes::SEGMENT_DAMAGED, format!("{key} is missing")).with_source(error)
            } else {
                error.context(format_args!("read {key}"))
            }
        })?;
        if Sha256::of(&bytes) == sha256 {
            Ok(bytes)
        } else {
            Err(Error::new(&codes::SEGMENT_DAMAGED, format!("{key} does not have the recorded SHA-256")))
        }
    }
}

impl StoredBackup {
    /// Its manifest, and what is known of its writer.
    pub fn record(&self) -> &ManifestRecord {
        &self.record
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.record.manifest
    }

    /// Its folder.
    pub fn folder(&self) -> &BackupFolder {
        &self.folder
    }

    /// Every object it must have, but for the manifest.
    pub fn objects(&self) -> impl Iterator<Item = Result<ExpectedObject>> + '_ {
        let sums = self.folder.file(layout::SUMS).map(|key| ExpectedObject {
            key,
            bytes: self.sums_bytes,
            sha256: self.record.manifest.sha256sums,
        });
        let files = self
            .files
            .values()
            .map(|sum| Ok(ExpectedObject { key: self.folder.file(&sum.name)?, bytes: sum.bytes, sha256: sum.sha256 }));
        let segments = self.parts.iter().flat_map(move |(part, bytes)| {
            sums::read(bytes, "a part's SHA256SUMS").map(move |sum| {
                let sum = sum?;
                let key = self.folder.file(&format!("{part}/{}", sum.name))?;
                Ok(ExpectedObject { key, bytes: sum.bytes, sha256: sum.sha256 })
            })
        });
        std::iter::once(sums).chain(files).chain(segments)
    }

    /// Reads a key file and checks it against the manifest.
    pub async fn key_file(&self, entry: &KeyFileEntry) -> Result<KeyFile> {
        let key = self.folder.key_file(&entry.name)?;
        let bytes = self.repository.read_bound(&key, json::MAX_BYTES, entry.sha256).await?;
        let ending = entry.name.split_once('.').map_or("", |(_, ending)| ending);
        Ok(KeyFile { ending: ending.into(), recipients: entry.recipients.clone(), bytes: bytes.to_vec() })
    }

    /// Reads RESTORE.md and checks it.
    pub async fn restore_md(&self) -> Result<Bytes> {
        let sum = &self.files[layout::RESTORE];
        self.repository.read_bound(&self.folder.file(layout::RESTORE)?, json::MAX_BYTES, sum.sha256).await
    }

    /// Opens the backup's key, and reads its `contents`.
    pub async fn unseal(
        self,
        opener: Option<&dyn KeyOpener>,
        options: &PipelineOptions,
        monitor: Arc<dyn Monitor>,
    ) -> Result<OpenBackup> {
        let cipher = self.open_key(opener).await?;
        let segments = &self.manifest().segments;
        let sink = self.repository.sink().clone();
        let reader = SegmentReader::new(sink, options, segments.bytes, segments.compression, monitor)?;
        let mut backup = OpenBackup { stored: self, reader, cipher, contents: Contents::default() };
        let id = backup.manifest().id.clone();
        let contents = backup.stream(&PartName::contents())?;
        backup.contents = Contents::read(contents, &id).await?;
        backup.check_contents()?;
        Ok(backup)
    }

    async fn open_key(&self, opener: Option<&dyn KeyOpener>) -> Result<Arc<dyn Cipher>> {
        let manifest = self.manifest();
        let encryption = &manifest.encryption;
        let commitment = match (encryption.scheme, encryption.key_commitment) {
            (Scheme::None, _) => return Ok(Arc::new(Plain)),
            (_, Some(commitment)) => commitment,
            (_, None) => return Err(Error::new(&codes::INVALID_DOCUMENT, "the manifest has no commitment to its key")),
        };
        let opener = opener.ok_or_else(|| {
            Error::new(
                &codes::IDENTITY_REQUIRED,
                format!("backup {} is encrypted, and no identity was given", manifest.id),
            )
        })?;
        let mut files = Vec::new();
        let mut damaged = None;
        for entry in &encryption.key_files {
            match self.key_file(entry).await {
                Ok(file) => files.push(file),
                Err(error) => damaged = Some(error),
            }
        }
        // One damaged key file takes nothing from the holders of another.
        if files.is_empty()
            && let Some(error) = damaged
        {
            return Err(error);
        }
        match (opener.open_key(&manifest.id, encryption.scheme, &files, commitment).await, damaged) {
            // It may have been the damaged one that this identity opens.
            (Err(error), Some(damaged)) if error.is(&codes::WRONG_IDENTITY) => Err(error.with_source(damaged)),
            (opened, _) => opened,
        }
    }

    /// The segments of a part as they are stored, with the digests of their plaintext where those are known.
    fn segments(
        &self,
        name: &PartName,
        hashes: Option<Vec<(u64, Blake3)>>,
    ) -> Result<impl Iterator<Item = Result<StoredSegment>> + Send + 'static> {
        let part = self.manifest().part(name)?;
        let (segment, total, count) = (self.manifest().segments.bytes, part.plain_bytes, part.segments);
        let (folder, name) = (self.folder.clone(), name.clone());
        let lines = self.parts[&name].clone();
        let mut position = 0;
        let mut number = 0;
        Ok(std::iter::from_fn(move || {
            if number >= count {
                return None;
            }
            // One line at a time, so that nothing borrows from the list.
            let (sum, read) = sums::first(&lines[position..], "a part's SHA256SUMS");
            position += read;
            let start = number.saturating_mul(segment);
            let plain_hash = hashes.as_ref().and_then(|hashes| hashes.get(number as usize)).map(|(_, hash)| *hash);
            number += 1;
            Some(sum.and_then(|sum| {
                Ok(StoredSegment {
                    key: folder.file(&format!("{name}/{}", sum.name))?,
                    stored_bytes: sum.bytes,
                    stored_hash: sum.sha256,
                    plain_bytes: segment.min(total.saturating_sub(start)),
                    plain_hash,
                })
            }))
        }))
    }

    /// Fetches every segment and compares size and SHA-256; needs no key. Gives everything that is wrong.
    pub async fn check_segments(&self, options: &PipelineOptions, monitor: Arc<dyn Monitor>) -> Result<Vec<Error>> {
        let segments = &self.manifest().segments;
        let sink = self.repository.sink().clone();
        let reader = SegmentReader::new(sink, options, segments.bytes, segments.compression, monitor)?;
        let mut wrong = Vec::new();
        for name in self.parts.keys() {
            wrong.extend(reader.check_stored(self.segments(name, None)?).await);
        }
        Ok(wrong)
    }
}

/// A backup whose key was opened: its parts can be read.
#[derive(Clone)]
pub struct OpenBackup {
    stored: StoredBackup,
    reader: SegmentReader,
    cipher: Arc<dyn Cipher>,
    contents: Contents,
}

impl std::fmt::Debug for OpenBackup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenBackup({})", self.stored.manifest().id)
    }
}

impl OpenBackup {
    /// The backup as it is stored.
    pub fn stored(&self) -> &StoredBackup {
        &self.stored
    }

    /// What its sealed `contents` say.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The plaintext of a part, in order, checked piece by piece.
    pub fn stream(&self, part: &PartName) -> Result<PartStream> {
        let hashes = self.contents.segments.get(part).cloned();
        let compression = self.manifest().segments.compression;
        Ok(self.reader.open(self.stored.segments(part, hashes)?, compression, self.cipher.clone()))
    }

    /// The bytes of a part from one position to another (not included), in order, checked piece by piece. Only the segments that hold
    /// them are read.
    pub fn stream_range(&self, part: &PartName, range: Range<u64>) -> Result<PartStream> {
        let hashes = self.contents.segments.get(part).cloned();
        let manifest = self.manifest();
        let (segment, bytes) = (manifest.segments.bytes, manifest.part(part)?.plain_bytes);
        if range.start > range.end || range.end > bytes {
            let what = format!(
                "part {part} has {bytes} bytes, and those from {} to {} were asked for",
                range.start, range.end
            );
            return Err(Error::new(&codes::INVALID_ARGUMENT, what));
        }
        let (first, last) = (range.start / segment, range.end.div_ceil(segment));
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let segments = self.stored.segments(part, hashes)?.take(place(last)).skip(place(first));
        let stream = self.reader.open(segments, manifest.segments.compression, self.cipher.clone());
        Ok(stream.slice(range.start - first * segment, range.end - range.start))
    }

    /// Whether `contents` has exactly the segments that the manifest counts.
    fn check_contents(&self) -> Result<()> {
        let manifest = self.manifest();
        let wrong = |what: String| Error::new(&codes::INVALID_DOCUMENT, format!("contents of {} {what}", manifest.id));
        let mut known = self.contents.segments.len();
        for part in manifest.parts.iter().filter(|part| part.name != PartName::contents().as_str()) {
            let segments = self.contents.segments.get(&PartName::new(&part.name)?);
            let segments = segments.ok_or_else(|| wrong(format!("do not know the part {}", part.name)))?;
            let bytes = segments.iter().map(|(bytes, _)| *bytes).fold(0, u64::saturating_add);
            if segments.len() as u64 != part.segments || bytes != part.plain_bytes {
                return Err(wrong(format!("count other segments of {} than the manifest", part.name)));
            }
            known -= 1;
        }
        if known > 0 {
            return Err(wrong("know a part that the manifest does not".into()));
        }
        if self.contents.left_out.len() as u64 != manifest.left_out {
            return Err(wrong("name more or fewer things left out than the manifest counts".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl Restorable for OpenBackup {
    fn manifest(&self) -> &Manifest {
        self.stored.manifest()
    }

    fn is_authentic(&self) -> bool {
        matches!(self.stored.record.authenticity, super::catalog::Authenticity::Trusted(_))
    }

    async fn open(&self, part: &PartName) -> Result<PartStream> {
        self.stream(part)
    }

    async fn open_range(&self, part: &PartName, range: Range<u64>) -> Result<PartStream> {
        self.stream_range(part, range)
    }

    async fn contents(&self, line: &mut (dyn for<'a> FnMut(&'a [u8]) -> Result<()> + Send)) -> Result<Contents> {
        Contents::read_with(self.stream(&PartName::contents())?, &self.manifest().id, line).await
    }
}
