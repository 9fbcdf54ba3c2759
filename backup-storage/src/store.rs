//! A sink over any [`ObjectStore`].

use crate::exchange::Exchange;
use crate::failure;
use crate::http::StoreClock;
use crate::options::{RETRY_FOR, StoreOptions};
use async_trait::async_trait;
use backup_core::digest::Sha256;
use backup_core::error::codes;
use backup_core::key::ObjectKey;
use backup_core::sink::{Capabilities, ObjectInfo, Sink};
use backup_core::{Error, Result};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, TagSet,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A sink over any [`ObjectStore`].
pub(crate) struct StoreSink {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
    /// The URL of the root, without secrets.
    pub(crate) location: String,
    pub(crate) clock: Clock,
    pub(crate) local: bool,
    pub(crate) capabilities: Capabilities,
    pub(crate) attributes: Attributes,
    pub(crate) tags: TagSet,
    /// Server-side encryption was asked for, so the store has to confirm it.
    pub(crate) must_encrypt: bool,
    /// Create by looking first and then writing, for stores without create-if-absent.
    pub(crate) unconditional: bool,
    /// For how long puts are repeated that object_store does not repeat.
    pub(crate) retry_for: Duration,
}

/// Where a sink's time comes from.
#[derive(Debug)]
pub(crate) enum Clock {
    /// This machine.
    Ours,
    /// The Date of the store's answers.
    Answers(Arc<StoreClock>),
    /// Nobody tells.
    Unknown,
}

impl StoreSink {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, prefix: Path, location: String) -> Self {
        StoreSink {
            store,
            prefix,
            location,
            clock: Clock::Unknown,
            local: false,
            capabilities: Capabilities::default(),
            attributes: Attributes::new(),
            tags: TagSet::default(),
            must_encrypt: false,
            unconditional: false,
            retry_for: Duration::ZERO,
        }
    }

    /// A cloud's store, with the settings that all clouds share. The location is its URL.
    pub(crate) fn in_cloud(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        location: &str,
        clock: Arc<StoreClock>,
        options: &StoreOptions,
    ) -> Self {
        let mut sink = StoreSink::new(store, prefix, location.trim_end_matches('/').to_owned());
        sink.clock = Clock::Answers(clock);
        sink.capabilities.create_if_absent = !options.allow_unconditional_create;
        sink.unconditional = options.allow_unconditional_create;
        sink.retry_for = options.retry_for.unwrap_or(RETRY_FOR);
        if let Some(class) = &options.storage_class {
            sink.attributes.insert(Attribute::StorageClass, class.clone().into());
        }
        options.tags.iter().for_each(|(key, value)| sink.tags.push(key, value));
        sink
    }

    fn path(&self, key: &str) -> Result<Path> {
        let path = if self.prefix.as_ref().is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) };
        Path::parse(path).map_err(|error| {
            Error::new(&codes::INVALID_NAME, format!("{key:?} is not a key in {}", self.location)).with_source(error)
        })
    }

    fn doing(&self, verb: &str, key: &ObjectKey) -> String {
        format!("{verb} {key} in {}", self.location)
    }

    fn put_options(&self, mode: PutMode) -> PutOptions {
        PutOptions { mode, tags: self.tags.clone(), attributes: self.attributes.clone(), ..PutOptions::default() }
    }

    async fn put(&self, key: &ObjectKey, data: Bytes, sha256: Sha256, mode: PutMode) -> Result<()> {
        let path = self.path(key.as_str())?;
        let verb = if mode == PutMode::Create { "create" } else { "write" };
        let began = Instant::now();
        let mut pause = Duration::from_millis(100);
        loop {
            let exchange = Exchange::with_payload(data.clone(), sha256);
            let put = self.store.put_opts(&path, PutPayload::from_bytes(data.clone()), self.put_options(mode.clone()));
            match exchange.scope(put).await {
                Ok(_) if self.must_encrypt && !exchange.encrypted() => {
                    return Err(Error::new(
                        &codes::UNSUPPORTED_BY_STORE,
                        format!("{} ignores server-side encryption: {key} was stored without it", self.location),
                    ));
                }
                Ok(_) => return Ok(()),
                Err(_) if failure::put_may_be_repeated(&exchange) && began.elapsed() + pause < self.retry_for => {
                    tracing::info!(key = key.as_str(), "the put is sent again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(15));
                }
                Err(error) => return Err(self.put_error(key, verb, error, &exchange)),
            }
        }
    }

    fn put_error(&self, key: &ObjectKey, verb: &str, error: object_store::Error, exchange: &Exchange) -> Error {
        let error = failure::error(self.doing(verb, key), error, exchange);
        if error.is(&codes::ALREADY_EXISTS) {
            return Error::new(&codes::ALREADY_EXISTS, format!("{key} exists in {}", self.location)).with_source(error);
        }
        if error.is(&codes::OBJECT_NOT_FOUND) {
            // Nothing can be missing for a put but what it is put into.
            return Error::new(
                &crate::error::codes::BUCKET_NOT_FOUND,
                format!("{key} could not be created in {}: there is no such place", self.location),
            )
            .with_source(error);
        }
        error
    }

    fn info(prefix: &Path, meta: ObjectMeta) -> Option<ObjectInfo> {
        let key = meta.location.as_ref();
        let key = match prefix.as_ref() {
            "" => key,
            prefix => key.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        // A time beyond what can be counted (year 1, from stores that keep none) hides no object.
        let modified = meta.last_modified.timestamp_nanos_opt();
        let modified = modified.and_then(|time| Timestamp::from_nanosecond(i128::from(time)).ok());
        Some(ObjectInfo::new(ObjectKey::new(key).ok()?, meta.size, modified))
    }
}

#[async_trait]
impl Sink for StoreSink {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn is_local(&self) -> bool {
        self.local
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    async fn create(&self, key: &ObjectKey, data: Bytes, sha256: Sha256) -> Result<()> {
        if !self.unconditional {
            return self.put(key, data, sha256, PutMode::Create).await;
        }
        match self.stat(key).await {
            Ok(_) => Err(Error::new(&codes::ALREADY_EXISTS, format!("{key} exists in {}", self.location))),
            Err(error) if error.is(&codes::OBJECT_NOT_FOUND) => self.put(key, data, sha256, PutMode::Overwrite).await,
            Err(error) => Err(error),
        }
    }

    async fn replace(&self, key: &ObjectKey, data: Bytes) -> Result<()> {
        let sha256 = Sha256::of(&data);
        self.put(key, data, sha256, PutMode::Overwrite).await
    }

    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes> {
        if let Some(range) = &range {
            // HTTP has no empty range.
            if range.is_empty() {
                let size = self.stat(key).await?.size;
                return if range.start == range.end && range.end <= size {
                    Ok(Bytes::new())
                } else {
                    Err(outside(key, range, Some(size)))
                };
            }
        }
        let path = self.path(key.as_str())?;
        let options = GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
        let exchange = Exchange::new();
        let read = async {
            let answer = self.store.get_opts(&path, options).await?;
            let (sent, size) = (answer.range.clone(), answer.meta.size);
            Ok((answer.bytes().await?, sent, size))
        };
        let (bytes, sent, size) = match exchange.scope(read).await {
            Ok(read) => read,
            Err(error) => {
                let error = failure::error(self.doing("read", key), error, &exchange);
                // Not every store says by a code of its own that a range lies outside: its size does.
                if let Some(range) = &range
                    && !error.is_transient()
                    && let Ok(info) = self.stat(key).await
                    && range.end > info.size
                {
                    return Err(outside(key, range, Some(info.size)).with_source(error));
                }
                return Err(error);
            }
        };
        let wanted = range.clone().unwrap_or(0..size);
        if sent != wanted {
            return Err(outside(key, &wanted, Some(size)));
        }
        if bytes.len() as u64 != wanted.end - wanted.start {
            return Err(Error::new(
                &codes::STORE_UNAVAILABLE,
                format!(
                    "{key} in {}: {} bytes came instead of {}",
                    self.location,
                    bytes.len(),
                    wanted.end - wanted.start
                ),
            ));
        }
        Ok(bytes)
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        let path = self.path(key.as_str())?;
        let exchange = Exchange::new();
        let meta = exchange.scope(self.store.head(&path)).await;
        let meta = meta.map_err(|error| failure::error(self.doing("look at", key), error, &exchange))?;
        Self::info(&self.prefix, meta).ok_or_else(|| {
            Error::new(&codes::IO, format!("{} gave a time of {key} that is none, or another key", self.location))
        })
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo>> {
        let path = match prefix {
            "" => Ok(self.prefix.clone()),
            // A key's rules hold for prefixes too.
            prefix => ObjectKey::new(prefix).and_then(|prefix| self.path(prefix.as_str())),
        };
        let path = match path {
            Ok(path) => path,
            Err(error) => return stream::once(async { Err(error) }).boxed(),
        };
        let exchange = Exchange::new();
        let objects = self.store.list((!path.as_ref().is_empty()).then_some(&path));
        let doing = format!("list {:?} in {}", prefix, self.location);
        let root = self.prefix.clone();
        exchange
            .scope_stream(objects)
            .map_err(move |error| failure::error(doing.clone(), error, &exchange))
            .try_filter_map(move |meta| std::future::ready(Ok(Self::info(&root, meta))))
            .boxed()
    }

    async fn delete(&self, key: &ObjectKey) -> Result<()> {
        let path = self.path(key.as_str())?;
        let exchange = Exchange::new();
        match exchange.scope(self.store.delete(&path)).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = failure::error(self.doing("delete", key), error, &exchange);
                if error.is(&codes::OBJECT_NOT_FOUND) { Ok(()) } else { Err(error) }
            }
        }
    }

    fn clock(&self) -> Option<Timestamp> {
        match &self.clock {
            Clock::Ours => Some(Timestamp::now()),
            Clock::Answers(clock) => clock.now(),
            Clock::Unknown => None,
        }
    }
}

fn outside(key: &ObjectKey, range: &Range<u64>, size: Option<u64>) -> Error {
    let size = size.map(|size| format!(", which has {size}")).unwrap_or_default();
    let message = format!("bytes {}..{} are not within {key}{size}", range.start, range.end);
    Error::new(&codes::INVALID_ARGUMENT, message)
}

impl fmt::Debug for StoreSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSink")
            .field("location", &self.location)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}
