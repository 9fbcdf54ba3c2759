//! What passes on the way into the scratch place, noted.

use super::gap::cause;
use crate::archive::{Block, Entry, Header, Text, Visitor};
use crate::inventory::{Digester, Name};
use backup_core::Result;

/// An entry of the table of contents, as far as it matters for what depends on what.
#[derive(Debug)]
pub(super) struct Outlined {
    pub(super) id: i32,
    pub(super) kind: String,
    pub(super) schema: Option<Name>,
    pub(super) name: Name,
    pub(super) owner: Option<String>,
    pub(super) dependencies: Vec<i32>,
    pub(super) has_data: bool,
    pub(super) copy: Option<String>,
}

impl Outlined {
    /// As `accept` names it.
    pub(super) fn as_cause(&self) -> String {
        cause(&self.kind, self.schema.as_ref(), &self.name)
    }
}

/// Sees the archive pass: notes what it holds, and the outline of its table of contents.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    pub(super) digester: Digester,
    pub(super) outline: Vec<Outlined>,
}

impl Visitor for Witness {
    fn header(&mut self, header: &Header) -> Result<()> {
        self.digester.header(header)
    }

    fn entry(&mut self, entry: Entry) -> Result<()> {
        let name = |text: &Text| Name::new(text.bytes().unwrap_or_default());
        self.outline.push(Outlined {
            id: entry.id,
            kind: entry.desc.lossy().into_owned(),
            schema: entry.namespace.as_ref().filter(|name| !name.is_empty()).map(name),
            name: name(&entry.tag),
            owner: entry.owner.as_ref().and_then(Text::as_str).filter(|name| !name.is_empty()).map(str::to_owned),
            dependencies: entry.dependencies.clone(),
            has_data: entry.has_data,
            copy: entry.copy.as_ref().and_then(Text::as_str).filter(|text| !text.is_empty()).map(str::to_owned),
        });
        self.digester.entry(entry)
    }

    fn toc_end(&mut self, position: u64) -> Result<()> {
        self.digester.toc_end(position)
    }

    fn block_start(&mut self, block: Block) -> Result<()> {
        self.digester.block_start(block)
    }

    fn object_start(&mut self, oid: u32, position: u64) -> Result<()> {
        self.digester.object_start(oid, position)
    }

    fn data(&mut self, bytes: &[u8], chunk_end: bool) -> Result<()> {
        self.digester.data(bytes, chunk_end)
    }

    fn object_end(&mut self) -> Result<()> {
        self.digester.object_end()
    }

    fn block_end(&mut self, position: u64) -> Result<()> {
        self.digester.block_end(position)
    }
}
