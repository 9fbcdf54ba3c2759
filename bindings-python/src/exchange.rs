//! Where an operation and the Python code that asked for it meet: bytes in, bytes out, what happened, how it ended.
//!
//! Each side leaves things here and rings; neither waits for the other while it holds the lock.

use backproof::core::monitor::{Event, Monitor};
use bytes::Bytes;
use pyo3::prelude::*;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The operation ended: its outcome can be fetched.
pub(crate) const DONE: u8 = 1;
/// Something happened that is to be told: progress, logs.
pub(crate) const NEWS: u8 = 2;
/// The source wants more bytes.
pub(crate) const WANTED: u8 = 4;
/// Bytes are ready to be taken.
pub(crate) const READY: u8 = 8;

/// The source wants more when it has less than this left: enough to work on while Python fetches more.
const LOW_WATER: usize = 8 << 20;
/// A stream waits for Python to take what it has when it has this much.
const HIGH_WATER: usize = 4 << 20;
/// News beyond this many are dropped, the oldest first: nobody picked them up.
const MAX_NEWS: usize = 10_000;

/// How an operation ended.
#[derive(Clone)]
pub(crate) enum Outcome {
    /// With this JSON document.
    Result(String),
    /// With this error, as `error::describe` writes it.
    Error(String),
}

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    news: VecDeque<Value>,
    /// Bytes for the source, and whether more will come.
    feeding: bool,
    fed: VecDeque<Bytes>,
    fed_bytes: usize,
    feed_end: Option<io::Result<()>>,
    /// Bytes for Python.
    ready: VecDeque<Bytes>,
    ready_bytes: usize,
    /// The waker was called, and Python has not looked since.
    rung: bool,
}

impl State {
    fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.outcome.is_some() {
            flags |= DONE;
        }
        if !self.news.is_empty() {
            flags |= NEWS;
        }
        if self.feeding && self.feed_end.is_none() && self.fed_bytes < LOW_WATER {
            flags |= WANTED;
        }
        if !self.ready.is_empty() {
            flags |= READY;
        }
        flags
    }
}

/// See the module.
pub(crate) struct Exchange {
    state: Mutex<State>,
    changed: Condvar,
    /// For the operation: Python brought bytes, or took some.
    moved: Notify,
    /// Called from a thread of ours when something changed: `loop.call_soon_threadsafe(…)` of a caller that uses asyncio.
    waker: Option<Py<PyAny>>,
    runtime: tokio::runtime::Handle,
    wants_progress: bool,
}

impl Exchange {
    pub(crate) fn new(
        runtime: tokio::runtime::Handle,
        waker: Option<Py<PyAny>>,
        feeding: bool,
        wants_progress: bool,
    ) -> Arc<Self> {
        let state = State { feeding, ..State::default() };
        Arc::new(Exchange {
            state: Mutex::new(state),
            changed: Condvar::new(),
            moved: Notify::new(),
            waker,
            runtime,
            wants_progress,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state for the operation's side, and tells Python when there is something for it.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let before = state.flags();
        let result = change(&mut state);
        let after = state.flags();
        let ring = after & !before != 0 && self.waker.is_some() && !std::mem::replace(&mut state.rung, true);
        drop(state);
        if after != before {
            self.changed.notify_all();
        }
        if ring {
            self.ring();
        }
        result
    }

    /// Calls the waker, on a thread that may wait for Python.
    fn ring(self: &Arc<Self>) {
        let exchange = self.clone();
        self.runtime.spawn_blocking(move || {
            // Nobody is there any more when the interpreter is ending, or the loop was closed: the operation is then dropped, too.
            let _ = Python::try_attach(|py| {
                exchange.waker.as_ref().map(|waker| waker.call0(py).map(drop));
                drop(exchange);
            });
        });
    }

    /// What there is to do for Python; waits for something of `mask` until the time is over.
    pub(crate) fn wait(&self, mask: u8, limit: Duration) -> u8 {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            let flags = state.flags();
            if flags & mask != 0 {
                return flags;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return flags;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What there is to do for Python, and from now on the waker is called again.
    pub(crate) fn poll(&self) -> u8 {
        let mut state = self.lock();
        state.rung = false;
        state.flags()
    }

    /// The operation ended.
    pub(crate) fn end(self: &Arc<Self>, outcome: Outcome) {
        self.change(|state| {
            state.outcome = Some(outcome);
            state.feeding = false;
            state.fed.clear();
            state.fed_bytes = 0;
        });
    }

    /// The outcome, once it is done.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.lock().outcome.clone()
    }

    /// Something to tell.
    pub(crate) fn news(self: &Arc<Self>, news: Value) {
        self.change(|state| {
            if state.news.len() >= MAX_NEWS {
                state.news.pop_front();
            }
            state.news.push_back(news);
        });
    }

    /// Everything to tell so far.
    pub(crate) fn take_news(&self) -> Vec<Value> {
        self.lock().news.drain(..).collect()
    }

    /// Bytes for the source.
    pub(crate) fn feed(&self, pieces: impl IntoIterator<Item = Bytes>) {
        let mut state = self.lock();
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            state.fed_bytes += piece.len();
            state.fed.push_back(piece);
        }
        drop(state);
        self.moved.notify_one();
    }

    /// The source's bytes ended, well or badly.
    pub(crate) fn feed_end(&self, end: io::Result<()>) {
        self.lock().feed_end.get_or_insert(end);
        self.moved.notify_one();
    }

    /// The bytes that Python feeds, as a stream.
    pub(crate) fn fed(self: &Arc<Self>) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
        futures::stream::unfold(self.clone(), |exchange| async move {
            loop {
                let next = exchange.change(|state| match state.fed.pop_front() {
                    Some(piece) => {
                        state.fed_bytes -= piece.len();
                        Some(Some(Ok(piece)))
                    }
                    None => match &state.feed_end {
                        None => None,
                        Some(Ok(())) => Some(None),
                        Some(Err(error)) => Some(Some(Err(io::Error::new(error.kind(), error.to_string())))),
                    },
                });
                match next {
                    Some(item) => return item.map(|item| (item, exchange)),
                    None => exchange.moved.notified().await,
                }
            }
        })
    }

    /// Leaves bytes for Python; waits while it has enough.
    pub(crate) async fn give(self: &Arc<Self>, piece: Bytes) {
        while self.lock().ready_bytes >= HIGH_WATER {
            self.moved.notified().await;
        }
        if !piece.is_empty() {
            self.change(|state| {
                state.ready_bytes += piece.len();
                state.ready.push_back(piece);
            });
        }
    }

    /// Takes at most so many bytes: of one piece, so that nothing is put together here. Empty when there are none now.
    pub(crate) fn take(&self, limit: usize) -> Bytes {
        let mut state = self.lock();
        let taken = match state.ready.front_mut() {
            None => return Bytes::new(),
            Some(piece) if piece.len() > limit => piece.split_to(limit),
            Some(_) => state.ready.pop_front().unwrap_or_default(),
        };
        state.ready_bytes -= taken.len();
        drop(state);
        self.moved.notify_one();
        taken
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange")
    }
}

/// Progress goes to whoever asked for it; steps and warnings go to the log besides.
#[derive(Debug)]
pub(crate) struct Reporter(pub(crate) Arc<Exchange>);

impl Monitor for Reporter {
    fn event(&self, event: Event) {
        let exchange = &self.0;
        match &event {
            Event::Warning { message } => {
                exchange.news(crate::logs::record(tracing::Level::WARN, "backproof", message))
            }
            Event::Step { doing } => exchange.news(crate::logs::record(tracing::Level::INFO, "backproof", doing)),
            _ => {}
        }
        if !exchange.wants_progress {
            return;
        }
        let news = match event {
            Event::Step { doing } => json!({ "event": "step", "doing": doing }),
            Event::Started { backup } => json!({ "event": "started", "backup": backup.to_string() }),
            Event::PartStarted { part, expected } => {
                json!({ "event": "part_started", "part": part.to_string(), "expected": expected })
            }
            Event::Progress { plain, stored } => return exchange.progress(plain, stored),
            Event::PartFinished { part, plain, stored } => {
                json!({ "event": "part_finished", "part": part.to_string(), "plain": plain, "stored": stored })
            }
            Event::Warning { message } => json!({ "event": "warning", "message": message }),
            // A kind that this version does not know.
            _ => return,
        };
        exchange.news(news);
    }
}

impl Exchange {
    /// Differences that nobody picked up yet are added up: however fast things go, there is one of them.
    fn progress(self: &Arc<Self>, plain: u64, stored: u64) {
        self.change(|state| {
            if let Some(last) = state.news.back_mut()
                && last["event"] == "progress"
            {
                last["plain"] = json!(last["plain"].as_u64().unwrap_or(0) + plain);
                last["stored"] = json!(last["stored"].as_u64().unwrap_or(0) + stored);
            } else {
                state.news.push_back(json!({ "event": "progress", "plain": plain, "stored": stored }));
            }
        });
    }
}
