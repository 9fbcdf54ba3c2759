//! A session: the facade's, with threads of its own.

use crate::error::{codes, describe};
use crate::exchange::{Exchange, Outcome, Reporter};
use crate::facade;
use crate::logs::{Collector, Logs};
use crate::operation::Operation;
use backproof::core::general::StreamSource;
use backproof::core::source::Source;
use backproof::{Backproof, Error};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// The threads that a session's work runs in, and the process that they live in.
pub(crate) struct Engine {
    runtime: Option<Runtime>,
    process: u32,
}

impl Engine {
    fn new(logs: &Arc<Logs>) -> std::io::Result<Self> {
        let logs = logs.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("backproof")
            // For as long as the thread lives, and for nobody else in the process.
            .on_thread_start(move || mem::forget(tracing::subscriber::set_default(Collector(logs.clone()))))
            .build()?;
        Ok(Engine { runtime: Some(runtime), process: std::process::id() })
    }

    /// Whether this process was forked off the one that has the threads. Nothing else may be touched then: a lock may be held
    /// by a thread that is not there.
    pub(crate) fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    /// The error that says so.
    pub(crate) fn forked(&self) -> Error {
        Error::new(
            &codes::FORKED,
            format!("the session was opened in process {}, and this is {}", self.process, std::process::id()),
        )
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            if self.is_forked() {
                mem::forget(runtime); // its threads are not ours to end
            } else {
                runtime.shutdown_background();
            }
        }
    }
}

/// A session of the library. Safe to use from any thread.
#[pyclass(frozen, module = "backproof._backproof")]
pub(crate) struct Session {
    engine: Arc<Engine>,
    facade: Mutex<Option<Backproof>>,
    logs: Arc<Logs>,
    /// Cancels whatever is going on.
    closed: CancellationToken,
}

#[pymethods]
impl Session {
    /// A session with these settings, a JSON object. With settings that cannot be used it gives the error as JSON in its place.
    #[staticmethod]
    fn open(py: Python<'_>, settings: &str) -> PyResult<(Option<Self>, String)> {
        let logs = Arc::new(Logs::default());
        let engine = Engine::new(&logs).map_err(|error| PyRuntimeError::new_err(format!("start threads: {error}")))?;
        match py.detach(|| facade::open(settings)) {
            Ok(facade) => {
                let session = Session {
                    engine: Arc::new(engine),
                    facade: Mutex::new(Some(facade)),
                    logs,
                    closed: CancellationToken::new(),
                };
                Ok((Some(session), String::new()))
            }
            Err(error) => Ok((None, describe(&error))),
        }
    }

    /// Starts a verb with its options, a JSON object. `feed`: its source is the bytes that the caller will bring. `log_level`:
    /// records below it are not wanted. `waker` is called, from another thread, when there is something to do.
    #[pyo3(signature = (verb, options, *, feed=false, progress=false, log_level=30, waker=None))]
    #[allow(clippy::too_many_arguments)] // each is one keyword of the call
    fn start(
        &self,
        verb: String,
        options: String,
        feed: bool,
        progress: bool,
        log_level: u8,
        waker: Option<Py<PyAny>>,
    ) -> PyResult<Operation> {
        let engine = self.engine.clone();
        let cancel = self.closed.child_token();
        let runtime = match &engine.runtime {
            Some(runtime) => runtime.handle().clone(),
            None => return Err(PyRuntimeError::new_err("the session has no threads")),
        };
        let exchange = Exchange::new(runtime.clone(), waker, feed, progress);
        let operation = Operation { exchange: exchange.clone(), cancel: cancel.clone(), engine: engine.clone() };
        if engine.is_forked() {
            return Ok(operation); // which says so
        }
        let facade = self.facade.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(facade) = facade else {
            let closed = Error::new(&codes::CLOSED, "the session was closed");
            exchange.end(Outcome::Error(describe(&closed)));
            return Ok(operation);
        };
        self.logs.listen(log_level, &exchange);
        let source: Option<Arc<dyn Source>> = match feed {
            true => Some(Arc::new(StreamSource::new(exchange.fed()))),
            false => None,
        };
        let work = {
            let exchange = exchange.clone();
            async move {
                let monitor = Arc::new(Reporter(exchange.clone()));
                let io = facade::Io { source, monitor, cancel };
                match facade::call(&facade, &verb, &options, io, &exchange).await {
                    Ok(document) => Outcome::Result(document),
                    Err(error) => Outcome::Error(describe(&error)),
                }
            }
        };
        let work = runtime.spawn(work);
        // In a task of its own, so that a panic in the work is an outcome, too.
        runtime.spawn(async move {
            let outcome = work.await.unwrap_or_else(|ended| {
                Outcome::Error(describe(
                    &Error::new(&codes::ABORTED, "the work ended without a result").with_source(ended),
                ))
            });
            exchange.end(outcome);
        });
        Ok(operation)
    }

    /// Cancels what is going on, and starts nothing more.
    fn close(&self) {
        if !self.engine.is_forked() {
            self.closed.cancel();
            self.facade.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}
