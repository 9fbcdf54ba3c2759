//! Assertions: what a user expects of a database after it was restored, checked by name.
//!
//! The words of the configuration are in [`Assertion`]; [`run`] judges them. Each passes, fails, or is unverified with the reason: a
//! check that could not be made is never a pass. All SQL but [`Check::Amcheck`]'s runs in a read-only transaction with a time limit, one
//! statement at a time, each assertion on a connection of its own; nothing it does is kept.
//!
//! - what is configured, and how it reads: `config`;
//! - SQL that the user wrote: `queries`; rows that are new enough, numbers without gaps: `rows`;
//! - tables, functions, row-level security, constraints, indexes: `catalog`; what amcheck finds: `amcheck`;
//! - programs: `program`.

mod amcheck;
mod catalog;
mod config;
mod program;
mod queries;
mod rows;
mod session;
mod verdict;

pub use config::{Assertion, Check, Count, Fresh, NoGaps, Severity, validate};

use crate::connection::Connection;
use backup_core::level::Outcome;
use backup_core::proof::AssertionResult;
use jiff::Timestamp;
use std::time::{Duration, Instant};
use verdict::Verdict;

/// What an assertion gets beyond its time limit before its connection is given up: the server should have ended the statement.
const GRACE: Duration = Duration::from_secs(5);

/// Judges each assertion against this database, in order.
///
/// `at` is the time that the data is of, the snapshot's: what "newer than 24 h" counts back from.
pub async fn run(connection: &Connection, assertions: &[Assertion], at: Timestamp) -> Vec<AssertionResult> {
    let mut results = Vec::with_capacity(assertions.len());
    for assertion in assertions {
        let started = Instant::now();
        let verdict = match tokio::time::timeout(assertion.timeout + GRACE, judge(connection, assertion, at)).await {
            Ok(Ok(verdict) | Err(verdict)) => verdict,
            Err(_) => Verdict::timed_out(assertion.timeout),
        };
        let (outcome, detail) = match verdict {
            Verdict::Passed(detail) => (Outcome::Passed, detail),
            Verdict::Failed(detail) => (Outcome::Failed, detail),
            Verdict::Unverified(detail) => (Outcome::Unverified, detail),
        };
        results.push(AssertionResult {
            name: assertion.name.clone(),
            outcome,
            warning_only: assertion.severity == Severity::Warn,
            detail,
            seconds: started.elapsed().as_secs_f64(),
        });
    }
    results
}

async fn judge(connection: &Connection, assertion: &Assertion, at: Timestamp) -> Result<Verdict, Verdict> {
    let limit = assertion.timeout;
    match &assertion.check {
        Check::Command(command) => program::judge(connection, command, limit).await,
        Check::Amcheck => amcheck::judge(connection, limit).await,
        check => {
            let session = session::ReadOnly::begin(connection, limit).await?;
            match check {
                Check::Sql(sql) => queries::is_true(&session, sql).await,
                Check::Count(count) => queries::count(&session, count).await,
                Check::Fresh(fresh) => rows::fresh(&session, fresh, at).await,
                Check::NoGaps(no_gaps) => rows::no_gaps(&session, no_gaps).await,
                Check::Function(name) => catalog::function(&session, name).await,
                Check::Tables(names) => catalog::tables(&session, names).await,
                Check::RowLevelSecurity(names) => catalog::row_level_security(&session, names).await,
                Check::ValidConstraints => catalog::valid_constraints(&session).await,
                Check::ValidIndexes => catalog::valid_indexes(&session).await,
                Check::Command(_) | Check::Amcheck => Err(Verdict::Unverified("this runs elsewhere".into())),
            }
        }
    }
}
