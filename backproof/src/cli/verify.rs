//! `backproof verify`.

use super::Context;
use super::args::VerifyArgs;
use super::output::Output;
use crate::alerts::{Alert, Alerts};
use crate::verbs::VerifyOptions;
use backup_core::verify::Verdict;
use backup_core::{Error, Result};
use backup_storage::Environment;

pub(super) async fn run(context: &Context, args: &VerifyArgs) -> Result<u8> {
    let scratch = &args.scratch;
    let options = VerifyOptions {
        ids: args.ids.clone(),
        level: args.level.as_deref().map(str::parse).transpose()?,
        max_age: args.max_age.as_deref().map(str::parse).transpose()?,
        min_size: args.min_size.as_deref().map(str::parse).transpose()?,
        local_only: args.local_only,
        cloud_only: args.cloud_only,
        alert_on_failure: args.alert_on_failure,
        scratch: scratch.scratch.clone().map(Into::into),
        scratch_dir: scratch.scratch_dir.clone(),
        accept: scratch.accept.clone(),
        low_priority: scratch.low_priority,
        no_record: scratch.no_record,
        passphrase: args.passphrase,
    };
    let found = context.session().verify(&options).await?;
    context.output.result("verify", &found, || text(&found.verdict, context.output.verbose > 0))?;
    Ok(found.exit_code())
}

/// Tells somebody that there are no settings to verify with.
pub(super) async fn alert(environment: &Environment, error: &Error, output: &Output) {
    let sent = match Alerts::from_env(environment) {
        Ok(alerts) => alerts.send(&Alert::of_error(error)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        output.warning(&format!("nobody was alerted: {} [{}]", error.chain(), error.code()));
    }
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
