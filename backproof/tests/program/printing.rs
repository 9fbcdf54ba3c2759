//! What is printed, where it cannot be printed, and names that a terminal would take for commands.

use crate::site::{Run, Site, finish};
use backup_postgres::testing::Cluster;
use std::fs::File;
use std::process::Stdio;

/// A file that takes nothing: every write ends with "No space left on device" (null(4)).
fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// A pipe whose reader went away.
fn gone() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn into(site: &Site, stdout: Stdio, args: &[&str]) -> Run {
    let mut command = site.command(args);
    command.stdout(stdout);
    finish(command)
}

#[test]
fn a_backup_that_cannot_be_told_is_there_all_the_same() {
    let site = Site::new();
    for (number, (stdout, json)) in [(full(), false), (full(), true), (gone(), false)].into_iter().enumerate() {
        let mut args = vec!["backup", "--name", "app"];
        args.extend(json.then_some("--json"));
        args.extend(["--", "echo", "data"]);
        let run = into(&site, stdout, &args).ends(1);
        let ids = site.ids();
        assert_eq!(ids.len(), number + 1, "{run}");
        assert!(run.stderr.contains("could not be printed") && run.stderr.contains(&ids[number]), "{run}");
    }
    // Nobody listens at all: it is there.
    let mut command = site.command(&["backup", "--name", "app", "--", "echo", "data"]);
    command.stdout(full()).stderr(full());
    assert_eq!(finish(command).status, 1);
    assert_eq!(site.ids().len(), 4);
}

#[test]
fn no_key_is_left_whose_public_half_nobody_saw() {
    let site = Site::bare();
    for (name, stdout) in [("full", full()), ("gone", gone())] {
        let run = into(&site, stdout, &["keygen", "--output", name]).ends(1);
        let recipient = run.stderr.split_whitespace().find(|word| word.starts_with("age1")).expect("the recipient");
        assert!(site.read(name).contains(recipient), "{run}");
        let signing = format!("{name}-signing");
        let run =
            into(&site, if name == "full" { full() } else { gone() }, &["keygen", "--signing", "--output", &signing]);
        let key = site.read(&format!("{signing}.pub")).split_whitespace().nth(1).unwrap().to_owned();
        assert!(run.clone().ends(1).stderr.contains(&key), "{run}");
    }
    for args in [&["keygen", "--output", "lost"][..], &["keygen", "--signing", "--output", "lost"]] {
        let mut command = site.command(args);
        command.stdout(full()).stderr(full());
        assert_eq!(finish(command).status, 2);
        assert!(!site.path("lost").exists() && !site.path("lost.pub").exists(), "a key is left");
    }
}

#[test]
fn what_is_only_told_fails_where_it_cannot_be() {
    let site = Site::new();
    let id = site.backup("data", &[]);
    let part = site.run(&["show", &id, "--json"]).json()["manifest"]["parts"][0]["name"].as_str().unwrap().to_owned();
    let large = site.run(&["backup", "--json", "--name", "app", "--", "head", "-c", "500000", "/dev/zero"]).ok().json();
    let large = large["id"].as_str().unwrap();
    let commands: [&[&str]; 7] = [
        &["list"],
        &["list", "--json"],
        &["show", &id],
        &["cat", &id, &part],
        &["cat", large, &part],
        &["verify"],
        &["--help"],
    ];
    for args in commands {
        assert_eq!(into(&site, full(), args).status, 2, "{args:?}");
    }
    // Warnings that nobody reads end nothing.
    let mut command = site.command(&["list", "--verbose", "--json"]);
    command.env("BACKPROOF_LOG", "trace").stderr(full());
    let run = finish(command).ok();
    assert_eq!(run.json()["backups"].as_array().unwrap().len(), 2);
}

/// A table's name can hold what clears a screen or forges a line.
#[test]
fn names_do_not_command_the_terminal() {
    let cluster = Cluster::options().role("app", "x").start();
    cluster.psql("postgres", r#"CREATE TABLE U&"bad\001b[2J\009b31m\000d\000aERROR all is lost" (a int); CREATE TABLE fine (a int); GRANT SELECT ON fine TO app"#);
    let mut site = Site::new();
    site.set("PG_BINDIR", cluster.bindir().display().to_string());
    let url = cluster.url_as("app", "postgres");
    let refused = site.run(&["backup", "--name", "app", "--database", &url]).ends(2);
    let mut command = site.command(&["backup", "--name", "app", "--skip-unreadable", "--database", &url]);
    command.env("BACKPROOF_LOG", "trace");
    let made = finish(command).ends(1);
    let shown = site.run(&["show", "latest"]).ok();
    for run in [&refused, &made, &shown] {
        let commands = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!run.stdout.contains(commands) && !run.stderr.contains(commands), "{run:?}", run = run.to_string());
    }
    assert!(shown.stdout.contains("bad\\u{1b}[2J"), "{shown}");
    assert!(!made.stderr.lines().any(|line| line.starts_with("ERROR all is lost")), "{made}");
}
