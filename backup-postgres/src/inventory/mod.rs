//! What a database held, noted while its dump streams past, and compared with what came back.
//!
//! A [`Digester`] is told by the archive's [`Parser`](crate::archive::Parser) what the archive holds and gives an [`Inventory`]: per table the rows,
//! bytes, columns, a digest of all rows in order and the place of its block; per large object its size and digest; and of every other entry
//! a digest of the text that defines it. A backup seals the inventory in its `contents` (their lines: docs/format.md) and reads it
//! back with an [`InventoryReader`]. [`compare()`] says what differs between two.
//!
//! Where to find things: how rows are found and hashed in [`rows`], names in [`name`], what is noted in [`record`], the observer in
//! `digester`, the lines in `lines`, what SQL adds to an archive in [`extras`], the comparison in [`mod@compare`], how objects
//! are named to people in `describe`.

pub mod compare;
pub(crate) mod copy;
pub(crate) mod describe;
mod digester;
pub mod extras;
mod lines;
pub mod name;
pub mod record;
pub mod rows;

pub use compare::{Change, Comparison, Difference, Sides, compare};
pub use digester::{ArchiveTap, Digester};
pub use extras::Extras;
pub use lines::{InventoryReader, read, read_line_by_line};
pub use name::{Name, TableName};
pub use record::{BlockPlace, Inventory, LargeObject, LargeObjects, ObjectRecord, Recorded, TableRecord};
pub use rows::{RowKey, RowSum, RowSummer};
