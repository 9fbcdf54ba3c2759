//! An opened session, and the way to all verbs.

use crate::failure::{thrown, unfit};
use crate::log::Logs;
use crate::operation::{Mailbox, Operation};
use crate::source::ByteSource;
use backproof::config::Overrides;
use backproof::core::error::codes::INVALID_ARGUMENT;
use backproof::{Backproof, Error};
use napi::bindgen_prelude::spawn;
use napi_derive::napi;
use tokio_util::sync::CancellationToken;
use tracing::Level;
use tracing::instrument::WithSubscriber;

/// An opened session.
#[napi]
pub struct Session {
    session: Backproof,
    logs: Option<Level>,
}

/// Opens a session from settings: JSON, as bindings/api.json describes them. Its calls log at `logs` and more urgent levels, when that is given.
#[napi]
pub(crate) fn open(settings: String, logs: Option<String>) -> napi::Result<Session> {
    opened(&settings, logs.as_deref()).map_err(|error| thrown(&error))
}

fn opened(settings: &str, logs: Option<&str>) -> backproof::Result<Session> {
    // By way of a value: "at line 1 column 233" is a place in nothing that anybody wrote.
    let settings = serde_json::from_str(settings).and_then(serde_json::from_value::<Overrides>);
    let settings = settings.map_err(|error| unfit("settings", &error))?;
    let unknown = |name: &str| {
        Error::new(&INVALID_ARGUMENT, format!("{name} is no level of logs"))
            .with_hint("error, warn, info, debug or trace")
    };
    let logs = logs.map(|name| name.parse().map_err(|_| unknown(name))).transpose()?;
    Ok(Session { session: Backproof::open(settings)?, logs })
}

#[napi]
impl Session {
    /// Begins a verb. Its options are JSON; a source may give the bytes of a backup.
    #[napi]
    pub fn start(
        &self,
        verb: String,
        options: String,
        source: Option<&ByteSource>,
        progress: bool,
    ) -> napi::Result<Operation> {
        let options = serde_json::from_str(&options).map_err(|error| thrown(&unfit(&verb, &error)))?;
        let mailbox = Mailbox::new(progress);
        let cancel = CancellationToken::new();
        let source = source.and_then(ByteSource::source);
        let session = self.session.clone().monitor(mailbox.clone()).cancel_with(cancel.clone());
        let finished = mailbox.clone();
        let work = async move {
            let outcome = session.call(&verb, options, source).await;
            // Whoever waits may look at once what became of the session.
            drop(session);
            finished.finish(outcome);
        };
        match self.logs {
            Some(level) => spawn(work.with_subscriber(Logs::new(mailbox.clone(), level))),
            None => spawn(work),
        };
        Ok(Operation::new(mailbox, cancel))
    }
}
