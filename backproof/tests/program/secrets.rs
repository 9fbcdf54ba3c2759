//! No secret leaves the program: not in what it prints, logs or stores, and not in the arguments of what it starts.

use crate::site::{Run, Site, finish};
use backup_postgres::testing::Cluster;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

const PASSWORD: &str = "hunter2/pass word%";
const ENCODED: &str = "hunter2%2Fpass%20word%25";
const PASSPHRASE: &str = "correct-horse-battery";

fn check(what: &str, text: &[u8]) {
    for secret in [PASSWORD, ENCODED, PASSPHRASE, "hunter2", "AGE-SECRET-KEY-1", "PRIVATE KEY"] {
        let found = text.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret:?} is in {what}:\n{}", String::from_utf8_lossy(text));
    }
}

fn checked(what: &str, run: Run) -> Run {
    check(&format!("stdout of {what}"), run.stdout.as_bytes());
    check(&format!("stderr of {what}"), run.stderr.as_bytes());
    run
}

/// The arguments of every process, but for those that have the secret there because this test's user put it there.
fn arguments() -> Vec<Vec<u8>> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok()).collect()
}

#[test]
fn a_password_and_a_passphrase_are_nowhere() {
    let cluster = Cluster::options().listen().role("keeper", PASSWORD).start();
    cluster.psql("postgres", "GRANT pg_read_all_data TO keeper; ALTER ROLE keeper CREATEDB BYPASSRLS; CREATE TABLE t AS SELECT generate_series(1, 50000) i");
    let url = cluster.tcp_url("keeper", PASSWORD, "postgres");
    assert!(url.contains(ENCODED), "{url}");
    let mut site = Site::new();
    site.set("DATABASE_URL", url.clone());
    site.set("BACKPROOF_PASSPHRASE_FILE", site.at("pass"));
    site.write("pass", PASSPHRASE);

    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                seen.extend(arguments());
            }
            seen
        });
        for (what, args) in [
            ("backup", &["backup", "--name", "app", "--passphrase", "-vv", "--log-format", "json"][..]),
            ("backup --json", &["backup", "--name", "app", "-vv", "--json"]),
            ("config", &["config"]),
            ("config --json", &["config", "--json", "-vv"]),
            ("show", &["show", "latest", "--json", "-vv"]),
            ("show --restore-md", &["show", "latest", "--restore-md"]),
            ("verify", &["verify", "latest", "--level", "readable", "-vv"]),
            ("restore --dry-run", &["restore", "latest", "--to", &cluster.url("dry"), "--dry-run", "-vv"]),
        ] {
            checked(what, site.run(args).ok());
        }
        // Into a server that wants the password, which comes from the environment.
        let mut restore = site.command(&[
            "restore",
            "latest",
            "--no-owner",
            "-vv",
            "--to",
            &url.replace(&format!(":{ENCODED}"), "").replace("/postgres", "/back"),
        ]);
        restore.env("PGPASSWORD", PASSWORD);
        checked("restore", finish(restore).ok());
        done.store(true, Ordering::Relaxed);
        sampler.join().unwrap()
    });
    assert!(
        seen.iter().any(|args| args.starts_with(b"/") && args.windows(7).any(|w| w == b"pg_dump")),
        "no pg_dump was seen"
    );
    for args in &seen {
        check("the arguments of a process", args);
    }

    // The password on the command line works, with a warning that names the better ways, and is shown to nobody else.
    let run = checked("backup --database", site.run(&["backup", "--name", "app", "--database", &url, "-vv"]).ends(1));
    assert!(run.stderr.contains("warning: the password in the database argument can be seen"), "{run}");
    for (what, args, code) in [
        (
            "a wrong password",
            ["backup", "--name", "app", "--json", "-vv", "--database", &url.replace("25@", "25x@")],
            "authentication_failed",
        ),
        (
            "a wrong database",
            ["backup", "--name", "app", "--json", "-vv", "--database", &url.replace("/postgres", "/nothing")],
            "database_not_found",
        ),
    ] {
        assert_eq!(checked(what, site.run(&args)).code(), code);
    }
    let shown = checked("config --database", site.run(&["config", "--database", &url]).ok());
    assert!(shown.stdout.contains("series.database"), "{shown}");
    let pairs = format!("host=127.0.0.1 user=keeper password='{PASSWORD}' dbname=postgres");
    checked("config with pairs", site.run(&["config", "--database", &pairs]).ok());
    site.write("backproof.toml", &format!("{}[series.app]\ndatabase = \"{url}\"\n", site.read("backproof.toml")));
    checked("config of a file", site.run(&["config"]).ok());
    site.write("backproof.toml", &format!("{}nonsense = 3\n", site.read("backproof.toml")));
    checked("a mistake after the password", site.run(&["config"]).ends(2));
    site.write("broken.toml", &format!("[series.app]\ndatabase = \"{url}\n"));
    checked("a mistake in the password's line", site.run(&["config", "--config", "broken.toml"]).ends(2));

    for name in site.objects() {
        check(&name, &std::fs::read(site.path("repo").join(&name)).unwrap());
    }
}

/// Without encryption the whole store can be searched: role passwords are left out unless asked for.
#[test]
fn role_passwords_are_in_a_backup_only_when_asked_for() {
    let cluster = Cluster::options().role("keeper", PASSWORD).start();
    let mut site = Site::bare();
    site.run(&["init", "--repo", &site.url()]).ok();
    site.set("BACKPROOF_REPO", site.url());
    site.set("DATABASE_URL", cluster.url("postgres"));
    for (flags, has_it) in [(&[][..], false), (&["--role-passwords"], true)] {
        site.run(&[&["backup", "--name", "app", "--no-encryption"], flags].concat()).ok();
        let globals = site.run(&["cat", "latest", "globals"]).ok().stdout;
        assert!(globals.contains("CREATE ROLE keeper"), "{globals}");
        assert_eq!(globals.contains("SCRAM-SHA-256"), has_it, "{globals}");
    }
}
