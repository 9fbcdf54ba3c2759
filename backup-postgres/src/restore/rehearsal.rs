//! A restore to see whether it works: [`PgRestore`](super::PgRestore)'s steps, one at a time, into a server where the roles of the source are unknown and
//! where something may be lacking.
//!
//! What the server lacks (an extension, a collation, a locale) and all that depends on it is left out and told as a [`Gap`]; everything else
//! that fails is an error. In a scratch cluster of our own, the database keeps its name, the roles that the archive names are made as stand-ins
//! that nobody can log in as, and data is loaded by a role without a superuser's rights.

use super::database::Created;
use super::load::{self, Job, Load, Objects};
use super::programs::{PgRestoreProgram, judge};
use super::server::{self, Server};
use super::statement;
pub(crate) use super::statement::{quote_name, quote_string};
use super::toc::{Choices, Database, Recreation, Toc};
use super::{ArchiveHead, part_bytes, version};
use crate::archive::{Block, Entry, Header, Text, Visitor};
use crate::connection::{Connection, Session};
use crate::error::codes::RESTORE_FAILED;
use crate::inventory::{Digester, Inventory, Name, Recorded, TableRecord};
use crate::tools::{Tools, Version};
use backup_core::error::codes::PART_INVALID;
use backup_core::monitor::Monitor;
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// Kinds whose owner must be a superuser: `EVENT TRIGGER`, and publications for all tables (checked by PostgreSQL at `OWNER TO`).
const OF_SUPERUSERS: [&str; 3] = ["EVENT TRIGGER", "FOREIGN DATA WRAPPER", "PUBLICATION"];
/// Kinds that a server can be unable to make through no fault of the backup.
const SERVER_MAY_LACK: [&str; 3] = ["EXTENSION", "COLLATION", "SECURITY LABEL"];
/// Settings that name libraries which every session loads, or does not begin (`load_libraries` in src/backend/utils/init/miscinit.c).
const PRELOADS: [&str; 2] = ["session_preload_libraries", "local_preload_libraries"];
/// What is said to be lacking where one of these libraries is.
const LIBRARIES: &str = "setting:session_preload_libraries";
/// Databases are made anew this often at most, with more left out each time.
const ATTEMPTS: usize = 5;

/// What was not restored, and so cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// What the server lacks, as `accept` names it: `extension:pg_graphql`.
    pub(crate) cause: String,
    /// Why it is not there.
    pub(crate) reason: String,
}

/// An entry of the table of contents, as far as it matters for what depends on what.
#[derive(Debug)]
struct Outlined {
    id: i32,
    kind: String,
    schema: Option<Name>,
    name: Name,
    owner: Option<String>,
    dependencies: Vec<i32>,
    has_data: bool,
    copy: Option<String>,
}

impl Outlined {
    /// As pg_restore names it in its messages: kind, tag and owner.
    fn label(&self) -> String {
        format!("{} {} {}", self.kind, self.name.lossy(), self.owner.as_deref().unwrap_or_default())
            .trim_end()
            .to_owned()
    }

    /// As `accept` names it.
    fn as_cause(&self) -> String {
        let schema = self.schema.as_ref().map(|schema| format!("{}.", schema.lossy())).unwrap_or_default();
        format!("{}:{schema}{}", self.kind.to_lowercase().replace(' ', "_"), self.name.lossy())
    }
}

/// Sees the archive pass: notes what it holds, and the outline of its table of contents.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    digester: Digester,
    outline: Vec<Outlined>,
}

impl Visitor for Witness {
    fn header(&mut self, header: &Header) -> Result<()> {
        self.digester.header(header)
    }

    fn entry(&mut self, entry: Entry) -> Result<()> {
        let name = |text: &Text| Name::new(text.bytes().unwrap_or_default());
        self.outline.push(Outlined {
            id: entry.id,
            kind: entry.desc.lossy().into_owned(),
            schema: entry.namespace.as_ref().filter(|name| !name.is_empty()).map(name),
            name: name(&entry.tag),
            owner: entry.owner.as_ref().and_then(Text::as_str).filter(|name| !name.is_empty()).map(str::to_owned),
            dependencies: entry.dependencies.clone(),
            has_data: entry.has_data,
            copy: entry.copy.as_ref().and_then(Text::as_str).filter(|text| !text.is_empty()).map(str::to_owned),
        });
        self.digester.entry(entry)
    }

    fn toc_end(&mut self, position: u64) -> Result<()> {
        self.digester.toc_end(position)
    }

    fn block_start(&mut self, block: Block) -> Result<()> {
        self.digester.block_start(block)
    }

    fn object_start(&mut self, oid: u32, position: u64) -> Result<()> {
        self.digester.object_start(oid, position)
    }

    fn data(&mut self, bytes: &[u8], chunk_end: bool) -> Result<()> {
        self.digester.data(bytes, chunk_end)
    }

    fn object_end(&mut self) -> Result<()> {
        self.digester.object_end()
    }

    fn block_end(&mut self, position: u64) -> Result<()> {
        self.digester.block_end(position)
    }
}

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

/// Where the data lies.
struct Places {
    tables: Vec<Job>,
    objects: Objects,
}

impl Rehearsal {
    /// Reads the table of contents and looks at the server. Changes nothing.
    pub(crate) async fn prepare(backup: &dyn Restorable, stage: &Stage<'_>) -> Result<Self> {
        let own = stage.own;
        let mut session = stage.connection.connect_without_limits().await?;
        let choices = Choices { is_superuser: true, may_alter_roles: true, ..Choices::default() };
        let mut toc = Toc::new(choices);
        toc.witness = Some(Box::default());
        let mut archive = ArchiveHead::read(backup, toc).await?;
        let toc = archive.parser.visitor_mut();
        let database = server::decode(&session, &toc.database, toc.encoding.as_deref()).await?;
        let name = stage.name.clone().or_else(|| database.name.clone()).unwrap_or_else(|| "restored".into());
        if own && name == stage.connection.database() {
            session = stage.connection.with_database("template1").connect_without_limits().await?;
        }
        let server = Server::ask(&session, &name).await?;
        server.require_creation()?;
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
            archive = ArchiveHead::read(backup, toc).await?;
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

    /// What was left out: kind, schema and name of each entry, and why.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = (&str, Option<&Name>, &Name, &Gap)> {
        self.outline.iter().filter_map(|one| {
            let gap = self.skipped.get(&one.id)?;
            Some((one.kind.as_str(), one.schema.as_ref(), &one.name, gap))
        })
    }

    /// Whether owners and privileges were left out.
    pub(crate) fn without_owners(&self) -> bool {
        self.program.no_owner
    }

    /// Whether tablespaces were left out.
    pub(crate) fn without_tablespaces(&self) -> bool {
        self.program.no_tablespaces
    }

    /// What cannot be restored here, as far as it can be known before anything is tried.
    fn skip_what_is_known(&mut self) {
        let mut gaps = Vec::new();
        for one in &self.outline {
            if one.kind == "EXTENSION" && !self.server.has_extension(&one.name.lossy()) {
                let reason = format!("the scratch server lacks extension \"{}\"", one.name.lossy());
                gaps.push((one.id, Gap { cause: one.as_cause(), reason }));
            } else if one.kind.starts_with("SUBSCRIPTION") || one.name.lossy().starts_with("SUBSCRIPTION ") {
                let reason =
                    "subscriptions are never restored: one could reach out to the production publisher".to_owned();
                let name = one.name.lossy();
                let name = name.strip_prefix("SUBSCRIPTION ").unwrap_or(&name).trim_matches('"').to_owned();
                gaps.push((one.id, Gap { cause: format!("subscription:{name}"), reason }));
            }
        }
        gaps.into_iter().for_each(|(id, gap)| self.skip(id, gap));
    }

    /// Leaves out an entry and everything that depends on it.
    fn skip(&mut self, id: i32, gap: Gap) {
        let mut dependents: HashMap<i32, Vec<usize>> = HashMap::new();
        for (index, one) in self.outline.iter().enumerate() {
            for dependency in &one.dependencies {
                dependents.entry(*dependency).or_default().push(index);
            }
        }
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            if self.skipped.contains_key(&id) {
                continue;
            }
            self.skipped.insert(id, gap.clone());
            todo.extend(dependents.get(&id).into_iter().flatten().map(|index| self.outline[*index].id));
        }
    }

    fn toc(&self) -> &Toc {
        self.archive.parser.visitor()
    }

    /// These entries without those that are left out.
    fn wanted(&self, ids: &[i32]) -> Vec<i32> {
        ids.iter().copied().filter(|id| !self.skipped.contains_key(id)).collect()
    }

    /// Entries of the data that a role without rights can load, and those that need more (large objects are made and given away; statistics).
    fn data(&self) -> (Vec<i32>, Vec<i32>) {
        let loadable: HashSet<i32> =
            self.outline.iter().filter(|one| one.has_data || one.kind == "SEQUENCE SET").map(|one| one.id).collect();
        self.wanted(&self.toc().data).into_iter().partition(|id| loadable.contains(id))
    }

    /// Makes roles and tablespaces, as far as the server is ours.
    pub(crate) async fn provision(&mut self) -> Result<()> {
        if !self.own {
            return Ok(());
        }
        let session = self.connection.connect_without_limits().await?;
        let mut script = String::new();
        let roles: Vec<String> =
            self.toc().roles.keys().filter(|role| !self.server.roles.contains_key(*role)).cloned().collect();
        for role in roles {
            script.push_str(&format!("CREATE ROLE {} NOLOGIN;", quote_name(&role)));
            self.stand_ins.insert(role);
        }
        if self.server.version.major >= 14 {
            let mut loader = "backproof_loader".to_owned();
            while self.server.roles.contains_key(&loader) || self.stand_ins.contains(&loader) {
                loader.push('_');
            }
            script.push_str(&format!(
                "CREATE ROLE {0} LOGIN NOSUPERUSER BYPASSRLS; GRANT pg_write_all_data TO {0};",
                quote_name(&loader)
            ));
            self.loader = Some(loader);
        }
        run(&session, "make the roles", &script).await?;
        if !self.without_tablespaces() {
            let tablespaces: Vec<String> =
                self.toc().tablespaces.iter().filter(|name| !self.server.has_tablespace(name)).cloned().collect();
            for tablespace in tablespaces {
                let sql = format!("CREATE TABLESPACE {} LOCATION ''", quote_name(&tablespace));
                run(&session, "make a tablespace", &sql).await?;
            }
        }
        if self.server.has_database() {
            // A database that every cluster has: the archive brings its own.
            let name = quote_name(&self.name);
            for sql in
                [format!("ALTER DATABASE {name} IS_TEMPLATE false"), format!("DROP DATABASE {name} WITH (FORCE)")]
            {
                run(&session, "remove the cluster's own database", &sql).await?;
            }
        }
        Ok(())
    }

    /// Lets stand-ins own what only superusers may own; and takes it from them again, so that no function of theirs runs with such rights while data
    /// is loaded.
    async fn elevate(&mut self, superusers: bool) -> Result<()> {
        let owners: BTreeSet<&String> = self
            .outline
            .iter()
            .filter(|one| OF_SUPERUSERS.contains(&one.kind.as_str()))
            .filter_map(|one| one.owner.as_ref())
            .filter(|owner| self.stand_ins.contains(*owner))
            .collect();
        if owners.is_empty() {
            return Ok(());
        }
        let word = if superusers { "SUPERUSER" } else { "NOSUPERUSER" };
        let script: String = owners.iter().map(|owner| format!("ALTER ROLE {} {word};", quote_name(owner))).collect();
        run(&self.connection.connect_without_limits().await?, "give rights to stand-ins", &script).await
    }

    /// Makes the database and restores what precedes the data. Gives the errors.
    pub(crate) async fn define(&mut self) -> Result<Vec<String>> {
        self.elevate(true).await?;
        loop {
            self.attempt += 1;
            self.create_database().await?;
            let (_, others) = self.data();
            let mut ids = self.wanted(&self.toc().pre_data);
            let late: HashSet<i32> = self.late();
            ids.extend(others.into_iter().filter(|id| !late.contains(id)));
            let list = format!("definitions-{}", self.attempt);
            let errors = self.program.read_file(&list, &ids, 1, &self.archive.path()).await?;
            let prefix = format!("{list}: ");
            let errors: Vec<String> =
                errors.iter().map(|error| error.strip_prefix(&prefix).unwrap_or(error).to_owned()).collect();
            let gaps = self.excused(&errors, &ids);
            if gaps.is_empty() || self.attempt >= ATTEMPTS {
                self.elevate(false).await?;
                return Ok(errors);
            }
            gaps.into_iter().for_each(|(id, gap)| self.skip(id, gap));
            if let Some(created) = self.created.take() {
                created.discard().await?;
            }
        }
    }

    /// Statistics come after the data that they are about.
    fn late(&self) -> HashSet<i32> {
        self.outline.iter().filter(|one| one.kind == "STATISTICS DATA").map(|one| one.id).collect()
    }

    /// Errors that say something of the server, not of the backup: by the entry's id.
    fn excused(&self, errors: &[String], ids: &[i32]) -> Vec<(i32, Gap)> {
        let ids: HashSet<i32> = ids.iter().copied().collect();
        let entries: HashMap<String, &Outlined> =
            self.outline.iter().filter(|one| ids.contains(&one.id)).map(|one| (one.label(), one)).collect();
        let mut gaps = Vec::new();
        for error in errors {
            // `COLLATION german app_owner: ERROR:  …`
            let Some((label, words)) = error.split_once(": ERROR: ") else { continue };
            let Some(entry) = entries.get(label.trim_end()) else { continue };
            let no_right = !self.own
                && ["permission denied", "must be superuser", "must be owner", "must be able to"]
                    .iter()
                    .any(|text| words.contains(text));
            let library = words.contains("could not access file")
                || words.contains("must be loaded via shared_preload_libraries");
            if SERVER_MAY_LACK.contains(&entry.kind.as_str()) || no_right || library {
                gaps.push((
                    entry.id,
                    Gap { cause: entry.as_cause(), reason: format!("the scratch server refused it: {}", words.trim()) },
                ));
            }
        }
        gaps
    }

    async fn create_database(&mut self) -> Result<()> {
        let session = self.connection.connect_without_limits().await?;
        let created = match Created::create(session, &self.name, &self.recreation).await {
            Err(error) if error.is(&RESTORE_FAILED) && self.own => {
                // Most likely a locale that this machine does not have.
                let Some(create) = without_locale(&self.recreation.create, self.server.version.major) else {
                    return Err(error);
                };
                let plain = Recreation { create, ..Recreation::default() };
                let created = Created::create(self.connection.connect_without_limits().await?, &self.name, &plain)
                    .await
                    .map_err(|_| Error::new(error.code(), error.chain()))?;
                if !self.lacks_locale() {
                    self.lacking.push(Gap {
                        cause: "locale".into(),
                        reason: format!(
                            "the scratch server lacks the database's locale, and C is used for it: {error}"
                        ),
                    });
                }
                self.recreation.create = plain.create;
                created
            }
            result => result?,
        };
        created.prepare(&self.recreation, &self.backup).await?;
        self.created = Some(created);
        self.leave_out_libraries().await
    }

    /// No session begins in a database whose settings name a library that is not there: then these settings are left out.
    async fn leave_out_libraries(&mut self) -> Result<()> {
        let loads = |text: &String| {
            let parsed = statement::statements(text).unwrap_or_default();
            parsed.iter().any(|statement| {
                let mut pairs = statement.tokens.windows(2);
                pairs.any(|pair| pair[0].is("set") && pair[1].name().is_some_and(|name| PRELOADS.contains(&name)))
            })
        };
        if !self.own || !self.recreation.before.iter().any(loads) {
            return Ok(());
        }
        let Err(error) = self.program.connection.connect_without_limits().await else { return Ok(()) };
        let said = error.chain();
        if !said.contains("could not access file") && !said.contains("could not load library") {
            return Err(error);
        }
        self.recreation.before.retain(|text| !loads(text));
        self.recreation.after.retain(|text| !loads(text));
        let session = self.connection.connect_without_limits().await?;
        for name in PRELOADS {
            run(&session, "reset a setting", &format!("ALTER DATABASE {} RESET {name}", quote_name(&self.name)))
                .await?;
        }
        self.lacking.push(Gap {
            cause: LIBRARIES.into(),
            reason: format!("the scratch server lacks a library that every session of the database loads, so the database's settings are not compared: {said}"),
        });
        Ok(())
    }

    /// Whether settings of the database were left out, for a library that is not there.
    pub(crate) fn lacks_libraries(&self) -> bool {
        self.lacking.iter().any(|gap| gap.cause == LIBRARIES)
    }

    /// Whether the database has another locale than it should: text sorts differently, and constraints may not hold.
    pub(crate) fn lacks_locale(&self) -> bool {
        self.lacking.iter().any(|gap| gap.cause == "locale")
    }

    /// Sets variables for PostgreSQL's programs.
    pub(crate) fn set(&mut self, settings: &[(String, String)]) {
        for (name, value) in settings {
            self.program.connection = self.program.connection.clone().with_program_setting(name, value);
        }
    }

    /// Loads the data, and checks it against what was noted when the backup was made, where that is known. Gives the errors.
    pub(crate) async fn load(
        &mut self,
        backup: &dyn Restorable,
        noted: Option<&Inventory>,
        monitor: &dyn Monitor,
    ) -> Result<Vec<String>> {
        match noted.map(|noted| self.places(noted)) {
            Some(Ok(Some(places))) => self.load_tables(backup, places, monitor).await,
            Some(Err(error)) => Ok(vec![error.chain()]),
            _ => self.load_stream(monitor).await,
        }
    }

    /// The role that loads data, in the new database.
    fn loader(&self) -> PgRestoreProgram {
        let mut loader = self.program.clone();
        if let Some(role) = &self.loader {
            loader.connection = loader.connection.with_user(role);
        }
        loader
    }

    /// Where everything lies in the archive; `None` when statements cannot be sent as they are: in other encodings, names must be converted.
    fn places(&self, noted: &Inventory) -> Result<Option<Places>> {
        if noted.encoding.as_deref() != Some("UTF8") {
            return Ok(None);
        }
        let Some(start) = self.toc().end else { return Ok(None) };
        let records: HashMap<(&Name, &Name), &TableRecord> =
            noted.tables.iter().map(|record| ((&record.table.schema, &record.table.name), record)).collect();
        let mut places = Places { tables: Vec::new(), objects: Objects::default() };
        let mut entries = Vec::new();
        for one in self.outline.iter().filter(|one| one.has_data) {
            let record = one.schema.as_ref().and_then(|schema| records.get(&(schema, &one.name)));
            let wanted = !self.skipped.contains_key(&one.id);
            match (one.kind.as_str(), record, &one.copy) {
                ("TABLE DATA", Some(record), Some(copy)) if record.block.id == one.id => {
                    entries.push((one.id, Some(record.block.from..record.block.to)));
                    if wanted {
                        places.tables.push(Job { record: (*record).clone(), copy: copy.clone() });
                    }
                }
                ("TABLE DATA", ..) => {
                    let what = format!(
                        "the backup does not hold what was noted when it was made: rows of {}",
                        one.name.lossy()
                    );
                    return Err(Error::new(&PART_INVALID, what));
                }
                _ => {
                    entries.push((one.id, None));
                    if wanted {
                        places.objects.ids.push(one.id);
                    }
                }
            }
        }
        places.objects.gaps = load::gaps(start..self.bytes, &entries)?;
        places.objects.noted = noted.large_objects.objects.clone();
        Ok(Some(places))
    }

    /// Loads the tables by several connections, from the segments that hold them.
    async fn load_tables(
        &mut self,
        backup: &dyn Restorable,
        places: Places,
        monitor: &dyn Monitor,
    ) -> Result<Vec<String>> {
        let loader = self.loader();
        let session = self.program.connection.connect_without_limits().await?;
        if let (true, Some(role)) = (self.own, &self.loader) {
            load::allow_emptying(&session, role).await;
        }
        // What was read on from the table of contents is not needed.
        self.archive.rest = Default::default();
        let lc_monetary = self.lc_monetary.clone();
        let load = Load::new(backup, monitor, &loader.connection, lc_monetary.as_deref(), self.jobs);
        let head = self.archive.path();
        let objects = async {
            match places.objects.ids.is_empty() {
                true => Ok(Vec::new()),
                false => load::large_objects(backup, &loader, &head, places.objects).await,
            }
        };
        let ((mut errors, waited), more) = futures::future::try_join(load.tables(places.tables), objects).await?;
        errors.extend(more);
        self.archive.waited += waited;
        if self.own {
            load::forbid_emptying(&session)
                .await
                .map_err(|error| super::database::failed("remove what loading needed", error))?;
        }
        if !errors.is_empty() {
            return Ok(errors);
        }
        let sequences: Vec<i32> = self
            .data()
            .0
            .into_iter()
            .filter(|id| self.outline.iter().any(|one| one.id == *id && !one.has_data))
            .collect();
        errors.extend(loader.read_file("sequences", &sequences, 1, &self.archive.path()).await?);
        let witness = self.archive.parser.visitor_mut().witness.take();
        self.recorded = witness.map(|witness| witness.digester.finish_without_data());
        self.data_was_checked = true;
        Ok(errors)
    }

    /// Loads the data from the stream, and reads it to its checked end.
    async fn load_stream(&mut self, monitor: &dyn Monitor) -> Result<Vec<String>> {
        let mut errors = Vec::new();
        let (ids, _) = self.data();
        let loader = self.loader();
        if self.toc().has_blocks {
            let mut writer = loader.read_pipe("data", &ids)?;
            self.archive.send(monitor, &mut writer).await?;
            let (ended, all) = writer.finish().await?;
            errors.extend(judge("data", &ended));
            let has_data: HashSet<i32> = self.outline.iter().filter(|one| one.has_data).map(|one| one.id).collect();
            if ended.success() && !all && ids.iter().any(|id| has_data.contains(id)) {
                errors.push("data: pg_restore did not read all of it".into());
            }
        } else {
            errors.extend(loader.read_file("data", &ids, 1, &self.archive.path()).await?);
        }
        // The parser's end says whether the archive was complete; what it saw is needed after that.
        while self.archive.next(monitor).await?.is_some() {}
        let mut toc = self.archive.conclude()?;
        self.recorded = toc.witness.take().map(|witness| witness.digester.finish());
        self.archive.replace(toc);
        Ok(errors)
    }

    /// Whether the rows and large objects were compared with what was noted while they were loaded, so that [`recorded`](Self::recorded) has nothing
    /// of them.
    pub(crate) fn data_was_checked(&self) -> bool {
        self.data_was_checked
    }

    /// Makes indexes, constraints and triggers, and restores privileges and the database's own properties. Gives the errors.
    pub(crate) async fn finish(&mut self) -> Result<Vec<String>> {
        self.elevate(true).await?;
        let mut ids = self.wanted(&self.toc().post_data);
        let late = self.late();
        ids.extend(self.data().1.into_iter().filter(|id| late.contains(id)));
        ids.extend(self.wanted(&self.toc().privileges));
        let mut errors = self
            .program
            .read_post_data("indexes", ids.clone(), &self.toc().alone, self.jobs, &self.archive.path())
            .await?;
        if !self.toc().other_privileges.is_empty() {
            let session = self.program.connection.connect_without_limits().await?;
            for statement in &self.toc().other_privileges {
                // In the name of roles that are there; what was left out is told.
                if let Err(error) = session.batch_execute(statement).await {
                    errors.push(super::database::failed("privileges", error).chain());
                }
            }
        }
        let plain: Vec<String> =
            errors.iter().map(|error| error.strip_prefix("indexes: ").unwrap_or(error).to_owned()).collect();
        let gaps = self.excused(&plain, &ids);
        if !gaps.is_empty() {
            let excused: HashSet<i32> = gaps.iter().map(|(id, _)| *id).collect();
            let labels: HashSet<String> =
                self.outline.iter().filter(|one| excused.contains(&one.id)).map(Outlined::label).collect();
            errors.retain(|error| {
                let error = error.strip_prefix("indexes: ").unwrap_or(error);
                !error.split_once(": ERROR: ").is_some_and(|(label, _)| labels.contains(label.trim_end()))
            });
            gaps.into_iter().for_each(|(id, gap)| self.skip(id, gap));
        }
        if let (true, Some(created)) = (self.own, &self.created) {
            created.complete(&self.recreation).await?;
        }
        Ok(errors)
    }

    /// What the archive was seen to hold. Once, after [`load`](Self::load).
    pub(crate) fn recorded(&mut self) -> Option<Recorded> {
        self.recorded.take()
    }

    /// Makes the database once more, without data, beside the restored one: how this server writes the definitions of the backup.
    pub(crate) async fn render(&mut self) -> Result<Rendering> {
        let session = self.connection.connect_without_limits().await?;
        let aside = format!("{}_aside", self.name.chars().take(40).collect::<String>());
        if self.own {
            // The definitions of the database itself have its name in them.
            let sql = format!("ALTER DATABASE {} RENAME TO {}", quote_name(&self.name), quote_name(&aside));
            run(&session, "set the restored database aside", &sql).await?;
        }
        let name = if self.own { self.name.clone() } else { format!("{}_2", self.name) };
        let mut recreation = Recreation {
            create: self.recreation.create.clone(),
            owner: self.recreation.owner.clone(),
            before: self.recreation.before.clone(),
            after: self.recreation.after.clone(),
        };
        if !self.own
            && let Some(create) = renamed(&recreation.create, &name)
        {
            recreation.create = create;
        }
        self.elevate(true).await?;
        let created = Created::create(session, &name, &recreation).await?;
        created.prepare(&recreation, &self.backup).await?;
        let mut program = self.program.clone();
        program.connection = self.connection.with_database(&name);
        let (data, others) = self.data();
        let without_rows: HashSet<i32> = self.outline.iter().filter(|one| one.has_data).map(|one| one.id).collect();
        let late = self.late();
        let mut ids = self.wanted(&self.toc().pre_data);
        ids.extend(others.into_iter().filter(|id| !late.contains(id)));
        ids.extend(data.into_iter().filter(|id| !without_rows.contains(id)));
        let mut errors = program.read_file("render-definitions", &ids, 1, &self.archive.path()).await?;
        let mut ids = self.wanted(&self.toc().post_data);
        ids.extend(self.wanted(&self.toc().privileges));
        errors.extend(
            program.read_post_data("render-indexes", ids, &self.toc().alone, self.jobs, &self.archive.path()).await?,
        );
        if self.own {
            created.complete(&recreation).await?;
        }
        Ok(Rendering { connection: program.connection, created, errors, aside: self.own.then_some(aside) })
    }

    /// Removes what [`render`](Self::render) made.
    pub(crate) async fn rendered(&mut self, rendering: Rendering) -> Result<()> {
        rendering.created.discard().await?;
        if let Some(aside) = rendering.aside {
            let sql = format!("ALTER DATABASE {} RENAME TO {}", quote_name(&aside), quote_name(&self.name));
            run(&self.connection.connect_without_limits().await?, "take the restored database back", &sql).await?;
        }
        Ok(())
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

    /// The name of the source's database, as the archive has it.
    pub(crate) fn source_database(&self) -> Option<&str> {
        self.database.name.as_deref()
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

/// The definitions of a backup in a database of their own.
pub(crate) struct Rendering {
    /// The database.
    pub(crate) connection: Connection,
    created: Created,
    /// What could not be made.
    pub(crate) errors: Vec<String>,
    aside: Option<String>,
}

async fn run(session: &Session, doing: &str, sql: &str) -> Result<()> {
    session.batch_execute(sql).await.map_err(|error| super::database::failed(doing, error))
}

/// CREATE DATABASE with locale C.
fn without_locale(create: &str, major: u32) -> Option<String> {
    const LOCALES: [&str; 7] =
        ["locale", "lc_collate", "lc_ctype", "locale_provider", "icu_locale", "icu_rules", "builtin_locale"];
    let mut sql = create.to_owned();
    loop {
        let parsed = statement::statements(&sql)?;
        let [statement] = parsed.as_slice() else { return None };
        let place = statement.tokens.iter().position(|token| LOCALES.iter().any(|word| token.is(word)));
        let Some(at) = place else { break };
        sql = statement.without(at..at + 3);
    }
    let provider = if major >= 15 { " LOCALE_PROVIDER = libc" } else { "" };
    Some(format!("{}{provider} LC_COLLATE = {c} LC_CTYPE = {c}", sql.trim_end(), c = quote_string("C")))
}

/// CREATE DATABASE with another name.
fn renamed(create: &str, name: &str) -> Option<String> {
    let parsed = statement::statements(create)?;
    let [statement] = parsed.as_slice() else { return None };
    Some(statement.replacing(statement::database_name(statement)?, &quote_name(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_replaced() {
        let create = "CREATE DATABASE \"a b\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'xx' ICU_LOCALE = 'xx-x-icu'";
        assert_eq!(
            without_locale(create, 16).unwrap(),
            "CREATE DATABASE \"a b\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LC_COLLATE = 'C' LC_CTYPE = 'C'"
        );
        assert_eq!(
            without_locale("CREATE DATABASE a", 14).unwrap(),
            "CREATE DATABASE a LC_COLLATE = 'C' LC_CTYPE = 'C'"
        );
        assert_eq!(
            renamed("CREATE DATABASE a ENCODING = 'UTF8'", "b c").unwrap(),
            "CREATE DATABASE \"b c\" ENCODING = 'UTF8'"
        );
    }
}
