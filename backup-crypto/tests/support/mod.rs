//! What the tests share: programs that must be there, folders that go away, keys that are fast to make.
#![allow(dead_code, unreachable_pub)]

use backup_core::cipher::{Cipher, KeyFile, KeyOpener, KeySealer, NewKey};
use backup_core::error::Result;
use backup_core::id::BackupId;
use backup_crypto::{Identities, RecipientOptions, Recipients};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// The work factor of passphrases in tests: the default takes a second.
pub const FAST_LOG_N: u8 = 10;

pub fn backup_id() -> BackupId {
    "20261120T020000Z-7f3a9c51d2e8b604".parse().unwrap()
}

/// Options that never wait.
pub fn options() -> RecipientOptions {
    RecipientOptions { scrypt_log_n: FAST_LOG_N, ..Default::default() }
}

pub async fn recipients(specs: &[&str]) -> Recipients {
    let specs: Vec<String> = specs.iter().map(|spec| spec.to_string()).collect();
    Recipients::parse(&specs, &options()).await.unwrap()
}

pub async fn refused(spec: &str) -> backup_core::Error {
    Recipients::parse(&[spec.to_string()], &options()).await.unwrap_err()
}

/// An age key: the identity's line and the recipient.
pub fn age_key() -> (String, String) {
    let identity = age::x25519::Identity::generate();
    (identity.to_string().expose_secret().to_owned(), identity.to_public().to_string())
}

pub fn secret(text: impl AsRef<[u8]>) -> SecretSlice<u8> {
    text.as_ref().to_vec().into()
}

pub fn passphrase(text: &str) -> SecretString {
    SecretString::from(text)
}

pub fn identity(text: impl AsRef<[u8]>) -> Identities {
    Identities::new().text("the test's identity", &secret(text)).unwrap()
}

pub async fn open(opener: &dyn KeyOpener, key: &NewKey) -> Result<Arc<dyn Cipher>> {
    opener.open_key(&backup_id(), key.scheme, &key.files, key.commitment.unwrap()).await
}

pub async fn new_key(sealer: &dyn KeySealer) -> NewKey {
    sealer.new_key(&backup_id()).await.unwrap()
}

pub fn seal(cipher: &dyn Cipher, plain: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    cipher.seal(plain, &mut sealed).unwrap();
    sealed
}

pub fn unseal(cipher: &dyn Cipher, sealed: &[u8]) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    cipher.open(sealed, 1 << 24, &mut plain)?;
    Ok(plain)
}

pub fn key_file<'a>(key: &'a NewKey, kind: &str) -> &'a KeyFile {
    key.files.iter().find(|file| file.recipients[0].kind == kind).unwrap_or_else(|| panic!("no key file for {kind}"))
}

/// A folder for one test, with a short name: gpg-agent's socket must fit in 108 bytes.
pub struct Folder(pub TempDir);

impl Folder {
    pub fn new() -> Self {
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        Folder(tempfile::Builder::new().prefix("bp").permissions(private).tempdir_in("/tmp").unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    }
}

/// Runs a program that the tests need; says what to install when it is missing.
pub fn run(program: &str, package: &str, arguments: &[&str], input: &[u8]) -> Output {
    run_command(Command::new(program).args(arguments), package, input)
}

pub fn run_command(command: &mut Command, package: &str, input: &[u8]) -> Output {
    use std::io::Write as _;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; these tests need the Debian package {package}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A child that refuses its input closes it: that is no failure of the test.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    output
}

/// The output of a program that must succeed.
pub fn ok(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A GnuPG home of the test's own; its agent ends with it.
pub struct Gpg {
    pub home: Folder,
}

impl Gpg {
    pub fn new() -> Self {
        Gpg { home: Folder::new() }
    }

    pub fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.home.0.path()).args(["--batch", "--pinentry-mode", "loopback"]).args(arguments);
        run_command(&mut command, "gnupg", input)
    }

    pub fn ok(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        ok(self.run(arguments, input))
    }

    /// Makes a key and gives its fingerprint.
    pub fn generate(&self, user: &str, passphrase: &str, algorithm: &str, usage: &str, expire: &str) -> String {
        self.ok(&["--passphrase", passphrase, "--quick-generate-key", user, algorithm, usage, expire], b"");
        self.fingerprint(user)
    }

    /// An ed25519 key with a cv25519 subkey, gpg's usual choice.
    pub fn usual_key(&self, user: &str, passphrase: &str) -> String {
        let fingerprint = self.generate(user, passphrase, "ed25519", "cert,sign", "never");
        self.ok(&["--passphrase", passphrase, "--quick-add-key", &fingerprint, "cv25519", "encr", "never"], b"");
        fingerprint
    }

    pub fn fingerprint(&self, user: &str) -> String {
        let listing = self.ok(&["--with-colons", "--list-keys", "--", user], b"");
        let listing = String::from_utf8(listing).unwrap();
        let line = listing.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    pub fn keyring(&self) -> backup_crypto::GpgKeyring {
        backup_crypto::GpgKeyring { home: Some(self.home.0.path().into()), ..Default::default() }
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.home.0.path()).args(["--kill", "all"]).output();
    }
}
