//! `keygen`: an age identity, or an SSH signing key.

use super::no_effect;
use crate::Backproof;
use backup_core::error::codes;
use backup_core::{Error, Result};
use backup_crypto::keygen::{AgeKey, Purpose, SigningKey, write_private, write_public};
use backup_crypto::paper;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What [`keygen`](Backproof::keygen) takes.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("required" = ["output"])))]
#[serde(default, deny_unknown_fields)]
pub struct KeygenOptions {
    /// The file for the secret key; never overwritten.
    pub output: PathBuf,
    /// Make an SSH key that signs manifests and evidence, instead of an age identity.
    pub signing: bool,
    /// Protect the secret key with a passphrase: from the settings, or asked for.
    pub passphrase: bool,
    /// Make no new key: this is the form of one that was kept on paper, typed or scanned.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub from_paper: Option<SecretString>,
    /// With `signing`, what the key is for (`--for` on the command line); `backup` by default.
    pub purpose: Option<KeyPurpose>,
    /// With `signing`, the name of the key's holder in the list of trusted signers; `backup-host` by default.
    pub principal: Option<String>,
}

/// What a signing key is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum KeyPurpose {
    /// Manifests: it is on a host that backs up.
    #[default]
    Backup,
    /// Evidence: it is on a host that verifies and drills.
    Proof,
}

/// A key that was made. The first two are of an identity, the others of a signing key.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct KeygenResult {
    /// The file with the secret identity, which opens backups: keep it away from the host that makes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_file: Option<String>,
    /// The public recipient, which backups are sealed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The file with the secret signing key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_key_file: Option<String>,
    /// The file with its public half.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key_file: Option<String>,
    /// The fingerprint, `SHA256:…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The line by which readers trust it, in the file of trusted signers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_signers_line: Option<String>,
    /// The files that were written.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
    /// The form of the secret to keep on paper.
    #[serde(skip)]
    pub paper: Option<SecretString>,
}

impl Backproof {
    /// Makes a key; nothing is asked of the repository.
    pub async fn keygen(&self, options: &KeygenOptions) -> Result<KeygenResult> {
        self.check_cancelled()?;
        if options.output.as_os_str().is_empty() {
            return Err(super::usage("say where the secret key goes: --output FILE"));
        }
        match options.signing {
            true => self.signing_key(options),
            false => self.identity(options),
        }
    }

    fn identity(&self, options: &KeygenOptions) -> Result<KeygenResult> {
        if options.purpose.is_some() || options.principal.is_some() {
            return Err(no_effect("an identity has neither a purpose nor a principal: these are of a signing key"));
        }
        let key = match &options.from_paper {
            Some(form) => AgeKey::from_secret(&paper::read(form.expose_secret())?)?,
            None => AgeKey::generate(),
        };
        let created = Timestamp::now();
        let paper = paper::form(&key.secret(), created)?;
        if options.passphrase {
            let passphrase = self.settings().new_passphrase(self.prompter())?;
            let file = key.protected_identity_file(created, passphrase, backup_crypto::SCRYPT_LOG_N)?;
            write_private(&options.output, &file)?;
        } else {
            write_private(&options.output, key.identity_file(created).expose_secret().as_bytes())?;
        }
        Ok(KeygenResult {
            identity_file: Some(options.output.display().to_string()),
            recipient: Some(key.recipient()),
            files: vec![options.output.clone()],
            paper: Some(paper),
            ..KeygenResult::default()
        })
    }

    fn signing_key(&self, options: &KeygenOptions) -> Result<KeygenResult> {
        if options.from_paper.is_some() {
            return Err(no_effect("the form on paper is of an identity, and a signing key was asked for"));
        }
        let mut public = options.output.clone().into_os_string();
        public.push(".pub");
        let public = PathBuf::from(public);
        if public.exists() {
            return Err(Error::new(&codes::ALREADY_EXISTS, format!("{} exists already", public.display()))
                .with_hint("nothing was written; choose another name"));
        }
        let purpose = match options.purpose.unwrap_or_default() {
            KeyPurpose::Backup => Purpose::Backup,
            KeyPurpose::Proof => Purpose::Proof,
        };
        let principal = options.principal.as_deref().unwrap_or("backup-host");
        let key = SigningKey::generate(principal)?;
        let private = match options.passphrase {
            true => key.protected_private_file(&self.settings().new_passphrase(self.prompter())?)?,
            false => key.private_file()?,
        };
        let line = key.allowed_signers_line(principal, purpose)?;
        write_private(&options.output, private.expose_secret().as_bytes())?;
        write_public(&public, key.public_file()?.as_bytes())?;
        Ok(KeygenResult {
            signing_key_file: Some(options.output.display().to_string()),
            public_key_file: Some(public.display().to_string()),
            fingerprint: Some(key.fingerprint()),
            trusted_signers_line: Some(line.trim_end().to_owned()),
            files: vec![options.output.clone(), public],
            ..KeygenResult::default()
        })
    }
}
