//! The one place where the facade is called.

use crate::exchange::Exchange;
use backproof::core::error::codes::{CANCELLED, INVALID_ARGUMENT};
use backproof::core::monitor::Monitor;
use backproof::core::source::Source;
use backproof::verbs::Answer;
use backproof::{Backproof, Error, Result};
use futures::TryStreamExt;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What an operation works with.
pub(crate) struct Io {
    pub(crate) source: Option<Arc<dyn Source>>,
    pub(crate) monitor: Arc<dyn Monitor>,
    pub(crate) cancel: CancellationToken,
}

pub(crate) fn open(settings: &str) -> Result<Backproof> {
    Backproof::open(parse::<backproof::config::Overrides>("the settings", settings)?)
}

/// By way of a value: "at line 1 column 233" is a place in nothing that anybody wrote.
fn parse<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    let parsed = serde_json::from_str(text).and_then(serde_json::from_value);
    parsed.map_err(|error| Error::new(&INVALID_ARGUMENT, format!("{what}: {error}")))
}

/// Calls a verb: its result as JSON, or, when it gives bytes, `null` after the last of them was handed over.
pub(crate) async fn call(
    session: &Backproof,
    verb: &str,
    options: &str,
    io: Io,
    exchange: &Arc<Exchange>,
) -> Result<String> {
    let session = session.clone().monitor(io.monitor).cancel_with(io.cancel.clone());
    let mut bytes = match session.call(verb, parse(verb, options)?, io.source).await? {
        Answer::Document(document) => return Ok(document.to_string()),
        Answer::Bytes(bytes) => bytes,
    };
    let reading = async {
        while let Some(piece) = bytes.try_next().await? {
            exchange.give(piece).await;
        }
        Ok("null".into())
    };
    tokio::select! {
        result = reading => result,
        () = io.cancel.cancelled() => Err(Error::new(&CANCELLED, "the reading was cancelled")),
    }
}
