//! What the live database has, and what stands in the way.

use super::{Chosen, Mode, refused, run, sql_name};
use crate::connection::Session;
use crate::error::codes::{QUERY_FAILED, RESTORE_REFUSED};
use crate::inventory::TableName;
use crate::queries;
use crate::restore::quote_name;
use backup_core::error::ResultExt;
use backup_core::{Error, Result};
use std::collections::BTreeSet;

/// A table of the live database.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    /// Qualified and quoted.
    pub(super) sql: String,
    pub(super) owner: String,
    ordinary: bool,
    owns: bool,
    pub(super) columns: Vec<String>,
    /// The columns of its primary key.
    pub(super) key: Vec<String>,
    /// Columns that own a sequence, with that as SQL.
    pub(super) sequences: Vec<(String, String)>,
}

pub(super) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_name(schema), quote_name(name))
}

fn failed(table: &str) -> impl FnOnce() -> String + '_ {
    move || format!("ask about table {table}")
}

impl Live {
    pub(super) async fn find(session: &Session, table: &TableName) -> Result<Option<Self>> {
        let (Some(schema), Some(name)) = (table.schema.as_str(), table.name.as_str()) else { return Ok(None) };
        let sql = qualified(schema, name);
        let row =
            session.query_opt(queries::TABLE_LIVE, &[&schema, &name]).await.or_code(&QUERY_FAILED, failed(&sql))?;
        let Some(row) = row else { return Ok(None) };
        let oid: u32 = row.get("oid");
        let columns = session.query(queries::TABLE_COLUMNS, &[&oid]).await.or_code(&QUERY_FAILED, failed(&sql))?;
        let owned = columns.iter().filter_map(|row| Some((row.get(0), row.get::<_, Option<String>>(1)?)));
        Ok(Some(Live {
            oid,
            owner: row.get("owner"),
            ordinary: row.get("ordinary"),
            owns: row.get("owns"),
            key: row.get("key"),
            sequences: owned.collect(),
            columns: columns.iter().map(|row| row.get(0)).collect(),
            schema: schema.to_owned(),
            name: name.to_owned(),
            sql,
        }))
    }

    /// The dated name under which its rows are kept, as SQL.
    pub(super) fn kept_name(&self, stamp: &str) -> String {
        // A name has at most 63 bytes (NAMEDATALEN in pg_config_manual.h).
        let room = 63 - "_before_".len() - stamp.len();
        let mut end = self.name.len().min(room);
        while !self.name.is_char_boundary(end) {
            end -= 1;
        }
        qualified(&self.schema, &format!("{}_before_{stamp}", &self.name[..end]))
    }
}

/// Locks the live tables, so that what is looked at next stays so. Those that are not there are told later.
pub(super) async fn lock(session: &Session, chosen: &Chosen, mode: Mode) -> Result<()> {
    let how = if mode == Mode::Replace { "ACCESS EXCLUSIVE" } else { "SHARE ROW EXCLUSIVE" };
    for record in &chosen.records {
        if Live::find(session, &record.table).await?.is_some_and(|live| live.ordinary)
            && let Some(sql) = sql_name(&record.table)
        {
            run(session, &format!("lock table {sql}"), &format!("LOCK TABLE ONLY {sql} IN {how} MODE")).await?;
        }
    }
    Ok(())
}

/// What keeps a new schema from being made.
pub(super) async fn beside(session: &Session, schema: &str) -> Result<Vec<String>> {
    let row = session.query_one(queries::TABLE_SCHEMA, &[&schema]).await;
    let row = row.or_code(&QUERY_FAILED, || format!("ask for schema {}", quote_name(schema)))?;
    let mut obstacles = Vec::new();
    if row.get("there") {
        obstacles.push(format!("schema {} exists already: choose another name, or drop it", quote_name(schema)));
    }
    if schema.is_empty() || schema.len() > 63 || schema.starts_with("pg_") {
        obstacles.push(format!(
            "{schema:?} cannot be the name of a schema: choose one of 1 to 63 bytes that does not begin with pg_"
        ));
    }
    if !row.get::<_, bool>("may_create") {
        let role: String = row.get("role");
        let database: String = row.get("database");
        obstacles.push(format!(
            "role \"{role}\" may not make schemas here: as the database's owner, run GRANT CREATE ON DATABASE {} TO {}",
            quote_name(&database),
            quote_name(&role)
        ));
    }
    Ok(obstacles)
}

const BESIDE: &str = "restore it into a schema of its own (the default) and copy from there";

fn of_table(table: &TableName, live: &Option<Live>, obstacles: &mut Vec<String>) -> Option<Live> {
    let Some(live) = live else {
        obstacles.push(format!("there is no table {table} here: {BESIDE}"));
        return None;
    };
    if !live.ordinary {
        obstacles.push(format!("{table} is not an ordinary table here: {BESIDE}"));
        return None;
    }
    if !live.owns {
        obstacles
            .push(format!("table {table} belongs to role \"{}\": restore as that role or a superuser", live.owner));
    }
    Some(live.clone())
}

/// What keeps rows from being exchanged, and what should be known of it.
pub(super) async fn replace(
    session: &Session,
    chosen: &Chosen,
    live: &[Option<Live>],
) -> Result<(Vec<String>, Vec<String>)> {
    let (mut obstacles, mut warnings) = (Vec::new(), Vec::new());
    let oids: Vec<u32> = live.iter().flatten().map(|live| live.oid).collect();
    for (record, live) in chosen.records.iter().zip(live) {
        let table = &record.table;
        let Some(live) = of_table(table, live, &mut obstacles) else { continue };
        let theirs: BTreeSet<String> = record.columns.iter().map(|column| column.lossy().into_owned()).collect();
        let ours: BTreeSet<String> = live.columns.iter().cloned().collect();
        if theirs != ours {
            let list = |set: Vec<&String>| set.iter().map(|name| quote_name(name)).collect::<Vec<_>>().join(", ");
            let (gone, new) = (list(theirs.difference(&ours).collect()), list(ours.difference(&theirs).collect()));
            let what = match (gone.is_empty(), new.is_empty()) {
                (false, true) => format!("lacks {gone}, which the backup has"),
                (true, false) => format!("has {new}, which the backup lacks"),
                _ => format!("lacks {gone} and has {new}, unlike the backup"),
            };
            obstacles.push(format!("table {table} {what}: {BESIDE}"));
        }
        let pointing = session.query(queries::TABLE_POINTED_AT, &[&live.oid, &oids]).await;
        for row in pointing.or_code(&QUERY_FAILED, failed(&live.sql))? {
            obstacles.push(format!(
                "foreign key {} points at table {table}: restore that table with it, use --missing-rows, or {BESIDE}",
                row.get::<_, String>(0)
            ));
        }
        let views = session.query(queries::TABLE_MATERIALIZED, &[&live.oid]).await;
        for row in views.or_code(&QUERY_FAILED, failed(&live.sql))? {
            warnings.push(format!(
                "materialised view {} reads table {table}: refresh it afterwards",
                row.get::<_, String>(0)
            ));
        }
    }
    Ok((obstacles, warnings))
}

/// What keeps missing rows from being put back.
pub(super) fn missing_rows(chosen: &Chosen, live: &[Option<Live>]) -> Vec<String> {
    let mut obstacles = Vec::new();
    for (record, live) in chosen.records.iter().zip(live) {
        let table = &record.table;
        let Some(live) = of_table(table, live, &mut obstacles) else { continue };
        let has = |column: &String| record.columns.iter().any(|name| name.lossy() == column.as_str());
        if live.key.is_empty() || !live.key.iter().all(has) {
            obstacles.push(format!("table {table} has no primary key that the backup has too, so nobody can tell which rows are missing: {BESIDE}"));
        }
        let gone: Vec<String> = record
            .columns
            .iter()
            .filter(|column| !live.columns.iter().any(|own| column.lossy() == own.as_str()))
            .map(|column| column.quoted().into_owned())
            .collect();
        if !gone.is_empty() {
            obstacles.push(format!("table {table} lacks {}, which the backup has: {BESIDE}", gone.join(", ")));
        }
    }
    obstacles
}

/// The tables in an order in which foreign keys among them find what they point at.
pub(super) async fn parents_first(session: &Session, live: &[Live]) -> Result<Vec<usize>> {
    let oids: Vec<u32> = live.iter().map(|live| live.oid).collect();
    let rows = session.query(queries::TABLE_FOREIGN_KEYS, &[&oids]).await;
    let rows = rows.or_code(&QUERY_FAILED, || "ask for the foreign keys among the tables".to_owned())?;
    let position = |oid: u32| oids.iter().position(|other| *other == oid);
    let pairs: Vec<(usize, usize)> =
        rows.iter().filter_map(|row| Some((position(row.get(0))?, position(row.get(1))?))).collect();
    let mut rest: Vec<usize> = (0..live.len()).collect();
    let mut ordered = Vec::new();
    while !rest.is_empty() {
        let free = |child: &usize| pairs.iter().all(|(from, to)| from != child || to == child || !rest.contains(to));
        let (now, later): (Vec<usize>, Vec<usize>) = rest.iter().copied().partition(free);
        if now.is_empty() {
            return Err(Error::new(
                &RESTORE_REFUSED,
                format!(
                    "foreign keys go around among {}",
                    later.iter().map(|index| live[*index].sql.as_str()).collect::<Vec<_>>().join(", ")
                ),
            )
            .with_hint(format!("nothing was changed; {BESIDE}")));
        }
        ordered.extend(now);
        rest = later;
    }
    Ok(ordered)
}

/// A trigger of the user's that fires, and how it is told to.
pub(super) type Trigger = (String, String);

/// Makes the user's own triggers of a table silent, and gives those that were not. Foreign keys are still checked.
pub(super) async fn quiet_triggers(session: &Session, live: &Live) -> Result<Vec<Trigger>> {
    let rows = session.query(queries::TABLE_TRIGGERS, &[&live.oid]).await.or_code(&QUERY_FAILED, failed(&live.sql))?;
    let triggers: Vec<Trigger> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for (trigger, _) in &triggers {
        let statement = format!("ALTER TABLE ONLY {} DISABLE TRIGGER {}", live.sql, quote_name(trigger));
        run(session, &format!("keep the triggers of {} from firing", live.sql), &statement).await?;
    }
    Ok(triggers)
}

/// Gives the triggers their state back.
pub(super) async fn wake_triggers(session: &Session, live: &Live, triggers: &[Trigger]) -> Result<()> {
    if !triggers.is_empty() {
        // Foreign keys that wait for the end of the transaction would keep the table from being altered.
        run(session, "check the foreign keys", "SET CONSTRAINTS ALL IMMEDIATE").await?;
    }
    for (trigger, how) in triggers {
        let statement = format!("ALTER TABLE ONLY {} {how} TRIGGER {}", live.sql, quote_name(trigger));
        run(session, &format!("let the triggers of {} fire again", live.sql), &statement).await?;
    }
    Ok(())
}

/// Default privileges may have given a new table to everybody: nobody but its owner may read what was restored or kept.
pub(super) async fn hide(session: &Session, table: &str) -> Result<()> {
    let rows = session
        .query(queries::TABLE_GRANTEES, &[&table])
        .await
        .map_err(|error| refused("ask for privileges", error))?;
    for row in rows {
        let grantee = row.get::<_, Option<String>>(0).map_or_else(|| "PUBLIC".to_owned(), |name| quote_name(&name));
        run(session, &format!("hide table {table}"), &format!("REVOKE ALL ON TABLE {table} FROM {grantee}")).await?;
    }
    run(session, &format!("hide table {table}"), &format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")).await
}

/// The same for a new schema; `$SCHEMA` is its name as a string.
pub(super) const REVOKE_SCHEMA: &str = "DO $do$ DECLARE one record; BEGIN
    FOR one IN SELECT a.grantee FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a WHERE n.nspname = $SCHEMA AND a.grantee <> n.nspowner LOOP
        IF one.grantee = 0 THEN EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', $SCHEMA);
        ELSE EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA %I FROM %I', $SCHEMA, pg_catalog.pg_get_userbyid(one.grantee)); END IF;
    END LOOP; END $do$";
