//! The user's gpg keyring, asked through the gpg program.

use crate::error::codes::{GPG_FAILED, INVALID_RECIPIENT};
use backup_core::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::process::Command;

/// gpg waits for locks of other gpg processes; a keyring that stays locked for a minute is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where OpenPGP keys are looked up by key id or user id.
#[derive(Clone, Debug)]
pub struct GpgKeyring {
    /// The program; `gpg` is looked for on PATH.
    pub program: OsString,
    /// Its home folder; `None` for the user's own (`GNUPGHOME`, or `~/.gnupg`).
    pub home: Option<PathBuf>,
}

impl Default for GpgKeyring {
    fn default() -> Self {
        GpgKeyring { program: "gpg".into(), home: None }
    }
}

/// A key in gpg's listing.
struct Listed {
    fingerprint: String,
    user: String,
    problem: Option<&'static str>,
}

impl GpgKeyring {
    /// The exported public key that a fingerprint, key id or user id names.
    ///
    /// # Errors
    /// [`INVALID_RECIPIENT`] when there is no such key, or several, or one that must not be used.
    pub(crate) async fn export(&self, name: &str) -> Result<Vec<u8>> {
        let invalid = |message: String| Error::new(&INVALID_RECIPIENT, message);
        if name.is_empty() || name.contains(['\n', '\0']) {
            return Err(invalid(format!("{name:?} is not a recipient")));
        }
        let listing = self.run(&["--with-colons", "--fixed-list-mode", "--list-keys", "--", name]).await;
        let listing =
            listing.map_err(|error| error.context(format!("look for recipient {name:?} in gpg's keyring")))?;
        let keys = read_listing(&String::from_utf8_lossy(&listing.stdout));
        let key = match keys.as_slice() {
            [] => {
                return Err(invalid(format!(
                    "{name:?} is neither an age or SSH recipient, nor a file, nor a key in gpg's keyring"
                )));
            }
            [key] => key,
            several => {
                let list: Vec<String> =
                    several.iter().map(|key| format!("{} ({})", key.fingerprint, key.user)).collect();
                return Err(invalid(format!("{name:?} fits several keys in gpg's keyring: {}", list.join(", ")))
                    .with_hint("give the fingerprint of the one you mean"));
            }
        };
        if let Some(problem) = key.problem {
            return Err(invalid(format!("OpenPGP key {} ({}) {problem}", key.fingerprint, key.user)));
        }
        let exported = self.run(&["--export", "--", &key.fingerprint]).await?;
        if !exported.status.success() || exported.stdout.is_empty() {
            return Err(Error::new(&GPG_FAILED, format!("gpg did not export key {}", key.fingerprint))
                .with_source(String::from_utf8_lossy(&exported.stderr).trim().to_owned()));
        }
        Ok(exported.stdout)
    }

    async fn run(&self, arguments: &[&str]) -> Result<Output> {
        let program = self.program.to_string_lossy();
        let mut command = Command::new(&self.program);
        command.args(["--batch", "--no-tty", "--no-auto-check-trustdb", "--no-autostart"]);
        if let Some(home) = &self.home {
            command.args([OsStr::new("--homedir"), home.as_os_str()]);
        }
        command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
        match tokio::time::timeout(PATIENCE, command.output()).await {
            Err(_) => Err(Error::new(&GPG_FAILED, format!("{program} did not answer within {} s", PATIENCE.as_secs()))),
            Ok(Err(error)) => Err(Error::new(&GPG_FAILED, format!("run {program}")).with_source(error)),
            Ok(Ok(output)) => Ok(output),
        }
    }
}

/// Reads gpg's `--with-colons` listing (GnuPG's doc/DETAILS): `pub` starts a key, `fpr` and `uid` follow.
fn read_listing(text: &str) -> Vec<Listed> {
    let mut keys: Vec<Listed> = Vec::new();
    // Fingerprints and user ids of subkeys follow `sub` and are not the key's own.
    let mut of_primary = false;
    for line in text.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let field = |number: usize| fields.get(number - 1).copied().unwrap_or_default();
        match field(1) {
            "pub" => {
                of_primary = true;
                let problem = match field(2) {
                    "r" => Some("is revoked"),
                    "e" => Some("is expired"),
                    "i" => Some("is invalid"),
                    _ if field(12).contains('D') => Some("is disabled"),
                    _ if !field(12).contains('E') => Some("cannot encrypt"),
                    _ => None,
                };
                keys.push(Listed { fingerprint: String::new(), user: String::new(), problem });
            }
            "sub" => of_primary = false,
            "fpr" if of_primary => {
                if let Some(key) = keys.last_mut() {
                    key.fingerprint = field(10).into();
                }
            }
            "uid" => {
                if let Some(key) = keys.last_mut().filter(|key| key.user.is_empty()) {
                    key.user = field(10).replace("\\x3a", ":");
                }
            }
            _ => {}
        }
    }
    keys
}
