//! Into a database that does not exist yet.

use super::{Report, RestoreOptions, RestoreResult};
use crate::Backproof;
use backup_core::Result;
use backup_core::restore::ReadRequest;
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
        let plan = request.plan(&target).await?;
        return Ok(RestoreResult { plan: Some(plan.into()), ..RestoreResult::default() });
    }
    let done = request.restore(&target).await?;
    let report = Report { target: done.target, bytes: Some(done.bytes), warnings: Some(done.warnings), files: None };
    Ok(RestoreResult { report: Some(report), ..RestoreResult::default() })
}
