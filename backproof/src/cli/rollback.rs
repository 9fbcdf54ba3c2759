//! `backproof rollback`: the last swap, taken back.

use super::Context;
use super::args::RollbackArgs;
use crate::verbs::{KeptData, RollbackOptions, RollbackResult};
use backup_core::Result;

pub(super) async fn run(context: &Context, args: &RollbackArgs) -> Result<u8> {
    let options = RollbackOptions {
        to: args.to.as_str().into(),
        table: args.table.clone(),
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
    match (&done.table, &done.kept, done.dropped.as_deref().unwrap_or_default()) {
        (Some(table), Some(KeptData::Table(kept)), _) => {
            format!("would put the rows of {kept} back into {table}; nothing was changed")
        }
        (Some(table), Some(_), _) => format!("nothing is kept of {table}"),
        (Some(table), None, _) => format!("{table} has its {} rows back", done.rows.unwrap_or_default()),
        (None, Some(KeptData::Databases(kept)), []) if !kept.is_empty() => {
            format!("would drop {}; nothing was changed", listed(kept))
        }
        (None, _, []) => "no database is kept".into(),
        (None, _, dropped) => format!("dropped {}", listed(dropped)),
    }
}
