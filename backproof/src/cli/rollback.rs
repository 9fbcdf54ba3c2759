//! `backproof rollback`: the last swap, taken back.

use super::Context;
use super::args::RollbackArgs;
use crate::verbs::{RollbackOptions, RollbackResult, RolledBackTable};
use backup_core::Result;

pub(super) async fn run(context: &Context, args: &RollbackArgs) -> Result<u8> {
    let options = RollbackOptions {
        to: args.to.as_str().into(),
        tables: args.tables.clone(),
        lose_newer_data: args.lose_newer_data,
        drop_old: args.drop_old,
        dry_run: args.dry_run,
        yes: args.yes,
    };
    let done = context.session().rollback(&options).await?;
    if options.dry_run {
        context.output.result("rollback", &done, || text(&done))?;
        return Ok(done.exit_code());
    }
    Ok(context.output.done("rollback", &done, || text(&done)).max(done.exit_code()))
}

fn text(done: &RollbackResult) -> String {
    if let Some(plan) = &done.plan {
        let mut text = format!("roll {} back; nothing was changed\n", plan.target);
        for (title, lines) in [("would", &plan.steps), ("OBSTACLE", &plan.obstacles)] {
            lines.iter().for_each(|line| text.push_str(&format!("  {title}: {line}\n")));
        }
        return text.trim_end().to_owned();
    }
    if let Some(back) = &done.rolled_back {
        return format!(
            "\"{}\" is what it was before the swap; what had been restored is kept as \"{}\"; {} connections were ended",
            back.live, back.put_aside, back.ended_connections
        );
    }
    let listed = |names: &[String]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    if let Some(tables) = &done.tables {
        let line = |one: &RolledBackTable| match (&one.kept, one.rows) {
            (Some(kept), _) => format!("would put the rows of {kept} back into {}", one.table),
            (None, rows) => format!("{} has its {} rows back", one.table, rows.unwrap_or_default()),
        };
        let unchanged = done.dry_run.then(|| "nothing was changed".to_owned());
        return tables.iter().map(line).chain(unchanged).collect::<Vec<_>>().join("\n");
    }
    match (done.kept.as_deref().unwrap_or_default(), done.dropped.as_deref().unwrap_or_default()) {
        ([], []) => "no database is kept".into(),
        (kept, []) => format!("would drop {}; nothing was changed", listed(kept)),
        (_, dropped) => format!("dropped {}", listed(dropped)),
    }
}
