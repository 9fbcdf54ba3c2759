//! `backproof show`: one backup.

use super::Context;
use super::args::ShowArgs;
use super::output::table;
use crate::config::units::{show_duration, show_size};
use crate::verbs::{ShowOptions, ShowResult};
use backup_core::Result;
use jiff::Timestamp;

pub(super) async fn run(context: &Context, args: &ShowArgs) -> Result<u8> {
    let options = ShowOptions { id: args.id.clone(), allow_unsigned: args.allow_unsigned, restore_md: args.restore_md };
    let shown = context.session().show(&options).await?;
    context.output.result("show", &shown, || match &shown.restore_md {
        Some(guide) => guide.trim_end().to_owned(),
        None => text(&shown),
    })?;
    Ok(shown.exit_code())
}

fn text(shown: &ShowResult) -> String {
    let manifest = &shown.manifest;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("id", manifest.id.to_string());
    row("series", manifest.series.to_string());
    row("label", manifest.label.to_string());
    let age = Timestamp::now().duration_since(shown.taken);
    row("snapshot", format!("{} ({} ago)", manifest.source.snapshot, show_duration(age)));
    if let Some(ahead) = &shown.dated_ahead {
        row("WRONG DATE", ahead.clone());
    }
    row("took", show_duration(manifest.finished.duration_since(manifest.started)));
    row("source", manifest.source.kind.clone());
    for (name, value) in manifest.source.versions.iter().chain(&manifest.source.facts) {
        row(&format!("  {name}"), value.clone());
    }
    row("authenticity", shown.authenticity.clone());
    row("manifest", format!("sha256 {}", shown.manifest_sha256));
    for file in &manifest.encryption.key_files {
        for recipient in &file.recipients {
            row("recipient", format!("{} {} (keys/{})", recipient.kind, recipient.id, file.name));
        }
    }
    if manifest.encryption.key_files.is_empty() {
        row("recipient", "none: not encrypted".into());
    }
    for part in &manifest.parts {
        let sizes = format!("{} of data, {} stored", show_size(part.plain_bytes), show_size(part.stored_bytes));
        row(&format!("part {}", part.name), format!("{sizes}, {} segments", part.segments));
    }
    if manifest.left_out > 0 {
        row(
            "left out",
            format!(
                "{} things{}",
                manifest.left_out,
                if shown.left_out.is_none() { " (named to holders of an identity)" } else { "" }
            ),
        );
    }
    for what in shown.left_out.iter().flatten() {
        row(&format!("  {}", what.kind), format!("{}: {}", what.name, what.reason));
    }
    table(&rows)
}
