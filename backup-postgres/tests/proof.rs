//! Proofs: what comes back identical, what does not, and what is said of what could not be tested.

mod support;

use backup_core::level::{Level, Outcome};
use backup_core::monitor::Silent;
use backup_core::proof::Proof;
use backup_core::prover::Prover;
use backup_core::testing::target::MemoryBackup;
use backup_postgres::testing::Cluster;
use backup_postgres::{PgDump, PgProver};
use std::sync::Arc;
use support::*;

fn prover() -> PgProver {
    PgProver::new().env(env()).jobs(2)
}

async fn back_up(cluster: &Cluster, database: &str) -> MemoryBackup {
    MemoryBackup::of(&PgDump::new(connection(cluster, database)).env(env())).await
}

async fn prove(prover: &PgProver, backup: &MemoryBackup) -> Proof {
    prover.prove(backup, Level::Identical, Arc::new(Silent)).await.unwrap()
}

fn told(proof: &Proof) -> Vec<String> {
    proof.differences.iter().map(|one| format!("{}: {}", one.object, one.what)).collect()
}

#[tokio::test]
async fn a_rich_database_comes_back_identical() {
    let cluster = Cluster::options().setting("wal_level", "logical").start();
    make_rich(&cluster, "rich");
    let backup = back_up(&cluster, "rich").await.pieces_of(100_000);
    drop(cluster);
    let proof = prove(&prover(), &backup).await;
    assert_eq!(proof.errors, Vec::<String>::new());
    assert_eq!(told(&proof), Vec::<String>::new());
    assert_eq!(proof.untested, Vec::new());
    assert_eq!(proof.outcome(Level::Identical), Outcome::Passed);
    assert!(proof.isolation.iter().all(|line| line.contains(": yes")), "{:?}", proof.isolation);
    let phases: Vec<&str> = proof.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(phases, ["provision", "definitions", "load", "fetch_and_decrypt", "indexes", "compare"]);
    eprintln!("{} {:?} {:?}", proof.compared, proof.notes, proof.phases);
}
