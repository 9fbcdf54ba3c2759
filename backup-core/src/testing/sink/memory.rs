//! A sink in memory that tests can look into, tamper with, and whose clock they can set.

use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::key::ObjectKey;
use crate::sink::{Capabilities, ObjectInfo, Sink};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<ObjectKey, (Bytes, Timestamp)>,
    /// A fixed time instead of this machine's.
    time: Option<Timestamp>,
}

impl State {
    fn now(&self) -> Timestamp {
        self.time.unwrap_or_else(Timestamp::now)
    }
}

/// A store in memory. Clones share their objects.
///
/// Beside what every [`Sink`] does, tests can read its keys and bytes directly, change them behind the program's back, and
/// set its clock.
#[derive(Clone, Debug, Default)]
pub struct MemorySink(Arc<Mutex<State>>);

impl MemorySink {
    /// An empty store, whose clock is this machine's.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the store's clock at this time; `None` lets it follow this machine's again.
    pub fn set_time(&self, time: Option<Timestamp>) {
        self.state().time = time;
    }

    /// All keys, sorted.
    pub fn keys(&self) -> Vec<ObjectKey> {
        self.state().objects.keys().cloned().collect()
    }

    /// An object's bytes, if it is there.
    pub fn get(&self, key: &ObjectKey) -> Option<Bytes> {
        self.state().objects.get(key).map(|(bytes, _)| bytes.clone())
    }

    /// Puts bytes under a key whatever was there, as somebody else with access to the store could.
    pub fn put(&self, key: ObjectKey, bytes: impl Into<Bytes>) {
        let mut state = self.state();
        let now = state.now();
        state.objects.insert(key, (bytes.into(), now));
    }

    /// Takes an object away; says whether it was there.
    pub fn remove(&self, key: &ObjectKey) -> bool {
        self.state().objects.remove(key).is_some()
    }

    /// Changes when an object was written last. Nothing happens if it is not there.
    pub fn set_modified(&self, key: &ObjectKey, modified: Timestamp) {
        if let Some(object) = self.state().objects.get_mut(key) {
            object.1 = modified;
        }
    }

    /// A store of its own with the same objects as this one has now.
    pub fn fork(&self) -> Self {
        let state = self.state();
        MemorySink(Arc::new(Mutex::new(State { objects: state.objects.clone(), time: state.time })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn absent(key: &ObjectKey) -> Error {
    Error::new(&codes::OBJECT_NOT_FOUND, format!("{key} is not in memory:///"))
}

#[async_trait]
impl Sink for MemorySink {
    fn location(&self) -> String {
        "memory:///".into()
    }

    fn is_local(&self) -> bool {
        true
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn create(&self, key: &ObjectKey, data: Bytes, _sha256: Sha256) -> Result<()> {
        let mut state = self.state();
        if state.objects.contains_key(key) {
            return Err(Error::new(&codes::ALREADY_EXISTS, format!("{key} exists in memory:///")));
        }
        let now = state.now();
        // A copy: the caller's buffer is its own again.
        state.objects.insert(key.clone(), (Bytes::copy_from_slice(&data), now));
        Ok(())
    }

    async fn replace(&self, key: &ObjectKey, data: Bytes) -> Result<()> {
        self.put(key.clone(), data);
        Ok(())
    }

    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes> {
        let bytes = self.get(key).ok_or_else(|| absent(key))?;
        let Some(range) = range else { return Ok(bytes) };
        if range.start > range.end || range.end > bytes.len() as u64 {
            return Err(Error::new(
                &codes::INVALID_ARGUMENT,
                format!("bytes {}..{} are not within {key}, which has {}", range.start, range.end, bytes.len()),
            ));
        }
        Ok(bytes.slice(range.start as usize..range.end as usize))
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        let state = self.state();
        let (bytes, modified) = state.objects.get(key).ok_or_else(|| absent(key))?;
        Ok(ObjectInfo::new(key.clone(), bytes.len() as u64, Some(*modified)))
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo>> {
        let within = |key: &ObjectKey| {
            prefix.is_empty() || key.as_str().strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
        };
        let state = self.state();
        let found: Vec<_> = (state.objects.iter())
            .filter(|(key, _)| within(key))
            .map(|(key, (bytes, modified))| Ok(ObjectInfo::new(key.clone(), bytes.len() as u64, Some(*modified))))
            .collect();
        stream::iter(found).boxed()
    }

    async fn delete(&self, key: &ObjectKey) -> Result<()> {
        self.remove(key);
        Ok(())
    }

    fn clock(&self) -> Option<Timestamp> {
        Some(self.state().now())
    }
}
