//! `keygen`: private files that are never overwritten, and the form on paper and back.

use crate::site::Site;
use std::os::unix::fs::PermissionsExt;

#[test]
fn keys_are_private_files_and_are_never_overwritten() {
    let site = Site::bare();
    for (flags, files) in
        [(&["--output", "key"][..], &["key"][..]), (&["--signing", "--output", "sign"], &["sign", "sign.pub"])]
    {
        let made = site.run(&[&["keygen"], flags].concat()).ok();
        let secret = site.read(files[0]);
        assert_eq!(site.path(files[0]).metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let line = secret.lines().nth(if files[0] == "key" { 2 } else { 1 }).unwrap();
        assert!(!made.stdout.contains(line) && !made.stderr.contains(line), "the secret was printed: {made}");
        let before: Vec<String> = files.iter().map(|file| site.read(file)).collect();
        assert_eq!(site.run(&[&["keygen", "--json"], flags].concat()).code(), "already_exists");
        assert_eq!(files.iter().map(|file| site.read(file)).collect::<Vec<_>>(), before);
    }
}

/// The private half must not stay behind when the public one cannot be written.
#[test]
fn a_signing_key_is_made_whole_or_not_at_all() {
    let site = Site::bare();
    site.write("sign.pub", "someone's");
    assert_eq!(site.run(&["keygen", "--signing", "--output", "sign", "--json"]).code(), "already_exists");
    assert!(!site.path("sign").exists(), "half of a key");
    assert_eq!(site.read("sign.pub"), "someone's");
}

#[test]
fn the_form_on_paper_gives_the_key_back() {
    let site = Site::bare();
    let made = site.run(&["keygen", "--output", "key", "--paper"]).ok().stdout;
    let recipient = made.lines().find_map(|line| line.strip_prefix("recipient: ")).unwrap().split(' ').next().unwrap();
    let rows: Vec<&str> = made.lines().filter(|line| line.contains(" check ")).collect();
    assert_eq!(rows.len(), 4, "{made}");

    // The whole page, and the rows alone as someone would type them.
    for (file, form) in [("whole", made.clone()), ("rows", rows.join("\n").to_lowercase())] {
        let read = site.run_with_input(&["keygen", "--from-paper", "--output", file, "--json"], &form).ok().json();
        assert_eq!(read["recipient"], recipient);
        let secret =
            |file: &str| site.read(file).lines().find(|line| line.starts_with("AGE-SECRET")).unwrap().to_owned();
        assert_eq!(secret(file), secret("key"));
    }
    let second = rows[1].split_whitespace().nth(1).unwrap();
    let swapped: String = second.chars().rev().collect();
    for (form, named) in [
        (rows[1..].join("\n"), "row 1 is missing"),
        (made.replace(second, &swapped), "row 2 has a typing mistake"),
        (String::new(), "row 1 is missing"),
    ] {
        let run = site.run_with_input(&["keygen", "--from-paper", "--output", "new", "--json"], &form);
        assert_eq!(run.code(), "invalid_paper_key");
        assert!(run.stderr.contains(named), "{run}");
        assert!(!site.path("new").exists());
    }
    assert_eq!(site.run(&["keygen", "--from-paper", "--paper", "--output", "new", "--json"]).code(), "usage");
    assert_eq!(
        site.run_with_input(&["keygen", "--from-paper", "--output", "key", "--json"], &made).code(),
        "already_exists"
    );
}

/// The form is for people: a terminal gets it with the key, a pipe that may end in a log does not.
#[test]
fn a_terminal_gets_the_form_with_the_key() {
    let site = Site::bare();
    site.write("pass", "correct horse battery staple\n");
    let on_terminal = |flags: &str| {
        let program = env!("CARGO_BIN_EXE_backproof");
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &format!("{program} keygen {flags}"), "/dev/null"]);
        site.prepare(&mut script);
        let run = crate::site::finish(script);
        assert_eq!(run.status, 0, "{run}");
        run.stdout.lines().filter(|line| line.contains(" check ")).count()
    };
    assert_eq!(on_terminal("--output key"), 4);
    assert_eq!(on_terminal("--output key2 --no-paper"), 0);
    assert_eq!(on_terminal("--output key3 --json"), 0);
    assert_eq!(on_terminal("--output key4 --passphrase --passphrase-file pass"), 0);
    assert_eq!(on_terminal("--output key5 --passphrase --passphrase-file pass --paper"), 4);
    assert_eq!(on_terminal("--output key6 --signing"), 0);
    let piped = site.run(&["keygen", "--output", "key7"]).ok();
    assert!(!piped.stdout.contains(" check ") && piped.stderr.contains("--paper"), "{piped}");
    assert_eq!(site.run(&["keygen", "--output", "key8", "--paper", "--no-paper", "--json"]).code(), "usage");
}

#[test]
fn keys_with_a_passphrase_open_and_sign() {
    let site = Site::new();
    site.write("pass", "correct horse battery staple\nthe second line does not matter\n");
    site.write("other", "incorrect horse\n");
    let key =
        site.run(&["keygen", "--passphrase", "--passphrase-file", "pass", "--output", "locked", "--json"]).ok().json();
    let recipient = key["recipient"].as_str().unwrap();
    site.run(&["keygen", "--signing", "--passphrase", "--passphrase-file", "pass", "--output", "signer", "--json"])
        .ok();
    let refused = site.run(&[
        "backup",
        "--name",
        "app",
        "--json",
        "--signing-key",
        "signer",
        "--passphrase-file",
        "other",
        "--",
        "echo",
    ]);
    assert_eq!(refused.code(), "wrong_passphrase");
    site.backup("data", &["--recipient", recipient, "--signing-key", "signer", "--passphrase-file", "pass"]);
    let cat =
        ["cat", "latest", "contents", "--config", "/dev/null", "--json", "--output", "out", "--identity", "locked"];
    let url = site.url();
    let cat = |more: &[&str]| site.run(&[&cat[..], &["--repo", &url], more].concat());
    assert_eq!(cat(&[]).code(), "passphrase_required");
    assert_eq!(cat(&["--passphrase-file", "other"]).code(), "wrong_passphrase");
    cat(&["--passphrase-file", "pass"]).ok();
}

#[test]
fn a_passphrase_file_is_never_named_in_vain() {
    let site = Site::new();
    site.write("pass", "correct horse battery staple\n");
    site.write("other", "incorrect horse\n");
    let id = site.backup("data", &["--passphrase", "--passphrase-file", "pass"]);
    let url = site.url();
    // A backup that was sealed to a passphrase is opened by the file alone: no second flag says so.
    let cat = |more: &[&str]| {
        let _ = std::fs::remove_file(site.path("out"));
        let cat = ["cat", "latest", "data", "--config", "/dev/null", "--repo", &url, "--json", "--output", "out"];
        site.run(&[&cat[..], more].concat())
    };
    cat(&["--passphrase-file", "pass"]).ok();
    cat(&["--passphrase-file", "pass", "--passphrase"]).ok();
    assert_eq!(cat(&["--passphrase-file", "other"]).code(), "wrong_identity");
    assert_eq!(cat(&[]).code(), "identity_required");
    for command in [&["verify", &id, "--level", "readable"][..], &["restore", "latest", "--to-directory", "restored"]] {
        let common = ["--json", "--config", "/dev/null", "--repo", &url, "--passphrase-file", "pass"];
        site.run(&[command, &common].concat()).ok();
    }

    // What is made is protected by a passphrase only when that is said: a file for nothing is refused, and nothing is made.
    let before = site.objects();
    let backup = ["backup", "--name", "app", "--json", "--passphrase-file", "pass"];
    assert_eq!(site.run(&[&backup[..], &["--", "echo"]].concat()).code(), "no_effect");
    assert_eq!(site.objects(), before);
    for kind in [&[][..], &["--signing"]] {
        let keygen = ["keygen", "--output", "new-key", "--json", "--passphrase-file", "pass"];
        assert_eq!(site.run(&[&keygen[..], kind].concat()).code(), "no_effect");
        assert!(!site.path("new-key").exists());
    }
    // A configuration names it for whatever asks, and the host that signs with a locked key needs it.
    site.write(
        "backproof.toml",
        &site.read("backproof.toml").replace("[repository]\n", "[repository]\npassphrase_file = \"pass\"\n"),
    );
    site.backup("again", &[]);
    site.run(&["keygen", "--output", "new-key", "--json"]).ok();
    assert!(site.read("new-key").contains("AGE-SECRET-KEY-"));
}
