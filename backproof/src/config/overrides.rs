//! Settings that are given directly: flags on the command line, or what a program hands over.

use super::file::ConfigFile;
use super::units::ByteSize;
use backup_storage::Environment;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Settings given directly, which go before the environment and the configuration file. All are optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Settings"))]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// The configuration file; by default `BACKPROOF_CONFIG`, then `backproof.toml` here, then `/etc/backproof/backproof.toml`.
    pub config: Option<PathBuf>,
    /// What a configuration file would say, given directly; then none is read.
    pub configuration: Option<ConfigFile>,
    /// The environment variables to take settings and credentials from; by default those of this process.
    #[serde(deserialize_with = "environment")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, String>>"))]
    pub env: Option<Environment>,
    /// The repository's URL: `file:///path`, `s3://bucket/prefix`, `gs://…`, `az://…`; `memory:///` is new and empty, and lives as long as the session.
    /// [env: `BACKPROOF_REPO`]
    pub repo: Option<String>,
    /// Public keys that may open new backups: `age1…`, `ssh-ed25519 …`, a file of these, an OpenPGP public key file, or a key in gpg's keyring.
    /// [env: `BACKPROOF_RECIPIENTS`]
    pub recipients: Vec<String>,
    /// Files with secret keys that open backups (age, SSH or OpenPGP). [env: `BACKPROOF_IDENTITY`]
    pub identities: Vec<String>,
    /// The SSH private key that signs new backups. [env: `BACKPROOF_SIGNING_KEY`]
    pub signing_key: Option<String>,
    /// The file that says whose signatures count, in OpenSSH's allowed_signers format. [env: `BACKPROOF_TRUSTED_SIGNERS`]
    pub trusted_signers: Option<String>,
    /// The installation's id, where signers are trusted. [env: `BACKPROOF_INSTALLATION`]
    pub installation: Option<String>,
    /// The file whose first line is the passphrase for whatever asks for one. [env: `BACKPROOF_PASSPHRASE_FILE`]
    pub passphrase_file: Option<String>,
    /// The passphrase for whatever asks for one, in place of a file.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub passphrase: Option<SecretString>,
    /// The database that is backed up: a URL or key=value pairs. [env: `DATABASE_URL`, `SUPABASE_DB_URL`, `PG*`, `POSTGRES_*`]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub database: Option<SecretString>,
    /// The series of backups, e.g. `app`. [env: `BACKPROOF_NAME`]
    pub name: Option<String>,
    /// What a backup is for, e.g. `daily`; where backups are looked for, only those. [env: `BACKPROOF_LABEL`; default for new backups: `manual`]
    pub label: Option<String>,
    /// The memory budget in bytes, or as text, e.g. `256MiB`. [env: `BACKPROOF_MEMORY`]
    #[serde(deserialize_with = "size_as_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<ByteSize>"))]
    pub memory: Option<String>,
    /// The folder of pg_dump and pg_restore. [env: `PG_BINDIR`]
    pub pg_bindir: Option<String>,
}

/// The repository at this URL; everything else from the environment and the configuration file.
impl From<&str> for Overrides {
    fn from(url: &str) -> Self {
        Overrides { repo: Some(url.to_owned()), ..Overrides::default() }
    }
}

fn environment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Environment>, D::Error> {
    let variables: Option<BTreeMap<String, String>> = Deserialize::deserialize(deserializer)?;
    Ok(variables.map(|variables| variables.into_iter().collect()))
}

fn size_as_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let size: Option<ByteSize> = Deserialize::deserialize(deserializer)?;
    Ok(size.map(|size| size.0.to_string()))
}
