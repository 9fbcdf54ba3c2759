//! Which tables hold the rows of a partitioned table: the archive's table of contents tells, in the statements that attach them.

use crate::archive::{Entry, Parser, Text, Visitor};
use crate::error::codes::TABLE_NOT_FOUND;
use crate::inventory::{Inventory, Name, TableName, TableRecord};
use crate::restore::statement::{Kind, Statement, Token, statements};
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A partitioned table, and the tables with its rows.
#[derive(Clone, Debug)]
pub(crate) struct Partitioned {
    /// The table itself.
    pub(crate) table: TableName,
    /// Its columns, in order, as far as its definition could be read; generated ones among them.
    pub(crate) columns: Vec<Name>,
    /// All tables under it that have rows of their own, by name; there may be none.
    pub(crate) records: Vec<TableRecord>,
}

/// The partitioned table of this name in a backup; `None` when there is none.
///
/// # Errors
/// [`TABLE_NOT_FOUND`] when rows of one of its partitions are not in the backup: what is there is not the whole table.
pub(crate) async fn partitioned(
    backup: &dyn Restorable,
    inventory: &Inventory,
    table: &TableName,
) -> Result<Option<Partitioned>> {
    let is_table = inventory
        .objects
        .iter()
        .any(|one| one.kind == "TABLE" && one.schema.as_ref() == Some(&table.schema) && one.name == table.name);
    if !is_table || inventory.table(table).is_some() {
        return Ok(None);
    }
    let tree = Tree::read(backup, inventory, table).await?;
    if !tree.partitioned.contains(table) {
        return Ok(None);
    }
    let (mut leaves, mut seen, mut todo) = (BTreeSet::new(), BTreeSet::new(), vec![table]);
    while let Some(one) = todo.pop() {
        if seen.insert(one) {
            todo.extend(tree.children.get(one).into_iter().flatten());
            if !tree.partitioned.contains(one) {
                leaves.insert(one);
            }
        }
    }
    let (there, lacking): (Vec<_>, Vec<_>) = leaves.into_iter().partition(|leaf| inventory.table(leaf).is_some());
    if !lacking.is_empty() {
        let names: Vec<String> = lacking.iter().map(ToString::to_string).collect();
        let message = format!("the backup does not have all rows of table {table}: none of {}", names.join(", "));
        return Err(Error::new(&TABLE_NOT_FOUND, message).with_hint(
            "these partitions are foreign tables, or the settings of the backup leave their rows out: name the others one by one, or with a pattern where patterns are taken",
        ));
    }
    let records = there.into_iter().filter_map(|leaf| inventory.table(leaf).cloned()).collect();
    Ok(Some(Partitioned { table: table.clone(), columns: tree.columns, records }))
}

/// What the table of contents says of partitions.
#[derive(Debug, Default)]
struct Tree {
    wanted: Option<TableName>,
    columns: Vec<Name>,
    partitioned: BTreeSet<TableName>,
    children: BTreeMap<TableName, Vec<TableName>>,
    ended: bool,
}

impl Tree {
    async fn read(backup: &dyn Restorable, inventory: &Inventory, table: &TableName) -> Result<Self> {
        let mut parser = Parser::new(Tree { wanted: Some(table.clone()), ..Tree::default() });
        let part = crate::dump_part();
        // The first block begins where the table of contents ends.
        let mut stream = match inventory.tables.iter().map(|table| table.block.from).min() {
            Some(end) => backup.open_range(&part, 0..end).await?,
            None => backup.open(&part).await?,
        };
        while let Some(piece) = stream.next().await? {
            parser.feed(&piece)?;
            if parser.visitor().ended {
                break;
            }
        }
        Ok(std::mem::take(parser.visitor_mut()))
    }

    fn table(&mut self, table: TableName, statement: &Statement<'_>) {
        let wanted = self.wanted.as_ref() == Some(&table);
        if let Some((columns, rest)) = columns(statement) {
            if rest.windows(2).any(|pair| pair[0].is("partition") && pair[1].is("by")) {
                self.partitioned.insert(table);
            }
            if wanted {
                self.columns = columns;
            }
        }
    }
}

impl Visitor for Tree {
    fn entry(&mut self, entry: Entry) -> Result<()> {
        // Until PostgreSQL 13, a partition's own definition attaches it; since then, an entry of its own does.
        let is_table = entry.desc.is("TABLE");
        if !is_table && !entry.desc.is("TABLE ATTACH") {
            return Ok(());
        }
        let Some(text) = entry.definition.as_ref().and_then(Text::as_str) else { return Ok(()) };
        if !text.contains("PARTITION") && !is_table {
            return Ok(());
        }
        let name = |text: Option<&Text>| text.and_then(Text::bytes).map(Name::new);
        for statement in statements(text).unwrap_or_default() {
            if is_table
                && statement.begins(&["create"])
                && let (Some(schema), Some(name)) = (name(entry.namespace.as_ref()), name(Some(&entry.tag)))
            {
                self.table(TableName { schema, name }, &statement);
            } else if let Some((parent, child)) = attachment(&statement) {
                self.children.entry(parent).or_default().push(child);
            }
        }
        Ok(())
    }

    fn toc_end(&mut self, _position: u64) -> Result<()> {
        self.ended = true;
        Ok(())
    }
}

/// `ALTER TABLE ONLY public.events ATTACH PARTITION public.events_2024 …`: the table, and the partition.
fn attachment(statement: &Statement<'_>) -> Option<(TableName, TableName)> {
    if !statement.begins(&["alter", "table", "only"]) {
        return None;
    }
    let (parent, rest) = qualified(&statement.tokens[3..])?;
    match rest {
        [attach, partition, rest @ ..] if attach.is("attach") && partition.is("partition") => {
            qualified(rest).map(|(child, _)| (parent, child))
        }
        _ => None,
    }
}

fn qualified<'t, 's>(tokens: &'t [Token<'s>]) -> Option<(TableName, &'t [Token<'s>])> {
    match tokens {
        [schema, dot, name, rest @ ..] if dot.kind == Kind::Other('.') => {
            Some((TableName::new(schema.name()?, name.name()?), rest))
        }
        _ => None,
    }
}

/// The columns of a `CREATE TABLE`, and what follows them.
fn columns<'t, 's>(statement: &'t Statement<'s>) -> Option<(Vec<Name>, &'t [Token<'s>])> {
    let open = statement.tokens.iter().position(|token| token.kind == Kind::Other('('))?;
    let (mut columns, mut depth, mut begins) = (Vec::new(), 0_usize, false);
    for (index, token) in statement.tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Other('(') => (depth, begins) = (depth + 1, depth == 0),
            Kind::Other(')') if depth == 1 => return Some((columns, &statement.tokens[index + 1..])),
            Kind::Other(')') => depth -= 1,
            Kind::Other(',') => begins = depth == 1,
            // A constraint is no column; a column of that name is in double quotes.
            _ if std::mem::take(&mut begins) && !token.is("constraint") => columns.push(Name::from(token.name()?)),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_of_partitioned_tables() {
        let sql = "CREATE TABLE public.\"The events\" (\n    id bigint NOT NULL,\n    at timestamp(3) with time zone DEFAULT now(),\n    price numeric(10,2) DEFAULT 'a, (b'::text,\n    \"constraint\" integer,\n    \"A \"\"b\"\"\" text,\n    CONSTRAINT positive CHECK ((price > (0)::numeric))\n)\nPARTITION BY RANGE (at);\n";
        let parts = statements(sql).unwrap();
        let (found, rest) = columns(&parts[0]).unwrap();
        assert_eq!(found, ["id", "at", "price", "constraint", "A \"b\""].map(Name::from));
        assert!(rest[0].is("partition") && rest[1].is("by"));
        for odd in ["CREATE TABLE a.b", "CREATE TABLE a.b (", "CREATE TABLE a.b (a int", "CREATE TABLE a.b (1 int)"] {
            assert!(statements(odd).unwrap().iter().all(|one| columns(one).is_none()), "{odd}");
        }
    }

    #[test]
    fn attachments() {
        let of = |sql: &str| statements(sql).unwrap().iter().find_map(attachment).map(|(a, b)| format!("{a} {b}"));
        assert_eq!(
            of("ALTER TABLE ONLY public.events ATTACH PARTITION \"Old\".\"events 1\" FOR VALUES IN (1);").as_deref(),
            Some("public.events \"Old\".\"events 1\"")
        );
        for other in [
            "ALTER TABLE ONLY public.events ATTACH PARTITION;",
            "ALTER TABLE ONLY public.events ADD CONSTRAINT a CHECK (true);",
            "ALTER TABLE",
            "ALTER INDEX public.a ATTACH PARTITION public.b;",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
