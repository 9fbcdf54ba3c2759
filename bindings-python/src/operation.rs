//! One operation, as the Python that asked for it holds it.

use crate::error::{codes, describe};
use crate::exchange::{Exchange, Outcome};
use crate::session::Engine;
use backproof::Error;
use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Work that goes on in threads of the session.
///
/// Python drives it: it waits with [`wait`](Operation::wait) or is woken, brings bytes, takes bytes, tells the news, and fetches the
/// outcome. Dropped, the work is cancelled.
#[pyclass(frozen, module = "backproof._backproof")]
pub(crate) struct Operation {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) cancel: CancellationToken,
    pub(crate) engine: Arc<Engine>,
}

#[pymethods]
impl Operation {
    /// What there is to do: DONE 1, NEWS 2, WANTED 4, READY 8. Waits for something of `mask`, without the GIL, at most so many seconds.
    fn wait(&self, py: Python<'_>, mask: u8, seconds: f64) -> u8 {
        let limit = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        if self.engine.is_forked() {
            return crate::exchange::DONE;
        }
        py.detach(|| self.exchange.wait(mask, limit))
    }

    /// What there is to do now; from now on the waker is called again.
    fn poll(&self) -> u8 {
        if self.engine.is_forked() { crate::exchange::DONE } else { self.exchange.poll() }
    }

    /// Cancels the work. It is over, and put in order, when it is done.
    fn cancel(&self) {
        if !self.engine.is_forked() {
            self.cancel.cancel();
        }
    }

    /// What happened since the last call: a JSON list of events and log records.
    fn news(&self) -> String {
        if self.engine.is_forked() {
            return "[]".into();
        }
        serde_json::Value::from(self.exchange.take_news()).to_string()
    }

    /// Brings the source bytes.
    fn feed(&self, py: Python<'_>, pieces: Vec<PyBackedBytes>) {
        if !self.engine.is_forked() {
            // They stay Python's: nothing is copied here.
            py.detach(|| self.exchange.feed(pieces.into_iter().map(Bytes::from_owner)));
        }
    }

    /// Says that the source has no more bytes, or that it failed.
    #[pyo3(signature = (failure=None))]
    fn feed_end(&self, failure: Option<String>) {
        if !self.engine.is_forked() {
            self.exchange.feed_end(failure.map_or(Ok(()), |failure| Err(io::Error::other(failure))));
        }
    }

    /// At most so many of the bytes that came out; empty when there are none now.
    fn take<'py>(&self, py: Python<'py>, limit: usize) -> Bound<'py, PyBytes> {
        if self.engine.is_forked() {
            return PyBytes::new(py, b"");
        }
        let piece = py.detach(|| self.exchange.take(limit.max(1)));
        PyBytes::new(py, &piece)
    }

    /// How it ended, once it is done: `(True, result)` or `(False, error)`, both JSON.
    fn outcome(&self) -> (bool, String) {
        if self.engine.is_forked() {
            return (false, describe(&self.engine.forked()));
        }
        match self.exchange.outcome() {
            Some(Outcome::Result(document)) => (true, document),
            Some(Outcome::Error(error)) => (false, error),
            None => (false, describe(&Error::new(&codes::ABORTED, "the operation has no outcome"))),
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if !self.engine.is_forked() {
            self.cancel.cancel();
        }
    }
}
