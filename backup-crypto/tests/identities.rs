//! Identities of every kind, and when they ask.

mod support;

use age::secrecy::ExposeSecret as _;
use backup_core::cipher::KeyOpener as _;
use backup_core::error::codes::{DECRYPT_FAILED, FILE_NOT_FOUND, IDENTITY_REQUIRED, WRONG_IDENTITY};
use backup_crypto::error::codes::{INVALID_IDENTITY, PASSPHRASE_REQUIRED, WRONG_PASSPHRASE};
use backup_crypto::keygen::AgeKey;
use backup_crypto::{Identities, IdentityRequest, Recipients};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::*;

/// A prompt that counts how often it is asked.
fn counting(answer: &'static str) -> (Arc<dyn backup_crypto::Prompt>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let prompt = move |_: &str| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(passphrase(answer))
    };
    (Arc::new(prompt), asked)
}

#[tokio::test]
async fn none_at_all() {
    let key = new_key(&recipients(&[&age_key().1]).await).await;
    let error = open(&Identities::new(), &key).await.unwrap_err();
    assert!(error.is(&IDENTITY_REQUIRED), "{error:?}");
}

#[tokio::test]
async fn the_wrong_one_names_the_recipients() {
    let (_, recipient) = age_key();
    let key = new_key(&recipients(&[&recipient]).await).await;
    let error = open(&identity(age_key().0), &key).await.unwrap_err();
    assert!(error.is(&WRONG_IDENTITY) && error.to_string().contains(&recipient), "{error:?}");
}

#[tokio::test]
async fn a_file_with_several() {
    let folder = Folder::new();
    let ((first, _), (second, recipient)) = (age_key(), age_key());
    let key = new_key(&recipients(&[&recipient]).await).await;
    let path = folder.write("keys.txt", format!("# two\r\n{first}\r\n\r\n{second}\r\n"));
    open(&Identities::new().file(path).await.unwrap(), &key).await.unwrap();
}

#[tokio::test]
async fn a_protected_file_asks_once_and_only_if_needed() {
    let made = AgeKey::generate();
    let key = new_key(&recipients(&[&made.recipient()]).await).await;
    let protected = made.protected_identity_file(jiff::Timestamp::UNIX_EPOCH, passphrase("pw"), FAST_LOG_N).unwrap();
    let (prompt, asked) = counting("pw");
    let identities = Identities::new().prompt(prompt).text("key.age", &secret(&protected)).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nothing is asked before it is needed");
    for _ in 0..3 {
        open(&identities, &key).await.unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let (prompt, asked) = counting("pw");
    let both = Identities::new()
        .prompt(prompt)
        .text("key.age", &secret(&protected))
        .unwrap()
        .text("plain", &secret(made.secret().expose_secret()))
        .unwrap();
    open(&both, &key).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0, "an identity that asks nobody comes first");

    let (prompt, _) = counting("wrong");
    let identities = Identities::new().prompt(prompt).text("key.age", &secret(&protected)).unwrap();
    let error = open(&identities, &key).await.unwrap_err();
    assert!(error.is(&WRONG_PASSPHRASE) && error.to_string().contains("key.age"), "{error:?}");
    let error = open(&identity(&protected), &key).await.unwrap_err();
    assert!(error.is(&PASSPHRASE_REQUIRED), "{error:?}");
}

#[tokio::test]
async fn ssh_keys_with_and_without_passphrase() {
    let folder = Folder::new();
    for kind in ["ed25519", "rsa"] {
        for protection in ["", "tell nobody"] {
            let path = folder.path(&format!("{kind}{}", protection.len()));
            let arguments = ["-q", "-t", kind, "-N", protection, "-f", text(&path)];
            ok(run("ssh-keygen", "openssh-client", &arguments, b""));
            let public = format!("{}.pub", path.display());
            let (_, other) = age_key();
            let key = new_key(&recipients(&[&other, &public]).await).await;
            let (prompt, asked) = counting("tell nobody");
            let identities = Identities::new().prompt(prompt).file(&path).await.unwrap();
            open(&identities, &key).await.unwrap();
            open(&identities, &key).await.unwrap();
            assert_eq!(asked.load(Ordering::SeqCst), usize::from(!protection.is_empty()), "{kind}");
            // A backup that is sealed to somebody else asks nothing.
            let (prompt, asked) = counting("tell nobody");
            let identities = Identities::new().prompt(prompt).file(&path).await.unwrap();
            let error = open(&identities, &new_key(&recipients(&[&other]).await).await).await.unwrap_err();
            assert!(error.is(&WRONG_IDENTITY), "{error:?}");
            assert_eq!(asked.load(Ordering::SeqCst), 0);
            if !protection.is_empty() {
                let (prompt, _) = counting("wrong");
                let identities = Identities::new().prompt(prompt).file(&path).await.unwrap();
                let error = open(&identities, &key).await.unwrap_err();
                assert!(error.is(&WRONG_PASSPHRASE), "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_callback_fetches_the_identity() {
    let (line, recipient) = age_key();
    let key = new_key(&recipients(&[&recipient]).await).await;
    let wanted = recipient.clone();
    let identities = Identities::new().callback(move |request: IdentityRequest| {
        let (line, wanted) = (line.clone(), wanted.clone());
        async move {
            assert_eq!(request.backup, backup_id());
            assert_eq!(request.recipients[0].id, wanted);
            assert!(request.files[0].bytes.starts_with(b"age-encryption.org/v1"));
            Ok(Some(passphrase(&line)))
        }
    });
    open(&identities, &key).await.unwrap();

    let nothing = Identities::new().callback(|_| async { Ok(None) });
    let error = open(&nothing, &key).await.unwrap_err();
    assert!(error.is(&WRONG_IDENTITY), "{error:?}");
    let down = Identities::new().callback(|_| async {
        Err(backup_core::Error::new(&backup_core::error::codes::STORE_UNAVAILABLE, "the vault does not answer"))
    });
    let error = open(&down, &key).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("vault"), "{error:?}");
}

/// A key service that opens the key file itself answers with the secret line; so can an operator who opened it elsewhere and
/// lends one backup's key without the identity.
#[tokio::test]
async fn the_backups_own_key_opens_it_and_no_other() {
    let gpg = Gpg::new();
    let fingerprint = gpg.usual_key("Backups <backups@example.com>", "");
    let public = gpg.home.write("key.gpg", gpg.ok(&["--export", &fingerprint], b""));
    let (line, recipient) = age_key();
    for openpgp in [false, true] {
        let sealer = recipients(&[if openpgp { text(&public) } else { &recipient }]).await;
        let (key, other) = (new_key(&sealer).await, new_key(&sealer).await);
        let own = if openpgp {
            gpg.ok(&["-d"], &key.files[0].bytes)
        } else {
            let folder = Folder::new();
            let me = folder.write("me", &line);
            ok(run("age", "age", &["-d", "-i", text(&me)], &key.files[0].bytes))
        };
        open(&identity(&own), &key).await.unwrap();
        let lent = String::from_utf8(own.clone()).unwrap();
        open(
            &Identities::new().callback(move |_| {
                let lent = lent.clone();
                async move { Ok(Some(passphrase(&lent))) }
            }),
            &key,
        )
        .await
        .unwrap();
        let error = open(&identity(&own), &other).await.unwrap_err();
        assert!(error.is(&WRONG_IDENTITY), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_no_identity() {
    let folder = Folder::new();
    let ssh = folder.path("ssh");
    ok(run("ssh-keygen", "openssh-client", &["-q", "-t", "ecdsa", "-N", "", "-f", text(&ssh)], b""));
    let gpg = Gpg::new();
    let fingerprint = gpg.usual_key("Me <me@example.com>", "");
    let (line, recipient) = age_key();
    let mut typo = line.clone();
    typo.replace_range(40..41, if &line[40..41] == "Q" { "P" } else { "Q" });
    for (bytes, reason) in [
        (b"".to_vec(), "holds no identity"),
        (b"# only a comment\n".to_vec(), "holds no identity"),
        (format!("{line}\n{typo}\n").into_bytes(), "line 2: this is not an identity, or it has a typing mistake"),
        (recipient.into_bytes(), "line 1: this is a recipient"),
        (vec![1, 2, 0xff], "is not an identity"),
        (vec![0xc5, 2, 0xff], "OpenPGP secret key"),
        (std::fs::read(&ssh).unwrap(), "of a kind that cannot decrypt"),
        (gpg.ok(&["--armor", "--export", &fingerprint], b""), "is a public key"),
        (gpg.ok(&["--export", &fingerprint], b""), "OpenPGP secret key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n".to_vec(), "SSH private key"),
    ] {
        let error = Identities::new().text("me.txt", &secret(&bytes)).unwrap_err();
        assert!(error.is(&INVALID_IDENTITY) && error.to_string().contains(reason), "{reason}: {error:?}");
        assert!(error.to_string().contains("me.txt"), "{error:?}");
        assert!(!error.report().contains(&typo[17..40]), "the message repeats the secret");
    }
    let error = Identities::new().file(folder.path("absent")).await.unwrap_err();
    assert!(error.is(&FILE_NOT_FOUND), "{error:?}");
}

/// A key file that holds another backup's key, or none: the commitment in the manifest tells.
#[tokio::test]
async fn a_replaced_key_file() {
    let (line, recipient) = age_key();
    let sealer = recipients(&[&recipient]).await;
    let (mut key, other) = (new_key(&sealer).await, new_key(&sealer).await);
    let good = std::mem::replace(&mut key.files, other.files.clone());
    let error = open(&identity(&line), &key).await.unwrap_err();
    assert!(error.is(&DECRYPT_FAILED) && error.to_string().contains("commits to"), "{error:?}");
    let age = |plain: &[u8]| ok(run("age", "age", &["-r", &recipient], plain));
    for plain in [b"".to_vec(), b"not a key\n".to_vec(), b"two\nlines\n".to_vec(), vec![b'A'; 100_000], vec![0xff; 10]]
    {
        key.files[0].bytes = age(&plain);
        let error = open(&identity(&line), &key).await.unwrap_err();
        assert!(error.is(&DECRYPT_FAILED), "{error:?}");
    }
    key.files.extend(good);
    open(&identity(&line), &key).await.expect("the good file after the bad one");
}

#[tokio::test]
async fn damaged_key_files_of_every_kind() {
    let gpg = Gpg::new();
    let fingerprint = gpg.usual_key("Backups <backups@example.com>", "");
    let public = gpg.home.write("key.gpg", gpg.ok(&["--export", &fingerprint], b""));
    let secret_key = gpg.ok(&["--export-secret-keys", &fingerprint], b"");
    let (line, recipient) = age_key();
    for (spec, me) in [(recipient.as_str(), line.as_bytes()), (text(&public), secret_key.as_slice())] {
        let key = new_key(&recipients(&[spec]).await).await;
        let opener = identity(me);
        let len = key.files[0].bytes.len();
        let mut unnoticed: Vec<(usize, bool)> = Vec::new();
        for position in (0..len).step_by(7).chain(len - 25..len) {
            for cut in [false, true] {
                let mut damaged = key.files.clone();
                if cut {
                    damaged[0].bytes.truncate(position);
                } else {
                    damaged[0].bytes[position] ^= 4;
                }
                let opened = opener.open_key(&backup_id(), key.scheme, &damaged, key.commitment.unwrap()).await;
                match opened {
                    // Damage to what says whom it is sealed to looks like somebody else's file.
                    Err(error) => assert!(
                        error.is(&DECRYPT_FAILED) || error.is(&WRONG_IDENTITY),
                        "byte {position} of {len}, {cut}: {error:?}"
                    ),
                    Ok(_) => unnoticed.push((position, cut)),
                }
            }
        }
        // One bit of the length of an OpenPGP number, in bits, changes nothing that anybody reads. What opens is right all
        // the same, since the manifest commits to it.
        let public_key_packet = if spec == recipient { 0 } else { 2 + usize::from(key.files[0].bytes[1]) };
        assert!(
            unnoticed.iter().all(|(position, cut)| !cut && *position < public_key_packet),
            "{unnoticed:?} of {len}"
        );
    }
}

#[tokio::test]
async fn nothing_secret_in_debug() {
    let (line, recipient) = age_key();
    let options = backup_crypto::RecipientOptions { passphrase: Some(passphrase("hush-hush")), ..options() };
    let sealer = Recipients::parse(&[recipient], &options).await.unwrap();
    let key = new_key(&sealer).await;
    let made = AgeKey::generate();
    let signing = backup_crypto::keygen::SigningKey::generate("host").unwrap();
    let identities = identity(&line).passphrase(passphrase("hush-hush"));
    let text = format!("{options:?} {sealer:?} {key:?} {made:?} {signing:?} {identities:?}");
    assert!(!text.contains("hush-hush") && !text.contains("SECRET") && !text.contains(&line), "{text}");
    assert!(!text.contains("PRIVATE"), "{text}");
}
