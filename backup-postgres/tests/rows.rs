//! The rows of one table out of a backup, compared with what the server itself writes; and two backups side by side.

mod support;

use backup_core::error::codes::{PART_INVALID, SEGMENT_DAMAGED};
use backup_core::monitor::Silent;
use backup_core::testing::target::MemoryBackup;
use backup_postgres::PgDump;
use backup_postgres::diff::{Diff, Other, Status, diff};
use backup_postgres::error::codes::{CONTENTS_UNAVAILABLE, FORMAT_UNSUPPORTED, TABLE_NOT_FOUND};
use backup_postgres::inventory::TableName;
use backup_postgres::rows::{Format, table_rows};
use backup_postgres::testing::Cluster;
use futures::TryStreamExt;
use std::sync::Arc;
use support::*;

fn table(text: &str) -> TableName {
    TableName::parse(text).unwrap()
}

fn source(cluster: &Cluster, database: &str) -> PgDump {
    PgDump::new(connection(cluster, database)).env(env()).tools(cluster.bindir()).globals(false)
}

async fn cat(backup: &MemoryBackup, name: &str, format: Format) -> backup_core::Result<Vec<u8>> {
    let mut out = Vec::new();
    let rows = table_rows(backup, &table(name)).await?;
    let expected = rows.count();
    assert_eq!(format.write(rows, &mut out).await?, expected);
    Ok(out)
}

/// What psql writes of a query, byte for byte.
fn copied(cluster: &Cluster, database: &str, copy: &str) -> Vec<u8> {
    let mut command = cluster.command("psql");
    command.args(["-qXAt", "-d", &cluster.url(database), "-c", copy]);
    let output =
        command.env("PGOPTIONS", "-c timezone=UTC -c intervalstyle=postgres -c extra_float_digits=3").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

const AWKWARD: &str = r#"
    CREATE TABLE awkward (id int, "a ""b"", c" text, t timestamptz, f float8, b bytea, a int[]);
    INSERT INTO awkward VALUES
        (1, '', now(), 0.1, '\x00ff0a09', '{1,NULL}'), (2, NULL, NULL, NULL, NULL, NULL), (3, '\N', NULL, 'NaN', '', '{}'),
        (4, '\.', NULL, '-Infinity', '\x5c', NULL), (5, E'a\tb\nc\rd\\e\bf\fg\vh\x7f', NULL, 1e300, NULL, NULL),
        (6, '"quoted", and ''so''', NULL, 5, NULL, NULL), (7, 'ünï ' || chr(128512), NULL, 5, NULL, NULL), (8, ' spaces ', NULL, 5, NULL, NULL);
    CREATE TABLE one (t text);
    INSERT INTO one VALUES ('\.'), (''), (NULL), ('x'), (E'\\.\n'), (',');
    CREATE TABLE nothing (a int, b int);
    CREATE TABLE no_columns ();
    INSERT INTO no_columns DEFAULT VALUES;
    INSERT INTO no_columns DEFAULT VALUES;
    CREATE TABLE generated (a int, twice int GENERATED ALWAYS AS (a * 2) STORED, z text);
    INSERT INTO generated (a, z) VALUES (1, 'z');
    CREATE TABLE wide (id int, big text);
    INSERT INTO wide SELECT i, repeat(E'\u00e4\t,"\n', i * 20000) FROM generate_series(0, 9) i;
    CREATE VIEW a_view AS SELECT 1 AS one;
"#;

#[tokio::test]
async fn rows_are_written_as_the_server_writes_them() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE source");
    cluster.psql("source", AWKWARD);
    let backup = MemoryBackup::of(&source(&cluster, "source")).await.pieces_of(70_001);
    for name in ["awkward", "one", "nothing", "no_columns", "generated", "wide"] {
        let copy = copied(&cluster, "source", &format!("COPY {name} TO STDOUT"));
        assert!(cat(&backup, name, Format::Copy).await.unwrap() == copy, "{name} as copy");
        let csv = copied(&cluster, "source", &format!("COPY {name} TO STDOUT (FORMAT csv, HEADER)"));
        let written = cat(&backup, name, Format::Csv).await.unwrap();
        assert!(
            written == csv,
            "{name} as csv:\n{}\n{}",
            String::from_utf8_lossy(&written),
            String::from_utf8_lossy(&csv)
        );

        let json = cat(&backup, name, Format::Json).await.unwrap();
        let columns = cluster.psql(
            "source",
            &format!(
                "SELECT COALESCE(string_agg(format('%L, CASE WHEN %I IS NULL THEN NULL ELSE format(''%%s'', %I) END', attname, attname, attname), ', ' ORDER BY attnum), '')
                 FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attnum > 0 AND attgenerated = ''"
            ),
        );
        let expected = copied(&cluster, "source", &format!("SELECT jsonb_build_object({columns})::text FROM {name}"));
        let values = |text: &[u8]| -> Vec<serde_json::Value> {
            text.split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_slice(line).unwrap())
                .collect()
        };
        assert_eq!(values(&json), values(&expected), "{name} as JSON");
    }

    let rows: Vec<_> =
        table_rows(&backup, &table("generated")).await.unwrap().into_stream().try_collect().await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].get("a"), rows[0].get("z")), (Some(Some(&b"1"[..])), Some(Some(&b"z"[..]))));

    let missing = async |name: &str| table_rows(&backup, &table(name)).await.unwrap_err();
    assert!(missing("absent").await.is(&TABLE_NOT_FOUND));
    assert!(missing("other.one").await.report().contains("there is public.one"));
    assert!(missing("a_view").await.report().contains("those of a view"));
}

const PARTED: &str = r#"
    CREATE SCHEMA "Old";
    CREATE TABLE "The events" (id int NOT NULL, "a b" text, price numeric(10,2) DEFAULT 1.5, CONSTRAINT positive CHECK (price > 0), twice int GENERATED ALWAYS AS (id * 2) STORED)
        PARTITION BY RANGE (id);
    CREATE TABLE events_2 PARTITION OF "The events" FOR VALUES FROM (1000) TO (2000);
    -- Sub-partitions, one of them without rows; columns in another order; a schema of its own.
    CREATE TABLE events_1 PARTITION OF "The events" FOR VALUES FROM (0) TO (1000) PARTITION BY LIST (id);
    CREATE TABLE events_1_a PARTITION OF events_1 FOR VALUES IN (1, 2, 3);
    CREATE TABLE events_1_b PARTITION OF events_1 DEFAULT;
    CREATE TABLE "Old"."ev 3" (price numeric(10,2) DEFAULT 1.5, gone int, twice int GENERATED ALWAYS AS (id * 2) STORED, "a b" text, id int NOT NULL, CONSTRAINT positive CHECK (price > 0));
    ALTER TABLE "Old"."ev 3" DROP COLUMN gone;
    ALTER TABLE "The events" ATTACH PARTITION "Old"."ev 3" FOR VALUES FROM (2000) TO (3000);
    CREATE TABLE events_4 PARTITION OF "The events" FOR VALUES FROM (3000) TO (4000);
    INSERT INTO "The events" SELECT i, CASE WHEN i % 7 > 0 THEN E'x\t\\y' || repeat('z', i % 300) END, i FROM generate_series(1, 3) i;
    INSERT INTO "The events" SELECT i, CASE WHEN i % 7 > 0 THEN E'x\t\\y' || repeat('z', i % 300) END, i FROM generate_series(1000, 2999) i;
    CREATE TABLE none (a int) PARTITION BY LIST (a);
    CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
    CREATE TABLE elsewhere (a int) PARTITION BY LIST (a);
    CREATE TABLE elsewhere_1 PARTITION OF elsewhere FOR VALUES IN (1);
    CREATE FOREIGN TABLE elsewhere_2 PARTITION OF elsewhere FOR VALUES IN (2) SERVER s;
    CREATE TABLE only_parent (a int); CREATE TABLE heir (b int) INHERITS (only_parent); INSERT INTO heir VALUES (1, 2); INSERT INTO only_parent VALUES (7);
"#;

#[tokio::test]
async fn a_partitioned_table_has_the_rows_of_its_partitions() {
    for version in [None, Some(18)] {
        let cluster = version.map_or_else(Cluster::start, |version| Cluster::options().version(version).start());
        cluster.psql("postgres", "CREATE DATABASE source");
        cluster.psql("source", PARTED);
        let mut backup = MemoryBackup::of(&source(&cluster, "source")).await.pieces_of(70_001);
        let name = "\"The events\"";
        let columns = "id, \"a b\", price";
        // By the names of the partitions, schema first; the columns in the parent's order, a generated one left out.
        let leaves = ["\"Old\".\"ev 3\"", "events_1_a", "events_1_b", "events_2", "events_4"];
        let copied = |options: &str| -> Vec<Vec<u8>> {
            let select = |leaf: &&str| {
                copied(&cluster, "source", &format!("COPY (SELECT {columns} FROM {leaf}) TO STDOUT{options}"))
            };
            leaves.iter().map(select).collect()
        };
        assert!(cat(&backup, name, Format::Copy).await.unwrap() == copied("").concat());
        let csv = [b"id,a b,price\n".to_vec(), copied(" (FORMAT csv)").concat()].concat();
        assert!(cat(&backup, name, Format::Csv).await.unwrap() == csv);
        let json = String::from_utf8(cat(&backup, name, Format::Json).await.unwrap()).unwrap();
        assert_eq!(json.lines().count(), 2003);
        assert!(json.starts_with("{\"id\":\"2000\",\"a b\":\""), "{}", &json[..60]);
        // A part of the tree is a table, too; what inherits is not a partition.
        assert_eq!(cat(&backup, "events_1", Format::Csv).await.unwrap().split(|byte| *byte == b'\n').count(), 5);
        assert_eq!(cat(&backup, "only_parent", Format::Copy).await.unwrap(), b"7\n");
        assert_eq!(cat(&backup, "none", Format::Csv).await.unwrap(), b"a\n");
        assert_eq!(cat(&backup, "none", Format::Copy).await.unwrap(), b"");

        // What is not all of it is not given.
        let part = cat(&backup, "elsewhere", Format::Csv).await.unwrap_err();
        assert!(part.is(&TABLE_NOT_FOUND) && part.to_string().contains("public.elsewhere_2"), "{part:?}");
        assert_eq!(cat(&backup, "elsewhere_1", Format::Csv).await.unwrap(), b"a\n");

        // Each partition's digest is checked, in each format: here that of one in the middle.
        let dump = backup.part_mut("dump");
        let at = dump.windows(3).position(|window| window == b"2\tx").unwrap();
        dump[at] = b'3';
        for format in [Format::Copy, Format::Csv, Format::Json] {
            let error = cat(&backup, name, format).await.unwrap_err();
            assert!(error.is(&PART_INVALID) && error.to_string().contains("events_"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn rows_are_checked_before_the_end_is_told() {
    let cluster = Cluster::start();
    cluster.psql(
        "postgres",
        "CREATE DATABASE source; CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
    );
    cluster.psql("source", "CREATE TABLE t AS SELECT 'needle ' || i AS v FROM generate_series(1, 1000) i");
    let mut backup = MemoryBackup::of(&source(&cluster, "source")).await;
    for format in [Format::Copy, Format::Csv, Format::Json] {
        assert!(cat(&backup, "t", format).await.unwrap().ends_with(match format {
            Format::Json => b"{\"v\":\"needle 1000\"}\n",
            _ => b"needle 1000\n",
        }));
        let error = cat(&backup.clone().failing_after(5000), "t", format).await.unwrap_err();
        assert!(error.is(&SEGMENT_DAMAGED), "{error:?}");
    }
    let without = backup.clone().with_lines(Vec::new());
    let error = cat(&without, "t", Format::Csv).await.unwrap_err();
    assert!(error.is(&CONTENTS_UNAVAILABLE) && error.to_string().contains("did not note"), "{error:?}");

    let dump = backup.part_mut("dump");
    let at = dump.windows(10).position(|window| window == b"needle 777").unwrap();
    dump[at] = b'N';
    for format in [Format::Copy, Format::Csv, Format::Json] {
        let error = cat(&backup, "t", format).await.unwrap_err();
        assert!(error.is(&PART_INVALID) && error.to_string().contains("public.t"), "{error:?}");
    }

    cluster.psql("latin", "CREATE TABLE t AS SELECT chr(228) AS v");
    let latin = MemoryBackup::of(&source(&cluster, "latin")).await;
    assert_eq!(cat(&latin, "t", Format::Csv).await.unwrap(), b"v\n\xe4\n");
    assert!(cat(&latin, "t", Format::Json).await.unwrap_err().is(&FORMAT_UNSUPPORTED));
}

// psql waits here for sessions that end on another thread.
#[tokio::test(flavor = "multi_thread")]
async fn two_backups_and_a_database_side_by_side() {
    let cluster = Cluster::options().role("app", "x").start();
    cluster.psql("postgres", "CREATE DATABASE source");
    cluster.psql(
        "source",
        "CREATE TABLE same AS SELECT i FROM generate_series(1, 100) i; CREATE TABLE grown AS TABLE same; CREATE TABLE turned AS TABLE same;
         CREATE TABLE changed AS TABLE same; CREATE TABLE gone (a int); INSERT INTO gone VALUES (1); CREATE TABLE shaped AS TABLE same;
         CREATE VIEW v AS SELECT 1 AS one; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
         CREATE USER MAPPING FOR app SERVER s OPTIONS (password 'hunter2-secret')",
    );
    let database = source(&cluster, "source");
    let before = MemoryBackup::of(&database).await;
    let compared = async |after: Other<'_>| -> Diff { diff(&before, after, Arc::new(Silent)).await.unwrap() };

    let again = MemoryBackup::of(&database).await;
    for after in [Other::Backup(&again), Other::Database(&database)] {
        let equal = compared(after).await;
        assert!(equal.is_equal() && equal.equal_tables == 6, "{equal}");
        assert_eq!(equal.to_string(), "no difference\n");
    }

    cluster.psql(
        "source",
        "INSERT INTO grown VALUES (101), (102); DROP TABLE gone; CREATE TABLE added AS TABLE same; ALTER TABLE shaped RENAME i TO j;
         UPDATE changed SET i = -i WHERE i = 7; CREATE TABLE reordered AS SELECT i FROM turned ORDER BY i DESC;
         TRUNCATE turned; INSERT INTO turned SELECT i FROM reordered; DROP TABLE reordered;
         CREATE OR REPLACE VIEW v AS SELECT 2 AS one; GRANT SELECT ON same TO app;
         ALTER USER MAPPING FOR app SERVER s OPTIONS (SET password 'hunter3-secret')",
    );
    let after = MemoryBackup::of(&database).await;
    for other in [Other::Backup(&after), Other::Database(&database)] {
        let found = compared(other).await;
        let lines: Vec<String> = found.to_string().lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "added: table public.added: 100 rows",
                "changed: table public.changed: 100 rows before and after",
                "removed: table public.gone: 1 row",
                "changed: table public.grown: 100 rows before, 102 after",
                "changed: table public.shaped: 100 rows before and after; columns removed: i; columns added: j",
                "added: privileges on table public.same",
                "added: table public.added",
                "removed: table public.gone",
                "changed: table public.shaped: definition differs",
                "changed: user mapping app SERVER s: definition differs",
                "changed: view public.v: definition differs",
            ]
        );
        assert_eq!(found.equal_tables, 2);
        assert!(found.tables[0].status == Status::Added);
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["tables"][3]["rows_after"], 102);
        assert_eq!(json["objects"][0]["object"], "privileges on table public.same");
        assert!(!json.to_string().contains("hunter"));
    }
    cluster.psql("postgres", "CREATE DATABASE twin TEMPLATE source");
    let twin = source(&cluster, "twin");
    let found = diff(&after, Other::Database(&twin), Arc::new(Silent)).await.unwrap();
    assert!(found.is_equal() && found.notes[0].contains("are called source and twin"), "{found}");
    let old = before.clone().with_lines(Vec::new());
    assert!(diff(&old, Other::Backup(&after), Arc::new(Silent)).await.unwrap_err().is(&CONTENTS_UNAVAILABLE));
}
