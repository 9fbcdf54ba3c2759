//! What becomes of the objects of a backup that failed.

use super::BackupRequest;
use crate::error::Error;
use crate::repository::layout::BackupFolder;
use futures::TryStreamExt;
use std::time::Duration;
use tokio_util::task::TaskTracker;

impl BackupRequest<'_> {
    /// Removes what was stored of a backup that is not going to be published; what cannot be removed is swept later.
    pub(super) async fn discard(&self, folder: &BackupFolder, uploads: &TaskTracker) {
        if self.repository.is_write_only() {
            return;
        }
        let sink = self.repository.sink();
        let removal = async {
            // Uploads that were aborted end at their next pause; one of them might still put its object.
            uploads.close();
            uploads.wait().await;
            let objects: Vec<_> = sink.list(folder.as_str()).try_collect().await?;
            for object in objects {
                sink.delete(&object.key).await?;
            }
            Ok::<_, Error>(())
        };
        if let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(60), removal).await {
            tracing::debug!(error = error.chain(), "left an orphan behind");
        }
    }
}
