//! One backup, level by level.

use super::VerifyRequest;
use super::verdict::{BackupVerdict, Finding, Severity, describe};
use crate::error::{Error, Result, codes};
use crate::level::{Level, Outcome};
use crate::names::PartName;
use crate::pipeline::PipelineOptions;
use crate::proof::Proof;
use crate::repository::catalog::{Entry, ManifestRecord};
use crate::repository::event::ProofBody;
use crate::repository::stored::{OpenBackup, StoredBackup};
use crate::target::Restorable;
use futures::TryStreamExt;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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

/// What says that the request makes no sense for this backup: no verdict is made of it, and nothing is kept.
fn is_misuse(error: &Error) -> bool {
    error.is(&codes::NO_EFFECT)
}

/// Gathers what is found about one backup.
struct Judge {
    reached: Option<Level>,
    outcome: Outcome,
    held: Vec<String>,
    findings: Vec<Finding>,
    proof: Option<Proof>,
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

    fn outcome(&mut self, outcome: Outcome) {
        if self.outcome != Outcome::Failed && outcome != Outcome::Passed {
            self.outcome = outcome;
        }
    }

    /// What a proof found, beyond the levels before it, all of which hold.
    fn proof(&mut self, proof: Proof, level: Level) {
        for error in &proof.errors {
            self.findings.push(
                Finding::failure("restore_failed", error.clone())
                    .hint("the backup does not restore as it is: restore it by hand to see more"),
            );
        }
        if level >= Level::Identical {
            self.findings.extend(proof.differences.iter().map(|difference| {
                Finding::failure("difference", format!("{}: {}", difference.object, difference.what))
                    .hint("what was restored is not what was backed up")
            }));
        }
        for untested in &proof.untested {
            let message = format!("{} was not tested: {}", untested.object, untested.reason);
            self.findings.push(match untested.accepted {
                true => Finding::notice("untested", message).hint("accepted by name in the configuration"),
                false => Finding::warning("untested", message)
                    .hint(format!("give the scratch server what it lacks, or accept = [{:?}]", untested.object)),
            });
        }
        for result in &proof.assertions {
            let message = format!("{}: {}", result.name, result.detail);
            match (result.outcome, result.warning_only) {
                (Outcome::Passed, _) => {}
                (Outcome::Unverified, _) => self.findings.push(Finding::warning("assertion_unverified", message)),
                (Outcome::Failed, true) => self.findings.push(Finding::warning("assertion_failed", message)),
                (Outcome::Failed, false) => self.findings.push(
                    Finding::failure("assertion_failed", message).hint("the data is not what you said it must be"),
                ),
            }
        }
        self.findings.extend(proof.notes.iter().map(|note| Finding::notice("proof", note.clone())));
        for reached in [Level::Restorable, Level::Identical].into_iter().filter(|reached| *reached <= level) {
            let outcome = proof.outcome(reached);
            self.outcome(outcome);
            if outcome != Outcome::Passed {
                break;
            }
            self.passed(reached);
        }
        self.proof = Some(proof);
    }
}

impl VerifyRequest<'_> {
    /// The verdict on one backup.
    ///
    /// # Errors
    /// [`NO_EFFECT`](codes::NO_EFFECT): something was asked for that makes no sense for it.
    pub(crate) async fn verify_backup(&self, entry: &Entry, options: &PipelineOptions) -> Result<BackupVerdict> {
        let started = Instant::now();
        let mut judge =
            Judge { reached: None, outcome: Outcome::Passed, held: Vec::new(), findings: Vec::new(), proof: None };
        let mut authenticity = "not checked (the manifest cannot be read)".to_owned();
        match &entry.record {
            Err(error) => judge.error(error),
            Ok(record) => {
                authenticity = describe(&record.authenticity);
                let refused = record.authenticity.require(&format!("backup {}", entry.id)).err();
                match refused {
                    Some(error) if !self.allow_unsigned => judge.error(&error),
                    refused => match self.repository.stored(record.clone()).await {
                        Err(error) => judge.error(&error),
                        Ok(stored) => {
                            match self.levels(stored, options, &mut judge).await {
                                Err(error) if is_misuse(&error) => return Err(error),
                                Err(error) => judge.error(&error),
                                Ok(()) => {}
                            }
                            if let Some(error) = refused {
                                // Looked at because the user said so; that makes it no better.
                                judge.reached = None;
                                judge.outcome(Outcome::Unverified);
                                judge.findings.push(
                                    Finding::warning(error.code().name(), error.chain()).hint(error.hint().to_owned()),
                                );
                            }
                        }
                    },
                }
            }
        }
        let took = started.elapsed();
        if let Ok(record) = &entry.record
            && self.level >= Level::Readable
            && record.authenticity.is_acceptable()
        {
            self.note(record, &mut judge, took).await;
        }
        Ok(BackupVerdict {
            series: entry.series.clone(),
            id: entry.id.clone(),
            reached: judge.reached,
            outcome: judge.outcome,
            authenticity,
            held: judge.held,
            findings: judge.findings,
            proof: judge.proof,
            seconds: took.as_secs_f64(),
        })
    }

    /// Hands the result to whoever keeps it. That this fails says nothing about the backup.
    async fn note(&self, record: &ManifestRecord, judge: &mut Judge, took: Duration) {
        let Some(recorder) = &self.recorder else { return };
        let result = ProofBody::new(self.level, judge.outcome, judge.reached, took);
        if let Err(error) = recorder.record(self.repository, record, result).await {
            judge.findings.push(
                Finding::notice("proof_not_recorded", format!("the proof was not recorded: {}", error.chain()))
                    .hint("`list` will not show it; the right to write under catalog/ is enough"),
            );
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
                Ok(backup) => match self.opened(&backup, judge).await {
                    Ok(proof) if small.is_empty() => {
                        judge.passed(Level::Readable);
                        if let Some(proof) = proof {
                            judge.proof(proof, self.level);
                        }
                        return Ok(());
                    }
                    Ok(_) => return Ok(()),
                    Err(error) if is_misuse(&error) => return Err(error),
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

    /// All that needs the backup's key: reading it, and, at the deeper levels, restoring it. The parts that a restore reads are not read
    /// twice, unless it fails or leaves something out: then reading tells whether the backup is damaged.
    async fn opened(&self, backup: &OpenBackup, judge: &mut Judge) -> Result<Option<Proof>> {
        if self.level <= Level::Readable {
            self.readable(backup, &[], judge).await?;
            return Ok(None);
        }
        let kind = &backup.manifest().source.kind;
        let prover = self.provers.iter().find(|prover| prover.knows(kind)).ok_or_else(|| {
            Error::new(&codes::INVALID_ARGUMENT, format!("nothing here restores backups of kind {kind} for a proof"))
                .with_hint("the deepest level for it is readable")
        })?;
        self.readable(backup, &prover.required_parts(), judge).await?;
        match prover.prove(backup, self.level, self.monitor.clone()).await {
            // What was not restored may not have been read either.
            Ok(proof) if proof.errors.is_empty() && proof.untested.is_empty() => Ok(Some(proof)),
            Ok(proof) => self.readable(backup, &[], judge).await.map(|()| Some(proof)),
            Err(error) if is_misuse(&error) => Err(error),
            Err(error) => {
                self.readable(backup, &[], judge).await?;
                judge.passed(Level::Readable);
                judge.error(&error);
                Ok(None)
            }
        }
    }

    /// Every part but these is read to its end, and its structure followed.
    async fn readable(&self, backup: &OpenBackup, but: &[PartName], judge: &mut Judge) -> Result<()> {
        let kind = &backup.manifest().source.kind;
        let prover = self.provers.iter().find(|prover| prover.knows(kind));
        for name in prover.map(|prover| prover.required_parts()).unwrap_or_default() {
            if backup.manifest().part(&name).is_err() {
                return Err(Error::new(&codes::PART_INVALID, format!("a backup of kind {kind} without a part {name}")));
            }
        }
        for part in &backup.manifest().parts {
            let name = PartName::from_manifest(&part.name)?;
            if but.contains(&name) {
                continue;
            }
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
