//! A backup is visible exactly when it is whole: whatever fails, whenever.

use crate::support::*;
use backup_core::backup::BackupReport;
use backup_core::cipher::NoEncryption;
use backup_core::error::{Result, codes};
use backup_core::level::Level;
use backup_core::repository::marker::Marker;
use backup_core::repository::{OpenOptions, Repository};
use backup_core::sink::Capabilities;
use backup_core::testing::sink::{Fault, FaultySink, MemorySink, Operation};
use backup_core::verify::Status;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A store with a repository in it, and the sink that stands before it.
async fn store() -> (MemorySink, FaultySink, Repository) {
    let memory = MemorySink::new();
    let sink = FaultySink::new(Arc::new(memory.clone()));
    let repository = create(Arc::new(sink.clone())).await;
    (memory, sink, repository)
}

fn count(memory: &MemorySink, prefix: &str) -> usize {
    memory.keys().iter().filter(|key| key.as_str().starts_with(prefix)).count()
}

fn manifests(memory: &MemorySink) -> usize {
    memory.keys().iter().filter(|key| key.as_str().ends_with(".manifest")).count()
}

/// Whatever is visible is whole.
async fn visible_is_whole(memory: &MemorySink) -> usize {
    let repository = open(memory).await;
    let visible = repository.catalog(None).await.unwrap().entries().len();
    if visible > 0 {
        let verify = repository.verify().level(Level::Readable).open_with(opener(alice())).options(small());
        let verdict = verify.run().await.unwrap();
        assert_eq!(verdict.status(), Status::Healthy, "{verdict}");
    }
    visible
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_writing() {
    let (memory, sink, repository) = store().await;
    let source = TestSource::new([("globals", data(10, 1)), ("dump", data(3 * MIB, 2))]);
    let report = back_up_sealed(&repository, source).await.unwrap();
    let id = &report.manifest.id;
    let written: Vec<String> =
        sink.calls().into_iter().filter(|(call, _)| *call == Operation::Create).map(|(_, key)| key).collect();
    assert_eq!(written[0], "backproof.json");
    let folder = format!("backups/app/manual/{id}/");
    let names: Vec<&str> = written[1..written.len() - 1].iter().map(|key| key.strip_prefix(&folder).unwrap()).collect();
    // Segments in any order, then everything else in this one.
    let (segments, rest) = names.split_at(5);
    assert!(segments.iter().all(|name| name.ends_with(".zst.age")), "{names:?}");
    assert_eq!(
        rest,
        [
            "globals/SHA256SUMS",
            "dump/SHA256SUMS",
            "contents/SHA256SUMS",
            "keys/0001.age",
            "keys/0002.age",
            "RESTORE.md",
            "SHA256SUMS"
        ]
    );
    assert_eq!(*written.last().unwrap(), format!("catalog/app/{id}.manifest"));
    assert_eq!(sink.count(Operation::Replace), 0, "nothing is ever overwritten");
    assert_eq!(sink.count(Operation::Delete), 0);
    // Everything was confirmed after it was written and before the manifest was.
    let calls = sink.calls();
    let confirmed =
        calls.iter().rposition(|(call, key)| *call == Operation::List && key.starts_with("backups/")).unwrap();
    let last = calls.iter().rposition(|(call, key)| *call == Operation::Create && key.starts_with("backups/")).unwrap();
    let manifest = calls.iter().rposition(|(call, _)| *call == Operation::Create).unwrap();
    assert!(last < confirmed && confirmed < manifest);
    assert_eq!(memory.keys().len(), written.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_anywhere_publishes_nothing() {
    let moments = [
        FailAt::Open,
        FailAt::NextPart,
        FailAt::Fill(0),
        FailAt::Fill(1),
        FailAt::Fill(5 * MIB),
        FailAt::PartFinish,
        FailAt::Finish,
    ];
    for fail in moments {
        let (memory, _, repository) = store().await;
        let source = TestSource::of_size(6 * MIB).failing(fail);
        let held = source.held.clone();
        assert_code(back_up_sealed(&repository, source).await, &codes::SOURCE_FAILED);
        assert_eq!(manifests(&memory), 0, "{fail:?}");
        assert_eq!(count(&memory, "backups/"), 0, "{fail:?}: the folder is cleaned");
        assert_eq!(held.load(Ordering::SeqCst), 0, "{fail:?}: the snapshot is free");
    }
}

#[tokio::test]
async fn a_source_without_parts_or_with_a_part_twice_is_refused() {
    for source in [TestSource::new([]), TestSource::new([("a", data(5, 1)), ("b", data(5, 2)), ("a", data(5, 3))])] {
        let (memory, _, repository) = store().await;
        assert_code(back_up(&repository, source).await, &codes::SOURCE_FAILED);
        assert_eq!(memory.keys().len(), 1, "the marker alone");
    }
}

#[tokio::test]
async fn a_part_that_breaks_its_contract_is_caught() {
    for wrong in [Misbehaviour::Overfills, Misbehaviour::Exchanges, Misbehaviour::ExchangesForSmaller] {
        let (memory, _, repository) = store().await;
        let mut source = TestSource::of_size(3 * MIB + 5);
        source.misbehaviour = Some(wrong);
        assert_code(back_up(&repository, source).await, &codes::SOURCE_FAILED);
        assert_eq!(memory.keys().len(), 1, "{wrong:?}: the marker alone");
    }
}

/// Fails the n-th call of an operation, for every n, until the backup needs no n-th one any more.
async fn at_every_call(operation: Operation, fault: Fault, judge: impl Fn(usize, &Result<BackupReport>, &MemorySink)) {
    at_every(operation, fault, false, judge).await;
}

/// As above; all calls after the n-th fail too where it says so.
async fn at_every(
    operation: Operation,
    fault: Fault,
    and_after: bool,
    judge: impl Fn(usize, &Result<BackupReport>, &MemorySink),
) {
    for n in 1.. {
        let (memory, sink, repository) = store().await;
        back_up_sealed(&repository, TestSource::of_size(100)).await.unwrap();
        let before = sink.count(operation);
        if and_after {
            sink.from(operation, n, fault);
        } else {
            sink.at(operation, n, fault);
        }
        let source = TestSource::new([("globals", data(100, 1)), ("dump", data(4 * MIB, 2))]);
        let held = source.held.clone();
        let result = back_up_sealed(&repository, source).await;
        assert_eq!(held.load(Ordering::SeqCst), 0, "{operation:?} {n}: the snapshot is free");
        let reached = sink.count(operation) - before >= n;
        sink.heal();
        let visible = visible_is_whole(&memory).await;
        assert_eq!(visible, 1 + usize::from(result.is_ok()), "{operation:?} {n}: it exists exactly when it says so");
        judge(n, &result, &memory);
        if !reached {
            result.unwrap();
            assert!(n > 1, "{operation:?} was never called");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_fails_at_any_time_publishes_nothing_and_leaves_nothing() {
    for code in [&codes::NO_SPACE, &codes::ACCESS_DENIED] {
        let before = std::sync::OnceLock::new();
        at_every_call(Operation::Create, Fault::Fail(code), |n, result, memory| match result {
            Ok(_) => assert_eq!(n, 15, "14 objects are written"),
            Err(error) => {
                assert!(error.is(code), "{n}: {}", error.report());
                // The first put leaves nothing, so what is there then is the backup before.
                let left = count(memory, "backups/");
                assert_eq!(left, *before.get_or_init(|| left), "{code} at {n}: something is left");
            }
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_that_may_pass_is_tried_again_and_not_for_ever() {
    for fault in [Fault::Fail(&codes::STORE_UNAVAILABLE), Fault::FailAfter(&codes::STORE_UNAVAILABLE)] {
        at_every_call(Operation::Create, fault, |n, result, _| {
            assert!(result.is_ok(), "{n}: {:?}", result.as_ref().err());
        })
        .await;
    }
    // A store that stays away: the snapshot is freed, and nothing is visible.
    at_every(Operation::Create, Fault::Fail(&codes::STORE_UNAVAILABLE), true, |n, result, _| match result {
        Ok(_) => assert_eq!(n, 15, "14 objects are written"),
        Err(error) => {
            assert!(error.is(&codes::UPLOAD_STALLED), "{n}: {}", error.report());
            assert!(error.chain().contains("injected"), "the cause is told: {}", error.report());
        }
    })
    .await;
}

/// The store did it and the answer was lost, as the last word: only reading back can tell.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_never_leaves_half_a_backup() {
    at_every_call(Operation::Create, Fault::FailAfter(&codes::ACCESS_DENIED), |n, result, _| {
        assert_eq!(result.is_ok(), n >= 14, "{n}: only the manifest is looked for");
    })
    .await;
}

/// A sink that retries may hear of its own first try: "exists, although it was us".
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_exists_because_we_wrote_it_is_ours() {
    at_every_call(Operation::Create, Fault::FailAfter(&codes::ALREADY_EXISTS), |n, result, _| {
        assert!(result.is_ok(), "{n}: {:?}", result.as_ref().err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_lists_and_deletes_that_fail_never_publish_half_a_backup() {
    for operation in [Operation::List, Operation::Read, Operation::Stat] {
        at_every_call(operation, Fault::Fail(&codes::STORE_UNAVAILABLE), |_, _, _| {}).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_deleting_is_denied_a_failed_backup_is_not_visible_either() {
    let (memory, sink, repository) = store().await;
    sink.deny(Operation::Delete);
    assert_code(
        back_up(&repository, TestSource::of_size(5 * MIB).failing(FailAt::PartFinish)).await,
        &codes::SOURCE_FAILED,
    );
    assert!(count(&memory, "backups/") > 0, "an orphan, for a sweep");
    assert_eq!(visible_is_whole(&memory).await, 0);
}

/// The put of the manifest got no answer, and reading it back neither: the backup may be there, so nothing of it is removed.
#[tokio::test(start_paused = true)]
async fn a_manifest_whose_fate_is_unknown_keeps_its_data() {
    let faults = [
        Fault::FailAfter(&codes::STORE_UNAVAILABLE),
        Fault::HangAfter,
        Fault::FailAfter(&codes::ALREADY_EXISTS),
        Fault::FailAfter(&codes::ACCESS_DENIED),
    ];
    for fault in faults {
        for reading in [Fault::Fail(&codes::STORE_UNAVAILABLE), Fault::Hang, Fault::Fail(&codes::ACCESS_DENIED)] {
            let (memory, sink, repository) = store().await;
            sink.on_key(Operation::Create, ".manifest", fault);
            sink.on_key(Operation::Read, ".manifest", reading);
            let error = back_up_sealed(&repository, TestSource::of_size(2 * MIB)).await.unwrap_err();
            assert!(error.report().contains("may be"), "it says that nobody knows: {}", error.report());
            assert_eq!(visible_is_whole(&memory).await, 1, "{fault:?} {reading:?}");
        }
    }
}

/// As above, but the manifest never came: then the orphan stays for the sweep, because the put might still arrive.
#[tokio::test(start_paused = true)]
async fn a_manifest_that_hangs_ends_the_backup_and_shows_nothing() {
    let (memory, sink, repository) = store().await;
    sink.on_key(Operation::Create, ".manifest", Fault::Hang);
    assert_code(back_up_sealed(&repository, TestSource::of_size(MIB)).await, &codes::UPLOAD_STALLED);
    assert_eq!(visible_is_whole(&memory).await, 0);
    assert!(count(&memory, "backups/") > 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_manifest_is_made_up_by_reading_it() {
    for fault in [Fault::FailAfter(&codes::STORE_UNAVAILABLE), Fault::HangAfter] {
        let (memory, sink, repository) = store().await;
        sink.on_key(Operation::Create, ".manifest", fault);
        back_up_sealed(&repository, TestSource::of_size(2 * MIB)).await.unwrap();
        assert_eq!(visible_is_whole(&memory).await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_frees_the_snapshot_after_max_stall() {
    for name in ["dump/00000000", "dump/00000003", "dump/SHA256SUMS", "contents/00000000", "RESTORE.md"] {
        let (memory, sink, repository) = store().await;
        sink.on_key(Operation::Create, name, Fault::Hang);
        let source = TestSource::of_size(4 * MIB);
        let held = source.held.clone();
        let begin = tokio::time::Instant::now();
        assert_code(back_up(&repository, source).await, &codes::UPLOAD_STALLED);
        let took = begin.elapsed();
        assert!(took >= small().max_stall && took < small().max_stall + Duration::from_secs(120), "{name}: {took:?}");
        assert_eq!(held.load(Ordering::SeqCst), 0);
        assert_eq!(manifests(&memory), 0);
        assert_eq!(count(&memory, "backups/"), 0, "{name}");
    }
}

/// A store that takes the data and then answers nothing must not hold the end of the backup for ever either.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_when_asked_ends_the_backup() {
    for prefix in ["catalog", "backups"] {
        let (memory, sink, repository) = store().await;
        sink.on_key(Operation::List, prefix, Fault::Hang);
        let begin = tokio::time::Instant::now();
        let result = back_up(&repository, TestSource::of_size(10)).await;
        assert!(begin.elapsed() < 3 * small().max_stall, "{prefix}");
        sink.heal();
        assert_eq!(visible_is_whole(&memory).await, usize::from(result.is_ok()), "{prefix}");
        assert_eq!(result.is_ok(), prefix == "catalog", "{prefix}: what was not confirmed is not published");
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_moment_it_is_not_visible() {
    let mut finished = false;
    for polls in (0..).step_by(7) {
        let (memory, sink, repository) = store().await;
        sink.from(Operation::Create, 1, Fault::Delay(Duration::from_millis(3)));
        let source = TestSource::of_size(6 * MIB);
        let held = source.held.clone();
        {
            let run = std::pin::pin!(back_up_sealed(&repository, source));
            finished = tokio::time::timeout(Duration::from_millis(polls), run).await.is_ok();
        }
        assert_eq!(held.load(Ordering::SeqCst), 0, "the snapshot is free");
        let visible = visible_is_whole(&memory).await;
        assert!(visible == usize::from(finished), "dropped after {polls} ms");
        if finished {
            break;
        }
    }
    assert!(finished);
}

#[tokio::test(start_paused = true)]
async fn cancelled_at_any_moment_it_is_whole_or_gone() {
    for after in (0..).step_by(5) {
        let (memory, sink, repository) = store().await;
        sink.from(Operation::Create, 1, Fault::Delay(Duration::from_millis(3)));
        let cancel = CancellationToken::new();
        let source = TestSource::of_size(6 * MIB);
        let held = source.held.clone();
        let backup = repository.backup(app(), Arc::new(source)).options(small()).cancel_with(cancel.clone());
        let run = backup.seal(Arc::new(ToySealer(vec![alice()]))).run();
        let (result, ()) = tokio::join!(run, async {
            tokio::time::sleep(Duration::from_millis(after)).await;
            cancel.cancel();
        });
        assert_eq!(held.load(Ordering::SeqCst), 0);
        let visible = visible_is_whole(&memory).await;
        match result {
            Ok(_) => {
                assert_eq!(visible, 1);
                return;
            }
            Err(error) => {
                assert!(error.is(&codes::CANCELLED), "{}", error.report());
                assert_eq!((visible, count(&memory, "backups/")), (0, 0), "cancelled after {after} ms");
            }
        }
    }
}

#[tokio::test]
async fn cancelled_before_it_began_it_does_nothing() {
    let (memory, _, repository) = store().await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let backup = repository.backup(app(), Arc::new(TestSource::of_size(10))).seal(Arc::new(NoEncryption));
    assert_code(backup.cancel_with(cancel).run().await, &codes::CANCELLED);
    assert_eq!(memory.keys().len(), 1);
}

#[tokio::test]
async fn nobody_to_seal_to_is_refused_before_anything_is_done() {
    let (memory, _, repository) = store().await;
    let source = TestSource::of_size(10).failing(FailAt::Open);
    assert_code(repository.backup(app(), Arc::new(source)).run().await, &codes::RECIPIENT_REQUIRED);
    assert_eq!(memory.keys().len(), 1);
}

/// The marker as a host that may only write has it from its configuration.
fn configured(marker: Marker) -> OpenOptions {
    let mut options = OpenOptions::default();
    options.write_only = Some(marker);
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_may_only_write_completes_with_nothing_read_or_listed() {
    let memory = MemorySink::new();
    let marker = create(Arc::new(memory.clone())).await.marker().clone();
    let sink = FaultySink::write_only(Arc::new(memory.clone()));
    let repository = Repository::open(Arc::new(sink.clone()), configured(marker.clone())).await.unwrap();
    let source = TestSource::of_size(3 * MIB + 1);
    let report = back_up_sealed(&repository, source.clone()).await.unwrap();
    assert!(sink.calls().iter().all(|(call, _)| *call == Operation::Create), "{:?}", sink.calls());
    assert_eq!(report.manifest.previous, None, "it could not be read");
    assert_eq!(visible_is_whole(&memory).await, 1);
    let reader = open(&memory).await;
    assert_eq!(read_all(&reader, &report.manifest.id, opener(bob())).await.unwrap(), given(&source));

    // "Exists" cannot be looked into: that fails the backup.
    for name in ["dump/00000001", "RESTORE.md"] {
        sink.once_on_key(Operation::Create, name, Fault::FailAfter(&codes::ALREADY_EXISTS));
        assert_code(back_up_sealed(&repository, source.clone()).await, &codes::ALREADY_EXISTS);
        assert_eq!(visible_is_whole(&memory).await, 1);
    }
    assert!(sink.calls().iter().all(|(call, _)| matches!(call, Operation::Create | Operation::Read)));
}

#[tokio::test]
async fn a_marker_of_another_installation_is_not_believed_over_the_configuration() {
    let memory = MemorySink::new();
    create(Arc::new(memory.clone())).await;
    let other = Marker::new(Some("i-other".into()), Capabilities::default()).unwrap();
    let repository = Repository::open(Arc::new(memory.clone()), configured(other)).await.unwrap();
    back_up(&repository, TestSource::of_size(10)).await.unwrap();
    let entries = open(&memory).await.catalog(None).await.unwrap();
    assert_code(
        entries.entries()[0]
            .record
            .as_ref()
            .map_err(|_| ())
            .map(|_| ())
            .map_err(|()| backup_core::Error::new(&codes::INVALID_DOCUMENT, "refused")),
        &codes::INVALID_DOCUMENT,
    );
}

/// A store that says "stored" and keeps less is found out before the manifest is written.
#[tokio::test]
async fn a_truncated_or_vanished_object_is_noticed_before_publishing() {
    for (name, keep) in [("dump/00000001.zst", Some(100)), ("SHA256SUMS", Some(0)), ("RESTORE.md", None)] {
        let memory = MemorySink::new();
        let sink = FaultySink::new(Arc::new(memory.clone()));
        let repository = create(Arc::new(sink.clone())).await;
        // While the last object is being written, another one is damaged.
        sink.on_key(Operation::List, "backups/", Fault::Delay(Duration::from_millis(1)));
        let damage = async {
            loop {
                tokio::task::yield_now().await;
                let written = |end: &str| {
                    memory
                        .keys()
                        .into_iter()
                        .find(|key| key.as_str().ends_with(end) && key.as_str().starts_with("backups/"))
                };
                if sink.calls().iter().any(|(call, key)| *call == Operation::List && key.starts_with("backups/"))
                    && let Some(key) = written(name)
                {
                    match keep {
                        Some(bytes) => memory.put(key.clone(), memory.get(&key).unwrap().slice(..bytes)),
                        None => drop(memory.remove(&key)),
                    }
                    return;
                }
            }
        };
        let (result, ()) = tokio::join!(back_up(&repository, TestSource::of_size(3 * MIB)), damage);
        assert_code(result, &codes::SEGMENT_DAMAGED);
        assert_eq!(manifests(&memory), 0);
        assert_eq!(count(&memory, "backups/"), 0);
    }
}

/// A listing that lags behind is no damage: the objects themselves are asked.
#[tokio::test]
async fn a_listing_that_does_not_show_an_object_yet_is_checked_directly() {
    let memory = MemorySink::new();
    let sink = LaggingListing(memory.clone());
    let repository = create(Arc::new(sink)).await;
    back_up(&repository, TestSource::of_size(2 * MIB)).await.unwrap();
    assert_eq!(visible_is_whole(&memory).await, 1);
}

/// A store whose listings are always empty.
#[derive(Debug)]
struct LaggingListing(MemorySink);

#[async_trait::async_trait]
impl backup_core::sink::Sink for LaggingListing {
    fn location(&self) -> String {
        self.0.location()
    }
    fn is_local(&self) -> bool {
        true
    }
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
    async fn create(
        &self,
        key: &backup_core::key::ObjectKey,
        data: bytes::Bytes,
        sha256: backup_core::digest::Sha256,
    ) -> Result<()> {
        self.0.create(key, data, sha256).await
    }
    async fn replace(&self, key: &backup_core::key::ObjectKey, data: bytes::Bytes) -> Result<()> {
        self.0.replace(key, data).await
    }
    async fn read(
        &self,
        key: &backup_core::key::ObjectKey,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<bytes::Bytes> {
        self.0.read(key, range).await
    }
    async fn stat(&self, key: &backup_core::key::ObjectKey) -> Result<backup_core::sink::ObjectInfo> {
        self.0.stat(key).await
    }
    fn list(&self, _: &str) -> futures::stream::BoxStream<'static, Result<backup_core::sink::ObjectInfo>> {
        Box::pin(futures::stream::empty())
    }
    async fn delete(&self, key: &backup_core::key::ObjectKey) -> Result<()> {
        self.0.delete(key).await
    }
    fn clock(&self) -> Option<jiff::Timestamp> {
        self.0.clock()
    }
}

/// What is about to be published is read as a reader would read it: no bug here may publish what nobody can open.
#[tokio::test]
async fn a_manifest_that_no_reader_would_take_is_not_published() {
    let (memory, _, repository) = store().await;
    let mut source = TestSource::of_size(10);
    source.facts.insert("extensions".into(), "x".repeat(17 << 20));
    assert_code(back_up(&repository, source).await, &codes::SELF_CHECK_FAILED);
    assert_eq!(memory.keys().len(), 1);
}

#[tokio::test]
async fn each_backup_names_the_one_before_it() {
    let (_, _, repository) = store().await;
    let at = |second: i64| TestSource::of_size(10).at(jiff::Timestamp::from_second(1_790_000_000 + second).unwrap());
    let first = back_up(&repository, at(0)).await.unwrap();
    assert_eq!(first.manifest.previous, None);
    let second = back_up(&repository, at(5)).await.unwrap();
    let previous = second.manifest.previous.unwrap();
    assert_eq!((previous.id, previous.sha256), (first.manifest.id, first.sha256));
}
