//! What the catalogs say: tables and functions that must be there, row-level security, valid constraints and indexes.

use super::session::ReadOnly;
use super::verdict::Verdict;
use crate::queries;

/// The tables exist.
pub(super) async fn tables(session: &ReadOnly, names: &[String]) -> Result<Verdict, Verdict> {
    let mut missing = Vec::new();
    for name in names {
        let row = session.query_one(queries::ASSERT_TABLE, &[name]).await?;
        match row.get::<_, Option<bool>>(0) {
            Some(true) => {}
            Some(false) => missing.push(format!("{name} (it is no table)")),
            None => missing.push(name.clone()),
        }
    }
    Ok(Verdict::of_findings(&missing, "missing", format!("{} tables are there", names.len())))
}

/// A function or procedure exists: by its name, or by its name and the types of its arguments.
pub(super) async fn function(session: &ReadOnly, name: &str) -> Result<Verdict, Verdict> {
    let query =
        if name.contains('(') { "SELECT pg_catalog.to_regprocedure($1) IS NOT NULL" } else { queries::ASSERT_FUNCTION };
    let there: bool = session.query_one(query, &[&name]).await?.get(0);
    Ok(if there {
        Verdict::Passed(format!("function {name} is there"))
    } else {
        Verdict::Failed(format!("there is no function {name}"))
    })
}

/// Row-level security is on for the tables; `schema.*` means all of a schema.
pub(super) async fn row_level_security(session: &ReadOnly, names: &[String]) -> Result<Verdict, Verdict> {
    let mut findings = Vec::new();
    let mut checked = 0;
    for name in names {
        let rows = match name.strip_suffix(".*") {
            Some(schema) => session.query(queries::ASSERT_ROW_SECURITY_OF_SCHEMA, &[&schema]).await?,
            None => session.query(queries::ASSERT_ROW_SECURITY, &[name]).await?,
        };
        if rows.is_empty() {
            findings.push(format!("{name} (there is no such table)"));
        }
        checked += rows.len();
        findings.extend(rows.iter().filter(|row| !row.get::<_, bool>(1)).map(|row| row.get(0)));
    }
    Ok(Verdict::of_findings(&findings, "row-level security is off", format!("it is on for {checked} tables")))
}

/// No constraint is `NOT VALID` or `NOT ENFORCED`.
pub(super) async fn valid_constraints(session: &ReadOnly) -> Result<Verdict, Verdict> {
    let rows = session.query(queries::ASSERT_CONSTRAINTS, &[]).await?;
    Ok(invalid(&rows, "constraints"))
}

/// No index is invalid.
pub(super) async fn valid_indexes(session: &ReadOnly) -> Result<Verdict, Verdict> {
    let rows = session.query(queries::ASSERT_INDEXES, &[]).await?;
    Ok(invalid(&rows, "indexes"))
}

fn invalid(rows: &[tokio_postgres::Row], what: &str) -> Verdict {
    let invalid: Vec<String> = rows.iter().filter(|row| !row.get::<_, bool>(1)).map(|row| row.get(0)).collect();
    Verdict::of_findings(&invalid, &format!("invalid {what}"), format!("{} {what} are valid", rows.len()))
}
