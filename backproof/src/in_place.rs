//! A restore in place of a live database, brought together: prove the backup, back the live database up, restore beside it, compare, judge,
//! and let [`Swap`](backup_postgres::swap::Swap) change the names.

use crate::error::codes::{RESTORE_NOT_PROVEN, RESTORED_DIFFERENTLY};
use backup_core::cipher::{KeyOpener, KeySealer};
use backup_core::error::codes::{BAD_SIGNATURE, CANCELLED, UNSIGNED};
use backup_core::level::{Level, Outcome};
use backup_core::monitor::{Event, Monitor, Silent};
use backup_core::names::Label;
use backup_core::pipeline::PipelineOptions;
use backup_core::proof::AssertionResult;
use backup_core::prover::Prover;
use backup_core::repository::Repository;
use backup_core::repository::catalog::{Filter, ManifestRecord, Selector};
use backup_core::restore::ReadRequest;
use backup_core::signature::Signer;
use backup_core::target::Restorable;
use backup_core::verify::Severity;
use backup_core::{Error, Result};
use backup_postgres::assertions::{self, Assertion};
use backup_postgres::diff::{Diff, ObjectDiff, Other, Status, diff};
use backup_postgres::error::codes::RESTORE_REFUSED;
use backup_postgres::inventory::Difference;
use backup_postgres::swap::SwapSteps;
use backup_postgres::{Connection, PgDump, PgRestore};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Restores one backup in place of a live database; give it to [`Swap::run`](backup_postgres::swap::Swap::run), or, with
/// [`overwrite`](InPlace::overwrite), to [`Overwrite::run`](backup_postgres::swap::Overwrite::run).
#[derive(Debug)]
pub struct InPlace<'a> {
    repository: &'a Repository,
    record: ManifestRecord,
    allow_unsigned: bool,
    level: Level,
    opener: Option<Arc<dyn KeyOpener>>,
    prover: Arc<dyn Prover>,
    sealer: Arc<dyn KeySealer>,
    signer: Option<Arc<dyn Signer>>,
    assertions: Vec<Assertion>,
    options: PipelineOptions,
    tools: Option<PathBuf>,
    no_owner: bool,
    no_tablespaces: bool,
    skip_unreadable: bool,
    overwrite: Option<Connection>,
    monitor: Arc<dyn Monitor>,
    cancel: CancellationToken,
    results: Mutex<Vec<AssertionResult>>,
    warned: AtomicBool,
}

impl<'a> InPlace<'a> {
    /// Restores this backup. It is proven to level readable first, by `prover`, unless set otherwise; the safety backup is sealed by `sealer`.
    pub fn new(
        repository: &'a Repository,
        record: ManifestRecord,
        prover: Arc<dyn Prover>,
        sealer: Arc<dyn KeySealer>,
    ) -> Self {
        InPlace {
            repository,
            record,
            allow_unsigned: false,
            level: Level::Readable,
            opener: None,
            prover,
            sealer,
            signer: None,
            assertions: Vec::new(),
            options: PipelineOptions::default(),
            tools: None,
            no_owner: false,
            no_tablespaces: false,
            skip_unreadable: false,
            overwrite: None,
            monitor: Arc::new(Silent),
            cancel: CancellationToken::new(),
            results: Mutex::new(Vec::new()),
            warned: AtomicBool::new(false),
        }
    }

    /// How deeply the backup is proven before anything is changed.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Restores also what no trusted signer signed.
    pub fn allow_unsigned(mut self, allow: bool) -> Self {
        self.allow_unsigned = allow;
        self
    }

    /// The identities.
    pub fn open_with(mut self, opener: Option<Arc<dyn KeyOpener>>) -> Self {
        self.opener = opener;
        self
    }

    /// Who signs the safety backup.
    pub fn sign(mut self, signer: Option<Arc<dyn Signer>>) -> Self {
        self.signer = signer;
        self
    }

    /// What must hold of the restored database before it goes live.
    pub fn assertions(mut self, assertions: Vec<Assertion>) -> Self {
        self.assertions = assertions;
        self
    }

    /// The memory budget, the workers, and how the safety backup is cut.
    pub fn options(mut self, options: PipelineOptions) -> Self {
        self.options = options;
        self
    }

    /// Uses the PostgreSQL programs of this folder only.
    pub fn tools(mut self, folder: Option<PathBuf>) -> Self {
        self.tools = folder;
        self
    }

    /// As [`PgRestore::no_owner`].
    pub fn no_owner(mut self, no_owner: bool) -> Self {
        self.no_owner = no_owner;
        self
    }

    /// As [`PgRestore::no_tablespaces`].
    pub fn no_tablespaces(mut self, no_tablespaces: bool) -> Self {
        self.no_tablespaces = no_tablespaces;
        self
    }

    /// As [`PgDump::skip_unreadable`], for the safety backup.
    pub fn skip_unreadable(mut self, skip: bool) -> Self {
        self.skip_unreadable = skip;
        self
    }

    /// Restores into the live database itself, for [`Overwrite::run`](backup_postgres::swap::Overwrite::run): what the backup does not have stays.
    pub fn overwrite(mut self, live: Option<Connection>) -> Self {
        self.overwrite = live;
        self
    }

    /// Who is told about progress.
    pub fn monitor(mut self, monitor: Arc<dyn Monitor>) -> Self {
        self.monitor = monitor;
        self
    }

    /// Ends it when this is cancelled, with the live database as it was.
    pub fn cancel_with(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// What came of the assertions.
    pub fn assertion_results(&self) -> Vec<AssertionResult> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the restore had something to warn of; the monitor was told.
    pub fn warned(&self) -> bool {
        self.warned.load(Ordering::Relaxed)
    }

    /// Into the live database, or one beside it.
    fn target(&self, connection: &Connection) -> PgRestore {
        let target = PgRestore::new(connection.clone())
            .no_owner(self.no_owner)
            .no_tablespaces(self.no_tablespaces)
            .cancel_with(self.cancel.clone());
        match &self.tools {
            Some(folder) => target.tools(folder),
            None => target,
        }
    }

    /// Work that ends with an error as soon as it is cancelled, so that what it was for can be put in order.
    async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            result = work => result,
            () = self.cancel.cancelled() => Err(Error::new(&CANCELLED, "the restore was cancelled")
                .with_hint("the live database was not touched; run it again")),
        }
    }

    fn step(&self, doing: &str) {
        self.monitor.event(Event::Step { doing: doing.to_owned() });
    }

    /// By its whole id: once the safety backup is made, `latest` is that one.
    fn selector(&self) -> Selector {
        Selector::Id(self.record.manifest.id.to_string())
    }

    fn filter(&self) -> Filter {
        Filter { series: Some(self.record.manifest.series.clone()), ..Filter::default() }
    }

    fn request(&self) -> ReadRequest<'_> {
        self.repository
            .read(self.selector())
            .filter(self.filter())
            .allow_unsigned(self.allow_unsigned)
            .open_with(self.opener.clone())
            .options(self.options.clone())
            .monitor(self.monitor.clone())
    }

    fn dump(&self, connection: &Connection) -> PgDump {
        let dump = PgDump::new(connection.clone()).skip_unreadable(self.skip_unreadable);
        match &self.tools {
            Some(folder) => dump.tools(folder),
            None => dump,
        }
    }
}

#[async_trait::async_trait]
impl SwapSteps for InPlace<'_> {
    async fn prove(&self) -> Result<()> {
        self.step("prove the backup");
        let request = self.repository.verify().only(self.selector()).filter(self.filter()).level(self.level);
        let request = request.prover(self.prover.clone()).open_with(self.opener.clone());
        let request = request.allow_unsigned(self.allow_unsigned).options(self.options.clone());
        let verdict = self.unless_cancelled(request.monitor(self.monitor.clone()).run()).await?;
        let id = &self.record.manifest.id;
        let Some(backup) = verdict.backups.first() else {
            return Err(Error::new(&RESTORE_NOT_PROVEN, format!("backup {id} was not looked at")));
        };
        // That nobody signed it was allowed; anything else was not.
        let allowed = |code: &str| self.allow_unsigned && (code == UNSIGNED.name() || code == BAD_SIGNATURE.name());
        let sound = match backup.outcome {
            Outcome::Passed => true,
            Outcome::Failed => false,
            Outcome::Unverified => {
                let matters = |severity: Severity| severity > Severity::Notice;
                self.allow_unsigned
                    && backup.findings.iter().all(|finding| !matters(finding.severity) || allowed(finding.code))
            }
        };
        if sound {
            // What stands in the way is told before writes are stopped.
            let Some(live) = &self.overwrite else { return Ok(()) };
            let backup = self.request().open().await?;
            let plan = self.unless_cancelled(self.target(live).plan_overwrite(&backup)).await?;
            if plan.obstacles.is_empty() {
                return Ok(());
            }
            let message = plan.obstacles.join("; ");
            return Err(
                Error::new(&RESTORE_REFUSED, message).with_hint("nothing was changed; remove each obstacle as it says")
            );
        }
        let why: Vec<&str> = backup.findings.iter().map(|finding| finding.message.as_str()).collect();
        let message = format!("backup {id} does not pass level {}: {}", self.level, why.join("; "));
        Err(Error::new(&RESTORE_NOT_PROVEN, message))
    }

    async fn safety_backup(&self, live: &Connection) -> Result<String> {
        self.step("back the live database up");
        let mut request = self
            .repository
            .backup(self.record.manifest.series.clone(), Arc::new(self.dump(live)))
            .label(Label::safety())
            .seal(self.sealer.clone())
            .options(self.options.clone())
            .monitor(self.monitor.clone())
            .cancel_with(self.cancel.clone());
        if let Some(signer) = &self.signer {
            request = request.sign(signer.clone());
        }
        Ok(request.run().await?.manifest.id.to_string())
    }

    async fn restore(&self, beside: &Connection) -> Result<String> {
        let target = self.target(beside);
        let report = if self.overwrite.is_some() {
            self.step("restore");
            target.overwrite(&self.request().open().await?, &*self.monitor).await?
        } else {
            self.request().restore(&target).await?
        };
        self.warned.fetch_or(!report.warnings.is_empty(), Ordering::Relaxed);
        Ok(self.record.manifest.id.to_string())
    }

    async fn judge(&self, beside: &Connection) -> Result<()> {
        self.step("compare what was restored with the backup");
        let backup = self.request().open().await?;
        let restored = PgDump::new(beside.clone()).globals(false);
        let restored = match &self.tools {
            Some(folder) => restored.tools(folder),
            None => restored,
        };
        let comparing = diff(&backup, Other::Database(&restored), self.monitor.clone());
        let found = self.unless_cancelled(comparing).await?;
        let wrong = self.differences(&found);
        if !wrong.is_empty() {
            let message = format!("the restored database is not what was backed up: {}", wrong.join("; "));
            return Err(Error::new(&RESTORED_DIFFERENTLY, message));
        }
        if self.assertions.is_empty() {
            return Ok(());
        }
        self.step("check the assertions");
        let judging = assertions::run(beside, &self.assertions, backup.manifest().source.snapshot);
        let results = self.unless_cancelled(async { Ok(judging.await) }).await?;
        let failed: Vec<String> = results
            .iter()
            .filter(|result| result.outcome != Outcome::Passed && !result.warning_only)
            .map(|result| format!("{}: {}", result.name, result.detail))
            .collect();
        *self.results.lock().unwrap_or_else(PoisonError::into_inner) = results;
        if failed.is_empty() {
            return Ok(());
        }
        Err(Error::new(&RESTORED_DIFFERENTLY, format!("the assertions do not hold: {}", failed.join("; "))))
    }
}

impl InPlace<'_> {
    /// What of these differences stands in the way. Rows must be equal, and every object there. A definition, an owner or a privilege that reads differently is
    /// a warning only where it was to be expected: another version of the server, a restore without owners, or a kind of definition that even the
    /// same server writes in other words.
    fn differences(&self, found: &Diff) -> Vec<String> {
        // What a database has besides is nothing that a restore into it touches. What came to an object that the backup has is: privileges.
        let besides = |status: Status| self.overwrite.is_some() && status == Status::Added;
        let added: Vec<&Difference> =
            found.objects.iter().filter(|object| besides(object.status)).map(|object| &object.difference).collect();
        let tables = found.tables.iter().filter(|table| !besides(table.status));
        let mut wrong: Vec<String> = tables.map(ToString::to_string).collect();
        let expected = self.no_owner || self.no_tablespaces || found.version_before != found.version_after;
        // Its own properties stay as they are, too.
        let own = |object: &ObjectDiff| {
            let difference = &object.difference;
            let of_it = difference.schema.is_none() && difference.name.as_bytes().starts_with(b"DATABASE ");
            self.overwrite.is_some() && (difference.kind.starts_with("DATABASE") || of_it)
        };
        for object in found.objects.iter().filter(|object| !own(object)) {
            match object.status {
                _ if besides(object.status) => match added_privileges(&object.difference, &added) {
                    Privileges::OfWhatIsAdded => {}
                    Privileges::OfOthers => {
                        self.monitor
                            .event(Event::Warning { message: format!("stays, and is not in the backup: {object}") });
                    }
                    Privileges::OfTheBackups => wrong.push(object.to_string()),
                },
                Status::Changed if expected || object.difference.may_be_other_words() => {
                    self.monitor.event(Event::Warning { message: format!("restored differently: {object}") });
                }
                _ => wrong.push(object.to_string()),
            }
        }
        wrong
    }
}

/// Whose privileges something is that a database has besides the backup.
enum Privileges {
    /// None, or those of what it has besides, too.
    OfWhatIsAdded,
    /// Of what no restore makes: the server's own objects, and default privileges of roles that are not ours to change.
    OfOthers,
    /// Of what the backup has: they are wrong.
    OfTheBackups,
}

fn added_privileges(one: &Difference, added: &[&Difference]) -> Privileges {
    match (one.kind.as_str(), one.schema.as_ref().and_then(|schema| schema.as_str())) {
        ("DEFAULT ACL", _) | ("ACL", Some("pg_catalog" | "information_schema")) => return Privileges::OfOthers,
        ("ACL", _) => {}
        _ => return Privileges::OfWhatIsAdded,
    }
    // `TABLE orders`, `COLUMN orders.id`, `FUNCTION f(integer)`: pg_dump's words for what has privileges, and its name, in quotes where it needs them.
    const WORDS: [&str; 11] = [
        "TABLE ",
        "COLUMN ",
        "SEQUENCE ",
        "FUNCTION ",
        "PROCEDURE ",
        "AGGREGATE ",
        "TYPE ",
        "SCHEMA ",
        "LANGUAGE ",
        "FOREIGN DATA WRAPPER ",
        "FOREIGN SERVER ",
    ];
    let tag = one.name.lossy();
    let subject = WORDS.iter().find_map(|word| tag.strip_prefix(word));
    let of_added = added.iter().filter(|other| other.schema == one.schema).any(|other| {
        let about = ["ACL", "COMMENT", "SECURITY LABEL"].contains(&other.kind.as_str());
        let names = [other.name.quoted(), other.name.lossy()];
        !about
            && names.iter().any(|name| match (subject, tag.strip_prefix("COLUMN ")) {
                (_, Some(column)) => column.strip_prefix(&**name).is_some_and(|rest| rest.starts_with('.')),
                (subject, None) => subject == Some(&**name),
            })
    });
    if of_added { Privileges::OfWhatIsAdded } else { Privileges::OfTheBackups }
}
