//! The sealed list of everything in a backup: the part `contents`.
//!
//! JSON lines. The first names the backup, the last holds a SHA-256 of all bytes before it. Between them: what the source
//! noted of each part, a line for each segment with the BLAKE3 of its plaintext, and a line for each thing left out.

use super::json;
use crate::digest::{Blake3, Sha256};
use crate::error::{Error, Result, codes};
use crate::id::BackupId;
use crate::names::PartName;
use crate::pipeline::read::PartStream;
use crate::pipeline::write::{PartWriter, WrittenPart};
use crate::source::LeftOut;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::collections::BTreeMap;

/// The version of the lines that this version writes.
const VERSION: u32 = 1;

/// The lines that backproof writes itself; sources add lines of their own, with other keys.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Contents { version: u32, backup: BackupId },
    Segment { part: String, number: u64, bytes: u64, blake3: Blake3 },
    LeftOut(LeftOut),
    End { lines: u64, sha256: Sha256 },
}

/// Writes the lines of `contents`, segment by segment as they fill.
pub struct ContentsWriter {
    out: Out,
    lines: u64,
    hash: sha2::Sha256,
}

enum Out {
    Memory(Vec<u8>),
    Part { writer: Box<PartWriter>, buffer: Option<crate::pipeline::Buffer> },
}

impl std::fmt::Debug for ContentsWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContentsWriter({} lines)", self.lines)
    }
}

impl ContentsWriter {
    /// A writer that keeps its lines in memory, for tests of sources.
    pub fn in_memory() -> Self {
        ContentsWriter { out: Out::Memory(Vec::new()), lines: 0, hash: sha2::Sha256::new() }
    }

    /// What an [`in_memory`](ContentsWriter::in_memory) writer was given.
    pub fn into_memory(self) -> Vec<u8> {
        match self.out {
            Out::Memory(lines) => lines,
            Out::Part { .. } => Vec::new(),
        }
    }

    pub(crate) async fn begin(writer: PartWriter, backup: &BackupId) -> Result<Self> {
        let out = Out::Part { writer: Box::new(writer), buffer: None };
        let mut contents = ContentsWriter { out, lines: 0, hash: sha2::Sha256::new() };
        contents.own_line(&Line::Contents { version: VERSION, backup: backup.clone() }).await?;
        Ok(contents)
    }

    /// Adds a line. The value must serialise to a JSON object with one key that names what it is, other than `contents`,
    /// `segment`, `left_out` and `end`.
    pub async fn line(&mut self, value: &(impl Serialize + Sync)) -> Result<()> {
        let line = written(value)?;
        if is_ours(&line) || !line.starts_with(b"{\"") {
            return Err(Error::new(&codes::INVALID_ARGUMENT, "this is not a line that a source may add to contents"));
        }
        self.add(line).await
    }

    async fn own_line(&mut self, line: &Line) -> Result<()> {
        self.add(written(line)?).await
    }

    async fn add(&mut self, line: Vec<u8>) -> Result<()> {
        self.hash.update(&line);
        self.lines += 1;
        match &mut self.out {
            Out::Memory(lines) => lines.extend_from_slice(&line),
            Out::Part { writer, buffer } => {
                let mut rest = &line[..];
                while !rest.is_empty() {
                    let mut current = match buffer.take() {
                        Some(current) => current,
                        None => writer.buffer().await?,
                    };
                    let space = current.data.capacity() - current.data.len();
                    let (fits, more) = rest.split_at(space.min(rest.len()));
                    current.data.extend_from_slice(fits);
                    rest = more;
                    if current.data.len() == current.data.capacity() {
                        writer.submit(current).await?;
                    } else {
                        *buffer = Some(current);
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn segments(&mut self, part: &WrittenPart) -> Result<()> {
        for (number, segment) in part.segments.iter().enumerate() {
            let (part, number) = (part.name.to_string(), number as u64);
            self.own_line(&Line::Segment { part, number, bytes: segment.plain_bytes, blake3: segment.plain_hash })
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn left_out(&mut self, what: LeftOut) -> Result<()> {
        self.own_line(&Line::LeftOut(what)).await
    }

    /// Writes the last line and stores what is not stored yet.
    pub(crate) async fn finish(mut self) -> Result<WrittenPart> {
        let end = Line::End { lines: self.lines, sha256: <[u8; 32]>::from(self.hash.clone().finalize()).into() };
        self.own_line(&end).await?;
        match self.out {
            Out::Memory(_) => Err(Error::new(&codes::INVALID_ARGUMENT, "contents in memory are not stored")),
            Out::Part { mut writer, buffer } => {
                if let Some(buffer) = buffer {
                    writer.submit(buffer).await?;
                }
                writer.finish().await
            }
        }
    }
}

/// What reading needs of a backup's `contents`: small beside the backup (32 bytes per segment).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// For each part, the length and the BLAKE3 of each segment's plaintext, in order.
    pub segments: BTreeMap<PartName, Vec<(u64, Blake3)>>,
    /// What could not be captured.
    pub left_out: Vec<LeftOut>,
}

impl Contents {
    /// Reads the whole of a `contents` part and checks that it is whole and belongs to this backup.
    pub async fn read(stream: PartStream, backup: &BackupId) -> Result<Self> {
        Self::read_with(stream, backup, |_| Ok(())).await
    }

    /// As [`read`](Contents::read), giving the lines that a source wrote to `other`.
    pub async fn read_with(
        mut stream: PartStream,
        backup: &BackupId,
        mut other: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Self> {
        let mut reader =
            Reader { backup, contents: Contents::default(), lines: 0, hash: sha2::Sha256::new(), ended: false };
        let mut pending = Vec::new();
        while let Some(piece) = stream.next().await? {
            for line in piece.split_inclusive(|byte| *byte == b'\n') {
                if pending.len() + line.len() > json::MAX_BYTES as usize {
                    return Err(invalid("has a line that is too long"));
                }
                if !line.ends_with(b"\n") {
                    pending.extend_from_slice(line);
                } else if pending.is_empty() {
                    reader.line(line, &mut other)?;
                } else {
                    pending.extend_from_slice(line);
                    reader.line(&pending, &mut other)?;
                    pending.clear();
                }
            }
        }
        if !pending.is_empty() || !reader.ended {
            return Err(invalid("ends early"));
        }
        Ok(reader.contents)
    }
}

struct Reader<'a> {
    backup: &'a BackupId,
    contents: Contents,
    lines: u64,
    hash: sha2::Sha256,
    ended: bool,
}

impl Reader<'_> {
    fn line(&mut self, line: &[u8], other: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if self.ended {
            return Err(invalid("goes on after its end"));
        }
        let known: Option<Line> = if is_ours(line) { Some(json::parse(line, "a line of contents")?) } else { None };
        match known {
            Some(Line::Contents { version, backup }) if self.lines == 0 => {
                if version != VERSION {
                    return Err(Error::new(&codes::UNKNOWN_FORMAT, format!("contents are of version {version}")));
                }
                if backup != *self.backup {
                    return Err(invalid("belongs to another backup"));
                }
            }
            _ if self.lines == 0 => return Err(invalid("does not begin with the backup's id")),
            Some(Line::Contents { .. }) => return Err(invalid("names the backup twice")),
            Some(Line::Segment { part, number, bytes, blake3 }) => {
                let segments = self.contents.segments.entry(PartName::new(part)?).or_default();
                if segments.len() as u64 != number {
                    return Err(invalid("lists segments out of order"));
                }
                segments.push((bytes, blake3));
            }
            Some(Line::LeftOut(what)) => self.contents.left_out.push(what),
            Some(Line::End { lines, sha256 }) => {
                let hash: [u8; 32] = self.hash.clone().finalize().into();
                if lines != self.lines || Sha256::from(hash) != sha256 {
                    return Err(invalid("does not have the hash that it says"));
                }
                self.ended = true;
            }
            None => {
                other(line)?;
            }
        }
        self.hash.update(line);
        self.lines += 1;
        Ok(())
    }
}

/// A line with its line feed, as long as readers take it.
fn written(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)
        .map_err(|error| Error::new(&codes::INVALID_ARGUMENT, "write contents").with_source(error))?;
    line.push(b'\n');
    if line.len() > json::MAX_BYTES as usize {
        let what = format!("a line of contents has {} bytes; at most {} can be", line.len(), json::MAX_BYTES);
        return Err(Error::new(&codes::INVALID_ARGUMENT, what));
    }
    Ok(line)
}

fn is_ours(line: &[u8]) -> bool {
    ["contents", "segment", "left_out", "end"].iter().any(|key| line.starts_with(format!("{{\"{key}\":").as_bytes()))
}

fn invalid(reason: &str) -> Error {
    Error::new(&codes::INVALID_DOCUMENT, format!("contents {reason}"))
}
