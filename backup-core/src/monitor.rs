//! Progress: library code tells a [`Monitor`], and prints nothing.

use crate::id::BackupId;
use crate::names::PartName;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

/// Something that happened during an operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A step of a recipe began, as a verb phrase for people: `take snapshot`.
    Step {
        /// What is being done.
        doing: String,
    },
    /// A backup got its id.
    Started {
        /// The id it will have when it is published.
        backup: BackupId,
    },
    /// A part began.
    PartStarted {
        /// Which one.
        part: PartName,
        /// About how many bytes of plaintext will come, if known.
        expected: Option<u64>,
    },
    /// Bytes went through: differences since the last event, to be added up.
    Progress {
        /// Bytes of plaintext.
        plain: u64,
        /// Bytes as stored.
        stored: u64,
    },
    /// A part is complete.
    PartFinished {
        /// Which one.
        part: PartName,
        /// Bytes of plaintext.
        plain: u64,
        /// Bytes as stored.
        stored: u64,
    },
    /// Something needs attention, but the operation goes on.
    Warning {
        /// What, with what to do about it.
        message: String,
    },
}

/// Is told what an operation does.
///
/// # Contract
/// Called from any thread, often: returns at once and never panics. What it does changes nothing about the operation.
pub trait Monitor: Debug + Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);
}

/// A monitor that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn event(&self, _event: Event) {}
}

/// Passes everything on, and keeps the warnings: what a recipe reports at its end.
#[derive(Debug)]
pub struct Recorder {
    inner: Arc<dyn Monitor>,
    warnings: Mutex<Vec<String>>,
}

impl Recorder {
    /// Passes everything on to this one.
    pub fn new(inner: Arc<dyn Monitor>) -> Arc<Self> {
        Arc::new(Recorder { inner, warnings: Mutex::default() })
    }

    /// Tells of something that needs attention.
    pub fn warn(&self, message: impl Into<String>) {
        self.event(Event::Warning { message: message.into() });
    }

    /// Tells of something worth knowing that was to be expected: it is shown, and does not count as a warning.
    pub fn mention(&self, message: impl Into<String>) {
        self.inner.event(Event::Warning { message: message.into() });
    }

    /// The warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Monitor for Recorder {
    fn event(&self, event: Event) {
        if let Event::Warning { message } = &event {
            self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        }
        self.inner.event(event);
    }
}
