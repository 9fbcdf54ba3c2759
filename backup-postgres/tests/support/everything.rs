//! A database with every type and kind of object that pg_dump knows: everything.sql and the files beside it.
#![allow(dead_code)] // each test file uses its own part of it

use backup_postgres::testing::Cluster;

const EVERYTHING: &str = include_str!("everything.sql");
const HERE: &str = include_str!("everything_here.sql");
const NEWEST: &str = include_str!("everything_newest.sql");

/// Its name.
pub(crate) const NAME: &str = "Ev\"ery 'thing\\ ü";

/// A cluster in which it can be made; of Debian's version, or another one.
pub(crate) fn cluster(version: Option<u32>) -> Cluster {
    let options = Cluster::options().setting("wal_level", "logical").setting("allow_in_place_tablespaces", "on");
    match version {
        Some(version) => options.version(version).start(),
        None => options.start(),
    }
}

/// Makes the roles and the tablespace that it needs.
pub(crate) fn make_surroundings(cluster: &Cluster) {
    cluster.psql(
        "postgres",
        "CREATE ROLE \"owner \"\"o\"\"\"; CREATE ROLE \"réader\" LOGIN; CREATE ROLE plain; CREATE TABLESPACE \"in place\" LOCATION ''",
    );
}

/// Makes the database: `here` adds what Debian's PostgreSQL 15 has and the others lack; servers from 18 on get what is new.
pub(crate) fn make(cluster: &Cluster, here: bool) {
    make_surroundings(cluster);
    cluster.psql("postgres", &format!("CREATE DATABASE {}", quoted(NAME)));
    cluster.psql(NAME, EVERYTHING);
    if here {
        cluster.psql(NAME, HERE);
    }
    let version: u32 = cluster.psql("postgres", "SHOW server_version_num").parse().unwrap();
    if version >= 180_000 {
        cluster.psql(NAME, NEWEST);
    }
    // Settings that change what a session reads and writes.
    for (name, value) in [
        ("bytea_output", "escape"),
        ("\"DateStyle\"", "SQL, DMY"),
        ("\"IntervalStyle\"", "sql_standard"),
        ("\"TimeZone\"", "America/St_Johns"),
        ("standard_conforming_strings", "off"),
        ("escape_string_warning", "off"),
        ("quote_all_identifiers", "on"),
        ("extra_float_digits", "-3"),
        ("array_nulls", "off"),
        ("transform_null_equals", "on"),
        ("xmloption", "document"),
        ("client_encoding", "LATIN1"),
        ("row_security", "off"),
        ("check_function_bodies", "off"),
        ("default_tablespace", "in place"),
        ("default_table_access_method", "heap_too"),
        ("default_transaction_isolation", "serializable"),
        ("default_transaction_deferrable", "on"),
        ("default_transaction_read_only", "on"),
        ("statement_timeout", "1s"),
        ("lock_timeout", "1s"),
        ("idle_in_transaction_session_timeout", "1s"),
        ("\"my.setting\"", "it''s \\ \"a\"\n value"),
    ] {
        cluster.psql("postgres", &format!("ALTER DATABASE {} SET {name} = '{value}'", quoted(NAME)));
    }
    let path = "app, \"$user\", \"Odd \"\"schema\"\"\nwith a line; and \\ 'quotes'\", public";
    let name = quoted(NAME);
    cluster.psql(
        "postgres",
        &format!(
            r#"
            ALTER DATABASE {name} SET search_path = {path};
            ALTER ROLE "réader" IN DATABASE {name} SET work_mem = '3MB';
            ALTER ROLE "réader" IN DATABASE {name} SET search_path = types, "x y";
            ALTER ROLE "réader" SET work_mem = '5MB';
            ALTER DATABASE {name} CONNECTION LIMIT 17;
            COMMENT ON DATABASE {name} IS E'it''s the "database"; with a \\ and\na line';
            REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;
            GRANT CREATE ON DATABASE {name} TO plain WITH GRANT OPTION;
            GRANT CONNECT ON DATABASE {name} TO "réader";
            ALTER DATABASE {name} OWNER TO "owner ""o""";
            "#,
        ),
    );
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
