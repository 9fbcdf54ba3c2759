//! Readers trust signers, not the store.

use crate::site::Site;
use backup_postgres::testing::Cluster;
use std::path::Path;

/// Someone who can write to the store, and knows the public recipient.
fn intruder(site: &Site, text: &str, more: &[&str]) -> String {
    let (url, recipient) = (site.url(), site.recipient.clone());
    site.backup(
        text,
        &[&["--config", "/dev/null", "--repo", &url, "--recipient", &recipient, "--quiet"], more].concat(),
    )
}

fn restored(site: &Site, folder: &str) -> String {
    let parts = crate::site::files(&site.path(folder));
    let data = parts.iter().find(|name| *name != "contents").unwrap();
    site.read(&format!("{folder}/{data}"))
}

#[test]
fn what_nobody_trusted_signed_is_never_latest() {
    let site = Site::new();
    let good = site.backup("the true data", &[]);
    let bad = intruder(&site, "forged", &[]);

    let list = site.run(&["list", "--json"]).ends(1).json();
    let problem =
        |id: &str| list["backups"].as_array().unwrap().iter().find(|b| b["id"] == id).unwrap()["problem"].clone();
    assert!(problem(&good).is_null());
    assert!(problem(&bad).as_str().unwrap().contains("[unsigned]"), "{list:#}");
    assert!(site.run(&["list"]).ends(1).stdout.contains("NOT TRUSTED"));

    // It says what makes `latest` doubtful, and gives the true one.
    let restore = site.run(&["restore", "latest", "--to-directory", &site.at("latest")]).ends(1);
    assert!(restore.stderr.contains(&format!("warning: {bad} is newer than {good} and cannot be used")), "{restore}");
    assert_eq!(restored(&site, "latest"), "the true data");
    assert_eq!(site.run(&["show", "latest", "--json"]).ends(1).json()["manifest"]["id"], good.as_str());

    // `latest` is fine by itself; everything is not, and the forged one by its id is not.
    site.run(&["verify", &good]).ok();
    for ids in [&[][..], &[bad.as_str()]] {
        let verdict = site.run(&[&["verify", "--json"], ids].concat()).ends(2).json();
        let backups = verdict["verdict"]["backups"].as_array().unwrap();
        let backup = backups.iter().find(|backup| backup["id"] == bad.as_str()).unwrap();
        assert_eq!((&backup["outcome"], &backup["reached"]), (&"failed".into(), &serde_json::Value::Null));
        assert_eq!(backup["findings"][0]["code"], "unsigned");
    }

    let folder = site.at("forged");
    let commands: [&[&str]; 3] = [
        &["restore", &bad, "--to-directory", &folder],
        &["cat", &bad, "contents", "--output", &folder],
        &["show", &bad],
    ];
    for command in commands {
        assert_eq!(site.run(&[command, &["--json"]].concat()).code(), "unsigned", "{command:?}");
        assert!(!Path::new(&folder).exists());
    }
    site.run(&["restore", &bad, "--to-directory", &folder, "--allow-unsigned"]).ok();
    assert_eq!(restored(&site, "forged"), "forged");
}

#[test]
fn allowing_unsigned_backups_where_it_allows_nothing_is_an_error() {
    let site = Site::new();
    let id = site.backup("data", &[]);
    let config = site.read("backproof.toml");
    let commands: [&[&str]; 3] = [&["show"], &["cat"], &["restore"]];
    let run = |command: &[&str], id: &str| {
        let more: &[&str] = match command[0] {
            "cat" => &["contents", "--output", "x"],
            "restore" => &["--to-directory", "x"],
            _ => &[],
        };
        site.run(&[command, &[id], more, &["--allow-unsigned", "--json"]].concat())
    };
    for command in commands {
        site.write("backproof.toml", &config);
        assert_eq!(run(command, "latest").code(), "no_effect");
        site.write("backproof.toml", &without_trust(&config));
        for id in [&id, "latest"] {
            let refused = run(command, id);
            assert_eq!(refused.code(), "no_effect");
            assert!(refused.stderr.contains("trusted_signers"), "{refused}");
        }
        assert!(!site.path("x").exists());
    }
}

fn without_trust(config: &str) -> String {
    config.lines().filter(|line| !line.starts_with("trusted_signers")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn another_keys_signature_is_a_bad_one() {
    let site = Site::new();
    site.run(&["keygen", "--signing", "--output", "other"]).ok();
    let id = intruder(&site, "forged", &["--signing-key", "other"]);
    assert_eq!(site.run(&["show", &id, "--json"]).code(), "bad_signature");
    let verdict = site.run(&["verify", &id, "--json"]).ends(2).json();
    assert_eq!(verdict["verdict"]["backups"][0]["findings"][0]["code"], "bad_signature");
    // The only backup there is one that cannot be used: that is a failure, not an empty catalog.
    assert_eq!(site.run(&["restore", "latest", "--to-directory", "x", "--json"]).code(), "backup_not_found");
    site.run(&["verify", "latest"]).ends(2);
}

#[test]
fn a_manifest_that_was_edited_is_refused() {
    let site = Site::new();
    let id = site.backup("the true data", &[]);
    let path = site.object(".manifest");
    let text = std::fs::read_to_string(&path).unwrap();
    let (json, tail) = text.split_at(text.find("\n}\n").unwrap() + 3);
    let signature = &tail[tail.find("-----BEGIN").unwrap()..];
    let edited = json.replace("\"left_out\": 0", "\"left_out\": 1");
    assert_ne!(edited, json);
    // The hash as it was, and put right.
    let rehashed = format!("{edited}sha256 {}\n{signature}", backproof::core::digest::Sha256::of(edited.as_bytes()));
    for (text, code) in [(format!("{edited}{tail}"), "invalid_document"), (rehashed, "bad_signature")] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(site.run(&["show", &id, "--json"]).code(), code);
        site.run(&["verify"]).ends(2);
        assert_eq!(site.run(&["restore", &id, "--to-directory", "x", "--json"]).code(), code);
        assert!(!site.path("x").exists());
    }
}

#[test]
fn a_signed_manifest_counts_only_where_it_was_written() {
    let site = Site::new();
    let id = site.backup("the true data", &[]);
    let manifest = site.object(".manifest");
    let other_id = format!("{}{}", &id[..17], "0123456789abcdef");
    let copies = [format!("catalog/app/{other_id}.manifest"), format!("catalog/other/{id}.manifest")];
    for copy in copies {
        let copy = site.path("repo").join(copy);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(&manifest, &copy).unwrap();
        let series = copy.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let wanted = copy.file_stem().unwrap().to_str().unwrap();
        let run = site.run(&["show", wanted, "--name", &series, "--json", "--allow-unsigned"]);
        assert_eq!(run.code(), "invalid_document", "{run}");
        site.run(&["verify"]).ends(2);
        std::fs::remove_file(copy).unwrap();
    }
    site.run(&["verify"]).ok();
}

#[test]
fn the_installation_comes_from_the_configuration() {
    let site = Site::new();
    let id = site.backup("the true data", &[]);
    let config = site.read("backproof.toml");
    let line = format!("installation = \"{}\"\n", site.installation);
    site.write("backproof.toml", &config.replace(&line, ""));
    let run = site.run(&["list", "--json"]);
    assert_eq!(run.code(), "invalid_argument");
    assert!(run.stderr.contains(&site.installation) && run.stderr.contains("BACKPROOF_INSTALLATION"), "{run}");

    // A store that holds someone else's backups, rightly signed.
    site.write("backproof.toml", &config.replace(&site.installation, "i-0123456789abcdef"));
    assert_eq!(site.run(&["show", &id, "--json"]).code(), "invalid_document");
    site.run(&["verify"]).ends(2);
}

#[test]
fn without_trusted_signers_every_verdict_says_so() {
    let site = Site::new();
    site.backup("data", &[]);
    let url = site.url();
    let verdict = site.run(&["verify", "--config", "/dev/null", "--repo", &url]).ok().stdout;
    assert!(verdict.contains("authenticity: not checked"), "{verdict}");
    let verdict = site.run(&["verify", "--config", "/dev/null", "--repo", &url, "--json"]).ok().json();
    assert_eq!(verdict["verdict"]["authenticity_checked"], false);
    assert!(!site.run(&["verify"]).ok().stdout.contains("not checked"));
}

/// The store's owner takes backups away, or puts older ones back.
#[test]
fn a_backup_that_went_missing_is_told() {
    let site = Site::new();
    let ids: Vec<String> = (0..3).map(|n| site.backup(&format!("data {n}"), &[])).collect();
    let previous = |id: &str| site.run(&["show", id, "--json"]).ok().json()["manifest"]["previous"]["id"].clone();
    let gone = previous(&ids[2]).as_str().unwrap().to_owned();
    std::fs::remove_file(site.path("repo").join(format!("catalog/app/{gone}.manifest"))).unwrap();
    let list = site.run(&["list", "--json"]).ends(2).json();
    assert_eq!(list["missing"][0]["id"], gone.as_str(), "{list:#}");
    let verdict = site.run(&["verify", "--json"]).ends(2).json();
    assert_eq!(verdict["verdict"]["findings"][0]["code"], "backup_missing");
}

/// Who restores as a superuser lets the backup run code: where nobody vouches for it, that needs attention.
#[test]
fn a_superuser_who_restores_what_nobody_vouches_for_is_warned() {
    let cluster = Cluster::options().role("app", "x").start();
    cluster.psql("postgres", "ALTER ROLE app CREATEDB; CREATE DATABASE shop OWNER app");
    cluster.psql("shop", "SET ROLE app; CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    let mut site = Site::new();
    site.set("PG_BINDIR", cluster.bindir().display().to_string());
    let trusting = site.read("backproof.toml");
    site.write("trusting-nobody.toml", &without_trust(&trusting));
    site.write("unsigned.toml", &without_trust(&trusting).replace("signing_key = \"signing-key\"\n", ""));
    let backup = |config: &str| {
        let made = site
            .run(&["backup", "--config", config, "--name", "app", "--json", "--database", &cluster.url("shop")])
            .ok();
        made.json()["id"].as_str().unwrap().to_owned()
    };
    let (signed, unsigned) = (backup("backproof.toml"), backup("unsigned.toml"));
    for (config, id, flags, user, status) in [
        ("backproof.toml", &signed, &[][..], "postgres", 0),
        ("backproof.toml", &unsigned, &["--allow-unsigned"], "postgres", 1),
        ("trusting-nobody.toml", &signed, &[], "postgres", 1),
        // An ordinary role can do no more than its owner could.
        ("trusting-nobody.toml", &signed, &["--no-owner"], "app", 0),
    ] {
        let url = cluster.url_as(user, "anew");
        let restore = ["restore", id, "--config", config, "--json", "--to", &url];
        let run = site.run(&[&restore[..], flags].concat()).ends(status);
        let told = |text: &str| text.contains("signature was not checked") && text.contains("superuser");
        assert_eq!(told(&run.json()["warnings"].to_string()), status == 1, "{config} {user}: {run}");
        assert_eq!(told(&run.stderr), status == 1, "{config} {user}: {run}");
        assert_eq!(cluster.psql("anew", "SELECT a FROM t"), "1");
        cluster.psql("postgres", "DROP DATABASE anew");
    }
}
