//! What the tests of the stores share.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod answers;
pub(crate) mod servers;

use backup_core::Result;
use backup_core::digest::Sha256;
use backup_core::key::ObjectKey;
use backup_core::sink::Sink;
use backup_storage::StoreOptions;
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

/// Settings with these variables and no others, and without asking the machine that the test runs on for credentials.
pub(crate) fn options(variables: &[(&str, &str)]) -> StoreOptions {
    let mut options = StoreOptions::default();
    options.env = variables.iter().copied().collect();
    options.metadata_service = Some(false);
    options
}

pub(crate) use backup_storage::testing::{ACCESS_KEY, SECRET};

/// Settings for an S3 server of the tests.
pub(crate) fn s3_options(endpoint: &str) -> StoreOptions {
    let mut options = options(&[("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)]);
    options.endpoint = Some(endpoint.into());
    options.allow_http = true;
    options
}
