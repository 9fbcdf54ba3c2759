//! The push parser: bytes in, in any pieces, events out.

use super::entry::{Entry, Header, Section, Text, Version};
use crate::error::codes;
use backup_core::error::codes::PART_INVALID;
use backup_core::{Error, Result};
use std::collections::VecDeque;

/// Of a longer string only this many bytes are kept in memory.
pub const KEPT_TEXT: usize = 1 << 20;

/// Dependencies of one entry that are kept in memory.
const KEPT_DEPENDENCIES: usize = 1 << 16;

/// Entries with data of one archive, so that a forged table of contents cannot fill the memory (4 bytes for each).
const MAX_DATA_ENTRIES: usize = 1 << 24;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Rows of one table, as COPY's text.
    Rows,
    /// Large objects, one after the other.
    LargeObjects,
}

/// A block of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The entry it belongs to.
    pub id: i32,
    /// What it holds.
    pub kind: BlockKind,
    /// Where it begins in the archive, in bytes: its type byte.
    pub position: u64,
}

/// Is told what an archive holds, in order. An error ends the parsing with that error.
#[allow(unused_variables)]
pub trait Visitor {
    /// The head.
    fn header(&mut self, header: &Header) -> Result<()> {
        Ok(())
    }

    /// An entry of the table of contents.
    fn entry(&mut self, entry: Entry) -> Result<()> {
        Ok(())
    }

    /// The table of contents ended before this position: the first block, if there is one, begins here.
    fn toc_end(&mut self, position: u64) -> Result<()> {
        Ok(())
    }

    /// A block begins.
    fn block_start(&mut self, block: Block) -> Result<()> {
        Ok(())
    }

    /// A large object begins, inside a block of [`BlockKind::LargeObjects`], at this position.
    fn object_start(&mut self, oid: u32, position: u64) -> Result<()> {
        Ok(())
    }

    /// The next bytes of a table or a large object: a slice of what was fed, never copied. `chunk_end` is true for the last
    /// piece of a chunk. Rows usually come as one chunk each; nothing promises it.
    fn data(&mut self, bytes: &[u8], chunk_end: bool) -> Result<()> {
        Ok(())
    }

    /// The large object is complete.
    fn object_end(&mut self) -> Result<()> {
        Ok(())
    }

    /// The block is complete; what follows it begins at this position.
    fn block_end(&mut self, position: u64) -> Result<()> {
        Ok(())
    }
}

/// What the parser waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Magic,
    Compression,
    Date(usize),
    Database,
    ServerVersion,
    DumpVersion,
    Count,
    Entry(Field),
    BlockStart,
    ObjectOid,
    ChunkLength,
    Chunk(u32),
    Failed,
}

/// The fields of an entry, in the order of `WriteToc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Id,
    HadDumper,
    Catalog,
    Oid,
    Tag,
    Desc,
    Section,
    Definition,
    Drop,
    Copy,
    Namespace,
    Tablespace,
    AccessMethod,
    Relkind,
    Owner,
    WithOids,
    Dependency,
    Offset,
}

/// A string that is being read.
#[derive(Debug)]
struct Building {
    kept: Vec<u8>,
    hasher: Option<Box<blake3::Hasher>>,
    len: u32,
    left: u32,
}

/// Reads an archive as it comes, in pieces of any size; copies no data and remembers little of it.
///
/// Memory: the strings of one entry, at most [`KEPT_TEXT`] each, and 4 bytes for each entry whose data is still to come.
#[derive(Debug)]
pub struct Parser<V> {
    visitor: V,
    step: Step,
    position: u64,
    /// Bytes of a number that is being read.
    scratch: [u8; 11],
    have: usize,
    text: Option<Building>,
    kept_text: usize,
    version: Version,
    date: [i32; 7],
    header: Header,
    entries_left: u32,
    entry: Entry,
    /// Entries whose block is still to come, in the order of the table of contents.
    expected: VecDeque<i32>,
    blocks: usize,
    in_objects: bool,
}

fn no_text() -> Text {
    Text { kept: Vec::new(), len: 0, digest: None }
}

fn no_entry() -> Entry {
    Entry {
        id: 0,
        has_data: false,
        catalog: 0,
        oid: 0,
        tag: no_text(),
        desc: no_text(),
        section: Section::None,
        definition: None,
        drop: None,
        copy: None,
        namespace: None,
        tablespace: None,
        access_method: None,
        relkind: 0,
        owner: None,
        dependencies: Vec::new(),
        offset: None,
        position: 0,
    }
}

/// `ReadInt`: a sign byte, then four bytes, least significant first. The sign byte is written as 0 or 1.
fn int(bytes: &[u8]) -> Option<i64> {
    let &[sign, a, b, c, d] = bytes else { return None };
    let magnitude = i64::from(u32::from_le_bytes([a, b, c, d]));
    match sign {
        0 => Some(magnitude),
        1 => Some(-magnitude),
        _ => None,
    }
}

impl<V: Visitor> Parser<V> {
    /// A parser that tells this visitor.
    pub fn new(visitor: V) -> Self {
        Self::with_kept_text(visitor, KEPT_TEXT)
    }

    /// A parser that keeps at most this many bytes of each string.
    pub fn with_kept_text(visitor: V, kept_text: usize) -> Self {
        let version = Version { major: 0, minor: 0, revision: 0 };
        Parser {
            visitor,
            step: Step::Magic,
            position: 0,
            scratch: [0; 11],
            have: 0,
            text: None,
            kept_text,
            version,
            date: [0; 7],
            header: Header { version, created: None, database: None, server_version: None, dump_version: None },
            entries_left: 0,
            entry: no_entry(),
            expected: VecDeque::new(),
            blocks: 0,
            in_objects: false,
        }
    }

    /// The visitor.
    pub fn visitor(&self) -> &V {
        &self.visitor
    }

    /// The visitor, to be changed.
    pub fn visitor_mut(&mut self) -> &mut V {
        &mut self.visitor
    }

    /// How many bytes were read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many blocks were complete.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Reads the next bytes. After an error, every call is an error.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let result = self.run(bytes);
        if result.is_err() {
            self.step = Step::Failed;
        }
        result
    }

    /// The end of the archive: whether it was complete.
    pub fn finish(self) -> Result<V> {
        match self.step {
            Step::BlockStart if self.have == 0 && self.expected.is_empty() => Ok(self.visitor),
            Step::BlockStart if self.have == 0 => Err(self.incomplete(format!(
                "it ends after the data of {} of {} entries",
                self.blocks,
                self.blocks + self.expected.len()
            ))),
            Step::Failed => Err(self.invalid("it was not understood")),
            Step::Magic
            | Step::Compression
            | Step::Date(_)
            | Step::Database
            | Step::ServerVersion
            | Step::DumpVersion => Err(self.incomplete("it ends inside its head")),
            Step::Count | Step::Entry(_) => Err(self.incomplete("it ends inside its table of contents")),
            Step::BlockStart | Step::ObjectOid | Step::ChunkLength | Step::Chunk(_) => {
                Err(self.incomplete("it ends inside a block of data"))
            }
        }
    }

    fn incomplete(&self, what: impl std::fmt::Display) -> Error {
        Error::new(&PART_INVALID, format!("the archive is incomplete: {what}, at byte {}", self.position))
    }

    fn invalid(&self, what: impl std::fmt::Display) -> Error {
        Error::new(&PART_INVALID, format!("not a sound archive: {what}, near byte {}", self.position))
    }

    fn unsupported(&self, what: impl std::fmt::Display) -> Error {
        Error::new(&codes::ARCHIVE_UNSUPPORTED, format!("unsupported archive: {what}"))
    }

    fn run(&mut self, mut bytes: &[u8]) -> Result<()> {
        loop {
            match self.step {
                Step::Chunk(left) => {
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    // A chunk is an i32 long, so a length in bytes fits a usize.
                    let (piece, rest) = bytes.split_at(bytes.len().min(left as usize));
                    let left = left - piece.len() as u32;
                    self.position += piece.len() as u64;
                    bytes = rest;
                    self.visitor.data(piece, left == 0)?;
                    self.step = if left == 0 { Step::ChunkLength } else { Step::Chunk(left) };
                }
                Step::ChunkLength => {
                    let Some(length) = self.int(&mut bytes)? else { return Ok(()) };
                    match u32::try_from(length) {
                        Ok(0) => self.chunks_end()?,
                        Ok(length) if length <= i32::MAX as u32 => self.step = Step::Chunk(length),
                        _ => return Err(self.invalid("a chunk of data has a length below 0")),
                    }
                }
                Step::BlockStart => {
                    let Some(bytes) = self.fixed(&mut bytes, 6) else { return Ok(()) };
                    self.block_start(bytes)?;
                }
                Step::ObjectOid => {
                    let Some(oid) = self.int(&mut bytes)? else { return Ok(()) };
                    // Written with `WriteInt`, which takes OIDs from 2^31 on for negative numbers.
                    match oid as u32 {
                        0 => self.block_end()?,
                        oid => {
                            self.visitor.object_start(oid, self.position - 5)?;
                            self.step = Step::ChunkLength;
                        }
                    }
                }
                Step::Failed => return Err(self.invalid("it was not understood")),
                _ => {
                    if !self.head_or_toc(&mut bytes)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The next `count` bytes, once they are there.
    #[inline]
    fn fixed(&mut self, bytes: &mut &[u8], count: usize) -> Option<[u8; 11]> {
        let take = bytes.len().min(count - self.have);
        let (piece, rest) = bytes.split_at(take);
        self.scratch[self.have..self.have + take].copy_from_slice(piece);
        *bytes = rest;
        self.have += take;
        self.position += take as u64;
        if self.have < count {
            return None;
        }
        self.have = 0;
        Some(self.scratch)
    }

    /// The next integer, once it is there.
    #[inline]
    fn int(&mut self, bytes: &mut &[u8]) -> Result<Option<i64>> {
        let Some(raw) = self.fixed(bytes, 5) else { return Ok(None) };
        match int(&raw[..5]) {
            Some(value) => Ok(Some(value)),
            None => Err(self.invalid("a number has no proper sign")),
        }
    }

    /// The next string, once it is there; grows as its bytes come.
    fn string(&mut self, bytes: &mut &[u8]) -> Result<Option<Option<Text>>> {
        let mut text = match self.text.take() {
            Some(text) => text,
            None => match self.int(bytes)? {
                None => return Ok(None),
                Some(-1) => return Ok(Some(None)),
                Some(length) => match u32::try_from(length) {
                    Ok(len) if len <= i32::MAX as u32 => Building { kept: Vec::new(), hasher: None, len, left: len },
                    _ => return Err(self.invalid("a string has a length below 0")),
                },
            },
        };
        let (mut piece, rest) = bytes.split_at(bytes.len().min(text.left as usize));
        *bytes = rest;
        text.left -= piece.len() as u32;
        self.position += piece.len() as u64;
        if text.hasher.is_none() {
            let (kept, more) = piece.split_at(piece.len().min(self.kept_text - text.kept.len()));
            text.kept.extend_from_slice(kept);
            piece = more;
        }
        if !piece.is_empty() {
            let kept = &text.kept;
            let hasher = text.hasher.get_or_insert_with(|| {
                let mut hasher = Box::new(blake3::Hasher::new());
                hasher.update(kept);
                hasher
            });
            hasher.update(piece);
        }
        if text.left > 0 {
            self.text = Some(text);
            return Ok(None);
        }
        let digest = text.hasher.map(|hasher| hasher.finalize());
        Ok(Some(Some(Text { kept: text.kept, len: text.len, digest })))
    }

    /// One step of the head or of the table of contents; false when more bytes are needed.
    fn head_or_toc(&mut self, bytes: &mut &[u8]) -> Result<bool> {
        macro_rules! next {
            ($value:expr) => {
                match $value {
                    Some(value) => value,
                    None => return Ok(false),
                }
            };
        }
        self.step = match self.step {
            Step::Magic => {
                let head = next!(self.fixed(bytes, 11));
                self.magic(head)?;
                Step::Compression
            }
            Step::Compression => {
                // The level as a number up to 1.14, the algorithm as a byte from 1.15 on.
                let compression = if self.version.minor < 15 {
                    next!(self.int(bytes)?)
                } else {
                    i64::from(next!(self.fixed(bytes, 1))[0])
                };
                if compression != 0 {
                    return Err(self.unsupported("its data is compressed, and backproof's dumps are not (pg_dump -Z0)"));
                }
                Step::Date(0)
            }
            Step::Date(index) => {
                let value = next!(self.int(bytes)?);
                self.date[index] = value as i32;
                if index + 1 < self.date.len() { Step::Date(index + 1) } else { Step::Database }
            }
            Step::Database => {
                self.header.database = next!(self.string(bytes)?);
                Step::ServerVersion
            }
            Step::ServerVersion => {
                self.header.server_version = next!(self.string(bytes)?);
                Step::DumpVersion
            }
            Step::DumpVersion => {
                self.header.dump_version = next!(self.string(bytes)?);
                self.header.created = self.created();
                self.visitor.header(&self.header)?;
                Step::Count
            }
            Step::Count => {
                let count = next!(self.int(bytes)?);
                match u32::try_from(count) {
                    Ok(count) if count <= i32::MAX as u32 => self.entries_left = count,
                    _ => return Err(self.invalid("its table of contents has a size below 0")),
                }
                self.next_entry()?
            }
            Step::Entry(field) => {
                if !self.field(field, bytes)? {
                    return Ok(false);
                }
                return Ok(true);
            }
            step => step,
        };
        Ok(true)
    }

    /// `ReadHead`, up to the compression.
    fn magic(&mut self, head: [u8; 11]) -> Result<()> {
        let [b'P', b'G', b'D', b'M', b'P', major, minor, revision, int_size, offset_size, format] = head else {
            return Err(self.invalid("it does not begin with PGDMP"));
        };
        self.version = Version { major, minor, revision };
        self.header.version = self.version;
        if major != 1 || !(14..=16).contains(&minor) {
            return Err(self.unsupported(format!("version {} (1.14 to 1.16 are known)", self.version)));
        }
        if (int_size, offset_size) != (4, 8) {
            return Err(self.unsupported(format!(
                "numbers of {int_size} bytes and offsets of {offset_size} bytes (4 and 8 are known)"
            )));
        }
        if format != 1 {
            return Err(self.unsupported(format!("format {format} (custom, 1, is known)")));
        }
        Ok(())
    }

    fn created(&self) -> Option<jiff::civil::DateTime> {
        let [second, minute, hour, day, month, year, _] = self.date;
        let small = |value: i32| i8::try_from(value).ok();
        jiff::civil::DateTime::new(
            i16::try_from(year.checked_add(1900)?).ok()?,
            small(month.checked_add(1)?)?,
            small(day)?,
            small(hour)?,
            small(minute)?,
            small(second)?,
            0,
        )
        .ok()
    }

    fn next_entry(&mut self) -> Result<Step> {
        if self.entries_left == 0 {
            self.visitor.toc_end(self.position)?;
            return Ok(Step::BlockStart);
        }
        self.entries_left -= 1;
        self.entry = no_entry();
        self.entry.position = self.position;
        Ok(Step::Entry(Field::Id))
    }

    /// One field of an entry (`ReadToc`); false when more bytes are needed.
    fn field(&mut self, field: Field, bytes: &mut &[u8]) -> Result<bool> {
        macro_rules! number {
            () => {
                match self.int(bytes)? {
                    Some(value) => value,
                    None => return Ok(false),
                }
            };
        }
        macro_rules! string {
            () => {
                match self.string(bytes)? {
                    Some(value) => value,
                    None => return Ok(false),
                }
            };
        }
        let next = match field {
            Field::Id => {
                self.entry.id = match i32::try_from(number!()) {
                    Ok(id) if id > 0 => id,
                    _ => return Err(self.invalid("an entry has a number that is out of range")),
                };
                Field::HadDumper
            }
            Field::HadDumper => {
                self.entry.has_data = match number!() {
                    0 => false,
                    1 => true,
                    _ => return Err(self.invalid("an entry does not say whether it has data")),
                };
                Field::Catalog
            }
            Field::Catalog => {
                let text = string!();
                self.entry.catalog = self.oid(text)?;
                Field::Oid
            }
            Field::Oid => {
                let text = string!();
                self.entry.oid = self.oid(text)?;
                Field::Tag
            }
            Field::Tag => {
                let text = string!();
                self.entry.tag = self.present(text)?;
                Field::Desc
            }
            Field::Desc => {
                let text = string!();
                self.entry.desc = self.present(text)?;
                Field::Section
            }
            Field::Section => {
                self.entry.section = match number!() {
                    1 => Section::None,
                    2 => Section::PreData,
                    3 => Section::Data,
                    4 => Section::PostData,
                    other => return Err(self.invalid(format!("an entry is of the unknown section {other}"))),
                };
                Field::Definition
            }
            Field::Definition => {
                self.entry.definition = string!();
                Field::Drop
            }
            Field::Drop => {
                self.entry.drop = string!();
                Field::Copy
            }
            Field::Copy => {
                self.entry.copy = string!();
                Field::Namespace
            }
            Field::Namespace => {
                self.entry.namespace = string!();
                Field::Tablespace
            }
            Field::Tablespace => {
                self.entry.tablespace = string!();
                Field::AccessMethod
            }
            Field::AccessMethod => {
                self.entry.access_method = string!();
                if self.version.minor >= 16 { Field::Relkind } else { Field::Owner }
            }
            Field::Relkind => {
                self.entry.relkind = number!() as i32;
                Field::Owner
            }
            Field::Owner => {
                self.entry.owner = string!();
                Field::WithOids
            }
            Field::WithOids => {
                let text = string!();
                if !text.is_some_and(|text| text.is("true") || text.is("false")) {
                    return Err(self.invalid("an entry does not say whether it has OIDs"));
                }
                Field::Dependency
            }
            Field::Dependency => match string!() {
                None => Field::Offset,
                Some(text) => {
                    let Some(id) = text.as_str().and_then(|text| text.parse().ok()) else {
                        return Err(self.invalid("a dependency is not a number"));
                    };
                    if self.entry.dependencies.len() < KEPT_DEPENDENCIES {
                        self.entry.dependencies.push(id);
                    }
                    Field::Dependency
                }
            },
            Field::Offset => {
                let Some(raw) = self.fixed(bytes, 9) else { return Ok(false) };
                self.step = self.entry_end(raw)?;
                return Ok(true);
            }
        };
        self.step = Step::Entry(next);
        Ok(true)
    }

    fn present(&self, text: Option<Text>) -> Result<Text> {
        text.ok_or_else(|| self.invalid("an entry has no name or kind"))
    }

    /// An OID, which is written as text.
    fn oid(&self, text: Option<Text>) -> Result<u32> {
        let oid = text.and_then(|text| text.as_str().and_then(|text| text.parse().ok()));
        oid.ok_or_else(|| self.invalid("an OID is not a number"))
    }

    /// `ReadOffset`, the last field. `_ArchiveEntry` sets "no data" exactly where there is no dumper.
    fn entry_end(&mut self, raw: [u8; 11]) -> Result<Step> {
        let mut offset = [0; 8];
        offset.copy_from_slice(&raw[1..9]);
        match (raw[0], self.entry.has_data) {
            (1, true) | (3, false) => {}
            (2, true) => self.entry.offset = Some(u64::from_le_bytes(offset)),
            _ => return Err(self.invalid("an entry does not say where its data is")),
        }
        if self.entry.has_data {
            if self.expected.len() == MAX_DATA_ENTRIES {
                return Err(self.unsupported(format!("more than {MAX_DATA_ENTRIES} entries with data")));
            }
            self.expected.push_back(self.entry.id);
        }
        let entry = std::mem::replace(&mut self.entry, no_entry());
        self.visitor.entry(entry)?;
        self.next_entry()
    }

    /// `_readBlockHeader`.
    fn block_start(&mut self, raw: [u8; 11]) -> Result<()> {
        let kind = match raw[0] {
            1 => BlockKind::Rows,
            3 => BlockKind::LargeObjects,
            other => return Err(self.invalid(format!("a block is of the unknown type {other}"))),
        };
        let id = match int(&raw[1..6]) {
            Some(id) => id,
            None => return Err(self.invalid("a number has no proper sign")),
        };
        let Some(expected) = self.expected.pop_front() else {
            return Err(self.invalid("there is more data than its table of contents says"));
        };
        if id != i64::from(expected) {
            return Err(self.invalid(format!("the data of entry {id} comes where that of {expected} should")));
        }
        self.visitor.block_start(Block { id: expected, kind, position: self.position - 6 })?;
        self.in_objects = kind == BlockKind::LargeObjects;
        self.step = if self.in_objects { Step::ObjectOid } else { Step::ChunkLength };
        Ok(())
    }

    /// A length of 0: the end of a table's data or of one large object.
    fn chunks_end(&mut self) -> Result<()> {
        if self.in_objects {
            self.visitor.object_end()?;
            self.step = Step::ObjectOid;
            Ok(())
        } else {
            self.block_end()
        }
    }

    fn block_end(&mut self) -> Result<()> {
        self.blocks += 1;
        self.visitor.block_end(self.position)?;
        self.step = Step::BlockStart;
        Ok(())
    }
}
