//! The table of contents (`ReadToc`).

use super::entry::{Entry, Section, Text};
use super::parser::{Parser, Step};
use super::visitor::Visitor;
use backup_core::Result;

/// Dependencies of one entry that are kept in memory.
const KEPT_DEPENDENCIES: usize = 1 << 16;

/// Entries with data of one archive, so that a forged table of contents cannot fill the memory (4 bytes for each).
const MAX_DATA_ENTRIES: usize = 1 << 24;

/// The fields of an entry, in the order of `WriteToc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
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

fn no_text() -> Text {
    Text { kept: Vec::new(), len: 0, digest: None }
}

pub(super) fn no_entry() -> Entry {
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

impl<V: Visitor> Parser<V> {
    pub(super) fn next_entry(&mut self) -> Result<Step> {
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
    pub(super) fn field(&mut self, field: Field, bytes: &mut &[u8]) -> Result<bool> {
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
}
