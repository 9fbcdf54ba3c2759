//! The rows of one table out of a backup, without a server: only the segments that hold its block are read.
//!
//! [`table_rows`] gives them one by one; [`Format`] writes them as PostgreSQL's COPY would in its text and CSV formats, or as JSON lines. When the last
//! row was given, all of them were checked against the digest that the backup has of them.

mod format;
mod row;

pub use format::Format;
pub use row::Row;

use crate::archive::{Parser, Visitor};
use crate::error::codes::{CONTENTS_UNAVAILABLE, TABLE_NOT_FOUND};
use crate::inventory::rows::{RowsInOrder, TERMINATOR};
use crate::inventory::{self, Inventory, Name, Recorded, TableName, TableRecord};
use backup_core::error::codes::PART_INVALID;
use backup_core::pipeline::read::PartStream;
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use bytes::{Buf, Bytes};
use std::sync::Arc;

/// Rows are looked for in this many bytes at a time.
const STEP: usize = 256 << 10;

/// The rows of one table. Memory: one row, and a segment or two.
#[derive(Debug)]
pub struct TableRows {
    record: TableRecord,
    columns: Arc<[Name]>,
    encoding: Option<String>,
    stream: PartStream,
    /// What was read of the stream and not parsed yet.
    piece: Bytes,
    parser: Option<Parser<Collector>>,
    /// Rows that were parsed and not given yet.
    data: Vec<u8>,
    at: usize,
    /// Up to here there is no line feed.
    searched: usize,
    rows: u64,
}

/// Gathers the data of a block, and hashes it.
#[derive(Debug, Default)]
struct Collector {
    data: Vec<u8>,
    digest: RowsInOrder,
}

impl Visitor for Collector {
    fn data(&mut self, bytes: &[u8], _chunk_end: bool) -> Result<()> {
        self.digest.feed(bytes);
        self.data.extend_from_slice(bytes);
        Ok(())
    }
}

/// Opens the rows of a table of this backup.
pub async fn table_rows(backup: &dyn Restorable, table: &TableName) -> Result<TableRows> {
    match inventory::read(backup).await? {
        Recorded::Available(inventory) => TableRows::open(backup, &inventory, table).await,
        Recorded::Unavailable { reason } => Err(Error::new(
            &CONTENTS_UNAVAILABLE,
            format!("it is not known where the rows of table {table} are: {reason}"),
        )),
    }
}

impl TableRows {
    /// Opens the rows of a table of this backup, whose inventory was read before.
    pub async fn open(backup: &dyn Restorable, inventory: &Inventory, table: &TableName) -> Result<Self> {
        let record = inventory.table(table).ok_or_else(|| not_found(inventory, table))?;
        let stream = backup.open_range(&crate::dump_part(), record.block.from..record.block.to).await?;
        Ok(TableRows {
            record: record.clone(),
            columns: record.columns.clone().into(),
            encoding: inventory.encoding.clone(),
            stream,
            piece: Bytes::new(),
            parser: Some(Parser::at_block(Collector::default(), record.block.id, record.block.from)),
            data: Vec::new(),
            at: 0,
            searched: 0,
            rows: 0,
        })
    }

    /// What the backup has noted of the table.
    pub fn record(&self) -> &TableRecord {
        &self.record
    }

    /// The columns, in the order in which the rows have them.
    pub fn columns(&self) -> &[Name] {
        &self.columns
    }

    /// The encoding of all text, e.g. `UTF8`.
    pub fn encoding(&self) -> Option<&str> {
        self.encoding.as_deref()
    }

    /// The next row, or `None` after the last, when all of them were what was backed up. A row is in memory as a whole.
    pub async fn next(&mut self) -> Result<Option<Row>> {
        loop {
            if let Some(length) = memchr::memchr(b'\n', &self.data[self.searched..]) {
                let end = self.searched + length;
                let line = &self.data[self.at..end];
                if line == b"\\." {
                    return self.end().await;
                }
                self.rows += 1;
                let row = Row::parse(line, self.columns.clone())
                    .ok_or_else(|| self.invalid(format!("row {} does not have a value for each column", self.rows)))?;
                (self.at, self.searched) = (end + 1, end + 1);
                return Ok(Some(row));
            }
            self.searched = self.data.len();
            if !self.parse_more().await? {
                return Err(self.invalid("end early"));
            }
        }
    }

    /// The next bytes as they are in the dump: rows as COPY's text, a line feed after each, cut anywhere. `None` after the last, when all of them were what was
    /// backed up. For rows of any size; do not mix with [`next`](TableRows::next).
    pub async fn next_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let sure = (self.data.len() - self.at).saturating_sub(TERMINATOR.len());
            if sure > 0 {
                let bytes = self.data[self.at..self.at + sure].to_vec();
                self.at += sure;
                return Ok(Some(bytes));
            }
            if !self.parse_more().await? {
                return self.end().await.map(|_| None);
            }
        }
    }

    /// The rows as a stream.
    pub fn into_stream(self) -> impl futures::Stream<Item = Result<Row>> + Send {
        futures::stream::try_unfold(self, |mut rows| async move { Ok(rows.next().await?.map(|row| (row, rows))) })
    }

    /// Parses the next bytes of the block; false at its end.
    async fn parse_more(&mut self) -> Result<bool> {
        self.data.drain(..self.at);
        self.searched -= self.at.min(self.searched);
        self.at = 0;
        let Some(parser) = &mut self.parser else { return Ok(false) };
        while self.piece.is_empty() {
            match self.stream.next().await? {
                Some(piece) => self.piece = piece,
                None => return Ok(false),
            }
        }
        let step = self.piece.len().min(STEP);
        parser.feed(&self.piece[..step])?;
        self.piece.advance(step);
        self.data.append(&mut parser.visitor_mut().data);
        Ok(true)
    }

    /// Reads what is behind the last row, and checks all of it. Nothing comes after it.
    async fn end(&mut self) -> Result<Option<Row>> {
        while self.parse_more().await? {
            // The terminator's line feeds; anything else makes another digest.
        }
        self.data = Vec::new();
        (self.at, self.searched) = (0, 0);
        let Some(parser) = self.parser.take() else { return Ok(None) };
        let mut collector = parser.finish()?;
        match collector.digest.finish() {
            Some(digest)
                if (digest.rows, digest.bytes, digest.blake3)
                    == (self.record.rows, self.record.bytes, self.record.blake3) =>
            {
                Ok(None)
            }
            _ => Err(self.invalid("are not those that the backup noted when it was made")),
        }
    }

    fn invalid(&self, what: impl std::fmt::Display) -> Error {
        Error::new(&PART_INVALID, format!("the rows of table {} {what}", self.record.table))
    }
}

/// Says what there is instead, where the name is nearly right.
pub(crate) fn not_found(inventory: &Inventory, table: &TableName) -> Error {
    let error = Error::new(&TABLE_NOT_FOUND, format!("the backup has no rows of a table {table}"));
    let object = inventory.objects.iter().find(|object| {
        object.schema.as_ref() == Some(&table.schema)
            && object.name == table.name
            && ["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"].contains(&object.kind.as_str())
    });
    if let Some(object) = object {
        let kind = object.kind.to_lowercase();
        // Which table a partition belongs to is in its definition alone; most have the table's name in front of theirs.
        let name = table.name.as_bytes();
        let attached = |record: &&TableRecord| {
            let one = &record.table;
            one.schema == table.schema
                && one.name.as_bytes().starts_with(name)
                && inventory.objects.iter().any(|object| {
                    object.kind == "TABLE ATTACH"
                        && object.schema.as_ref() == Some(&one.schema)
                        && object.name == one.name
                })
        };
        let partitions = inventory.tables.iter().filter(attached).map(|record| record.table.to_string());
        let partitions: Vec<String> = partitions.take(10).collect();
        if !partitions.is_empty() {
            return error.with_hint(format!(
                "it is partitioned, and its rows are in its partitions: name those, one by one (`cat`), or all with a pattern (`restore --table '{}*'`); some are {}",
                table.to_string().replace('"', ""),
                partitions.join(", ")
            ));
        }
        return error.with_hint(format!(
            "there is a {kind} of this name whose rows are not in the dump: those of a partitioned table are in its partitions, those of a view nowhere"
        ));
    }
    let others: Vec<String> = inventory
        .tables
        .iter()
        .filter(|record| record.table.name == table.name)
        .map(|record| record.table.to_string())
        .take(10)
        .collect();
    if others.is_empty() { error } else { error.with_hint(format!("there is {}", others.join(", "))) }
}
