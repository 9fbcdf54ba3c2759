//! `backproof restore --table`: single tables into a live database, and the way back.

use super::Context;
use super::args::{RestoreArgs, RollbackArgs};
use super::prompt;
use super::restore::show_plan;
use backup_core::Result;
use backup_core::restore::ReadRequest;
use backup_postgres::inventory::TableName;
use backup_postgres::table_restore::{KeptTable, Mode, TableRestore};
use backup_postgres::{Connection, Env};
use serde_json::json;

pub(super) async fn run(context: &Context, args: &RestoreArgs, request: &ReadRequest<'_>, url: &str) -> Result<u8> {
    let connection = Connection::resolve(Some(url), &Env::from_process())?;
    for warning in connection.warnings() {
        context.output.warning(warning);
    }
    let warned = !connection.warnings().is_empty();
    let mode = match (args.replace, args.missing_rows) {
        (true, _) => Mode::Replace,
        (false, true) => Mode::MissingRows,
        (false, false) => Mode::Beside,
    };
    let mut restore = TableRestore::new(connection.clone()).mode(mode);
    if let Some(schema) = &args.schema {
        restore = restore.schema(schema);
    }
    let backup = request.open().await?;
    let plan = restore.plan(&backup, &args.tables).await?;
    if args.dry_run {
        context.output.result("restore", json!({ "dry_run": true, "plan": plan }), || show_plan(&plan))?;
        return Ok(if plan.obstacles.is_empty() { u8::from(warned || !plan.warnings.is_empty()) } else { 2 });
    }
    // With obstacles it refuses by itself, and nobody is asked. A schema of its own replaces nothing.
    if mode != Mode::Beside && plan.obstacles.is_empty() {
        let what = format!("{connection}: {}", plan.steps.join("; "));
        prompt::confirm(&what, connection.database(), args.yes || context.settings.force())?;
    }
    let restored = restore.run(&backup, &args.tables, &*context.monitor()).await?;
    let tables: Vec<_> = restored
        .iter()
        .map(|one| {
            let put_back = (mode == Mode::MissingRows).then_some(one.put_back);
            json!({ "table": one.table.to_string(), "into": one.into, "rows": one.rows, "put_back": put_back, "kept": one.kept })
        })
        .collect();
    let told = context.output.done("restore", json!({ "dry_run": false, "tables": tables }), || {
        let line = |one: &backup_postgres::table_restore::RestoredTable| match (mode, &one.kept) {
            (Mode::MissingRows, _) => format!("{}: {} rows were put back", one.into, one.put_back),
            (_, Some(kept)) => {
                format!(
                    "{}: {} rows; those that were there are kept in {kept}: `rollback --table` brings them back",
                    one.into, one.rows
                )
            }
            (_, None) => format!("{}: {} rows of {}", one.into, one.rows, one.table),
        };
        restored.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(told.max(u8::from(warned || !plan.warnings.is_empty())))
}

pub(super) async fn rollback(context: &Context, args: &RollbackArgs, connection: &Connection) -> Result<u8> {
    let rollback = TableRestore::new(connection.clone());
    let kept = rollback.kept_of(&args.tables).await?;
    if args.dry_run {
        let tables: Vec<_> =
            kept.iter().map(|kept| json!({ "table": kept.table.to_string(), "kept": kept.name })).collect();
        context.output.result("rollback", json!({ "dry_run": true, "tables": tables }), || {
            let line = |kept: &KeptTable| format!("would put the rows of {} back into {}", kept.name, kept.table);
            kept.iter().map(line).chain(["nothing was changed".to_owned()]).collect::<Vec<_>>().join("\n")
        })?;
        return Ok(u8::from(!connection.warnings().is_empty()));
    }
    let names: Vec<TableName> = kept.into_iter().map(|kept| kept.table).collect();
    let listed = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let what = format!("{connection}: the rows of {listed} will be those that were kept");
    prompt::confirm(&what, connection.database(), args.yes || context.settings.force())?;
    let rows = rollback.roll_back_all(&names, args.lose_newer_data).await?;
    let done = || names.iter().zip(&rows);
    let tables: Vec<_> = done().map(|(name, rows)| json!({ "table": name.to_string(), "rows": rows })).collect();
    let told = context.output.done("rollback", json!({ "dry_run": false, "tables": tables }), || {
        done().map(|(name, rows)| format!("{name} has its {rows} rows back")).collect::<Vec<_>>().join("\n")
    });
    Ok(told.max(u8::from(!connection.warnings().is_empty())))
}
