//! What changed since a backup, and the rows of one table, as the program shows them.

use crate::site::Site;
use backup_postgres::testing::Cluster;

fn site(cluster: &Cluster, database: &str) -> Site {
    let mut site = Site::new();
    site.set("DATABASE_URL", cluster.url(database));
    site.set("PG_BINDIR", cluster.bindir().display().to_string());
    site
}

#[test]
fn what_changed_is_named_and_nothing_else() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE shop");
    cluster.psql(
        "shop",
        "CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders SELECT i, 'n' || i FROM generate_series(1, 100) i;
         CREATE TABLE still (id int); INSERT INTO still VALUES (1);
         CREATE FUNCTION secret() RETURNS text LANGUAGE sql AS $$ SELECT 'hunter2' $$",
    );
    let site = site(&cluster, "shop");
    let before = site.run(&["backup", "--name", "app", "--json"]).ok().json()["id"].as_str().unwrap().to_owned();
    let same = site.run(&["diff", &before]).ok();
    assert!(same.stdout.contains("no difference"), "{same}");

    cluster.psql(
        "shop",
        "DELETE FROM orders WHERE id = 7; CREATE TABLE added (id int);
         CREATE OR REPLACE FUNCTION secret() RETURNS text LANGUAGE sql AS $$ SELECT 'hunter3' $$",
    );
    // Rows in another place are no difference.
    cluster.psql("shop", "VACUUM FULL still");
    let now = site.run(&["diff", &before, "--json"]).ends(1);
    assert!(!now.stdout.contains("hunter"), "no definition is printed: {now}");
    site.run(&["backup", "--name", "app"]).ok();
    let between = site.run(&["diff", &before, "latest", "--json"]).ends(1);
    for (run, what) in [(now, "database"), (between, "backup")] {
        let document = run.json();
        assert!(document["after"][what].is_string(), "{run}");
        let diff = &document["diff"];
        let table = &diff["tables"][0];
        assert_eq!(
            (&table["table"], &table["status"], &table["rows_before"], &table["rows_after"]),
            (&"public.orders".into(), &"changed".into(), &100.into(), &99.into()),
            "{run}"
        );
        let objects: Vec<&str> =
            diff["objects"].as_array().unwrap().iter().map(|object| object["object"].as_str().unwrap()).collect();
        assert!(
            objects.contains(&"table public.added") && objects.contains(&"function public.secret()"),
            "{objects:?}"
        );
        assert_eq!(diff["equal_tables"], 1, "{run}");
    }
    // Two backups and a database are one too many.
    let url = cluster.url("shop");
    assert_eq!(site.run(&["diff", &before, "latest", "--database", &url, "--json"]).code(), "no_effect");
}

#[test]
fn rows_of_one_table_come_without_a_server() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE rich");
    cluster.psql(
        "rich",
        r#"CREATE TABLE public."Odd ""name" (id int, note text);
           INSERT INTO public."Odd ""name" VALUES (1, 'plain'), (2, NULL), (3, ''), (4, E'a,"b"\nc\\d')"#,
    );
    let expected = cluster.psql("rich", r#"COPY public."Odd ""name" TO STDOUT (FORMAT csv, HEADER)"#);
    let site = site(&cluster, "rich");
    site.run(&["backup", "--name", "app"]).ok();
    // Its server is gone.
    drop(cluster);
    let cat = |flags: &[&str]| site.run(&[&["cat", "latest", "--table", r#"public."Odd ""name""#], flags].concat());
    assert_eq!(cat(&[]).ok().stdout.trim_end(), expected.trim_end());
    assert_eq!(cat(&["--format", "copy"]).ok().stdout, "1\tplain\n2\t\\N\n3\t\n4\ta,\"b\"\\nc\\\\d\n");
    let lines = cat(&["--format", "json"]).ok().stdout;
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last, serde_json::json!({ "id": "4", "note": "a,\"b\"\nc\\d" }));
    let written = cat(&["--output", &site.at("rows.csv"), "--json"]).ok().json();
    assert_eq!(written["rows"], 4);
    assert_eq!(site.read("rows.csv").trim_end(), expected.trim_end());

    let missing = site.run(&["cat", "latest", "--table", "public.nothing", "--json", "--output", &site.at("none")]);
    assert_eq!(missing.code(), "table_not_found");
    assert!(!site.path("none").exists());
    for wrong in [
        &["cat", "latest"][..],
        &["cat", "latest", "dump", "--format", "csv"],
        &["cat", "latest", "dump", "--table", "t"],
    ] {
        let output = site.at("none");
        assert_eq!(site.run(&[wrong, &["--json", "--output", &output]].concat()).code(), "usage", "{wrong:?}");
    }
}
