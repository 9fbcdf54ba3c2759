//! Into a database that does not exist yet.

use super::{Report, RestoreOptions, RestoreResult};
use crate::Backproof;
use backup_core::error::codes::PART_NOT_FOUND;
use backup_core::restore::ReadRequest;
use backup_core::{Error, Result};
use backup_postgres::Connection;

pub(super) async fn restore(
    session: &Backproof,
    options: &RestoreOptions,
    request: &ReadRequest<'_>,
    connection: Connection,
) -> Result<RestoreResult> {
    let mut target = session
        .settings()
        .restore_to(connection)
        .no_owner(options.no_owner)
        .no_tablespaces(options.no_tablespaces)
        .cancel_with(session.cancellation());
    if let Some(jobs) = options.jobs {
        target = target.jobs(jobs);
    }
    if options.dry_run {
        let plan = request.plan(&target).await.map_err(for_programs)?;
        return Ok(RestoreResult { plan: Some(plan.into()), ..RestoreResult::default() });
    }
    let done = request.restore(&target).await.map_err(for_programs)?;
    let report = Report { target: done.target, bytes: Some(done.bytes), warnings: Some(done.warnings), files: None };
    Ok(RestoreResult { report: Some(report), ..RestoreResult::default() })
}

/// What is no dump of a database goes into files.
fn for_programs(error: Error) -> Error {
    if !error.is(&PART_NOT_FOUND) {
        return error;
    }
    error.with_hint("it is no backup of a PostgreSQL database: write its parts to files with --to-directory DIR")
}
