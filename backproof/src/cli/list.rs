//! `backproof list`: the catalog.

use super::Context;
use super::output::table;
use crate::config::units::{show_duration, show_size};
use backup_core::Result;
use backup_core::id::BackupId;
use backup_core::repository::catalog::{Authenticity, CLOCK_TOLERANCE, Catalog, Entry};
use backup_core::repository::event::LastProof;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) async fn run(context: &Context) -> Result<u8> {
    let repository = context.settings.repository().await?;
    let catalog = repository.catalog(context.settings.series.as_ref()).await?;
    let label = context.settings.label.as_ref();
    let labelled = |entry: &&Entry| match (&entry.record, label) {
        (Ok(record), Some(label)) => record.manifest.label == *label,
        _ => true,
    };
    let entries: Vec<&Entry> = catalog.entries().iter().filter(labelled).collect();
    let proofs = repository.last_proofs(&catalog).await?;
    let missing = catalog.missing();
    let body = json!({
        "repository": repository.sink().location(),
        "backups": entries.iter().map(|entry| describe(entry, &catalog, proofs.get(&entry.id))).collect::<Vec<_>>(),
        "missing": missing.iter().map(|gone| json!({
            "series": gone.series, "id": gone.id, "named_by": gone.named_by,
        })).collect::<Vec<_>>(),
    });
    context.output.result("list", body, || text(&entries, &catalog, &proofs))?;
    let mut status = 0;
    for entry in &entries {
        if let Some(problem) = problem(entry) {
            context.output.warning(&format!("{}: {problem}", entry.id));
            status = 1;
        }
        if let Some(ahead) = dated_ahead(entry, &catalog) {
            context.output.warning(&format!("{ahead} [dated_ahead]"));
            status = 1;
        }
    }
    for gone in missing {
        context.output.warning(&format!(
            "backup {} of series {} is gone: {} names it as the one before it [backup_missing]",
            gone.id, gone.series, gone.named_by
        ));
        status = 2;
    }
    for replaced in catalog.replaced() {
        context.output.warning(&format!(
            "the manifest of backup {} of series {} was replaced since {} named it [manifest_replaced]",
            replaced.id, replaced.series, replaced.named_by
        ));
        status = 2;
    }
    Ok(status)
}

fn problem(entry: &Entry) -> Option<String> {
    match &entry.record {
        Err(error) => Some(format!("{} [{}]", error.chain(), error.code())),
        Ok(record) => match &record.authenticity {
            Authenticity::Refused { code, reason } => Some(format!("{reason} [{code}]")),
            _ => None,
        },
    }
}

/// What is wrong with its date, if anything is.
fn dated_ahead(entry: &Entry, catalog: &Catalog) -> Option<String> {
    let record = entry.usable()?;
    let future = record.manifest.source.snapshot.duration_since(catalog.now()) > CLOCK_TOLERANCE;
    record.dated_ahead().or_else(|| future.then(|| format!("{} is dated in the future", entry.id)))
}

fn describe(entry: &Entry, catalog: &Catalog, proof: Option<&LastProof>) -> Value {
    match &entry.record {
        Ok(record) => {
            let manifest = &record.manifest;
            json!({
                "id": entry.id,
                "series": entry.series,
                "label": manifest.label,
                "kind": manifest.source.kind,
                "snapshot": manifest.source.snapshot,
                "age_seconds": catalog.now().duration_since(record.taken()).as_secs(),
                "plain_bytes": manifest.plain_bytes(),
                "stored_bytes": manifest.stored_bytes(),
                "left_out": manifest.left_out,
                "encryption": manifest.encryption.scheme,
                "last_proof": proof,
                "problem": problem(entry),
                "dated_ahead": dated_ahead(entry, catalog).is_some(),
            })
        }
        Err(_) => json!({ "id": entry.id, "series": entry.series, "problem": problem(entry) }),
    }
}

fn text(entries: &[&Entry], catalog: &Catalog, proofs: &BTreeMap<BackupId, LastProof>) -> String {
    if entries.is_empty() {
        return "no backups".into();
    }
    let mut rows =
        vec![["ID", "SERIES", "LABEL", "AGE", "DATA", "STORED", "PROVEN", "NOTES"].map(str::to_owned).to_vec()];
    for entry in entries {
        let mut row = vec![entry.id.to_string(), entry.series.to_string()];
        match &entry.record {
            Ok(record) => {
                let manifest = &record.manifest;
                let mut notes = Vec::new();
                if manifest.left_out > 0 {
                    notes.push(format!("{} left out", manifest.left_out));
                }
                if manifest.encryption.key_files.is_empty() {
                    notes.push("not encrypted".into());
                }
                if !record.authenticity.is_acceptable() {
                    notes.push("NOT TRUSTED".into());
                }
                if dated_ahead(entry, catalog).is_some() {
                    notes.push("DATED AHEAD".into());
                }
                row.extend([
                    manifest.label.to_string(),
                    show_duration(catalog.now().duration_since(record.taken())),
                    show_size(manifest.plain_bytes()),
                    show_size(manifest.stored_bytes()),
                    proven(proofs.get(&entry.id), catalog.now()),
                    notes.join(", "),
                ]);
            }
            Err(_) => row.extend(["", "", "", "", "", "UNREADABLE"].map(str::to_owned)),
        }
        rows.push(row);
    }
    table(&rows)
}

/// `identical 3 h ago`, `FAILED 2 d ago`, `never`.
fn proven(proof: Option<&LastProof>, now: Timestamp) -> String {
    let Some(proof) = proof else { return "never".into() };
    let level = match (proof.failed, proof.reached) {
        (true, _) => "FAILED",
        (false, Some(level)) => level.as_str(),
        (false, None) => "nothing",
    };
    format!("{level} {} ago", show_duration(now.duration_since(proof.time)))
}
