//! Writing a part: plaintext in, sealed segments out.

use super::budget::{PipelineOptions, WriteBudget};
use super::codec::{Encoder, SegmentRecord, max_compressed_len};
use super::patience;
use super::pool::{Buffer, Pool};
use super::silence::Silence;
use crate::cipher::Cipher;
use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::monitor::{Event, Monitor};
use crate::names::PartName;
use crate::repository::layout::BackupFolder;
use crate::repository::manifest::{Compression, PartEntry, dotted};
use crate::sink::Sink;
use crate::source::PartReader;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use tracing::instrument::WithSubscriber;

/// Cuts, seals and stores the parts of one backup, within one memory budget.
#[derive(Clone)]
pub(crate) struct Pipeline(Arc<Shared>);

struct Shared {
    sink: Arc<dyn Sink>,
    cipher: Arc<dyn Cipher>,
    monitor: Arc<dyn Monitor>,
    folder: BackupFolder,
    compression: Compression,
    level: i32,
    max_stall: Duration,
    silence: Arc<Silence>,
    /// Knows when aborted uploads have really ended.
    uploads: TaskTracker,
    plain: Arc<Pool>,
    sealed: Arc<Pool>,
    workers: Semaphore,
    /// Contexts that are not in use; at most as many as there are workers.
    encoders: Mutex<Vec<Encoder>>,
}

impl Pipeline {
    pub(crate) fn new(
        sink: Arc<dyn Sink>,
        cipher: Arc<dyn Cipher>,
        folder: BackupFolder,
        options: &PipelineOptions,
        monitor: Arc<dyn Monitor>,
        silence: Arc<Silence>,
        uploads: TaskTracker,
    ) -> Result<Self> {
        let segment = options.segment_bytes as usize;
        let sealed = cipher.max_sealed_len(max_compressed_len(segment, options.compression));
        let budget = WriteBudget::plan(options, sealed as u64)?;
        tracing::debug!(?budget, "planned the pipeline");
        Ok(Pipeline(Arc::new(Shared {
            sink,
            cipher,
            monitor,
            folder,
            compression: options.compression,
            level: options.level,
            max_stall: options.max_stall,
            silence,
            uploads,
            plain: Pool::new(budget.plain, segment),
            sealed: Pool::new(budget.sealed, sealed),
            workers: Semaphore::new(budget.workers),
            encoders: Mutex::new(Vec::new()),
        })))
    }

    /// Starts a part.
    pub(crate) fn part(&self, name: PartName) -> PartWriter {
        PartWriter { shared: self.0.clone(), name, next: 0, tasks: JoinSet::new(), records: Vec::new() }
    }

    /// Reads a part to its end and stores it. The caller still has to `finish` the reader.
    pub(crate) async fn write(&self, reader: &mut dyn PartReader) -> Result<WrittenPart> {
        let mut writer = self.part(reader.name());
        loop {
            let mut buffer = writer.buffer().await?;
            let full = buffer.data.capacity();
            // A failed upload ends the backup now, not when the source happens to give the next segment.
            tokio::select! {
                filled = reader.fill(&mut buffer.data) => filled?,
                failed = writer.failed() => return Err(failed),
            }
            if buffer.data.capacity() != full {
                return Err(Error::new(
                    &codes::SOURCE_FAILED,
                    format!("the source of {} gave another buffer back than it was to fill", writer.name),
                ));
            }
            let last = buffer.data.len() < full;
            if !(last && buffer.data.is_empty() && writer.next > 0) {
                writer.submit(buffer).await?;
            }
            if last {
                return writer.finish().await;
            }
        }
    }
}

/// Writes the segments of one part. Dropping it aborts the uploads that are under way.
pub(crate) struct PartWriter {
    shared: Arc<Shared>,
    name: PartName,
    next: u64,
    tasks: JoinSet<Result<(u64, SegmentRecord)>>,
    /// By number; `None` where a later segment was quicker.
    records: Vec<Option<SegmentRecord>>,
}

impl PartWriter {
    /// An empty buffer for the next segment, as soon as the budget has one.
    pub(crate) async fn buffer(&mut self) -> Result<Buffer> {
        let pool = self.shared.plain.clone();
        tokio::select! {
            buffer = pool.take() => buffer,
            failed = self.failed() => Err(failed),
        }
    }

    /// Seals and stores this buffer as the next segment, in the background.
    pub(crate) async fn submit(&mut self, buffer: Buffer) -> Result<()> {
        while let Some(done) = self.tasks.try_join_next() {
            self.record(done)?;
        }
        let number = self.next;
        self.next += 1;
        let key = self.shared.folder.segment(&self.name, number, &self.ending())?;
        let shared = self.shared.clone();
        let upload = async move { Ok((number, shared.store(key, buffer).await?)) };
        // What a caller set up for its logs holds for its tasks, too.
        self.tasks.spawn(self.shared.uploads.track_future(upload).with_current_subscriber());
        Ok(())
    }

    /// Waits for the first upload that fails; for ever, when none does.
    async fn failed(&mut self) -> Error {
        loop {
            match self.tasks.join_next().await {
                Some(done) => {
                    if let Err(error) = self.record(done) {
                        return error;
                    }
                }
                None => std::future::pending().await,
            }
        }
    }

    fn record(&mut self, done: Result<Result<(u64, SegmentRecord)>, tokio::task::JoinError>) -> Result<()> {
        let (number, record) = done.map_err(worker_died)??;
        let index = number as usize;
        if self.records.len() <= index {
            self.records.resize(index + 1, None);
        }
        self.records[index] = Some(record);
        Ok(())
    }

    fn ending(&self) -> String {
        self.shared.compression.ending().to_owned() + &dotted(self.shared.cipher.ending())
    }

    /// Waits until every segment is stored.
    pub(crate) async fn finish(mut self) -> Result<WrittenPart> {
        while let Some(done) = self.tasks.join_next().await {
            self.record(done)?;
        }
        let segments: Option<Vec<_>> = self.records.iter().copied().collect();
        let segments = segments.filter(|segments| segments.len() as u64 == self.next && self.next > 0);
        let segments = segments.ok_or_else(|| {
            Error::new(&codes::SELF_CHECK_FAILED, format!("not every segment of {} was accounted for", self.name))
        })?;
        let part = WrittenPart { ending: self.ending(), name: self.name, segments };
        self.shared.monitor.event(Event::PartFinished {
            part: part.name.clone(),
            plain: part.plain_bytes(),
            stored: part.stored_bytes(),
        });
        Ok(part)
    }
}

fn worker_died(error: tokio::task::JoinError) -> Error {
    let code = if error.is_cancelled() { &codes::CANCELLED } else { &codes::SELF_CHECK_FAILED };
    Error::new(code, "a worker ended before its segment was stored").with_source(error)
}

impl Shared {
    async fn store(self: Arc<Self>, key: crate::key::ObjectKey, plain: Buffer) -> Result<SegmentRecord> {
        let (record, mut sealed) = {
            let _worker =
                self.workers.acquire().await.map_err(|_| Error::new(&codes::CANCELLED, "the pipeline was closed"))?;
            let sealed = self.sealed.take().await?;
            let shared = self.clone();
            let encoding = tokio::task::spawn_blocking(move || shared.encode(plain, sealed));
            encoding.await.map_err(worker_died)??
        };
        // Held until the put ends, whatever the sink does with the bytes.
        let _permit = sealed.take_permit();
        patience::store(&*self.sink, &key, Bytes::from_owner(sealed), record.stored_hash, self.max_stall).await?;
        self.silence.put(jiff::Timestamp::now());
        self.monitor.event(Event::Progress { plain: record.plain_bytes, stored: record.stored_bytes });
        Ok(record)
    }

    /// The plaintext buffer is free again when this returns, before the upload.
    fn encode(&self, plain: Buffer, mut sealed: Buffer) -> Result<(SegmentRecord, Buffer)> {
        let idle = self.encoders.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut encoder = match idle {
            Some(encoder) => encoder,
            None => Encoder::new(self.compression, self.level)?,
        };
        let record = encoder.encode(&plain.data, &*self.cipher, &mut sealed.data)?;
        self.encoders.lock().unwrap_or_else(PoisonError::into_inner).push(encoder);
        Ok((record, sealed))
    }
}

/// A part whose segments are all stored.
#[derive(Debug)]
pub(crate) struct WrittenPart {
    pub(crate) name: PartName,
    pub(crate) ending: String,
    pub(crate) segments: Vec<SegmentRecord>,
}

impl WrittenPart {
    pub(crate) fn plain_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.plain_bytes).sum()
    }

    pub(crate) fn stored_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.stored_bytes).sum()
    }

    /// The part as the manifest lists it.
    pub(crate) fn entry(&self) -> PartEntry {
        PartEntry {
            name: self.name.to_string(),
            segments: self.segments.len() as u64,
            plain_bytes: self.plain_bytes(),
            stored_bytes: self.stored_bytes(),
            ending: self.ending.clone(),
        }
    }

    /// The digests and sizes of the stored segments, in order.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (u64, Sha256)> + '_ {
        self.segments.iter().map(|segment| (segment.stored_bytes, segment.stored_hash))
    }
}
