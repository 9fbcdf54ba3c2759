//! Where a restore goes: the [`Target`] trait.

use crate::error::Result;
use crate::monitor::Monitor;
use crate::names::PartName;
use crate::pipeline::read::PartStream;
use crate::repository::contents::Contents;
use crate::repository::manifest::Manifest;
use async_trait::async_trait;
use serde::Serialize;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// A backup that can be read: what a [`Target`] restores from.
#[async_trait]
pub trait Restorable: Send + Sync {
    /// The backup's manifest.
    fn manifest(&self) -> &Manifest;

    /// Whether its signature was checked and trusted.
    fn is_authentic(&self) -> bool;

    /// Opens a part from its start; may be called several times. Every byte given was checked first.
    async fn open(&self, part: &PartName) -> Result<PartStream>;

    /// The bytes of a part from one position to another (not included). Reads no more of a stored backup than the segments that hold them.
    async fn open_range(&self, part: &PartName, range: Range<u64>) -> Result<PartStream> {
        let length = range.end.saturating_sub(range.start);
        Ok(self.open(part).await?.slice(range.start, length))
    }

    /// Reads the sealed `contents` again, and gives each line that the source wrote there.
    async fn contents(&self, line: &mut (dyn for<'a> FnMut(&'a [u8]) -> Result<()> + Send)) -> Result<Contents>;
}

/// What a restore would do.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RestorePlan {
    /// Where it goes, for people; without secrets.
    pub target: String,
    /// What will be done, in order, one line each.
    pub steps: Vec<String>,
    /// What the user should know before starting.
    pub warnings: Vec<String>,
    /// What makes the restore impossible as asked, each with the way out. Not empty: [`Target::restore`] refuses.
    pub obstacles: Vec<String>,
}

/// What a restore did.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RestoreReport {
    /// Where it went, for people; without secrets.
    pub target: String,
    /// Bytes of plaintext that were read.
    pub bytes: u64,
    /// What needs attention although the restore succeeded.
    pub warnings: Vec<String>,
}

/// Something that a backup can be restored into.
///
/// # Contract
/// - [`plan`](Target::plan) changes nothing.
/// - [`restore`](Target::restore) makes the same checks, refuses when there are obstacles, and returns `Ok` only when
///   everything was restored without error and each stream was read to its checked end.
/// - What exists is never overwritten. A failed restore says what it left behind, or removes it.
/// - Dropping a future leaves no process.
#[async_trait]
pub trait Target: Debug + Send + Sync {
    /// What a restore of this backup would do.
    async fn plan(&self, backup: &dyn Restorable) -> Result<RestorePlan>;

    /// Restores it.
    async fn restore(&self, backup: &dyn Restorable, monitor: Arc<dyn Monitor>) -> Result<RestoreReport>;
}
