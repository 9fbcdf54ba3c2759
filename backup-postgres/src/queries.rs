//! All SQL that this crate asks servers with: one file each in `sql/`, but for one-liners.
//!
//! Names are qualified, and sessions for backups run with an empty `search_path`, so that nobody's functions run instead of the server's.

/// Whether the server is in recovery, and whether transactions are read-only.
pub(crate) const SERVER_STATE: &str = include_str!("../sql/server_state.sql");
/// What a backup records of server, database and role.
pub(crate) const SERVER_FACTS: &str = include_str!("../sql/server_facts.sql");
/// Extensions of the database.
pub(crate) const EXTENSIONS: &str = include_str!("../sql/extensions.sql");
/// Indexes that pg_dump leaves out because they are invalid.
pub(crate) const INVALID_INDEXES: &str = include_str!("../sql/invalid_indexes.sql");
/// What an archive does not show and a comparison needs.
pub(crate) const EXTRAS: &str = include_str!("../sql/extras.sql");
/// Values of settings, by name.
pub(crate) const SETTINGS: &str = include_str!("../sql/settings.sql");
/// Which server process answers. Asked without a prepared statement.
pub(crate) const BACKEND_PID: &str = include_str!("../sql/backend_pid.sql");
/// Tables and sequences that pg_dump reads and the login cannot.
pub(crate) const UNREADABLE_RELATIONS: &str = include_str!("../sql/unreadable_relations.sql");
/// Large objects that the login cannot read.
pub(crate) const UNREADABLE_LARGE_OBJECTS: &str = include_str!("../sql/unreadable_large_objects.sql");
/// Subscriptions, which pg_dump leaves out unless a superuser runs it.
pub(crate) const HIDDEN_SUBSCRIPTIONS: &str = include_str!("../sql/hidden_subscriptions.sql");
/// User mappings whose options the login cannot see.
pub(crate) const HIDDEN_USER_MAPPINGS: &str = include_str!("../sql/hidden_user_mappings.sql");
/// Unlogged tables, which have no data on a standby.
pub(crate) const UNLOGGED_ON_STANDBY: &str = include_str!("../sql/unlogged_on_standby.sql");
/// Everything that depends on some relations.
pub(crate) const DEPENDENTS: &str = include_str!("../sql/dependents.sql");
/// Foreign keys to tables whose rows are left out.
pub(crate) const FOREIGN_KEYS_TO: &str = include_str!("../sql/foreign_keys_to.sql");
/// The role whose privileges count.
pub(crate) const CURRENT_ROLE: &str = "SELECT current_user::pg_catalog.text";
/// Makes names in other queries mean the server's own objects.
pub(crate) const EMPTY_SEARCH_PATH: &str = "SELECT pg_catalog.set_config('search_path', '', false)";
/// What a restore needs to know of the server and of the role that restores.
pub(crate) const RESTORE_SERVER: &str = include_str!("../sql/restore_server.sql");
/// All roles, and whether the current one may give objects to them.
pub(crate) const RESTORE_ROLES: &str = include_str!("../sql/restore_roles.sql");
/// The extensions that could be created.
pub(crate) const RESTORE_EXTENSIONS: &str = include_str!("../sql/restore_extensions.sql");
/// All tablespaces.
pub(crate) const RESTORE_TABLESPACES: &str = include_str!("../sql/restore_tablespaces.sql");
/// Tables that hold XML.
pub(crate) const XML_TABLES: &str = include_str!("../sql/xml_tables.sql");
/// Databases that drills make, without connections.
pub(crate) const LEFT_DRILLS: &str = include_str!("../sql/left_drills.sql");
/// Takes away what a live database gives to new objects.
pub(crate) const CLEAN_DEFAULTS: &str = include_str!("../sql/clean_defaults.sql");
/// Indexes of partitions that go with their parents'.
pub(crate) const CLEAN_PIECES: &str = include_str!("../sql/clean_pieces.sql");
/// What depends on relations that are dropped.
pub(crate) const CLEAN_DEPENDENTS: &str = include_str!("../sql/clean_dependents.sql");
/// Whether a database exists.
pub(crate) const DATABASE_EXISTS: &str = include_str!("../sql/database_exists.sql");
/// Lifts the limits on how long our own session may wait, by name, where the server has them.
pub(crate) const NO_TIMEOUTS: &str = include_str!("../sql/no_timeouts.sql");
/// Whether sessions that are idle are ended.
pub(crate) const IDLE_LIMIT: &str = include_str!("../sql/idle_limit.sql");
/// Tables that pg_dump will lock.
pub(crate) const LOCKABLE_TABLES: &str = include_str!("../sql/lockable_tables.sql");
/// Tables that somebody else has locked.
pub(crate) const LOCKED_TABLES: &str = include_str!("../sql/locked_tables.sql");
/// Tables that are not what they are in the snapshot.
pub(crate) const REPLACED_TABLES: &str = include_str!("../sql/replaced_tables.sql");
/// Exports the transaction's snapshot, with the server's time.
pub(crate) const EXPORT_SNAPSHOT: &str = include_str!("../sql/export_snapshot.sql");
/// The server's time.
pub(crate) const SERVER_TIME: &str = include_str!("../sql/server_time.sql");
/// Bytes of an encoding as text.
pub(crate) const DECODE: &str = include_str!("../sql/decode.sql");
/// Whether a name is that of a table.
pub(crate) const ASSERT_TABLE: &str = include_str!("../sql/assert_table.sql");
/// Whether there is a function of this name.
pub(crate) const ASSERT_FUNCTION: &str = include_str!("../sql/assert_function.sql");
/// Whether row-level security is on for a table.
pub(crate) const ASSERT_ROW_SECURITY: &str = include_str!("../sql/assert_row_security.sql");
/// The same for all tables of a schema.
pub(crate) const ASSERT_ROW_SECURITY_OF_SCHEMA: &str = include_str!("../sql/assert_row_security_of_schema.sql");
/// All constraints, and whether each is valid.
pub(crate) const ASSERT_CONSTRAINTS: &str = include_str!("../sql/assert_constraints.sql");
/// All indexes, and whether each is valid.
pub(crate) const ASSERT_INDEXES: &str = include_str!("../sql/assert_indexes.sql");
/// Where the extension amcheck is.
pub(crate) const ASSERT_AMCHECK_SCHEMA: &str = include_str!("../sql/assert_amcheck_schema.sql");
/// Whether amcheck can check tables.
pub(crate) const ASSERT_AMCHECK_HEAP: &str = include_str!("../sql/assert_amcheck_heap.sql");
/// What amcheck can check.
pub(crate) const ASSERT_AMCHECK_RELATIONS: &str = include_str!("../sql/assert_amcheck_relations.sql");
/// The format of money, and whether anything is of that type.
pub(crate) const LC_MONETARY: &str = include_str!("../sql/lc_monetary.sql");
/// Sets the format of money in this session.
pub(crate) const SET_LC_MONETARY: &str = "SELECT pg_catalog.set_config('lc_monetary', $1, false)";
/// What may be done with a live database.
pub(crate) const SWAP_DATABASE: &str = include_str!("../sql/swap_database.sql");
/// What belongs to a database rather than to its name.
pub(crate) const SWAP_STAYING: &str = include_str!("../sql/swap_staying.sql");
/// All databases but one, with their comments.
pub(crate) const SWAP_NAMES: &str = include_str!("../sql/swap_names.sql");
/// Ends the connections to some databases.
pub(crate) const SWAP_END_CONNECTIONS: &str = include_str!("../sql/swap_end_connections.sql");
/// What `ALTER DATABASE` and `COMMENT` give a database.
pub(crate) const SWAP_PROPERTIES: &str = include_str!("../sql/swap_properties.sql");
/// The privileges on a database.
pub(crate) const SWAP_PRIVILEGES: &str = include_str!("../sql/swap_privileges.sql");
/// The settings of a database, for everybody and for roles in it.
pub(crate) const SWAP_SETTINGS: &str = include_str!("../sql/swap_settings.sql");
/// The security labels of a database.
pub(crate) const SWAP_LABELS: &str = include_str!("../sql/swap_labels.sql");
/// What was written to the database that is connected to.
pub(crate) const SWAP_WRITES: &str = include_str!("../sql/swap_writes.sql");
/// Rows that were written to a database, its catalogs' included.
pub(crate) const SWAP_COUNTER: &str = "SELECT pg_catalog.pg_stat_get_db_tuples_inserted($1) + pg_catalog.pg_stat_get_db_tuples_updated($1) + pg_catalog.pg_stat_get_db_tuples_deleted($1)";
/// The databases of two names.
pub(crate) const SWAP_OIDS: &str = "SELECT (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = $1), (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = $2)";
/// A table of the live database.
pub(crate) const TABLE_LIVE: &str = include_str!("../sql/table_live.sql");
/// The columns of a table that can be written.
pub(crate) const TABLE_COLUMNS: &str = include_str!("../sql/table_columns.sql");
/// Whether a schema exists, and may be made.
pub(crate) const TABLE_SCHEMA: &str = include_str!("../sql/table_schema.sql");
/// Foreign keys to a table from others.
pub(crate) const TABLE_POINTED_AT: &str = include_str!("../sql/table_pointed_at.sql");
/// Foreign keys among some tables.
pub(crate) const TABLE_FOREIGN_KEYS: &str = include_str!("../sql/table_foreign_keys.sql");
/// Materialised views that read a table.
pub(crate) const TABLE_MATERIALIZED: &str = include_str!("../sql/table_materialized.sql");
/// The triggers of a table that fire.
pub(crate) const TABLE_TRIGGERS: &str = include_str!("../sql/table_triggers.sql");
/// Who has privileges on a table besides its owner.
pub(crate) const TABLE_GRANTEES: &str = include_str!("../sql/table_grantees.sql");
/// Tables with a comment of ours.
pub(crate) const TABLE_KEPT: &str = include_str!("../sql/table_kept.sql");
/// The rows of `$TABLE` in one line.
pub(crate) const TABLE_DIGEST: &str = include_str!("../sql/table_digest.sql");
/// The columns of a table that are dumped.
pub(crate) const COPIED_COLUMNS: &str = include_str!("../sql/copied_columns.sql");
