//! The sealed list of everything in a backup: the part `contents`.

use crate::error::{Error, Result, codes};
use serde::Serialize;

/// Writes the lines of `contents`: one JSON object each.
#[derive(Debug, Default)]
pub struct ContentsWriter {
    buffer: Vec<u8>,
}

impl ContentsWriter {
    /// A writer that keeps its lines in memory, for tests of sources.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Adds a line. The value must serialise to a JSON object.
    pub async fn line(&mut self, value: &(impl Serialize + Sync)) -> Result<()> {
        serde_json::to_writer(&mut self.buffer, value)
            .map_err(|error| Error::new(&codes::INVALID_ARGUMENT, "write contents").with_source(error))?;
        self.buffer.push(b'\n');
        Ok(())
    }
}
