//! Statements that an archive does not have, put into its table of contents: pg_restore runs them where their entries stand, in its own transaction.

use super::entry::Version;

/// Where the table of contents of an archive has room for entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// The version of the format.
    pub(crate) version: Version,
    /// How many entries there are.
    pub(crate) count: u32,
    /// Where the first entry begins.
    pub(crate) first: u64,
    /// The greatest dump id.
    pub(crate) last_id: i32,
}

/// Dump ids of the entries that were put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spliced {
    /// The one that is restored with the definitions.
    pub(crate) before: i32,
    /// The one that is restored with the privileges.
    pub(crate) after: i32,
}

/// Puts two entries into an archive's head, which ends with its table of contents: `before` is the first of it, a comment to pg_restore, and `after` the last,
/// privileges. `None` where the head is not as the gaps say.
pub(crate) fn splice(head: &mut Vec<u8>, gaps: Gaps, before: &str, after: &str) -> Option<Spliced> {
    let first = usize::try_from(gaps.first).ok()?;
    let count = first.checked_sub(5)?;
    if head.get(count..first)? != int(i64::from(gaps.count)) {
        return None;
    }
    let ids = Spliced { before: gaps.last_id.checked_add(1)?, after: gaps.last_id.checked_add(2)? };
    head.extend(entry(gaps.version, ids.after, "ACL", after));
    head.splice(first..first, entry(gaps.version, ids.before, "COMMENT", before));
    head.splice(count..first, int(i64::from(gaps.count) + 2));
    Some(ids)
}

/// An entry, in the order of `WriteToc`.
fn entry(version: Version, id: i32, desc: &str, definition: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(int(i64::from(id)));
    // No data.
    bytes.extend(int(0));
    for text in ["0", "0", "backproof", desc] {
        bytes.extend(string(text));
    }
    // `SECTION_NONE`, as pg_dump has it for comments and privileges.
    bytes.extend(int(1));
    // The definition, how to drop it, how to copy it; namespace, tablespace, access method.
    for text in [definition, "", ""] {
        bytes.extend(string(text));
    }
    bytes.extend((0..3).flat_map(|_| int(-1)));
    if version.minor >= 16 {
        bytes.extend(int(0));
    }
    for text in ["", "false"] {
        bytes.extend(string(text));
    }
    // The end of its dependencies, and that it has no data (`K_OFFSET_NO_DATA`).
    bytes.extend(int(-1));
    bytes.push(3);
    bytes.extend([0; 8]);
    bytes
}

fn int(value: i64) -> [u8; 5] {
    let [a, b, c, d, ..] = value.unsigned_abs().to_le_bytes();
    [u8::from(value < 0), a, b, c, d]
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = int(text.len() as i64).to_vec();
    bytes.extend(text.as_bytes());
    bytes
}
