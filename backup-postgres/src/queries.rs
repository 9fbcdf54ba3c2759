//! All SQL that this crate asks servers with.

/// Whether the server is in recovery, and whether transactions are read-only.
pub(crate) const SERVER_STATE: &str =
    "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool";
