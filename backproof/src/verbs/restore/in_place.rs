//! A restore in place of a live database, brought together: prove the backup, back the live database up, restore beside it, compare, judge,
//! and let [`Swap`](backup_postgres::swap::Swap) change the names.

use super::RestoreOptions;
use crate::Backproof;
use crate::config::ProofOptions;
use crate::error::codes::{RESTORE_NOT_PROVEN, RESTORED_DIFFERENTLY};
use backup_core::cipher::{KeyOpener, KeySealer};
use backup_core::error::codes::{BAD_SIGNATURE, CANCELLED, UNSIGNED};
use backup_core::level::{Level, Outcome};
use backup_core::monitor::{Event, Monitor, Recorder};
use backup_core::names::Label;
use backup_core::proof::AssertionResult;
use backup_core::repository::Repository;
use backup_core::repository::catalog::{Filter, ManifestRecord, Selector};
use backup_core::restore::ReadRequest;
use backup_core::signature::Signer;
use backup_core::target::Restorable;
use backup_core::verify::Severity;
use backup_core::{Error, Result};
use backup_postgres::assertions;
use backup_postgres::diff::{Diff, ObjectDiff, Other, Status, diff};
use backup_postgres::error::codes::RESTORE_REFUSED;
use backup_postgres::inventory::Difference;
use backup_postgres::swap::SwapSteps;
use backup_postgres::{Connection, PgRestore};
use std::sync::{Arc, Mutex, PoisonError};

/// Restores one backup in place of a live database, for [`Swap::run`](backup_postgres::swap::Swap::run), or, with
/// [`in_place`](RestoreOptions::in_place), for [`Overwrite::run`](backup_postgres::swap::Overwrite::run).
pub(super) struct InPlace<'a> {
    pub(super) session: &'a Backproof,
    pub(super) options: &'a RestoreOptions,
    pub(super) repository: &'a Repository,
    pub(super) recorder: Arc<Recorder>,
    pub(super) record: ManifestRecord,
    /// The live database, where the restore goes into it.
    pub(super) overwrite: Option<Connection>,
    /// Whom the safety backup is sealed to.
    pub(super) sealer: Arc<dyn KeySealer>,
    /// Who signs it.
    pub(super) signer: Option<Arc<dyn Signer>>,
    /// The identities.
    pub(super) opener: Option<Arc<dyn KeyOpener>>,
    pub(super) results: Mutex<Vec<AssertionResult>>,
}

impl InPlace<'_> {
    /// What came of the assertions.
    pub(super) fn assertion_results(&self) -> Vec<AssertionResult> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Into the live database, or one beside it.
    fn target(&self, connection: &Connection) -> PgRestore {
        target(self.session, self.options, connection).cancel_with(self.session.cancellation())
    }

    /// Work that ends with an error as soon as it is cancelled, so that what it was for can be put in order.
    async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let cancel = self.session.cancellation();
        tokio::select! {
            result = work => result,
            () = cancel.cancelled() => Err(Error::new(&CANCELLED, "the restore was cancelled")
                .with_hint("the live database was not touched; run it again")),
        }
    }

    fn step(&self, doing: &str) {
        self.recorder.event(Event::Step { doing: doing.to_owned() });
    }

    /// By its whole id: once the safety backup is made, `latest` is that one.
    fn selector(&self) -> Selector {
        Selector::Id(self.record.manifest.id.to_string())
    }

    fn filter(&self) -> Filter {
        Filter { series: Some(self.record.manifest.series.clone()), ..Filter::default() }
    }

    fn request(&self) -> ReadRequest<'_> {
        request(self.session, self.options, self.repository, &self.record, &self.recorder)
            .open_with(self.opener.clone())
    }
}

#[async_trait::async_trait]
impl SwapSteps for InPlace<'_> {
    async fn prove(&self) -> Result<()> {
        self.step("prove the backup");
        let (settings, level) = (self.session.settings(), self.options.level.unwrap_or(Level::Readable));
        let request = self
            .repository
            .verify()
            .only(self.selector())
            .filter(self.filter())
            .level(level)
            .prover(Arc::new(settings.prover(&ProofOptions::default())?))
            .open_with(self.opener.clone())
            .allow_unsigned(self.options.allow_unsigned)
            .options(settings.pipeline.clone())
            .monitor(self.recorder.clone());
        let verdict = self.unless_cancelled(request.run()).await?;
        let id = &self.record.manifest.id;
        let Some(backup) = verdict.backups.first() else {
            return Err(Error::new(&RESTORE_NOT_PROVEN, format!("backup {id} was not looked at")));
        };
        // That nobody signed it was allowed; anything else was not.
        let allowed =
            |code: &str| self.options.allow_unsigned && (code == UNSIGNED.name() || code == BAD_SIGNATURE.name());
        let sound = match backup.outcome {
            Outcome::Passed => true,
            Outcome::Failed => false,
            Outcome::Unverified => {
                let matters = |severity: Severity| severity > Severity::Notice;
                self.options.allow_unsigned
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
            return Err(Error::new(&RESTORE_REFUSED, plan.obstacles.join("; "))
                .with_hint("nothing was changed; remove each obstacle as it says"));
        }
        let why: Vec<&str> = backup.findings.iter().map(|finding| finding.message.as_str()).collect();
        let message = format!("backup {id} does not pass level {level}: {}", why.join("; "));
        Err(Error::new(&RESTORE_NOT_PROVEN, message))
    }

    async fn safety_backup(&self, live: &Connection) -> Result<String> {
        self.step("back the live database up");
        let settings = self.session.settings();
        let skip = self.options.skip_unreadable || settings.skip_unreadable;
        let mut request = self
            .repository
            .backup(self.record.manifest.series.clone(), Arc::new(settings.dump_of(live.clone()).skip_unreadable(skip)))
            .label(Label::safety())
            .seal(self.sealer.clone())
            .options(settings.pipeline.clone())
            .monitor(self.recorder.clone())
            .cancel_with(self.session.cancellation());
        if let Some(signer) = &self.signer {
            request = request.sign(signer.clone());
        }
        Ok(request.run().await?.manifest.id.to_string())
    }

    async fn restore(&self, beside: &Connection) -> Result<String> {
        let target = self.target(beside);
        if self.options.in_place {
            self.step("restore");
            target.overwrite(&self.request().open().await?, &*self.recorder).await?;
        } else {
            self.request().restore(&target).await?;
        }
        Ok(self.record.manifest.id.to_string())
    }

    async fn judge(&self, beside: &Connection) -> Result<()> {
        self.step("compare what was restored with the backup");
        let backup = self.request().open().await?;
        let settings = self.session.settings();
        let restored = settings.dump_of(beside.clone()).globals(false);
        let comparing = diff(&backup, Other::Database(&restored), self.recorder.clone());
        let found = self.unless_cancelled(comparing).await?;
        let wrong = self.differences(&found);
        if !wrong.is_empty() {
            let message = format!("the restored database is not what was backed up: {}", wrong.join("; "));
            return Err(Error::new(&RESTORED_DIFFERENTLY, message));
        }
        if settings.proof.assertions.is_empty() {
            return Ok(());
        }
        self.step("check the assertions");
        let judging = assertions::run(beside, &settings.proof.assertions, backup.manifest().source.snapshot);
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
        let besides = |status: Status| self.options.in_place && status == Status::Added;
        let added: Vec<&Difference> =
            found.objects.iter().filter(|object| besides(object.status)).map(|object| &object.difference).collect();
        let tables = found.tables.iter().filter(|table| !besides(table.status));
        let mut wrong: Vec<String> = tables.map(ToString::to_string).collect();
        let expected =
            self.options.no_owner || self.options.no_tablespaces || found.version_before != found.version_after;
        // Its own properties stay as they are, too.
        let own = |object: &ObjectDiff| {
            let difference = &object.difference;
            let of_it = difference.schema.is_none() && difference.name.as_bytes().starts_with(b"DATABASE ");
            self.options.in_place && (difference.kind.starts_with("DATABASE") || of_it)
        };
        for object in found.objects.iter().filter(|object| !own(object)) {
            match object.status {
                _ if besides(object.status) => match added_privileges(&object.difference, &added) {
                    Privileges::AddedToo => {}
                    Privileges::Others => self.recorder.mention(format!("stays, and is not in the backup: {object}")),
                    Privileges::Wrong => wrong.push(object.to_string()),
                },
                Status::Changed if expected || object.difference.may_be_other_words() => {
                    self.recorder.mention(format!("restored differently: {object}"));
                }
                _ => wrong.push(object.to_string()),
            }
        }
        wrong
    }
}

/// The database that the backup goes into.
pub(super) fn target(session: &Backproof, options: &RestoreOptions, connection: &Connection) -> PgRestore {
    let target = session.settings().restore_to(connection.clone());
    target.no_owner(options.no_owner).no_tablespaces(options.no_tablespaces)
}

/// Reads the backup by its whole id: once the safety backup is made, there is a newer one.
pub(super) fn request<'a>(
    session: &Backproof,
    options: &RestoreOptions,
    repository: &'a Repository,
    record: &ManifestRecord,
    recorder: &Arc<Recorder>,
) -> ReadRequest<'a> {
    repository
        .read(Selector::Id(record.manifest.id.to_string()))
        .filter(Filter { series: Some(record.manifest.series.clone()), ..Filter::default() })
        .allow_unsigned(options.allow_unsigned)
        .options(session.settings().pipeline.clone())
        .monitor(recorder.clone())
}

/// Whose privileges something is that a database has besides the backup.
enum Privileges {
    /// None, or those of what it has besides, too.
    AddedToo,
    /// Of what no restore makes: the server's own objects, and default privileges of roles that are not ours to change.
    Others,
    /// Of what the backup has: they are wrong.
    Wrong,
}

fn added_privileges(one: &Difference, added: &[&Difference]) -> Privileges {
    match (one.kind.as_str(), one.schema.as_ref().and_then(|schema| schema.as_str())) {
        ("DEFAULT ACL", _) | ("ACL", Some("pg_catalog" | "information_schema")) => return Privileges::Others,
        ("ACL", _) => {}
        _ => return Privileges::AddedToo,
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
    if of_added { Privileges::AddedToo } else { Privileges::Wrong }
}
