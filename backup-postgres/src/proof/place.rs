//! Where a backup is restored for a proof: a scratch cluster of our own, or a server that was named.

use crate::connection::{Connection, Session};
use crate::error::codes::{CONNECTION_LOST, DATABASE_UNREACHABLE, QUERY_FAILED};
use crate::prover::PgProver;
use crate::queries;
use crate::restore::rehearsal::{Gap, Stage};
use crate::scratch::{Isolation, Scratch};
use crate::tools::{Tools, Version};
use backup_core::error::ResultExt;
use backup_core::names::PartName;
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use std::collections::BTreeMap;

/// A script of roles is read up to this size: a million roles.
const MAX_GLOBALS: usize = 256 << 20;
/// Indexes take about a third of a database's size when nobody says how large it was.
const GROWTH: u64 = 2;

pub(super) enum Place {
    Own(Box<Scratch>),
    Server { connection: Box<Connection>, tools: Box<Tools>, version: Version, name: String },
}

/// How rows are to be written and read.
pub(super) struct Settings {
    /// Variables for PostgreSQL's programs.
    pub(super) program: Vec<(String, String)>,
    pub(super) gap: Option<Gap>,
}

impl Place {
    pub(super) async fn provide(prover: &PgProver, backup: &dyn Restorable) -> Result<Self> {
        let manifest = backup.manifest();
        let version = |name: &str| manifest.source.versions.get(name).and_then(|text| Version::parse(text));
        let server = version("server").unwrap_or(Version { major: 0, minor: 0 });
        let archive = version("pg_dump").unwrap_or(server);
        if let Some(connection) = &prover.scratch {
            let session = connection.connect_without_limits().await?;
            let found = server_version(&session).await?;
            let tools = prover.own.installed().await.for_restore(archive, found)?;
            let mut random = [0; 4];
            getrandom::fill(&mut random).map_err(|error| {
                Error::new(&backup_core::error::codes::IO, format!("read the system's random source: {error}"))
            })?;
            let id = manifest.id.as_str().to_lowercase();
            let name = format!("backproof_drill_{}_{:08x}", id.replace('-', "_"), u32::from_le_bytes(random));
            let connection = Box::new(session.connection().clone());
            return Ok(Place::Server { connection, tools: Box::new(tools), version: found, name });
        }
        let options = prover.own.clone().for_archive(archive, server).expect_bytes(expected_bytes(backup));
        let options = options.superuser(superuser(backup).await?.unwrap_or_else(|| "postgres".into()));
        Ok(Place::Own(Box::new(Scratch::start(&options).await?)))
    }

    /// What drills that were killed left on the server that was named, each with the statement that drops it. One that is running is connected.
    pub(super) async fn left_behind(&self) -> Result<Vec<String>> {
        let Place::Server { connection, .. } = self else { return Ok(Vec::new()) };
        let session = connection.connect_without_limits().await?;
        let rows = session.query(queries::LEFT_DRILLS, &[]).await;
        let rows = rows.or_code(&QUERY_FAILED, || "ask for databases that drills left".to_owned())?;
        let said = rows.iter().map(|row| {
            let name: &str = row.get(0);
            format!("database \"{name}\" may be left of a drill that was killed: if none is running now, DROP DATABASE \"{name}\"")
        });
        Ok(said.collect())
    }

    pub(super) fn tools(&self) -> &Tools {
        match self {
            Place::Own(scratch) => scratch.tools(),
            Place::Server { tools, .. } => tools,
        }
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self, Place::Own(_))
    }

    pub(super) fn stage(&self, prover: &PgProver) -> Stage<'_> {
        let (connection, name) = match self {
            Place::Own(scratch) => (scratch.connection(), None),
            Place::Server { connection, name, .. } => (&**connection, Some(name.clone())),
        };
        Stage { connection, tools: self.tools(), own: self.is_own(), name, jobs: prover.jobs }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Place::Own(scratch) => format!("a scratch cluster of PostgreSQL {}", scratch.version()),
            Place::Server { connection, name, .. } => connection.with_database(name).to_string(),
        }
    }

    pub(super) fn isolation(&self) -> Vec<String> {
        let none = Isolation::none("the server that was named is used as it is");
        let isolation = match self {
            Place::Own(scratch) => scratch.isolation(),
            Place::Server { .. } => &none,
        };
        vec![
            format!("own user: {}", isolation.uid),
            format!("no network: {}", isolation.network),
            format!("no other files: {}", isolation.files),
        ]
    }

    pub(super) fn versions(&self, backup: &dyn Restorable) -> BTreeMap<String, String> {
        let mut versions = backup.manifest().source.versions.clone();
        let server = match self {
            Place::Own(scratch) => scratch.version(),
            Place::Server { version, .. } => *version,
        };
        versions.insert("scratch_server".into(), server.to_string());
        versions.insert("pg_restore".into(), self.tools().pg_restore.version.to_string());
        versions
    }

    /// Why the cluster ended, if it did.
    /// Whether the server is there.
    pub(super) async fn answers(&self) -> Result<()> {
        let connection = match self {
            Place::Own(scratch) => scratch.connection(),
            Place::Server { connection, .. } => connection,
        };
        match connection.connect().await {
            Err(error) if error.is(&DATABASE_UNREACHABLE) || error.is(&CONNECTION_LOST) => Err(error),
            // A database of that name may be gone, for one that the backup brings.
            _ => Ok(()),
        }
    }

    pub(super) fn died(&self) -> Option<String> {
        match self {
            Place::Own(scratch) => scratch.died(),
            Place::Server { .. } => None,
        }
    }

    /// What `money` looks like is a setting of the session.
    pub(super) async fn settings(connection: &Connection, lc_monetary: Option<&str>) -> Result<Settings> {
        let mut settings = Settings { program: Vec::new(), gap: None };
        let Some(wanted) = lc_monetary else { return Ok(settings) };
        let session = connection.connect_without_limits().await?;
        let row = session
            .query_one(queries::LC_MONETARY, &[])
            .await
            .or_code(&QUERY_FAILED, || "ask the scratch server for its settings".into())?;
        let (current, needed): (String, bool) = (row.get("current"), row.get("has_money"));
        if current == wanted {
            return Ok(settings);
        }
        if session.query_one(queries::SET_LC_MONETARY, &[&wanted]).await.is_ok() {
            // Spaces and backslashes are escaped in PGOPTIONS (process_postgres_switches, pg_split_opts).
            let value = wanted.replace('\\', "\\\\").replace(' ', "\\ ");
            settings.program.push(("PGOPTIONS".into(), format!("-c lc_monetary={value}")));
        } else if needed {
            settings.gap = Some(Gap {
                cause: "lc_monetary".into(),
                reason: format!(
                    "the scratch server lacks the locale \"{wanted}\", which columns of type money were written in"
                ),
            });
        }
        Ok(settings)
    }

    pub(super) async fn remove(self) {
        if let Place::Own(scratch) = self {
            scratch.stop().await;
        }
    }
}

async fn server_version(session: &Session) -> Result<Version> {
    let row = session.query_one(queries::RESTORE_SERVER, &[]).await;
    let row = row.or_code(&QUERY_FAILED, || format!("ask {} for its version", session.connection()))?;
    Ok(Version::from_number(row.get::<_, i32>("version_number").unsigned_abs()))
}

/// About how many bytes the database will have: as many as at the source, or by the size of the dump.
fn expected_bytes(backup: &dyn Restorable) -> u64 {
    let manifest = backup.manifest();
    let size = manifest.source.facts.get("size").and_then(|size| size.parse::<u64>().ok());
    let dump = crate::dump_part();
    let bytes = manifest.parts.iter().find(|part| part.name == dump.as_str()).map_or(0, |part| part.plain_bytes);
    size.unwrap_or(0).max(if size.is_some() { bytes } else { bytes.saturating_mul(GROWTH) })
}

/// The superuser that the source's cluster was made with, as far as its roles tell: what the system's own objects belong to.
async fn superuser(backup: &dyn Restorable) -> Result<Option<String>> {
    let part = PartName::from_static("globals");
    if !backup.manifest().parts.iter().any(|entry| entry.name == part.as_str()) {
        return Ok(None);
    }
    let mut stream = backup.open(&part).await?;
    let mut script = Vec::new();
    while let Some(piece) = stream.next().await? {
        if script.len() + piece.len() > MAX_GLOBALS {
            return Ok(None);
        }
        script.extend_from_slice(&piece);
    }
    Ok(superuser_of(&String::from_utf8_lossy(&script)))
}

/// `ALTER ROLE postgres WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS;`: initdb gives it everything.
fn superuser_of(script: &str) -> Option<String> {
    let all: Vec<String> = script
        .lines()
        .filter_map(|line| line.strip_prefix("ALTER ROLE "))
        .filter_map(|line| line.split_once(" WITH "))
        .filter(|(_, rights)| {
            let words: Vec<&str> = rights.trim_end_matches(';').split(' ').collect();
            ["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"]
                .iter()
                .all(|right| words.contains(right))
        })
        .map(|(name, _)| match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => name.to_owned(),
        })
        .collect();
    all.iter().find(|name| *name == "postgres").or(all.first()).cloned()
}

#[cfg(test)]
mod tests {
    use super::superuser_of;

    #[test]
    fn the_first_of_all_superusers() {
        let script = "CREATE ROLE a;\nALTER ROLE a WITH SUPERUSER INHERIT NOCREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS;\n\
                      ALTER ROLE \"the \"\"boss\" WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS PASSWORD 'x';\n";
        assert_eq!(superuser_of(script).as_deref(), Some("the \"boss"));
        let more = format!(
            "{script}ALTER ROLE postgres WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS;\n"
        );
        assert_eq!(superuser_of(&more).as_deref(), Some("postgres"));
        assert_eq!(superuser_of("ALTER ROLE a WITH NOSUPERUSER;\n"), None);
    }
}
