//! What came back, beside what was backed up.

use super::place::Place;
use super::rows;
use crate::PgDump;
use crate::connection::Connection;
use crate::diff::sum_rows;
use crate::inventory::describe::Describer;
use crate::inventory::{
    Change, Comparison, Difference, Digester, Inventory, Name, ObjectRecord, Recorded, RowKey, Sides, TableName,
    compare,
};
use crate::prover::PgProver;
use crate::restore::rehearsal::Rehearsal;
use backup_core::error::codes::IO;
use backup_core::monitor::Silent;
use backup_core::proof::{self, Proof};
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What is known of a backup before it is compared.
pub(super) struct Compared {
    /// What was noted when it was made.
    sealed: Recorded,
    /// What the archive was seen to hold on its way into the scratch place.
    stream: Option<Recorded>,
    /// Whether the data was compared with what was noted while it was loaded.
    checked: bool,
}

impl Compared {
    pub(super) fn new(sealed: Recorded, stream: Option<Recorded>, checked: bool) -> Self {
        Compared { sealed, stream, checked }
    }

    /// Compares, and writes what was found into the proof.
    pub(super) async fn compare(
        self,
        prover: &PgProver,
        place: &Place,
        backup: &dyn Restorable,
        rehearsal: &mut Rehearsal,
        proof: &mut Proof,
    ) -> Result<()> {
        let Some(mut expected) = self.expected(prover, proof) else { return Ok(()) };
        name_what_was_skipped(prover, rehearsal, &expected, proof);
        leave_out(rehearsal, &mut expected);
        let dump = dump_of(prover, place, rehearsal.connection());
        let mut found = read_back(&dump, &expected, prover, rehearsal, proof).await?;
        // Tables without rows of which none are expected to be looked at (they were left out) are not counted as compared.
        found.tables.retain(|one| one.rows > 0 || expected.table(&one.table).is_some());
        let counted = found.counts();
        even_out(rehearsal, place, &mut expected, &mut found);

        let mut comparison = compare(&expected, &found);
        if !comparison.undecided.is_empty() {
            let undecided = std::mem::take(&mut comparison.undecided);
            decide(backup, &dump, &undecided, &mut expected, &mut found).await?;
            comparison = compare(&expected, &found);
        }
        let versions = [&expected, &found].map(|inventory| inventory.server_version.clone());
        let written_differently = comparison.differences.iter().any(|one| one.change == Change::Definition);
        if written_differently {
            let same_version = versions[0] == versions[1];
            render(prover, place, rehearsal, &found, &mut comparison, same_version, proof).await?;
        }
        tell(comparison, prover, proof);
        proof.compared = counted;
        Ok(())
    }

    /// What the restored database must hold. When what was noted and what is in the archive differ, nothing else matters.
    fn expected(self, prover: &PgProver, proof: &mut Proof) -> Option<Inventory> {
        let unavailable = |reason: String, proof: &mut Proof| {
            proof.untested.push(prover.untested("contents".into(), reason, "contents"));
        };
        let mut stream = match self.stream {
            Some(Recorded::Available(inventory)) => *inventory,
            Some(Recorded::Unavailable { reason }) => {
                unavailable(format!("the archive could not be followed: {reason}"), proof);
                return None;
            }
            None => return None,
        };
        match self.sealed {
            Recorded::Available(sealed) => {
                if self.checked {
                    for table in &mut stream.tables {
                        if let Some(noted) = sealed.table(&table.table) {
                            (table.rows, table.bytes, table.blake3) = (noted.rows, noted.bytes, noted.blake3);
                        }
                    }
                    stream.large_objects = sealed.large_objects.clone();
                }
                let comparison = compare(&sealed, &stream);
                let sides = Sides { expected: "noted when it was made".into(), found: "in it".into() };
                let told = comparison.differences.iter().map(|one| format!("{}: {}", one.object, one.what(&sides)));
                let values = comparison.undecided.iter().map(|table| format!("table {table}: other rows"));
                let not_noted = |what| format!("the backup does not hold what was noted when it was made: {what}");
                proof.errors.extend(told.chain(values).map(not_noted));
                if !proof.errors.is_empty() {
                    return None;
                }
                Some(*sealed)
            }
            Recorded::Unavailable { reason } => {
                unavailable(
                    format!(
                        "what the database held was not noted ({reason}); what came back was compared with the archive alone"
                    ),
                    proof,
                );
                Some(stream)
            }
        }
    }
}

/// Lists every object that was not restored, with the reason.
pub(super) fn name_what_was_skipped(
    prover: &PgProver,
    rehearsal: &Rehearsal,
    inventory: &Inventory,
    proof: &mut Proof,
) {
    let describer = Describer::new([inventory, inventory]);
    let mut causes = HashSet::new();
    for (kind, schema, name, gap) in rehearsal.skipped() {
        if causes.insert(gap.cause.clone()) {
            proof.untested.push(prover.untested(gap.cause.clone(), gap.reason.clone(), &gap.cause));
        }
        let object = match kind {
            "TABLE DATA" => {
                let schema = schema.cloned().unwrap_or_else(|| Name::new(""));
                super::rows_of(&TableName { schema, name: name.clone() })
            }
            _ => {
                let record = inventory
                    .objects
                    .iter()
                    .find(|one| one.kind == kind && one.schema.as_ref() == schema && one.name == *name);
                match record {
                    Some(record) => describer.describe(record),
                    None => format!("{} {}", kind.to_lowercase(), name.lossy()),
                }
            }
        };
        proof.untested.push(prover.dependent(object, gap));
    }
}

/// Takes out what was not restored.
fn leave_out(rehearsal: &Rehearsal, expected: &mut Inventory) {
    // Entries are a multiset: as many are taken out as were skipped.
    let mut skipped: BTreeMap<(String, Option<Name>, Name), usize> = BTreeMap::new();
    for (kind, schema, name, _) in rehearsal.skipped() {
        *skipped.entry((kind.to_owned(), schema.cloned(), name.clone())).or_default() += 1;
    }
    let mut take = |kind: &str, schema: Option<&Name>, name: &Name| {
        let left = skipped.get_mut(&(kind.to_owned(), schema.cloned(), name.clone()));
        left.filter(|left| **left > 0).map(|left| *left -= 1).is_some()
    };
    expected.objects.retain(|one| !take(&one.kind, one.schema.as_ref(), &one.name));
    expected.tables.retain(|one| !take("TABLE DATA", Some(&one.table.schema), &one.table.name));
}

/// Takes out of both sides what the scratch place cannot have.
fn even_out(rehearsal: &Rehearsal, place: &Place, expected: &mut Inventory, found: &mut Inventory) {
    for inventory in [expected, found] {
        if !place.is_own() {
            inventory.take_database();
        } else if rehearsal.lacks_locale() {
            inventory.objects.retain(|one| one.kind != "DATABASE");
        } else if rehearsal.source_database().is_none() {
            inventory.take_database();
        }
        if rehearsal.lacks_libraries() {
            inventory.objects.retain(|one| one.kind != "DATABASE PROPERTIES");
        }
        if rehearsal.without_tablespaces() {
            inventory.take_tablespaces();
        }
        if rehearsal.without_owners() {
            inventory
                .objects
                .retain(|one| !["ACL", "DEFAULT ACL", "POLICY", "USER MAPPING"].contains(&one.kind.as_str()));
            inventory.objects.iter_mut().for_each(|one| one.owner = None);
            for holder in &mut inventory.large_objects.holders {
                (holder.owner, holder.acl) = (None, None);
            }
        }
    }
}

fn dump_of(prover: &PgProver, place: &Place, connection: &Connection) -> PgDump {
    PgDump::new(connection.clone()).tools(place.tools().folder()).env(prover.own.environment().clone()).globals(false)
}

/// Reads the restored database back: large tables by connections of their own, everything else with pg_dump.
async fn read_back(
    dump: &PgDump,
    expected: &Inventory,
    prover: &PgProver,
    rehearsal: &mut Rehearsal,
    proof: &mut Proof,
) -> Result<Inventory> {
    let large = rows::large(expected);
    let names: Vec<TableName> = large.iter().map(|one| one.table.clone()).collect();
    let (connection, lc_monetary) = (rehearsal.connection().clone(), rehearsal.lc_monetary().map(str::to_owned));
    let rest = dump.clone().without_rows_of(names);
    let rest = dumped(&rest, Digester::new(), prover, proof);
    let reading = rows::read(&connection, lc_monetary.as_deref(), &large, prover.jobs);
    let (mut found, (same, others)) = futures::future::try_join(rest, reading).await?;
    found.tables.extend(same);
    let there = |table: &TableName| {
        found
            .objects
            .iter()
            .any(|one| one.kind == "TABLE" && one.schema.as_ref() == Some(&table.schema) && one.name == table.name)
    };
    let others: Vec<TableName> = others.into_iter().filter(there).collect();
    if !others.is_empty() {
        // As pg_dump reads them, to say what differs.
        let (recorded, _) = dump.clone().rows_of(others).inventory(Digester::new(), Arc::new(Silent)).await?;
        found.tables.extend(recorded.inventory().unwrap_or_default().tables);
    }
    Ok(found)
}

/// Dumps the restored database through a digester.
async fn dumped(dump: &PgDump, digester: Digester, prover: &PgProver, proof: &mut Proof) -> Result<Inventory> {
    let (recorded, left_out) = dump.inventory(digester, Arc::new(Silent)).await?;
    for one in left_out {
        let object = format!("{} {}", one.kind, one.name);
        proof.untested.push(prover.untested(
            object.clone(),
            format!("it cannot be read where it was restored: {}", one.reason),
            &object,
        ));
    }
    match recorded {
        Recorded::Available(inventory) => Ok(*inventory),
        Recorded::Unavailable { reason } => Err(Error::new(
            &crate::error::codes::CONTENTS_UNAVAILABLE,
            format!("the restored database could not be followed: {reason}"),
        )),
    }
}

/// Sums the rows of these tables on both sides, under a key that nobody can know beforehand.
async fn decide(
    backup: &dyn Restorable,
    dump: &PgDump,
    undecided: &[TableName],
    expected: &mut Inventory,
    found: &mut Inventory,
) -> Result<()> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| Error::new(&IO, format!("read the system's random source: {error}")))?;
    let key = RowKey::of_tables(key, expected, undecided);
    for record in expected.tables.iter_mut().filter(|record| undecided.contains(&record.table)) {
        record.row_sum = sum_rows(backup, record, &key).await?;
    }
    let digester = Digester::with_row_key(key);
    let (recorded, _) = dump.clone().rows_of(undecided.to_vec()).inventory(digester, Arc::new(Silent)).await?;
    let again = recorded.inventory().unwrap_or_default();
    for record in found.tables.iter_mut().filter(|record| undecided.contains(&record.table)) {
        record.row_sum =
            again.table(&record.table).filter(|again| again.rows == record.rows).and_then(|again| again.row_sum);
    }
    Ok(())
}

/// What every server writes as it was given.
const VERBATIM: [&str; 3] = ["COMMENT", "DATABASE PROPERTIES", "SECURITY LABEL"];

/// Servers of different versions write the same definition in other words, and even the same one does ([`Difference::may_be_other_words`]). So the backup's definitions are
/// made once more in the scratch place, and what that server writes of them is compared with what it writes of the restored database.
async fn render(
    prover: &PgProver,
    place: &Place,
    rehearsal: &mut Rehearsal,
    found: &Inventory,
    comparison: &mut Comparison,
    same_version: bool,
    proof: &mut Proof,
) -> Result<()> {
    let may_differ = |one: &Difference| {
        let kind = one.kind.as_str();
        one.change == Change::Definition
            && if same_version { one.may_be_other_words() } else { !VERBATIM.contains(&kind) }
    };
    if !comparison.differences.iter().any(may_differ) {
        return Ok(());
    }
    let rendering = rehearsal.render().await?;
    if !rendering.errors.is_empty() {
        proof.notes.push(format!(
            "the backup's definitions could not be rendered by the scratch server: {}",
            rendering.errors.join("; ")
        ));
        return rehearsal.rendered(rendering).await;
    }
    let dump = dump_of(prover, place, &rendering.connection).schema_only();
    let (recorded, _) = dump.inventory(Digester::new(), Arc::new(Silent)).await?;
    rehearsal.rendered(rendering).await?;
    let Some(rendered) = recorded.inventory() else { return Ok(()) };
    let definitions = |inventory: &Inventory, one: &Difference| {
        let same =
            |object: &&ObjectRecord| object.kind == one.kind && object.schema == one.schema && object.name == one.name;
        let mut all: Vec<_> = inventory.objects.iter().filter(same).map(|object| object.definition).collect();
        all.sort_unstable();
        all
    };
    let before = comparison.differences.len();
    comparison.differences.retain(|one| {
        !may_differ(one)
            || definitions(&rendered, one).is_empty()
            || definitions(&rendered, one) != definitions(found, one)
    });
    let same = before - comparison.differences.len();
    if same > 0 && same_version {
        proof.notes.push(format!(
            "{same} definitions are the same in other words: PostgreSQL wrote them differently once they were restored"
        ));
    } else if same > 0 {
        proof.notes.push(format!(
            "{same} definitions are the same in other words: PostgreSQL {} writes them differently from {}",
            rehearsal.server_version(),
            rehearsal.dumped_from().map_or_else(|| "the source".to_owned(), |version| version.to_string())
        ));
    }
    Ok(())
}

fn tell(comparison: Comparison, prover: &PgProver, proof: &mut Proof) {
    let sides = Sides::default();
    for table in &comparison.undecided {
        let object = super::rows_of(table);
        proof.untested.push(prover.untested(
            object.clone(),
            "they come in another order and could not be summed".into(),
            &object,
        ));
    }
    for one in comparison.differences {
        let what = one.what(&sides);
        if let Change::Version { .. } = one.change {
            // A dump says which extension, never which version: a restore gives what the server has.
            proof.notes.push(format!("{}: {what}", one.object));
        } else {
            proof.differences.push(proof::Difference { object: one.object, what });
        }
    }
    proof.notes.extend(comparison.notes);
}

impl Inventory {
    /// `19 tables with 1500000 rows, 20 large objects, 199 definitions`
    fn counts(&self) -> String {
        format!(
            "{} tables with {} rows, {} large objects, {} definitions",
            self.tables.len(),
            self.rows(),
            self.large_objects.len(),
            self.objects.len()
        )
    }
}
