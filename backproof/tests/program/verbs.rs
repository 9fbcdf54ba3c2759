//! The verbs as bindings and services call them: options from JSON, results as the program prints them, any stream as a source.

use backproof::config::Overrides;
use backproof::core::general::StreamSource;
use backproof::core::monitor::{Event, Monitor};
use backproof::verbs::*;
use backproof::{Backproof, Confirm, Result};
use backup_postgres::testing::Cluster;
use bytes::Bytes;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

fn options<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A session with a store in memory, and no setting of this machine.
fn in_memory(more: Value) -> Backproof {
    let mut settings = json!({ "repo": "memory:///", "name": "app", "env": {}, "configuration": {} });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Backproof::open(options::<Overrides>(settings)).unwrap()
}

fn bytes(text: &'static str) -> Arc<StreamSource> {
    Arc::new(StreamSource::new(futures::stream::iter([Ok(Bytes::from(text))])))
}

#[tokio::test]
async fn a_stream_is_backed_up_listed_shown_read_and_verified() {
    let backproof = in_memory(json!({ "label": "daily" }));
    let made = backproof.init(&InitOptions::default()).await.unwrap();
    assert_eq!(made.repository, "memory:///");
    let unsealed: BackupOptions = options(json!({ "no_encryption": true, "compression_level": 1 }));
    let backup = backproof.backup_from(bytes("some data"), &unsealed).await.unwrap();
    assert_eq!((backup.plain_bytes > 9, backup.label.as_str(), backup.exit_code()), (true, "daily", 0));

    // Clones share the store.
    let listed = backproof.clone().list(&options(json!({}))).await.unwrap();
    assert_eq!((listed.backups.len(), &listed.backups[0].id), (1, &backup.id));
    assert_eq!(serde_json::to_value(&listed).unwrap()["backups"][0]["kind"], "stream");
    let shown = backproof.show(&options(json!({ "id": "latest", "restore_md": true }))).await.unwrap();
    assert_eq!(shown.manifest_sha256, backup.manifest_sha256);
    assert!(shown.restore_md.unwrap().contains(backup.id.as_str()));
    let Cat::Part(part) = backproof.cat(&options(json!({ "id": "latest", "part": "data" }))).await.unwrap() else {
        panic!("a part was asked for")
    };
    assert_eq!(part.stream.read_to_end().await.unwrap(), b"some data");

    let verify = json!({ "ids": [backup.id], "level": "readable", "max_age": 3600, "min_size": "1" });
    let verified = backproof.verify(&options(verify)).await.unwrap();
    assert_eq!((verified.exit_code(), verified.verdict.backups.len()), (0, 1), "{}", verified.verdict);
    let old = backproof.verify(&options(json!({ "max_age": 0.0, "min_size": 1_000_000 }))).await.unwrap();
    assert_eq!(old.exit_code(), 2, "{}", old.verdict);
    let settings = backproof.config(&ConfigOptions::default()).await.unwrap().settings;
    assert!(
        settings.iter().any(|setting| setting.name == "repository.url" && setting.origin == "flag"),
        "{settings:?}"
    );
}

#[test]
fn options_are_taken_as_the_program_takes_them_and_nothing_else() {
    let verify = |value| serde_json::from_value::<VerifyOptions>(value);
    let seconds = |value| verify(json!({ "max_age": value })).unwrap().max_age.unwrap().0.as_secs();
    assert_eq!((seconds(json!("48h")), seconds(json!(90)), seconds(json!(1.5))), (172_800, 90, 1));
    let size = |value| verify(json!({ "min_size": value })).unwrap().min_size.unwrap().0;
    assert_eq!((size(json!("16MiB")), size(json!(5))), (16 << 20, 5));
    for wrong in [
        json!({ "max_age": "48" }),
        json!({ "max_age": -1 }),
        json!({ "min_size": -1 }),
        json!({ "min_size": 1.5 }),
        json!({ "level": "deepest" }),
        json!({ "max_agee": 1 }),
    ] {
        assert!(verify(wrong.clone()).is_err(), "{wrong}");
    }
    let settings: Overrides = options(json!({ "memory": 1 << 30, "passphrase": "hush", "env": { "A": "hush" },
        "configuration": { "series": { "app": { "database": "postgres://u:hush@h/app" } }, "drill": { "scratch": "postgres://u:hush@h/x" } } }));
    assert_eq!(settings.memory.as_deref(), Some("1073741824"));
    assert!(!format!("{settings:?}").contains("hush"), "{settings:?}");
}

#[tokio::test]
async fn an_option_that_would_do_nothing_is_refused() {
    let backproof = in_memory(json!({}));
    backproof.init(&InitOptions::default()).await.unwrap();
    for wrong in [
        json!({ "no_encryption": true, "skip_unreadable": true }),
        json!({ "no_encryption": true, "role_passwords": true }),
        json!({ "no_encryption": true, "file": "x" }),
        json!({ "no_encryption": true, "command": ["true"] }),
    ] {
        let error = backproof.backup_from(bytes("x"), &options(wrong.clone())).await.unwrap_err();
        assert_eq!(error.code().name(), "no_effect", "{wrong}");
    }
    for (wrong, code) in [
        (json!({ "id": "latest" }), "usage"),
        (json!({ "to_directory": "x" }), "invalid_argument"),
        (json!({ "id": "latest", "to": "postgres:///x", "to_directory": "x" }), "no_effect"),
        (json!({ "id": "latest", "to_directory": "x", "jobs": 2 }), "no_effect"),
        (json!({ "id": "latest", "to_directory": "x", "yes": true }), "no_effect"),
        (json!({ "id": "20261120", "to_directory": "x", "before": "2026-11-20T12:00:00Z" }), "no_effect"),
        (json!({ "id": "latest", "to": "postgres:///x", "swap": true, "in_place": true }), "no_effect"),
        (json!({ "id": "latest", "to": "postgres:///x", "swap": true, "tables": ["a"] }), "no_effect"),
        (json!({ "id": "latest", "to": "postgres:///x", "schema": "a" }), "no_effect"),
        (
            json!({ "id": "latest", "to": "postgres:///x", "tables": ["a"], "replace": true, "missing_rows": true }),
            "no_effect",
        ),
        (json!({ "id": "latest", "to": "postgres:///x", "drop_old": true }), "no_effect"),
        (json!({ "id": "latest", "to": "postgres:///x", "level": "intact" }), "no_effect"),
        (json!({ "id": "latest", "to": "postgres:///x", "yes": true }), "no_effect"),
    ] {
        let error = backproof.restore(&options(wrong.clone())).await.unwrap_err();
        assert_eq!(error.code().name(), code, "{wrong}: {error}");
    }
    assert_eq!(backproof.keygen(&KeygenOptions::default()).await.unwrap_err().code().name(), "usage");
    assert_eq!(backproof.rollback(&RollbackOptions::default()).await.unwrap_err().code().name(), "usage");
    assert_eq!(backproof.cat(&options(json!({ "id": "latest" }))).await.unwrap_err().code().name(), "usage");
}

#[tokio::test]
async fn a_cancelled_session_does_nothing_and_a_new_token_goes_on() {
    let backproof = in_memory(json!({}));
    backproof.init(&InitOptions::default()).await.unwrap();
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let ended = backproof.clone().cancel_with(cancelled);
    let unsealed = BackupOptions { no_encryption: true, ..BackupOptions::default() };
    let code = |result: Result<()>| result.unwrap_err().code().name();
    assert_eq!(code(ended.backup_from(bytes("x"), &unsealed).await.map(drop)), "cancelled");
    assert_eq!(code(ended.list(&ListOptions::default()).await.map(drop)), "cancelled");
    let restore = RestoreOptions { id: "latest".into(), to: Some("postgres:///x".into()), ..RestoreOptions::default() };
    assert_eq!(code(ended.restore(&restore).await.map(drop)), "cancelled");
    assert!(backproof.list(&ListOptions::default()).await.unwrap().backups.is_empty());
}

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Monitor for Heard {
    fn event(&self, event: Event) {
        if let Event::Warning { message } = event {
            self.0.lock().unwrap().push(message);
        }
    }
}

struct Typed(Mutex<Vec<String>>);

impl Confirm for Typed {
    fn confirm(&self, what: &str, word: &str) -> Result<()> {
        self.0.lock().unwrap().push(format!("{word}: {what}"));
        Ok(())
    }
}

/// Nothing but the settings decides: this process has no variable that matters.
#[tokio::test]
async fn a_database_is_backed_up_compared_and_swapped() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE shop");
    cluster.psql("shop", "CREATE TABLE orders AS SELECT i AS id FROM generate_series(1, 100) i");
    let url = cluster.url("shop");
    let path = std::env::var("PATH").unwrap();
    let heard = Arc::new(Heard::default());
    let backproof =
        in_memory(json!({ "passphrase": "long and known to me alone", "env": { "PATH": path, "DATABASE_URL": url } }));
    let backproof = backproof.monitor(heard.clone());
    backproof.init(&InitOptions::default()).await.unwrap();
    let sealed = BackupOptions { passphrase: true, ..BackupOptions::default() };
    let backup = backproof.backup(&sealed).await.unwrap();
    assert_eq!(backup.warnings, *heard.0.lock().unwrap(), "told as they come up, and in the result");

    cluster.psql("shop", "DELETE FROM orders WHERE id > 90");
    let diff = backproof.diff(&options(json!({ "before": "latest", "passphrase": true }))).await.unwrap();
    let document = serde_json::to_value(&diff).unwrap();
    assert_eq!((diff.exit_code(), &document["diff"]["tables"][0]["rows_after"]), (1, &json!(90)), "{document:#}");
    let Cat::Rows(mut table) =
        backproof.cat(&options(json!({ "id": "latest", "table": "orders", "passphrase": true }))).await.unwrap()
    else {
        panic!("rows were asked for")
    };
    let mut rows = 0;
    while table.rows.next().await.unwrap().is_some() {
        rows += 1;
    }
    assert_eq!(rows, 100);

    let to = SecretString::from(url.clone());
    let swap = RestoreOptions {
        id: "latest".into(),
        to: Some(to.clone()),
        swap: true,
        no_encryption: true,
        passphrase: true,
        ..RestoreOptions::default()
    };
    let plan = backproof.restore(&RestoreOptions { dry_run: true, ..swap.clone() }).await.unwrap();
    assert_eq!(plan.plan.unwrap().backup, Some(backup.id.clone()));
    // Nobody can be asked, so nothing is done; then somebody is.
    let refused = backproof.restore(&swap).await.unwrap_err();
    assert_eq!(refused.code().name(), "confirmation_required", "{refused}");
    let typed = Arc::new(Typed(Mutex::default()));
    let done = backproof.clone().confirm(typed.clone()).restore(&swap).await.unwrap();
    assert_eq!(done.swapped.unwrap().backup, backup.id.to_string());
    assert!(typed.0.lock().unwrap()[0].starts_with("shop: "), "{:?}", typed.0);
    assert_eq!(cluster.psql("shop", "SELECT count(*) FROM orders"), "100");
    let back = RollbackOptions { to, yes: true, ..RollbackOptions::default() };
    let done = backproof.rollback(&back).await.unwrap();
    assert_eq!(done.rolled_back.unwrap().live, "shop");
    assert_eq!(cluster.psql("shop", "SELECT count(*) FROM orders"), "90");
}

/// Bindings run verbs on threads of their own.
#[test]
fn every_verb_can_be_sent_to_another_thread() {
    fn sent<T: Send>(_: T) {}
    let backproof = in_memory(json!({}));
    sent(backproof.init(&InitOptions::default()));
    sent(backproof.keygen(&KeygenOptions::default()));
    sent(backproof.backup(&BackupOptions::default()));
    sent(backproof.backup_from(bytes(""), &BackupOptions::default()));
    sent(backproof.list(&ListOptions::default()));
    sent(backproof.show(&ShowOptions::default()));
    sent(backproof.cat(&CatOptions::default()));
    sent(backproof.verify(&VerifyOptions::default()));
    sent(backproof.restore(&RestoreOptions::default()));
    sent(backproof.rollback(&RollbackOptions::default()));
    sent(backproof.diff(&DiffOptions::default()));
    sent(backproof.drill(&DrillOptions::default()));
    sent(backproof.config(&ConfigOptions::default()));
}
