//! Single tables into a live database.

use super::{RestoreOptions, RestoreResult, RestoredTable};
use crate::Backproof;
use backup_core::Result;
use backup_core::monitor::Recorder;
use backup_core::restore::ReadRequest;
use backup_postgres::Connection;
use backup_postgres::table_restore::{Mode, TableRestore};

pub(super) async fn restore(
    session: &Backproof,
    options: &RestoreOptions,
    request: &ReadRequest<'_>,
    connection: Connection,
    recorder: &Recorder,
) -> Result<RestoreResult> {
    let mode = match (options.replace, options.missing_rows) {
        (true, _) => Mode::Replace,
        (false, true) => Mode::MissingRows,
        (false, false) => Mode::Beside,
    };
    let mut restore = TableRestore::new(connection.clone()).mode(mode);
    if let Some(schema) = &options.schema {
        restore = restore.schema(schema);
    }
    let backup = request.open().await?;
    let plan = restore.plan(&backup, &options.tables).await?;
    if options.dry_run {
        return Ok(RestoreResult { plan: Some(plan.into()), ..RestoreResult::default() });
    }
    // With obstacles it refuses by itself, and nobody is asked. A schema of its own replaces nothing.
    if mode != Mode::Beside && plan.obstacles.is_empty() {
        let what = format!("{connection}: {}", plan.steps.join("; "));
        session.sure(options.yes, &what, connection.database())?;
    }
    let restored = restore.run(&backup, &options.tables, recorder).await?;
    let tables = restored.into_iter().map(|one| RestoredTable {
        table: one.table.to_string(),
        into: one.into,
        rows: one.rows,
        put_back: (mode == Mode::MissingRows).then_some(one.put_back),
        kept: one.kept,
    });
    Ok(RestoreResult { tables: Some(tables.collect()), ..RestoreResult::default() })
}
