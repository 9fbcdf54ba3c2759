//! Where backups are stored: sinks for folders, S3 and compatible stores, Google Cloud Storage, Azure and memory.
//!
//! [`open`] makes a [`Sink`] from a URL and settings; [`from_object_store`] from any
//! [`ObjectStore`]. docs/stores.md says what each store takes and can do, docs/permissions.md which rights
//! each command needs.
//!
//! ```
//! # async fn example() -> backup_core::Result<()> {
//! let options = backup_storage::StoreOptions::from_env();
//! let sink = backup_storage::open("s3://acme-backups/prod", &options).await?;
//! println!("{}", sink.location());
//! # Ok(())
//! # }
//! ```
//!
//! Where to find things: the URLs in `location.rs`, the settings in [`options`], each store in a file of its own, the HTTP
//! client (TLS, timeouts, retries, the store's clock) in `http.rs`, what answers become which errors in `failure.rs`, where
//! data is made durable in `file.rs`.

mod azure;
mod environment;
pub mod error;
mod exchange;
mod failure;
mod file;
mod gcs;
mod http;
mod known_digest;
mod location;
mod metadata;
pub mod options;
mod s3;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use environment::Environment;
pub use file::FileSink;
pub use http::http_client;
pub use location::repository_url_from_env;
pub use object_store;
pub use options::{ServerSideEncryption, StoreOptions};

use backup_core::error::codes;
use backup_core::sink::Sink;
use backup_core::{Error, Result};
use location::{Cloud, Location};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use std::sync::Arc;
use store::{Clock, StoreSink};

/// Opens the store that a URL names: `file:///FOLDER`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`,
/// or `memory:///` (new and empty each time).
///
/// Nothing is read, written or listed yet. The only thing that may be asked is the machine's metadata service, for at most a
/// second, where no variable gives credentials. A folder need not exist: it is made with its first object.
///
/// # Errors
/// [`INVALID_URL`](error::codes::INVALID_URL), [`UNKNOWN_SCHEME`](error::codes::UNKNOWN_SCHEME),
/// [`CREDENTIALS_MISSING`](error::codes::CREDENTIALS_MISSING) with the variables looked at,
/// [`CREDENTIALS_FAILED`](error::codes::CREDENTIALS_FAILED) if they cannot be used,
/// [`USELESS_SETTING`](error::codes::USELESS_SETTING), or [`INVALID_ARGUMENT`](codes::INVALID_ARGUMENT) for a setting with a
/// wrong value.
pub async fn open(url: &str, options: &StoreOptions) -> Result<Arc<dyn Sink>> {
    match Location::parse(url)? {
        Location::File(root) => {
            options.only("file://", &[])?;
            Ok(Arc::new(FileSink::new(root)?))
        }
        Location::Memory => {
            options.only("memory:///", &[])?;
            let mut sink = StoreSink::new(Arc::new(InMemory::new()), Path::default(), "memory:///".into());
            (sink.clock, sink.local) = (Clock::Ours, true);
            Ok(Arc::new(sink))
        }
        Location::Bucket { cloud, bucket, prefix } => Ok(Arc::new(match cloud {
            Cloud::S3 => s3::open(&bucket, prefix, options).await?,
            Cloud::Gcs => gcs::open(&bucket, prefix, options).await?,
            Cloud::Azure => azure::open(&bucket, prefix, options).await?,
        })),
    }
}

/// A sink over any [`ObjectStore`], under a prefix of it (or the empty string), with a name to show in messages, which must
/// have no secrets in it.
///
/// The store's own settings decide about timeouts and retries; its [`PutMode::Create`](object_store::PutMode::Create) has to
/// be atomic. Since the store's answers are not seen here, its clock is not known.
///
/// # Errors
/// [`INVALID_ARGUMENT`](codes::INVALID_ARGUMENT) if the prefix is not a path.
pub fn from_object_store(store: Arc<dyn ObjectStore>, prefix: &str, name: &str) -> Result<Arc<dyn Sink>> {
    let prefix = Path::parse(prefix).map_err(|error| {
        Error::new(&codes::INVALID_ARGUMENT, format!("{prefix:?} is not a prefix in an object store"))
            .with_source(error)
    })?;
    Ok(Arc::new(StoreSink::new(store, prefix, name.to_owned())))
}
