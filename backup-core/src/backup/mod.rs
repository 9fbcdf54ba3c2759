//! The recipe of a backup: what is written, in which order, and what commits it.

mod confirm;
mod discard;
mod previous;
mod publish;

use self::publish::{Prepared, Unpublished};
use crate::cipher::{KeyFile, KeySealer, NewKey};
use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::id::BackupId;
use crate::monitor::{Event, Monitor, Recorder, Silent};
use crate::names::{Label, PartName, Series};
use crate::pipeline::PipelineOptions;
use crate::pipeline::patience;
use crate::pipeline::silence::Silence;
use crate::pipeline::write::{Pipeline, WrittenPart};
use crate::repository::catalog::CLOCK_TOLERANCE;
use crate::repository::contents::ContentsWriter;
use crate::repository::document;
use crate::repository::layout::{self, BackupFolder};
use crate::repository::manifest::{Encryption, FORMAT, KeyFileEntry, Manifest, Previous, SegmentFormat};
use crate::repository::restore_md::Guide;
use crate::repository::{Repository, sums};
use crate::signature::{DocumentKind, Signer};
use crate::source::{Snapshot, Source, SourceInfo};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A backup to be made. Made by [`Repository::backup`], started by [`run`](BackupRequest::run).
#[derive(Debug)]
pub struct BackupRequest<'a> {
    repository: &'a Repository,
    series: Series,
    source: Arc<dyn Source>,
    label: Label,
    sealer: Option<Arc<dyn KeySealer>>,
    signer: Option<Arc<dyn Signer>>,
    options: PipelineOptions,
    single_writer: bool,
    monitor: Arc<Recorder>,
    cancel: CancellationToken,
}

/// A backup that was published.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackupReport {
    /// Its manifest as published.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's JSON.
    pub sha256: Sha256,
    /// What needs attention: things left out, a clock that is off, what could not be confirmed. The monitor was told, too.
    pub warnings: Vec<String>,
}

impl Repository {
    /// A backup of this source, to be made in a series.
    pub fn backup(&self, series: Series, source: Arc<dyn Source>) -> BackupRequest<'_> {
        BackupRequest {
            repository: self,
            series,
            source,
            label: Label::default(),
            sealer: None,
            signer: None,
            options: PipelineOptions::default(),
            single_writer: false,
            monitor: Recorder::new(Arc::new(Silent)),
            cancel: CancellationToken::new(),
        }
    }
}

impl BackupRequest<'_> {
    /// What the backup is for; `manual` by default.
    pub fn label(mut self, label: Label) -> Self {
        self.label = label;
        self
    }

    /// Whom the backup is sealed to; [`NoEncryption`](crate::cipher::NoEncryption) for nobody. Required.
    pub fn seal(mut self, sealer: Arc<dyn KeySealer>) -> Self {
        self.sealer = Some(sealer);
        self
    }

    /// Who signs the manifest.
    pub fn sign(mut self, signer: Arc<dyn Signer>) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Segment size, compression, workers, memory.
    pub fn options(mut self, options: PipelineOptions) -> Self {
        self.options = options;
        self
    }

    /// Says that nobody else writes to this repository: required where the store was found to lack create-if-absent.
    pub fn single_writer(mut self, single: bool) -> Self {
        self.single_writer = single;
        self
    }

    /// Who is told about progress.
    pub fn monitor(mut self, monitor: Arc<dyn Monitor>) -> Self {
        self.monitor = Recorder::new(monitor);
        self
    }

    /// Ends the backup when it is cancelled: nothing is published, what was stored is removed where that is allowed.
    pub fn cancel_with(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Makes the backup.
    ///
    /// It exists exactly when this returns `Ok`. After an error, or when the future is dropped, it is not visible; what was
    /// stored of it is removed where that is allowed (not when the future is dropped), and swept as an orphan otherwise.
    /// One exception: when the store's answer to the last put, the manifest's, was lost and it cannot be read back, or when
    /// the future is dropped at that moment, the backup may exist, whole; the error says so.
    pub async fn run(self) -> Result<BackupReport> {
        let sealer = self
            .sealer
            .clone()
            .ok_or_else(|| Error::new(&codes::RECIPIENT_REQUIRED, "nobody could open this backup"))?;
        if !self.repository.marker().store.create_if_absent && !self.single_writer {
            return Err(Error::new(
                &codes::UNSUPPORTED_BY_STORE,
                format!(
                    "{} has no create-if-absent: two writers could overwrite each other",
                    self.repository.sink().location()
                ),
            )
            .with_hint("use another store, or, with one writer only, set allow_unconditional_create"));
        }
        let mut folder = None;
        let uploads = TaskTracker::new();
        let prepared = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(cancelled()),
            prepared = self.prepare(&*sealer, &mut folder, &uploads) => prepared,
        };
        // From here on the manifest may come to be: what it names is removed only when it is certain that it does not.
        let outcome = match prepared {
            Ok(prepared) => self.publish(prepared).await,
            Err(error) => Err(Unpublished { error, certain: true }),
        };
        match outcome {
            Ok(report) => Ok(report),
            Err(Unpublished { error, certain }) => {
                if let (true, Some(folder)) = (certain, folder) {
                    tracing::debug!(code = error.code().name(), "removing what was stored of a failed backup");
                    self.discard(&folder, &uploads).await;
                }
                Err(error)
            }
        }
    }

    /// The recipe, up to the manifest.
    async fn prepare(
        &self,
        sealer: &dyn KeySealer,
        folder: &mut Option<BackupFolder>,
        uploads: &TaskTracker,
    ) -> Result<Prepared> {
        let started = Timestamp::now();
        let silence = Arc::new(Silence::begin(started));

        // 1. The snapshot gives the backup its id, and the id its key.
        self.step("take a snapshot of the source");
        let mut snapshot = self.source.open(self.monitor.clone()).await?;
        let skew = snapshot.info().snapshot.duration_since(Timestamp::now());
        if skew > CLOCK_TOLERANCE || skew < -CLOCK_TOLERANCE * 12 {
            self.monitor.warn(format!("the source's clock and this machine's differ by {} seconds", skew.as_secs()));
        }
        let id = BackupId::generate(snapshot.info().snapshot)?;
        let key = sealer.new_key(&id).await?;
        self.monitor.event(Event::Started { backup: id.clone() });
        let folder = folder.insert(BackupFolder::new(&self.series, &self.label, &id));

        // 2. Segments, as the source gives them; `contents` is written along.
        let (parts, left_out) = self.write_parts(&mut snapshot, &id, folder, &key, &silence, uploads).await?;
        let source = snapshot.info().clone();
        let steps = snapshot.restore_steps();
        snapshot.finish().await?;
        if left_out > 0 {
            self.monitor.warn(format!(
                "{left_out} things could not be captured; `backproof show {id}` names them to holders of an identity"
            ));
        }

        // 3. The digests of each part's segments.
        self.step("write sums, keys and RESTORE.md");
        let mut files = BTreeMap::new();
        for part in &parts {
            let lines = part.stored().enumerate().map(|(number, (bytes, sha256))| {
                (layout::segment_name(number as u64, &part.ending).into(), bytes, sha256)
            });
            let bytes = sums::write(lines);
            self.put(folder, &mut files, &format!("{}/{}", part.name, layout::SUMS), bytes).await?;
        }

        // 4. The key, sealed to the recipients.
        let mut key_files = Vec::new();
        for (number, file) in (1..).zip(&key.files) {
            key_files.push(self.put_key(folder, &mut files, number, file).await?);
        }

        // 5. How to restore it without us.
        let previous = self.previous().await;
        let mut manifest = self.manifest(&id, started, source, &key, key_files, left_out, previous);
        manifest.parts = parts.iter().map(WrittenPart::entry).collect();
        let location = self.repository.sink().location();
        let guide = Guide { manifest: &manifest, signed: self.signer.is_some(), location: &location, steps: &steps };
        self.put(folder, &mut files, layout::RESTORE, guide.text().into_bytes()).await?;

        // 6. The digests of all that the manifest does not hold itself.
        let listed = files.iter().map(|(name, (bytes, sha256))| (name.as_str().into(), *bytes, *sha256));
        let bytes = sums::write(listed);
        manifest.sha256sums = Sha256::of(&bytes);
        self.put(folder, &mut files, layout::SUMS, bytes).await?;

        // 7. Every object is there, in its size.
        self.confirm(folder, &files, &parts).await?;

        // 8. The manifest makes it a backup: `publish` writes it.
        manifest.finished = Timestamp::now();
        self.judge_clock(manifest.finished);
        let (bytes, sha256) = document::write(DocumentKind::Manifest, &manifest, self.signer.as_deref()).await?;
        self.check_document(&bytes, &manifest)?;
        silence.check(Timestamp::now())?;
        Ok(Prepared {
            bytes: bytes.into(),
            report: BackupReport { manifest, sha256, warnings: self.monitor.warnings() },
        })
    }

    /// Writes every part of the snapshot, and `contents` last.
    async fn write_parts(
        &self,
        snapshot: &mut Box<dyn Snapshot>,
        id: &BackupId,
        folder: &BackupFolder,
        key: &NewKey,
        silence: &Arc<Silence>,
        uploads: &TaskTracker,
    ) -> Result<(Vec<WrittenPart>, u64)> {
        let sink = self.repository.sink().clone();
        let pipeline = Pipeline::new(
            sink,
            key.cipher.clone(),
            folder.clone(),
            &self.options,
            self.monitor.clone(),
            silence.clone(),
            uploads.clone(),
        )?;
        let mut contents = ContentsWriter::begin(pipeline.part(PartName::contents()), id).await?;
        let mut parts: Vec<WrittenPart> = Vec::new();
        while let Some(mut reader) = snapshot.next_part().await? {
            let name = reader.name();
            if name == PartName::contents() || parts.iter().any(|part| part.name == name) {
                return Err(Error::new(&codes::SOURCE_FAILED, format!("the source gave the part {name} twice")));
            }
            self.monitor.event(Event::PartStarted { part: name, expected: reader.size_hint() });
            let part = pipeline.write(&mut *reader).await?;
            // Only now is it known that the source ended well.
            reader.finish(&mut contents).await?;
            contents.segments(&part).await?;
            parts.push(part);
        }
        if parts.is_empty() {
            return Err(Error::new(&codes::SOURCE_FAILED, "the source gave nothing at all"));
        }
        let mut left_out = 0;
        for what in snapshot.left_out() {
            contents.left_out(what).await?;
            left_out += 1;
        }
        parts.push(contents.finish().await?);
        Ok((parts, left_out))
    }

    async fn put(
        &self,
        folder: &BackupFolder,
        files: &mut BTreeMap<String, (u64, Sha256)>,
        name: &str,
        bytes: Vec<u8>,
    ) -> Result<(u64, Sha256)> {
        let (size, sha256) = (bytes.len() as u64, Sha256::of(&bytes));
        let key = folder.file(name)?;
        let sink = self.repository.sink();
        patience::store(&**sink, &key, bytes.into(), sha256, self.options.max_stall).await?;
        files.insert(name.to_owned(), (size, sha256));
        Ok((size, sha256))
    }

    async fn put_key(
        &self,
        folder: &BackupFolder,
        files: &mut BTreeMap<String, (u64, Sha256)>,
        number: u32,
        file: &KeyFile,
    ) -> Result<KeyFileEntry> {
        let name = format!("{number:04}.{}", file.ending);
        let (bytes, sha256) = self.put(folder, files, &format!("keys/{name}"), file.bytes.clone()).await?;
        Ok(KeyFileEntry { name, bytes, sha256, recipients: file.recipients.clone() })
    }

    // What a manifest says comes from eight places, and this is the only one that gathers it.
    #[allow(clippy::too_many_arguments)]
    fn manifest(
        &self,
        id: &BackupId,
        started: Timestamp,
        source: SourceInfo,
        key: &NewKey,
        key_files: Vec<KeyFileEntry>,
        left_out: u64,
        previous: Option<Previous>,
    ) -> Manifest {
        Manifest {
            format: FORMAT,
            kind: DocumentKind::Manifest.as_str().into(),
            requires: Vec::new(),
            installation: self.repository.marker().installation.clone(),
            series: self.series.clone(),
            id: id.clone(),
            label: self.label.clone(),
            source,
            started,
            finished: Timestamp::now(),
            writer: concat!("backproof ", env!("CARGO_PKG_VERSION")).into(),
            segments: SegmentFormat { bytes: self.options.segment_bytes, compression: self.options.compression },
            encryption: Encryption { scheme: key.scheme, key_commitment: key.commitment, key_files },
            parts: Vec::new(),
            sha256sums: Sha256::of(b""),
            left_out,
            previous,
        }
    }

    fn judge_clock(&self, ours: Timestamp) {
        let (now, stores_own) = self.repository.now();
        let skew = ours.duration_since(now);
        if stores_own && skew.abs() > CLOCK_TOLERANCE {
            self.monitor.warn(format!("this machine's clock and the store's differ by {} seconds", skew.as_secs()));
        }
    }

    fn step(&self, doing: &str) {
        self.monitor.event(Event::Step { doing: doing.into() });
    }
}

fn cancelled() -> Error {
    Error::new(&codes::CANCELLED, "the backup was cancelled")
}

/// Waits for a store, but not for ever.
async fn in_time<T>(limit: Duration, doing: &str, asked: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::new(
            &codes::UPLOAD_STALLED,
            format!("{doing}: the store did not answer within {} seconds", limit.as_secs()),
        )),
    }
}
