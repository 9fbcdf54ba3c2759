//! The recipe of a backup: what is written, in which order, and what commits it.

use crate::cipher::{KeyFile, KeySealer, NewKey};
use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::id::BackupId;
use crate::monitor::{Event, Monitor, Recorder, Silent};
use crate::names::{Label, PartName, Series};
use crate::pipeline::PipelineOptions;
use crate::pipeline::silence::Silence;
use crate::pipeline::write::{Pipeline, WrittenPart};
use crate::repository::catalog::ManifestRecord;
use crate::repository::contents::ContentsWriter;
use crate::repository::layout::{self, BackupFolder};
use crate::repository::manifest::{Encryption, FORMAT, KeyFileEntry, Manifest, Previous, SegmentFormat};
use crate::repository::restore_md::Guide;
use crate::repository::{Repository, document, sums};
use crate::signature::{DocumentKind, Signer};
use crate::sink::SinkExt;
use crate::source::{Snapshot, Source, SourceInfo};
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

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
    pub async fn run(self) -> Result<BackupReport> {
        let sealer = self
            .sealer
            .clone()
            .ok_or_else(|| Error::new(&codes::RECIPIENT_REQUIRED, "nobody could open this backup"))?;
        let started = Timestamp::now();
        let mut folder = None;
        let result = tokio::select! {
            result = self.make(started, &*sealer, &mut folder) => result,
            () = self.cancel.cancelled() => Err(Error::new(&codes::CANCELLED, "the backup was cancelled")),
        };
        if let (Err(error), Some(folder)) = (&result, folder) {
            tracing::debug!(code = error.code().name(), "removing what was stored of a failed backup");
            self.discard(&folder).await;
        }
        result
    }

    /// The recipe.
    async fn make(
        &self,
        started: Timestamp,
        sealer: &dyn KeySealer,
        folder: &mut Option<BackupFolder>,
    ) -> Result<BackupReport> {
        let silence = Arc::new(Silence::begin(started));

        // 1. The snapshot gives the backup its id, and the id its key.
        self.step("take a snapshot of the source");
        let mut snapshot = self.source.open(self.monitor.clone()).await?;
        let id = BackupId::generate(snapshot.info().snapshot)?;
        let key = sealer.new_key(&id).await?;
        self.monitor.event(Event::Started { backup: id.clone() });
        let folder = folder.insert(BackupFolder::new(&self.series, &self.label, &id));

        // 2. Segments, as the source gives them; `contents` is written along.
        let (parts, left_out) = self.write_parts(&mut snapshot, &id, folder, &key, &silence).await?;
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

        // 8. The manifest makes it a backup.
        self.step("publish");
        silence.check(Timestamp::now())?;
        self.publish(manifest).await
    }

    /// Writes every part of the snapshot, and `contents` last.
    async fn write_parts(
        &self,
        snapshot: &mut Box<dyn Snapshot>,
        id: &BackupId,
        folder: &BackupFolder,
        key: &NewKey,
        silence: &Arc<Silence>,
    ) -> Result<(Vec<WrittenPart>, u64)> {
        let sink = self.repository.sink().clone();
        let pipeline = Pipeline::new(
            sink,
            key.cipher.clone(),
            folder.clone(),
            &self.options,
            self.monitor.clone(),
            silence.clone(),
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
        let put = self.repository.sink().create_or_same_as(&key, Bytes::from(bytes), sha256);
        match tokio::time::timeout(self.options.max_stall, put).await {
            Ok(stored) => stored.map_err(|error| error.context(format_args!("store {key}")))?,
            Err(_) => return Err(Error::new(&codes::UPLOAD_STALLED, format!("{key} could not be stored in time"))),
        }
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

    /// The newest manifest of the series so far; `None` for the first, and where none can be read.
    async fn previous(&self) -> Option<Previous> {
        if self.repository.is_write_only() {
            return None;
        }
        let keys = self.repository.catalog_keys(Some(&self.series)).await.ok()?;
        let mut ids: Vec<BackupId> = keys.into_iter().filter(|key| key.is_manifest()).map(|key| key.id).collect();
        ids.sort();
        for id in ids.into_iter().rev() {
            if let Ok(ManifestRecord { manifest, sha256, authenticity }) =
                self.repository.read_manifest(&self.series, &id).await
                && authenticity.is_acceptable()
            {
                return Some(Previous { id: manifest.id, sha256 });
            }
        }
        None
    }

    /// Compares what the store lists with what was put. A host that may only write has the store's answers alone.
    async fn confirm(
        &self,
        folder: &BackupFolder,
        files: &BTreeMap<String, (u64, Sha256)>,
        parts: &[WrittenPart],
    ) -> Result<()> {
        if self.repository.is_write_only() {
            return Ok(());
        }
        self.step("confirm that everything is stored");
        let listing: Result<Vec<_>> = self.repository.sink().list(folder.as_str()).try_collect().await;
        let listing = match listing {
            Err(error) if error.is(&codes::ACCESS_DENIED) => {
                self.monitor.warn(
                    "the store does not let this host list, so what was stored could not be confirmed by a listing"
                        .into(),
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
        for (key, bytes) in expected {
            match sizes.get(&key) {
                Some(size) if *size == bytes => {}
                Some(size) => {
                    return Err(Error::new(
                        &codes::SEGMENT_DAMAGED,
                        format!("{key} was stored with {size} bytes instead of {bytes}"),
                    )
                    .with_hint("nothing was published; the store is not reliable"));
                }
                None => {
                    return Err(Error::new(&codes::SEGMENT_DAMAGED, format!("{key} was stored and is not listed"))
                        .with_hint("nothing was published; the store is not reliable"));
                }
            }
        }
        Ok(())
    }

    /// Writes the manifest, last of all.
    async fn publish(&self, mut manifest: Manifest) -> Result<BackupReport> {
        let key = layout::manifest(&self.series, &manifest.id)?;
        manifest.finished = Timestamp::now();
        let (now, stores_own) = self.repository.now();
        let skew = manifest.finished.duration_since(now);
        if stores_own && skew.abs() > crate::repository::catalog::CLOCK_TOLERANCE {
            self.monitor.warn(format!("this machine's clock and the store's differ by {} seconds", skew.as_secs()));
        }
        let (bytes, sha256) = document::write(DocumentKind::Manifest, &manifest, self.signer.as_deref()).await?;
        let bytes = Bytes::from(bytes);
        let put = self.repository.sink().create_or_same(&key, bytes.clone());
        let outcome = match tokio::time::timeout(self.options.max_stall, put).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::new(&codes::UPLOAD_STALLED, format!("{key} could not be stored in time"))),
        };
        if let Err(error) = outcome {
            // The answer may have been lost on its way back: what counts is what is there.
            let there = self.repository.sink().read(&key, None).await;
            if !there.is_ok_and(|found| found == bytes) {
                return Err(error.context("publish the manifest"));
            }
        }
        Ok(BackupReport { manifest, sha256, warnings: self.monitor.warnings() })
    }

    /// Removes what was stored of a backup that is not going to be published; what cannot be removed is swept later.
    async fn discard(&self, folder: &BackupFolder) {
        if self.repository.is_write_only() {
            return;
        }
        let sink = self.repository.sink();
        let removal = async {
            let objects: Vec<_> = sink.list(folder.as_str()).try_collect().await?;
            for object in objects {
                sink.delete(&object.key).await?;
            }
            Ok::<_, Error>(())
        };
        if let Ok(Err(error)) = tokio::time::timeout(std::time::Duration::from_secs(60), removal).await {
            tracing::debug!(error = error.chain(), "left an orphan behind");
        }
    }

    fn step(&self, doing: &str) {
        self.monitor.event(Event::Step { doing: doing.into() });
    }
}
