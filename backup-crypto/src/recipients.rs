//! Whom backups are sealed to: [`Recipients`], the [`KeySealer`] of encrypted backups.

use crate::age_segment::AgeCipher;
use crate::error::codes::INVALID_RECIPIENT;
use crate::gpg_keyring::GpgKeyring;
use crate::openpgp_recipient::OpenpgpRecipient;
use crate::openpgp_segment::OpenpgpCipher;
use crate::prompt::{AgeCallbacks, NoPrompt, Prompt};
use crate::recipient_text::{self, AgeRecipient, Spec};
use crate::{age_key_file, openpgp_key_file};
use age::{plugin, scrypt, x25519};
use async_trait::async_trait;
use backup_core::cipher::{Cipher, KeyFile, KeySealer, NewKey, RecipientName, Scheme, key_commitment};
use backup_core::error::codes::RECIPIENT_REQUIRED;
use backup_core::id::BackupId;
use backup_core::{Error, Result};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The work factor of passphrases: 2^18, what the age program takes. It needs 256 MiB of memory for about a second.
pub const SCRYPT_LOG_N: u8 = 18;

/// What [`Recipients::parse`] needs besides the recipients.
#[derive(Clone)]
pub struct RecipientOptions {
    /// A passphrase that opens the backups too; each backup gets a key file for it.
    pub passphrase: Option<SecretString>,
    /// Base-2 logarithm of the work factor of that passphrase.
    pub scrypt_log_n: u8,
    /// Answers plugins' questions.
    pub prompt: Arc<dyn Prompt>,
    /// Where OpenPGP keys are looked up by key id or user id.
    pub keyring: GpgKeyring,
    /// When OpenPGP keys must be valid; `None` for the moment of the call.
    pub now: Option<Timestamp>,
}

impl Default for RecipientOptions {
    fn default() -> Self {
        RecipientOptions {
            passphrase: None,
            scrypt_log_n: SCRYPT_LOG_N,
            prompt: Arc::new(NoPrompt),
            keyring: GpgKeyring::default(),
            now: None,
        }
    }
}

impl fmt::Debug for RecipientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecipientOptions")
            .field("passphrase", &self.passphrase.is_some())
            .field("scrypt_log_n", &self.scrypt_log_n)
            .field("keyring", &self.keyring)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Whom backups are sealed to.
///
/// Holds public keys (and a passphrase, if that is a recipient): a host with these can write backups and read none.
#[derive(Clone)]
pub struct Recipients(Arc<Inner>);

struct Inner {
    age: Vec<AgeRecipient>,
    plugins: Vec<plugin::RecipientPluginV1<AgeCallbacks>>,
    passphrase: Option<SecretString>,
    scrypt_log_n: u8,
    openpgp: Vec<OpenpgpRecipient>,
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recipients").field(&self.recipients()).finish()
    }
}

impl Recipients {
    /// Reads recipients, each one of: an age recipient (`age1…`, plugins' included), an SSH public key (`ssh-ed25519 …`,
    /// `ssh-rsa …`), the path of a file of these (one a line, `#` starts a comment), the path of an exported OpenPGP public
    /// key (armoured or binary), or a fingerprint, key id or user id in the user's gpg keyring (`gpg:` before it says that
    /// this is meant).
    ///
    /// A file that exists wins over a key of that name in the keyring. Files are read and gpg is run here; nothing is later.
    ///
    /// # Errors
    /// [`RECIPIENT_REQUIRED`] when there is none, [`INVALID_RECIPIENT`] for one that cannot be used,
    /// [`PLUGIN_FAILED`](crate::error::codes::PLUGIN_FAILED) when a plugin is not installed,
    /// [`GPG_FAILED`](crate::error::codes::GPG_FAILED) when gpg is needed and not there.
    pub async fn parse(specs: &[String], options: &RecipientOptions) -> Result<Self> {
        let now = options.now.unwrap_or_else(Timestamp::now);
        let (mut age, mut openpgp) = (Vec::<AgeRecipient>::new(), Vec::<OpenpgpRecipient>::new());
        for spec in specs {
            match recipient_text::read(spec).await? {
                Spec::Age(recipients) => age.extend(recipients),
                Spec::Openpgp { name, bytes } => openpgp.extend(OpenpgpRecipient::read_all(&name, &bytes, now)?),
                Spec::Keyring(name) => {
                    let bytes = options.keyring.export(&name).await?;
                    openpgp.extend(OpenpgpRecipient::read_all(&format!("key {name:?} of gpg's keyring"), &bytes, now)?);
                }
            }
        }
        // The same key may be given twice, by name and by file.
        let mut seen = Vec::new();
        age.retain(|recipient| keep_first(&mut seen, recipient.name()));
        openpgp.retain(|recipient| keep_first(&mut seen, recipient.name()));
        if age.is_empty() && openpgp.is_empty() && options.passphrase.is_none() {
            return Err(Error::new(&RECIPIENT_REQUIRED, "no recipient was given"));
        }
        if !(1..=24).contains(&options.scrypt_log_n) {
            return Err(Error::new(
                &backup_core::error::codes::INVALID_ARGUMENT,
                format!("a passphrase's work factor of 2^{} cannot be used", options.scrypt_log_n),
            ));
        }
        if options.passphrase.as_ref().is_some_and(|passphrase| passphrase.expose_secret().is_empty()) {
            return Err(Error::new(&INVALID_RECIPIENT, "an empty passphrase protects nothing"));
        }
        let plugins = plugins(&age, &options.prompt)?;
        Ok(Recipients(Arc::new(Inner {
            age,
            plugins,
            passphrase: options.passphrase.clone(),
            scrypt_log_n: options.scrypt_log_n,
            openpgp,
        })))
    }

    /// A passphrase alone as recipient.
    pub async fn passphrase(passphrase: SecretString) -> Result<Self> {
        Self::parse(&[], &RecipientOptions { passphrase: Some(passphrase), ..Default::default() }).await
    }
}

fn keep_first(seen: &mut Vec<RecipientName>, name: RecipientName) -> bool {
    let new = !seen.contains(&name);
    seen.push(name);
    new
}

/// One connection for all recipients of a plugin, as the plugin protocol wants it.
fn plugins(age: &[AgeRecipient], prompt: &Arc<dyn Prompt>) -> Result<Vec<plugin::RecipientPluginV1<AgeCallbacks>>> {
    let recipients: Vec<plugin::Recipient> = age.iter().filter_map(AgeRecipient::plugin).cloned().collect();
    let mut names: Vec<&str> = recipients.iter().map(plugin::Recipient::plugin).collect();
    names.sort_unstable();
    names.dedup();
    let connect = |name: &&str| {
        plugin::RecipientPluginV1::new(name, &recipients, &[], AgeCallbacks(prompt.clone()))
            .map_err(|error| age_key_file::plugin_error(age_key_file::one_line(error)))
    };
    names.iter().map(connect).collect()
}

impl Inner {
    fn passphrase_name() -> RecipientName {
        RecipientName { kind: "passphrase".into(), id: "passphrase".into() }
    }

    fn new_key(&self, backup: &BackupId) -> Result<NewKey> {
        let scheme =
            if self.age.is_empty() && self.passphrase.is_none() { Scheme::OpenpgpAes256 } else { Scheme::AgeX25519 };
        let (line, cipher): (SecretString, Arc<dyn Cipher>) = match scheme {
            Scheme::OpenpgpAes256 => {
                let line = OpenpgpCipher::generate_passphrase()?;
                (line.clone(), Arc::new(OpenpgpCipher::new(line)))
            }
            _ => {
                let identity = x25519::Identity::generate();
                (identity.to_string(), Arc::new(AgeCipher::new(identity)))
            }
        };
        let with_line_feed = Zeroizing::new([line.expose_secret().as_bytes(), b"\n"].concat());
        let files = self.seal(&with_line_feed)?;
        let commitment = Some(key_commitment(backup, line.expose_secret()));
        Ok(NewKey { scheme, cipher, files, commitment })
    }

    /// The key files: one for all age recipients, one for the passphrase (age allows no other beside it), one for OpenPGP.
    fn seal(&self, line: &[u8]) -> Result<Vec<KeyFile>> {
        let mut files = Vec::new();
        if !self.age.is_empty() {
            let direct = self.age.iter().filter_map(AgeRecipient::direct);
            let plugins = self.plugins.iter().map(|plugin| plugin as &dyn age::Recipient);
            files.push(KeyFile {
                ending: "age".into(),
                recipients: self.age.iter().map(AgeRecipient::name).collect(),
                bytes: age_key_file::seal(direct.chain(plugins), line)?,
            });
        }
        if let Some(passphrase) = &self.passphrase {
            let mut recipient = scrypt::Recipient::new(passphrase.clone());
            recipient.set_work_factor(self.scrypt_log_n);
            files.push(KeyFile {
                ending: "age".into(),
                recipients: vec![Self::passphrase_name()],
                bytes: age_key_file::seal(std::iter::once(&recipient as &dyn age::Recipient), line)?,
            });
        }
        if !self.openpgp.is_empty() {
            files.push(KeyFile {
                ending: "gpg".into(),
                recipients: self.openpgp.iter().map(OpenpgpRecipient::name).collect(),
                bytes: openpgp_key_file::seal(&self.openpgp, line)?,
            });
        }
        Ok(files)
    }
}

#[async_trait]
impl KeySealer for Recipients {
    fn recipients(&self) -> Vec<RecipientName> {
        let inner = &self.0;
        let mut names: Vec<_> = inner.age.iter().map(AgeRecipient::name).collect();
        names.extend(inner.passphrase.as_ref().map(|_| Inner::passphrase_name()));
        names.extend(inner.openpgp.iter().map(OpenpgpRecipient::name));
        names
    }

    async fn new_key(&self, backup: &BackupId) -> Result<NewKey> {
        // Plugins wait for a person or a device, and passphrases for scrypt.
        let (inner, backup) = (self.0.clone(), backup.clone());
        crate::blocking(move || inner.new_key(&backup)).await
    }
}
