//! Rows as COPY writes them: found by their line feeds, hashed in order, or summed without order.
//!
//! `CopyOneRowTo` in `src/backend/commands/copyto.c` escapes line feeds inside values, so that each line feed ends a row; in no encoding
//! of a server does another character contain that byte. `dumpTableData_copy` in `pg_dump.c` writes `\.` and three line feeds behind the last row.

use super::name::{Name, TableName};
use super::record::Inventory;
use backup_core::digest::Blake3;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What follows the last row of a block.
pub const TERMINATOR: &[u8] = b"\\.\n\n\n";

/// Rows come one by one; they are gathered so that they are hashed many at a time.
const GATHERED: usize = 128 << 10;

/// Rows that are longer are summed by the digests of their fields, so that they need not fit into memory.
const LONG_ROW: usize = 1 << 20;

/// Counts and hashes the rows of one block, in order.
#[derive(Debug)]
pub(crate) struct RowsInOrder {
    hasher: blake3::Hasher,
    /// Bytes that are not hashed yet, among them the last ones, which may be the terminator.
    gathered: Vec<u8>,
    rows: u64,
    bytes: u64,
    last: u8,
}

/// What [`RowsInOrder`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowsDigest {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) blake3: Blake3,
}

impl Default for RowsInOrder {
    fn default() -> Self {
        RowsInOrder { hasher: blake3::Hasher::new(), gathered: Vec::new(), rows: 0, bytes: 0, last: b'\n' }
    }
}

impl RowsInOrder {
    /// The next bytes of the block.
    #[inline]
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.gathered.len() + bytes.len() > GATHERED {
            self.overflow(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }

    fn overflow(&mut self, bytes: &[u8]) {
        if bytes.len() > GATHERED / 2 {
            let (sure, tail) = bytes.split_at(bytes.len() - TERMINATOR.len());
            self.absorb_gathered(0);
            self.absorb(sure);
            self.gathered.extend_from_slice(tail);
        } else {
            self.absorb_gathered(TERMINATOR.len());
            self.gathered.extend_from_slice(bytes);
        }
    }

    /// Hashes what was gathered but for the last bytes.
    fn absorb_gathered(&mut self, keep: usize) {
        let mut gathered = std::mem::take(&mut self.gathered);
        let sure = gathered.len().saturating_sub(keep);
        self.absorb(&gathered[..sure]);
        gathered.drain(..sure);
        self.gathered = gathered;
    }

    fn absorb(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        self.last = *last;
        self.bytes += bytes.len() as u64;
        self.rows += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.hasher.update(bytes);
    }

    /// The end of the block; `None` when it does not end as pg_dump ends it. Begins again.
    pub(crate) fn finish(&mut self) -> Option<RowsDigest> {
        let ended = self.gathered.ends_with(TERMINATOR);
        self.absorb_gathered(TERMINATOR.len());
        self.gathered.clear();
        let digest =
            RowsDigest { rows: self.rows, bytes: self.bytes, blake3: Blake3::from(*self.hasher.finalize().as_bytes()) };
        let whole = ended && self.last == b'\n';
        self.hasher.reset();
        (self.rows, self.bytes, self.last) = (0, 0, b'\n');
        whole.then_some(digest)
    }
}

/// The sum of the keyed digests of all rows, modulo 2^256: the same for the same rows in any order.
///
/// A sum, because with XOR two equal rows would vanish. Compared only with sums under the same key, which must be fresh and secret
/// from whoever chooses rows: an unkeyed sum can be forged.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct RowSum([u64; 4]);

impl RowSum {
    /// The sum of the rows of both.
    pub(crate) fn and(mut self, other: RowSum) -> RowSum {
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).zip(other.0).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
        self.add(&bytes);
        self
    }

    fn add(&mut self, digest: &[u8; 32]) {
        let mut carry = false;
        for (sum, bytes) in self.0.iter_mut().zip(digest.chunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            let (value, over) = sum.overflowing_add(u64::from_le_bytes(word));
            let (value, over_again) = value.overflowing_add(carry.into());
            (*sum, carry) = (value, over || over_again);
        }
    }
}

impl fmt::Debug for RowSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowSum({:016x}{:016x}{:016x}{:016x})", self.0[3], self.0[2], self.0[1], self.0[0])
    }
}

/// A key for [`RowSum`]s, and the column order in which the rows of each table are summed.
#[derive(Clone)]
pub struct RowKey {
    key: [u8; 32],
    tables: Arc<BTreeMap<TableName, Vec<Name>>>,
}

impl RowKey {
    /// Sums the rows of these tables, fields in the order of these columns. The key must come fresh from the system's random source.
    pub fn new(key: [u8; 32], tables: impl IntoIterator<Item = (TableName, Vec<Name>)>) -> Self {
        RowKey { key, tables: Arc::new(tables.into_iter().collect()) }
    }

    /// Sums the rows of all tables of an inventory, fields in its order.
    pub fn of(key: [u8; 32], inventory: &Inventory) -> Self {
        Self::of_those(key, inventory, |_| true)
    }

    /// The same for these tables alone.
    pub fn of_tables(key: [u8; 32], inventory: &Inventory, tables: &[TableName]) -> Self {
        let tables: BTreeSet<&TableName> = tables.iter().collect();
        Self::of_those(key, inventory, |table| tables.contains(table))
    }

    /// Rows of partitions that come back by their root may move from one to another: they have one order for all.
    fn of_those(key: [u8; 32], inventory: &Inventory, wanted: impl Fn(&TableName) -> bool) -> Self {
        let mut orders: BTreeMap<&TableName, &Vec<Name>> = BTreeMap::new();
        let mut tables = Vec::new();
        for record in &inventory.tables {
            let columns = match &record.root {
                Some(root) => *orders.entry(root).or_insert(&record.columns),
                None => &record.columns,
            };
            if wanted(&record.table) {
                tables.push((record.table.clone(), columns.clone()));
            }
        }
        Self::new(key, tables)
    }

    /// Sums the rows of a table whose columns come in this order; `None` when the table is not to be summed, or has other columns.
    pub fn summer(&self, table: &TableName, columns: &[Name]) -> Option<RowSummer> {
        let order = order(self.tables.get(table)?, columns)?;
        Some(RowSummer::new(self.key, order))
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowKey({} tables)", self.tables.len())
    }
}

/// Where each wanted column is among those that come; `None` when they are not the same columns.
fn order(wanted: &[Name], columns: &[Name]) -> Option<Vec<usize>> {
    if wanted.len() != columns.len() {
        return None;
    }
    let places: BTreeMap<&Name, usize> = columns.iter().enumerate().map(|(place, name)| (name, place)).collect();
    if places.len() != columns.len() {
        return None;
    }
    let order: Vec<usize> = wanted.iter().map(|name| places.get(name).copied()).collect::<Option<_>>()?;
    let mut seen = vec![false; order.len()];
    order.iter().for_each(|place| seen[*place] = true);
    seen.into_iter().all(|seen| seen).then_some(order)
}

/// Sums the rows of one block, or of COPY's output of one table.
///
/// Rows that are cut between two pieces are put together in memory, up to 1 MiB; longer ones are summed by the digests of their fields.
pub struct RowSummer {
    key: [u8; 32],
    /// `None` when the fields come in the wanted order.
    order: Option<Vec<usize>>,
    fields: usize,
    sum: RowSum,
    rows: u64,
    /// The beginning of a row whose end did not come yet.
    cut: Vec<u8>,
    long: Option<LongRow>,
    scratch: Vec<u8>,
    bounds: Vec<usize>,
    ended: bool,
    ragged: bool,
}

/// A row that is too long to be kept.
struct LongRow {
    field: blake3::Hasher,
    digests: Vec<[u8; 32]>,
}

impl fmt::Debug for RowSummer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowSummer({} rows)", self.rows)
    }
}

impl RowSummer {
    fn new(key: [u8; 32], order: Vec<usize>) -> Self {
        let fields = order.len();
        let in_order = order.iter().enumerate().all(|(index, place)| index == *place);
        RowSummer {
            key,
            order: (!in_order).then_some(order),
            fields,
            sum: RowSum::default(),
            rows: 0,
            cut: Vec::new(),
            long: None,
            scratch: Vec::new(),
            bounds: Vec::new(),
            ended: false,
            ragged: false,
        }
    }

    /// The next bytes, in pieces of any size. What comes after the terminator must be its line feeds.
    #[inline]
    pub fn feed(&mut self, mut bytes: &[u8]) {
        if !self.cut.is_empty() || self.long.is_some() {
            bytes = self.complete(bytes);
        }
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (row, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            self.line(row);
        }
        if !bytes.is_empty() {
            self.begin(bytes);
        }
    }

    /// Keeps the beginning of a row.
    fn begin(&mut self, bytes: &[u8]) {
        if self.cut.len() + bytes.len() <= LONG_ROW {
            self.cut.extend_from_slice(bytes);
            return;
        }
        let mut long = LongRow { field: blake3::Hasher::new_keyed(&self.key), digests: Vec::new() };
        long.feed(&self.cut, self.fields);
        long.feed(bytes, self.fields);
        self.cut = Vec::new();
        self.long = Some(long);
    }

    /// Ends the row that was cut, if these bytes have its end; gives what follows it.
    fn complete<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let end = memchr::memchr(b'\n', bytes);
        let (row, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        match &mut self.long {
            Some(long) => long.feed(row, self.fields),
            None => self.begin(row),
        }
        if end.is_none() {
            return rest;
        }
        match self.long.take() {
            Some(long) => self.long_row(long),
            None => {
                let mut row = std::mem::take(&mut self.cut);
                self.line(&row);
                row.clear();
                self.cut = row;
            }
        }
        &rest[1..]
    }

    fn line(&mut self, line: &[u8]) {
        if self.ended {
            self.ragged |= !line.is_empty();
        } else if line == b"\\." {
            self.ended = true;
        } else if line.len() > LONG_ROW {
            let mut long = LongRow { field: blake3::Hasher::new_keyed(&self.key), digests: Vec::new() };
            long.feed(line, self.fields);
            self.long_row(long);
        } else {
            self.row(line);
        }
    }

    fn row(&mut self, row: &[u8]) {
        self.rows += 1;
        let digest = match &self.order {
            None => blake3::keyed_hash(&self.key, row),
            Some(order) => {
                self.bounds.clear();
                self.bounds.push(0);
                self.bounds.extend(memchr::memchr_iter(b'\t', row).map(|at| at + 1));
                self.bounds.push(row.len() + 1);
                if self.bounds.len() != self.fields + 1 {
                    self.ragged = true;
                    return;
                }
                self.scratch.clear();
                for place in order {
                    self.scratch.extend_from_slice(&row[self.bounds[*place]..self.bounds[place + 1] - 1]);
                    self.scratch.push(b'\t');
                }
                self.scratch.pop();
                blake3::keyed_hash(&self.key, &self.scratch)
            }
        };
        self.sum.add(digest.as_bytes());
    }

    fn long_row(&mut self, long: LongRow) {
        self.rows += 1;
        let digests = long.finish();
        if self.ended || digests.len() != self.fields {
            self.ragged = true;
            return;
        }
        let mut row = blake3::Hasher::new_keyed(&self.key);
        let places: &mut dyn Iterator<Item = usize> = match &self.order {
            Some(order) => &mut order.iter().copied(),
            None => &mut (0..self.fields),
        };
        for place in places {
            row.update(&digests[place]);
        }
        self.sum.add(row.finalize().as_bytes());
    }

    /// The end: how many rows, and their sum. `None` when a row was cut, had another number of fields than the table has columns, or came
    /// after the terminator. A terminator need not have come: COPY's own output has none.
    pub fn finish(self) -> Option<(u64, RowSum)> {
        (self.cut.is_empty() && self.long.is_none() && !self.ragged).then_some((self.rows, self.sum))
    }
}

impl LongRow {
    /// `fields` bounds the memory: a row with more has one too many, which is enough to know.
    fn feed(&mut self, mut bytes: &[u8], fields: usize) {
        while let Some(end) = memchr::memchr(b'\t', bytes) {
            self.field.update(&bytes[..end]);
            if self.digests.len() <= fields {
                self.digests.push(*self.field.finalize().as_bytes());
            }
            self.field.reset();
            bytes = &bytes[end + 1..];
        }
        self.field.update(bytes);
    }

    fn finish(mut self) -> Vec<[u8; 32]> {
        self.digests.push(*self.field.finalize().as_bytes());
        self.digests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_any_size_takes_no_memory() {
        let piece = vec![b'x'; 100_000];
        let columns = [Name::from("a"), Name::from("b")];
        let key = RowKey::new([1; 32], [(TableName::new("s", "t"), vec!["b".into(), "a".into()])]);
        let mut summer = key.summer(&TableName::new("s", "t"), &columns).unwrap();
        let mut rows = RowsInOrder::default();
        for _ in 0..200 {
            rows.feed(&piece);
            summer.feed(&piece);
            assert!(rows.gathered.capacity() <= 2 * GATHERED, "{}", rows.gathered.capacity());
            assert!(summer.cut.capacity() <= 2 * LONG_ROW, "{}", summer.cut.capacity());
        }
        for end in [&b"\ty\n"[..], TERMINATOR] {
            rows.feed(end);
            summer.feed(end);
        }
        let digest = rows.finish().unwrap();
        assert_eq!((digest.rows, digest.bytes), (1, 20_000_003));
        assert_eq!(summer.finish().unwrap().0, 1);
    }

    #[test]
    fn a_sum_carries() {
        let mut sum = RowSum([u64::MAX, u64::MAX, 0, u64::MAX]);
        let mut one = [0; 32];
        one[0] = 1;
        sum.add(&one);
        assert_eq!(sum, RowSum([0, 0, 1, u64::MAX]));
        let mut most = [0xff; 32];
        sum.add(&most);
        most = [0; 32];
        sum.add(&most);
        assert_eq!(sum, RowSum([u64::MAX, u64::MAX, 0, u64::MAX]), "adding 2^256 - 1 is taking 1 away");
    }
}
