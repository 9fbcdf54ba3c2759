//! What the server that is restored to has.

use super::toc::{Database, Toc};
use crate::connection::Session;
use crate::error::codes::QUERY_FAILED;
use crate::queries;
use crate::tools::Version;
use backup_core::Result;
use backup_core::error::ResultExt;
use backup_core::text::printable;
use std::collections::{BTreeMap, BTreeSet};

/// The server and the role that restores.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) version: Version,
    data_folder: Option<String>,
    pub(super) role: String,
    pub(super) is_superuser: bool,
    may_create_databases: bool,
    pub(super) may_alter_roles: bool,
    /// Each role, and whether objects can be given to it.
    pub(super) roles: BTreeMap<String, bool>,
    /// Each extension, and whether an ordinary role may create it.
    extensions: BTreeMap<String, bool>,
    tablespaces: BTreeSet<String>,
    exists: bool,
    /// The comment of the database, if it is there, is that of a restore of ours that did not finish.
    unfinished: bool,
    /// Whether sessions of this role, in the database that was asked, are ended when they are idle.
    pub(super) ends_idle_sessions: bool,
    is_local: bool,
}

impl Server {
    /// Asks the server; `name` is the database to be.
    pub(super) async fn ask(session: &Session, name: &str) -> Result<Self> {
        let failed = || format!("ask {} what it has", session.connection());
        let row = session.query_one(queries::RESTORE_SERVER, &[]).await.or_code(&QUERY_FAILED, failed)?;
        let version = Version::from_number(row.get::<_, i32>("version_number").unsigned_abs());
        let pairs = async |query: &str| -> Result<BTreeMap<String, bool>> {
            let rows = session.query(query, &[]).await.or_code(&QUERY_FAILED, failed)?;
            Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
        };
        let tablespaces = session.query(queries::RESTORE_TABLESPACES, &[]).await.or_code(&QUERY_FAILED, failed)?;
        Ok(Server {
            version,
            data_folder: row.get("data_folder"),
            is_superuser: row.get("superuser"),
            may_create_databases: row.get("may_create_databases"),
            may_alter_roles: row.get("may_alter_roles"),
            role: row.get("role"),
            roles: pairs(queries::RESTORE_ROLES).await?,
            extensions: pairs(queries::RESTORE_EXTENSIONS).await?,
            tablespaces: tablespaces.iter().map(|row| row.get(0)).collect(),
            ends_idle_sessions: session
                .query_one(queries::IDLE_LIMIT, &[])
                .await
                .or_code(&QUERY_FAILED, failed)?
                .get(0),
            exists: database_exists(session, name).await?,
            unfinished: unfinished(session, name).await?,
            is_local: session.connection().host().starts_with('/'),
        })
    }

    pub(super) fn has_extension(&self, name: &str) -> bool {
        self.extensions.contains_key(name)
    }

    pub(super) fn has_tablespace(&self, name: &str) -> bool {
        self.tablespaces.contains(name)
    }

    pub(super) fn has_database(&self) -> bool {
        self.exists
    }

    pub(super) fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// Bytes that are free where the server's data is, if it is on this machine and says where.
    pub(super) fn free_space(&self) -> Option<u64> {
        let folder = self.data_folder.as_ref().filter(|_| self.is_local)?;
        let space = rustix::fs::statvfs(folder).ok()?;
        Some(space.f_bavail.saturating_mul(space.f_frsize))
    }

    /// What makes the restore impossible, each with the way out.
    pub(super) fn obstacles(&self, toc: &Toc, name: &str, no_owner: bool, newer: Option<Version>) -> Vec<String> {
        let mut obstacles = Vec::new();
        if self.exists {
            obstacles.push(format!("database \"{name}\" exists already: choose a name that does not exist yet"));
        }
        if !self.may_create_databases {
            obstacles.push(format!(
                "role \"{0}\" may not create databases: as a superuser, run ALTER ROLE {1} CREATEDB",
                self.role,
                super::statement::quote_name(&self.role)
            ));
        }
        obstacles.extend(self.obstacles_in_database(toc, no_owner, newer));
        obstacles
    }

    /// The same for a database that is there.
    pub(super) fn obstacles_in_database(&self, toc: &Toc, no_owner: bool, newer: Option<Version>) -> Vec<String> {
        let mut obstacles = Vec::new();
        if let Some(newer) = newer {
            obstacles.push(format!(
                "the backup is of PostgreSQL {newer}, and an older server ({}) does not understand all of it: restore to the same version or a newer one",
                self.version
            ));
        }
        for what in &toc.beyond_rights {
            obstacles.push(format!(
                "role \"{}\" may not restore {what}: restore as a superuser, or use --no-owner",
                self.role
            ));
        }
        if !no_owner {
            for (role, uses) in toc.missing_roles() {
                obstacles.push(format!(
                    "role \"{role}\" does not exist here ({} objects belong to it, {} privileges and settings name it): create it (the backup's part `globals` has it), or use --no-owner",
                    uses.owns, uses.named
                ));
            }
            for (role, uses) in &toc.roles {
                if uses.owns > 0 && self.roles.get(role) == Some(&false) {
                    obstacles.push(format!(
                        "role \"{0}\" may not give objects to role \"{role}\", which owns {1}: as a superuser, run GRANT {2} TO {3}, or use --no-owner",
                        self.role,
                        uses.owns,
                        super::statement::quote_name(role),
                        super::statement::quote_name(&self.role)
                    ));
                }
            }
        }
        for extension in toc.extensions.iter().filter(|name| !self.extensions.contains_key(*name)) {
            obstacles.push(format!("the server lacks extension \"{extension}\": install it there"));
        }
        for tablespace in toc.tablespaces.difference(&self.tablespaces) {
            obstacles
                .push(format!("tablespace \"{tablespace}\" does not exist here: create it, or use --no-tablespaces"));
        }
        fit(obstacles)
    }

    /// What the user should know before starting.
    pub(super) fn warnings(&self, toc: &Toc, newer: Option<Version>, authentic: bool, bytes: u64) -> Vec<String> {
        let mut warnings = Vec::new();
        if !authentic && self.is_superuser {
            warnings.push(format!(
                "the backup's signature was not checked, and it is restored as the superuser \"{}\": whoever could write to the repository can run code on this server",
                self.role
            ));
        }
        if let Some(newer) = newer {
            warnings.push(format!(
                "the backup is of PostgreSQL {newer} and the server is older ({}): what it does not know will fail",
                self.version
            ));
        }
        if !self.is_superuser {
            for (extension, _) in
                self.extensions.iter().filter(|(name, anybody)| toc.extensions.contains(*name) && !**anybody)
            {
                warnings.push(format!("extension \"{extension}\" usually takes a superuser to create"));
            }
        }
        if let Some(free) = self.free_space().filter(|free| *free < bytes.saturating_mul(5) / 4) {
            warnings.push(format!(
                "the server's disk has {free} bytes free, and the backup has {bytes} bytes of data before indexes"
            ));
        }
        warnings.extend(toc.left_out.iter().map(|what| format!("not restored: {what}")));
        fit(warnings)
    }
}

/// One line each, whatever the names in them are.
fn fit(messages: Vec<String>) -> Vec<String> {
    messages.iter().map(|message| printable(message).into_owned()).collect()
}

/// What the archive says of the database as text: the server knows its encodings best.
pub(super) async fn decode(session: &Session, database: &Database, encoding: Option<&str>) -> Result<Database<String>> {
    let text = async |bytes: &Vec<u8>| match (std::str::from_utf8(bytes), encoding) {
        (Ok(text), _) => Ok(text.to_owned()),
        (Err(_), Some(encoding)) if encoding != "SQL_ASCII" => {
            let row = session.query_one(queries::DECODE, &[bytes, &encoding]).await;
            let failed = || format!("read the definition of the database, in {encoding}");
            Ok(row.or_code(&QUERY_FAILED, failed)?.get(0))
        }
        // Nobody knows what it means; that of the database itself is a comment or a setting at most.
        _ => Ok(String::from_utf8_lossy(bytes).into_owned()),
    };
    let maybe = async |bytes: &Option<Vec<u8>>| match bytes {
        Some(bytes) => text(bytes).await.map(Some),
        None => Ok(None),
    };
    let mut others = Vec::new();
    for bytes in &database.others {
        others.push(text(bytes).await?);
    }
    Ok(Database {
        name: maybe(&database.name).await?,
        owner: maybe(&database.owner).await?,
        create: maybe(&database.create).await?,
        others,
    })
}

/// Whether the database says of itself that a restore into it has not finished, as [`prepare`](super::database::Created::prepare) notes it.
async fn unfinished(session: &Session, name: &str) -> Result<bool> {
    let query =
        "SELECT pg_catalog.shobj_description(d.oid, 'pg_database') FROM pg_catalog.pg_database d WHERE d.datname = $1";
    let row = session.query_opt(query, &[&name]).await;
    let row = row.or_code(&QUERY_FAILED, || format!("ask {} about database \"{name}\"", session.connection()))?;
    let comment: Option<String> = row.and_then(|row| row.get(0));
    Ok(comment.is_some_and(|text| text.starts_with("backproof: restore of ") && text.contains("has not finished")))
}

/// Whether a database of this name exists.
pub(super) async fn database_exists(session: &Session, name: &str) -> Result<bool> {
    let row = session.query_one(queries::DATABASE_EXISTS, &[&name]).await;
    let row = row.or_code(&QUERY_FAILED, || format!("ask {} for database \"{name}\"", session.connection()))?;
    Ok(row.get(0))
}
