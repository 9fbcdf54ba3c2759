//! Segments that stock tools would open, and that are refused all the same.

mod support;

use backup_core::cipher::Cipher as _;
use backup_core::error::codes::DECRYPT_FAILED;
use backup_core::testing::cipher::sample;
use backup_crypto::{AgeCipher, OpenpgpCipher};
use secrecy::ExposeSecret;
use std::io::Write as _;
use support::*;

fn age_cipher() -> (AgeCipher, age::x25519::Identity) {
    let identity = age::x25519::Identity::generate();
    (AgeCipher::new(identity.clone()), identity)
}

#[track_caller]
fn refuses(cipher: &dyn backup_core::cipher::Cipher, segment: &[u8], reason: &str) {
    let error = unseal(cipher, segment).expect_err(reason);
    assert!(error.is(&DECRYPT_FAILED), "{error:?}");
    assert!(error.to_string().contains(reason), "{reason:?}: {error:?}");
}

#[test]
fn our_age_header_is_one_stanza_and_nothing_else() {
    let (cipher, _) = age_cipher();
    let sealed = seal(&cipher, b"plain");
    let header = String::from_utf8(sealed[..168].to_vec()).unwrap();
    let lines: Vec<&str> = header.split('\n').collect();
    assert_eq!(lines[0], "age-encryption.org/v1");
    assert!(lines[1].starts_with("-> X25519 ") && lines[1].len() == 53, "{header}");
    assert_eq!(lines[2].len(), 43);
    assert!(lines[3].starts_with("--- ") && lines[3].len() == 47, "{header}");
    assert_eq!(&lines[4..], [""]);
    assert_eq!(sealed.len(), 168 + 16 + 5 + 16);
}

#[test]
fn age_files_of_another_form() {
    let (cipher, identity) = age_cipher();
    let folder = Folder::new();
    let mine = identity.to_public().to_string();
    let (_, other) = age_key();
    let age = |arguments: &[&str]| ok(run("age", "age", arguments, b"plain"));
    let foreign = "exactly one X25519 recipient";
    refuses(&cipher, &age(&["-r", &mine, "-r", &other]), foreign);
    refuses(&cipher, &age(&["-r", &other, "-r", &mine]), foreign);
    refuses(&cipher, &age(&["-a", "-r", &mine]), foreign);
    let ssh = folder.path("ssh");
    ok(run("ssh-keygen", "openssh-client", &["-q", "-t", "ed25519", "-N", "", "-f", text(&ssh)], b""));
    refuses(&cipher, &age(&["-R", &format!("{}.pub", text(&ssh))]), foreign);
    refuses(&cipher, &age(&["-r", &other]), "does not open with this backup's key");
    // The age crate adds a stanza that means nothing.
    let encryptor =
        age::Encryptor::with_recipients(std::iter::once(&identity.to_public() as &dyn age::Recipient)).unwrap();
    let mut writer = encryptor.wrap_output(Vec::new()).unwrap();
    writer.write_all(b"plain").unwrap();
    refuses(&cipher, &writer.finish().unwrap(), foreign);
    let mut scrypt = age::scrypt::Recipient::new(passphrase("x"));
    scrypt.set_work_factor(2);
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&scrypt as &dyn age::Recipient)).unwrap();
    refuses(&cipher, &encryptor.wrap_output(Vec::new()).unwrap().finish().unwrap(), foreign);
    refuses(&cipher, &seal(&OpenpgpCipher::new(passphrase("k")), b"plain"), foreign);
    refuses(&cipher, b"", "cut off");
}

#[test]
fn the_age_crate_opens_ours() {
    let (cipher, identity) = age_cipher();
    for size in [0, 1, 65_536, 65_537] {
        let plain = sample(size);
        assert!(age::decrypt(&identity, &seal(&cipher, &plain)).unwrap() == plain);
    }
}

#[test]
fn each_damage_to_an_age_segment_has_its_own_words() {
    let (cipher, _) = age_cipher();
    let sealed = seal(&cipher, &sample(200_000));
    let flipped = |position: usize| {
        let mut damaged = sealed.clone();
        damaged[position] ^= 1;
        damaged
    };
    let chunk = |number: usize| 184 + number * 65_552;
    refuses(&cipher, &flipped(5), "exactly one X25519 recipient");
    let mut mac = sealed.clone();
    mac[130] = if mac[130] == b'A' { b'B' } else { b'A' };
    refuses(&cipher, &mac, "header was altered");
    refuses(&cipher, &flipped(chunk(1)), "chunk 1 was altered");
    refuses(&cipher, &flipped(sealed.len() - 1), "last chunk, 3, was altered");
    refuses(&cipher, &sealed[..100], "cut off");
    refuses(&cipher, &sealed[..170], "cut off after its header");
    refuses(&cipher, &sealed[..chunk(2)], "cut off after chunk 1");
    refuses(&cipher, &sealed[..chunk(2) + 3], "ends inside chunk 2");
    refuses(&cipher, &sealed[..chunk(2) + 300], "last chunk, 2, was altered or is cut off");
    // Two chunks in each other's place.
    let mut swapped = sealed[..chunk(0)].to_vec();
    swapped.extend_from_slice(&sealed[chunk(1)..chunk(2)]);
    swapped.extend_from_slice(&sealed[chunk(0)..chunk(1)]);
    swapped.extend_from_slice(&sealed[chunk(2)..]);
    refuses(&cipher, &swapped, "chunk 0 was altered");
    // One file's header with another's payload.
    let mut spliced = seal(&cipher, &sample(200_000))[..184].to_vec();
    spliced.extend_from_slice(&sealed[184..]);
    refuses(&cipher, &spliced, "chunk 0 was altered");
    let mut out = Vec::new();
    let error = cipher.open(&sealed, 199_999, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "the segment holds 200000 bytes where at most 199999 may be");
}

const K: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

#[test]
fn openpgp_messages_of_another_form() {
    let gpg = Gpg::new();
    let k = gpg.home.write("k", format!("{K}\n"));
    let fingerprint = gpg.usual_key("Me <me@example.com>", "");
    let cipher = OpenpgpCipher::new(passphrase(K));
    let plain = gpg.home.write("plain", sample(20_000));
    let made = |arguments: &str| {
        let usual = "--no-symkey-cache --trust-model always --yes --s2k-digest-algo SHA256 --passphrase-file";
        let mut all: Vec<&str> = usual.split(' ').collect();
        all.push(text(&k));
        all.extend(arguments.split(' '));
        let sealed = gpg.home.path("sealed");
        all.extend(["-o", text(&sealed), text(&plain)]);
        gpg.ok(&all, b"");
        let sealed = std::fs::read(&sealed).unwrap();
        assert!(
            !gpg.ok(&["--ignore-mdc-error", "--passphrase-file", text(&k), "-d"], &sealed).is_empty(),
            "gpg opens it"
        );
        sealed
    };
    let good = made("-z 0 --cipher-algo AES256 --s2k-mode 1 -c");
    assert!(unseal(&cipher, &good).is_ok(), "the form that is accepted");
    refuses(&cipher, &made("-z 0 --cipher-algo AES128 --s2k-mode 1 -c"), "AES-256");
    refuses(&cipher, &made("-z 0 --cipher-algo AES256 --s2k-mode 3 -c"), "salted SHA-256");
    refuses(&cipher, &made("-z 0 --cipher-algo AES256 --s2k-mode 0 -c"), "salted SHA-256");
    refuses(&cipher, &made("-z 6 --cipher-algo AES256 --s2k-mode 1 -c"), "");
    refuses(&cipher, &made("-a -z 0 --cipher-algo AES256 --s2k-mode 1 -c"), "there is no OpenPGP packet");
    refuses(&cipher, &made(&format!("-z 0 --cipher-algo AES256 -r {fingerprint} -e")), "another packet");
    let both = made(&format!("-z 0 --cipher-algo AES256 --s2k-mode 1 -r {fingerprint} -e -c"));
    refuses(&cipher, &both, "another packet");
    refuses(&cipher, &made("-z 0 --store"), "");
    // Unprotected data, which gpg opens with a warning.
    refuses(&cipher, &made("--rfc2440 --disable-mdc -z 0 --cipher-algo AES256 --s2k-mode 1 -c"), "");
}

#[test]
fn openpgp_messages_with_more_or_less() {
    let cipher = OpenpgpCipher::new(passphrase(K));
    let sealed = seal(&cipher, &sample(1000));
    let with = |after: &[u8]| [sealed.as_slice(), after].concat();
    let (skesk, seipd) = sealed.split_at(47);
    refuses(&cipher, &with(&sealed), "something follows");
    refuses(&cipher, &with(&[0xca, 3, b'P', b'G', b'P']), "something follows");
    refuses(&cipher, &with(b"\n"), "something follows");
    refuses(&cipher, &[skesk, skesk, seipd].concat(), "another packet");
    refuses(&cipher, &[&[0xca, 3, b'P', b'G', b'P'], sealed.as_slice()].concat(), "another packet");
    refuses(&cipher, seipd, "another packet");
    refuses(&cipher, skesk, "cut off");
    refuses(&cipher, &sealed[..600], "cut off");
    refuses(&OpenpgpCipher::new(passphrase("another")), &sealed, "");
    let mut old = sealed.clone();
    old[47] = 0xc0 | 9; // tag 9: data without integrity protection
    refuses(&cipher, &old, "another packet");
    let mut version_2 = sealed.clone();
    version_2[53] = 2;
    refuses(&cipher, &version_2, "not of version 1");
    let mut pieces = sealed.clone();
    pieces[48] = 0xe9;
    refuses(&cipher, &pieces, "in pieces");
    let mut out = Vec::new();
    let error = cipher.open(&sealed, 999, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "the segment holds 1000 bytes where at most 999 may be");
    let error = cipher.open(&seal(&cipher, &sample(5000)), 999, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "the segment holds more than the 999 bytes that may be");
}

/// A bucket's owner cannot take one backup's segments for another's.
#[test]
fn segments_of_another_backup() {
    let (first, _) = age_cipher();
    let (second, identity) = age_cipher();
    assert_ne!(identity.to_string().expose_secret().len(), 0);
    refuses(&second, &seal(&first, b"plain"), "does not open with this backup's key");
}
