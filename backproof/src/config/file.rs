//! `backproof.toml`: what may stand in it. Unknown keys are errors, with the line.

use backup_postgres::assertions::Assertion;
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Configuration"))]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Where backups are, and the keys.
    #[serde(default)]
    pub repository: RepositorySection,
    /// How backups are made.
    #[serde(default)]
    pub backup: BackupSection,
    /// What a verification asks for.
    #[serde(default)]
    pub verify: VerifySection,
    /// How backups are restored for a proof.
    #[serde(default)]
    pub drill: DrillSection,
    /// PostgreSQL's programs.
    #[serde(default)]
    pub postgres: PostgresSection,
    /// The databases, by the names of their series.
    #[serde(default)]
    pub series: BTreeMap<String, SeriesSection>,
    /// What must hold of every restored database.
    #[serde(default)]
    pub assertions: Vec<Assertion>,
}

/// `[repository]`: where backups are, and the keys.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RepositorySection {
    /// The repository's URL.
    pub url: Option<String>,
    /// The installation's id, where signers are trusted.
    pub installation: Option<String>,
    /// Public keys that may open new backups.
    pub recipients: Option<OneOrMore>,
    /// Files with secret keys that open backups.
    pub identity: Option<OneOrMore>,
    /// The SSH private key that signs new backups.
    pub signing_key: Option<String>,
    /// The file that says whose signatures count, in OpenSSH's allowed_signers format.
    pub trusted_signers: Option<String>,
    /// The file whose first line is the passphrase for whatever asks for one.
    pub passphrase_file: Option<String>,
    /// This host may only write: nothing is read or listed, and the ids come from here.
    pub write_only: Option<bool>,
    /// With `write_only`: the repository's own id, which `init` tells.
    pub repository_id: Option<String>,
    /// How the object store is spoken to.
    #[serde(default)]
    pub store: StoreSection,
}

/// `[repository.store]`: how the object store is spoken to.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StoreSection {
    /// The store's endpoint, where it is not the cloud's own: a URL.
    pub endpoint: Option<String>,
    /// The bucket's region.
    pub region: Option<String>,
    /// Whether the bucket stands in the path, not in the host's name.
    pub path_style: Option<bool>,
    /// A file with certificates to trust beside the system's, as PEM.
    pub ca_file: Option<String>,
    /// Whether an endpoint without TLS may be used.
    pub allow_http: Option<bool>,
    /// `aes256` or `kms`.
    pub server_side_encryption: Option<String>,
    /// With `server_side_encryption = "kms"`: the key.
    pub kms_key_id: Option<String>,
    /// The storage class of new objects.
    pub storage_class: Option<String>,
    /// Tags of new objects.
    pub tags: Option<BTreeMap<String, String>>,
    /// Whether uploads carry checksums that the store verifies.
    pub checksums: Option<bool>,
    /// Whether a store may be used that cannot create an object only if it is absent: safe with one writer only.
    pub allow_unconditional_create: Option<bool>,
    /// Whether the machine's metadata service is asked for credentials.
    pub metadata_service: Option<bool>,
    /// How long connecting may take, e.g. `5s`.
    pub connect_timeout: Option<String>,
    /// How long one request may take, e.g. `30s`.
    pub request_timeout: Option<String>,
    /// How long what fails is tried again, e.g. `3m`.
    pub retry_for: Option<String>,
}

/// `[backup]`: how backups are made.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BackupSection {
    /// The label of new backups.
    pub label: Option<String>,
    /// Bytes of plaintext in each object, e.g. `16MiB`.
    pub segment_size: Option<String>,
    /// `zstd` or `none`.
    pub compression: Option<String>,
    /// The zstd level, 1 (fastest) to 19 (smallest).
    pub compression_level: Option<i32>,
    /// How many segments are worked on at once; by default as many as there are cores.
    pub workers: Option<usize>,
    /// The memory budget, e.g. `256MiB`.
    pub memory: Option<String>,
    /// How long an upload may make no progress, e.g. `5m`.
    pub max_stall: Option<String>,
}

/// `[verify]`: what a verification asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifySection {
    /// How deeply: `present`, `intact`, `readable`, `restorable` or `identical`.
    pub level: Option<String>,
    /// How old the newest backup of each series may be, e.g. `25h`.
    pub max_age: Option<String>,
    /// How large the newest backup of each series must be, as stored, e.g. `1MB`.
    pub min_size: Option<String>,
}

/// `[drill]`: how backups are restored for a proof, and what must hold then.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DrillSection {
    /// A server to restore into, in place of a cluster of its own.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub scratch: Option<SecretString>,
    /// The folder for scratch clusters, on a disk with room for the database.
    pub scratch_dir: Option<String>,
    /// A managed service whose own extensions are accepted: `supabase`.
    pub profile: Option<String>,
    /// What cannot be tested here and need not be, by name.
    pub accept: Option<OneOrMore>,
    /// Whether to work with low priority for processor and disk.
    pub low_priority: Option<bool>,
    /// The longest that a restore may take, e.g. `4h`.
    pub rto: Option<String>,
    /// The oldest that the newest restorable backup may be, e.g. `1h`.
    pub rpo: Option<String>,
}

/// `[postgres]`: PostgreSQL's programs.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PostgresSection {
    /// The folder of pg_dump and pg_restore.
    pub bindir: Option<String>,
    /// How long pg_dump waits for a lock, e.g. `60s`.
    pub lock_wait_timeout: Option<String>,
}

/// `[series.NAME]`: one database.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SeriesSection {
    /// The database: a URL or key=value pairs.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub database: Option<SecretString>,
    /// The label of new backups.
    pub label: Option<String>,
    /// Leave out what the login cannot read, list it in the backup, and end with a warning.
    pub skip_unreadable: Option<bool>,
    /// What must hold of this one, besides.
    #[serde(default)]
    pub assertions: Vec<Assertion>,
}

/// A string, or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
}

impl OneOrMore {
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            OneOrMore::One(text) => vec![text],
            OneOrMore::More(texts) => texts,
        }
    }
}
