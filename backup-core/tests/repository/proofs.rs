//! The levels that restore a backup, drills, and the events that keep what came of them.

use crate::support::*;
use async_trait::async_trait;
use backup_core::drill::{Drilled, Objectives};
use backup_core::error::codes;
use backup_core::id::BackupId;
use backup_core::level::{Level, Outcome};
use backup_core::monitor::Monitor;
use backup_core::names::{Label, PartName};
use backup_core::proof::{AssertionResult, Difference, Phase, Proof, Untested};
use backup_core::prover::{PartObserver, Prover};
use backup_core::repository::Repository;
use backup_core::repository::catalog::Selector;
use backup_core::repository::event::LastProof;
use backup_core::signature::DocumentKind;
use backup_core::target::Restorable;
use backup_core::testing::sink::{Fault, FaultySink, MemorySink, Operation};
use backup_core::verify::{ProofEvents, Status, Verdict};
use backup_core::{Error, Result};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Reads what a restore reads, and says what the test wants to hear.
#[derive(Debug)]
struct Says {
    proof: Result<Proof, &'static backup_core::error::Code>,
    asked: AtomicUsize,
}

fn says(change: impl FnOnce(&mut Proof)) -> Arc<Says> {
    let mut proof = Proof::default();
    proof.scratch = "memory".into();
    proof.compared = "everything".into();
    proof.phases.push(Phase::new("load", Duration::from_millis(5)));
    change(&mut proof);
    Arc::new(Says { proof: Ok(proof), asked: AtomicUsize::new(0) })
}

#[async_trait]
impl Prover for Says {
    fn knows(&self, _kind: &str) -> bool {
        true
    }

    fn required_parts(&self) -> Vec<PartName> {
        vec![part("dump")]
    }

    fn observer(&self, _part: &PartName) -> Option<Box<dyn PartObserver>> {
        None
    }

    async fn prove(&self, backup: &dyn Restorable, _level: Level, _monitor: Arc<dyn Monitor>) -> Result<Proof> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        backup.open(&part("dump")).await?.read_to_end().await?;
        self.proof.clone().map_err(|code| Error::new(code, "the test says so"))
    }
}

async fn store() -> (MemorySink, FaultySink, Repository) {
    let memory = MemorySink::new();
    let sink = FaultySink::new(Arc::new(memory.clone()));
    let repository = create(Arc::new(sink.clone())).await;
    (memory, sink, repository)
}

async fn sealed(repository: &Repository, minutes: i64) -> BackupId {
    let source = TestSource::of_size(3 * MIB).at(Timestamp::now() - SignedDuration::from_mins(minutes));
    back_up_sealed(repository, source).await.unwrap().manifest.id
}

async fn verify(repository: &Repository, level: Level, prover: Arc<Says>) -> Verdict {
    let request = repository.verify().level(level).prover(prover).open_with(opener(alice())).options(small());
    request.recorder(Arc::new(ProofEvents::new(Some(Arc::new(ToySigner("drill")))))).run().await.unwrap()
}

fn untested(accepted: bool) -> impl FnOnce(&mut Proof) {
    move |proof| {
        proof.untested.push(Untested { object: "extension:x".into(), reason: "not installed".into(), accepted })
    }
}

fn assertion(outcome: Outcome, warning_only: bool) -> impl FnOnce(&mut Proof) {
    move |proof| {
        let (name, detail) = ("orders are there".into(), "0 rows".into());
        proof.assertions.push(AssertionResult { name, outcome, warning_only, detail, seconds: 0.1 });
    }
}

fn difference(proof: &mut Proof) {
    proof.differences.push(Difference { object: "table public.orders".into(), what: "120 rows, 119 restored".into() });
}

#[tokio::test]
async fn each_thing_that_a_proof_can_say_has_its_level_and_status() {
    let (_, _, repository) = store().await;
    sealed(&repository, 1).await;
    type Change = Box<dyn FnOnce(&mut Proof)>;
    let restorable = Some(Level::Restorable);
    let cases: Vec<(Change, Level, u8, Option<Level>)> = vec![
        (Box::new(|_| {}), Level::Identical, 0, Some(Level::Identical)),
        (Box::new(|_| {}), Level::Restorable, 0, restorable),
        (Box::new(difference), Level::Identical, 2, restorable),
        // Who asks for restorable alone is not told of differences.
        (Box::new(difference), Level::Restorable, 0, restorable),
        (Box::new(|proof| proof.errors.push("no".into())), Level::Identical, 2, Some(Level::Readable)),
        (Box::new(untested(false)), Level::Identical, 1, Some(Level::Readable)),
        (Box::new(untested(true)), Level::Identical, 0, Some(Level::Identical)),
        (Box::new(|proof| proof.compared.clear()), Level::Identical, 1, restorable),
        (Box::new(assertion(Outcome::Failed, false)), Level::Identical, 2, Some(Level::Identical)),
        (Box::new(assertion(Outcome::Failed, true)), Level::Identical, 1, Some(Level::Identical)),
        (Box::new(assertion(Outcome::Unverified, false)), Level::Identical, 1, Some(Level::Identical)),
        (Box::new(assertion(Outcome::Passed, false)), Level::Identical, 0, Some(Level::Identical)),
    ];
    for (number, (change, level, status, reached)) in cases.into_iter().enumerate() {
        let verdict = verify(&repository, level, says(change)).await;
        assert_eq!((verdict.exit_code(), verdict.backups[0].reached), (status, reached), "case {number}: {verdict}");
    }
}

#[tokio::test]
async fn a_scratch_place_that_cannot_be_had_leaves_the_backup_readable_and_unverified() {
    let (_, _, repository) = store().await;
    sealed(&repository, 1).await;
    let prover = Arc::new(Says { proof: Err(&codes::IO), asked: AtomicUsize::new(0) });
    let verdict = verify(&repository, Level::Identical, prover).await;
    let backup = &verdict.backups[0];
    let found = (verdict.exit_code(), backup.reached, backup.outcome);
    assert_eq!(found, (1, Some(Level::Readable), Outcome::Unverified), "{verdict}");
    // Nobody who can restore is there at all.
    let verdict = repository.verify().level(Level::Identical).open_with(opener(alice())).options(small());
    assert_eq!(verdict.run().await.unwrap().exit_code(), 1);
}

#[tokio::test]
async fn a_damaged_backup_fails_whatever_the_prover_says() {
    let (memory, _, repository) = store().await;
    let id = sealed(&repository, 1).await;
    for segment in ["dump/00000001.zst.age", "contents/00000000.zst.age"] {
        let segment = key(format!("backups/app/manual/{id}/{segment}"));
        let whole = memory.get(&segment).unwrap();
        let mut bytes = whole.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        memory.put(segment.clone(), bytes);
        let verdict = verify(&repository, Level::Identical, says(|_| {})).await;
        assert_eq!((verdict.exit_code(), verdict.backups[0].outcome), (2, Outcome::Failed), "{verdict}");
        assert!(verdict.backups[0].reached < Some(Level::Readable), "{verdict}");
        memory.put(segment, whole.to_vec());
    }
}

#[tokio::test]
async fn the_last_proof_is_the_deepest_since_the_last_failure() {
    let (_, _, repository) = store().await;
    let id = sealed(&repository, 1).await;
    let last = async || {
        let catalog = repository.catalog(None).await.unwrap();
        repository.last_proofs(&catalog).await.unwrap().get(&id).copied()
    };
    assert_eq!(last().await, None);
    for (change, level, expected) in [
        (None, Level::Intact, None),
        (None, Level::Readable, Some((Some(Level::Readable), false))),
        (None, Level::Identical, Some((Some(Level::Identical), false))),
        (None, Level::Readable, Some((Some(Level::Identical), false))),
        (Some(false), Level::Identical, Some((Some(Level::Restorable), true))),
        // What could not be verified says nothing.
        (Some(true), Level::Identical, Some((Some(Level::Restorable), true))),
        // A shallower pass does not undo it.
        (None, Level::Readable, Some((Some(Level::Restorable), true))),
        (None, Level::Restorable, Some((Some(Level::Restorable), true))),
        (None, Level::Identical, Some((Some(Level::Identical), false))),
    ] {
        let prover = match change {
            None => says(|_| {}),
            Some(false) => says(difference),
            Some(true) => says(untested(false)),
        };
        verify(&repository, level, prover).await;
        assert_eq!(last().await.map(|last| (last.reached, last.failed)), expected, "after {level}");
    }
}

#[tokio::test]
async fn a_proof_from_the_future_hides_no_failure() {
    let (_, _, repository) = store().await;
    sealed(&repository, 1).await;
    verify(&repository, Level::Identical, says(|_| {})).await;
    verify(&repository, Level::Identical, says(difference)).await;
    let catalog = repository.catalog(None).await.unwrap();
    let manifests = catalog.entries().iter().map(|entry| (entry.id.clone(), entry.record.as_ref().unwrap().sha256));
    let mut events = repository.proofs(None, &manifests.collect()).await.unwrap().into_values().next().unwrap();
    events.sort_by_key(|event| event.head.time);
    events[0].head.time += SignedDuration::from_hours(24);
    let now = Timestamp::now();
    assert!(LastProof::of(&events, now).unwrap().failed);
    assert!(!LastProof::of(&events, now + SignedDuration::from_hours(25)).unwrap().failed);
}

#[tokio::test]
async fn where_signers_are_trusted_only_proofs_by_those_count() {
    let (memory, _, untrusting) = store().await;
    let source = TestSource::of_size(100).at(Timestamp::now());
    let request = untrusting.backup(app(), Arc::new(source)).options(small()).sign(Arc::new(ToySigner("host")));
    let id = request.seal(Arc::new(ToySealer(vec![alice()]))).run().await.unwrap().manifest.id;
    let trust = || {
        let mut trust = ToyTrust::of_manifests_by("host");
        trust.0.push((ToySigner("drill"), DocumentKind::Proof));
        trust
    };
    let repository = open_trusting(&memory, trust()).await;
    let catalog = repository.catalog(None).await.unwrap();
    let last = async || repository.last_proofs(&catalog).await.unwrap().get(&id).copied();
    // By nobody, and by somebody who may sign manifests alone.
    for signer in [None, Some("host")] {
        let recorder = ProofEvents::new(signer.map(|name| Arc::new(ToySigner(name)) as _));
        let request = untrusting.verify().level(Level::Readable).open_with(opener(alice())).options(small());
        request.recorder(Arc::new(recorder)).run().await.unwrap();
        assert_eq!(last().await, None, "{signer:?}");
    }
    verify(&repository, Level::Identical, says(|_| {})).await;
    assert_eq!(last().await.unwrap().reached, Some(Level::Identical));
    // The same event does not count for another backup, nor for another manifest of this one.
    let event = memory.keys().into_iter().rfind(|key| key.as_str().contains(".proof-")).unwrap();
    let other = untrusting.backup(app(), Arc::new(TestSource::of_size(50))).options(small());
    let other = other.seal(Arc::new(ToySealer(vec![alice()]))).sign(Arc::new(ToySigner("host"))).run().await.unwrap();
    let moved = event.as_str().replace(id.as_str(), other.manifest.id.as_str());
    memory.put(key(moved), memory.get(&event).unwrap().to_vec());
    let catalog = repository.catalog(None).await.unwrap();
    let proofs = repository.last_proofs(&catalog).await.unwrap();
    assert!(proofs.contains_key(&id) && !proofs.contains_key(&other.manifest.id), "{proofs:?}");
}

#[tokio::test]
async fn a_proof_that_cannot_be_kept_is_a_notice() {
    let (_, sink, repository) = store().await;
    sealed(&repository, 1).await;
    sink.on_key(Operation::Create, "proof-", Fault::Fail(&codes::ACCESS_DENIED));
    let verdict = verify(&repository, Level::Identical, says(|_| {})).await;
    assert_eq!(verdict.exit_code(), 0, "{verdict}");
    assert!(verdict.backups[0].findings.iter().any(|finding| finding.code == "proof_not_recorded"), "{verdict}");
}

#[tokio::test]
async fn a_sample_takes_what_was_not_proven_for_longest() {
    let (_, _, repository) = store().await;
    let mut ids = Vec::new();
    for minutes in [30, 20, 10] {
        ids.push(sealed(&repository, minutes).await);
    }
    let sample = async |count| {
        let request = repository.drill(Drilled::Sample(count)).prover(says(|_| {})).options(small());
        let request = request.open_with(opener(alice())).recorder(Arc::new(ProofEvents::default()));
        let reports = request.run().await.unwrap();
        reports.into_iter().map(|report| report.backup.id).collect::<Vec<_>>()
    };
    assert_eq!(sample(1).await, [ids[2].clone()], "never proven: the newest first");
    assert_eq!(sample(2).await, [ids[1].clone(), ids[0].clone()]);
    assert_eq!(sample(5).await, [ids[2].clone(), ids[1].clone(), ids[0].clone()]);
}

#[tokio::test]
async fn objectives_that_are_missed_or_not_measured_are_no_pass() {
    let (_, _, repository) = store().await;
    let id = sealed(&repository, 90).await;
    let drill = async |rto: i64, rpo: i64, prover: Arc<Says>| {
        let objectives =
            Objectives { rto: Some(SignedDuration::from_secs(rto)), rpo: Some(SignedDuration::from_mins(rpo)) };
        let request = repository.drill(Drilled::One(Selector::Id(id.to_string()))).prover(prover).options(small());
        let request = request.open_with(opener(alice())).objectives(objectives);
        let report = request.run().await.unwrap().remove(0);
        let outcomes: Vec<_> = report.objectives.iter().map(|objective| objective.outcome).collect();
        (report.status(), outcomes)
    };
    let (passed, failed, unverified) = (Outcome::Passed, Outcome::Failed, Outcome::Unverified);
    assert_eq!(drill(3600, 100, says(|_| {})).await, (Status::Healthy, vec![passed, passed]));
    assert_eq!(drill(0, 100, says(|_| {})).await, (Status::Warning, vec![failed, passed]));
    assert_eq!(drill(3600, 80, says(|_| {})).await, (Status::Warning, vec![passed, failed]));
    let broken = says(|proof| proof.errors.push("no".into()));
    assert_eq!(drill(3600, 100, broken).await, (Status::Error, vec![unverified, unverified]));
}

/// What a restore replaced was backed up just before: that says nothing of how old the newest backup is that somebody would restore.
#[tokio::test]
async fn a_safety_backup_is_no_recovery_point() {
    let (_, _, repository) = store().await;
    let everyday = sealed(&repository, 90).await;
    let safety = {
        let source = TestSource::of_size(100).at(Timestamp::now() - SignedDuration::from_mins(10));
        let request = repository.backup(app(), Arc::new(source)).label(Label::safety()).options(small());
        request.seal(Arc::new(ToySealer(vec![alice()]))).run().await.unwrap().manifest.id
    };
    // Its own drill, and what was recorded of one before, when another backup is drilled.
    let drill = async |id: &BackupId, rpo: i64| {
        let objectives = Objectives { rto: None, rpo: Some(SignedDuration::from_mins(rpo)) };
        let request =
            repository.drill(Drilled::One(Selector::Id(id.to_string()))).prover(says(|_| {})).options(small());
        let request = request.recorder(Arc::new(ProofEvents::default())).open_with(opener(alice()));
        let report = request.objectives(objectives).run().await.unwrap().remove(0);
        assert_eq!(report.backup.reached, Some(Level::Identical), "{report}");
        (report.status(), report.objectives[0].outcome, report.objectives[0].measured_seconds)
    };
    assert_eq!(drill(&safety, 30).await, (Status::Warning, Outcome::Unverified, None));
    let (status, outcome, measured) = drill(&everyday, 30).await;
    assert_eq!((status, outcome), (Status::Warning, Outcome::Failed));
    assert!(measured.unwrap() >= 90.0 * 60.0, "{measured:?}");
    let (status, outcome, measured) = drill(&safety, 100).await;
    assert_eq!((status, outcome), (Status::Healthy, Outcome::Passed));
    assert!(measured.unwrap() >= 90.0 * 60.0, "that of the everyday backup: {measured:?}");
}

#[tokio::test]
async fn what_no_trusted_signer_signed_is_not_drilled_unless_allowed_and_never_passes() {
    let (memory, _, untrusting) = store().await;
    let request = untrusting.backup(app(), Arc::new(TestSource::of_size(100))).options(small());
    let id = request.seal(Arc::new(ToySealer(vec![alice()]))).run().await.unwrap().manifest.id;
    let repository = open_trusting(&memory, ToyTrust::of_manifests_by("host")).await;
    for (allow, asked, status) in [(false, 0, Status::Error), (true, 1, Status::Warning)] {
        let prover = says(|_| {});
        let request = repository.drill(Drilled::One(Selector::Id(id.to_string()))).prover(prover.clone());
        let request = request.allow_unsigned(allow).open_with(opener(alice())).options(small());
        let report = request.run().await.unwrap().remove(0);
        assert_eq!(prover.asked.load(Ordering::Relaxed), asked);
        assert_eq!((report.status(), report.backup.reached), (status, None), "{report}");
    }
}

/// Services run these on any thread of their runtime.
#[tokio::test]
async fn the_recipes_can_be_spawned() {
    fn spawnable(_: impl Future<Output = ()> + Send) {}
    let (_, _, repository) = store().await;
    spawnable(async { drop(repository.verify().run().await) });
    spawnable(async { drop(repository.drill(Drilled::Sample(1)).run().await) });
    spawnable(async { drop(repository.read(Selector::Latest).open().await) });
    spawnable(async { drop(back_up(&repository, TestSource::of_size(1)).await) });
    spawnable(async { drop(repository.catalog(None).await) });
}
