//! Settings of a store.

use crate::environment::Environment;
use crate::error::codes;
use backup_core::error::codes as core_codes;
use backup_core::{Error, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How long a connection to a store may take to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one request may take as a whole: nine times what a 32 MiB put needs on a line of 1 MB/s (34 s).
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// For how long failures that may pass are retried, counted from the first try. A try that has begun may run to its end.
pub const RETRY_FOR: Duration = Duration::from_secs(180);

/// The settings that have an effect on every cloud's store.
pub(crate) const CLOUD_SETTINGS: &[&str] = &[
    "metadata_service",
    "endpoint",
    "ca_file",
    "allow_http",
    "storage_class",
    "allow_unconditional_create",
    "connect_timeout",
    "request_timeout",
    "retry_for",
];

/// Settings of a store. What is `None`, `false` or empty is not set; a setting that has no effect on the store that is
/// opened is an error ([`USELESS_SETTING`](codes::USELESS_SETTING)), never ignored.
///
/// ```
/// let mut options = backup_storage::StoreOptions::default();
/// options.region = Some("eu-central-1".into());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreOptions {
    /// Environment variables, for credentials and whatever else each cloud's own tools take from them (docs/stores.md).
    pub env: Environment,
    /// Whether credentials may come from the machine's metadata service where no variable gives any; yes by default. For
    /// `s3://`, `gs://` and `az://`.
    pub metadata_service: Option<bool>,
    /// The URL of the service, instead of the cloud's own; before any variable. For `s3://`, `gs://` and `az://`.
    pub endpoint: Option<String>,
    /// The bucket's region, before `AWS_REGION` and `AWS_DEFAULT_REGION`. For `s3://`; `us-east-1` by default, and R2's is
    /// always `auto`.
    pub region: Option<String>,
    /// Whether the bucket is named in the path of requests rather than in the host's name. By default it is where an
    /// endpoint is given and where the bucket's name has a dot. For `s3://`.
    pub path_style: Option<bool>,
    /// A file with certificates (PEM) to trust besides the system's. For `https` endpoints.
    pub ca_file: Option<PathBuf>,
    /// Allows an endpoint with plain `http`: backups are encrypted, but names, sizes and the right to write are not.
    pub allow_http: bool,
    /// Asks the store to encrypt besides. For `s3://`, not R2, which encrypts always.
    pub server_side_encryption: Option<ServerSideEncryption>,
    /// The storage class, in the cloud's words, e.g. `STANDARD_IA`. For `s3://` and `gs://`.
    pub storage_class: Option<String>,
    /// Tags of every object, e.g. for lifecycle rules. For `s3://` (not R2) and `az://`.
    pub tags: BTreeMap<String, String>,
    /// Whether a SHA-256 is sent along with every object for the store to check; yes by default. For `s3://`: `false` is for
    /// compatible stores that refuse the header.
    pub checksums: Option<bool>,
    /// Creates an object by looking whether it is there and then writing it, for stores without create-if-absent. Two
    /// writers at once can then overwrite each other: only safe with a single writer. For `s3://`, `gs://` and `az://`.
    pub allow_unconditional_create: bool,
    /// How long a connection may take to be made; [`CONNECT_TIMEOUT`] by default.
    pub connect_timeout: Option<Duration>,
    /// How long one request may take as a whole; [`REQUEST_TIMEOUT`] by default.
    pub request_timeout: Option<Duration>,
    /// For how long failures that may pass are retried; [`RETRY_FOR`] by default, zero for not at all.
    pub retry_for: Option<Duration>,
}

/// How the store is asked to encrypt what it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerSideEncryption {
    /// With the store's own keys (SSE-S3, `AES256`).
    Aes256,
    /// With a key of the key service (SSE-KMS); the account's default key if none is named.
    Kms {
        /// The key's id or ARN.
        key_id: Option<String>,
    },
}

impl StoreOptions {
    /// No settings, and the variables of this process.
    pub fn from_env() -> Self {
        StoreOptions { env: Environment::from_process(), ..StoreOptions::default() }
    }

    /// Refuses the settings that are set and not among those that have an effect.
    pub(crate) fn only(&self, store: &str, with_effect: &[&str]) -> Result<()> {
        let set = [
            ("metadata_service", self.metadata_service.is_some()),
            ("endpoint", self.endpoint.is_some()),
            ("region", self.region.is_some()),
            ("path_style", self.path_style.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("allow_http", self.allow_http),
            ("server_side_encryption", self.server_side_encryption.is_some()),
            ("storage_class", self.storage_class.is_some()),
            ("tags", !self.tags.is_empty()),
            ("checksums", self.checksums.is_some()),
            ("allow_unconditional_create", self.allow_unconditional_create),
            ("connect_timeout", self.connect_timeout.is_some()),
            ("request_timeout", self.request_timeout.is_some()),
            ("retry_for", self.retry_for.is_some()),
        ];
        let useless = set.iter().filter(|(name, set)| *set && !with_effect.contains(name));
        let useless: Vec<_> = useless.map(|(name, _)| *name).collect();
        if useless.is_empty() {
            return Ok(());
        }
        Err(Error::new(&codes::USELESS_SETTING, format!("{} has no effect on {store}", useless.join(", "))))
    }

    /// Checks the endpoint, and that plain `http`, if it is that, was allowed. Endpoints come from a setting or a variable.
    pub(crate) fn check_endpoint(&self, endpoint: Option<&str>) -> Result<()> {
        let Some(endpoint) = endpoint else {
            return self.only_for_http("the cloud's own endpoint, which is always https", true);
        };
        let url = url::Url::parse(endpoint)
            .ok()
            .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| {
                invalid("an endpoint must be a URL that begins with https:// (or http://) and names a host")
            })?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("an endpoint must have no user, password, query or fragment"));
        }
        if url.scheme() == "https" {
            return self.only_for_http("an https endpoint", true);
        }
        if !self.allow_http && !self.env.is_yes("AWS_ALLOW_HTTP") {
            return Err(Error::new(
                &core_codes::INVALID_ARGUMENT,
                format!("the endpoint {endpoint} is plain http, which has to be allowed"),
            )
            .with_hint("use https, or say `allow_http` if the network is your own"));
        }
        self.only_for_http("an http endpoint", false)
    }

    fn only_for_http(&self, what: &str, https: bool) -> Result<()> {
        let useless = match https {
            true => self.allow_http.then_some("allow_http"),
            false => self.ca_file.as_ref().map(|_| "ca_file"),
        };
        match useless {
            Some(name) => Err(Error::new(&codes::USELESS_SETTING, format!("{name} has no effect on {what}"))),
            None => Ok(()),
        }
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(&core_codes::INVALID_ARGUMENT, message)
}
