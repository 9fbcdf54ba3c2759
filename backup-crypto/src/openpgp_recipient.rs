//! OpenPGP public keys as recipients: which of a key's subkeys to encrypt to, and whether it may be used at all.

use crate::error::codes::INVALID_RECIPIENT;
use backup_core::cipher::RecipientName;
use backup_core::{Error, Result};
use jiff::Timestamp;
use pgp::composed::{Deserializable, SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{PublicKey, PublicSubkey, Signature, SignatureType};
use pgp::types::{Fingerprint, KeyDetails, KeyVersion, Tag};
use std::io::Cursor;

/// A key that may open backups.
#[derive(Clone)]
pub(crate) struct OpenpgpRecipient {
    fingerprint: String,
    key: EncryptionKey,
}

/// The part of a key that is encrypted to.
#[derive(Clone)]
pub(crate) enum EncryptionKey {
    Primary(Box<PublicKey>),
    Subkey(Box<PublicSubkey>),
}

pub(crate) fn fingerprint(fingerprint: &Fingerprint) -> String {
    hex::encode_upper(fingerprint.as_bytes())
}

impl OpenpgpRecipient {
    /// Reads an exported key, or several, armoured or binary, and chooses what to encrypt to.
    pub(crate) fn read_all(name: &str, bytes: &[u8], now: Timestamp) -> Result<Vec<Self>> {
        let invalid = |message: String| Error::new(&INVALID_RECIPIENT, message);
        let unreadable = |error: pgp::errors::Error| {
            invalid(format!("{name} is not an OpenPGP public key that can be read")).with_source(error.to_string())
        };
        let (keys, _) = SignedPublicKey::from_reader_many_buf(Cursor::new(bytes)).map_err(unreadable)?;
        let mut recipients = Vec::new();
        for key in keys {
            let key = key.map_err(unreadable)?;
            let fingerprint = fingerprint(&key.fingerprint());
            let key = encryption_key(&key, now)
                .map_err(|reason| invalid(format!("OpenPGP key {fingerprint} ({name}) {reason}")))?;
            let recipient = OpenpgpRecipient { fingerprint, key };
            // Tried at once: a kind of key that cannot encrypt is better found now than after the dump began.
            crate::openpgp_key_file::seal(std::slice::from_ref(&recipient), b"trial\n").map_err(|error| {
                invalid(format!("OpenPGP key {} ({name}) cannot encrypt", recipient.fingerprint)).with_source(error)
            })?;
            recipients.push(recipient);
        }
        if recipients.is_empty() {
            return Err(invalid(format!("{name} holds no OpenPGP public key")));
        }
        Ok(recipients)
    }

    /// As the manifest names it.
    pub(crate) fn name(&self) -> RecipientName {
        RecipientName { kind: "openpgp".into(), id: self.fingerprint.clone() }
    }

    /// What to encrypt to.
    pub(crate) fn key(&self) -> &EncryptionKey {
        &self.key
    }
}

/// The newest part of a key that may encrypt now, as GnuPG chooses; the error continues a sentence about the key.
fn encryption_key(key: &SignedPublicKey, now: Timestamp) -> Result<EncryptionKey, String> {
    let primary = &key.primary_key;
    if primary.version() != KeyVersion::V4 {
        return Err("is not of version 4, the one that GnuPG 2.2 reads".into());
    }
    // Not only those that verify: a revocation by another key cannot be checked here, and an unwanted one only denies.
    if !key.details.revocation_signatures.is_empty() {
        return Err("is revoked".into());
    }
    let own = newest_certification(key).ok_or("has no valid signature of its own")?;
    if let Some(end) = expiry(primary, own)
        && end <= now.as_second()
    {
        return Err(format!("expired on {}", date(end)));
    }
    let mut reason = String::from("has no part that can encrypt");
    let mut best: Option<(u32, &PublicSubkey)> = None;
    for subkey in &key.public_subkeys {
        match usable_subkey(primary, subkey, now) {
            Ok(()) => {
                let created = subkey.key.created_at().as_secs();
                if best.is_none_or(|(newest, _)| created >= newest) {
                    best = Some((created, &subkey.key));
                }
            }
            Err(Some(why)) => reason = why,
            Err(None) => {}
        }
    }
    if let Some((_, subkey)) = best {
        return Ok(EncryptionKey::Subkey(Box::new(subkey.clone())));
    }
    let flags = own.key_flags();
    if flags.encrypt_comms() || flags.encrypt_storage() {
        return Ok(EncryptionKey::Primary(Box::new(primary.clone())));
    }
    Err(reason)
}

/// The newest valid self-signature over the primary key or one of its user ids: it says the flags and the expiry.
fn newest_certification(key: &SignedPublicKey) -> Option<&Signature> {
    let primary = &key.primary_key;
    let direct = key.details.direct_signatures.iter().filter(|signature| signature.verify_key(primary).is_ok());
    let users = key.details.users.iter().flat_map(|user| {
        user.signatures.iter().filter(|signature| {
            signature.typ() != Some(SignatureType::CertRevocation)
                && signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        })
    });
    direct.chain(users).max_by_key(|signature| signature.created().map_or(0, |created| created.as_secs()))
}

/// `Err(None)` for a subkey that is not for encryption, `Err(Some)` for one that is and may not be used.
fn usable_subkey(primary: &PublicKey, subkey: &SignedPublicSubKey, now: Timestamp) -> Result<(), Option<String>> {
    let binding = subkey
        .signatures
        .iter()
        .filter(|signature| signature.typ() == Some(SignatureType::SubkeyBinding))
        .filter(|signature| signature.verify_subkey_binding(primary, &subkey.key).is_ok())
        .max_by_key(|signature| signature.created().map_or(0, |created| created.as_secs()))
        .ok_or(None)?;
    let flags = binding.key_flags();
    if !flags.encrypt_comms() && !flags.encrypt_storage() {
        return Err(None);
    }
    if subkey.signatures.iter().any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation)) {
        return Err(Some("has a revoked encryption key".into()));
    }
    match expiry(&subkey.key, binding) {
        Some(end) if end <= now.as_second() => {
            Err(Some(format!("has an encryption key that expired on {}", date(end))))
        }
        _ => Ok(()),
    }
}

/// When a key ends, in seconds since 1970.
fn expiry(key: &impl KeyDetails, signature: &Signature) -> Option<i64> {
    let valid = signature.key_expiration_time()?.as_secs();
    (valid != 0).then(|| i64::from(key.created_at().as_secs()) + i64::from(valid))
}

fn date(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |time| time.to_string())
}
