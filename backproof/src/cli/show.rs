//! `backproof show`: one backup.

use super::Context;
use super::args::ShowArgs;
use super::output::table;
use crate::config::units::{show_duration, show_size};
use backup_core::Result;
use backup_core::monitor::Silent;
use backup_core::repository::catalog::{Authenticity, ManifestRecord};
use backup_core::source::LeftOut;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;

pub(super) async fn run(context: &Context, args: &ShowArgs) -> Result<u8> {
    let settings = &context.settings;
    let repository = settings.repository().await?;
    let filter = settings.filter();
    let (record, doubts) = repository.find_with_doubts(&args.id.parse()?, &filter, args.allow_unsigned).await?;
    for doubt in &doubts {
        context.output.warning(doubt);
    }
    let stored = repository.stored(record.clone()).await?;
    if args.restore_md {
        let text = String::from_utf8_lossy(&stored.restore_md().await?).into_owned();
        context
            .output
            .result("show", json!({ "id": record.manifest.id, "restore_md": text }), || text.trim_end().to_owned())?;
        return Ok(0);
    }
    // The names of what was left out are sealed: with an identity they are shown, without one the count is.
    let mut left_out: Option<Vec<LeftOut>> = None;
    if record.manifest.left_out > 0
        && let Some(opener) = settings.opener(false, context.prompt.clone()).await?
    {
        let backup = stored.unseal(Some(&*opener), &settings.pipeline, Arc::new(Silent)).await?;
        left_out = Some(backup.contents().left_out.clone());
    }
    let authenticity = authenticity(&record.authenticity);
    let body = json!({
        "manifest": record.manifest,
        "manifest_sha256": record.sha256,
        "authenticity": authenticity,
        "left_out": left_out,
    });
    context.output.result("show", body, || text(&record, &authenticity, left_out.as_deref()))?;
    Ok(u8::from(!doubts.is_empty()))
}

fn authenticity(authenticity: &Authenticity) -> String {
    match authenticity {
        Authenticity::NotChecked { signed: true } => "signed; not checked, since no signers are trusted".into(),
        Authenticity::NotChecked { signed: false } => "not signed".into(),
        Authenticity::Trusted(signature) => format!("signed by {} ({})", signature.principal, signature.fingerprint),
        Authenticity::Refused { code, reason } => format!("NOT TRUSTED: {reason} [{code}]"),
    }
}

fn text(record: &ManifestRecord, authenticity: &str, left_out: Option<&[LeftOut]>) -> String {
    let manifest = &record.manifest;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("id", manifest.id.to_string());
    row("series", manifest.series.to_string());
    row("label", manifest.label.to_string());
    let age = Timestamp::now().duration_since(record.taken());
    row("snapshot", format!("{} ({} ago)", manifest.source.snapshot, show_duration(age)));
    if let Some(ahead) = record.dated_ahead() {
        row("WRONG DATE", ahead);
    }
    row("took", show_duration(manifest.finished.duration_since(manifest.started)));
    row("source", manifest.source.kind.clone());
    for (name, value) in manifest.source.versions.iter().chain(&manifest.source.facts) {
        row(&format!("  {name}"), value.clone());
    }
    row("authenticity", authenticity.to_owned());
    row("manifest", format!("sha256 {}", record.sha256));
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
                if left_out.is_none() { " (named to holders of an identity)" } else { "" }
            ),
        );
    }
    for what in left_out.unwrap_or_default() {
        row(&format!("  {}", what.kind), format!("{}: {}", what.name, what.reason));
    }
    table(&rows)
}
