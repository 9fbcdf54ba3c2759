//! `backproof diff`: what was changed between two backups, or since one.

use super::Context;
use super::args::DiffArgs;
use crate::verbs::DiffOptions;
use backup_core::Result;
use backup_postgres::diff::Diff;

pub(super) async fn run(context: &Context, args: &DiffArgs) -> Result<u8> {
    let options = DiffOptions {
        before: args.before.clone(),
        after: args.after.clone(),
        allow_unsigned: args.allow_unsigned,
        passphrase: args.passphrase,
    };
    let found = context.session().diff(&options).await?;
    context.output.result("diff", &found, || text(&found.diff))?;
    Ok(found.exit_code())
}

fn text(differences: &Diff) -> String {
    let (tables, objects) = (differences.tables.len(), differences.objects.len());
    format!(
        "{differences}{tables} tables and {objects} other objects differ; {} tables are equal",
        differences.equal_tables
    )
}
