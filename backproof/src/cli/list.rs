//! `backproof list`: the catalog.

use super::Context;
use super::output::table;
use crate::config::units::{show_duration, show_size};
use crate::verbs::{ListOptions, ListResult};
use backup_core::Result;
use backup_core::cipher::Scheme;
use backup_core::level::Level;
use backup_core::repository::event::LastProof;
use jiff::{SignedDuration, Timestamp};

pub(super) async fn run(context: &Context) -> Result<u8> {
    let listed = context.session().list(&ListOptions::default()).await?;
    context.output.result("list", &listed, || text(&listed))?;
    Ok(listed.exit_code())
}

fn text(listed: &ListResult) -> String {
    if listed.backups.is_empty() {
        return "no backups".into();
    }
    let mut rows =
        vec![["ID", "SERIES", "LABEL", "AGE", "DATA", "STORED", "PROVEN", "NOTES"].map(str::to_owned).to_vec()];
    for backup in &listed.backups {
        let mut row = vec![backup.id.to_string(), backup.series.to_string()];
        match &backup.manifest {
            Some(manifest) => {
                let mut notes = Vec::new();
                if manifest.left_out > 0 {
                    notes.push(format!("{} left out", manifest.left_out));
                }
                if manifest.encryption == Scheme::None {
                    notes.push("not encrypted".into());
                }
                if backup.problem.is_some() {
                    notes.push("NOT TRUSTED".into());
                }
                if manifest.dated_ahead {
                    notes.push("DATED AHEAD".into());
                }
                row.extend([
                    manifest.label.to_string(),
                    show_duration(SignedDuration::from_secs(manifest.age_seconds)),
                    show_size(manifest.plain_bytes),
                    show_size(manifest.stored_bytes),
                    proven(manifest.last_proof.as_ref(), listed.now),
                    notes.join(", "),
                ]);
            }
            None => row.extend(["", "", "", "", "", "UNREADABLE"].map(str::to_owned)),
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
        (false, reached) => reached.map_or("nothing", Level::as_str),
    };
    format!("{level} {} ago", show_duration(now.duration_since(proof.time)))
}
