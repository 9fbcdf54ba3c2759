//! What rows say of the whole: the newest is new enough, no number is missing.

use super::config::{Fresh, NoGaps};
use super::session::ReadOnly;
use super::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};

/// The newest row is not older than so long before the snapshot.
pub(super) async fn fresh(session: &ReadOnly, fresh: &Fresh, at: Timestamp) -> Result<Verdict, Verdict> {
    let table = session.table(&fresh.table).await?;
    let column = session.column(&table, &fresh.column).await?;
    let within = SignedDuration::try_from(fresh.within).unwrap_or(SignedDuration::MAX);
    let limit = at.saturating_sub(within).unwrap_or(Timestamp::MIN);
    // A limit before PostgreSQL's own range is no limit.
    let limit = limit.max(Timestamp::UNIX_EPOCH).to_string();
    let row = session
        .query_one(
            &format!(
                "SELECT s.newest::pg_catalog.text, s.newest >= $1::pg_catalog.text::pg_catalog.timestamptz
                 FROM (SELECT pg_catalog.max({column})::pg_catalog.timestamptz AS newest FROM {table}) s"
            ),
            &[&limit],
        )
        .await?;
    let (Some(newest), Some(new)) = (row.get::<_, Option<String>>(0), row.get::<_, Option<bool>>(1)) else {
        return Ok(Verdict::Failed(format!("no row of {table} has a {column}")));
    };
    let detail = format!("the newest {column} of {table} is {newest}; at the earliest {limit} is expected");
    Ok(if new { Verdict::Passed(detail) } else { Verdict::Failed(detail) })
}

/// The numbers in a column follow one another, in each group.
pub(super) async fn no_gaps(session: &ReadOnly, no_gaps: &NoGaps) -> Result<Verdict, Verdict> {
    let table = session.table(&no_gaps.table).await?;
    let column = session.column(&table, &no_gaps.column).await?;
    let group = match &no_gaps.by {
        Some(by) => session.column(&table, by).await?,
        None => "NULL::pg_catalog.text".to_owned(),
    };
    let numbers = format!(
        "SELECT {group} AS grp, {column}::pg_catalog.int8 AS number,
                pg_catalog.lead({column}::pg_catalog.int8) OVER (PARTITION BY {group} ORDER BY {column}) AS next FROM {table}"
    );
    let of = |group: Option<String>| group.map_or_else(String::new, |group| format!(" of {group}"));
    let gaps = format!(
        "SELECT s.grp::pg_catalog.text, s.number, s.next FROM ({numbers}) s WHERE s.next - s.number <> 1 OR s.number IS NULL
         ORDER BY 1, 2 LIMIT 100"
    );
    let mut findings = Vec::new();
    for row in session.query(&gaps, &[]).await? {
        let (group, number, next): (Option<String>, Option<i64>, Option<i64>) = (row.get(0), row.get(1), row.get(2));
        findings.push(match (number, next) {
            (Some(number), Some(next)) if number == next => format!("{number}{} is there twice", of(group)),
            (Some(number), Some(next)) => format!("after {number}{} comes {next}", of(group)),
            _ => format!("a row{} has no number", of(group)),
        });
    }
    let ends = format!(
        "SELECT {group}::pg_catalog.text, pg_catalog.min({column})::pg_catalog.int8, pg_catalog.count(*) FROM {table} GROUP BY 1 ORDER BY 1"
    );
    let mut rows = 0;
    for row in session.query(&ends, &[]).await? {
        let (group, first): (Option<String>, Option<i64>) = (row.get(0), row.get(1));
        rows += row.get::<_, i64>(2);
        if let (Some(expected), Some(first)) = (no_gaps.from, first)
            && expected != first
        {
            findings.push(format!("the first{} is {first}, not {expected}", of(group)));
        }
    }
    if rows == 0 {
        return Err(Verdict::Unverified(format!("{table} has no row")));
    }
    let passed = format!("{rows} rows of {table}: no number of {column} is missing between the first and the last");
    Ok(Verdict::of_findings(&findings, &format!("{table}, {column}"), passed))
}
