//! What the program prints: JSON documents with the fields that others rely on, and the text that people read.

use crate::site::{Site, files, finish};
use serde_json::{Value, json};
use std::process::Command;

/// Replaces what differs from run to run.
fn plain(site: &Site, text: &str) -> String {
    let mut text = text
        .replace(&site.at("repo"), "REPO")
        .replace(&site.installation, "INSTALLATION")
        .replace(&site.recipient, "RECIPIENT");
    for id in site.ids() {
        text = text.replace(&id, "ID");
    }
    let mut out = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        // Times, ages, sizes as stored, digests.
        for (start, end) in [("SHA256:", ')'), ("sha256 ", '\n')] {
            if let Some(at) = line.find(start) {
                let from = at + start.len();
                let to = line[from..].find(end).map_or(line.len(), |to| from + to);
                line.replace_range(from..to, "DIGEST");
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The kinds of the values, for a golden text that does not change with them.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("string"),
        Value::Array(all) => Value::Array(all.first().map(shape).into_iter().collect()),
        Value::Object(all) => all.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
    }
}

#[test]
fn the_documents_of_each_command() {
    let site = Site::new();
    let keygen = site.run(&["keygen", "--output", "k", "--json"]).ok().json();
    assert_eq!(
        shape(&keygen),
        json!({ "version": "number", "command": "string", "identity_file": "string", "recipient": "string" })
    );
    let keygen = site.run(&["keygen", "--signing", "--output", "s", "--json"]).ok().json();
    assert_eq!(
        shape(&keygen),
        json!({ "version": "number", "command": "string", "signing_key_file": "string", "public_key_file": "string",
                "fingerprint": "string", "trusted_signers_line": "string" })
    );
    let other = format!("file://{}", site.at("other"));
    let init = site.run(&["init", "--repo", &other, "--json"]).ok().json();
    assert_eq!(
        init["installation"],
        site.installation.as_str(),
        "a copy belongs to the installation that is configured"
    );
    assert_eq!(
        shape(&init),
        json!({ "version": "number", "command": "string", "repository": "string", "installation": "string", "repository_id": "string",
                "store": { "create_if_absent": "bool", "append_only": "bool", "ranged_reads": "bool", "consistent_listing": "bool", "upload_checksums": "bool" },
                "lost": ["string"] })
    );
    let backup = site.run(&["backup", "--name", "app", "--json", "--", "printf", "data"]).ok().json();
    assert_eq!(
        shape(&backup),
        json!({ "version": "number", "command": "string", "id": "string", "series": "string", "label": "string", "snapshot": "string",
                "plain_bytes": "number", "stored_bytes": "number", "seconds": "number", "left_out": "number",
                "manifest_sha256": "string", "warnings": [] })
    );
    let list = site.run(&["list", "--json"]).ok().json();
    assert_eq!(
        shape(&list),
        json!({ "version": "number", "command": "string", "repository": "string", "missing": [],
                "backups": [{ "id": "string", "series": "string", "last_proof": "null", "label": "string", "kind": "string", "snapshot": "string", "age_seconds": "number", "dated_ahead": "bool",
                              "plain_bytes": "number", "stored_bytes": "number", "left_out": "number", "encryption": "string", "problem": "null" }] })
    );
    let show = site.run(&["show", "latest", "--json"]).ok().json();
    for field in ["manifest", "manifest_sha256", "authenticity"] {
        assert!(!show[field].is_null(), "{field} in {show:#}");
    }
    assert_eq!(show["manifest_sha256"], backup["manifest_sha256"]);
    let guide = site.run(&["show", "latest", "--restore-md", "--json"]).ok().json();
    assert!(guide["restore_md"].as_str().unwrap().starts_with("# Restoring backup"), "{guide:#}");
    let cat = site.run(&["cat", "latest", "contents", "--output", "out", "--json"]).ok().json();
    assert_eq!(
        shape(&cat),
        json!({ "version": "number", "command": "string", "part": "string", "file": "string", "bytes": "number" })
    );
    assert_eq!(cat["bytes"], site.path("out").metadata().unwrap().len());
    let verify = site.run(&["verify", "--json"]).ok().json();
    assert_eq!(
        shape(&verify),
        json!({ "version": "number", "command": "string", "status": "string", "exit_code": "number",
                "verdict": { "location": "string", "level": "string", "verified_at": "string", "authenticity_checked": "bool", "findings": [],
                             "backups": [{ "series": "string", "id": "string", "proof": "null", "seconds": "number", "reached": "string", "outcome": "string", "authenticity": "string",
                                           "held": [], "findings": [] }] } })
    );
    let restore = site.run(&["restore", "latest", "--to-directory", "back", "--dry-run", "--json"]).ok().json();
    assert_eq!(
        (&restore["dry_run"], restore["plan"]["steps"].as_array().unwrap().len()),
        (&true.into(), 2),
        "{restore:#}"
    );
    assert!(!site.path("back").exists(), "nothing was changed");
    let restore = site.run(&["restore", "latest", "--to-directory", "back", "--json"]).ok().json();
    assert_eq!(
        shape(&restore["report"]),
        json!({ "target": "string", "files": [{ "part": "string", "file": "string", "bytes": "number" }] })
    );
    let config = site.run(&["config", "--json"]).ok().json();
    assert_eq!(shape(&config["settings"][0]), json!({ "name": "string", "value": "string", "origin": "string" }));
    for document in [keygen, init, backup, list, show, guide, cat, verify, restore, config] {
        assert_eq!(document["version"], 1);
        assert!(document["command"].is_string(), "{document:#}");
    }
}

#[test]
fn the_text_of_each_command() {
    let site = Site::new();
    site.backup("some data", &["--label", "daily"]);
    let list = plain(&site, &site.run(&["list"]).ok().stdout);
    let words: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["ID", "SERIES", "LABEL", "AGE", "DATA", "STORED", "PROVEN", "NOTES"]);
    assert_eq!(words[1][..3], ["ID", "app", "daily"]);
    assert_eq!(words[1][4], "s", "{list}");
    assert_eq!(words.len(), 2);

    let show = plain(&site, &site.run(&["show", "latest"]).ok().stdout);
    let names: Vec<&str> = show.lines().map(|line| line.split("  ").next().unwrap().trim()).collect();
    let expected = ["id", "series", "label", "snapshot", "took", "source"];
    assert_eq!(names[..6], expected, "{show}");
    for line in ["id             ID", "series         app", "label          daily"] {
        assert!(
            show.lines().any(|found| found.split_whitespace().eq(line.split_whitespace())),
            "no {line:?} in\n{show}"
        );
    }
    let took = show.lines().find_map(|line| line.strip_prefix("took")).unwrap().trim();
    let seconds: f64 = took.strip_suffix(" s").unwrap().parse().unwrap();
    assert!((0.0..60.0).contains(&seconds), "{took}");
    for part in ["signed by backup-host (SHA256:DIGEST)", "sha256 DIGEST", "RECIPIENT (keys/0001.age)", "1 segments"] {
        assert!(show.contains(part), "no {part:?} in\n{show}");
    }

    let verify = plain(&site, &site.run(&["verify", "--level", "intact"]).ok().stdout);
    assert_eq!(verify, "ID  app  passed      proven: intact\nhealthy: 1 of 1 backups passed level intact\n");

    let config = site.run(&["config"]).ok().stdout;
    let config = plain(&site, &config);
    let rows: Vec<String> = config.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        rows,
        [
            "repository.url file://REPO file (backproof.toml)",
            "repository.installation INSTALLATION file (backproof.toml)",
            "repository.recipients RECIPIENT file (backproof.toml)",
            "repository.identity key.txt file (backproof.toml)",
            "repository.signing_key signing-key file (backproof.toml)",
            "repository.trusted_signers signers file (backproof.toml)",
        ]
    );
    assert!(Site::bare().run(&["config"]).ok().stdout.starts_with("no settings"));
}

#[test]
fn help_teaches() {
    let site = Site::bare();
    let help = site.run(&["--help"]).ok().stdout;
    let commands =
        ["init", "keygen", "backup", "list", "show", "cat", "verify", "restore", "config", "completions", "man"];
    for command in commands {
        assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))), "{command} in\n{help}");
        let own = site.run(&[command, "--help"]).ok();
        assert_eq!(own.stderr, "");
        let usage = format!("Usage: backproof {command}");
        assert!(own.stdout.contains(&usage) && own.stdout.contains("--repo"), "{own}");
        let short = site.run(&["help", command]).ok();
        assert_eq!(short.stdout, own.stdout, "`help {command}` and `{command} --help` differ");
    }
    for words in ["A first backup:", "Exit status: 0 fine, 1 warning, 2 failure", "flag wins over the environment"] {
        assert!(help.contains(words), "{words:?} in\n{help}");
    }
    assert!(site.run(&["--version"]).ok().stdout.starts_with("backproof 0."));
    let none = site.run(&[]).ends(2);
    assert!(none.stderr.contains("Usage:"), "{none}");
}

#[test]
fn completions_and_manual() {
    let site = Site::bare();
    let script = site.run(&["completions", "bash"]).ok().stdout;
    site.write("completion", &script);
    let mut bash = Command::new("bash");
    bash.args(["-n", &site.at("completion")]);
    site.prepare(&mut bash);
    assert_eq!(finish(bash).ok().stderr, "");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(site.run(&["completions", shell]).ok().stdout.contains("backproof"), "{shell}");
    }
    site.run(&["man", "--output", "pages/man1"]).ok();
    let pages = files(&site.path("pages/man1"));
    for page in ["backproof.1", "backproof-backup.1", "backproof-restore.1", "backproof-verify.1"] {
        assert!(pages.iter().any(|found| found == page), "{page} of {pages:?}");
        let text = site.read(&format!("pages/man1/{page}"));
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{text}");
        // Where there is a formatter, it has nothing to complain of.
        let mut man = Command::new("man");
        man.args(["--warnings", "-l", &site.at(&format!("pages/man1/{page}"))]);
        site.prepare(&mut man);
        man.env("MANPAGER", "cat").env("LC_ALL", "C.UTF-8");
        if let Ok(shown) = man.output() {
            let (text, complaints) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
            assert!(
                shown.status.success() && complaints.is_empty() && text.contains("SYNOPSIS"),
                "{text}\n{complaints}"
            );
        }
    }
}

/// A reader that goes away early is no error.
#[test]
fn output_into_a_closed_pipe() {
    let site = Site::new();
    site.backup("data", &[]);
    let mut bash = Command::new("bash");
    let program = env!("CARGO_BIN_EXE_backproof");
    bash.args([
        "-c",
        &format!("set -o pipefail; {program} completions bash | head -n 1 > /dev/null; {program} list | true"),
    ]);
    site.prepare(&mut bash);
    let run = finish(bash).ok();
    assert_eq!(run.stderr, "");
    // What was not taken was not written: silent, and with the status of a program that a pipe ended.
    let mut bash = Command::new("bash");
    site.backup(&"x".repeat(100_000), &[]);
    bash.args(["-c", &format!("set -o pipefail; {program} cat latest data | true")]);
    site.prepare(&mut bash);
    let run = finish(bash);
    assert_eq!((run.status, run.stderr.as_str()), (141, ""));
}
