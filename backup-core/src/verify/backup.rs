//! One backup, level by level.

use super::VerifyRequest;
use super::verdict::{BackupVerdict, Finding, Severity, describe};
use crate::error::{Error, Result, codes};
use crate::level::{Level, Outcome};
use crate::names::PartName;
use crate::pipeline::PipelineOptions;
use crate::repository::catalog::Entry;
use crate::repository::stored::{OpenBackup, StoredBackup};
use crate::target::Restorable;
use futures::TryStreamExt;
use std::collections::BTreeMap;

/// What says that the backup itself is bad. Everything else (a store that is away, a key that is locked, a missing program)
/// says that it could not be looked at: unverified, and never a pass.
fn is_unverified(error: &Error) -> bool {
    ![
        &codes::SEGMENT_DAMAGED,
        &codes::DECRYPT_FAILED,
        &codes::DECOMPRESS_FAILED,
        &codes::INVALID_DOCUMENT,
        &codes::INVALID_NAME,
        &codes::PART_INVALID,
        &codes::PART_NOT_FOUND,
        &codes::BACKUP_NOT_FOUND,
        &codes::OBJECT_NOT_FOUND,
        &codes::UNSIGNED,
        &codes::BAD_SIGNATURE,
        &codes::SELF_CHECK_FAILED,
    ]
    .iter()
    .any(|code| error.is(code))
}

/// Gathers what is found about one backup.
struct Judge {
    reached: Option<Level>,
    outcome: Outcome,
    held: Vec<String>,
    findings: Vec<Finding>,
}

impl Judge {
    fn error(&mut self, error: &Error) {
        let unverified = is_unverified(error);
        let severity = if unverified { Severity::Warning } else { Severity::Failure };
        let outcome = if unverified { Outcome::Unverified } else { Outcome::Failed };
        // A failure is never softened by something else that could not be looked at.
        if self.outcome != Outcome::Failed {
            self.outcome = outcome;
        }
        let message = error.chain();
        if self.findings.iter().any(|finding| finding.severity == severity && finding.message == message) {
            return;
        }
        self.findings.push(Finding { severity, code: error.code().name(), message, hint: error.hint().to_owned() });
    }

    fn passed(&mut self, level: Level) {
        self.reached = Some(level);
    }
}

impl VerifyRequest<'_> {
    pub(super) async fn verify_backup(&self, entry: &Entry, options: &PipelineOptions) -> BackupVerdict {
        let mut judge = Judge { reached: None, outcome: Outcome::Passed, held: Vec::new(), findings: Vec::new() };
        let mut authenticity = "not checked (the manifest cannot be read)".to_owned();
        match &entry.record {
            Err(error) => judge.error(error),
            Ok(record) => {
                authenticity = describe(&record.authenticity);
                match record.authenticity.require(&format!("backup {}", entry.id)) {
                    Err(error) => judge.error(&error),
                    Ok(()) => match self.repository.stored(record.clone()).await {
                        Err(error) => judge.error(&error),
                        Ok(stored) => {
                            if let Err(error) = self.levels(stored, options, &mut judge).await {
                                judge.error(&error);
                            }
                        }
                    },
                }
            }
        }
        BackupVerdict {
            series: entry.series.clone(),
            id: entry.id.clone(),
            reached: judge.reached,
            outcome: judge.outcome,
            authenticity,
            held: judge.held,
            findings: judge.findings,
        }
    }

    async fn levels(&self, stored: StoredBackup, options: &PipelineOptions, judge: &mut Judge) -> Result<()> {
        if stored.manifest().left_out > 0 {
            judge.findings.push(
                Finding::warning("left_out", format!("{} things could not be captured", stored.manifest().left_out))
                    .hint("`backproof show ID` names them to holders of an identity"),
            );
        }
        let key_files = self.present(&stored, judge).await?;
        if judge.outcome != Outcome::Passed {
            return Ok(());
        }
        judge.passed(Level::Present);
        if self.level == Level::Present {
            // The backup can be opened with the others; who looks deeper is told that it is not intact.
            judge.findings.extend(
                key_files
                    .iter()
                    .map(|error| Finding::warning(error.code().name(), error.chain()).hint(error.hint().to_owned())),
            );
            return Ok(());
        }
        let small = key_files.into_iter().chain(stored.restore_md().await.err()).collect::<Vec<_>>();
        small.iter().for_each(|error| judge.error(error));
        // Reading every segment includes checking what is stored, so it is not fetched twice.
        if self.level >= Level::Readable {
            match stored.clone().unseal(self.opener.as_deref(), options, self.monitor.clone()).await {
                Ok(backup) => match self.readable(&backup, judge).await {
                    Ok(()) if small.is_empty() => {
                        judge.passed(Level::Readable);
                        return Ok(());
                    }
                    Ok(()) => return Ok(()),
                    Err(error) => judge.error(&error),
                },
                Err(error) => judge.error(&error),
            }
        }
        let wrong = stored.check_segments(options, self.monitor.clone()).await?;
        for error in &wrong {
            // What stopped the reading is not named twice.
            judge.error(error);
        }
        if wrong.is_empty() && small.is_empty() {
            judge.passed(Level::Intact);
        }
        Ok(())
    }

    /// Every object is there in its size, and a key file is valid. Gives what is wrong with key files beside a valid one.
    async fn present(&self, stored: &StoredBackup, judge: &mut Judge) -> Result<Vec<Error>> {
        let listing = self.repository.sink().list(stored.folder().as_str());
        let mut there: BTreeMap<_, u64> = BTreeMap::new();
        let listed: Vec<_> =
            listing.try_collect().await.map_err(|error: Error| error.context("list the backup's folder"))?;
        there.extend(listed.into_iter().map(|object| (object.key, object.size)));
        let keys = format!("{}/keys/", stored.folder().as_str());
        for expected in stored.objects() {
            let expected = expected?;
            let found = there.remove(&expected.key);
            if expected.key.as_str().starts_with(&keys) {
                // Read below: one valid key file is enough.
                continue;
            }
            let wrong = match found {
                None => format!("{} is missing", expected.key),
                Some(size) if size != expected.bytes => {
                    format!("{} has {size} bytes instead of {}", expected.key, expected.bytes)
                }
                Some(_) => continue,
            };
            judge.error(&Error::new(&codes::SEGMENT_DAMAGED, wrong));
        }
        for key in there.keys() {
            let later_key_file = key.as_str().starts_with(&keys);
            let finding = format!("{key} is in the backup's folder and not part of it");
            judge.findings.push(if later_key_file {
                Finding::notice("unexpected_object", finding)
            } else {
                Finding::warning("unexpected_object", finding).hint("it is never read; find out who put it there")
            });
        }
        let mut wrong = Vec::new();
        for entry in &stored.manifest().encryption.key_files {
            wrong.extend(stored.key_file(entry).await.err());
        }
        let key_files = stored.manifest().encryption.key_files.len();
        if key_files > 0 && wrong.len() == key_files {
            wrong.iter().for_each(|error| judge.error(error));
            // A store that does not answer takes no key away.
            if !wrong.iter().any(is_unverified) {
                judge.error(&Error::new(&codes::SEGMENT_DAMAGED, "no key file is valid: nobody can open this backup"));
            }
        }
        Ok(wrong)
    }

    /// Every part is read to its end, and its structure followed.
    async fn readable(&self, backup: &OpenBackup, judge: &mut Judge) -> Result<()> {
        let kind = &backup.manifest().source.kind;
        let prover = self.provers.iter().find(|prover| prover.knows(kind));
        for name in prover.map(|prover| prover.required_parts()).unwrap_or_default() {
            if backup.manifest().part(&name).is_err() {
                return Err(Error::new(&codes::PART_INVALID, format!("a backup of kind {kind} without a part {name}")));
            }
        }
        for part in &backup.manifest().parts {
            let name = PartName::from_manifest(&part.name)?;
            let mut observer = prover.and_then(|prover| prover.observer(&name));
            let structured = observer.is_some();
            let mut stream = backup.stream(&name)?;
            let mut bytes = 0;
            while let Some(piece) = stream.next().await? {
                bytes += piece.len() as u64;
                if let Some(mut observing) = observer.take() {
                    // Parsing is work for a processor, not for the thread that waits for the store.
                    let observed = tokio::task::spawn_blocking(move || {
                        let result = observing.observe(&piece);
                        result.map(|()| observing)
                    });
                    let observed = observed.await.map_err(|error| {
                        Error::new(&codes::PART_INVALID, format!("the observer of {name} failed")).with_source(error)
                    })?;
                    observer = Some(observed.map_err(|error| error.context(format_args!("read {name}")))?);
                }
            }
            if bytes != part.plain_bytes {
                return Err(Error::new(
                    &codes::PART_INVALID,
                    format!("{name} has {bytes} bytes instead of {}", part.plain_bytes),
                ));
            }
            if let Some(observer) = observer {
                let held = observer.finish().map_err(|error| error.context(format_args!("read {name}")))?;
                judge.held.push(format!("{name}: {held}"));
            }
            if !structured && prover.is_none() && name != PartName::contents() {
                judge.findings.push(Finding::notice(
                    "structure_not_checked",
                    format!("{name} was read to its end; what its bytes mean is not known for a source of kind {kind}"),
                ));
            }
        }
        Ok(())
    }
}
