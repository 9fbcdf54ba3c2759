//! The sinks for tests are sinks themselves, and break exactly as they are told to.

use backup_core::digest::Sha256;
use backup_core::error::codes;
use backup_core::key::ObjectKey;
use backup_core::sink::{Sink, SinkExt};
use backup_core::testing::sink::{Fault, FaultySink, MemorySink, Operation, sink_conformance};
use bytes::Bytes;
use futures::TryStreamExt;
use std::sync::Arc;
use std::time::Duration;

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap()
}

async fn create(sink: &dyn Sink, at: &str, data: &'static [u8]) -> backup_core::Result<()> {
    sink.create(&key(at), Bytes::from_static(data), Sha256::of(data)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract() {
    sink_conformance(Arc::new(MemorySink::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_sink_without_faults_keeps_the_contract() {
    sink_conformance(Arc::new(FaultySink::new(Arc::new(MemorySink::new())))).await;
}

/// What the suite is for: it must see a sink that breaks the contract.
#[tokio::test(flavor = "multi_thread")]
async fn the_suite_notices_what_is_wrong() {
    let wrong = [
        (Operation::Read, Fault::Corrupt),
        (Operation::Delete, Fault::Fail(&codes::ACCESS_DENIED)),
        (Operation::Create, Fault::FailAfter(&codes::STORE_UNAVAILABLE)),
        (Operation::List, Fault::Fail(&codes::IO)),
        (Operation::Stat, Fault::Fail(&codes::IO)),
        (Operation::Replace, Fault::Fail(&codes::IO)),
    ];
    for (operation, fault) in wrong {
        let sink = FaultySink::new(Arc::new(MemorySink::new()));
        sink.from(operation, 1, fault);
        let run = tokio::spawn(sink_conformance(Arc::new(sink)));
        assert!(run.await.is_err_and(|error| error.is_panic()), "{operation:?} {fault:?} went unnoticed");
    }
}

#[tokio::test]
async fn faults_come_at_the_call_they_are_set_for() {
    let memory = MemorySink::new();
    let sink = FaultySink::new(Arc::new(memory.clone()));
    sink.at(Operation::Create, 2, Fault::Fail(&codes::NO_SPACE));
    create(&sink, "a", b"1").await.unwrap();
    assert!(create(&sink, "b", b"2").await.unwrap_err().is(&codes::NO_SPACE));
    create(&sink, "c", b"3").await.unwrap();
    assert_eq!(memory.keys(), [key("a"), key("c")]);
    assert_eq!(sink.count(Operation::Create), 3);
    sink.from(Operation::Create, 1, Fault::Fail(&codes::NO_SPACE));
    assert!(create(&sink, "d", b"4").await.is_err());
    assert!(create(&sink, "e", b"5").await.is_err());
    sink.heal();
    create(&sink, "e", b"5").await.unwrap();
}

#[tokio::test]
async fn a_hanging_operation_never_ends() {
    let sink = FaultySink::new(Arc::new(MemorySink::new()));
    sink.on_key(Operation::Create, "segment", Fault::Hang);
    create(&sink, "other", b"1").await.unwrap();
    let hanging = create(&sink, "segment-1", b"1");
    assert!(tokio::time::timeout(Duration::from_millis(20), hanging).await.is_err());
}

#[tokio::test]
async fn our_own_retried_create_is_recognised_and_anothers_is_not() {
    let memory = MemorySink::new();
    let sink = FaultySink::new(Arc::new(memory.clone()));
    sink.from(Operation::Create, 1, Fault::FailAfter(&codes::ALREADY_EXISTS));
    sink.create_or_same(&key("a"), Bytes::from_static(b"ours")).await.unwrap();
    memory.put(key("b"), "theirs");
    let error = sink.create_or_same(&key("b"), Bytes::from_static(b"ours")).await.unwrap_err();
    assert!(error.is(&codes::ALREADY_EXISTS));
    assert_eq!(memory.get(&key("b")).unwrap(), "theirs");
}

#[tokio::test]
async fn write_only_credentials_create_and_cannot_tell_whose_object_exists() {
    let memory = MemorySink::new();
    let sink = FaultySink::write_only(Arc::new(memory.clone()));
    sink.create_or_same(&key("a"), Bytes::from_static(b"ours")).await.unwrap();
    assert_eq!(sink.calls(), [(Operation::Create, "a".into())], "nothing read, nothing listed");
    // The very same bytes are there, but reading is denied: there is no way to know, so it fails.
    let error = sink.create_or_same(&key("a"), Bytes::from_static(b"ours")).await.unwrap_err();
    assert!(error.is(&codes::ALREADY_EXISTS), "{}", error.report());
    assert!(error.chain().contains("cannot be read back"), "{}", error.report());
    assert!(sink.read(&key("a"), None).await.unwrap_err().is(&codes::ACCESS_DENIED));
    assert!(sink.list("").try_collect::<Vec<_>>().await.unwrap_err().is(&codes::ACCESS_DENIED));
    assert!(sink.delete(&key("a")).await.unwrap_err().is(&codes::ACCESS_DENIED));
}
