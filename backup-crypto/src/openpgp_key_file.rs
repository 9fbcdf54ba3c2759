//! Key files that are OpenPGP messages: the backup's secret line, encrypted to OpenPGP recipients with AES-256 in an
//! integrity-protected data packet of version 1, which GnuPG 2.2 reads.

use crate::openpgp_recipient::{EncryptionKey, OpenpgpRecipient};
use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::{Error, Result};
use pgp::composed::MessageBuilder;
use pgp::crypto::sym::SymmetricKeyAlgorithm::AES256;
use rand::rngs::OsRng;

/// Seals the secret line (with its line feed) to these recipients.
pub(crate) fn seal(recipients: &[OpenpgpRecipient], line: &[u8]) -> Result<Vec<u8>> {
    let failed = |error: pgp::errors::Error| {
        Error::new(&INVALID_ARGUMENT, "encrypt the backup's key to its OpenPGP recipients")
            .with_source(error.to_string())
    };
    let mut builder = MessageBuilder::from_bytes("", line.to_vec()).seipd_v1(OsRng, AES256);
    for recipient in recipients {
        match recipient.key() {
            EncryptionKey::Primary(key) => builder.encrypt_to_key(OsRng, key.as_ref()),
            EncryptionKey::Subkey(key) => builder.encrypt_to_key(OsRng, key.as_ref()),
        }
        .map_err(failed)?;
    }
    builder.to_vec(OsRng).map_err(failed)
}
