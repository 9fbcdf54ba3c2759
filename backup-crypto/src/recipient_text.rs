//! Recipients as people write them: on the command line and in files.

use crate::age_key_file::one_line;
use crate::error::codes::INVALID_RECIPIENT;
use age::ssh::ParseRecipientKeyError;
use age::{plugin, ssh, tag, tagpq, x25519};
use backup_core::cipher::RecipientName;
use backup_core::error::io_error;
use backup_core::{Error, Result};
use std::path::Path;

/// A file of recipients, or an exported public key with many signatures, is far smaller.
const MAX_FILE: u64 = 8 << 20;

/// What a recipient on the command line turned out to be.
pub(crate) enum Spec {
    /// age or SSH recipients.
    Age(Vec<AgeRecipient>),
    /// An exported OpenPGP key, and what to call it in messages.
    Openpgp { name: String, bytes: Vec<u8> },
    /// To be looked up in gpg's keyring.
    Keyring(String),
}

/// A recipient of an age file.
#[derive(Clone)]
pub(crate) enum AgeRecipient {
    X25519(x25519::Recipient),
    Ssh(Box<ssh::Recipient>),
    Tag(String, tag::Recipient),
    TagPq(String, Box<tagpq::Recipient>),
    Plugin(plugin::Recipient),
}

impl AgeRecipient {
    /// As the manifest names it.
    pub(crate) fn name(&self) -> RecipientName {
        let (kind, id) = match self {
            AgeRecipient::X25519(recipient) => ("age", recipient.to_string()),
            AgeRecipient::Ssh(recipient) => ("ssh", ssh_id(recipient)),
            AgeRecipient::Tag(text, _) | AgeRecipient::TagPq(text, _) => ("age-plugin", text.clone()),
            AgeRecipient::Plugin(recipient) => ("age-plugin", recipient.to_string()),
        };
        RecipientName { kind: kind.into(), id }
    }

    /// What seals to it without a plugin.
    pub(crate) fn direct(&self) -> Option<&dyn age::Recipient> {
        Some(match self {
            AgeRecipient::X25519(recipient) => recipient,
            AgeRecipient::Ssh(recipient) => recipient.as_ref(),
            AgeRecipient::Tag(_, recipient) => recipient,
            AgeRecipient::TagPq(_, recipient) => recipient.as_ref(),
            AgeRecipient::Plugin(_) => return None,
        })
    }

    /// The recipient, if a plugin has to seal to it.
    pub(crate) fn plugin(&self) -> Option<&plugin::Recipient> {
        match self {
            AgeRecipient::Plugin(recipient) => Some(recipient),
            _ => None,
        }
    }
}

/// An ed25519 key as it is; the fingerprint of an RSA key, which is too long to print.
fn ssh_id(recipient: &ssh::Recipient) -> String {
    let line = recipient.to_string();
    match ssh_key::PublicKey::from_openssh(&line) {
        Ok(key) if line.starts_with("ssh-rsa") => key.fingerprint(ssh_key::HashAlg::Sha256).to_string(),
        _ => line,
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(&INVALID_RECIPIENT, message)
}

fn secret(name: &str) -> Error {
    invalid(format!("{name} is a secret key, not a recipient"))
        .with_hint("give the public half: `age-keygen -y FILE`, the .pub file, or `gpg --export` prints it")
}

/// Finds out what a recipient is, and reads it if it is a file.
pub(crate) async fn read(spec: &str) -> Result<Spec> {
    let spec = spec.trim();
    if let Some(name) = spec.strip_prefix("gpg:") {
        return Ok(Spec::Keyring(name.into()));
    }
    if is_secret(spec.as_bytes()) {
        // Never repeated: the message would carry the secret into logs.
        return Err(secret("what was given"));
    }
    if spec.starts_with("ssh-") || (spec.starts_with("age1") && !Path::new(spec).exists()) {
        return line(spec).map(|recipient| Spec::Age(vec![recipient])).map_err(invalid);
    }
    if spec.is_empty() {
        return Err(invalid("an empty recipient was given"));
    }
    match tokio::fs::metadata(spec).await {
        Ok(metadata) if metadata.len() > MAX_FILE => {
            Err(invalid(format!("{spec} has {} bytes, too many for a file of recipients", metadata.len())))
        }
        Ok(_) => {
            let bytes = crate::read_small(spec.into(), MAX_FILE)
                .await
                .map_err(|error| io_error(format!("read recipients {spec}"), error))?;
            file(spec, bytes)
        }
        Err(_) if looks_like_path(spec) => Err(invalid(format!("there is no file {spec}"))),
        Err(_) => Ok(Spec::Keyring(spec.into())),
    }
}

fn looks_like_path(spec: &str) -> bool {
    // User ids hold spaces, '<' and '@' and may hold a '/', in a URL.
    spec.contains('/') && !spec.contains(['<', '@', ' '])
        || [".txt", ".pub", ".asc", ".gpg", ".pgp", ".key"].iter().any(|ending| spec.ends_with(ending))
}

fn is_secret(bytes: &[u8]) -> bool {
    let has = |needle: &str| bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle.as_bytes()));
    has("AGE-SECRET-KEY-") || has("AGE-PLUGIN-") || has("PRIVATE KEY-----") || has("PRIVATE KEY BLOCK-----")
}

/// Whether these bytes are OpenPGP packets (RFC 4880, 4.2: the first bit is set) or an armoured public key.
fn is_openpgp(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|byte| byte & 0x80 != 0)
        || bytes.windows(36).any(|window| window == b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
}

fn file(name: &str, bytes: Vec<u8>) -> Result<Spec> {
    // A binary secret key begins with a packet of tag 5, in the old or the new form.
    if is_secret(&bytes) || bytes.first().is_some_and(|byte| byte & 0xfc == 0x94 || *byte == 0xc5) {
        return Err(secret(name));
    }
    if is_openpgp(&bytes) {
        return Ok(Spec::Openpgp { name: name.into(), bytes });
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| invalid(format!("{name} is neither a list of age or SSH recipients nor an OpenPGP key")))?;
    let mut recipients = Vec::new();
    for (number, text) in text.lines().enumerate() {
        let text = text.trim();
        if !text.is_empty() && !text.starts_with('#') {
            recipients.push(line(text).map_err(|reason| invalid(format!("{name}, line {}: {reason}", number + 1)))?);
        }
    }
    if recipients.is_empty() {
        return Err(invalid(format!("{name} holds no recipient")));
    }
    Ok(Spec::Age(recipients))
}

/// One age or SSH recipient; the error says what is wrong with it.
fn line(text: &str) -> Result<AgeRecipient, String> {
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-") {
        return match text.parse() {
            Ok(recipient) => Ok(AgeRecipient::Ssh(Box::new(recipient))),
            Err(ParseRecipientKeyError::RsaModulusTooSmall) => Err("an RSA key under 2048 bits is too weak".into()),
            Err(ParseRecipientKeyError::RsaModulusTooLarge) => Err("an RSA key over 4096 bits is too large".into()),
            Err(ParseRecipientKeyError::Unsupported(kind)) => {
                Err(format!("SSH keys of the kind {kind} cannot be recipients; ssh-ed25519 and ssh-rsa can"))
            }
            Err(_) => Err(format!("{text:?} is not an SSH public key")),
        };
    }
    if let Ok(recipient) = text.parse() {
        return Ok(AgeRecipient::X25519(recipient));
    }
    if let Ok(recipient) = text.parse() {
        return Ok(AgeRecipient::Tag(text.into(), recipient));
    }
    if let Ok(recipient) = text.parse() {
        return Ok(AgeRecipient::TagPq(text.into(), Box::new(recipient)));
    }
    // An X25519 recipient with a typing mistake could pass for a plugin's with a strange name only if its checksum fitted.
    text.parse::<plugin::Recipient>()
        .map(AgeRecipient::Plugin)
        .map_err(|reason| format!("{text:?} is not a recipient: {}", one_line(reason)))
}
