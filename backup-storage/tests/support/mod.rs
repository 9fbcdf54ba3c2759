//! What the tests of the stores share.
#![allow(dead_code, reason = "each test uses a part")]

use backup_core::Result;
use backup_core::digest::Sha256;
use backup_core::key::ObjectKey;
use backup_core::sink::Sink;
use bytes::Bytes;
use futures::TryStreamExt;

pub(crate) fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap()
}

pub(crate) async fn create(sink: &dyn Sink, at: &str, data: &'static [u8]) -> Result<()> {
    sink.create(&key(at), Bytes::from_static(data), Sha256::of(data)).await
}

/// The keys in a listing, sorted.
pub(crate) async fn keys(sink: &dyn Sink, prefix: &str) -> Vec<String> {
    let listed: Vec<_> = sink.list(prefix).try_collect().await.unwrap();
    let mut keys: Vec<_> = listed.into_iter().map(|info| info.key.to_string()).collect();
    keys.sort();
    keys
}
