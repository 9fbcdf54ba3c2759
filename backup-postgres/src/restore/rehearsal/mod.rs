//! A restore to see whether it works: [`PgRestore`](super::PgRestore)'s steps, one at a time, into a server where the roles of the source are unknown and
//! where something may be lacking.
//!
//! What the server lacks (an extension, a collation, a locale) and all that depends on it is left out and told as a [`Gap`]; everything else
//! that fails is an error. In a scratch cluster of our own, the database keeps its name, the roles that the archive names are made as stand-ins
//! that nobody can log in as, and data is loaded by a role without a superuser's rights.

mod data;
mod definitions;
mod features;
pub(crate) mod gap;
pub(crate) mod libraries;
mod provision;
mod render;
mod witness;

pub(crate) use gap::Gap;
pub(super) use witness::Witness;

use super::database::{Created, failed};
use super::programs::PgRestoreProgram;
use super::server::{self, Server};
use super::statement::quote_name;
use super::toc::{Choices, Database, Recreation, Toc};
use super::{ArchiveHead, part_bytes, version};
use crate::connection::{Connection, Session};
use crate::inventory::{Inventory, Recorded};
use crate::tools::{Tools, Version};
use backup_core::Result;
use backup_core::target::Restorable;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use witness::Outlined;

/// Where a rehearsal takes place.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    /// A database to connect to that is not the one to be.
    pub(crate) connection: &'a Connection,
    /// PostgreSQL's programs.
    pub(crate) tools: &'a Tools,
    /// Whether the server is ours alone: the database keeps its name, and roles and tablespaces are made.
    pub(crate) own: bool,
    /// The database to make on a server that is not ours.
    pub(crate) name: Option<String>,
    /// Indexes that are made at once.
    pub(crate) jobs: usize,
}

/// A restore that is under way, step by step.
pub(crate) struct Rehearsal {
    archive: ArchiveHead,
    connection: Connection,
    name: String,
    own: bool,
    jobs: usize,
    server: Server,
    database: Database<String>,
    recreation: Recreation,
    program: PgRestoreProgram,
    created: Option<Created>,
    backup: String,
    bytes: u64,
    dumped_from: Option<Version>,
    outline: Vec<Outlined>,
    /// What is left out, by dump id.
    skipped: BTreeMap<i32, Gap>,
    /// What is lacking beyond entries: a locale, roles, tablespaces.
    pub(crate) lacking: Vec<Gap>,
    loader: Option<String>,
    stand_ins: BTreeSet<String>,
    recorded: Option<Recorded>,
    attempt: usize,
    lc_monetary: Option<String>,
    data_was_checked: bool,
}

impl Rehearsal {
    /// Reads the table of contents and looks at the server. Changes nothing.
    pub(crate) async fn prepare(backup: &dyn Restorable, noted: Option<&Inventory>, stage: &Stage<'_>) -> Result<Self> {
        let own = stage.own;
        let mut session = stage.connection.connect_without_limits().await?;
        let choices = Choices { is_superuser: true, may_alter_roles: true, ..Choices::default() };
        let mut toc = Toc::new(choices);
        toc.witness = Some(Box::default());
        let mut archive = read_head(backup, noted, toc).await?;
        let toc = archive.parser.visitor_mut();
        let database = server::decode(&session, &toc.database, toc.encoding.as_deref()).await?;
        let name = stage.name.clone().or_else(|| database.name.clone()).unwrap_or_else(|| "restored".into());
        if own && name == stage.connection.database() {
            session = stage.connection.with_database("template1").connect_without_limits().await?;
        }
        let server = Server::ask(&session, &name).await?;
        // An archive that was made of a part of a database has no word about the database.
        let mut recreation = match &database.create {
            Some(_) => toc.recreation(&name, &database)?,
            None => Recreation {
                create: format!("CREATE DATABASE {} TEMPLATE template0", quote_name(&name)),
                ..Recreation::default()
            },
        };
        let mut lacking = Vec::new();
        let (mut no_owner, mut no_tablespaces) = (false, false);
        if !own {
            let unknown: Vec<&str> =
                toc.roles.keys().filter(|role| server.roles.get(*role) != Some(&true)).map(String::as_str).collect();
            if !unknown.is_empty() {
                no_owner = true;
                lacking.push(Gap {
                    cause: "owners and privileges".into(),
                    reason: format!(
                        "the scratch server lacks roles, or they are not the login's: {}",
                        unknown.join(", ")
                    ),
                });
            }
            lacking.push(Gap {
                cause: "database properties".into(),
                reason: "the scratch server is not ours: the database has another name there, and no settings and privileges of its own".into(),
            });
        }
        if !own || server.version.major < 15 {
            for tablespace in toc.tablespaces.iter().filter(|name| !server.has_tablespace(name)) {
                no_tablespaces = true;
                lacking.push(Gap {
                    cause: format!("tablespace:{tablespace}"),
                    reason: "the scratch server lacks it".into(),
                });
            }
        }
        if no_owner || no_tablespaces {
            // Read again, with statements that name roles left out.
            let choices = Choices {
                no_owner,
                no_tablespaces,
                roles: if no_owner { server.roles.clone() } else { BTreeMap::new() },
                is_superuser: server.is_superuser,
                may_alter_roles: server.may_alter_roles,
            };
            let mut toc = Toc::new(choices);
            toc.witness = Some(Box::default());
            archive = read_head(backup, noted, toc).await?;
            if database.create.is_some() {
                recreation = archive.parser.visitor_mut().recreation(&name, &database)?;
            }
        }
        if !own {
            recreation.owner = None;
            recreation.before.clear();
            recreation.after.clear();
        }
        let toc = archive.parser.visitor_mut();
        let outline = toc.witness.as_mut().map(|witness| std::mem::take(&mut witness.outline)).unwrap_or_default();
        let dumped_from = toc.header.as_ref().and_then(|header| version(header.server_version.as_ref()?));
        let program = PgRestoreProgram {
            program: stage.tools.pg_restore.path.clone(),
            connection: session.connection().with_database(&name),
            no_owner,
            no_tablespaces,
            exit_on_error: false,
            folder: archive.folder.path().to_owned(),
        };
        let mut rehearsal = Rehearsal {
            connection: session.connection().clone(),
            name,
            own,
            jobs: stage.jobs,
            server,
            database,
            recreation,
            program,
            created: None,
            backup: backup.manifest().id.to_string(),
            bytes: part_bytes(backup),
            dumped_from,
            outline,
            skipped: BTreeMap::new(),
            lacking,
            loader: None,
            stand_ins: BTreeSet::new(),
            recorded: None,
            attempt: 0,
            data_was_checked: false,
            lc_monetary: backup.manifest().source.facts.get("lc_monetary").cloned(),
            archive,
        };
        rehearsal.skip_what_is_known();
        Ok(rehearsal)
    }

    /// The restored database, for whoever owns it.
    pub(crate) fn connection(&self) -> &Connection {
        &self.program.connection
    }

    /// The server that the archive is of, as it says.
    pub(crate) fn dumped_from(&self) -> Option<Version> {
        self.dumped_from
    }

    /// The server that it is restored to.
    pub(crate) fn server_version(&self) -> Version {
        self.server.version
    }

    /// How many bytes the archive has.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How long the load had to wait for the backup: to be fetched, decrypted and checked.
    pub(crate) fn waited(&self) -> Duration {
        self.archive.waited
    }

    /// The setting that values of type money were written with.
    pub(crate) fn lc_monetary(&self) -> Option<&str> {
        self.lc_monetary.as_deref()
    }

    /// Whether owners and privileges were left out.
    pub(crate) fn without_owners(&self) -> bool {
        self.program.no_owner
    }

    /// Whether tablespaces were left out.
    pub(crate) fn without_tablespaces(&self) -> bool {
        self.program.no_tablespaces
    }

    fn toc(&self) -> &Toc {
        self.archive.parser.visitor()
    }

    /// Sets variables for PostgreSQL's programs.
    pub(crate) fn set(&mut self, settings: &[(String, String)]) {
        for (name, value) in settings {
            self.program.connection = self.program.connection.clone().with_program_setting(name, value);
        }
    }

    /// The name of the source's database, as the archive has it.
    pub(crate) fn source_database(&self) -> Option<&str> {
        self.database.name.as_deref()
    }

    /// Removes the database from a server that is not ours.
    pub(crate) async fn remove(mut self) -> Result<()> {
        match self.created.take() {
            // The cluster goes away as a whole.
            Some(created) if self.own => {
                created.stays();
                Ok(())
            }
            Some(created) => created.discard().await,
            None => Ok(()),
        }
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        if self.own
            && let Some(created) = self.created.take()
        {
            created.stays();
        }
    }
}

/// The table of contents; where the first block is noted, no more than what is before it.
async fn read_head(backup: &dyn Restorable, noted: Option<&Inventory>, toc: Toc) -> Result<ArchiveHead> {
    let blocks = noted.iter().flat_map(|noted| &noted.tables).map(|table| table.block.from);
    match blocks.min().filter(|end| *end <= part_bytes(backup)) {
        Some(end) => ArchiveHead::read_up_to(backup, end, toc).await,
        None => ArchiveHead::read(backup, toc).await,
    }
}

async fn run(session: &Session, doing: &str, sql: &str) -> Result<()> {
    session.batch_execute(sql).await.map_err(|error| failed(doing, error))
}
