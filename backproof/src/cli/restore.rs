//! `backproof restore`.

use super::Context;
use super::args::RestoreArgs;
use crate::verbs::{RestoreOptions, RestorePlan, RestoreResult, RestoredTable};
use backup_core::error::codes;
use backup_core::{Error, Result};
use jiff::Timestamp;

pub(super) async fn run(context: &Context, args: &RestoreArgs) -> Result<u8> {
    let options = RestoreOptions {
        id: args.id.clone(),
        to: args.to.clone().map(Into::into),
        swap: args.swap,
        in_place: args.in_place,
        tables: args.tables.clone(),
        schema: args.schema.clone(),
        replace: args.replace,
        missing_rows: args.missing_rows,
        level: args.level.as_deref().map(str::parse).transpose()?,
        ignore_slots: args.ignore_slots,
        drop_old: args.drop_old,
        skip_unreadable: args.skip_unreadable,
        no_encryption: args.no_encryption,
        yes: args.yes,
        to_directory: args.to_directory.clone(),
        before: args.before.as_deref().map(time).transpose()?,
        dry_run: args.dry_run,
        no_owner: args.no_owner,
        no_tablespaces: args.no_tablespaces,
        jobs: args.jobs.map(usize::from),
        allow_unsigned: args.allow_unsigned,
        passphrase: args.passphrase,
    };
    // It ends itself when a signal comes, and cleans up.
    let done = context.session().cancel_with(context.signals.token()).restore(&options).await?;
    if options.dry_run {
        context.output.result("restore", &done, || text(&done))?;
        return Ok(done.exit_code());
    }
    Ok(context.output.done("restore", &done, || text(&done)).max(done.exit_code()))
}

fn time(text: &str) -> Result<Timestamp> {
    text.parse().map_err(|error: jiff::Error| {
        Error::new(&codes::INVALID_ARGUMENT, format!("{text:?} is not a time with its zone"))
            .with_hint("times look like 2026-11-20T12:00:00Z or 2026-11-20T13:00:00+01:00")
            .with_source(error)
    })
}

fn text(done: &RestoreResult) -> String {
    if let Some(plan) = &done.plan {
        return show_plan(plan);
    }
    if let Some(report) = &done.report {
        return match &report.files {
            Some(files) => format!("restored {} parts into {}", files.len(), report.target),
            None => format!("restored into {}", report.target),
        };
    }
    if let Some(swapped) = &done.swapped {
        let old = match &swapped.kept {
            None => "the old database was dropped".to_owned(),
            Some(kept) => format!("the old database is kept as \"{kept}\": `backproof rollback` brings it back"),
        };
        return format!(
            "\"{}\" is now backup {}; {} connections were ended\n{old}\nsafety backup: {}",
            swapped.live, swapped.backup, swapped.ended_connections, swapped.safety_backup
        );
    }
    if let Some(done) = &done.overwritten {
        return format!("\"{}\" has what backup {} has\nsafety backup: {}", done.live, done.backup, done.safety_backup);
    }
    let line = |one: &RestoredTable| match (one.put_back, &one.kept) {
        (Some(put_back), _) => format!("{}: {put_back} rows were put back", one.into),
        (None, Some(kept)) => format!(
            "{}: {} rows; those that were there are kept in {kept}: `rollback --table` brings them back",
            one.into, one.rows
        ),
        (None, None) => format!("{}: {} rows of {}", one.into, one.rows, one.table),
    };
    done.tables.iter().flatten().map(line).collect::<Vec<_>>().join("\n")
}

fn show_plan(plan: &RestorePlan) -> String {
    let mut text = match &plan.backup {
        Some(id) => format!("restore backup {id} in place of {}; nothing was changed\n", plan.target),
        None => format!("restore into {}; nothing was changed\n", plan.target),
    };
    for (title, lines) in [("would", &plan.steps), ("warning", &plan.warnings), ("OBSTACLE", &plan.obstacles)] {
        lines.iter().for_each(|line| text.push_str(&format!("  {title}: {line}\n")));
    }
    text.trim_end().to_owned()
}
