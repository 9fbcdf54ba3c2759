//! Where backups are stored: the [`Sink`] trait, an object store with create-if-absent.

use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::key::ObjectKey;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::ops::Range;

/// One object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The object's key, relative to the sink's root.
    pub key: ObjectKey,
    /// Size in bytes.
    pub size: u64,
    /// When it was written last, by the store's clock; `None` where the store does not tell.
    pub modified: Option<Timestamp>,
}

/// What stores that keep no times say instead lies before 2001: the beginning of some calendar, of year 1, 1970, 1980 or 2000.
const NO_TIME_BEFORE: i64 = 978_307_200;

impl ObjectInfo {
    /// An object as a store tells of it. A time that only says that there is none counts as none.
    pub fn new(key: ObjectKey, size: u64, modified: Option<Timestamp>) -> Self {
        ObjectInfo { key, size, modified: modified.filter(|time| time.as_second() >= NO_TIME_BEFORE) }
    }
}

/// What a store can do. Found out by probing at `init`, recorded in the repository's marker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Capabilities {
    /// A second [`Sink::create`] of the same key fails, even when both run at once.
    pub create_if_absent: bool,
    /// An object, once written, can be neither replaced nor deleted with these credentials.
    pub append_only: bool,
    /// Parts of objects can be read.
    pub ranged_reads: bool,
    /// A listing shows an object as soon as its put has ended, and no longer once it is deleted.
    pub consistent_listing: bool,
    /// The store checks a checksum of each upload itself.
    pub upload_checksums: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Capabilities {
            create_if_absent: true,
            append_only: false,
            ranged_reads: true,
            consistent_listing: true,
            upload_checksums: false,
        }
    }
}

/// An object store.
///
/// # Contract
/// - [`create`](Sink::create) is atomic: other readers see nothing or the whole object, and of several creators of one key
///   at most one gets `Ok`. It returns `Ok` only when the store has confirmed that the object is stored durably, with its
///   whole length and, where the store checks one, its checksum. When the key exists it fails with
///   [`ALREADY_EXISTS`](codes::ALREADY_EXISTS) and changes nothing. A sink may retry inside a call; a retried request of its
///   own may then answer `ALREADY_EXISTS`, so callers use [`SinkExt::create_or_same`].
/// - [`replace`](Sink::replace) exists for probing a store and is never called on data.
/// - [`read`](Sink::read) returns exactly the bytes asked for, or an error: never fewer. A missing object is
///   [`OBJECT_NOT_FOUND`](codes::OBJECT_NOT_FOUND), never an empty one; a refused one is [`ACCESS_DENIED`](codes::ACCESS_DENIED).
/// - [`list`](Sink::list) goes through all pages, in any order, and gives only keys that start with the prefix and a `/`,
///   or all keys for an empty prefix. Objects whose names are no [`ObjectKey`]s are left out.
/// - [`delete`](Sink::delete) of what is not there is `Ok`.
/// - Errors that may pass are retried with backoff inside, those that cannot are returned at once.
/// - Dropping a future leaves at most an object that was being created, whole or not at all; it does not appear after the drop where a sink can help it:
///   a backup that is cancelled lists what it stored, and removes that.
/// - Secrets appear neither in `Debug` nor in [`location`](Sink::location) nor in errors.
///
/// `testing::sink_conformance` (feature `testing`) checks all of this.
#[async_trait]
pub trait Sink: Debug + Send + Sync + 'static {
    /// The URL of the root, for people; without secrets.
    fn location(&self) -> String;

    /// Whether the store is on this machine (a folder), for `--local-only` and `--cloud-only`.
    fn is_local(&self) -> bool;

    /// What this kind of store is known to support; the probe finds out what is true of this one.
    fn capabilities(&self) -> Capabilities;

    /// Writes an object that does not exist yet. `sha256` is the digest of `data`, for stores that check it.
    async fn create(&self, key: &ObjectKey, data: Bytes, sha256: Sha256) -> Result<()>;

    /// Writes an object whether it exists or not. For probes only.
    async fn replace(&self, key: &ObjectKey, data: Bytes) -> Result<()>;

    /// Reads an object, or a range of it (which must lie within it).
    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes>;

    /// Size and time of an object.
    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo>;

    /// All objects under a prefix: a path without a trailing `/`, or the empty string.
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo>>;

    /// Removes an object.
    async fn delete(&self, key: &ObjectKey) -> Result<()>;

    /// The time by the store's clock, from the Date of its latest answer, carried forward to now.
    /// `None` when the store has not told; a folder's clock is this machine's.
    fn clock(&self) -> Option<Timestamp>;
}

/// Conveniences over every [`Sink`].
#[async_trait]
pub trait SinkExt: Sink {
    /// Creates an object, and takes it as done when exactly these bytes are there already.
    ///
    /// A store may answer "exists" to our own retried request, so the object is read back and compared. Where reading is
    /// denied there is no way to know, and that is an error.
    async fn create_or_same(&self, key: &ObjectKey, data: Bytes) -> Result<()> {
        self.create_or_same_as(key, data.clone(), Sha256::of(&data)).await
    }

    /// As [`create_or_same`](SinkExt::create_or_same), with the digest known already.
    async fn create_or_same_as(&self, key: &ObjectKey, data: Bytes, sha256: Sha256) -> Result<()> {
        let len = data.len();
        match self.create(key, data, sha256).await {
            Err(error) if error.is(&codes::ALREADY_EXISTS) => {
                let found = self.read(key, None).await.map_err(|cause| {
                    Error::new(
                        &codes::ALREADY_EXISTS,
                        format!(
                            "{key} exists in {} and cannot be read back to see whether it is ours",
                            self.location()
                        ),
                    )
                    .with_source(cause)
                })?;
                if found.len() == len && Sha256::of(&found) == sha256 { Ok(()) } else { Err(error) }
            }
            other => other,
        }
    }

    /// Reads an object of at most `limit` bytes; a larger one is [`INVALID_DOCUMENT`](codes::INVALID_DOCUMENT), unread.
    async fn read_small(&self, key: &ObjectKey, limit: u64) -> Result<Bytes> {
        Ok(self.read_small_of(key, limit).await?.0)
    }

    /// As [`read_small`](SinkExt::read_small); also what the store tells of the object.
    async fn read_small_of(&self, key: &ObjectKey, limit: u64) -> Result<(Bytes, ObjectInfo)> {
        let info = self.stat(key).await?;
        if info.size > limit {
            return Err(Error::new(
                &codes::INVALID_DOCUMENT,
                format!("{key} has {} bytes, more than the {limit} a document may have", info.size),
            ));
        }
        // Never more than was announced, whatever is there by now.
        let bytes = self.read(key, (info.size > 0).then_some(0..info.size)).await?;
        Ok((bytes, info))
    }
}

impl<S: Sink + ?Sized> SinkExt for S {}
