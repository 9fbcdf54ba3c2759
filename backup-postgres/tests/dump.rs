//! Dumps of real databases.

mod support;

use backup_core::Result;
use backup_core::monitor::{Event, Monitor, Silent};
use backup_core::names::PartName;
use backup_core::prover::Prover;
use backup_core::repository::contents::ContentsWriter;
use backup_core::source::Source;
use backup_core::target::Target;
use backup_core::testing::source::read_source;
use backup_core::testing::target::MemoryBackup;
use backup_postgres::error::codes::{
    ARCHIVE_UNSUPPORTED, DUMP_FAILED, LOCK_TIMEOUT, TABLE_REPLACED, TRANSACTION_POOLER, UNREADABLE_OBJECTS,
};
use backup_postgres::testing::{Cluster, PgBouncer, PoolMode};
use backup_postgres::{PgDump, PgProver, PgRestore};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::*;

fn dump_of(cluster: &Cluster, database: &str) -> PgDump {
    PgDump::new(connection(cluster, database)).env(env())
}

fn part(name: &str) -> PartName {
    PartName::new(name).unwrap()
}

/// Reads a source to its end: what its parts' `finish` said, and the lines of its contents.
async fn outcome(source: &dyn Source, monitor: Arc<dyn Monitor>) -> Result<Vec<u8>> {
    let mut snapshot = source.open(monitor).await?;
    let mut contents = ContentsWriter::in_memory();
    while let Some(mut part) = snapshot.next_part().await? {
        let mut buf = Vec::with_capacity(1 << 20);
        loop {
            buf.clear();
            part.fill(&mut buf).await?;
            if buf.len() < buf.capacity() {
                break;
            }
        }
        part.finish(&mut contents).await?;
    }
    snapshot.finish().await?;
    Ok(contents.into_memory())
}

#[derive(Debug, Default)]
struct Warnings(Mutex<Vec<String>>);

impl Monitor for Warnings {
    fn event(&self, event: Event) {
        if let Event::Warning { message } = event {
            self.0.lock().unwrap().push(message);
        }
    }
}

#[tokio::test]
async fn a_rich_database_comes_back_equal() {
    let cluster = Cluster::options().setting("wal_level", "logical").start();
    make_rich(&cluster, "rich");
    let source = dump_of(&cluster, "rich");
    let before = jiff::Timestamp::now();
    let backup = MemoryBackup::of(&source).await;
    let after = jiff::Timestamp::now();

    let info = source.open(Arc::new(Silent)).await.unwrap().info().clone();
    assert_eq!(info.kind, "postgresql-dump");
    assert!(info.versions["server"].starts_with(&info.versions["pg_dump"]), "{:?}", info.versions);
    assert!(info.snapshot >= before - Duration::from_secs(1) && info.snapshot <= after + Duration::from_secs(60));
    assert_eq!(info.facts["encoding"], "UTF8");
    assert!(info.facts["extensions"].contains("hstore 1."), "{:?}", info.facts);
    assert!(info.facts["settings"].contains("TimeZone = UTC"), "{:?}", info.facts);
    let shown = format!("{:?} {:?}", info.versions, info.facts);
    assert!(!shown.contains("rich") && !shown.contains("app_owner"), "no names in clear: {shown}");

    PgRestore::new(connection(&cluster, "copy")).env(env()).restore(&backup, Arc::new(Silent)).await.unwrap();
    assert_same(&contents(&cluster, "rich"), &contents(&cluster, "copy"));
    assert_eq!(properties(&cluster, "rich"), properties(&cluster, "copy"));
}

#[tokio::test]
async fn parts_and_contents() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE ROLE owner; CREATE DATABASE source OWNER owner");
    cluster.psql("source", "CREATE TABLE t AS SELECT 1; SELECT lo_from_bytea(0, 'x')");
    let source = dump_of(&cluster, "source");
    for capacity in [1 << 20, 1000] {
        let parts = read_source(&source, capacity).await;
        assert_eq!(parts.keys().map(PartName::as_str).collect::<Vec<_>>(), ["dump", "globals"]);
        let globals = String::from_utf8(parts[&part("globals")].clone()).unwrap();
        assert!(globals.contains("CREATE ROLE owner"));
        assert!(parts[&part("dump")].starts_with(b"PGDMP"));
        let mut observer = PgProver::new().observer(&part("dump")).unwrap();
        observer.observe(&parts[&part("dump")]).unwrap();
        let summary = observer.finish().unwrap();
        assert!(summary.starts_with("1 table, 1 large object, "), "{summary}");
    }
    assert!(PgProver::new().knows(source.kind()) && !PgProver::new().knows("command"));
    assert!(PgProver::new().observer(&part("globals")).is_none());

    let lines = outcome(&source.clone().globals(false), Arc::new(Silent)).await.unwrap();
    let lines: Vec<serde_json::Value> =
        lines.split_inclusive(|byte| *byte == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line.as_object().unwrap().keys().next().unwrap().as_str()).collect();
    assert_eq!(kinds[..5], ["database", "archive", "inventory", "extras", "table"]);
    assert_eq!(kinds[kinds.len() - 1], "large_objects");
    assert!(kinds[5..kinds.len() - 1].iter().all(|kind| *kind == "object"), "{kinds:?}");
    assert_eq!(lines[4]["table"]["rows"].as_u64(), Some(1));
    assert_eq!(
        (lines[0]["database"]["name"].as_str(), lines[0]["database"]["owner"].as_str()),
        (Some("source"), Some("owner"))
    );
    assert_eq!(
        (lines[1]["archive"]["tables"].as_u64(), lines[1]["archive"]["large_objects"].as_u64()),
        (Some(1), Some(1))
    );
}

#[tokio::test]
async fn an_archive_of_an_unknown_version_is_backed_up_and_said_to_be_unknown() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE source");
    cluster.psql("source", "CREATE TABLE t AS SELECT 1");
    let tools = tempfile::tempdir().unwrap();
    for program in ["pg_dumpall", "pg_restore", "psql"] {
        std::os::unix::fs::symlink(cluster.bindir().join(program), tools.path().join(program)).unwrap();
    }
    let real = cluster.bindir().join("pg_dump").display().to_string();
    // The seventh byte is the format's second number: 17 is newer than any that is known.
    let newer = format!(
        "#!/bin/bash\nset -o pipefail\n[ \"$1\" = --version ] && exec {real} --version\n\
         {real} \"$@\" | {{ head -c 6; head -c 1 > /dev/null; printf '\\021'; cat; }}\n"
    );
    std::fs::write(tools.path().join("pg_dump"), newer).unwrap();
    std::fs::set_permissions(tools.path().join("pg_dump"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();

    let source = dump_of(&cluster, "source").globals(false).tools(tools.path());
    let warnings = Arc::new(Warnings::default());
    let mut snapshot = source.open(warnings.clone()).await.unwrap();
    let mut reader = snapshot.next_part().await.unwrap().unwrap();
    let mut dump = Vec::with_capacity(1 << 20);
    reader.fill(&mut dump).await.unwrap();
    let mut contents = ContentsWriter::in_memory();
    reader.finish(&mut contents).await.unwrap();
    assert!(dump.starts_with(b"PGDMP\x01\x11"));
    assert!(matches!(warnings.0.lock().unwrap().as_slice(), [one] if one.contains("version 1.17")));
    let left_out = snapshot.left_out();
    assert!(
        matches!(left_out.as_slice(), [one] if one.kind == "inventory" && one.reason.contains("version 1.17")),
        "{left_out:?}"
    );
    let lines = String::from_utf8(contents.into_memory()).unwrap();
    assert!(
        lines.contains("{\"inventory\":{\"version\":1,\"unavailable\":\"unsupported archive: version 1.17"),
        "{lines}"
    );
    assert!(!lines.contains("{\"archive\""), "nothing is counted that was not followed: {lines}");
    let error = PgProver::default().observer(&part("dump")).unwrap().observe(&dump).unwrap_err();
    assert!(error.is(&ARCHIVE_UNSUPPORTED), "{error:?}");
}

#[tokio::test]
async fn a_login_that_may_not_read_everything_is_told() {
    let cluster = Cluster::options().role("reader", "x").start();
    cluster.psql("postgres", "CREATE DATABASE source");
    cluster.psql(
        "source",
        "CREATE TABLE open AS SELECT 1; GRANT SELECT ON open TO reader; CREATE TABLE closed AS SELECT 2",
    );
    let source = PgDump::new(resolve(&cluster.url_as("reader", "source"))).env(env());
    let error = outcome(&source, Arc::new(Silent)).await.unwrap_err();
    assert!(error.is(&UNREADABLE_OBJECTS) && error.report().contains("closed"), "{error:?}");

    let source = source.skip_unreadable(true).exclude_table_data("public.open");
    let mut snapshot = source.open(Arc::new(Silent)).await.unwrap();
    let left_out = snapshot.left_out();
    assert_eq!(left_out.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["public.closed", "public.open"]);
    while let Some(mut part) = snapshot.next_part().await.unwrap() {
        part.fill(&mut Vec::with_capacity(1 << 20)).await.unwrap();
        part.finish(&mut ContentsWriter::in_memory()).await.unwrap();
    }
}

#[tokio::test]
async fn the_login_for_everything_is_enough() {
    let cluster = Cluster::options().role("backup", "x").start();
    cluster.psql("postgres", "GRANT pg_read_all_data TO backup; CREATE DATABASE source");
    cluster.psql("source", "CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1; CREATE SEQUENCE s.q");
    let source = PgDump::new(resolve(&cluster.url_as("backup", "source"))).env(env());
    let backup = MemoryBackup::of(&source).await;
    PgRestore::new(connection(&cluster, "copy")).env(env()).restore(&backup, Arc::new(Silent)).await.unwrap();
    assert_same(&contents(&cluster, "source"), &contents(&cluster, "copy"));
}

#[tokio::test]
async fn passwords_appear_nowhere() {
    let cluster = Cluster::options().listen().role("backup", "hunter2-secret").start();
    cluster.psql("postgres", "GRANT pg_read_all_data TO backup; CREATE DATABASE source");
    cluster.psql("source", "CREATE TABLE big AS SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 60000) i");
    let source = PgDump::new(resolve(&cluster.tcp_url("backup", "hunter2-secret", "source"))).env(env());
    let mut snapshot = source.open(Arc::new(Silent)).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut runs = false;
    while !runs {
        assert!(Instant::now() < deadline, "pg_dump does not run");
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            // In the first moments of a program its arguments cannot be read.
            runs |= arguments.contains("--snapshot=") && arguments.contains("pg_dump");
            assert!(!arguments.contains("hunter2-secret"), "{arguments}");
        }
    }
    let shown = format!("{source:?} {:?}", snapshot.info());
    assert!(!shown.contains("hunter2-secret"));
    let mut reader = snapshot.next_part().await.unwrap().unwrap();
    let mut buf = Vec::with_capacity(1 << 20);
    reader.fill(&mut buf).await.unwrap();
    assert!(!buf.windows(14).any(|window| window == b"hunter2-secret"));
}

// One cluster serves several tests: starting one takes longer than all of them.
#[tokio::test]
async fn a_dump_while_others_work() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE source");
    cluster.psql("source", "CREATE TABLE big AS SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 60000) i");
    the_dump_is_of_the_snapshot_that_was_taken(&cluster).await;
    a_killed_backend_fails_the_dump(&cluster).await;
    a_lock_that_is_held_times_out(&cluster).await;
    an_invalid_index_is_a_warning(&cluster).await;
    dropping_leaves_no_program_and_no_connection(&cluster).await;
}

async fn the_dump_is_of_the_snapshot_that_was_taken(cluster: &Cluster) {
    cluster.psql("source", "CREATE TABLE t AS SELECT 'before' AS marker");
    let source = dump_of(cluster, "source");
    let mut snapshot = source.open(Arc::new(Silent)).await.unwrap();
    cluster.psql("source", "UPDATE t SET marker = 'after!'");
    let mut dump = Vec::with_capacity(64 << 20);
    snapshot.next_part().await.unwrap().unwrap().fill(&mut dump).await.unwrap();
    dump.clear();
    let mut reader = snapshot.next_part().await.unwrap().unwrap();
    reader.fill(&mut dump).await.unwrap();
    reader.finish(&mut ContentsWriter::in_memory()).await.unwrap();
    let has = |text: &[u8]| dump.windows(text.len()).any(|window| window == text);
    assert!(has(b"before\n") && !has(b"after!"));
}

async fn a_killed_backend_fails_the_dump(cluster: &Cluster) {
    let source = dump_of(cluster, "source").globals(false);
    let mut snapshot = source.open(Arc::new(Silent)).await.unwrap();
    let mut reader = snapshot.next_part().await.unwrap().unwrap();
    let mut buf = Vec::with_capacity(100_000);
    reader.fill(&mut buf).await.unwrap();
    assert_eq!(
        cluster.psql(
            "postgres",
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'COPY%big%'"
        ),
        "1"
    );
    while buf.len() == buf.capacity() {
        buf.clear();
        reader.fill(&mut buf).await.unwrap();
    }
    let error = reader.finish(&mut ContentsWriter::in_memory()).await.unwrap_err();
    assert!(error.is(&DUMP_FAILED), "{error:?}");
    assert!(error.to_string().contains("pg_dump exited with status 1") && error.to_string().contains("big"), "{error}");
}

async fn a_lock_that_is_held_times_out(cluster: &Cluster) {
    cluster.psql("source", "CREATE TABLE busy (a int)");
    let holder = connection(cluster, "source").connect().await.unwrap();
    holder.batch_execute("BEGIN; LOCK TABLE busy").await.unwrap();
    let source = dump_of(cluster, "source").globals(false).lock_timeout(Duration::from_millis(50));
    let error = outcome(&source, Arc::new(Silent)).await.unwrap_err();
    assert!(error.is(&LOCK_TIMEOUT) && error.is_transient(), "{error:?}");
    assert!(error.to_string().contains("busy"), "{error}");
    holder.batch_execute("COMMIT").await.unwrap();
    outcome(&source, Arc::new(Silent)).await.unwrap();
}

async fn an_invalid_index_is_a_warning(cluster: &Cluster) {
    cluster.psql("source", "CREATE TABLE twice AS SELECT 1 AS a FROM generate_series(1, 2)");
    cluster.psql_as("postgres", "source", "CREATE UNIQUE INDEX CONCURRENTLY broken ON twice (a)").unwrap_err();
    let warnings = Arc::new(Warnings::default());
    outcome(&dump_of(cluster, "source"), warnings.clone()).await.unwrap();
    let warnings = warnings.0.lock().unwrap();
    assert!(matches!(warnings.as_slice(), [one] if one.contains("index public.broken is invalid")), "{warnings:?}");
}

async fn dropping_leaves_no_program_and_no_connection(cluster: &Cluster) {
    let source = dump_of(cluster, "source").globals(false);
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'source'";
    let gone = async || {
        let deadline = Instant::now() + Duration::from_secs(30);
        while cluster.psql("postgres", others) != "0" {
            assert!(Instant::now() < deadline, "a connection stays");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    drop(source.open(Arc::new(Silent)).await.unwrap());
    gone().await;
    let mut snapshot = source.open(Arc::new(Silent)).await.unwrap();
    let mut reader = snapshot.next_part().await.unwrap().unwrap();
    let mut buf = Vec::with_capacity(100_000);
    reader.fill(&mut buf).await.unwrap();
    assert_ne!(cluster.psql("postgres", others), "0");
    drop(reader);
    drop(snapshot);
    gone().await;
    let children =
        std::fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id())).unwrap_or_default();
    for child in children.split_whitespace() {
        let name = std::fs::read_to_string(Path::new("/proc").join(child).join("comm")).unwrap_or_default();
        assert!(!name.starts_with("pg_dump"), "pg_dump is still there");
    }
}

#[tokio::test]
async fn a_standby_and_a_session_pooler_are_good_sources() {
    let mut cluster = Cluster::options().role("backup", "x").start();
    cluster.psql("postgres", "GRANT pg_read_all_data TO backup; CREATE DATABASE source");
    cluster.psql("source", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i");
    {
        let pooler = PgBouncer::start(&cluster, PoolMode::Session, &[]);
        let source = PgDump::new(resolve(&pooler.url_as("backup", "source"))).env(env());
        assert!(read_source(&source, 1 << 20).await[&part("dump")].starts_with(b"PGDMP"));
    }
    {
        let pooler = PgBouncer::start(&cluster, PoolMode::Transaction, &[]);
        let source = PgDump::new(resolve(&pooler.url_as("backup", "source"))).env(env());
        assert!(outcome(&source, Arc::new(Silent)).await.unwrap_err().is(&TRANSACTION_POOLER));
    }
    cluster.become_standby();
    let source = PgDump::new(resolve(&cluster.url_as("backup", "source"))).env(env());
    let parts = read_source(&source, 1 << 20).await;
    let mut observer = PgProver::new().observer(&part("dump")).unwrap();
    observer.observe(&parts[&part("dump")]).unwrap();
    assert!(observer.finish().unwrap().starts_with("1 table, "));
}

/// A snapshot that is older than a TRUNCATE sees the table empty, though nobody ever saw it so; one that is older than two renames finds
/// another table under the name.
#[tokio::test]
async fn tables_that_are_reloaded_while_a_dump_begins_are_dumped_whole_or_not_at_all() {
    let cluster = Cluster::options().role("reader", "x").start();
    cluster.psql("postgres", "CREATE DATABASE source");
    cluster.psql(
        "source",
        "CREATE TABLE rates AS SELECT 'rate-' || i AS rate FROM generate_series(1, 100) i;
         CREATE TABLE fresh AS SELECT 'rate-' || i AS rate FROM generate_series(1, 100) i;
         CREATE TABLE parted (i int, rate text) PARTITION BY LIST (i); CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1);
         INSERT INTO parted SELECT 1, 'rate-' || i FROM generate_series(1, 100) i;
         CREATE TABLE \"odd \"\"name\" (); CREATE SCHEMA \"Other\"; CREATE TABLE \"Other\".t ();
         CREATE SCHEMA hidden; CREATE TABLE hidden.t ();
         GRANT USAGE ON SCHEMA \"Other\" TO reader;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA \"Other\" TO reader",
    );
    let reader = resolve(&cluster.url_as("reader", "source"));
    // The load is under way when the backup begins, and ends when the backup waits for it.
    for reload in [
        "TRUNCATE rates; INSERT INTO rates SELECT 'rate-' || i FROM generate_series(1, 100) i",
        "TRUNCATE parted; INSERT INTO parted SELECT 1, 'rate-' || i FROM generate_series(1, 100) i",
        "ALTER TABLE rates ALTER rate TYPE varchar(50) USING lower(rate)",
        "ALTER TABLE rates RENAME TO old; ALTER TABLE fresh RENAME TO rates; ALTER TABLE old RENAME TO fresh",
        "DROP TABLE fresh; CREATE TABLE fresh AS TABLE rates; GRANT SELECT ON fresh TO reader; LOCK rates",
    ] {
        for patterns in [false, true] {
            let mut source = PgDump::new(reader.clone()).env(env()).globals(false).skip_unreadable(true);
            if patterns {
                source = source.exclude_schema("nothing_of_this_name");
            }
            let loader = connection(&cluster, "source").connect().await.unwrap();
            loader.batch_execute(&format!("BEGIN; {reload}")).await.unwrap();
            let dump = tokio::spawn(async move { whole_dump(&source).await });
            let deadline = Instant::now() + Duration::from_secs(60);
            while cluster.psql("source", "SELECT count(*) FROM pg_locks WHERE NOT granted") == "0" {
                assert!(Instant::now() < deadline, "nobody waits: {reload}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            loader.batch_execute("COMMIT").await.unwrap();
            let rows = dump.await.unwrap().map(|dump| dump.windows(5).filter(|word| word == b"rate-").count());
            match rows {
                Ok(rows) if !patterns => assert_eq!(rows, 300, "{reload}"),
                Err(error) if patterns && error.is(&DUMP_FAILED) => assert!(reload.starts_with("DROP"), "{error:?}"),
                Err(error) if patterns => assert!(error.is(&TABLE_REPLACED) && error.is_transient(), "{error:?}"),
                other => panic!("patterns: {patterns}; {reload}: {other:?}"),
            }
        }
    }
}

async fn whole_dump(source: &PgDump) -> Result<Vec<u8>> {
    let mut snapshot = source.open(Arc::new(Silent)).await?;
    let mut part = snapshot.next_part().await?.unwrap();
    let mut dump = Vec::with_capacity(1 << 20);
    part.fill(&mut dump).await?;
    assert!(dump.len() < dump.capacity());
    part.finish(&mut ContentsWriter::in_memory()).await?;
    Ok(dump)
}

/// Limits that a role has for its own work are not meant for backups, whose connections wait for pg_dump and the like.
#[tokio::test]
async fn time_limits_of_the_role_end_no_backup_and_no_restore() {
    let cluster = Arc::new(Cluster::start());
    cluster.psql("postgres", "CREATE DATABASE source; CREATE ROLE slow LOGIN SUPERUSER");
    cluster.psql("source", "CREATE TABLE t AS SELECT 1 AS a");
    for limit in ["idle_session_timeout", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"] {
        cluster.psql("postgres", &format!("ALTER ROLE slow SET {limit} = '900ms'"));
    }
    let url = |database: &str| resolve(&cluster.url_as("slow", database));
    let waits = |step: &'static str| {
        let cluster = cluster.clone();
        Arc::new(AtStep(step, Box::new(move || drop(cluster.psql("postgres", "SELECT pg_sleep(1.5)")))))
    };
    let source = PgDump::new(url("source")).env(env());
    outcome(&source, waits("read roles and tablespaces")).await.unwrap();
    let backup = MemoryBackup::of(&source).await;
    let target = PgRestore::new(url("copy")).env(env());
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'slow' AND datname = 'postgres'";
    let seen = {
        let cluster = cluster.clone();
        let look = move || {
            cluster.psql("postgres", "SELECT pg_sleep(1.5)");
            assert_eq!(cluster.psql("postgres", sessions), "1", "the connection of the restore was ended");
        };
        Arc::new(AtStep("load the data", Box::new(look)))
    };
    target.restore(&backup, seen).await.unwrap();
    assert_eq!(cluster.psql("copy", "SELECT a FROM t"), "1");
}

/// Does something whenever a step begins whose words these are.
struct AtStep(&'static str, Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for AtStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Monitor for AtStep {
    fn event(&self, event: Event) {
        if matches!(event, Event::Step { doing } if doing == self.0) {
            (self.1)();
        }
    }
}
