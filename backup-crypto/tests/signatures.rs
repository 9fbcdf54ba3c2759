//! Signing documents and trusting signers: OpenSSH's ssh-keygen and ours, both ways.

mod support;

use backup_core::error::codes::BAD_SIGNATURE;
use backup_core::signature::{DocumentKind, Signer as _, TrustPolicy as _};
use backup_crypto::error::codes::{INVALID_SIGNING_KEY, INVALID_TRUSTED_SIGNERS, WRONG_PASSPHRASE};
use backup_crypto::keygen::SigningKey;
use backup_crypto::{NoPrompt, SshSigner, TrustedSigners};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::ExposeSecret;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::*;

const MESSAGE: &[u8] = b"{\n  \"id\": \"20261120T020000Z-7f3a9c51d2e8b604\"\n}\n";
const MANIFEST: DocumentKind = DocumentKind::Manifest;

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn signer(key: &SigningKey) -> SshSigner {
    let file = key.private_file().unwrap();
    SshSigner::from_openssh("the test's key", &secret(file.expose_secret()), &NoPrompt).unwrap()
}

fn trusted(list: &str) -> TrustedSigners {
    TrustedSigners::parse(list, &TimeZone::UTC).unwrap()
}

fn keygen(folder: &Folder, name: &str, arguments: &[&str]) -> PathBuf {
    let path = folder.path(name);
    let mut all = vec!["-q", "-N", "", "-C", "", "-f", text(&path)];
    all.extend(arguments);
    ok(run("ssh-keygen", "openssh-client", &all, b""));
    path
}

fn public(path: &Path) -> String {
    std::fs::read_to_string(format!("{}.pub", path.display())).unwrap().trim().to_owned()
}

/// RESTORE.md's command.
fn ssh_keygen_verifies(folder: &Folder, list: &str, namespace: &str, message: &[u8], signature: &str) -> bool {
    let (list, signature) = (folder.write("allowed", list), folder.write("signature", signature));
    let arguments = ["-Y", "verify", "-f", text(&list), "-I", "host", "-n", namespace, "-s", text(&signature)];
    run("ssh-keygen", "openssh-client", &arguments, message).status.success()
}

#[tokio::test]
async fn ssh_keygen_accepts_our_signatures() {
    let folder = Folder::new();
    for arguments in [&["-t", "ed25519"][..], &["-t", "ecdsa", "-b", "256"], &["-t", "rsa", "-b", "2048"]] {
        let path = keygen(&folder, arguments[1], arguments);
        let signer = SshSigner::from_file(&path, Arc::new(NoPrompt)).await.unwrap();
        let signature = signer.sign(MANIFEST, MESSAGE).await.unwrap();
        assert!(signature.starts_with("-----BEGIN SSH SIGNATURE-----\n"), "{signature}");
        assert!(signature.ends_with("\n-----END SSH SIGNATURE-----\n"), "{signature}");
        let list = signer.allowed_signers_line("host").unwrap();
        assert!(ssh_keygen_verifies(&folder, &list, "backproof-manifest", MESSAGE, &signature), "{arguments:?}");
        assert!(!ssh_keygen_verifies(&folder, &list, "backproof-tombstone", MESSAGE, &signature));
        assert!(!ssh_keygen_verifies(&folder, &list, "backproof-manifest", b"other", &signature));
        let checked = trusted(&list).check(MANIFEST, MESSAGE, &signature, now()).unwrap();
        assert_eq!((checked.principal.as_str(), checked.fingerprint), ("host", signer.fingerprint()));
    }
}

#[tokio::test]
async fn our_policy_accepts_what_ssh_keygen_signs() {
    let folder = Folder::new();
    for arguments in [&["-t", "ed25519"][..], &["-t", "ecdsa", "-b", "256"], &["-t", "rsa", "-b", "3072"]] {
        let path = keygen(&folder, arguments[1], arguments);
        let sign = ["-q", "-Y", "sign", "-n", "backproof-manifest", "-f", text(&path), "-"];
        let signature = String::from_utf8(ok(run("ssh-keygen", "openssh-client", &sign, MESSAGE))).unwrap();
        let list = trusted(&format!("host namespaces=\"backproof-manifest\" {}", public(&path)));
        list.check(MANIFEST, MESSAGE, &signature, now()).unwrap();
    }
}

#[track_caller]
fn refused(list: &TrustedSigners, kind: DocumentKind, message: &[u8], signature: &str, reason: &str) {
    let error = list.check(kind, message, signature, now()).expect_err(reason);
    assert!(error.is(&BAD_SIGNATURE) && error.to_string().contains(reason), "{reason:?}: {error:?}");
}

#[tokio::test]
async fn what_is_refused() {
    let (key, other) = (SigningKey::generate("").unwrap(), SigningKey::generate("").unwrap());
    let signature = signer(&key).sign(MANIFEST, MESSAGE).await.unwrap();
    let list = trusted(&key.allowed_signers_line("host", backup_crypto::keygen::Purpose::Backup).unwrap());
    list.check(MANIFEST, MESSAGE, &signature, now()).unwrap();

    let mut altered = MESSAGE.to_vec();
    altered[10] ^= 1;
    refused(&list, MANIFEST, &altered, &signature, "altered");
    refused(&list, MANIFEST, &MESSAGE[1..], &signature, "altered");
    refused(
        &list,
        DocumentKind::Evidence,
        MESSAGE,
        &signature,
        "is for \"backproof-manifest\" where backproof-evidence",
    );
    let others = trusted(&other.allowed_signers_line("host", backup_crypto::keygen::Purpose::Backup).unwrap());
    refused(&others, MANIFEST, MESSAGE, &signature, "not among the trusted signers");
    // The host's key is trusted for manifests and evidence, and for nothing that deletes.
    for kind in [DocumentKind::Tombstone, DocumentKind::Release, DocumentKind::Erasure, DocumentKind::Keys] {
        let signature = signer(&key).sign(kind, MESSAGE).await.unwrap();
        refused(&list, kind, MESSAGE, &signature, "is not trusted for backproof-");
    }
    let evidence = signer(&key).sign(DocumentKind::Evidence, MESSAGE).await.unwrap();
    list.check(DocumentKind::Evidence, MESSAGE, &evidence, now()).unwrap();

    for unreadable in [
        "",
        "no signature",
        "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
        "-----BEGIN SSH SIGNATURE-----\n!!!!\n-----END SSH SIGNATURE-----\n",
        &format!("{signature}{signature}"),
        &format!("before\n{signature}"),
        &format!("{signature}after\n"),
        &signature.replace("SIGNATURE", "PUBLIC KEY"),
        &signature[..signature.len() / 2],
    ] {
        refused(&list, MANIFEST, MESSAGE, unreadable, "can be read");
    }
    // Every character of the armour matters.
    for position in (30..signature.len() - 30).step_by(3) {
        let mut damaged = signature.clone().into_bytes();
        damaged[position] = if damaged[position] == b'A' { b'B' } else { b'A' };
        let damaged = String::from_utf8(damaged).unwrap();
        match list.check(MANIFEST, MESSAGE, &damaged, now()) {
            Ok(_) => panic!("character {position}: {damaged}\n{signature}"),
            Err(error) => assert!(error.is(&BAD_SIGNATURE), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn validity_is_judged_now() {
    let key = SigningKey::generate("").unwrap();
    let public = key.public_file().unwrap();
    let signature = signer(&key).sign(MANIFEST, MESSAGE).await.unwrap();
    let at = |options: &str, zone: &TimeZone, time: &str| {
        TrustedSigners::parse(&format!("host {options} {public}"), zone)
            .unwrap()
            .check(MANIFEST, MESSAGE, &signature, time.parse().unwrap())
            .map_err(|error| error.to_string())
    };
    let utc = &TimeZone::UTC;
    let zone = &TimeZone::get("Europe/Zurich").unwrap();
    let before = "valid-before=\"20261121120000Z\"";
    assert!(at(before, utc, "2026-11-21T12:00:00Z").is_ok(), "at the time itself, as in OpenSSH");
    assert!(at(before, utc, "2026-11-21T12:00:01Z").unwrap_err().contains("was valid until 2026-11-21T12:00:00Z"));
    let after = "valid-after=\"202611211200Z\"";
    assert!(at(after, utc, "2026-11-21T12:00:00Z").is_ok());
    assert!(at(after, utc, "2026-11-21T11:59:59Z").unwrap_err().contains("is not valid before"));
    let day = "valid-after=\"20261121\",valid-before=\"20261122\"";
    assert!(at(day, utc, "2026-11-20T23:30:00Z").is_err());
    assert!(at(day, zone, "2026-11-20T23:30:00Z").is_ok(), "without Z, times are in the zone");
    assert!(at(day, zone, "2026-11-21T23:00:01Z").is_err());
    assert!(at("VALID-BEFORE=\"20261121Z\"", utc, "2026-11-21T00:00:01Z").is_err(), "option names in any case");

    // The same key twice: one line suffices.
    let list = trusted(&format!("old valid-before=\"20200101Z\" {public}new {public}"));
    assert_eq!(list.check(MANIFEST, MESSAGE, &signature, now()).unwrap().principal, "new");
    assert_eq!(list.signers().count(), 2);
}

#[tokio::test]
async fn namespaces_are_patterns() {
    let key = SigningKey::generate("").unwrap();
    let public = key.public_file().unwrap();
    let signature = signer(&key).sign(MANIFEST, MESSAGE).await.unwrap();
    let folder = Folder::new();
    for (patterns, trusts) in [
        ("backproof-manifest", true),
        ("file,backproof-manifest", true),
        ("backproof-*", true),
        ("*", true),
        ("backproof-?anifest", true),
        ("*-manifest", true),
        ("*a*i*t", true),
        ("backproof-*,!backproof-manifest", false),
        ("!backproof-tombstone,backproof-*", true),
        ("!backproof-tombstone", false),
        ("backproof-manifes", false),
        ("backproof-manifest?", false),
        ("Backproof-Manifest", false),
        ("", false),
        ("*x", false),
    ] {
        let line = format!("host namespaces=\"{patterns}\" {public}");
        let ours = trusted(&line).check(MANIFEST, MESSAGE, &signature, now()).is_ok();
        assert_eq!(ours, trusts, "{patterns}");
        // OpenSSH is the judge of what the list means.
        let theirs = ssh_keygen_verifies(&folder, &line, "backproof-manifest", MESSAGE, &signature);
        assert_eq!(theirs, trusts, "{patterns}, by ssh-keygen");
    }
}

#[test]
fn lists_that_are_refused() {
    let key = SigningKey::generate("me").unwrap().public_file().unwrap();
    let key = key.trim();
    for (list, reason) in [
        (String::new(), "names nobody"),
        ("# only a comment\n\n".into(), "names nobody"),
        (format!("# one\nhost {key}\nhost cert-authority {key}\n"), "line 3: cert-authority is not supported"),
        (format!("host no-touch-required {key}"), "line 1: the option \"no-touch-required\" is not known"),
        (format!("host namespaces=\"file\",verify-required {key}"), "\"verify-required\" is not known"),
        (format!("host namespaces=file {key}"), "needs a value in quotes"),
        (format!("host namespaces {key}"), "needs a value in quotes"),
        (format!("host namespaces=\"a\",namespaces=\"b\" {key}"), "is there twice"),
        (format!("host namespaces=\"a {key}"), "quote is not closed"),
        (format!("host valid-after=\"tomorrow\" {key}"), "is not a time"),
        (format!("host valid-after=\"2026-11-21\" {key}"), "is not a time"),
        (format!("host valid-after=\"20261321Z\" {key}"), "is not a time"),
        (format!("host valid-after=\"2026112112Z\" {key}"), "is not a time"),
        (format!("host valid-after=\"20261121Z\",valid-before=\"20261121Z\" {key}"), "not later than valid-after"),
        ("host".into(), "is not known"),
        ("host ssh-ed25519".into(), "cannot be read"),
        ("host ssh-ed25519 AAAA".into(), "cannot be read"),
        (key.into(), "is not known"),
        (format!("\"\" {key}"), "principal is empty"),
        ("host -----BEGIN OPENSSH PRIVATE KEY-----".into(), "not known"),
    ] {
        let error = TrustedSigners::parse(&list, &TimeZone::UTC).expect_err(reason);
        assert!(error.is(&INVALID_TRUSTED_SIGNERS) && error.to_string().contains(reason), "{reason:?}: {error:?}");
    }
    let folder = Folder::new();
    let weak = keygen(&folder, "weak", &["-t", "rsa", "-b", "1024"]);
    let error = TrustedSigners::parse(&format!("host {}", public(&weak)), &TimeZone::UTC).unwrap_err();
    assert!(error.to_string().contains("2048 are the least"), "{error:?}");
    // Windows' line ends, tabs and quoted principals are fine.
    let list = format!("\"host\"\tnamespaces=\"backproof-*\" {key} and more words\r\n# end\r\n");
    assert_eq!(trusted(&list).signers().next().unwrap().principal, "host");
}

#[tokio::test]
async fn signing_keys_that_cannot_be_used() {
    let folder = Folder::new();
    let key = SigningKey::generate("").unwrap();
    let public = folder.write("key.pub", key.public_file().unwrap());
    let error = SshSigner::from_file(&public, Arc::new(NoPrompt)).await.unwrap_err();
    assert!(error.is(&INVALID_SIGNING_KEY) && error.hint().contains("public key"), "{error:?}");
    let weak = keygen(&folder, "weak", &["-t", "rsa", "-b", "1024"]);
    let error = SshSigner::from_file(&weak, Arc::new(NoPrompt)).await.unwrap_err();
    assert!(error.is(&INVALID_SIGNING_KEY) && error.to_string().contains("1024 bits"), "{error:?}");
    let curve = keygen(&folder, "p384", &["-t", "ecdsa", "-b", "384"]);
    let error = SshSigner::from_file(&curve, Arc::new(NoPrompt)).await.unwrap_err();
    assert!(error.is(&INVALID_SIGNING_KEY) && error.to_string().contains("cannot sign here"), "{error:?}");
    let error = SshSigner::from_file(folder.path("absent"), Arc::new(NoPrompt)).await.unwrap_err();
    assert!(error.to_string().contains("absent"), "{error:?}");

    let protected = folder.write("protected", key.protected_private_file(&passphrase("pw")).unwrap().expose_secret());
    let signer = SshSigner::from_file(&protected, Arc::new(|_: &str| Ok(passphrase("pw")))).await.unwrap();
    assert_eq!(signer.fingerprint(), key.fingerprint());
    assert_eq!(format!("{signer:?}"), format!("SshSigner({:?})", key.fingerprint()));
    let error = SshSigner::from_file(&protected, Arc::new(|_: &str| Ok(passphrase("no")))).await.unwrap_err();
    assert!(error.is(&WRONG_PASSPHRASE), "{error:?}");
}

/// A signature by a FIDO key (OpenSSH's PROTOCOL.u2f), made here because the tests have no device to touch.
#[test]
fn a_hardware_keys_signature_needs_a_touch() {
    use rand::rngs::OsRng;
    use sha2::{Digest as _, Sha256};
    use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, Signature, SshSig, public};
    let device = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).unwrap();
    let ssh_key::public::KeyData::Ed25519(point) = device.public_key().key_data() else { unreachable!() };
    let key = public::KeyData::SkEd25519(public::SkEd25519::new(*point, "ssh:"));
    let line = ssh_key::PublicKey::new(key.clone(), "").to_openssh().unwrap();
    let list = trusted(&format!("host {line}"));
    for flags in [1u8, 0] {
        let signed = SshSig::signed_data(&MANIFEST.namespace(), HashAlg::Sha512, MESSAGE).unwrap();
        let counter = [flags, 0, 0, 0, 7];
        let data = [&Sha256::digest("ssh:")[..], &counter, &Sha256::digest(signed)].concat();
        let plain: Signature = signature::Signer::try_sign(&device, &data).unwrap();
        let bytes = [plain.as_bytes(), &counter].concat();
        let signature = Signature::new(Algorithm::SkEd25519, bytes).unwrap();
        let armoured = SshSig::new(key.clone(), MANIFEST.namespace(), HashAlg::Sha512, signature)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .unwrap();
        let result = list.check(MANIFEST, MESSAGE, &armoured, now());
        if flags == 1 {
            result.unwrap();
        } else {
            assert!(result.unwrap_err().to_string().contains("without a touch"));
        }
    }
}
