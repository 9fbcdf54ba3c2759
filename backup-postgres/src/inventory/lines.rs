//! The lines of `contents` that hold an inventory (docs/format.md, "Contents of a PostgreSQL dump").

use super::extras::Extras;
use super::name::Name;
use super::record::{Holder, Inventory, LargeObject, ObjectRecord, Recorded, TableRecord};
use backup_core::Result;
use backup_core::digest::Blake3;
use backup_core::error::codes::INVALID_DOCUMENT;
use backup_core::repository::contents::ContentsWriter;
use backup_core::repository::json;
use backup_core::target::Restorable;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;

/// The version of these lines. Readers take no other.
const VERSION: u32 = 1;

/// Large objects of one line, and items of each list of extras: so that no line comes near the limit of 16 MiB.
const OBJECTS_PER_LINE: usize = 4096;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Inventory(Head),
    Table(Cow<'a, TableRecord>),
    Object(Cow<'a, ObjectRecord>),
    LargeObjects(Group),
    Extras(Cow<'a, Extras>),
}

/// The first line of an inventory: how many things follow, or why none.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Head {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unavailable: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dump_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoding: Option<String>,
    #[serde(default)]
    tables: u64,
    #[serde(default)]
    objects: u64,
    #[serde(default)]
    large_objects: u64,
}

/// Large objects with one owner and the same privileges.
#[derive(Serialize, Deserialize)]
struct Group {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acl: Option<Blake3>,
    /// OID, bytes, digest.
    objects: Vec<(u32, u64, Blake3)>,
}

impl Recorded {
    /// Writes it.
    pub async fn write(&self, contents: &mut ContentsWriter) -> Result<()> {
        match self {
            Recorded::Available(inventory) => inventory.write(contents).await,
            Recorded::Unavailable { reason } => {
                let head = Head { version: VERSION, unavailable: Some(reason.clone()), ..Head::default() };
                contents.line(&Line::Inventory(head)).await
            }
        }
    }
}

impl Inventory {
    async fn write(&self, contents: &mut ContentsWriter) -> Result<()> {
        let head = Head {
            version: VERSION,
            unavailable: None,
            server_version: self.server_version.clone(),
            dump_version: self.dump_version.clone(),
            encoding: self.encoding.clone(),
            tables: self.tables.len() as u64,
            objects: self.objects.len() as u64,
            large_objects: self.large_objects.len() as u64,
        };
        contents.line(&Line::Inventory(head)).await?;
        if let Some(extras) = &self.extras {
            for piece in pieces(extras) {
                contents.line(&Line::Extras(Cow::Owned(piece))).await?;
            }
        }
        for table in &self.tables {
            contents.line(&Line::Table(Cow::Borrowed(table))).await?;
        }
        for object in &self.objects {
            contents.line(&Line::Object(Cow::Borrowed(object))).await?;
        }
        let large = &self.large_objects;
        for same_holder in large.objects.chunk_by(|one, next| one.holder == next.holder) {
            for objects in same_holder.chunks(OBJECTS_PER_LINE) {
                let Holder { owner, acl } = large.holder(&objects[0]).cloned().unwrap_or_default();
                let objects = objects.iter().map(|object| (object.oid, object.bytes, object.blake3)).collect();
                contents.line(&Line::LargeObjects(Group { owner, acl, objects })).await?;
            }
        }
        Ok(())
    }
}

/// Extras in pieces that fit a line each.
fn pieces(extras: &Extras) -> Vec<Extras> {
    fn slice<T: Clone>(all: &[T], piece: usize) -> Vec<T> {
        all.chunks(OBJECTS_PER_LINE).nth(piece).unwrap_or_default().to_vec()
    }
    let Extras { extensions, invalid_indexes, collation_version, collations, unpopulated_views, row_security } = extras;
    let lists =
        [extensions.len(), invalid_indexes.len(), collations.len(), unpopulated_views.len(), row_security.len()];
    let longest = lists.into_iter().max().unwrap_or_default();
    let piece = |piece: usize| Extras {
        extensions: slice(extensions, piece),
        invalid_indexes: slice(invalid_indexes, piece),
        collation_version: collation_version.clone().filter(|_| piece == 0),
        collations: slice(collations, piece),
        unpopulated_views: slice(unpopulated_views, piece),
        row_security: slice(row_security, piece),
    };
    (0..longest.div_ceil(OBJECTS_PER_LINE).max(1)).map(piece).collect()
}

fn join(all: &mut Extras, piece: Extras) {
    all.extensions.extend(piece.extensions);
    all.invalid_indexes.extend(piece.invalid_indexes);
    all.collation_version = all.collation_version.take().or(piece.collation_version);
    all.collations.extend(piece.collations);
    all.unpopulated_views.extend(piece.unpopulated_views);
    all.row_security.extend(piece.row_security);
}

/// Reads an inventory back from the lines of `contents`: give it every line that is not backproof's own, then [`finish`](InventoryReader::finish).
#[derive(Debug, Default)]
pub struct InventoryReader {
    head: Option<Head>,
    inventory: Inventory,
    holders: HashMap<Holder, u32>,
}

impl InventoryReader {
    /// A reader that was given nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next line. Lines that are not of an inventory are passed over.
    pub fn line(&mut self, line: &[u8]) -> Result<()> {
        let ours = ["inventory", "table", "object", "large_objects", "extras"];
        let key = line.strip_prefix(b"{\"").and_then(|rest| rest.split(|byte| *byte == b'"').next());
        if !key.is_some_and(|key| ours.iter().any(|ours| ours.as_bytes() == key)) {
            return Ok(());
        }
        if self.head.as_ref().is_some_and(|head| head.version != VERSION) {
            return Ok(());
        }
        if self.head.is_none() && key == Some(b"inventory") {
            return self.head(line);
        }
        match json::parse(line, "a line of contents")? {
            Line::Inventory(_) => return Err(invalid("has two inventories")),
            _ if self.head.is_none() => return Err(invalid("has lines of an inventory before its first")),
            Line::Table(table) => self.inventory.tables.push(table.into_owned()),
            Line::Object(object) => self.inventory.objects.push(object.into_owned()),
            Line::LargeObjects(group) => self.group(group)?,
            Line::Extras(extras) => join(self.inventory.extras.get_or_insert_default(), extras.into_owned()),
        }
        Ok(())
    }

    /// Of another version nothing is taken but the number.
    fn head(&mut self, line: &[u8]) -> Result<()> {
        #[derive(Deserialize)]
        struct Versioned {
            inventory: Number,
        }
        #[derive(Deserialize)]
        struct Number {
            version: u32,
        }
        let Versioned { inventory: Number { version } } = json::parse(line, "a line of contents")?;
        self.head = Some(if version == VERSION {
            match json::parse(line, "a line of contents")? {
                Line::Inventory(head) => head,
                _ => return Err(invalid("has an inventory that is none")),
            }
        } else {
            Head { version, ..Head::default() }
        });
        Ok(())
    }

    fn group(&mut self, group: Group) -> Result<()> {
        let large = &mut self.inventory.large_objects;
        let holder = Holder { owner: group.owner, acl: group.acl };
        let next = large.holders.len() as u32;
        let index = *self.holders.entry(holder.clone()).or_insert(next);
        if index == next {
            large.holders.push(holder);
        }
        for (oid, bytes, blake3) in group.objects {
            if large.objects.last().is_some_and(|last| last.oid >= oid) {
                return Err(invalid("lists large objects out of order"));
            }
            large.objects.push(LargeObject { oid, holder: index, bytes, blake3 });
        }
        Ok(())
    }

    /// The inventory, or why there is none. An error when lines are missing.
    pub fn finish(self) -> Result<Recorded> {
        let unavailable = |reason: String| Ok(Recorded::Unavailable { reason });
        let Some(head) = self.head else {
            return unavailable(
                "the backup was made by a version of backproof that did not note what a dump holds".into(),
            );
        };
        if head.version != VERSION {
            return unavailable(format!(
                "what the dump holds was noted in version {}, and this backproof knows version {VERSION}",
                head.version
            ));
        }
        if let Some(reason) = head.unavailable {
            return unavailable(reason);
        }
        let mut inventory = self.inventory;
        let found = [inventory.tables.len(), inventory.objects.len(), inventory.large_objects.len()];
        if found.map(|found| found as u64) != [head.tables, head.objects, head.large_objects] {
            return Err(invalid("does not have as many lines of an inventory as it says"));
        }
        (inventory.server_version, inventory.dump_version) = (head.server_version, head.dump_version);
        inventory.encoding = head.encoding;
        Ok(Recorded::Available(Box::new(inventory)))
    }
}

/// Reads the inventory that a backup has in its `contents`.
///
/// # Errors
/// [`PART_NOT_FOUND`](backup_core::error::codes::PART_NOT_FOUND) for the backup of anything but a database.
pub async fn read(backup: &dyn Restorable) -> Result<Recorded> {
    backup.manifest().part(&crate::dump_part())?;
    let mut reader = InventoryReader::new();
    backup.contents(&mut |line| reader.line(line)).await?;
    reader.finish()
}

/// Reads the inventory from lines in memory, for tests of sources.
pub fn read_line_by_line(lines: &[u8]) -> Result<Recorded> {
    let mut reader = InventoryReader::new();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        reader.line(line)?;
    }
    reader.finish()
}

fn invalid(reason: &str) -> backup_core::Error {
    backup_core::Error::new(&INVALID_DOCUMENT, format!("contents {reason}"))
}
