//! The snapshot of a source with one part.

use crate::error::Result;
use crate::names::PartName;
use crate::source::{LeftOut, PartReader, Snapshot, SourceInfo};
use async_trait::async_trait;

/// The name of the one part, unless another is given.
pub(super) fn default_part() -> PartName {
    PartName::from_static("data")
}

/// One part, and nothing to hold beyond it.
pub(super) struct OnePart {
    pub(super) info: SourceInfo,
    pub(super) part: Option<Box<dyn PartReader>>,
}

#[async_trait]
impl Snapshot for OnePart {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    async fn next_part(&mut self) -> Result<Option<Box<dyn PartReader>>> {
        Ok(self.part.take())
    }

    fn left_out(&self) -> Vec<LeftOut> {
        Vec::new()
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
