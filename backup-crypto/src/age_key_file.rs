//! Key files that are age files: the backup's secret line, sealed to age recipients.

use crate::error::codes::{PLUGIN_FAILED, WRONG_PASSPHRASE};
use age::{DecryptError, Decryptor, EncryptError, Encryptor};
use backup_core::error::codes::{DECRYPT_FAILED, INVALID_ARGUMENT};
use backup_core::{Error, Result};
use std::io::{Read, Write};
use zeroize::Zeroizing;

/// A secret line is under 100 bytes; whatever is longer is none.
const MAX_PLAIN: u64 = 4096;

/// Seals the secret line (with its line feed) to these recipients.
pub(crate) fn seal<'a>(recipients: impl Iterator<Item = &'a dyn age::Recipient>, line: &[u8]) -> Result<Vec<u8>> {
    let encryptor = Encryptor::with_recipients(recipients).map_err(encrypt_error)?;
    let io = |error: std::io::Error| backup_core::error::io_error("encrypt the backup's key", error);
    let mut writer = encryptor.wrap_output(Vec::new()).map_err(io)?;
    writer.write_all(line).map_err(io)?;
    writer.finish().map_err(io)
}

/// Opens an age file with an identity; `None` if it is not sealed to that one.
pub(crate) fn open(bytes: &[u8], identity: &dyn age::Identity) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let decryptor = Decryptor::new_buffered(bytes).map_err(decrypt_error)?;
    let is_passphrase = decryptor.is_scrypt();
    let reader = match decryptor.decrypt(std::iter::once(identity)) {
        Ok(reader) => reader,
        Err(DecryptError::NoMatchingKeys) => return Ok(None),
        // Another passphrase; with a public key this would be damage.
        Err(DecryptError::DecryptionFailed) if is_passphrase => return Ok(None),
        Err(error) => return Err(decrypt_error(error)),
    };
    read_bounded(reader, MAX_PLAIN).map(Some)
}

/// Reads all, up to a limit, into memory that is wiped.
pub(crate) fn read_bounded(reader: impl Read, limit: u64) -> Result<Zeroizing<Vec<u8>>> {
    // Reserved at once: growing would leave copies behind that nobody wipes.
    let mut plain = Zeroizing::new(Vec::with_capacity(limit as usize + 1));
    reader
        .take(limit + 1)
        .read_to_end(&mut plain)
        .map_err(|error| Error::new(&DECRYPT_FAILED, "it was altered or cut off").with_source(error))?;
    if plain.len() as u64 > limit {
        return Err(Error::new(&DECRYPT_FAILED, format!("it holds more than {limit} bytes")));
    }
    Ok(plain)
}

fn encrypt_error(error: EncryptError) -> Error {
    match error {
        EncryptError::Plugin(_) | EncryptError::PluginResolve(_) => plugin_error(one_line(error)),
        EncryptError::IncompatibleRecipients { .. } => {
            Error::new(&INVALID_ARGUMENT, "these recipients cannot open the same backup")
                .with_source(one_line(error))
                .with_hint("post-quantum recipients cannot be mixed with others; choose one kind")
        }
        EncryptError::Io(error) => plugin_error(error.to_string()),
        error => Error::new(&INVALID_ARGUMENT, "the backup's key cannot be sealed to these recipients")
            .with_source(one_line(error)),
    }
}

pub(crate) fn decrypt_error(error: DecryptError) -> Error {
    match error {
        DecryptError::Plugin(_) | DecryptError::PluginResolve(_) => plugin_error(one_line(error)),
        DecryptError::Io(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {
            plugin_error(error.to_string())
        }
        DecryptError::KeyDecryptionFailed => Error::new(&WRONG_PASSPHRASE, "the passphrase does not open it"),
        DecryptError::ExcessiveWork { required, .. } => Error::new(
            &DECRYPT_FAILED,
            format!("its passphrase derivation asks for 2^{required} steps, more than is accepted"),
        ),
        DecryptError::UnknownFormat => Error::new(&DECRYPT_FAILED, "it is of an age version that is not known"),
        DecryptError::InvalidMac => Error::new(&DECRYPT_FAILED, "its header was altered"),
        DecryptError::InvalidHeader => Error::new(&DECRYPT_FAILED, "it is not an age file, or its header was altered"),
        error => Error::new(&DECRYPT_FAILED, "it was altered or cut off").with_source(one_line(error)),
    }
}

/// An error of a plugin, whose own text spans several lines.
pub(crate) fn plugin_error(message: String) -> Error {
    Error::new(&PLUGIN_FAILED, "the age plugin failed").with_source(message)
}

/// age's messages span lines and carry marks for translated text.
pub(crate) fn one_line(error: impl std::fmt::Display) -> String {
    let text: String = error.to_string().chars().filter(|c| !matches!(c, '\u{2068}' | '\u{2069}')).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
