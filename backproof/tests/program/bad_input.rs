//! Bad input: status 2, a stable code, a hint, and nothing left behind.

use crate::site::{Site, SmallDisk, copy};
use backup_postgres::testing::Cluster;
use std::time::{Duration, Instant};

/// Fails with this code, and changes nothing in the folder.
#[track_caller]
fn refused(site: &Site, args: &[&str], code: &str) -> String {
    let before = crate::site::files(&site.path("."));
    let run = site.run(&[&["--json"], args].concat());
    assert_eq!(run.code(), code, "{args:?}: {run}");
    assert_eq!(crate::site::files(&site.path(".")), before, "{args:?} left something behind");
    run.stderr
}

const BACKUP: [&str; 5] = ["backup", "--name", "app", "--", "true"];

fn backup_with<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    [&["backup"], flags, &["--name", "app", "--", "true"]].concat()
}

#[test]
fn repositories_that_are_none() {
    let mut site = Site::new();
    site.write("in-the-way", "a file");
    let way = format!("file://{}", site.at("in-the-way"));
    let way_below = format!("file://{}/below", site.at("in-the-way"));
    let nothing = format!("file://{}", site.at("nothing"));
    for (url, code) in [
        ("nonsense", "invalid_url"),
        ("/var/backups", "invalid_url"),
        ("file://var/backups", "invalid_url"),
        ("s3://user:secret@bucket/x", "invalid_url"),
        ("ftp://host/x", "unknown_scheme"),
        (&nothing, "no_repository"),
    ] {
        for command in
            [&BACKUP[..], &["list"], &["verify"], &["show", "latest"], &["restore", "latest", "--to-directory", "x"]]
        {
            let flag = format!("--repo={url}");
            refused(&site, &[&[flag.as_str()], command].concat(), code);
        }
        if code != "no_repository" {
            refused(&site, &["init", "--repo", url], code);
        }
    }
    for url in [&way, &way_below] {
        for command in [&BACKUP[..], &["list"], &["init"]] {
            let flag = format!("--repo={url}");
            let run = site.run(&[&[flag.as_str(), "--json"], command].concat());
            assert!(["io", "no_repository"].contains(&run.code().as_str()), "{run}");
        }
    }
    assert_eq!(site.read("in-the-way"), "a file");
    refused(&site, &["init"], "repository_exists");
    site.write("backproof.toml", "");
    for command in [&["list"][..], &["verify"], &["init"], &["show", "latest"]] {
        refused(&site, command, "repository_required");
    }
    site.set("BACKPROOF_REPO", "");
    refused(&site, &["list"], "repository_required");
}

#[test]
fn stores_that_cannot_be_reached() {
    let mut site = Site::new();
    let began = Instant::now();
    let text = refused(&site, &["list", "--repo", "s3://bucket/x"], "credentials_missing");
    assert!(text.contains("AWS_ACCESS_KEY_ID"), "{text}");
    refused(&site, &["list", "--repo", "az://container/x"], "credentials_missing");
    refused(&site, &["list", "--repo", "gs://bucket/x"], "credentials_missing");
    assert!(began.elapsed() < Duration::from_secs(30), "took {:?}", began.elapsed());

    site.set("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
    site.set("AWS_SECRET_ACCESS_KEY", "s3cret-s3cret");
    site.set("AWS_REGION", "eu-central-1");
    // Port 9, discard, is nobody's here.
    let store = "[repository.store]\nendpoint = \"http://127.0.0.1:9\"\nallow_http = true\nretry_for = \"1s\"\nconnect_timeout = \"1s\"\n";
    site.write("away.toml", &format!("{}{store}", site.read("backproof.toml")));
    for command in [&BACKUP[..], &["list"], &["verify"], &["init"]] {
        let text = refused(
            &site,
            &[&["--config", "away.toml", "--repo", "s3://bucket/x"], command].concat(),
            "store_unavailable",
        );
        assert!(!text.contains("s3cret"), "{text}");
    }
    // Plain HTTP only when asked for.
    site.write("http.toml", &site.read("away.toml").replace("allow_http = true\n", ""));
    let run = site.run(&["list", "--config", "http.toml", "--repo", "s3://bucket/x", "--json"]);
    assert_eq!(run.status, 2, "{run}");
    // A setting of a store that it does not have.
    site.write(
        "useless.toml",
        &format!("{}[repository.store]\nstorage_class = \"COLD\"\n", site.read("backproof.toml")),
    );
    refused(&site, &["list", "--config", "useless.toml"], "useless_setting");
}

#[test]
fn a_full_disk() {
    let site = Site::new();
    std::fs::create_dir(site.path("small")).unwrap();
    let _disk = SmallDisk::at(site.path("small"), "6m");
    let url = format!("file://{}/repo", site.at("small"));
    let made = site.run(&["init", "--repo", &url, "--json"]).ok().json();
    let installation = made["installation"].as_str().unwrap();
    let before = crate::site::files(&site.path("small"));
    let args = ["backup", "--name", "app", "--json", "--repo", &url, "--installation", installation];
    let run = site.run(&[&args[..], &["--", "head", "-c", "20000000", "/dev/urandom"]].concat());
    assert_eq!(run.code(), "no_space", "{run}");
    assert_eq!(crate::site::files(&site.path("small")), before, "left behind");
    site.run(&[&args[..], &["--", "echo", "little"]].concat()).ok();
}

#[test]
fn databases() {
    let cluster = Cluster::options().listen().role("someone", "right").start();
    let mut site = Site::new();
    site.set("DATABASE_URL", cluster.url("postgres"));
    std::fs::create_dir(site.path("empty")).unwrap();
    let backup = ["backup", "--name", "app"];
    let empty = site.at("empty");
    let good = cluster.url("postgres");
    for (database, flags, code) in [
        (cluster.tcp_url("someone", "wrong", "postgres"), &[][..], "authentication_failed"),
        (cluster.tcp_url("nobody-such", "right", "postgres"), &[], "authentication_failed"),
        (cluster.url("no such database"), &[], "database_not_found"),
        ("postgres://u@127.0.0.1:9/db".into(), &[], "database_unreachable"),
        (format!("postgres://u@/db?host={empty}"), &[], "database_unreachable"),
        ("postgres://u@h/db?sslmode=nonsense".into(), &[], "invalid_argument"),
        (good.clone(), &["--pg-bindir", &empty], "tools_not_found"),
    ] {
        site.set("DATABASE_URL", database.clone());
        refused(&site, &[&backup[..], flags].concat(), code);
        site.set("DATABASE_URL", "");
        refused(&site, &[&backup[..], flags, &["--database", &database]].concat(), code);
    }
    site.set("PG_BINDIR", empty.clone());
    refused(&site, &[&backup[..], &["--database", &good]].concat(), "tools_not_found");
    site.set("PG_BINDIR", "");
    refused(&site, &backup, "database_not_configured");

    // A restore that cannot begin changes nothing; --dry-run tells the obstacles.
    site.run(&[&backup[..], &["--database", &good]].concat()).ok();
    for (to, flags, code) in [
        (cluster.tcp_url("someone", "wrong", "new"), &[][..], "authentication_failed"),
        ("postgres://u@127.0.0.1:9/db".into(), &[], "database_unreachable"),
        (cluster.url_as("someone", "new"), &[], "restore_refused"),
        (cluster.url("new"), &["--pg-bindir", &empty], "restore_refused"),
        (cluster.url("postgres"), &[], "database_exists"),
    ] {
        refused(&site, &[&["restore", "latest", "--to", &to], flags].concat(), code);
    }
    let plan = site.run(&["restore", "latest", "--to", &cluster.url_as("someone", "new"), "--dry-run"]).ends(2);
    assert!(plan.stdout.contains("OBSTACLE"), "{plan}");
    assert_eq!(cluster.psql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'new'"), "0");
}

#[test]
fn recipients_and_identities() {
    let site = Site::new();
    let id = site.backup("data", &[]);
    let config = site.read("backproof.toml");
    let without = |name: &str| {
        let kept: Vec<&str> = config.lines().filter(|line| !line.starts_with(name)).collect();
        site.write(&format!("no-{name}.toml"), &kept.join("\n"));
    };
    without("recipients");
    without("identity");
    refused(&site, &backup_with(&["--config", "no-recipients.toml"]), "recipient_required");
    refused(&site, &backup_with(&["--no-encryption"]), "no_effect");
    for recipient in ["age1nonsense", "nonsense@example.com", "ssh-ed25519 AAAA", "key.txt", "/no/such/file"] {
        let run = site.run(&[&["--json", "--recipient", recipient], &BACKUP[..]].concat());
        assert!(["invalid_recipient", "gpg_failed"].contains(&run.code().as_str()), "{recipient}: {run}");
    }
    refused(&site, &["cat", &id, "contents", "--config", "no-identity.toml", "--output", "x"], "identity_required");
    site.run(&["keygen", "--output", "other.txt"]).ok();
    for command in [&["cat", &id, "contents", "--output", "x"][..], &["restore", &id, "--to-directory", "x"]] {
        refused(&site, &[command, &["--identity", "other.txt"]].concat(), "wrong_identity");
        refused(&site, &[command, &["--identity", "signers"]].concat(), "invalid_identity");
        refused(&site, &[command, &["--identity", "missing"]].concat(), "file_not_found");
    }
    refused(&site, &backup_with(&["--signing-key", "key.txt"]), "invalid_signing_key");
    refused(&site, &backup_with(&["--signing-key", "missing"]), "file_not_found");
    refused(&site, &["list", "--trusted-signers", "key.txt"], "invalid_trusted_signers");

    // Without the right identity, readable is not proven, and not disproven: what can be seen is.
    for (flags, code) in
        [(["--config", "no-identity.toml"], "identity_required"), (["--identity", "other.txt"], "wrong_identity")]
    {
        let verdict = site.run(&[&["verify", "--level", "readable", "--json"], &flags[..]].concat()).ends(1).json();
        let backup = &verdict["verdict"]["backups"][0];
        assert_eq!((&backup["outcome"], &backup["reached"]), (&"unverified".into(), &"intact".into()), "{verdict:#}");
        assert_eq!(backup["findings"][0]["code"], code);
    }
    refused(&site, &["keygen", "--output", "key.txt"], "already_exists");
}

#[test]
fn broken_configurations() {
    let site = Site::new();
    let base = site.read("backproof.toml");
    let lines = base.lines().count();
    let named = |text: &str, code: &str, expected: &str| {
        site.write("broken.toml", &format!("{base}{text}"));
        let message = refused(&site, &["config", "--config", "broken.toml"], code);
        assert!(message.contains(expected), "{text}: no {expected:?} in {message}");
    };
    let line = |number: usize| format!("broken.toml, line {}", lines + number);
    named("\n[backup]\nsegmentsize = \"1MiB\"\n", "invalid_configuration", &line(3));
    named("[backup]\nworkers = \"many\"\n", "invalid_configuration", &line(2));
    named("[backup]\nworkers = -1\n", "invalid_configuration", &line(2));
    named("[nonsense]\n", "invalid_configuration", &line(1));
    named("[backup\n", "invalid_configuration", &line(1));
    named("[series.app]\npassword = \"x\"\n", "invalid_configuration", &line(2));
    named("[verify]\nmax_age = \"soon\"\n", "invalid_argument", "verify.max_age");
    named("[verify]\nmin_size = \"1 furlong\"\n", "invalid_argument", "verify.min_size");
    named("[verify]\nlevel = \"deep\"\n", "invalid_argument", "verify.level");
    named("[backup]\nmax_stall = \"0s\"\n", "invalid_argument", "backup.max_stall");
    named("[backup]\nmax_stall = \"-1h\"\n", "invalid_argument", "backup.max_stall");
    named("[backup]\nsegment_size = \"16 stone\"\n", "invalid_argument", "backup.segment_size");
    named("[backup]\ncompression = \"lzma\"\n", "invalid_configuration", "backup.compression");
    named("[backup]\nlabel = \"../daily\"\n", "invalid_name", "../daily");
    named("[series.\"../up\"]\n", "invalid_configuration", "../up");
    named("[series.App]\n", "invalid_configuration", "App");
    site.write("broken.toml", &base.replace("[repository]\n", "[repository]\nwrite_only = true\n"));
    refused(&site, &["config", "--config", "broken.toml"], "invalid_configuration");
    std::fs::write(site.path("broken.toml"), b"[backup]\nlabel = \"\xff\"\n").unwrap();
    let message = refused(&site, &["config", "--config", "broken.toml"], "invalid_configuration");
    assert!(message.contains("line 2"), "{message}");

    // Settings that are understood, and cannot work.
    for (text, code) in [
        ("[backup]\nsegment_size = \"1KiB\"\n", "invalid_argument"),
        ("[backup]\nsegment_size = \"1GiB\"\n", "invalid_argument"),
        ("[backup]\nmemory = \"1MiB\"\n", "budget_too_small"),
        ("[backup]\nworkers = 0\n", "invalid_argument"),
        ("[backup]\ncompression_level = 99\n", "invalid_argument"),
    ] {
        site.write("broken.toml", &format!("{base}{text}"));
        refused(&site, &backup_with(&["--config", "broken.toml"]), code);
    }
}

#[test]
fn names_and_ids() {
    let site = Site::new();
    let first = site.backup("data", &[]);
    site.backup("data", &[]);
    for name in ["../app", "a/b", "App", "", "..", "-x", "keys\n", "a.b", &"x".repeat(64)] {
        let flag = format!("--name={name}");
        for command in [&["backup", "--", "true"][..], &["list"], &["restore", "latest", "--to-directory", "x"]] {
            refused(&site, &[&[flag.as_str()], command].concat(), "invalid_name");
        }
        let flag = format!("--label={name}");
        refused(&site, &[&[flag.as_str()], &BACKUP[..]].concat(), "invalid_name");
    }
    for part in ["../dump", "/etc/passwd", "Dump", "a/b"] {
        refused(&site, &["cat", "latest", part, "--output", "x"], "invalid_name");
    }
    refused(&site, &["cat", "latest", "nothing", "--output", "x"], "part_not_found");
    for id in ["../x", "latest/..", "", "x", "LATEST", "20261120*"] {
        for command in [&["show"][..], &["verify"], &["restore", "--to-directory", "x"], &["cat"]] {
            let more: &[&str] = if command[0] == "cat" { &["dump", "--output", "x"] } else { &[] };
            refused(&site, &[command, &[id], more].concat(), "invalid_argument");
        }
    }
    for command in [&["show"][..], &["verify"], &["restore", "--to-directory", "x"]] {
        refused(&site, &[command, &["2"]].concat(), "ambiguous_id");
        refused(&site, &[command, &["1999"]].concat(), "backup_not_found");
    }
    refused(&site, &["restore", &first, "--to-directory", "x", "--before", "2030-01-01T00:00:00Z"], "no_effect");
    refused(&site, &["restore", "latest", "--to-directory", "x", "--before", "tomorrow"], "invalid_argument");
    refused(
        &site,
        &["restore", "latest", "--to-directory", "x", "--before", "2030-01-01T00:00:00"],
        "invalid_argument",
    );
    refused(
        &site,
        &["restore", "latest", "--to-directory", "x", "--before", "2001-01-01T00:00:00Z"],
        "backup_not_found",
    );
    refused(&site, &["backup", "--", "true"], "series_required");
    site.backup("data", &["--name", "other"]);
    for command in [&["show", "latest"][..], &["verify", "latest"], &["restore", "latest", "--to-directory", "x"]] {
        let text = refused(&site, command, "series_required");
        assert!(text.contains("app, other"), "{text}");
        let ok = site.run(&[command, &["--name", "other"]].concat());
        assert_eq!(ok.status, 0, "{ok}");
        let _ = std::fs::remove_dir_all(site.path("x"));
    }
}

#[test]
fn command_lines() {
    let site = Site::new();
    site.backup("data", &[]);
    for args in [
        &["nonsense"][..],
        &["list", "--nonsense"],
        &["restore", "latest"],
        &["restore", "latest", "--to", "postgres:///x", "--to-directory", "x"],
        &["verify", "latest", "--all"],
        &["verify", "--local-only", "--cloud-only"],
        &["keygen"],
        &["keygen", "--output", "x", "--signing", "--paper"],
        &["backup", "--file", "x", "--", "true"],
        &["backup", "--skip-unreadable", "--file", "x"],
        &["completions", "nonsense"],
        &["list", "--log-format", "xml"],
    ] {
        refused(&site, args, "usage");
        // Without --json it goes to stderr alone.
        let run = site.run(args).ends(2);
        assert!(run.stdout.is_empty() && run.stderr.contains("error: "), "{run}");
    }
    refused(&site, &["cat", "latest", "contents"], "invalid_argument");
    refused(&site, &["verify", "--alert-on-failure"], "no_effect");
    refused(&site, &["verify", "--cloud-only"], "no_effect");
    refused(&site, &["verify", "--max-age", "48"], "invalid_argument");
    refused(&site, &["verify", "--level", "deepest"], "invalid_argument");
    refused(&site, &["backup", "--name", "app", "--file", "missing"], "file_not_found");
    refused(&site, &["keygen", "--output", "x", "--paper"], "invalid_argument");
    site.run(&["verify", "--local-only"]).ok();
    // What exists is not overwritten.
    site.write("there", "mine");
    refused(&site, &["cat", "latest", "contents", "--output", "there"], "already_exists");
    refused(&site, &["restore", "latest", "--to-directory", "there"], "already_exists");
    refused(&site, &["restore", "latest", "--to-directory", "home/.."], "already_exists");
    assert_eq!(site.read("there"), "mine");
}

/// What nobody has yet is a failure, not a pass.
#[test]
fn an_empty_repository_is_not_healthy() {
    let site = Site::new();
    for args in [
        &["verify"][..],
        &["verify", "--all"],
        &["verify", "latest"],
        &["verify", "--level", "present", "--name", "app"],
    ] {
        let verdict = site.run(&[args, &["--json"]].concat()).ends(2).json();
        assert_eq!((&verdict["status"], &verdict["exit_code"]), (&"error".into(), &2.into()), "{args:?}");
        assert_eq!(verdict["verdict"]["findings"][0]["code"], "no_backups");
    }
    assert_eq!(site.run(&["list"]).ok().stdout, "no backups\n");
    refused(&site, &["show", "latest"], "backup_not_found");
    refused(&site, &["restore", "latest", "--to-directory", "x"], "backup_not_found");
    site.backup("data", &[]);
    // A series or label of which there is none, beside one that is healthy.
    for args in [["--name", "other"], ["--label", "weekly"]] {
        site.run(&[&["verify"], &args[..]].concat()).ends(2);
    }
}

#[test]
fn formats_that_this_version_does_not_know() {
    let site = Site::new();
    let id = site.backup("data", &[]);
    let marker = std::fs::read_to_string(site.object("backproof.json")).unwrap();
    for (from, to, code) in [
        ("\"format\": 1", "\"format\": 2", "unknown_format"),
        ("\"requires\": []", "\"requires\": [\"time-travel\"]", "unknown_format"),
        ("\"kind\": \"repository\"", "\"kind\": \"something\"", "invalid_document"),
        ("{", "", "invalid_document"),
        ("\"format\": 1", "\"format\": 1, \"format\": 1", "invalid_document"),
    ] {
        assert!(marker.contains(from));
        std::fs::write(site.object("backproof.json"), marker.replacen(from, to, 1)).unwrap();
        for command in [&BACKUP[..], &["list"], &["verify"], &["restore", &id, "--to-directory", "x"]] {
            refused(&site, command, code);
        }
    }
    std::fs::write(site.object("backproof.json"), &marker).unwrap();
    site.run(&["verify"]).ok();
}

/// Rewrites the only manifest, with its hash put right and no signature, and reads without trusted signers.
fn forge(site: &Site, change: impl Fn(&mut serde_json::Value)) {
    let path = site.object(".manifest");
    let text = std::fs::read_to_string(&path).unwrap();
    let end = text.find("\n}\n").unwrap() + 3;
    let mut value: serde_json::Value = serde_json::from_str(&text[..end]).unwrap();
    change(&mut value);
    let json = format!("{value:#}\n");
    std::fs::write(path, format!("{json}sha256 {}\n", backproof::core::digest::Sha256::of(json.as_bytes()))).unwrap();
}

#[test]
fn forged_manifests() {
    let site = Site::new();
    let id = site.backup("data", &[]);
    let config = site.read("backproof.toml");
    site.write("backproof.toml", &config.replace("trusted_signers = \"signers\"\n", ""));
    let good = std::fs::read(site.object(".manifest")).unwrap();
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change, &str); 10] = [
        ("format 2", |m| m["format"] = 2.into(), "unknown_format"),
        ("something required", |m| m["requires"] = serde_json::json!(["x"]), "unknown_format"),
        ("another kind", |m| m["kind"] = "hold".into(), "invalid_document"),
        ("another installation", |m| m["installation"] = "i-other".into(), "invalid_document"),
        ("a label with a path", |m| m["label"] = "../../x".into(), "invalid_document"),
        ("a series with a path", |m| m["series"] = "../x".into(), "invalid_document"),
        ("a part with a path", |m| m["parts"][0]["name"] = "../../../x".into(), "invalid_document"),
        ("an ending with a path", |m| m["parts"][0]["ending"] = "/../../x".into(), "invalid_document"),
        (
            "a key file with a path",
            |m| m["encryption"]["key_files"][0]["name"] = "../../../key.age".into(),
            "invalid_document",
        ),
        ("segments of 1 TB", |m| m["segments"]["bytes"] = (1u64 << 40).into(), "invalid_document"),
    ];
    for (what, change, code) in changes {
        forge(&site, change);
        for command in
            [&["show", &id][..], &["restore", &id, "--to-directory", "x"], &["cat", &id, "contents", "--output", "x"]]
        {
            let before = crate::site::files(&site.path("."));
            let run = site.run(&[command, &["--json"]].concat());
            assert_eq!(run.code(), code, "{what}: {run}");
            assert_eq!(crate::site::files(&site.path(".")), before, "{what}");
        }
        let verdict = site.run(&["verify", "--json"]);
        // A newer format may be fine: it was not looked at.
        assert_eq!(verdict.status, 2, "{what}: {verdict}");
        std::fs::write(site.object(".manifest"), &good).unwrap();
    }
    // What the manifest says of sizes is not what is there.
    let changes: [(&str, Change); 3] = [
        ("more segments", |m| m["parts"][0]["segments"] = 2.into()),
        ("fewer bytes", |m| m["parts"][0]["plain_bytes"] = 3.into()),
        ("another list of files", |m| m["sha256sums"] = "0".repeat(64).into()),
    ];
    for (what, change) in changes {
        forge(&site, change);
        let folder = site.at("x");
        let run = site.run(&["restore", &id, "--to-directory", &folder, "--json"]);
        assert_eq!(run.status, 2, "{what}: {run}");
        run.code();
        let left = crate::site::files(&site.path("x"));
        assert!(left.is_empty(), "{what}: {left:?}");
        let _ = std::fs::remove_dir_all(&folder);
        site.run(&["verify", "--level", "readable"]).ends(2);
        std::fs::write(site.object(".manifest"), &good).unwrap();
    }
    site.run(&["verify", "--level", "readable"]).ok();
}

/// Damage of every kind is found at the level that looks for it, and never restored in silence.
#[test]
fn damage() {
    let site = Site::new();
    let id = site.backup(&"some data ".repeat(10_000), &[]);
    let folder = format!("backups/app/manual/{id}");
    let part =
        site.run(&["show", &id, "--json"]).ok().json()["manifest"]["parts"][0]["name"].as_str().unwrap().to_owned();
    copy(&site.path("repo"), &site.path("good"));
    let segment = format!("{folder}/{part}/00000000.zst.age");
    let flip = |bytes: &mut Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let cut: Change<'_> = &|bytes| bytes.truncate(bytes.len() - 1);
    let table: [(&str, Option<Change<'_>>, &str); 8] = [
        (&segment, Some(&flip), "present"),
        (&segment, Some(cut), "nothing"),
        (&segment, None, "nothing"),
        (&format!("{folder}/{part}/SHA256SUMS"), Some(&flip), "nothing"),
        (&format!("{folder}/SHA256SUMS"), Some(&flip), "nothing"),
        (&format!("{folder}/keys/0001.age"), Some(&flip), "nothing"),
        (&format!("{folder}/RESTORE.md"), Some(&flip), "present"),
        (&format!("{folder}/contents/00000000.zst.age"), Some(&flip), "present"),
    ];
    for (name, change, reached) in table {
        let path = site.path("repo").join(name);
        let good = std::fs::read(&path).unwrap();
        match change {
            Some(change) => {
                let mut bytes = good.clone();
                change(&mut bytes);
                std::fs::write(&path, bytes).unwrap();
            }
            None => std::fs::remove_file(&path).unwrap(),
        }
        for level in ["intact", "readable"] {
            let verdict = site.run(&["verify", "--level", level, "--json"]).ends(2).json();
            let backup = &verdict["verdict"]["backups"][0];
            assert_eq!(backup["outcome"], "failed", "{name} at {level}: {verdict:#}");
            assert_eq!(backup["reached"].as_str().unwrap_or("nothing"), reached, "{name} at {level}: {verdict:#}");
        }
        if !name.ends_with("RESTORE.md") {
            let out = site.at("x");
            let run = site.run(&["restore", &id, "--to-directory", &out, "--json"]);
            run.code();
            assert_eq!(crate::site::files(&site.path("x")), [""; 0], "{name}");
            let _ = std::fs::remove_dir_all(out);
        }
        std::fs::write(&path, good).unwrap();
    }
    site.run(&["verify", "--level", "readable"]).ok();
    // A stranger's segment is not read, and is told.
    std::fs::copy(site.path("repo").join(&segment), site.path("repo").join(segment.replace("00000000", "00000001")))
        .unwrap();
    let verdict = site.run(&["verify", "--level", "readable", "--json"]).ends(1).json();
    assert_eq!(verdict["verdict"]["backups"][0]["findings"][0]["code"], "unexpected_object");
}

/// A segment that holds more than it may: written by someone who has the recipient's key, unpacked to what was declared and no further.
#[test]
fn a_segment_that_decompresses_to_more_than_declared() {
    let site = Site::bare();
    site.run(&["init", "--repo", &site.url()]).ok();
    site.write("backproof.toml", &format!("[repository]\nurl = \"{}\"\n", site.url()));
    // Large enough for what is stored to be no larger than it may.
    let id = site.backup(&"some data ".repeat(10_000), &["--no-encryption", "--quiet"]);
    let part =
        site.run(&["show", &id, "--json"]).ok().json()["manifest"]["parts"][0]["name"].as_str().unwrap().to_owned();
    // Two gigabytes of zeros in a few kilobytes, by stock zstd.
    let bomb =
        std::process::Command::new("bash").arg("-c").arg("head -c 2000000000 /dev/zero | zstd -q").output().unwrap();
    assert!(bomb.status.success(), "zstd is needed (Debian: zstd)");
    let folder = format!("backups/app/manual/{id}");
    let put = |name: &str, bytes: &[u8]| std::fs::write(site.path("repo").join(&folder).join(name), bytes).unwrap();
    let sha256 = |bytes: &[u8]| backproof::core::digest::Sha256::of(bytes);
    let segment = format!("{part}/00000000.zst");
    put(&segment, &bomb.stdout);
    let sums = format!("# {} 00000000.zst\n{}  00000000.zst\n", bomb.stdout.len(), sha256(&bomb.stdout));
    put(&format!("{part}/SHA256SUMS"), sums.as_bytes());
    let all = std::fs::read_to_string(site.path("repo").join(&folder).join("SHA256SUMS")).unwrap();
    let mut fixed = String::new();
    let name = format!("{part}/SHA256SUMS");
    for line in all.lines() {
        let line = if line.starts_with("# ") && line.ends_with(&format!(" {name}")) {
            format!("# {} {name}", sums.len())
        } else if line.ends_with(&format!("  {name}")) {
            format!("{}  {name}", sha256(sums.as_bytes()))
        } else {
            line.to_owned()
        };
        fixed.push_str(&format!("{line}\n"));
    }
    assert_ne!(all, fixed);
    put("SHA256SUMS", fixed.as_bytes());
    forge(&site, |manifest| {
        manifest["sha256sums"] = sha256(fixed.as_bytes()).to_string().into();
        manifest["parts"][0]["stored_bytes"] = bomb.stdout.len().into();
    });
    site.run(&["verify", "--level", "intact"]).ok();
    let began = Instant::now();
    refused(&site, &["cat", &id, &part, "--output", "x"], "decompress_failed");
    let verdict = site.run(&["verify", "--level", "readable", "--json"]).ends(2).json();
    assert_eq!(verdict["verdict"]["backups"][0]["findings"][0]["code"], "decompress_failed", "{verdict:#}");
    assert!(began.elapsed() < Duration::from_secs(5), "it was unpacked: {:?}", began.elapsed());
}
