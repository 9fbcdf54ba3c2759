//! Through Debian's PgBouncer: session mode works, transaction mode is refused, and settings reach the server or stop the backup.

use backup_postgres::preflight::{PreflightOptions, Prepared, prepare};
use backup_postgres::testing::{Cluster, PgBouncer, PoolMode};
use backup_postgres::{Connection, Env};
use std::process::Command;

async fn through(url: &str) -> backup_core::Result<Prepared> {
    prepare(&Connection::resolve(Some(url), &Env::default())?, &PreflightOptions::default()).await
}

fn psql(cluster: &Cluster, connection: &Connection, sql: &str) -> String {
    let mut command = Command::new(cluster.bindir().join("psql"));
    connection.apply(&mut command);
    let output = command.args(["-XAtw", "-c", sql]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

const SETTINGS: &str = "SELECT current_setting('TimeZone') || '|' || current_setting('bytea_output') || '|' || \
                        current_setting('quote_all_identifiers') || '|' || current_setting('standard_conforming_strings')";

#[tokio::test]
async fn session_mode_works() {
    let cluster = Cluster::options().role("app", "x").start();
    let pooler = PgBouncer::start(&cluster, PoolMode::Session, &[]);
    let prepared = through(&pooler.url_as("app", "postgres")).await.unwrap();
    assert_eq!(psql(&cluster, &prepared.connection, SETTINGS), "UTC|hex|off|on");
}

#[tokio::test]
async fn transaction_mode_is_refused() {
    let cluster = Cluster::options().role("app", "x").start();
    for settings in [&[][..], &["server_round_robin = 1", "min_pool_size = 3"], &["default_pool_size = 1"]] {
        let pooler = PgBouncer::start(&cluster, PoolMode::Transaction, settings);
        let error = through(&pooler.url_as("app", "postgres")).await.unwrap_err();
        assert_eq!(error.code().name(), "transaction_pooler", "{settings:?}: {}", error.report());
        assert!(error.hint().contains("session"), "{}", error.report());
    }
}

#[tokio::test]
async fn settings_of_the_login_are_pinned() {
    let cluster = Cluster::options().role("app", "x").start();
    cluster.psql(
        "postgres",
        "ALTER ROLE app SET TimeZone = 'Asia/Tokyo'; ALTER ROLE app SET bytea_output = 'escape'; ALTER DATABASE postgres SET quote_all_identifiers = on; ALTER ROLE app SET standard_conforming_strings = off; ALTER ROLE app SET lc_monetary = 'C'",
    );
    let prepared = through(&cluster.url_as("app", "postgres")).await.unwrap();
    assert_eq!(psql(&cluster, &prepared.connection, SETTINGS), "UTC|hex|off|on");
    let mut pinned: Vec<&str> = prepared.settings.pinned.iter().map(|(name, _)| name.as_str()).collect();
    pinned.sort();
    assert_eq!(pinned, ["bytea_output", "quote_all_identifiers", "standard_conforming_strings"]);
    let effective = &prepared.settings.effective;
    assert_eq!(
        (effective["TimeZone"].as_str(), effective["bytea_output"].as_str(), effective["lc_monetary"].as_str()),
        ("UTC", "hex", "C")
    );

    // Nothing differs: nothing but PGTZ is set.
    let plain = through(&cluster.url_as("postgres", "template1")).await.unwrap();
    assert!(plain.settings.pinned.is_empty());
}

#[tokio::test]
async fn a_pooler_that_keeps_settings_from_the_server_stops_the_backup() {
    let cluster = Cluster::options().role("app", "x").start();
    cluster.psql("postgres", "ALTER ROLE app SET bytea_output = 'escape'");
    for settings in [&[][..], &["ignore_startup_parameters = options"]] {
        let pooler = PgBouncer::start(&cluster, PoolMode::Session, settings);
        let error = through(&pooler.url_as("app", "postgres")).await.unwrap_err();
        assert_eq!(error.code().name(), "unsupported_connection_setting", "{settings:?}: {}", error.report());
        assert!(error.hint().contains("ALTER ROLE \"app\" SET bytea_output = 'hex';"), "{}", error.report());
    }
    cluster.psql("postgres", "ALTER ROLE app SET bytea_output = 'hex'");
    let pooler = PgBouncer::start(&cluster, PoolMode::Session, &[]);
    let prepared = through(&pooler.url_as("app", "postgres")).await.unwrap();
    assert_eq!(psql(&cluster, &prepared.connection, SETTINGS), "UTC|hex|off|on");
}

#[tokio::test]
async fn errors_through_a_pooler() {
    let cluster = Cluster::options().role("app", "x").start();
    let pooler = PgBouncer::start(&cluster, PoolMode::Session, &[]);
    let code = async |url: String| through(&url).await.unwrap_err().code().name();
    assert_eq!(code(pooler.url_as("nobody", "postgres")).await, "authentication_failed");
    assert_eq!(code(pooler.url_as("app", "missing")).await, "database_not_found");
    let options = format!("{}&options=-c%20work_mem%3D1MB", pooler.url_as("app", "postgres"));
    let error = through(&options).await.unwrap_err();
    assert!(error.hint().contains("PGOPTIONS"), "{}", error.report());
}
