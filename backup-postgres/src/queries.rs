//! All SQL that this crate asks servers with.

/// Whether the server is in recovery, and whether transactions are read-only.
pub(crate) const SERVER_STATE: &str =
    "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool";

/// What a restore needs to know of the server and of the role that restores.
pub(crate) const RESTORE_SERVER: &str = include_str!("../sql/restore_server.sql");
/// All roles, and whether the current one may give objects to them.
pub(crate) const RESTORE_ROLES: &str = include_str!("../sql/restore_roles.sql");
/// The extensions that could be created.
pub(crate) const RESTORE_EXTENSIONS: &str = include_str!("../sql/restore_extensions.sql");
/// All tablespaces.
pub(crate) const RESTORE_TABLESPACES: &str = include_str!("../sql/restore_tablespaces.sql");
/// Whether a database exists.
pub(crate) const DATABASE_EXISTS: &str = include_str!("../sql/database_exists.sql");
