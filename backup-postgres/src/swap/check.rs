//! What can stand in the way of a swap.

use super::left_behind;
use super::names::Names;
use crate::connection::Session;
use crate::error::codes::{QUERY_FAILED, SWAP_REFUSED};
use crate::queries;
use crate::restore::quote_name;
use backup_core::error::ResultExt;
use backup_core::id::random_hex;
use backup_core::{Error, Result};

/// What belongs to a database rather than to its name: it stays with the one that was live.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Staying {
    /// `replication slot`, `subscription` or `prepared transaction`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What a swap would do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwapPlan {
    /// The steps, for people.
    pub steps: Vec<String>,
    /// What makes it impossible, each with the way out.
    pub obstacles: Vec<String>,
    /// Worth knowing.
    pub warnings: Vec<String>,
    /// What stays with the database that is live now.
    pub staying: Vec<Staying>,
    /// Connections to the live database that would be ended.
    pub connections: u64,
    pub(super) names: Names,
    pub(super) live_oid: u32,
    /// The database to restore into exists: right before the swap it must.
    pub(super) has_beside: bool,
}

impl SwapPlan {
    /// The name of the database that is restored into, until the swap.
    pub fn beside(&self) -> &str {
        &self.names.beside
    }

    /// The name under which the database that is live now would be kept.
    pub fn kept(&self) -> &str {
        &self.names.kept
    }

    /// The error where there are obstacles.
    pub fn require(&self) -> Result<()> {
        let exists = self.has_beside.then(|| format!("database \"{}\" exists already: try again", self.names.beside));
        refuse(self.obstacles.iter().cloned().chain(exists).collect())
    }

    /// The same right before the swap.
    pub(super) fn require_beside(&self, name: &str) -> Result<()> {
        let gone = (!self.has_beside).then(|| format!("the restored database \"{name}\" is gone"));
        refuse(self.obstacles.iter().cloned().chain(gone).collect())
    }
}

pub(super) fn refuse(obstacles: Vec<String>) -> Result<()> {
    if obstacles.is_empty() { Ok(()) } else { Err(Error::new(&SWAP_REFUSED, obstacles.join("; "))) }
}

/// What the way out is where databases cannot be renamed.
pub(super) const OTHERWISE: &str =
    "or restore in place, into the same database, or into a new one that you point the applications at";

/// Asks the server.
pub(super) async fn plan(session: &Session, names: &Names, ignore_slots: bool) -> Result<SwapPlan> {
    let failed = || format!("ask {} about database \"{}\"", session.connection(), names.live);
    let row = session.query_opt(queries::SWAP_DATABASE, &[&names.live]).await.or_code(&QUERY_FAILED, failed)?;
    let Some(row) = row else {
        return Err(Error::new(&SWAP_REFUSED, format!("there is no database \"{}\" to replace", names.live))
            .with_hint("without it, this is a plain restore: leave --swap out"));
    };
    let live_oid: u32 = row.get("oid");
    let mut obstacles = rename_obstacles(&row, names);
    let connections: i64 = row.get("connections");
    let beyond: i64 = row.get("beyond");
    if beyond > 0 {
        obstacles.push(format!(
            "{beyond} connections to database \"{}\" belong to roles whose connections role \"{1}\" may not end: end them, or, as a superuser, run GRANT pg_signal_backend TO {2}",
            names.live,
            row.get::<_, String>("role"),
            quote_name(&row.get::<_, String>("role"))
        ));
    }
    let mut staying = Vec::new();
    for found in session.query(queries::SWAP_STAYING, &[&live_oid]).await.or_code(&QUERY_FAILED, failed)? {
        staying.push(Staying { kind: found.get(0), name: found.get(1) });
    }
    let mut warnings = Vec::new();
    for staying in &staying {
        let what =
            format!("{} {} belongs to database \"{}\" and stays with it", staying.kind, staying.name, names.live);
        match (staying.kind.as_str(), ignore_slots) {
            // The server does not rename a database that has any.
            ("prepared transaction", _) => obstacles.push(format!("{what}: COMMIT PREPARED or ROLLBACK PREPARED it")),
            (_, true) => warnings.push(what),
            (_, false) => obstacles.push(format!("{what}: drop it, or say --ignore-slots")),
        }
    }
    warnings.extend(left_behind::stopped(session, live_oid, &names.live).await?);
    let mut has_beside = false;
    for found in session.query(queries::SWAP_NAMES, &[&live_oid]).await.or_code(&QUERY_FAILED, failed)? {
        let (name, comment): (String, Option<String>) = (found.get(0), found.get(1));
        if name == names.kept {
            obstacles.push(format!("database \"{name}\" exists already: try again"));
        } else if name == names.beside {
            has_beside = true;
        } else {
            warnings.extend(left_behind::database(names, &name, comment.as_deref()));
        }
    }
    let Names { live, beside, kept, .. } = names;
    let steps = vec![
        format!("restore into a new database \"{beside}\""),
        format!("end {connections} connections to database \"{live}\""),
        format!(
            "in one transaction: rename \"{live}\" to \"{kept}\", and \"{beside}\" to \"{live}\", with the owner, privileges, settings, limits and comment that \"{live}\" has"
        ),
        format!("keep \"{kept}\" until it is dropped, or rolled back to"),
    ];
    let names = names.clone();
    Ok(SwapPlan {
        steps,
        obstacles,
        warnings,
        staying,
        connections: connections.unsigned_abs(),
        names,
        live_oid,
        has_beside,
    })
}

/// What keeps this role from renaming the database.
pub(super) fn rename_obstacles(row: &tokio_postgres::Row, names: &Names) -> Vec<String> {
    let mut obstacles = Vec::new();
    let role: String = row.get("role");
    let live = &names.live;
    if row.get("in_recovery") {
        obstacles.push("the server is a standby: swap on its primary".to_owned());
    }
    if matches!(live.as_str(), "template0" | "template1") {
        obstacles.push(format!("\"{live}\" is a template that the server needs"));
    }
    if live == "postgres" {
        obstacles.push(format!(
            "\"{live}\" is the database that programs connect to when they name none, this one too: restore in place, or into a new database"
        ));
    }
    if !row.get::<_, bool>("owns") {
        obstacles.push(format!(
            "role \"{role}\" does not own database \"{live}\", so it may not rename it: connect as its owner or a superuser, {OTHERWISE}"
        ));
    }
    if !row.get::<_, bool>("may_create") {
        obstacles.push(format!(
            "role \"{role}\" may neither create nor rename databases: as a superuser, run ALTER ROLE {} CREATEDB, {OTHERWISE}",
            quote_name(&role)
        ));
    }
    obstacles
}

/// `NAME_WORD_` of a dated name.
pub(super) fn prefix(name: &str) -> String {
    name.rfind('_').map_or_else(String::new, |at| name[..=at].to_owned())
}

pub(super) fn is_dated(name: &str) -> bool {
    let stamp = name.rsplit('_').next().unwrap_or_default().as_bytes();
    stamp.len() == 16 && stamp[8] == b'T' && stamp[15] == b'Z'
}

/// Makes an empty database, renames it and drops it: what managed servers forbid beyond PostgreSQL's own rules shows only when it is tried.
pub(super) async fn try_renaming(session: Session, names: &Names) -> Result<()> {
    let first = format!("{}{}", left_behind::PROBE, random_hex()?);
    let hint = format!("swapping \"{}\" takes that; use a role that may, {OTHERWISE}", names.live);
    // To its end, even when our caller is dropped: nothing is left.
    let tried = tokio::spawn(async move {
        let [first, second] = [quote_name(&first), quote_name(&format!("{first}_renamed"))];
        let run = async |doing: &str, statement: String| {
            session.batch_execute(&statement).await.map_err(|error| {
                let said = error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned());
                Error::new(&SWAP_REFUSED, format!("this server does not let databases be {doing}: {said}"))
            })
        };
        run("created", format!("CREATE DATABASE {first} TEMPLATE template0 CONNECTION LIMIT 0")).await?;
        let renamed = run("renamed", format!("ALTER DATABASE {first} RENAME TO {second}")).await;
        let name = if renamed.is_ok() { second } else { first };
        run("dropped", format!("DROP DATABASE {name}")).await?;
        renamed
    });
    let tried = tried.await.or_code(&SWAP_REFUSED, || "try to rename a database".to_owned())?;
    tried.map_err(|error| error.with_hint(hint))
}
