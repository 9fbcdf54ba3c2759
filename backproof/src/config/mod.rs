//! Settings: flag over environment over `backproof.toml`, each with where it came from.

mod file;
mod overrides;
mod profiles;
mod proof;
mod redact;
pub mod units;

use crate::error::codes;
use backup_core::error::io_error;
use backup_core::level::Level;
use backup_core::names::{Label, Series};
use backup_core::pipeline::PipelineOptions;
use backup_core::repository::catalog::Filter;
use backup_core::repository::manifest::Compression;
use backup_core::{Error, Result};
use backup_postgres::Env;
use backup_storage::{Environment, ServerSideEncryption, StoreOptions, repository_url_from_env};
pub use file::{
    BackupSection, ConfigFile, DrillSection, OneOrMore, PostgresSection, RepositorySection, SeriesSection,
    StoreSection, VerifySection,
};
use jiff::SignedDuration;
pub use overrides::Overrides;
pub use proof::ProofOptions;
use redact::redact;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Setting"))]
pub struct Shown {
    /// Its name, as in the file: `repository.url`.
    pub name: &'static str,
    /// Its value, with secrets redacted.
    pub value: String,
    /// `flag`, `environment (NAME)`, `file (PATH)` or `configuration`.
    pub origin: String,
}

/// All settings in effect.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The repository's URL.
    pub repo: Option<String>,
    /// How its store is spoken to.
    pub store: StoreOptions,
    /// The installation whose documents count.
    pub installation: Option<String>,
    /// For hosts that may only write: the repository's own id.
    pub write_only: Option<String>,
    /// Whom backups are sealed to.
    pub recipients: Vec<String>,
    /// Files with identities.
    pub identities: Vec<PathBuf>,
    /// The SSH key that signs.
    pub signing_key: Option<PathBuf>,
    /// The list of trusted signers.
    pub trusted_signers: Option<PathBuf>,
    /// A file with the passphrase for whatever asks for one.
    pub passphrase_file: Option<PathBuf>,
    /// The passphrase for whatever asks for one.
    pub passphrase: Option<SecretString>,
    /// The database as a flag gives it: a password in it can be seen by others on this machine.
    pub database_flag: Option<SecretString>,
    /// The database as the file gives it, which the environment's goes before.
    pub database_file: Option<SecretString>,
    /// The series.
    pub series: Option<Series>,
    /// The label of new backups, and of those that are looked for.
    pub label: Option<Label>,
    /// Leave out what the login cannot read, and say so.
    pub skip_unreadable: bool,
    /// Segments, compression, workers, memory.
    pub pipeline: PipelineOptions,
    /// How deeply to verify.
    pub level: Option<Level>,
    /// How old the newest backup may be.
    pub max_age: Option<SignedDuration>,
    /// How large it must be.
    pub min_size: Option<u64>,
    /// How backups are restored for a proof.
    pub proof: ProofOptions,
    /// The longest that a restore may take.
    pub rto: Option<SignedDuration>,
    /// The oldest that the newest restorable backup may be.
    pub rpo: Option<SignedDuration>,
    /// The folder of PostgreSQL's programs.
    pub pg_bindir: Option<PathBuf>,
    /// How long pg_dump waits for a lock.
    pub lock_wait_timeout: Option<Duration>,
    /// The environment variables, an empty one being unset.
    pub env: Environment,
    /// The same for what speaks to PostgreSQL, with the name and the home folder of this user.
    pub postgres_env: Env,
    /// Each setting with its origin.
    pub shown: Vec<Shown>,
}

impl Settings {
    /// Reads the configuration file; the environment is this one, unless the overrides bring their own.
    pub fn load(overrides: &Overrides, env: Environment) -> Result<Self> {
        let env = overrides.env.clone().unwrap_or(env);
        let (file, path) = read_file(overrides, &env)?;
        Resolver { env, path, shown: Vec::new() }.resolve(overrides, file)
    }

    /// Whether FORCE=true says yes to what replaces live data.
    pub fn force(&self) -> bool {
        self.env.get("FORCE").is_some_and(|text| matches!(text, "true" | "1" | "yes"))
    }

    /// What `latest` is chosen from, and `verify` looks at.
    pub fn filter(&self) -> Filter {
        Filter { series: self.series.clone(), label: self.label.clone(), before: None }
    }
}

fn read_file(overrides: &Overrides, env: &Environment) -> Result<(ConfigFile, Option<PathBuf>)> {
    if let Some(configuration) = &overrides.configuration {
        return match &overrides.config {
            None => Ok((configuration.clone(), None)),
            Some(_) => Err(Error::new(&codes::NO_EFFECT, "a configuration is given, and a file with another one")),
        };
    }
    let named = overrides.config.clone().or_else(|| env.get("BACKPROOF_CONFIG").map(PathBuf::from));
    let path = match named {
        Some(path) => path,
        None => match ["backproof.toml", "/etc/backproof/backproof.toml"]
            .map(Path::new)
            .into_iter()
            .find(|path| path.exists())
        {
            Some(path) => path.to_owned(),
            None => return Ok((ConfigFile::default(), None)),
        },
    };
    let bytes = backup_core::small_file::read(&path, MAX_FILE)
        .map_err(|error| io_error(format!("read {}", path.display()), error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::new(&codes::INVALID_CONFIGURATION, format!("{}, line {line}: this is not UTF-8", path.display()))
    })?;
    let file = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        // The message alone: the line itself may hold a password.
        Error::new(&codes::INVALID_CONFIGURATION, format!("{}, line {line}: {}", path.display(), error.message()))
    })?;
    Ok((file, Some(path)))
}

/// A configuration file is a few kilobytes.
const MAX_FILE: u64 = 1 << 20;

struct Resolver {
    env: Environment,
    path: Option<PathBuf>,
    shown: Vec<Shown>,
}

impl Resolver {
    /// The first of flag, environment and file; noted with its origin.
    fn pick(
        &mut self,
        name: &'static str,
        flag: Option<String>,
        variables: &[&str],
        file: Option<String>,
    ) -> Option<String> {
        let (value, origin) = match flag {
            Some(value) => (value, "flag".to_owned()),
            None => match variables.iter().find_map(|variable| Some((self.env.get(variable)?, variable))) {
                Some((value, variable)) => (value.to_owned(), format!("environment ({variable})")),
                None => (file?, self.file_origin()),
            },
        };
        self.show(name, &value, origin);
        Some(value)
    }

    fn file_origin(&self) -> String {
        self.path.as_ref().map_or_else(|| "configuration".into(), |path| format!("file ({})", path.display()))
    }

    fn show(&mut self, name: &'static str, value: impl Display, origin: impl Into<String>) {
        self.shown.push(Shown { name, value: redact(&value.to_string()), origin: origin.into() });
    }

    /// A setting that stands in the file alone.
    fn file_only<T: Clone + std::fmt::Debug>(&mut self, name: &'static str, value: Option<T>) -> Option<T> {
        if let Some(value) = &value {
            let text = format!("{value:?}");
            let origin = self.file_origin();
            self.show(name, text.trim_matches('"'), origin);
        }
        value
    }

    fn resolve(mut self, flags: &Overrides, file: ConfigFile) -> Result<Settings> {
        let named = |name: &'static str| move |error: Error| error.context(name);
        let repository = file.repository;
        let mut repo = self.pick("repository.url", flags.repo.clone(), &["BACKPROOF_REPO"], None);
        if repo.is_none() && repository.url.is_none() {
            repo = repository_url_from_env(&self.env);
            if let Some(url) = &repo {
                self.show("repository.url", url, "environment (BACKUP_S3_BUCKET, S3_BUCKET or R2_BUCKET)");
            }
        }
        if repo.is_none() {
            repo = self.pick("repository.url", None, &[], repository.url);
        }
        let installation = self.pick(
            "repository.installation",
            flags.installation.clone(),
            &["BACKPROOF_INSTALLATION"],
            repository.installation,
        );
        let recipients = self.list(
            "repository.recipients",
            flags.recipients.clone(),
            &["BACKPROOF_RECIPIENTS", "BACKUP_GPG_RECIPIENT"],
            repository.recipients,
        );
        let identities =
            self.list("repository.identity", flags.identities.clone(), &["BACKPROOF_IDENTITY"], repository.identity);
        let signing_key = self.pick(
            "repository.signing_key",
            flags.signing_key.clone(),
            &["BACKPROOF_SIGNING_KEY"],
            repository.signing_key,
        );
        let trusted_signers = self.pick(
            "repository.trusted_signers",
            flags.trusted_signers.clone(),
            &["BACKPROOF_TRUSTED_SIGNERS"],
            repository.trusted_signers,
        );
        let passphrase_file = self.pick(
            "repository.passphrase_file",
            flags.passphrase_file.clone(),
            &["BACKPROOF_PASSPHRASE_FILE"],
            repository.passphrase_file,
        );
        if flags.passphrase.is_some() && flags.passphrase_file.is_some() {
            return Err(Error::new(&codes::NO_EFFECT, "a passphrase is given, and a file with another one"));
        }
        let write_only = self.write_only(repository.write_only, repository.repository_id, installation.is_some())?;
        let store = self.store(repository.store)?;

        for name in file.series.keys() {
            Series::new(name.clone()).map_err(|error| {
                Error::new(&codes::INVALID_CONFIGURATION, format!("[series.{name}]")).with_source(error)
            })?;
        }
        let series = self.pick("name", flags.name.clone(), &["BACKPROOF_NAME"], None);
        let series = match series {
            Some(name) => Some(Series::new(name)?),
            // A single configured series needs no name.
            None if file.series.len() == 1 => {
                let name = file.series.keys().next().cloned().unwrap_or_default();
                let origin = self.file_origin();
                self.show("name", &name, origin);
                Some(Series::new(name)?)
            }
            None => None,
        };
        let own = series.as_ref().and_then(|series| file.series.get(series.as_str())).cloned().unwrap_or_default();
        let database_flag = flags.database.clone();
        let given = database_flag.as_ref().map(|database| database.expose_secret().to_owned());
        let in_file = own.database.as_ref().map(|database| database.expose_secret().to_owned());
        self.pick("series.database", given, &["DATABASE_URL", "SUPABASE_DB_URL"], in_file);
        let database_file = own.database;
        let label = self.pick("label", flags.label.clone(), &["BACKPROOF_LABEL"], own.label.or(file.backup.label));
        let label = label.map(Label::new).transpose()?;
        let skip_unreadable = self.file_only("series.skip_unreadable", own.skip_unreadable).unwrap_or(false);

        let mut pipeline = PipelineOptions::default();
        if let Some(text) = self.file_only("backup.segment_size", file.backup.segment_size) {
            pipeline.segment_bytes = units::size(&text).map_err(named("backup.segment_size"))?;
        }
        if let Some(text) = self.file_only("backup.compression", file.backup.compression) {
            pipeline.compression = match text.as_str() {
                "zstd" => Compression::Zstd,
                "none" => Compression::None,
                _ => return Err(invalid("backup.compression", &text, "zstd or none")),
            };
        }
        if let Some(level) = self.file_only("backup.compression_level", file.backup.compression_level) {
            pipeline.level = level;
        }
        pipeline.workers = self.file_only("backup.workers", file.backup.workers);
        let memory = self.pick("backup.memory", flags.memory.clone(), &["BACKPROOF_MEMORY"], file.backup.memory);
        if let Some(text) = memory {
            pipeline.memory = units::size(&text).map_err(named("backup.memory"))?;
        }
        if let Some(text) = self.file_only("backup.max_stall", file.backup.max_stall) {
            pipeline.max_stall = positive("backup.max_stall", &text)?;
        }

        let level = self.file_only("verify.level", file.verify.level);
        let max_age = self.file_only("verify.max_age", file.verify.max_age);
        let min_size = self.file_only("verify.min_size", file.verify.min_size);
        let mut proof = self.proof(&file.drill)?;
        proof.assertions = self.assertions(file.assertions, own.assertions)?;
        let rto = self.file_only("drill.rto", file.drill.rto);
        let rpo = self.file_only("drill.rpo", file.drill.rpo);
        let pg_bindir = self.pick("postgres.bindir", flags.pg_bindir.clone(), &["PG_BINDIR"], file.postgres.bindir);
        let lock_wait_timeout = self.file_only("postgres.lock_wait_timeout", file.postgres.lock_wait_timeout);
        Ok(Settings {
            repo,
            store,
            installation,
            write_only,
            recipients,
            identities: identities.into_iter().map(PathBuf::from).collect(),
            signing_key: signing_key.map(PathBuf::from),
            trusted_signers: trusted_signers.map(PathBuf::from),
            passphrase_file: passphrase_file.map(PathBuf::from),
            passphrase: flags.passphrase.clone(),
            database_flag,
            database_file,
            series,
            label,
            skip_unreadable,
            pipeline,
            level: level.map(|level| level.parse()).transpose().map_err(named("verify.level"))?,
            max_age: max_age.map(|text| units::duration(&text)).transpose().map_err(named("verify.max_age"))?,
            min_size: min_size.map(|text| units::size(&text)).transpose().map_err(named("verify.min_size"))?,
            proof,
            rto: rto.map(|text| units::duration(&text)).transpose().map_err(named("drill.rto"))?,
            rpo: rpo.map(|text| units::duration(&text)).transpose().map_err(named("drill.rpo"))?,
            pg_bindir: pg_bindir.map(PathBuf::from),
            lock_wait_timeout: lock_wait_timeout
                .map(|text| positive("postgres.lock_wait_timeout", &text))
                .transpose()?,
            postgres_env: self.env.iter().collect::<Env>().of_this_user(),
            env: self.env,
            shown: self.shown,
        })
    }

    /// Flags add up; a variable holds several, one a line or separated by commas.
    fn list(
        &mut self,
        name: &'static str,
        flags: Vec<String>,
        variables: &[&str],
        file: Option<file::OneOrMore>,
    ) -> Vec<String> {
        if !flags.is_empty() {
            self.show(name, flags.join(", "), "flag");
            return flags;
        }
        for variable in variables {
            if let Some(text) = self.env.get(variable) {
                let items = text.split(['\n', ',']).map(str::trim).filter(|item| !item.is_empty());
                // This variable names a key in gpg's keyring, whatever files there are.
                let of_gpg = |item: &str| *variable == "BACKUP_GPG_RECIPIENT" && !item.starts_with("gpg:");
                let items: Vec<String> =
                    items.map(|item| if of_gpg(item) { format!("gpg:{item}") } else { item.to_owned() }).collect();
                if !items.is_empty() {
                    self.show(name, items.join(", "), format!("environment ({variable})"));
                    return items;
                }
            }
        }
        let items = file.map(file::OneOrMore::into_vec).unwrap_or_default();
        if !items.is_empty() {
            let origin = self.file_origin();
            self.show(name, items.join(", "), origin);
        }
        items
    }

    fn write_only(
        &mut self,
        write_only: Option<bool>,
        id: Option<String>,
        installation: bool,
    ) -> Result<Option<String>> {
        let write_only = self.file_only("repository.write_only", write_only).unwrap_or(false);
        let id = self.file_only("repository.repository_id", id);
        match (write_only, id) {
            (false, _) => Ok(None),
            (true, Some(id)) if installation => Ok(Some(id)),
            (true, _) => Err(Error::new(
                &codes::INVALID_CONFIGURATION,
                "write_only needs `installation` and `repository_id`, since nothing can be read",
            )
            .with_hint(
                "`backproof init` printed the lines to paste; they are in the repository's backproof.json, too",
            )),
        }
    }

    fn store(&mut self, section: file::StoreSection) -> Result<StoreOptions> {
        let mut store = StoreOptions::default();
        store.env = self.env.clone();
        store.endpoint = self.file_only("repository.store.endpoint", section.endpoint);
        store.region = self.file_only("repository.store.region", section.region);
        store.path_style = self.file_only("repository.store.path_style", section.path_style);
        store.ca_file = self.file_only("repository.store.ca_file", section.ca_file).map(PathBuf::from);
        store.allow_http = self.file_only("repository.store.allow_http", section.allow_http).unwrap_or(false);
        let kms_key = self.file_only("repository.store.kms_key_id", section.kms_key_id);
        let encryption = self.file_only("repository.store.server_side_encryption", section.server_side_encryption);
        store.server_side_encryption = match (encryption.as_deref(), kms_key) {
            (None, None) => None,
            (Some("aes256"), None) => Some(ServerSideEncryption::Aes256),
            (Some("kms"), key_id) => Some(ServerSideEncryption::Kms { key_id }),
            (_, Some(_)) => {
                return Err(Error::new(
                    &codes::NO_EFFECT,
                    "kms_key_id has no effect without server_side_encryption = \"kms\"",
                ));
            }
            (Some(other), None) => {
                return Err(invalid("repository.store.server_side_encryption", other, "aes256 or kms"));
            }
        };
        store.storage_class = self.file_only("repository.store.storage_class", section.storage_class);
        store.tags = self.file_only("repository.store.tags", section.tags).unwrap_or_default();
        store.checksums = self.file_only("repository.store.checksums", section.checksums);
        store.allow_unconditional_create = self
            .file_only("repository.store.allow_unconditional_create", section.allow_unconditional_create)
            .unwrap_or(false);
        store.metadata_service = self.file_only("repository.store.metadata_service", section.metadata_service);
        let timeout = |name, text: Option<String>| text.map(|text| positive(name, &text)).transpose();
        store.connect_timeout = timeout(
            "repository.store.connect_timeout",
            self.file_only("repository.store.connect_timeout", section.connect_timeout),
        )?;
        store.request_timeout = timeout(
            "repository.store.request_timeout",
            self.file_only("repository.store.request_timeout", section.request_timeout),
        )?;
        store.retry_for =
            timeout("repository.store.retry_for", self.file_only("repository.store.retry_for", section.retry_for))?;
        Ok(store)
    }
}

fn invalid(name: &str, text: &str, expected: &str) -> Error {
    Error::new(&codes::INVALID_CONFIGURATION, format!("{name} = {text:?} is not possible"))
        .with_hint(format!("it can be {expected}"))
}

fn positive(name: &str, text: &str) -> Result<Duration> {
    let duration = units::duration(text).map_err(|error| error.context(name))?;
    if duration.as_secs() == 0 {
        let message = format!("{name}: {text:?} is no time at all");
        return Err(
            Error::new(&backup_core::error::codes::INVALID_ARGUMENT, message).with_hint("give a second at least")
        );
    }
    Ok(Duration::from_secs(duration.as_secs().unsigned_abs()))
}
