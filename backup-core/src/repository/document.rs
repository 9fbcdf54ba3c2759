//! Documents: JSON, its SHA-256, and its signature, in one object.
//!
//! ```text
//! {
//!   "format": 1,
//!   …
//! }
//! sha256 <hex of the JSON's bytes, the last line feed included>
//! -----BEGIN SSH SIGNATURE-----
//! …
//! -----END SSH SIGNATURE-----
//! ```
//!
//! One object, so that no crash and no listing can part a document from its signature. `sed '/^}$/q'` gives what was signed.

use super::json;
use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::signature::{DocumentKind, Signer, TrustPolicy, TrustedSignature};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

const SIGNATURE_BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const SIGNATURE_END: &str = "-----END SSH SIGNATURE-----\n";

/// Writes a document, signed when there is a signer; also gives the SHA-256 of its JSON.
pub async fn write(
    kind: DocumentKind,
    value: &(impl Serialize + Sync),
    signer: Option<&dyn Signer>,
) -> Result<(Vec<u8>, Sha256)> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::new(&codes::INVALID_ARGUMENT, format!("write a {kind}")).with_source(error))?;
    bytes.push(b'\n');
    // The end of the JSON is its first line `}`: inner objects are indented, and strings hold no raw line feed.
    debug_assert!(bytes.ends_with(b"\n}\n"));
    let sha256 = Sha256::of(&bytes);
    let signature = match signer {
        Some(signer) => Some(signer.sign(kind, &bytes).await?),
        None => None,
    };
    bytes.extend_from_slice(format!("sha256 {sha256}\n").as_bytes());
    if let Some(signature) = signature {
        bytes.extend_from_slice(signature.as_bytes());
    }
    Ok((bytes, sha256))
}

/// A document whose hash was checked, taken apart. Its signature was not looked at yet.
#[derive(Clone, Debug)]
pub struct Document {
    json: Vec<u8>,
    sha256: Sha256,
    signature: Option<String>,
}

impl Document {
    /// Takes the bytes of a document apart and checks its hash. `what` names it in errors.
    pub fn parse(bytes: &[u8], what: &str) -> Result<Self> {
        let invalid = |reason: &str| Error::new(&codes::INVALID_DOCUMENT, format!("{what} {reason}"));
        if bytes.len() as u64 > json::MAX_BYTES {
            return Err(invalid("is larger than a document may be"));
        }
        let end = if bytes.starts_with(b"}\n") { Some(2) } else { find(bytes, b"\n}\n").map(|at| at + 3) };
        let end = end.ok_or_else(|| invalid("has no line `}`"))?;
        let (json, tail) = bytes.split_at(end);
        let tail = std::str::from_utf8(tail).map_err(|_| invalid("is not text after its JSON"))?;
        let (line, signature) = tail.split_once('\n').ok_or_else(|| invalid("has no line with its hash"))?;
        let recorded = line.strip_prefix("sha256 ").ok_or_else(|| invalid("has no line with its hash"))?;
        let sha256 = Sha256::of(json);
        if recorded.parse::<Sha256>().ok() != Some(sha256) {
            return Err(invalid("does not have the SHA-256 that it says"));
        }
        let armoured = |text: &str| {
            text.starts_with(SIGNATURE_BEGIN)
                && text.ends_with(SIGNATURE_END)
                && text.matches("-----BEGIN").count() == 1
                && text.matches("-----END").count() == 1
        };
        let signature = match signature {
            "" => None,
            text if armoured(text) => Some(text.to_owned()),
            _ => return Err(invalid("has something after its hash that is not one SSH signature")),
        };
        Ok(Document { json: json.to_vec(), sha256, signature })
    }

    /// The JSON, to its last line feed.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// The SHA-256 of the JSON: what other documents name it by.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The armoured signature.
    pub fn signature(&self) -> Option<&str> {
        self.signature.as_deref()
    }

    /// Checks the signature against the trusted signers.
    pub fn authenticate(
        &self,
        kind: DocumentKind,
        trust: &dyn TrustPolicy,
        now: Timestamp,
        what: &str,
    ) -> Result<TrustedSignature> {
        let signature =
            self.signature.as_deref().ok_or_else(|| Error::new(&codes::UNSIGNED, format!("{what} is not signed")))?;
        trust
            .check(kind, &self.json, signature, now)
            .map_err(|error| error.context(format_args!("check the signature of {what}")))
    }

    /// Reads the JSON.
    pub fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        json::parse(&self.json, what)
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}
