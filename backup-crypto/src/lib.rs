//! Ciphers, backup keys and signatures of backproof.
//!
//! - Segments: [`AgeCipher`] and [`OpenpgpCipher`], both [`Cipher`](backup_core::cipher::Cipher)s.
//! - Whom backups are sealed to: [`Recipients`], a [`KeySealer`](backup_core::cipher::KeySealer).
//! - Who opens them: [`Identities`], a [`KeyOpener`](backup_core::cipher::KeyOpener).
//! - Making keys: [`keygen`], and [`paper`], their form to keep on paper.
//! - Who wrote it: [`SshSigner`], a [`Signer`](backup_core::signature::Signer), and [`TrustedSigners`], a
//!   [`TrustPolicy`](backup_core::signature::TrustPolicy).
//! - Error codes: [`error::codes`].
//!
//! docs/keys.md tells the same story to operators.

mod age_key_file;
mod age_segment;
pub mod error;
mod gpg_keyring;
mod identities;
mod identity_text;
pub mod keygen;
mod openpgp_identity;
mod openpgp_key_file;
mod openpgp_recipient;
mod openpgp_segment;
pub mod paper;
mod prompt;
mod recipient_text;
mod recipients;
mod ssh_signer;
mod trusted_signers;

pub use age_segment::AgeCipher;
pub use gpg_keyring::GpgKeyring;
pub use identities::{Identities, IdentityProvider, IdentityRequest};
pub use openpgp_segment::OpenpgpCipher;
pub use prompt::{FixedPassphrase, NoPrompt, Prompt};
pub use recipients::{RecipientOptions, Recipients, SCRYPT_LOG_N};
pub use ssh_signer::SshSigner;
pub use trusted_signers::TrustedSigners;

/// Runs work that blocks (plugins, scrypt, prompts) on a thread that may.
/// Reads a key file or a list, away from the threads that wait for others.
async fn read_small(path: std::path::PathBuf, limit: u64) -> std::io::Result<Vec<u8>> {
    tokio::task::spawn_blocking(move || backup_core::small_file::read(&path, limit))
        .await
        .map_err(std::io::Error::other)?
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> backup_core::Result<T> + Send + 'static,
) -> backup_core::Result<T> {
    use backup_core::error::{Error, codes::CANCELLED};
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // The runtime is shutting down, or the work panicked: neither gives a key.
        Err(error) => Err(Error::new(&CANCELLED, "the work on the backup's key was cut short").with_source(error)),
    }
}
