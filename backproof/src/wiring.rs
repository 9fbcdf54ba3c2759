//! From settings to the things they mean: the store, the keys, the signers, the database.

use crate::config::Settings;
use crate::error::codes;
use backup_core::cipher::{KeyOpener, KeySealer, NoEncryption, Scheme};
use backup_core::repository::manifest::Manifest;
use backup_core::repository::marker::Marker;
use backup_core::repository::{OpenOptions, Repository};
use backup_core::signature::{Signer, TrustPolicy};
use backup_core::sink::Sink;
use backup_core::{Error, Result};
use backup_crypto::error::codes::PASSPHRASE_REQUIRED;
use backup_crypto::{
    FixedPassphrase, Identities, NoPrompt, Prompt, RecipientOptions, Recipients, SshSigner, TrustedSigners,
};
use backup_postgres::{Connection, PgDump, PgRestore};
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

/// Its first line is a passphrase.
const MAX_PASSPHRASE_FILE: u64 = 64 << 10;

impl Settings {
    /// Opens the store, without looking into it.
    pub async fn sink(&self) -> Result<Arc<dyn Sink>> {
        let url =
            self.repo.as_deref().ok_or_else(|| Error::new(&codes::REPOSITORY_REQUIRED, "no repository was named"))?;
        backup_storage::open(url, &self.store).await
    }

    /// Opens the repository, with the signers that are trusted.
    pub async fn repository(&self) -> Result<Repository> {
        self.repository_in(self.sink().await?).await
    }

    /// Opens the repository in this store, with the signers that are trusted.
    pub async fn repository_in(&self, sink: Arc<dyn Sink>) -> Result<Repository> {
        let mut options = OpenOptions::default();
        options.trust = self.trust().await?;
        options.installation = self.installation.clone();
        if let (Some(repository), Some(installation)) = (&self.write_only, &self.installation) {
            let mut marker = Marker::new(Some(installation.clone()), sink.capabilities())?;
            marker.repository = repository.clone();
            options.write_only = Some(marker);
        }
        Repository::open(sink, options).await
    }

    /// The signers that are trusted, where a list of them is configured.
    pub async fn trust(&self) -> Result<Option<Arc<dyn TrustPolicy>>> {
        match &self.trusted_signers {
            Some(path) => Ok(Some(Arc::new(TrustedSigners::from_file(path, &TimeZone::system()).await?))),
            None => Ok(None),
        }
    }

    /// Who signs, where a signing key is configured.
    pub async fn signer(&self, prompt: Arc<dyn Prompt>) -> Result<Option<Arc<dyn Signer>>> {
        match &self.signing_key {
            Some(path) => Ok(Some(Arc::new(SshSigner::from_file(path, self.prompt(prompt)?).await?))),
            None => Ok(None),
        }
    }

    /// Whom new backups are sealed to; nobody only when that was asked for.
    pub async fn sealer(
        &self,
        no_encryption: bool,
        passphrase: bool,
        prompt: Arc<dyn Prompt>,
    ) -> Result<Arc<dyn KeySealer>> {
        if no_encryption {
            let set = if passphrase { "a passphrase is to seal it" } else { "recipients are set" };
            if passphrase || !self.recipients.is_empty() {
                let message = format!("{set}, and --no-encryption says that nobody needs a key");
                return Err(Error::new(&codes::NO_EFFECT, message).with_hint("leave out one of them"));
            }
            return Ok(Arc::new(NoEncryption));
        }
        let prompt = self.prompt(prompt)?;
        let mut options = RecipientOptions::default();
        if passphrase {
            options.passphrase = Some(self.new_passphrase(prompt.clone())?);
        }
        options.prompt = prompt;
        Ok(Arc::new(Recipients::parse(&self.recipients, &options).await?))
    }

    /// The identities; `None` when there are none. A passphrase that the settings have is also that of backups which were sealed to one; `passphrase` says
    /// to ask for it where they have none.
    pub async fn opener(&self, passphrase: bool, prompt: Arc<dyn Prompt>) -> Result<Option<Arc<dyn KeyOpener>>> {
        let prompt = self.prompt(prompt)?;
        let mut identities = Identities::new().prompt(prompt.clone());
        for path in &self.identities {
            identities = identities.file(path).await?;
        }
        if passphrase || self.passphrase.is_some() || self.passphrase_file.is_some() {
            identities = identities.passphrase(prompt.passphrase("the backup")?);
        }
        Ok(if identities.is_empty() { None } else { Some(Arc::new(identities)) })
    }

    /// Whether these settings may open this backup: nothing is sealed, there are identities, or it was sealed to a passphrase and there is one.
    pub(crate) fn may_open(&self, manifest: &Manifest) -> bool {
        if manifest.encryption.scheme == Scheme::None {
            return true;
        }
        let has_passphrase = self.passphrase.is_some() || self.passphrase_file.is_some();
        let mut recipients = manifest.encryption.key_files.iter().flat_map(|file| &file.recipients);
        !self.identities.is_empty() || has_passphrase && recipients.any(|recipient| recipient.kind == "passphrase")
    }

    /// A passphrase file that was named for this command alone must be for something: for what it seals, or else for a locked signing key.
    #[cfg(feature = "cli")]
    pub(crate) async fn needs_passphrase_file(&self, signs: bool) -> Result<()> {
        if let Some(path) = self.signing_key.as_ref().filter(|_| signs)
            && let Err(error) = SshSigner::from_file(path, Arc::new(NoPrompt)).await
            && error.is(&PASSPHRASE_REQUIRED)
        {
            return Ok(());
        }
        Err(Error::new(&codes::NO_EFFECT, "--passphrase-file is given, and nothing here asks for a passphrase")
            .with_hint("say --passphrase to protect what is made with it, or leave it out"))
    }

    /// A passphrase for something new: asked for twice, or from the passphrase file.
    pub fn new_passphrase(&self, person: Arc<dyn Prompt>) -> Result<SecretString> {
        let first = self.prompt(person.clone())?.passphrase("the new key")?;
        if self.passphrase.is_none() && self.passphrase_file.is_none() {
            let again = person.passphrase("the new key, again")?;
            if first.expose_secret() != again.expose_secret() {
                return Err(Error::new(&backup_crypto::error::codes::WRONG_PASSPHRASE, "the two passphrases differ")
                    .with_hint("nothing was written; try again"));
            }
        }
        Ok(first)
    }

    /// The passphrase file where there is one, and the person otherwise.
    fn prompt(&self, person: Arc<dyn Prompt>) -> Result<Arc<dyn Prompt>> {
        match (&self.passphrase, &self.passphrase_file) {
            (Some(passphrase), _) => Ok(Arc::new(FixedPassphrase(passphrase.clone()))),
            (None, Some(path)) => {
                let bytes = backup_core::small_file::read(path, MAX_PASSPHRASE_FILE)
                    .map_err(|error| backup_core::error::io_error(format!("read {}", path.display()), error))?;
                let text = zeroize::Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
                let line = text.lines().next().unwrap_or_default();
                Ok(Arc::new(FixedPassphrase(SecretString::from(line.to_owned()))))
            }
            (None, None) => Ok(person),
        }
    }

    /// The database that is backed up: a flag names it, or the variables that PostgreSQL's programs know, or the file.
    pub fn source_connection(&self) -> Result<Connection> {
        let env = &self.postgres_env;
        if let Some(flag) = &self.database_flag {
            return self.connection(flag.expose_secret());
        }
        let in_environment = ["DATABASE_URL", "SUPABASE_DB_URL"].iter().any(|name| env.get(name).is_some());
        match &self.database_file {
            // As a variable: nobody else sees it, as with the file that it comes from.
            Some(file) if !in_environment => {
                Connection::resolve(None, &env.clone().with("DATABASE_URL", file.expose_secret()))
            }
            _ => Connection::resolve(None, env),
        }
    }

    /// The database of this URL, or of these key=value pairs, with what the environment adds.
    pub fn connection(&self, text: &str) -> Result<Connection> {
        Connection::resolve(Some(text), &self.postgres_env)
    }

    /// The source that backs the configured database up.
    pub fn dump(&self) -> Result<PgDump> {
        let source = self.dump_of(self.source_connection()?);
        Ok(match self.lock_wait_timeout {
            Some(limit) => source.lock_timeout(limit),
            None => source,
        })
    }

    /// The source that backs this database up.
    pub fn dump_of(&self, connection: Connection) -> PgDump {
        let source = PgDump::new(connection).env(self.postgres_env.clone());
        match &self.pg_bindir {
            Some(folder) => source.tools(folder),
            None => source,
        }
    }

    /// The target that restores into this database.
    pub fn restore_to(&self, connection: Connection) -> PgRestore {
        let target = PgRestore::new(connection).env(self.postgres_env.clone());
        match &self.pg_bindir {
            Some(folder) => target.tools(folder),
            None => target,
        }
    }
}
