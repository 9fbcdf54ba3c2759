//! All verbs behind one function: names and JSON in, JSON or bytes out.

use crate::failure::unfit;
use backproof::core::error::io_error;
use backproof::core::monitor::Monitor;
use backproof::core::source::Source;
use backproof::error::codes::USAGE;
use backproof::verbs::{Cat, PartReader, RowReader};
use backproof::{Backproof, Error, Result};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// What a call has besides its options.
pub(crate) struct Io {
    /// The bytes of a backup, in place of a database.
    pub(crate) source: Option<Arc<dyn Source>>,
    /// Who is told what happens.
    pub(crate) monitor: Arc<dyn Monitor>,
    /// Ends the call.
    pub(crate) cancel: CancellationToken,
}

/// What a verb gives.
pub(crate) enum Answer {
    /// Its result.
    Document(Value),
    /// Bytes, to be read.
    Stream(BoxStream<'static, Result<Bytes>>),
}

/// Calls a verb by its name.
pub(crate) async fn call(session: &Backproof, verb: &str, options: Value, io: Io) -> Result<Answer> {
    let session = session.clone().monitor(io.monitor).cancel_with(io.cancel);
    macro_rules! document {
        ($method:ident) => {
            document(&session.$method(&read(verb, options)?).await?)
        };
    }
    match verb {
        "init" => document!(init),
        "keygen" => document!(keygen),
        "backup" => match io.source {
            Some(source) => document(&session.backup_from(source, &read(verb, options)?).await?),
            None => document!(backup),
        },
        "list" => document!(list),
        "show" => document!(show),
        "cat" => match session.cat(&read(verb, options)?).await? {
            Cat::Written(result) => document(&result),
            Cat::Part(part) => Ok(Answer::Stream(pieces(part))),
            Cat::Rows(rows) => Ok(Answer::Stream(lines(rows))),
        },
        "verify" => document!(verify),
        "restore" => document!(restore),
        "rollback" => document!(rollback),
        "diff" => document!(diff),
        "drill" => document!(drill),
        "config" => document!(config),
        _ => Err(Error::new(&USAGE, format!("there is no verb {verb}"))),
    }
}

fn read<Options: DeserializeOwned>(verb: &str, options: Value) -> Result<Options> {
    serde_json::from_value(options).map_err(|error| unfit(verb, &error))
}

fn document(result: &impl Serialize) -> Result<Answer> {
    serde_json::to_value(result).map(Answer::Document).map_err(|error| unfit("result", &error))
}

fn pieces(part: PartReader) -> BoxStream<'static, Result<Bytes>> {
    stream::try_unfold(part, |mut part| async move { Ok(part.stream.next().await?.map(|piece| (piece, part))) }).boxed()
}

/// Rows as they are written, by a task that goes on only as fast as they are read.
fn lines(reader: RowReader) -> BoxStream<'static, Result<Bytes>> {
    let (mut writer, pipe) = tokio::io::duplex(256 << 10);
    let writing = AbortOnDropHandle::new(tokio::spawn(async move {
        reader.format.write(reader.rows, &mut writer).await.map(drop)
    }));
    let bytes = ReaderStream::with_capacity(pipe, 64 << 10).map(|piece| piece.map_err(|error| io_error("read rows", error)));
    // The pipe ends when the writer does, whether it got to its end or not.
    let end = stream::once(writing).filter_map(async |ended| match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(Err(error)),
        Err(error) => Some(Err(io_error("read rows", std::io::Error::other(error)))),
    });
    bytes.chain(end).boxed()
}
