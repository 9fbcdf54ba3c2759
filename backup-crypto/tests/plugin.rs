//! age plugins, with one of the tests' own: `age-plugin-trial`, which "seals" by turning every bit around.
//!
//! The age crate looks for plugins on the PATH of its own process, and a test must not change that of others: each test runs
//! itself again as a child with another PATH.

mod support;

use backup_core::error::codes::WRONG_IDENTITY;
use backup_crypto::error::codes::PLUGIN_FAILED;
use backup_crypto::{Identities, Prompt, RecipientOptions, Recipients};
use std::process::Command;
use std::sync::{Arc, Mutex};
use support::*;

/// `age1trial1…` and `AGE-PLUGIN-TRIAL-1…`, both without data (Bech32, BIP 173).
fn names() -> (String, String) {
    (bech32("age1trial"), bech32("age-plugin-trial-").to_uppercase())
}

/// The Bech32 form of a name with no data.
fn bech32(name: &str) -> String {
    let polymod = |values: &[u8]| {
        values.iter().fold(1u32, |sum, value| {
            let top = sum >> 25;
            let sum = (sum & 0x1ff_ffff) << 5 ^ u32::from(*value);
            [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]
                .iter()
                .enumerate()
                .fold(sum, |sum, (bit, generator)| if top >> bit & 1 == 1 { sum ^ generator } else { sum })
        })
    };
    let mut values: Vec<u8> = name.bytes().map(|byte| byte >> 5).collect();
    values.push(0);
    values.extend(name.bytes().map(|byte| byte & 31));
    values.extend([0; 6]);
    let check = polymod(&values) ^ 1;
    let alphabet = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let check: String = (0..6).map(|i| char::from(alphabet[(check >> (5 * (5 - i)) & 31) as usize])).collect();
    format!("{name}1{check}")
}

/// The plugin protocol (<https://c2sp.org/age-plugin>), as much as it takes.
const PLUGIN: &str = r#"#!/usr/bin/env python3
import base64, os, sys

def read():
    head = sys.stdin.readline()
    if not head:
        sys.exit(1)
    words, body = head.split()[1:], ""
    while True:
        line = sys.stdin.readline().rstrip("\n")
        body += line
        if len(line) < 64:
            return words, base64.b64decode(body + "=" * (-len(body) % 4))

def write(*words, body=b""):
    text = base64.b64encode(body).decode().rstrip("=")
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    if not lines or len(lines[-1]) == 64:
        lines.append("")
    sys.stdout.write("-> " + " ".join(words) + "\n" + "\n".join(lines) + "\n")
    sys.stdout.flush()

def phase():
    commands = []
    while True:
        words, body = read()
        if words[0] == "done":
            return commands
        commands.append((words, body))

def ask(*words, body=b""):
    write(*words, body=body)
    return read()

def turned(body):
    return bytes(byte ^ 255 for byte in body)

fails = os.environ.get("TRIAL_FAILS")
commands = phase()
if sys.argv[1] == "--age-plugin=recipient-v1":
    ask("msg", body=b"sealing")
    if fails:
        ask("error", "internal", body=b"the trial device is on fire")
    for words, body in commands:
        if words[0] == "wrap-file-key" and not fails:
            ask("recipient-stanza", "0", "trial", body=turned(body))
else:
    answer, pin = ask("request-secret", body=b"PIN of the trial device")
    for words, body in commands:
        if words[0] == "recipient-stanza" and words[2] == "trial":
            if answer[0] == "ok" and pin == b"1234":
                ask("file-key", "0", body=turned(body))
            else:
                ask("error", "internal", body=b"wrong PIN")
write("done")
"#;

struct Person {
    pin: &'static str,
    heard: Mutex<Vec<String>>,
}

impl Prompt for Person {
    fn passphrase(&self, what: &str) -> backup_core::Result<secrecy::SecretString> {
        self.heard.lock().unwrap().push(what.into());
        Ok(passphrase(self.pin))
    }

    fn message(&self, text: &str) {
        self.heard.lock().unwrap().push(text.into());
    }
}

fn person(pin: &'static str) -> Arc<Person> {
    Arc::new(Person { pin, heard: Mutex::default() })
}

/// Runs one of the tests below in a child whose PATH has the plugin.
fn in_child(test: &str, environment: &[(&str, &str)]) {
    let folder = Folder::new();
    let plugin = folder.write("age-plugin-trial", PLUGIN);
    std::fs::set_permissions(&plugin, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.0.path().display(), std::env::var("PATH").unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--ignored", "--nocapture", test]).env("PATH", path).envs(environment.iter().copied());
    let output = run_command(&mut child, "python3", b"");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

#[test]
fn a_plugin_seals_and_opens() {
    in_child("child_seals_and_opens", &[]);
}

#[tokio::test]
#[ignore = "needs the PATH that a_plugin_seals_and_opens gives it"]
async fn child_seals_and_opens() {
    let (recipient, identity) = names();
    let (line, other) = age_key();
    let sealing = person("");
    let options = RecipientOptions { prompt: sealing.clone(), ..options() };
    let sealer = Recipients::parse(&[recipient.clone(), other], &options).await.unwrap();
    let key = new_key(&sealer).await;
    assert_eq!(*sealing.heard.lock().unwrap(), ["sealing"]);
    assert_eq!(key.files.len(), 1);
    assert_eq!((key.files[0].recipients[0].kind.as_str(), &key.files[0].recipients[0].id), ("age-plugin", &recipient));

    let opening = person("1234");
    let identities = Identities::new().prompt(opening.clone()).text("hardware", &secret(&identity)).unwrap();
    open(&identities, &key).await.unwrap();
    assert_eq!(*opening.heard.lock().unwrap(), ["PIN of the trial device"]);
    let default = Identities::new().prompt(person("1234")).plugin("trial").unwrap();
    open(&default, &key).await.unwrap();

    // The device is not asked when a key at hand opens the backup.
    let spared = person("1234");
    let both = Identities::new().prompt(spared.clone()).plugin("trial").unwrap();
    open(&both.text("mine", &secret(&line)).unwrap(), &key).await.unwrap();
    assert!(spared.heard.lock().unwrap().is_empty());

    let stranger = support::identity(age_key().0);
    backup_core::testing::cipher::key_conformance(&sealer, &default, &stranger).await;

    let wrong = Identities::new().prompt(person("0000")).plugin("trial").unwrap();
    let error = open(&wrong, &key).await.unwrap_err();
    assert!(error.is(&PLUGIN_FAILED) && error.chain().contains("wrong PIN"), "{error:?}");

    let (_, nobodys) = age_key();
    let foreign = new_key(&recipients(&[&nobodys]).await).await;
    let error = open(&identities, &foreign).await.unwrap_err();
    assert!(error.is(&WRONG_IDENTITY), "{error:?}");
}

#[test]
fn a_plugin_that_fails() {
    in_child("child_fails", &[("TRIAL_FAILS", "1")]);
}

#[tokio::test]
#[ignore = "needs the PATH that a_plugin_that_fails gives it"]
async fn child_fails() {
    use backup_core::cipher::KeySealer as _;
    let error = recipients(&[&names().0]).await.new_key(&backup_id()).await.unwrap_err();
    assert!(error.is(&PLUGIN_FAILED) && error.chain().contains("the trial device is on fire"), "{error:?}");
}

#[tokio::test]
async fn a_plugin_that_is_not_installed() {
    let (recipient, identity) = (bech32("age1absent"), bech32("age-plugin-absent-").to_uppercase());
    let error = refused(&recipient).await;
    assert!(error.is(&PLUGIN_FAILED) && error.chain().contains("age-plugin-absent"), "{error:?}");
    let error = Identities::new().text("hardware", &secret(identity)).unwrap_err();
    assert!(error.chain().contains("age-plugin-absent"), "{error:?}");
    let error = Identities::new().plugin("absent").unwrap_err();
    assert!(error.is(&PLUGIN_FAILED), "{error:?}");
    assert!(Identities::new().plugin("../evil").is_err());
}
