//! What an archive says of itself: its head and the entries of its table of contents.

use std::borrow::Cow;
use std::fmt;

/// The version of the format: 1.14 is written by PostgreSQL 12 to 15, 1.15 by 16, 1.16 by 17 and 18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u8,
    /// The second number.
    pub minor: u8,
    /// The third number; it changes nothing about how an archive is read.
    pub revision: u8,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}-{}", self.major, self.minor, self.revision)
    }
}

/// The head of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The version of the format.
    pub version: Version,
    /// When pg_dump started, by the clock and in the time zone of the machine it ran on; `None` where that is not a date.
    pub created: Option<jiff::civil::DateTime>,
    /// The database's name.
    pub database: Option<Text>,
    /// The server's version, e.g. `15.18 (Debian 15.18-0+deb12u1)`.
    pub server_version: Option<Text>,
    /// pg_dump's version.
    pub dump_version: Option<Text>,
}

/// When an entry is restored (`teSection` in `pg_backup.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// With whatever comes before it: comments, privileges, security labels.
    None,
    /// Before the data: schemas, types, functions, tables.
    PreData,
    /// The data.
    Data,
    /// After the data: indexes, constraints, triggers, rules, policies.
    PostData,
}

/// A string of an archive, in the archive's encoding. Of a long one only the start is kept, with a digest of the whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    pub(super) kept: Vec<u8>,
    pub(super) len: u32,
    pub(super) digest: Option<blake3::Hash>,
}

impl Text {
    /// The length in bytes of the whole string.
    pub fn len(&self) -> u64 {
        self.len.into()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All bytes, or `None` when the string was too long to be kept.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.digest.is_none().then_some(&self.kept)
    }

    /// The string, or `None` when it was too long to be kept or is not UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The string for people: what is not UTF-8 is replaced, what is too long is cut.
    pub fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.kept)
    }

    /// BLAKE3 of the whole string, whether it was kept or not.
    pub fn digest(&self) -> blake3::Hash {
        self.digest.unwrap_or_else(|| blake3::hash(&self.kept))
    }

    /// Whether it is exactly this.
    pub fn is(&self, text: &str) -> bool {
        self.bytes() == Some(text.as_bytes())
    }
}

/// Shows the length alone: definitions can hold secrets.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len)
    }
}

/// One entry of the table of contents (`struct _tocEntry` in `pg_backup_archiver.h`).
///
/// Definitions can hold secrets, such as the options of a user mapping: never print them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in this archive, the dump id: above 0.
    pub id: i32,
    /// Whether a block of data belongs to it.
    pub has_data: bool,
    /// The catalog that the object is in, 0 for none.
    pub catalog: u32,
    /// The object's OID in that catalog, 0 for none.
    pub oid: u32,
    /// The name within its namespace, e.g. `orders`, or `FUNCTION "f"(integer)`.
    pub tag: Text,
    /// What it is, e.g. `TABLE`, `TABLE DATA`, `ACL`.
    pub desc: Text,
    /// When it is restored.
    pub section: Section,
    /// The statements that create it.
    pub definition: Option<Text>,
    /// The statements that drop it.
    pub drop: Option<Text>,
    /// The COPY statement that loads its data, with the column list.
    pub copy: Option<Text>,
    /// Its schema.
    pub namespace: Option<Text>,
    /// Its tablespace.
    pub tablespace: Option<Text>,
    /// Its table access method.
    pub access_method: Option<Text>,
    /// `pg_class.relkind`, 0 where there is none; since 1.16.
    pub relkind: i32,
    /// Its owner.
    pub owner: Option<Text>,
    /// The dump ids that it depends on; at most 65536 of them are kept.
    pub dependencies: Vec<i32>,
    /// Where its data is, when the archive was written to a file that can seek.
    pub offset: Option<u64>,
    /// Where the entry itself begins in the archive, in bytes.
    pub position: u64,
}
