//! pg_dump's custom format, read as it streams past.
//!
//! The format has no specification but its source: `src/bin/pg_dump/pg_backup_archiver.c` (`ReadHead`, `ReadToc`, `ReadInt`,
//! `ReadStr`, `ReadOffset`) and `pg_backup_custom.c` (`_StartData`, `_StartLOs`, `_WriteData`, `_EndData`, `_EndLOs`) of
//! PostgreSQL. In short:
//!
//! ```text
//! archive   := head toc block*
//! head      := "PGDMP" major minor revision int-size offset-size format compression date*7 database server-version dump-version
//! toc       := count entry*count
//! block     := 1 dump-id chunks                          table data (`BLK_DATA`)
//!            | 3 dump-id (oid chunks)* 0                 large objects (`BLK_BLOBS`)
//! chunks    := (length bytes)* 0
//! ```
//!
//! An integer is a sign byte and four bytes, least significant first; a string is a length and its bytes, -1 for none.
//! Nothing marks the end of an archive, and what is cut at the end of a block still parses. So [`Parser::finish`] accepts an
//! archive only when each entry that has data had its block, in the order of the table of contents (the order in which
//! `WriteDataChunks` writes them, and the only one that pg_restore takes from a pipe), and the last block was ended.

mod data;
mod entry;
mod head;
mod parser;
mod splice;
mod survey;
mod toc;
mod values;
mod visitor;

pub use entry::{Entry, Header, Section, Text, Version};
pub use parser::{KEPT_TEXT, Parser};
pub(crate) use splice::{Gaps, Spliced, splice};
pub use survey::{ArchiveObserver, Survey};
pub use visitor::{Block, BlockKind, Visitor};
