//! `backproof restore`.

use super::Context;
use super::args::RestoreArgs;
use super::cat::to_file;
use backup_core::error::{codes, io_error};
use backup_core::names::PartName;
use backup_core::repository::catalog::Filter;
use backup_core::repository::stored::OpenBackup;
use backup_core::restore::ReadRequest;
use backup_core::target::{Restorable, RestorePlan};
use backup_core::{Error, Result};
use backup_postgres::{Connection, Env, PgRestore};
use jiff::Timestamp;
use serde_json::json;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

pub(super) async fn run(context: &Context, args: &RestoreArgs) -> Result<u8> {
    let settings = &context.settings;
    let before = args.before.as_deref().map(time).transpose()?;
    let filter = Filter { before, ..settings.filter() };
    let selector: backup_core::repository::catalog::Selector = args.id.parse()?;
    if filter.before.is_some() && selector != backup_core::repository::catalog::Selector::Latest {
        return Err(Error::new(
            &crate::error::codes::NO_EFFECT,
            "--before chooses what `latest` is, and an id was given",
        ));
    }
    let repository = settings.repository().await?;
    if let (Some(url), true) = (&args.to, args.swap || args.in_place) {
        return super::swap::run(context, args, &repository, &selector, &filter, url).await;
    }
    let request = repository
        .read(selector)
        .filter(filter)
        .allow_unsigned(args.allow_unsigned)
        .open_with(settings.opener(args.passphrase, context.prompt.clone()).await?)
        .options(settings.pipeline.clone())
        .monitor(context.monitor());
    match (&args.to, &args.to_directory) {
        (Some(url), None) if !args.tables.is_empty() => super::tables::run(context, args, &request, url).await,
        (Some(url), None) => to_database(context, args, &request, url).await,
        (None, Some(folder)) => to_folder(context, args, &request, folder).await,
        _ => Err(Error::new(&crate::error::codes::USAGE, "say --to URL or --to-directory DIR")),
    }
}

/// What `--yes` without anything to ask about would be.
fn refuse_yes(args: &RestoreArgs) -> Result<()> {
    if args.yes {
        return Err(Error::new(
            &crate::error::codes::NO_EFFECT,
            "--yes: a restore into a new database replaces nothing",
        ));
    }
    Ok(())
}

async fn to_database(context: &Context, args: &RestoreArgs, request: &ReadRequest<'_>, url: &str) -> Result<u8> {
    refuse_yes(args)?;
    let connection = Connection::resolve(Some(url), &Env::from_process())?;
    // A password in --to, that others on this machine can see, is one.
    for warning in connection.warnings() {
        context.output.warning(warning);
    }
    let warned = !connection.warnings().is_empty();
    let mut target = PgRestore::new(connection)
        .no_owner(args.no_owner)
        .no_tablespaces(args.no_tablespaces)
        .cancel_with(context.signals.token());
    if let Some(folder) = &context.settings.pg_bindir {
        target = target.tools(folder);
    }
    if let Some(jobs) = args.jobs {
        target = target.jobs(usize::from(jobs));
    }
    if args.dry_run {
        let plan = request.plan(&target).await.map_err(for_programs)?;
        context.output.result("restore", json!({ "dry_run": true, "plan": plan }), || show_plan(&plan))?;
        return Ok(if !plan.obstacles.is_empty() { 2 } else { u8::from(warned || !plan.warnings.is_empty()) });
    }
    let report = request.restore(&target).await.map_err(for_programs)?;
    let told = context
        .output
        .done("restore", json!({ "dry_run": false, "report": report }), || format!("restored into {}", report.target));
    // The monitor has printed the warnings, the report's among them.
    Ok(told.max(u8::from(warned || !request.warnings().is_empty())))
}

/// What is no dump of a database goes into files.
fn for_programs(error: Error) -> Error {
    if !error.is(&codes::PART_NOT_FOUND) {
        return error;
    }
    error.with_hint("it is no backup of a PostgreSQL database: write its parts to files with --to-directory DIR")
}

async fn to_folder(context: &Context, args: &RestoreArgs, request: &ReadRequest<'_>, folder: &Path) -> Result<u8> {
    let name = folder.display().to_string();
    let failed = |error| io_error(format!("write into {name}"), error);
    let occupied =
        || Error::new(&codes::ALREADY_EXISTS, format!("{name} is not an empty folder")).with_hint("choose another one");
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Ok(false) => return Err(occupied()),
        Err(_) if folder.exists() => return Err(occupied()),
        Err(error) => return Err(failed(error)),
    }
    let backup: OpenBackup = request.open().await?;
    let parts = &backup.manifest().parts;
    if args.dry_run {
        let mut plan = RestorePlan::default();
        plan.target = name.clone();
        plan.steps =
            parts.iter().map(|part| format!("write {name}/{} ({} bytes)", part.name, part.plain_bytes)).collect();
        context.output.result("restore", json!({ "dry_run": true, "plan": plan }), || show_plan(&plan))?;
        return Ok(0);
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mut written = Written { files: Vec::new(), complete: false };
    let mut files = Vec::new();
    for part in parts {
        let path = folder.join(&part.name);
        let bytes = to_file(backup.stream(&PartName::from_manifest(&part.name)?)?, &path).await?;
        written.files.push(path.clone());
        files.push(json!({ "part": part.name, "file": path.display().to_string(), "bytes": bytes }));
    }
    written.complete = true;
    let body = json!({ "dry_run": false, "report": { "target": name, "files": files } });
    let told = context.output.done("restore", body, || format!("restored {} parts into {name}", files.len()));
    Ok(told.max(u8::from(!request.warnings().is_empty())))
}

/// The files of a restore: removed again, unless all of them came to be.
struct Written {
    files: Vec<std::path::PathBuf>,
    complete: bool,
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.complete {
            self.files.iter().for_each(|path| drop(std::fs::remove_file(path)));
        }
    }
}

fn time(text: &str) -> Result<Timestamp> {
    text.parse().map_err(|error: jiff::Error| {
        Error::new(&codes::INVALID_ARGUMENT, format!("{text:?} is not a time with its zone"))
            .with_hint("times look like 2026-11-20T12:00:00Z or 2026-11-20T13:00:00+01:00")
            .with_source(error)
    })
}

pub(super) fn show_plan(plan: &RestorePlan) -> String {
    let mut text = format!("restore into {}; nothing was changed\n", plan.target);
    for (title, lines) in [("would", &plan.steps), ("warning", &plan.warnings), ("OBSTACLE", &plan.obstacles)] {
        for line in lines {
            text.push_str(&format!("  {title}: {line}\n"));
        }
    }
    text.trim_end().to_owned()
}
