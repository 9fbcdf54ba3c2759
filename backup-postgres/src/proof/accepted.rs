//! What need not be tested, by name.

use crate::inventory::Inventory;
use crate::inventory::describe::Describer;
use crate::restore::rehearsal::gap;
use backup_core::error::codes::NO_EFFECT;
use backup_core::proof::Untested;
use backup_core::source::LeftOut;
use backup_core::{Error, Result};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What is lacking of a scratch place as a whole, whatever the backup holds.
const OF_THE_PLACE: [&str; 6] = [
    "contents",
    "database properties",
    "lc_monetary",
    "locale",
    "owners and privileges",
    crate::restore::rehearsal::libraries::LIBRARIES,
];

/// Names that are accepted, and which of them something had so far. Clones share that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepted {
    names: Vec<String>,
    /// Those that must be of something in the backup.
    known: Vec<String>,
    met: Arc<Mutex<BTreeSet<String>>>,
}

impl Accepted {
    pub(crate) fn add(&mut self, names: impl IntoIterator<Item = String>) {
        self.names.extend(names);
    }

    pub(crate) fn must_be_known(&mut self, names: impl IntoIterator<Item = String>) {
        self.known.extend(names);
    }

    /// Something that was not tested; accepted when its own name or its cause's is.
    pub(super) fn untested(&self, object: String, reason: String, cause: &str) -> Untested {
        let mut accepted = false;
        for name in self.names.iter().filter(|name| **name == object || *name == cause) {
            accepted = true;
            self.met.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        }
        Untested { object, reason, accepted }
    }

    /// Those that nothing had so far.
    pub(crate) fn unmet(&self) -> Vec<String> {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        self.names.iter().filter(|name| !met.contains(*name)).cloned().collect()
    }

    /// Refuses names that nothing in this backup can have.
    pub(super) fn check(&self, inventory: &Inventory, left_out: &[LeftOut]) -> Result<()> {
        let unknown: Vec<String> = (self.known.iter())
            .filter(|name| !can_be_met(name, inventory, left_out))
            .map(|name| format!("{name:?}"))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let message = format!("nothing in the backup has a name that was to be accepted: {}", unknown.join(", "));
        Err(Error::new(&NO_EFFECT, message).with_hint(
            "correct it or leave it out: names are those that the result of a drill gives, letter by letter, such as extension:postgis",
        ))
    }
}

/// Whether a proof of this backup can find something of this name that cannot be tested. Where that cannot be known beforehand: yes.
fn can_be_met(name: &str, inventory: &Inventory, left_out: &[LeftOut]) -> bool {
    // Tablespaces, libraries, features of the server and large objects are not listed by name, and the words of an error are known when it comes up.
    let lower = name.to_ascii_lowercase();
    let unlisted = ["tablespace:", "library:", "feature:", "blob"].iter().any(|kind| lower.starts_with(kind))
        || lower.contains("large object");
    if OF_THE_PLACE.contains(&name) || unlisted || name.contains(": ") {
        return true;
    }
    let describer = Describer::new([inventory, inventory]);
    left_out.iter().any(|one| name == format!("{} {}", one.kind, one.name))
        || inventory
            .tables
            .iter()
            .any(|one| name == super::rows_of(&one.table) || name == format!("table {}", one.table))
        || inventory.objects.iter().any(|one| {
            name == gap::cause(&one.kind, one.schema.as_ref(), &one.name)
                || gap::subscription(&one.kind, &one.name).is_some_and(|cause| name == cause)
                || name == describer.describe(one)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{BlockPlace, Name, ObjectRecord, TableName, TableRecord};
    use backup_core::digest::Blake3;

    fn inventory() -> Inventory {
        let object = |kind: &str, schema: Option<&str>, name: &str| ObjectRecord {
            kind: kind.into(),
            schema: schema.map(Name::from),
            name: name.into(),
            owner: None,
            tablespace: None,
            access_method: None,
            definition: Blake3::of(b""),
            sequence: None,
        };
        Inventory {
            objects: vec![
                object("TABLE", Some("public"), "Orders"),
                object("POLICY", Some("public"), "Orders mine"),
                object("EXTENSION", None, "postgis"),
                object("COLLATION", Some("public"), "german"),
                object("SUBSCRIPTION", None, "feed"),
                object("COMMENT", None, "SUBSCRIPTION feed"),
            ],
            tables: vec![TableRecord {
                table: TableName { schema: "public".into(), name: "Orders".into() },
                columns: Vec::new(),
                root: None,
                rows: 0,
                bytes: 0,
                blake3: Blake3::of(b""),
                block: BlockPlace::default(),
                row_sum: None,
            }],
            ..Inventory::default()
        }
    }

    #[test]
    fn names_that_nothing_in_a_backup_can_have() {
        let inventory = inventory();
        let left_out = [LeftOut { kind: "rows".into(), name: "public.audit".into(), reason: String::new() }];
        let check = |name: &str| {
            let mut accepted = Accepted::default();
            accepted.add([name.to_owned()]);
            accepted.must_be_known([name.to_owned()]);
            accepted.check(&inventory, &left_out)
        };
        for name in [
            "extension:postgis",
            "extension postgis",
            "collation:public.german",
            "subscription:feed",
            "table public.\"Orders\"",
            "rows of table public.\"Orders\"",
            "policy mine on public.\"Orders\"",
            "rows public.audit",
            "locale",
            "database properties",
            "setting:session_preload_libraries",
            "tablespace:fast",
            "library:$libdir/postgis-3",
            "feature:xml",
            "acl LARGE OBJECT 16385",
            "could not execute query: ERROR:  no such thing",
        ] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "extension:postgi", "Extension:postgis", "table public.Orders", "collation:german"] {
            assert!(check(name).is_err(), "{name}");
        }
        let error = check("extension:postgi").unwrap_err();
        assert!(error.is(&NO_EFFECT) && error.to_string().contains("\"extension:postgi\""), "{error:?}");
        // What is accepted for several backups may be of another one.
        let mut loosely = Accepted::default();
        loosely.add(["extension:postgi".to_owned()]);
        loosely.check(&inventory, &left_out).unwrap();
    }

    #[test]
    fn names_that_nothing_had_are_told() {
        let mut accepted = Accepted::default();
        accepted.add(["extension:a".to_owned(), "extension:b".to_owned(), "table t".to_owned()]);
        let one = accepted.clone().untested("extension:a".into(), String::new(), "extension:a");
        assert!(one.accepted && accepted.untested("table t".into(), String::new(), "extension:a").accepted);
        assert!(!accepted.untested("table u".into(), String::new(), "extension:c").accepted);
        assert_eq!(accepted.unmet(), ["extension:b"]);
    }
}
