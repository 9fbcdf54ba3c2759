//! Single tables out of a backup, into a live database.

mod support;

use backup_core::monitor::Silent;
use backup_core::testing::target::MemoryBackup;
use backup_postgres::PgDump;
use backup_postgres::error::codes::{
    NOTHING_TO_ROLL_BACK, RESTORE_FAILED, RESTORE_REFUSED, ROLLBACK_LOSES_DATA, TABLE_NOT_FOUND,
};
use backup_postgres::inventory::TableName;
use backup_postgres::table_restore::{Mode, RestoredTable, TableRestore};
use backup_postgres::testing::Cluster;
use jiff::Timestamp;
use support::*;

const SHOP: &str = r#"
    CREATE ROLE clerk; CREATE ROLE auditor;
    CREATE TYPE kind AS ENUM ('small', 'large');
    CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL UNIQUE);
    CREATE TABLE orders (
        id serial PRIMARY KEY, customer int REFERENCES customers, kind kind DEFAULT 'small', what text CHECK (what <> ''),
        weight float8, at timestamptz, raw bytea, twice int GENERATED ALWAYS AS (id * 2) STORED);
    CREATE INDEX orders_at ON orders (at) WHERE kind = 'large';
    CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
    CREATE TABLE lines (id int PRIMARY KEY, "Order" int REFERENCES orders);
    CREATE TABLE no_key (t text);
    CREATE TABLE parent (a int); CREATE TABLE child (b int) INHERITS (parent);
    CREATE SCHEMA "Odd schema"; CREATE TABLE "Odd schema"."Odd "" table" ("a b" text);
    CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.log (what) VALUES (TG_OP); RETURN NULL; END';
    CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON orders EXECUTE FUNCTION fired();
    CREATE TRIGGER tell_always AFTER INSERT ON orders EXECUTE FUNCTION fired();
    ALTER TABLE orders ENABLE ALWAYS TRIGGER tell_always;
    CREATE TRIGGER silent AFTER INSERT ON orders EXECUTE FUNCTION fired();
    ALTER TABLE orders DISABLE TRIGGER silent;
    ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON customers TO clerk USING (id = 1);
    GRANT SELECT ON orders TO clerk;
    -- Some providers give every new table to everybody.
    ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO clerk, PUBLIC;
    ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO clerk, PUBLIC;
    INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 10) i;
    INSERT INTO orders (customer, kind, what, weight, at, raw)
        SELECT 1 + i % 10, (ARRAY['small', 'large'])[1 + i % 2]::kind, E'what\t\\ ' || i, i / 7.0, '2026-01-01'::timestamptz + i * interval '1 min',
               decode(md5(i::text), 'hex') FROM generate_series(1, 3000) i;
    INSERT INTO lines SELECT i, i FROM generate_series(1, 100) i;
    INSERT INTO no_key VALUES ('x');
    INSERT INTO "Odd schema"."Odd "" table" VALUES ('it''s'), (NULL);
    CREATE MATERIALIZED VIEW totals AS SELECT customer, count(*) FROM orders GROUP BY 1;
    CREATE VIEW of_one AS SELECT * FROM orders WHERE customer = 1;
    TRUNCATE log;
    ALTER DATABASE shop SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE shop SET DateStyle = 'German'; ALTER DATABASE shop SET extra_float_digits = -3;
"#;

/// A live database, and a backup of it.
async fn shop(cluster: &Cluster) -> MemoryBackup {
    cluster.create_database("shop");
    cluster.psql("shop", SHOP);
    let source = PgDump::new(connection(cluster, "shop")).env(env()).globals(false);
    MemoryBackup::of(&source).await.pieces_of(10_007)
}

fn restore(cluster: &Cluster, mode: Mode) -> TableRestore {
    let at: Timestamp = "2026-11-20T02:00:00Z".parse().unwrap();
    TableRestore::new(connection(cluster, "shop")).mode(mode).at(at)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

async fn run(
    cluster: &Cluster,
    mode: Mode,
    backup: &MemoryBackup,
    tables: &[&str],
) -> backup_core::Result<Vec<RestoredTable>> {
    restore(cluster, mode).run(backup, &words(tables), &Silent).await
}

/// All rows of a table as text, sorted.
fn rows(cluster: &Cluster, table: &str) -> String {
    cluster.psql("shop", &format!("SELECT ROW(t.*)::text FROM {table} t ORDER BY 1"))
}

const BESIDE: &str = "restored_20261120t020000z";

#[tokio::test]
async fn beside_what_is_there() {
    let cluster = Cluster::start();
    let backup = shop(&cluster).await;
    let before = rows(&cluster, "orders");
    cluster.psql("shop", "DROP TABLE lines; DROP TABLE orders CASCADE; DELETE FROM customers WHERE id > 2");
    let schema = contents(&cluster, "shop").remove(0).1;

    let tables = ["orders", "public.custo*", "\"Odd schema\".\"Odd \"\" table\""];
    let plan = restore(&cluster, Mode::Beside).plan(&backup, &words(&tables)).await.unwrap();
    assert_eq!((plan.obstacles, plan.steps.len()), (vec![], 4));
    assert_eq!(contents(&cluster, "shop").remove(0).1, schema, "a plan changes nothing");
    let done = run(&cluster, Mode::Beside, &backup, &tables).await.unwrap();
    let into: Vec<_> = done.iter().map(|table| (table.into.as_str(), table.rows)).collect();
    assert_eq!(
        into,
        [
            ("\"restored_20261120t020000z\".\"Odd \"\" table\"", 2),
            ("\"restored_20261120t020000z\".\"customers\"", 10),
            ("\"restored_20261120t020000z\".\"orders\"", 3000)
        ]
    );
    assert_eq!(rows(&cluster, &format!("{BESIDE}.orders")), before);
    assert_eq!(rows(&cluster, "customers").lines().count(), 2, "the live table is as it was");
    let indexes = format!("SELECT indexname FROM pg_indexes WHERE schemaname = '{BESIDE}' ORDER BY 1");
    assert_eq!(cluster.psql("shop", &indexes), "customers_name_key\ncustomers_pkey\norders_at\norders_pkey");
    // Whatever the default privileges are: nobody else reads it.
    let may = format!(
        "SELECT has_schema_privilege('clerk', '{BESIDE}', 'USAGE'), has_table_privilege('clerk', '{BESIDE}.orders', 'SELECT'), relacl IS NULL OR relacl::text !~ 'clerk|[{{,]=', relrowsecurity
         FROM pg_class WHERE oid = '{BESIDE}.orders'::regclass"
    );
    assert_eq!(cluster.psql("shop", &may), "f|f|t|t");

    // The schema is there now; another one can be named.
    let again = run(&cluster, Mode::Beside, &backup, &["orders"]).await.unwrap_err();
    assert!(again.is(&RESTORE_REFUSED) && again.to_string().contains("exists already"), "{again:?}");
    restore(&cluster, Mode::Beside).schema("Another \"one\"").run(&backup, &words(&["no_key"]), &Silent).await.unwrap();
    assert_eq!(rows(&cluster, "\"Another \"\"one\"\"\".no_key"), "(x)");

    for (table, word) in [("child", "inherits"), ("nothing", "nothing"), ("*.x*", "*.x*"), ("totals", "totals")] {
        let error = restore(&cluster, Mode::Beside).schema("third").run(&backup, &words(&[table]), &Silent).await;
        let error = error.unwrap_err();
        assert!(
            (error.is(&RESTORE_REFUSED) || error.is(&TABLE_NOT_FOUND)) && error.to_string().contains(word),
            "{error:?}"
        );
    }
    // A type that is gone: nothing stays of the tables before it either.
    cluster.psql("shop", "DROP TYPE kind CASCADE");
    let error =
        restore(&cluster, Mode::Beside).schema("third").run(&backup, &words(&["no_key", "orders"]), &Silent).await;
    assert!(error.as_ref().unwrap_err().is(&RESTORE_FAILED), "{error:?}");
    assert_eq!(cluster.psql("shop", "SELECT count(*) FROM pg_namespace WHERE nspname = 'third'"), "0");
}

#[tokio::test]
async fn in_place_and_back_again() {
    let cluster = Cluster::start();
    let backup = shop(&cluster).await;
    let (before, log) = (rows(&cluster, "orders"), rows(&cluster, "log"));
    let schema = contents(&cluster, "shop").remove(0).1;
    cluster.psql("shop", "ALTER TABLE orders DISABLE TRIGGER USER; UPDATE orders SET what = 'spoiled' WHERE id > 10; INSERT INTO orders (what) VALUES ('new');
        ALTER TABLE orders ENABLE TRIGGER tell; ALTER TABLE orders ENABLE ALWAYS TRIGGER tell_always");
    let spoiled = rows(&cluster, "orders");

    // What points at it from elsewhere refuses, unless it comes along.
    let error = run(&cluster, Mode::Replace, &backup, &["orders"]).await.unwrap_err();
    assert!(
        error.is(&RESTORE_REFUSED) && error.to_string().contains("\"lines_Order_fkey\" of public.lines"),
        "{error:?}"
    );
    assert_eq!(rows(&cluster, "orders"), spoiled);
    let done = run(&cluster, Mode::Replace, &backup, &["orders", "lines"]).await.unwrap();
    assert_eq!(rows(&cluster, "orders"), before);
    assert_eq!(rows(&cluster, "log"), log, "no trigger fired");
    let kept = "public.orders_before_20261120t020000z";
    assert!(done.iter().any(|table| table.kept.as_deref() == Some("\"public\".\"orders_before_20261120t020000z\"")));
    assert_eq!(rows(&cluster, kept), spoiled);
    assert_eq!(cluster.psql("shop", &format!("SELECT has_table_privilege('clerk', '{kept}', 'SELECT')")), "f");
    // The sequence is ahead still: no number is given out twice.
    assert_eq!(cluster.psql("shop", "SELECT last_value FROM orders_id_seq"), "3001");

    let back = restore(&cluster, Mode::Replace);
    assert_eq!(back.kept().await.unwrap().len(), 2);
    let orders = TableName::new("public", "orders");
    // Something came since.
    cluster.psql("shop", "UPDATE customers SET name = name; UPDATE orders SET what = 'newer' WHERE id = 1");
    let refused = back.roll_back(&orders, false).await.unwrap_err();
    assert!(refused.is(&ROLLBACK_LOSES_DATA), "{refused:?}");
    cluster.psql("shop", "ALTER TABLE lines DROP CONSTRAINT \"lines_Order_fkey\"");
    assert_eq!(back.roll_back(&orders, true).await.unwrap(), 3001);
    assert_eq!(rows(&cluster, "orders"), spoiled);
    assert!(back.roll_back(&orders, true).await.unwrap_err().is(&NOTHING_TO_ROLL_BACK));
    // The other was not written to.
    back.roll_back(&TableName::new("public", "lines"), false).await.unwrap();
    cluster.psql("shop", "ALTER TABLE lines ADD FOREIGN KEY (\"Order\") REFERENCES orders; TRUNCATE log");
    assert_eq!(
        contents(&cluster, "shop").remove(0).1,
        schema,
        "triggers, policies, privileges and all are as they were"
    );
}

#[tokio::test]
async fn what_cannot_be_replaced_is_told_and_nothing_is_changed() {
    let cluster = Cluster::start();
    let backup = shop(&cluster).await;
    let before = contents(&cluster, "shop");
    let refused = async |mode: Mode, tables: &[&str], words: &str| {
        let error = run(&cluster, mode, &backup, tables).await.unwrap_err();
        assert!(
            (error.is(&RESTORE_REFUSED) || error.is(&RESTORE_FAILED)) && error.to_string().contains(words),
            "{error:?}"
        );
        assert!(error.hint().contains("nothing was changed"), "{error:?}");
    };
    refused(Mode::Replace, &["customers"], "orders_customer_fkey of public.orders").await;
    refused(Mode::MissingRows, &["no_key"], "no primary key").await;
    assert_same(&before, &contents(&cluster, "shop"));

    cluster.psql("shop", "ALTER TABLE lines ADD extra int; ALTER TABLE no_key RENAME t TO u; DROP TABLE child");
    refused(Mode::Replace, &["lines"], "has \"extra\", which the backup lacks").await;
    refused(Mode::Replace, &["no_key"], "lacks \"t\" and has \"u\"").await;
    refused(Mode::Replace, &["child"], "there is no table public.child").await;
    cluster.psql("shop", "CREATE VIEW child AS SELECT 1 AS b");
    refused(Mode::MissingRows, &["child"], "not an ordinary table").await;
    let other = resolve(&cluster.url_as("clerk", "shop"));
    cluster.psql("shop", "ALTER ROLE clerk LOGIN; GRANT USAGE ON SCHEMA public TO clerk");
    let error = TableRestore::new(other).mode(Mode::Replace).run(&backup, &words(&["log"]), &Silent).await.unwrap_err();
    assert!(error.is(&RESTORE_REFUSED) || error.is(&RESTORE_FAILED), "{error:?}");

    // Rows whose foreign keys find nothing.
    cluster.psql("shop", "ALTER TABLE lines DROP extra; DELETE FROM lines; ALTER TABLE orders DISABLE TRIGGER USER; DELETE FROM orders WHERE id = 7");
    refused(Mode::Replace, &["lines"], "violates foreign key").await;
    assert_eq!(rows(&cluster, "lines"), "");
    // A backup whose bytes are not those that it noted.
    let damaged = backup.clone().failing_after(30_000);
    let error = run(&cluster, Mode::Replace, &damaged, &["orders", "lines"]).await.unwrap_err();
    assert_eq!(
        (rows(&cluster, "lines"), cluster.psql("shop", "SELECT count(*) FROM orders")),
        (String::new(), "2999".into()),
        "{error:?}"
    );
}

#[tokio::test]
async fn only_the_rows_that_are_gone() {
    let cluster = Cluster::start();
    let backup = shop(&cluster).await;
    cluster.psql(
        "shop",
        "ALTER TABLE orders ADD since text DEFAULT 'later'; ALTER TABLE orders DISABLE TRIGGER USER;
         DELETE FROM lines; DELETE FROM orders WHERE id BETWEEN 100 AND 199; UPDATE orders SET what = 'kept' WHERE id < 100;
         ALTER TABLE orders ENABLE TRIGGER tell; INSERT INTO log (what) VALUES ('a'), ('b'); TRUNCATE log; SELECT setval('orders_id_seq', 1)",
    );
    let done = run(&cluster, Mode::MissingRows, &backup, &["lines", "orders"]).await.unwrap();
    let put_back: Vec<_> = done.iter().map(|table| (table.table.to_string(), table.put_back)).collect();
    assert_eq!(put_back, [("public.orders".to_owned(), 100), ("public.lines".to_owned(), 100)]);
    assert_eq!(
        cluster.psql("shop", "SELECT count(*), count(*) FILTER (WHERE what = 'kept'), count(*) FILTER (WHERE since = 'later'), sum(twice) FROM orders"),
        format!("3000|99|3000|{}", 3000 * 3001)
    );
    assert_eq!(cluster.psql("shop", "SELECT count(*) FROM log"), "0", "no trigger fired");
    assert_eq!(cluster.psql("shop", "SELECT last_value FROM orders_id_seq"), "3000");
    assert_eq!(cluster.psql("shop", "SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'orders'::regclass AND NOT tgisinternal"), "silentD tellO tell_alwaysD");
    // Nothing is missing any more.
    let done = run(&cluster, Mode::MissingRows, &backup, &["orders", "log"]).await.unwrap();
    assert!(done.iter().all(|table| table.put_back == 0), "{done:?}");
}

#[tokio::test]
async fn a_partitioned_table_is_its_partitions() {
    let cluster = Cluster::start();
    cluster.create_database("shop");
    cluster.psql(
        "shop",
        "CREATE TABLE events (id int PRIMARY KEY, what text) PARTITION BY RANGE (id);
         CREATE TABLE old_ones PARTITION OF events FOR VALUES FROM (0) TO (10);
         CREATE TABLE new_ones PARTITION OF events FOR VALUES FROM (10) TO (20) PARTITION BY LIST (id);
         CREATE TABLE the_rest PARTITION OF new_ones DEFAULT;
         INSERT INTO events SELECT i, 'event ' || i FROM generate_series(0, 19) i;
         CREATE TABLE none (a int) PARTITION BY LIST (a);
         CREATE TABLE unrelated (a int); INSERT INTO unrelated VALUES (1)",
    );
    let source = PgDump::new(connection(&cluster, "shop")).env(env()).globals(false);
    let backup = MemoryBackup::of(&source).await;
    let all = "SELECT count(*), count(*) FILTER (WHERE what = 'spoilt') FROM events";
    for mode in [Mode::Replace, Mode::MissingRows] {
        cluster.psql("shop", "DELETE FROM events WHERE id IN (3, 13)");
        if mode == Mode::Replace {
            cluster.psql("shop", "UPDATE events SET what = 'spoilt' WHERE id IN (4, 14)");
        }
        let plan = restore(&cluster, mode).plan(&backup, &words(&["events"])).await.unwrap();
        assert!(plan.obstacles.is_empty() && plan.steps.len() == 2, "{plan:?}");
        let done = run(&cluster, mode, &backup, &["public.events"]).await.unwrap();
        let tables: Vec<String> = done.iter().map(|one| one.table.to_string()).collect();
        assert_eq!(tables.len(), 2, "{tables:?}");
        assert!(
            tables.iter().all(|table| ["public.old_ones", "public.the_rest"].contains(&table.as_str())),
            "{tables:?}"
        );
        assert_eq!(cluster.psql("shop", all), "20|0");
    }
    let done = run(&cluster, Mode::Beside, &backup, &["events", "old_ones"]).await.unwrap();
    assert_eq!(done.len(), 2, "each once");
    let error = run(&cluster, Mode::Beside, &backup, &["none"]).await.unwrap_err();
    assert!(error.is(&TABLE_NOT_FOUND) && error.to_string().contains("no partitions"), "{error:?}");
}
