//! Flags that every command takes: settings, and how to print.

use crate::config::Overrides;
use clap::Args;
use std::path::PathBuf;

/// Flags that every command takes.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// The repository: file:///path, s3://bucket/prefix, gs://…, az://… [env: BACKPROOF_REPO]
    #[arg(long, global = true, value_name = "URL")]
    repo: Option<String>,
    /// The series of backups, e.g. `app` [env: BACKPROOF_NAME]
    #[arg(long, global = true, value_name = "NAME")]
    name: Option<String>,
    /// What a backup is for, e.g. `daily` [env: BACKPROOF_LABEL]
    #[arg(long, global = true, value_name = "LABEL")]
    label: Option<String>,
    /// A public key that may open backups: age1…, ssh-ed25519 …, a file of these, an OpenPGP public key file, or a key in
    /// gpg's keyring; may be given several times [env: BACKPROOF_RECIPIENTS]
    #[arg(long = "recipient", global = true, value_name = "KEY")]
    recipients: Vec<String>,
    /// A file with a secret key that opens backups (age, SSH or OpenPGP); may be given several times [env: BACKPROOF_IDENTITY]
    #[arg(long = "identity", global = true, value_name = "FILE")]
    identities: Vec<String>,
    /// Where a passphrase is needed: the file whose first line it is [env: BACKPROOF_PASSPHRASE_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) passphrase_file: Option<String>,
    /// The SSH private key that signs new backups [env: BACKPROOF_SIGNING_KEY]
    #[arg(long, global = true, value_name = "FILE")]
    signing_key: Option<String>,
    /// Whose signatures count, in OpenSSH's allowed_signers format [env: BACKPROOF_TRUSTED_SIGNERS]
    #[arg(long, global = true, value_name = "FILE")]
    trusted_signers: Option<String>,
    /// The installation's id, where signers are trusted [env: BACKPROOF_INSTALLATION]
    #[arg(long, global = true, value_name = "ID")]
    installation: Option<String>,
    /// The database: a URL or key=value pairs [env: DATABASE_URL, SUPABASE_DB_URL, PG*, POSTGRES_*]
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// The folder of pg_dump and pg_restore [env: PG_BINDIR]
    #[arg(long, global = true, value_name = "DIR")]
    pg_bindir: Option<String>,
    /// The memory budget, e.g. 256MiB [env: BACKPROOF_MEMORY]
    #[arg(long, global = true, value_name = "SIZE")]
    memory: Option<String>,
    /// The configuration file [env: BACKPROOF_CONFIG; default: backproof.toml, /etc/backproof/backproof.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON document to stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more; twice for debugging
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// No progress, no notices
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// The form of logs on stderr [env: BACKPROOF_LOG_FORMAT]
    #[arg(long, global = true, value_name = "FORMAT", value_parser = ["text", "json"])]
    pub(crate) log_format: Option<String>,
}

impl Common {
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            config: self.config.clone(),
            repo: self.repo.clone(),
            recipients: self.recipients.clone(),
            identities: self.identities.clone(),
            signing_key: self.signing_key.clone(),
            trusted_signers: self.trusted_signers.clone(),
            installation: self.installation.clone(),
            passphrase_file: self.passphrase_file.clone(),
            database: self.database.clone().map(secrecy::SecretString::from),
            name: self.name.clone(),
            label: self.label.clone(),
            memory: self.memory.clone(),
            pg_bindir: self.pg_bindir.clone(),
            ..Overrides::default()
        }
    }
}
