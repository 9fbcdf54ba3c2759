//! What PostgreSQL's own amcheck finds in B-tree indexes and tables.
//!
//! Where the extension is not in the database, it is created for the check, in a transaction that is rolled back.
//! <https://www.postgresql.org/docs/current/amcheck.html>

use super::session::connect;
use super::verdict::Verdict;
use crate::connection::{Connection, Session};
use crate::queries;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// The schema that the extension is created in for the check.
const SCHEMA: &str = "backproof_amcheck";

pub(super) async fn judge(connection: &Connection, limit: Duration) -> Result<Verdict, Verdict> {
    let session = connect(connection).await?;
    let of_error = |error: tokio_postgres::Error| Verdict::of_error(&error, limit);
    let begin = format!(
        "BEGIN; SET LOCAL statement_timeout = {}; SET LOCAL search_path = ''",
        limit.as_millis().clamp(1, i32::MAX as u128)
    );
    session.batch_execute(&begin).await.map_err(of_error)?;
    let verdict = check(&session, limit).await;
    // Nothing is ever committed: a connection that breaks instead comes to the same.
    let _ = session.batch_execute("ROLLBACK").await;
    verdict
}

async fn check(session: &Session, limit: Duration) -> Result<Verdict, Verdict> {
    let of_error = |error: tokio_postgres::Error| Verdict::of_error(&error, limit);
    let schema = session.query_opt(queries::ASSERT_AMCHECK_SCHEMA, &[]).await.map_err(of_error)?;
    let schema: String = match schema {
        Some(row) => row.get(0),
        None => {
            let create = format!("CREATE SCHEMA {SCHEMA}; CREATE EXTENSION amcheck SCHEMA {SCHEMA}");
            session.batch_execute(&create).await.map_err(|error| {
                let reason = error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned());
                Verdict::Unverified(format!("the extension amcheck cannot be used here: {reason}"))
            })?;
            SCHEMA.to_owned()
        }
    };
    let relations = session.query(queries::ASSERT_AMCHECK_RELATIONS, &[]).await.map_err(of_error)?;
    let with_heap = session.query_one(queries::ASSERT_AMCHECK_HEAP, &[&schema]).await.map_err(of_error)?.get(0);
    let mut findings = Vec::new();
    let (mut indexes, mut tables) = (0, 0);
    for row in &relations {
        let (oid, name, is_index): (u32, String, bool) = (row.get(0), row.get(1), row.get(2));
        if is_index {
            indexes += 1;
            findings
                .extend(check_index(session, &schema, oid, limit).await?.map(|found| format!("index {name}: {found}")));
        } else if with_heap {
            tables += 1;
            let verify =
                format!("SELECT msg FROM {schema}.verify_heapam($1::pg_catalog.oid::pg_catalog.regclass) LIMIT 1");
            if let Some(row) = session.query_opt(&verify, &[&oid]).await.map_err(of_error)? {
                findings.push(format!("table {name}: {}", row.get::<_, String>(0)));
            }
        }
    }
    Ok(Verdict::of_findings(&findings, "amcheck", format!("{indexes} indexes and {tables} tables are sound")))
}

/// Checks one B-tree with its table: each row has its entry.
async fn check_index(session: &Session, schema: &str, oid: u32, limit: Duration) -> Result<Option<String>, Verdict> {
    let of_error = |error: tokio_postgres::Error| Verdict::of_error(&error, limit);
    // An error is how it tells, and ends the transaction otherwise.
    session.batch_execute("SAVEPOINT one").await.map_err(of_error)?;
    let check = format!("SELECT {schema}.bt_index_check($1::pg_catalog.oid::pg_catalog.regclass, true)");
    match session.execute(&check, &[&oid]).await {
        Ok(_) => session.batch_execute("RELEASE one").await.map_err(of_error).map(|()| None),
        Err(error) => match error.as_db_error() {
            Some(said) if [SqlState::INDEX_CORRUPTED, SqlState::DATA_CORRUPTED].contains(said.code()) => {
                session.batch_execute("ROLLBACK TO one").await.map_err(of_error)?;
                Ok(Some(said.message().to_owned()))
            }
            _ => Err(of_error(error)),
        },
    }
}
