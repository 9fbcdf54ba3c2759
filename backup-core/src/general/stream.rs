//! Any stream of bytes as a source, any writer as a target.

use super::snapshot::{OnePart, default_part};
use super::taking::{Taking, choose};
use crate::error::{Error, Result, codes, io_error};
use crate::monitor::Monitor;
use crate::names::PartName;
use crate::repository::contents::ContentsWriter;
use crate::source::{PartReader, Snapshot, Source, SourceInfo};
use crate::target::{Restorable, RestorePlan, RestoreReport, Target};
use async_trait::async_trait;
use bytes::{Buf, Bytes};
use futures::stream::{BoxStream, StreamExt};
use jiff::Timestamp;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

type Pieces = BoxStream<'static, std::io::Result<Bytes>>;

/// Backs up a stream, once. Kind `stream`.
///
/// The stream is complete when it ends without an error. So a stream that can be cut without noticing, such as a socket that
/// the other side closes, must check for itself, and give an error.
pub struct StreamSource {
    pieces: Mutex<Option<Pieces>>,
    part: PartName,
    size: Option<u64>,
}

impl StreamSource {
    /// A stream of pieces of any size.
    pub fn new(pieces: impl futures::Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Self {
        StreamSource { pieces: Mutex::new(Some(pieces.boxed())), part: default_part(), size: None }
    }

    /// A reader.
    pub fn from_reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::new(tokio_util::io::ReaderStream::with_capacity(reader, 1 << 20))
    }

    /// Names the part; `data` otherwise.
    pub fn part(mut self, part: PartName) -> Self {
        self.part = part;
        self
    }

    /// About how many bytes will come, for progress only.
    pub fn size_hint(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }
}

impl fmt::Debug for StreamSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamSource({})", self.part)
    }
}

#[async_trait]
impl Source for StreamSource {
    fn kind(&self) -> &str {
        "stream"
    }

    async fn open(&self, _monitor: Arc<dyn Monitor>) -> Result<Box<dyn Snapshot>> {
        let Some(pieces) = self.pieces.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Err(Error::new(&codes::INVALID_ARGUMENT, "the stream was read already")
                .with_hint("a stream can be backed up once; make a new one"));
        };
        let reader =
            StreamReader { name: self.part.clone(), pieces, rest: Bytes::new(), size: self.size, end: End::NotYet };
        let info = SourceInfo::new(self.kind(), Timestamp::now());
        Ok(Box::new(OnePart { info, part: Some(Box::new(reader)) }))
    }
}

#[derive(PartialEq)]
enum End {
    NotYet,
    Reached,
    Failed,
}

struct StreamReader {
    name: PartName,
    pieces: Pieces,
    rest: Bytes,
    size: Option<u64>,
    end: End,
}

#[async_trait]
impl PartReader for StreamReader {
    fn name(&self) -> PartName {
        self.name.clone()
    }

    fn size_hint(&self) -> Option<u64> {
        self.size
    }

    async fn fill(&mut self, buf: &mut Vec<u8>) -> Result<()> {
        while buf.len() < buf.capacity() {
            if self.rest.is_empty() {
                match self.end {
                    End::Reached => return Ok(()),
                    End::Failed => return Err(Error::new(&codes::SOURCE_FAILED, "the stream failed")),
                    End::NotYet => {}
                }
                match self.pieces.next().await {
                    None => {
                        self.end = End::Reached;
                        return Ok(());
                    }
                    Some(Ok(piece)) => self.rest = piece,
                    Some(Err(error)) => {
                        self.end = End::Failed;
                        return Err(Error::new(&codes::SOURCE_FAILED, "read a stream").with_source(error));
                    }
                }
            }
            let count = self.rest.len().min(buf.capacity() - buf.len());
            buf.extend_from_slice(&self.rest[..count]);
            self.rest.advance(count);
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>, _contents: &mut ContentsWriter) -> Result<()> {
        let mut one = Vec::with_capacity(1);
        self.fill(&mut one).await?;
        if one.is_empty() {
            Ok(())
        } else {
            Err(Error::new(&codes::SOURCE_FAILED, "the stream was not read to its end"))
        }
    }
}

/// Restores one part into a writer, once.
///
/// After an error, the writer has a part of the bytes and is dropped without being shut down.
pub struct WriterTarget {
    writer: Mutex<Option<Box<dyn AsyncWrite + Send + Unpin>>>,
    part: Option<PartName>,
}

impl WriterTarget {
    /// A writer; it is flushed and shut down when all was written.
    pub fn new(writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        WriterTarget { writer: Mutex::new(Some(Box::new(writer))), part: None }
    }

    /// Takes this part; otherwise the only one that the backup has.
    pub fn part(mut self, part: PartName) -> Self {
        self.part = Some(part);
        self
    }

    fn used() -> Error {
        Error::new(&codes::INVALID_ARGUMENT, "the writer was used already")
            .with_hint("a writer can be restored to once; make a new one")
    }
}

impl fmt::Debug for WriterTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriterTarget")
    }
}

#[async_trait]
impl Target for WriterTarget {
    async fn plan(&self, backup: &dyn Restorable) -> Result<RestorePlan> {
        let mut plan = RestorePlan { target: "a writer".into(), ..RestorePlan::default() };
        match choose(backup, self.part.as_ref()) {
            Ok(part) => plan.steps.push(format!("write part {part}")),
            Err(error) => plan.obstacles.push(error.to_string()),
        }
        if self.writer.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            plan.obstacles.push(Self::used().to_string());
        }
        Ok(plan)
    }

    async fn restore(&self, backup: &dyn Restorable, monitor: Arc<dyn Monitor>) -> Result<RestoreReport> {
        let part = choose(backup, self.part.as_ref())?;
        let Some(mut writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Err(Self::used());
        };
        let mut taking = Taking::open(backup, &part, &*monitor).await?;
        let failed = |error| io_error("write the restored bytes", error);
        while let Some(piece) = taking.next().await? {
            writer.write_all(&piece).await.map_err(failed)?;
        }
        writer.shutdown().await.map_err(failed)?;
        Ok(RestoreReport { target: "a writer".into(), bytes: taking.bytes, warnings: Vec::new() })
    }
}
