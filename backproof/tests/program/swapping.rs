//! A restore in place of a live database, and the way back.

use crate::site::Site;
use backup_postgres::testing::{Cluster, PgBouncer, PoolMode};

struct Shop {
    cluster: Cluster,
    site: Site,
    url: String,
}

/// A live database that was backed up and then spoiled.
fn spoiled(configuration: &str) -> Shop {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE shop; ALTER DATABASE shop SET work_mem = '7MB'");
    cluster.psql(
        "shop",
        "CREATE TABLE orders (id int PRIMARY KEY, note text);
         INSERT INTO orders SELECT i, 'n' || i FROM generate_series(1, 1000) i;
         CREATE DOMAIN positive AS int; CREATE TYPE pair AS (a positive[]);
         CREATE VIEW in_other_words AS SELECT ROW(ARRAY[1])::pair AS pair",
    );
    let mut site = Site::new();
    site.set("PG_BINDIR", cluster.bindir().display().to_string());
    site.write("backproof.toml", &(site.read("backproof.toml") + configuration));
    let url = cluster.url("shop");
    site.run(&["backup", "--name", "app", "--database", &url]).ok();
    cluster.psql("shop", "DELETE FROM orders WHERE id % 2 = 0");
    Shop { cluster, site, url }
}

impl Shop {
    fn rows(&self, database: &str) -> String {
        self.cluster.psql(database, "SELECT count(*) FROM orders")
    }

    fn databases(&self) -> Vec<String> {
        let names = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1";
        self.cluster.psql("postgres", names).lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_swap_brings_the_rows_back_and_a_rollback_takes_it_back() {
    let shop = spoiled("");
    let swap = ["restore", "latest", "--name", "app", "--swap", "--to", shop.url.as_str()];
    let plan = shop.site.run(&[&swap[..], &["--dry-run", "--json"]].concat()).ok().json();
    assert!(!plan["plan"]["steps"].as_array().unwrap().is_empty());
    // Nobody is there to type the name.
    assert_eq!(shop.site.run(&[&swap[..], &["--json"]].concat()).code(), "confirmation_required");
    assert_eq!((shop.rows("shop"), shop.databases().len()), ("500".into(), 1));

    let run = shop.site.run(&[&swap[..], &["--yes", "--json"]].concat()).ok();
    // Even the same server writes some definitions in other words once they were restored: no reason to refuse.
    assert!(run.stderr.contains("view public.in_other_words: definition differs"), "{run}");
    let done = run.json();
    let kept = done["swapped"]["kept"].as_str().unwrap().to_owned();
    assert_eq!((shop.rows("shop"), shop.rows(&kept)), ("1000".into(), "500".into()));
    assert_eq!(shop.cluster.psql("shop", "SHOW work_mem"), "7MB");
    // The safety backup has what was live, and `latest` of the label of everyday backups is still the one that was restored.
    let safety = done["swapped"]["safety_backup"].as_str().unwrap();
    let rows = shop.site.run(&["cat", safety, "--table", "orders", "--format", "copy"]).ok().stdout;
    assert_eq!(rows.lines().count(), 500);
    // What was spoiled is not `latest` now, and nobody else makes such backups.
    let rows = shop.site.run(&["cat", "latest", "--name", "app", "--table", "orders", "--format", "copy"]).ok().stdout;
    assert_eq!(rows.lines().count(), 1000);
    let label = ["backup", "--name", "app", "--label", "safety", "--database", shop.url.as_str(), "--json"];
    assert_eq!(shop.site.run(&label).code(), "invalid_argument");

    let mut forced = shop.site.command(&["rollback", "--to", &shop.url, "--json"]);
    forced.env("FORCE", "true");
    let back = crate::site::finish(forced).ok().json();
    let aside = back["rolled_back"]["put_aside"].as_str().unwrap();
    assert_eq!((shop.rows("shop"), shop.rows(aside)), ("500".into(), "1000".into()));
    assert_eq!(shop.databases().len(), 2);
    let dropped = shop.site.run(&["rollback", "--to", &shop.url, "--drop-old", "--yes", "--json"]).ok().json();
    assert_eq!(dropped["dropped"].as_array().unwrap().len(), 1);
    assert_eq!(shop.databases(), ["shop"]);
}

#[test]
fn rows_that_came_after_the_swap_are_not_lost_by_a_rollback() {
    let shop = spoiled("");
    shop.site.run(&["restore", "latest", "--name", "app", "--swap", "--to", &shop.url, "--yes"]).ok();
    shop.cluster.psql("shop", "INSERT INTO orders VALUES (5000, 'new')");
    let back = ["rollback", "--to", shop.url.as_str(), "--yes"];
    assert_eq!(shop.site.run(&[&back[..], &["--json"]].concat()).code(), "rollback_loses_data");
    assert_eq!(shop.rows("shop"), "1001");
    shop.site.run(&[&back[..], &["--lose-newer-data"]].concat()).ok();
    assert_eq!(shop.rows("shop"), "500");
}

#[test]
fn whatever_fails_before_the_swap_leaves_the_live_database_alone() {
    let failing = "[[assertions]]\nname = \"many orders\"\ncount = { table = \"public.orders\", min = 5000 }\n";
    for (configuration, damage, code) in [(failing, false, "restored_differently"), ("", true, "restore_not_proven")] {
        let shop = spoiled(configuration);
        if damage {
            let segment = shop.site.object("dump/00000000.zst.age");
            let mut bytes = std::fs::read(&segment).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&segment, bytes).unwrap();
        }
        let swap = ["restore", "latest", "--name", "app", "--swap", "--to", shop.url.as_str(), "--yes", "--json"];
        assert_eq!(shop.site.run(&swap).code(), code);
        assert_eq!((shop.rows("shop"), shop.databases()), ("500".into(), vec!["shop".to_owned()]));
        // Nothing is proven, nothing is backed up.
        assert_eq!(shop.site.ids().len(), if damage { 1 } else { 2 });
    }
}

#[test]
fn single_tables_come_back_beside_in_place_or_row_by_row() {
    let shop = spoiled("");
    let table = ["restore", "latest", "--name", "app", "--table", "public.orders", "--to", shop.url.as_str(), "--json"];
    let restore = |flags: &[&str]| shop.site.run(&[&table[..], flags].concat());
    restore(&["--schema", "old"]).ok();
    assert_eq!(shop.cluster.psql("shop", "SELECT count(*) FROM old.orders"), "1000");
    assert_eq!(shop.rows("shop"), "500");

    assert_eq!(restore(&["--missing-rows"]).code(), "confirmation_required");
    let put_back = restore(&["--missing-rows", "--yes"]).ok().json();
    assert_eq!(put_back["tables"][0]["put_back"], 500);
    assert_eq!(shop.rows("shop"), "1000");

    shop.cluster.psql("shop", "UPDATE orders SET note = 'spoiled'");
    let replaced = restore(&["--replace", "--yes"]).ok().json();
    assert!(replaced["tables"][0]["kept"].as_str().unwrap().contains("orders_before_"), "{replaced:#}");
    let spoiled = || shop.cluster.psql("shop", "SELECT count(*) FROM orders WHERE note = 'spoiled'");
    assert_eq!(spoiled(), "0");
    shop.site.run(&["rollback", "--table", "public.orders", "--to", &shop.url, "--yes"]).ok();
    assert_eq!(spoiled(), "1000");
    assert_eq!(restore(&["--replace", "--missing-rows"]).code(), "usage");
}

#[test]
fn in_place_where_no_database_can_be_renamed() {
    let shop = spoiled("");
    shop.cluster.psql("shop", "CREATE TABLE newer AS SELECT 1 AS a");
    let restore = ["restore", "latest", "--name", "app", "--in-place", "--to", shop.url.as_str()];
    let plan = shop.site.run(&[&restore[..], &["--dry-run", "--json"]].concat()).ok().json();
    assert_eq!(plan["plan"]["obstacles"], serde_json::json!([]));
    assert_eq!(shop.site.run(&[&restore[..], &["--json"]].concat()).code(), "confirmation_required");
    assert_eq!(shop.site.run(&[&restore[..], &["--swap", "--yes", "--json"]].concat()).code(), "usage");
    assert_eq!(shop.rows("shop"), "500");

    let done = shop.site.run(&[&restore[..], &["--yes", "--json"]].concat()).ok().json();
    assert_eq!((shop.rows("shop"), shop.databases()), ("1000".into(), vec!["shop".to_owned()]));
    assert_eq!(shop.cluster.psql("shop", "SELECT count(*) FROM newer"), "1");
    assert_eq!(shop.cluster.psql("shop", "SHOW default_transaction_read_only"), "off");
    // The way back; in a new database, too, which can be written to.
    let safety = done["overwritten"]["safety_backup"].as_str().unwrap();
    shop.site.run(&["restore", safety, "--to", &shop.cluster.url("anew")]).ok();
    shop.cluster.psql("anew", "DELETE FROM orders WHERE id = 1; INSERT INTO orders VALUES (1, 'n1')");
    shop.cluster.psql("postgres", "DROP DATABASE anew");
    shop.site.run(&["restore", safety, "--in-place", "--to", &shop.url, "--yes"]).ok();
    assert_eq!(shop.rows("shop"), "500");

    // Something that came later is in the way: nothing is changed.
    shop.cluster.psql("shop", "CREATE VIEW few AS SELECT * FROM orders WHERE id < 10");
    let plan = shop.site.run(&[&restore[..], &["--dry-run"]].concat()).ends(2);
    assert!(plan.stdout.contains("OBSTACLE: view") && plan.stdout.contains("would: prove the backup"), "{plan}");
    let refused = shop.site.run(&[&restore[..], &["--label", "manual", "--yes", "--json"]].concat());
    assert_eq!(refused.code(), "restore_refused", "{refused}");
    assert_eq!(shop.rows("shop"), "500");
    shop.cluster.psql("shop", "INSERT INTO orders VALUES (100000, 'writes are allowed again')");
}

/// Behind a transaction pooler, what is set for a session reaches others.
#[test]
fn through_a_transaction_pooler_nothing_is_restored() {
    let shop = spoiled("");
    let pooler = PgBouncer::start(&shop.cluster, PoolMode::Transaction, &[]);
    let url = |database: &str| pooler.url_as("postgres", database);
    let restore = ["restore", "latest", "--name", "app"];
    let (live, new) = (url("shop"), url("back"));
    let refused: [&[&str]; 7] = [
        &["--to", &new],
        &["--to", &new, "--dry-run"],
        &["--swap", "--yes", "--to", &live],
        &["--in-place", "--yes", "--to", &live],
        &["--table", "public.orders", "--to", &live],
        &["--table", "public.orders", "--replace", "--yes", "--to", &live],
        &["--table", "public.orders", "--missing-rows", "--yes", "--to", &live],
    ];
    for flags in refused {
        let run = shop.site.run(&[&restore[..], flags, &["--json"]].concat());
        assert_eq!(run.code(), "transaction_pooler", "{flags:?}: {run}");
    }
    for flags in [&[][..], &["--table", "public.orders"]] {
        let run = shop.site.run(&[&["rollback", "--to", &live, "--yes", "--json"], flags].concat());
        assert_eq!(run.code(), "transaction_pooler", "{flags:?}: {run}");
    }
    assert_eq!((shop.rows("shop"), shop.databases(), shop.site.ids().len()), ("500".into(), vec!["shop".into()], 1));
    // In session mode, it works.
    drop(pooler);
    let pooler = PgBouncer::start(&shop.cluster, PoolMode::Session, &[]);
    shop.site.run(&[&restore[..], &["--to", &pooler.url_as("postgres", "back")]].concat()).ok();
    assert_eq!(shop.rows("back"), "1000");
}

/// The statements that warnings end with, which the next command gives for what a killed one left.
fn ways_out(run: &crate::site::Run) -> Vec<String> {
    let statement = |line: &str| {
        let from = line.find("ALTER DATABASE \"").or_else(|| line.find("DROP DATABASE \""))?;
        Some(line[from..].trim_end_matches(" allows them again").to_owned())
    };
    run.stderr.lines().filter(|line| line.starts_with("warning: ")).filter_map(statement).collect()
}

#[test]
fn what_a_killed_restore_leaves_is_named_with_the_way_out() {
    let shop = spoiled("");
    // Making the index takes as long as we like: while this setting is there.
    let slowly = |slowly: bool| {
        let what = if slowly { "SET work_mem = '5MB'" } else { "RESET work_mem" };
        shop.cluster.psql("template1", &format!("ALTER DATABASE postgres {what}"));
    };
    shop.cluster.psql(
        "shop",
        "CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
            IF EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = 'postgres') THEN
                PERFORM pg_sleep(0.1); END IF; RETURN $1; END $$;
         CREATE INDEX slowly ON orders (public.slow(id))",
    );
    let made = shop.site.run(&["backup", "--name", "app", "--json", "--database", &shop.url]).ok().json();
    let id = made["id"].as_str().unwrap();
    shop.cluster.psql("shop", "DELETE FROM orders");
    let restore = ["restore", id, "--in-place", "--to", shop.url.as_str(), "--yes"];
    let count = |of: &str| shop.cluster.psql("postgres", &format!("SELECT count(*) FROM pg_stat_activity WHERE {of}"));

    slowly(true);
    let mut child = shop.site.command(&restore).spawn().unwrap();
    crate::interruption::wait_until("the index is being made", || {
        count("query LIKE 'CREATE INDEX slowly%' AND state = 'active'") == "1"
    });
    child.kill().unwrap();
    child.wait().unwrap();
    shop.cluster.psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'");
    crate::interruption::wait_until("its connections are gone", || count("datname = 'shop'") == "0");
    slowly(false);
    let read_only = || shop.cluster.psql("shop", "SHOW default_transaction_read_only");
    assert_eq!((shop.rows("shop"), read_only()), ("0".into(), "on".into()));

    // Whoever comes next is told, and what is told helps.
    let reset = "ALTER DATABASE \"shop\" RESET default_transaction_read_only";
    let told = shop.site.run(&["rollback", "--to", &shop.url, "--yes"]).ends(2);
    assert_eq!(ways_out(&told), [reset], "{told}");
    let told = shop.site.run(&["restore", id, "--swap", "--to", &shop.url, "--dry-run"]).ends(1);
    assert!(told.stdout.contains(reset), "{told}");
    // A restore that ends well leaves it as it should be.
    let done = shop.site.run(&restore).ends(1);
    assert_eq!(ways_out(&done), [reset], "{done}");
    assert_eq!((shop.rows("shop"), read_only()), ("500".into(), "off".into()));
    shop.cluster.psql("postgres", "ALTER DATABASE shop SET default_transaction_read_only = 'tru'");
    let told = shop.site.run(&["rollback", "--to", &shop.url, "--yes"]).ends(2);
    shop.cluster.psql("postgres", &ways_out(&told)[0]);
    assert_eq!(read_only(), "off");
    // Who made it so on purpose is not told anything.
    shop.cluster.psql("postgres", "ALTER DATABASE shop SET default_transaction_read_only = on");
    assert_eq!(ways_out(&shop.site.run(&["rollback", "--to", &shop.url, "--yes"])), [""; 0]);
    shop.cluster.psql("postgres", reset);

    // What a killed swap leaves.
    for name in ["shop_restored_20250101T000000Z", "backproof_probe_0123456789abcdef", "backproof_probe_01_renamed"] {
        shop.cluster.psql("postgres", &format!("CREATE DATABASE \"{name}\""));
    }
    shop.cluster.psql("postgres", "CREATE DATABASE shop_restored_by_hand");
    let plan = ["restore", id, "--swap", "--to", shop.url.as_str(), "--dry-run"];
    let told = shop.site.run(&plan).ends(1);
    assert_eq!(told.stdout.matches("DROP DATABASE").count(), 3, "{told}");
    let told = shop.site.run(&["rollback", "--to", &shop.url, "--yes"]).ends(2);
    for statement in ways_out(&told) {
        shop.cluster.psql("postgres", &statement);
    }
    assert_eq!(shop.databases(), ["shop", "shop_restored_by_hand"]);
    shop.site.run(&plan).ok();
}

/// Privileges that something gives to whatever is made are not in the backup: that is told, and never called success.
#[test]
fn in_place_with_privileges_that_the_backup_does_not_have() {
    let shop = spoiled("");
    shop.cluster.psql(
        "shop",
        "CREATE ROLE anon;
         CREATE FUNCTION give() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN GRANT SELECT ON ALL TABLES IN SCHEMA public TO anon; END $$;
         CREATE EVENT TRIGGER give ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION give()",
    );
    let restore = ["restore", "latest", "--name", "app", "--in-place", "--to", shop.url.as_str(), "--yes", "--json"];
    let run = shop.site.run(&restore);
    assert_eq!(run.code(), "overwritten_and_refused", "{run}");
    assert!(run.stderr.contains("privileges on table public.orders"), "{run}");
}

#[test]
fn tables_that_were_replaced_together_go_back_together() {
    let shop = spoiled("");
    shop.cluster.psql("shop", "CREATE TABLE lines (id int PRIMARY KEY REFERENCES orders, note text); INSERT INTO lines SELECT id, note FROM orders");
    shop.cluster.psql("shop", "CREATE TABLE parts (a int) PARTITION BY LIST (a); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); INSERT INTO parts VALUES (1)");
    shop.site.run(&["backup", "--name", "app", "--database", &shop.url]).ok();
    // A partitioned table has the rows of its partitions.
    let parts = shop.site.run(&["cat", "latest", "--name", "app", "--table", "public.parts"]).ok();
    assert_eq!(parts.stdout, "a\n1\n", "{parts}");
    let parts = [
        "restore",
        "latest",
        "--name",
        "app",
        "--table",
        "public.parts",
        "--to",
        shop.url.as_str(),
        "--dry-run",
        "--json",
    ];
    assert!(shop.site.run(&parts).ok().stdout.contains("public.parts_1"));
    shop.cluster.psql("shop", "UPDATE lines SET note = 'spoiled'; UPDATE orders SET note = 'spoiled'");
    let tables = ["--table", "public.orders", "--table", "public.lines", "--to", shop.url.as_str(), "--yes", "--json"];
    shop.site.run(&[&["restore", "latest", "--name", "app", "--replace"], &tables[..]].concat()).ok();
    let spoiled = || {
        shop.cluster.psql("shop", "SELECT (SELECT count(*) FROM orders WHERE note = 'spoiled') + (SELECT count(*) FROM lines WHERE note = 'spoiled')")
    };
    assert_eq!(spoiled(), "0");
    let pattern = ["rollback", "--table", "public.*", "--to", shop.url.as_str(), "--yes", "--json"];
    let done = shop.site.run(&pattern).ok().json();
    assert_eq!((spoiled().as_str(), done["tables"].as_array().unwrap().len()), ("1000", 2));
    let nothing = shop.site.run(&pattern);
    assert_eq!(nothing.code(), "nothing_to_roll_back");
    assert!(nothing.stderr.contains("_before_") && !nothing.stderr.contains("psql"), "{nothing}");
}

/// Without a key for the safety backup, there would be no way back that anybody may take.
#[test]
fn what_cannot_end_well_is_refused_before_it_begins() {
    let shop = spoiled("");
    let unsigned = shop.site.read("backproof.toml").replace("signing_key = \"signing-key\"\n", "");
    shop.site.write("unsigned.toml", &unsigned);
    let restore = ["restore", "latest", "--name", "app", "--to", shop.url.as_str(), "--yes", "--json"];
    for way in ["--swap", "--in-place"] {
        let run = shop.site.run(&[&["--config", "unsigned.toml"], &restore[..], &[way]].concat());
        assert_eq!(run.code(), "unsigned", "{run}");
    }
    assert_eq!(shop.site.ids().len(), 1);
    let url = |database: &str| shop.cluster.url(database);
    for (way, database) in [("--in-place", "template1"), ("--swap", "template1"), ("--swap", "postgres")] {
        let plan =
            shop.site.run(&["restore", "latest", "--name", "app", way, "--to", &url(database), "--dry-run"]).ends(2);
        assert!(plan.stdout.contains("OBSTACLE"), "{plan}");
    }
    // What has no effect is no option.
    let to = url("anew");
    let wrong: [&[&str]; 6] = [
        &["--to-directory", "d", "--table", "t"],
        &["--to-directory", "d", "--replace"],
        &["--to", &to, "--table", "t", "--drop-old"],
        &["--to", &to, "--in-place", "--drop-old"],
        &["--to", &to, "--jobs", "100000"],
        &["--to", &to, "--jobs", "0"],
    ];
    for flags in wrong {
        let run = shop.site.run(&[&["restore", "latest", "--name", "app", "--json"], flags].concat());
        assert_eq!(run.code(), "usage", "{flags:?}: {run}");
    }
    // What a killed restore left says so, with the way out.
    shop.cluster.psql("postgres", "CREATE DATABASE anew");
    let again = ["restore", "latest", "--name", "app", "--to", to.as_str(), "--json"];
    let run = shop.site.run(&again);
    assert_eq!(run.code(), "database_exists", "{run}");
    assert!(!run.stderr.contains("DROP DATABASE"), "{run}");
    shop.cluster.psql(
        "postgres",
        "COMMENT ON DATABASE anew IS 'backproof: restore of x has not finished; this database is not complete'",
    );
    let run = shop.site.run(&again);
    assert_eq!(run.code(), "database_exists", "{run}");
    assert!(run.stderr.contains("DROP DATABASE \"anew\""), "{run}");
    // What is no dump goes into files.
    shop.site.backup("text", &["--name", "words"]);
    let run = shop.site.run(&["restore", "latest", "--name", "words", "--to", &url("other"), "--json"]);
    assert!(run.code() == "part_not_found" && run.stderr.contains("--to-directory"), "{run}");
}
