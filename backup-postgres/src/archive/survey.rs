//! What an archive holds, counted as it streams past.

use super::entry::{Entry, Header};
use super::parser::Parser;
use super::visitor::{Block, BlockKind, Visitor};
use backup_core::Result;
use backup_core::prover::PartObserver;
use std::fmt;

/// Counts what an archive holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// Entries of the table of contents.
    pub entries: u64,
    /// Tables, partitioned ones and foreign ones not counted (they hold no rows).
    pub tables: u64,
    /// Blocks with rows.
    pub row_blocks: u64,
    /// Large objects.
    pub large_objects: u64,
    /// Bytes of rows and large objects.
    pub data_bytes: u64,
    /// The server's version, as the archive says.
    pub server_version: Option<String>,
    /// pg_dump's version, as the archive says.
    pub dump_version: Option<String>,
}

impl Visitor for Survey {
    fn header(&mut self, header: &Header) -> Result<()> {
        self.server_version = header.server_version.as_ref().map(|text| text.lossy().into_owned());
        self.dump_version = header.dump_version.as_ref().map(|text| text.lossy().into_owned());
        Ok(())
    }

    fn entry(&mut self, entry: Entry) -> Result<()> {
        self.entries += 1;
        if entry.desc.is("TABLE DATA") {
            self.tables += 1;
        }
        Ok(())
    }

    fn block_start(&mut self, block: Block) -> Result<()> {
        if block.kind == BlockKind::Rows {
            self.row_blocks += 1;
        }
        Ok(())
    }

    fn object_start(&mut self, _oid: u32, _position: u64) -> Result<()> {
        self.large_objects += 1;
        Ok(())
    }

    fn data(&mut self, bytes: &[u8], _chunk_end: bool) -> Result<()> {
        self.data_bytes += bytes.len() as u64;
        Ok(())
    }
}

/// `42 tables, 3 large objects, 120 entries`.
impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |f: &mut fmt::Formatter<'_>, number: u64, one: &str, many: &str| {
            write!(f, "{number} {}", if number == 1 { one } else { many })
        };
        count(f, self.tables, "table", "tables")?;
        f.write_str(", ")?;
        count(f, self.large_objects, "large object", "large objects")?;
        f.write_str(", ")?;
        count(f, self.entries, "entry", "entries")
    }
}

/// Checks that an archive is complete, as it streams past.
#[derive(Debug)]
pub struct ArchiveObserver {
    parser: Parser<Survey>,
}

impl ArchiveObserver {
    /// An observer at the start of an archive.
    pub fn new() -> Self {
        ArchiveObserver { parser: Parser::new(Survey::default()) }
    }

    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        self.parser.feed(bytes)
    }

    /// The end: what the archive held, if it was complete.
    pub fn survey(self) -> Result<Survey> {
        self.parser.finish()
    }
}

impl Default for ArchiveObserver {
    fn default() -> Self {
        Self::new()
    }
}

impl PartObserver for ArchiveObserver {
    fn observe(&mut self, bytes: &[u8]) -> Result<()> {
        self.feed(bytes)
    }

    fn finish(self: Box<Self>) -> Result<String> {
        Ok(self.survey()?.to_string())
    }
}
