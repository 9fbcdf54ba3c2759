//! The names that take part in a swap.

use jiff::Timestamp;

/// Bytes of a name, its final zero left out (`NAMEDATALEN` in pg_config_manual.h).
const LONGEST_NAME: usize = 63;

/// The names of a swap, all of the same second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// The live database.
    pub(super) live: String,
    /// What is restored, until the swap.
    pub(super) beside: String,
    /// The live database after the swap.
    pub(super) kept: String,
    /// The restored database after a rollback.
    pub(super) undone: String,
}

impl Names {
    pub(super) fn new(live: &str, at: Timestamp) -> Self {
        let stamp = at.strftime("%Y%m%dT%H%M%SZ").to_string();
        Names {
            live: live.to_owned(),
            beside: dated(live, "restored", &stamp),
            kept: dated(live, "before", &stamp),
            undone: dated(live, "undone", &stamp),
        }
    }
}

/// `NAME_WORD_STAMP`, the name cut where that would be too long.
fn dated(name: &str, word: &str, stamp: &str) -> String {
    let room = LONGEST_NAME - word.len() - stamp.len() - 2;
    let mut end = name.len().min(room);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{word}_{stamp}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dated_and_fit() {
        let at: Timestamp = "2026-11-20T02:00:00.9Z".parse().unwrap();
        let names = Names::new("shop", at);
        assert_eq!(names.kept, "shop_before_20261120T020000Z");
        assert_eq!(names.beside, "shop_restored_20261120T020000Z");
        assert_eq!(names.undone, "shop_undone_20261120T020000Z");
        for live in ["x".repeat(63), "ü".repeat(31), format!("x{}", "€".repeat(20))] {
            let names = Names::new(&live, at);
            for name in [&names.beside, &names.kept, &names.undone] {
                assert!(name.len() <= 63 && name.ends_with("_20261120T020000Z"), "{name}");
            }
        }
    }
}
