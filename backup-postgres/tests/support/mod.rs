//! What the tests of dumps and restores share: a rich database, and a way to compare two.
#![allow(dead_code)] // each test file uses its own part of it

pub(crate) mod place;

use backup_core::names::PartName;
use backup_core::source::SourceInfo;
use backup_core::testing::target::MemoryBackup;
use backup_postgres::testing::Cluster;
use backup_postgres::{Connection, Env};
use jiff::Timestamp;

/// A database with a bit of everything; see rich.sql. Roles `app_owner`, `app_reader` and `Odd "role` are made with it.
pub(crate) const RICH: &str = include_str!("rich.sql");

/// Makes the rich database, with properties of its own.
pub(crate) fn make_rich(cluster: &Cluster, name: &str) {
    cluster.psql("postgres", "CREATE ROLE app_owner LOGIN; CREATE ROLE app_reader; CREATE ROLE \"Odd \"\"role\"");
    cluster.psql("postgres", &format!("CREATE DATABASE \"{name}\" OWNER app_owner"));
    let hstore = cluster.psql(name, "SELECT count(*) FROM pg_available_extensions WHERE name = 'hstore'") == "1";
    // Servers that come without contrib modules keep the same values as text.
    let rich = if hstore {
        RICH.to_owned()
    } else {
        RICH.replace("CREATE EXTENSION hstore;\n", "")
            .replace("extra hstore", "extra text")
            .replace("hstore('k', i::text)", "i::text")
    };
    cluster.psql(name, &rich);
    cluster.psql(
        "postgres",
        &format!(
            r#"
            COMMENT ON DATABASE "{name}" IS 'it''s the DATABASE "{name}"; with a \ in it';
            ALTER DATABASE "{name}" SET search_path = app, public;
            ALTER DATABASE "{name}" SET work_mem = '7MB';
            ALTER DATABASE "{name}" SET default_transaction_read_only = on;
            ALTER ROLE app_reader IN DATABASE "{name}" SET work_mem = '3MB';
            ALTER DATABASE "{name}" CONNECTION LIMIT 17;
            REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC;
            GRANT CONNECT ON DATABASE "{name}" TO "Odd ""role" WITH GRANT OPTION;
            "#
        ),
    );
}

/// A connection for the superuser.
pub(crate) fn connection(cluster: &Cluster, database: &str) -> Connection {
    resolve(&cluster.url(database))
}

/// A connection of this URL, and nothing of the environment but PATH.
pub(crate) fn resolve(url: &str) -> Connection {
    Connection::resolve(Some(url), &env()).unwrap()
}

/// An environment with nothing but PATH.
pub(crate) fn env() -> Env {
    ["PATH"].into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?))).collect()
}

/// What pg_dump writes of a database, as a backup.
pub(crate) fn backup(cluster: &Cluster, database: &str) -> MemoryBackup {
    backup_of(pg_dump(cluster, database))
}

/// An archive as a backup.
pub(crate) fn backup_of(archive: Vec<u8>) -> MemoryBackup {
    let info = SourceInfo::new("postgresql-dump", Timestamp::now());
    MemoryBackup::new(info, [(PartName::new("dump").unwrap(), archive)])
}

/// What pg_dump writes of a database.
pub(crate) fn pg_dump(cluster: &Cluster, database: &str) -> Vec<u8> {
    let output = cluster.command("pg_dump").args(["-Fc", "-Z0", "-d", &cluster.url(database)]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Everything that can be seen of a database: its schema as pg_dump writes it, and the rows of each table, sorted.
pub(crate) fn contents(cluster: &Cluster, database: &str) -> Vec<(String, String)> {
    let output = cluster.command("pg_dump").args(["-s", "-d", &cluster.url(database)]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let schema = String::from_utf8(output.stdout).unwrap();
    // A key that differs in each run, since August 2025.
    let schema: String =
        schema.lines().filter(|line| !line.contains("restrict ")).map(|line| format!("{line}\n")).collect();
    let tables = cluster.psql(
        database,
        "SELECT format(CASE relkind WHEN 'S' THEN '(SELECT last_value, is_called FROM %I.%I)' ELSE '%I.%I' END, n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'm', 'S') AND c.relispopulated AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1",
    );
    let mut all = vec![("schema".to_owned(), schema)];
    for table in tables.lines() {
        let rows = cluster.psql(database, &format!("SELECT ROW(t.*)::text FROM {table} t ORDER BY 1"));
        all.push((table.to_owned(), rows));
    }
    let objects = "SELECT oid, md5(lo_get(oid)), lomowner::regrole, lomacl FROM pg_largeobject_metadata ORDER BY 1";
    all.push(("large objects".to_owned(), cluster.psql(database, objects)));
    all
}

/// Compares what [`contents`] gave, and tells the first line that differs.
pub(crate) fn assert_same(expected: &[(String, String)], found: &[(String, String)]) {
    let names = |all: &[(String, String)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(expected), names(found));
    for ((name, expected), (_, found)) in expected.iter().zip(found) {
        for (line, (expected, found)) in expected.lines().zip(found.lines()).enumerate() {
            assert!(expected == found, "{name}, line {line}:\n{expected}\n{found}");
        }
        assert_eq!(expected.lines().count(), found.lines().count(), "lines of {name}");
    }
}

/// The properties of a database that ALTER DATABASE, GRANT and COMMENT give it, the name left out.
pub(crate) fn properties(cluster: &Cluster, database: &str) -> String {
    cluster.psql(
        "postgres",
        &format!(
            "SELECT datdba::regrole::text, pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text, datistemplate, datallowconn,
                    datconnlimit, (SELECT string_agg(one::text, ' ' ORDER BY one::text) FROM unnest(datacl) one),
                    shobj_description(oid, 'pg_database')
             FROM pg_database d WHERE datname = '{database}'
             UNION ALL
             SELECT COALESCE(setrole::regrole::text, '-'), setconfig::text, '', '', null, null, null, '', ''
             FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = '{database}' ORDER BY 1, 2"
        ),
    )
}
