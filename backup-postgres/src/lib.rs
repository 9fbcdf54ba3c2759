//! PostgreSQL for backproof: connections, the preflight, dumps, archives and restores.

#[cfg(feature = "testing")]
pub mod testing;
