//! One call to a store, as object_store and our HTTP client both see it.
//!
//! object_store's errors keep the HTTP status to themselves and print addresses and whole answers. So our client, which is
//! called in the same task, notes here what the store answered, and errors are made from that.

use backup_core::digest::Sha256;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream, Stream};
use std::sync::{Arc, Mutex, PoisonError};

tokio::task_local! {
    static CURRENT: Exchange;
}

/// What failed last in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// An answer with a status of 300 or above.
    Answer {
        /// Whether it came from the service that hands out credentials rather than from the store.
        from_credentials_service: bool,
        status: u16,
        /// The store's own code, e.g. `NoSuchBucket`.
        code: Option<String>,
        message: Option<String>,
    },
    /// There was no answer, or not all of it.
    Transport { to_credentials_service: bool, kind: TransportFailure, detail: String },
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransportFailure {
    Connect,
    Tls,
    Timeout,
    Broken,
}

#[derive(Debug, Default)]
struct State {
    failure: Option<Failure>,
    /// Whether the latest successful answer said that the object is encrypted by the store.
    encrypted: bool,
}

/// The payload of a call, and what came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    payload: Option<(Bytes, Sha256)>,
    state: Arc<Mutex<State>>,
}

impl Exchange {
    /// For a call without a payload.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// For a put of bytes whose digest is known.
    pub(crate) fn with_payload(payload: Bytes, sha256: Sha256) -> Self {
        Exchange { payload: Some((payload, sha256)), ..Self::default() }
    }

    /// Runs a call so that the client finds this exchange.
    pub(crate) async fn scope<T>(&self, call: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), call).await
    }

    /// Runs a stream so that the client finds this exchange.
    pub(crate) fn scope_stream<T: Send + 'static>(
        &self,
        stream: impl Stream<Item = T> + Send + Unpin + 'static,
    ) -> BoxStream<'static, T> {
        let exchange = self.clone();
        stream::unfold((exchange, stream), |(exchange, mut stream)| async move {
            let next = exchange.scope(stream.next()).await;
            next.map(|item| (item, (exchange, stream)))
        })
        .boxed()
    }

    /// What failed last, if anything did.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).failure.clone()
    }

    /// Whether the store said that it encrypted the object.
    pub(crate) fn encrypted(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).encrypted
    }
}

fn note(change: impl FnOnce(&mut State)) {
    // Outside any exchange (a library user's own ObjectStore) there is nobody to tell.
    let _ = CURRENT.try_with(|exchange| change(&mut exchange.state.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// Notes what failed, for the call that this task is in.
pub(crate) fn note_failure(failure: Failure) {
    note(|state| state.failure = Some(failure));
}

/// Notes an answer of success, for the call that this task is in.
pub(crate) fn note_success(encrypted: bool) {
    note(|state| *state = State { failure: None, encrypted });
}

/// The digest of this data, if it is the very payload of the call that this task is in: the same bytes at the same place.
pub(crate) fn known_digest(data: &[u8]) -> Option<[u8; 32]> {
    let known = CURRENT.try_with(|exchange| {
        let (payload, sha256) = exchange.payload.as_ref()?;
        (std::ptr::eq(payload.as_ptr(), data.as_ptr()) && payload.len() == data.len() && !data.is_empty())
            .then_some(*sha256.as_bytes())
    });
    known.ok().flatten()
}

/// Hands over the payload of the call that this task is in, if it has one.
pub(crate) fn with_payload(work: impl FnOnce(&[u8])) {
    let _ = CURRENT.try_with(|exchange| {
        if let Some((payload, _)) = &exchange.payload {
            work(payload);
        }
    });
}
