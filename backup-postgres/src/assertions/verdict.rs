//! What came of one assertion.

use std::time::Duration;
use tokio_postgres::error::SqlState;

/// What came of an assertion, with what was found, or why nothing could be.
#[derive(Debug)]
pub(super) enum Verdict {
    Passed(String),
    Failed(String),
    Unverified(String),
}

impl Verdict {
    pub(super) fn timed_out(limit: Duration) -> Self {
        Verdict::Unverified(format!("it took longer than {} s", limit.as_secs_f64()))
    }

    /// A statement that the server refused: what is not there fails the assertion; anything else leaves it unverified.
    pub(super) fn of_error(error: &tokio_postgres::Error, limit: Duration) -> Self {
        let Some(said) = error.as_db_error() else {
            return Verdict::Unverified(format!("the connection failed: {error}"));
        };
        const NOT_THERE: [SqlState; 6] = [
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
            SqlState::UNDEFINED_FUNCTION,
            SqlState::UNDEFINED_OBJECT,
            SqlState::INVALID_SCHEMA_NAME,
            SqlState::UNDEFINED_FILE,
        ];
        if *said.code() == SqlState::QUERY_CANCELED {
            return Verdict::timed_out(limit);
        }
        // The message alone: details can hold values of rows.
        let message = said.message().to_owned();
        if NOT_THERE.contains(said.code()) { Verdict::Failed(message) } else { Verdict::Unverified(message) }
    }

    /// Passed when nothing was found; otherwise failed, with the first of what was.
    pub(super) fn of_findings(findings: &[String], what: &str, otherwise: String) -> Self {
        const SHOWN: usize = 5;
        if findings.is_empty() {
            return Verdict::Passed(otherwise);
        }
        let shown = findings.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = findings.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Verdict::Failed(format!("{what}: {shown}{more}"))
    }
}
