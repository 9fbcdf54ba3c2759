//! Where backups come from: the [`Source`] trait.

use crate::error::Result;
use crate::monitor::Monitor;
use crate::names::PartName;
use crate::repository::contents::ContentsWriter;
use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// What a source says of itself when its snapshot is taken. Goes into the manifest, in clear: nothing here is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SourceInfo {
    /// The kind, e.g. `postgresql-dump`, `command`, `stream`, `file`. Readers choose how to check and restore by it.
    pub kind: String,
    /// When the snapshot was taken, by the source's own clock where it has one.
    pub snapshot: Timestamp,
    /// Versions of what made the backup and of what it is of, e.g. `server` → `15.18`.
    pub versions: BTreeMap<String, String>,
    /// What RESTORE.md needs to know beyond that, e.g. `encoding` → `UTF8`, `extensions` → `citext 1.6, hstore 1.8`.
    pub facts: BTreeMap<String, String>,
}

impl SourceInfo {
    /// A source of this kind, with its snapshot taken at this time.
    pub fn new(kind: impl Into<String>, snapshot: Timestamp) -> Self {
        SourceInfo { kind: kind.into(), snapshot, versions: BTreeMap::new(), facts: BTreeMap::new() }
    }
}

/// Something that should have been in the backup and is not, by name. Sealed in `contents`; the manifest has the count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// What kind of object, e.g. `table`.
    pub kind: String,
    /// Its name, e.g. `public.orders`.
    pub name: String,
    /// Why, and what would help.
    pub reason: String,
}

/// Something that can be backed up.
///
/// # Contract
/// - [`open`](Source::open) takes a consistent snapshot; all parts are of that one state.
/// - What the source cannot give is an error, or, when the user asked to skip it, named in [`Snapshot::left_out`]: never
///   silently absent.
/// - Dropping the source, its snapshot, a part or any of their futures frees everything: no process, connection or file stays.
/// - Nothing secret appears in `Debug`, errors or [`SourceInfo`].
///
/// `testing::source_conformance` (feature `testing`) checks what can be checked of every source.
#[async_trait]
pub trait Source: Debug + Send + Sync {
    /// The kind, as [`SourceInfo::kind`].
    fn kind(&self) -> &str;

    /// Checks that a backup can be made, takes the snapshot, and holds it.
    async fn open(&self, monitor: Arc<dyn Monitor>) -> Result<Box<dyn Snapshot>>;
}

/// One consistent state of a source, given part by part.
#[async_trait]
pub trait Snapshot: Send {
    /// What is being backed up.
    fn info(&self) -> &SourceInfo;

    /// The next part, or `None` after the last. Called again only after the part before was finished.
    async fn next_part(&mut self) -> Result<Option<Box<dyn PartReader>>>;

    /// What is not in the backup although it should be, by name. Called after the last part.
    fn left_out(&self) -> Vec<LeftOut>;

    /// What to do with the opened parts to restore them with stock tools: Markdown for RESTORE.md. Its `sh` blocks are bash;
    /// `open_part NAME` writes a part to its standard output. Must name no more than RESTORE.md may (versions, extensions).
    fn restore_steps(&self) -> String {
        "Write each part to a file:\n\n```\nopen_part NAME > NAME\n```".into()
    }

    /// Ends the snapshot. An error here fails the backup.
    async fn finish(self: Box<Self>) -> Result<()>;
}

/// One byte stream of a snapshot.
///
/// # Contract
/// - [`fill`](PartReader::fill) appends to `buf` until its length is its capacity, or until the stream ends: a buffer that comes
///   back not full means that the end was reached. It never reallocates the buffer. After the end, it appends nothing.
/// - The end of the stream proves nothing: only [`finish`](PartReader::finish) says that the source ended well (exit status 0,
///   complete archive). A part that was not finished is not complete.
#[async_trait]
pub trait PartReader: Send {
    /// The part's name.
    fn name(&self) -> PartName;

    /// About how many bytes will come, if known: for progress only.
    fn size_hint(&self) -> Option<u64> {
        None
    }

    /// Fills the buffer.
    async fn fill(&mut self, buf: &mut Vec<u8>) -> Result<()>;

    /// Checks that all went well, after the end; may note what it saw in the backup's sealed contents.
    async fn finish(self: Box<Self>, contents: &mut ContentsWriter) -> Result<()>;
}
