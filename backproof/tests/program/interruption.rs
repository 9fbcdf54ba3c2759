//! Killed, interrupted, ended: a backup is there and good, or it is not there; and no program of ours goes on.

use crate::database::contents;
use crate::site::{Site, finish};
use backup_postgres::testing::Cluster;
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The longest wait for something that should take milliseconds.
const LIMIT: Duration = Duration::from_secs(20);

/// A small database that takes a moment to dump.
fn small(cluster: &Cluster) -> Site {
    cluster.psql(
        "postgres",
        "CREATE TABLE numbers AS SELECT i, md5(i::text) AS text, repeat(md5((i * 7)::text), 8) AS more FROM generate_series(1, 20000) i",
    );
    let mut site = Site::new();
    site.set("DATABASE_URL", cluster.url("postgres"));
    site.write("backproof.toml", &format!("{}[backup]\nsegment_size = \"1MiB\"\n", site.read("backproof.toml")));
    site
}

/// Starts a backup in a session of its own, by which its children are found.
fn start(site: &Site, more: &[&str]) -> Child {
    let mut command = Command::new("setsid");
    command.arg(env!("CARGO_BIN_EXE_backproof")).args(["backup", "--name", "app", "--quiet"]).args(more);
    site.prepare(&mut command);
    command.spawn().unwrap_or_else(|error| panic!("setsid (Debian: util-linux): {error}"))
}

/// The living processes of a session: the sixth field of /proc/PID/stat (proc(5)).
fn session(leader: u32) -> Vec<String> {
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { continue };
        let (name, rest) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        if fields[3] == leader.to_string() && fields[0] != "Z" {
            found.push(format!("{name})"));
        }
    }
    found
}

pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[track_caller]
fn nothing_runs_on(leader: u32) {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        if session(leader).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("still running: {:?}", session(leader));
}

#[test]
fn killed_at_any_moment_a_backup_is_whole_or_not_there() {
    const ROUNDS: u32 = 30;
    let cluster = Cluster::start();
    let site = small(&cluster);
    let before = site.objects().len();
    let first = start(&site, &[]).wait_with_output().unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let usual = site.objects().len() - before;
    let mut known = site.ids();
    let (mut killed_early, mut finished) = (0, 0);
    for round in 0..ROUNDS {
        let mut child = start(&site, &[]);
        let leader = child.id();
        // At once, when its programs run, when so many of its objects are there, and when it has ended.
        let there = site.objects().len();
        let (programs, objects) = match round {
            0 | 1 => (0, 0),
            2..6 => (round as usize, 0),
            _ => (0, (usual + 1) * (round as usize - 5) / (ROUNDS as usize - 8)),
        };
        let mut ended = false;
        wait_until("the moment", || {
            ended = child.try_wait().unwrap().is_some();
            ended || session(leader).len() >= programs && site.objects().len() - there >= objects
        });
        let _ = child.kill();
        let status = child.wait().unwrap();
        nothing_runs_on(leader);
        let ids = site.ids();
        let new: Vec<&String> = ids.iter().filter(|id| !known.contains(id)).collect();
        assert!(new.len() <= 1, "{new:?}");
        assert!(!status.success() || new.len() == 1, "it said that all is well, and there is no backup");
        match new.first() {
            Some(id) => {
                finished += 1;
                site.run(&["verify", id, "--level", "readable"]).ok();
            }
            None => killed_early += 1,
        }
        known = ids;
    }
    assert!(killed_early >= 5, "{killed_early} of {ROUNDS} rounds were killed before the end, {finished} were not");
    // Whatever half-written backups left behind, the next one works, and everything together is healthy.
    let next = start(&site, &[]).wait_with_output().unwrap();
    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
    assert_eq!(site.ids().len(), known.len() + 1);
    site.run(&["verify", "--all", "--level", "readable"]).ok();
    site.run(&["restore", "latest", "--to", &cluster.url("back")]).ok();
    assert_eq!(contents(&cluster, "postgres")[1..], contents(&cluster, "back")[1..]);
}

#[test]
fn a_signal_ends_a_backup_in_good_order() {
    let cluster = Cluster::start();
    let site = small(&cluster);
    let before = site.objects();
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        // The dump has to wait for a lock, for as long as we like.
        let mut locker = cluster.command("psql");
        locker.args(["-X", "-q", "-d", &cluster.url("postgres"), "-c"]);
        locker.arg("BEGIN; LOCK numbers; SELECT pg_sleep(100)");
        let mut locker = locker.spawn().unwrap();
        wait_until("the lock", || {
            cluster.psql("postgres", "SELECT count(*) FROM pg_locks WHERE relation = 'numbers'::regclass AND granted")
                == "1"
        });
        let child = start(&site, &["--json"]);
        let leader = child.id();
        wait_until("pg_dump waits", || {
            cluster
                .psql("postgres", "SELECT count(*) FROM pg_locks WHERE relation = 'numbers'::regclass AND NOT granted")
                == "1"
        });
        kill_process(Pid::from_raw(leader as i32).unwrap(), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{stderr}");
        assert!(stderr.contains("interrupted"), "{stderr}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["error"]["code"], "cancelled", "{document:#}");
        nothing_runs_on(leader);
        assert_eq!(site.objects(), before, "left behind");
        locker.kill().unwrap();
        locker.wait().unwrap();
        cluster.psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(100)' AND pid <> pg_backend_pid()");
    }
    let next = start(&site, &[]).wait_with_output().unwrap();
    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
}

/// Half of the segments are stored already when the signal comes.
#[test]
fn what_was_stored_of_an_interrupted_backup_is_removed() {
    let site = Site::new();
    site.write("backproof.toml", &format!("{}[backup]\nsegment_size = \"1MiB\"\n", site.read("backproof.toml")));
    let before = site.objects();
    let endless = "head -c 5000000 /dev/urandom; exec sleep 1000";
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut child = start(&site, &["--", "sh", "-c", endless]);
        wait_until("segments", || site.objects().iter().filter(|name| name.ends_with(".zst.age")).count() >= 4);
        kill_process(Pid::from_raw(child.id() as i32).unwrap(), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(status));
        nothing_runs_on(child.id());
        assert_eq!(site.objects(), before, "left behind");
    }
}

/// Reading commands are dropped at once, and leave no half of a file or database.
#[test]
fn a_signal_ends_a_restore_and_removes_the_half_of_it() {
    let cluster = Cluster::start();
    let site = small(&cluster);
    // A function that an index calls takes as long as we like.
    cluster.psql(
        "postgres",
        "CREATE FUNCTION slow(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
            IF current_database() = 'back' THEN PERFORM pg_sleep(0.01); END IF; RETURN $1; END $$;
         CREATE INDEX slowly ON numbers (public.slow(text))",
    );
    let made = start(&site, &[]).wait_with_output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut command = Command::new("setsid");
    command.arg(env!("CARGO_BIN_EXE_backproof")).args(["restore", "latest", "--to", &cluster.url("back")]);
    site.prepare(&mut command);
    let child = command.spawn().unwrap();
    let leader = child.id();
    wait_until("the index is being made", || {
        cluster.psql(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX slowly%' AND state = 'active'",
        ) == "1"
    });
    kill_process(Pid::from_raw(leader as i32).unwrap(), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", String::from_utf8_lossy(&output.stderr));
    nothing_runs_on(leader);
    wait_until("the half-restored database is gone", || {
        cluster.psql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'back'") == "0"
    });
    let _ = finish(site.command(&["list"])).ok();
}
