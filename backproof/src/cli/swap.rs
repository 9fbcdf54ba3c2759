//! `backproof restore --swap`: in place of a live database.

use super::Context;
use super::args::RestoreArgs;
use super::prompt;
use crate::config::ProofOptions;
use crate::in_place::InPlace;
use backup_core::level::Level;
use backup_core::repository::Repository;
use backup_core::repository::catalog::{Filter, Selector};
use backup_core::{Error, Result};
use backup_postgres::swap::{Kept, Swap, SwapPlan};
use backup_postgres::{Connection, Env};
use serde_json::json;
use std::sync::Arc;

pub(super) async fn run(
    context: &Context,
    args: &RestoreArgs,
    repository: &Repository,
    selector: &Selector,
    filter: &Filter,
    url: &str,
) -> Result<u8> {
    let settings = &context.settings;
    let level: Level = args.level.as_deref().map(str::parse).transpose()?.unwrap_or(Level::Readable);
    if args.jobs.is_some() {
        return Err(Error::new(&crate::error::codes::NO_EFFECT, "--jobs has no effect with --swap"));
    }
    let connection = Connection::resolve(Some(url), &Env::from_process())?;
    for warning in connection.warnings() {
        context.output.warning(warning);
    }
    let mut warned = !connection.warnings().is_empty();
    let (record, doubts) = repository.find_with_doubts(selector, filter, args.allow_unsigned).await?;
    for doubt in &doubts {
        context.output.warning(doubt);
    }
    warned |= !doubts.is_empty();
    let swap = Swap::new(connection.clone()).ignore_slots(args.ignore_slots);
    let plan = swap.plan().await?;
    let id = record.manifest.id.clone();
    if args.dry_run {
        let body = json!({ "dry_run": true, "plan": {
            "backup": id, "target": connection.to_string(), "steps": plan.steps, "warnings": plan.warnings,
            "obstacles": plan.obstacles, "kept": plan.kept(), "connections": plan.connections,
        }});
        context.output.result("restore", body, || show_plan(&plan, &connection, id.as_str()))?;
        return Ok(if plan.obstacles.is_empty() { u8::from(warned || !plan.warnings.is_empty()) } else { 2 });
    }
    plan.require()?;
    let sealer = settings.sealer(args.no_encryption, false, context.prompt.clone()).await?;
    let sure = args.yes || settings.force();
    let what = format!(
        "{connection} will be replaced by backup {id} of {}; {} connections to it will be ended",
        record.manifest.source.snapshot, plan.connections
    );
    prompt::confirm(&what, connection.database(), sure)?;
    let steps = InPlace::new(repository, record, Arc::new(settings.prover(&ProofOptions::default())?), sealer)
        .level(level)
        .allow_unsigned(args.allow_unsigned)
        .open_with(settings.opener(args.passphrase, context.prompt.clone()).await?)
        .sign(settings.signer(context.prompt.clone()).await?)
        .assertions(settings.proof.assertions.clone())
        .options(settings.pipeline.clone())
        .tools(settings.pg_bindir.clone())
        .no_owner(args.no_owner)
        .no_tablespaces(args.no_tablespaces)
        .skip_unreadable(args.skip_unreadable || settings.skip_unreadable)
        .monitor(context.monitor())
        .cancel_with(context.signals.token());
    let done = swap.run(&steps).await?;
    for warning in &done.warnings {
        context.output.warning(warning);
    }
    let results = steps.assertion_results();
    warned |=
        !done.warnings.is_empty() || results.iter().any(|result| result.outcome != backup_core::level::Outcome::Passed);
    let dropped = if args.drop_old {
        match Kept::drop(&connection, None, &done.kept).await {
            Ok(()) => true,
            Err(error) => {
                context.output.warning(&format!("the old database is still there: {}", error.chain()));
                warned = true;
                false
            }
        }
    } else {
        false
    };
    let body = json!({ "dry_run": false, "swapped": {
        "live": done.live, "kept": if dropped { None } else { Some(&done.kept) }, "backup": done.backup,
        "safety_backup": done.safety_backup, "ended_connections": done.ended, "warnings": done.warnings,
        "assertions": results,
    }});
    context.output.result("restore", body, || {
        let old = match dropped {
            true => "the old database was dropped".to_owned(),
            false => format!("the old database is kept as \"{}\": `backproof rollback` brings it back", done.kept),
        };
        format!(
            "\"{}\" is now backup {}; {} connections were ended\n{old}\nsafety backup: {}",
            done.live, done.backup, done.ended, done.safety_backup
        )
    })?;
    Ok(u8::from(warned))
}

fn show_plan(plan: &SwapPlan, connection: &Connection, id: &str) -> String {
    let mut text = format!("restore backup {id} in place of {connection}; nothing was changed\n");
    for (title, lines) in [("would", &plan.steps), ("warning", &plan.warnings), ("OBSTACLE", &plan.obstacles)] {
        for line in lines {
            text.push_str(&format!("  {title}: {line}\n"));
        }
    }
    text.trim_end().to_owned()
}
