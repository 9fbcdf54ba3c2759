//! For [`Target`]s: a backup in memory, and the conformance suite for targets that take one part.

use crate::cipher::Scheme;
use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::id::BackupId;
use crate::monitor::Silent;
use crate::names::{Label, PartName, Series};
use crate::pipeline::read::PartStream;
use crate::repository::contents::Contents;
use crate::repository::manifest::{Compression, Encryption, FORMAT, Manifest, PartEntry, SegmentFormat};
use crate::source::{Source, SourceInfo};
use crate::target::{Restorable, Target};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A backup whose parts are in memory.
#[derive(Clone, Debug)]
pub struct MemoryBackup {
    manifest: Manifest,
    parts: BTreeMap<PartName, Vec<u8>>,
    lines: Vec<u8>,
    authentic: bool,
    piece: usize,
    fails_after: Option<usize>,
}

impl MemoryBackup {
    /// A backup of these parts.
    ///
    /// # Panics
    /// When no id can be made.
    pub fn new(source: SourceInfo, parts: impl IntoIterator<Item = (PartName, Vec<u8>)>) -> Self {
        let parts: BTreeMap<PartName, Vec<u8>> = parts.into_iter().collect();
        let entry = |(name, bytes): (&PartName, &Vec<u8>)| PartEntry {
            name: name.to_string(),
            segments: 1,
            plain_bytes: bytes.len() as u64,
            stored_bytes: bytes.len() as u64,
            ending: String::new(),
        };
        let manifest = Manifest {
            format: FORMAT,
            kind: "manifest".into(),
            requires: Vec::new(),
            installation: "memory".into(),
            series: Series::new("memory").expect("a name"),
            id: BackupId::generate(source.snapshot).expect("an id"),
            label: Label::default(),
            started: Timestamp::now(),
            finished: Timestamp::now(),
            writer: "memory".into(),
            segments: SegmentFormat { bytes: 1 << 24, compression: Compression::None },
            encryption: Encryption { scheme: Scheme::None, key_commitment: None, key_files: Vec::new() },
            parts: parts.iter().map(entry).collect(),
            sha256sums: Sha256::of(b""),
            left_out: 0,
            previous: None,
            source,
        };
        MemoryBackup { manifest, parts, lines: Vec::new(), authentic: true, piece: 1 << 20, fails_after: None }
    }

    /// Backs up a source into memory.
    ///
    /// # Panics
    /// When the source fails or breaks its contract.
    pub async fn of(source: &dyn Source) -> Self {
        let info = source.open(Arc::new(Silent)).await.expect("open the source").info().clone();
        let (parts, lines) = super::source::read_source_and_lines(source, 1 << 20).await;
        Self::new(info, parts).with_lines(lines)
    }

    /// Adds the lines that a source wrote to `contents`.
    pub fn with_lines(mut self, lines: Vec<u8>) -> Self {
        self.lines = lines;
        self
    }

    /// Says whether its signature was checked.
    pub fn authentic(mut self, authentic: bool) -> Self {
        self.authentic = authentic;
        self
    }

    /// Gives its parts in pieces of this many bytes.
    pub fn pieces_of(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    /// Gives this many bytes of each part, and then an error, as a damaged segment does.
    pub fn failing_after(mut self, bytes: usize) -> Self {
        self.fails_after = Some(bytes);
        self
    }

    /// The manifest, to be changed.
    pub fn manifest_mut(&mut self) -> &mut Manifest {
        &mut self.manifest
    }

    /// The bytes of a part, to be changed (the manifest's sizes are not).
    ///
    /// # Panics
    /// When there is no such part.
    pub fn part_mut(&mut self, name: &str) -> &mut Vec<u8> {
        self.parts.get_mut(&PartName::new(name).expect("a part's name")).expect("the part is there")
    }
}

#[async_trait]
impl Restorable for MemoryBackup {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn is_authentic(&self) -> bool {
        self.authentic
    }

    async fn open(&self, part: &PartName) -> Result<PartStream> {
        let Some(bytes) = self.parts.get(part) else {
            return Err(Error::new(&codes::PART_NOT_FOUND, format!("there is no part {part}")));
        };
        let given = self.fails_after.unwrap_or(bytes.len()).min(bytes.len());
        let mut pieces: Vec<Result<Bytes>> =
            bytes[..given].chunks(self.piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        if self.fails_after.is_some() {
            pieces.push(Err(Error::new(&codes::SEGMENT_DAMAGED, "a segment is damaged")));
        }
        Ok(PartStream::new(futures::stream::iter(pieces)))
    }

    async fn contents(&self, line: &mut (dyn for<'a> FnMut(&'a [u8]) -> Result<()> + Send)) -> Result<Contents> {
        self.lines.split_inclusive(|byte| *byte == b'\n').try_for_each(line)?;
        Ok(Contents::default())
    }
}

/// Checks a target that takes one part; `make` makes a fresh one again and again, `read` gives what it holds now (`None`:
/// nothing that looks complete).
///
/// # Panics
/// When a check fails.
pub async fn target_conformance<T: Target>(make: impl Fn() -> T, read: impl Fn() -> Option<Vec<u8>>) {
    let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    let backup = |bytes: &[u8]| {
        let info = SourceInfo::new("stream", Timestamp::now());
        MemoryBackup::new(info, [(PartName::new("data").expect("a name"), bytes.to_vec())])
    };
    for bytes in [&bytes[..], b""] {
        let target = make();
        let whole = backup(bytes).pieces_of(70_000);
        let plan = target.plan(&whole).await.expect("plan");
        assert!(plan.obstacles.is_empty() && !plan.steps.is_empty() && !plan.target.is_empty(), "{plan:?}");
        assert_eq!(
            target.plan(&whole).await.expect("plan again").obstacles,
            plan.obstacles,
            "planning changes nothing"
        );
        let report = target.restore(&whole, Arc::new(Silent)).await.expect("restore");
        assert_eq!(report.bytes, bytes.len() as u64);
        assert!(read().expect("something was restored") == bytes, "what was restored is what was backed up");
    }
    let target = make();
    let damaged = target.restore(&backup(&bytes).failing_after(200_000), Arc::new(Silent)).await;
    assert!(
        damaged.expect_err("a damaged backup is not restored").is(&codes::SEGMENT_DAMAGED),
        "the error is the stream's"
    );
    assert_eq!(read(), None, "a failed restore leaves nothing that looks complete");
    let mut cut = backup(&bytes);
    cut.part_mut("data").truncate(1000);
    let target = make();
    target
        .restore(&cut, Arc::new(Silent))
        .await
        .expect_err("a part that is shorter than its manifest says is not restored");
    assert_eq!(read(), None, "a failed restore leaves nothing that looks complete");
    let target = make();
    let mut other = backup(&bytes);
    other.manifest_mut().parts.clear();
    assert!(!target.plan(&other).await.expect("plan").obstacles.is_empty(), "a backup without the part is an obstacle");
    target.restore(&other, Arc::new(Silent)).await.expect_err("obstacles refuse");
}
