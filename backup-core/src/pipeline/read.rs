//! Reading a part back: segments fetched ahead, checked, opened in workers, delivered in order.

use super::budget::{PipelineOptions, ReadBudget};
use super::codec::{Decoder, max_compressed_len};
use crate::cipher::Cipher;
use crate::digest::{Blake3, Sha256};
use crate::error::{Error, Result, codes};
use crate::key::ObjectKey;
use crate::monitor::{Event, Monitor};
use crate::repository::manifest::Compression;
use crate::sink::Sink;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;
use tracing::instrument::WithSubscriber;

/// The plaintext of one part, in order, in pieces of at most one segment.
///
/// Every piece was checked before it is given. `Ok(None)` comes only after the last byte of the part: a stream that was
/// cut, or whose segment is damaged, ends with an error instead.
pub struct PartStream(BoxStream<'static, Result<Bytes>>);

impl std::fmt::Debug for PartStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PartStream")
    }
}

impl PartStream {
    /// A part whose checked pieces come from this stream.
    pub fn new(stream: impl futures::Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        PartStream(stream.boxed())
    }

    /// The next piece, or `None` at the checked end.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        self.0.next().await.transpose()
    }

    /// The pieces as a stream.
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        self.0
    }

    /// Leaves out the first `skip` bytes and what follows the next `take`. The end before them is an error.
    pub(crate) fn slice(self, skip: u64, take: u64) -> PartStream {
        let cut = futures::stream::try_unfold((self, skip, take), |(mut stream, mut skip, take)| async move {
            if take == 0 {
                return Ok(None);
            }
            loop {
                let Some(mut piece) = stream.next().await? else {
                    return Err(Error::new(&codes::PART_INVALID, format!("the part ends {take} bytes early")));
                };
                let length = piece.len() as u64;
                if skip >= length {
                    skip -= length;
                    continue;
                }
                // Both are less than the length of a piece.
                let _ = piece.split_to(skip as usize);
                piece.truncate(take.min(piece.len() as u64) as usize);
                let left = take - piece.len() as u64;
                return Ok(Some((piece, (stream, 0, left))));
            }
        });
        PartStream::new(cut)
    }

    /// Everything that is left, in memory: for small parts only.
    pub async fn read_to_end(mut self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}

/// A segment as it is stored, and what its plaintext must be.
#[derive(Clone, Debug)]
pub(crate) struct StoredSegment {
    pub(crate) key: ObjectKey,
    pub(crate) stored_bytes: u64,
    pub(crate) stored_hash: Sha256,
    pub(crate) plain_bytes: u64,
    /// Known from `contents`; not for the segments of `contents` itself, whose last line has a hash instead.
    pub(crate) plain_hash: Option<Blake3>,
}

/// Fetches and checks segments within a memory budget. One reader may serve several parts, one after the other.
#[derive(Clone)]
pub(crate) struct SegmentReader(Arc<Shared>);

struct Shared {
    sink: Arc<dyn Sink>,
    monitor: Arc<dyn Monitor>,
    workers: Semaphore,
    ahead: usize,
    /// More than a sealed segment can have: what is said to be larger is not fetched.
    most_stored: u64,
    decoders: Mutex<Vec<Decoder>>,
    /// Buffers that came back from the consumer, to be used again.
    buffers: Mutex<Vec<Vec<u8>>>,
}

/// The plaintext of a segment; its buffer goes back to the reader when the consumer drops it.
struct Plaintext {
    data: Vec<u8>,
    home: Arc<Shared>,
}

impl Plaintext {
    fn take(home: &Arc<Shared>) -> Self {
        let recycled = home.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Plaintext { data: recycled.unwrap_or_default(), home: home.clone() }
    }
}

impl AsRef<[u8]> for Plaintext {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        let mut buffers = self.home.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < self.home.ahead {
            buffers.push(std::mem::take(&mut self.data));
        }
    }
}

/// More than a segment can have as it is stored.
fn most_stored(segment_bytes: u64, compression: Compression) -> u64 {
    // Sealing adds a header and 16 bytes per 64 KiB: far less than this, whatever the cipher.
    max_compressed_len(segment_bytes as usize, compression) as u64 + segment_bytes / 256 + 64 * 1024
}

/// The least memory that reads a backup with segments of this size, whatever their compression.
pub(crate) fn least_memory(segment_bytes: u64) -> u64 {
    ReadBudget::least(segment_bytes, most_stored(segment_bytes, Compression::Zstd))
}

impl SegmentReader {
    /// `segment_bytes` and `compression` are the backup's, from its manifest; the rest of the options are the reader's.
    pub(crate) fn new(
        sink: Arc<dyn Sink>,
        options: &PipelineOptions,
        segment_bytes: u64,
        compression: Compression,
        monitor: Arc<dyn Monitor>,
    ) -> Result<Self> {
        let options = PipelineOptions { segment_bytes, compression, ..options.clone() };
        let sealed = most_stored(segment_bytes, compression);
        let budget = ReadBudget::plan(&options, sealed, sink.is_local())?;
        Ok(SegmentReader(Arc::new(Shared {
            sink,
            monitor,
            workers: Semaphore::new(budget.workers),
            ahead: budget.ahead,
            most_stored: sealed,
            decoders: Mutex::new(Vec::new()),
            buffers: Mutex::new(Vec::new()),
        })))
    }

    /// Fetches segments and checks their size and SHA-256, in any order; needs no key.
    pub(crate) async fn check_stored(&self, segments: impl Iterator<Item = Result<StoredSegment>>) -> Vec<Error> {
        let checks = segments.map(|segment| {
            let shared = self.0.clone();
            spawn(async move {
                let segment = segment?;
                let bytes = shared.fetch(&segment).await?;
                shared.on_worker(move |_| check_stored(&segment, &bytes)).await
            })
        });
        let results = futures::stream::iter(checks).buffer_unordered(self.0.ahead);
        results.filter_map(async |result: Result<()>| result.err()).collect().await
    }

    /// The plaintext of these segments, in order.
    pub(crate) fn open(
        &self,
        segments: impl Iterator<Item = Result<StoredSegment>> + Send + 'static,
        compression: Compression,
        cipher: Arc<dyn Cipher>,
    ) -> PartStream {
        let shared = self.0.clone();
        let pieces = segments.map(move |segment| {
            let (shared, cipher) = (shared.clone(), cipher.clone());
            spawn(async move {
                let segment = segment?;
                let sealed = shared.fetch(&segment).await?;
                let home = shared.clone();
                shared
                    .on_worker(move |decoder| {
                        check_stored(&segment, &sealed)?;
                        let mut plain = Plaintext::take(&home);
                        let length = segment.plain_bytes as usize;
                        let opened = decoder.decode(&sealed, length, compression, &*cipher, &mut plain.data);
                        opened.map_err(|error| error.context(format_args!("open {}", segment.key)))?;
                        if segment.plain_hash.is_some_and(|expected| Blake3::of(&plain.data) != expected) {
                            return Err(Error::new(
                                &codes::SEGMENT_DAMAGED,
                                format!("the plaintext of {} is not what was backed up", segment.key),
                            ));
                        }
                        Ok(Bytes::from_owner(plain))
                    })
                    .await
            })
        });
        // `fuse` after the first error: a consumer that goes on by mistake gets no bytes from behind the gap.
        let pieces = futures::stream::iter(pieces).buffered(self.0.ahead);
        let pieces = pieces.try_filter(|piece| futures::future::ready(!piece.is_empty()));
        PartStream::new(until_error(pieces))
    }
}

/// Ends a stream after its first error.
fn until_error<T>(
    stream: impl futures::Stream<Item = Result<T>> + Send + 'static,
) -> impl futures::Stream<Item = Result<T>> + Send
where
    T: Send + 'static,
{
    stream.scan(false, |failed, item| {
        let give = if *failed { None } else { Some(item) };
        *failed |= matches!(give, Some(Err(_)));
        futures::future::ready(give)
    })
}

/// Runs in the background from its creation on; dropping the future ends it.
async fn spawn<T: Send + 'static>(future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    AbortOnDropHandle::new(tokio::spawn(future.with_current_subscriber())).await.map_err(reader_died)?
}

fn reader_died(error: tokio::task::JoinError) -> Error {
    Error::new(&codes::CANCELLED, "a reader ended before its segment was delivered").with_source(error)
}

fn check_stored(segment: &StoredSegment, bytes: &[u8]) -> Result<()> {
    if Sha256::of(bytes) == segment.stored_hash {
        Ok(())
    } else {
        Err(Error::new(&codes::SEGMENT_DAMAGED, format!("{} does not have the recorded SHA-256", segment.key)))
    }
}

impl Shared {
    /// Reads as many bytes as were recorded; a longer object is not read whole.
    async fn fetch(&self, segment: &StoredSegment) -> Result<Bytes> {
        let wrong = |what: String| Error::new(&codes::SEGMENT_DAMAGED, format!("{} {what}", segment.key));
        if segment.stored_bytes > self.most_stored {
            return Err(wrong(format!("is said to have {} bytes, more than any segment", segment.stored_bytes)));
        }
        let read = if segment.stored_bytes > 0 {
            self.sink.read(&segment.key, Some(0..segment.stored_bytes)).await
        } else {
            // There is no range of no bytes in HTTP, and what is there instead may be of any size.
            match self.sink.stat(&segment.key).await {
                Ok(info) if info.size > 0 => return Err(wrong(format!("has {} bytes instead of 0", info.size))),
                Ok(_) => Ok(Bytes::new()),
                Err(error) => Err(error),
            }
        };
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => return Err(self.explain(segment, error).await),
        };
        self.monitor.event(Event::Progress { plain: segment.plain_bytes, stored: bytes.len() as u64 });
        Ok(bytes)
    }

    /// Stores answer differently to a range beyond the end: say what is the matter with the object instead.
    async fn explain(&self, segment: &StoredSegment, error: Error) -> Error {
        if error.is(&codes::OBJECT_NOT_FOUND) {
            return Error::new(&codes::SEGMENT_DAMAGED, format!("{} is missing", segment.key)).with_source(error);
        }
        match self.sink.stat(&segment.key).await {
            Ok(info) if info.size != segment.stored_bytes => Error::new(
                &codes::SEGMENT_DAMAGED,
                format!("{} has {} bytes instead of {}", segment.key, info.size, segment.stored_bytes),
            ),
            _ => error.context(format_args!("read {}", segment.key)),
        }
    }

    async fn on_worker<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&mut Decoder) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _worker =
            self.workers.acquire().await.map_err(|_| Error::new(&codes::CANCELLED, "the pipeline was closed"))?;
        let shared = self.clone();
        let working = tokio::task::spawn_blocking(move || {
            let idle = shared.decoders.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut decoder = match idle {
                Some(decoder) => decoder,
                None => Decoder::new()?,
            };
            let result = work(&mut decoder);
            shared.decoders.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
            result
        });
        working.await.map_err(reader_died)?
    }
}
