//! What can be said of a dump: by reading it, and by restoring it.

use crate::archive::ArchiveObserver;
use crate::assertions::Assertion;
use crate::connection::{Connection, Env};
use crate::proof::Accepted;
use crate::scratch::ScratchOptions;
use crate::tools::Version;
use async_trait::async_trait;
use backup_core::Result;
use backup_core::level::Level;
use backup_core::monitor::Monitor;
use backup_core::names::PartName;
use backup_core::proof::Proof;
use backup_core::prover::{PartObserver, Prover};
use backup_core::target::Restorable;
use std::path::PathBuf;
use std::sync::Arc;

/// Until there is a backup.
const UNKNOWN: Version = Version { major: 0, minor: 0 };

/// Checks backups of kind `postgresql-dump`: that their archives parse to their end and are complete; and, in a scratch cluster, that they can be
/// restored and come back identical.
///
/// The scratch cluster is made from the installed programs of PostgreSQL, of the source's version or newer, unless
/// [`scratch`](PgProver::scratch) names a server. `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct PgProver {
    pub(crate) scratch: Option<Connection>,
    /// How a cluster of its own is started; the versions are those of each backup.
    pub(crate) own: ScratchOptions,
    pub(crate) accept: Accepted,
    pub(crate) assertions: Vec<Assertion>,
    pub(crate) jobs: usize,
}

impl Default for PgProver {
    fn default() -> Self {
        Self::new()
    }
}

impl PgProver {
    /// A prover with a scratch cluster of its own for each backup.
    pub fn new() -> Self {
        PgProver {
            scratch: None,
            own: ScratchOptions::new(UNKNOWN, UNKNOWN),
            accept: Accepted::default(),
            assertions: Vec::new(),
            jobs: std::thread::available_parallelism().map_or(2, |count| count.get().min(8)),
        }
    }

    /// Restores into a database with a unique name on this server, which is dropped afterwards; the login must be allowed to create databases. What
    /// cannot be compared there (the database's own properties, tablespaces, roles that it lacks) is told as untested.
    pub fn scratch(mut self, server: Connection) -> Self {
        self.scratch = Some(server);
        self
    }

    /// Makes scratch clusters in folders of this one: it chooses the disk. Otherwise `TMPDIR`, or `/tmp`.
    pub fn scratch_folder(mut self, parent: impl Into<PathBuf>) -> Self {
        self.own = self.own.folder(parent);
        self
    }

    /// Uses the PostgreSQL programs of this folder only.
    pub fn tools(mut self, folder: impl Into<PathBuf>) -> Self {
        self.own = self.own.tools(folder);
        self
    }

    /// Looks for programs with this environment.
    pub fn env(mut self, env: Env) -> Self {
        self.own = self.own.env(env);
        self
    }

    /// What need not be tested, by the names that proofs give, such as `extension:pg_graphql`: exactly these, and what depends on them.
    pub fn accept(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.accept.add(names.into_iter().map(Into::into));
        self
    }

    /// Of the names that are accepted, those that are meant for this one backup: a name that nothing in it can have is refused with
    /// [`NO_EFFECT`](backup_core::error::codes::NO_EFFECT) before anything is restored.
    pub fn accept_known(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.accept.must_be_known(names.into_iter().map(Into::into));
        self
    }

    /// Of the names that are accepted, those that nothing had which could not be tested, in all proofs by this prover and its clones so far.
    pub fn accepted_in_vain(&self) -> Vec<String> {
        self.accept.unmet()
    }

    /// What must hold of the restored database.
    pub fn assertions(mut self, assertions: impl IntoIterator<Item = Assertion>) -> Self {
        self.assertions.extend(assertions);
        self
    }

    /// Lets everything else on this machine go first: no unless set.
    pub fn low_priority(mut self, low: bool) -> Self {
        self.own = self.own.low_priority(low);
        self
    }

    /// Keeps this file or folder (an identity, a repository) out of sight of the code in a backup, wherever it is.
    pub fn hide(mut self, path: impl Into<PathBuf>) -> Self {
        self.own = self.own.hide(path);
        self
    }

    /// A setting of the scratch cluster, such as `shared_preload_libraries`.
    pub fn scratch_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.own = self.own.setting(name, value);
        self
    }

    /// How many indexes are made at once; otherwise as many as this machine has cores, at most 8.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }
}

#[async_trait]
impl Prover for PgProver {
    fn knows(&self, kind: &str) -> bool {
        kind == crate::KIND
    }

    fn required_parts(&self) -> Vec<PartName> {
        vec![crate::dump_part()]
    }

    fn observer(&self, part: &PartName) -> Option<Box<dyn PartObserver>> {
        (*part == crate::dump_part()).then(|| Box::new(ArchiveObserver::new()) as Box<dyn PartObserver>)
    }

    async fn prove(&self, backup: &dyn Restorable, level: Level, monitor: Arc<dyn Monitor>) -> Result<Proof> {
        crate::proof::prove(self, backup, level, monitor).await
    }
}
