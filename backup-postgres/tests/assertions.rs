//! Assertions against real clusters, and as they are configured.

mod support;

use backup_core::level::Outcome;
use backup_postgres::Connection;
use backup_postgres::assertions::{Assertion, Check, Count, run, validate};
use backup_postgres::testing::Cluster;
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};
use support::*;

/// One assertion from JSON, named `it`: the words are the same as in TOML.
fn parse(check: &str) -> Result<Assertion, String> {
    serde_json::from_str(&format!("{{\"name\": \"it\", {check}}}")).map_err(|error| error.to_string())
}

async fn judge(connection: &Connection, check: &str) -> (Outcome, String) {
    let results = run(connection, &[parse(check).unwrap()], Timestamp::now()).await;
    assert_eq!((results.len(), results[0].name.as_str()), (1, "it"));
    (results[0].outcome, results[0].detail.clone())
}

#[track_caller]
fn found(found: (Outcome, String), outcome: Outcome, words: &str) {
    assert!(found.0 == outcome && found.1.contains(words), "{found:?}; expected {outcome}: {words}");
}

const DATABASE: &str = r#"
    CREATE SCHEMA shop;
    CREATE SCHEMA "Odd schema";
    CREATE TABLE public.orders (id int PRIMARY KEY, created_at timestamptz, day date, note text);
    INSERT INTO orders SELECT i, now() - i * interval '1 hour', current_date - i, 'x' FROM generate_series(2, 100) i;
    CREATE TABLE shop.invoices (year int, number bigint, PRIMARY KEY (year, number));
    INSERT INTO shop.invoices SELECT y, n FROM generate_series(2024, 2026) y, generate_series(1, 10) n;
    CREATE TABLE "Odd schema"."Odd "" table" ("a b" int);
    CREATE VIEW shop.some AS SELECT 1 AS one;
    CREATE FUNCTION shop.total(a int, b bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN a + b;
    CREATE PROCEDURE shop.do_it() LANGUAGE sql AS 'SELECT 1';
    CREATE TABLE shop.tenants (id int); ALTER TABLE shop.tenants ENABLE ROW LEVEL SECURITY;
    CREATE TABLE shop.lines (tenant int); ALTER TABLE shop.lines ENABLE ROW LEVEL SECURITY;
    ALTER DATABASE db SET search_path = shop, public;
"#;

// One cluster serves several tests: starting one takes longer than all of them.
#[tokio::test]
async fn each_passes_fails_or_is_unverified() {
    use Outcome::*;
    let cluster = Cluster::start();
    cluster.create_database("db");
    cluster.psql("db", DATABASE);
    let db = connection(&cluster, "db");

    let sql = [
        (r#""sql": "SELECT count(*) = 99 FROM orders""#, Passed, "true"),
        (r#""sql": "SELECT count(*) = 98 FROM orders;""#, Failed, "false"),
        (r#""sql": "SELECT NULL::boolean""#, Failed, "null"),
        (r#""sql": "SELECT true WHERE false""#, Failed, "no row"),
        (r#""sql": "SELECT true FROM generate_series(1, 3)""#, Unverified, "3 rows"),
        (r#""sql": "SELECT true, true""#, Unverified, "several columns"),
        (r#""sql": "SELECT 1""#, Unverified, "type int4 where boolean"),
        (r#""sql": "SELECT true FROM nowhere""#, Failed, "nowhere"),
        (r#""sql": "SELECT tru FROM orders""#, Failed, "tru"),
        (r#""sql": "SELEC true""#, Unverified, "syntax error"),
        (r#""sql": "SELECT 1/0 = 1""#, Unverified, "division by zero"),
        // The database's own search_path counts.
        (r#""sql": "SELECT total(1, 2::bigint) = 3""#, Passed, "true"),
        // Nothing can be changed, and no statement can slip in behind another.
        (r#""sql": "DELETE FROM orders RETURNING true""#, Unverified, "read-only transaction"),
        (r#""sql": "SELECT true; DELETE FROM orders""#, Unverified, "multiple commands"),
        (r#""sql": "COMMIT""#, Failed, "no row"),
        (
            r#""sql": "SELECT set_config('transaction_read_only', 'off', false) = 'off'""#,
            Unverified,
            "must be set before any query",
        ),
    ];
    let counts = [
        (r#""count": {"table": "orders", "min": 99, "max": 99}"#, Passed, "99; expected 99 to 99"),
        (r#""count": {"table": "orders", "min": 100}"#, Failed, "99; expected at least 100"),
        (r#""count": {"table": "public.orders", "max": 98}"#, Failed, "99; expected at most 98"),
        (r#""count": {"table": "\"Odd schema\".\"Odd \"\" table\"", "max": 0}"#, Passed, "0; expected at most 0"),
        (r#""count": {"table": "no_such", "min": 0}"#, Failed, "there is no table no_such"),
        (r#""count": {"sql": "SELECT 7::smallint", "min": 7}"#, Passed, "7"),
        (r#""count": {"sql": "SELECT 7", "max": 7}"#, Passed, "7"),
        (r#""count": {"sql": "SELECT sum(7::bigint)", "min": 7}"#, Unverified, "::bigint"),
        (r#""count": {"sql": "SELECT NULL::int", "min": 7}"#, Failed, "null"),
    ];
    let rows = [
        (r#""fresh": {"table": "orders", "column": "created_at", "within": "3h"}"#, Passed, "public.orders"),
        (r#""fresh": {"table": "orders", "column": "created_at", "within": "90m"}"#, Failed, "newest"),
        (r#""fresh": {"table": "orders", "column": "day", "within": "7d"}"#, Passed, "day"),
        (r#""fresh": {"table": "orders", "column": "day", "within": "24h"}"#, Failed, "day"),
        (r#""fresh": {"table": "orders", "column": "when", "within": "24h"}"#, Failed, "no column when"),
        (r#""fresh": {"table": "orders", "column": "note", "within": "24h"}"#, Unverified, "invalid input"),
        (r#""fresh": {"table": "orders", "column": "id", "within": "24h"}"#, Unverified, "cannot cast"),
        (r#""fresh": {"table": "tenants", "column": "id", "within": "24h"}"#, Unverified, "cannot cast"),
        (r#""no_gaps": {"table": "orders", "column": "id"}"#, Passed, "99 rows of public.orders"),
        (r#""no_gaps": {"table": "orders", "column": "id", "from": 1}"#, Failed, "the first is 2, not 1"),
        (r#""no_gaps": {"table": "invoices", "column": "number", "by": "year", "from": 1}"#, Passed, "30 rows"),
        (r#""no_gaps": {"table": "invoices", "column": "number"}"#, Failed, "1 is there twice"),
        (r#""no_gaps": {"table": "tenants", "column": "id"}"#, Unverified, "has no row"),
    ];
    let catalog = [
        (r#""tables": ["orders", "shop.invoices", "\"Odd schema\".\"Odd \"\" table\""]"#, Passed, "3 tables"),
        (r#""tables": ["orders", "missing", "shop.gone"]"#, Failed, "missing: missing, shop.gone"),
        (r#""tables": ["shop.some"]"#, Failed, "no table"),
        (r#""function": "shop.total(int, bigint)""#, Passed, "is there"),
        (r#""function": "shop.total(int)""#, Failed, "no function"),
        (r#""function": "total""#, Passed, "is there"),
        (r#""function": "shop.do_it""#, Passed, "is there"),
        (r#""function": "public.total""#, Failed, "no function"),
        (r#""row_level_security": ["tenants", "shop.lines"]"#, Passed, "2 tables"),
        (r#""row_level_security": ["shop.*"]"#, Failed, "shop.invoices"),
        (
            r#""row_level_security": ["tenants", "nowhere", "nowhere.*"]"#,
            Failed,
            "nowhere (there is no such table), nowhere.*",
        ),
        (r#""valid_constraints": true"#, Passed, "constraints are valid"),
        (r#""valid_indexes": true"#, Passed, "2 indexes are valid"),
    ];
    for (check, outcome, words) in sql.into_iter().chain(counts).chain(rows).chain(catalog) {
        let (had, detail) = judge(&db, check).await;
        assert!(had == outcome && detail.contains(words), "{check}: {had}: {detail}; expected {outcome}: {words}");
    }
    assert_eq!(cluster.psql("db", "SELECT count(*) FROM orders"), "99", "nothing was changed");

    gaps_and_invalid_things(&cluster, &db).await;
    amcheck(&cluster, &db).await;
    programs(&cluster).await;
    limits(&db).await;
    the_time_is_the_snapshots(&db).await;
}

async fn gaps_and_invalid_things(cluster: &Cluster, db: &Connection) {
    cluster.psql(
        "db",
        "DELETE FROM shop.invoices WHERE year = 2025 AND number IN (4, 5);
         ALTER TABLE shop.lines ADD CONSTRAINT one CHECK (tenant > 0) NOT VALID;
         CREATE INDEX half ON shop.lines (tenant);
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.half'::regclass",
    );
    let by_year = r#""no_gaps": {"table": "invoices", "column": "number", "by": "year"}"#;
    found(judge(db, by_year).await, Outcome::Failed, "after 3 of 2025 comes 6");
    found(judge(db, r#""valid_constraints": true"#).await, Outcome::Failed, "one on shop.lines");
    found(judge(db, r#""valid_indexes": true"#).await, Outcome::Failed, "shop.half");
    cluster.psql("db", "DROP INDEX shop.half");
}

async fn amcheck(cluster: &Cluster, db: &Connection) {
    let check = r#""amcheck": true"#;
    found(judge(db, check).await, Outcome::Passed, "tables are sound");
    assert_eq!(cluster.psql("db", "SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'"), "0");
    assert_eq!(cluster.psql("db", "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'backproof%'"), "0");
    // Who may not create it cannot use it: that is no pass.
    cluster.psql("db", "CREATE ROLE nobody_special LOGIN");
    let plain = resolve(&cluster.url_as("nobody_special", "db"));
    found(judge(&plain, check).await, Outcome::Unverified, "amcheck cannot be used here");
    // An index whose function gives something else now: rows without their entries.
    cluster.psql(
        "db",
        "CREATE EXTENSION amcheck;
         CREATE FUNCTION shop.turned(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
         CREATE INDEX turned ON orders (shop.turned(id));
         CREATE OR REPLACE FUNCTION shop.turned(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -$1'",
    );
    found(judge(db, check).await, Outcome::Failed, "index public.turned");
    cluster.psql("db", "DROP INDEX turned");
    found(judge(db, check).await, Outcome::Passed, "sound");
}

async fn programs(cluster: &Cluster) {
    let db = connection(cluster, "db");
    let psql = cluster.bindir().join("psql").display().to_string();
    let shell = |script: &str| format!("\"command\": {}", serde_json::json!(["sh", "-c", script]));
    let ask = |sql: &str| shell(&format!("test \"$({psql} -XAt -d \"$DATABASE_URL\" -c '{sql}')\" = 99"));
    found(judge(&db, &ask("SELECT count(*) FROM public.orders")).await, Outcome::Passed, "status 0");
    found(judge(&db, &ask("SELECT 98")).await, Outcome::Failed, "sh");
    // Nothing of our environment but what every program needs.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let variables = shell("test -z \"$CARGO_MANIFEST_DIR\" && test -n \"$PATH\" && test -n \"$PGHOST\"");
    found(judge(&db, &variables).await, Outcome::Passed, "status 0");
    found(judge(&db, &shell("echo what went wrong >&2; exit 3")).await, Outcome::Failed, "what went wrong");
    found(judge(&db, r#""command": ["/no/such/program"]"#).await, Outcome::Unverified, "/no/such/program");
    // What it prints of its secret is not passed on.
    let secret = resolve(&cluster.url_as("checker", "db").replace("checker@", "checker:hunter2@"));
    let (outcome, detail) = judge(&secret, &shell("echo $DATABASE_URL $PGPASSWORD >&2; exit 1")).await;
    assert!(outcome == Outcome::Failed && detail.contains("***") && !detail.contains("hunter2"), "{detail}");
}

async fn limits(db: &Connection) {
    for check in [r#""sql": "SELECT pg_sleep(600) IS NULL""#, r#""command": ["sleep", "600"]"#] {
        let started = Instant::now();
        let assertion = parse(check).unwrap().timeout(Duration::from_millis(200));
        let result = run(db, &[assertion.clone().warn(), assertion], Timestamp::now()).await;
        assert!(result[0].warning_only && !result[1].warning_only);
        found((result[0].outcome, result[0].detail.clone()), Outcome::Unverified, "longer than 0.2 s");
        assert!(started.elapsed() < Duration::from_secs(20) && result[0].seconds >= 0.2, "{:?}", started.elapsed());
    }
    let gone = resolve("host=/nowhere user=me dbname=db");
    found(judge(&gone, r#""sql": "SELECT true""#).await, Outcome::Unverified, "/nowhere");
}

/// A backup of last week is not stale because it is looked at today.
async fn the_time_is_the_snapshots(db: &Connection) {
    let fresh = parse(r#""fresh": {"table": "orders", "column": "created_at", "within": "1h"}"#).unwrap();
    let at = |hours: i64| Timestamp::now() - SignedDuration::from_hours(hours);
    let results = run(db, std::slice::from_ref(&fresh), at(2)).await;
    assert_eq!(results[0].outcome, Outcome::Passed, "{results:?}");
    assert_eq!(run(db, &[fresh], at(0)).await[0].outcome, Outcome::Failed);
}

#[test]
fn the_words_of_the_configuration() {
    assert_eq!(
        parse(r#""severity": "warn", "timeout": "90s", "count": {"table": "t", "min": 1}"#).unwrap(),
        Assertion::new("it", Check::Count(Count::of_table("t", Some(1), None))).warn().timeout(Duration::from_secs(90))
    );
    for (wrong, words) in [
        (r#""sq": "SELECT true""#, "unknown field `sq`"),
        (r#""severity": "warn""#, "exactly one of sql, count"),
        (r#""sql": "SELECT true", "amcheck": true"#, "exactly one of sql, count"),
        (r#""amcheck": false"#, "leave it out"),
        (r#""tables": []"#, "checks nothing"),
        (r#""command": []"#, "checks nothing"),
        (r#""count": {"min": 1}"#, "either table or sql"),
        (r#""count": {"table": "t", "sql": "SELECT 1", "min": 1}"#, "either table or sql"),
        (r#""count": {"table": "t"}"#, "min, max or both"),
        (r#""count": {"table": "t", "min": 2, "max": 1}"#, "nothing passes"),
        (r#""count": {"table": "t", "least": 2}"#, "unknown field `least`"),
        (r#""severity": "bad", "amcheck": true"#, "unknown variant `bad`"),
        (r#""timeout": "0s", "amcheck": true"#, "longer than nothing"),
        (r#""timeout": "soon", "amcheck": true"#, "is not a duration"),
        (r#""timeout": "-3h", "amcheck": true"#, "is not a duration"),
        (r#""fresh": {"table": "t", "column": "c"}"#, "missing field `within`"),
        (r#""fresh": {"table": "t", "column": "c", "within": "1d", "or": 1}"#, "unknown field `or`"),
        (r#""no_gaps": {"table": "t"}"#, "missing field `column`"),
    ] {
        let error = parse(wrong).unwrap_err();
        assert!(error.contains(words), "{wrong}: {error}");
    }
    let one = parse(r#""amcheck": true"#).unwrap();
    assert!(validate(std::slice::from_ref(&one)).is_ok());
    assert!(validate(&[one.clone(), one]).unwrap_err().to_string().contains("\"it\""));
}
