//! Single tables out of a backup, into a live database, in one transaction.
//!
//! Only the segments with the tables' rows are read, and those with the archive's table of contents where definitions are needed. Three ways ([`Mode`]):
//!
//! - **beside**: into a new schema, with columns, CHECK constraints, primary keys, unique constraints and indexes, for looking and for copying
//!   from. No foreign keys, triggers, policies, privileges, owners or identity: nothing in the live schemas is touched, and nobody but the restoring
//!   role may read what was restored.
//! - **replace**: the rows of the live table are exchanged for those of the backup. The table itself stays, and with it its definition, indexes,
//!   constraints, policies, privileges and everything that depends on it; its own triggers do not fire. The rows that it had are kept in a
//!   dated table beside it, and come back with [`TableRestore::roll_back`]. Sequences that its columns own are moved forward if they must be, never back.
//!   Foreign keys that point at the table from others refuse: their rows could lose what they point at.
//! - **missing rows**: rows whose primary key is not in the live table any more are put back; no other row is touched.
//!
//! In each, the rows that arrived are read again and compared with what the backup noted of them (count and digest), before the commit.
//!
//! - what stands in the way: `check`; definitions from the archive: `definition`; rows: `rows`; which tables: `choice`; the way back: `rollback`.

mod check;
mod choice;
mod definition;
mod rollback;
mod rows;

pub use rollback::KeptTable;

use crate::connection::{Connection, Session};
use crate::error::codes::{CONTENTS_UNAVAILABLE, RESTORE_FAILED, RESTORE_REFUSED};
use crate::inventory::{self, Inventory, Recorded, TableName, TableRecord};
use crate::pooler::refuse_pooler;
use crate::restore::{quote_name, quote_string};
use backup_core::monitor::{Event, Monitor};
use backup_core::target::{Restorable, RestorePlan};
use backup_core::{Error, Result};
use check::{Live, qualified};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Where the rows go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Into a new schema.
    #[default]
    Beside,
    /// In place of those that are there.
    Replace,
    /// To those that are there, where the key is not.
    MissingRows,
}

/// A restore of single tables into the live database that the connection names.
#[derive(Clone, Debug)]
pub struct TableRestore {
    connection: Connection,
    mode: Mode,
    schema: Option<String>,
    at: Timestamp,
}

/// A table that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoredTable {
    /// The table in the backup.
    pub table: TableName,
    /// The table that has its rows now, as SQL.
    pub into: String,
    /// Rows in the backup: all of them, with [`Mode::Beside`] and [`Mode::Replace`], are in the table now.
    pub rows: u64,
    /// With [`Mode::MissingRows`]: rows that were put back.
    pub put_back: u64,
    /// With [`Mode::Replace`]: the table with the rows that were there, as SQL.
    pub kept: Option<String>,
}

impl TableRestore {
    /// Restores into the database that this connection names, beside what is there.
    pub fn new(connection: Connection) -> Self {
        TableRestore { connection, mode: Mode::Beside, schema: None, at: Timestamp::now() }
    }

    /// Where the rows go.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The schema to be made for [`Mode::Beside`]; `restored_<time>` by default.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = Some(name.into());
        self
    }

    /// The time that dates names; now by default.
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = at;
        self
    }

    fn stamp(&self) -> String {
        self.at.strftime("%Y%m%dT%H%M%SZ").to_string().to_lowercase()
    }

    fn beside(&self) -> String {
        self.schema.clone().unwrap_or_else(|| format!("restored_{}", self.stamp()))
    }

    /// What would be done with the tables that these words choose (names, or patterns with `*` and `?`); changes nothing.
    pub async fn plan(&self, backup: &dyn Restorable, tables: &[String]) -> Result<RestorePlan> {
        let chosen = self.choose(backup, tables).await?;
        let session = self.connection.connect_without_limits().await?;
        refuse_pooler(&session).await?;
        let (live, obstacles, warnings) = self.look(&session, backup, &chosen).await?;
        let mut plan = RestorePlan::default();
        plan.target = self.connection.to_string();
        if self.mode == Mode::Beside {
            plan.steps.push(format!("make schema {}", quote_name(&self.beside())));
        }
        for (record, live) in chosen.records.iter().zip(&live) {
            plan.steps.push(match self.mode {
                Mode::Beside => format!(
                    "restore {} rows of {} into schema {}",
                    record.rows,
                    record.table,
                    quote_name(&self.beside())
                ),
                Mode::Replace => format!(
                    "keep the rows of {} in {}, and put {} rows in their place",
                    record.table,
                    live.as_ref().map_or_else(String::new, |live| live.kept_name(&self.stamp())),
                    record.rows
                ),
                Mode::MissingRows => {
                    format!("put back those of {} rows of {} whose key is gone", record.rows, record.table)
                }
            });
        }
        (plan.obstacles, plan.warnings) = (obstacles, warnings);
        Ok(plan)
    }

    /// Restores the tables, all of them or none.
    ///
    /// # Errors
    /// `table_not_found` where a word chooses no table, `restore_refused` for obstacles, `restore_failed` where the server refuses or the rows
    /// that arrived are not those of the backup. Nothing is changed after any error.
    pub async fn run(
        &self,
        backup: &dyn Restorable,
        tables: &[String],
        monitor: &dyn Monitor,
    ) -> Result<Vec<RestoredTable>> {
        let chosen = self.choose(backup, tables).await?;
        let session = self.connection.connect_without_limits().await?;
        refuse_pooler(&session).await?;
        // Dropping the session rolls back, so dropping this future does.
        begin(&session).await?;
        let done = self.run_in(&session, backup, &chosen, monitor).await;
        end(&session, done).await
    }

    async fn run_in(
        &self,
        session: &Session,
        backup: &dyn Restorable,
        chosen: &Chosen,
        monitor: &dyn Monitor,
    ) -> Result<Vec<RestoredTable>> {
        if self.mode != Mode::Beside {
            check::lock(session, chosen, self.mode).await?;
        }
        let (live, obstacles, warnings) = self.look(session, backup, chosen).await?;
        if !obstacles.is_empty() {
            return Err(Error::new(&RESTORE_REFUSED, obstacles.join("; "))
                .with_hint("nothing was changed; remove each obstacle as it says"));
        }
        for message in warnings {
            monitor.event(Event::Warning { message });
        }
        match self.mode {
            Mode::Beside => self.restore_beside(session, backup, chosen, monitor).await,
            Mode::Replace => {
                let live: Vec<Live> = live.into_iter().flatten().collect();
                self.replace(session, backup, chosen, &live, monitor).await
            }
            Mode::MissingRows => {
                let live: Vec<Live> = live.into_iter().flatten().collect();
                self.put_back(session, backup, chosen, &live, monitor).await
            }
        }
    }

    async fn choose(&self, backup: &dyn Restorable, tables: &[String]) -> Result<Chosen> {
        match inventory::read(backup).await? {
            Recorded::Available(inventory) => {
                let records = choice::choose(backup, &inventory, tables).await?;
                Ok(Chosen { inventory: *inventory, records })
            }
            Recorded::Unavailable { reason } => Err(Error::new(
                &CONTENTS_UNAVAILABLE,
                format!("it is not known where the rows of the tables are: {reason}"),
            )
            .with_hint("restore the whole backup into a new database, and copy the tables from there")),
        }
    }

    /// The live tables, what makes it impossible, and what should be known.
    async fn look(
        &self,
        session: &Session,
        backup: &dyn Restorable,
        chosen: &Chosen,
    ) -> Result<(Vec<Option<Live>>, Vec<String>, Vec<String>)> {
        let mut live = Vec::new();
        for record in &chosen.records {
            live.push(Live::find(session, &record.table).await?);
        }
        let (mut obstacles, mut warnings) = (Vec::new(), Vec::new());
        match self.mode {
            Mode::Beside => {
                obstacles.extend(check::beside(session, &self.beside()).await?);
                let definitions = definition::read(backup, chosen).await?;
                obstacles.extend(definitions.into_iter().filter_map(|definition| definition.err()));
                if !backup.is_authentic() {
                    warnings.push("the backup's signature was not checked: its definitions can run code with the rights of the role that restores".into());
                }
            }
            Mode::Replace => {
                let (more, warns) = check::replace(session, chosen, &live).await?;
                (obstacles, warnings) = (more, warns);
            }
            Mode::MissingRows => obstacles = check::missing_rows(chosen, &live),
        }
        Ok((live, obstacles, warnings))
    }

    async fn restore_beside(
        &self,
        session: &Session,
        backup: &dyn Restorable,
        chosen: &Chosen,
        monitor: &dyn Monitor,
    ) -> Result<Vec<RestoredTable>> {
        let schema = quote_name(&self.beside());
        run(session, "make the schema", &format!("CREATE SCHEMA {schema}")).await?;
        run(session, "make the schema", &check::REVOKE_SCHEMA.replace("$SCHEMA", &quote_string(&self.beside())))
            .await?;
        // Definitions are written for an empty search_path; only tables of different schemas can have the same name.
        let definitions = definition::read(backup, chosen).await?;
        let mut names: BTreeMap<&[u8], u32> = BTreeMap::new();
        let mut done = Vec::new();
        for (record, definition) in chosen.records.iter().zip(definitions) {
            let definition = definition.map_err(|obstacle| Error::new(&RESTORE_REFUSED, obstacle))?;
            if *names.entry(record.table.name.as_bytes()).and_modify(|count| *count += 1).or_insert(1) > 1 {
                return Err(Error::new(
                    &RESTORE_REFUSED,
                    format!("two of the tables have the name {}: restore them one by one", record.table.name),
                )
                .with_hint("nothing was changed"));
            }
            step(monitor, format!("restore the rows of {}", record.table));
            let into = format!("{schema}.{}", quote_name(&record.table.name.lossy()));
            for statement in definition.table(&schema) {
                run(session, &format!("make table {into}"), &statement).await?;
            }
            check::hide(session, &into).await?;
            rows::load(session, backup, chosen, record, &into).await?;
            rows::compare(session, chosen, record, &into).await?;
            for statement in definition.rest(&schema) {
                run(session, &format!("make the indexes of {into}"), &statement).await?;
            }
            done.push(RestoredTable { table: record.table.clone(), into, rows: record.rows, put_back: 0, kept: None });
        }
        Ok(done)
    }

    async fn replace(
        &self,
        session: &Session,
        backup: &dyn Restorable,
        chosen: &Chosen,
        live: &[Live],
        monitor: &dyn Monitor,
    ) -> Result<Vec<RestoredTable>> {
        let id = backup.manifest().id.as_str();
        let (mut kept, mut triggers) = (Vec::new(), Vec::new());
        for live in live {
            step(monitor, format!("keep the rows of {}", live.sql));
            kept.push(rollback::keep(session, live, &self.stamp(), id, self.at).await?);
        }
        // Before the tables are emptied: there are triggers for that, too.
        for live in live {
            triggers.push(check::quiet_triggers(session, live).await?);
        }
        let all: Vec<&str> = live.iter().map(|live| live.sql.as_str()).collect();
        run(session, "empty the tables", &format!("TRUNCATE ONLY {}", all.join(", ONLY "))).await?;
        let mut done = Vec::new();
        for index in check::parents_first(session, live).await? {
            let (live, record) = (&live[index], &chosen.records[index]);
            step(monitor, format!("restore the rows of {}", live.sql));
            rows::load(session, backup, chosen, record, &live.sql).await?;
            rows::compare(session, chosen, record, &live.sql).await?;
            check::wake_triggers(session, live, &triggers[index]).await?;
            rows::forward_sequences(session, live).await?;
            rollback::note_restored(session, live, &kept[index]).await?;
            let kept = Some(kept[index].clone());
            done.push(RestoredTable {
                table: record.table.clone(),
                into: live.sql.clone(),
                rows: record.rows,
                put_back: 0,
                kept,
            });
        }
        Ok(done)
    }

    async fn put_back(
        &self,
        session: &Session,
        backup: &dyn Restorable,
        chosen: &Chosen,
        live: &[Live],
        monitor: &dyn Monitor,
    ) -> Result<Vec<RestoredTable>> {
        let mut done = Vec::new();
        for index in check::parents_first(session, live).await? {
            let (live, record) = (&live[index], &chosen.records[index]);
            step(monitor, format!("put back the missing rows of {}", live.sql));
            let columns = rows::columns(record);
            let temporary = format!("pg_temp.backproof_{index}");
            let create = format!(
                "CREATE TEMPORARY TABLE backproof_{index} ON COMMIT DROP AS SELECT {columns} FROM ONLY {} WITH NO DATA",
                live.sql
            );
            run(session, "make a temporary table", &create).await?;
            rows::load(session, backup, chosen, record, &temporary).await?;
            rows::compare(session, chosen, record, &temporary).await?;
            run(session, "look at the rows", &format!("ANALYZE {temporary}")).await?;
            let triggers = check::quiet_triggers(session, live).await?;
            let same: Vec<String> = live.key.iter().map(|key| format!("l.{0} = r.{0}", quote_name(key))).collect();
            let insert = format!(
                "INSERT INTO {0} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {temporary} r WHERE NOT EXISTS (SELECT FROM {0} l WHERE {1})",
                live.sql,
                same.join(" AND ")
            );
            let put_back = session.execute(&insert, &[]).await;
            let put_back = put_back.map_err(|error| refused(&format!("put back the rows of {}", live.sql), error))?;
            check::wake_triggers(session, live, &triggers).await?;
            rows::forward_sequences(session, live).await?;
            done.push(RestoredTable {
                table: record.table.clone(),
                into: live.sql.clone(),
                rows: record.rows,
                put_back,
                kept: None,
            });
        }
        Ok(done)
    }
}

/// The tables to be restored.
struct Chosen {
    inventory: Inventory,
    records: Vec<TableRecord>,
}

/// The transaction, with the settings under which pg_dump writes rows, so that they read back as they were written.
async fn begin(session: &Session) -> Result<()> {
    let begin = "BEGIN READ WRITE; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
        SET LOCAL lock_timeout = '60s'; SET LOCAL search_path = ''; SET LOCAL row_security = off; SET LOCAL TimeZone = 'UTC';
        SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 3;
        SET LOCAL bytea_output = 'hex'; SET LOCAL xmloption = 'content'; SET LOCAL standard_conforming_strings = on;
        SET LOCAL synchronize_seqscans = off; SET LOCAL client_min_messages = 'warning'; SET LOCAL check_function_bodies = off";
    run(session, "begin", begin).await
}

/// Commits what was done, or rolls it back and waits for that.
async fn end<T>(session: &Session, done: Result<T>) -> Result<T> {
    match done {
        Ok(done) => run(session, "commit", "COMMIT").await.map(|()| done),
        Err(error) => {
            let _ = session.batch_execute("ROLLBACK").await;
            Err(error)
        }
    }
}

async fn run(session: &Session, doing: &str, sql: &str) -> Result<()> {
    session.batch_execute(sql).await.map_err(|error| refused(doing, error))
}

/// A statement failed; with the server's message, and not its detail, which can hold values.
fn refused(doing: &str, error: tokio_postgres::Error) -> Error {
    let error = match error.as_db_error().map(|said| said.message().to_owned()) {
        Some(said) => Error::new(&RESTORE_FAILED, format!("{doing}: {said}")),
        None => Error::new(&RESTORE_FAILED, doing.to_owned()).with_source(error),
    };
    error.with_hint("nothing was changed")
}

fn step(monitor: &dyn Monitor, doing: String) {
    monitor.event(Event::Step { doing });
}

/// A table's name in SQL; `None` where it is not UTF-8.
fn sql_name(table: &TableName) -> Option<String> {
    Some(qualified(table.schema.as_str()?, table.name.as_str()?))
}
