//! The one place where the facade is called.

use crate::error::codes::ABORTED;
use backproof::core::error::codes::INVALID_ARGUMENT;
use backproof::core::monitor::Monitor;
use backproof::core::source::Source;
use backproof::postgres::rows::Format;
use backproof::verbs::Cat;
use backproof::{Backproof, Error, Result};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

use crate::exchange::Exchange;

/// Rows are handed over in pieces of about this size.
const PIECE: usize = 64 << 10;

/// What an operation works with.
pub(crate) struct Io {
    pub(crate) source: Option<Arc<dyn Source>>,
    pub(crate) monitor: Arc<dyn Monitor>,
    pub(crate) cancel: CancellationToken,
}

pub(crate) fn open(settings: &str) -> Result<Backproof> {
    Backproof::open(options::<backproof::config::Overrides>("the settings", settings)?)
}

fn options<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::new(&INVALID_ARGUMENT, format!("{what}: {error}")))
}

fn document(result: &impl Serialize) -> Result<String> {
    serde_json::to_string(result).map_err(|error| Error::new(&ABORTED, "write the result").with_source(error))
}

pub(crate) async fn call(
    session: &Backproof,
    verb: &str,
    text: &str,
    io: Io,
    exchange: &Arc<Exchange>,
) -> Result<String> {
    let session = session.clone().monitor(io.monitor).cancel_with(io.cancel.clone());
    macro_rules! call {
        ($($verb:ident),*) => {
            match (verb, io.source) {
                ("backup", Some(source)) => document(&session.backup_from(source, &options(verb, text)?).await?),
                ("cat", _) => read(session.cat(&options(verb, text)?).await?, exchange, &io.cancel).await,
                $((stringify!($verb), _) => document(&session.$verb(&options(verb, text)?).await?),)*
                _ => Err(Error::new(&INVALID_ARGUMENT, format!("there is no verb {verb}"))),
            }
        };
    }
    call!(init, keygen, backup, list, show, verify, restore, rollback, diff, drill, config)
}

/// Hands a stream over, piece by piece.
async fn read(cat: Cat, exchange: &Arc<Exchange>, cancel: &CancellationToken) -> Result<String> {
    let reading = async {
        match cat {
            Cat::Written(result) => document(&result),
            Cat::Part(mut part) => {
                while let Some(piece) = part.stream.next().await? {
                    exchange.give(Bytes::from_owner(piece)).await;
                }
                Ok("null".into())
            }
            Cat::Rows(mut reader) => {
                let mut piece = Vec::with_capacity(PIECE + 4096);
                while let Some(row) = reader.rows.next().await? {
                    Format::Json.append(row, &mut piece)?;
                    if piece.len() >= PIECE {
                        exchange.give(std::mem::replace(&mut piece, Vec::with_capacity(PIECE + 4096)).into()).await;
                    }
                }
                exchange.give(piece.into()).await;
                Ok("null".into())
            }
        }
    };
    tokio::select! {
        result = reading => result,
        () = cancel.cancelled() => Err(Error::new(&backproof::core::error::codes::CANCELLED, "the reading was cancelled")),
    }
}
