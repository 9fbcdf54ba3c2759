//! Before anything is published: everything that was put is there, and the manifest reads back.

use super::{BackupRequest, in_time};
use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::pipeline::write::WrittenPart;
use crate::repository::document::Document;
use crate::repository::layout::BackupFolder;
use crate::repository::manifest::Manifest;
use futures::TryStreamExt;
use std::collections::BTreeMap;

impl BackupRequest<'_> {
    /// Compares what the store lists with what was put. A host that may only write has the store's answers alone.
    pub(super) async fn confirm(
        &self,
        folder: &BackupFolder,
        files: &BTreeMap<String, (u64, Sha256)>,
        parts: &[WrittenPart],
    ) -> Result<()> {
        if self.repository.is_write_only() {
            return Ok(());
        }
        self.step("confirm that everything is stored");
        let sink = self.repository.sink();
        let listing: Result<Vec<_>> =
            in_time(self.options.max_stall, "list", sink.list(folder.as_str()).try_collect()).await;
        let listing = match listing {
            Err(error) if error.is(&codes::ACCESS_DENIED) => {
                self.monitor.warn(
                    "the store does not let this host list, so what was stored could not be confirmed by a listing",
                );
                return Ok(());
            }
            listing => listing?,
        };
        let sizes: BTreeMap<_, _> = listing.into_iter().map(|object| (object.key, object.size)).collect();
        let mut expected = Vec::new();
        for (name, (bytes, _)) in files {
            expected.push((folder.file(name)?, *bytes));
        }
        for part in parts {
            for (number, (bytes, _)) in part.stored().enumerate() {
                expected.push((folder.segment(&part.name, number as u64, &part.ending)?, bytes));
            }
        }
        let unreliable = |what: String| {
            Error::new(&codes::SEGMENT_DAMAGED, what).with_hint("nothing was published; the store is not reliable")
        };
        for (key, bytes) in expected {
            if sizes.get(&key) == Some(&bytes) {
                continue;
            }
            // Listings of some stores lag behind: the object itself has the last word.
            match in_time(self.options.max_stall, "ask for", sink.stat(&key)).await {
                Ok(info) if info.size == bytes => {}
                Ok(info) => {
                    return Err(unreliable(format!("{key} was stored with {} bytes instead of {bytes}", info.size)));
                }
                Err(error) if error.is(&codes::OBJECT_NOT_FOUND) => {
                    return Err(unreliable(format!("{key} was stored and is not there")));
                }
                Err(error) => return Err(error.context(format_args!("confirm {key}"))),
            }
        }
        Ok(())
    }

    /// Reads what is about to be published as readers will: nothing may be published that nobody can open.
    pub(super) fn check_document(&self, bytes: &[u8], manifest: &Manifest) -> Result<()> {
        let read = Document::parse(bytes, "the manifest").and_then(|document| {
            let installation = &self.repository.marker().installation;
            let read = Manifest::read(&document, installation, &self.series, &manifest.id)?;
            Ok(read == *manifest && document.signature().is_some() == self.signer.is_some())
        });
        let failed = || Error::new(&codes::SELF_CHECK_FAILED, "the manifest does not read back as it was written");
        match read {
            Ok(true) => Ok(()),
            Ok(false) => Err(failed()),
            Err(error) => Err(failed().with_source(error)),
        }
    }
}
