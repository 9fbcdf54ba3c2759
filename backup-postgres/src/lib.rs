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
//! - every error code of this crate: [`error::codes`].

pub mod connection;
pub mod error;
pub mod globals;
pub mod pooler;
pub mod preflight;
mod queries;
pub mod server;
pub mod settings;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
pub mod tools;

pub use connection::{Connection, Env, Session};
pub use globals::globals;
pub use preflight::{Preflight, PreflightOptions, Prepared, prepare};
pub use server::ServerFacts;
pub use settings::SessionSettings;
pub use tools::Tools;
