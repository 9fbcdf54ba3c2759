//! Notes what an archive holds, as it streams past.

use super::copy;
use super::name::{Name, TableName};
use super::record::{
    BlockPlace, Holder, Inventory, LargeObject, LargeObjects, ObjectRecord, Recorded, SequenceValue, TableRecord,
};
use super::rows::{RowKey, RowSummer, RowsInOrder};
use crate::archive::{Block, BlockKind, Entry, Header, Parser, Survey, Text, Visitor};
use crate::error::codes::ARCHIVE_UNSUPPORTED;
use backup_core::Result;
use backup_core::digest::Blake3;
use std::collections::HashMap;

/// Notes what an archive holds: give it to a [`Parser`], and take the [`Recorded`] from it when the parser was finished.
///
/// Never fails: what it does not understand makes the inventory unavailable, with the reason. Memory: the schema's names and digests, and 48 bytes for
/// each large object; a row or a definition of any size is hashed as it passes.
#[derive(Debug, Default)]
pub struct Digester {
    survey: Survey,
    inventory: Inventory,
    /// Entries whose block is to come: the table's index.
    tables: HashMap<i32, usize>,
    holders: Holders,
    /// Large objects as the entries tell of them: OID, index of the group.
    members: Vec<(u32, u32)>,
    objects: Vec<LargeObject>,
    key: Option<RowKey>,
    current: Current,
    rows: RowsInOrder,
    object: blake3::Hasher,
    object_bytes: u64,
    trouble: Option<String>,
}

#[derive(Debug, Default)]
enum Current {
    #[default]
    Nothing,
    Rows {
        table: usize,
        from: u64,
        summer: Option<Box<RowSummer>>,
    },
    LargeObject(u32),
}

/// Who owns which large objects. Privileges come in entries of their own, which name the first object of a group.
#[derive(Debug, Default)]
struct Holders {
    groups: Vec<Holder>,
    /// The group of an owner without privileges told so far.
    by_owner: HashMap<Option<Name>, u32>,
    /// Groups that an entry made, by their first OID (`BLOB METADATA`, since 17).
    by_first: HashMap<u32, (u32, Vec<u32>)>,
}

impl Digester {
    /// Notes what is needed to compare with another dump of the same order.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sums the rows besides, so that tables can be compared whose rows or columns come in another order.
    pub fn with_row_key(key: RowKey) -> Self {
        Digester { key: Some(key), ..Self::default() }
    }

    /// What was counted.
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// What was noted. Means something only when the parser was finished without an error.
    pub fn finish(mut self) -> Recorded {
        self.join_large_objects();
        match self.trouble {
            Some(reason) => Recorded::Unavailable { reason },
            None => Recorded::Available(Box::new(self.inventory)),
        }
    }

    /// What was noted of the table of contents alone: no rows, no large objects.
    pub(crate) fn finish_without_data(mut self) -> Recorded {
        match self.trouble.take() {
            Some(reason) => Recorded::Unavailable { reason },
            None => Recorded::Available(Box::new(self.inventory)),
        }
    }

    fn trouble(&mut self, reason: impl FnOnce() -> String) {
        if self.trouble.is_none() {
            self.trouble = Some(reason());
        }
    }

    /// A name; one that is too long to be kept is none that PostgreSQL makes.
    fn name(&mut self, text: &Text) -> Name {
        match text.bytes() {
            Some(bytes) => Name::new(bytes),
            None => {
                self.trouble(|| "an entry has a name of more than 1 MiB".into());
                Name::new("")
            }
        }
    }

    fn optional(&mut self, text: Option<&Text>) -> Option<Name> {
        text.filter(|text| !text.is_empty()).map(|text| self.name(text))
    }

    fn table_data(&mut self, entry: &Entry) {
        if !entry.has_data {
            return;
        }
        let schema = self.optional(entry.namespace.as_ref()).unwrap_or_else(|| Name::new(""));
        let table = TableName { schema, name: self.name(&entry.tag) };
        let statement = entry.copy.as_ref().and_then(Text::bytes);
        let columns = statement.and_then(copy::columns).unwrap_or_else(|| {
            self.trouble(|| {
                format!("the rows of table {table} are not written by a COPY statement that is understood")
            });
            Vec::new()
        });
        let root = statement.and_then(copy::table).filter(|named| *named != table);
        self.tables.insert(entry.id, self.inventory.tables.len());
        self.inventory.tables.push(TableRecord {
            table,
            columns,
            root,
            rows: 0,
            bytes: 0,
            blake3: Blake3::of(b""),
            block: BlockPlace::default(),
            row_sum: None,
        });
    }

    /// `BLOB` up to 16: an entry for each, its tag is the OID. `BLOB METADATA` since 17: the definition is a list of OIDs, one on each line.
    fn large_objects(&mut self, entry: &Entry) {
        let owner = self.optional(entry.owner.as_ref());
        let list = if entry.desc.is("BLOB") { Some(&entry.tag) } else { entry.definition.as_ref() };
        let oids: Option<Vec<u32>> = list
            .and_then(Text::as_str)
            .and_then(|list| list.split_ascii_whitespace().map(|oid| oid.parse().ok()).collect());
        let Some(oids) = oids.filter(|oids| !oids.is_empty()) else {
            self.trouble(|| "an entry of large objects does not say which".into());
            return;
        };
        let group = self.holders.owned_by(owner);
        self.members.extend(oids.iter().map(|oid| (*oid, group)));
        if !entry.desc.is("BLOB") {
            self.holders.by_first.insert(oids[0], (group, oids));
        }
    }

    /// Privileges on large objects: `LARGE OBJECT 5`, or `LARGE OBJECTS 5..9` for a group whose statements name the first one.
    /// True when the entry is such a one.
    fn large_object_privileges(&mut self, entry: &Entry) -> bool {
        let Some(tag) = entry.tag.as_str() else { return false };
        let (first, many) = match (tag.strip_prefix("LARGE OBJECT "), tag.strip_prefix("LARGE OBJECTS ")) {
            (Some(oid), _) => (oid.parse::<u32>().ok(), false),
            (_, Some(range)) => (range.split_once("..").and_then(|(first, _)| first.parse().ok()), true),
            (None, None) => return false,
        };
        let statements = entry.definition.as_ref().and_then(Text::as_str);
        let (Some(first), Some(statements)) = (first, statements) else {
            self.trouble(|| "privileges on large objects are not understood".into());
            return true;
        };
        let acl = Blake3::of(with_oid_0(statements, first).as_bytes());
        let members =
            if many { self.holders.by_first.get(&first).map(|(_, oids)| oids.clone()) } else { Some(vec![first]) };
        let Some(members) = members else {
            self.trouble(|| format!("privileges on a group of large objects that is not there, from {first} on"));
            return true;
        };
        let owner = self.optional(entry.owner.as_ref());
        let group = self.holders.with_privileges(owner, acl);
        // Told after the objects themselves: the later one counts. Sorting keeps the order of equals.
        self.members.extend(members.into_iter().map(|oid| (oid, group)));
        true
    }

    fn object(&mut self, entry: &Entry) {
        let definition = entry.definition.as_ref().map_or_else(|| Blake3::of(b""), digest);
        let kind = entry.desc.lossy().into_owned();
        if kind == "ENCODING" {
            let statement = entry.definition.as_ref().and_then(Text::as_str);
            self.inventory.encoding = statement.and_then(|statement| statement.split('\'').nth(1)).map(str::to_owned);
        }
        let sequence =
            entry.definition.as_ref().filter(|_| kind == "SEQUENCE SET").and_then(Text::as_str).and_then(setval);
        let record = ObjectRecord {
            kind,
            schema: self.optional(entry.namespace.as_ref()),
            name: self.name(&entry.tag),
            owner: self.optional(entry.owner.as_ref()),
            tablespace: self.optional(entry.tablespace.as_ref()),
            access_method: self.optional(entry.access_method.as_ref()),
            definition,
            sequence,
        };
        self.inventory.objects.push(record);
    }

    /// The digests came with the data, owners and privileges with the entries: both by OID.
    fn join_large_objects(&mut self) {
        let mut objects = std::mem::take(&mut self.objects);
        objects.sort_by_key(|object| object.oid);
        let members = std::mem::take(&mut self.members);
        let same = objects.len() == members.len()
            && objects.iter().zip(&members).all(|(object, (oid, _))| object.oid == *oid)
            && objects.windows(2).all(|pair| pair[0].oid < pair[1].oid);
        if !same {
            self.trouble(|| "the large objects are not those that the table of contents names".into());
            return;
        }
        for (object, (_, group)) in objects.iter_mut().zip(members) {
            object.holder = group;
        }
        self.inventory.large_objects = LargeObjects { objects, holders: std::mem::take(&mut self.holders.groups) };
    }
}

impl Holders {
    fn owned_by(&mut self, owner: Option<Name>) -> u32 {
        let next = self.groups.len() as u32;
        let group = *self.by_owner.entry(owner.clone()).or_insert(next);
        if group == next {
            self.groups.push(Holder { owner, acl: None });
        }
        group
    }

    fn with_privileges(&mut self, owner: Option<Name>, acl: Blake3) -> u32 {
        let holder = Holder { owner, acl: Some(acl) };
        // The number of different privileges is small; that of objects is not.
        match self.groups.iter().position(|group| *group == holder) {
            Some(group) => group as u32,
            None => {
                self.groups.push(holder);
                self.groups.len() as u32 - 1
            }
        }
    }
}

fn digest(text: &Text) -> Blake3 {
    Blake3::from(*text.digest().as_bytes())
}

/// Statements on one large object, with 0 for its OID, so that those of all objects with the same privileges are equal.
fn with_oid_0(statements: &str, oid: u32) -> String {
    let pattern = format!("LARGE OBJECT {oid} ");
    statements.replace(&pattern, "LARGE OBJECT 0 ")
}

/// `SELECT pg_catalog.setval('public.numbers', 7, false);`, as `dumpSequenceData` writes it.
fn setval(statement: &str) -> Option<SequenceValue> {
    let rest = statement.trim_end().strip_suffix(");")?;
    let (rest, called) = rest.rsplit_once(", ")?;
    let (_, last) = rest.rsplit_once(", ")?;
    Some(SequenceValue { last: last.parse().ok()?, called: called.parse().ok()? })
}

impl Visitor for Digester {
    fn header(&mut self, header: &Header) -> Result<()> {
        self.survey.header(header)?;
        self.inventory.server_version = self.survey.server_version.clone();
        self.inventory.dump_version = self.survey.dump_version.clone();
        Ok(())
    }

    fn entry(&mut self, entry: Entry) -> Result<()> {
        let desc = &entry.desc;
        if desc.is("TABLE DATA") {
            self.table_data(&entry);
        } else if desc.is("BLOB") || desc.is("BLOB METADATA") {
            self.large_objects(&entry);
        } else if desc.is("BLOBS") || desc.is("ACL") && self.large_object_privileges(&entry) {
            // The first says nothing but that a block follows.
        } else {
            if entry.has_data {
                let kind = desc.lossy().into_owned();
                self.trouble(|| format!("an entry of the kind {kind} has data, which is not known"));
            }
            self.object(&entry);
        }
        self.survey.entry(entry)
    }

    fn toc_end(&mut self, _position: u64) -> Result<()> {
        self.members.sort_by_key(|(oid, _)| *oid);
        // Of an object's groups the last that was told stays.
        self.members.reverse();
        self.members.dedup_by_key(|(oid, _)| *oid);
        self.members.reverse();
        self.objects.reserve_exact(self.members.len());
        self.holders.by_first = HashMap::new();
        self.holders.by_owner = HashMap::new();
        Ok(())
    }

    fn block_start(&mut self, block: Block) -> Result<()> {
        self.survey.block_start(block)?;
        self.current = Current::Nothing;
        if block.kind == BlockKind::LargeObjects {
            return Ok(());
        }
        let Some(table) = self.tables.remove(&block.id) else {
            self.trouble(|| "there are rows of an entry that is no table".into());
            return Ok(());
        };
        let record = &mut self.inventory.tables[table];
        record.block.id = block.id;
        let summer = self.key.as_ref().and_then(|key| key.summer(&record.table, &record.columns)).map(Box::new);
        self.current = Current::Rows { table, from: block.position, summer };
        Ok(())
    }

    fn object_start(&mut self, oid: u32, position: u64) -> Result<()> {
        self.survey.object_start(oid, position)?;
        self.current = Current::LargeObject(oid);
        self.object.reset();
        self.object_bytes = 0;
        Ok(())
    }

    #[inline]
    fn data(&mut self, bytes: &[u8], _chunk_end: bool) -> Result<()> {
        self.survey.data_bytes += bytes.len() as u64;
        match &mut self.current {
            Current::Rows { summer, .. } => {
                self.rows.feed(bytes);
                if let Some(summer) = summer {
                    summer.feed(bytes);
                }
            }
            Current::LargeObject(_) => {
                self.object.update(bytes);
                self.object_bytes += bytes.len() as u64;
            }
            Current::Nothing => {}
        }
        Ok(())
    }

    fn object_end(&mut self) -> Result<()> {
        if let Current::LargeObject(oid) = self.current {
            let blake3 = Blake3::from(*self.object.finalize().as_bytes());
            self.objects.push(LargeObject { oid, holder: 0, bytes: self.object_bytes, blake3 });
        }
        self.current = Current::Nothing;
        Ok(())
    }

    fn block_end(&mut self, position: u64) -> Result<()> {
        let Current::Rows { table, from, summer } = std::mem::take(&mut self.current) else { return Ok(()) };
        let digest = self.rows.finish();
        let record = &mut self.inventory.tables[table];
        let table = record.table.clone();
        let Some(digest) = digest else {
            self.trouble(|| format!("the rows of table {table} do not end as pg_dump ends them"));
            return Ok(());
        };
        (record.rows, record.bytes, record.blake3) = (digest.rows, digest.bytes, digest.blake3);
        (record.block.from, record.block.to) = (from, position);
        if let Some(summer) = summer {
            match summer.finish() {
                Some((rows, sum)) if rows == digest.rows => record.row_sum = Some(sum),
                _ => self.trouble(|| format!("the rows of table {table} do not all have a value for each column")),
            }
        }
        Ok(())
    }
}

/// Follows pg_dump's output as it passes, whatever its version.
///
/// An archive of a version that is not known makes the inventory unavailable; an archive of a known version that is damaged or cut is
/// an error, as ever.
#[derive(Debug)]
pub struct ArchiveTap {
    parser: Parser<Digester>,
    unsupported: Option<String>,
}

impl ArchiveTap {
    /// At the start of an archive.
    pub fn new(digester: Digester) -> Self {
        ArchiveTap { parser: Parser::new(digester), unsupported: None }
    }

    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        if self.unsupported.is_some() {
            return Ok(());
        }
        match self.parser.feed(bytes) {
            Err(error) if error.is(&ARCHIVE_UNSUPPORTED) => {
                self.unsupported = Some(error.to_string());
                Ok(())
            }
            result => result,
        }
    }

    /// The end: what was counted, when the archive could be followed, and what was noted. An error when the archive is not complete.
    pub fn finish(self) -> Result<(Option<Survey>, Recorded)> {
        if let Some(reason) = self.unsupported {
            return Ok((None, Recorded::Unavailable { reason }));
        }
        let digester = self.parser.finish()?;
        let survey = digester.survey().clone();
        Ok((Some(survey), digester.finish()))
    }
}

impl Default for ArchiveTap {
    fn default() -> Self {
        Self::new(Digester::new())
    }
}
