//! The probe sees through stores that do less than they should.

use async_trait::async_trait;
use backup_core::Result;
use backup_core::digest::Sha256;
use backup_core::error::codes;
use backup_core::key::ObjectKey;
use backup_core::probe::probe;
use backup_core::sink::{Capabilities, ObjectInfo, Sink};
use backup_core::testing::sink::{Fault, FaultySink, MemorySink, Operation};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use std::ops::Range;
use std::sync::Arc;

/// What a store in memory does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    OverwritesOnCreate,
    LooksThenWrites,
    OverwritesAndSaysExists,
    IgnoresRanges,
    ListsLate,
    ListsDeleted,
    PretendsToDelete,
    ChecksChecksums,
}

#[derive(Debug)]
struct Flawed(MemorySink, Flaw);

#[async_trait]
impl Sink for Flawed {
    fn location(&self) -> String {
        self.0.location()
    }
    fn is_local(&self) -> bool {
        true
    }
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
    async fn create(&self, key: &ObjectKey, data: Bytes, sha256: Sha256) -> Result<()> {
        match self.1 {
            Flaw::OverwritesOnCreate => self.0.replace(key, data).await,
            Flaw::LooksThenWrites if self.0.get(key).is_none() => {
                tokio::task::yield_now().await;
                self.0.replace(key, data).await
            }
            Flaw::OverwritesAndSaysExists => {
                let answer = self.0.create(key, data.clone(), sha256).await;
                self.0.put(key.clone(), data);
                answer
            }
            Flaw::ChecksChecksums if Sha256::of(&data) != sha256 => {
                Err(backup_core::Error::new(&codes::IO, "the checksum differs"))
            }
            _ => self.0.create(key, data, sha256).await,
        }
    }
    async fn replace(&self, key: &ObjectKey, data: Bytes) -> Result<()> {
        self.0.replace(key, data).await
    }
    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes> {
        self.0.read(key, range.filter(|_| self.1 != Flaw::IgnoresRanges)).await
    }
    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        self.0.stat(key).await
    }
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo>> {
        let late = self.1 == Flaw::ListsLate;
        let list = self.0.list(prefix).skip(usize::from(late));
        if self.1 != Flaw::ListsDeleted {
            return list.boxed();
        }
        let gone = ObjectInfo::new(ObjectKey::new("probes/x/gone").unwrap(), 1, Some(Timestamp::now()));
        list.chain(futures::stream::once(async { Ok(gone) })).boxed()
    }
    async fn delete(&self, key: &ObjectKey) -> Result<()> {
        if self.1 == Flaw::PretendsToDelete { Ok(()) } else { self.0.delete(key).await }
    }
    fn clock(&self) -> Option<Timestamp> {
        self.0.clock()
    }
}

#[tokio::test]
async fn a_good_store() {
    let memory = MemorySink::new();
    let report = probe(&memory).await.unwrap();
    assert_eq!(report.capabilities, Capabilities::default());
    assert!(report.can_replace && report.can_delete && report.left.is_empty());
    assert!(memory.keys().is_empty(), "everything is cleaned up");
    assert!(!report.skew_is_large());
    assert_eq!(report.lost().len(), 1, "{:?}", report.lost());
}

#[tokio::test]
async fn each_flaw_is_found() {
    for flaw in [
        Flaw::None,
        Flaw::OverwritesOnCreate,
        Flaw::LooksThenWrites,
        Flaw::OverwritesAndSaysExists,
        Flaw::IgnoresRanges,
        Flaw::ListsLate,
        Flaw::ListsDeleted,
        Flaw::PretendsToDelete,
        Flaw::ChecksChecksums,
    ] {
        let report = probe(&Flawed(MemorySink::new(), flaw)).await.unwrap();
        let lax = matches!(flaw, Flaw::OverwritesOnCreate | Flaw::LooksThenWrites | Flaw::OverwritesAndSaysExists);
        assert_eq!(report.capabilities.create_if_absent, !lax, "{flaw:?}");
        assert_eq!(report.capabilities.ranged_reads, flaw != Flaw::IgnoresRanges, "{flaw:?}");
        let listing = !matches!(flaw, Flaw::ListsLate | Flaw::ListsDeleted | Flaw::PretendsToDelete);
        assert_eq!(report.capabilities.consistent_listing, listing, "{flaw:?}");
        assert_eq!(report.can_delete, flaw != Flaw::PretendsToDelete, "{flaw:?}");
        assert_eq!(report.capabilities.upload_checksums, flaw == Flaw::ChecksChecksums, "{flaw:?}");
        assert!(!report.capabilities.append_only);
        assert_eq!(report.lost().iter().any(|lost| lost.contains("only one may write")), lax, "{flaw:?}");
    }
}

#[tokio::test]
async fn a_store_that_neither_overwrites_nor_deletes_is_append_only() {
    let memory = MemorySink::new();
    let sink = FaultySink::new(Arc::new(memory.clone()));
    sink.deny(Operation::Replace).deny(Operation::Delete);
    let report = probe(&sink).await.unwrap();
    assert!(report.capabilities.append_only && !report.can_replace && !report.can_delete);
    assert!(report.capabilities.create_if_absent && report.capabilities.consistent_listing);
    assert_eq!(report.left.len(), memory.keys().len());
    assert!(memory.keys().iter().all(|key| key.as_str().starts_with("probes/")));
    for only in [Operation::Replace, Operation::Delete] {
        let sink = FaultySink::new(Arc::new(MemorySink::new()));
        sink.deny(only);
        assert!(!probe(&sink).await.unwrap().capabilities.append_only, "{only:?} alone");
    }
}

#[tokio::test]
async fn what_fails_in_passing_is_no_finding() {
    for operation in [Operation::Create, Operation::Read, Operation::List, Operation::Delete, Operation::Replace] {
        for n in 1..3 {
            let memory = MemorySink::new();
            let sink = FaultySink::new(Arc::new(memory.clone()));
            sink.at(operation, n, Fault::Fail(&codes::STORE_UNAVAILABLE));
            match probe(&sink).await {
                Err(error) => assert!(error.is(&codes::STORE_UNAVAILABLE), "{operation:?} {n}: {}", error.report()),
                Ok(report) => assert!(
                    matches!((operation, n), (Operation::Delete | Operation::Replace, 2)) && report.can_delete,
                    "{operation:?} {n} went unnoticed"
                ),
            }
            if operation != Operation::Delete {
                assert!(memory.keys().is_empty(), "cleaned up after a failure too: {operation:?} {n}");
            }
        }
    }
}

#[tokio::test]
async fn credentials_that_may_only_put_cannot_probe() {
    let error = probe(&FaultySink::write_only(Arc::new(MemorySink::new()))).await.unwrap_err();
    assert!(error.is(&codes::ACCESS_DENIED), "{}", error.report());
    assert!(error.chain().contains("read an object"), "{}", error.report());
}

#[tokio::test]
async fn the_skew_of_the_clocks() {
    let memory = MemorySink::new();
    for (minutes, large) in [(-6, true), (-4, false), (0, false), (4, false), (6, true)] {
        memory.set_time(Some(Timestamp::now() + SignedDuration::from_mins(minutes)));
        let report = probe(&memory).await.unwrap();
        assert_eq!(report.skew_is_large(), large, "{minutes} minutes");
        let off = report.clock_skew.unwrap() - SignedDuration::from_mins(minutes);
        assert!(off.abs() < SignedDuration::from_secs(30));
    }
}
