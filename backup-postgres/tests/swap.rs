//! Swaps and rollbacks on real clusters.

mod support;

use async_trait::async_trait;
use backup_core::error::codes::SOURCE_FAILED;
use backup_core::monitor::Silent;
use backup_core::target::Target;
use backup_core::testing::target::MemoryBackup;
use backup_core::{Error, Result};
use backup_postgres::error::codes::{
    DATABASE_NOT_FOUND, NOTHING_TO_ROLL_BACK, OVERWRITTEN_AND_REFUSED, RESTORE_FAILED, RESTORE_REFUSED,
    ROLLBACK_LOSES_DATA, SWAP_FAILED, SWAP_REFUSED,
};
use backup_postgres::swap::{Kept, KeptKind, Newer, Overwrite, Rollback, Swap, SwapSteps};
use backup_postgres::testing::Cluster;
use backup_postgres::{Connection, PgRestore};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use support::*;

/// Where the steps fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Nowhere,
    Prove,
    SafetyBackup,
    Restore,
    Judge,
}

struct Steps {
    backup: MemoryBackup,
    tools: std::path::PathBuf,
    fail: At,
    done: Mutex<Vec<At>>,
    /// Never ends where it would fail.
    hang: bool,
    /// Told when it hangs.
    hangs: tokio::sync::Notify,
}

impl Steps {
    fn new(backup: MemoryBackup) -> Self {
        let tools = backup_postgres::testing::find_bindir();
        Steps {
            backup,
            tools,
            fail: At::Nowhere,
            done: Mutex::default(),
            hang: false,
            hangs: tokio::sync::Notify::new(),
        }
    }

    async fn at(&self, at: At) -> Result<()> {
        self.done.lock().unwrap().push(at);
        if self.fail == at && self.hang {
            self.hangs.notify_one();
            std::future::pending::<()>().await;
        }
        if self.fail == at { Err(Error::new(&SOURCE_FAILED, format!("as told: {at:?}"))) } else { Ok(()) }
    }
}

#[async_trait]
impl SwapSteps for Steps {
    async fn prove(&self) -> Result<()> {
        self.at(At::Prove).await
    }

    async fn safety_backup(&self, live: &Connection) -> Result<String> {
        assert!(live.connect().await.is_ok());
        self.at(At::SafetyBackup).await.map(|()| "the safety backup".into())
    }

    async fn restore(&self, beside: &Connection) -> Result<String> {
        let target = PgRestore::new(beside.clone()).env(env()).tools(&self.tools);
        if beside.database() == "shop" {
            let session = beside.connect().await?;
            let read_only = session.query_one("SHOW default_transaction_read_only", &[]).await.unwrap();
            assert_eq!(read_only.get::<_, &str>(0), "on", "writes are stopped");
            target.overwrite(&self.backup, &Silent).await?;
        } else {
            target.restore(&self.backup, Arc::new(Silent)).await?;
        }
        self.at(At::Restore).await.map(|()| "the backup".into())
    }

    async fn judge(&self, beside: &Connection) -> Result<()> {
        let session = beside.connect().await?;
        session.query("SELECT * FROM orders", &[]).await.unwrap();
        self.at(At::Judge).await
    }
}

/// Every database, with what one sees of it.
fn databases(cluster: &Cluster) -> Vec<String> {
    let names = cluster.psql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1");
    names.lines().map(str::to_owned).collect()
}

fn orders(cluster: &Cluster, database: &str) -> String {
    cluster.psql(database, "SELECT string_agg(what, ',' ORDER BY id) FROM orders")
}

/// A live database with properties of all kinds, and an older backup of it.
fn shop(cluster: &Cluster) -> MemoryBackup {
    cluster.psql(
        "postgres",
        r#"CREATE ROLE owner LOGIN; CREATE ROLE "The reader" LOGIN; CREATE ROLE helper LOGIN; CREATE ROLE other LOGIN;
           CREATE DATABASE shop OWNER owner"#,
    );
    cluster.psql(
        "shop",
        "SET ROLE owner; CREATE TABLE orders (id serial PRIMARY KEY, what text); INSERT INTO orders (what) VALUES ('old')",
    );
    let backup = backup(cluster, "shop");
    cluster.psql("shop", "INSERT INTO orders (what) VALUES ('new')");
    // All of it came after the backup: it is the live database's, and survives.
    cluster.psql(
        "postgres",
        r#"COMMENT ON DATABASE shop IS 'it''s the "shop" \ one';
           ALTER DATABASE shop SET search_path = "$user", public, "a ""b"", c";
           ALTER DATABASE shop SET work_mem = '7MB';
           ALTER DATABASE shop SET app.motto = 'it''s \ "quoted", so';
           ALTER ROLE "The reader" IN DATABASE shop SET statement_timeout = '1min';
           ALTER DATABASE shop CONNECTION LIMIT 17;
           REVOKE CONNECT, TEMPORARY ON DATABASE shop FROM PUBLIC;
           GRANT CONNECT ON DATABASE shop TO helper WITH GRANT OPTION;
           SET ROLE helper; GRANT CONNECT ON DATABASE shop TO "The reader"; RESET ROLE;
           GRANT CREATE ON DATABASE shop TO "The reader""#,
    );
    backup
}

fn swap(cluster: &Cluster) -> Swap {
    Swap::new(connection(cluster, "shop"))
}

fn rollback(cluster: &Cluster) -> Rollback {
    Rollback::new(connection(cluster, "shop"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_and_back_again() {
    there_and_back(Cluster::start()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_and_back_again_on_16() {
    there_and_back(Cluster::options().version(16).start()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_and_back_again_on_18() {
    there_and_back(Cluster::options().version(18).start()).await;
}

async fn there_and_back(cluster: Cluster) {
    let steps = Steps { tools: cluster.bindir().to_owned(), ..Steps::new(shop(&cluster)) };
    let before = properties(&cluster, "shop");
    let live = connection(&cluster, "shop");

    let plan = swap(&cluster).plan().await.unwrap();
    assert_eq!((plan.obstacles.clone(), plan.warnings.clone()), (vec![], vec![]));
    assert_eq!(databases(&cluster), ["postgres", "shop"], "a plan changes nothing");
    let nothing = rollback(&cluster).plan().await.unwrap_err();
    assert!(nothing.is(&NOTHING_TO_ROLL_BACK), "{nothing:?}");

    // Someone is connected, and in the middle of something.
    let someone = live.connect().await.unwrap();
    someone.batch_execute("BEGIN; INSERT INTO orders (what) VALUES ('never committed')").await.unwrap();
    let swapped = swap(&cluster).run(&steps).await.unwrap();
    assert!(someone.batch_execute("COMMIT").await.is_err(), "the connection was ended");
    assert_eq!(*steps.done.lock().unwrap(), [At::Prove, At::SafetyBackup, At::Restore, At::Judge]);
    assert_eq!((swapped.live.as_str(), swapped.backup.as_str()), ("shop", "the backup"));
    assert_eq!(swapped.safety_backup, "the safety backup");
    assert!(swapped.ended >= 1, "{swapped:?}");
    assert_eq!(databases(&cluster), ["postgres", "shop", swapped.kept.as_str()]);
    assert_eq!((orders(&cluster, "shop"), orders(&cluster, &swapped.kept)), ("old".into(), "old,new".into()));
    assert_eq!(properties(&cluster, "shop"), before);
    let kept = Kept::list(&live, None).await.unwrap();
    assert_eq!((kept.len(), kept[0].kind, kept[0].name.as_str()), (1, KeptKind::Replaced, swapped.kept.as_str()));
    let comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = ";
    let said = cluster.psql("postgres", &format!("{comment} '{}'", swapped.kept));
    assert!(said.contains("until") && said.contains("rollback"), "{said}");

    // What the server does by itself is nothing newer.
    cluster.psql("shop", "VACUUM ANALYZE");
    assert_eq!(rollback(&cluster).plan().await.unwrap().newer, Newer::Nothing);
    let back = rollback(&cluster).run().await.unwrap();
    assert_eq!(databases(&cluster), ["postgres", "shop", back.undone.as_str()]);
    assert_eq!((orders(&cluster, "shop"), orders(&cluster, &back.undone)), ("old,new".into(), "old".into()));
    assert_eq!(properties(&cluster, "shop"), before);
    let kept = Kept::list(&live, None).await.unwrap();
    assert_eq!((kept.len(), kept[0].kind), (1, KeptKind::Undone));
    assert!(rollback(&cluster).run().await.unwrap_err().is(&NOTHING_TO_ROLL_BACK));

    // Only what was put aside can be dropped so.
    for name in ["shop", "postgres", "nothing"] {
        assert!(Kept::drop(&live, None, name).await.unwrap_err().is(&NOTHING_TO_ROLL_BACK));
    }
    Kept::drop(&live, None, &back.undone).await.unwrap();
    assert_eq!(databases(&cluster), ["postgres", "shop"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_does_not_lose_newer_data_unless_told() {
    let cluster = Cluster::start();
    let steps = Steps::new(shop(&cluster));
    type Expected = fn(&Newer) -> bool;
    let changes: [(&str, Expected); 7] = [
        ("INSERT INTO orders (what) VALUES ('newer')", |newer| *newer == Newer::Rows(1)),
        ("UPDATE orders SET what = 'changed'", |newer| *newer == Newer::Rows(1)),
        ("DELETE FROM orders", |newer| *newer == Newer::Rows(1)),
        ("TRUNCATE orders", |newer| matches!(newer, Newer::Changed(_))),
        ("SELECT nextval('orders_id_seq')", |newer| matches!(newer, Newer::Changed(_))),
        ("SELECT lo_from_bytea(0, 'x')", |newer| matches!(newer, Newer::Rows(_))),
        ("SELECT pg_stat_reset()", |newer| matches!(newer, Newer::Unknown(_))),
    ];
    for (round, (change, expected)) in (1i64..).zip(changes) {
        let at = Timestamp::from_second(1_800_000_000 + round).unwrap();
        swap(&cluster).at(at).run(&steps).await.unwrap();
        cluster.psql("shop", change);
        let rollback = rollback(&cluster).at(at);
        let plan = rollback.plan().await.unwrap();
        assert!(expected(&plan.newer), "{change}: {:?}", plan.newer);
        let before = databases(&cluster);
        let refused = rollback.run().await.unwrap_err();
        assert!(refused.is(&ROLLBACK_LOSES_DATA), "{change}: {refused:?}");
        assert_eq!(databases(&cluster), before);
        rollback.lose_newer_data(true).run().await.unwrap();
        assert_eq!(orders(&cluster, "shop"), "old,new");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_leaves_the_live_database_untouched() {
    let cluster = Cluster::start();
    let backup = shop(&cluster);
    let (before, rows) = (properties(&cluster, "shop"), orders(&cluster, "shop"));
    let untouched = |what: &str| {
        assert_eq!(databases(&cluster), ["postgres", "shop"], "{what}");
        assert_eq!(properties(&cluster, "shop"), before, "{what}");
        assert_eq!(orders(&cluster, "shop"), rows, "{what}");
    };
    for fail in [At::Prove, At::SafetyBackup, At::Restore, At::Judge] {
        let steps = Steps { fail, ..Steps::new(backup.clone()) };
        let someone = connection(&cluster, "shop").connect().await.unwrap();
        let error = swap(&cluster).run(&steps).await.unwrap_err();
        assert!(error.is(&SOURCE_FAILED) && error.to_string().contains(&format!("{fail:?}")), "{error:?}");
        assert!(!error.to_string().contains("is left"), "{error:?}");
        assert!(someone.batch_execute("SELECT 1").await.is_ok(), "nobody's connection was ended");
        drop(someone);
        untouched(&format!("{fail:?}"));
        // The same where we are dropped in the middle.
        let steps = Steps { fail, hang: true, ..Steps::new(backup.clone()) };
        let swap = swap(&cluster);
        tokio::select! {
            ended = swap.run(&steps) => panic!("it ended: {ended:?}"),
            () = steps.hangs.notified() => {}
        }
        for _ in 0..200 {
            if databases(&cluster).len() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        untouched(&format!("dropped at {fail:?}"));
    }
    killed_in_the_transaction(&cluster, &backup, &untouched).await;
}

/// Someone holds what the renaming needs, so that it waits in the middle: there our connection is ended, or we are.
async fn killed_in_the_transaction(cluster: &Cluster, backup: &MemoryBackup, untouched: &dyn Fn(&str)) {
    for how in ["the connection is ended", "the program is killed"] {
        let steps = Steps::new(backup.clone());
        let holder = connection(cluster, "postgres").connect().await.unwrap();
        holder.batch_execute("BEGIN; COMMENT ON DATABASE shop IS 'held'").await.unwrap();
        let swap = swap(cluster);
        let running = tokio::spawn(async move { swap.run(&steps).await });
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER DATABASE \"shop\" RENAME%'";
        for _ in 0..600 {
            if cluster.psql("postgres", waiting) == "1" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(cluster.psql("postgres", waiting), "1", "{how}");
        if how == "the program is killed" {
            running.abort();
            assert!(running.await.is_err());
            // The server notices when it has the lock; nobody is there to commit.
            holder.batch_execute("ROLLBACK").await.unwrap();
        } else {
            cluster.psql("postgres", &waiting.replace("count(*)", "pg_terminate_backend(pid)"));
            let error = running.await.unwrap().unwrap_err();
            assert!(error.is(&SWAP_FAILED) && !error.to_string().contains("is left"), "{error:?}");
            holder.batch_execute("ROLLBACK").await.unwrap();
        }
        for _ in 0..200 {
            if databases(cluster).len() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        untouched(how);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_told_before_anything_starts() {
    let cluster = Cluster::options().setting("wal_level", "logical").setting("max_prepared_transactions", "5").start();
    let steps = Steps::new(shop(&cluster));
    let refused = async |swap: Swap, words: &[&str]| {
        let error = swap.run(&steps).await.unwrap_err();
        assert!(error.is(&SWAP_REFUSED), "{error:?}");
        for word in words {
            assert!(error.to_string().contains(word), "no {word}: {error}");
        }
        assert!(steps.done.lock().unwrap().is_empty(), "nothing was started");
        assert_eq!(databases(&cluster), ["postgres", "shop"]);
    };
    cluster.psql(
        "shop",
        "SELECT pg_create_logical_replication_slot('reader_of_changes', 'pgoutput');
         CREATE SUBSCRIPTION incoming CONNECTION 'host=nowhere.invalid' PUBLICATION p WITH (connect = false)",
    );
    let words = ["replication slot reader_of_changes", "subscription incoming", "--ignore-slots"];
    refused(swap(&cluster), &words).await;
    cluster.psql("shop", "BEGIN; INSERT INTO orders (what) VALUES ('prepared'); PREPARE TRANSACTION 'half way'");
    refused(swap(&cluster).ignore_slots(true), &["prepared transaction half way", "COMMIT PREPARED"]).await;
    cluster.psql("shop", "ROLLBACK PREPARED 'half way'");

    // Rights.
    let as_role = |role: &str| Swap::new(resolve(&cluster.url_as(role, "shop"))).ignore_slots(true);
    refused(as_role("other"), &["role \"other\" does not own", "neither create nor rename"]).await;
    refused(as_role("owner"), &["ALTER ROLE \"owner\" CREATEDB"]).await;
    cluster.psql("postgres", "ALTER ROLE owner CREATEDB");
    let someone = connection(&cluster, "shop").connect().await.unwrap();
    refused(as_role("owner"), &["1 connections to database \"shop\" belong to roles"]).await;
    drop(someone);
    let gone = Swap::new(connection(&cluster, "nothing")).run(&steps).await.unwrap_err();
    assert!(gone.is(&SWAP_REFUSED) && gone.hint().contains("--swap"), "{gone:?}");
    let same = swap(&cluster).maintenance_database("shop").run(&steps).await.unwrap_err();
    assert!(same.is(&SWAP_REFUSED), "{same:?}");
    let nowhere = swap(&cluster).maintenance_database("nowhere").run(&steps).await.unwrap_err();
    assert!(nowhere.is(&DATABASE_NOT_FOUND), "{nowhere:?}");

    // What stays behind is told, and stays.
    let swapped = swap(&cluster).ignore_slots(true).run(&steps).await.unwrap();
    assert!(swapped.warnings.iter().any(|warning| warning.contains("reader_of_changes")), "{swapped:?}");
    let slot = "SELECT database FROM pg_replication_slots WHERE slot_name = 'reader_of_changes'";
    assert_eq!(cluster.psql("postgres", slot), swapped.kept);
    cluster.psql(&swapped.kept, "ALTER SUBSCRIPTION incoming SET (slot_name = NONE); DROP SUBSCRIPTION incoming");
    rollback(&cluster).run().await.unwrap();
    assert_eq!(cluster.psql("postgres", slot), "shop");
}

/// An ordinary role that owns the database and may create databases can swap, as managed servers have it.
#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_owner_swaps() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE ROLE owner LOGIN CREATEDB; CREATE DATABASE shop OWNER owner");
    cluster.psql(
        "shop",
        "ALTER SCHEMA public OWNER TO owner; SET ROLE owner; CREATE TABLE orders (id int, what text); INSERT INTO orders VALUES (1, 'old')",
    );
    let steps = Steps::new(backup(&cluster, "shop"));
    cluster.psql("postgres", "ALTER DATABASE shop SET work_mem = '5MB'; COMMENT ON DATABASE shop IS 'mine'");
    let before = properties(&cluster, "shop");
    let owner = resolve(&cluster.url_as("owner", "shop"));
    let someone = owner.connect().await.unwrap();
    let swapped = Swap::new(owner.clone()).run(&steps).await.unwrap();
    assert_eq!(swapped.ended, 1, "{swapped:?}");
    drop(someone);
    assert_eq!(properties(&cluster, "shop"), before);
    Rollback::new(owner).run().await.unwrap();
    assert_eq!(properties(&cluster, "shop"), before);
}

/// Where databases cannot be renamed: into the live one itself, in one transaction.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_same_database() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE ROLE plain LOGIN");
    let steps = Steps::new(shop(&cluster));
    let (before, live) = (properties(&cluster, "shop"), connection(&cluster, "shop"));
    let overwrite = || Overwrite::new(live.clone());
    let (plan, obstacles) = overwrite().plan().await.unwrap();
    assert_eq!((plan.len(), obstacles), (4, vec![]));
    let plain = Overwrite::new(resolve(&cluster.url_as("plain", "shop"))).run(&steps).await.unwrap_err();
    assert!(plain.is(&SWAP_REFUSED) && plain.to_string().contains("does not own"), "{plain:?}");

    // Something new depends on what would be dropped: nothing is changed, and writes are allowed again.
    cluster.psql("shop", "CREATE VIEW newer AS SELECT * FROM orders; CREATE TABLE other AS SELECT 1 AS a");
    let error = overwrite().run(&steps).await.unwrap_err();
    let said = error.to_string();
    assert!(error.is(&RESTORE_REFUSED) && said.contains(r#"view "public"."newer" came after the backup"#), "{error:?}");
    assert_eq!((orders(&cluster, "shop"), properties(&cluster, "shop")), ("old,new".into(), before.clone()));
    cluster.psql("shop", "DROP VIEW newer");
    // What nobody looked for before.
    cluster.psql("shop", "CREATE FUNCTION newer(orders) RETURNS int LANGUAGE sql AS 'SELECT 1'");
    let error = overwrite().run(&steps).await.unwrap_err();
    assert!(error.is(&RESTORE_FAILED) && error.hint().contains("nothing was changed"), "{error:?}");
    assert_eq!((orders(&cluster, "shop"), properties(&cluster, "shop")), ("old,new".into(), before.clone()));
    cluster.psql("shop", "DROP FUNCTION newer");
    for fail in [At::Prove, At::SafetyBackup] {
        let steps = Steps { fail, ..Steps::new(steps.backup.clone()) };
        assert!(overwrite().run(&steps).await.unwrap_err().is(&SOURCE_FAILED));
        assert_eq!((orders(&cluster, "shop"), properties(&cluster, "shop")), ("old,new".into(), before.clone()));
    }

    let someone = live.connect().await.unwrap();
    let done = overwrite().run(&steps).await.unwrap();
    assert!(someone.batch_execute("SELECT 1").await.is_err(), "connections that could write were ended");
    assert_eq!((done.backup.as_str(), done.safety_backup.as_str()), ("the backup", "the safety backup"));
    assert_eq!((orders(&cluster, "shop"), properties(&cluster, "shop")), ("old".into(), before.clone()));
    assert_eq!(cluster.psql("shop", "SELECT count(*) FROM other"), "1", "what the backup does not have stays");
    cluster.psql("shop", "INSERT INTO orders (what) VALUES ('after')");

    // What is restored and not right is told, with the way back.
    let steps = Steps { fail: At::Judge, ..Steps::new(steps.backup.clone()) };
    let error = overwrite().run(&steps).await.unwrap_err();
    assert!(error.is(&OVERWRITTEN_AND_REFUSED) && error.hint().contains("the safety backup"), "{error:?}");
    assert_eq!(properties(&cluster, "shop"), before);
}

/// What the live database gives to every new object is not given to what is restored, and what came since is taken back.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_same_database_privileges_are_those_of_the_backup() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE ROLE anon; CREATE ROLE reader; CREATE DATABASE shop");
    let sql = |sql: &str| cluster.psql("shop", sql);
    sql("CREATE SCHEMA s; CREATE TABLE orders (id int, what text); CREATE TABLE s.t (a int); CREATE SEQUENCE q;
         CREATE FUNCTION closed() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION closed() FROM PUBLIC;
         CREATE FUNCTION open() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE mood AS ENUM ('good');
         GRANT SELECT ON orders TO reader;
         ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO anon;
         CREATE TABLE secret (a int); REVOKE ALL ON secret FROM anon;
         ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO reader");
    let privileges = || {
        sql("SELECT string_agg(x, E'\n' ORDER BY x) FROM (
                SELECT relname || ' ' || coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", relowner))::text FROM pg_class WHERE relnamespace::regnamespace::text IN ('public', 's') AND relkind IN ('r', 'S')
                UNION ALL SELECT proname || ' ' || coalesce(proacl::text, '') FROM pg_proc WHERE pronamespace = 'public'::regnamespace
                UNION ALL SELECT typname || ' ' || coalesce(typacl::text, '') FROM pg_type WHERE typname = 'mood'
                UNION ALL SELECT nspname || ' ' || (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(nspacl) a) FROM pg_namespace WHERE nspname = 'public'
                UNION ALL SELECT nspname || ' ' || coalesce(nspacl::text, '') FROM pg_namespace WHERE nspname = 's'
                UNION ALL SELECT 'default ' || defaclobjtype::text || defaclnamespace::regnamespace::text || defaclacl::text FROM pg_default_acl) a (x)")
    };
    let before = privileges();
    let steps = Steps::new(backup(&cluster, "shop"));
    sql("ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO anon; ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO anon;
         ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC; ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO anon;
         ALTER DEFAULT PRIVILEGES FOR ROLE reader GRANT SELECT ON TABLES TO anon;
         GRANT ALL ON SCHEMA public TO anon WITH GRANT OPTION; GRANT SELECT ON secret TO anon; GRANT ALL ON FUNCTION closed() TO anon");
    assert_ne!(privileges(), before);
    Overwrite::new(connection(&cluster, "shop")).run(&steps).await.unwrap();
    assert_eq!(privileges(), before);
    assert_eq!(sql("SELECT has_table_privilege('anon', 'secret', 'select')"), "f");
}

/// No statement drops an index of a partition that is a piece of the table's.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_same_database_partitions_come_back() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE shop");
    let sql = |sql: &str| cluster.psql("shop", sql);
    sql("CREATE TABLE orders (id int, what text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
         CREATE TABLE a_1 PARTITION OF orders_1 FOR VALUES FROM (0) TO (5);
         CREATE TABLE \"Z 2\" PARTITION OF orders_1 FOR VALUES FROM (5) TO (10);
         CREATE INDEX ON orders (what);
         CREATE TABLE lines (id int REFERENCES orders);
         INSERT INTO orders VALUES (1, 'old'), (7, 'older'); INSERT INTO lines VALUES (7)");
    let steps = Steps::new(backup(&cluster, "shop"));
    let indexes = || {
        sql("SELECT count(*), count(*) FILTER (WHERE relispartition) FROM pg_class WHERE relkind IN ('i', 'I')
                          AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'newer%'")
    };
    let before = indexes();
    sql("DELETE FROM lines; DELETE FROM orders WHERE id = 7");
    let overwrite = || Overwrite::new(connection(&cluster, "shop"));
    overwrite().run(&steps).await.unwrap();
    assert_eq!((orders(&cluster, "shop").as_str(), indexes()), ("old,older", before.clone()));

    // A partition that came after the backup would go with its table, and its rows with it.
    sql("CREATE TABLE newer PARTITION OF orders FOR VALUES FROM (10) TO (20); INSERT INTO orders VALUES (11, 'newer')");
    let error = overwrite().run(&steps).await.unwrap_err();
    let said = error.to_string();
    assert!(error.is(&RESTORE_REFUSED) && said.contains(r#"partition "public"."newer""#), "{error:?}");
    assert_eq!(sql("SELECT count(*) FROM orders"), "3");
    sql("ALTER TABLE orders DETACH PARTITION newer");
    // Neither does it matter what became of the partitions since.
    sql("DROP TABLE \"Z 2\" CASCADE");
    overwrite().run(&steps).await.unwrap();
    assert_eq!(
        (orders(&cluster, "shop").as_str(), indexes(), sql("SELECT count(*) FROM newer").as_str()),
        ("old,older", before, "1")
    );
}

/// Steps of a swap that another one overtakes: whole, in the middle of one of them.
struct Overtaken {
    steps: Steps,
    at: At,
    cluster: Arc<Cluster>,
    other: Steps,
}

impl Overtaken {
    /// Works in the live database, as a safety backup does, while the other swap ends the connections to it.
    async fn at(&self, at: At) -> Result<()> {
        if self.at != at {
            return Ok(());
        }
        let session = connection(&self.cluster, "shop").connect().await?;
        let earlier: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        swap(&self.cluster).at(earlier).run(&self.other).await.unwrap();
        let ended = session.query("SELECT 1", &[]).await.unwrap_err();
        Err(Error::new(&SOURCE_FAILED, "read the live database").with_source(ended))
    }
}

#[async_trait]
impl SwapSteps for Overtaken {
    async fn prove(&self) -> Result<()> {
        self.steps.prove().await
    }

    async fn safety_backup(&self, live: &Connection) -> Result<String> {
        self.at(At::SafetyBackup).await?;
        self.steps.safety_backup(live).await
    }

    async fn restore(&self, beside: &Connection) -> Result<String> {
        // The restore itself is of another database, and is not disturbed.
        let _ = self.at(At::Restore).await;
        self.steps.restore(beside).await
    }

    async fn judge(&self, beside: &Connection) -> Result<()> {
        self.steps.judge(beside).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_another_one_overtakes_says_so() {
    for (at, code) in [(At::SafetyBackup, &SOURCE_FAILED), (At::Restore, &SWAP_REFUSED)] {
        let cluster = Arc::new(Cluster::start());
        let backup = shop(&cluster);
        let steps =
            Overtaken { steps: Steps::new(backup.clone()), at, cluster: cluster.clone(), other: Steps::new(backup) };
        let error = swap(&cluster).run(&steps).await.unwrap_err();
        assert!(error.is(code), "{at:?}: {error:?}");
        let hint = error.hint();
        assert!(
            hint.contains("somebody else") && hint.contains("psql -l+") && hint.contains("run it again"),
            "{at:?}: {hint}"
        );
        // The other one's is what is there, and what it put aside.
        assert_eq!(databases(&cluster), ["postgres", "shop", "shop_before_20260101T000000Z"], "{at:?}");
        assert_eq!(orders(&cluster, "shop"), "old", "{at:?}");
    }
}

/// Steps that wait, when all else is done, until the other swap is as far.
struct Together(Steps, Arc<tokio::sync::Barrier>);

#[async_trait]
impl SwapSteps for Together {
    async fn prove(&self) -> Result<()> {
        self.0.prove().await
    }

    async fn safety_backup(&self, live: &Connection) -> Result<String> {
        self.0.safety_backup(live).await
    }

    async fn restore(&self, beside: &Connection) -> Result<String> {
        self.0.restore(beside).await
    }

    async fn judge(&self, beside: &Connection) -> Result<()> {
        self.0.judge(beside).await?;
        self.1.wait().await;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_swaps_at_the_same_moment_one_is_done_and_the_other_told() {
    let cluster = Cluster::start();
    let backup = shop(&cluster);
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let swaps = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"].map(|at| {
        let steps = Together(Steps::new(backup.clone()), barrier.clone());
        let swap = swap(&cluster).at(at.parse().unwrap());
        async move { swap.run(&steps).await }
    });
    let results = futures::future::join_all(swaps).await;
    let errors: Vec<&Error> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    let kept: Vec<&str> = results.iter().flatten().map(|done| done.kept.as_str()).collect();
    assert_eq!((errors.len(), kept.len()), (1, 1), "{results:?}");
    let hint = errors[0].hint();
    assert!(!hint.contains("see the cause") && hint.to_lowercase().contains("somebody else"), "{:?}", errors[0]);
    assert_eq!(databases(&cluster), ["postgres", "shop", kept[0]]);
    assert_eq!((orders(&cluster, "shop"), orders(&cluster, kept[0])), ("old".into(), "old,new".into()));
}
