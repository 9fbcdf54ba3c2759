//! Identities as they stand in files, and what each does with a key file.

use crate::age_key_file::{self, one_line, plugin_error, read_bounded};
use crate::error::codes::{INVALID_IDENTITY, WRONG_PASSPHRASE};
use crate::openpgp_identity::OpenpgpIdentity;
use crate::prompt::{AgeCallbacks, Prompt};
use age::{DecryptError, Decryptor, armor::ArmoredReader, plugin, scrypt, ssh, x25519};
use age_core::format::{FileKey, Stanza};
use backup_core::cipher::KeyFile;
use backup_core::{Error, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_STANDARD_NO_PAD};
use secrecy::SecretString;
use sha2::Digest as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use zeroize::Zeroizing;

/// A passphrase derivation that asks for more than 2^20 steps (1 GiB of memory) is not followed.
const MAX_SCRYPT_LOG_N: u8 = 20;
const ARMOUR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const AGE_MAGIC: &[u8] = b"age-encryption.org/";

/// What came of trying an identity on a key file.
pub(crate) enum Opened {
    /// The file is not sealed to this identity.
    No,
    /// The secret line in it, without its line feed.
    Line(SecretString),
}

/// One identity.
pub(crate) struct Identity {
    name: String,
    kind: Kind,
}

enum Kind {
    X25519(x25519::Identity),
    /// A backup's own passphrase (64 hex digits), opened by other means.
    OwnPassphrase(SecretString),
    Passphrase(scrypt::Identity),
    Ssh(ssh::Identity),
    LockedSsh(LockedSsh),
    /// An age file sealed to a passphrase, which holds identities.
    Locked(LockedFile),
    Plugin(plugin::IdentityPluginV1<AgeCallbacks>),
    Openpgp(Box<OpenpgpIdentity>),
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(&INVALID_IDENTITY, message)
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

impl Identity {
    /// Reads what stands in an identity file. Messages never repeat any of it.
    pub(crate) fn read(name: &str, bytes: &[u8], prompt: &Arc<dyn Prompt>) -> Result<Vec<Identity>> {
        let one = |kind| Ok(vec![Identity { name: name.into(), kind }]);
        if bytes.starts_with(AGE_MAGIC) || bytes.trim_ascii_start().starts_with(ARMOUR) {
            return one(Kind::Locked(LockedFile::new(bytes, prompt)));
        }
        if contains(bytes, b"-----BEGIN PGP ") || bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
            let keys = OpenpgpIdentity::read_all(name, bytes)?;
            let identity = |key| Identity { name: name.into(), kind: Kind::Openpgp(Box::new(key)) };
            return Ok(keys.into_iter().map(identity).collect());
        }
        if contains(bytes, b"PRIVATE KEY-----") {
            return one(Self::read_ssh(name, bytes)?);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| invalid(format!("{name} is not an identity")))?;
        let mut identities = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let kind = Self::read_line(line, prompt)
                .map_err(|reason| invalid(format!("{name}, line {}: {reason}", number + 1)))?;
            identities.push(Identity { name: name.into(), kind });
        }
        if identities.is_empty() {
            return Err(invalid(format!("{name} holds no identity")));
        }
        Ok(identities)
    }

    fn read_line(line: &str, prompt: &Arc<dyn Prompt>) -> Result<Kind, String> {
        if let Ok(identity) = line.parse::<x25519::Identity>() {
            return Ok(Kind::X25519(identity));
        }
        if let Ok(identity) = line.parse::<plugin::Identity>() {
            return connect(&identity, prompt).map(Kind::Plugin).map_err(|error| error.chain());
        }
        if line.len() == 64 && line.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(Kind::OwnPassphrase(SecretString::from(line)));
        }
        if line.starts_with("age1") || line.starts_with("ssh-") {
            return Err("this is a recipient (a public key), not an identity".into());
        }
        Err("this is not an identity, or it has a typing mistake".into())
    }

    fn read_ssh(name: &str, bytes: &[u8]) -> Result<Kind> {
        let identity = ssh::Identity::from_buffer(bytes, Some(name.into()))
            .map_err(|_| invalid(format!("{name} is not an SSH private key that can be read")))?;
        match identity {
            ssh::Identity::Unencrypted(_) => Ok(Kind::Ssh(identity)),
            ssh::Identity::Encrypted(key) => LockedSsh::new(name, key).map(Kind::LockedSsh),
            ssh::Identity::Unsupported(_) => Err(invalid(format!(
                "{name} is an SSH private key of a kind that cannot decrypt"
            ))
            .with_hint("ssh-ed25519 and ssh-rsa keys can; `ssh-keygen -p -f FILE` rewrites one of an old format")),
        }
    }

    /// A passphrase that backups were sealed to.
    pub(crate) fn passphrase(passphrase: SecretString) -> Identity {
        Identity { name: "the passphrase".into(), kind: Kind::Passphrase(scrypt_identity(passphrase)) }
    }

    /// A plugin in its default mode.
    pub(crate) fn plugin(name: &str, prompt: &Arc<dyn Prompt>) -> Result<Identity> {
        let identity = plugin::Identity::default_for_plugin(name).map_err(|error| plugin_error(one_line(error)))?;
        Ok(Identity { name: format!("age-plugin-{name}"), kind: Kind::Plugin(connect(&identity, prompt)?) })
    }

    /// What to call it in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether trying it may ask a person or wait for a device.
    pub(crate) fn asks(&self) -> bool {
        match &self.kind {
            Kind::X25519(_) | Kind::OwnPassphrase(_) | Kind::Passphrase(_) | Kind::Ssh(_) => false,
            Kind::Openpgp(key) => key.is_locked(),
            Kind::LockedSsh(_) | Kind::Locked(_) | Kind::Plugin(_) => true,
        }
    }

    /// The secret line, if this identity may be a backup's own key.
    pub(crate) fn own_key(&self) -> Option<SecretString> {
        match &self.kind {
            Kind::X25519(identity) => Some(identity.to_string()),
            Kind::OwnPassphrase(line) => Some(line.clone()),
            _ => None,
        }
    }

    /// Tries it on a key file.
    pub(crate) fn open(&self, file: &KeyFile, prompt: &dyn Prompt) -> Result<Opened> {
        match (&self.kind, file.ending.as_str()) {
            (Kind::Openpgp(key), "gpg") => line(key.open(&file.bytes, &self.name, prompt)?),
            (Kind::Openpgp(_), _) | (_, "gpg") => Ok(Opened::No),
            (Kind::X25519(identity), _) => open_age(file, identity),
            (Kind::Passphrase(identity), _) => open_age(file, identity),
            (Kind::Ssh(identity), _) => open_age(file, identity),
            (Kind::Plugin(identity), _) => open_age(file, identity),
            (Kind::LockedSsh(key), _) => {
                let asked = Asking { key, prompt, refused: Mutex::new(None) };
                let opened = open_age(file, &asked);
                match asked.refused.into_inner().unwrap_or_else(PoisonError::into_inner) {
                    Some(error) => Err(error),
                    None => opened,
                }
            }
            (Kind::Locked(locked), _) => {
                for identity in locked.unlock(&self.name, prompt)? {
                    if let Opened::Line(line) = identity.open(file, prompt)? {
                        return Ok(Opened::Line(line));
                    }
                }
                Ok(Opened::No)
            }
            (Kind::OwnPassphrase(_), _) => Ok(Opened::No),
        }
    }
}

fn connect(identity: &plugin::Identity, prompt: &Arc<dyn Prompt>) -> Result<plugin::IdentityPluginV1<AgeCallbacks>> {
    plugin::IdentityPluginV1::new(identity.plugin(), std::slice::from_ref(identity), AgeCallbacks(prompt.clone()))
        .map_err(|error| plugin_error(one_line(error)))
}

fn scrypt_identity(passphrase: SecretString) -> scrypt::Identity {
    let mut identity = scrypt::Identity::new(passphrase);
    identity.set_max_work_factor(MAX_SCRYPT_LOG_N);
    identity
}

fn open_age(file: &KeyFile, identity: &dyn age::Identity) -> Result<Opened> {
    line(age_key_file::open(&file.bytes, identity)?)
}

/// The secret line without its line feed.
fn line(plain: Option<Zeroizing<Vec<u8>>>) -> Result<Opened> {
    let Some(plain) = plain else { return Ok(Opened::No) };
    let text = std::str::from_utf8(plain.strip_suffix(b"\n").unwrap_or(&plain));
    match text {
        Ok(text) if !text.contains('\n') => Ok(Opened::Line(SecretString::from(text))),
        _ => {
            Err(Error::new(&backup_core::error::codes::DECRYPT_FAILED, "it holds something else than one secret line"))
        }
    }
}

/// An age file sealed to a passphrase, which holds identities.
struct LockedFile {
    bytes: Vec<u8>,
    prompt: Arc<dyn Prompt>,
    opened: OnceLock<Vec<Identity>>,
    asking: Mutex<()>,
}

impl LockedFile {
    fn new(bytes: &[u8], prompt: &Arc<dyn Prompt>) -> Self {
        LockedFile { bytes: bytes.to_vec(), prompt: prompt.clone(), opened: OnceLock::new(), asking: Mutex::new(()) }
    }

    /// The identities in it; the passphrase is asked for once.
    fn unlock(&self, name: &str, prompt: &dyn Prompt) -> Result<&[Identity]> {
        // Held while asking, so that two readers at once do not ask twice.
        let _asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(identities) = self.opened.get() {
            return Ok(identities);
        }
        let damaged =
            |error: DecryptError| invalid(format!("{name} is a damaged age file")).with_source(one_line(error));
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(self.bytes.as_slice())).map_err(damaged)?;
        if !decryptor.is_scrypt() {
            return Err(invalid(format!("{name} is an encrypted age file, but not one with a passphrase")));
        }
        let identity = scrypt_identity(prompt.passphrase(&format!("identity file {name}"))?);
        let identity: &dyn age::Identity = &identity;
        let reader = decryptor.decrypt(std::iter::once(identity)).map_err(|error| match error {
            DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed => {
                Error::new(&WRONG_PASSPHRASE, format!("the passphrase does not open {name}"))
            }
            error => damaged(error),
        })?;
        let plain =
            read_bounded(reader, 1 << 20).map_err(|error| invalid(format!("{name} is damaged")).with_source(error))?;
        let identities = Identity::read(name, &plain, &self.prompt)?;
        Ok(self.opened.get_or_init(|| identities))
    }
}

/// An SSH private key with a passphrase.
struct LockedSsh {
    name: String,
    key: ssh::EncryptedKey,
    /// The first argument of the stanzas that are sealed to it: four bytes of the public key's hash
    /// (<https://c2sp.org/age>, ssh-ed25519).
    tag: String,
    unlocked: OnceLock<ssh::Identity>,
    asking: Mutex<()>,
}

impl LockedSsh {
    fn new(name: &str, key: ssh::EncryptedKey) -> Result<Self> {
        let unusable = || invalid(format!("{name} is an SSH private key of a kind that cannot decrypt"));
        let recipient = ssh::Recipient::try_from(ssh::Identity::Encrypted(key.clone())).map_err(|_| unusable())?;
        let line = recipient.to_string();
        let wire = line.split(' ').nth(1).and_then(|text| BASE64_STANDARD.decode(text).ok()).ok_or_else(unusable)?;
        let tag = BASE64_STANDARD_NO_PAD.encode(&sha2::Sha256::digest(wire)[..4]);
        Ok(LockedSsh { name: name.into(), key, tag, unlocked: OnceLock::new(), asking: Mutex::new(()) })
    }

    fn fits(&self, stanza: &Stanza) -> bool {
        matches!(stanza.tag.as_str(), "ssh-ed25519" | "ssh-rsa") && stanza.args.first() == Some(&self.tag)
    }

    fn unlock(&self, prompt: &dyn Prompt) -> Result<&ssh::Identity> {
        let _asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(identity) = self.unlocked.get() {
            return Ok(identity);
        }
        let passphrase = prompt.passphrase(&format!("SSH key {}", self.name))?;
        let key = self
            .key
            .decrypt(passphrase)
            .map_err(|_| Error::new(&WRONG_PASSPHRASE, format!("the passphrase does not open {}", self.name)))?;
        Ok(self.unlocked.get_or_init(|| key.into()))
    }
}

/// A locked SSH key while it is tried: its passphrase is asked for only when a stanza is sealed to it.
struct Asking<'a> {
    key: &'a LockedSsh,
    prompt: &'a dyn Prompt,
    refused: Mutex<Option<Error>>,
}

impl age::Identity for Asking<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if !self.key.fits(stanza) {
            return None;
        }
        match self.key.unlock(self.prompt) {
            Ok(identity) => age::Identity::unwrap_stanza(identity, stanza),
            Err(error) => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Some(Err(DecryptError::KeyDecryptionFailed))
            }
        }
    }
}
