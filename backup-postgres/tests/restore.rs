//! Restores into real clusters.

mod support;

use backup_core::error::codes::SEGMENT_DAMAGED;
use backup_core::monitor::{Event, Monitor, Silent};
use backup_core::target::Target;
use backup_postgres::PgRestore;
use backup_postgres::error::codes::{DATABASE_EXISTS, RESTORE_FAILED, RESTORE_REFUSED};
use backup_postgres::testing::Cluster;
use std::sync::Arc;
use support::*;

fn restore_to(cluster: &Cluster, database: &str) -> PgRestore {
    PgRestore::new(connection(cluster, database)).env(env()).jobs(2)
}

fn exists(cluster: &Cluster, database: &str) -> bool {
    cluster.psql("postgres", &format!("SELECT count(*) FROM pg_database WHERE datname = '{database}'")) == "1"
}

#[tokio::test]
async fn a_rich_database_comes_back_equal_with_its_properties() {
    let cluster = Cluster::options().setting("wal_level", "logical").start();
    make_rich(&cluster, "rich");
    let backup = backup(&cluster, "rich").pieces_of(100_000);
    let target = restore_to(&cluster, "Copy \"of\" rich");

    let plan = target.plan(&backup).await.unwrap();
    assert_eq!(plan.obstacles, Vec::<String>::new());
    assert_eq!(plan.warnings, Vec::<String>::new());
    assert!(plan.target.contains("Copy \"of\" rich"));
    assert!(!exists(&cluster, "Copy \"of\" rich"), "a plan changes nothing");

    let report = target.restore(&backup, Arc::new(Silent)).await.unwrap();
    assert_eq!(report.warnings, Vec::<String>::new());
    assert_same(&contents(&cluster, "rich"), &contents(&cluster, "Copy \"of\" rich"));
    assert_eq!(properties(&cluster, "rich"), properties(&cluster, "Copy \"of\" rich"));
}

/// The privileges of the schema take a while, and those of its tables, granted by others, need them.
#[tokio::test]
async fn privileges_that_others_granted_come_back_after_those_of_their_schema() {
    let cluster = Cluster::start();
    cluster.psql(
        "postgres",
        "CREATE DATABASE granted; CREATE ROLE giver; CREATE ROLE taker; \\c granted
         CREATE SCHEMA s; CREATE TABLE s.a (i int); CREATE TABLE s.b (i int); CREATE MATERIALIZED VIEW s.m AS SELECT * FROM s.a;
         DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE ROLE r%s; GRANT USAGE ON SCHEMA s TO r%s', i, i); END LOOP; END $$;
         GRANT USAGE ON SCHEMA s TO giver; GRANT SELECT ON s.a, s.b TO giver WITH GRANT OPTION;
         SET SESSION AUTHORIZATION giver; GRANT SELECT ON s.a, s.b TO taker",
    );
    let backup = backup(&cluster, "granted");
    let report = restore_to(&cluster, "again").restore(&backup, Arc::new(Silent)).await.unwrap();
    assert_eq!(report.warnings, Vec::<String>::new());
    let privileges = "SELECT relacl FROM pg_class WHERE relname IN ('a', 'b', 'm') ORDER BY relname";
    assert_eq!(cluster.psql("again", privileges), cluster.psql("granted", privileges));
}

#[tokio::test]
async fn missing_roles_and_extensions_are_obstacles_before_anything_starts() {
    let source = Cluster::options().setting("wal_level", "logical").start();
    make_rich(&source, "rich");
    source.psql("postgres", "ALTER DATABASE rich SET default_transaction_read_only = off");
    let mut archive = pg_dump(&source, "rich");
    // An extension that no server has: the name of hstore, in the entry and its definition.
    let backup = backup_of(archive.clone());
    let other = Cluster::start();

    let target = restore_to(&other, "rich");
    let obstacles = target.plan(&backup).await.unwrap().obstacles;
    let roles: Vec<_> = obstacles.iter().map(|obstacle| obstacle.split(" does").next().unwrap()).collect();
    assert_eq!(roles, ["role \"Odd \"role\"", "role \"app_owner\"", "role \"app_reader\""]);
    assert!(obstacles.iter().all(|obstacle| obstacle.contains("--no-owner")), "{obstacles:?}");
    let error = target.restore(&backup, Arc::new(Silent)).await.unwrap_err();
    assert!(error.is(&RESTORE_REFUSED) && error.to_string().contains("app_reader"), "{error:?}");
    assert!(!exists(&other, "rich"));

    let target = target.no_owner(true);
    let plan = target.plan(&backup).await.unwrap();
    assert_eq!(plan.obstacles, Vec::<String>::new());
    assert!(plan.warnings.iter().any(|warning| warning.contains("policy people readers")), "{:?}", plan.warnings);
    target.restore(&backup, Arc::new(Silent)).await.unwrap();
    let (expected, found) = (contents(&source, "rich"), contents(&other, "rich"));
    let rows = |all: &[(String, String)]| all[1..all.len() - 1].to_vec();
    assert_same(&rows(&expected), &rows(&found));
    let public = "SELECT has_function_privilege('nobody_special', 'app.shout(text)', 'EXECUTE')";
    other.psql("rich", "CREATE ROLE nobody_special");
    assert_eq!(other.psql("rich", public), "f", "what was revoked from PUBLIC stays revoked");

    for at in 0..archive.len() - 6 {
        if archive[at..].starts_with(b"hstore") {
            archive[at..at + 6].copy_from_slice(b"nosuch");
        }
    }
    let target = restore_to(&other, "other").no_owner(true);
    let obstacles = target.plan(&backup_of(archive)).await.unwrap().obstacles;
    assert_eq!(obstacles, ["the server lacks extension \"nosuch\": install it there"]);
}

#[tokio::test]
async fn subscriptions_are_never_restored() {
    let cluster = Cluster::options().setting("wal_level", "logical").start();
    cluster.psql("postgres", "CREATE DATABASE source");
    cluster.psql("source", "CREATE SUBSCRIPTION reaches_out CONNECTION 'host=nowhere.invalid password=hunter2' PUBLICATION p WITH (connect = false); COMMENT ON SUBSCRIPTION reaches_out IS 'x'");
    let report = restore_to(&cluster, "copy").restore(&backup(&cluster, "source"), Arc::new(Silent)).await.unwrap();
    assert_eq!(report.warnings.len(), 1);
    assert!(report.warnings[0].contains("subscription reaches_out"), "{:?}", report.warnings);
    assert_eq!(
        cluster.psql(
            "copy",
            "SELECT count(*) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE datname = 'copy'"
        ),
        "0"
    );
}

// One cluster serves several tests: starting one takes longer than all of them.
#[tokio::test]
async fn restores_that_are_refused_or_fail() {
    let cluster = Cluster::start();
    an_existing_database_is_refused(&cluster).await;
    a_failed_restore_removes_the_database_and_tells_all_errors(&cluster).await;
    a_damaged_or_cut_backup_leaves_nothing(&cluster).await;
    dropping_a_restore_leaves_no_program_and_no_database(&cluster).await;
}

async fn an_existing_database_is_refused(cluster: &Cluster) {
    cluster.psql("postgres", "CREATE DATABASE source; CREATE DATABASE precious");
    cluster.psql("precious", "CREATE TABLE kept ()");
    let backup = backup(cluster, "source");
    let target = restore_to(cluster, "precious");
    assert_eq!(
        target.plan(&backup).await.unwrap().obstacles,
        ["database \"precious\" exists already: choose a name that does not exist yet"]
    );
    assert!(target.restore(&backup, Arc::new(Silent)).await.unwrap_err().is(&DATABASE_EXISTS));
    assert_eq!(cluster.psql("precious", "SELECT count(*) FROM kept"), "0");
}

async fn a_failed_restore_removes_the_database_and_tells_all_errors(cluster: &Cluster) {
    cluster.psql("postgres", "CREATE DATABASE unchecked");
    cluster.psql(
        "unchecked",
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int); INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (77001), (2);
         ALTER TABLE b ADD CONSTRAINT fk FOREIGN KEY (id) REFERENCES a NOT VALID; ALTER TABLE b ADD CONSTRAINT gone CHECK (id > 0)",
    );
    // The constraint was never checked; without NOT VALID, pg_restore cannot make it. Two definitions fail, one in each phase.
    let mut archive = pg_dump(cluster, "unchecked");
    let at = archive.windows(10).position(|text| text == b" NOT VALID").unwrap();
    archive[at..at + 10].copy_from_slice(b"          ");
    let backup = backup_of(archive.clone());
    let error = restore_to(cluster, "copy").restore(&backup, Arc::new(Silent)).await.unwrap_err();
    assert!(error.is(&RESTORE_FAILED), "{error:?}");
    assert!(error.to_string().contains("violates foreign key constraint \"fk\""), "{error}");
    assert!(!error.report().contains("77001"), "no rows in errors: {error:?}");
    assert!(!exists(cluster, "copy"));

    let error = restore_to(cluster, "copy").keep_incomplete(true).restore(&backup, Arc::new(Silent)).await.unwrap_err();
    assert!(
        error.is(&RESTORE_FAILED) && error.to_string().contains("\"copy\" is left as it is, incomplete"),
        "{error:?}"
    );
    assert_eq!(cluster.psql("copy", "SELECT count(*) FROM b"), "2", "the data is there");
    let comment = cluster
        .psql("postgres", "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'copy'");
    assert!(comment.contains("not complete"), "{comment}");
    cluster.psql("postgres", "DROP DATABASE copy");
}

async fn a_damaged_or_cut_backup_leaves_nothing(cluster: &Cluster) {
    cluster.psql("postgres", "CREATE DATABASE two_tables");
    cluster.psql(
        "two_tables",
        "CREATE TABLE a AS SELECT i, md5(i::text) FROM generate_series(1, 20000) i; CREATE TABLE b AS TABLE a",
    );
    let archive = pg_dump(cluster, "two_tables");
    let target = restore_to(cluster, "copy");
    let damaged = backup_of(archive.clone()).failing_after(archive.len() - 1000).pieces_of(50_000);
    assert!(target.restore(&damaged, Arc::new(Silent)).await.unwrap_err().is(&SEGMENT_DAMAGED));
    assert!(!exists(cluster, "copy"));
    // Cut where the first block ends: an archive that pg_restore takes for whole, but for the data of one table.
    let block = archive
        .windows(13)
        .position(|bytes| bytes == b"\\.\n\n\n\0\0\0\0\0\x01\0\xff" || bytes.starts_with(b"\\.\n\n\n\0\0\0\0\0\x01"))
        .unwrap();
    let cut = backup_of(archive[..block + 10].to_vec());
    let error = target.restore(&cut, Arc::new(Silent)).await.unwrap_err();
    assert!(!exists(cluster, "copy"), "{error:?}");
    let head = backup_of(archive[..300].to_vec());
    target.restore(&head, Arc::new(Silent)).await.unwrap_err();
    assert!(!exists(cluster, "copy"));
}

async fn dropping_a_restore_leaves_no_program_and_no_database(cluster: &Cluster) {
    cluster.psql("postgres", "CREATE DATABASE large");
    cluster.psql("large", "CREATE TABLE a AS SELECT i, md5(i::text) FROM generate_series(1, 200000) i");
    let backup = backup(cluster, "large").pieces_of(1000);
    let target = restore_to(cluster, "copy");
    let running = "SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('pg_restore', 'backproof') AND datname = 'copy' AND query LIKE 'COPY%'";
    {
        let restore = target.restore(&backup, Arc::new(Silent));
        tokio::pin!(restore);
        loop {
            tokio::select! {
                result = &mut restore => panic!("it ended before it was seen: {result:?}"),
                () = tokio::time::sleep(std::time::Duration::from_millis(1)) => {}
            }
            if cluster.psql("postgres", running) == "1" {
                break;
            }
        }
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while exists(cluster, "copy") || cluster.psql("postgres", running) != "0" {
        assert!(std::time::Instant::now() < deadline, "the restore goes on");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_a_role_is_told() {
    let cluster = Cluster::options().role("restorer", "x").role("owner", "x").start();
    an_ordinary_role_sees_what_it_may_not_do(&cluster).await;
    an_unauthenticated_backup_warns_a_superuser(&cluster).await;
}

async fn an_ordinary_role_sees_what_it_may_not_do(cluster: &Cluster) {
    cluster.psql("postgres", "CREATE DATABASE owned OWNER owner");
    let backup = backup(cluster, "owned");
    let target = PgRestore::new(resolve(&cluster.url_as("restorer", "copy"))).env(env());
    let obstacles = target.plan(&backup).await.unwrap().obstacles;
    assert_eq!(obstacles.len(), 2, "{obstacles:?}");
    assert!(obstacles[0].contains("ALTER ROLE \"restorer\" CREATEDB"), "{obstacles:?}");
    assert!(obstacles[1].contains("GRANT \"owner\" TO \"restorer\""), "{obstacles:?}");
}

async fn an_unauthenticated_backup_warns_a_superuser(cluster: &Cluster) {
    cluster.psql("postgres", "CREATE DATABASE source; ALTER ROLE restorer CREATEDB");
    let backup = backup(cluster, "source").authentic(false);
    let plan = restore_to(cluster, "copy").plan(&backup).await.unwrap();
    assert!(plan.warnings.iter().any(|warning| warning.contains("can run code")), "{:?}", plan.warnings);
    let ordinary = PgRestore::new(resolve(&cluster.url_as("restorer", "copy"))).env(env()).no_owner(true);
    assert_eq!(ordinary.plan(&backup).await.unwrap().warnings, Vec::<String>::new());
    ordinary.restore(&backup, Arc::new(Silent)).await.unwrap();
    assert_eq!(cluster.psql("postgres", "SELECT datdba::regrole FROM pg_database WHERE datname = 'copy'"), "restorer");
}

#[tokio::test]
async fn an_ordinary_role_restores_a_rich_database_as_its_own() {
    let cluster = Cluster::options().setting("wal_level", "logical").role("restorer", "x").start();
    make_rich(&cluster, "rich");
    cluster.psql("postgres", "ALTER DATABASE rich SET default_transaction_read_only = off");
    // These take a superuser.
    cluster.psql("rich", "DROP EVENT TRIGGER noted; DROP PUBLICATION news");
    cluster.psql("postgres", "ALTER ROLE restorer CREATEDB");
    let backup = backup(&cluster, "rich");
    let target = PgRestore::new(resolve(&cluster.url_as("restorer", "copy"))).env(env());
    let obstacles = target.plan(&backup).await.unwrap().obstacles;
    assert!(obstacles.iter().any(|obstacle| obstacle.contains("settings of roles in this database")), "{obstacles:?}");
    assert!(obstacles.iter().any(|obstacle| obstacle.contains("GRANT \"app_owner\" TO \"restorer\"")), "{obstacles:?}");

    let report = target.no_owner(true).restore(&backup, Arc::new(Silent)).await.unwrap();
    assert!(
        report.warnings.iter().any(|warning| warning.contains("the database's properties")),
        "{:?}",
        report.warnings
    );
    let rows = |all: &[(String, String)]| all[1..all.len() - 1].to_vec();
    assert_same(&rows(&contents(&cluster, "rich")), &rows(&contents(&cluster, "copy")));
    let owners = "SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class WHERE relnamespace = 'app'::regnamespace";
    assert_eq!(cluster.psql("copy", owners), "restorer");
}

#[tokio::test]
async fn other_encodings_and_an_older_server() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'");
    let utf8 = |sql: &str| format!("SET client_encoding = 'UTF8'; {sql}");
    cluster.psql(
        "latin",
        &utf8("CREATE TABLE \"Täble\" (a text); INSERT INTO \"Täble\" VALUES ('ü'); COMMENT ON DATABASE latin IS 'größer'"),
    );
    let mut archive = pg_dump(&cluster, "latin");
    restore_to(&cluster, "copy").restore(&backup_of(archive.clone()), Arc::new(Silent)).await.unwrap();
    assert_eq!(cluster.psql("copy", &utf8("SELECT * FROM \"Täble\"")), "ü");
    let comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'copy'";
    // What belongs to all databases is kept in the encoding of the one that it was written from: that of the source, as at the source.
    assert_eq!(cluster.psql("copy", &utf8(comment)), "größer");

    // The version of the server that was dumped, in the archive's head: a number, a dot.
    let version = cluster.psql("postgres", "SHOW server_version");
    let at = archive.windows(version.len()).position(|text| text == version.as_bytes()).unwrap();
    archive[at..at + 2].copy_from_slice(b"99");
    let newer = backup_of(archive);
    let plan = restore_to(&cluster, "older").plan(&newer).await.unwrap();
    assert!(matches!(plan.obstacles.as_slice(), [one] if one.contains("PostgreSQL 99.")), "{:?}", plan.obstacles);
    let plan = restore_to(&cluster, "older").keep_incomplete(true).plan(&newer).await.unwrap();
    assert!(plan.obstacles.is_empty() && plan.warnings.len() == 1, "{plan:?}");
}

/// The server finds some of them out at its own check, and some only at the unique index of pg_database.
#[tokio::test]
async fn of_restores_at_once_to_one_name_one_wins_and_the_others_are_told_so() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE source");
    cluster.psql("source", "CREATE TABLE t AS SELECT 1 AS a");
    let backup = Arc::new(backup(&cluster, "source"));
    let racers: Vec<_> = (0..6)
        .map(|_| {
            let (target, backup) = (restore_to(&cluster, "one"), backup.clone());
            tokio::spawn(async move { target.restore(&*backup, Arc::new(Silent)).await })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        match racer.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert!(error.is(&DATABASE_EXISTS), "{error:?}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(cluster.psql("one", "SELECT a FROM t"), "1");
}

/// The connection that made the database is idle for as long as the restore takes; others may end it.
#[tokio::test]
async fn a_failed_restore_removes_its_database_though_its_connection_was_ended() {
    let cluster = Arc::new(Cluster::start());
    cluster.psql("postgres", "CREATE DATABASE source");
    cluster.psql("source", "CREATE TABLE a AS SELECT i, md5(i::text) FROM generate_series(1, 1000) i");
    let archive = pg_dump(&cluster, "source");
    let damaged = backup_of(archive.clone()).failing_after(archive.len() - 100);
    let monitor = Arc::new(Ends(cluster.clone()));
    let error = restore_to(&cluster, "copy").restore(&damaged, monitor).await.unwrap_err();
    assert!(error.is(&SEGMENT_DAMAGED) && !error.to_string().contains("is left"), "{error:?}");
    assert!(!exists(&cluster, "copy"));
}

/// Ends all connections to the database `postgres` when the data is loaded.
#[derive(Debug)]
struct Ends(Arc<Cluster>);

impl Monitor for Ends {
    fn event(&self, event: Event) {
        if matches!(event, Event::Step { doing } if doing == "load the data") {
            let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'postgres' AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
            assert_eq!(self.0.psql("postgres", end), "1");
        }
    }
}
