//! PostgreSQL for backproof: connections, the preflight, dumps, archives and restores.

pub mod archive;
pub mod error;
#[cfg(feature = "testing")]
pub mod testing;
