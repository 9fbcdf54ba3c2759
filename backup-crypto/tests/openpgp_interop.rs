//! GnuPG 2.2 and ours, both ways.

mod support;

use backup_core::cipher::Scheme;
use backup_core::testing::cipher::sample;
use backup_crypto::{Identities, OpenpgpCipher, RecipientOptions, Recipients};
use support::*;

const SIZES: [usize; 6] = [0, 1, 191, 8_383, 65_536, 300_000];

/// RESTORE.md's commands: `gpg -d keys/0001.gpg > k`, then gpg with `--passphrase-file k` for each segment.
#[tokio::test]
async fn stock_gpg_restores() {
    let gpg = Gpg::new();
    let fingerprint = gpg.usual_key("Backups <backups@example.com>", "");
    let options = RecipientOptions { keyring: gpg.keyring(), ..options() };
    let key = new_key(&Recipients::parse(&[fingerprint], &options).await.unwrap()).await;
    assert_eq!(key.scheme, Scheme::OpenpgpAes256);
    let line = gpg.ok(&["-d"], &key.files[0].bytes);
    assert!(line.len() == 65 && line.ends_with(b"\n"), "64 hex digits and a line feed");
    let k = gpg.home.write("k", line);
    for size in SIZES {
        let plain = sample(size);
        let segment = seal(key.cipher.as_ref(), &plain);
        let opened = gpg.ok(&["--passphrase-file", text(&k), "-d"], &segment);
        assert!(opened == plain, "{size} bytes");
    }
    let segment = seal(key.cipher.as_ref(), &sample(100));
    let packets = gpg.ok(&["--passphrase-file", text(&k), "--list-packets"], &segment);
    let packets = String::from_utf8(packets).unwrap();
    assert!(packets.contains("symkey enc packet: version 4, cipher 9"), "{packets}");
    assert!(packets.contains("s2k 1, hash 8, seskey 256 bits"), "{packets}");
    assert!(packets.contains("mdc_method: 2"), "{packets}");
    assert!(!packets.contains("compressed"), "{packets}");
}

#[test]
fn we_open_segments_that_gpg_made() {
    let gpg = Gpg::new();
    let line = "0123456789abcdef".repeat(4);
    let k = gpg.home.write("k", format!("{line}\n"));
    let cipher = OpenpgpCipher::new(passphrase(&line));
    for size in SIZES {
        let plain = sample(size);
        let (file, sealed) = (gpg.home.write("plain", &plain), gpg.home.path("sealed"));
        let arguments = "--yes -z 0 --cipher-algo AES256 --s2k-mode 1 --s2k-digest-algo SHA256 --no-symkey-cache";
        let mut arguments: Vec<&str> = arguments.split(' ').collect();
        arguments.extend(["--passphrase-file", text(&k), "-o", text(&sealed), "-c", text(&file)]);
        gpg.ok(&arguments, b"");
        assert!(unseal(&cipher, &std::fs::read(&sealed).unwrap()).unwrap() == plain, "{size} bytes");
    }
}

#[tokio::test]
async fn gpg_opens_what_is_sealed_to_every_kind_of_its_keys() {
    for (algorithm, usage) in [("rsa2048", "cert,sign,encr"), ("nistp256", "")] {
        let gpg = Gpg::new();
        let fingerprint = if usage.is_empty() {
            let fingerprint = gpg.generate("Key <key@example.com>", "", algorithm, "cert,sign", "never");
            gpg.ok(&["--passphrase", "", "--quick-add-key", &fingerprint, algorithm, "encr", "never"], b"");
            fingerprint
        } else {
            gpg.generate("Key <key@example.com>", "", algorithm, usage, "never")
        };
        let public = gpg.home.write("key.gpg", gpg.ok(&["--export", &fingerprint], b""));
        let key = new_key(&recipients(&[text(&public)]).await).await;
        assert_eq!(key.files[0].recipients[0].id, fingerprint);
        assert_eq!(gpg.ok(&["-d"], &key.files[0].bytes).len(), 65, "{algorithm}");
        let secret = gpg.ok(&["--export-secret-keys", &fingerprint], b"");
        open(&identity(secret), &key).await.unwrap();
    }
}

#[tokio::test]
async fn we_open_a_key_file_that_gpg_made() {
    let gpg = Gpg::new();
    let fingerprint = gpg.usual_key("Backups <backups@example.com>", "");
    let public = gpg.home.write("key.asc", gpg.ok(&["--armor", "--export", &fingerprint], b""));
    let mut key = new_key(&recipients(&[text(&public)]).await).await;
    let line = gpg.ok(&["-d"], &key.files[0].bytes);
    // As someone would do by hand: gpg compresses, and writes the packets in pieces.
    key.files[0].bytes = gpg.ok(&["--trust-model", "always", "-r", &fingerprint, "-e"], &line);
    let secret = gpg.ok(&["--export-secret-keys", &fingerprint], b"");
    open(&identity(secret), &key).await.unwrap();
}

#[tokio::test]
async fn a_secret_key_with_a_passphrase_or_without_its_primary_half() {
    let gpg = Gpg::new();
    let fingerprint = gpg.usual_key("Backups <backups@example.com>", "open sesame");
    let public = gpg.home.write("key.asc", gpg.ok(&["--export", &fingerprint], b""));
    let key = new_key(&recipients(&[text(&public)]).await).await;
    for (name, export) in [("whole", "--export-secret-keys"), ("subkeys", "--export-secret-subkeys")] {
        let exported = gpg.ok(&["--passphrase", "open sesame", "--armor", export, &fingerprint], b"");
        let path = gpg.home.write(name, exported);
        let right = |_: &str| Ok(passphrase("open sesame"));
        let identities = Identities::new().prompt(std::sync::Arc::new(right)).file(&path).await.unwrap();
        open(&identities, &key).await.unwrap();
        let wrong = |_: &str| Ok(passphrase("open barley"));
        let identities = Identities::new().prompt(std::sync::Arc::new(wrong)).file(&path).await.unwrap();
        let error = open(&identities, &key).await.unwrap_err();
        assert!(error.is(&backup_crypto::error::codes::WRONG_PASSPHRASE), "{error:?}");
        assert!(error.to_string().contains(&fingerprint), "{error:?}");
    }
}

#[tokio::test]
async fn age_and_openpgp_recipients_together() {
    let gpg = Gpg::new();
    let fingerprint = gpg.usual_key("Backups <backups@example.com>", "");
    let public = gpg.home.write("key.asc", gpg.ok(&["--export", &fingerprint], b""));
    let (line, recipient) = age_key();
    let options = RecipientOptions { passphrase: Some(passphrase("a passphrase too")), ..options() };
    let specs = [recipient, text(&public).to_owned()];
    let key = new_key(&Recipients::parse(&specs, &options).await.unwrap()).await;
    assert_eq!(key.scheme, Scheme::AgeX25519);
    let kinds: Vec<_> = key.files.iter().map(|file| (file.ending.as_str(), file.recipients[0].kind.as_str())).collect();
    assert_eq!(kinds, [("age", "age"), ("age", "passphrase"), ("gpg", "openpgp")]);
    open(&identity(line), &key).await.unwrap();
    open(&Identities::new().passphrase(passphrase("a passphrase too")), &key).await.unwrap();
    open(&identity(gpg.ok(&["--export-secret-keys", &fingerprint], b"")), &key).await.unwrap();
    // Holders of the OpenPGP key alone: gpg for the key, age for the segments.
    let k = gpg.home.write("k", gpg.ok(&["-d"], &key_file(&key, "openpgp").bytes));
    let plain = sample(5000);
    let segment = seal(key.cipher.as_ref(), &plain);
    assert!(ok(run("age", "age", &["-d", "-i", text(&k)], &segment)) == plain);
}
