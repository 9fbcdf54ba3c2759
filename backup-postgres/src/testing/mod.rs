//! Throw-away PostgreSQL clusters, certificates and poolers for tests (feature `testing`).
//!
//! Everything here panics with a message that says what is missing instead of returning errors: it is for tests only.
//! Nothing outlives its owner: a watchdog process stops the server and removes its folder even when the test is killed.

mod account;
mod certificates;
mod cluster;
mod pgbouncer;
mod watchdog;

pub use certificates::{Certificates, ClientCertificate};
pub use cluster::{Cluster, ClusterOptions, find_bindir, find_version};
pub use pgbouncer::{PgBouncer, PoolMode};
