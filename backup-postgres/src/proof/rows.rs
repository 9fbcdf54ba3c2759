//! The rows of large tables, read back by several connections at once.
//!
//! pg_dump reads table by table, on one connection. Here each connection reads another table, with the settings that pg_dump makes
//! (`setup_connection` in pg_dump.c). Nothing rests on them: rows that hash as they were noted are those rows, and a table whose rows do not is read again with
//! pg_dump itself.

use crate::connection::{Connection, Session};
use crate::error::codes::{CONNECTION_LOST, QUERY_FAILED};
use crate::inventory::rows::{RowsInOrder, TERMINATOR};
use crate::inventory::{Inventory, Name, TableName, TableRecord};
use crate::queries;
use crate::restore::{quote_name, quote_string};
use backup_core::error::ResultExt;
use backup_core::{Error, Result};
use futures::TryStreamExt;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Tables below this size are read faster by pg_dump than one by one.
const LARGE: u64 = 1 << 20;
/// Tables are named to pg_dump on its command line.
const MOST: usize = 500;

const SETTINGS: &str = "SET statement_timeout = 0; SET lock_timeout = 0; SET datestyle = ISO; SET intervalstyle = POSTGRES; SET extra_float_digits = 3;
    SET synchronize_seqscans = off; SET timezone = 'UTC'; SET bytea_output = hex; SET quote_all_identifiers = off; SET standard_conforming_strings = on;
    SET row_security = off; SET search_path = ''";

/// The tables that are worth a connection of their own; none where rows would have to be converted to another encoding.
pub(super) fn large(expected: &Inventory) -> Vec<&TableRecord> {
    if expected.encoding.as_deref() != Some("UTF8") {
        return Vec::new();
    }
    let named = |one: &&TableRecord| one.table.schema.as_str().is_some() && one.table.name.as_str().is_some();
    let mut large: Vec<&TableRecord> = expected.tables.iter().filter(|one| one.bytes >= LARGE).filter(named).collect();
    large.sort_by_key(|one| std::cmp::Reverse(one.bytes));
    large.truncate(MOST);
    large
}

/// Reads these tables. Gives the records of those whose rows are what was noted, and the names of the others.
pub(super) async fn read(
    connection: &Connection,
    lc_monetary: Option<&str>,
    tables: &[&TableRecord],
    jobs: usize,
) -> Result<(Vec<TableRecord>, Vec<TableName>)> {
    let queue: Mutex<VecDeque<&TableRecord>> = Mutex::new(tables.iter().copied().collect());
    let worker = || async {
        let session = connection.connect().await?;
        let failed = || "make the settings of a dump".to_owned();
        session.batch_execute(SETTINGS).await.or_code(&QUERY_FAILED, failed)?;
        if let Some(value) = lc_monetary {
            let _ = session.batch_execute(&format!("SET lc_monetary = {}", quote_string(value))).await;
        }
        let (mut same, mut others) = (Vec::new(), Vec::new());
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(record) = next else { return Ok::<_, Error>((same, others)) };
            match is_same(&session, record).await? {
                true => same.push(record.clone()),
                false => others.push(record.table.clone()),
            }
        }
    };
    let all = futures::future::try_join_all((0..jobs.min(tables.len())).map(|_| worker())).await?;
    let (same, others): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    Ok((same.concat(), others.concat()))
}

/// Whether a table has these columns and these rows in this order.
async fn is_same(session: &Session, record: &TableRecord) -> Result<bool> {
    let (Some(schema), Some(name)) = (record.table.schema.as_str(), record.table.name.as_str()) else {
        return Ok(false);
    };
    let table = format!("{}.{}", quote_name(schema), quote_name(name));
    let Ok(rows) = session.query(queries::COPIED_COLUMNS, &[&table]).await else { return Ok(false) };
    let found: BTreeSet<Name> = rows.iter().map(|row| Name::from(row.get::<_, &str>(0))).collect();
    if found != record.columns.iter().cloned().collect() {
        return Ok(false);
    }
    let columns: Option<Vec<String>> = record.columns.iter().map(|name| name.as_str().map(quote_name)).collect();
    let Some(columns) = columns.filter(|columns| !columns.is_empty()) else { return Ok(false) };
    let sql = format!("COPY {table} ({}) TO STDOUT", columns.join(", "));
    let lost = || format!("read the rows of table {}", record.table);
    let Ok(stream) = session.copy_out(&sql).await else { return Ok(false) };
    let mut stream = std::pin::pin!(stream);
    let mut digest = RowsInOrder::default();
    while let Some(row) = stream.try_next().await.or_code(&CONNECTION_LOST, lost)? {
        digest.feed(&row);
    }
    digest.feed(TERMINATOR);
    let noted = (record.rows, record.bytes, record.blake3);
    Ok(digest.finish().is_some_and(|found| (found.rows, found.bytes, found.blake3) == noted))
}
