//! Bytes to JavaScript, as they are asked for.

use crate::failure::thrown;
use backproof::Result;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// A part, or rows of a table.
#[napi]
pub struct ByteStream {
    pieces: Mutex<Option<BoxStream<'static, Result<Bytes>>>>,
    closed: CancellationToken,
}

#[napi]
impl ByteStream {
    /// The next bytes, or null after the last.
    #[napi]
    pub async fn next(&self) -> napi::Result<Option<Buffer>> {
        let mut pieces = self.pieces.lock().await;
        let Some(stream) = pieces.as_mut() else { return Ok(None) };
        let piece = tokio::select! {
            piece = stream.next() => piece,
            () = self.closed.cancelled() => None,
        };
        match piece {
            Some(Ok(bytes)) => Ok(Some(Buffer::from(Vec::from(bytes)))),
            Some(Err(error)) => {
                *pieces = None;
                Err(thrown(&error))
            }
            None => {
                *pieces = None;
                Ok(None)
            }
        }
    }

    /// Ends it before its end.
    #[napi]
    pub fn close(&self) {
        self.closed.cancel();
        if let Ok(mut pieces) = self.pieces.try_lock() {
            *pieces = None;
        }
    }
}

impl ByteStream {
    pub(crate) fn new(pieces: BoxStream<'static, Result<Bytes>>) -> Self {
        ByteStream { pieces: Mutex::new(Some(pieces)), closed: CancellationToken::new() }
    }
}
