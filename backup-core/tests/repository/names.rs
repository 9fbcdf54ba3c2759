//! Names, ids and keys: what is taken, and that it is printed as it was read.

use backup_core::digest::Sha256;
use backup_core::error::codes;
use backup_core::id::BackupId;
use backup_core::key::ObjectKey;
use backup_core::names::{Label, PartName, Series};
use jiff::Timestamp;
use proptest::prelude::*;

const WRONG: [&str; 18] =
    ["", ".", "..", "../x", "a/b", "/", "a/", "A", "aB", "-a", "_a", "a.b", "a b", "ä", "a\0", "a\n", "%2e%2e", "a\\b"];

#[test]
fn names_that_are_refused() {
    let long = "a".repeat(64);
    for wrong in WRONG.into_iter().chain([long.as_str()]) {
        assert!(Series::new(wrong).unwrap_err().is(&codes::INVALID_NAME), "{wrong:?}");
        assert!(Label::new(wrong).is_err() && PartName::new(wrong).is_err() && PartName::from_manifest(wrong).is_err());
        assert!(serde_json::from_value::<Series>(wrong.into()).is_err(), "{wrong:?} in JSON");
    }
    for reserved in ["keys", "contents"] {
        assert!(PartName::new(reserved).unwrap_err().is(&codes::INVALID_NAME));
        Series::new(reserved).unwrap();
        Label::new(reserved).unwrap();
    }
    assert!(PartName::from_manifest("keys").is_err());
    assert_eq!(PartName::from_manifest("contents").unwrap(), PartName::contents());
    Series::new("a".repeat(63)).unwrap();
    Series::new("0").unwrap();
}

#[test]
fn keys_that_are_refused() {
    let long = format!("a/{}", "b".repeat(511));
    for wrong in ["", "/", "/a", "a/", "a//b", ".", "..", "a/./b", "a/../b", "a b", "a\\b", "ä", "a\0b", "a?b", &long]
    {
        assert!(ObjectKey::new(wrong).unwrap_err().is(&codes::INVALID_NAME), "{wrong:?}");
    }
    for right in ["a", "A.b_c-d/1", "...", "a/..b", &long[..512]] {
        assert_eq!(ObjectKey::new(right).unwrap().as_str(), right);
    }
}

#[test]
fn ids_that_are_refused() {
    let good = "20261120T020000Z-7f3a9c51d2e8b604";
    let id: BackupId = good.parse().unwrap();
    assert_eq!(id.time(), "2026-11-20T02:00:00Z".parse::<Timestamp>().unwrap());
    for wrong in [
        "",
        "latest",
        &good[..32],
        &format!("{good}0"),
        &good.to_uppercase(),
        &good.replace("Z-", "Z_"),
        &good.replace("1120", "1320"),
        &good.replace("1120", "0230"),
        &good.replace("T02", "T24"),
        &good.replace("2026", "+026"),
        &good.replace("7f", "é"),
        &good.replace("7f3a", "../x"),
    ] {
        assert!(wrong.parse::<BackupId>().unwrap_err().is(&codes::INVALID_NAME), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn names_print_as_they_were_read(text in "[a-z0-9][a-z0-9_-]{0,62}") {
        let series: Series = text.parse().unwrap();
        prop_assert_eq!(series.to_string(), text.clone());
        prop_assert_eq!(serde_json::to_value(&series).unwrap(), serde_json::Value::from(text.clone()));
        prop_assert_eq!(serde_json::from_value::<Series>(text.into()).unwrap(), series);
    }

    /// Whatever the text: it is refused, or it is within the grammar. No name can leave its folder.
    #[test]
    fn whatever_is_taken_is_within_the_grammar(text in "\\PC{0,70}") {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let valid = text.chars().next().is_some_and(plain)
            && text.len() <= 63
            && text.chars().all(|c| plain(c) || c == '-' || c == '_');
        prop_assert_eq!(Series::new(text.clone()).is_ok(), valid);
        if let Ok(key) = ObjectKey::new(text.clone()) {
            prop_assert_eq!(key.to_string(), text.clone());
            prop_assert!(text.split('/').all(|segment| !segment.is_empty() && segment != "." && segment != ".."));
        }
    }

    #[test]
    fn ids_sort_by_time_and_print_as_they_were_read(one in 0i64..4_000_000_000, two in 0i64..4_000_000_000) {
        let id = |second| BackupId::generate(Timestamp::from_second(second).unwrap()).unwrap();
        let (a, b) = (id(one), id(two));
        prop_assert_eq!(a.time().as_second(), one);
        prop_assert_eq!(a.to_string().parse::<BackupId>().unwrap(), a.clone());
        if one != two {
            prop_assert_eq!(one < two, a < b);
        } else {
            prop_assert_ne!(a, b);
        }
    }

    #[test]
    fn digests_print_as_they_were_read(bytes in any::<[u8; 32]>()) {
        let digest = Sha256::from(bytes);
        prop_assert_eq!(digest.to_string().parse::<Sha256>().unwrap(), digest);
        prop_assert!(digest.to_string()[1..].parse::<Sha256>().is_err());
    }
}
