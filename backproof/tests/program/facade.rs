//! The library as services use it: the example of the crate's documentation, run.

use crate::site::Site;
use backproof::core::error::Code;
use backproof::core::level::{Level, Outcome};
use backproof::postgres::{Connection, Env, PgDump, PgProver};
use backup_postgres::testing::Cluster;
use std::collections::BTreeSet;
use std::sync::Arc;

#[tokio::test]
async fn a_first_proven_backup() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE TABLE t AS SELECT generate_series(1, 1000) i");
    let site = Site::new();
    let repo = backproof::open(&site.url()).await.unwrap();
    let recipients = backproof::recipients([site.recipient.as_str()]).await.unwrap();
    let env: Env = [("PATH", std::env::var("PATH").unwrap())].into_iter().collect();
    let source = PgDump::new(Connection::resolve(Some(&cluster.url("postgres")), &env).unwrap());
    let request = repo.backup("app".parse().unwrap(), Arc::new(source)).label("daily".parse().unwrap());
    let backup = request.seal(recipients).run().await.unwrap();
    let identity = backproof::identities([site.path("key.txt")]).await.unwrap();
    let verdict = repo
        .verify()
        .only(backup.manifest.id.as_str().parse().unwrap())
        .level(Level::Readable)
        .open_with(Some(identity))
        .prover(Arc::new(PgProver::new()))
        .run()
        .await
        .unwrap();
    assert_eq!(verdict.exit_code(), 0, "{verdict}");
    assert_eq!(verdict.backups[0].outcome, Outcome::Passed);
    assert!(verdict.backups[0].held.iter().any(|held| held.contains("table")), "{:?}", verdict.backups[0].held);
    assert!(verdict.to_string().contains("authenticity: not checked"), "{verdict}");
}

#[tokio::test]
async fn settings_without_the_program() {
    use backproof::config::{Overrides, Settings};
    let site = Site::new();
    let overrides = Overrides {
        config: Some(site.path("backproof.toml")),
        identities: vec![site.at("key.txt")],
        trusted_signers: Some(site.at("signers")),
        ..Overrides::default()
    };
    let settings = Settings::load(&overrides, [("BACKPROOF_LABEL", "weekly")].into_iter().collect()).unwrap();
    assert_eq!(settings.label.as_ref().unwrap().as_str(), "weekly");
    let repo = settings.repository().await.unwrap();
    assert_eq!(repo.marker().installation, site.installation);
    assert!(repo.trust().is_some());
}

#[test]
fn every_code_is_one_name_with_a_meaning_and_a_hint() {
    let all: Vec<&Code> = backproof::error::all_codes();
    assert!(all.len() > 60, "{}", all.len());
    let mut names = BTreeSet::new();
    for code in all {
        let name = code.name();
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        assert!(!code.meaning().is_empty() && !code.hint().is_empty(), "{name}");
        assert!(!code.hint().ends_with('.') && !code.meaning().contains("  "), "{name}: {:?}", code.meaning());
    }
}
