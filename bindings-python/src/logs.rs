//! What backproof's crates log, for Python's `logging`.
//!
//! Nothing global: each session's threads have a subscriber of their own, so that a host with other Rust in the process, and another
//! session, keep theirs.

use crate::exchange::Exchange;
use serde_json::{Value, json};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};

/// Our crates' names as Python's loggers know them.
const LOGGERS: [(&str, &str); 5] = [
    ("backup_core", "backproof.core"),
    ("backup_storage", "backproof.storage"),
    ("backup_crypto", "backproof.crypto"),
    ("backup_postgres", "backproof.postgres"),
    ("backproof", "backproof"),
];

/// The logger of a target, when it is one of our crates: `backup_core::pipeline` → `backproof.core`.
fn logger(target: &str) -> Option<&'static str> {
    let name = target.split("::").next().unwrap_or(target);
    LOGGERS.iter().find(|(ours, _)| *ours == name).map(|(_, logger)| *logger)
}

/// Python's number of a level; `logging` has none below DEBUG, 5 is customary.
fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

/// A record as Python's half takes it.
pub(crate) fn record(level: Level, logger: &str, message: &str) -> Value {
    json!({ "log": logger, "level": number(level), "message": message })
}

/// Whoever of a session's operations is running is told what the session logs: whatever Python waits for picks it up.
#[derive(Default)]
pub(crate) struct Logs {
    /// Records below this are not made.
    level: AtomicU8,
    operations: Mutex<Vec<Weak<Exchange>>>,
}

impl Logs {
    /// Sets the lowest level that Python's loggers take now, and where records go.
    pub(crate) fn listen(&self, level: u8, operation: &Arc<Exchange>) {
        self.level.store(level, Ordering::Relaxed);
        let mut operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        operations.retain(|other| other.strong_count() > 0);
        operations.push(Arc::downgrade(operation));
    }

    fn takes(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && number(*metadata.level()) >= self.level.load(Ordering::Relaxed)
            && logger(metadata.target()).is_some()
    }
}

/// The subscriber of a session's threads.
pub(crate) struct Collector(pub(crate) Arc<Logs>);

impl Subscriber for Collector {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_event() && logger(metadata.target()).is_some() {
            Interest::sometimes() // the level can change
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.takes(metadata)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let metadata = event.metadata();
        let Some(logger) = logger(metadata.target()) else { return };
        let mut text = Text::default();
        event.record(&mut text);
        let record = record(*metadata.level(), logger, &text.line());
        let operations = self.0.operations.lock().unwrap_or_else(PoisonError::into_inner);
        // One of them tells it, once.
        let listening = operations.iter().rev().find_map(Weak::upgrade);
        drop(operations);
        if let Some(operation) = listening {
            operation.news(record);
        }
    }
}

/// A record's message, then its fields as `name=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn line(self) -> String {
        if self.message.is_empty() { self.fields.trim_start().to_owned() } else { self.message + &self.fields }
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            name => drop(write!(self.fields, " {name}={value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => drop(write!(self.message, "{value:?}")),
            name => drop(write!(self.fields, " {name}={value:?}")),
        }
    }
}
