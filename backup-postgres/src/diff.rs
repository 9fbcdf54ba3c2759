//! Two backups, or a backup and a live database, side by side: what was changed, object by object.
//!
//! First the inventories are compared, which costs no reading of a backup beyond its `contents`. Only tables whose rows or columns may merely come in
//! another order are read again, from the segments that hold them, and decided by the sums of their rows.

use crate::PgDump;
use crate::archive::{Parser, Visitor};
use crate::error::codes::CONTENTS_UNAVAILABLE;
use crate::inventory::{
    self, Change, Comparison, Difference, Digester, Inventory, Name, Recorded, RowKey, RowSum, RowSummer, Sides,
    TableName, TableRecord, compare,
};
use backup_core::error::codes::{IO, PART_INVALID};
use backup_core::monitor::Monitor;
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What is compared with a backup.
#[derive(Clone, Copy)]
pub enum Other<'a> {
    /// Another backup.
    Backup(&'a dyn Restorable),
    /// A database, as it is now.
    Database(&'a PgDump),
}

/// What differs between a backup and something else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Diff {
    /// Tables whose rows were added, removed or changed, by name.
    pub tables: Vec<TableDiff>,
    /// Everything else that was added, removed or changed.
    pub objects: Vec<ObjectDiff>,
    /// Tables whose rows are the same.
    pub equal_tables: u64,
    /// The version of the first's server, as the dump has it.
    pub version_before: Option<String>,
    /// The version of the second's server. Servers of different versions can write the same definition in other words.
    pub version_after: Option<String>,
    /// Worth knowing; no difference.
    pub notes: Vec<String>,
}

/// Rows of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TableDiff {
    /// The table, as SQL has it: `public.orders`.
    pub table: String,
    /// What was done to it.
    pub status: Status,
    /// Its rows in the first; `None` when it is not there.
    pub rows_before: Option<u64>,
    /// Its rows in the second; `None` when it is not there.
    pub rows_after: Option<u64>,
    /// Columns that only the first has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns_removed: Vec<Name>,
    /// Columns that only the second has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns_added: Vec<Name>,
}

/// Anything but rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ObjectDiff {
    /// What was done to it.
    pub status: Status,
    /// What differs, in words.
    pub what: String,
    /// Which object, and the same for programs.
    #[serde(flatten)]
    pub difference: Difference,
}

/// What was done from the first to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "DiffStatus"))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, and it differs.
    Changed,
}

impl Diff {
    /// Whether both are the same.
    pub fn is_equal(&self) -> bool {
        self.tables.is_empty() && self.objects.is_empty()
    }
}

/// Compares a backup with another, or with a database as it is now.
pub async fn diff(before: &dyn Restorable, after: Other<'_>, monitor: Arc<dyn Monitor>) -> Result<Diff> {
    let mut notes = Vec::new();
    let mut first = available(inventory::read(before).await?, "the first backup")?;
    let key = fresh_key()?;
    let mut second = match after {
        Other::Backup(backup) => available(inventory::read(backup).await?, "the second backup")?,
        Other::Database(database) => {
            // It is read once, so its rows are summed on the way.
            let digester = Digester::with_row_key(RowKey::of(key, &first));
            let (recorded, left_out) = database.inventory(digester, monitor).await?;
            notes
                .extend(left_out.iter().map(|one| format!("not looked at: {} {}: {}", one.kind, one.name, one.reason)));
            available(recorded, "the database")?
        }
    };
    without_names_of_databases(&mut first, &mut second, &mut notes);
    let mut comparison = compare(&first, &second);
    if !comparison.undecided.is_empty() {
        let undecided = std::mem::take(&mut comparison.undecided);
        let key = RowKey::of_tables(key, &first, &undecided);
        sum(before, &mut first, &undecided, &key).await?;
        if let Other::Backup(backup) = after {
            sum(backup, &mut second, &undecided, &key).await?;
        }
        comparison = compare(&first, &second);
        if let Some(table) = comparison.undecided.first() {
            return Err(Error::new(&CONTENTS_UNAVAILABLE, format!("the rows of table {table} could not be compared")));
        }
    }
    if first.server_version != second.server_version {
        let version = |inventory: &Inventory| inventory.server_version.clone().unwrap_or_else(|| "unknown".into());
        notes.push(format!(
            "the servers are of different versions ({} and {}): they may write the same definition in other words",
            version(&first),
            version(&second)
        ));
    }
    Ok(report(&first, &second, comparison, notes))
}

fn available(recorded: Recorded, which: &str) -> Result<Inventory> {
    match recorded {
        Recorded::Available(inventory) => Ok(*inventory),
        Recorded::Unavailable { reason } => {
            Err(Error::new(&CONTENTS_UNAVAILABLE, format!("it is not known what {which} holds: {reason}")))
        }
    }
}

/// A key for sums that nobody can know beforehand.
fn fresh_key() -> Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| Error::new(&IO, format!("read the system's random source: {error}")))?;
    Ok(key)
}

/// Two databases of different names are compared without what has their name in it.
fn without_names_of_databases(first: &mut Inventory, second: &mut Inventory, notes: &mut Vec<String>) {
    let name = |inventory: &Inventory| {
        inventory.objects.iter().find(|object| object.kind == "DATABASE").map(|object| object.name.clone())
    };
    if let (Some(one), Some(other)) = (name(first), name(second))
        && one != other
    {
        first.take_database();
        second.take_database();
        notes.push(format!(
            "the databases are called {} and {}: their own settings, privileges and comments were not compared",
            one.quoted(),
            other.quoted()
        ));
    }
}

/// Gives the records of these tables the sum of their rows, read from the segments that hold them.
async fn sum(backup: &dyn Restorable, inventory: &mut Inventory, tables: &[TableName], key: &RowKey) -> Result<()> {
    let tables: BTreeSet<&TableName> = tables.iter().collect();
    for record in inventory.tables.iter_mut().filter(|record| tables.contains(&record.table)) {
        record.row_sum = sum_rows(backup, record, key).await?;
    }
    Ok(())
}

/// The sum of the rows of one table of a backup; `None` when the key is not for it, or for other columns. Reads the segments that hold its block, and
/// checks that the number of rows is the one that was noted.
pub async fn sum_rows(backup: &dyn Restorable, record: &TableRecord, key: &RowKey) -> Result<Option<RowSum>> {
    let Some(summer) = key.summer(&record.table, &record.columns) else { return Ok(None) };
    let mut parser = Parser::at_block(Summing(summer), record.block.id, record.block.from);
    let mut stream = backup.open_range(&crate::dump_part(), record.block.from..record.block.to).await?;
    while let Some(piece) = stream.next().await? {
        let work = move || {
            parser.feed(&piece)?;
            Ok::<_, Error>(parser)
        };
        parser = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::new(&IO, "a reader of rows died").with_source(error))??;
    }
    match parser.finish()?.0.finish() {
        Some((rows, sum)) if rows == record.rows => Ok(Some(sum)),
        _ => Err(Error::new(
            &PART_INVALID,
            format!("the rows of table {} are not those that the backup noted when it was made", record.table),
        )),
    }
}

struct Summing(RowSummer);

impl Visitor for Summing {
    fn data(&mut self, bytes: &[u8], _chunk_end: bool) -> Result<()> {
        self.0.feed(bytes);
        Ok(())
    }
}

fn report(first: &Inventory, second: &Inventory, comparison: Comparison, mut notes: Vec<String>) -> Diff {
    let sides = Sides { expected: "before".into(), found: "after".into() };
    let rows = |inventory: &Inventory| -> BTreeMap<TableName, u64> {
        inventory.tables.iter().map(|record| (record.table.clone(), record.rows)).collect()
    };
    let (rows_before, rows_after) = (rows(first), rows(second));
    let (mut tables, mut objects): (Vec<TableDiff>, Vec<ObjectDiff>) = (Vec::new(), Vec::new());
    for difference in comparison.differences {
        let status = match &difference.change {
            Change::Missing => Status::Removed,
            Change::Unexpected => Status::Added,
            _ => Status::Changed,
        };
        if difference.kind != "TABLE DATA" {
            let what = difference.what(&sides);
            objects.push(ObjectDiff { status, what, difference });
            continue;
        }
        let Some(schema) = difference.schema else { continue };
        let table = TableName { schema, name: difference.name };
        let name = table.to_string();
        // Rows and columns of one table can both differ.
        if tables.last().is_none_or(|last| last.table != name) {
            tables.push(TableDiff {
                table: name,
                status,
                rows_before: rows_before.get(&table).copied(),
                rows_after: rows_after.get(&table).copied(),
                columns_removed: Vec::new(),
                columns_added: Vec::new(),
            });
        }
        if let (Change::Columns { missing, unexpected }, Some(last)) = (difference.change, tables.last_mut()) {
            (last.columns_removed, last.columns_added) = (missing, unexpected);
        }
    }
    objects.sort_by(|one, other| one.difference.object.cmp(&other.difference.object));
    tables.sort_by(|one, other| one.table.cmp(&other.table));
    notes.extend(comparison.notes);
    let changed = tables.iter().filter(|table| table.status != Status::Added).count();
    let equal_tables = (first.tables.len() - changed) as u64;
    let (version_before, version_after) = (first.server_version.clone(), second.server_version.clone());
    Diff { tables, objects, equal_tables, version_before, version_after, notes }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Added => "added",
            Status::Removed => "removed",
            Status::Changed => "changed",
        })
    }
}

/// `changed: table public.orders: 120 rows before, 119 after`
impl fmt::Display for TableDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: table {}: ", self.status, self.table)?;
        let count = |rows: u64| format!("{rows} {}", if rows == 1 { "row" } else { "rows" });
        match (self.rows_before, self.rows_after) {
            (Some(before), Some(after)) if before == after => write!(f, "{} before and after", count(before))?,
            (Some(before), Some(after)) => write!(f, "{} before, {after} after", count(before))?,
            (Some(rows), None) | (None, Some(rows)) => f.write_str(&count(rows))?,
            (None, None) => {}
        }
        let names = |names: &[Name]| names.iter().map(|name| name.quoted()).collect::<Vec<_>>().join(", ");
        if !self.columns_removed.is_empty() {
            write!(f, "; columns removed: {}", names(&self.columns_removed))?;
        }
        if !self.columns_added.is_empty() {
            write!(f, "; columns added: {}", names(&self.columns_added))?;
        }
        Ok(())
    }
}

/// `changed: policy p on public.orders: definition differs`
impl fmt::Display for ObjectDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Status::Changed => write!(f, "{}: {}: {}", self.status, self.difference.object, self.what),
            _ => write!(f, "{}: {}", self.status, self.difference.object),
        }
    }
}

/// A line for each difference, and each remark.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            writeln!(f, "{table}")?;
        }
        for object in &self.objects {
            writeln!(f, "{object}")?;
        }
        if self.is_equal() {
            writeln!(f, "no difference")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}
