//! The error codes of this crate, beside those of the core.

/// The codes that backup-crypto raises.
pub mod codes {
    backup_core::codes! {
        /// A recipient is not one: unknown form, not in gpg's keyring, ambiguous, expired, revoked, or not able to encrypt.
        INVALID_RECIPIENT = "invalid_recipient", permanent, "give an age or SSH public key, a file of them, an OpenPGP public key file, or the fingerprint of a key in gpg's keyring";
        /// An identity cannot be read: unknown form, a damaged file, or a public key where a secret one is needed.
        INVALID_IDENTITY = "invalid_identity", permanent, "give an age identity file, an SSH private key or an exported OpenPGP secret key";
        /// A passphrase is needed and nobody could be asked for it.
        PASSPHRASE_REQUIRED = "passphrase_required", permanent, "run it on a terminal, or give the passphrase with --passphrase-file";
        /// A passphrase does not open the key it was given for.
        WRONG_PASSPHRASE = "wrong_passphrase", permanent, "check the passphrase and the file that it belongs to";
        /// An age plugin is missing, or failed.
        PLUGIN_FAILED = "plugin_failed", permanent, "install the plugin's program (age-plugin-NAME) where PATH finds it, and see its message";
        /// The gpg program is missing, or failed.
        GPG_FAILED = "gpg_failed", permanent, "install GnuPG, or give the exported public key as a file";
        /// A signing key cannot be read or used.
        INVALID_SIGNING_KEY = "invalid_signing_key", permanent, "give an OpenSSH private key (ed25519 is best); `backproof keygen --signing` makes one";
        /// The list of trusted signers is not in the allowed_signers format, or says something that cannot be honoured.
        INVALID_TRUSTED_SIGNERS = "invalid_trusted_signers", permanent, "correct the line that is named; `man ssh-keygen`, ALLOWED SIGNERS, describes the format";
        /// A key's paper form has a typing mistake.
        INVALID_PAPER_KEY = "invalid_paper_key", permanent, "compare the line that is named with the paper, character by character";
    }
}
