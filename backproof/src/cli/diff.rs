//! `backproof diff`: what was changed between two backups, or since one.

use super::Context;
use super::args::DiffArgs;
use super::backup::database;
use crate::error::codes;
use backup_core::repository::Repository;
use backup_core::repository::stored::OpenBackup;
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use backup_postgres::diff::{Diff, Other, diff};
use serde_json::json;

pub(super) async fn run(context: &Context, args: &DiffArgs) -> Result<u8> {
    let settings = &context.settings;
    if args.after.is_some() && settings.database_flag.is_some() {
        return Err(Error::new(&codes::NO_EFFECT, "two backups are compared, and --database names a database")
            .with_hint("give one backup to compare it with the database"));
    }
    let repository = settings.repository().await?;
    let before = open(context, args, &repository, &args.before).await?;
    let (other, differences) = match &args.after {
        Some(id) => {
            let after = open(context, args, &repository, id).await?;
            let differences = diff(&before, Other::Backup(&after), context.monitor()).await?;
            (json!({ "backup": after.manifest().id }), differences)
        }
        None => {
            let database = database(context)?.skip_unreadable(settings.skip_unreadable);
            let connection = settings.source_connection()?.to_string();
            let differences = diff(&before, Other::Database(&database), context.monitor()).await?;
            (json!({ "database": connection }), differences)
        }
    };
    let equal = differences.is_equal();
    let body =
        json!({ "before": { "backup": before.manifest().id }, "after": other, "equal": equal, "diff": differences });
    context.output.result("diff", body, || text(&differences))?;
    Ok(u8::from(!equal))
}

async fn open(context: &Context, args: &DiffArgs, repository: &Repository, id: &str) -> Result<OpenBackup> {
    let settings = &context.settings;
    let request = repository
        .read(id.parse()?)
        .filter(settings.filter())
        .allow_unsigned(args.allow_unsigned)
        .open_with(settings.opener(args.passphrase, context.prompt.clone()).await?)
        .options(settings.pipeline.clone())
        .monitor(context.monitor());
    request.open().await
}

fn text(differences: &Diff) -> String {
    let (tables, objects) = (differences.tables.len(), differences.objects.len());
    format!(
        "{differences}{tables} tables and {objects} other objects differ; {} tables are equal",
        differences.equal_tables
    )
}
