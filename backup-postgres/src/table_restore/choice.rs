//! Which tables are meant.

use crate::error::codes::TABLE_NOT_FOUND;
use crate::inventory::{Inventory, TableName, TableRecord};
use crate::rows::not_found;
use crate::rows::partitions::partitioned;
use backup_core::target::Restorable;
use backup_core::{Error, Result};

/// The tables that the words choose, each once, in the order of the backup. A partitioned table has its rows in its partitions: it chooses them.
pub(super) async fn choose(
    backup: &dyn Restorable,
    inventory: &Inventory,
    words: &[String],
) -> Result<Vec<TableRecord>> {
    let mut wanted = vec![false; inventory.tables.len()];
    for word in words {
        let mut any = false;
        let exact = TableName::parse(word);
        let partitions = match &exact {
            Some(name) => partitioned(backup, inventory, name).await?.map(|whole| whole.records),
            None => None,
        };
        if partitions.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::new(&TABLE_NOT_FOUND, format!("table {word} is partitioned, and has no partitions")));
        }
        for (table, wanted) in inventory.tables.iter().zip(&mut wanted) {
            let hit = match (&exact, &partitions) {
                (_, Some(partitions)) => partitions.iter().any(|one| one.table == table.table),
                (Some(name), None) => table.table == *name,
                (None, None) => is_pattern(word) && matches(word, &table.table),
            };
            (*wanted, any) = (*wanted || hit, any || hit);
        }
        if !any {
            return Err(exact.map_or_else(
                || Error::new(&TABLE_NOT_FOUND, format!("the backup has no rows of a table {word}")),
                |table| not_found(inventory, &table),
            ));
        }
    }
    let chosen = inventory.tables.iter().zip(wanted).filter(|(_, wanted)| *wanted);
    let chosen: Vec<TableRecord> = chosen.map(|(table, _)| table.clone()).collect();
    if chosen.is_empty() {
        return Err(Error::new(&TABLE_NOT_FOUND, "no table is named"));
    }
    Ok(chosen)
}

pub(super) fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?'])
}

/// `schema.name` with `*` and `?`; without a schema, `public`. The names are compared as they are, without quotes.
pub(super) fn matches(pattern: &str, table: &TableName) -> bool {
    let (Some(schema), Some(name)) = (table.schema.as_str(), table.name.as_str()) else { return false };
    let (schemas, names) = pattern.split_once('.').unwrap_or(("public", pattern));
    glob(schemas.as_bytes(), schema.as_bytes()) && glob(names.as_bytes(), name.as_bytes())
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // Where to go on when what follows the last `*` does not fit.
    let (mut p, mut t, mut again) = (0, 0, None);
    loop {
        match pattern.get(p) {
            Some(b'*') => {
                again = Some((p, t));
                p += 1;
                continue;
            }
            Some(b'?') if t < text.len() => (p, t) = (p + 1, t + 1),
            Some(letter) if text.get(t) == Some(letter) => (p, t) = (p + 1, t + 1),
            None if t == text.len() => return true,
            _ => match again {
                Some((star, from)) if from < text.len() => {
                    again = Some((star, from + 1));
                    (p, t) = (star + 1, from + 1);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let table = TableName::new("public", "orders_2024");
        for pattern in ["*", "orders*", "public.*", "*.*", "p*c.o*s_????", "public.*2024", "*.orders_202?"] {
            assert!(matches(pattern, &table), "{pattern}");
        }
        for pattern in ["order", "orders?", "shop.*", "public.*2025", "*.", "?", "public.orders_*_x"] {
            assert!(!matches(pattern, &table), "{pattern}");
        }
        assert!(matches("*.*", &TableName::new("Odd schema", "x y")));
        assert!(!matches("*", &TableName::new("shop", "x")), "without a schema, public");
    }
}
