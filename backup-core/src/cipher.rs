//! Encryption: the [`Cipher`] of one backup, and the companions that make and open its key.

use crate::digest::Sha256;
use crate::error::Result;
use crate::id::BackupId;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::Arc;

/// Seals and opens segments with the key of one backup.
///
/// # Contract
/// - [`open`](Cipher::open) of what [`seal`](Cipher::seal) made gives the same bytes; anything else, one flipped bit or one
///   missing byte included, is [`DECRYPT_FAILED`](crate::error::codes::DECRYPT_FAILED), never other bytes.
/// - Sealing the same bytes twice gives different results.
/// - [`open`](Cipher::open) writes at most `limit` bytes; more is an error.
/// - `seal` and `open` append nothing before they may: `out` is cleared first. They do not grow an `out` whose capacity is at
///   least [`max_sealed_len`](Cipher::max_sealed_len).
/// - No I/O; callable from any thread, by several at once.
///
/// `testing::cipher_conformance` (feature `testing`) checks all of this.
pub trait Cipher: Debug + Send + Sync + 'static {
    /// The ending of sealed objects' names, without a dot: `age`, `gpg`, or empty for no encryption.
    fn ending(&self) -> &'static str;

    /// The greatest length that sealing `plain` bytes can give.
    fn max_sealed_len(&self, plain: usize) -> usize;

    /// Encrypts `plain` into `out`.
    fn seal(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<()>;

    /// Decrypts `sealed` into `out`.
    fn open(&self, sealed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()>;
}

/// A public key that may open backups, as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecipientName {
    /// `age`, `ssh`, `age-plugin`, `passphrase` or `openpgp`.
    pub kind: String,
    /// The public key, or the fingerprint of one that is too long to print.
    pub id: String,
}

/// One file under `keys/`: the backup's own key, sealed to some recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// `age` or `gpg`.
    pub ending: String,
    /// Whom it is sealed to.
    pub recipients: Vec<RecipientName>,
    /// The file.
    pub bytes: Vec<u8>,
}

/// How a backup's segments are encrypted, as the manifest names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Not at all: `--no-encryption`.
    None,
    /// age v1 files with one X25519 stanza.
    AgeX25519,
    /// OpenPGP (RFC 4880) AES-256, one passphrase packet and one integrity-protected packet.
    OpenpgpAes256,
}

impl Scheme {
    /// The ending of sealed objects' names, without a dot.
    pub fn ending(self) -> &'static str {
        match self {
            Scheme::None => "",
            Scheme::AgeX25519 => "age",
            Scheme::OpenpgpAes256 => "gpg",
        }
    }
}

/// The key of a new backup.
#[derive(Debug)]
pub struct NewKey {
    /// How segments are encrypted.
    pub scheme: Scheme,
    /// Seals this backup's segments.
    pub cipher: Arc<dyn Cipher>,
    /// The key, sealed to the recipients; in the order `0001`, `0002`, …
    pub files: Vec<KeyFile>,
    /// SHA-256 of `backproof-key-1`, 0, the backup id, 0, the secret line; `None` without encryption.
    pub commitment: Option<Sha256>,
}

/// Makes the keys of new backups and seals them to the recipients.
///
/// # Contract
/// Every call makes a fresh key; the secret leaves the process only inside the key files. Dropping the future leaves nothing.
#[async_trait]
pub trait KeySealer: Debug + Send + Sync {
    /// Whom new backups are sealed to.
    fn recipients(&self) -> Vec<RecipientName>;

    /// Makes and seals the key of one backup.
    async fn new_key(&self, backup: &BackupId) -> Result<NewKey>;
}

/// Opens the keys of existing backups with identities.
///
/// # Contract
/// - The caller has checked the files' hashes; nothing else in them is to be trusted.
/// - The secret found must match `commitment`, or the call fails with [`DECRYPT_FAILED`](crate::error::codes::DECRYPT_FAILED).
/// - When no identity fits any file the call fails with [`WRONG_IDENTITY`](crate::error::codes::WRONG_IDENTITY).
#[async_trait]
pub trait KeyOpener: Debug + Send + Sync {
    /// Unseals the backup's key, trying the files in order.
    async fn open_key(
        &self,
        backup: &BackupId,
        scheme: Scheme,
        files: &[KeyFile],
        commitment: Sha256,
    ) -> Result<Arc<dyn Cipher>>;
}

/// No encryption: segments are stored as they are, compressed. Only used when someone asked for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Cipher for Plain {
    fn ending(&self) -> &'static str {
        ""
    }

    fn max_sealed_len(&self, plain: usize) -> usize {
        plain
    }

    fn seal(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        out.extend_from_slice(plain);
        Ok(())
    }

    fn open(&self, sealed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        if sealed.len() > limit {
            return Err(crate::error::Error::new(
                &crate::error::codes::DECRYPT_FAILED,
                format!("an unencrypted segment has {} bytes where at most {limit} may be", sealed.len()),
            ));
        }
        self.seal(sealed, out)
    }
}

/// Makes backups without encryption: `--no-encryption`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEncryption;

#[async_trait]
impl KeySealer for NoEncryption {
    fn recipients(&self) -> Vec<RecipientName> {
        Vec::new()
    }

    async fn new_key(&self, _backup: &BackupId) -> Result<NewKey> {
        Ok(NewKey { scheme: Scheme::None, cipher: Arc::new(Plain), files: Vec::new(), commitment: None })
    }
}

/// The commitment to a backup's key that its manifest holds: SHA-256 of `backproof-key-1`, 0, the id, 0, the secret line
/// (without its line feed).
pub fn key_commitment(backup: &BackupId, secret_line: &str) -> Sha256 {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    hash.update(b"backproof-key-1\0");
    hash.update(backup.as_str().as_bytes());
    hash.update(b"\0");
    hash.update(secret_line.as_bytes());
    <[u8; 32]>::from(hash.finalize()).into()
}
