//! What goes in comes out, at every size around the boundaries.

use crate::support::*;
use backup_core::Result;
use backup_core::digest::Sha256;
use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::key::ObjectKey;
use backup_core::level::{Level, Outcome};
use backup_core::repository::catalog::Selector;
use backup_core::repository::manifest::Compression;
use backup_core::repository::{OpenOptions, Repository};
use backup_core::sink::{Capabilities, ObjectInfo, Sink};
use backup_core::target::Restorable;
use backup_core::testing::sink::{Fault, FaultySink, MemorySink, Operation};
use backup_core::verify::Status;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

async fn proves_itself(source: TestSource, sealed: bool) {
    let repository = create(Arc::new(MemorySink::new())).await;
    let (report, opener) = if sealed {
        (back_up_sealed(&repository, source.clone()).await.unwrap(), opener(alice()))
    } else {
        (back_up(&repository, source.clone()).await.unwrap(), None)
    };
    let id = &report.manifest.id;
    for level in [Level::Present, Level::Intact, Level::Readable] {
        let verdict = repository.verify().level(level).open_with(opener.clone()).options(small()).run().await.unwrap();
        assert_eq!(verdict.status(), Status::Healthy, "{verdict}");
        assert_eq!(verdict.backups[0].outcome, Outcome::Passed);
        assert_eq!(verdict.backups[0].reached, Some(level));
    }
    assert_eq!(read_all(&repository, id, opener).await.unwrap(), given(&source));
    for (name, bytes) in &source.parts {
        let entry = report.manifest.part(name).unwrap();
        assert_eq!(entry.plain_bytes, bytes.len() as u64);
        assert_eq!(entry.segments, bytes.len().div_ceil(MIB).max(1) as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_size_around_a_segment() {
    for bytes in [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB - 1, 2 * MIB, 9 * MIB + 12345] {
        for sealed in [false, true] {
            proves_itself(TestSource::of_size(bytes), sealed).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_several_parts_empty_ones_among_them() {
    let parts =
        [("globals", data(700, 1)), ("dump", data(3 * MIB + 1, 2)), ("nothing", Vec::new()), ("z", data(MIB, 3))];
    for sealed in [false, true] {
        proves_itself(TestSource::new(parts.clone()), sealed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_compression_and_at_other_levels() {
    for (compression, level) in [(Compression::None, 1), (Compression::Zstd, 3), (Compression::Zstd, 19)] {
        for bytes in [0, 1, MIB + 1] {
            let repository = create(Arc::new(MemorySink::new())).await;
            let source = TestSource::of_size(bytes);
            let mut options = small();
            options.compression = compression;
            options.level = level;
            let request = repository.backup(app(), Arc::new(source.clone())).options(options);
            let report = request.seal(Arc::new(ToySealer(vec![alice()]))).run().await.unwrap();
            // The reader takes how it was written from the manifest, not from its own options.
            let verdict = repository.verify().level(Level::Readable).open_with(opener(alice())).run().await.unwrap();
            assert_eq!(verdict.status(), Status::Healthy, "{verdict}");
            assert_eq!(read_all(&repository, &report.manifest.id, opener(alice())).await.unwrap(), given(&source));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_source_that_gives_many_tiny_reads() {
    let mut source = TestSource::of_size(MIB + 77);
    source.piece = 13;
    proves_itself(source, true).await;
}

#[tokio::test(start_paused = true)]
async fn from_a_source_slower_or_faster_than_the_store() {
    for (pause, delay) in [(Some(Duration::from_secs(30)), None), (None, Some(Duration::from_secs(30)))] {
        let sink = FaultySink::new(Arc::new(MemorySink::new()));
        let repository = create(Arc::new(sink.clone())).await;
        if let Some(delay) = delay {
            sink.from(Operation::Create, 1, Fault::Delay(delay));
        }
        let mut source = TestSource::of_size(20 * MIB + 1);
        source.pause = pause;
        source.piece = MIB / 2;
        let report = back_up(&repository, source.clone()).await.unwrap();
        assert_eq!(read_all(&repository, &report.manifest.id, None).await.unwrap(), given(&source));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_least_memory_that_holds_one_segment() {
    let repository = create(Arc::new(MemorySink::new())).await;
    let source = TestSource::of_size(5 * MIB + 1);
    let mut options = small();
    options.memory = MIB as u64;
    let refused = repository.backup(app(), Arc::new(source.clone())).seal(Arc::new(ToySealer(vec![alice()])));
    let error = assert_code(refused.options(options.clone()).run().await, &backup_core::error::codes::BUDGET_TOO_SMALL);
    // The hint says what would fit, and it does.
    let least: u64 = error.hint().split(' ').find_map(|word| word.parse().ok()).unwrap();
    options.memory = least << 20;
    let request = repository.backup(app(), Arc::new(source.clone())).seal(Arc::new(ToySealer(vec![alice()])));
    let report = request.options(options.clone()).run().await.unwrap();
    let id = Selector::Id(report.manifest.id.to_string());
    let reader = repository.read(id).open_with(opener(alice())).options(options);
    let read = reader.part(&part("dump")).await.unwrap().read_to_end().await.unwrap();
    assert!(read == *source.parts[0].1);
}

/// A store that keeps the very bytes it was given, as stores in memory do, keeps no upload waiting for its buffer.
#[tokio::test]
async fn into_a_store_that_keeps_the_buffers() {
    let sink = Hoarder::default();
    let repository = create(Arc::new(sink.clone())).await;
    let source = TestSource::of_size(24 * MIB);
    let request = repository.backup(app(), Arc::new(source)).options(small()).seal(Arc::new(ToySealer(vec![alice()])));
    tokio::time::timeout(Duration::from_secs(60), request.run()).await.expect("it does not wait for ever").unwrap();
    assert!(sink.kept.lock().unwrap().len() > 24);
}

/// Takes objects, and keeps the buffers that it was given besides.
#[derive(Clone, Debug, Default)]
struct Hoarder {
    memory: MemorySink,
    kept: Arc<std::sync::Mutex<Vec<bytes::Bytes>>>,
}

#[async_trait::async_trait]
impl Sink for Hoarder {
    fn location(&self) -> String {
        self.memory.location()
    }
    fn is_local(&self) -> bool {
        true
    }
    fn capabilities(&self) -> Capabilities {
        self.memory.capabilities()
    }
    async fn create(&self, key: &ObjectKey, data: bytes::Bytes, sha256: Sha256) -> Result<()> {
        self.kept.lock().unwrap().push(data.clone());
        self.memory.create(key, data, sha256).await
    }
    async fn replace(&self, key: &ObjectKey, data: bytes::Bytes) -> Result<()> {
        self.memory.replace(key, data).await
    }
    async fn read(&self, key: &ObjectKey, range: Option<std::ops::Range<u64>>) -> Result<bytes::Bytes> {
        self.memory.read(key, range).await
    }
    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        self.memory.stat(key).await
    }
    fn list(&self, prefix: &str) -> futures::stream::BoxStream<'static, Result<ObjectInfo>> {
        self.memory.list(prefix)
    }
    async fn delete(&self, key: &ObjectKey) -> Result<()> {
        self.memory.delete(key).await
    }
    fn clock(&self) -> Option<jiff::Timestamp> {
        self.memory.clock()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_reads_the_segments_that_hold_it_and_no_others() {
    let memory = Arc::new(MemorySink::new());
    let source = TestSource::of_size(4 * MIB + 100);
    let report = back_up_sealed(&create(memory.clone()).await, source.clone()).await.unwrap();
    let sink = FaultySink::new(memory);
    let repository = Repository::open(Arc::new(sink.clone()), OpenOptions::default()).await.unwrap();
    let selector = Selector::Id(report.manifest.id.to_string());
    let backup = repository.read(selector).open_with(opener(alice())).options(small()).open().await.unwrap();
    let (name, whole) = given(&source).into_iter().next().unwrap();
    let (mib, end) = (MIB as u64, whole.len() as u64);
    for (range, segments) in [
        (0..0, vec![]),
        (7..7, vec![]),
        (end..end, vec![]),
        (0..1, vec![0]),
        (0..mib, vec![0]),
        (mib - 1..mib, vec![0]),
        (mib..mib + 1, vec![1]),
        (mib - 1..mib + 1, vec![0, 1]),
        (mib + 5..3 * mib, vec![1, 2]),
        (4 * mib..end, vec![4]),
        (0..end, vec![0, 1, 2, 3, 4]),
    ] {
        let before = sink.calls().len();
        let bytes = backup.stream_range(&name, range.clone()).unwrap().read_to_end().await.unwrap();
        assert!(bytes == whole[range.start as usize..range.end as usize], "{range:?}");
        let mut read: Vec<String> = sink.calls()[before..].iter().map(|(_, key)| key.clone()).collect();
        read.sort();
        assert_eq!(read.len(), segments.len(), "{range:?}: {read:?}");
        let ends = |(key, number): (&String, &u64)| key.contains(&format!("/{number:08}."));
        assert!(read.iter().zip(&segments).all(ends), "{range:?}: {read:?}");
        let opened = backup.open_range(&name, range.clone()).await.unwrap().read_to_end().await.unwrap();
        assert!(opened == bytes, "{range:?}");
    }
    for wrong in [0..end + 1, end + 1..end + 1, Range { start: 2, end: 1 }] {
        assert_code(backup.stream_range(&name, wrong), &INVALID_ARGUMENT);
    }
}
