//! `s3://` against independent servers.

mod support;

use backup_core::digest::Sha256;
use backup_core::error::codes;
use backup_core::probe::probe;
use backup_core::sink::{Sink, SinkExt};
use backup_core::testing::sink::{SinkExpectations, sink_conformance_with};
use backup_storage::error::codes as storage_codes;
use backup_storage::testing::s3_server;
use backup_storage::{ServerSideEncryption, StoreOptions, open};
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use support::{SECRET, create, key, keys, s3_options, servers};

async fn conformance(url: &str, options: &StoreOptions, atomic_create: bool) -> Arc<dyn Sink> {
    let sink = open(url, options).await.unwrap();
    let expect = SinkExpectations { atomic_create, secrets: vec![SECRET.into()], ..SinkExpectations::default() };
    sink_conformance_with(sink.clone(), expect).await;
    sink
}

/// rclone ignores `If-None-Match`, so it is used as a store without create-if-absent.
#[tokio::test(flavor = "multi_thread")]
async fn rclone_keeps_the_contract_for_one_writer() {
    let server = servers::rclone();
    let mut options = s3_options(&server.endpoint);
    options.allow_unconditional_create = true;
    let sink = conformance("s3://bucket/acme/prod", &options, false).await;
    assert!(!sink.capabilities().create_if_absent);
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_keeps_the_contract() {
    let server = servers::moto();
    let sink = conformance("s3://bucket/acme/prod", &s3_options(&server.endpoint), true).await;
    assert!(!sink.is_local());
    assert_eq!(sink.location(), "s3://bucket/acme/prod");
}

/// s3s-fs looks whether the object is there and then writes it.
#[tokio::test(flavor = "multi_thread")]
async fn s3s_keeps_the_contract_but_for_creators_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = s3_server(folder.path(), |_| true).await;
    conformance("s3://bucket", &s3_options(&endpoint), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_finds_that_rclone_overwrites() {
    let server = servers::rclone();
    let sink = open("s3://bucket/acme", &s3_options(&server.endpoint)).await.unwrap();
    let report = probe(&*sink).await.unwrap();
    assert!(
        !report.capabilities.create_if_absent && report.capabilities.ranged_reads && !report.capabilities.append_only
    );
    assert!(report.lost().iter().any(|lost| lost.contains("only one may write")), "{:?}", report.lost());
    assert!(keys(&*sink, "").await.is_empty(), "the probe cleans up");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_finds_what_moto_can_do() {
    let server = servers::moto();
    let sink = open("s3://bucket/acme", &s3_options(&server.endpoint)).await.unwrap();
    let report = probe(&*sink).await.unwrap();
    assert!(report.capabilities.create_if_absent && report.capabilities.consistent_listing, "{report:?}");
    assert!(!report.skew_is_large() && report.clock_skew.is_some(), "the clock comes from the answers");
}

/// s3s checks the signed digest, though it calls a wrong one an internal error.
#[tokio::test(flavor = "multi_thread")]
async fn s3s_checks_what_was_signed_against_what_arrived() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = s3_server(folder.path(), |_| true).await;
    let mut options = s3_options(&endpoint);
    options.retry_for = Some(std::time::Duration::ZERO);
    let sink = open("s3://bucket", &options).await.unwrap();
    let data = Bytes::from_static(b"what arrives");
    sink.create(&key("a"), data.clone(), Sha256::of(b"what was sealed")).await.unwrap_err();
    assert!(keys(&*sink, "").await.is_empty(), "nothing was stored");
    sink.create(&key("a"), data.clone(), Sha256::of(&data)).await.unwrap();
    assert_eq!(keys(&*sink, "").await.len(), 1, "what arrived as it was signed is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_the_stores() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = s3_server(folder.path(), |_| true).await;
    let sink = open("s3://bucket", &s3_options(&endpoint)).await.unwrap();
    assert_eq!(sink.clock(), None, "nothing was asked yet");
    create(&*sink, "a", b"1").await.unwrap();
    let skew = sink.clock().unwrap().duration_since(Timestamp::now());
    assert!(skew.abs() < SignedDuration::from_secs(30), "{skew}");
}

/// Credentials that may put and nothing else, enforced by the server.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_may_only_put_create_and_cannot_do_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = s3_server(folder.path(), |operation| operation == "PutObject").await;
    let sink = open("s3://bucket/acme", &s3_options(&endpoint)).await.unwrap();
    let data = Bytes::from(vec![3; 1 << 20]);
    sink.create_or_same(&key("a/b"), data.clone()).await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("bucket/acme/a/b")).unwrap(), data);
    for result in [
        sink.read(&key("a/b"), None).await.err(),
        sink.stat(&key("a/b")).await.err(),
        sink.list("").try_collect::<Vec<_>>().await.err(),
        sink.delete(&key("a/b")).await.err(),
    ] {
        let error = result.expect("denied");
        assert!(error.is(&codes::ACCESS_DENIED), "{}", error.report());
    }
    // It exists, but may not be read: nobody can tell whose it is.
    let error = sink.create_or_same(&key("a/b"), data).await.unwrap_err();
    assert!(error.is(&codes::ALREADY_EXISTS) && error.chain().contains("cannot be read back"), "{}", error.report());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_refused_without_being_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = s3_server(folder.path(), |_| true).await;
    let mut options = s3_options(&endpoint);
    options.env = [("AWS_ACCESS_KEY_ID", support::ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", "wrong-secret-0815")]
        .into_iter()
        .collect();
    let sink = open("s3://bucket", &options).await.unwrap();
    let error = create(&*sink, "a", b"1").await.unwrap_err();
    assert!(error.is(&codes::ACCESS_DENIED), "{}", error.report());
    assert!(!error.report().contains("wrong-secret-0815") && !format!("{options:?}").contains("wrong-secret-0815"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there() {
    let server = servers::moto();
    let sink = open("s3://other/acme", &s3_options(&server.endpoint)).await.unwrap();
    for error in [
        create(&*sink, "a", b"1").await.unwrap_err(),
        sink.read(&key("a"), None).await.unwrap_err(),
        sink.list("").try_collect::<Vec<_>>().await.unwrap_err(),
    ] {
        assert!(error.is(&storage_codes::BUCKET_NOT_FOUND), "{}", error.report());
    }
}

/// moto confirms encryption and rclone ignores it: what is ignored is refused.
#[tokio::test(flavor = "multi_thread")]
async fn server_side_encryption_must_be_confirmed() {
    let (moto, rclone) = (servers::moto(), servers::rclone());
    for encryption in [ServerSideEncryption::Aes256, ServerSideEncryption::Kms { key_id: Some("alias/acme".into()) }] {
        let mut options = s3_options(&moto.endpoint);
        options.server_side_encryption = Some(encryption.clone());
        let sink = open(&format!("s3://bucket/{}", matches!(encryption, ServerSideEncryption::Aes256)), &options)
            .await
            .unwrap();
        create(&*sink, "a", b"1").await.unwrap();
        assert_eq!(sink.read(&key("a"), None).await.unwrap(), "1");

        options.endpoint = Some(rclone.endpoint.clone());
        let sink = open("s3://bucket", &options).await.unwrap();
        let error = create(&*sink, "a", b"1").await.unwrap_err();
        assert!(error.is(&codes::UNSUPPORTED_BY_STORE), "{}", error.report());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_class_and_tags_are_accepted() {
    let server = servers::moto();
    let mut options = s3_options(&server.endpoint);
    options.storage_class = Some("STANDARD_IA".into());
    options.tags = [("team".to_owned(), "a b/c".to_owned())].into();
    let sink = open("s3://bucket", &options).await.unwrap();
    create(&*sink, "a", b"1").await.unwrap();
}

/// A store that answers no longer, after it has: the put fails as unavailable, after some tries.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_goes_away_is_unavailable() {
    let server = servers::rclone();
    let mut options = s3_options(&server.endpoint);
    options.retry_for = Some(std::time::Duration::from_millis(500));
    let sink = open("s3://bucket", &options).await.unwrap();
    create(&*sink, "a", b"1").await.unwrap();
    drop(server);
    let error = create(&*sink, "b", b"1").await.unwrap_err();
    assert!(error.is(&codes::STORE_UNAVAILABLE) && error.is_transient(), "{}", error.report());
}
