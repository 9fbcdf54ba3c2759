//! Proofs: a backup is restored into a scratch place and dumped again, and what came back is compared with what was noted when it was made.
//!
//! The recipe is [`prove`]. What is compared is described in docs/proof.md; where it happens is a [`Scratch`](crate::Scratch) cluster of our own, or a database with a
//! unique name on a server that was named.

mod accepted;
mod compare;
mod place;
mod rows;

use crate::assertions;
use crate::error::codes::{CONNECTION_LOST, DATABASE_UNREACHABLE, RESTORE_FAILED, SCRATCH_LOST};
use crate::inventory::{Inventory, InventoryReader, Recorded, TableName};
use crate::prover::PgProver;
use crate::restore::rehearsal::{Gap, Rehearsal};
pub(crate) use accepted::Accepted;
use backup_core::error::codes::NO_SPACE;
use backup_core::level::Level;
use backup_core::monitor::{Event, Monitor};
use backup_core::proof::{Phase, Proof, Untested};
use backup_core::source::LeftOut;
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use compare::Compared;
use place::Place;
use std::sync::Arc;
use std::time::Instant;

/// What a server says when its disk is full (`strerror(ENOSPC)`).
const DISK_FULL: &str = "No space left on device";

/// Restores a backup into a scratch place and, at [`Level::Identical`], compares it.
pub(crate) async fn prove(
    prover: &PgProver,
    backup: &dyn Restorable,
    level: Level,
    monitor: Arc<dyn Monitor>,
) -> Result<Proof> {
    let mut proof = Proof::default();
    let mut watch = Watch { monitor: monitor.clone(), phases: Vec::new(), began: Instant::now() };
    let (sealed, left_out) = what_was_noted(backup).await?;
    if let Recorded::Available(inventory) = &sealed {
        prover.accept.check(inventory, &left_out)?;
    }
    untested_from_the_start(prover, &left_out, &mut proof);

    watch.begin("start a scratch cluster");
    // Declared before everything that uses it, so that it goes away last.
    let place = Place::provide(prover, backup).await?;
    for message in place.left_behind().await.unwrap_or_default() {
        monitor.event(Event::Warning { message });
    }
    proof.scratch = place.describe();
    proof.isolation = place.isolation();
    proof.versions = place.versions(backup);
    let noted = match &sealed {
        Recorded::Available(inventory) => Some(&**inventory),
        Recorded::Unavailable { .. } => None,
    };
    let mut rehearsal = Rehearsal::prepare(backup, noted, &place.stage(prover)).await?;
    let restored = restore(backup, noted, &mut rehearsal, &mut watch, &*monitor).await;
    let errors = match restored {
        Ok(errors) => errors,
        Err(error) if error.is(&RESTORE_FAILED) => vec![error.chain()],
        Err(error) => return Err(blame(&place, &[], Some(error))),
    };
    if !errors.is_empty() {
        let error = blame(&place, &errors, None);
        if !error.is(&RESTORE_FAILED) {
            return Err(error);
        }
        // Whatever its words were: who is not there any more cannot say that the backup is bad.
        if let Err(gone) = place.answers().await {
            let message = format!("the scratch server is gone: {}; before that: {}", gone.chain(), errors.join("; "));
            return Err(Error::new(&SCRATCH_LOST, message));
        }
    }
    for gap in &rehearsal.lacking {
        proof.untested.push(prover.untested(gap.cause.clone(), gap.reason.clone(), &gap.cause));
    }
    if rehearsal.lacks_locale() && !errors.is_empty() {
        // With another order of text, constraints and partitions may rightly refuse what the source took.
        let untested = |error: String| prover.untested(error, "the database has another locale here".into(), "locale");
        proof.untested.extend(errors.into_iter().map(untested));
    } else {
        proof.errors = errors;
    }

    let stream = rehearsal.recorded();
    if proof.errors.is_empty() && level >= Level::Identical {
        watch.begin("dump it again and compare");
        let comparing = Compared::new(sealed, stream, rehearsal.data_was_checked())
            .compare(prover, &place, backup, &mut rehearsal, &mut proof)
            .await;
        comparing.map_err(|error| blame(&place, &[], Some(error)))?;
        watch.end("compare");
    } else {
        let noted = [sealed, stream.unwrap_or(Recorded::Unavailable { reason: String::new() })];
        let inventory = noted.into_iter().find_map(Recorded::inventory).unwrap_or_default();
        compare::name_what_was_skipped(prover, &rehearsal, &inventory, &mut proof);
    }
    if proof.errors.is_empty() && !prover.assertions.is_empty() {
        watch.begin("check what is expected of it");
        let at = backup.manifest().source.snapshot;
        proof.assertions = assertions::run(rehearsal.connection(), &prover.assertions, at).await;
        watch.end("assertions");
    }
    proof.phases = watch.phases;
    rehearsal.remove().await?;
    place.remove().await;
    Ok(proof)
}

/// Restores all of it. Gives the errors of the restore.
async fn restore(
    backup: &dyn Restorable,
    noted: Option<&Inventory>,
    rehearsal: &mut Rehearsal,
    watch: &mut Watch,
    monitor: &dyn Monitor,
) -> Result<Vec<String>> {
    rehearsal.provision().await?;
    watch.end("provision");
    watch.begin("restore definitions");
    let mut errors = rehearsal.define().await?;
    watch.end("definitions");
    if !errors.is_empty() {
        return Ok(errors);
    }
    let (connection, lc_monetary) = (rehearsal.connection().clone(), rehearsal.lc_monetary().map(str::to_owned));
    let settings = Place::settings(&connection, lc_monetary.as_deref()).await?;
    if let Some(gap) = settings.gap {
        rehearsal.lacking.push(gap);
    }
    watch.begin("load the data");
    monitor.event(Event::PartStarted { part: crate::dump_part(), expected: Some(rehearsal.bytes()) });
    rehearsal.set(&settings.program);
    errors.extend(rehearsal.load(backup, noted, monitor).await?);
    watch.end("load");
    if !errors.is_empty() {
        return Ok(errors);
    }
    let waited = rehearsal.waited();
    watch.phases.push(Phase::new("fetch_and_decrypt", waited));
    watch.begin("make indexes, constraints and triggers, restore privileges");
    errors.extend(rehearsal.finish().await?);
    watch.end("indexes");
    Ok(errors)
}

/// The inventory that the backup has in its `contents`, and what is not in it.
async fn what_was_noted(backup: &dyn Restorable) -> Result<(Recorded, Vec<LeftOut>)> {
    let mut reader = InventoryReader::new();
    let contents = backup.contents(&mut |line| reader.line(line)).await?;
    Ok((reader.finish()?, contents.left_out))
}

/// What is not in the backup cannot come back.
fn untested_from_the_start(prover: &PgProver, left_out: &[LeftOut], proof: &mut Proof) {
    for one in left_out {
        let object = format!("{} {}", one.kind, one.name);
        // What the settings of the backup leave out has a plural: a pattern.
        if ["tables", "rows", "schemas"].contains(&one.kind.as_str()) {
            proof.notes.push(format!("not in the backup: {object}: {}", one.reason));
        } else {
            let reason = format!("it is not in the backup: {}", one.reason);
            proof.untested.push(prover.untested(object.clone(), reason, &object));
        }
    }
}

/// Who is to blame for a failure: a server that died or a full disk say nothing of the backup.
fn blame(place: &Place, errors: &[String], error: Option<Error>) -> Error {
    let text = error.as_ref().map_or_else(|| errors.join("; "), Error::chain);
    if text.contains(DISK_FULL) {
        return Error::new(&NO_SPACE, format!("the disk of the scratch cluster is full: {text}"))
            .with_hint("free some space there, or choose another disk with --scratch-dir");
    }
    if let Some(words) = place.died() {
        return Error::new(&SCRATCH_LOST, format!("the scratch cluster ended in the middle of the restore: {words}"));
    }
    let lost = [
        "server closed the connection unexpectedly",
        "terminating connection",
        "could not connect to server",
        "connection to server",
    ];
    let gone = |error: &Error| error.is(&DATABASE_UNREACHABLE) || error.is(&CONNECTION_LOST);
    if error.as_ref().is_some_and(gone) || lost.iter().any(|words| text.contains(words)) {
        return Error::new(&SCRATCH_LOST, format!("the connection to the scratch server broke: {text}"));
    }
    error.unwrap_or_else(|| Error::new(&RESTORE_FAILED, text))
}

impl PgProver {
    /// Something that was not tested; accepted when its own name or its cause's is.
    pub(crate) fn untested(&self, object: String, reason: String, cause: &str) -> Untested {
        self.accept.untested(object, reason, cause)
    }

    /// The same for what depends on something that is lacking.
    pub(crate) fn dependent(&self, object: String, gap: &Gap) -> Untested {
        let reason = format!("{} ({})", gap.reason, gap.cause);
        self.untested(object, reason, &gap.cause)
    }
}

/// The rows of a table, as proofs name them.
fn rows_of(table: &TableName) -> String {
    format!("rows of table {table}")
}

/// Times the phases and tells of them.
struct Watch {
    monitor: Arc<dyn Monitor>,
    phases: Vec<Phase>,
    began: Instant,
}

impl Watch {
    fn begin(&mut self, doing: &str) {
        self.monitor.event(Event::Step { doing: doing.to_owned() });
    }

    /// The phase since the last one ended.
    fn end(&mut self, phase: &str) {
        let now = Instant::now();
        self.phases.push(Phase::new(phase, now - self.began));
        self.began = now;
    }
}
