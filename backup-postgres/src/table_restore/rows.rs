//! Rows on their way into a table, and the same rows read again.

use super::check::Live;
use super::{Chosen, refused};
use crate::connection::Session;
use crate::error::codes::RESTORE_FAILED;
use crate::inventory::TableRecord;
use crate::inventory::rows::{RowsInOrder, TERMINATOR};
use crate::restore::{quote_name, quote_string};
use crate::rows::TableRows;
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use std::pin::pin;

/// The columns as SQL.
pub(super) fn columns(record: &TableRecord) -> String {
    let columns: Vec<String> = record.columns.iter().map(|column| quote_name(&column.lossy())).collect();
    columns.join(", ")
}

/// `COPY table (columns)`, and the encoding of the backup's text.
fn copy(record: &TableRecord, chosen: &Chosen, table: &str, direction: &str) -> String {
    let list = if record.columns.is_empty() { String::new() } else { format!(" ({})", columns(record)) };
    let encoding = chosen.inventory.encoding.as_deref().unwrap_or("UTF8");
    format!("COPY {table}{list} {direction} WITH (FORMAT text, ENCODING {})", quote_string(encoding))
}

/// Loads all rows of the backup. They were checked against what the backup noted when they end.
pub(super) async fn load(
    session: &Session,
    backup: &dyn Restorable,
    chosen: &Chosen,
    record: &TableRecord,
    into: &str,
) -> Result<()> {
    let doing = format!("load the rows of {}", record.table);
    let mut rows = TableRows::open(backup, &chosen.inventory, &record.table).await?;
    let sink = session.copy_in::<_, Bytes>(&copy(record, chosen, into, "FROM STDIN")).await;
    let mut sink = pin!(sink.map_err(|error| refused(&doing, error))?);
    while let Some(bytes) = rows.next_bytes().await? {
        sink.send(bytes.into()).await.map_err(|error| refused(&doing, error))?;
    }
    let loaded = sink.finish().await.map_err(|error| refused(&doing, error))?;
    if loaded == record.rows {
        return Ok(());
    }
    Err(differs(record, &format!("{} rows in the backup, {loaded} loaded", record.rows)))
}

/// Reads the table again: it must be byte for byte what the backup noted. A table that was filled by one COPY gives its rows in that order.
pub(super) async fn compare(session: &Session, chosen: &Chosen, record: &TableRecord, table: &str) -> Result<()> {
    let doing = format!("read table {table} again");
    let stream = session.copy_out(&copy(record, chosen, table, "TO STDOUT")).await;
    let mut stream = pin!(stream.map_err(|error| refused(&doing, error))?);
    let mut digest = RowsInOrder::default();
    while let Some(bytes) = stream.next().await {
        digest.feed(&bytes.map_err(|error| refused(&doing, error))?);
    }
    digest.feed(TERMINATOR);
    match digest.finish() {
        Some(found) if found.rows != record.rows => {
            Err(differs(record, &format!("{} rows in the backup, {} restored", record.rows, found.rows)))
        }
        Some(found) if found.blake3 == record.blake3 => Ok(()),
        _ => Err(differs(record, "the restored rows are not those of the backup")),
    }
}

fn differs(record: &TableRecord, what: &str) -> Error {
    Error::new(&RESTORE_FAILED, format!("table {}: {what}", record.table)).with_hint(
        "nothing was changed; types or settings of this database may differ from the backup's: restore it into a new database instead",
    )
}

/// Moves the sequences that the table's columns own to the greatest value that is there, where they are behind it.
pub(super) async fn forward_sequences(session: &Session, live: &Live) -> Result<()> {
    for (column, sequence) in &live.sequences {
        let column = quote_name(column);
        let statement = format!(
            "SELECT pg_catalog.setval({0}, m.greatest) FROM (SELECT pg_catalog.max({column})::pg_catalog.int8 AS greatest FROM {1}) m,
                    {2} s WHERE m.greatest > s.last_value",
            quote_string(sequence),
            live.sql,
            sequence
        );
        session.batch_execute(&statement).await.map_err(|error| refused("move a sequence forward", error))?;
    }
    Ok(())
}
