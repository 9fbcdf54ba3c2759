//! All verbs behind one function, for other languages: a name and JSON in, JSON or bytes out.

use super::{Cat, usage};
use crate::Backproof;
use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::error::io_error;
use backup_core::source::Source;
use backup_core::{Error, Result};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// What a verb gives.
pub enum Answer {
    /// Its result: what the program prints with `--json`.
    Document(Value),
    /// Bytes to be read, of [`cat`](Backproof::cat) without an `output`. They are all of them only when the stream ends without an error.
    Bytes(BoxStream<'static, Result<Bytes>>),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Document(document) => f.debug_tuple("Document").field(document).finish(),
            Answer::Bytes(_) => f.write_str("Bytes"),
        }
    }
}

impl Backproof {
    /// Calls a verb by its name, with its options as a JSON object; `bindings/api.json` describes both and the results. With a source, `backup` is
    /// [`backup_from`](Backproof::backup_from). Rows of a table come as whole rows, about 64 KiB in a piece.
    ///
    /// # Errors
    /// [`INVALID_ARGUMENT`] for options that are not the verb's, and what the verb says.
    pub async fn call(&self, verb: &str, options: Value, source: Option<Arc<dyn Source>>) -> Result<Answer> {
        if source.is_some() && verb != "backup" {
            return Err(usage(&format!("a source of bytes is for backup, not for {verb}")));
        }
        macro_rules! call {
            ($($method:ident, $options:ident, $result:ident, $does:literal;)*) => {
                match verb {
                    $(stringify!($method) => self.$method(&read(verb, options)?).await?.into_answer(),)*
                    _ => Err(usage(&format!("there is no verb {verb}"))),
                }
            };
        }
        match source {
            Some(source) => self.backup_from(source, &read(verb, options)?).await?.into_answer(),
            None => super::each_verb!(call),
        }
    }
}

fn read<Options: DeserializeOwned>(verb: &str, options: Value) -> Result<Options> {
    serde_json::from_value(options).map_err(|error| Error::new(&INVALID_ARGUMENT, format!("{verb}: {error}")))
}

/// A verb's result on its way out.
trait IntoAnswer {
    fn into_answer(self) -> Result<Answer>;
}

impl<T: Serialize> IntoAnswer for T {
    fn into_answer(self) -> Result<Answer> {
        serde_json::to_value(self)
            .map(Answer::Document)
            .map_err(|error| io_error("write the result as JSON", error.into()))
    }
}

impl IntoAnswer for Cat {
    fn into_answer(self) -> Result<Answer> {
        match self {
            Cat::Written(result) => result.into_answer(),
            Cat::Part(part) => Ok(Answer::Bytes(part.stream.into_stream())),
            Cat::Rows(reader) => Ok(Answer::Bytes(reader.format.bytes(reader.rows).boxed())),
        }
    }
}
