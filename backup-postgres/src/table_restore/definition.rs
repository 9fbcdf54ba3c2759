//! The definitions of tables, from the archive's table of contents, with another schema.

use super::Chosen;
use crate::archive::{Entry, Parser, Visitor};
use crate::restore::statement::{Kind, Statement, statements};
use backup_core::Result;
use backup_core::target::Restorable;
use std::collections::BTreeMap;

/// What makes one table, as pg_dump wrote it.
#[derive(Debug, Default)]
pub(super) struct Definition {
    table: String,
    /// Primary keys, unique and exclusion constraints, then indexes.
    rest: Vec<String>,
}

/// Gathers the entries that make the chosen tables.
struct Gatherer<'a> {
    chosen: &'a Chosen,
    /// Which of the chosen has this dump id.
    ids: BTreeMap<i32, usize>,
    found: Vec<Option<Definition>>,
    ended: bool,
}

impl Visitor for Gatherer<'_> {
    fn entry(&mut self, entry: Entry) -> Result<()> {
        let Some(text) = entry.definition.as_ref().and_then(|text| text.as_str()) else { return Ok(()) };
        if entry.desc.is("TABLE") {
            let named = self.chosen.records.iter().position(|record| {
                entry.tag.bytes() == Some(record.table.name.as_bytes())
                    && entry.namespace.as_ref().and_then(|schema| schema.bytes())
                        == Some(record.table.schema.as_bytes())
            });
            if let Some(index) = named {
                self.ids.insert(entry.id, index);
                self.found[index] = Some(Definition { table: text.to_owned(), rest: Vec::new() });
            }
        } else if entry.desc.is("CONSTRAINT") || entry.desc.is("INDEX") {
            // What is built on a table depends on it. (An index of a constraint is no entry of its own.)
            let tables = entry.dependencies.iter().filter_map(|id| self.ids.get(id));
            if let Some(definition) = tables.copied().next().and_then(|index| self.found[index].as_mut()) {
                definition.rest.push(text.to_owned());
            }
        }
        Ok(())
    }

    fn toc_end(&mut self, _position: u64) -> Result<()> {
        self.ended = true;
        Ok(())
    }
}

/// The definitions of the chosen tables, or why one of them cannot be used.
pub(super) async fn read(
    backup: &dyn Restorable,
    chosen: &Chosen,
) -> Result<Vec<std::result::Result<Definition, String>>> {
    let found = chosen.records.iter().map(|_| None).collect();
    let mut parser = Parser::new(Gatherer { chosen, ids: BTreeMap::new(), found, ended: false });
    // The first block begins where the table of contents ends.
    let end = chosen.inventory.tables.iter().map(|table| table.block.from).min().unwrap_or(u64::MAX);
    let mut stream = backup.open_range(&crate::dump_part(), 0..end).await?;
    while let Some(piece) = stream.next().await? {
        parser.feed(&piece)?;
        if parser.visitor().ended {
            break;
        }
    }
    let found = std::mem::take(&mut parser.visitor_mut().found);
    Ok(chosen
        .records
        .iter()
        .zip(found)
        .map(|(record, found)| {
            let name = &record.table;
            let otherwise = "restore the backup into a new database, and copy the table from there";
            let definition =
                found.ok_or_else(|| format!("the definition of table {name} cannot be read: {otherwise}"))?;
            match definition.check() {
                None => Ok(definition),
                Some(why) => Err(format!("table {name} {why}: {otherwise}")),
            }
        })
        .collect())
}

impl Definition {
    /// Why it cannot be made somewhere else.
    fn check(&self) -> Option<&'static str> {
        const UNKNOWN: &str = "has a definition that cannot be given another schema";
        let Some(parts) = statements(&self.table) else { return Some(UNKNOWN) };
        let first = parts.first()?;
        let mut depth = 0;
        for token in &first.tokens {
            match &token.kind {
                Kind::Other('(') => depth += 1,
                Kind::Other(')') => depth -= 1,
                Kind::Word(word) if depth == 0 && word == "inherits" => {
                    return Some("inherits from another one, whose rows would seem to have it twice");
                }
                Kind::Word(word) if depth == 0 && word == "partition" => return Some("is partitioned"),
                _ => {}
            }
        }
        let all = parts.iter().map(|part| in_schema(part, "x"));
        let all = all.chain(self.rest.iter().flat_map(|text| rest(text, "x")));
        if all.into_iter().all(|statement| statement.is_some()) { None } else { Some(UNKNOWN) }
    }

    /// The statements that make the table in this schema (quoted).
    pub(super) fn table(&self, schema: &str) -> Vec<String> {
        let parts = statements(&self.table).unwrap_or_default();
        parts.iter().filter_map(|part| in_schema(part, schema)).collect()
    }

    /// The statements that make constraints and indexes, once the rows are there.
    pub(super) fn rest(&self, schema: &str) -> Vec<String> {
        self.rest.iter().flat_map(|text| rest(text, schema)).flatten().collect()
    }
}

/// The statements of a constraint or an index; those about replica identity or clustering are left out.
fn rest(text: &str, schema: &str) -> Vec<Option<String>> {
    let Some(parts) = statements(text) else { return vec![None] };
    let useful = |part: &&Statement<'_>| part.begins(&["create"]) || part.tokens.iter().any(|token| token.is("add"));
    parts.iter().filter(useful).map(|part| in_schema(part, schema)).collect()
}

/// The statement with another schema for its table: `CREATE [UNLOGGED] TABLE s.t`, `ALTER [FOREIGN] TABLE [ONLY] s.t`, `CREATE [UNIQUE] INDEX i ON [ONLY] s.t`.
fn in_schema(statement: &Statement<'_>, schema: &str) -> Option<String> {
    let tokens = &statement.tokens;
    let mut at = if statement.begins(&["create"]) && tokens.iter().take(3).any(|token| token.is("index")) {
        tokens.iter().position(|token| token.is("on"))? + 1
    } else if statement.begins(&["create"]) || statement.begins(&["alter", "table"]) {
        tokens.iter().take(3).position(|token| token.is("table"))? + 1
    } else {
        return None;
    };
    if tokens.get(at)?.is("only") {
        at += 1;
    }
    let (name, dot) = (tokens.get(at)?, tokens.get(at + 1)?);
    name.name()?;
    matches!(dot.kind, Kind::Other('.')).then(|| statement.replacing(name, schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(sql: &str) -> Vec<String> {
        statements(sql).unwrap().iter().map(|part| in_schema(part, "\"s\"").unwrap()).collect()
    }

    #[test]
    fn tables_get_another_schema() {
        assert_eq!(
            moved(
                "CREATE TABLE public.orders (\n    a public.kind DEFAULT 'public.x'::text\n);\nALTER TABLE ONLY public.orders ALTER COLUMN a SET STORAGE EXTERNAL;\n"
            ),
            [
                "CREATE TABLE \"s\".orders (\n    a public.kind DEFAULT 'public.x'::text\n)",
                "ALTER TABLE ONLY \"s\".orders ALTER COLUMN a SET STORAGE EXTERNAL"
            ]
        );
        assert_eq!(moved("CREATE UNLOGGED TABLE \"Odd.x\".\"T\" ();"), ["CREATE UNLOGGED TABLE \"s\".\"T\" ()"]);
        assert_eq!(
            moved("CREATE UNIQUE INDEX \"on\" ON public.orders USING btree (public.f(a));"),
            ["CREATE UNIQUE INDEX \"on\" ON \"s\".orders USING btree (public.f(a))"]
        );
        assert_eq!(
            moved("ALTER TABLE ONLY public.orders\n    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);"),
            ["ALTER TABLE ONLY \"s\".orders\n    ADD CONSTRAINT orders_pkey PRIMARY KEY (id)"]
        );
    }

    #[test]
    fn what_would_reach_into_live_tables_is_refused() {
        let check = |table: &str| Definition { table: table.into(), rest: Vec::new() }.check();
        assert_eq!(check("CREATE TABLE a.b (inherits integer, partition text);"), None);
        assert!(check("CREATE TABLE a.b (\n)\nINHERITS (a.c);").unwrap().contains("inherits"));
        assert!(check("CREATE TABLE a.b (x integer)\nPARTITION BY LIST (x);").unwrap().contains("partitioned"));
        assert!(check("DO $$ BEGIN END $$").is_some());
        assert!(check("GRANT ALL ON TABLE a.b TO PUBLIC;").is_some());
    }
}
