//! Every sentence of [`Sink`]'s contract that can be checked from outside.

use crate::digest::Sha256;
use crate::error::{Code, Error, Result, codes};
use crate::key::ObjectKey;
use crate::sink::{ObjectInfo, Sink, SinkExt};
use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a store is known not to do, for [`sink_conformance_with`], and what its credentials are.
#[derive(Clone, Debug)]
pub struct SinkExpectations {
    /// Of several creators at once exactly one wins. (One after the other, a second create must fail in any case.)
    pub atomic_create: bool,
    /// How many objects the listing of all pages is tried with; above the page size of the store, which is 1000 for S3.
    pub many_objects: usize,
    /// Texts that may appear neither in `Debug` nor in the location nor in an error.
    pub secrets: Vec<String>,
}

impl Default for SinkExpectations {
    fn default() -> Self {
        SinkExpectations { atomic_create: true, many_objects: 1_050, secrets: Vec::new() }
    }
}

/// Checks a sink against the contract of [`Sink`], under `conformance/<unique>/`, which it empties afterwards.
///
/// # Panics
/// Where the sink breaks the contract, with a message that says which part of it.
pub async fn sink_conformance(sink: Arc<dyn Sink>) {
    sink_conformance_with(sink, SinkExpectations::default()).await;
}

/// As [`sink_conformance`], for stores with known limits.
///
/// # Panics
/// Where the sink breaks the contract, with a message that says which part of it.
pub async fn sink_conformance_with(sink: Arc<dyn Sink>, expect: SinkExpectations) {
    let root = format!("conformance/{}", crate::id::random_hex().expect("the system's random source"));
    let suite = Suite { sink, root, expect };
    suite.absent_objects().await;
    suite.created_objects_read_back().await;
    suite.existing_objects_stay().await;
    suite.create_or_same().await;
    suite.ranges().await;
    suite.replaced_objects().await;
    suite.deleted_objects().await;
    suite.listing_by_prefix().await;
    suite.listing_of_many().await;
    suite.creators_at_once().await;
    suite.nothing_half_visible().await;
    suite.dropped_creates().await;
    suite.clock().await;
    suite.no_secrets().await;
    suite.empty(&suite.root).await;
    let left = suite.listed(&suite.root).await;
    assert!(left.is_empty(), "after everything was deleted, the listing still shows {:?}", left.keys());
}

struct Suite {
    sink: Arc<dyn Sink>,
    root: String,
    expect: SinkExpectations,
}

impl Suite {
    fn key(&self, path: &str) -> ObjectKey {
        ObjectKey::new(format!("{}/{path}", self.root)).expect("a valid key")
    }

    async fn create(&self, key: &ObjectKey, data: &Bytes) -> Result<()> {
        self.sink.create(key, data.clone(), Sha256::of(data)).await
    }

    async fn must_create(&self, key: &ObjectKey, data: &Bytes) {
        self.create(key, data).await.unwrap_or_else(|error| panic!("create of {key} failed: {}", error.report()));
    }

    async fn must_read(&self, key: &ObjectKey) -> Bytes {
        self.sink.read(key, None).await.unwrap_or_else(|error| panic!("read of {key} failed: {}", error.report()))
    }

    async fn listed(&self, prefix: &str) -> BTreeMap<String, ObjectInfo> {
        let found: Vec<_> = self
            .sink
            .list(prefix)
            .try_collect()
            .await
            .unwrap_or_else(|error: Error| panic!("list of {prefix:?} failed: {}", error.report()));
        let mut objects = BTreeMap::new();
        for info in found {
            let twice = objects.insert(info.key.to_string(), info);
            assert!(twice.is_none(), "list of {prefix:?} gave {twice:?} twice");
        }
        objects
    }

    async fn empty(&self, prefix: &str) {
        for info in self.listed(prefix).await.into_values() {
            self.sink.delete(&info.key).await.unwrap_or_else(|error| panic!("delete: {}", error.report()));
        }
    }

    /// Does the same for every key, 32 at a time.
    async fn for_each<F>(&self, keys: &[ObjectKey], work: impl Fn(Arc<dyn Sink>, ObjectKey) -> F)
    where
        F: Future<Output = Result<()>> + Send,
    {
        let works: Vec<_> = keys.iter().map(|key| work(self.sink.clone(), key.clone())).collect();
        let done = futures::stream::iter(works).buffer_unordered(32).try_collect::<Vec<_>>().await;
        done.unwrap_or_else(|error| panic!("one of {} operations failed: {}", keys.len(), error.report()));
    }

    async fn absent_objects(&self) {
        let key = self.key("absent/object");
        expect_code(self.sink.read(&key, None).await, &codes::OBJECT_NOT_FOUND, "read of an absent object");
        expect_code(
            self.sink.read(&key, Some(0..1)).await,
            &codes::OBJECT_NOT_FOUND,
            "ranged read of an absent object",
        );
        expect_code(self.sink.stat(&key).await, &codes::OBJECT_NOT_FOUND, "stat of an absent object");
        self.sink.delete(&key).await.expect("delete of what is not there is Ok");
        assert!(self.listed(&format!("{}/absent", self.root)).await.is_empty(), "list of an absent prefix is empty");
    }

    async fn created_objects_read_back(&self) {
        for size in [0, 1, 65_537, (5 << 20) + 3] {
            let key = self.key(&format!("sizes/{size}.bin"));
            let data = pattern(size, 1);
            self.must_create(&key, &data).await;
            let found = self.must_read(&key).await;
            assert!(found == data, "{key}: {} bytes were created and {} other bytes read", data.len(), found.len());
            let info = self.sink.stat(&key).await.unwrap_or_else(|error| panic!("stat: {}", error.report()));
            assert_eq!((&info.key, info.size), (&key, size as u64), "stat of an object of {size} bytes");
            if let Some(modified) = info.modified {
                let age = self.now().duration_since(modified).abs();
                let now = self.now();
                assert!(age < SignedDuration::from_mins(10), "stat says written at {modified}, the clock says {now}");
            }
        }
    }

    async fn existing_objects_stay(&self) {
        let key = self.key("existing/object");
        let data = pattern(4_000, 2);
        self.must_create(&key, &data).await;
        for (what, other) in
            [("other bytes", pattern(4_000, 3)), ("fewer bytes", pattern(7, 4)), ("the same bytes", data.clone())]
        {
            let what = format!("create, with {what}, of an object that exists");
            expect_code(self.create(&key, &other).await, &codes::ALREADY_EXISTS, &what);
            assert!(self.must_read(&key).await == data, "{what} changed the object");
        }
    }

    async fn create_or_same(&self) {
        let key = self.key("same/object");
        let data = pattern(10_000, 5);
        for _ in 0..2 {
            self.sink
                .create_or_same(&key, data.clone())
                .await
                .unwrap_or_else(|error| panic!("create_or_same of the same bytes: {}", error.report()));
        }
        let other = self.sink.create_or_same(&key, pattern(10_000, 6)).await;
        expect_code(other, &codes::ALREADY_EXISTS, "create_or_same with other bytes of the same size");
        assert!(self.must_read(&key).await == data, "create_or_same changed the object");
    }

    async fn ranges(&self) {
        let key = self.key("ranges/object");
        let size = 300_000;
        let data = pattern(size, 7);
        self.must_create(&key, &data).await;
        let end = size as u64;
        for range in [0..1, 0..end, 1..end, end - 1..end, 1_000..200_001, 65_536..131_072, 0..0, 5..5, end..end] {
            let found = self.sink.read(&key, Some(range.clone())).await;
            let found = found.unwrap_or_else(|error| panic!("read of bytes {range:?}: {}", error.report()));
            assert!(
                found == data.slice(range.start as usize..range.end as usize),
                "read of bytes {range:?} gave {} other bytes",
                found.len()
            );
        }
        #[expect(clippy::reversed_empty_ranges, reason = "it must be refused")]
        let outside = [0..end + 1, end - 1..end + 1, end..end + 1, end + 5..end + 9, end + 5..end + 5, 9..3];
        for range in outside {
            let found = self.sink.read(&key, Some(range.clone())).await;
            if let Ok(found) = found {
                panic!("bytes {range:?} do not lie within {size}, and {} bytes came instead of an error", found.len());
            }
        }
    }

    async fn replaced_objects(&self) {
        let key = self.key("replaced/object");
        for (seed, size) in [(8, 2_000), (9, 3_000), (10, 10)] {
            let data = pattern(size, seed);
            self.sink
                .replace(&key, data.clone())
                .await
                .unwrap_or_else(|error| panic!("replace of {key}: {}", error.report()));
            assert!(self.must_read(&key).await == data, "replace with {size} bytes did not take");
        }
        assert_eq!(self.listed(&format!("{}/replaced", self.root)).await.len(), 1);
    }

    async fn deleted_objects(&self) {
        let (key, stays) = (self.key("deleted/object"), self.key("deleted/object-2"));
        let data = pattern(100, 11);
        self.must_create(&stays, &data).await;
        for round in 0..2 {
            self.must_create(&key, &data).await;
            for _ in 0..2 {
                self.sink
                    .delete(&key)
                    .await
                    .unwrap_or_else(|error| panic!("delete in round {round}: {}", error.report()));
            }
            expect_code(self.sink.read(&key, None).await, &codes::OBJECT_NOT_FOUND, "read after delete");
            expect_code(self.sink.stat(&key).await, &codes::OBJECT_NOT_FOUND, "stat after delete");
            let listed = self.listed(&format!("{}/deleted", self.root)).await;
            assert_eq!(listed.into_keys().collect::<Vec<_>>(), [stays.to_string()], "list after delete");
        }
        assert!(self.must_read(&stays).await == data, "delete of {key} touched {stays}");
    }

    async fn listing_by_prefix(&self) {
        let paths = [
            "tree/a",
            "tree/a.b",
            "tree/ab/x",
            "tree/b/x",
            "tree/b/c/deep/er/still/object",
            "tree/b/.hidden",
            "tree/b-c/x",
            "tree/b_/x",
            "tree/bb",
            "tree/B/UPPER",
            "tree/b.tmp",
            "trees/x",
        ];
        for (number, path) in paths.iter().enumerate() {
            self.must_create(&self.key(path), &pattern(number * 10, number as u8)).await;
        }
        for prefix in [
            "",
            "/tree",
            "/tree/b",
            "/tree/b/c",
            "/tree/a",
            "/tree/B",
            "/tre",
            "/trees",
            "/tree/b/c/deep/er/still/object",
        ] {
            let prefix = format!("{}{prefix}", self.root);
            let found = self.listed(&prefix).await;
            let found: Vec<_> = found.iter().filter(|(key, _)| key.contains("/tree")).collect();
            let mut expected: Vec<_> = (paths.iter().enumerate())
                .map(|(number, path)| (format!("{}/{path}", self.root), number as u64 * 10))
                .filter(|(key, _)| key.starts_with(&format!("{prefix}/")))
                .collect();
            expected.sort();
            let keys = |list: &[(String, u64)]| list.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
            let found: Vec<_> = found.into_iter().map(|(key, info)| (key.clone(), info.size)).collect();
            assert_eq!(keys(&found), keys(&expected), "list of {prefix:?}");
            assert_eq!(found, expected, "sizes in the list of {prefix:?}");
        }
        let everything = self.listed("").await;
        let seen = paths.iter().filter(|path| everything.contains_key(self.key(path).as_str())).count();
        assert_eq!(seen, paths.len(), "list of the empty prefix gives all keys");
        self.empty(&format!("{}/tree", self.root)).await;
        self.empty(&format!("{}/trees", self.root)).await;
    }

    async fn listing_of_many(&self) {
        let prefix = format!("{}/many", self.root);
        let keys: Vec<_> =
            (0..self.expect.many_objects).map(|n| self.key(&format!("many/{:02}/{n:06}", n % 7))).collect();
        self.for_each(&keys, |sink, key| async move {
            sink.create(&key, pattern(1, 12), Sha256::of(&pattern(1, 12))).await
        })
        .await;
        let listed = self.listed(&prefix).await;
        let missing = keys.iter().filter(|key| !listed.contains_key(key.as_str())).count();
        assert_eq!(
            (listed.len(), missing),
            (keys.len(), 0),
            "objects listed, and missing in the list, of {}",
            keys.len()
        );
        self.for_each(&keys, |sink, key| async move { sink.delete(&key).await }).await;
        assert!(self.listed(&prefix).await.is_empty(), "list after all objects were deleted");
    }

    async fn creators_at_once(&self) {
        const CREATORS: usize = 8;
        // A store that overwrites instead is for one writer only, and what it does with eight is nobody's promise (rclone's server then
        // lists a key twice, and goes on listing it when it is deleted).
        if !self.expect.atomic_create {
            return;
        }
        for round in 0..8 {
            let key = self.key(&format!("race/{round}"));
            let offers: Vec<Bytes> = (0..CREATORS).map(|n| pattern(20_000 + n, n as u8)).collect();
            let start = Arc::new(tokio::sync::Barrier::new(CREATORS));
            let creators = offers.iter().cloned().map(|offer| {
                let (sink, key, start) = (self.sink.clone(), key.clone(), start.clone());
                tokio::spawn(async move {
                    let sha256 = Sha256::of(&offer);
                    start.wait().await;
                    sink.create(&key, offer, sha256).await
                })
            });
            let answers: Vec<_> = creators.collect::<FuturesUnordered<_>>().collect().await;
            let answers = answers.into_iter().map(|answer| answer.expect("no creator panics"));
            let (winners, losers): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
            for loser in losers {
                expect_code(loser, &codes::ALREADY_EXISTS, "create that lost against another at the same time");
            }
            let found = self.must_read(&key).await;
            assert!(offers.contains(&found), "eight creators at once left bytes that are none of theirs");
            assert_eq!(winners.len(), 1, "of eight creators at once exactly one may win");
        }
    }

    async fn nothing_half_visible(&self) {
        let key = self.key("visible/object");
        let data = pattern(8 << 20, 13);
        let creator = tokio::spawn({
            let (sink, key, data) = (self.sink.clone(), key.clone(), data.clone());
            async move { sink.create(&key, data.clone(), Sha256::of(&data)).await }
        });
        loop {
            let done = creator.is_finished();
            self.absent_or_whole(&key, &data, "while it is created").await;
            if done {
                break;
            }
        }
        creator.await.expect("the creator does not panic").expect("create");
        assert!(self.must_read(&key).await == data);
    }

    async fn absent_or_whole(&self, key: &ObjectKey, data: &Bytes, when: &str) {
        let parent = key.as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
        for info in self.listed(parent).await.into_values() {
            assert_eq!(info.key, *key, "{when}, the listing shows something else than the object");
            assert_eq!(info.size, data.len() as u64, "{when}, the listing shows a part of the object");
        }
        match self.sink.read(key, None).await {
            Ok(found) => assert!(found == *data, "{when}, {} of {} bytes could be read", found.len(), data.len()),
            Err(error) => {
                assert!(error.is(&codes::OBJECT_NOT_FOUND), "{when}, read said: {}", error.report());
            }
        }
    }

    async fn dropped_creates(&self) {
        for round in 0..6_u32 {
            let key = self.key(&format!("dropped/{round}/object"));
            let data = pattern(4 << 20, 14);
            // From "not even begun" to "nearly done": 0 µs, 1 µs, 32 µs, 1 ms, 33 ms, 1 s.
            let patience = Duration::from_micros(if round == 0 { 0 } else { 1 << (5 * (round - 1)) });
            let ended = tokio::time::timeout(patience, self.create(&key, &data)).await;
            self.absent_or_whole(&key, &data, "after a create was dropped").await;
            if let Ok(answer) = ended {
                answer.unwrap_or_else(|error| panic!("create: {}", error.report()));
                assert!(self.must_read(&key).await == data);
            }
            // Whatever state the dropped create left, the same bytes can be created again.
            self.sink
                .create_or_same(&key, data.clone())
                .await
                .unwrap_or_else(|error| panic!("create_or_same after a dropped create: {}", error.report()));
            assert!(self.must_read(&key).await == data);
        }
        self.empty(&format!("{}/dropped", self.root)).await;
    }

    fn now(&self) -> Timestamp {
        self.sink.clock().unwrap_or_else(Timestamp::now)
    }

    async fn clock(&self) {
        let Some(first) = self.sink.clock() else { return };
        let skew = Timestamp::now().duration_since(first).abs();
        assert!(skew < SignedDuration::from_hours(24), "the store's clock says {first}");
        let Some(second) = self.sink.clock() else { panic!("the store's clock was known and is no longer") };
        assert!(second >= first, "the store's clock went back from {first} to {second} without a request between");
    }

    async fn no_secrets(&self) {
        let (key, absent) = (self.key("secrets/object"), self.key("secrets/absent"));
        self.must_create(&key, &pattern(1, 15)).await;
        let mut texts = vec![format!("{:?}", self.sink), self.sink.location()];
        let errors = [self.sink.read(&absent, None).await.err(), self.create(&key, &pattern(2, 16)).await.err()];
        texts.extend(errors.iter().flatten().flat_map(|error| [format!("{error:?}"), error.report()]));
        for secret in &self.expect.secrets {
            let found = texts.iter().find(|text| text.contains(secret));
            assert!(found.is_none(), "a secret appears in {:?}", found.map(|text| text.replace(secret, "SECRET")));
        }
    }
}

fn expect_code<T>(result: Result<T>, code: &Code, what: &str) {
    match result {
        Ok(_) => panic!("{what} must be {code}, and was Ok"),
        Err(error) => assert!(error.is(code), "{what} must be {code}, and was: {}", error.report()),
    }
}

/// Bytes that depend on the seed at every place, so that no two seeds share a part.
fn pattern(size: usize, seed: u8) -> Bytes {
    (0..size)
        .map(|at| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0] ^ seed.wrapping_mul(151))
        .collect()
}
