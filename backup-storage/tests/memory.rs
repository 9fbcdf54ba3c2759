//! `memory:///`, and a library user's own `ObjectStore`.

mod support;

use backup_core::testing::sink::sink_conformance;
use backup_storage::object_store::ObjectStoreExt;
use backup_storage::object_store::memory::InMemory;
use backup_storage::{StoreOptions, from_object_store, open};
use std::sync::Arc;
use support::{create, keys};

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract() {
    sink_conformance(open("memory:///", &StoreOptions::default()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_object_store_keeps_the_contract() {
    for prefix in ["", "acme", "acme/prod 1"] {
        sink_conformance(from_object_store(Arc::new(InMemory::new()), prefix, "mine").unwrap()).await;
    }
}

#[tokio::test]
async fn a_prefix_keeps_to_itself() {
    let store = Arc::new(InMemory::new());
    let sink = from_object_store(store.clone(), "acme", "mine").unwrap();
    for path in ["acme2/x", "other/acme/x", "x", "acme/not a key"] {
        store.put(&path.into(), "theirs".into()).await.unwrap();
    }
    create(&*sink, "a/b", b"ours").await.unwrap();
    assert_eq!(keys(&*sink, "").await, ["a/b"]);
    assert_eq!(store.get(&"acme/a/b".into()).await.unwrap().bytes().await.unwrap(), "ours");
    assert!(sink.clock().is_none(), "nobody tells the time of this store");
    assert_eq!(sink.location(), "mine");
}

#[tokio::test]
async fn every_memory_is_its_own() {
    let first = open("memory:///", &StoreOptions::default()).await.unwrap();
    create(&*first, "a", b"1").await.unwrap();
    let second = open("memory:///", &StoreOptions::default()).await.unwrap();
    assert!(keys(&*second, "").await.is_empty());
}
