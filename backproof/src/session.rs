//! The session: one repository with its settings, and all verbs as methods.

use crate::config::{Overrides, Settings};
use crate::error::codes::CONFIRMATION_REQUIRED;
use backup_core::error::codes::CANCELLED;
use backup_core::monitor::{Monitor, Recorder, Silent};
use backup_core::repository::Repository;
use backup_core::sink::Sink;
use backup_core::{Error, Result};
use backup_crypto::{NoPrompt, Prompt};
use backup_storage::Environment;
use std::fmt;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// A repository with its settings: what the program, the Python package and the npm package are made of.
///
/// Each verb is a method that takes one struct of options and gives one struct of results; [`verbs`](crate::verbs) lists them. Cheap to clone;
/// clones share the connections to the store. Use it within one tokio runtime: the connections belong to that. Nothing is global, so a program
/// can have several.
#[derive(Clone)]
pub struct Backproof {
    settings: Arc<Settings>,
    sink: Arc<Mutex<Option<Arc<dyn Sink>>>>,
    prompt: Arc<dyn Prompt>,
    confirm: Arc<dyn Confirm>,
    monitor: Arc<dyn Monitor>,
    cancel: CancellationToken,
}

/// Is asked before live data is replaced, where no `yes` was given.
pub trait Confirm: Send + Sync + 'static {
    /// `Ok` goes on. `what` says what will be done; `word` is what a person should type: the name of the database.
    ///
    /// # Errors
    /// [`CONFIRMATION_REQUIRED`], and nothing is changed.
    fn confirm(&self, what: &str, word: &str) -> Result<()>;
}

/// Nobody can be asked: what replaces live data needs a `yes`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NobodyToAsk;

impl Confirm for NobodyToAsk {
    fn confirm(&self, what: &str, _word: &str) -> Result<()> {
        Err(Error::new(&CONFIRMATION_REQUIRED, what.to_owned()))
    }
}

impl Backproof {
    /// A session with these settings; what they leave open comes from the environment and the configuration file. A URL alone is a setting, too.
    ///
    /// Reads the configuration file; neither the store nor the database is spoken to yet.
    ///
    /// # Errors
    /// A configuration or a name that is not valid.
    pub fn open(overrides: impl Into<Overrides>) -> Result<Self> {
        let overrides = overrides.into();
        let environment = overrides.env.clone().unwrap_or_else(Environment::from_process);
        Ok(Self::new(Settings::load(&overrides, environment)?))
    }

    /// A session with these settings.
    pub fn new(settings: Settings) -> Self {
        Backproof {
            settings: Arc::new(settings),
            sink: Arc::default(),
            prompt: Arc::new(NoPrompt),
            confirm: Arc::new(NobodyToAsk),
            monitor: Arc::new(Silent),
            cancel: CancellationToken::new(),
        }
    }

    /// Who is asked for passphrases; otherwise nobody is.
    pub fn prompt(mut self, prompt: Arc<dyn Prompt>) -> Self {
        self.prompt = prompt;
        self
    }

    /// Who is asked before live data is replaced; otherwise a `yes` is needed.
    pub fn confirm(mut self, confirm: Arc<dyn Confirm>) -> Self {
        self.confirm = confirm;
        self
    }

    /// Who is told about progress and warnings.
    pub fn monitor(mut self, monitor: Arc<dyn Monitor>) -> Self {
        self.monitor = monitor;
        self
    }

    /// Ends what is being done when this is cancelled, with [`CANCELLED`]: a backup removes what it stored, a restore the database that it made.
    pub fn cancel_with(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// The settings in effect.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The repository, for what the verbs do not have.
    pub async fn repository(&self) -> Result<Repository> {
        self.settings.repository_in(self.sink().await?).await
    }

    /// The store, opened once.
    pub(crate) async fn sink(&self) -> Result<Arc<dyn Sink>> {
        let mut opened = self.sink.lock().await;
        if let Some(sink) = &*opened {
            return Ok(sink.clone());
        }
        Ok(opened.insert(self.settings.sink().await?).clone())
    }

    /// From now on, this is the store.
    pub(crate) async fn use_sink(&self, sink: Arc<dyn Sink>) {
        *self.sink.lock().await = Some(sink);
    }

    pub(crate) fn prompter(&self) -> Arc<dyn Prompt> {
        self.prompt.clone()
    }

    pub(crate) fn cancellation(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// The monitor, with a memory for the warnings of one call.
    pub(crate) fn recorder(&self) -> Arc<Recorder> {
        Recorder::new(self.monitor.clone())
    }

    /// Asks, unless `yes` was said: as an option, or by FORCE=true.
    pub(crate) fn sure(&self, yes: bool, what: &str, word: &str) -> Result<()> {
        if yes || self.settings.force() { Ok(()) } else { self.confirm.confirm(what, word) }
    }

    /// Work that is dropped when the session is cancelled, and cleans up by that. What a verb does is a large future: boxed, since a caller's stack may be
    /// small.
    pub(crate) async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.check_cancelled()?;
        tokio::select! {
            result = work => result,
            () = self.cancel.cancelled() => Err(cancelled()),
        }
    }

    /// Waits until the session is cancelled.
    pub(crate) async fn stopped(&self) {
        self.cancel.cancelled().await;
    }

    pub(crate) fn check_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(cancelled()) } else { Ok(()) }
    }
}

pub(crate) fn cancelled() -> Error {
    Error::new(&CANCELLED, "the operation was cancelled").with_hint("run it again")
}

impl fmt::Debug for Backproof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backproof").field("settings", &self.settings).finish_non_exhaustive()
    }
}
