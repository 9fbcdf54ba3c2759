//! The program as its users run it: the real binary, a cleared environment, folders and servers that go away.
//!
//! Needs PostgreSQL's server and contrib, `age`, `gpg`, `zstd`, `ssh-keygen`, `pgbouncer`, `setsid` and `bash`; each test says what it misses.

mod alerts;
mod bad_input;
mod comparing;
mod configuration;
#[path = "../../../backup-postgres/tests/support/mod.rs"]
mod database;
mod documents;
mod facade;
mod faults;
mod interruption;
mod keys;
mod long_rows;
mod preflight;
mod printing;
mod proving;
mod round_trip;
mod secrets;
mod signatures;
mod site;
mod stock_tools;
mod swapping;
mod verbs;
mod versions;
mod write_only;
