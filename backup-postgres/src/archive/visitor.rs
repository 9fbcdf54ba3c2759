//! What a parser tells: the [`Visitor`] trait.

use super::entry::{Entry, Header};
use backup_core::Result;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Rows of one table, as COPY's text.
    Rows,
    /// Large objects, one after the other.
    LargeObjects,
}

/// A block of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The entry it belongs to.
    pub id: i32,
    /// What it holds.
    pub kind: BlockKind,
    /// Where it begins in the archive, in bytes: its type byte.
    pub position: u64,
}

/// Is told what an archive holds, in order. An error ends the parsing with that error.
#[allow(unused_variables)]
pub trait Visitor {
    /// The head.
    fn header(&mut self, header: &Header) -> Result<()> {
        Ok(())
    }

    /// An entry of the table of contents.
    fn entry(&mut self, entry: Entry) -> Result<()> {
        Ok(())
    }

    /// The table of contents ended before this position: the first block, if there is one, begins here.
    fn toc_end(&mut self, position: u64) -> Result<()> {
        Ok(())
    }

    /// A block begins.
    fn block_start(&mut self, block: Block) -> Result<()> {
        Ok(())
    }

    /// A large object begins, inside a block of [`BlockKind::LargeObjects`], at this position.
    fn object_start(&mut self, oid: u32, position: u64) -> Result<()> {
        Ok(())
    }

    /// The next bytes of a table or a large object: a slice of what was fed, never copied. `chunk_end` is true for the last
    /// piece of a chunk. Rows usually come as one chunk each; nothing promises it.
    fn data(&mut self, bytes: &[u8], chunk_end: bool) -> Result<()> {
        Ok(())
    }

    /// The large object is complete.
    fn object_end(&mut self) -> Result<()> {
        Ok(())
    }

    /// The block is complete; what follows it begins at this position.
    fn block_end(&mut self, position: u64) -> Result<()> {
        Ok(())
    }
}
