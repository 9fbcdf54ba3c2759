//! Rows as COPY's text, as CSV, and as JSON lines.

use super::{Row, TableRows};
use crate::error::codes::FORMAT_UNSUPPORTED;
use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::error::io_error;
use backup_core::{Error, Result};
use bytes::Bytes;
use futures::stream::{self, Stream, TryStreamExt};
use std::fmt;
use std::pin::pin;
use std::str::FromStr;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Rows are handed over in pieces of about this many bytes.
const PIECE: usize = 64 << 10;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// As `COPY … TO … (FORMAT csv, HEADER)` writes them: NULL is nothing, an empty string is `""`.
    #[default]
    Csv,
    /// Byte for byte as they are in the dump, as `COPY … TO …` writes them: `COPY … FROM` takes them.
    Copy,
    /// One JSON object on each line. All values are strings or null: a dump says nothing of types.
    Json,
}

impl Format {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Copy => "copy",
            Format::Json => "json",
        }
    }

    /// Writes all rows, and gives their number. What was written before an error is no whole table.
    pub async fn write(self, rows: TableRows, out: &mut (dyn AsyncWrite + Unpin + Send)) -> Result<u64> {
        let failed = |error| io_error("write rows", error);
        let count = rows.count();
        let mut pieces = pin!(self.bytes(rows));
        while let Some(piece) = pieces.try_next().await? {
            out.write_all(&piece).await.map_err(failed)?;
        }
        out.flush().await.map_err(failed)?;
        Ok(count)
    }

    /// All rows as bytes, in pieces of about 64 KiB. Pieces of CSV and JSON are whole rows. What came before an error is no whole table.
    pub fn bytes(self, rows: TableRows) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        stream::try_unfold((rows, true), move |(mut rows, first)| async move {
            let mut text = Vec::new();
            if first && self == Format::Json {
                check_encoding(&rows)?;
            }
            if first && self == Format::Csv {
                csv(rows.columns().iter().map(|name| Some(name.as_bytes())), rows.columns().len(), &mut text);
            }
            if self == Format::Copy {
                let bytes = rows.next_bytes().await?;
                return Ok(bytes.map(|bytes| (bytes.into(), (rows, false))));
            }
            while text.len() < PIECE
                && let Some(row) = rows.next().await?
            {
                self.append(&row, &mut text)?;
            }
            Ok((!text.is_empty()).then(|| (text.into(), (rows, false))))
        })
    }

    /// Appends one row, its line feed included.
    pub fn append(self, row: &Row, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Format::Csv => csv(row.values().iter().map(Option::as_deref), row.values().len(), out),
            Format::Copy => {
                out.extend_from_slice(row.as_copy_text());
                out.push(b'\n');
            }
            Format::Json => json(row, out)?,
        }
        Ok(())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        [Format::Csv, Format::Copy, Format::Json].into_iter().find(|format| format.name() == text).ok_or_else(|| {
            Error::new(&INVALID_ARGUMENT, format!("{text:?} is not a format of rows: csv, copy or json"))
        })
    }
}

/// `CopyAttributeOutCSV` in `src/backend/commands/copyto.c`.
fn csv<'a>(values: impl Iterator<Item = Option<&'a [u8]>>, count: usize, out: &mut Vec<u8>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let Some(value) = value else { continue };
        // What reads as NULL, and, alone in a line, as the end of the data.
        let special = value.is_empty() || count == 1 && value == b"\\.";
        let unsafe_alone = memchr::memchr3(b',', b'"', b'\n', value).or_else(|| memchr::memchr(b'\r', value));
        if special || unsafe_alone.is_some() {
            out.push(b'"');
            let mut rest = value;
            while let Some(quote) = memchr::memchr(b'"', rest) {
                out.extend_from_slice(&rest[..=quote]);
                out.push(b'"');
                rest = &rest[quote + 1..];
            }
            out.extend_from_slice(rest);
            out.push(b'"');
        } else {
            out.extend_from_slice(value);
        }
    }
    out.push(b'\n');
}

fn check_encoding(rows: &TableRows) -> Result<()> {
    match rows.encoding() {
        // Of SQL_ASCII nobody knows what it is: each value is looked at.
        None | Some("UTF8" | "SQL_ASCII") => Ok(()),
        Some(other) => {
            Err(Error::new(&FORMAT_UNSUPPORTED, format!("JSON is UTF-8, and the dump is in the encoding {other}")))
        }
    }
}

fn json(row: &Row, out: &mut Vec<u8>) -> Result<()> {
    let string = |out: &mut Vec<u8>, bytes: &[u8]| {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Error::new(&FORMAT_UNSUPPORTED, "JSON is UTF-8, and a value or a name is not"))?;
        let failed = |error| Error::new(&FORMAT_UNSUPPORTED, "write a value as JSON").with_source(error);
        serde_json::to_writer(out, text).map_err(failed)
    };
    out.push(b'{');
    for (index, (name, value)) in row.columns().iter().zip(row.values()).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(out, name.as_bytes())?;
        out.push(b':');
        match value {
            Some(value) => string(out, value)?,
            None => out.extend_from_slice(b"null"),
        }
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}
