//! One call of a verb, as JavaScript follows it.

use crate::failure::describe;
use crate::output::ByteStream;
use backproof::Result;
use backproof::core::monitor::{Event, Monitor};
use backproof::verbs::Answer;
use bytes::Bytes;
use futures::stream::BoxStream;
use napi_derive::napi;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Bytes that went through are reported no oftener than this: JavaScript has other things to do.
const PAUSE: Duration = Duration::from_millis(50);

/// So many messages wait for JavaScript before further ones are dropped, and counted.
const MANY: usize = 10_000;

#[derive(Default)]
struct Mail {
    messages: Vec<Value>,
    /// Bytes that went through since the last message about them.
    progress: Option<(u64, u64)>,
    dropped: u64,
    outcome: Option<Value>,
    stream: Option<BoxStream<'static, Result<Bytes>>>,
}

impl Mail {
    fn put(&mut self, message: Value) {
        self.settle();
        if self.messages.len() < MANY {
            self.messages.push(message);
        } else {
            self.dropped += 1;
        }
    }

    /// Bytes that went through before a message are reported before it.
    fn settle(&mut self) {
        if let Some((plain, stored)) = self.progress.take()
            && self.messages.len() < MANY
        {
            self.messages.push(json!({ "progress": { "type": "progress", "plain": plain, "stored": stored } }));
        }
    }
}

/// Where what happens is put, for [`Operation::next`].
pub(crate) struct Mailbox {
    mail: Mutex<Mail>,
    arrived: Notify,
    progress: bool,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailbox")
    }
}

impl Mailbox {
    /// A mailbox that takes events of a monitor when `progress` says so.
    pub(crate) fn new(progress: bool) -> Arc<Self> {
        Arc::new(Mailbox { mail: Mutex::default(), arrived: Notify::new(), progress })
    }

    fn mail(&self) -> std::sync::MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, message: Value) {
        self.mail().put(message);
        self.arrived.notify_one();
    }

    pub(crate) fn finish(&self, outcome: Result<Answer>) {
        let mut mail = self.mail();
        mail.outcome = Some(match outcome {
            Ok(Answer::Document(document)) => json!({ "result": document }),
            Ok(Answer::Bytes(stream)) => {
                mail.stream = Some(stream);
                json!({ "stream": true })
            }
            Err(error) => json!({ "error": describe(&error) }),
        });
        drop(mail);
        self.arrived.notify_one();
    }

    /// What came, as a JSON array; `None` while there is nothing but progress.
    fn take(&self, even_progress: bool) -> Option<Value> {
        let mut mail = self.mail();
        if even_progress || mail.outcome.is_some() {
            mail.settle();
        }
        if let Some(outcome) = mail.outcome.take() {
            let dropped = std::mem::take(&mut mail.dropped);
            let mut messages = std::mem::take(&mut mail.messages);
            if dropped > 0 {
                messages.push(json!({ "dropped": dropped }));
            }
            messages.push(outcome);
            return Some(Value::Array(messages));
        }
        (!mail.messages.is_empty()).then(|| Value::Array(std::mem::take(&mut mail.messages)))
    }
}

impl Monitor for Mailbox {
    fn event(&self, event: Event) {
        if !self.progress {
            return;
        }
        let message = match event {
            Event::Progress { plain, stored } => {
                let mut mail = self.mail();
                let first = mail.progress.is_none();
                let (before_plain, before_stored) = mail.progress.unwrap_or_default();
                mail.progress = Some((before_plain + plain, before_stored + stored));
                drop(mail);
                if first {
                    self.arrived.notify_one();
                }
                return;
            }
            Event::Step { doing } => json!({ "type": "step", "doing": doing }),
            Event::Started { backup } => json!({ "type": "started", "backup": backup.to_string() }),
            Event::PartStarted { part, expected } => {
                json!({ "type": "partStarted", "part": part.as_str(), "expected": expected })
            }
            Event::PartFinished { part, plain, stored } => {
                json!({ "type": "partFinished", "part": part.as_str(), "plain": plain, "stored": stored })
            }
            Event::Warning { message } => json!({ "type": "warning", "message": message }),
            // What a later version of the core tells, this one has no words for.
            _ => return,
        };
        self.put(json!({ "progress": message }));
    }
}

/// A call that goes on. It goes on, too, when JavaScript forgets it.
#[napi]
pub struct Operation {
    mailbox: Arc<Mailbox>,
    cancel: CancellationToken,
}

#[napi]
impl Operation {
    /// Waits for messages: a JSON array. The last message of all has `result`, `stream` or `error`.
    #[napi]
    pub async fn next(&self) -> String {
        loop {
            let arrived = self.mailbox.arrived.notified();
            if let Some(messages) = self.mailbox.take(false) {
                return messages.to_string();
            }
            arrived.await;
            if let Some(messages) = self.mailbox.take(false) {
                return messages.to_string();
            }
            // Progress alone: more of it can be told at once.
            let _ = tokio::time::timeout(PAUSE, self.mailbox.arrived.notified()).await;
            if let Some(messages) = self.mailbox.take(true) {
                return messages.to_string();
            }
        }
    }

    /// The bytes that the verb gives, after a message with `stream`; once.
    #[napi]
    pub fn stream(&self) -> Option<ByteStream> {
        self.mailbox.mail().stream.take().map(ByteStream::new)
    }

    /// Ends it; it cleans up and then says `cancelled`.
    #[napi]
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

impl Operation {
    pub(crate) fn new(mailbox: Arc<Mailbox>, cancel: CancellationToken) -> Self {
        Operation { mailbox, cancel }
    }
}
