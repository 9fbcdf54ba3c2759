//! `backproof drill`: restore, compare, time, and keep the result.

use super::Context;
use super::args::DrillArgs;
use crate::verbs::DrillOptions;
use backup_core::Result;
use backup_core::drill::DrillReport;

pub(super) async fn run(context: &Context, args: &DrillArgs) -> Result<u8> {
    let scratch = &args.scratch;
    let options = DrillOptions {
        id: args.id.clone(),
        sample: args.sample,
        rto: args.rto.as_deref().map(str::parse).transpose()?,
        rpo: args.rpo.as_deref().map(str::parse).transpose()?,
        output: args.output.clone(),
        scratch: scratch.scratch.clone().map(Into::into),
        scratch_dir: scratch.scratch_dir.clone(),
        accept: scratch.accept.clone(),
        low_priority: scratch.low_priority,
        no_record: scratch.no_record,
        allow_unsigned: args.allow_unsigned,
        passphrase: args.passphrase,
    };
    let found = context.session().drill(&options).await?;
    context.output.result("drill", &found, || {
        let mut lines: Vec<String> = found.drills.iter().map(DrillReport::to_string).collect();
        lines.extend(found.files.iter().map(|file| format!("written: {}", file.display())));
        lines.join("\n")
    })?;
    Ok(found.exit_code())
}
