//! What differs between two inventories.
//!
//! What is compared, and what each comparison can honestly promise: docs/proof.md.

use super::describe::Describer;
use super::name::{Name, TableName};
use super::record::{Inventory, LargeObject, LargeObjects, ObjectRecord, SequenceValue, TableRecord};
use super::rows::RowSum;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What differs between two inventories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison {
    /// What differs, by object.
    pub differences: Vec<Difference>,
    /// Tables with as many rows on both sides whose digests in order cannot tell whether the rows are the same: they come in another order, or
    /// with their columns in another order, or differ. [`RowSum`]s on both sides decide.
    pub undecided: Vec<TableName>,
    /// What is no difference and may explain one, for people.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Whether nothing differs and nothing is open.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.undecided.is_empty()
    }
}

/// What holds expressions, which a server parses and writes again. Not even the same server always writes what it was given: `DEFAULT NULL` becomes
/// `DEFAULT NULL::integer`, a cast of an array goes into its elements, the columns of inheritance children take the order of their parents; and the
/// roles of a policy come in the order in which they were made.
const REWRITTEN: [&str; 17] = [
    "CHECK CONSTRAINT",
    "CONSTRAINT",
    "DEFAULT",
    "DOMAIN",
    "FK CONSTRAINT",
    "FOREIGN TABLE",
    "FUNCTION",
    "INDEX",
    "MATERIALIZED VIEW",
    "POLICY",
    "PROCEDURE",
    "PUBLICATION TABLE",
    "RULE",
    "STATISTICS",
    "TABLE",
    "TRIGGER",
    "VIEW",
];

/// One difference of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ObjectDifference"))]
#[non_exhaustive]
pub struct Difference {
    /// The object, for people: `table public.orders`.
    pub object: String,
    /// Its kind, in pg_dump's words; `TABLE DATA` for rows, `BLOB` for a large object.
    pub kind: String,
    /// Its schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Name>,
    /// Its name in its schema, pg_dump's tag.
    pub name: Name,
    /// What differs.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Change"))]
    pub change: Change,
}

/// What differs. No definition is ever in it: definitions can hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// It is expected and not there.
    Missing,
    /// It is there and not expected.
    Unexpected,
    /// There are more or fewer rows.
    Rows {
        /// How many are expected.
        expected: u64,
        /// How many are there.
        found: u64,
    },
    /// As many rows, with other values.
    Values {
        /// How many rows there are on both sides.
        rows: u64,
    },
    /// Other columns.
    Columns {
        /// Those that are missing.
        missing: Vec<Name>,
        /// Those that are not expected.
        unexpected: Vec<Name>,
    },
    /// The statements that make it are others.
    Definition,
    /// It belongs to somebody else.
    Owner {
        /// Whom it should belong to.
        expected: Option<Name>,
        /// Whom it belongs to.
        found: Option<Name>,
    },
    /// It is in another tablespace; `None` is the database's own.
    Tablespace {
        /// Where it should be.
        expected: Option<Name>,
        /// Where it is.
        found: Option<Name>,
    },
    /// Another table access method.
    AccessMethod {
        /// Which it should have.
        expected: Option<Name>,
        /// Which it has.
        found: Option<Name>,
    },
    /// A sequence stands elsewhere.
    Sequence {
        /// Where it should stand.
        expected: SequenceValue,
        /// Where it stands.
        found: SequenceValue,
    },
    /// A large object of another size.
    Size {
        /// How many bytes it should have.
        expected: u64,
        /// How many it has.
        found: u64,
    },
    /// A large object of the same size with other bytes.
    Bytes {
        /// How many it has.
        bytes: u64,
    },
    /// Other privileges.
    Privileges,
    /// Another version.
    Version {
        /// Which it should have.
        expected: String,
        /// Which it has.
        found: String,
    },
}

/// How [`Change`] is written: flat, with the fields that belong to the kind of change.
#[cfg(feature = "schema")]
mod schema {
    use super::{Name, SequenceValue};
    use schemars::JsonSchema;

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    pub(super) struct Change {
        /// What differs.
        change: Kind,
        /// What it should be: with `rows`, `owner`, `tablespace`, `access_method`, `sequence`, `size` and `version`.
        #[schemars(skip_serializing_if = "Option::is_none")]
        expected: Option<Value>,
        /// What it is: with the same kinds of change.
        #[schemars(skip_serializing_if = "Option::is_none")]
        found: Option<Value>,
        /// With `values`: how many rows there are on both sides.
        #[schemars(skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        /// With `bytes`: how many bytes the large object has.
        #[schemars(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        /// With `columns`: those that are missing.
        #[schemars(skip_serializing_if = "Option::is_none")]
        missing: Option<Vec<Name>>,
        /// With `columns`: those that are not expected.
        #[schemars(skip_serializing_if = "Option::is_none")]
        unexpected: Option<Vec<Name>>,
    }

    /// What can differ.
    #[derive(JsonSchema)]
    #[schemars(rename = "ChangeKind", rename_all = "snake_case")]
    #[allow(dead_code, reason = "only its schema is used")]
    enum Kind {
        Missing,
        Unexpected,
        Rows,
        Values,
        Columns,
        Definition,
        Owner,
        Tablespace,
        AccessMethod,
        Sequence,
        Size,
        Bytes,
        Privileges,
        Version,
    }

    /// A number, a name, or where a sequence stands.
    #[derive(JsonSchema)]
    #[schemars(rename = "ChangeValue", untagged)]
    #[allow(dead_code, reason = "only its schema is used")]
    enum Value {
        Number(u64),
        Name(Name),
        Sequence(SequenceValue),
    }
}

/// What the two sides are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The side that is right, after a number: `120 rows in the backup`.
    pub expected: String,
    /// The side that is compared with it, after a number: `119 restored`.
    pub found: String,
}

impl Default for Sides {
    fn default() -> Self {
        Sides { expected: "in the backup".into(), found: "restored".into() }
    }
}

impl Difference {
    /// Whether it is a definition that even the server that wrote it may write in other words once it was restored: what it means can be the same.
    pub fn may_be_other_words(&self) -> bool {
        self.change == Change::Definition && REWRITTEN.contains(&self.kind.as_str())
    }

    /// What differs, in words: `120 rows in the backup, 119 restored`.
    pub fn what(&self, sides: &Sides) -> String {
        let Sides { expected: left, found: right } = sides;
        let both =
            |expected: &dyn fmt::Display, found: &dyn fmt::Display| format!("{expected} {left}, {found} {right}");
        let or = |name: &Option<Name>, none: &str| {
            name.as_ref().map_or_else(|| none.to_owned(), |name| name.quoted().into())
        };
        let names = |names: &[Name]| names.iter().map(|name| name.quoted()).collect::<Vec<_>>().join(", ");
        match &self.change {
            Change::Missing => format!("{left}, not {right}"),
            Change::Unexpected => format!("{right}, not {left}"),
            Change::Rows { expected, found } => both(&format_args!("{expected} {}", plural(*expected, "row")), found),
            Change::Values { rows } => format!("{rows} {} on both sides, with other values", plural(*rows, "row")),
            Change::Columns { missing, unexpected } => {
                let mut what = Vec::new();
                if !missing.is_empty() {
                    what.push(format!("columns only {left}: {}", names(missing)));
                }
                if !unexpected.is_empty() {
                    what.push(format!("columns only {right}: {}", names(unexpected)));
                }
                what.join("; ")
            }
            Change::Definition => "definition differs".into(),
            Change::Owner { expected, found } => {
                format!("owner {}", both(&or(expected, "none"), &or(found, "none")))
            }
            Change::Tablespace { expected, found } => {
                format!("tablespace {}", both(&or(expected, "the database's own"), &or(found, "the database's own")))
            }
            Change::AccessMethod { expected, found } => {
                format!("access method {}", both(&or(expected, "none"), &or(found, "none")))
            }
            Change::Sequence { expected, found } => format!("value {}", both(expected, found)),
            Change::Size { expected, found } => both(&format_args!("{expected} {}", plural(*expected, "byte")), found),
            Change::Bytes { bytes } => format!("{bytes} {} on both sides, not the same", plural(*bytes, "byte")),
            Change::Privileges => "privileges differ".into(),
            Change::Version { expected, found } => format!("version {}", both(expected, found)),
        }
    }
}

fn plural(count: u64, one: &str) -> String {
    if count == 1 { one.to_owned() } else { format!("{one}s") }
}

impl fmt::Display for SequenceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.last, if self.called { "" } else { " (not given out yet)" })
    }
}

/// `table public.orders: 120 rows in the backup, 119 restored`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.what(&Sides::default()))
    }
}

/// Compares what is expected with what was found.
///
/// Where both sides have a [`RowSum`] of a table, it decides; where not, a table may stay [undecided](Comparison::undecided).
pub fn compare(expected: &Inventory, found: &Inventory) -> Comparison {
    let mut comparison = Comparison::default();
    let describer = Describer::new([expected, found]);
    tables(expected, found, &mut comparison);
    objects(expected, found, &describer, &mut comparison);
    large_objects(&expected.large_objects, &found.large_objects, &mut comparison);
    extras(expected, found, &mut comparison);
    comparison
}

fn tables(expected: &Inventory, found: &Inventory, comparison: &mut Comparison) {
    let mut there: BTreeMap<&TableName, &TableRecord> = found.tables.iter().map(|one| (&one.table, one)).collect();
    let mut difference = |table: &TableName, change: Change| comparison.differences.push(rows_differ(table, change));
    let all = || expected.tables.iter().chain(&found.tables);
    let roots: BTreeMap<&TableName, &TableName> =
        all().filter_map(|record| Some((&record.table, record.root.as_ref()?))).collect();
    let mut groups: BTreeMap<&TableName, Vec<(&TableRecord, &TableRecord)>> = BTreeMap::new();
    for left in &expected.tables {
        let Some(right) = there.remove(&left.table) else {
            difference(&left.table, Change::Missing);
            continue;
        };
        if let Some(root) = roots.get(&left.table) {
            groups.entry(root).or_default().push((left, right));
            continue;
        }
        if left.rows != right.rows {
            difference(&left.table, Change::Rows { expected: left.rows, found: right.rows });
        }
        let only = |these: &TableRecord, those: &TableRecord| -> Vec<Name> {
            let those: BTreeSet<&Name> = those.columns.iter().collect();
            these.columns.iter().filter(|name| !those.contains(name)).cloned().collect()
        };
        let (missing, unexpected) = (only(left, right), only(right, left));
        if !missing.is_empty() || !unexpected.is_empty() {
            difference(&left.table, Change::Columns { missing, unexpected });
        } else if left.rows != right.rows || left.columns == right.columns && left.blake3 == right.blake3 {
            // Told, or equal.
        } else {
            match (left.row_sum, right.row_sum) {
                (Some(left_sum), Some(right_sum)) if left_sum == right_sum => {}
                (Some(_), Some(_)) => difference(&left.table, Change::Values { rows: left.rows }),
                _ => comparison.undecided.push(left.table.clone()),
            }
        }
    }
    // Rows that were not dumped, by the settings of the backup, come back as an empty table. That the table itself was expected is a matter of its
    // definition.
    for (table, right) in there {
        if right.rows > 0 {
            comparison.differences.push(rows_differ(table, Change::Unexpected));
        }
    }
    groups.into_iter().for_each(|(root, partitions)| together(root, &partitions, comparison));
}

/// Partitions whose rows come back by their root: what counts is all of their rows.
fn together(root: &TableName, partitions: &[(&TableRecord, &TableRecord)], comparison: &mut Comparison) {
    let same = |(left, right): &(&TableRecord, &TableRecord)| {
        left.rows == right.rows && left.columns == right.columns && left.blake3 == right.blake3
    };
    if partitions.iter().all(same) {
        return;
    }
    let expected = partitions.iter().map(|(left, _)| left.rows).fold(0, u64::saturating_add);
    let found = partitions.iter().map(|(_, right)| right.rows).fold(0, u64::saturating_add);
    let sums = |side: fn(&(&TableRecord, &TableRecord)) -> Option<RowSum>| {
        partitions.iter().map(side).try_fold(RowSum::default(), |sum, one| Some(sum.and(one?)))
    };
    if expected != found {
        comparison.differences.push(rows_differ(root, Change::Rows { expected, found }));
        return;
    }
    match (sums(|(left, _)| left.row_sum), sums(|(_, right)| right.row_sum)) {
        (Some(left), Some(right)) if left == right => comparison
            .notes
            .push(format!("rows of table {root} may lie in other partitions than before: they come back by the root")),
        (Some(_), Some(_)) => comparison.differences.push(rows_differ(root, Change::Values { rows: expected })),
        _ => comparison.undecided.extend(partitions.iter().map(|(left, _)| left.table.clone())),
    }
}

fn rows_differ(table: &TableName, change: Change) -> Difference {
    let object = match change {
        Change::Missing | Change::Unexpected => format!("rows of table {table}"),
        _ => format!("table {table}"),
    };
    let (schema, name) = (Some(table.schema.clone()), table.name.clone());
    Difference { object, kind: "TABLE DATA".into(), schema, name, change }
}

/// Entries are a multiset under kind, schema and name: operators and default privileges repeat.
type Key<'a> = (&'a str, Option<&'a Name>, &'a Name);

fn objects(expected: &Inventory, found: &Inventory, describer: &Describer<'_>, comparison: &mut Comparison) {
    // Statistics are what ANALYZE makes of the rows: no part of what must come back.
    fn group(inventory: &Inventory) -> BTreeMap<Key<'_>, Vec<&ObjectRecord>> {
        let mut groups: BTreeMap<Key<'_>, Vec<&ObjectRecord>> = BTreeMap::new();
        for object in inventory.objects.iter().filter(|object| object.kind != "STATISTICS DATA") {
            groups.entry((&object.kind, object.schema.as_ref(), &object.name)).or_default().push(object);
        }
        groups.values_mut().for_each(|objects| objects.sort_unstable());
        groups
    }
    let mut difference = |object: &ObjectRecord, change: Change| {
        comparison.differences.push(Difference {
            object: describer.describe(object),
            kind: object.kind.clone(),
            schema: object.schema.clone(),
            name: object.name.clone(),
            change,
        });
    };
    let mut there = group(found);
    for (key, left) in group(expected) {
        let (left, right) = without_equals(left, there.remove(&key).unwrap_or_default());
        let pairs = left.len().min(right.len());
        for (left, right) in left.iter().zip(&right) {
            changes(left, right).into_iter().for_each(|change| difference(left, change));
        }
        left[pairs..].iter().for_each(|object| difference(object, Change::Missing));
        right[pairs..].iter().for_each(|object| difference(object, Change::Unexpected));
    }
    for object in there.into_values().flatten() {
        difference(object, Change::Unexpected);
    }
}

/// What is on one side only, of two sorted lists.
fn without_equals<'a>(
    left: Vec<&'a ObjectRecord>,
    right: Vec<&'a ObjectRecord>,
) -> (Vec<&'a ObjectRecord>, Vec<&'a ObjectRecord>) {
    let (mut only_left, mut only_right) = (Vec::new(), Vec::new());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (Some(one), Some(other)) if one == other => {
                left.next();
                right.next();
            }
            (Some(one), Some(other)) if one < other => only_left.extend(left.next()),
            (_, Some(_)) => only_right.extend(right.next()),
            (Some(_), None) => only_left.extend(left.next()),
            (None, None) => return (only_left, only_right),
        }
    }
}

/// What differs between two objects of one name.
fn changes(left: &ObjectRecord, right: &ObjectRecord) -> Vec<Change> {
    let mut changes = Vec::new();
    match (left.sequence, right.sequence) {
        (Some(expected), Some(found)) if expected != found => changes.push(Change::Sequence { expected, found }),
        _ if left.definition != right.definition => changes.push(Change::Definition),
        _ => {}
    }
    if left.owner != right.owner {
        changes.push(Change::Owner { expected: left.owner.clone(), found: right.owner.clone() });
    }
    if left.tablespace != right.tablespace {
        changes.push(Change::Tablespace { expected: left.tablespace.clone(), found: right.tablespace.clone() });
    }
    if left.access_method != right.access_method {
        changes.push(Change::AccessMethod { expected: left.access_method.clone(), found: right.access_method.clone() });
    }
    changes
}

/// Both are sorted by OID.
fn large_objects(expected: &LargeObjects, found: &LargeObjects, comparison: &mut Comparison) {
    let mut difference = |oid: u32, change: Change| {
        let name = Name::from(oid.to_string());
        let object = format!("large object {oid}");
        comparison.differences.push(Difference { object, kind: "BLOB".into(), schema: None, name, change });
    };
    let (mut left, mut right) = (expected.objects.iter().peekable(), found.objects.iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (None, None) => return,
            (Some(one), Some(other)) if one.oid == other.oid => {
                for change in large_object_changes((expected, one), (found, other)) {
                    difference(one.oid, change);
                }
                left.next();
                right.next();
            }
            (Some(one), other) if other.is_none_or(|other| one.oid < other.oid) => {
                difference(one.oid, Change::Missing);
                left.next();
            }
            (_, Some(other)) => {
                difference(other.oid, Change::Unexpected);
                right.next();
            }
            (Some(_), None) => return,
        }
    }
}

fn large_object_changes(left: (&LargeObjects, &LargeObject), right: (&LargeObjects, &LargeObject)) -> Vec<Change> {
    let mut changes = Vec::new();
    let ((left_all, left), (right_all, right)) = (left, right);
    if left.bytes != right.bytes {
        changes.push(Change::Size { expected: left.bytes, found: right.bytes });
    } else if left.blake3 != right.blake3 {
        changes.push(Change::Bytes { bytes: left.bytes });
    }
    let (one, other) = (left_all.holder(left), right_all.holder(right));
    let owner = |holder: Option<&super::record::Holder>| holder.and_then(|holder| holder.owner.clone());
    if owner(one) != owner(other) {
        changes.push(Change::Owner { expected: owner(one), found: owner(other) });
    }
    if one.map(|one| one.acl) != other.map(|other| other.acl) {
        changes.push(Change::Privileges);
    }
    changes
}

fn extras(expected: &Inventory, found: &Inventory, comparison: &mut Comparison) {
    let (Some(left), Some(right)) = (&expected.extras, &found.extras) else { return };
    let versions: BTreeMap<&str, &str> =
        right.extensions.iter().map(|one| (one.name.as_str(), one.version.as_str())).collect();
    // That an extension is missing or not expected is seen in the archive.
    for one in &left.extensions {
        if let Some(version) = versions.get(one.name.as_str()).filter(|version| **version != one.version) {
            let name = Name::from(one.name.as_str());
            comparison.differences.push(Difference {
                object: format!("extension {}", name.quoted()),
                kind: "EXTENSION".into(),
                schema: None,
                name,
                change: Change::Version { expected: one.version.clone(), found: (*version).to_owned() },
            });
        }
    }
    for index in &left.invalid_indexes {
        comparison
            .notes
            .push(format!("index {index} was invalid when it was backed up, so that it is not in the dump"));
    }
    for index in &right.invalid_indexes {
        comparison.notes.push(format!("index {index} is invalid on the side that was compared"));
    }
    if left.collation_version != right.collation_version {
        let or = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".into());
        comparison.notes.push(format!(
            "the default collation is of version {} in one and {} in the other: text may sort differently",
            or(&left.collation_version),
            or(&right.collation_version)
        ));
    }
}
