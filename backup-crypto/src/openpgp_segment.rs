//! Segments as OpenPGP messages (RFC 4880) of exactly two packets, in the form that GnuPG 2.2 reads: a passphrase packet
//! (version 4, AES-256, salted SHA-256, with an encrypted session key) and an integrity-protected packet (version 1), which
//! holds one literal packet, uncompressed.
//!
//! The packets are framed here, so that nothing else is ever accepted and a segment is encrypted in place; AES, CFB and the
//! passphrase's derivation are the pgp crate's.

use backup_core::cipher::Cipher;
use backup_core::error::codes::{DECRYPT_FAILED, INVALID_ARGUMENT, IO};
use backup_core::{Error, Result};
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm::AES256;
use pgp::types::StringToKey;
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest as _, Sha1};
use std::fmt;
use zeroize::{Zeroize as _, Zeroizing};

const BLOCK: usize = 16;
const KEY: usize = 32;
/// RFC 4880, 9.2: AES with 256-bit key.
const AES256_ID: u8 = 9;
/// RFC 4880, 9.4: SHA-256.
const SHA256_ID: u8 = 8;
/// RFC 4880, 3.7.1.2: salted S2K.
const SALTED: u8 = 1;
const SALT: usize = 8;
const TAG_SKESK: u8 = 3;
const TAG_LITERAL: u8 = 11;
const TAG_SEIPD: u8 = 18;
/// Version, cipher, S2K kind, hash, salt, then the encrypted session key: its cipher and the key itself.
const SKESK_LEN: usize = 4 + SALT + 1 + KEY;
/// A block of random bytes and a repetition of its last two.
const PREFIX: usize = BLOCK + 2;
/// Format, an empty name, no date.
const LITERAL_HEAD: usize = 6;
/// The header of the modification detection code, RFC 4880, 5.14, and the SHA-1 in it.
const MDC_HEAD: [u8; 2] = [0xd3, 0x14];
const MDC: usize = MDC_HEAD.len() + 20;
/// A tag octet and a five-octet length, RFC 4880, 4.2.2.3.
const LONG_HEAD: usize = 6;
const OVERHEAD: usize = 2 + SKESK_LEN + LONG_HEAD + 1 + PREFIX + LONG_HEAD + LITERAL_HEAD + MDC;

/// Seals and opens segments as OpenPGP messages under one passphrase of full entropy: the backup's own key.
#[derive(Clone)]
pub struct OpenpgpCipher {
    passphrase: SecretString,
}

impl fmt::Debug for OpenpgpCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenpgpCipher")
    }
}

fn failed(message: impl Into<String>) -> Error {
    Error::new(&DECRYPT_FAILED, message)
}

fn foreign(what: &str) -> Error {
    failed(format!("the segment is not one passphrase packet and one integrity-protected packet: {what}"))
}

fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| Error::new(&IO, format!("read random bytes: {error}")))
}

impl OpenpgpCipher {
    /// A fresh passphrase: 256 random bits as 64 hex digits, which is one line for `gpg --passphrase-file`.
    pub(crate) fn generate_passphrase() -> Result<SecretString> {
        let mut bytes = Zeroizing::new([0u8; KEY]);
        random(bytes.as_mut())?;
        Ok(SecretString::from(hex::encode(*bytes)))
    }

    /// The cipher of a backup whose own key is this line (without a line feed).
    pub fn new(passphrase: SecretString) -> Self {
        OpenpgpCipher { passphrase }
    }

    /// The key that the passphrase and a salt give. One SHA-256 is enough, since the passphrase is random.
    fn derive(&self, salt: [u8; SALT]) -> Result<Zeroizing<[u8; KEY]>> {
        let derived = StringToKey::Salted { hash_alg: HashAlgorithm::Sha256, salt }
            .derive_key(self.passphrase.expose_secret().as_bytes(), KEY)
            .map_err(|error| failed("derive a key from the backup's passphrase").with_source(error.to_string()))?;
        let mut key = Zeroizing::new([0; KEY]);
        key.copy_from_slice(derived.as_ref());
        Ok(key)
    }
}

/// AES-256 in CFB mode with an IV of zeroes, in place.
fn encrypt(key: &[u8], bytes: &mut [u8]) -> Result<()> {
    AES256
        .encrypt_with_iv_regular(key, &[0; BLOCK], bytes)
        .map_err(|error| failed("encrypt").with_source(error.to_string()))
}

fn decrypt(key: &[u8], bytes: &mut [u8]) -> Result<()> {
    AES256
        .decrypt_with_iv_regular(key, &[0; BLOCK], bytes)
        .map_err(|error| failed("decrypt").with_source(error.to_string()))
}

fn push_long_head(out: &mut Vec<u8>, tag: u8, len: usize) -> Result<()> {
    let len = u32::try_from(len).map_err(|_| Error::new(&INVALID_ARGUMENT, "a segment must be under 4 GiB"))?;
    out.extend_from_slice(&[0xc0 | tag, 0xff]);
    out.extend_from_slice(&len.to_be_bytes());
    Ok(())
}

impl Cipher for OpenpgpCipher {
    fn ending(&self) -> &'static str {
        "gpg"
    }

    fn max_sealed_len(&self, plain: usize) -> usize {
        OVERHEAD + plain
    }

    fn seal(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        out.reserve(self.max_sealed_len(plain.len()));
        let (mut salt, mut session, mut prefix) = ([0; SALT], Zeroizing::new([0; KEY]), [0; BLOCK]);
        random(&mut salt)?;
        random(session.as_mut())?;
        random(&mut prefix)?;

        out.extend_from_slice(&[0xc0 | TAG_SKESK, SKESK_LEN as u8, 4, AES256_ID, SALTED, SHA256_ID]);
        out.extend_from_slice(&salt);
        let start = out.len();
        out.push(AES256_ID);
        out.extend_from_slice(session.as_ref());
        encrypt(self.derive(salt)?.as_ref(), &mut out[start..])?;

        let literal = LITERAL_HEAD + plain.len();
        push_long_head(out, TAG_SEIPD, 1 + PREFIX + LONG_HEAD + literal + MDC)?;
        out.push(1);
        let start = out.len();
        out.extend_from_slice(&prefix);
        out.extend_from_slice(&prefix[BLOCK - 2..]);
        push_long_head(out, TAG_LITERAL, literal)?;
        out.extend_from_slice(b"b\0\0\0\0\0");
        out.extend_from_slice(plain);
        out.extend_from_slice(&MDC_HEAD);
        let code = Sha1::digest(&out[start..]);
        out.extend_from_slice(&code);
        encrypt(session.as_ref(), &mut out[start..]).inspect_err(|_| out.clear())
    }

    fn open(&self, sealed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let (skesk, rest) = packet(sealed, TAG_SKESK)?;
        let session = self.session_key(skesk)?;
        let (seipd, rest) = packet(rest, TAG_SEIPD)?;
        if !rest.is_empty() {
            return Err(foreign("something follows"));
        }
        let body = match seipd.split_first() {
            Some((1, body)) => body,
            _ => return Err(foreign("the protected packet is not of version 1")),
        };
        // What the literal packet may need at most: a name of 255 bytes.
        let Some(most) = body.len().checked_sub(PREFIX + 2 + LITERAL_HEAD + MDC) else {
            return Err(failed("the segment is cut off"));
        };
        if most.saturating_sub(LONG_HEAD + 255) > limit {
            return Err(failed(format!("the segment holds more than the {limit} bytes that may be")));
        }
        out.extend_from_slice(body);
        let opened = decrypt(session.as_ref(), out).and_then(|()| literal(out, limit));
        match opened {
            Ok((start, end)) => {
                out.copy_within(start..end, 0);
                out.truncate(end - start);
                Ok(())
            }
            Err(error) => {
                out.zeroize();
                out.clear();
                Err(error)
            }
        }
    }
}

impl OpenpgpCipher {
    /// The session key from the passphrase packet. Without an encrypted one, the derived key is the session key.
    fn session_key(&self, skesk: &[u8]) -> Result<Zeroizing<[u8; KEY]>> {
        let Some((&[version, cipher, kind, hash], rest)) = skesk.split_first_chunk::<4>() else {
            return Err(foreign("the passphrase packet is too short"));
        };
        if (version, cipher, kind, hash) != (4, AES256_ID, SALTED, SHA256_ID) {
            return Err(foreign("the passphrase packet is not version 4 with AES-256 and salted SHA-256"));
        }
        let Some((&salt, encrypted)) = rest.split_first_chunk::<SALT>() else {
            return Err(foreign("the passphrase packet is too short"));
        };
        let derived = self.derive(salt)?;
        if encrypted.is_empty() {
            return Ok(derived);
        }
        let Ok(mut plain) = <[u8; 1 + KEY]>::try_from(encrypted).map(Zeroizing::new) else {
            return Err(foreign("the session key is not of the right length"));
        };
        decrypt(derived.as_ref(), plain.as_mut())?;
        if plain[0] != AES256_ID {
            return Err(failed("the segment does not open with this backup's key")
                .with_hint("the object was altered, or belongs to another backup; use another backup or copy"));
        }
        let mut session = Zeroizing::new([0; KEY]);
        session.copy_from_slice(&plain[1..]);
        Ok(session)
    }
}

/// Splits a packet of this tag off; only lengths that are known from the start are accepted (RFC 4880, 4.2).
fn packet(bytes: &[u8], tag: u8) -> Result<(&[u8], &[u8])> {
    let (head, len) = match *bytes {
        [] => return Err(failed("the segment is cut off")),
        [first, ref rest @ ..] if first & 0xc0 == 0xc0 => {
            if first & 0x3f != tag {
                return Err(foreign("another packet is in their place"));
            }
            match *rest {
                [len @ 0..=191, ..] => (2, len.into()),
                [high @ 192..=223, low, ..] => (3, (usize::from(high) - 192) * 256 + usize::from(low) + 192),
                [255, a, b, c, d, ..] => (6, u32::from_be_bytes([a, b, c, d]) as usize),
                [224..=254, ..] => return Err(foreign("a packet is written in pieces")),
                _ => return Err(failed("the segment is cut off")),
            }
        }
        [first, ref rest @ ..] if first & 0xc0 == 0x80 => {
            if (first >> 2) & 0x0f != tag {
                return Err(foreign("another packet is in their place"));
            }
            match (first & 3, rest) {
                (0, &[len, ..]) => (2, len.into()),
                (1, &[a, b, ..]) => (3, u16::from_be_bytes([a, b]).into()),
                (2, &[a, b, c, d, ..]) => (5, u32::from_be_bytes([a, b, c, d]) as usize),
                (3, _) => return Err(foreign("a packet is of unknown length")),
                _ => return Err(failed("the segment is cut off")),
            }
        }
        _ => return Err(foreign("there is no OpenPGP packet")),
    };
    bytes[head..].split_at_checked(len).ok_or_else(|| failed("the segment is cut off"))
}

/// Checks the modification detection code of decrypted data; where the literal packet's contents lie in it.
fn literal(plain: &[u8], limit: usize) -> Result<(usize, usize)> {
    let altered = || {
        failed("the segment was altered, or was sealed with another key")
            .with_hint("the object was damaged or belongs to another backup; use another backup or copy")
    };
    let Some((hashed, code)) = plain.split_last_chunk::<20>() else { return Err(altered()) };
    let expected: [u8; 20] = Sha1::digest(hashed).into();
    // Nothing is decided byte by byte: an attacker who could time this would still not have a message of his choice.
    let difference = expected.iter().zip(code).fold(0, |sum, (a, b)| sum | (a ^ b));
    let Some(packets) = hashed.strip_suffix(&MDC_HEAD).and_then(|rest| rest.get(PREFIX..)) else {
        return Err(altered());
    };
    if difference != 0 {
        return Err(altered());
    }
    let (body, rest) = packet(packets, TAG_LITERAL)?;
    if !rest.is_empty() {
        return Err(foreign("something follows the literal packet"));
    }
    let Some((&[b'b', name], rest)) = body.split_first_chunk::<2>() else {
        return Err(foreign("the literal packet is not binary"));
    };
    let data = rest.get(usize::from(name) + 4..).ok_or_else(|| foreign("the literal packet is too short"))?;
    if data.len() > limit {
        return Err(failed(format!("the segment holds {} bytes where at most {limit} may be", data.len())));
    }
    let end = plain.len() - MDC;
    Ok((end - data.len(), end))
}
