//! What is noted of a dump.

use super::extras::Extras;
use super::name::{Name, TableName};
use super::rows::RowSum;
use backup_core::digest::Blake3;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Everything that a dump holds. Its memory is bounded by the size of the schema and 48 bytes for each large object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inventory {
    /// The server's version, as the archive says it, e.g. `15.18 (Debian 15.18-0+deb12u1)`.
    pub server_version: Option<String>,
    /// pg_dump's version, as the archive says it.
    pub dump_version: Option<String>,
    /// The encoding of all text and names in the dump, e.g. `UTF8`.
    pub encoding: Option<String>,
    /// The tables whose rows are in the dump, in the order of their blocks.
    pub tables: Vec<TableRecord>,
    /// Every other entry, in the order of the archive: definitions, owners, privileges, comments, sequence values, …
    pub objects: Vec<ObjectRecord>,
    /// The large objects.
    pub large_objects: LargeObjects,
    /// What an archive does not show; `None` when nobody asked the server.
    pub extras: Option<Extras>,
}

/// An inventory, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// There is one.
    Available(Box<Inventory>),
    /// There is none: nothing is known of what the dump holds.
    Unavailable {
        /// Why, for people.
        reason: String,
    },
}

impl Recorded {
    /// The inventory, if there is one.
    pub fn inventory(self) -> Option<Inventory> {
        match self {
            Recorded::Available(inventory) => Some(*inventory),
            Recorded::Unavailable { .. } => None,
        }
    }
}

/// The rows of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// Which table.
    #[serde(flatten)]
    pub table: TableName,
    /// The columns, in the order in which the rows have them. Generated columns are not dumped.
    pub columns: Vec<Name>,
    /// The partitioned table by which its rows come back, where pg_dump wrote them so: they may then lie in other partitions, since the hash
    /// of an enum's value is that of its OID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<TableName>,
    /// How many rows.
    pub rows: u64,
    /// The bytes of the rows as COPY's text, a line feed after each.
    pub bytes: u64,
    /// BLAKE3 of exactly these bytes: it depends on the order of the rows and of the columns.
    pub blake3: Blake3,
    /// Where its block is in the part.
    pub block: BlockPlace,
    /// A digest that does not depend on the order, when a key for it was given. Never written: the key is fresh for each comparison.
    #[serde(skip)]
    pub row_sum: Option<RowSum>,
}

/// Where a block lies in the archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockPlace {
    /// The dump id that the block begins with.
    pub id: i32,
    /// The byte that it begins with, counted from 0.
    pub from: u64,
    /// The byte after its last.
    pub to: u64,
}

/// An entry that is neither rows nor a large object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// What it is, in pg_dump's words: `TABLE`, `POLICY`, `ACL`, …
    pub kind: String,
    /// Its schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Name>,
    /// Its name, pg_dump's tag, e.g. `orders`, `orders p` for a policy, `TABLE orders` for privileges.
    pub name: Name,
    /// Its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Name>,
    /// Its tablespace, where it is not the database's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tablespace: Option<Name>,
    /// Its table access method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_method: Option<Name>,
    /// BLAKE3 of the statements that make it.
    pub definition: Blake3,
    /// Of a sequence: its last value, and whether it was given out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<SequenceValue>,
}

/// Where a sequence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SequenceValue {
    /// `last_value`.
    pub last: i64,
    /// `is_called`: whether the next value is the one after it.
    pub called: bool,
}

/// The large objects of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LargeObjects {
    /// By OID, ascending, each OID once.
    pub objects: Vec<LargeObject>,
    /// Who holds which rights on them: the objects refer to it.
    pub holders: Vec<Holder>,
}

/// A large object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargeObject {
    /// Its OID, which is its name.
    pub oid: u32,
    /// Its owner and privileges: an index of [`LargeObjects::holders`].
    pub holder: u32,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of its bytes.
    pub blake3: Blake3,
}

/// An owner and the privileges on its large objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// The owner.
    pub owner: Option<Name>,
    /// BLAKE3 of the statements that give the privileges, with OID 0; `None` where the owner alone has any.
    pub acl: Option<Blake3>,
}

impl LargeObjects {
    /// Their number.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The owner and privileges of one of them.
    pub fn holder(&self, object: &LargeObject) -> Option<&Holder> {
        self.holders.get(object.holder as usize)
    }
}

impl ObjectRecord {
    /// Whether it is of the database itself and so has its name in it: locale and owner, settings, privileges, comment.
    pub fn is_of_database(&self) -> bool {
        match self.kind.as_str() {
            "DATABASE" | "DATABASE PROPERTIES" => true,
            "ACL" | "COMMENT" | "SECURITY LABEL" => {
                self.schema.is_none() && self.name.as_bytes().starts_with(b"DATABASE ")
            }
            _ => false,
        }
    }
}

impl Inventory {
    /// Takes out what is of the database itself, for comparing databases of different names.
    pub fn take_database(&mut self) -> Vec<ObjectRecord> {
        let (database, objects) =
            std::mem::take(&mut self.objects).into_iter().partition(|object| object.is_of_database());
        self.objects = objects;
        database
    }

    /// Takes out the tablespaces of all objects, for comparing with a server that has others. Gives those that were named.
    pub fn take_tablespaces(&mut self) -> BTreeSet<Name> {
        self.objects.iter_mut().filter_map(|object| object.tablespace.take()).collect()
    }

    /// The record of a table's rows.
    pub fn table(&self, table: &TableName) -> Option<&TableRecord> {
        self.tables.iter().find(|record| record.table == *table)
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).fold(0, u64::saturating_add)
    }
}
