//! SQL that the user wrote: it must be true, or count to something in a range.

use super::config::{Count, Counted};
use super::session::ReadOnly;
use super::verdict::Verdict;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// One row with one column, or what is wrong.
async fn single(session: &ReadOnly, sql: &str) -> Result<Row, Verdict> {
    let mut rows = session.query(sql, &[]).await?;
    match (rows.pop(), rows.is_empty()) {
        (None, _) => Err(Verdict::Failed("it gives no row".into())),
        (Some(row), true) if row.columns().len() == 1 => Ok(row),
        (Some(_), true) => Err(Verdict::Unverified("it gives several columns where one is expected".into())),
        (Some(_), false) => Err(Verdict::Unverified(format!("it gives {} rows where one is expected", rows.len() + 1))),
    }
}

fn other_type(row: &Row, wanted: &str) -> Verdict {
    let found = row.columns().first().map_or("nothing", |column| column.type_().name());
    Verdict::Unverified(format!("it gives a value of type {found} where {wanted} is expected"))
}

/// The statement gives true.
pub(super) async fn is_true(session: &ReadOnly, sql: &str) -> Result<Verdict, Verdict> {
    let row = single(session, sql).await?;
    match row.try_get::<_, Option<bool>>(0) {
        Ok(Some(true)) => Ok(Verdict::Passed("true".into())),
        Ok(Some(false)) => Ok(Verdict::Failed("false".into())),
        Ok(None) => Ok(Verdict::Failed("null".into())),
        Err(_) => Err(other_type(&row, "boolean")),
    }
}

/// What is counted lies in the range.
pub(super) async fn count(session: &ReadOnly, count: &Count) -> Result<Verdict, Verdict> {
    let row = match &count.of {
        Counted::Table(name) => {
            let table = session.table(name).await?;
            session.query_one(&format!("SELECT pg_catalog.count(*) FROM {table}"), &[]).await?
        }
        Counted::Sql(sql) => single(session, sql).await?,
    };
    let number = match row.columns().first().map(|column| column.type_().clone()) {
        Some(Type::INT2) => row.get::<_, Option<i16>>(0).map(i64::from),
        Some(Type::INT4) => row.get::<_, Option<i32>>(0).map(i64::from),
        Some(Type::INT8) => row.get::<_, Option<i64>>(0),
        _ => return Err(other_type(&row, "smallint, integer or bigint (a sum may need ::bigint)")),
    };
    let Some(number) = number else { return Ok(Verdict::Failed("null".into())) };
    let range = match (count.min, count.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, max) => format!("at most {}", max.unwrap_or(i64::MAX)),
    };
    let within = count.min.is_none_or(|min| number >= min) && count.max.is_none_or(|max| number <= max);
    let detail = format!("{number}; expected {range}");
    Ok(if within { Verdict::Passed(detail) } else { Verdict::Failed(detail) })
}
