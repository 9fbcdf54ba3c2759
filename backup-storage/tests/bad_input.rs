//! Wrong URLs, settings and credentials: each a clear error, at once, without a secret in it.

mod support;

use backup_core::error::{Code, codes};
use backup_storage::error::codes as storage_codes;
use backup_storage::{Environment, ServerSideEncryption, StoreOptions, from_object_store, open};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::answers::{answer, answering};
use support::options;

async fn refused(url: &str, options: &StoreOptions, code: &Code) -> String {
    let error = open(url, options).await.expect_err(url);
    assert!(error.is(code), "{url}: {} is not {code}", error.report());
    assert!(!error.hint().is_empty());
    error.report()
}

#[tokio::test]
async fn urls() {
    let none = StoreOptions::default();
    for url in ["", "backups", "/var/backups", "file://backups/x", "s3://", "memory:///x"] {
        refused(url, &none, &storage_codes::INVALID_URL).await;
    }
    for url in ["http://host/x", "ftp://host/x", "s3a://bucket/x"] {
        refused(url, &none, &storage_codes::UNKNOWN_SCHEME).await;
    }
    let report = refused("s3://KEY:hunter2@bucket/x", &none, &storage_codes::INVALID_URL).await;
    assert!(!report.contains("hunter2"));
    let prefix = from_object_store(Arc::new(backup_storage::object_store::memory::InMemory::new()), "a//b", "mine");
    assert!(prefix.unwrap_err().is(&codes::INVALID_ARGUMENT));
}

#[tokio::test]
async fn missing_credentials_name_the_variables_within_seconds() {
    let began = Instant::now();
    let home = tempfile::tempdir().unwrap();
    let home = [("HOME", home.path().to_str().unwrap())];
    for (url, variable) in [
        ("s3://bucket/x", "AWS_ACCESS_KEY_ID"),
        ("gs://bucket/x", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://container/x", "AZURE_STORAGE_ACCOUNT_NAME"),
    ] {
        let report = refused(url, &options(&home), &storage_codes::CREDENTIALS_MISSING).await;
        assert!(report.contains(variable), "{report}");
    }
    let account = [("AZURE_STORAGE_ACCOUNT", "acme")];
    let report = refused("az://container/x", &options(&account), &storage_codes::CREDENTIALS_MISSING).await;
    assert!(report.contains("AZURE_STORAGE_ACCOUNT_KEY"), "{report}");
    let r2 = [("R2_BUCKET", "bucket"), ("R2_ENDPOINT", "https://0123.r2.cloudflarestorage.com")];
    let report = refused("s3://bucket/x", &options(&r2), &storage_codes::CREDENTIALS_MISSING).await;
    assert!(report.contains("R2_ACCESS_KEY_ID"), "{report}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test]
async fn half_of_the_credentials() {
    for (set, unset) in [("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")]
    {
        // Empty is unset.
        let report = refused("s3://b", &options(&[(set, "x"), (unset, "")]), &storage_codes::CREDENTIALS_MISSING).await;
        assert!(report.contains(&format!("{set} is set and {unset} is not")), "{report}");
    }
    let profile = options(&[("AWS_PROFILE", "prod"), ("AWS_EC2_METADATA_DISABLED", "true")]);
    let report = refused("s3://b", &profile, &storage_codes::CREDENTIALS_MISSING).await;
    assert!(report.contains("export-credentials"), "{report}");
}

#[tokio::test]
async fn the_metadata_service_hands_out_credentials_where_no_variable_does() {
    const CREDENTIALS: &str = r#"{"Code": "Success", "AccessKeyId": "AKIA1", "SecretAccessKey": "s", "Token": "t",
        "Expiration": "2999-01-01T00:00:00Z", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC"}"#;
    let with_role = answering(|request| match request.uri().path().trim_end_matches('/') {
        "/latest/api/token" => answer(200, "token"),
        "/latest/meta-data/iam/security-credentials" => answer(200, "role"),
        "/latest/meta-data/iam/security-credentials/role" => answer(200, CREDENTIALS),
        path => answer(404, path.to_owned()),
    })
    .await;
    let without_role = answering(|request| match request.uri().path() {
        "/latest/api/token" => answer(200, "token"),
        _ => answer(404, ""),
    })
    .await;
    let at = |endpoint: &str, disabled: &str| {
        let mut options = StoreOptions::default();
        options.env = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint), ("AWS_EC2_METADATA_DISABLED", disabled)]
            .into_iter()
            .collect();
        options
    };
    open("s3://b", &at(&with_role, "")).await.unwrap();
    refused("s3://b", &at(&with_role, "true"), &storage_codes::CREDENTIALS_MISSING).await;
    let report = refused("s3://b", &at(&without_role, ""), &storage_codes::CREDENTIALS_MISSING).await;
    assert!(report.contains("AWS_ACCESS_KEY_ID") && report.contains("answered 404"), "{report}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    refused("s3://b", &at(&format!("http://{closed}"), ""), &storage_codes::CREDENTIALS_MISSING).await;
    // Connections are taken, and nothing is said.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = at(&format!("http://{}", silent.local_addr().unwrap()), "");
    let began = Instant::now();
    refused("s3://b", &silent, &storage_codes::CREDENTIALS_MISSING).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn credentials_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.json");
    std::fs::write(&file, r#"{"private_key": "very-secret"}"#).unwrap();
    let path = file.to_str().unwrap();
    for variables in [
        [("GOOGLE_SERVICE_ACCOUNT_KEY", r#"{"private_key": "very-secret", "#)],
        [("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file")],
        [("GOOGLE_APPLICATION_CREDENTIALS", path)],
        [("GOOGLE_SERVICE_ACCOUNT", path)],
    ] {
        let report = refused("gs://b", &options(&variables), &storage_codes::CREDENTIALS_FAILED).await;
        assert!(!report.contains("very-secret"), "{report}");
    }
    for variables in [
        [("AZURE_STORAGE_ACCOUNT", "acme"), ("AZURE_STORAGE_ACCOUNT_KEY", "very-secret, not base64")],
        [("AZURE_STORAGE_ACCOUNT", "acme"), ("AZURE_STORAGE_CONNECTION_STRING", "very-secret")],
    ] {
        let report = refused("az://c", &options(&variables), &storage_codes::CREDENTIALS_FAILED).await;
        assert!(!report.contains("very-secret"), "{report}");
    }
}

/// Every setting, each on its own.
fn every_setting() -> Vec<(&'static str, StoreOptions)> {
    let with = |change: fn(&mut StoreOptions)| {
        let mut options = options(&[
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "y"),
            ("AZURE_STORAGE_ACCOUNT", "acme"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "eHl6"),
            (
                "GOOGLE_SERVICE_ACCOUNT_KEY",
                r#"{"private_key":"p","private_key_id":"i","client_email":"e","disable_oauth":true}"#,
            ),
        ]);
        options.metadata_service = None;
        change(&mut options);
        options
    };
    vec![
        ("metadata_service", with(|options| options.metadata_service = Some(false))),
        ("endpoint", with(|options| options.endpoint = Some("https://store.example".into()))),
        ("region", with(|options| options.region = Some("eu-west-1".into()))),
        ("path_style", with(|options| options.path_style = Some(true))),
        ("server_side_encryption", with(|options| options.server_side_encryption = Some(ServerSideEncryption::Aes256))),
        ("storage_class", with(|options| options.storage_class = Some("X".into()))),
        ("tags", with(|options| options.tags = [("a".to_owned(), "b".to_owned())].into())),
        ("checksums", with(|options| options.checksums = Some(true))),
        ("allow_unconditional_create", with(|options| options.allow_unconditional_create = true)),
        ("connect_timeout", with(|options| options.connect_timeout = Some(Duration::from_secs(1)))),
        ("request_timeout", with(|options| options.request_timeout = Some(Duration::from_secs(1)))),
        ("retry_for", with(|options| options.retry_for = Some(Duration::from_secs(1)))),
        ("allow_http", with(|options| options.allow_http = true)),
        ("ca_file", with(|options| options.ca_file = Some("/no/such/file".into()))),
    ]
}

#[tokio::test]
async fn settings_without_effect_are_refused() {
    for (setting, options) in every_setting() {
        for url in ["file:///tmp/x", "memory:///"] {
            let report = refused(url, &options, &storage_codes::USELESS_SETTING).await;
            assert!(report.contains(setting), "{report}");
        }
        let with_effect = |url: &str| match setting {
            "region" | "path_style" | "server_side_encryption" | "checksums" => url.starts_with("s3"),
            "tags" => !url.starts_with("gs"),
            "allow_http" => false,
            _ => true,
        };
        for url in ["s3://bucket", "gs://bucket", "az://container"] {
            match open(url, &options).await {
                // Where it has an effect, it takes effect: there is no such file.
                Err(error) if setting == "ca_file" => assert!(error.is(&codes::FILE_NOT_FOUND), "{}", error.report()),
                Err(error) => {
                    assert!(
                        error.is(&storage_codes::USELESS_SETTING) && !with_effect(url),
                        "{url}: {}",
                        error.report()
                    );
                    assert!(error.chain().contains(setting), "{}", error.report());
                }
                Ok(_) => assert!(with_effect(url), "{setting} has no effect on {url}, and nobody said so"),
            }
        }
    }
}

#[tokio::test]
async fn r2_refuses_what_it_does_not_have() {
    for (setting, mut options) in every_setting() {
        options.endpoint = Some("https://0123.r2.cloudflarestorage.com".into());
        match open("s3://bucket", &options).await {
            Ok(_) => assert!(
                !["region", "server_side_encryption", "tags", "allow_http", "ca_file"].contains(&setting),
                "{setting}"
            ),
            Err(error) if setting == "ca_file" => assert!(error.is(&codes::FILE_NOT_FOUND)),
            Err(error) => {
                assert!(error.is(&storage_codes::USELESS_SETTING), "{}", error.report());
                assert!(error.chain().contains(setting), "{}", error.report());
            }
        }
    }
}

#[tokio::test]
async fn plain_http_has_to_be_allowed() {
    let with = |endpoint: &str, allow_http: bool| {
        let mut options = options(&[("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")]);
        options.endpoint = Some(endpoint.into());
        options.allow_http = allow_http;
        options
    };
    let report = refused("s3://b", &with("http://store.example", false), &codes::INVALID_ARGUMENT).await;
    assert!(report.contains("allow_http"), "{report}");
    open("s3://b", &with("http://store.example", true)).await.unwrap();
    for endpoint in
        ["store.example", "ftp://store.example", "https://", "https://user:pw@store.example", "https://a.example/?x=1"]
    {
        let report = refused("s3://b", &with(endpoint, false), &codes::INVALID_ARGUMENT).await;
        assert!(!report.contains("pw"), "{report}");
    }
    // From a variable too.
    let variables =
        [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("AWS_ENDPOINT_URL", "http://store.example")];
    refused("s3://b", &options(&variables), &codes::INVALID_ARGUMENT).await;
    let mut ca_file = with("http://store.example", true);
    ca_file.ca_file = Some("/etc/ssl/certs/ca-certificates.crt".into());
    refused("s3://b", &ca_file, &storage_codes::USELESS_SETTING).await;
}

#[tokio::test]
async fn files_of_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let mut options = options(&[("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")]);
    options.ca_file = Some(file.clone());
    for contents in ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&file, contents).unwrap();
        refused("s3://b", &options, &codes::INVALID_ARGUMENT).await;
    }
}

#[test]
fn variables_show_no_values() {
    let environment: Environment = [("AWS_SECRET_ACCESS_KEY", "very-secret"), ("HOME", "")].into_iter().collect();
    assert_eq!(environment.get("HOME"), None);
    assert_eq!(environment.get("AWS_SECRET_ACCESS_KEY"), Some("very-secret"));
    let shown = format!("{environment:?}");
    assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("very-secret"), "{shown}");
    assert!(Environment::from_process().get("PATH").is_some());
}
