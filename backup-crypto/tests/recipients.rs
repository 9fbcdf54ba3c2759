//! Recipients as people give them, and those that are refused.

mod support;

use backup_core::cipher::{KeySealer, RecipientName};
use backup_core::error::codes::RECIPIENT_REQUIRED;
use backup_crypto::error::codes::{GPG_FAILED, INVALID_RECIPIENT};
use backup_crypto::{GpgKeyring, RecipientOptions, Recipients};
use support::*;

fn name(kind: &str, id: &str) -> RecipientName {
    RecipientName { kind: kind.into(), id: id.into() }
}

#[tokio::test]
async fn none_is_refused() {
    let error = Recipients::parse(&[], &options()).await.unwrap_err();
    assert!(error.is(&RECIPIENT_REQUIRED), "{error:?}");
}

#[tokio::test]
async fn the_same_twice_counts_once() {
    let (_, recipient) = age_key();
    let folder = Folder::new();
    let file = folder.write("recipients.txt", format!("# us\n\n  {recipient}  \n"));
    let recipients = recipients(&[&recipient, text(&file), &recipient]).await;
    assert_eq!(recipients.recipients(), [name("age", &recipient)]);
}

#[tokio::test]
async fn ssh_keys_and_their_names() {
    let folder = Folder::new();
    let mut expected = Vec::new();
    let mut lines = String::new();
    for kind in ["ed25519", "rsa"] {
        let path = folder.path(kind);
        ok(run("ssh-keygen", "openssh-client", &["-q", "-t", kind, "-N", "", "-C", "me@home", "-f", text(&path)], b""));
        let line = std::fs::read_to_string(folder.path(&format!("{kind}.pub"))).unwrap();
        let listed = String::from_utf8(ok(run("ssh-keygen", "openssh-client", &["-lf", text(&path)], b""))).unwrap();
        let fingerprint = listed.split(' ').nth(1).unwrap().to_owned();
        expected.push(name(
            "ssh",
            if kind == "rsa" { &fingerprint } else { line.trim().strip_suffix(" me@home").unwrap() },
        ));
        lines += &line;
    }
    let file = folder.write("team.pub", lines);
    assert_eq!(recipients(&[text(&file)]).await.recipients(), expected);
}

#[tokio::test]
async fn what_is_no_recipient() {
    let folder = Folder::new();
    let weak = folder.path("weak");
    ok(run("ssh-keygen", "openssh-client", &["-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", text(&weak)], b""));
    ok(run("ssh-keygen", "openssh-client", &["-q", "-t", "ecdsa", "-N", "", "-f", text(&folder.path("ecdsa"))], b""));
    let (_, recipient) = age_key();
    let other = if &recipient[10..11] == "q" { "p" } else { "q" };
    let typo = format!("{}{other}{}", &recipient[..10], &recipient[11..]);
    folder.write("empty.txt", "# nobody\n");
    folder.write("wrong.txt", format!("{recipient}\nsomebody\n"));
    folder.write("noise.bin", [0u8, 1, 2, 3, 255]);
    folder.write("noise.gpg", [0x99u8, 1, 2, 3, 255]);
    let at = |name: &str| text(&folder.path(name)).to_owned();
    for (spec, reason) in [
        (String::new(), "an empty recipient"),
        (typo, "is not a recipient"),
        ("age1".into(), "is not a recipient"),
        ("ssh-ed25519 AAAA".into(), "is not an SSH public key"),
        (std::fs::read_to_string(at("weak.pub")).unwrap(), "under 2048 bits"),
        (std::fs::read_to_string(at("ecdsa.pub")).unwrap(), "ecdsa"),
        (at("ecdsa.pub"), "line 1: SSH keys of the kind ecdsa-sha2-nistp256"),
        (at("nothing.txt"), "there is no file"),
        (at("empty.txt"), "holds no recipient"),
        (at("wrong.txt"), "line 2"),
        (at("noise.bin"), "is neither"),
        (at("noise.gpg"), "OpenPGP public key"),
    ] {
        let error = refused(&spec).await;
        assert!(error.is(&INVALID_RECIPIENT) && error.to_string().contains(reason), "{spec:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_secret_key_is_refused_and_never_repeated() {
    let folder = Folder::new();
    let (line, _) = age_key();
    let gpg = Gpg::new();
    let fingerprint = gpg.usual_key("Me <me@example.com>", "");
    let path = folder.path("ssh");
    ok(run("ssh-keygen", "openssh-client", &["-q", "-t", "ed25519", "-N", "", "-f", text(&path)], b""));
    let files = [
        folder.write("key.txt", &line),
        path,
        folder.write("secret.asc", gpg.ok(&["--armor", "--export-secret-keys", &fingerprint], b"")),
        folder.write("secret.gpg", gpg.ok(&["--export-secret-keys", &fingerprint], b"")),
    ];
    for spec in files.iter().map(|path| text(path)).chain([line.as_str(), line.to_lowercase().as_str()]) {
        let error = refused(spec).await;
        assert!(error.is(&INVALID_RECIPIENT) && error.to_string().contains("is a secret key"), "{error:?}");
        assert!(!error.report().to_uppercase().contains(&line), "the message repeats the secret");
    }
}

#[tokio::test]
async fn keys_of_the_keyring_by_any_name() {
    let gpg = Gpg::new();
    let fingerprint = gpg.usual_key("Backups of Acme <backups@example.com>", "");
    let options = RecipientOptions { keyring: gpg.keyring(), ..options() };
    let key_id = fingerprint[24..].to_owned();
    for spec in [
        fingerprint.clone(),
        key_id.clone(),
        format!("0x{key_id}"),
        "backups@example.com".into(),
        "gpg:backups@example.com".into(),
        "Backups of Acme <backups@example.com>".into(),
    ] {
        let recipients = Recipients::parse(std::slice::from_ref(&spec), &options).await.unwrap();
        assert_eq!(recipients.recipients(), [name("openpgp", &fingerprint)], "{spec}");
    }
    gpg.usual_key("Backups of others <backups@example.com>", "");
    let error = Recipients::parse(&["backups@example.com".into()], &options).await.unwrap_err();
    assert!(error.is(&INVALID_RECIPIENT) && error.to_string().contains("several keys"), "{error:?}");
    assert!(error.to_string().contains(&fingerprint), "the candidates are named: {error:?}");
    for absent in ["nobody@example.com", "-exec", "--version"] {
        let error = Recipients::parse(&[absent.into()], &options).await.unwrap_err();
        assert!(error.is(&INVALID_RECIPIENT), "{absent}: {error:?}");
    }
}

#[tokio::test]
async fn openpgp_keys_that_must_not_be_used() {
    let gpg = Gpg::new();
    let signing = gpg.generate("Signs <signs@example.com>", "", "ed25519", "cert,sign", "never");
    let expired = gpg.generate("Old <old@example.com>", "", "rsa2048", "cert,encr", "seconds=1");
    let revoked = gpg.usual_key("Gone <gone@example.com>", "");
    let subkey_gone = gpg.usual_key("Half <half@example.com>", "");
    let certificate =
        std::fs::read_to_string(gpg.home.path("openpgp-revocs.d").join(format!("{revoked}.rev"))).unwrap();
    // gpg puts a colon before the armour so that nobody imports it by mistake.
    gpg.ok(&["--import"], certificate.replace(":-----BEGIN", "-----BEGIN").as_bytes());
    gpg.ok(&["--command-fd", "0", "--edit-key", &subkey_gone, "key 1", "revkey", "save"], b"y\n0\n\ny\n");
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3600);
    for (fingerprint, reason) in [
        (&signing, "cannot encrypt|no part that can encrypt"),
        (&expired, "expired"),
        (&revoked, "revoked"),
        (&subkey_gone, "cannot encrypt|revoked encryption key"),
    ] {
        let exported = gpg.home.write("exported.gpg", gpg.ok(&["--export", fingerprint], b""));
        let keyring = RecipientOptions { keyring: gpg.keyring(), now: Some(later), ..options() };
        for spec in [text(&exported), fingerprint] {
            let error = Recipients::parse(&[spec.to_owned()], &keyring).await.unwrap_err();
            let fits = reason.split('|').any(|reason| error.to_string().contains(reason));
            assert!(error.is(&INVALID_RECIPIENT) && fits, "{spec}: {error:?}");
            assert!(error.to_string().contains(fingerprint), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_machine_without_gpg() {
    let keyring = GpgKeyring { program: "/nowhere/gpg".into(), home: None };
    let error =
        Recipients::parse(&["me@example.com".into()], &RecipientOptions { keyring, ..options() }).await.unwrap_err();
    assert!(error.is(&GPG_FAILED) && error.to_string().contains("me@example.com"), "{error:?}");
}

#[tokio::test]
async fn an_empty_passphrase() {
    let error = Recipients::passphrase(passphrase("")).await.unwrap_err();
    assert!(error.is(&INVALID_RECIPIENT), "{error:?}");
}
