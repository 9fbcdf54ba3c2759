//! PostgreSQL for backproof: connections, the preflight, dumps, archives and restores.
//!
//! Where to find things:
//!
//! - how a database is reached, from URLs, variables, service and password files: [`connection`];
//! - TLS, as libpq's `sslmode` means it: [`tls`];
//! - which `pg_dump` is run: [`tools`];
//! - what is checked before a dump: [`preflight`] (its recipe is [`preflight::prepare`]), [`pooler`], [`settings`], [`server`];
//! - roles and tablespaces: [`globals()`];
//! - all SQL that asks the catalogs: `queries` and the files of `sql/`;
//! - pg_dump's archive format: [`archive`]; backing up: [`dump`]; restoring: [`restore`], in place of a live database: [`swap`]; single
//!   tables: [`table_restore`]; checking what is read: [`prover`];
//! - a cluster to try restores in, and the cage that it runs in: [`scratch`];
//! - what a user expects of a restored database: [`assertions`];
//! - what a dump holds, noted and compared: [`inventory`];
//! - the rows of one table, without a server: [`rows`]; two backups, or a backup and a database, side by side: [`mod@diff`];
//! - every error code of this crate: [`error::codes`].

pub mod archive;
pub mod assertions;
pub mod connection;
pub mod diff;
pub mod dump;
pub mod error;
pub mod globals;
pub mod inventory;
pub mod pooler;
pub mod preflight;
mod proof;
pub mod prover;
mod queries;
pub mod restore;
pub mod rows;
pub mod scratch;
pub mod server;
pub mod settings;
pub mod swap;
pub mod table_restore;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
pub mod tools;

pub use connection::{Connection, Env, Session};
pub use dump::PgDump;
pub use globals::globals;
pub use preflight::{Preflight, PreflightOptions, Prepared, prepare};
pub use prover::PgProver;
pub use restore::PgRestore;
pub use rows::{TableRows, table_rows};
pub use scratch::{Scratch, ScratchOptions};
pub use server::ServerFacts;
pub use settings::SessionSettings;
pub use tools::Tools;

/// The kind of backups that [`PgDump`] makes.
pub const KIND: &str = "postgresql-dump";

/// The part with pg_dump's archive.
pub(crate) fn dump_part() -> backup_core::names::PartName {
    backup_core::names::PartName::from_static("dump")
}
