//! Debian's age and ours, both ways.

mod support;

use backup_core::testing::cipher::sample;
use backup_crypto::{AgeCipher, Identities, RecipientOptions, Recipients};
use secrecy::ExposeSecret;
use std::process::Command;
use support::*;

const SIZES: [usize; 7] = [0, 1, 65_535, 65_536, 65_537, 131_072, 300_000];

#[test]
fn age_opens_our_segments() {
    let folder = Folder::new();
    let identity = age::x25519::Identity::generate();
    let key = folder.write("k", format!("{}\n", identity.to_string().expose_secret()));
    let cipher = AgeCipher::new(identity);
    for size in SIZES {
        let plain = sample(size);
        let opened = ok(run("age", "age", &["-d", "-i", text(&key)], &seal(&cipher, &plain)));
        assert!(opened == plain, "{size} bytes");
    }
}

#[test]
fn we_open_segments_that_age_made() {
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let cipher = AgeCipher::new(identity);
    for size in SIZES {
        let plain = sample(size);
        let sealed = ok(run("age", "age", &["-r", &recipient], &plain));
        assert!(unseal(&cipher, &sealed).unwrap() == plain, "{size} bytes");
    }
}

/// RESTORE.md's commands: `age -d -i me keys/0001.age > k; age -d -i k segment`.
#[tokio::test]
async fn stock_age_restores_with_any_kind_of_identity() {
    let folder = Folder::new();
    let (line, recipient) = age_key();
    let me = folder.write("me", &line);
    let mut specs = vec![recipient];
    let mut identities = vec![me];
    for kind in ["ed25519", "rsa"] {
        let path = folder.path(kind);
        ok(run("ssh-keygen", "openssh-client", &["-q", "-t", kind, "-N", "", "-C", "", "-f", text(&path)], b""));
        specs.push(std::fs::read_to_string(folder.path(&format!("{kind}.pub"))).unwrap().trim().to_owned());
        identities.push(path);
    }
    let key = new_key(&Recipients::parse(&specs, &options()).await.unwrap()).await;
    assert_eq!(key.files.len(), 1, "one file for all of them");
    let plain = sample(100_000);
    let segment = seal(key.cipher.as_ref(), &plain);
    for me in identities {
        let opened = ok(run("age", "age", &["-d", "-i", text(&me)], &key.files[0].bytes));
        let secret = String::from_utf8(opened.clone()).unwrap();
        assert!(secret.starts_with("AGE-SECRET-KEY-1") && secret.ends_with('\n') && secret.lines().count() == 1);
        let k = folder.write("k", opened);
        assert!(ok(run("age", "age", &["-d", "-i", text(&k)], &segment)) == plain, "{}", me.display());
    }
}

#[tokio::test]
async fn we_open_a_key_file_that_age_made() {
    let (line, recipient) = age_key();
    let (backup_line, _) = age_key();
    let mut key = new_key(&recipients(&[&recipient]).await).await;
    key.files[0].bytes = ok(run("age", "age", &["-r", &recipient], format!("{backup_line}\n").as_bytes()));
    key.commitment = Some(backup_core::cipher::key_commitment(&backup_id(), &backup_line));
    let cipher = open(&identity(line), &key).await.unwrap();
    let own = AgeCipher::new(backup_line.parse().unwrap());
    assert_eq!(unseal(cipher.as_ref(), &seal(&own, b"hello")).unwrap(), b"hello");
}

/// age asks for passphrases on a terminal only: `script` gives it one.
fn on_a_terminal(command: &str, typed: &str) {
    let mut script = Command::new("script");
    let output = run_command(script.args(["-qec", command, "/dev/null"]), "bsdutils", typed.as_bytes());
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn age_opens_a_passphrase_key_file() {
    let folder = Folder::new();
    let options = RecipientOptions { passphrase: Some(passphrase("correct horse battery")), ..options() };
    let key = new_key(&Recipients::parse(&[], &options).await.unwrap()).await;
    let (file, out) = (folder.write("0001.age", &key.files[0].bytes), folder.path("k"));
    on_a_terminal(&format!("age -d -o {} {}", out.display(), file.display()), "correct horse battery\n");
    let plain = sample(1000);
    let segment = seal(key.cipher.as_ref(), &plain);
    assert!(ok(run("age", "age", &["-d", "-i", text(&out)], &segment)) == plain);
}

#[tokio::test]
async fn we_open_an_identity_file_that_age_protected() {
    let folder = Folder::new();
    let (line, recipient) = age_key();
    let plain = folder.write("plain", format!("# a comment\n{line}\n"));
    let key = new_key(&recipients(&[&recipient]).await).await;
    for armour in ["", "-a "] {
        let protected = folder.path(&format!("protected{}", armour.trim()));
        let command = format!("age -p {armour}-o {} {}", protected.display(), plain.display());
        on_a_terminal(&command, "tell nobody\ntell nobody\n");
        let identities = Identities::new()
            .prompt(std::sync::Arc::new(|_: &str| Ok(passphrase("tell nobody"))))
            .file(&protected)
            .await
            .unwrap();
        open(&identities, &key).await.unwrap();
    }
}
