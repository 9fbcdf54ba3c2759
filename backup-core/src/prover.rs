//! What the deeper levels of verification mean for a source.

use crate::error::Result;
use crate::names::PartName;
use std::fmt::Debug;

/// Knows how to check the data of one kind of source.
pub trait Prover: Debug + Send + Sync {
    /// Whether it knows backups of this kind ([`SourceInfo::kind`](crate::source::SourceInfo::kind)).
    fn knows(&self, kind: &str) -> bool;

    /// The parts that a backup of such a kind must have.
    fn required_parts(&self) -> Vec<PartName> {
        Vec::new()
    }

    /// An observer for a part, or `None` when the bytes of this part have no structure to check.
    fn observer(&self, part: &PartName) -> Option<Box<dyn PartObserver>>;
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
