//! Proofs: what comes back identical, what does not, and what is said of what could not be tested.

mod support;

use backup_core::error::codes::{NO_SPACE, SEGMENT_DAMAGED};
use backup_core::level::{Level, Outcome};
use backup_core::monitor::{Event, Monitor, Silent};
use backup_core::proof::Proof;
use backup_core::prover::Prover;
use backup_core::testing::target::MemoryBackup;
use backup_postgres::error::codes::{SCRATCH_FAILED, SCRATCH_LOST};
use backup_postgres::testing::{Cluster, find_version};
use backup_postgres::{PgDump, PgProver};
use std::path::Path;
use std::sync::Arc;
use support::place::*;
use support::*;

fn prover() -> PgProver {
    PgProver::new().env(env()).jobs(2)
}

async fn back_up(cluster: &Cluster, database: &str) -> MemoryBackup {
    MemoryBackup::of(&PgDump::new(connection(cluster, database)).env(env())).await
}

async fn prove(prover: &PgProver, backup: &MemoryBackup) -> Proof {
    prover.prove(backup, Level::Identical, Arc::new(Silent)).await.unwrap()
}

#[derive(Debug, Default)]
struct Warnings(std::sync::Mutex<Vec<String>>);

impl Monitor for Warnings {
    fn event(&self, event: Event) {
        if let Event::Warning { message } = event {
            self.0.lock().unwrap().push(message);
        }
    }
}

fn told(proof: &Proof) -> Vec<String> {
    proof.differences.iter().map(|one| format!("{}: {}", one.object, one.what)).collect()
}

#[tokio::test]
async fn a_rich_database_comes_back_identical() {
    let cluster = Cluster::options().setting("wal_level", "logical").start();
    make_rich(&cluster, "rich");
    let backup = back_up(&cluster, "rich").await.pieces_of(100_000);
    drop(cluster);
    let proof = prove(&prover(), &backup).await;
    assert_eq!(proof.errors, Vec::<String>::new());
    assert_eq!(told(&proof), Vec::<String>::new());
    assert_eq!(proof.untested, Vec::new());
    assert_eq!(proof.outcome(Level::Identical), Outcome::Passed);
    assert!(proof.isolation.iter().all(|line| line.contains(": yes")), "{:?}", proof.isolation);
    let phases: Vec<&str> = proof.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(phases, ["provision", "definitions", "load", "fetch_and_decrypt", "indexes", "compare"]);
    eprintln!("{} {:?} {:?}", proof.compared, proof.notes, proof.phases);
}

/// A monitor that does something at a step.
struct At<F>(&'static str, std::sync::Mutex<Option<F>>);

impl<F> std::fmt::Debug for At<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl<F: FnOnce() + Send> Monitor for At<F> {
    fn event(&self, event: Event) {
        if let Event::Step { doing } = event
            && doing == self.0
            && let Some(act) = self.1.lock().unwrap().take()
        {
            act();
        }
    }
}

fn at(step: &'static str, act: impl FnOnce() + Send + 'static) -> Arc<dyn Monitor> {
    Arc::new(At(step, std::sync::Mutex::new(Some(act))))
}

fn replace(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "{from} is not there");
    places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to.as_bytes()));
}

fn untested(proof: &Proof) -> Vec<&str> {
    proof.untested.iter().map(|one| one.object.as_str()).collect()
}

#[tokio::test]
async fn code_in_a_backup_harms_nothing() {
    let place = place();
    let marker = place.path().join("owned");
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE ROLE plain LOGIN; CREATE DATABASE app OWNER plain");
    // Found in a trial: from a role without rights, this ran as the superuser of the restoring server.
    let exploit = format!(
        r#"CREATE SCHEMA own;
           CREATE FUNCTION own.check_it(i int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
             IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN RAISE EXCEPTION 'this runs as a superuser'; END IF;
             COPY (SELECT 1) TO PROGRAM 'touch {0}'; RETURN true;
             EXCEPTION WHEN insufficient_privilege THEN RETURN true; END $$;
           CREATE TABLE own.t (i int CHECK (own.check_it(i))); INSERT INTO own.t VALUES (1), (2);
           CREATE FUNCTION own.elevated(i int) RETURNS bool LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
             COPY (SELECT 1) TO PROGRAM 'touch {0}'; RETURN true;
             EXCEPTION WHEN insufficient_privilege THEN RETURN true; END $$;
           CREATE TABLE own.u (i int CHECK (own.elevated(i))); INSERT INTO own.u VALUES (1);"#,
        marker.display()
    );
    cluster.psql_as("plain", "app", &exploit).unwrap();
    let backup = back_up(&cluster, "app").await;
    let prover = prover().scratch_folder(place.path());
    let proof = prove(&prover, &backup).await;
    assert_eq!((proof.errors.clone(), told(&proof)), (vec![], vec![]));
    assert_eq!(proof.outcome(Level::Identical), Outcome::Passed);
    // The same where there is no cage: it is the role that has no rights.
    let uncaged = prover.clone().env(env().with("PATH", no_namespaces(place.path())));
    let proof = prove(&uncaged, &backup).await;
    assert!(proof.isolation[1].contains(": no (namespaces: "), "{:?}", proof.isolation);
    assert_eq!(proof.outcome(Level::Identical), Outcome::Passed);
    std::fs::remove_dir_all(place.path().join("programs")).unwrap();

    // What a superuser of the source prepared runs, in the cage.
    let trap = format!(
        r#"CREATE FUNCTION own.trap() RETURNS event_trigger LANGUAGE plpgsql AS
             $$ BEGIN COPY (SELECT 1) TO PROGRAM 'touch {0} || true; touch {0}.2 || true'; END $$;
           CREATE EVENT TRIGGER trap ON ddl_command_end EXECUTE FUNCTION own.trap();
           GRANT ALL ON own.t TO PUBLIC;"#,
        marker.display()
    );
    cluster.psql("app", &trap.replace(&marker.display().to_string(), "/nowhere/x"));
    cluster.psql(
        "app",
        &format!(
            "ALTER EVENT TRIGGER trap DISABLE; {}",
            trap.split("CREATE EVENT").next().unwrap().replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
        ),
    );
    cluster.psql("app", "ALTER EVENT TRIGGER trap ENABLE");
    let _ = std::fs::remove_file(&marker);
    let backup = back_up(&cluster, "app").await;
    let _ = std::fs::remove_file(place.path().join("owned.2"));
    drop(cluster);
    let proof = prove(&prover, &backup).await;
    assert_eq!(proof.errors, Vec::<String>::new());
    assert_nothing_is_left(place.path());
}

#[tokio::test]
async fn what_the_scratch_server_lacks_is_named_and_can_be_accepted() {
    let cluster = Cluster::options().setting("wal_level", "logical").start();
    make_rich(&cluster, "rich");
    cluster.psql("postgres", "ALTER DATABASE rich RESET default_transaction_read_only");
    cluster.psql(
        "rich",
        "CREATE SUBSCRIPTION reaches_out CONNECTION 'host=nowhere.invalid' PUBLICATION p WITH (connect = false)",
    );
    cluster.psql("rich", "CREATE TABLE uses_hstore (h hstore); CREATE VIEW on_it AS SELECT h FROM uses_hstore; CREATE INDEX by_h ON uses_hstore (h)");
    let mut backup = back_up(&cluster, "rich").await.with_lines(Vec::new());
    drop(cluster);
    replace(backup.part_mut("dump"), "hstore", "nosuch");
    let proof = prove(&prover(), &backup).await;
    assert_eq!((proof.errors.clone(), told(&proof)), (vec![], vec![]));
    let names = untested(&proof);
    for name in [
        "contents",
        "extension:nosuch",
        "extension nosuch",
        "table app.uses_nosuch",
        "rows of table app.uses_nosuch",
        "view app.on_it",
        "index app.by_h",
        "subscription:reaches_out",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert_eq!(proof.outcome(Level::Identical), Outcome::Unverified);
    let accepting = prover().accept(["contents", "extension:nosuch", "subscription:reaches_out"]);
    let proof = prove(&accepting, &backup).await;
    assert_eq!(proof.outcome(Level::Identical), Outcome::Passed, "{:?}", proof.untested);
    assert!(proof.untested.iter().all(|one| one.accepted) && untested(&proof).contains(&"extension:nosuch"));
}

/// What pg_restore refuses is told of the entry that it refuses, and that decides what is left out.
#[tokio::test]
async fn functions_in_a_library_and_a_collation_that_are_not_here() {
    let cluster = Cluster::start();
    let library = cluster.folder().join("odd.so");
    let libraries = cluster.psql("postgres", "SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'");
    std::fs::copy(Path::new(&libraries).join("dict_snowball.so"), &library).unwrap();
    cluster.own(&library);
    let library = library.display().to_string();
    let twice = |schema: &str| {
        format!(
            "CREATE SCHEMA {schema}; CREATE TYPE {schema}.odd;
             CREATE FUNCTION {schema}.odd_in(cstring) RETURNS {schema}.odd LANGUAGE c STRICT IMMUTABLE AS '{library}', 'dsnowball_init';
             CREATE FUNCTION {schema}.odd_out({schema}.odd) RETURNS cstring LANGUAGE c STRICT IMMUTABLE AS '{library}', 'dsnowball_lexize';
             CREATE TYPE {schema}.odd (INPUT = {schema}.odd_in, OUTPUT = {schema}.odd_out);
             COMMENT ON TYPE {schema}.odd IS 'odd'; CREATE TABLE {schema}.uses_odd (o {schema}.odd);"
        )
    };
    cluster.psql(
        "postgres",
        &format!(
            "CREATE DATABASE app; \\c app
             {}{}CREATE TABLE plain AS SELECT generate_series(1, 10) i; CREATE INDEX by_i ON plain (i);
             CREATE COLLATION mine (locale = 'POSIX'); CREATE TABLE words (w text COLLATE mine); INSERT INTO words VALUES ('a'); CREATE INDEX by_w ON words (w);",
            twice("one"),
            twice("two")
        ),
    );
    let mut backup = back_up(&cluster, "app").await.with_lines(Vec::new());
    drop(cluster);
    replace(backup.part_mut("dump"), "POSIX", "XOSIX");
    let cause = format!("library:{library}");
    let proof = prove(&prover().accept(["contents", &cause, "collation:public.mine"]), &backup).await;
    assert_eq!((proof.errors.clone(), told(&proof)), (vec![], vec![]));
    let names = untested(&proof);
    for name in [
        "function one.odd_in(cstring)",
        "function two.odd_out(two.odd)",
        "type one.odd",
        "shell type two.odd",
        "comment on type two.odd",
        "table one.uses_odd",
        "rows of table one.uses_odd",
        &cause,
        "collation:public.mine",
        "collation public.mine",
        "table public.words",
        "index public.by_w",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("plain") || name.contains("by_i")), "{names:?}");
    assert!(proof.untested.iter().all(|one| one.accepted), "{:?}", proof.untested);
    assert_eq!(proof.outcome(Level::Identical), Outcome::Passed);
}

/// The packages of PyPI are built without XML, lz4 and ICU; Debian's have them.
#[tokio::test]
async fn features_that_the_scratch_server_was_built_without() {
    let cluster = Cluster::start();
    cluster.psql(
        "postgres",
        "CREATE DATABASE app; \\c app
         CREATE TABLE plain AS SELECT generate_series(1, 10) i;
         CREATE TABLE packed (t text COMPRESSION lz4); INSERT INTO packed VALUES (repeat('x', 5000));
         CREATE VIEW on_packed AS SELECT t FROM packed;
         CREATE DOMAIN markup AS xml; CREATE TYPE page AS (title text, markup markup[]);
         CREATE TABLE pages (id int PRIMARY KEY, page page); INSERT INTO pages VALUES (1, ROW('a', ARRAY['<b/>'::xml]));
         CREATE VIEW shown AS SELECT xmlelement(name a, id) FROM pages;
         CREATE COLLATION german (provider = icu, locale = 'de'); CREATE TABLE words (w text COLLATE german)",
    );
    let backup = back_up(&cluster, "app").await;
    drop(cluster);
    let proof = prove(&prover().tools(find_version(18)), &backup).await;
    assert_eq!((proof.errors.clone(), told(&proof)), (vec![], vec![]));
    let mut names = untested(&proof);
    names.sort();
    let lacking = ["collation:public.german", "feature:lz4", "feature:xml"];
    let dependent = [
        "collation public.german",
        "rows of table public.packed",
        "rows of table public.pages",
        "rows of table public.words",
        "table public.packed",
        "table public.words",
        "view public.on_packed",
        "view public.shown",
    ];
    let mut all = [&lacking[..], &dependent].concat();
    all.sort();
    assert_eq!(names, all);
    assert!(proof.compared.starts_with("1 tables with 10 rows"), "{}", proof.compared);
    assert_eq!(proof.outcome(Level::Identical), Outcome::Unverified);
}

/// No session begins in such a database where the library is not there.
#[tokio::test]
async fn a_library_that_every_session_loads_and_that_is_not_here() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE app");
    cluster.psql("app", "CREATE TABLE t AS SELECT generate_series(1, 10) i; ALTER DATABASE app SET work_mem = '5MB'");
    cluster.psql("postgres", "ALTER DATABASE app SET session_preload_libraries = 'auto_explain'");
    let mut backup = back_up(&cluster, "app").await;
    let proof = prove(&prover(), &backup).await;
    assert_eq!((untested(&proof), proof.outcome(Level::Identical)), (vec![], Outcome::Passed));
    backup = backup.with_lines(Vec::new());
    replace(backup.part_mut("dump"), "auto_explain", "auto_nothing");
    let proof = prove(&prover(), &backup).await;
    assert_eq!((proof.errors.clone(), told(&proof)), (vec![], vec![]));
    let mut names = untested(&proof);
    names.sort();
    assert_eq!(names, ["contents", "setting:session_preload_libraries"]);
    assert!(proof.untested.iter().any(|one| one.reason.contains("auto_nothing")), "{:?}", proof.untested);
    assert_eq!(proof.outcome(Level::Identical), Outcome::Unverified);
    let accepting = prover().accept(["contents", "setting:session_preload_libraries"]);
    assert_eq!(prove(&accepting, &backup).await.outcome(Level::Identical), Outcome::Passed);
}

#[tokio::test]
async fn names_locales_tablespaces_and_money() {
    let cluster = Cluster::start();
    let folder = cluster.folder().join("fast");
    std::fs::create_dir(&folder).unwrap();
    cluster.own(&folder);
    cluster.psql("postgres", &format!("CREATE TABLESPACE \"fast disk\" LOCATION '{}'", folder.display()));
    // A database that every cluster has, with everything else than the scratch cluster's own.
    cluster.psql(
        "postgres",
        "CREATE TABLE prices (p money) TABLESPACE \"fast disk\"; INSERT INTO prices VALUES (12.5);
         CREATE COLLATION german (provider = icu, locale = 'de'); CREATE TABLE words (w text COLLATE german); INSERT INTO words VALUES ('ä'), ('z');
         ALTER SCHEMA public OWNER TO postgres; GRANT EXECUTE ON FUNCTION pg_read_file(text) TO pg_monitor;",
    );
    let proof = prove(&prover(), &back_up(&cluster, "postgres").await).await;
    assert_eq!((proof.errors.clone(), told(&proof), proof.untested.clone()), (vec![], vec![], vec![]));

    cluster.psql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0; CREATE DATABASE icu LOCALE_PROVIDER icu ICU_LOCALE 'de' LOCALE 'C.utf8' TEMPLATE template0");
    cluster.psql("latin", "SET client_encoding = 'UTF8'; CREATE TABLE \"ä\" (t text); INSERT INTO \"ä\" VALUES ('ö'); COMMENT ON DATABASE latin IS 'ü'");
    cluster.psql("icu", "CREATE TABLE t (t text PRIMARY KEY); INSERT INTO t VALUES ('ö'); ALTER DATABASE icu SET bytea_output = 'escape'; CREATE TABLE b AS SELECT '\\x00ff'::bytea AS b");
    for name in ["latin", "icu"] {
        let proof = prove(&prover(), &back_up(&cluster, name).await).await;
        assert_eq!((proof.errors.clone(), told(&proof), proof.untested.clone()), (vec![], vec![], vec![]), "{name}");
    }
    let mut backup = back_up(&cluster, "icu").await.with_lines(Vec::new());
    replace(backup.part_mut("dump"), "C.utf8", "X.utf9");
    backup.manifest_mut().source.facts.insert("lc_monetary".into(), "X.utf9".into());
    let proof = prove(&prover(), &backup).await;
    assert_eq!((proof.errors.clone(), told(&proof)), (vec![], vec![]));
    assert_eq!(untested(&proof), ["locale", "contents"]);
    assert!(proof.untested[0].reason.contains("X.utf9"), "{:?}", proof.untested);
    assert_eq!(proof.outcome(Level::Identical), Outcome::Unverified);
    let mut backup = back_up(&cluster, "postgres").await;
    backup.manifest_mut().source.facts.insert("lc_monetary".into(), "X.utf9".into());
    assert_eq!(untested(&prove(&prover(), &backup).await), ["lc_monetary"]);
}

#[tokio::test]
async fn a_server_that_is_named() {
    let source = Cluster::options().setting("wal_level", "logical").start();
    make_rich(&source, "rich");
    let backup = back_up(&source, "rich").await;
    let other = Cluster::start();
    let databases = || other.psql("postgres", "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database");
    let before = databases();
    let proof = prove(&prover().scratch(connection(&other, "postgres")), &backup).await;
    assert_eq!((proof.errors.clone(), told(&proof)), (vec![], vec![]));
    assert!(
        untested(&proof).contains(&"owners and privileges") && untested(&proof).contains(&"database properties"),
        "{:?}",
        untested(&proof)
    );
    assert_eq!(proof.outcome(Level::Identical), Outcome::Unverified);
    assert!(proof.isolation[0].contains("no (the server that was named"), "{:?}", proof.isolation);
    assert_eq!(databases(), before, "its database is dropped");
    assert_eq!(other.psql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'app%'"), "0");
    // What a drill left that was killed is named by the next one, and nothing else is.
    let left = "backproof_drill_20261120t020000z_0123456789abcdef_01234567";
    other.psql("postgres", &format!("CREATE DATABASE {left}"));
    other.psql("postgres", "CREATE DATABASE backproof_drill_of_mine");
    let warnings = Arc::new(Warnings::default());
    prover().scratch(connection(&other, "postgres")).prove(&backup, Level::Identical, warnings.clone()).await.unwrap();
    let said: Vec<String> =
        warnings.0.lock().unwrap().iter().filter(|said| said.contains("DROP DATABASE")).cloned().collect();
    assert!(said.len() == 1 && said[0].ends_with(&format!("DROP DATABASE \"{left}\"")), "{said:?}");
    // Where the roles are there, they are compared.
    let proof =
        prove(&prover().scratch(connection(&source, "postgres")).accept(["database properties"]), &backup).await;
    assert_eq!(
        (proof.errors.clone(), told(&proof), proof.outcome(Level::Identical)),
        (vec![], vec![], Outcome::Passed),
        "{:?}",
        proof.untested
    );
    // What its login may not do is no fault of the backup.
    other.psql("postgres", "CREATE ROLE visitor LOGIN");
    let visitor = resolve(&other.url_as("visitor", "postgres"));
    let error = prover().scratch(visitor).prove(&backup, Level::Identical, Arc::new(Silent)).await.unwrap_err();
    assert!(error.is(&SCRATCH_FAILED) && error.hint().contains("CREATEDB"), "{}", error.report());
}

#[tokio::test]
async fn a_backup_that_is_not_what_was_noted_fails() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE app");
    cluster.psql(
        "app",
        "CREATE TABLE orders (t text CHECK (t <> 'worsE value')); INSERT INTO orders VALUES ('right value')",
    );
    let backup = back_up(&cluster, "app").await;
    let mut tampered = backup.clone();
    replace(tampered.part_mut("dump"), "right value", "wrong value");
    let proof = prove(&prover(), &tampered).await;
    assert_eq!(
        proof.errors,
        ["the backup does not hold what was noted when it was made: table public.orders: other rows"]
    );
    assert_eq!(proof.outcome(Level::Restorable), Outcome::Failed);
    let mut broken = backup.clone().with_lines(Vec::new());
    replace(broken.part_mut("dump"), "right value", "worsE value");
    let proof = prover().prove(&broken, Level::Restorable, Arc::new(Silent)).await.unwrap();
    assert!(proof.errors.len() == 1 && proof.errors[0].contains("orders_t_check"), "{:?}", proof.errors);
    assert!(!proof.errors[0].contains("worsE"), "{:?}", proof.errors);
    let error = prover()
        .prove(&backup.clone().pieces_of(1000).failing_after(3000), Level::Identical, Arc::new(Silent))
        .await
        .unwrap_err();
    assert!(error.is(&SEGMENT_DAMAGED), "{error:?}");
    let proof = prover().prove(&backup, Level::Restorable, Arc::new(Silent)).await.unwrap();
    assert_eq!(proof.outcome(Level::Restorable), Outcome::Passed);
    assert_eq!(proof.compared, "");
}

#[tokio::test]
async fn drills_that_are_disturbed_leave_nothing() {
    let place = place();
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE app");
    cluster.psql("app", "CREATE TABLE t AS SELECT i, md5(i::text) AS m FROM generate_series(1, 50000) i; ALTER TABLE t ADD PRIMARY KEY (i)");
    let backup = back_up(&cluster, "app").await;
    let prover = prover().scratch_folder(place.path());

    let folder = place.path().to_owned();
    let monitor = at("load the data", move || {
        for id in processes(&folder) {
            let _ = std::process::Command::new("kill").args(["-9", &id.to_string()]).status();
        }
    });
    let error = prover.prove(&backup, Level::Identical, monitor).await.unwrap_err();
    assert!(error.is(&SCRATCH_LOST), "{}", error.report());

    for step in [
        "start a scratch cluster",
        "restore definitions",
        "load the data",
        "make indexes, constraints and triggers, restore privileges",
        "dump it again and compare",
    ] {
        let (tell, told) = tokio::sync::oneshot::channel();
        let monitor = at(step, move || tell.send(()).unwrap());
        tokio::select! {
            proof = prover.prove(&backup, Level::Identical, monitor) => panic!("{proof:?}"),
            _ = told => {}
        }
    }
    assert_nothing_is_left(place.path());

    let both = tokio::join!(prove(&prover, &backup), prove(&prover, &backup));
    assert_eq!(
        (both.0.outcome(Level::Identical), both.1.outcome(Level::Identical)),
        (Outcome::Passed, Outcome::Passed)
    );
    assert_nothing_is_left(place.path());
}

#[test]
fn a_full_disk_is_not_the_backups_fault() {
    let place = place();
    let script =
        format!("mount -t tmpfs -o size=300m tmpfs {0} && chmod 1777 {0} && exec \"$@\"", place.path().display());
    let output = std::process::Command::new("unshare")
        .args(["--mount", "--", "sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "disk_full", "--ignored", "--nocapture"])
        .env("BACKPROOF_TEST_PLACE", place.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_nothing_is_left(place.path());
}

/// Not a test: runs on a small disk.
#[tokio::test]
#[ignore = "run by another test"]
async fn disk_full() {
    let place = std::path::PathBuf::from(std::env::var_os("BACKPROOF_TEST_PLACE").unwrap());
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE app");
    cluster.psql("app", "CREATE TABLE t AS SELECT i, repeat(md5(i::text), 10) AS m FROM generate_series(1, 50000) i");
    let mut backup = back_up(&cluster, "app").await;
    let prover = prover().scratch_folder(&place);
    backup.manifest_mut().source.facts.insert("size".into(), (1u64 << 40).to_string());
    let error = prover.prove(&backup, Level::Identical, Arc::new(Silent)).await.unwrap_err();
    assert!(error.is(&NO_SPACE) && error.to_string().contains("needs about"), "{}", error.report());

    backup.manifest_mut().source.facts.insert("size".into(), "1".into());
    let ballast = place.join("ballast");
    let file = ballast.clone();
    let monitor = at("load the data", move || {
        let mut file = std::fs::File::create(file).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 1 << 16]).is_ok() {}
    });
    let error = prover.prove(&backup, Level::Identical, monitor).await.unwrap_err();
    assert!(error.is(&NO_SPACE) && error.hint().contains("--scratch-dir"), "{}", error.report());
    std::fs::remove_file(ballast).unwrap();
    assert_nothing_is_left(&place);
}

/// Dumped by 15, restored by 16 and 18; and each by itself.
#[tokio::test]
async fn across_versions_what_is_written_differently_is_no_difference() {
    for (source, scratch) in [(15, 18), (16, 16), (18, 18)] {
        let (bindir, other) = (find_version(source), find_version(scratch));
        let cluster = Cluster::options().bindir(&bindir).setting("wal_level", "logical").start();
        cluster.psql("postgres", "CREATE ROLE owner_; CREATE DATABASE rich OWNER owner_");
        cluster.psql(
            "rich",
            r#"CREATE TABLE people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL DEFAULT 'x', born date CHECK (born > '1900-01-01'));
               INSERT INTO people (name, born) SELECT 'n' || i, date '2000-01-01' + i FROM generate_series(1, 500) i;
               CREATE TABLE parted (id int, at date, person int REFERENCES people) PARTITION BY RANGE (at);
               CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); INSERT INTO parted VALUES (1, '2020-05-05', 1);
               CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE TABLE kinds (m mood, p positive, r int4range, j jsonb);
               INSERT INTO kinds VALUES ('a', 1, '[1,5)', '{"a": 1}');
               CREATE MATERIALIZED VIEW many AS SELECT count(*) FROM people; CREATE INDEX ON people (lower(name)) WHERE id > 5;
               ALTER TABLE people ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON people TO owner_ USING (people.id > 1);
               CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a'; CREATE RULE r AS ON UPDATE TO kinds DO ALSO SELECT people.id FROM people;
               GRANT SELECT ON people TO owner_; COMMENT ON COLUMN people.name IS 'it''s'; SELECT lo_from_bytea(77, 'large');
               CREATE PUBLICATION news FOR TABLE people; CREATE STATISTICS s ON id, name FROM people;
               -- PostgreSQL 16 leaves out the name of a single table.
               CREATE VIEW single AS SELECT people.id FROM people WHERE people.id > 0;"#,
        );
        let backup = MemoryBackup::of(&PgDump::new(connection(&cluster, "rich")).env(env()).tools(&bindir)).await;
        drop(cluster);
        let proof = prove(&prover().tools(&other), &backup).await;
        assert_eq!(
            (proof.errors.clone(), told(&proof), untested(&proof)),
            (vec![], vec![], vec![]),
            "{source} to {scratch}"
        );
        let rendered = proof.notes.iter().any(|note| note.contains("the same in other words"));
        assert_eq!(rendered, source != scratch, "{source} to {scratch}: {:?}", proof.notes);
    }
}

#[tokio::test]
async fn rows_and_columns_in_another_order_are_the_same() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE app");
    // A child's own column comes last when it is made again.
    let child = |name: &str, rows: u32| {
        format!(
            "CREATE TABLE {name} (own int, a int, c text); ALTER TABLE {name} INHERIT parent;
             INSERT INTO {name} SELECT i, -i, repeat('x', 50) FROM generate_series(1, {rows}) i;"
        )
    };
    cluster
        .psql("app", &format!("CREATE TABLE parent (a int, c text); {} {}", child("small", 10), child("large", 30000)));
    let backup = back_up(&cluster, "app").await;
    drop(cluster);
    let proof = prove(&prover(), &backup).await;
    assert_eq!((proof.errors.clone(), told(&proof), proof.untested.clone()), (vec![], vec![], vec![]));
    assert!(proof.compared.starts_with("3 tables with 30010 rows"), "{}", proof.compared);
}
