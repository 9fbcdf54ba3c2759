//! `backproof verify`.

use super::Context;
use super::args::VerifyArgs;
use super::drill::{options, recorder};
use crate::config::units;
use crate::error::codes;
use backup_core::level::Level;
use backup_core::verify::Verdict;
use backup_core::{Error, Result};
use serde_json::json;
use std::sync::Arc;

pub(super) async fn run(context: &Context, args: &VerifyArgs) -> Result<u8> {
    let settings = &context.settings;
    if args.alert_on_failure {
        // A flag that is taken and does nothing would be found out on the day it is needed.
        return Err(Error::new(&codes::NO_EFFECT, "--alert-on-failure: no channel for alerts is configured")
            .with_hint("this version has no channels yet: act on the exit status, or on --json"));
    }
    let level = match &args.level {
        Some(text) => text.parse()?,
        None => settings.level.unwrap_or(Level::Intact),
    };
    let max_age = args.max_age.as_deref().map(units::duration).transpose()?.or(settings.max_age);
    let min_size = args.min_size.as_deref().map(units::size).transpose()?.or(settings.min_size);
    let proof = &args.scratch;
    if level < Level::Restorable
        && (proof.scratch.is_some() || proof.scratch_dir.is_some() || proof.low_priority || !proof.accept.is_empty())
    {
        return Err(Error::new(
            &codes::NO_EFFECT,
            format!("level {level} restores nothing: there is no scratch place"),
        )
        .with_hint("ask for --level restorable or identical, or leave out the options of the scratch place"));
    }
    let repository = settings.repository().await?;
    let local = repository.sink().is_local();
    if (args.local_only && !local) || (args.cloud_only && local) {
        let (wanted, flag) =
            if local { ("in an object store", "--cloud-only") } else { ("on this machine", "--local-only") };
        return Err(Error::new(&codes::NO_EFFECT, format!("{flag}: no repository {wanted} is configured")));
    }
    let filter = settings.filter();
    let mut request = repository
        .verify()
        .filter(filter)
        .level(level)
        .max_age(max_age)
        .min_size(min_size)
        .open_with(settings.opener(args.passphrase, context.prompt.clone()).await?)
        .prover(Arc::new(settings.prover(&options(&args.scratch))?))
        .options(settings.pipeline.clone())
        .monitor(context.monitor());
    if level >= Level::Readable
        && let Some(recorder) = recorder(context, &args.scratch).await?
    {
        request = request.recorder(recorder);
    }
    for id in &args.ids {
        request = request.only(id.parse()?);
    }
    let verdict = request.run().await?;
    let body = json!({ "status": verdict.status(), "exit_code": verdict.exit_code(), "verdict": verdict });
    context.output.result("verify", body, || text(&verdict, context.output.verbose > 0))?;
    Ok(verdict.exit_code())
}

fn text(verdict: &Verdict, verbose: bool) -> String {
    let mut text = verdict.to_string();
    if verbose {
        for backup in &verdict.backups {
            text.push_str(&format!("\n{}: authenticity: {}", backup.id, backup.authenticity));
        }
    }
    text
}
