//! `backproof.toml`: what may stand in it. Unknown keys are errors, with the line.

use backup_postgres::assertions::Assertion;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigFile {
    #[serde(default)]
    pub(crate) repository: RepositorySection,
    #[serde(default)]
    pub(crate) backup: BackupSection,
    #[serde(default)]
    pub(crate) verify: VerifySection,
    #[serde(default)]
    pub(crate) drill: DrillSection,
    #[serde(default)]
    pub(crate) postgres: PostgresSection,
    #[serde(default)]
    pub(crate) series: BTreeMap<String, SeriesSection>,
    /// What must hold of every restored database.
    #[serde(default)]
    pub(crate) assertions: Vec<Assertion>,
}

/// `[repository]`: where backups are, and the keys.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RepositorySection {
    pub(crate) url: Option<String>,
    pub(crate) installation: Option<String>,
    pub(crate) recipients: Option<OneOrMore>,
    pub(crate) identity: Option<OneOrMore>,
    pub(crate) signing_key: Option<String>,
    pub(crate) trusted_signers: Option<String>,
    pub(crate) passphrase_file: Option<String>,
    /// This host may only write: nothing is read or listed, and the ids come from here.
    pub(crate) write_only: Option<bool>,
    pub(crate) repository_id: Option<String>,
    #[serde(default)]
    pub(crate) store: StoreSection,
}

/// `[repository.store]`: how the object store is spoken to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreSection {
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) path_style: Option<bool>,
    pub(crate) ca_file: Option<String>,
    pub(crate) allow_http: Option<bool>,
    /// `aes256` or `kms`.
    pub(crate) server_side_encryption: Option<String>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) storage_class: Option<String>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
    pub(crate) checksums: Option<bool>,
    pub(crate) allow_unconditional_create: Option<bool>,
    pub(crate) metadata_service: Option<bool>,
    pub(crate) connect_timeout: Option<String>,
    pub(crate) request_timeout: Option<String>,
    pub(crate) retry_for: Option<String>,
}

/// `[backup]`: how backups are made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupSection {
    pub(crate) label: Option<String>,
    pub(crate) segment_size: Option<String>,
    pub(crate) compression: Option<String>,
    pub(crate) compression_level: Option<i32>,
    pub(crate) workers: Option<usize>,
    pub(crate) memory: Option<String>,
    pub(crate) max_stall: Option<String>,
}

/// `[verify]`: what a verification asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifySection {
    pub(crate) level: Option<String>,
    pub(crate) max_age: Option<String>,
    pub(crate) min_size: Option<String>,
}

/// `[drill]`: how backups are restored for a proof, and what must hold then.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DrillSection {
    /// A server to restore into, in place of a cluster of its own.
    pub(crate) scratch: Option<String>,
    pub(crate) scratch_dir: Option<String>,
    /// A managed service whose own extensions are accepted: `supabase`.
    pub(crate) profile: Option<String>,
    /// What cannot be tested here and need not be, by name.
    pub(crate) accept: Option<OneOrMore>,
    pub(crate) low_priority: Option<bool>,
    pub(crate) rto: Option<String>,
    pub(crate) rpo: Option<String>,
}

/// `[postgres]`: PostgreSQL's programs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostgresSection {
    pub(crate) bindir: Option<String>,
    pub(crate) lock_wait_timeout: Option<String>,
}

/// `[series.NAME]`: one database.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeriesSection {
    pub(crate) database: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) skip_unreadable: Option<bool>,
    /// What must hold of this one, besides.
    #[serde(default)]
    pub(crate) assertions: Vec<Assertion>,
}

/// A string, or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    One(String),
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
