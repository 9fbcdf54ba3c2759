//! Nobody needs this program to restore: the commands of a backup's own RESTORE.md, run by one bash.

use crate::database::{assert_same, contents, make_rich, properties};
use crate::site::{Run, Site, finish};
use backup_postgres::testing::Cluster;
use std::process::Command;
use tempfile::TempDir;

/// A keyring with one key, `backups@example.com`, without passphrase. The agent ends with it.
struct Keyring(TempDir);

impl Keyring {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::Builder::new().prefix("bp-gpg-").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let keyring = Keyring(folder);
        let user = "Backups <backups@example.com>";
        keyring.gpg(&["--quick-generate-key", user, "default", "default", "never"]);
        keyring
    }

    fn home(&self) -> String {
        self.0.path().display().to_string()
    }

    fn gpg(&self, args: &[&str]) -> String {
        let mut gpg = Command::new("gpg");
        gpg.args(["--homedir", &self.home(), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]);
        finish(with(gpg, args)).ok().stdout
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").args(["--homedir", &self.home(), "--kill", "all"]).output();
    }
}

fn with(mut command: Command, args: &[&str]) -> Command {
    command.args(args);
    command
}

/// The code blocks of a Markdown text: mark and text.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(mark)) => open = Some((mark.to_owned(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some((_, block)), None) => block.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without an end:\n{text}");
    found
}

/// Backs the rich database up, runs RESTORE.md's commands against another cluster, and compares.
fn restores_with_stock_tools(site: &mut Site, flags: &[&str], keyring: Option<&Keyring>) {
    let source = Cluster::start();
    make_rich(&source, "the source");
    let target = Cluster::start();
    site.set("DATABASE_URL", source.url("the source"));
    site.run(&[&["backup", "--name", "app", "--quiet"], flags].concat()).ok();
    let guide = site.run(&["show", "latest", "--restore-md"]).ok().stdout;
    // What is there is what the program shows.
    assert_eq!(guide.trim_end(), std::fs::read_to_string(site.object("/RESTORE.md")).unwrap().trim_end());

    let chosen = blocks(&guide).into_iter().filter(|(mark, _)| mark == "sh");
    let script: String = chosen.map(|(_, block)| block).collect();
    let work = site.path("work");
    std::fs::create_dir(&work).unwrap();
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(&script);
    site.prepare(&mut bash);
    let path = format!("{}:{}", target.bindir().display(), site.env["PATH"]);
    bash.current_dir(&work).env("PATH", path).env("REPOSITORY", site.path("repo")).env("SIGNERS", site.path("signers"));
    bash.env("PGUSER", "postgres");
    bash.env("PGHOST", target.socket_folder()).env("PGPORT", target.port().to_string());
    match keyring {
        Some(keyring) => bash.env("GNUPGHOME", keyring.home()),
        None => bash.env("IDENTITY", site.path("key.txt")),
    };
    let run = finish(bash);
    assert_eq!(run.status, 0, "{script}\n{run}");
    // Every error but that of the superuser, who exists already, would be one.
    let errors: Vec<&str> = run.stderr.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{run}");
    assert!(errors[0].contains("role \"postgres\" already exists"), "{run}");
    assert_same(&contents(&source, "the source"), &contents(&target, "the source"));
    assert_eq!(properties(&source, "the source"), properties(&target, "the source"));
    assert!(!work.join(site.ids()[0].clone()).join("key").exists(), "the key is still there");
}

#[test]
fn age_and_a_signature() {
    restores_with_stock_tools(&mut Site::new(), &[], None);
}

#[test]
fn openpgp_and_a_signature() {
    let mut site = Site::new();
    let keyring = Keyring::new();
    site.write("backups.asc", &keyring.gpg(&["--armor", "--export", "backups@example.com"]));
    restores_with_stock_tools(&mut site, &["--recipient", "backups.asc"], Some(&keyring));
    assert!(site.object("dump/00000000.zst.gpg").is_file(), "OpenPGP throughout");
    // The program opens it, too, with the exported secret key.
    site.write("secret.asc", &keyring.gpg(&["--armor", "--export-secret-keys", "backups@example.com"]));
    site.run(&["verify", "latest", "--level", "readable", "--identity", "secret.asc"]).ok();
}

#[test]
fn both_kinds_of_recipients_by_the_openpgp_key() {
    let mut site = Site::new();
    let keyring = Keyring::new();
    site.write("backups.asc", &keyring.gpg(&["--armor", "--export", "backups@example.com"]));
    let recipient = site.recipient.clone();
    let flags = ["--recipient", "backups.asc", "--recipient", &recipient];
    restores_with_stock_tools(&mut site, &flags, Some(&keyring));
    site.run(&["verify", "latest", "--level", "readable"]).ok();
}

#[test]
fn neither_encryption_nor_a_signature() {
    let mut site = Site::bare();
    site.run(&["init", "--repo", &site.url()]).ok();
    let url = site.url();
    site.set("BACKPROOF_REPO", url);
    restores_with_stock_tools(&mut site, &["--no-encryption"], None);
}

/// Runs RESTORE.md's commands on a repository; says how that ended, and whether the backup's key was opened.
fn follow(site: &Site, id: &str, repository: &str, more: &[(&str, String)]) -> (Run, bool) {
    let guide = std::fs::read_to_string(site.object(&format!("{id}/RESTORE.md"))).unwrap();
    let script: String = blocks(&guide).into_iter().filter(|(mark, _)| mark == "sh").map(|(_, block)| block).collect();
    // The key is removed in the end: that it was there is seen by what is put before.
    let script = script.replace("\nrm -f key\n", "\n[ ! -s key ] || : > ../opened\nrm -f key\n");
    let work = tempfile::tempdir().unwrap();
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(&script);
    site.prepare(&mut bash);
    bash.current_dir(work.path()).env("REPOSITORY", repository).env("SIGNERS", site.path("signers"));
    bash.envs(more.iter().map(|(name, value)| (name, value)));
    let run = finish(bash);
    let key = work.path().join(id).join("key").exists() || work.path().join("opened").exists();
    (run, key)
}

/// Another key file, of the other kind, opens the backup; the damaged one is named.
#[test]
fn one_damaged_key_file_is_left_out() {
    let site = Site::new();
    let keyring = Keyring::new();
    site.write("backups.asc", &keyring.gpg(&["--armor", "--export", "backups@example.com"]));
    let recipient = site.recipient.clone();
    let id = site.backup("the data", &["--recipient", "backups.asc", "--recipient", &recipient]);
    let keys = format!("backups/app/manual/{id}/keys");
    let found = crate::site::files(&site.path("repo").join(&keys));
    assert_eq!(found, ["0001.age", "0002.gpg"]);
    // No agent is started for a keyring without keys.
    std::fs::create_dir(site.path("empty")).unwrap();
    site.write("empty/gpg.conf", "no-autostart\n");
    let age = ("IDENTITY", site.at("key.txt"));
    let gpg = ("GNUPGHOME", keyring.home());
    let run = |damaged: &[&str], gone: bool, with: &[(&str, String)]| {
        let repo = tempfile::tempdir().unwrap();
        crate::site::copy(&site.path("repo"), repo.path());
        for name in damaged {
            let file = repo.path().join(&keys).join(name);
            let mut bytes = std::fs::read(&file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::remove_file(&file).unwrap();
            if !gone {
                std::fs::write(&file, bytes).unwrap();
            }
        }
        follow(&site, &id, &repo.path().display().to_string(), with)
    };
    let both = [age.clone(), gpg.clone()];
    for with in [&both[..], std::slice::from_ref(&age), std::slice::from_ref(&gpg)] {
        let (good, opened) = run(&[], false, with);
        assert!(opened && !good.clone().ok().stderr.contains("damaged"), "{good}");
    }
    for gone in [false, true] {
        for (damaged, other) in [("0001.age", &gpg), ("0002.gpg", &age)] {
            for with in [&both[..], std::slice::from_ref(other)] {
                let (good, opened) = run(&[damaged], gone, with);
                assert!(opened, "{good}");
                let said = format!("keys/{damaged} is damaged: it is left out");
                assert!(good.clone().ok().stderr.contains(&said), "{good}");
            }
        }
        let (bad, opened) = run(&["0001.age", "0002.gpg"], gone, &both);
        assert!(bad.status != 0 && !opened && bad.stderr.contains("STOP: every key file is damaged"), "{bad}");
        // The other one does not fit what its reader has.
        let (bad, opened) = run(&["0001.age"], gone, &[age.clone(), ("GNUPGHOME", site.at("empty"))]);
        assert!(bad.status != 0 && !opened && bad.stderr.contains("STOP: no key file was opened"), "{bad}");
    }
}

/// What someone changed in the store stops the commands before a byte of it is used.
#[test]
fn the_commands_stop_at_what_was_changed() {
    let site = Site::new();
    let id = site.backup("the data", &[]);
    let run = |repository: &str| follow(&site, &id, repository, &[("IDENTITY", site.at("key.txt"))]);
    let (good, opened) = run(&site.at("repo"));
    assert!(opened, "{}", good.ok());

    let folder = format!("backups/app/manual/{id}");
    let manifest = format!("catalog/app/{id}.manifest");
    let part = site.run(&["show", &id, "--json"]).json()["manifest"]["parts"][0]["name"].as_str().unwrap().to_owned();
    type Change<'a> = &'a dyn Fn(&std::path::Path);
    let replace = |name: String, from: &'static str, to: &'static str| {
        move |repo: &std::path::Path| {
            let text = std::fs::read_to_string(repo.join(&name)).unwrap();
            assert!(text.contains(from), "{from} is not in {name}");
            std::fs::write(repo.join(&name), text.replace(from, to)).unwrap();
        }
    };
    let append = |name: String| {
        move |repo: &std::path::Path| {
            let bytes = [std::fs::read(repo.join(&name)).unwrap(), b"x".to_vec()].concat();
            std::fs::write(repo.join(&name), bytes).unwrap();
        }
    };
    let remove = |name: String| move |repo: &std::path::Path| std::fs::remove_file(repo.join(&name)).unwrap();
    let unsigned = |repo: &std::path::Path| {
        let text = std::fs::read_to_string(repo.join(&manifest)).unwrap();
        std::fs::write(repo.join(&manifest), text.split("-----BEGIN").next().unwrap()).unwrap();
    };
    let changes: [(&str, Change<'_>); 7] = [
        ("a segment", &append(format!("{folder}/{part}/00000000.zst.age"))),
        ("a segment that is gone", &remove(format!("{folder}/{part}/00000000.zst.age"))),
        ("a part's sums", &append(format!("{folder}/{part}/SHA256SUMS"))),
        ("the sums", &append(format!("{folder}/SHA256SUMS"))),
        ("the key file", &append(format!("{folder}/keys/0001.age"))),
        ("the manifest", &replace(manifest.clone(), "\"left_out\": 0", "\"left_out\": 1")),
        ("the signature", &unsigned),
    ];
    for (what, change) in changes {
        let repo = tempfile::tempdir().unwrap();
        crate::site::copy(&site.path("repo"), repo.path());
        change(repo.path());
        let (bad, key) = run(&repo.path().display().to_string());
        assert_ne!(bad.status, 0, "{what} was changed: {bad}");
        assert!(!key, "{what} was changed, and the key was opened all the same");
    }
}
