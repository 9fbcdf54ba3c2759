//! Segments as age files (<https://c2sp.org/age>) with exactly one X25519 stanza.
//!
//! The stanza is made and opened by the `age` crate. The header around it and the payload are written here, for three
//! reasons: the crate adds a random stanza of its own to every header, which the repository format forbids; a segment is in
//! memory as a whole, so that it is encrypted in place, with no buffer between; and ring's ChaCha20-Poly1305 takes half the
//! time. Both directions are tested against the age program and the age crate.

use age::{Identity as _, Recipient as _, x25519};
use age_core::format::{FileKey, Stanza};
use backup_core::cipher::Cipher;
use backup_core::error::codes::DECRYPT_FAILED;
use backup_core::{Error, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use ring::{aead, hkdf, hmac};
use secrecy::ExposeSecret;
use std::fmt;
use zeroize::Zeroizing;

const VERSION_LINE: &[u8] = b"age-encryption.org/v1\n";
const STANZA_START: &[u8] = b"-> X25519 ";
const MAC_START: &[u8] = b"\n---";
/// 32 bytes in base64 without padding: the ephemeral share, the wrapped file key and the MAC are all of this length.
const B64_32: usize = 43;
/// Version line, stanza line, stanza body, MAC line.
const HEADER_LEN: usize =
    VERSION_LINE.len() + STANZA_START.len() + B64_32 + 1 + B64_32 + MAC_START.len() + 1 + B64_32 + 1;
const NONCE_LEN: usize = 16;
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

/// Seals and opens segments as age files to one X25519 identity: the backup's own key.
#[derive(Clone)]
pub struct AgeCipher {
    identity: x25519::Identity,
    recipient: x25519::Recipient,
}

impl AgeCipher {
    /// The cipher of a backup whose own key is this identity.
    pub fn new(identity: x25519::Identity) -> Self {
        let recipient = identity.to_public();
        AgeCipher { identity, recipient }
    }
}

impl fmt::Debug for AgeCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not even the public half: whoever knows it can add segments to the backup.
        f.write_str("AgeCipher")
    }
}

fn failed(message: impl Into<String>) -> Error {
    Error::new(&DECRYPT_FAILED, message)
}

/// HKDF-SHA-256 of the file key (age: "header" for the MAC's key, "payload" with the nonce as salt for the payload's).
fn derive(file_key: &FileKey, salt: &[u8], label: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(file_key.expose_secret())
        .expand(&[label], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut()))
        .map_err(|_| failed("derive a segment's keys"))?;
    Ok(key)
}

/// The key of the MAC over the header up to and including `---`.
fn header_mac(file_key: &FileKey) -> Result<hmac::Key> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, derive(file_key, &[], b"header")?.as_ref()))
}

/// ring keeps its own copy of this key and does not wipe it; it opens this one segment, whose plaintext is in an ordinary
/// buffer just as long.
fn payload_key(file_key: &FileKey, nonce: &[u8]) -> Result<aead::LessSafeKey> {
    let key = derive(file_key, nonce, b"payload")?;
    aead::UnboundKey::new(&aead::CHACHA20_POLY1305, key.as_ref())
        .map(aead::LessSafeKey::new)
        .map_err(|_| failed("the cipher refused its key"))
}

/// STREAM's nonce: a big-endian counter of 11 bytes, then 1 for the last chunk.
fn chunk_nonce(number: u64, last: bool) -> aead::Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    aead::Nonce::assume_unique_for_key(nonce)
}

fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = BASE64_STANDARD_NO_PAD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

impl Cipher for AgeCipher {
    fn ending(&self) -> &'static str {
        "age"
    }

    fn max_sealed_len(&self, plain: usize) -> usize {
        HEADER_LEN + NONCE_LEN + plain + TAG * plain.div_ceil(CHUNK).max(1)
    }

    fn seal(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        out.reserve(self.max_sealed_len(plain.len()));
        let random = |bytes: &mut [u8]| {
            getrandom::fill(bytes)
                .map_err(|error| Error::new(&backup_core::error::codes::IO, format!("read random bytes: {error}")))
        };
        let file_key = FileKey::try_init_with_mut(|key| random(key))?;
        let (stanzas, _) = self
            .recipient
            .wrap_file_key(&file_key)
            .map_err(|error| failed("encrypt a segment's key").with_source(error.to_string()))?;
        let [Stanza { args, body, .. }] = stanzas.as_slice() else {
            return Err(failed("encrypt a segment's key: not one stanza"));
        };
        out.extend_from_slice(VERSION_LINE);
        out.extend_from_slice(STANZA_START);
        out.extend_from_slice(args.first().map_or(&[], |share| share.as_bytes()));
        out.push(b'\n');
        push_base64(out, body);
        out.extend_from_slice(MAC_START);
        let mac = hmac::sign(&header_mac(&file_key)?, out);
        out.push(b' ');
        push_base64(out, mac.as_ref());
        out.push(b'\n');

        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        out.extend_from_slice(&nonce);
        let key = payload_key(&file_key, &nonce)?;
        let chunks = plain.len().div_ceil(CHUNK).max(1);
        for number in 0..chunks {
            let chunk = &plain[number * CHUNK..plain.len().min((number + 1) * CHUNK)];
            let start = out.len();
            out.extend_from_slice(chunk);
            let nonce = chunk_nonce(number as u64, number + 1 == chunks);
            match key.seal_in_place_separate_tag(nonce, aead::Aad::empty(), &mut out[start..]) {
                Ok(tag) => out.extend_from_slice(tag.as_ref()),
                Err(_) => {
                    // Plaintext may be in there.
                    out.clear();
                    return Err(failed("the cipher refused a chunk"));
                }
            }
        }
        Ok(())
    }

    fn open(&self, sealed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let (file_key, payload) = self.open_header(sealed)?;
        let (nonce, payload) =
            payload.split_at_checked(NONCE_LEN).ok_or_else(|| failed("the segment is cut off after its header"))?;
        let chunks = payload.len().div_ceil(CHUNK + TAG);
        let last_len = payload.len() - chunks.saturating_sub(1) * (CHUNK + TAG);
        // The last chunk holds at least one byte, unless it is the only one.
        if last_len < TAG || (last_len == TAG && chunks > 1) {
            return Err(failed(format!("the segment is cut off: it ends inside chunk {}", chunks.saturating_sub(1))));
        }
        let plain_len = payload.len() - chunks * TAG;
        if plain_len > limit {
            return Err(failed(format!("the segment holds {plain_len} bytes where at most {limit} may be")));
        }
        out.reserve(plain_len);
        let key = payload_key(&file_key, nonce)?;
        for (number, chunk) in payload.chunks(CHUNK + TAG).enumerate() {
            let last = number + 1 == chunks;
            if !open_chunk(&key, number, last, chunk, out) {
                out.clear();
                // A chunk in the middle that stands at the end: what follows was cut off at a chunk's boundary.
                let cut = last && open_chunk(&key, number, false, chunk, out);
                out.clear();
                return Err(failed(if cut {
                    format!("the segment is cut off after chunk {number}")
                } else if last {
                    format!("the segment's last chunk, {number}, was altered or is cut off")
                } else {
                    format!("the segment's chunk {number} was altered")
                }));
            }
        }
        Ok(())
    }
}

/// Appends the chunk's plaintext to `out`; false, with `out` in no particular state, if it does not authenticate.
fn open_chunk(key: &aead::LessSafeKey, number: usize, last: bool, chunk: &[u8], out: &mut Vec<u8>) -> bool {
    let Some((sealed, tag)) = chunk.split_last_chunk::<TAG>() else { return false };
    let start = out.len();
    out.extend_from_slice(sealed);
    let nonce = chunk_nonce(number as u64, last);
    key.open_in_place_separate_tag(nonce, aead::Aad::empty(), (*tag).into(), &mut out[start..], 0..).is_ok()
}

impl AgeCipher {
    /// Reads the one header that is allowed, to the byte: one X25519 stanza, no other, no armour.
    fn open_header<'a>(&self, sealed: &'a [u8]) -> Result<(FileKey, &'a [u8])> {
        let foreign = || failed("the segment is not an age file with exactly one X25519 recipient");
        if sealed.len() < HEADER_LEN {
            return Err(if VERSION_LINE.starts_with(sealed) || sealed.starts_with(VERSION_LINE) {
                failed(format!("the segment is cut off: it has {} bytes", sealed.len()))
            } else {
                foreign()
            });
        }
        let (header, payload) = sealed.split_at(HEADER_LEN);
        let rest = header.strip_prefix(VERSION_LINE).ok_or_else(foreign)?;
        let rest = rest.strip_prefix(STANZA_START).ok_or_else(foreign)?;
        let (share, rest) = rest.split_at(B64_32);
        let rest = rest.strip_prefix(b"\n").ok_or_else(foreign)?;
        let (body, rest) = rest.split_at(B64_32);
        let rest = rest.strip_prefix(MAC_START).and_then(|rest| rest.strip_prefix(b" ")).ok_or_else(foreign)?;
        let (mac, rest) = rest.split_at(B64_32);
        if rest != b"\n" {
            return Err(foreign());
        }
        let share = std::str::from_utf8(share).map_err(|_| foreign())?;
        let body = BASE64_STANDARD_NO_PAD.decode(body).map_err(|_| foreign())?;
        let mac = BASE64_STANDARD_NO_PAD.decode(mac).map_err(|_| foreign())?;
        let stanza = Stanza { tag: "X25519".into(), args: vec![share.into()], body };
        let file_key = match self.identity.unwrap_stanza(&stanza) {
            Some(Ok(file_key)) => file_key,
            Some(Err(_)) => return Err(foreign()),
            None => {
                return Err(failed("the segment does not open with this backup's key")
                    .with_hint("the object was altered, or belongs to another backup; use another backup or copy"));
            }
        };
        let maced = HEADER_LEN - 1 - B64_32 - 1;
        hmac::verify(&header_mac(&file_key)?, &header[..maced], &mac)
            .map_err(|_| failed("the segment's header was altered"))?;
        Ok((file_key, payload))
    }
}
