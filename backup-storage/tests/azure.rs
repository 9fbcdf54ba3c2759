//! `az://` against Azurite.

mod support;

use backup_core::error::codes;
use backup_core::probe::probe;
use backup_core::testing::sink::{SinkExpectations, sink_conformance_with};
use backup_storage::error::codes as storage_codes;
use backup_storage::{StoreOptions, open};
use support::servers::{AZURITE_ACCOUNT, AZURITE_KEY, azurite};
use support::{create, key, keys, options};

fn azurite_options(endpoint: &str) -> StoreOptions {
    let mut options =
        options(&[("AZURE_STORAGE_ACCOUNT_NAME", AZURITE_ACCOUNT), ("AZURE_STORAGE_ACCOUNT_KEY", AZURITE_KEY)]);
    options.endpoint = Some(format!("{endpoint}/{AZURITE_ACCOUNT}"));
    options.allow_http = true;
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite_keeps_the_contract() {
    let server = azurite();
    let sink = open("az://container/acme", &azurite_options(&server.endpoint)).await.unwrap();
    // Azurite's pages have 5000 objects: fewer would be one page as well.
    let expect =
        SinkExpectations { secrets: vec![AZURITE_KEY.into()], many_objects: 200, ..SinkExpectations::default() };
    sink_conformance_with(sink, expect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_string_is_enough() {
    let server = azurite();
    let text = format!(
        "DefaultEndpointsProtocol=http;AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};BlobEndpoint={}/{AZURITE_ACCOUNT};",
        server.endpoint
    );
    let mut options = options(&[("AZURE_STORAGE_CONNECTION_STRING", &text)]);
    options.allow_http = true;
    options.tags = [("team".to_owned(), "a".to_owned())].into();
    options.storage_class = Some("Cool".into());
    let sink = open("az://container", &options).await.unwrap();
    create(&*sink, "a/b", b"1").await.unwrap();
    assert_eq!(keys(&*sink, "a").await, ["a/b"]);
    assert!(sink.clock().is_some(), "from the Date of the answers");
    let report = probe(&*sink).await.unwrap();
    assert!(
        report.capabilities.create_if_absent && report.capabilities.consistent_listing && report.can_delete,
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_azurite_refuses() {
    let server = azurite();
    let mut wrong = azurite_options(&server.endpoint);
    let other_key = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==";
    wrong.env = [("AZURE_STORAGE_ACCOUNT_NAME", AZURITE_ACCOUNT), ("AZURE_STORAGE_ACCOUNT_KEY", other_key)]
        .into_iter()
        .collect();
    let error = create(&*open("az://container", &wrong).await.unwrap(), "a", b"1").await.unwrap_err();
    assert!(error.is(&codes::ACCESS_DENIED), "{}", error.report());
    assert!(!error.report().contains(other_key), "{}", error.report());
    let sink = open("az://other", &azurite_options(&server.endpoint)).await.unwrap();
    for error in [create(&*sink, "a", b"1").await.unwrap_err(), sink.read(&key("a"), None).await.unwrap_err()] {
        assert!(error.is(&storage_codes::BUCKET_NOT_FOUND), "{}", error.report());
    }
}
