//! What a verification says beyond damage: age, size, keys, a store that does not answer.

use crate::support::*;
use backup_core::error::codes;
use backup_core::id::BackupId;
use backup_core::level::{Level, Outcome};
use backup_core::names::{PartName, Series};
use backup_core::prover::{PartObserver, Prover};
use backup_core::repository::Repository;
use backup_core::repository::catalog::Selector;
use backup_core::testing::sink::{Fault, FaultySink, MemorySink, Operation};
use backup_core::verify::{Status, Verdict};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

async fn store() -> (MemorySink, FaultySink, Repository) {
    let memory = MemorySink::new();
    let sink = FaultySink::new(Arc::new(memory.clone()));
    let repository = create(Arc::new(sink.clone())).await;
    (memory, sink, repository)
}

fn ago(hours: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(hours)
}

async fn sealed(repository: &Repository, bytes: usize, hours: i64) -> BackupId {
    back_up_sealed(repository, TestSource::of_size(bytes).at(ago(hours))).await.unwrap().manifest.id
}

fn codes_of(verdict: &Verdict) -> Vec<&'static str> {
    verdict.findings.iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn an_empty_repository_is_an_error() {
    let (_, _, repository) = store().await;
    for selector in [None, Some(Selector::Latest)] {
        let mut verify = repository.verify();
        if let Some(selector) = selector {
            verify = verify.only(selector);
        }
        let verdict = verify.run().await.unwrap();
        assert_eq!((verdict.exit_code(), codes_of(&verdict)), (2, vec!["no_backups"]), "{verdict}");
    }
}

#[tokio::test]
async fn the_newest_of_each_series_must_be_young_enough() {
    let (_, _, repository) = store().await;
    sealed(&repository, 100, 400).await;
    let old = sealed(&repository, 100, 49).await;
    let verdict = repository.verify().options(small()).run().await.unwrap();
    assert_eq!((verdict.exit_code(), codes_of(&verdict)), (2, vec!["backup_too_old"]), "{verdict}");
    assert!(verdict.backups.iter().all(|backup| backup.outcome == Outcome::Passed), "age is no level: {verdict}");
    let allowed = |hours| repository.verify().options(small()).max_age(Some(SignedDuration::from_hours(hours)));
    assert_eq!(allowed(50).run().await.unwrap().exit_code(), 0);
    assert_eq!(allowed(48).run().await.unwrap().exit_code(), 2);
    // Who names a backup wants to know about that one; an age that is asked for is looked at all the same.
    let only = || Selector::Id(old.to_string());
    assert_eq!(repository.verify().only(only()).options(small()).run().await.unwrap().exit_code(), 0);
    assert_eq!(allowed(1).only(only()).run().await.unwrap().exit_code(), 2);
    sealed(&repository, 100, 1).await;
    assert_eq!(repository.verify().options(small()).run().await.unwrap().exit_code(), 0);
    // Another series that is old is found beside a fresh one.
    let source = TestSource::of_size(10).at(ago(100));
    let other = repository.backup(Series::new("other").unwrap(), Arc::new(source)).options(small());
    other.seal(Arc::new(backup_core::cipher::NoEncryption)).run().await.unwrap();
    assert_eq!(repository.verify().options(small()).run().await.unwrap().exit_code(), 2);
}

#[tokio::test]
async fn size_and_shrinking_are_judged_for_the_newest() {
    let (_, _, repository) = store().await;
    sealed(&repository, 100_000, 3).await;
    let least = |bytes| repository.verify().options(small()).min_size(Some(bytes));
    assert_eq!(least(1000).run().await.unwrap().exit_code(), 0);
    let verdict = least(100_000_000).run().await.unwrap();
    assert_eq!((verdict.exit_code(), codes_of(&verdict)), (2, vec!["backup_too_small"]), "{verdict}");
    // The contents count too, a little.
    sealed(&repository, 50_000, 2).await;
    assert_eq!(repository.verify().options(small()).run().await.unwrap().exit_code(), 0);
    sealed(&repository, 20_000, 1).await;
    let verdict = repository.verify().options(small()).run().await.unwrap();
    assert_eq!((verdict.exit_code(), codes_of(&verdict)), (1, vec!["backup_shrank"]), "{verdict}");
}

#[tokio::test]
async fn without_the_right_identity_nothing_is_called_readable_and_intact_is_still_checked() {
    let (memory, _, repository) = store().await;
    let id = sealed(&repository, 2 * MIB, 1).await;
    for (identity, code) in [(None, "identity_required"), (opener(ToyIdentity("mallory")), "wrong_identity")] {
        let verify = || repository.verify().level(Level::Readable).open_with(identity.clone()).options(small());
        let verdict = verify().run().await.unwrap();
        let backup = &verdict.backups[0];
        assert_eq!((verdict.exit_code(), backup.outcome), (1, Outcome::Unverified), "{verdict}");
        assert_eq!(backup.reached, Some(Level::Intact));
        assert_eq!(backup.findings[0].code, code);
    }
    let segment = key(format!("backups/app/manual/{id}/dump/00000001.zst.age"));
    let mut bytes = memory.get(&segment).unwrap().to_vec();
    bytes[1000] ^= 1;
    memory.put(segment, bytes);
    let verdict = repository.verify().level(Level::Readable).options(small()).run().await.unwrap();
    assert_eq!((verdict.exit_code(), verdict.backups[0].outcome), (2, Outcome::Failed), "{verdict}");
}

#[tokio::test]
async fn what_the_store_does_not_give_is_unverified_and_not_failed() {
    for (operation, what) in [
        (Operation::Read, "dump/00000001"),
        (Operation::Read, "SHA256SUMS"),
        (Operation::Read, "RESTORE.md"),
        (Operation::Read, "keys/"),
        (Operation::List, "backups/"),
    ] {
        for code in [&codes::STORE_UNAVAILABLE, &codes::ACCESS_DENIED] {
            let (_, sink, repository) = store().await;
            sealed(&repository, 2 * MIB, 1).await;
            sink.on_key(operation, what, Fault::Fail(code));
            for level in [Level::Intact, Level::Readable] {
                let verify = repository.verify().level(level).open_with(opener(alice())).options(small());
                let verdict = verify.run().await.unwrap();
                let backup = &verdict.backups[0];
                assert_eq!(
                    (verdict.status(), backup.outcome),
                    (Status::Warning, Outcome::Unverified),
                    "{what}: {verdict}"
                );
                assert!(backup.reached < Some(level), "{what}: {verdict}");
                assert!(backup.findings.iter().any(|finding| finding.code == code.name()), "{what}: {verdict}");
            }
        }
    }
    // That the catalog cannot be read leaves nothing to say.
    let (_, sink, repository) = store().await;
    sealed(&repository, 10, 1).await;
    sink.deny(Operation::List);
    assert_code(repository.verify().run().await.map(drop), &codes::ACCESS_DENIED);
}

/// A wrong bit on the way, or in memory, and not in the store: it is never delivered either.
#[tokio::test]
async fn a_read_that_gives_wrong_bytes_is_noticed() {
    let (_, sink, repository) = store().await;
    let id = sealed(&repository, 2 * MIB, 1).await;
    sink.once_on_key(Operation::Read, "dump/00000000", Fault::Corrupt);
    assert_code(read_all(&repository, &id, opener(alice())).await, &codes::SEGMENT_DAMAGED);
    read_all(&repository, &id, opener(alice())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_backups_at_once_within_a_small_budget() {
    let (_, _, repository) = store().await;
    for hours in 1..8 {
        sealed(&repository, 3 * MIB, hours).await;
    }
    for memory in [15, 40, 200] {
        let mut options = small();
        options.memory = memory << 20;
        let verify = repository.verify().level(Level::Readable).open_with(opener(bob())).options(options);
        let verdict = verify.run().await.unwrap();
        assert_eq!((verdict.exit_code(), verdict.backups.len()), (0, 7), "{memory} MiB: {verdict}");
    }
    let mut options = small();
    options.memory = 1 << 20;
    let verdict = repository.verify().options(options).run().await.unwrap();
    assert_eq!(verdict.exit_code(), 1, "{verdict}");
    assert!(verdict.backups.iter().all(|backup| backup.findings[0].code == "budget_too_small"));
}

#[tokio::test]
async fn things_left_out_and_clocks_that_are_off_are_warnings() {
    let (memory, _, repository) = store().await;
    let mut source = TestSource::of_size(100);
    source.left_out.push(backup_core::source::LeftOut {
        kind: "table".into(),
        name: "public.secret_name".into(),
        reason: "no right to read it".into(),
    });
    let report = back_up_sealed(&repository, source).await.unwrap();
    assert!(report.warnings.iter().any(|warning| warning.contains("could not be captured")), "{:?}", report.warnings);
    let verdict = repository.verify().options(small()).run().await.unwrap();
    assert_eq!(verdict.exit_code(), 1, "{verdict}");
    // Its name is sealed: no object shows it.
    for object in memory.keys() {
        let bytes = memory.get(&object).unwrap();
        assert!(!bytes.windows(11).any(|window| window == b"secret_name"), "{object}");
    }
    let id = Selector::Id(report.manifest.id.to_string());
    let opened = repository.read(id).open_with(opener(bob())).options(small()).open().await.unwrap();
    assert_eq!(opened.contents().left_out[0].name, "public.secret_name");

    let (memory, _, repository) = store().await;
    memory.set_time(Some(Timestamp::now() + SignedDuration::from_mins(10)));
    let report = back_up(&repository, TestSource::of_size(10)).await.unwrap();
    assert!(report.warnings.iter().any(|warning| warning.contains("clock")), "{:?}", report.warnings);
    let verdict = repository.verify().options(small()).run().await.unwrap();
    assert_eq!((verdict.exit_code(), codes_of(&verdict)), (1, vec!["clock_skew"]), "{verdict}");
}

/// Knows parts that end in `!`.
#[derive(Debug)]
struct Exclaims;

impl Prover for Exclaims {
    fn knows(&self, kind: &str) -> bool {
        kind == "test"
    }
    fn observer(&self, part: &PartName) -> Option<Box<dyn PartObserver>> {
        (part.as_str() == "dump").then(|| Box::new(LastByte(None)) as Box<dyn PartObserver>)
    }
}

struct LastByte(Option<u8>);

impl PartObserver for LastByte {
    fn observe(&mut self, bytes: &[u8]) -> backup_core::Result<()> {
        self.0 = bytes.last().copied().or(self.0);
        Ok(())
    }
    fn finish(self: Box<Self>) -> backup_core::Result<String> {
        match self.0 {
            Some(b'!') => Ok("one cry".into()),
            _ => Err(backup_core::Error::new(&codes::PART_INVALID, "it does not end with !")),
        }
    }
}

#[tokio::test]
async fn the_structure_of_a_part_counts_where_it_is_known() {
    for (last, outcome) in [(b'!', Outcome::Passed), (b'.', Outcome::Failed)] {
        let (_, _, repository) = store().await;
        let mut bytes = data(2 * MIB, 1);
        bytes.push(last);
        back_up_sealed(&repository, TestSource::new([("dump", bytes)])).await.unwrap();
        let verify = || repository.verify().level(Level::Readable).open_with(opener(alice())).options(small());
        let verdict = verify().prover(Arc::new(Exclaims)).run().await.unwrap();
        assert_eq!(verdict.backups[0].outcome, outcome, "{verdict}");
        if outcome == Outcome::Passed {
            assert_eq!(verdict.backups[0].held, ["dump: one cry"]);
        } else {
            assert_eq!(verdict.backups[0].findings[0].code, "part_invalid");
            assert_eq!(verdict.backups[0].reached, Some(Level::Intact), "the stored bytes are as they were: {verdict}");
        }
        // Who does not know the kind says so.
        let verdict = verify().run().await.unwrap();
        assert_eq!(verdict.exit_code(), 0);
        assert_eq!(verdict.backups[0].findings[0].code, "structure_not_checked");
    }
}
