//! The recipe of a restore: find, check, unseal, hand over to the target.

use crate::cipher::KeyOpener;
use crate::error::Result;
use crate::monitor::{Event, Monitor, Recorder, Silent};
use crate::names::PartName;
use crate::pipeline::PipelineOptions;
use crate::pipeline::read::PartStream;
use crate::repository::Repository;
use crate::repository::catalog::{Filter, Selector};
use crate::repository::stored::OpenBackup;
use crate::target::{RestorePlan, RestoreReport, Target};
use std::sync::Arc;

/// A backup to be opened for reading. Made by [`Repository::read`].
#[derive(Debug)]
pub struct ReadRequest<'a> {
    repository: &'a Repository,
    selector: Selector,
    filter: Filter,
    allow_unsigned: bool,
    opener: Option<Arc<dyn KeyOpener>>,
    options: PipelineOptions,
    monitor: Arc<Recorder>,
}

impl Repository {
    /// Reads a backup: its contents, one of its parts, or all of it into a target.
    pub fn read(&self, selector: Selector) -> ReadRequest<'_> {
        ReadRequest {
            repository: self,
            selector,
            filter: Filter::default(),
            allow_unsigned: false,
            opener: None,
            options: PipelineOptions::default(),
            monitor: Recorder::new(Arc::new(Silent)),
        }
    }
}

impl ReadRequest<'_> {
    /// What `latest` is chosen from.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Reads a backup that no trusted signer signed; refused where no signers are trusted, and with `latest`, which is never one.
    pub fn allow_unsigned(mut self, allow: bool) -> Self {
        self.allow_unsigned = allow;
        self
    }

    /// The identities.
    pub fn open_with(mut self, opener: Option<Arc<dyn KeyOpener>>) -> Self {
        self.opener = opener;
        self
    }

    /// The memory budget and the workers.
    pub fn options(mut self, options: PipelineOptions) -> Self {
        self.options = options;
        self
    }

    /// Who is told about progress.
    pub fn monitor(mut self, monitor: Arc<dyn Monitor>) -> Self {
        self.monitor = Recorder::new(monitor);
        self
    }

    /// Finds the backup, checks its signature and its lists of digests, and opens its key.
    pub async fn open(&self) -> Result<OpenBackup> {
        let step = |doing: &str| self.monitor.event(Event::Step { doing: doing.into() });
        step("find the backup");
        let found = self.repository.find_with_doubts(&self.selector, &self.filter, self.allow_unsigned).await?;
        let (record, doubts) = found;
        for message in doubts {
            self.monitor.event(Event::Warning { message });
        }
        let stored = self.repository.stored(record).await?;
        step("open its key");
        stored.unseal(self.opener.as_deref(), &self.options, self.monitor.clone()).await
    }

    /// The warnings that the monitor was told so far.
    pub fn warnings(&self) -> Vec<String> {
        self.monitor.warnings()
    }

    /// The plaintext of one part.
    pub async fn part(&self, part: &PartName) -> Result<PartStream> {
        self.open().await?.stream(part)
    }

    /// What a restore into this target would do; changes nothing.
    pub async fn plan(&self, target: &dyn Target) -> Result<RestorePlan> {
        let backup = self.open().await?;
        target.plan(&backup).await
    }

    /// Restores into this target.
    pub async fn restore(&self, target: &dyn Target) -> Result<RestoreReport> {
        let backup = self.open().await?;
        self.monitor.event(Event::Step { doing: "restore".into() });
        target.restore(&backup, self.monitor.clone()).await
    }
}
