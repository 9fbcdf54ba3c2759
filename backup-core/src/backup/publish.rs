//! What commits a backup: the put of its manifest.

use super::{BackupReport, BackupRequest, cancelled, in_time};
use crate::digest::Sha256;
use crate::error::{Error, codes};
use crate::pipeline::patience;
use crate::repository::layout;
use bytes::Bytes;
use std::time::Duration;

/// How long the answer to a manifest's put is waited for once the backup is cancelled, and that to the read that follows a
/// put without a clear answer.
const LAST_PUT: Duration = Duration::from_secs(30);

/// A backup that is stored and lacks its manifest alone.
pub(super) struct Prepared {
    /// The manifest's document.
    pub(super) bytes: Bytes,
    pub(super) report: BackupReport,
}

/// Why a backup was not published.
pub(super) struct Unpublished {
    pub(super) error: Error,
    /// Whether it is certain that its manifest is not there and does not come.
    pub(super) certain: bool,
}

impl BackupRequest<'_> {
    /// Writes the manifest, last of all.
    pub(super) async fn publish(&self, prepared: Prepared) -> std::result::Result<BackupReport, Unpublished> {
        self.step("publish");
        let Prepared { bytes, report } = prepared;
        let sink = self.repository.sink();
        let key = layout::manifest(&self.series, &report.manifest.id)
            .map_err(|error| Unpublished { error, certain: true })?;
        // A put under way cannot be taken back: it gets a little time to answer.
        let given_up = async {
            self.cancel.cancelled().await;
            tokio::time::sleep(LAST_PUT).await;
        };
        let outcome = tokio::select! {
            outcome = patience::store(&**sink, &key, bytes.clone(), Sha256::of(&bytes), self.options.max_stall) => outcome,
            () = given_up => Err(cancelled()),
        };
        let Err(error) = outcome else { return Ok(report) };
        // The answer may have been lost on its way back: what counts is what is there.
        match in_time(LAST_PUT, "read", sink.read(&key, None)).await {
            Ok(found) if found == bytes => Ok(report),
            Err(cause) if cause.is(&codes::OBJECT_NOT_FOUND) => {
                // A request that got no clear answer may still arrive, and a listing may lag: what the manifest would name stays,
                // as an orphan.
                Err(Unpublished { error: error.context("publish the manifest"), certain: false })
            }
            Ok(_) => Err(Unpublished { error: error.context("publish the manifest"), certain: false }),
            Err(_) => {
                let id = &report.manifest.id;
                let error = error.context(format_args!("publish the manifest (backup {id} may be there all the same)"));
                let error = error.with_hint(format!("look with `backproof list` whether {id} is there"));
                Err(Unpublished { error, certain: false })
            }
        }
    }
}
