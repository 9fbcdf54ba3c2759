//! Making keys: age identities for reading backups, SSH keys for signing them.

use crate::age_key_file;
use crate::error::codes::{INVALID_IDENTITY, INVALID_RECIPIENT, INVALID_SIGNING_KEY};
use crate::ssh_signer::{HOST_KINDS, allowed_signers_line};
use age::armor::{ArmoredWriter, Format};
use age::{scrypt, x25519};
use backup_core::error::codes::{ALREADY_EXISTS, IO};
use backup_core::error::io_error;
use backup_core::signature::DocumentKind;
use backup_core::{Error, Result};
use jiff::Timestamp;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretString};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What a signing key is for: what readers are to trust it with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// A host that backs up: manifests and evidence.
    #[default]
    Backup,
    /// A host that verifies and drills: proofs and evidence.
    Proof,
}

impl Purpose {
    fn kinds(self) -> [DocumentKind; 2] {
        match self {
            Purpose::Backup => HOST_KINDS,
            Purpose::Proof => [DocumentKind::Proof, DocumentKind::Evidence],
        }
    }
}

/// A fresh age identity and its recipient.
pub struct AgeKey(x25519::Identity);

impl fmt::Debug for AgeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AgeKey").field(&self.recipient()).finish()
    }
}

impl AgeKey {
    /// Makes one from the operating system's random numbers.
    pub fn generate() -> Self {
        AgeKey(x25519::Identity::generate())
    }

    /// A key that exists already, from its secret line `AGE-SECRET-KEY-1…`.
    ///
    /// # Errors
    /// [`INVALID_IDENTITY`] when the text is not one; the text is not repeated.
    pub fn from_secret(secret: &SecretString) -> Result<Self> {
        let identity = secret.expose_secret().trim().parse().map(AgeKey);
        identity.map_err(|reason: &str| Error::new(&INVALID_IDENTITY, format!("this is not an age identity: {reason}")))
    }

    /// The public half, `age1…`: what hosts that back up are given.
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    /// The secret half, `AGE-SECRET-KEY-1…`, without a line feed.
    pub fn secret(&self) -> SecretString {
        self.0.to_string()
    }

    /// An identity file as `age-keygen` writes it.
    pub fn identity_file(&self, created: Timestamp) -> SecretString {
        let secret = self.secret();
        // Seconds are enough, and fractions would tell how the clock runs.
        SecretString::from(format!(
            "# created: {}\n# public key: {}\n{}\n",
            created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            self.recipient(),
            secret.expose_secret()
        ))
    }

    /// The same, protected with a passphrase: an armoured age file, what `age -p` makes of an identity file.
    ///
    /// `log_n` is the base-2 logarithm of the work factor; [`SCRYPT_LOG_N`](crate::SCRYPT_LOG_N) is right for people.
    pub fn protected_identity_file(&self, created: Timestamp, passphrase: SecretString, log_n: u8) -> Result<Vec<u8>> {
        if passphrase.expose_secret().is_empty() || !(1..=20).contains(&log_n) {
            return Err(Error::new(&INVALID_RECIPIENT, "this passphrase or work factor protects nothing"));
        }
        let mut recipient = scrypt::Recipient::new(passphrase);
        recipient.set_work_factor(log_n);
        let plain = self.identity_file(created);
        let recipients = std::iter::once(&recipient as &dyn age::Recipient);
        let sealed = age_key_file::seal(recipients, plain.expose_secret().as_bytes())?;
        let failed = |error| io_error("armour the identity file", error);
        let mut writer = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).map_err(failed)?;
        writer.write_all(&sealed).map_err(failed)?;
        writer.finish().map_err(failed)
    }
}

/// A fresh SSH key (ed25519) that signs manifests and evidence.
pub struct SigningKey(PrivateKey);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.fingerprint()).finish()
    }
}

impl SigningKey {
    /// Makes one from the operating system's random numbers. The comment (say, the host's name) stands in both files.
    pub fn generate(comment: &str) -> Result<Self> {
        if comment.contains(['\n', '\r', '\0']) {
            return Err(Error::new(&INVALID_SIGNING_KEY, "a key's comment must be one line"));
        }
        let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(unusable)?;
        key.set_comment(comment);
        Ok(SigningKey(key))
    }

    /// The private key file, in OpenSSH's format.
    pub fn private_file(&self) -> Result<SecretString> {
        to_openssh(&self.0)
    }

    /// The same, protected with a passphrase.
    pub fn protected_private_file(&self, passphrase: &SecretString) -> Result<SecretString> {
        if passphrase.expose_secret().is_empty() {
            return Err(Error::new(&INVALID_SIGNING_KEY, "an empty passphrase protects nothing"));
        }
        to_openssh(&self.0.encrypt(&mut OsRng, passphrase.expose_secret()).map_err(unusable)?)
    }

    /// The public key file's line, with a line feed.
    pub fn public_file(&self) -> Result<String> {
        Ok(format!("{}\n", self.0.public_key().to_openssh().map_err(unusable)?))
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The line for readers' `trusted_signers`: this key, for what `purpose` writes and nothing else, so that whoever steals it can
    /// neither delete nor release nor erase.
    pub fn allowed_signers_line(&self, principal: &str, purpose: Purpose) -> Result<String> {
        allowed_signers_line(self.0.public_key(), principal, &purpose.kinds())
    }
}

fn to_openssh(key: &PrivateKey) -> Result<SecretString> {
    let text: Zeroizing<String> = key.to_openssh(LineEnding::LF).map_err(unusable)?;
    Ok(SecretString::from(text.as_str()))
}

fn unusable(error: ssh_key::Error) -> Error {
    Error::new(&INVALID_SIGNING_KEY, "make a signing key").with_source(error.to_string())
}

/// Writes a new file that only its owner may read (mode 0600), durably. Never overwrites: [`ALREADY_EXISTS`].
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    write_new(path, bytes, 0o600)
}

/// Writes a new file that everyone may read (mode 0644 less the umask), durably. Never overwrites: [`ALREADY_EXISTS`].
pub fn write_public(path: &Path, bytes: &[u8]) -> Result<()> {
    write_new(path, bytes, 0o644)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let name = path.display();
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Error::new(&ALREADY_EXISTS, format!("{name} exists already"))
                .with_hint("a key is never overwritten: choose another name, or move the old one away"));
        }
        Err(error) => return Err(io_error(format!("create {name}"), error)),
    };
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_folder(path));
    written.map_err(|error| {
        // Half a key is worse than none.
        match std::fs::remove_file(path) {
            Ok(()) => io_error(format!("write {name}"), error),
            Err(_) => Error::new(&IO, format!("write {name}, which is incomplete now")).with_source(error),
        }
    })
}

/// Makes the folder's new entry durable.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf))?.sync_all()
}
