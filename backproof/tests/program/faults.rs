//! Backups that were tampered with by someone who has the recipients, and drills in which something breaks: the right word, the right status, and
//! nothing left.

use crate::database::env;
use crate::proving::{drill, nothing_left, nothing_runs_on, proven};
use crate::site::{Run, Site, SmallDisk};
use async_trait::async_trait;
use backproof::core::monitor::Monitor;
use backproof::core::names::PartName;
use backproof::core::repository::contents::ContentsWriter;
use backproof::core::source::{LeftOut, PartReader, Snapshot, Source, SourceInfo};
use backproof::crypto::SshSigner;
use backproof::postgres::inventory::{self, Recorded};
use backproof::postgres::{Connection, PgDump};
use backproof::{Error, Result};
use backup_core::testing::target::MemoryBackup;
use backup_postgres::testing::Cluster;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;

type Change = Arc<dyn Fn(&mut Vec<u8>) + Send + Sync>;

/// A dump whose bytes are changed on their way, after they were noted: what is sealed says one thing, and what it is sealed with another.
struct Tampered {
    dump: PgDump,
    change: Change,
}

impl fmt::Debug for Tampered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dump.fmt(f)
    }
}

#[async_trait]
impl Source for Tampered {
    fn kind(&self) -> &str {
        self.dump.kind()
    }

    async fn open(&self, monitor: Arc<dyn Monitor>) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(TamperedSnapshot { inner: self.dump.open(monitor).await?, change: self.change.clone() }))
    }
}

struct TamperedSnapshot {
    inner: Box<dyn Snapshot>,
    change: Change,
}

#[async_trait]
impl Snapshot for TamperedSnapshot {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }

    async fn next_part(&mut self) -> Result<Option<Box<dyn PartReader>>> {
        let Some(mut part) = self.inner.next_part().await? else { return Ok(None) };
        let mut bytes = Vec::new();
        loop {
            let mut buffer = Vec::with_capacity(1 << 20);
            part.fill(&mut buffer).await?;
            bytes.extend_from_slice(&buffer);
            if buffer.len() < buffer.capacity() {
                break;
            }
        }
        if part.name().as_str() == "dump" {
            (self.change)(&mut bytes);
        }
        Ok(Some(Box::new(TamperedPart { inner: part, bytes, at: 0 })))
    }

    fn left_out(&self) -> Vec<LeftOut> {
        self.inner.left_out()
    }

    fn restore_steps(&self) -> String {
        self.inner.restore_steps()
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        self.inner.finish().await
    }
}

struct TamperedPart {
    inner: Box<dyn PartReader>,
    bytes: Vec<u8>,
    at: usize,
}

#[async_trait]
impl PartReader for TamperedPart {
    fn name(&self) -> PartName {
        self.inner.name()
    }

    async fn fill(&mut self, buf: &mut Vec<u8>) -> Result<()> {
        let end = self.bytes.len().min(self.at + buf.capacity() - buf.len());
        buf.extend_from_slice(&self.bytes[self.at..end]);
        self.at = end;
        Ok(())
    }

    async fn finish(self: Box<Self>, contents: &mut ContentsWriter) -> Result<()> {
        self.inner.finish(contents).await
    }
}

/// Where these bytes are.
fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).expect("it is in the dump")
}

/// md5 of 7 and of 8, as `orders` has them.
const SEVEN: &[u8] = b"7\t8f14e45fceea167a5a36dedd4bea2543\n";
const EIGHT: &[u8] = b"8\tc9f0f895fb98ab9159f51fd0297e236d\n";

/// A row is written as one chunk: a sign, a length of four bytes (WriteInt in pg_backup_archiver.c), the bytes.
fn without_a_row(bytes: &mut Vec<u8>) {
    let at = find(bytes, &[SEVEN, EIGHT].map(|row| [&[0, row.len() as u8, 0, 0, 0][..], row].concat()).concat());
    bytes.drain(at..at + 5 + SEVEN.len());
}

fn with_another_row(bytes: &mut [u8]) {
    let at = find(bytes, SEVEN) + 2;
    bytes[at] = b'0';
}

fn dump_of(cluster: &Cluster) -> PgDump {
    PgDump::new(Connection::resolve(Some(&cluster.url("shop")), &env()).unwrap()).env(env())
}

/// Backs up as the program does, rightly sealed; signed with the site's key, or not. Gives the id.
async fn sealed(site: &Site, source: Tampered, signed: bool) -> String {
    let repo = backproof::open(&site.url()).await.unwrap();
    let sealer = backproof::recipients([site.recipient.as_str()]).await.unwrap();
    let mut request = repo.backup("app".parse().unwrap(), Arc::new(source)).seal(sealer);
    if signed {
        let signer = SshSigner::from_file(site.path("signing-key"), Arc::new(NoPrompt)).await.unwrap();
        request = request.sign(Arc::new(signer));
    }
    request.run().await.unwrap().manifest.id.to_string()
}

/// Without the configuration of whoever trusts signers and signs.
fn strangers(site: &Site) {
    let lines = site.read("backproof.toml");
    let lines = lines.lines().filter(|line| !line.starts_with("signing_key") && !line.starts_with("trusted"));
    site.write("theirs.toml", &lines.map(|line| format!("{line}\n")).collect::<String>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tampered_with_and_rightly_sealed_never_passes() {
    let (site, first) = proven("");
    strangers(&site);
    let cluster = Cluster::start();
    site.run(&["restore", &first, "--to", &cluster.url("shop")]).ok();
    let dump = dump_of(&cluster);
    let Recorded::Available(noted) = inventory::read(&MemoryBackup::of(&dump).await).await.unwrap() else {
        panic!("nothing was noted")
    };
    let last = noted.tables.iter().map(|table| table.block.from).max().unwrap() as usize;
    let cut: Change = Arc::new(move |bytes| bytes.truncate(last));
    let changes: [(&str, Change, &str); 3] = [
        ("cut at a block", cut, "the archive is incomplete"),
        ("without a row", Arc::new(without_a_row), "do not lie where they were noted"),
        ("with another row", Arc::new(|bytes: &mut Vec<u8>| with_another_row(bytes)), "table public.orders"),
    ];
    for (what, change, said) in changes {
        for signed in [true, false] {
            let id = sealed(&site, Tampered { dump: dump.clone(), change: change.clone() }, signed).await;
            let mut runs = vec![("by who trusts", drill(&site, &[&id]))];
            if !signed {
                runs.push(("by who trusts nobody", drill(&site, &[&id, "--config", "theirs.toml", "--no-record"])));
            }
            if !signed && what == "with another row" {
                runs.push(("unsigned allowed", drill(&site, &[&id, "--allow-unsigned"])));
            }
            for (who, run) in runs {
                let whole = format!("{what}, signed: {signed}, {who}: {run}");
                assert_eq!(run.status, 2, "{whole}");
                let document = run.json();
                let backup = &document["drills"][0]["backup"];
                assert_eq!(backup["outcome"], "failed", "{whole}");
                assert!(backup["reached"] != "identical", "{whole}");
                if signed || who != "by who trusts" {
                    assert!(run.stdout.contains(said), "{said:?} is not said: {whole}");
                }
                if !signed {
                    let authenticity = backup["authenticity"].as_str().unwrap();
                    let expected = if who == "by who trusts nobody" { "not checked" } else { "is not signed" };
                    assert!(authenticity.contains(expected), "{whole}");
                }
                nothing_left(&site);
            }
            // None of it is what is restored, either.
            if !signed {
                let latest = site.run(&["show", "latest", "--name", "app", "--json"]).json();
                assert_ne!(latest["manifest"]["id"], id.as_str(), "{what}");
            }
        }
    }
}

/// Nobody is asked.
#[derive(Debug)]
struct NoPrompt;

impl backproof::crypto::Prompt for NoPrompt {
    fn passphrase(&self, what: &str) -> Result<secrecy::SecretString> {
        Err(Error::new(&backproof::core::error::codes::INVALID_ARGUMENT, what))
    }
}

#[test]
fn an_unsigned_backup_is_drilled_where_that_is_allowed_and_is_still_no_proof() {
    let (site, _) = proven("");
    strangers(&site);
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE TABLE t AS SELECT generate_series(1, 10) i");
    let url = cluster.url("postgres");
    let made =
        site.run(&["backup", "--config", "theirs.toml", "--name", "app", "--json", "--database", &url]).ok().json();
    let id = made["id"].as_str().unwrap();
    let refused = drill(&site, &[id]).ends(2);
    assert!(refused.json()["drills"][0]["backup"]["proof"].is_null(), "it was restored: {refused}");
    let allowed = drill(&site, &[id, "--allow-unsigned"]);
    let backup = allowed.json()["drills"][0]["backup"].clone();
    assert_ne!(allowed.status, 0, "{allowed}");
    assert_eq!(
        (&backup["reached"], &backup["proof"]["differences"]),
        (&serde_json::Value::Null, &serde_json::json!([])),
        "{allowed}"
    );
    assert!(backup["authenticity"].as_str().unwrap().contains("is not signed"), "{allowed}");
    assert_eq!(drill(&site, &["latest", "--allow-unsigned"]).code(), "no_effect");
    nothing_left(&site);
}

/// An extension that only the source has.
#[test]
fn a_missing_extension_is_named_and_accepted_by_name() {
    let cluster = Cluster::start();
    cluster.psql(
        "postgres",
        "CREATE EXTENSION hstore; CREATE TABLE uses_it (h hstore); INSERT INTO uses_it VALUES ('a=>1'); CREATE TABLE t AS SELECT 1 AS a;
         UPDATE pg_extension SET extname = 'nosuch' WHERE extname = 'hstore'",
    );
    let mut site = Site::new();
    site.set("PG_BINDIR", cluster.bindir().display().to_string());
    std::fs::create_dir(site.path("scratch")).unwrap();
    let configuration = format!("{}[drill]\nscratch_dir = \"{}\"\n", site.read("backproof.toml"), site.at("scratch"));
    site.write("backproof.toml", &configuration);
    site.run(&["backup", "--name", "app", "--database", &cluster.url("postgres")]).ok();
    let run = drill(&site, &["--no-record"]).ends(1);
    let backup = run.json()["drills"][0]["backup"].clone();
    assert_eq!(backup["outcome"], "unverified", "{run}");
    let untested: Vec<&str> =
        backup["proof"]["untested"].as_array().unwrap().iter().map(|one| one["object"].as_str().unwrap()).collect();
    assert!(untested.contains(&"extension:nosuch") && untested.contains(&"table public.uses_it"), "{untested:?}");
    // Another name accepts nothing.
    site.write("backproof.toml", &format!("{configuration}accept = [\"extension:other\"]\n"));
    drill(&site, &["--no-record"]).ends(1);
    site.write("backproof.toml", &format!("{configuration}accept = [\"extension:nosuch\"]\n"));
    let run = drill(&site, &["--no-record"]).ok();
    let backup = run.json()["drills"][0]["backup"].clone();
    assert_eq!((&backup["outcome"], &backup["reached"]), (&"passed".into(), &"identical".into()), "{run}");
    nothing_left(&site);
}

#[test]
fn a_server_that_is_named_is_left_as_it_was() {
    let (site, id) = proven("");
    let server = Cluster::start();
    let databases = || server.psql("postgres", "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database");
    let roles = || server.psql("postgres", "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles");
    let before = (databases(), roles());
    let run = drill(&site, &[&id, "--no-record", "--scratch", &server.url("postgres")]);
    let backup = run.json()["drills"][0]["backup"].clone();
    // What belongs to a cluster cannot be compared there.
    assert_eq!((run.status, &backup["outcome"]), (1, &"unverified".into()), "{run}");
    assert_eq!(backup["proof"]["differences"], serde_json::json!([]), "{run}");
    assert!(!backup["proof"]["untested"].as_array().unwrap().is_empty(), "{run}");
    assert_eq!((databases(), roles()), before);
    nothing_left(&site);
    // Without the right to make databases.
    server.psql("postgres", "CREATE ROLE plain LOGIN");
    let run = drill(&site, &[&id, "--no-record", "--scratch", &server.url_as("plain", "postgres")]);
    assert_ne!(run.status, 0, "{run}");
    assert_ne!(run.json()["drills"][0]["backup"]["outcome"], "failed", "it is not the backup's fault: {run}");
    assert_eq!(databases(), before.0);
    // How that server works is not ours to say.
    let run = drill(&site, &[&id, "--no-record", "--low-priority", "--scratch", &server.url("postgres")]);
    assert_eq!(run.code(), "no_effect", "{run}");
}

/// A drill in a session of its own, from when it says that it does this.
fn drill_until(site: &Site, step: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut command = Command::new("setsid");
    command.arg(env!("CARGO_BIN_EXE_backproof")).args(["drill", "latest", "--json", "--no-record", "--verbose"]);
    site.prepare(&mut command);
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while stderr.read_line(&mut line).unwrap() > 0 {
        if line.contains(step) {
            return (child, stderr);
        }
        line.clear();
    }
    panic!("{step:?} was not said: {:?}", child.wait_with_output());
}

fn ended(child: Child, mut stderr: BufReader<std::process::ChildStderr>) -> Run {
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text).unwrap()
    });
    let output = child.wait_with_output().unwrap();
    Run {
        status: output.status.code().unwrap_or(1000),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: reading.join().unwrap(),
    }
}

/// What went wrong is the machine's: the backup is neither called good nor bad.
#[track_caller]
fn unverified(run: &Run, code: &str) {
    assert!(run.status == 1 || run.status == 2, "{run}");
    let backup = run.json()["drills"][0]["backup"].clone();
    assert_eq!(backup["outcome"], "unverified", "{run}");
    let codes: Vec<&str> =
        backup["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&code), "{codes:?}: {run}");
}

#[test]
fn a_scratch_server_that_is_killed_during_the_restore() {
    let (site, _) = proven("");
    let (child, stderr) = drill_until(&site, "load the data");
    let leader = child.id();
    for id in crate::database::place::processes(&site.path("scratch")) {
        if std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "postgres") {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
    }
    unverified(&ended(child, stderr), "scratch_lost");
    nothing_runs_on(leader);
    nothing_left(&site);
    drill(&site, &["--no-record"]).ok();
}

#[test]
fn a_disk_that_fills_up_during_a_drill() {
    let (site, _) = proven("");
    let _disk = SmallDisk::at(site.path("scratch"), "400m");
    // In the drill, each row takes its time.
    let cluster = Cluster::start();
    cluster.psql(
        "postgres",
        "CREATE FUNCTION slow(text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname LIKE 'backproof%') THEN PERFORM pg_sleep(0.02); END IF; RETURN true; END $$;
         CREATE TABLE large (value text CHECK (public.slow(value)));
         INSERT INTO large SELECT string_agg(md5(i || '-' || j), '') FROM generate_series(1, 300) i, generate_series(1, 3000) j GROUP BY i",
    );
    site.run(&["backup", "--name", "app", "--quiet", "--database", &cluster.url("postgres")]).ok();
    drop(cluster);
    let (child, stderr) = drill_until(&site, "load the data");
    let leader = child.id();
    fill_but(&site.path("scratch"), 0);
    let run = ended(child, stderr);
    std::fs::remove_file(site.path("scratch/ballast")).unwrap();
    unverified(&run, "no_space");
    nothing_runs_on(leader);
    nothing_left(&site);
    // Too small from the beginning.
    fill_but(&site.path("scratch"), 1 << 20);
    let run = drill(&site, &["--no-record"]);
    std::fs::remove_file(site.path("scratch/ballast")).unwrap();
    unverified(&run, "no_space");
    nothing_left(&site);
    drill(&site, &["--no-record"]).ok();
}

/// Fills a disk at once, but for so many bytes.
fn fill_but(folder: &Path, bytes: u64) {
    let ballast = folder.join("ballast");
    let free = Command::new("df").args(["--output=avail", "--block-size=1"]).arg(folder).output().unwrap();
    let free = String::from_utf8(free.stdout).unwrap();
    let free: u64 = free.lines().nth(1).unwrap().trim().parse().unwrap();
    let mut left = free.saturating_sub(bytes);
    // Somebody else may write meanwhile.
    while left > 4096 {
        let length = left.to_string();
        let filled = Command::new("fallocate").args(["--length", &length]).arg(&ballast).status();
        if filled.expect("fallocate must be installed (Debian: util-linux)").success() {
            break;
        }
        left -= left / 20 + 1;
    }
    let mut file = std::fs::File::options().append(true).open(&ballast).unwrap();
    while bytes == 0 && std::io::Write::write_all(&mut file, &[1; 1 << 12]).is_ok() {}
}

/// Loaded into every session of the database, and not there: none begins.
#[test]
fn a_library_that_the_scratch_server_lacks_is_no_fault_of_the_backup() {
    let (site, _) = proven("");
    let cluster = Cluster::start();
    let library = cluster.folder().join("own.so");
    std::fs::copy(cluster.bindir().parent().unwrap().join("lib/auto_explain.so"), &library).unwrap();
    cluster.own(&library);
    let preload = format!("ALTER DATABASE shop SET session_preload_libraries = '{}'", library.display());
    cluster.psql("postgres", "CREATE DATABASE shop");
    cluster.psql("shop", "CREATE TABLE t AS SELECT generate_series(1, 10) i");
    cluster.psql("postgres", &preload);
    site.run(&["backup", "--name", "app", "--database", &cluster.url("shop")]).ok();
    drop(cluster);
    let run = drill(&site, &["--no-record"]).ends(1);
    let backup = run.json()["drills"][0]["backup"].clone();
    assert_eq!(backup["outcome"], "unverified", "{run}");
    assert_eq!(backup["proof"]["untested"][0]["object"], "setting:session_preload_libraries", "{run}");
    assert!(backup["proof"]["compared"].as_str().unwrap().starts_with("1 tables with 10 rows"), "{run}");
    nothing_left(&site);
}
