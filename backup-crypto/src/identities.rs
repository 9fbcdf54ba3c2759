//! Who opens backups: [`Identities`], the [`KeyOpener`] of encrypted backups.

use crate::age_segment::AgeCipher;
use crate::error::codes::INVALID_IDENTITY;
use crate::identity_text::{Identity, Opened};
use crate::openpgp_segment::OpenpgpCipher;
use crate::prompt::{NoPrompt, Prompt};
use age::x25519;
use async_trait::async_trait;
use backup_core::cipher::{Cipher, KeyFile, KeyOpener, Plain, RecipientName, Scheme, key_commitment};
use backup_core::digest::Sha256;
use backup_core::error::codes::{DECRYPT_FAILED, IDENTITY_REQUIRED, INVALID_ARGUMENT, WRONG_IDENTITY};
use backup_core::error::io_error;
use backup_core::id::BackupId;
use backup_core::{Error, Result};
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroize as _;

/// Identity files are a few kilobytes, secret OpenPGP keys with many signatures more.
const MAX_FILE: u64 = 8 << 20;
/// A key file for hundreds of recipients is smaller.
const MAX_KEY_FILE: usize = 1 << 20;

/// What an [`IdentityProvider`] is asked to open.
#[derive(Clone, Debug)]
pub struct IdentityRequest {
    /// The backup.
    pub backup: BackupId,
    /// Whom its key is sealed to, file by file.
    pub recipients: Vec<RecipientName>,
    /// The key files, for a service that opens them itself.
    pub files: Vec<KeyFile>,
}

/// Fetches an identity when a backup is opened: from a vault, or from a key service.
///
/// The answer is the text of an identity (age, SSH or OpenPGP, as in a file), or the secret line that was sealed in one of
/// the key files, where the service opened it itself. `None` when it has none for this backup.
#[async_trait]
pub trait IdentityProvider: Send + Sync + 'static {
    /// The identity that opens this backup.
    async fn identity(&self, request: IdentityRequest) -> Result<Option<SecretString>>;
}

#[async_trait]
impl<F> IdentityProvider for F
where
    F: Fn(IdentityRequest) -> BoxFuture<'static, Result<Option<SecretString>>> + Send + Sync + 'static,
{
    async fn identity(&self, request: IdentityRequest) -> Result<Option<SecretString>> {
        self(request).await
    }
}

/// Identities: what opens backups.
///
/// Add them with the methods, then hand the whole to a reader. They are tried in the order given, those that ask a person
/// or a device after all that do not, and providers last. A passphrase is asked for once; that of an SSH or OpenPGP key only
/// if the backup is sealed to it (an age file does not tell whose identity is in it).
#[derive(Clone)]
pub struct Identities {
    prompt: Arc<dyn Prompt>,
    local: Vec<Arc<Identity>>,
    providers: Vec<Arc<dyn IdentityProvider>>,
}

impl Default for Identities {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.local.iter().map(|identity| identity.name()).collect();
        f.debug_struct("Identities").field("local", &names).field("providers", &self.providers.len()).finish()
    }
}

impl Identities {
    /// No identity yet, and nobody who could be asked for a passphrase.
    pub fn new() -> Self {
        Identities { prompt: Arc::new(NoPrompt), local: Vec::new(), providers: Vec::new() }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.local.is_empty() && self.providers.is_empty()
    }

    /// Who is asked for passphrases, and who answers plugins. Set it before adding identities.
    pub fn prompt(mut self, prompt: Arc<dyn Prompt>) -> Self {
        self.prompt = prompt;
        self
    }

    /// Adds the identities of a file: an age identity file (plain or passphrase-protected), an SSH private key, an exported
    /// OpenPGP secret key (armoured or binary), or one backup's own key, as `age -d keys/0001.age` prints it.
    ///
    /// # Errors
    /// [`INVALID_IDENTITY`] when it is none of these.
    pub async fn file(self, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        // A key itself, where the name of its file should be: it must not be shown.
        let start = name.trim_start().to_ascii_uppercase();
        if ["AGE-SECRET-KEY-", "AGE-PLUGIN-", "-----BEGIN"].iter().any(|secret| start.starts_with(secret)) {
            return Err(Error::new(&INVALID_IDENTITY, "a secret key was given where the name of its file is expected")
                .with_hint("write the key to a file of mode 0600 and name that; what stands in a variable or an argument is seen by others"));
        }
        let read = |error| io_error(format!("read identity {name}"), error);
        let metadata = tokio::fs::metadata(path).await.map_err(read)?;
        if metadata.len() > MAX_FILE {
            return Err(Error::new(
                &INVALID_IDENTITY,
                format!("{name} has {} bytes, too many for an identity", metadata.len()),
            ));
        }
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
            tracing::warn!(file = name, "this identity can be read by others: chmod 600");
        }
        let bytes: SecretSlice<u8> = crate::read_small(path.into(), MAX_FILE).await.map_err(read)?.into();
        self.text(&name, &bytes)
    }

    /// Adds the identities of a text, as they would stand in a file; `name` stands for it in messages.
    pub fn text(mut self, name: &str, text: &SecretSlice<u8>) -> Result<Self> {
        let read = Identity::read(name, text.expose_secret(), &self.prompt)?;
        self.local.extend(read.into_iter().map(Arc::new));
        Ok(self)
    }

    /// Adds a passphrase, for backups that were sealed to one.
    pub fn passphrase(mut self, passphrase: SecretString) -> Self {
        self.local.push(Arc::new(Identity::passphrase(passphrase)));
        self
    }

    /// Adds a plugin in its default mode (`age-plugin-NAME`), for hardware keys that need no identity file.
    pub fn plugin(mut self, name: &str) -> Result<Self> {
        self.local.push(Arc::new(Identity::plugin(name, &self.prompt)?));
        Ok(self)
    }

    /// Adds a vault or a key service.
    pub fn provider(mut self, provider: impl IdentityProvider) -> Self {
        self.providers.push(Arc::new(provider));
        self
    }

    /// Adds a closure that fetches an identity.
    pub fn callback<F, Fut>(self, fetch: F) -> Self
    where
        F: Fn(IdentityRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<SecretString>>> + Send + 'static,
    {
        self.provider(move |request: IdentityRequest| -> BoxFuture<'static, Result<Option<SecretString>>> {
            Box::pin(fetch(request))
        })
    }
}

/// What is being opened, and what went wrong so far.
struct Attempt {
    backup: BackupId,
    scheme: Scheme,
    files: Vec<KeyFile>,
    commitment: Sha256,
    failures: Vec<Error>,
}

impl Attempt {
    /// Tries identities on the files; the ones that ask nobody first.
    fn try_all(&mut self, identities: &[Arc<Identity>], prompt: &dyn Prompt) -> Option<Arc<dyn Cipher>> {
        for asking in [false, true] {
            for identity in identities.iter().filter(|identity| identity.asks() == asking) {
                if let Some(line) = identity.own_key()
                    && key_commitment(&self.backup, line.expose_secret()) == self.commitment
                    && let Some(cipher) = self.accept("the identity", &line)
                {
                    return Some(cipher);
                }
                for index in 0..self.files.len() {
                    let file = &self.files[index];
                    let name = format!("key file {} ({})", index + 1, file.ending);
                    match identity.open(file, prompt) {
                        Ok(Opened::No) => {}
                        Ok(Opened::Line(line)) => {
                            if let Some(cipher) = self.accept(&name, &line) {
                                return Some(cipher);
                            }
                        }
                        Err(error) => {
                            self.failures.push(error.context(format!("open {name} with {}", identity.name())))
                        }
                    }
                }
            }
        }
        None
    }

    /// The cipher, if this is the key that the manifest commits to.
    fn accept(&mut self, name: &str, line: &SecretString) -> Option<Arc<dyn Cipher>> {
        let reject = |reason: &str| Error::new(&DECRYPT_FAILED, format!("{name} {reason}"));
        if key_commitment(&self.backup, line.expose_secret()) != self.commitment {
            self.failures.push(
                reject("does not hold the key that the manifest commits to")
                    .with_hint("the key file belongs to another backup or was replaced; use another backup or copy"),
            );
            return None;
        }
        let cipher: Option<Arc<dyn Cipher>> = match self.scheme {
            Scheme::OpenpgpAes256 => Some(Arc::new(OpenpgpCipher::new(line.clone()))),
            _ => line
                .expose_secret()
                .parse::<x25519::Identity>()
                .ok()
                .map(|identity| Arc::new(AgeCipher::new(identity)) as Arc<dyn Cipher>),
        };
        if cipher.is_none() {
            self.failures.push(reject("does not hold a key of the kind that the manifest names"));
        }
        cipher
    }

    fn failure(mut self) -> Error {
        if self.failures.is_empty() {
            let whom: Vec<_> =
                self.files.iter().flat_map(|file| &file.recipients).map(|name| name.id.as_str()).collect();
            return Error::new(
                &WRONG_IDENTITY,
                format!("none of the identities opens backup {}, which is sealed to {}", self.backup, whom.join(", ")),
            );
        }
        // Damage outweighs a passphrase that was not given: it is what another identity would meet too.
        let worst = self.failures.iter().position(|error| error.is(&DECRYPT_FAILED)).unwrap_or(0);
        self.failures.swap_remove(worst)
    }
}

#[async_trait]
impl KeyOpener for Identities {
    async fn open_key(
        &self,
        backup: &BackupId,
        scheme: Scheme,
        files: &[KeyFile],
        commitment: Sha256,
    ) -> Result<Arc<dyn Cipher>> {
        if scheme == Scheme::None {
            return Ok(Arc::new(Plain));
        }
        if self.is_empty() {
            return Err(Error::new(
                &IDENTITY_REQUIRED,
                format!("backup {backup} is encrypted and no identity was given"),
            ));
        }
        if let Some(file) = files.iter().find(|file| file.bytes.len() > MAX_KEY_FILE) {
            return Err(Error::new(
                &INVALID_ARGUMENT,
                format!("a key file of backup {backup} has {} bytes, more than is accepted", file.bytes.len()),
            ));
        }
        let mut attempt =
            Attempt { backup: backup.clone(), scheme, files: files.to_vec(), commitment, failures: Vec::new() };
        let (local, prompt) = (self.local.clone(), self.prompt.clone());
        let (mut attempt, found) = crate::blocking(move || {
            let found = attempt.try_all(&local, prompt.as_ref());
            Ok((attempt, found))
        })
        .await?;
        if let Some(cipher) = found {
            return Ok(cipher);
        }
        for provider in &self.providers {
            let request = IdentityRequest {
                backup: backup.clone(),
                recipients: files.iter().flat_map(|file| file.recipients.clone()).collect(),
                files: files.to_vec(),
            };
            let text = match provider.identity(request).await {
                Ok(Some(text)) => text,
                Ok(None) => continue,
                Err(error) => {
                    attempt.failures.push(error.context("fetch an identity"));
                    continue;
                }
            };
            let prompt = self.prompt.clone();
            let found;
            (attempt, found) = crate::blocking(move || {
                let mut bytes = text.expose_secret().as_bytes().to_vec();
                let identities = Identity::read("the identity that was fetched", &bytes, &prompt);
                bytes.zeroize();
                let found = match identities {
                    Ok(identities) => {
                        let identities: Vec<_> = identities.into_iter().map(Arc::new).collect();
                        attempt.try_all(&identities, prompt.as_ref())
                    }
                    Err(error) => {
                        attempt.failures.push(error);
                        None
                    }
                };
                Ok((attempt, found))
            })
            .await?;
            if let Some(cipher) = found {
                return Ok(cipher);
            }
        }
        Err(attempt.failure())
    }
}
