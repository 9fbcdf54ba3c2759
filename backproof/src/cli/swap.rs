//! `backproof restore --swap` and `--in-place`: in place of a live database.

use super::Context;
use super::args::RestoreArgs;
use super::prompt;
use crate::config::ProofOptions;
use crate::in_place::InPlace;
use backup_core::cipher::KeyOpener;
use backup_core::error::codes::UNSIGNED;
use backup_core::level::Level;
use backup_core::repository::Repository;
use backup_core::repository::catalog::ManifestRecord;
use backup_core::repository::catalog::{Filter, Selector};
use backup_core::restore::ReadRequest;
use backup_core::target::RestorePlan;
use backup_core::{Error, Result};
use backup_postgres::swap::{Kept, Overwrite, Swap, SwapPlan, left_behind};
use backup_postgres::{Connection, Env, PgRestore};
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
    // Refusals come before anything is done: without these, there is no safety backup that is a way back.
    if repository.trust().is_some() && settings.signing_key.is_none() && !args.allow_unsigned {
        return Err(Error::new(
            &UNSIGNED,
            "signers are trusted, and there is no key to sign the safety backup with: nobody could restore it",
        )
        .with_hint("give --signing-key, or set repository.signing_key"));
    }
    drop(settings.sealer(args.no_encryption, false, context.prompt.clone()).await?);
    if args.in_place {
        return overwrite(context, args, repository, record, &connection, level, warned).await;
    }
    let swap = Swap::new(connection.clone()).ignore_slots(args.ignore_slots);
    let plan = swap.plan().await?;
    let id = record.manifest.id.clone();
    if args.dry_run {
        let mut plan = plan;
        let target = PgRestore::new(connection.with_database(plan.beside()))
            .no_owner(args.no_owner)
            .no_tablespaces(args.no_tablespaces);
        let opener = settings.opener(args.passphrase, context.prompt.clone()).await?;
        let restore = request(context, args, repository, &record, opener).plan(&with_tools(context, target)).await?;
        plan.steps.splice(0..0, before(level).into_iter().chain(restore.steps));
        plan.obstacles.extend(restore.obstacles);
        plan.warnings.extend(restore.warnings);
        let body = json!({ "dry_run": true, "plan": {
            "backup": id, "target": connection.to_string(), "steps": plan.steps, "warnings": plan.warnings,
            "obstacles": plan.obstacles, "kept": plan.kept(), "connections": plan.connections,
        }});
        context.output.result("restore", body, || show_plan(&plan, &connection, id.as_str()))?;
        return Ok(if plan.obstacles.is_empty() { u8::from(warned || !plan.warnings.is_empty()) } else { 2 });
    }
    plan.require()?;
    let sure = args.yes || settings.force();
    let what = format!(
        "{connection} will be replaced by backup {id} of {}; {} connections to it will be ended",
        record.manifest.source.snapshot, plan.connections
    );
    prompt::confirm(&what, connection.database(), sure)?;
    let steps = steps(context, args, repository, record, level, None).await?;
    let done = swap.run(&steps).await?;
    for warning in &done.warnings {
        context.output.warning(warning);
    }
    let results = steps.assertion_results();
    warned |= steps.warned()
        || !done.warnings.is_empty()
        || results.iter().any(|result| result.outcome != backup_core::level::Outcome::Passed);
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
    let told = context.output.done("restore", body, || {
        let old = match dropped {
            true => "the old database was dropped".to_owned(),
            false => format!("the old database is kept as \"{}\": `backproof rollback` brings it back", done.kept),
        };
        format!(
            "\"{}\" is now backup {}; {} connections were ended\n{old}\nsafety backup: {}",
            done.live, done.backup, done.ended, done.safety_backup
        )
    });
    Ok(told.max(u8::from(warned)))
}

/// What comes before the restore, for people.
fn before(level: Level) -> [String; 2] {
    [format!("prove the backup, to level {level}"), "back the live database up".to_owned()]
}

fn with_tools(context: &Context, target: PgRestore) -> PgRestore {
    match &context.settings.pg_bindir {
        Some(folder) => target.tools(folder),
        None => target,
    }
}

fn request<'a>(
    context: &Context,
    args: &RestoreArgs,
    repository: &'a Repository,
    record: &ManifestRecord,
    opener: Option<Arc<dyn KeyOpener>>,
) -> ReadRequest<'a> {
    let manifest = &record.manifest;
    repository
        .read(Selector::Id(manifest.id.to_string()))
        .filter(Filter { series: Some(manifest.series.clone()), ..Filter::default() })
        .allow_unsigned(args.allow_unsigned)
        .open_with(opener)
        .options(context.settings.pipeline.clone())
        .monitor(context.monitor())
}

/// What a restore in place of a live database does outside of the server.
async fn steps<'a>(
    context: &Context,
    args: &RestoreArgs,
    repository: &'a Repository,
    record: ManifestRecord,
    level: Level,
    overwrite: Option<&Connection>,
) -> Result<InPlace<'a>> {
    let settings = &context.settings;
    let sealer = settings.sealer(args.no_encryption, false, context.prompt.clone()).await?;
    Ok(InPlace::new(repository, record, Arc::new(settings.prover(&ProofOptions::default())?), sealer)
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
        .overwrite(overwrite.cloned())
        .monitor(context.monitor())
        .cancel_with(context.signals.token()))
}

/// Into the live database itself.
async fn overwrite(
    context: &Context,
    args: &RestoreArgs,
    repository: &Repository,
    record: ManifestRecord,
    connection: &Connection,
    level: Level,
    mut warned: bool,
) -> Result<u8> {
    let id = record.manifest.id.clone();
    let overwrite = Overwrite::new(connection.clone());
    let mut plan = RestorePlan::default();
    (plan.steps, plan.obstacles) = overwrite.plan().await?;
    plan.target = connection.to_string();
    plan.warnings = left_behind(connection, None).await?;
    for left in &plan.warnings {
        context.output.warning(left);
        warned = true;
    }
    if args.dry_run {
        let target = PgRestore::new(connection.clone()).no_owner(args.no_owner).no_tablespaces(args.no_tablespaces);
        let opener = context.settings.opener(args.passphrase, context.prompt.clone()).await?;
        let backup = request(context, args, repository, &record, opener).open().await?;
        let restore = with_tools(context, target).plan_overwrite(&backup).await?;
        plan.steps.splice(0..0, before(level).into_iter().take(1).chain(restore.steps));
        plan.obstacles.extend(restore.obstacles);
        warned |= !restore.warnings.is_empty();
        plan.warnings.extend(restore.warnings);
        let body = json!({ "dry_run": true, "plan": plan });
        context.output.result("restore", body, || super::restore::show_plan(&plan))?;
        return Ok(if plan.obstacles.is_empty() { u8::from(warned) } else { 2 });
    }
    // Refusals come before the question.
    if plan.obstacles.is_empty() {
        let what = format!(
            "what {connection} has will be dropped where backup {id} of {} has it too, and restored from there",
            record.manifest.source.snapshot
        );
        prompt::confirm(&what, connection.database(), args.yes || context.settings.force())?;
    }
    let steps = steps(context, args, repository, record, level, Some(connection)).await?;
    let done = overwrite.run(&steps).await?;
    let results = steps.assertion_results();
    warned |= steps.warned() || results.iter().any(|result| result.outcome != backup_core::level::Outcome::Passed);
    let body = json!({ "dry_run": false, "overwritten": {
        "live": done.live, "backup": done.backup, "safety_backup": done.safety_backup, "assertions": results,
    }});
    let told = context.output.done("restore", body, || {
        format!("\"{}\" has what backup {} has\nsafety backup: {}", done.live, done.backup, done.safety_backup)
    });
    Ok(told.max(u8::from(warned)))
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
