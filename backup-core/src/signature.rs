//! Who wrote a document: signers, and the policy by which readers trust them.

use crate::error::Result;
use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Debug};

/// What a signature is for. Each kind of document has an SSH signature namespace of its own, so that a key can be trusted
/// for some kinds alone and no signature fits a document of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DocumentKind {
    /// A backup's manifest.
    Manifest,
    /// A legal hold.
    Hold,
    /// The end of a hold.
    Release,
    /// A mark that a backup may be deleted.
    Tombstone,
    /// The end of a tombstone.
    Undo,
    /// A new set of key files.
    Keys,
    /// Trust in manifests whose key is retired.
    Vouch,
    /// A proof's outcome.
    Proof,
    /// An erasure to replay.
    Erasure,
    /// An entry of the evidence ledger.
    Evidence,
}

impl DocumentKind {
    /// The kind's name, as documents carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            DocumentKind::Manifest => "manifest",
            DocumentKind::Hold => "hold",
            DocumentKind::Release => "release",
            DocumentKind::Tombstone => "tombstone",
            DocumentKind::Undo => "undo",
            DocumentKind::Keys => "keys",
            DocumentKind::Vouch => "vouch",
            DocumentKind::Proof => "proof",
            DocumentKind::Erasure => "erasure",
            DocumentKind::Evidence => "evidence",
        }
    }

    /// The SSH signature namespace, e.g. `backproof-manifest`.
    pub fn namespace(self) -> String {
        format!("backproof-{}", self.as_str())
    }
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Signs documents.
///
/// # Contract
/// The result is an armoured SSH signature (OpenSSH's PROTOCOL.sshsig) that begins with `-----BEGIN SSH SIGNATURE-----` and
/// ends with a line feed, over exactly `message`, in the kind's namespace, with SHA-512.
#[async_trait]
pub trait Signer: Debug + Send + Sync {
    /// The public key's fingerprint, `SHA256:…` as `ssh-keygen -l` prints it.
    fn fingerprint(&self) -> String;

    /// Signs these bytes.
    async fn sign(&self, kind: DocumentKind, message: &[u8]) -> Result<String>;
}

/// A signature that was found to be right and trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedSignature {
    /// The principal's name in the list of trusted signers.
    pub principal: String,
    /// The key's fingerprint, `SHA256:…`.
    pub fingerprint: String,
}

/// Whom a reader trusts to have written what.
///
/// # Contract
/// - A signature that is not right, in another namespace, or by a key that is not listed for this kind, or not valid at `now`,
///   is [`BAD_SIGNATURE`](crate::error::codes::BAD_SIGNATURE). Validity is judged at `now`, never at a time the document claims.
/// - No I/O: the list was read before.
pub trait TrustPolicy: Debug + Send + Sync {
    /// Checks an armoured signature over exactly `message`.
    fn check(&self, kind: DocumentKind, message: &[u8], signature: &str, now: Timestamp) -> Result<TrustedSignature>;
}
