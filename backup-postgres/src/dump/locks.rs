//! Locks on the tables of a dump, and what happened to them before they were locked.
//!
//! TRUNCATE, and every ALTER TABLE that writes a table anew, are seen at once by snapshots that are older (docs, "Caveats" of MVCC): such a
//! snapshot finds the table empty, though nobody ever saw it so. Two renames do the same: pg_dump asks for a table by its name. So our
//! own transaction locks the tables before it takes the snapshot, and keeps the locks until pg_dump has its own. What could not be locked
//! so (a table that is newer, or one whose name is not UTF-8) is looked at when pg_dump has its locks.

use crate::connection::{Session, quoted};
use crate::error::codes::{LOCK_TIMEOUT, TABLE_REPLACED};
use crate::inventory::{Recorded, TableName};
use crate::preflight::Exclusions;
use crate::queries;
use crate::server::query_error;
use backup_core::text::printable;
use backup_core::{Error, Result};
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// Tables of one LOCK: pg_dump, too, locks many with one statement.
const AT_ONCE: usize = 1000;
/// Tables come and go while they are locked: so often it is tried anew.
const ATTEMPTS: usize = 5;
/// Tables that one message names.
const NAMED: usize = 20;

/// Begins a transaction that locks every table that pg_dump will lock. No statement of it takes a snapshot.
///
/// Where the server does not let all be locked at once (its memory for locks is small, say), the transaction begins without any.
///
/// # Errors
/// `lock_timeout` when somebody holds a table for longer than that.
pub(super) async fn begin_with_locks(
    session: &Session,
    begin: &str,
    exclusions: &Exclusions,
    limit: Duration,
) -> Result<()> {
    let failed = |error| query_error("begin the transaction of the dump", error);
    for _ in 0..ATTEMPTS {
        let tables = tables(session, exclusions).await?;
        session.batch_execute(begin).await.map_err(failed)?;
        let Err(error) = lock(session, &tables, limit).await else { return Ok(()) };
        let state = error.code().cloned();
        if state.is_none() || session.is_closed() {
            return Err(failed(error));
        }
        session.batch_execute("ROLLBACK").await.map_err(failed)?;
        if state == Some(SqlState::LOCK_NOT_AVAILABLE) {
            return Err(timed_out(session, limit).await);
        }
        let gone = [
            SqlState::UNDEFINED_TABLE,
            SqlState::INVALID_SCHEMA_NAME,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::WRONG_OBJECT_TYPE,
        ];
        if !state.is_some_and(|state| gone.contains(&state)) {
            tracing::debug!(%error, "the tables are not locked before the snapshot");
            break;
        }
    }
    session.batch_execute(begin).await.map_err(failed)
}

async fn tables(session: &Session, exclusions: &Exclusions) -> Result<Vec<String>> {
    let rows = session.query(queries::LOCKABLE_TABLES, &[]).await;
    let rows = rows.map_err(|error| query_error("list the tables of the dump", error))?;
    let name = |row: &tokio_postgres::Row| Some((row.try_get("schema").ok()?, row.try_get("name").ok()?));
    Ok(rows
        .iter()
        .filter_map(name)
        .filter(|name| !exclusions.relations.contains(name))
        .map(|(schema, name): (String, String)| format!("ONLY {}.{}", quoted(&schema), quoted(&name)))
        .collect())
}

async fn lock(session: &Session, tables: &[String], limit: Duration) -> Result<(), tokio_postgres::Error> {
    session.batch_execute(&format!("SET LOCAL lock_timeout = {}", limit.as_millis())).await?;
    for some in tables.chunks(AT_ONCE) {
        session.batch_execute(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", some.join(", "))).await?;
    }
    session.batch_execute("SET LOCAL lock_timeout = 0").await
}

/// Who is in the way, as far as that can be seen a moment later.
async fn timed_out(session: &Session, limit: Duration) -> Error {
    let rows = session.query(queries::LOCKED_TABLES, &[]).await.unwrap_or_default();
    let holder = |row: &tokio_postgres::Row| {
        let name = row.try_get::<_, &str>("name").ok().map(printable);
        let process: Option<i32> = row.try_get("pid").ok().flatten();
        Some(match process {
            Some(process) => format!("{} is locked by process {process}", name?),
            None => format!("{} is locked", name?),
        })
    };
    let holders: Vec<String> = rows.iter().filter_map(holder).take(NAMED).collect();
    let mut message = format!("a table of the dump could not be locked within {} ms", limit.as_millis());
    if !holders.is_empty() {
        message.push_str(&format!(": {}", holders.join(", ")));
    }
    Error::new(&LOCK_TIMEOUT, message)
}

/// A table that was written anew, or whose name went to another, between our snapshot and pg_dump's locks.
pub(super) struct Replaced {
    /// None where it is not UTF-8.
    name: Option<TableName>,
    oid: u32,
}

impl Replaced {
    fn was_dumped(&self, recorded: &Recorded) -> bool {
        let (Some(table), Recorded::Available(inventory)) = (&self.name, recorded) else { return true };
        // The archive has its names in its own encoding.
        let is_ascii = table.schema.as_bytes().is_ascii() && table.name.as_bytes().is_ascii();
        let comparable = is_ascii || inventory.encoding.as_deref() == Some("UTF8");
        !comparable || inventory.tables.iter().any(|dumped| dumped.table == *table)
    }
}

/// Looks for such tables, once pg_dump has its locks; among them may be some that are not dumped.
pub(super) async fn replaced(session: &Session) -> Result<Vec<Replaced>> {
    let doing = "look whether the tables that are dumped are those of the snapshot";
    let rows = session.query(queries::REPLACED_TABLES, &[]).await.map_err(|error| query_error(doing, error))?;
    let name = |row: &tokio_postgres::Row| {
        let (schema, name): (&str, &str) = (row.try_get("schema").ok()?, row.try_get("name").ok()?);
        Some(TableName { schema: schema.into(), name: name.into() })
    };
    Ok(rows.iter().map(|row| Replaced { name: name(row), oid: row.get("oid") }).collect())
}

/// Refuses a dump of such tables.
pub(super) fn refuse(replaced: &[Replaced], recorded: &Recorded) -> Result<()> {
    let shown = |table: &Replaced| match &table.name {
        Some(name) => printable(&name.to_string()).into_owned(),
        None => format!("the table of oid {}", table.oid),
    };
    let mut names: Vec<String> = replaced.iter().filter(|table| table.was_dumped(recorded)).map(shown).collect();
    if names.is_empty() {
        return Ok(());
    }
    if names.len() > NAMED {
        let more = names.split_off(NAMED).len();
        names.push(format!("and {more} more"));
    }
    Err(Error::new(&TABLE_REPLACED, format!("written anew or renamed while the dump began: {}", names.join(", "))))
}
