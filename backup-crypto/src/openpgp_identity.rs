//! Exported OpenPGP secret keys as identities.

use crate::age_key_file::read_bounded;
use crate::error::codes::{INVALID_IDENTITY, WRONG_PASSPHRASE};
use crate::prompt::Prompt;
use backup_core::error::codes::DECRYPT_FAILED;
use backup_core::{Error, Result};
use pgp::composed::{Deserializable, Esk, Message, SignedSecretKey};
use pgp::types::{KeyDetails, Password};
use secrecy::ExposeSecret;
use std::io::Cursor;
use std::sync::{Mutex, OnceLock, PoisonError};
use zeroize::Zeroizing;

/// A secret line is under 100 bytes; whatever is longer is none.
const MAX_PLAIN: u64 = 4096;

/// A secret key, which may need a passphrase.
pub(crate) struct OpenpgpIdentity {
    key: SignedSecretKey,
    unlocked: OnceLock<SignedSecretKey>,
    asking: Mutex<()>,
}

impl OpenpgpIdentity {
    /// Reads an exported secret key, or several, armoured or binary.
    pub(crate) fn read_all(name: &str, bytes: &[u8]) -> Result<Vec<Self>> {
        let invalid = |message: String| Error::new(&INVALID_IDENTITY, message);
        if bytes.windows(26).any(|window| window == b"-----BEGIN PGP PUBLIC KEY ") {
            return Err(invalid(format!("{name} is a public key, not an identity"))
                .with_hint("`gpg --export-secret-keys FINGERPRINT` prints the secret half"));
        }
        let unreadable = |error: pgp::errors::Error| {
            invalid(format!("{name} is not an OpenPGP secret key that can be read")).with_source(error.to_string())
        };
        let (keys, _) = SignedSecretKey::from_reader_many_buf(Cursor::new(bytes)).map_err(unreadable)?;
        let identity = |key| OpenpgpIdentity { key, unlocked: OnceLock::new(), asking: Mutex::new(()) };
        let keys: Vec<_> = keys.map(|key| key.map(identity)).collect::<Result<_, _>>().map_err(unreadable)?;
        if keys.is_empty() {
            return Err(invalid(format!("{name} holds no OpenPGP secret key")));
        }
        Ok(keys)
    }

    /// Whether it needs a passphrase.
    pub(crate) fn is_locked(&self) -> bool {
        self.key.secret_params().is_encrypted()
            || self.key.secret_subkeys.iter().any(|subkey| subkey.secret_params().is_encrypted())
    }

    /// Opens a key file; `None` if it is not encrypted to this key.
    pub(crate) fn open(&self, bytes: &[u8], name: &str, prompt: &dyn Prompt) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let damaged = |error: pgp::errors::Error| {
            Error::new(&DECRYPT_FAILED, "it is not an OpenPGP message that opens, or was altered")
                .with_source(error.to_string())
        };
        let message = Message::from_bytes(bytes).map_err(damaged)?;
        let Message::Encrypted { esk, .. } = &message else {
            return Err(Error::new(&DECRYPT_FAILED, "it is not an encrypted OpenPGP message"));
        };
        if !esk.iter().any(|esk| self.fits(esk)) {
            return Ok(None);
        }
        let key = self.unlock(name, prompt)?;
        // Only integrity-protected data is decrypted: the crate refuses the older packet unless asked.
        let mut message = message.decrypt(&Password::empty(), key).map_err(damaged)?;
        while message.is_compressed() {
            message = message.decompress().map_err(damaged)?;
        }
        read_bounded(message, MAX_PLAIN).map(Some)
    }

    fn fits(&self, esk: &Esk) -> bool {
        let Esk::PublicKeyEncryptedSessionKey(packet) = esk else { return false };
        packet.match_identity(self.key.primary_key.public_key())
            || self.key.secret_subkeys.iter().any(|subkey| packet.match_identity(subkey.key.public_key()))
    }

    /// The key without its passphrase, which is asked for once.
    fn unlock(&self, name: &str, prompt: &dyn Prompt) -> Result<&SignedSecretKey> {
        if !self.is_locked() {
            return Ok(&self.key);
        }
        // Held while asking, so that two readers at once do not ask twice.
        let _asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.unlocked.get() {
            return Ok(key);
        }
        let fingerprint = crate::openpgp_recipient::fingerprint(&self.key.fingerprint());
        let passphrase = prompt.passphrase(&format!("OpenPGP key {fingerprint} ({name})"))?;
        let password = Password::from(passphrase.expose_secret());
        let mut key = self.key.clone();
        // The primary key's secret may have been left out of the export, or have another passphrase; subkeys decrypt.
        let mut unlocked = key.primary_key.remove_password(&password).is_ok();
        for subkey in &mut key.secret_subkeys {
            unlocked |= subkey.key.remove_password(&password).is_ok();
        }
        if !unlocked {
            return Err(Error::new(
                &WRONG_PASSPHRASE,
                format!("the passphrase does not open OpenPGP key {fingerprint} ({name})"),
            ));
        }
        Ok(self.unlocked.get_or_init(|| key))
    }
}
