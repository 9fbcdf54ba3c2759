//! `backproof backup`.

use super::Context;
use super::args::BackupArgs;
use crate::config::units::{show_duration, show_size};
use backup_core::backup::BackupReport;
use backup_core::error::codes;
use backup_core::general::{CommandSource, FileSource};
use backup_core::names::{Label, Series};
use backup_core::source::Source;
use backup_core::{Error, Result};
use backup_postgres::PgDump;
use serde_json::json;
use std::sync::Arc;

pub(super) async fn run(context: &Context, args: &BackupArgs) -> Result<u8> {
    let settings = &context.settings;
    let series = settings.series.clone().ok_or_else(|| {
        Error::new(&codes::SERIES_REQUIRED, "a backup needs the name of its series")
            .with_hint("say --name, e.g. --name app, or configure one [series.NAME]")
    })?;
    if settings.label.as_ref().is_some_and(Label::is_safety) {
        return Err(Error::new(
            &codes::INVALID_ARGUMENT,
            "the label \"safety\" is that of backups which a restore makes of what it replaces",
        )
        .with_hint("choose another label: those are never `latest`, and do not count for the age of backups"));
    }
    let sealer = settings.sealer(args.no_encryption, args.passphrase, context.prompt.clone()).await?;
    let signer = settings.signer(context.prompt.clone()).await?;
    let source = source(context, args)?;
    let repository = settings.repository().await?;
    let mut pipeline = settings.pipeline.clone();
    if let Some(level) = args.compression_level {
        pipeline.level = level;
    }
    let mut request = repository
        .backup(series.clone(), source)
        .label(settings.label.clone().unwrap_or_default())
        .seal(sealer)
        .options(pipeline)
        .single_writer(settings.store.allow_unconditional_create)
        .monitor(context.monitor())
        .cancel_with(context.signals.token());
    let signed = signer.is_some();
    if let Some(signer) = signer {
        request = request.sign(signer);
    }
    let report = request.run().await?;
    let told = print(context, &series, &report);
    if !signed {
        context.output.notice(
            "not signed: whoever can write to the store could put another backup in its place (`keygen --signing`)",
        );
    }
    // The monitor has printed the warnings.
    Ok(told.max(u8::from(!report.warnings.is_empty())))
}

fn source(context: &Context, args: &BackupArgs) -> Result<Arc<dyn Source>> {
    let settings = &context.settings;
    let general = args.file.is_some() || !args.command.is_empty();
    if general && settings.database_flag.is_some() {
        return Err(Error::new(
            &crate::error::codes::NO_EFFECT,
            "--database has no effect on the backup of a file or a program",
        ));
    }
    if let Some(path) = &args.file {
        return Ok(Arc::new(FileSource::new(path)));
    }
    if let Some((program, arguments)) = args.command.split_first() {
        return Ok(Arc::new(CommandSource::new(program).args(arguments)));
    }
    Ok(Arc::new(
        database(context)?
            .skip_unreadable(args.skip_unreadable || settings.skip_unreadable)
            .role_passwords(args.role_passwords),
    ))
}

/// The database that the settings name.
pub(super) fn database(context: &Context) -> Result<PgDump> {
    let settings = &context.settings;
    let mut source = PgDump::new(settings.source_connection()?);
    if let Some(folder) = &settings.pg_bindir {
        source = source.tools(folder);
    }
    if let Some(limit) = settings.lock_wait_timeout {
        source = source.lock_timeout(limit);
    }
    Ok(source)
}

fn print(context: &Context, series: &Series, report: &BackupReport) -> u8 {
    let manifest = &report.manifest;
    let took = manifest.finished.duration_since(manifest.started);
    let body = json!({
        "id": manifest.id,
        "series": series,
        "label": manifest.label,
        "snapshot": manifest.source.snapshot,
        "plain_bytes": manifest.plain_bytes(),
        "stored_bytes": manifest.stored_bytes(),
        "seconds": took.as_secs_f64(),
        "left_out": manifest.left_out,
        "manifest_sha256": report.sha256,
        "warnings": report.warnings,
    });
    context.output.done("backup", body, || {
        format!(
            "backup {} of {series} ({}): {} of data, {} stored, in {}",
            manifest.id,
            manifest.label,
            show_size(manifest.plain_bytes()),
            show_size(manifest.stored_bytes()),
            show_duration(took)
        )
    })
}
