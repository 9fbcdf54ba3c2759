//! The backup before this one, which the new manifest names.

use super::BackupRequest;
use crate::error::{Error, Result, codes};
use crate::id::BackupId;
use crate::repository::catalog::{CLOCK_TOLERANCE, ManifestRecord};
use crate::repository::manifest::Previous;

impl BackupRequest<'_> {
    /// The newest manifest of the series so far; `None` for the first, and where it cannot be read.
    pub(super) async fn previous(&self) -> Option<Previous> {
        if self.repository.is_write_only() {
            return None;
        }
        let found = match tokio::time::timeout(self.options.max_stall, self.newest_manifest()).await {
            Ok(found) => found,
            Err(_) => Err(Error::new(&codes::STORE_UNAVAILABLE, "the catalog could not be read in time")),
        };
        found.unwrap_or_else(|error| {
            self.monitor.warn(format!(
                "the backup before this one could not be read, so this one does not name it: {}",
                error.chain()
            ));
            None
        })
    }

    async fn newest_manifest(&self) -> Result<Option<Previous>> {
        let keys = self.repository.catalog_keys(Some(&self.series)).await?;
        let mut ids: Vec<BackupId> = keys.into_iter().filter(|key| key.is_manifest()).map(|key| key.id).collect();
        ids.sort();
        // Within one second, only the manifests know the order, and whether a wrong clock dated one only the store.
        let mut newest: Option<ManifestRecord> = None;
        // One that is dated in the future would be named by all that follow, and what goes missing among those would not be noticed.
        let now = self.repository.now().0;
        let limit = now.saturating_add(CLOCK_TOLERANCE).unwrap_or(now);
        for id in ids.into_iter().rev() {
            if newest.as_ref().is_some_and(|newest| id.time().as_second() < newest.taken().as_second()) {
                break;
            }
            match self.repository.read_manifest(&self.series, &id).await {
                Ok(record) if record.authenticity.is_acceptable() && record.manifest.source.snapshot <= limit => {
                    newest = newest.filter(|newest| newest.order() > record.order()).or(Some(record));
                }
                Err(error) if error.is_transient() || error.is(&codes::ACCESS_DENIED) => return Err(error),
                // One that no reader takes is no predecessor; a verification tells what is the matter with it.
                _ => {}
            }
        }
        Ok(newest.map(|ManifestRecord { manifest, sha256, .. }| Previous { id: manifest.id, sha256 }))
    }
}
