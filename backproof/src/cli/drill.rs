//! `backproof drill`: restore, compare, time, and keep the result.

use super::Context;
use super::args::{DrillArgs, ScratchArgs};
use crate::config::ProofOptions;
use crate::config::units;
use backup_core::drill::{DrillReport, Drilled, Objectives};
use backup_core::error::io_error;
use backup_core::verify::{ProofEvents, ProofRecorder, Status};
use backup_core::{Error, Result, error::codes};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) async fn run(context: &Context, args: &DrillArgs) -> Result<u8> {
    let settings = &context.settings;
    let limit = |text: &Option<String>| text.as_deref().map(units::duration).transpose();
    let objectives = Objectives { rto: limit(&args.rto)?.or(settings.rto), rpo: limit(&args.rpo)?.or(settings.rpo) };
    if let Some(folder) = &args.output {
        std::fs::create_dir_all(folder).map_err(|error| io_error(format!("make {}", folder.display()), error))?;
    }
    let repository = settings.repository().await?;
    let which = match args.sample {
        Some(count) => Drilled::Sample(count as usize),
        None => Drilled::One(args.id.parse()?),
    };
    let mut request = repository
        .drill(which)
        .filter(settings.filter())
        .allow_unsigned(args.allow_unsigned)
        .open_with(settings.opener(args.passphrase, context.prompt.clone()).await?)
        .prover(Arc::new(settings.prover(&options(&args.scratch))?))
        .objectives(objectives)
        .options(settings.pipeline.clone())
        .monitor(context.monitor());
    if let Some(recorder) = recorder(context, &args.scratch).await? {
        request = request.recorder(recorder);
    }
    let reports = request.run().await?;
    let mut files = Vec::new();
    if let Some(folder) = &args.output {
        for report in &reports {
            files.push(write(report, folder)?);
        }
    }
    let status = reports.iter().map(DrillReport::status).max().unwrap_or(Status::Error);
    let body = json!({ "status": status, "exit_code": status.exit_code(), "drills": reports });
    context.output.result("drill", body, || {
        let mut lines: Vec<String> = reports.iter().map(DrillReport::to_string).collect();
        lines.extend(files.iter().map(|file| format!("written: {}", file.display())));
        lines.join("\n")
    })?;
    Ok(status.exit_code())
}

pub(super) fn options(args: &ScratchArgs) -> ProofOptions {
    ProofOptions {
        scratch: args.scratch.clone().map(secrecy::SecretString::from),
        scratch_dir: args.scratch_dir.clone(),
        accept: args.accept.clone(),
        low_priority: args.low_priority,
        assertions: Vec::new(),
    }
}

/// Who keeps the proofs: the repository, unless told otherwise or unless nothing may be read from it.
pub(super) async fn recorder(context: &Context, args: &ScratchArgs) -> Result<Option<Arc<dyn ProofRecorder>>> {
    if args.no_record {
        return Ok(None);
    }
    let signer = context.settings.signer(context.prompt.clone()).await?;
    Ok(Some(Arc::new(ProofEvents::new(signer))))
}

/// Writes `test-<time>.json`, whole or not at all; never overwrites.
fn write(report: &DrillReport, folder: &Path) -> Result<PathBuf> {
    let time = report.started.strftime("%Y%m%dT%H%M%SZ");
    let json = serde_json::to_vec_pretty(report)
        .map_err(|error| Error::new(&codes::IO, "write the result of a drill").with_source(error))?;
    for number in 1..1000 {
        let name = if number == 1 { format!("test-{time}.json") } else { format!("test-{time}-{number}.json") };
        let path = folder.join(name);
        let failed = |error| io_error(format!("write {}", path.display()), error);
        let mut file = tempfile::Builder::new().prefix(".backproof-").tempfile_in(folder).map_err(failed)?;
        file.write_all(&json).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            // Two drills within one second.
            Err(refused) if refused.error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(refused) => return Err(failed(refused.error)),
        }
    }
    Err(Error::new(&codes::ALREADY_EXISTS, format!("{} is full of results of this second", folder.display())))
}
