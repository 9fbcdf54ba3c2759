//! Inventories of real databases: what a restore brings back is equal, and what was changed since is named, and nothing else.

mod support;

use backup_core::monitor::Silent;
use backup_core::repository::contents::ContentsWriter;
use backup_core::source::Source;
use backup_core::target::Target;
use backup_core::testing::target::MemoryBackup;
use backup_postgres::inventory::{
    ArchiveTap, Digester, Extras, Inventory, Recorded, RowKey, compare, read_line_by_line,
};
use backup_postgres::testing::Cluster;
use backup_postgres::{PgDump, PgRestore};
use std::sync::Arc;
use support::*;

/// What a backup of the database seals.
async fn sealed(cluster: &Cluster, database: &str) -> Inventory {
    let source = PgDump::new(connection(cluster, database)).env(env()).tools(cluster.bindir()).globals(false);
    let mut snapshot = source.open(Arc::new(Silent)).await.unwrap();
    let mut part = snapshot.next_part().await.unwrap().unwrap();
    let mut buf = Vec::with_capacity(8 << 20);
    part.fill(&mut buf).await.unwrap();
    assert!(buf.len() < buf.capacity());
    let mut contents = ContentsWriter::in_memory();
    part.finish(&mut contents).await.unwrap();
    assert_eq!(snapshot.left_out(), []);
    read_line_by_line(&contents.into_memory()).unwrap().inventory().unwrap()
}

fn noted(cluster: &Cluster, database: &str, digester: Digester) -> Inventory {
    let mut tap = ArchiveTap::new(digester);
    tap.feed(&pg_dump(cluster, database)).unwrap();
    match tap.finish().unwrap().1 {
        Recorded::Available(inventory) => *inventory,
        Recorded::Unavailable { reason } => panic!("{reason}"),
    }
}

/// Compares a database with what is expected, rows in any order, and gives what differs but for the databases' own names and settings.
fn differences(cluster: &Cluster, expected: &Inventory, key: &RowKey, found: &str) -> Vec<String> {
    let mut found = noted(cluster, found, Digester::with_row_key(key.clone()));
    found.take_database();
    let comparison = compare(expected, &found);
    let mut said: Vec<String> = comparison.differences.iter().map(ToString::to_string).collect();
    said.extend(comparison.undecided.iter().map(|table| format!("undecided: {table}")));
    said
}

#[tokio::test]
async fn what_a_restore_brings_back_is_equal() {
    let cluster = Cluster::options().setting("wal_level", "logical").start();
    make_rich(&cluster, "rich");
    let mut before = sealed(&cluster, "rich").await;
    let source = PgDump::new(connection(&cluster, "rich")).env(env());
    let backup = MemoryBackup::of(&source).await;
    PgRestore::new(connection(&cluster, "copy")).env(env()).restore(&backup, Arc::new(Silent)).await.unwrap();
    let mut after = sealed(&cluster, "copy").await;

    assert_eq!(before.take_database().len(), 4, "DATABASE, its properties, comment and privileges");
    assert_eq!(after.take_database().len(), 4);
    let comparison = compare(&before, &after);
    assert!(comparison.is_equal(), "{comparison:#?}");
    assert_eq!(comparison.notes, [] as [&str; 0]);

    let extras = before.extras.clone().unwrap();
    assert_eq!(extras.extensions.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["hstore", "plpgsql"]);
    assert_eq!(extras.unpopulated_views, ["app.unfilled"]);
    assert_eq!(extras.row_security.len(), 1);
    assert_eq!(
        (extras.row_security[0].table.as_str(), extras.row_security[0].enabled, extras.row_security[0].forced),
        ("app.people", true, false)
    );
    assert_eq!(before.rows(), after.rows());
    let session = connection(&cluster, "copy").connect().await.unwrap();
    assert_eq!(Some(Extras::read(&session).await.unwrap()), after.extras);
}

#[tokio::test]
async fn order_is_no_difference() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE one; CREATE DATABASE other");
    cluster.psql(
        "one",
        "CREATE TABLE base (a int, c text); CREATE TABLE child (a int, b int, c text); ALTER TABLE child INHERIT base;
         INSERT INTO child SELECT i, -i, NULLIF(repeat(E'x\\t\\n\\\\', i % 7), '') FROM generate_series(1, 500) i; INSERT INTO base VALUES (1, NULL)",
    );
    cluster.psql(
        "other",
        "CREATE TABLE base (a int, c text); CREATE TABLE child (b int) INHERITS (base);
         INSERT INTO child (a, b, c) SELECT i, -i, NULLIF(repeat(E'x\\t\\n\\\\', i % 7), '') FROM generate_series(500, 1, -1) i; INSERT INTO base VALUES (1, NULL)",
    );
    let digester = || Digester::new();
    let comparison = compare(&noted(&cluster, "one", digester()), &noted(&cluster, "other", digester()));
    assert_eq!(comparison.undecided.iter().map(ToString::to_string).collect::<Vec<_>>(), ["public.child"]);

    let key = RowKey::of([9; 32], &noted(&cluster, "one", digester()));
    let summed = |database: &str| {
        let mut inventory = noted(&cluster, database, Digester::with_row_key(key.clone()));
        inventory.objects.clear();
        inventory
    };
    assert!(compare(&summed("one"), &summed("other")).is_equal());
    cluster.psql("other", "UPDATE child SET b = 1 WHERE a = 250");
    let said: Vec<String> =
        compare(&summed("one"), &summed("other")).differences.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["table public.child: 500 rows on both sides, with other values"]);
}

/// What is no difference: nothing of it changes what the database holds.
const NOTHING: &[&str] = &[
    "VACUUM FULL m.kept",
    "ANALYZE m.kept",
    "REINDEX SCHEMA m",
    "CLUSTER m.kept USING kept_pkey; ALTER TABLE m.kept SET WITHOUT CLUSTER",
    "UPDATE m.bag SET a = a",
    "DELETE FROM m.kept WHERE id = 5; INSERT INTO m.kept VALUES (5, 'note 5', 5)",
    "REFRESH MATERIALIZED VIEW app.moods",
    "CREATE TABLE m.brief (a int); DROP TABLE m.brief",
];

/// Statements, and what is named after them.
const MUTATIONS: &[(&str, &[&str])] = &[
    ("UPDATE m.kept SET note = 'other' WHERE id = 3", &["table m.kept: 9 rows on both sides, with other values"]),
    ("DELETE FROM m.kept WHERE id = 3", &["table m.kept: 9 rows in the backup, 8 restored"]),
    ("INSERT INTO m.kept VALUES (10, 'ten', 10)", &["table m.kept: 9 rows in the backup, 10 restored"]),
    ("INSERT INTO m.bag VALUES (1)", &["table m.bag: 4 rows in the backup, 5 restored"]),
    (
        "DELETE FROM m.bag WHERE ctid = '(0,1)'; INSERT INTO m.bag VALUES (2)",
        &["table m.bag: 4 rows on both sides, with other values"],
    ),
    (
        "UPDATE m.bag SET a = 3 WHERE ctid IN ('(0,1)', '(0,2)')",
        &["table m.bag: 4 rows on both sides, with other values"],
    ),
    ("UPDATE m.kept SET note = NULL WHERE id = 1", &["table m.kept: 9 rows on both sides, with other values"]),
    ("UPDATE m.kept SET note = '' WHERE id = 9", &["table m.kept: 9 rows on both sides, with other values"]),
    (
        "UPDATE m.kept SET amount = amount + 0.00 WHERE id = 1",
        &["table m.kept: 9 rows on both sides, with other values"],
    ),
    (
        "WITH kept AS (DELETE FROM m.loose WHERE a = 1 RETURNING a), bag AS (DELETE FROM m.bag WHERE a = 2 RETURNING a), more AS (INSERT INTO m.bag SELECT a FROM kept) INSERT INTO m.loose SELECT a FROM bag",
        &["table m.bag: 4 rows in the backup, 3 restored", "table m.loose: 1 row in the backup, 2 restored"],
    ),
    ("TRUNCATE m.twin", &["table m.twin: 1 row in the backup, 0 restored"]),
    ("INSERT INTO no_columns DEFAULT VALUES", &["table public.no_columns: 2 rows in the backup, 3 restored"]),
    ("ALTER TABLE m.kept ALTER note SET DEFAULT 'x'", &["table m.kept: definition differs"]),
    (
        "ALTER TABLE m.kept ADD extra int",
        &["table m.kept: columns only restored: extra", "table m.kept: definition differs"],
    ),
    (
        "ALTER TABLE m.kept RENAME amount TO price",
        &[
            "table m.kept: columns only in the backup: amount; columns only restored: price",
            "table m.kept: definition differs",
        ],
    ),
    ("ALTER TABLE m.kept ALTER note TYPE varchar(100)", &["table m.kept: definition differs"]),
    ("ALTER TABLE m.kept ALTER note SET STATISTICS 7", &["table m.kept: definition differs"]),
    ("ALTER TABLE m.kept SET (fillfactor = 70)", &["table m.kept: definition differs"]),
    ("ALTER TABLE m.loose SET UNLOGGED", &["table m.loose: definition differs"]),
    ("ALTER TABLE m.kept REPLICA IDENTITY FULL", &["table m.kept: definition differs"]),
    ("ALTER TABLE m.kept FORCE ROW LEVEL SECURITY", &["table m.kept: definition differs"]),
    ("ALTER TABLE m.loose OWNER TO app_owner", &["table m.loose: owner postgres in the backup, app_owner restored"]),
    (
        "ALTER TABLE app.people DISABLE ROW LEVEL SECURITY",
        &["row-level security of table app.people: in the backup, not restored"],
    ),
    ("ALTER POLICY readers ON app.people USING (true)", &["policy readers on app.people: definition differs"]),
    ("DROP POLICY readers ON app.people", &["policy readers on app.people: in the backup, not restored"]),
    ("CREATE POLICY more ON app.people USING (true)", &["policy more on app.people: restored, not in the backup"]),
    ("GRANT SELECT ON m.kept TO app_reader", &["privileges on table m.kept: restored, not in the backup"]),
    ("REVOKE SELECT ON app.happy FROM app_reader", &["privileges on table app.happy: in the backup, not restored"]),
    ("GRANT INSERT ON app.happy TO app_reader", &["privileges on table app.happy: definition differs"]),
    (
        r#"REVOKE UPDATE (name) ON app.people FROM "Odd ""role""#,
        &["privileges on column app.people.name: in the backup, not restored"],
    ),
    (
        "GRANT EXECUTE ON FUNCTION app.shout(text) TO PUBLIC",
        &["privileges on function app.shout(text): in the backup, not restored"],
    ),
    ("GRANT CREATE ON SCHEMA app TO app_reader", &["privileges on schema app: definition differs"]),
    ("ALTER SCHEMA m OWNER TO app_owner", &["schema m: owner postgres in the backup, app_owner restored"]),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA app GRANT INSERT ON TABLES TO app_reader",
        &["default privileges for tables of role app_owner in schema app: definition differs"],
    ),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA m GRANT INSERT ON TABLES TO app_reader",
        &["default privileges for tables of role app_owner in schema m: restored, not in the backup"],
    ),
    ("SELECT setval('app.numbers', 70)", &["value of sequence app.numbers: value 7 in the backup, 70 restored"]),
    (
        "SELECT setval('app.numbers', 7, false)",
        &["value of sequence app.numbers: value 7 in the backup, 7 (not given out yet) restored"],
    ),
    ("ALTER SEQUENCE app.numbers INCREMENT 5", &["sequence app.numbers: definition differs"]),
    (
        "SELECT setval('app.people_id_seq', 1)",
        &["value of sequence app.people_id_seq: value 2000 in the backup, 1 restored"],
    ),
    ("COMMENT ON TABLE app.people IS 'other'", &["comment on table app.people: definition differs"]),
    ("COMMENT ON COLUMN app.people.name IS NULL", &["comment on column app.people.name: in the backup, not restored"]),
    (
        "COMMENT ON FUNCTION app.shout(text) IS 'new'",
        &["comment on function app.shout(text): restored, not in the backup"],
    ),
    ("COMMENT ON INDEX app.people_name IS 'new'", &["comment on index app.people_name: restored, not in the backup"]),
    ("COMMENT ON LARGE OBJECT 70000 IS 'other'", &["comment on large object 70000: definition differs"]),
    ("SELECT lo_put(70000, 3, 'A')", &["large object 70000: 14 bytes on both sides, not the same"]),
    ("SELECT lo_put(70000, 14, '!')", &["large object 70000: 14 bytes in the backup, 15 restored"]),
    ("SELECT lo_unlink(70001)", &["large object 70001: in the backup, not restored"]),
    ("SELECT lo_from_bytea(70002, '')", &["large object 70002: restored, not in the backup"]),
    (
        "ALTER LARGE OBJECT 70001 OWNER TO app_reader",
        &["large object 70001: owner app_owner in the backup, app_reader restored"],
    ),
    ("REVOKE SELECT ON LARGE OBJECT 70000 FROM app_reader", &["large object 70000: privileges differ"]),
    ("GRANT UPDATE ON LARGE OBJECT 4000000000 TO app_reader", &["large object 4000000000: privileges differ"]),
    (
        "CREATE OR REPLACE FUNCTION app.shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) || '?' $$",
        &["function app.shout(text): definition differs"],
    ),
    ("ALTER FUNCTION app.touch() SECURITY DEFINER", &["function app.touch(): definition differs"]),
    (
        "ALTER FUNCTION app.touch() OWNER TO app_owner",
        &["function app.touch(): owner postgres in the backup, app_owner restored"],
    ),
    (
        "CREATE FUNCTION app.touch(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        &["function app.touch(integer): restored, not in the backup"],
    ),
    ("ALTER TABLE app.people DISABLE TRIGGER touch", &["trigger touch on app.people: definition differs"]),
    ("DROP TRIGGER touch ON app.people", &["trigger touch on app.people: in the backup, not restored"]),
    ("ALTER EVENT TRIGGER noted DISABLE", &["event trigger noted: definition differs"]),
    ("DROP EVENT TRIGGER noted", &["event trigger noted: in the backup, not restored"]),
    ("DROP INDEX app.people_name", &["index app.people_name: in the backup, not restored"]),
    ("CREATE INDEX ON m.kept (note)", &["index m.kept_note_idx: restored, not in the backup"]),
    ("ALTER TABLE m.kept CLUSTER ON kept_pkey", &["constraint kept_pkey on m.kept: definition differs"]),
    ("ALTER TABLE m.kept ADD CONSTRAINT few CHECK (id < 100)", &["table m.kept: definition differs"]),
    (
        "ALTER TABLE m.kept ADD CONSTRAINT few CHECK (id < 100) NOT VALID",
        &["check constraint few on m.kept: restored, not in the backup"],
    ),
    (
        "ALTER TABLE m.twin DROP CONSTRAINT twin_pkey; ALTER TABLE m.twin ALTER amount DROP NOT NULL",
        &["constraint twin_pkey on m.twin: in the backup, not restored", "table m.twin: definition differs"],
    ),
    (
        "ALTER TABLE m.twin DROP CONSTRAINT twin_id_fkey",
        &["fk constraint twin_id_fkey on m.twin: in the backup, not restored"],
    ),
    ("ALTER TABLE m.twin ADD UNIQUE (note)", &["constraint twin_note_key on m.twin: restored, not in the backup"]),
    (
        "CREATE RULE hush AS ON DELETE TO m.kept DO INSTEAD NOTHING",
        &["rule hush on m.kept: restored, not in the backup"],
    ),
    (
        "CREATE OR REPLACE VIEW app.happy WITH (security_barrier) AS SELECT name FROM app.people WHERE mood = 'ok'",
        &["view app.happy: definition differs"],
    ),
    ("ALTER VIEW app.happy RESET (security_barrier)", &["view app.happy: definition differs"]),
    (
        "REFRESH MATERIALIZED VIEW app.unfilled",
        &["data of materialized view app.unfilled: restored, not in the backup"],
    ),
    (
        "REFRESH MATERIALIZED VIEW app.moods WITH NO DATA",
        &["data of materialized view app.moods: in the backup, not restored"],
    ),
    ("ALTER TYPE app.mood ADD VALUE 'glad'", &["type app.mood: definition differs"]),
    ("ALTER DOMAIN app.positive ADD CHECK (VALUE < 1000)", &["domain app.positive: definition differs"]),
    (
        "ALTER TABLE app.parted DETACH PARTITION app.parted_2025",
        &[
            "attachment of partition app.parted_2025: in the backup, not restored",
            "fk constraint parted_person_fkey on app.parted_2025: restored, not in the backup",
        ],
    ),
    (
        "ALTER PUBLICATION news DROP TABLE app.people",
        &["membership of app.people in publication news: in the backup, not restored"],
    ),
    ("ALTER PUBLICATION news SET (publish = 'insert')", &["publication news: definition differs"]),
    ("ALTER STATISTICS app.correlated SET STATISTICS 5", &["statistics app.correlated: definition differs"]),
    ("DROP STATISTICS app.correlated", &["statistics app.correlated: in the backup, not restored"]),
    ("CREATE SCHEMA more", &["schema more: restored, not in the backup"]),
    ("CREATE TABLE more ()", &["table public.more: restored, not in the backup"]),
    (
        "DROP TABLE empty",
        &["rows of table public.empty: in the backup, not restored", "table public.empty: in the backup, not restored"],
    ),
    (
        "ALTER EXTENSION hstore SET SCHEMA m",
        &["extension hstore: definition differs", "table app.people: definition differs"],
    ),
    ("DROP CAST (m.pair AS text)", &["cast (m.pair AS text): in the backup, not restored"]),
    ("DROP OPERATOR m.@@@ (int, int)", &["operator m.@@@: in the backup, not restored"]),
    (
        "ALTER TEXT SEARCH CONFIGURATION m.search ALTER MAPPING FOR word WITH simple",
        &["text search configuration m.search: definition differs"],
    ),
    (
        "ALTER COLLATION m.german RENAME TO deutsch",
        &["collation m.deutsch: restored, not in the backup", "collation m.german: in the backup, not restored"],
    ),
    ("ALTER SERVER elsewhere OPTIONS (SET host 'y')", &["server elsewhere: definition differs"]),
    (
        "ALTER USER MAPPING FOR app_owner SERVER elsewhere OPTIONS (SET password 'other')",
        &["user mapping app_owner SERVER elsewhere: definition differs"],
    ),
    ("ALTER FOREIGN TABLE m.far ALTER a OPTIONS (ADD column_name 'b')", &["foreign table m.far: definition differs"]),
];

/// More objects, so that each can be changed.
const MORE: &str = r#"
    SET default_transaction_read_only = off;
    CREATE SCHEMA m;
    CREATE TABLE m.kept (id int PRIMARY KEY, note text, amount numeric);
    INSERT INTO m.kept SELECT i, NULLIF('note ' || i, 'note 9'), i FROM generate_series(1, 9) i;
    CREATE TABLE m.twin (id int REFERENCES m.kept, note text, amount numeric PRIMARY KEY);
    CREATE TABLE m.loose (a int);
    INSERT INTO m.loose VALUES (1);
    INSERT INTO m.twin VALUES (8, 'eight', 8.1);
    UPDATE m.kept SET note = 'seven', amount = 7.1 WHERE id = 7;
    CREATE TABLE m.bag (a int);
    INSERT INTO m.bag VALUES (1), (1), (2), (2);
    CREATE TYPE m.pair AS (a int, b text);
    CREATE FUNCTION m.pair_text(m.pair) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1.b $$;
    CREATE CAST (m.pair AS text) WITH FUNCTION m.pair_text(m.pair);
    CREATE FUNCTION m.plus(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT $1 + $2 $$;
    CREATE OPERATOR m.@@@ (LEFTARG = int, RIGHTARG = int, FUNCTION = m.plus);
    CREATE TEXT SEARCH CONFIGURATION m.search (COPY = english);
    CREATE COLLATION m.german (locale = 'C');
    CREATE FOREIGN DATA WRAPPER wrapper;
    CREATE SERVER elsewhere FOREIGN DATA WRAPPER wrapper OPTIONS (host 'x');
    CREATE USER MAPPING FOR app_owner SERVER elsewhere OPTIONS (user 'u', password 'hunter2-secret');
    CREATE FOREIGN TABLE m.far (a int) SERVER elsewhere;
"#;

#[test]
fn each_change_is_named_and_nothing_else() {
    changes(&Cluster::options().setting("wal_level", "logical").start(), 4);
}

#[test]
fn each_change_is_named_on_postgresql_16() {
    changes(&Cluster::options().version(16).setting("wal_level", "logical").start(), 8);
}

#[test]
fn each_change_is_named_on_postgresql_18() {
    changes(&Cluster::options().version(18).setting("wal_level", "logical").start(), 8);
}

/// Makes each change, several at a time, far apart in the list so that they touch different objects: each time is a copy of the database and a dump.
fn changes(cluster: &Cluster, at_a_time: usize) {
    make_rich(cluster, "rich");
    cluster.psql("rich", MORE);
    let hstore = cluster.psql("rich", "SELECT count(*) FROM pg_extension WHERE extname = 'hstore'") == "1";
    let mutations: Vec<_> = MUTATIONS.iter().filter(|(sql, _)| hstore || !sql.contains("hstore")).collect();
    let key = RowKey::of([3; 32], &noted(cluster, "rich", Digester::new()));
    let mut expected = noted(cluster, "rich", Digester::with_row_key(key.clone()));
    expected.take_database();
    let run = |sql: &str| {
        let commands = sql.split("; ").map(|one| format!("{one};\n")).collect::<String>();
        let _ = cluster.psql_as("postgres", "postgres", "DROP DATABASE IF EXISTS copy WITH (FORCE)");
        cluster.psql("postgres", "CREATE DATABASE copy TEMPLATE rich");
        if let Err(error) = cluster.psql_as("postgres", "copy", &commands) {
            return vec![error];
        }
        differences(cluster, &expected, &key, "copy")
    };
    let rounds = mutations.len() / at_a_time;
    let mut wrong = Vec::new();
    for round in 0..rounds {
        let these = || mutations.iter().skip(round).step_by(rounds);
        let sql: Vec<&str> = these().map(|(sql, _)| *sql).collect();
        let mut said = run(&sql.join("; "));
        let mut expected: Vec<&str> = these().flat_map(|(_, expected)| *expected).copied().collect();
        said.sort_unstable();
        expected.sort_unstable();
        assert!(!said.join(" ").contains("hunter2"), "{said:?}");
        if said != expected {
            wrong.push(format!("{sql:#?} gives {said:#?}"));
        }
    }
    // Two rows change places: as many in each table as before.
    let mut said = run("UPDATE m.loose SET a = 2; UPDATE m.bag SET a = 1 WHERE ctid = '(0,3)'");
    said.sort_unstable();
    let places = [
        "table m.bag: 4 rows on both sides, with other values",
        "table m.loose: 1 row on both sides, with other values",
    ];
    if said != places {
        wrong.push(format!("two rows that change places give {said:#?}"));
    }
    let said = run(&NOTHING.join("; "));
    if !said.is_empty() {
        wrong.push(format!("nothing gives {said:#?}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
