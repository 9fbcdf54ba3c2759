//! The blocks of data (`_readBlockHeader`, `_PrintData`, `_LoadLOs`).

use super::parser::{Parser, Step};
use super::values::int;
use super::visitor::{Block, BlockKind, Visitor};
use backup_core::Result;

impl<V: Visitor> Parser<V> {
    /// Chunks that are here as a whole, one after the other: most are, one for each row.
    pub(super) fn whole_chunks(&mut self, bytes: &mut &[u8]) -> Result<()> {
        if self.have > 0 {
            return Ok(());
        }
        while let Some((&[0, a, b, c, d], rest)) = bytes.split_first_chunk::<5>() {
            let length = u32::from_le_bytes([a, b, c, d]) as usize;
            // An end, or a length that is none, is for the one who reads them byte by byte.
            if length == 0 || length > i32::MAX as usize {
                break;
            }
            let Some((chunk, rest)) = rest.split_at_checked(length) else { break };
            self.position += 5 + length as u64;
            self.visitor.data(chunk, true)?;
            *bytes = rest;
        }
        Ok(())
    }

    /// `_readBlockHeader`.
    pub(super) fn block_start(&mut self, raw: [u8; 11]) -> Result<()> {
        let kind = match raw[0] {
            1 => BlockKind::Rows,
            3 => BlockKind::LargeObjects,
            other => return Err(self.invalid(format!("a block is of the unknown type {other}"))),
        };
        let id = match int(&raw[1..6]) {
            Some(id) => id,
            None => return Err(self.invalid("a number has no proper sign")),
        };
        let Some(expected) = self.expected.pop_front() else {
            return Err(self.invalid("there is more data than its table of contents says"));
        };
        if id != i64::from(expected) {
            return Err(self.invalid(format!("the data of entry {id} comes where that of {expected} should")));
        }
        self.visitor.block_start(Block { id: expected, kind, position: self.position - 6 })?;
        self.in_objects = kind == BlockKind::LargeObjects;
        self.step = if self.in_objects { Step::ObjectOid } else { Step::ChunkLength };
        Ok(())
    }

    /// A length of 0: the end of a table's data or of one large object.
    pub(super) fn chunks_end(&mut self) -> Result<()> {
        if self.in_objects {
            self.visitor.object_end()?;
            self.step = Step::ObjectOid;
            Ok(())
        } else {
            self.block_end()
        }
    }

    pub(super) fn block_end(&mut self) -> Result<()> {
        self.blocks += 1;
        self.visitor.block_end(self.position)?;
        self.step = Step::BlockStart;
        Ok(())
    }
}
