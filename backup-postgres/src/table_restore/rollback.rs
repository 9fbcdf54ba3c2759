//! The rows that a table had before they were replaced: kept in a dated table, and brought back.

use super::check::{self, Live, hide, qualified};
use super::choice::{is_pattern, matches};
use super::{TableRestore, begin, end, refused, rows, run};
use crate::connection::Session;
use crate::error::codes::{NOTHING_TO_ROLL_BACK, QUERY_FAILED, ROLLBACK_LOSES_DATA};
use crate::inventory::TableName;
use crate::queries;
use crate::restore::{quote_name, quote_string};
use backup_core::error::ResultExt;
use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::{Error, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const BEGIN: &str = "backproof: ";
const MARK: &str = "\nbackproof-table-1 ";

/// A table with the rows that another one had before a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptTable {
    /// Its name, as SQL.
    pub name: String,
    /// The table whose rows it has.
    pub table: TableName,
    /// The backup whose rows took their place.
    pub backup: String,
    /// When.
    pub at: Timestamp,
    record: Record,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    schema: String,
    table: String,
    backup: String,
    at: Timestamp,
    /// A digest of the rows that were put in, as [`queries::TABLE_DIGEST`] gives it.
    restored: String,
}

/// The rows of a table now, whatever their order: their number, and the sum of a hash of each.
async fn digest(session: &Session, table: &str) -> Result<String> {
    let query = queries::TABLE_DIGEST.replace("$TABLE", table);
    let row = session
        .query_one(&query, &[])
        .await
        .map_err(|error| refused(&format!("look at the rows of {table}"), error))?;
    Ok(row.get(0))
}

/// Copies the rows of a live table into a dated one, which nobody but its owner may read. Gives its name.
pub(super) async fn keep(session: &Session, live: &Live, stamp: &str, backup: &str, at: Timestamp) -> Result<String> {
    let kept = live.kept_name(stamp);
    let doing = format!("keep the rows of {} in {kept}", live.sql);
    run(session, &doing, &format!("CREATE TABLE {kept} (LIKE {} INCLUDING STORAGE INCLUDING COMMENTS)", live.sql))
        .await?;
    hide(session, &kept).await?;
    run(session, &doing, &format!("INSERT INTO {kept} SELECT * FROM ONLY {}", live.sql)).await?;
    run(session, &doing, &format!("ALTER TABLE {kept} OWNER TO {}", quote_name(&live.owner))).await?;
    let record = Record {
        schema: live.schema.clone(),
        table: live.name.clone(),
        backup: backup.to_owned(),
        at,
        restored: String::new(),
    };
    note(session, &kept, &record).await?;
    Ok(kept)
}

async fn note(session: &Session, kept: &str, record: &Record) -> Result<()> {
    let json = serde_json::to_string(record).unwrap_or_default();
    let people = format!(
        "the rows that {} had until {}, when those of backup {} took their place. `backproof rollback` brings them back; drop this table when you are sure.",
        qualified(&record.schema, &record.table),
        record.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        record.backup
    );
    let comment = quote_string(&format!("{BEGIN}{people}{MARK}{json}"));
    run(session, &format!("note what {kept} is"), &format!("COMMENT ON TABLE {kept} IS {comment}")).await
}

/// Notes what was put in, for a rollback to see whether anything came since.
pub(super) async fn note_restored(session: &Session, live: &Live, kept: &str) -> Result<()> {
    let found = list(session).await?.into_iter().find(|table| table.name == kept);
    let Some(found) = found else { return Ok(()) };
    let restored = digest(session, &live.sql).await?;
    note(session, kept, &Record { restored, ..found.record }).await
}

async fn list(session: &Session) -> Result<Vec<KeptTable>> {
    let rows = session.query(queries::TABLE_KEPT, &[]).await;
    let rows = rows.or_code(&QUERY_FAILED, || "ask for the tables that are kept".to_owned())?;
    let mut all: Vec<KeptTable> = rows
        .iter()
        .filter_map(|row| {
            let (_, json) = row.get::<_, &str>(2).strip_prefix(BEGIN)?.split_once(MARK)?;
            let record: Record = serde_json::from_str(json).ok()?;
            Some(KeptTable {
                name: qualified(row.get(0), row.get(1)),
                table: TableName::new(record.schema.as_str(), record.table.as_str()),
                backup: record.backup.clone(),
                at: record.at,
                record,
            })
        })
        .collect();
    all.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
    Ok(all)
}

impl TableRestore {
    /// The tables that keep what restores replaced, the oldest first.
    pub async fn kept(&self) -> Result<Vec<KeptTable>> {
        list(&self.connection.connect_without_limits().await?).await
    }

    /// The newest of what is kept of each table that these words choose (names, or patterns with `*` and `?`).
    ///
    /// # Errors
    /// `nothing_to_roll_back` where nothing is kept of what a word chooses; `invalid_argument` where it is no name.
    pub async fn kept_of(&self, words: &[String]) -> Result<Vec<KeptTable>> {
        let session = self.connection.connect_without_limits().await?;
        crate::pooler::refuse_pooler(&session).await?;
        let all = list(&session).await?;
        let mut chosen: Vec<KeptTable> = Vec::new();
        for word in words {
            let exact = TableName::parse(word);
            if exact.is_none() && !is_pattern(word) {
                return Err(Error::new(&INVALID_ARGUMENT, format!("{word:?} is not the name of a table"))
                    .with_hint("write it as in SQL: public.orders; * and ? make a pattern"));
            }
            let fits = |kept: &&KeptTable| {
                exact.as_ref().map_or_else(|| matches(word, &kept.table), |name| kept.table == *name)
            };
            // The oldest come first: of each table, the last one counts.
            let found: Vec<&KeptTable> = all.iter().filter(fits).collect();
            if found.is_empty() {
                return Err(nothing_kept(word));
            }
            for kept in found {
                chosen.retain(|other| other.table != kept.table);
                chosen.push(kept.clone());
            }
        }
        Ok(chosen)
    }

    /// Brings back the rows that a table had before its last restore with [`Mode::Replace`](super::Mode::Replace), in one transaction; the dated table goes.
    ///
    /// # Errors
    /// `nothing_to_roll_back` when nothing is kept of it; `rollback_loses_data` when its rows are not those that the restore put in, unless
    /// `lose_newer` says that this does not matter.
    pub async fn roll_back(&self, table: &TableName, lose_newer: bool) -> Result<u64> {
        let rows = self.roll_back_all(std::slice::from_ref(table), lose_newer).await?;
        Ok(rows.first().copied().unwrap_or_default())
    }

    /// The same for several tables, which were replaced together because of foreign keys, say: all of them in one transaction, or none. Gives the rows of each.
    ///
    /// # Errors
    /// As [`roll_back`](TableRestore::roll_back), of the first table that it is true of.
    pub async fn roll_back_all(&self, tables: &[TableName], lose_newer: bool) -> Result<Vec<u64>> {
        let session = self.connection.connect_without_limits().await?;
        crate::pooler::refuse_pooler(&session).await?;
        begin(&session).await?;
        let done = roll_back(&session, tables, lose_newer).await;
        end(&session, done).await
    }
}

fn nothing_kept(table: impl std::fmt::Display) -> Error {
    Error::new(&NOTHING_TO_ROLL_BACK, format!("nothing is kept of table {table}")).with_hint(
        "`restore --table --replace` keeps rows beside the table, as TABLE_before_TIME, until a rollback or somebody drops that",
    )
}

async fn roll_back(session: &Session, tables: &[TableName], lose_newer: bool) -> Result<Vec<u64>> {
    let all = list(session).await?;
    let (mut kept, mut live) = (Vec::new(), Vec::new());
    for table in tables {
        let nothing = || nothing_kept(table);
        kept.push(all.iter().rfind(|kept| kept.table == *table).ok_or_else(nothing)?);
        live.push(Live::find(session, table).await?.ok_or_else(nothing)?);
    }
    if live.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = live.iter().map(|live| live.sql.as_str()).collect();
    let only = names.join(", ONLY ");
    run(session, "lock the tables", &format!("LOCK TABLE ONLY {only} IN ACCESS EXCLUSIVE MODE")).await?;
    for (live, kept) in live.iter().zip(&kept) {
        if !lose_newer && digest(session, &live.sql).await? != kept.record.restored {
            return Err(Error::new(
                &ROLLBACK_LOSES_DATA,
                format!(
                    "the rows of table {} are not those that were restored from {}: something was written since",
                    kept.table, kept.backup
                ),
            )
            .with_hint("nothing was changed; back the database up first, then say that newer data may be lost"));
        }
    }
    // Before the tables are emptied: there are triggers for that, too.
    let mut triggers = Vec::new();
    for live in &live {
        triggers.push(check::quiet_triggers(session, live).await?);
    }
    run(session, "empty the tables", &format!("TRUNCATE ONLY {only}")).await?;
    let mut back = vec![0; live.len()];
    for index in check::parents_first(session, &live).await? {
        let (live, kept) = (&live[index], kept[index]);
        let columns: Vec<String> = live.columns.iter().map(|column| quote_name(column)).collect();
        let columns = columns.join(", ");
        let insert = if columns.is_empty() {
            format!("INSERT INTO {} SELECT FROM {}", live.sql, kept.name)
        } else {
            format!("INSERT INTO {} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {}", live.sql, kept.name)
        };
        back[index] = session.execute(&insert, &[]).await.map_err(|error| refused("bring the rows back", error))?;
        check::wake_triggers(session, live, &triggers[index]).await?;
        rows::forward_sequences(session, live).await?;
        run(session, "drop the dated table", &format!("DROP TABLE {}", kept.name)).await?;
    }
    Ok(back)
}
