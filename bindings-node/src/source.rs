//! Bytes from JavaScript as a source, with back-pressure.

use backproof::core::general::StreamSource;
use backproof::core::source::Source;
use bytes::Bytes;
use futures::{Stream, stream};
use napi_derive::napi;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc};

/// So many bytes wait here before JavaScript is told to wait.
const ENOUGH: usize = 4 << 20;

/// What JavaScript sends. An end is said, never concluded from silence.
enum Piece {
    Bytes(Bytes),
    End,
    Failed(String),
}

#[derive(Debug, Default)]
struct Gauge {
    waiting: AtomicUsize,
    /// Nobody reads any more.
    closed: AtomicBool,
    changed: Notify,
}

/// The end that is read from. Dropped, it tells the writer that nobody reads.
struct Reader {
    pieces: mpsc::UnboundedReceiver<Piece>,
    gauge: Arc<Gauge>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.gauge.closed.store(true, Ordering::Release);
        self.gauge.changed.notify_waiters();
    }
}

/// A stream of bytes that JavaScript pushes.
#[napi]
pub struct ByteSource {
    pieces: mpsc::UnboundedSender<Piece>,
    gauge: Arc<Gauge>,
    reader: Mutex<Option<Reader>>,
}

#[napi]
impl ByteSource {
    /// A stream that nothing was pushed to yet.
    #[napi(constructor)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let gauge = Arc::new(Gauge::default());
        let reader = Mutex::new(Some(Reader { pieces: receiver, gauge: gauge.clone() }));
        ByteSource { pieces: sender, gauge, reader }
    }

    /// Copies the bytes. Says whether more may be pushed at once; otherwise, `ready` says when.
    #[napi]
    pub fn push(&self, chunk: &[u8]) -> bool {
        if self.gauge.closed.load(Ordering::Acquire) {
            return false;
        }
        let waiting = self.gauge.waiting.fetch_add(chunk.len(), Ordering::AcqRel) + chunk.len();
        let _ = self.pieces.send(Piece::Bytes(Bytes::copy_from_slice(chunk)));
        waiting < ENOUGH
    }

    /// Waits until more may be pushed; false when nobody reads any more.
    #[napi]
    pub async fn ready(&self) -> bool {
        loop {
            let mut changed = std::pin::pin!(self.gauge.changed.notified());
            // Registered before looking: a change in between is not missed.
            changed.as_mut().enable();
            if self.gauge.closed.load(Ordering::Acquire) {
                return false;
            }
            if self.gauge.waiting.load(Ordering::Acquire) <= ENOUGH / 2 {
                return true;
            }
            changed.await;
        }
    }

    /// All bytes were pushed.
    #[napi]
    pub fn end(&self) {
        let _ = self.pieces.send(Piece::End);
    }

    /// There will be no more bytes, because of this.
    #[napi]
    pub fn fail(&self, why: String) {
        let _ = self.pieces.send(Piece::Failed(why));
    }
}

impl ByteSource {
    /// What a backup reads, once.
    pub(crate) fn source(&self) -> Option<Arc<dyn Source>> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Arc::new(StreamSource::new(pieces(reader))))
    }
}

fn pieces(reader: Reader) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.pieces.recv().await {
            Some(Piece::Bytes(bytes)) => {
                let before = reader.gauge.waiting.fetch_sub(bytes.len(), Ordering::AcqRel);
                if before > ENOUGH / 2 && before - bytes.len() <= ENOUGH / 2 {
                    reader.gauge.changed.notify_waiters();
                }
                Some((Ok(bytes), Some(reader)))
            }
            Some(Piece::End) => None,
            Some(Piece::Failed(why)) => Some((Err(io::Error::other(why)), None)),
            None => Some((Err(io::Error::other("the stream was dropped before its end")), None)),
        }
    })
}
