//! The push parser: bytes in, in any pieces, events out.

use super::entry::{Entry, Header, Version};
use super::toc::{Field, no_entry};
use super::values::Building;
use super::visitor::Visitor;
use crate::error::codes;
use backup_core::error::codes::PART_INVALID;
use backup_core::{Error, Result};
use std::collections::VecDeque;

/// Of a longer string only this many bytes are kept in memory.
pub const KEPT_TEXT: usize = 1 << 20;

/// What the parser waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Magic,
    Compression,
    Date(usize),
    Database,
    ServerVersion,
    DumpVersion,
    Count,
    Entry(Field),
    BlockStart,
    ObjectOid,
    ChunkLength,
    Chunk(u32),
    Failed,
}

/// Reads an archive as it comes, in pieces of any size; copies no data and remembers little of it.
///
/// Memory: the strings of one entry, at most [`KEPT_TEXT`] each, and 4 bytes for each entry whose data is still to come.
#[derive(Debug)]
pub struct Parser<V> {
    pub(super) visitor: V,
    pub(super) step: Step,
    pub(super) position: u64,
    /// Bytes of a number that is being read.
    pub(super) scratch: [u8; 11],
    pub(super) have: usize,
    pub(super) text: Option<Building>,
    pub(super) kept_text: usize,
    pub(super) version: Version,
    pub(super) date: [i32; 7],
    pub(super) header: Header,
    pub(super) entries_left: u32,
    pub(super) entry: Entry,
    /// Entries whose block is still to come, in the order of the table of contents.
    pub(super) expected: VecDeque<i32>,
    pub(super) blocks: usize,
    pub(super) in_objects: bool,
}

impl<V: Visitor> Parser<V> {
    /// A parser that tells this visitor.
    pub fn new(visitor: V) -> Self {
        Self::with_kept_text(visitor, KEPT_TEXT)
    }

    /// A parser that keeps at most this many bytes of each string.
    pub fn with_kept_text(visitor: V, kept_text: usize) -> Self {
        let version = Version { major: 0, minor: 0, revision: 0 };
        Parser {
            visitor,
            step: Step::Magic,
            position: 0,
            scratch: [0; 11],
            have: 0,
            text: None,
            kept_text,
            version,
            date: [0; 7],
            header: Header { version, created: None, database: None, server_version: None, dump_version: None },
            entries_left: 0,
            entry: no_entry(),
            expected: VecDeque::new(),
            blocks: 0,
            in_objects: false,
        }
    }

    /// A parser that begins at the block of this entry, at this position of an archive whose table of contents was read before. It is
    /// finished after exactly this block.
    pub fn at_block(visitor: V, id: i32, position: u64) -> Self {
        Self::at_blocks(visitor, [id], position)
    }

    /// The same for several blocks, one after the other.
    pub fn at_blocks(visitor: V, ids: impl IntoIterator<Item = i32>, position: u64) -> Self {
        let expected = ids.into_iter().collect();
        Parser { step: Step::BlockStart, position, expected, ..Self::new(visitor) }
    }

    /// The visitor.
    pub fn visitor(&self) -> &V {
        &self.visitor
    }

    /// The visitor, to be changed.
    pub fn visitor_mut(&mut self) -> &mut V {
        &mut self.visitor
    }

    /// How many bytes were read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many blocks were complete.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Reads the next bytes. After an error, every call is an error.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let result = self.run(bytes);
        if result.is_err() {
            self.step = Step::Failed;
        }
        result
    }

    /// The end of the archive: whether it was complete.
    pub fn finish(self) -> Result<V> {
        match self.step {
            Step::BlockStart if self.have == 0 && self.expected.is_empty() => Ok(self.visitor),
            Step::BlockStart if self.have == 0 => Err(self.incomplete(format!(
                "it ends after the data of {} of {} entries",
                self.blocks,
                self.blocks + self.expected.len()
            ))),
            Step::Failed => Err(self.invalid("it was not understood")),
            Step::Magic
            | Step::Compression
            | Step::Date(_)
            | Step::Database
            | Step::ServerVersion
            | Step::DumpVersion => Err(self.incomplete("it ends inside its head")),
            Step::Count | Step::Entry(_) => Err(self.incomplete("it ends inside its table of contents")),
            Step::BlockStart | Step::ObjectOid | Step::ChunkLength | Step::Chunk(_) => {
                Err(self.incomplete("it ends inside a block of data"))
            }
        }
    }

    pub(super) fn incomplete(&self, what: impl std::fmt::Display) -> Error {
        Error::new(&PART_INVALID, format!("the archive is incomplete: {what}, at byte {}", self.position))
    }

    pub(super) fn invalid(&self, what: impl std::fmt::Display) -> Error {
        Error::new(&PART_INVALID, format!("not a sound archive: {what}, near byte {}", self.position))
    }

    pub(super) fn unsupported(&self, what: impl std::fmt::Display) -> Error {
        Error::new(&codes::ARCHIVE_UNSUPPORTED, format!("unsupported archive: {what}"))
    }

    fn run(&mut self, mut bytes: &[u8]) -> Result<()> {
        loop {
            match self.step {
                Step::Chunk(left) => {
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    // A chunk is an i32 long, so a length in bytes fits a usize.
                    let (piece, rest) = bytes.split_at(bytes.len().min(left as usize));
                    let left = left - piece.len() as u32;
                    self.position += piece.len() as u64;
                    bytes = rest;
                    self.visitor.data(piece, left == 0)?;
                    self.step = if left == 0 { Step::ChunkLength } else { Step::Chunk(left) };
                }
                Step::ChunkLength => {
                    self.whole_chunks(&mut bytes)?;
                    let Some(length) = self.int(&mut bytes)? else { return Ok(()) };
                    match u32::try_from(length) {
                        Ok(0) => self.chunks_end()?,
                        Ok(length) if length <= i32::MAX as u32 => self.step = Step::Chunk(length),
                        _ => return Err(self.invalid("a chunk of data has a length below 0")),
                    }
                }
                Step::BlockStart => {
                    let Some(bytes) = self.fixed(&mut bytes, 6) else { return Ok(()) };
                    self.block_start(bytes)?;
                }
                Step::ObjectOid => {
                    let Some(oid) = self.int(&mut bytes)? else { return Ok(()) };
                    // Written with `WriteInt`, which takes OIDs from 2^31 on for negative numbers.
                    match oid as u32 {
                        0 => self.block_end()?,
                        oid => {
                            self.visitor.object_start(oid, self.position - 5)?;
                            self.step = Step::ChunkLength;
                        }
                    }
                }
                Step::Failed => return Err(self.invalid("it was not understood")),
                _ => {
                    if !self.head_or_toc(&mut bytes)? {
                        return Ok(());
                    }
                }
            }
        }
    }
}
