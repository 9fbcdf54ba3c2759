//! Drills and proofs as the program shows them: of good backups, of spoilt ones, and disturbed.

use crate::site::{Run, Site, copy, files};
use backup_postgres::testing::Cluster;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The longest wait for something that should take a moment.
const LIMIT: Duration = Duration::from_secs(60);

/// A site with one good backup of a database whose server is gone, and the backup's id. Whoever trusts signers trusts this key's proofs, too.
pub(crate) fn proven(configuration: &str) -> (Site, String) {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE DATABASE shop");
    cluster.psql(
        "shop",
        "CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 100000) i;
         CREATE TABLE items (id int REFERENCES orders); INSERT INTO items SELECT generate_series(1, 100);
         SELECT lo_from_bytea(0, 'an object')",
    );
    let mut site = Site::new();
    site.set("PG_BINDIR", cluster.bindir().display().to_string());
    std::fs::create_dir(site.path("scratch")).unwrap();
    let scratch = format!("[drill]\nscratch_dir = \"{}\"\n[backup]\nsegment_size = \"1MiB\"\n", site.at("scratch"));
    site.write("backproof.toml", &(site.read("backproof.toml") + &scratch + configuration));
    let made = site.run(&["backup", "--name", "app", "--json", "--database", &cluster.url("shop")]).ok().json();
    (site, made["id"].as_str().unwrap().to_owned())
}

pub(crate) fn drill(site: &Site, flags: &[&str]) -> Run {
    site.run(&[&["drill", "--json"], flags].concat())
}

/// Nothing is left where scratch clusters are made.
#[track_caller]
pub(crate) fn nothing_left(site: &Site) {
    let left: Vec<_> = std::fs::read_dir(site.path("scratch")).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn a_drill_tells_everything_and_is_kept() {
    let (site, id) = proven(
        "[[assertions]]\nname = \"all orders\"\ncount = { table = \"public.orders\", min = 100000, max = 100000 }\n\
         [[assertions]]\nname = \"tables\"\ntables = [\"public.orders\", \"public.items\"]\n",
    );
    let never = site.run(&["list"]).ok();
    assert!(never.stdout.contains("never"), "{never}");
    let run = drill(&site, &["--rto", "1h", "--rpo", "1h", "--output", "results"]).ok();
    let document = run.json();
    assert_eq!((&document["status"], &document["exit_code"]), (&"healthy".into(), &0.into()), "{run}");
    let report = &document["drills"][0];
    let backup = &report["backup"];
    assert_eq!(
        (&backup["id"], &backup["reached"], &backup["outcome"]),
        (&id.into(), &"identical".into(), &"passed".into())
    );
    assert!(backup["authenticity"].as_str().unwrap().starts_with("trusted: "), "{run}");
    assert_eq!(report["manifest"].as_str().unwrap().len(), 64, "{run}");
    assert!(report["program"].as_str().unwrap().starts_with("backproof "), "{run}");
    let proof = &backup["proof"];
    let phases: Vec<&str> =
        proof["phases"].as_array().unwrap().iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    for phase in ["provision", "definitions", "load", "indexes", "compare", "assertions"] {
        assert!(phases.contains(&phase), "no {phase}: {phases:?}");
    }
    for version in ["server", "scratch_server", "pg_dump", "pg_restore"] {
        assert!(proof["versions"][version].is_string(), "no version of {version}: {run}");
    }
    assert_eq!(proof["isolation"].as_array().unwrap().len(), 3, "{run}");
    assert_eq!(proof["untested"].as_array().unwrap().len(), 0, "{run}");
    let assertions = proof["assertions"].as_array().unwrap();
    assert_eq!(assertions.len(), 2, "{run}");
    assert!(assertions.iter().all(|one| one["outcome"] == "passed"), "{run}");
    assert_eq!(report["objectives"].as_array().unwrap().len(), 2, "{run}");

    let written = files(&site.path("results"));
    assert!(written.len() == 1 && written[0].starts_with("test-") && written[0].ends_with(".json"), "{written:?}");
    let kept: serde_json::Value = serde_json::from_str(&site.read(&format!("results/{}", written[0]))).unwrap();
    assert_eq!(&kept, report);
    nothing_left(&site);

    // Its result was signed by the key that the list of signers trusts for backups alone.
    let of_backups = site.read("signers");
    assert!(!of_backups.contains("backproof-proof"), "{of_backups}");
    assert!(site.run(&["list", "--json"]).json()["backups"][0]["last_proof"].is_null());
    let key = site.run(&["keygen", "--signing", "--for", "proof", "--output", "proof-key", "--json"]).ok().json();
    site.write("signers", &format!("{of_backups}{}\n", key["trusted_signers_line"].as_str().unwrap()));
    drill(&site, &["--signing-key", "proof-key", "--sample", "1"]).ok();
    let list = site.run(&["list", "--json"]).ok().json();
    assert_eq!(list["backups"][0]["last_proof"]["reached"], "identical", "{list:#}");
    let verified = site.run(&["verify", "--level", "identical", "--json", "--signing-key", "proof-key"]).ok();
    assert_eq!(verified.json()["verdict"]["backups"][0]["reached"], "identical", "{verified}");
    nothing_left(&site);
}

#[test]
fn objectives_and_assertions_that_are_not_met() {
    let (site, _) = proven(
        "[[assertions]]\nname = \"more\"\nseverity = \"warn\"\ncount = { table = \"public.orders\", min = 100001 }\n",
    );
    let run = drill(&site, &[]).ends(1);
    assert_eq!(run.json()["drills"][0]["backup"]["proof"]["assertions"][0]["outcome"], "failed", "{run}");
    let text = site.read("backproof.toml").replace("severity = \"warn\"\n", "");
    site.write("backproof.toml", &text);
    drill(&site, &["--rto", "1s"]).ends(2);
    site.write("backproof.toml", text.split("[[assertions]]").next().unwrap());
    let run = drill(&site, &["--rpo", "1s"]).ends(1);
    assert_eq!(run.json()["drills"][0]["objectives"][0]["outcome"], "failed", "{run}");
    nothing_left(&site);
}

/// Changes one bit in the middle of a file.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn spoilt_backups_never_pass() {
    let (site, first) = proven("");
    let second = {
        // The same again, from the archive of the first: another key, another id.
        let cluster = Cluster::start();
        site.run(&["restore", &first, "--to", &cluster.url("shop")]).ok();
        let made = site.run(&["backup", "--name", "app", "--json", "--database", &cluster.url("shop")]).ok();
        made.json()["id"].as_str().unwrap().to_owned()
    };
    copy(&site.path("repo"), &site.path("good"));
    let of = |id: &str| -> Vec<String> { site.objects().into_iter().filter(|name| name.contains(id)).collect() };
    let segments = |id: &str| -> Vec<String> { of(id).into_iter().filter(|name| name.ends_with(".zst.age")).collect() };
    let again = || {
        std::fs::remove_dir_all(site.path("repo")).unwrap();
        copy(&site.path("good"), &site.path("repo"));
    };
    let fails = |what: &str| {
        let run = site.run(&["drill", &second, "--json"]);
        assert_eq!(run.status, 2, "{what}: {run}");
        assert!(!run.stdout.contains("\"healthy\""), "{what}: {run}");
        nothing_left(&site);
        again();
    };
    assert!(segments(&second).len() >= 3, "{:?}", of(&second));
    let reached = |level: &str| {
        let run = site.run(&["verify", &second, "--level", level, "--json"]);
        let document = run.json();
        let backup = &document["verdict"]["backups"][0];
        (run.status, backup["reached"].as_str().unwrap_or("nothing").to_owned())
    };
    for name in of(&second) {
        flip(&site.path("repo").join(&name));
        // docs/format.md: the manifest binds the folder's list, that the lists of the parts, RESTORE.md and the key files, those the segments. Without a list or the only
        // key file nothing is known of the rest; what is of the right size is present.
        let list = name.ends_with(".manifest") || name.ends_with("/SHA256SUMS") || name.contains("/keys/");
        let expected = if list { (2, "nothing") } else { (0, "present") };
        let (status, found) = reached("present");
        assert_eq!((status, found.as_str()), expected, "one bit of {name}, present");
        for level in ["intact", "readable"] {
            assert_eq!(reached(level), (2, expected.1.to_owned()), "one bit of {name}, {level}");
        }
        let run = site.run(&["drill", &second, "--json"]).ends(2);
        let document = run.json();
        let backup = &document["drills"][0]["backup"];
        assert_eq!(backup["outcome"], "failed", "one bit of {name}: {run}");
        assert_eq!(backup["reached"].as_str().unwrap_or("nothing"), expected.1, "one bit of {name}: {run}");
        nothing_left(&site);
        again();
    }
    std::fs::remove_file(site.path("repo").join(&segments(&second)[1])).unwrap();
    fails("a segment is gone");
    for at in [0, 1] {
        std::fs::copy(site.path("repo").join(&segments(&first)[at]), site.path("repo").join(&segments(&second)[at]))
            .unwrap();
        fails("a segment of another backup");
    }
    let (one, other) = (&segments(&second)[0], &segments(&second)[1]);
    std::fs::rename(site.path("repo").join(one), site.path("aside")).unwrap();
    std::fs::rename(site.path("repo").join(other), site.path("repo").join(one)).unwrap();
    std::fs::rename(site.path("aside"), site.path("repo").join(other)).unwrap();
    fails("two segments changed places");
    let manifest = |id: &str| of(id).into_iter().find(|name| name.ends_with(".manifest")).unwrap();
    std::fs::copy(site.path("repo").join(manifest(&first)), site.path("repo").join(manifest(&second))).unwrap();
    fails("the manifest of another backup");
    drill(&site, &[&second]).ok();
}

#[test]
fn what_a_stranger_sealed_is_caught_by_its_signature() {
    let (site, first) = proven("");
    // Whoever knows the recipients can seal something else: here, with a row changed.
    let cluster = Cluster::start();
    site.run(&["restore", &first, "--to", &cluster.url("shop")]).ok();
    cluster.psql("shop", "UPDATE orders SET note = 'forged' WHERE id = 7");
    let config = site.read("backproof.toml");
    let unsigned: String = config
        .lines()
        .filter(|line| !line.starts_with("signing_key") && !line.starts_with("trusted"))
        .map(|line| format!("{line}\n"))
        .collect();
    site.write("theirs.toml", &unsigned);
    let url = cluster.url("shop");
    let made =
        site.run(&["backup", "--config", "theirs.toml", "--name", "app", "--json", "--database", &url]).ok().json();
    let forged = made["id"].as_str().unwrap();

    let refused = drill(&site, &[forged]);
    assert_eq!(refused.status, 2, "{refused}");
    assert!(!refused.stdout.contains("\"reached\": \"identical\""), "{refused}");
    nothing_left(&site);
    // Where nobody is trusted, it is what it is, and that is said.
    let run = site.run(&["drill", forged, "--config", "theirs.toml", "--json"]);
    assert!(run.stdout.contains("not checked"), "{run}");
    nothing_left(&site);
}

/// A drill in a session of its own, at work in its scratch cluster.
fn started(site: &Site) -> Child {
    let mut command = Command::new("setsid");
    command.arg(env!("CARGO_BIN_EXE_backproof")).args(["drill", "latest", "--json"]);
    site.prepare(&mut command);
    let child = command.spawn().unwrap();
    let began = Instant::now();
    while !files(&site.path("scratch")).iter().any(|name| name.ends_with("postmaster.pid")) {
        assert!(began.elapsed() < LIMIT, "no scratch cluster within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

/// Nothing of a session runs on: the sixth field of /proc/PID/stat (proc(5)).
#[track_caller]
pub(crate) fn nothing_runs_on(leader: u32) {
    let began = Instant::now();
    loop {
        let running: Vec<String> = std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok())
            .filter(|stat| {
                let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
                fields[3] == leader.to_string() && fields[0] != "Z"
            })
            .collect();
        if running.is_empty() {
            return;
        }
        assert!(began.elapsed() < LIMIT, "still running: {running:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn drills_that_are_ended_leave_nothing() {
    let (site, _) = proven("");
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let child = started(&site);
        let leader = child.id();
        kill_process(Pid::from_raw(leader as i32).unwrap(), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{stderr}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["error"]["code"], "interrupted", "{document:#}");
        nothing_runs_on(leader);
        nothing_left(&site);
    }
    let mut child = started(&site);
    let leader = child.id();
    child.kill().unwrap();
    child.wait().unwrap();
    nothing_runs_on(leader);
    // What it could not remove, the next one does.
    drill(&site, &[]).ok();
    nothing_left(&site);
}

#[test]
fn two_drills_at_once_do_not_meet() {
    let (site, _) = proven("");
    let both: Vec<Child> = (0..2).map(|_| site.command(&["drill", "--json"]).spawn().unwrap()).collect();
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["drills"][0]["backup"]["reached"], "identical", "{document:#}");
    }
    nothing_left(&site);
}

#[test]
fn what_is_accepted_must_be_there() {
    let (site, id) = proven("");
    // Whoever mistypes a name learns it before anything is restored, and nothing is kept of it.
    for command in [vec!["drill", "latest", "--json"], vec!["verify", &id, "--level", "identical", "--json"]] {
        let run = site.run(&[&command[..], &["--accept", "extension:pg_grapql"]].concat()).ends(2);
        assert_eq!(run.code(), "no_effect", "{run}");
        assert!(run.stderr.contains("extension:pg_grapql"), "{run}");
        assert!(!run.stderr.contains("pg_restore"), "{run}");
    }
    assert!(files(&site.path("repo")).iter().all(|name| !name.contains(".proof-")));
    // What is there and could be tested is a warning; so is, of several backups, what none of them has.
    for flags in
        [&["latest", "--accept", "table public.orders"][..], &["--sample", "2", "--accept", "extension:pg_grapql"]]
    {
        let run = drill(&site, flags).ok();
        let warnings = run.json()["warnings"].to_string();
        assert!(warnings.contains(flags.last().unwrap()) && warnings.contains("no effect"), "{run}");
    }
    // What the configuration accepts is for all databases.
    site.write(
        "backproof.toml",
        &site.read("backproof.toml").replace("[drill]\n", "[drill]\naccept = [\"extension:pg_grapql\"]\n"),
    );
    let run = drill(&site, &[]).ok();
    assert!(run.json()["warnings"].is_null(), "{run}");
    nothing_left(&site);
}
