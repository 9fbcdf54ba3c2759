//! The cryptography that object_store asks for when it signs S3 requests, with digests that are known already.

use crate::exchange;
use object_store::Result;
use object_store::client::{CryptoProvider, DigestAlgorithm, DigestContext, HmacContext, Signer, SigningAlgorithm};
use ring::{digest, hmac};

/// SHA-256 and HMAC by ring, but for a payload whose digest the caller knows: it was made when the segment was sealed, and
/// hashing 16 MiB again, on a thread that serves other uploads, would cost as much as everything else together. The store
/// then checks what arrived against the digest of what was sealed, not of what this process held later.
#[derive(Debug)]
pub(crate) struct KnownDigests;

impl CryptoProvider for KnownDigests {
    fn digest(&self, algorithm: DigestAlgorithm) -> Result<Box<dyn DigestContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => {}
            other => return Err(not_supported(format!("{other:?}"))),
        }
        Ok(Box::new(Digest {
            hash: digest::Context::new(&digest::SHA256),
            untouched: true,
            known: None,
            result: Vec::new(),
        }))
    }

    fn hmac(&self, algorithm: DigestAlgorithm, secret: &[u8]) -> Result<Box<dyn HmacContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => {}
            other => return Err(not_supported(format!("{other:?}"))),
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Ok(Box::new(Hmac { context: hmac::Context::with_key(&key), result: Vec::new() }))
    }

    fn sign(&self, algorithm: SigningAlgorithm, _pem: &[u8]) -> Result<Box<dyn Signer>> {
        // S3's signatures need none.
        Err(not_supported(format!("{algorithm:?}")))
    }
}

fn not_supported(what: String) -> object_store::Error {
    object_store::Error::NotSupported { source: format!("{what} is not needed for S3").into() }
}

struct Digest {
    hash: digest::Context,
    untouched: bool,
    known: Option<[u8; 32]>,
    result: Vec<u8>,
}

impl DigestContext for Digest {
    fn update(&mut self, data: &[u8]) {
        if self.untouched {
            self.untouched = false;
            self.known = exchange::known_digest(data);
            if self.known.is_some() {
                return;
            }
        } else if self.known.take().is_some() {
            // More follows the payload: what was skipped has to be hashed after all.
            exchange::with_payload(|payload| self.hash.update(payload));
        }
        self.hash.update(data);
    }

    fn finish(&mut self) -> Result<&[u8]> {
        self.result = match self.known {
            Some(known) => known.to_vec(),
            None => self.hash.clone().finish().as_ref().to_vec(),
        };
        Ok(&self.result)
    }
}

struct Hmac {
    context: hmac::Context,
    result: Vec<u8>,
}

impl HmacContext for Hmac {
    fn update(&mut self, data: &[u8]) {
        self.context.update(data);
    }

    fn finish(&mut self) -> Result<&[u8]> {
        self.result = self.context.clone().sign().as_ref().to_vec();
        Ok(&self.result)
    }
}
