//! Faults at chosen moments, around any sink.

use crate::digest::Sha256;
use crate::error::{Code, Error, Result, codes};
use crate::key::ObjectKey;
use crate::sink::{Capabilities, ObjectInfo, Sink};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use std::ops::{Range, RangeInclusive};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The operations of a [`Sink`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`Sink::create`]
    Create,
    /// [`Sink::replace`]
    Replace,
    /// [`Sink::read`]
    Read,
    /// [`Sink::stat`]
    Stat,
    /// [`Sink::list`]
    List,
    /// [`Sink::delete`]
    Delete,
}

/// What happens instead of, or after, an operation.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It fails with this code; nothing was done.
    Fail(&'static Code),
    /// It is done, and then fails with this code: the answer was lost. With [`ALREADY_EXISTS`](codes::ALREADY_EXISTS) after
    /// a create: "exists, although it was us".
    FailAfter(&'static Code),
    /// It never ends; nothing was done.
    Hang,
    /// It is done, and never ends.
    HangAfter,
    /// It is done after this time.
    Delay(Duration),
    /// A read returns bytes of which the last is changed, any other operation is done as usual.
    Corrupt,
}

#[derive(Debug)]
struct Rule {
    operation: Operation,
    /// Counted from 1, among the calls this rule matches.
    calls: RangeInclusive<usize>,
    key_part: String,
    fault: Fault,
    seen: usize,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    calls: Vec<(Operation, String)>,
}

/// A sink that fails where it is told to, and remembers every call.
///
/// Clones share the rules and the calls, so a test keeps one and gives the other away.
#[derive(Clone, Debug)]
pub struct FaultySink {
    inner: Arc<dyn Sink>,
    state: Arc<Mutex<State>>,
}

impl FaultySink {
    /// A sink without faults yet.
    pub fn new(inner: Arc<dyn Sink>) -> Self {
        FaultySink { inner, state: Arc::default() }
    }

    /// A store whose credentials may create objects and do nothing else.
    pub fn write_only(inner: Arc<dyn Sink>) -> Self {
        let sink = Self::new(inner);
        for operation in [Operation::Replace, Operation::Read, Operation::Stat, Operation::List, Operation::Delete] {
            sink.deny(operation);
        }
        sink
    }

    /// The `n`th call of this operation from now on meets the fault; the first is 1.
    pub fn at(&self, operation: Operation, n: usize, fault: Fault) -> &Self {
        self.rule(operation, n..=n, "", fault)
    }

    /// The `n`th call of this operation from now on, and all after it, meet the fault.
    pub fn from(&self, operation: Operation, n: usize, fault: Fault) -> &Self {
        self.rule(operation, n..=usize::MAX, "", fault)
    }

    /// Every call of this operation whose key (or prefix) contains the text meets the fault.
    pub fn on_key(&self, operation: Operation, key_part: &str, fault: Fault) -> &Self {
        self.rule(operation, 1..=usize::MAX, key_part, fault)
    }

    /// The first call of this operation whose key (or prefix) contains the text meets the fault.
    pub fn once_on_key(&self, operation: Operation, key_part: &str, fault: Fault) -> &Self {
        self.rule(operation, 1..=1, key_part, fault)
    }

    /// The credentials lack the right for this operation.
    pub fn deny(&self, operation: Operation) -> &Self {
        self.from(operation, 1, Fault::Fail(&codes::ACCESS_DENIED))
    }

    /// Takes all faults away.
    pub fn heal(&self) {
        self.state().rules.clear();
    }

    /// How many calls of this operation there were, failed ones included.
    pub fn count(&self, operation: Operation) -> usize {
        self.state().calls.iter().filter(|(each, _)| *each == operation).count()
    }

    /// Every call with its key or prefix, in order, failed ones included.
    pub fn calls(&self) -> Vec<(Operation, String)> {
        self.state().calls.clone()
    }

    fn rule(&self, operation: Operation, calls: RangeInclusive<usize>, key_part: &str, fault: Fault) -> &Self {
        self.state().rules.push(Rule { operation, calls, key_part: key_part.into(), fault, seen: 0 });
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the call and finds the first fault for it.
    fn meet(&self, operation: Operation, key: &str) -> Option<Fault> {
        let mut state = self.state();
        state.calls.push((operation, key.to_owned()));
        let mut fault = None;
        for rule in &mut state.rules {
            if rule.operation == operation && key.contains(&rule.key_part) {
                rule.seen += 1;
                if fault.is_none() && rule.calls.contains(&rule.seen) {
                    fault = Some(rule.fault);
                }
            }
        }
        fault
    }

    async fn run<T>(&self, operation: Operation, key: &str, done: impl Future<Output = Result<T>> + Send) -> Result<T> {
        apply(self.meet(operation, key), operation, key, done).await
    }
}

async fn apply<T>(
    fault: Option<Fault>,
    operation: Operation,
    key: &str,
    done: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    match fault {
        None | Some(Fault::Corrupt) => done.await,
        Some(Fault::Fail(code)) => Err(injected(code, operation, key)),
        Some(Fault::FailAfter(code)) => {
            done.await?;
            Err(injected(code, operation, key))
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::HangAfter) => {
            done.await?;
            std::future::pending().await
        }
        Some(Fault::Delay(time)) => {
            tokio::time::sleep(time).await;
            done.await
        }
    }
}

fn injected(code: &'static Code, operation: Operation, key: &str) -> Error {
    Error::new(code, format!("{operation:?} of {key:?}: injected fault"))
}

#[async_trait]
impl Sink for FaultySink {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn is_local(&self) -> bool {
        self.inner.is_local()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn create(&self, key: &ObjectKey, data: Bytes, sha256: Sha256) -> Result<()> {
        self.run(Operation::Create, key.as_str(), self.inner.create(key, data, sha256)).await
    }

    async fn replace(&self, key: &ObjectKey, data: Bytes) -> Result<()> {
        self.run(Operation::Replace, key.as_str(), self.inner.replace(key, data)).await
    }

    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes> {
        let fault = self.meet(Operation::Read, key.as_str());
        let bytes = apply(fault, Operation::Read, key.as_str(), self.inner.read(key, range)).await?;
        let corrupt = matches!(fault, Some(Fault::Corrupt));
        if !corrupt || bytes.is_empty() {
            return Ok(bytes);
        }
        let mut changed = bytes.to_vec();
        if let Some(last) = changed.last_mut() {
            *last ^= 1;
        }
        Ok(changed.into())
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        self.run(Operation::Stat, key.as_str(), self.inner.stat(key)).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo>> {
        let (sink, prefix) = (self.clone(), prefix.to_owned());
        stream::once(async move {
            let found =
                async { sink.inner.list(&prefix).collect::<Vec<_>>().await.into_iter().collect::<Result<Vec<_>>>() };
            let found = sink.run(Operation::List, &prefix, found).await?;
            Ok::<_, Error>(stream::iter(found).map(Ok))
        })
        .try_flatten()
        .boxed()
    }

    async fn delete(&self, key: &ObjectKey) -> Result<()> {
        self.run(Operation::Delete, key.as_str(), self.inner.delete(key)).await
    }

    fn clock(&self) -> Option<Timestamp> {
        self.inner.clock()
    }
}
