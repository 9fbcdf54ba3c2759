//! What is noted of a swap: in the comment of the database that went away, so that it is written with the renaming or not at all.

use super::writes::Writes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What such a comment begins with, for people too.
const BEGIN: &str = "backproof: ";
const MARK: &str = "\nbackproof-swap-1 ";

/// Why a database was put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// It was live, and a restored one took its place: `rollback` brings it back.
    Replaced,
    /// It was restored, and a rollback took it away again.
    Undone,
}

/// The note. Unknown fields are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) kind: Kind,
    /// The name that it had.
    pub(super) live: String,
    /// The backup that took its place, or that it was restored from.
    pub(super) backup: String,
    /// When.
    pub(super) at: Timestamp,
    /// What had been written to the restored database when it took the name.
    pub(super) writes: Writes,
    /// The OID of the database that took the name.
    pub(super) successor: u32,
    /// The comment that it had.
    pub(super) comment: Option<String>,
}

impl Record {
    pub(super) fn new(kind: Kind, live: &str, backup: &str, writes: Writes, at: Timestamp) -> Self {
        Record { kind, live: live.into(), backup: backup.into(), at, writes, successor: 0, comment: None }
    }

    /// The comment.
    pub(super) fn write(&self) -> String {
        let Record { live, backup, at, .. } = self;
        let at = at.strftime("%Y-%m-%d %H:%M:%S UTC");
        let people = match self.kind {
            Kind::Replaced => format!(
                "this was database {live:?} until {at}, when backup {backup} was restored in its place. `backproof rollback` brings it back; drop it when you are sure."
            ),
            Kind::Undone => format!(
                "this was restored from backup {backup} as database {live:?}, and a rollback took it away on {at}. Drop it when you do not need it."
            ),
        };
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{BEGIN}{people}{MARK}{json}")
    }

    /// What a comment says, if it is one of ours.
    pub(super) fn read(comment: &str) -> Option<Self> {
        let (_, json) = comment.strip_prefix(BEGIN)?.split_once(MARK)?;
        serde_json::from_str(json).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_gives_the_note_back() {
        let at: Timestamp = "2026-11-20T02:00:00.9Z".parse().unwrap();
        let mut record = Record::new(Kind::Replaced, "Odd \"name\"\n", "id", Writes::default(), at);
        record.comment = Some("it's\nbackproof-swap-1 {} \\ its own".into());
        let comment = record.write();
        assert!(comment.contains("`backproof rollback`") && comment.contains("2026-11-20 02:00:00 UTC"), "{comment}");
        assert_eq!(Record::read(&comment), Some(record));
        for other in ["", "the shop", "backproof: restore of x has not finished", "backproof: x\nbackproof-swap-1 {"] {
            assert_eq!(Record::read(other), None);
        }
    }
}
