//! Signing with an SSH key: [`SshSigner`].

use crate::error::codes::{INVALID_SIGNING_KEY, WRONG_PASSPHRASE};
use crate::prompt::Prompt;
use async_trait::async_trait;
use backup_core::error::io_error;
use backup_core::signature::{DocumentKind, Signer};
use backup_core::{Error, Result};
use rand::rngs::OsRng;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _};
use rsa::{BigUint, RsaPrivateKey};
use secrecy::{ExposeSecret, SecretSlice};
use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, Mpint, PrivateKey, PublicKey, Signature, SshSig};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A private key file is a few kilobytes.
const MAX_FILE: u64 = 1 << 20;
/// What `keygen --signing` trusts a backup host's key with.
pub(crate) const HOST_KINDS: [DocumentKind; 2] = [DocumentKind::Manifest, DocumentKind::Evidence];

/// Signs documents with an OpenSSH private key: ed25519, or ECDSA on P-256, or RSA of 2048 bits and more.
#[derive(Clone)]
pub struct SshSigner(Arc<PrivateKey>);

impl fmt::Debug for SshSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SshSigner").field(&self.fingerprint()).finish()
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(&INVALID_SIGNING_KEY, message)
}

impl SshSigner {
    /// Reads an OpenSSH private key file; asks for its passphrase if it has one.
    pub async fn from_file(path: impl AsRef<Path>, prompt: Arc<dyn Prompt>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let read = |error| io_error(format!("read signing key {name}"), error);
        let metadata = tokio::fs::metadata(path).await.map_err(read)?;
        if metadata.len() > MAX_FILE {
            return Err(invalid(format!("{name} has {} bytes, too many for a private key", metadata.len())));
        }
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
            tracing::warn!(file = name, "this signing key can be read by others: chmod 600");
        }
        let bytes: SecretSlice<u8> = crate::read_small(path.into(), MAX_FILE).await.map_err(read)?.into();
        crate::blocking(move || Self::from_openssh(&name, &bytes, prompt.as_ref())).await
    }

    /// Reads an OpenSSH private key; `name` stands for it in messages. May ask, and block for as long as that takes.
    pub fn from_openssh(name: &str, text: &SecretSlice<u8>, prompt: &dyn Prompt) -> Result<Self> {
        let text = text.expose_secret();
        let mut key = PrivateKey::from_openssh(text).map_err(|error| {
            let error = invalid(format!("{name} is not an OpenSSH private key that can be read"))
                .with_source(error.to_string());
            if text.starts_with(b"ssh-") {
                error.with_hint("this is a public key; give the file without .pub")
            } else {
                error.with_hint(
                    "`ssh-keygen -p -f FILE` rewrites a key of an old format; `backproof keygen --signing` makes one",
                )
            }
        })?;
        if key.is_encrypted() {
            let passphrase = prompt.passphrase(&format!("signing key {name}"))?;
            key = key
                .decrypt(passphrase.expose_secret())
                .map_err(|_| Error::new(&WRONG_PASSPHRASE, format!("the passphrase does not open {name}")))?;
        }
        strong_enough(key.public_key()).map_err(|reason| invalid(format!("{name} {reason}")))?;
        // Tried at once: a kind of key that cannot sign is better found now than after the dump.
        let signer = SshSigner(Arc::new(key));
        let trial = signer.signature(DocumentKind::Manifest, b"trial").and_then(|signature| {
            let namespace = DocumentKind::Manifest.namespace();
            signer.0.public_key().verify(&namespace, b"trial", &signature)
        });
        trial.map_err(|error| {
            invalid(format!("{name} is a key of the kind {}, which cannot sign here", signer.0.algorithm()))
                .with_source(error.to_string())
        })?;
        Ok(signer)
    }

    /// The public key's line, without a line feed.
    pub fn public_line(&self) -> Result<String> {
        self.0.public_key().to_openssh().map_err(|error| invalid("write the public key").with_source(error.to_string()))
    }

    /// The line for readers' `trusted_signers`: this key, for manifests and evidence alone.
    pub fn allowed_signers_line(&self, principal: &str) -> Result<String> {
        allowed_signers_line(self.0.public_key(), principal, &HOST_KINDS)
    }

    fn signature(&self, kind: DocumentKind, message: &[u8]) -> ssh_key::Result<SshSig> {
        let namespace = kind.namespace();
        match self.0.key_data() {
            KeypairData::Rsa(keys) => {
                let signed = SshSig::signed_data(&namespace, HashAlg::Sha512, message)?;
                let public = self.0.public_key().key_data().clone();
                SshSig::new(public, namespace, HashAlg::Sha512, sign_with_rsa(keys, &signed)?)
            }
            _ => self.0.sign(&namespace, HashAlg::Sha512, message),
        }
    }
}

#[async_trait]
impl Signer for SshSigner {
    fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    async fn sign(&self, kind: DocumentKind, message: &[u8]) -> Result<String> {
        let mut armoured = self
            .signature(kind, message)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(|error| invalid(format!("sign the {kind}")).with_source(error.to_string()))?;
        if !armoured.ends_with('\n') {
            armoured.push('\n');
        }
        Ok(armoured)
    }
}

/// An RSA signature (RFC 8332, rsa-sha2-512), blinded against timing. ssh-key 0.6.7 takes the first prime for both and fails.
fn sign_with_rsa(keys: &RsaKeypair, bytes: &[u8]) -> ssh_key::Result<Signature> {
    let number =
        |number: &Mpint| number.as_positive_bytes().map(BigUint::from_bytes_be).ok_or(ssh_key::Error::FormatEncoding);
    let primes = vec![number(&keys.private.p)?, number(&keys.private.q)?];
    let (modulus, exponent) = (number(&keys.public.n)?, number(&keys.public.e)?);
    let key = RsaPrivateKey::from_components(modulus, exponent, number(&keys.private.d)?, primes)
        .map_err(|_| ssh_key::Error::Crypto)?;
    let signature = rsa::pkcs1v15::SigningKey::<sha2::Sha512>::new(key)
        .try_sign_with_rng(&mut OsRng, bytes)
        .map_err(|_| ssh_key::Error::Crypto)?;
    Signature::new(Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, signature.to_vec())
}

/// What is wrong with a key, as the end of a sentence about it.
pub(crate) fn strong_enough(key: &PublicKey) -> Result<(), String> {
    match key.key_data() {
        KeyData::Rsa(key) => {
            let bits = key.n.as_positive_bytes().map_or(0, |bytes| bytes.len() * 8);
            if bits < 2048 { Err(format!("is an RSA key of {bits} bits; 2048 are the least")) } else { Ok(()) }
        }
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => Ok(()),
        _ => Err(format!("is a key of the kind {}, which is not accepted", key.algorithm())),
    }
}

pub(crate) fn allowed_signers_line(key: &PublicKey, principal: &str, kinds: &[DocumentKind]) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '-' | '_' | '+' | ':' | '/');
    if principal.is_empty() || !principal.chars().all(plain) {
        return Err(invalid(format!("{principal:?} cannot name a signer"))
            .with_hint("use letters, digits and @ . - _ + : /, for example backups@db1.example.com"));
    }
    let namespaces = kinds.iter().map(|kind| kind.namespace()).collect::<Vec<_>>().join(",");
    let key = key.to_openssh().map_err(|error| invalid("write the public key").with_source(error.to_string()))?;
    Ok(format!("{principal} namespaces=\"{namespaces}\" {key}"))
}
