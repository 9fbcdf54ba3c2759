//! A database with every type and kind of object that pg_dump knows comes back identical: on each version, across versions, in a scratch cluster and
//! in an ordinary one.

#[path = "support/everything.rs"]
mod everything;
mod support;

use backup_core::level::{Level, Outcome};
use backup_core::monitor::Silent;
use backup_core::proof::Proof;
use backup_core::prover::Prover;
use backup_core::target::Target;
use backup_core::testing::target::MemoryBackup;
use backup_postgres::diff::{Other, diff};
use backup_postgres::testing::{Cluster, find_version};
use backup_postgres::{PgDump, PgProver, PgRestore};
use std::path::Path;
use std::sync::Arc;
use support::{connection, env};

fn dump(cluster: &Cluster, database: &str) -> PgDump {
    PgDump::new(connection(cluster, database)).env(env()).tools(cluster.bindir())
}

async fn backup_of_everything(version: Option<u32>, here: bool) -> MemoryBackup {
    let cluster = everything::cluster(version);
    everything::make(&cluster, here);
    MemoryBackup::of(&dump(&cluster, everything::NAME)).await.pieces_of(1 << 20)
}

async fn prove(backup: &MemoryBackup, programs: &Path) -> Proof {
    let prover = PgProver::new().env(env()).jobs(2).tools(programs);
    prover.prove(backup, Level::Identical, Arc::new(Silent)).await.unwrap()
}

#[track_caller]
fn assert_identical(proof: &Proof) {
    let differences: Vec<String> =
        proof.differences.iter().map(|one| format!("{}: {}", one.object, one.what)).collect();
    assert_eq!((&proof.errors, &differences, &proof.untested), (&vec![], &vec![], &vec![]), "{:#?}", proof.notes);
    assert_eq!(proof.outcome(Level::Identical), Outcome::Passed);
    assert!(proof.compared.contains("tables with"), "{}", proof.compared);
}

/// What the same server writes in other words once it was restored: a NULL gets its type, a cast goes into an array, columns of a child are sorted,
/// roles of a policy come in another order.
fn assert_same_words(proof: &Proof) {
    for note in &proof.notes {
        let of_enum = "rows of table app.by_enum may lie in other partitions than before: they come back by the root";
        let words =
            "definitions are the same in other words: PostgreSQL wrote them differently once they were restored";
        assert!(note == of_enum || note == &format!("3 {words}") || note == &format!("4 {words}"), "{note}");
    }
}

#[tokio::test]
async fn identical_on_15() {
    let backup = backup_of_everything(None, true).await;
    let proof = prove(&backup, &backup_postgres::testing::find_bindir()).await;
    assert_identical(&proof);
    assert_same_words(&proof);
}

/// A value of 100 MB as bytes (200 MB as text), and rows of every width beside it.
#[tokio::test]
async fn identical_with_a_value_of_100_mb() {
    let cluster = Cluster::start();
    cluster.psql(
        "postgres",
        "CREATE DATABASE huge; \\c huge
         CREATE TABLE huge (id int, value bytea);
         INSERT INTO huge SELECT i, convert_to(repeat('x', 1 << i), 'UTF8') FROM generate_series(0, 20) i;
         INSERT INTO huge SELECT 100, decode(repeat('00ff5c0a', 25000000), 'hex')",
    );
    let backup = MemoryBackup::of(&dump(&cluster, "huge")).await.pieces_of(1 << 20);
    drop(cluster);
    let proof = prove(&backup, &backup_postgres::testing::find_bindir()).await;
    assert_identical(&proof);
}

#[tokio::test]
async fn identical_on_16() {
    let backup = backup_of_everything(Some(16), false).await;
    let proof = prove(&backup, &find_version(16)).await;
    assert_identical(&proof);
    assert_same_words(&proof);
}

#[tokio::test]
async fn identical_on_18() {
    let backup = backup_of_everything(Some(18), false).await;
    let proof = prove(&backup, &find_version(18)).await;
    assert_identical(&proof);
    assert_same_words(&proof);
}

#[tokio::test]
async fn a_dump_of_15_is_identical_in_18() {
    let backup = backup_of_everything(None, false).await;
    let proof = prove(&backup, &find_version(18)).await;
    assert_identical(&proof);
    let told = proof.notes.iter().any(|note| note.contains("the same in other words: PostgreSQL 18"));
    assert!(told, "{:?}", proof.notes);
}

#[tokio::test]
async fn a_dump_of_16_is_identical_in_18() {
    let backup = backup_of_everything(Some(16), false).await;
    let proof = prove(&backup, &find_version(18)).await;
    assert_identical(&proof);
}

async fn an_ordinary_restore_is_equal(version: Option<u32>, here: bool) {
    let backup = backup_of_everything(version, here).await;
    let other = everything::cluster(version);
    everything::make_surroundings(&other);
    let target = PgRestore::new(connection(&other, everything::NAME)).env(env()).tools(other.bindir()).jobs(2);
    let report = target.restore(&backup, Arc::new(Silent)).await.unwrap();
    assert_eq!(report.warnings, Vec::<String>::new());
    let database = dump(&other, everything::NAME);
    let found = diff(&backup, Other::Database(&database), Arc::new(Silent)).await.unwrap();
    let differ: Vec<&str> = found.objects.iter().map(|one| one.difference.object.as_str()).collect();
    // See `assert_same_words`.
    assert_eq!(differ, ["table app.by_range_2025", "table app.heir", "view app.all_sorts"]);
    assert_eq!(found.tables, []);
}

#[tokio::test]
async fn an_ordinary_restore_is_equal_on_15() {
    an_ordinary_restore_is_equal(None, true).await;
}

#[tokio::test]
async fn an_ordinary_restore_is_equal_on_18() {
    an_ordinary_restore_is_equal(Some(18), false).await;
}
