//! A connection that can change nothing: a read-only transaction with a time limit, never committed.

use super::verdict::Verdict;
use crate::connection::{Connection, Session};
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// A read-only transaction on a connection of its own. One statement at a time is sent, so none can end it and begin another.
pub(super) struct ReadOnly {
    session: Session,
    limit: Duration,
}

impl ReadOnly {
    pub(super) async fn begin(connection: &Connection, limit: Duration) -> Result<Self, Verdict> {
        let session = connect(connection).await?;
        // The server's limit is rounded up to a millisecond, as zero would mean none.
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}",
            limit.as_millis().clamp(1, i32::MAX as u128)
        );
        session.batch_execute(&begin).await.map_err(|error| Verdict::of_error(&error, limit))?;
        Ok(ReadOnly { session, limit })
    }

    pub(super) async fn query(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Verdict> {
        self.session.query(sql, params).await.map_err(|error| Verdict::of_error(&error, self.limit))
    }

    pub(super) async fn query_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Verdict> {
        self.session.query_one(sql, params).await.map_err(|error| Verdict::of_error(&error, self.limit))
    }

    /// The table's name as SQL, qualified and quoted, found as the database's own `search_path` says.
    pub(super) async fn table(&self, name: &str) -> Result<String, Verdict> {
        let row = self.query_one("SELECT pg_catalog.to_regclass($1)::pg_catalog.oid", &[&name]).await?;
        let Some(oid) = row.get::<_, Option<u32>>(0) else {
            return Err(Verdict::Failed(format!("there is no table {name}")));
        };
        let found = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
                     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1";
        Ok(self.query_one(found, &[&oid]).await?.get(0))
    }

    /// A column's name as SQL, quoted; it must be one of the table's.
    pub(super) async fn column(&self, table: &str, name: &str) -> Result<String, Verdict> {
        let found = "SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_attribute a
                     WHERE a.attrelid = pg_catalog.to_regclass($1)::pg_catalog.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped";
        let row = self.query(found, &[&table, &name]).await?;
        let row = row.first().ok_or_else(|| Verdict::Failed(format!("table {table} has no column {name}")))?;
        Ok(row.get(0))
    }
}

pub(super) async fn connect(connection: &Connection) -> Result<Session, Verdict> {
    connection.connect().await.map_err(|error| Verdict::Unverified(error.chain()))
}
