//! What the deeper levels of verification mean for a source.

use crate::error::{Error, Result, codes};
use crate::level::Level;
use crate::monitor::Monitor;
use crate::names::PartName;
use crate::proof::Proof;
use crate::target::Restorable;
use async_trait::async_trait;
use std::fmt::Debug;
use std::sync::Arc;

/// Knows how to check the data of one kind of source.
#[async_trait]
pub trait Prover: Debug + Send + Sync {
    /// Whether it knows backups of this kind ([`SourceInfo::kind`](crate::source::SourceInfo::kind)).
    fn knows(&self, kind: &str) -> bool;

    /// The parts that a backup of such a kind must have.
    fn required_parts(&self) -> Vec<PartName> {
        Vec::new()
    }

    /// An observer for a part, or `None` when the bytes of this part have no structure to check.
    fn observer(&self, part: &PartName) -> Option<Box<dyn PartObserver>>;

    /// Restores the backup into a scratch place of its own, and removes that again; at [`Level::Identical`] also compares what came back
    /// with what was backed up.
    ///
    /// # Contract
    /// What is wrong with the backup is in the proof: an `Err` says that nothing can be said (no program, no space, a server that died),
    /// unless its code names damage. Whatever happens, and when the future is dropped, nothing keeps running and nothing is left behind.
    async fn prove(&self, backup: &dyn Restorable, level: Level, monitor: Arc<dyn Monitor>) -> Result<Proof> {
        let (_, _) = (level, monitor);
        Err(Error::new(
            &codes::INVALID_ARGUMENT,
            format!("nothing here restores backups of kind {} for a proof", backup.manifest().source.kind),
        )
        .with_hint("the deepest level for it is readable"))
    }
}

/// Reads the plaintext of one part as it passes, and judges whether it is whole.
///
/// # Contract
/// Never panics, whatever the bytes; never allocates by a length that it read; keeps its memory bounded.
pub trait PartObserver: Send {
    /// The next bytes. An error means that the part is not what its kind says.
    fn observe(&mut self, bytes: &[u8]) -> Result<()>;

    /// The end of the part: whether it was complete, and what it held, for people (e.g. `42 tables, 3 large objects`).
    fn finish(self: Box<Self>) -> Result<String>;
}
