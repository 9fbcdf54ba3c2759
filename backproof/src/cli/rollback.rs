//! `backproof rollback`: the last swap, taken back.

use super::Context;
use super::args::RollbackArgs;
use super::prompt;
use backup_core::Result;
use backup_postgres::swap::{Kept, Newer, Rollback, left_behind};
use backup_postgres::{Connection, Env};
use serde_json::{Value, json};

pub(super) async fn run(context: &Context, args: &RollbackArgs) -> Result<u8> {
    let connection = Connection::resolve(Some(&args.to), &Env::from_process())?;
    for warning in connection.warnings() {
        context.output.warning(warning);
    }
    let mut warned = !connection.warnings().is_empty();
    let sure = args.yes || context.settings.force();
    if !args.tables.is_empty() {
        return super::tables::rollback(context, args, &connection).await;
    }
    if args.drop_old {
        return drop_old(context, &connection, args.dry_run, sure, warned).await;
    }
    for left in left_behind(&connection, None).await? {
        context.output.warning(&left);
        warned = true;
    }
    let rollback = Rollback::new(connection.clone()).lose_newer_data(args.lose_newer_data);
    let plan = rollback.plan().await?;
    if args.dry_run {
        let body = json!({ "dry_run": true, "plan": {
            "target": connection.to_string(), "kept": plan.kept.name, "put_aside": plan.undone, "newer": newer(&plan.newer),
            "steps": plan.steps, "obstacles": plan.obstacles,
        }});
        context.output.result("rollback", body, || {
            let mut text = format!("roll {connection} back; nothing was changed\n");
            for (title, lines) in [("would", &plan.steps), ("OBSTACLE", &plan.obstacles)] {
                lines.iter().for_each(|line| text.push_str(&format!("  {title}: {line}\n")));
            }
            text.trim_end().to_owned()
        })?;
        return Ok(if plan.obstacles.is_empty() { u8::from(warned) } else { 2 });
    }
    // Refusals come before the question.
    if plan.obstacles.is_empty() {
        let what = format!("{connection} will be \"{}\" again, as it was at {}", plan.kept.name, plan.kept.at);
        prompt::confirm(&what, connection.database(), sure)?;
    }
    let done = rollback.run().await?;
    let body = json!({ "dry_run": false, "rolled_back": {
        "live": done.live, "put_aside": done.undone, "ended_connections": done.ended,
    }});
    let told = context.output.done("rollback", body, || {
        format!(
            "\"{}\" is what it was before the swap; what had been restored is kept as \"{}\"; {} connections were ended",
            done.live, done.undone, done.ended
        )
    });
    Ok(told.max(u8::from(warned)))
}

fn newer(newer: &Newer) -> Value {
    match newer {
        Newer::Nothing => json!({ "known": true, "rows": 0 }),
        Newer::Rows(rows) => json!({ "known": true, "rows": rows }),
        Newer::Changed(what) => json!({ "known": true, "changed": what }),
        Newer::Unknown(why) => json!({ "known": false, "reason": why }),
        other => json!({ "known": false, "reason": format!("{other:?}") }),
    }
}

async fn drop_old(context: &Context, connection: &Connection, dry_run: bool, sure: bool, warned: bool) -> Result<u8> {
    let names: Vec<String> = Kept::list(connection, None).await?.into_iter().map(|kept| kept.name).collect();
    let listed = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    if names.is_empty() || dry_run {
        let body = json!({ "dry_run": dry_run, "dropped": [], "kept": names });
        context.output.result("rollback", body, || match names.is_empty() {
            true => format!("nothing is kept of {connection}"),
            false => format!("would drop {listed}; nothing was changed"),
        })?;
        return Ok(u8::from(warned));
    }
    prompt::confirm(&format!("{listed} will be dropped: there is no way back to them"), connection.database(), sure)?;
    for name in &names {
        Kept::drop(connection, None, name).await?;
    }
    let told = context
        .output
        .done("rollback", json!({ "dry_run": false, "dropped": names, "kept": [] }), || format!("dropped {listed}"));
    Ok(told.max(u8::from(warned)))
}
