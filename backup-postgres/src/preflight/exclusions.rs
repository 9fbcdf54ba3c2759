//! Leaving out what cannot be read, and what would fail on restore without it.
//!
//! Tried with pg_dump 15: an excluded table's views, materialised views and partitions are dumped all the same and fail on restore, so they
//! are excluded too. Functions, foreign keys and defaults that need it cannot be excluded from a dump: they are named, and a restore has to
//! step over them. The rows of a table, or the value of a sequence, can be left out without its definition, which breaks much less.

use super::{Finding, FindingKind, Inspection, Preflight, Problem, Relation, failure};
use crate::connection::quoted;
use crate::queries;
use crate::server::query_error;
use crate::tools::Version;
use backup_core::Result;
use backup_core::source::LeftOut;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Client;

/// What pg_dump is told to leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exclusions {
    /// Tables, views and sequences that are left out altogether: schema and name.
    pub relations: Vec<(String, String)>,
    /// Tables without their rows, sequences without their value: schema and name.
    pub data: Vec<(String, String)>,
    /// Whether all large objects are left out: pg_dump cannot leave out some.
    pub large_objects: bool,
}

impl Exclusions {
    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        *self == Exclusions::default()
    }

    /// The arguments for a pg_dump of this version.
    pub fn arguments(&self, pg_dump: Version) -> Vec<String> {
        // Inside double quotes, a pattern's special characters stand for themselves (processSQLNamePattern in src/fe_utils/string_utils.c).
        let pattern = |(schema, name): &(String, String)| format!("{}.{}", quoted(schema), quoted(name));
        let mut arguments: Vec<String> =
            self.relations.iter().map(|name| format!("--exclude-table={}", pattern(name))).collect();
        arguments.extend(self.data.iter().map(|name| format!("--exclude-table-data={}", pattern(name))));
        if self.large_objects {
            // Named so since 16; the old name may go.
            arguments.push(if pg_dump.major >= 16 { "--no-large-objects" } else { "--no-blobs" }.to_owned());
        }
        arguments
    }
}

/// Plans what to leave out.
///
/// # Errors
/// `unreadable_objects` for configuration tables of extensions: pg_dump always reads those.
pub(super) async fn leave_out(client: &Client, inspection: Inspection) -> Result<Preflight> {
    let Inspection { role, findings, relations } = inspection;
    let of_extensions: Vec<Finding> = relations
        .iter()
        .filter(|relation| relation.in_extension)
        .flat_map(|relation| {
            let shown = format!("{}.{}", relation.schema, relation.name);
            findings
                .iter()
                .filter(move |f| f.name == shown || (f.kind == FindingKind::Schema && f.name == relation.schema))
        })
        .cloned()
        .collect();
    if !of_extensions.is_empty() {
        return Err(failure(&role, &of_extensions)
            .context("pg_dump cannot leave out the configuration tables of an extension")
            .with_hint("run the statements that are named as the objects' owner or a superuser"));
    }

    let mut plan = Plan { exclusions: Exclusions::default(), left_out: BTreeMap::new() };
    let reason_of = |relation: &Relation| {
        let shown = format!("{}.{}", relation.schema, relation.name);
        let about = |f: &&Finding| f.name == shown || (f.kind == FindingKind::Schema && f.name == relation.schema);
        findings.iter().find(about).map(said).unwrap_or_default()
    };
    // Tables that cannot be locked go altogether, with all that hangs on them.
    let no_access: Vec<&Relation> = relations.iter().filter(|r| r.problem == Problem::NoAccess).collect();
    for relation in &no_access {
        plan.add("table", format!("{}.{}", relation.schema, relation.name), reason_of(relation));
    }
    let gone = plan.exclude_with_dependents(client, &no_access).await?;

    // Of the others, only rows or values are missing.
    let only_data: Vec<&Relation> =
        relations.iter().filter(|r| r.problem != Problem::NoAccess && !gone.contains(&r.oid)).collect();
    for relation in &only_data {
        let kind =
            if relation.problem == Problem::SequenceValue { FindingKind::Sequence } else { FindingKind::RowSecurity };
        plan.add(kind.name(), format!("{}.{}", relation.schema, relation.name), reason_of(relation));
        plan.exclusions.data.push((relation.schema.clone(), relation.name.clone()));
    }
    let without_rows: Vec<u32> = only_data.iter().filter(|r| r.problem == Problem::RowsHidden).map(|r| r.oid).collect();
    plan.name_foreign_keys(client, &without_rows, &gone).await?;

    for finding in &findings {
        match finding.kind {
            FindingKind::LargeObject if !plan.exclusions.large_objects => {
                plan.exclusions.large_objects = true;
                plan.add("large objects", "all".into(), format!("large object {}: {}", finding.name, said(finding)));
            }
            FindingKind::Subscription | FindingKind::UserMapping | FindingKind::UnloggedTable => {
                plan.add(finding.kind.name(), finding.name.clone(), said(finding));
            }
            _ => {}
        }
    }
    let left_out = plan.left_out.into_iter().map(|((kind, name), reason)| LeftOut { kind, name, reason }).collect();
    Ok(Preflight { findings, exclusions: plan.exclusions, left_out })
}

struct Plan {
    exclusions: Exclusions,
    /// By kind and name, with the first reason.
    left_out: BTreeMap<(String, String), String>,
}

impl Plan {
    fn add(&mut self, kind: &str, name: String, reason: String) {
        self.left_out.entry((kind.to_owned(), name)).or_insert(reason);
    }

    /// Excludes these tables and every relation that depends on them; names what else does. Gives the relations that are gone.
    async fn exclude_with_dependents(&mut self, client: &Client, tables: &[&Relation]) -> Result<BTreeSet<u32>> {
        let mut gone = BTreeSet::new();
        if tables.is_empty() {
            return Ok(gone);
        }
        let doing = "look for what depends on the tables that are left out";
        let seeds: Vec<u32> = tables.iter().map(|table| table.oid).collect();
        let rows = client.query(queries::DEPENDENTS, &[&seeds]).await.map_err(|error| query_error(doing, error))?;
        let because = "it depends on a table that is left out";
        for row in &rows {
            let Some(oid) = row.get::<_, Option<u32>>("relation") else { continue };
            let kind: &str = row.get("relation_kind");
            // Indexes and TOAST tables go with their table; a composite type is named below.
            let word = match kind {
                "r" | "p" => "table",
                "v" => "view",
                "m" => "materialized view",
                "f" => "foreign table",
                "S" => "sequence",
                _ => continue,
            };
            let (schema, name): (String, String) = (row.get("schema"), row.get("name"));
            gone.insert(oid);
            if !self.left_out.contains_key(&("table".to_owned(), format!("{schema}.{name}"))) {
                self.add(word, format!("{schema}.{name}"), because.into());
            }
            self.exclusions.relations.push((schema, name));
        }
        for row in &rows {
            let piece_of: Option<u32> = row.get("piece_of");
            let (relation, relation_kind): (Option<u32>, Option<&str>) =
                (row.get("relation"), row.get("relation_kind"));
            if relation.is_some() && relation_kind != Some("c") || piece_of.is_some_and(|oid| gone.contains(&oid)) {
                continue;
            }
            let (kind, identity): (String, Option<String>) = (row.get("kind"), row.get("identity"));
            self.add(
                &kind,
                identity.unwrap_or_default(),
                format!("{because}; its definition may be in the dump, but cannot be restored"),
            );
        }
        Ok(gone)
    }

    async fn name_foreign_keys(&mut self, client: &Client, without_rows: &[u32], gone: &BTreeSet<u32>) -> Result<()> {
        if without_rows.is_empty() {
            return Ok(());
        }
        let missing: Vec<u32> = without_rows.iter().copied().chain(gone.iter().copied()).collect();
        let rows = client
            .query(queries::FOREIGN_KEYS_TO, &[&without_rows, &missing])
            .await
            .map_err(|error| query_error("look for foreign keys to rows that are left out", error))?;
        for row in rows {
            let identity: Option<String> = row.get(0);
            let reason = "it points to rows that are left out; its definition is in the dump, but cannot be restored";
            self.add("table constraint", identity.unwrap_or_default(), reason.into());
        }
        Ok(())
    }
}

/// A finding's reason with its remedy, as [`LeftOut::reason`] wants it.
fn said(finding: &Finding) -> String {
    match &finding.statement {
        Some(statement) => format!("{}; this helps: {statement}", finding.reason),
        None => finding.reason.clone(),
    }
}
