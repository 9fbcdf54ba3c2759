//! The rows of one table out of a backup, without a server: only the segments that hold its block are read.
//!
//! [`table_rows`] gives them one by one; [`Format`] writes them as PostgreSQL's COPY would in its text and CSV formats, or as JSON lines. When the last
//! row was given, all of them were checked against the digest that the backup has of them.

mod format;
pub(crate) mod partitions;
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
use partitions::Partitioned;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Rows are looked for in this many bytes at a time.
const STEP: usize = 256 << 10;

/// The rows of one table; those of a partitioned one are the rows of its partitions, by their names. Memory: one row, and a segment or two.
pub struct TableRows {
    table: TableName,
    columns: Arc<[Name]>,
    encoding: Option<String>,
    /// How many rows there are in all.
    count: u64,
    block: Option<BlockRows>,
    /// The tables whose rows come after those of the block.
    following: VecDeque<TableRecord>,
    /// Where they are read from.
    backup: Option<Arc<dyn Restorable>>,
}

/// The rows of one block.
#[derive(Debug)]
struct BlockRows {
    record: TableRecord,
    columns: Arc<[Name]>,
    /// Where each column of the whole is in a row of the block, where they differ.
    order: Option<Vec<usize>>,
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

impl fmt::Debug for TableRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let following: Vec<String> = self.following.iter().map(|record| record.table.to_string()).collect();
        f.debug_struct("TableRows").field("table", &self.table).field("following", &following).finish_non_exhaustive()
    }
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

/// Opens the rows of a table of this backup. A partitioned table has those of all its partitions, in the order of their names, with the columns in its own
/// order.
///
/// # Errors
/// [`TABLE_NOT_FOUND`] when there is no such table, or its rows, or those of one of its partitions, are not in the backup.
pub async fn table_rows<B: Restorable + Clone + 'static>(backup: &B, table: &TableName) -> Result<TableRows> {
    match inventory::read(backup).await? {
        Recorded::Available(inventory) => match partitions::partitioned(backup, &inventory, table).await? {
            Some(partitioned) => TableRows::of_partitions(Arc::new(backup.clone()), &inventory, partitioned).await,
            None => TableRows::open(backup, &inventory, table).await,
        },
        Recorded::Unavailable { reason } => Err(Error::new(
            &CONTENTS_UNAVAILABLE,
            format!("it is not known where the rows of table {table} are: {reason}"),
        )),
    }
}

impl TableRows {
    /// Opens the rows of a table of this backup, whose inventory was read before. A partitioned table has none here.
    pub async fn open(backup: &dyn Restorable, inventory: &Inventory, table: &TableName) -> Result<Self> {
        let record = inventory.table(table).ok_or_else(|| not_found(inventory, table))?;
        let columns: Arc<[Name]> = record.columns.clone().into();
        Ok(TableRows {
            table: table.clone(),
            encoding: inventory.encoding.clone(),
            count: record.rows,
            block: Some(BlockRows::open(backup, record.clone(), &columns).await?),
            columns,
            following: VecDeque::new(),
            backup: None,
        })
    }

    async fn of_partitions(backup: Arc<dyn Restorable>, inventory: &Inventory, whole: Partitioned) -> Result<Self> {
        let Partitioned { table, mut columns, records } = whole;
        if let Some(first) = records.first() {
            // Generated columns are not dumped. A definition that could not be read leaves the first partition's order.
            columns.retain(|column| first.columns.contains(column));
            if columns.len() != first.columns.len() {
                columns = first.columns.clone();
            }
        }
        Ok(TableRows {
            table,
            columns: columns.into(),
            encoding: inventory.encoding.clone(),
            count: records.iter().map(|record| record.rows).fold(0, u64::saturating_add),
            block: None,
            following: records.into(),
            backup: Some(backup),
        })
    }

    /// The table.
    pub fn table(&self) -> &TableName {
        &self.table
    }

    /// How many rows there are in all, as the backup has noted it.
    pub fn count(&self) -> u64 {
        self.count
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
        let columns = self.columns.clone();
        while let Some(block) = self.block().await? {
            match block.next().await? {
                Some(row) => {
                    return Ok(Some(match &block.order {
                        Some(order) => row.in_order(order, columns),
                        None => row,
                    }));
                }
                None => self.block = None,
            }
        }
        Ok(None)
    }

    /// The next bytes as they are in the dump: rows as COPY's text, a line feed after each, cut anywhere. `None` after the last, when all of them were what was
    /// backed up. For rows of any size, but for partitions whose columns lie in another order than their table's: these are put in order row by row. Do not mix with
    /// [`next`](TableRows::next).
    pub async fn next_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        while let Some(block) = self.block().await? {
            if block.order.is_some() {
                let mut text = Vec::new();
                while text.len() < STEP
                    && let Some(row) = self.next().await?
                {
                    text.extend_from_slice(row.as_copy_text());
                    text.push(b'\n');
                }
                return Ok((!text.is_empty()).then_some(text));
            }
            match block.next_bytes().await? {
                Some(bytes) => return Ok(Some(bytes)),
                None => self.block = None,
            }
        }
        Ok(None)
    }

    /// The block whose rows are next, or `None` after the last.
    async fn block(&mut self) -> Result<Option<&mut BlockRows>> {
        if self.block.is_none()
            && let Some(backup) = &self.backup
            && let Some(record) = self.following.pop_front()
        {
            self.block = Some(BlockRows::open(&**backup, record, &self.columns).await?);
        }
        Ok(self.block.as_mut())
    }

    /// The rows as a stream.
    pub fn into_stream(self) -> impl futures::Stream<Item = Result<Row>> + Send {
        futures::stream::try_unfold(self, |mut rows| async move { Ok(rows.next().await?.map(|row| (row, rows))) })
    }
}

impl BlockRows {
    async fn open(backup: &dyn Restorable, record: TableRecord, whole: &[Name]) -> Result<Self> {
        let order = if record.columns == whole {
            None
        } else {
            let place = |column: &Name| record.columns.iter().position(|own| own == column);
            let order: Option<Vec<usize>> = whole.iter().map(place).collect();
            let order = order.filter(|order| order.len() == record.columns.len());
            Some(order.ok_or_else(|| {
                let message = format!("partition {} does not have the columns of its table", record.table);
                Error::new(&PART_INVALID, message)
            })?)
        };
        let stream = backup.open_range(&crate::dump_part(), record.block.from..record.block.to).await?;
        Ok(BlockRows {
            columns: record.columns.clone().into(),
            order,
            stream,
            piece: Bytes::new(),
            parser: Some(Parser::at_block(Collector::default(), record.block.id, record.block.from)),
            data: Vec::new(),
            at: 0,
            searched: 0,
            rows: 0,
            record,
        })
    }

    async fn next(&mut self) -> Result<Option<Row>> {
        while self.parser.is_some() {
            if let Some(length) = memchr::memchr(b'\n', &self.data[self.searched..]) {
                let end = self.searched + length;
                let line = &self.data[self.at..end];
                if line == b"\\." {
                    self.end().await?;
                    return Ok(None);
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
        Ok(None)
    }

    async fn next_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        while self.parser.is_some() {
            let sure = (self.data.len() - self.at).saturating_sub(TERMINATOR.len());
            if sure > 0 {
                let bytes = self.data[self.at..self.at + sure].to_vec();
                self.at += sure;
                return Ok(Some(bytes));
            }
            if !self.parse_more().await? {
                self.end().await?;
            }
        }
        Ok(None)
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
    async fn end(&mut self) -> Result<()> {
        while self.parse_more().await? {
            // The terminator's line feeds; anything else makes another digest.
        }
        self.data = Vec::new();
        (self.at, self.searched) = (0, 0);
        let Some(parser) = self.parser.take() else { return Ok(()) };
        let mut collector = parser.finish()?;
        match collector.digest.finish() {
            Some(digest)
                if (digest.rows, digest.bytes, digest.blake3)
                    == (self.record.rows, self.record.bytes, self.record.blake3) =>
            {
                Ok(())
            }
            _ => Err(self.invalid("are not those that the backup noted when it was made")),
        }
    }

    fn invalid(&self, what: impl fmt::Display) -> Error {
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
        return error.with_hint(format!(
            "there is a {kind} of this name whose rows are not in the dump: the settings of the backup left them out, or they are nowhere, as those of a view"
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
