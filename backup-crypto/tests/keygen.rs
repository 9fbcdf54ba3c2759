//! Making keys, and their form on paper.

mod support;

use backup_core::error::codes::ALREADY_EXISTS;
use backup_crypto::error::codes::{INVALID_PAPER_KEY, INVALID_SIGNING_KEY};
use backup_crypto::keygen::{AgeKey, Purpose, SigningKey, write_private, write_public};
use backup_crypto::{Identities, paper};
use proptest::prelude::*;
use secrecy::ExposeSecret;
use std::os::unix::fs::PermissionsExt;
use support::*;

fn created() -> jiff::Timestamp {
    "2026-11-21T05:06:07.89Z".parse().unwrap()
}

#[test]
fn an_identity_file_is_as_age_keygen_writes_it() {
    let folder = Folder::new();
    let key = AgeKey::generate();
    let path = folder.path("key.txt");
    write_private(&path, key.identity_file(created()).expose_secret().as_bytes()).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let expected = format!(
        "# created: 2026-11-21T05:06:07Z\n# public key: {}\n{}\n",
        key.recipient(),
        key.secret().expose_secret()
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    let recipient = ok(run("age-keygen", "age", &["-y", text(&path)], b""));
    assert_eq!(String::from_utf8(recipient).unwrap().trim(), key.recipient());

    let error = write_private(&path, b"other").unwrap_err();
    assert!(error.is(&ALREADY_EXISTS), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected, "nothing was overwritten");
    let link = folder.path("link");
    std::os::unix::fs::symlink(folder.path("elsewhere"), &link).unwrap();
    assert!(write_private(&link, b"x").unwrap_err().is(&ALREADY_EXISTS), "a dangling link is not followed");
    write_public(&folder.path("key.pub"), b"x").unwrap();
    assert_eq!(folder.path("key.pub").metadata().unwrap().permissions().mode() & 0o133, 0);
}

#[tokio::test]
async fn a_protected_identity_file_opens_with_its_passphrase() {
    let key = AgeKey::generate();
    let file = key.protected_identity_file(created(), passphrase("pw"), FAST_LOG_N).unwrap();
    assert!(
        file.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----\n")
            && file.ends_with(b"-----END AGE ENCRYPTED FILE-----\n")
    );
    let sealed = new_key(&recipients(&[&key.recipient()]).await).await;
    let prompt = std::sync::Arc::new(backup_crypto::FixedPassphrase(passphrase("pw")));
    open(&Identities::new().prompt(prompt).text("key", &secret(file)).unwrap(), &sealed).await.unwrap();
    assert!(key.protected_identity_file(created(), passphrase(""), FAST_LOG_N).is_err());
}

#[test]
fn a_signing_key_is_one_for_ssh_keygen() {
    let folder = Folder::new();
    let key = SigningKey::generate("backups@db1").unwrap();
    let path = folder.path("signing");
    write_private(&path, key.private_file().unwrap().expose_secret().as_bytes()).unwrap();
    let public = String::from_utf8(ok(run("ssh-keygen", "openssh-client", &["-y", "-f", text(&path)], b""))).unwrap();
    assert_eq!(public, key.public_file().unwrap());
    assert!(public.starts_with("ssh-ed25519 ") && public.ends_with(" backups@db1\n"), "{public}");
    let listed = String::from_utf8(ok(run("ssh-keygen", "openssh-client", &["-lf", text(&path)], b""))).unwrap();
    assert!(listed.contains(&key.fingerprint()), "{listed}");
    let line = key.allowed_signers_line("backups@db1", Purpose::Backup).unwrap();
    assert_eq!(line, format!("backups@db1 namespaces=\"backproof-manifest,backproof-evidence\" {}", public.trim_end()));
    let line = key.allowed_signers_line("drills", Purpose::Proof).unwrap();
    assert!(line.starts_with("drills namespaces=\"backproof-proof,backproof-evidence\" "), "{line}");
    for principal in ["", "two words", "quo\"te", "a,b", "*"] {
        assert!(
            key.allowed_signers_line(principal, Purpose::Backup).unwrap_err().is(&INVALID_SIGNING_KEY),
            "{principal:?}"
        );
    }
    assert!(SigningKey::generate("two\nlines").is_err());

    let protected = folder.path("protected");
    let file = key.protected_private_file(&passphrase("pw")).unwrap();
    write_private(&protected, file.expose_secret().as_bytes()).unwrap();
    let arguments = |passphrase| ["-y", "-P", passphrase, "-f", protected.to_str().unwrap()];
    assert_eq!(ok(run("ssh-keygen", "openssh-client", &arguments("pw"), b"")), public.as_bytes());
    assert!(!run("ssh-keygen", "openssh-client", &arguments("no"), b"").status.success());
}

/// The key of age's own documentation, so that the page below never changes.
const KNOWN: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

#[test]
fn the_paper() {
    let form = paper::form(&passphrase(KNOWN), created()).unwrap();
    let form = form.expose_secret();
    let rows: Vec<&str> = form.lines().filter(|line| line.contains("  check ")).collect();
    let expected = [
        "    1   GQ97 78VQ XMMJ VE8S   check ",
        "    2   K7J6 VT8U J4HD QAJU   check ",
        "    3   VSFC WCM0 2D8G EWQ7   check ",
        "    4   2PVQ 2Y5J 33          check ",
    ];
    for (row, expected) in rows.iter().zip(expected) {
        assert!(row.starts_with(expected) && row.len() == expected.len() + 4, "{row:?}");
    }
    assert_eq!(rows.len(), 4);
    assert!(form.contains(
        "recipient  age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa\ncreated    2026-11-21\n"
    ));
    assert_eq!(paper::read(form).unwrap().expose_secret(), KNOWN, "the whole page");
    assert_eq!(
        paper::read(&rows.join("\n").to_lowercase()).unwrap().expose_secret(),
        KNOWN,
        "the rows, in small letters"
    );
    let backwards: Vec<&str> = rows.iter().rev().copied().collect();
    assert_eq!(paper::read(&backwards.join("\n")).unwrap().expose_secret(), KNOWN, "in another order");
    let tight = rows.join("\n").replace("check", "").replace("    1 ", "1\t");
    assert_eq!(paper::read(&tight).unwrap().expose_secret(), KNOWN, "other spaces");
    // These do not occur; whoever reads them means what looks like them.
    assert_eq!(paper::read(&rows.join("\n").replace('0', "O").replace('8', "B")).unwrap().expose_secret(), KNOWN);

    for (text, reason) in [
        (rows[..3].join("\n"), "row 4 is missing"),
        (String::new(), "row 1 is missing"),
        (format!("{}\n{}", rows.join("\n"), rows[2]), "row 3 is there twice"),
        (rows.join("\n").replace("K7J6", "K7J"), "row 2 has 19 characters where 16 and 4 of check belong"),
        (rows.join("\n").replace("K7J6", "K7J7"), "row 2 has a typing mistake"),
        (rows.join("\n").replace("K7J6 VT8U", "VT8U K7J6"), "row 2 has a typing mistake"),
        (rows.join("\n").replace("K7J6", "K7%6"), "row 2 has a character that does not occur"),
    ] {
        let error = paper::read(&text).unwrap_err();
        assert!(error.is(&INVALID_PAPER_KEY) && error.to_string().contains(reason), "{reason}: {error:?}");
    }
    let other = paper::form(&AgeKey::generate().secret(), created()).unwrap();
    let other: Vec<&str> = other.expose_secret().lines().filter(|line| line.contains("  check ")).collect();
    let mixed = [rows[0], rows[1], other[2], rows[3]].join("\n");
    let error = paper::read(&mixed).unwrap_err();
    assert!(error.to_string().contains("different papers"), "{error:?}");
    assert!(paper::form(&passphrase("not a key"), created()).unwrap_err().is(&INVALID_PAPER_KEY));
}

#[test]
fn the_papers_steps_work_without_the_program() {
    let folder = Folder::new();
    let key = AgeKey::generate();
    let form = paper::form(&key.secret(), created()).unwrap();
    let rows = form.expose_secret().lines().filter(|line| line.contains("  check "));
    let typed: String = rows.map(|row| row.split("check").next().unwrap()[5..].replace(' ', "")).collect();
    let path = folder.write("typed", format!("AGE-SECRET-KEY-1{typed}\n"));
    let recipient = ok(run("age-keygen", "age", &["-y", text(&path)], b""));
    assert_eq!(String::from_utf8(recipient).unwrap().trim(), key.recipient());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_single_mistake_is_found_in_its_row(row in 0..4usize, column in 0..10usize, replacement in 0..32usize) {
        let form = paper::form(&passphrase(KNOWN), created()).unwrap();
        let mut rows: Vec<String> =
            form.expose_secret().lines().filter(|line| line.contains("  check ")).map(str::to_owned).collect();
        let index = rows[row].char_indices().skip(5).filter(|(_, c)| c.is_ascii_alphanumeric()).nth(column).unwrap().0;
        let new = &"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"[replacement..=replacement];
        prop_assume!(&rows[row][index..=index] != new);
        rows[row].replace_range(index..=index, new);
        let error = paper::read(&rows.join("\n")).unwrap_err();
        prop_assert!(error.to_string().contains(&format!("row {}", row + 1)), "{:?}", error);
    }
}
