//! The core's conformance suites, on every cipher and every kind of recipient.

mod support;

use backup_core::testing::cipher::{cipher_conformance, key_conformance, sample};
use backup_crypto::{AgeCipher, Identities, OpenpgpCipher, Recipients};
use proptest::prelude::*;
use support::*;

#[test]
fn age_segments() {
    cipher_conformance(&AgeCipher::new(age::x25519::Identity::generate()));
}

#[test]
fn openpgp_segments() {
    cipher_conformance(&OpenpgpCipher::new(passphrase(&"0123456789abcdef".repeat(4))));
}

#[test]
fn no_encryption() {
    cipher_conformance(&backup_core::cipher::Plain);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_sealed_opens(size in prop_oneof![0..200usize, 65_000..66_000usize, 130_000..132_000usize], openpgp: bool) {
        let cipher: Box<dyn backup_core::cipher::Cipher> = if openpgp {
            Box::new(OpenpgpCipher::new(passphrase("a passphrase")))
        } else {
            Box::new(AgeCipher::new(age::x25519::Identity::generate()))
        };
        let plain = sample(size);
        let sealed = seal(cipher.as_ref(), &plain);
        prop_assert_eq!(sealed.len(), cipher.max_sealed_len(size), "max_sealed_len is exact for both");
        prop_assert!(unseal(cipher.as_ref(), &sealed).unwrap() == plain);
    }
}

#[tokio::test]
async fn an_age_key() {
    let (line, recipient) = age_key();
    let stranger = identity(age_key().0);
    key_conformance(&recipients(&[&recipient]).await, &identity(line), &stranger).await;
}

#[tokio::test]
async fn several_age_keys() {
    let ((_, first), (line, second)) = (age_key(), age_key());
    let stranger = identity(age_key().0);
    key_conformance(&recipients(&[&first, &second]).await, &identity(line), &stranger).await;
}

#[tokio::test]
async fn a_passphrase_alone() {
    let sealer = Recipients::parse(
        &[],
        &backup_crypto::RecipientOptions { passphrase: Some(passphrase("correct horse")), ..options() },
    )
    .await
    .unwrap();
    let opener = Identities::new().passphrase(passphrase("correct horse"));
    let stranger = Identities::new().passphrase(passphrase("battery staple"));
    key_conformance(&sealer, &opener, &stranger).await;
}

#[tokio::test]
async fn an_openpgp_key() {
    let gpg = Gpg::new();
    let fingerprint = gpg.usual_key("Backups <backups@example.com>", "");
    let public = gpg.home.write("key.asc", gpg.ok(&["--armor", "--export", &fingerprint], b""));
    let secret = gpg.ok(&["--armor", "--export-secret-keys", &fingerprint], b"");
    let other = gpg.usual_key("Stranger <stranger@example.com>", "");
    let stranger = gpg.ok(&["--export-secret-keys", &other], b"");
    key_conformance(&recipients(&[text(&public)]).await, &identity(secret), &identity(stranger)).await;
}

#[tokio::test]
async fn every_kind_at_once() {
    let gpg = Gpg::new();
    let fingerprint = gpg.usual_key("Backups <backups@example.com>", "");
    let public = gpg.home.write("key.asc", gpg.ok(&["--export", &fingerprint], b""));
    let ssh = gpg.home.path("ssh");
    ok(run("ssh-keygen", "openssh-client", &["-q", "-t", "ed25519", "-N", "", "-f", text(&ssh)], b""));
    let (line, recipient) = age_key();
    let specs = [recipient, format!("{}.pub", text(&ssh)), text(&public).to_owned()];
    let with_passphrase =
        backup_crypto::RecipientOptions { passphrase: Some(passphrase("correct horse")), ..options() };
    let sealer = Recipients::parse(&specs, &with_passphrase).await.unwrap();
    let stranger = identity(age_key().0).passphrase(passphrase("battery staple"));
    for opener in [
        identity(line),
        identity(std::fs::read(&ssh).unwrap()),
        identity(gpg.ok(&["--export-secret-keys", &fingerprint], b"")),
        Identities::new().passphrase(passphrase("correct horse")),
    ] {
        key_conformance(&sealer, &opener, &stranger).await;
    }
}

/// Programs spawn these on runtimes with several threads.
#[test]
fn futures_can_move_between_threads() {
    fn moves<T: Send>(_: T) {}
    let options = options();
    moves(Recipients::parse(&[], &options));
    moves(Identities::new().file("absent"));
    moves(backup_crypto::SshSigner::from_file("absent", std::sync::Arc::new(backup_crypto::NoPrompt)));
    moves(backup_crypto::TrustedSigners::from_file("absent", &jiff::tz::TimeZone::UTC));
}
