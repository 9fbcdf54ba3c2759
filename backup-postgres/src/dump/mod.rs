//! Backing up a database with pg_dump.
//!
//! What happens, in order: connect; refuse poolers and logins that would give half of the data ([`prepare`]); find
//! the programs; roles by pg_dumpall; then a transaction of our own locks the tables (`locks`), takes the snapshot and exports it, and pg_dump dumps exactly that state
//! (`--snapshot`), which was looked over once more in it. The archive is parsed as it passes, and what it holds noted for `contents`; the part is
//! complete only if pg_dump's exit status is 0 and the archive is complete. (An archive of a version that is not known cannot be followed: then
//! the exit status alone counts, and that nothing was noted is said in the backup.)

mod guide;
mod locks;
mod parts;

use crate::connection::{Connection, Env};
use crate::error::codes::CONNECTION_LOST;
use crate::inventory::{Digester, Extras, Name, Recorded, TableName};
use crate::preflight::{Preflight, PreflightOptions, Prepared, preflight, prepare};
use crate::queries;
use crate::server::{ServerFacts, query_error};
use crate::tools::Tools;
use async_trait::async_trait;
use backup_core::error::ResultExt;
use backup_core::monitor::{Event, Monitor};
use backup_core::source::{LeftOut, PartReader, Snapshot, Source, SourceInfo};
use backup_core::text::printable;
use backup_core::{Error, Result};
use jiff::Timestamp;
use parts::{Archive, Holding, Script};
use serde::Serialize;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// How long pg_dump waits for a table's lock, unless told otherwise.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes that are read at once of a dump that nobody keeps.
const READ_AT_ONCE: usize = 1 << 20;

/// A database that is backed up with pg_dump. Kind `postgresql-dump`; parts `globals` (roles and tablespaces, SQL) and `dump` (pg_dump's
/// custom format, uncompressed inside).
#[derive(Clone, Debug)]
pub struct PgDump {
    connection: Connection,
    env: Env,
    tools: Option<PathBuf>,
    preflight: PreflightOptions,
    lock_timeout: Duration,
    globals: bool,
    role_passwords: bool,
    exclude: Vec<Exclude>,
    /// Rows of these tables, and nothing else.
    rows_of: Vec<TableName>,
    without_rows_of: Vec<TableName>,
    schema_only: bool,
}

#[derive(Clone, Debug)]
enum Exclude {
    Table(String),
    TableData(String),
    Schema(String),
}

impl PgDump {
    /// Backs up the database that this connection names.
    pub fn new(connection: Connection) -> Self {
        PgDump {
            connection,
            env: Env::from_process(),
            tools: None,
            preflight: PreflightOptions::default(),
            lock_timeout: LOCK_TIMEOUT,
            globals: true,
            role_passwords: false,
            exclude: Vec::new(),
            rows_of: Vec::new(),
            without_rows_of: Vec::new(),
            schema_only: false,
        }
    }

    /// Looks for PostgreSQL's programs with this environment.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Uses the PostgreSQL programs of this folder only.
    pub fn tools(mut self, folder: impl Into<PathBuf>) -> Self {
        self.tools = Some(folder.into());
        self
    }

    /// Leaves out what the login cannot read, and what depends on it, by name, instead of failing.
    pub fn skip_unreadable(mut self, skip: bool) -> Self {
        self.preflight = self.preflight.skip_unreadable(skip);
        self
    }

    /// How long to wait for a table that somebody else has locked: 60 s unless set; zero waits for ever.
    pub fn lock_timeout(mut self, limit: Duration) -> Self {
        self.lock_timeout = limit;
        self
    }

    /// Whether roles and tablespaces are backed up too, as part `globals`: yes unless set.
    pub fn globals(mut self, globals: bool) -> Self {
        self.globals = globals;
        self
    }

    /// Whether the roles' passwords (SCRAM verifiers) are in `globals`: no unless set. Takes a superuser.
    pub fn role_passwords(mut self, passwords: bool) -> Self {
        self.role_passwords = passwords;
        self
    }

    /// Leaves out tables, by a pattern of pg_dump's (`--exclude-table`). Their views are not left out with them.
    pub fn exclude_table(mut self, pattern: impl Into<String>) -> Self {
        self.exclude.push(Exclude::Table(pattern.into()));
        self
    }

    /// Leaves out the rows of tables, by a pattern of pg_dump's (`--exclude-table-data`).
    pub fn exclude_table_data(mut self, pattern: impl Into<String>) -> Self {
        self.exclude.push(Exclude::TableData(pattern.into()));
        self
    }

    /// Leaves out schemas, by a pattern of pg_dump's (`--exclude-schema`).
    pub fn exclude_schema(mut self, pattern: impl Into<String>) -> Self {
        self.exclude.push(Exclude::Schema(pattern.into()));
        self
    }

    /// Dumps the rows of these tables, and nothing else: to look at them again.
    pub(crate) fn rows_of(mut self, tables: Vec<TableName>) -> Self {
        self.rows_of = tables;
        self
    }

    /// Leaves out the rows of these tables: somebody else reads them.
    pub(crate) fn without_rows_of(mut self, tables: Vec<TableName>) -> Self {
        self.without_rows_of = tables;
        self
    }

    /// Dumps definitions alone.
    pub(crate) fn schema_only(mut self) -> Self {
        self.schema_only = true;
        self
    }

    /// pg_dump with all its arguments. None is secret.
    fn command(&self, tools: &Tools, prepared: &Prepared, preflight: &Preflight, exported: Option<&str>) -> Command {
        let mut command = Command::new(&tools.pg_dump.path);
        prepared.connection.apply(&mut command);
        command.args(["--format=custom", "--compress=0", "--no-password"]);
        command.arg(format!("--lock-wait-timeout={}", self.lock_timeout.as_millis()));
        command.arg(format!("--encoding={}", prepared.facts.encoding));
        if let Some(snapshot) = exported {
            command.arg(format!("--snapshot={snapshot}"));
        }
        command.args(preflight.exclusions.arguments(tools.pg_dump.version));
        for exclude in &self.exclude {
            command.arg(match exclude {
                Exclude::Table(pattern) => format!("--exclude-table={pattern}"),
                Exclude::TableData(pattern) => format!("--exclude-table-data={pattern}"),
                Exclude::Schema(pattern) => format!("--exclude-schema={pattern}"),
            });
        }
        if self.schema_only {
            command.arg("--schema-only");
        }
        if !self.rows_of.is_empty() {
            command.arg("--data-only");
        }
        for (option, tables) in [("--table=", &self.rows_of), ("--exclude-table-data=", &self.without_rows_of)] {
            for table in tables {
                command.arg(OsString::from_vec([option.as_bytes(), &pattern(table)].concat()));
            }
        }
        command.arg("--dbname").arg(prepared.connection.argument());
        command
    }

    fn left_out(&self, preflight: &Preflight) -> Vec<LeftOut> {
        let mut left_out = preflight.left_out.clone();
        left_out.extend(self.exclude.iter().map(|exclude| {
            let (kind, name) = match exclude {
                Exclude::Table(pattern) => ("tables", pattern),
                Exclude::TableData(pattern) => ("rows", pattern),
                Exclude::Schema(pattern) => ("schemas", pattern),
            };
            LeftOut { kind: kind.into(), name: name.clone(), reason: "excluded by the settings of the backup".into() }
        }));
        left_out
    }

    /// Reads the whole database as a backup would, and keeps nothing but what the digester notes of it, and what was left out.
    pub async fn inventory(&self, digester: Digester, monitor: Arc<dyn Monitor>) -> Result<(Recorded, Vec<LeftOut>)> {
        let Started { mut archive, left_out, .. } = self.clone().globals(false).start(digester, monitor).await?;
        let mut buf = Vec::with_capacity(READ_AT_ONCE);
        loop {
            buf.clear();
            archive.fill(&mut buf).await?;
            if buf.len() < buf.capacity() {
                break;
            }
        }
        Ok((archive.conclude().await?.recorded, left_out))
    }

    /// The recipe of a dump, up to pg_dump's start.
    async fn start(&self, digester: Digester, monitor: Arc<dyn Monitor>) -> Result<Started> {
        let step = |doing: &str| monitor.event(Event::Step { doing: doing.to_owned() });
        let warn = |message: String| monitor.event(Event::Warning { message });
        self.connection.warnings().iter().cloned().for_each(warn);
        step("look at the server, and for what cannot be read");
        let prepared = prepare(&self.connection, &self.preflight).await?;
        let tools = Tools::find(prepared.facts.version, self.tools.as_deref(), &self.env).await?;
        tools.warning.iter().cloned().for_each(warn);

        // pg_dumpall works beside what follows: neither waits for the other.
        let globals = async {
            if !self.globals {
                return Ok(None);
            }
            step("read roles and tablespaces");
            let script = crate::globals::globals(&tools, &prepared.connection, self.role_passwords, &*monitor).await?;
            Ok(Some(Script::new("globals", script)))
        };
        let snapshot = async {
            step("take the snapshot");
            let held = self.hold(&prepared).await?;
            // What was found before the snapshot may have changed since: what counts is what is in it.
            let preflight = preflight(&prepared.session, &self.preflight).await?;
            let facts = ServerFacts::read(&prepared.session).await?;
            let extras = Extras::read(&prepared.session).await?;
            Ok((held, preflight, facts, extras))
        };
        let (globals, (held, preflight, facts, extras)) = futures::try_join!(globals, snapshot)?;
        for index in &facts.invalid_indexes {
            let index = printable(index);
            warn(format!("index {index} is invalid and will not be in the backup: REINDEX or drop it"));
        }
        if prepared.facts.encoding == "SQL_ASCII" {
            warn(
                "the database's encoding is SQL_ASCII: its texts are backed up byte for byte, whatever they are".into(),
            );
        }
        let command = self.command(&tools, &prepared, &preflight, held.exported.as_deref());
        let info = describe(&facts, &prepared, &tools, held.time);
        let left_out = self.left_out(&preflight);
        let about = About::new(&facts, &prepared);
        let held = Holding { session: prepared.session, has_rows: !self.schema_only };
        let archive = Archive::start(command, about, extras, digester, facts.size, held, monitor)?;
        Ok(Started { info, globals, archive, left_out })
    }
}

#[async_trait]
impl Source for PgDump {
    fn kind(&self) -> &str {
        crate::KIND
    }

    async fn open(&self, monitor: Arc<dyn Monitor>) -> Result<Box<dyn Snapshot>> {
        let Started { info, globals, archive, left_out } = self.start(Digester::new(), monitor).await?;
        let unavailable = archive.unavailable();
        let mut parts: VecDeque<Box<dyn PartReader>> = VecDeque::new();
        parts.extend(globals.map(|script| Box::new(script) as Box<dyn PartReader>));
        parts.push_back(Box::new(archive));
        Ok(Box::new(DumpSnapshot { info, parts, left_out, unavailable }))
    }
}

/// A table as a pattern: in double quotes, a pattern is a name (`processSQLNamePattern`).
fn pattern(table: &TableName) -> Vec<u8> {
    let quoted = |name: &Name| {
        let doubled = |byte: &u8| std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 });
        let inner: Vec<u8> = name.as_bytes().iter().flat_map(doubled).collect();
        [b"\"", &inner[..], b"\""].concat()
    };
    [quoted(&table.schema), quoted(&table.name)].join(&b'.')
}

/// A dump that runs.
struct Started {
    info: SourceInfo,
    globals: Option<Script>,
    archive: Archive,
    left_out: Vec<LeftOut>,
}

/// A snapshot that our own transaction holds.
struct Held {
    /// Its id for other sessions; none where the server refuses to give one.
    exported: Option<String>,
    /// The server's time.
    time: Timestamp,
}

impl PgDump {
    /// Locks the tables in a transaction, and exports its snapshot. Works on standbys too (since PostgreSQL 10), and through session
    /// poolers.
    async fn hold(&self, prepared: &Prepared) -> Result<Held> {
        let failed = |error| query_error("take a snapshot", error);
        let session = &prepared.session;
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", prepared).await?;
        let refused = |error: &tokio_postgres::Error| {
            let refusals = [
                &SqlState::FEATURE_NOT_SUPPORTED,
                &SqlState::INSUFFICIENT_PRIVILEGE,
                &SqlState::ACTIVE_SQL_TRANSACTION,
                &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            ];
            error.code().is_some_and(|code| refusals.contains(&code))
        };
        match session.query_one(queries::EXPORT_SNAPSHOT, &[]).await {
            Ok(row) => Ok(Held { exported: Some(row.get("snapshot")), time: time(row.get("microseconds"))? }),
            Err(error) if refused(&error) => {
                // pg_dump then takes its own, a moment later, while we hold the locks.
                session.batch_execute("ROLLBACK").await.map_err(failed)?;
                self.begin("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", prepared).await?;
                let row = session.query_one(queries::SERVER_TIME, &[]).await.map_err(failed)?;
                Ok(Held { exported: None, time: time(row.get("microseconds"))? })
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn begin(&self, begin: &str, prepared: &Prepared) -> Result<()> {
        let session = &prepared.session;
        // Which tables pg_dump finds by patterns, it alone knows: it must not be waited for those that it leaves out.
        let some = |exclude: &Exclude| !matches!(exclude, Exclude::TableData(_));
        if self.schema_only || !self.rows_of.is_empty() || self.exclude.iter().any(some) {
            return session
                .batch_execute(begin)
                .await
                .map_err(|error| query_error("begin the dump's transaction", error));
        }
        locks::begin_with_locks(session, begin, &prepared.preflight.exclusions, self.lock_timeout).await
    }
}

fn time(microseconds: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(microseconds).or_code(&CONNECTION_LOST, || "the server's clock gives no time".into())
}

/// What everybody may know: no name of a database, a role or a schema.
fn describe(facts: &ServerFacts, prepared: &Prepared, tools: &Tools, time: Timestamp) -> SourceInfo {
    let mut info = SourceInfo::new(crate::KIND, time);
    info.versions.insert("server".into(), facts.version.to_string());
    info.versions.insert("pg_dump".into(), tools.pg_dump.version.to_string());
    let mut fact = |name: &str, value: String| info.facts.insert(name.to_owned(), value);
    fact("server_version_text", facts.version_text.clone());
    fact("encoding", facts.encoding.clone());
    fact("collate", facts.collate.clone());
    fact("ctype", facts.ctype.clone());
    fact("locale_provider", facts.locale_provider.name().to_owned());
    if let Some(locale) = &facts.locale {
        fact("locale", locale.clone());
    }
    fact("lc_monetary", facts.lc_monetary.clone());
    let extensions: Vec<String> = facts.extensions.iter().map(|one| format!("{} {}", one.name, one.version)).collect();
    fact("extensions", extensions.join(", "));
    fact("size", facts.size.to_string());
    let settings: Vec<String> =
        prepared.settings.effective.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    fact("settings", settings.join(", "));
    info
}

/// The line of `contents` about the database: what the manifest does not say, for making it again.
#[derive(Debug, Serialize)]
struct About {
    database: AboutDatabase,
}

#[derive(Debug, Serialize)]
struct AboutDatabase {
    name: String,
    owner: String,
    encoding: String,
    collate: String,
    ctype: String,
    locale_provider: &'static str,
    locale: Option<String>,
    icu_rules: Option<String>,
    collation_version: Option<String>,
    /// The role that read it.
    read_by: String,
    in_recovery: bool,
}

impl About {
    fn new(facts: &ServerFacts, prepared: &Prepared) -> Self {
        About {
            database: AboutDatabase {
                name: facts.database.clone(),
                owner: facts.owner.clone(),
                encoding: facts.encoding.clone(),
                collate: facts.collate.clone(),
                ctype: facts.ctype.clone(),
                locale_provider: facts.locale_provider.name(),
                locale: facts.locale.clone(),
                icu_rules: facts.icu_rules.clone(),
                collation_version: facts.collation_version.clone(),
                read_by: prepared.facts.role.clone(),
                in_recovery: facts.in_recovery,
            },
        }
    }
}

struct DumpSnapshot {
    info: SourceInfo,
    parts: VecDeque<Box<dyn PartReader>>,
    left_out: Vec<LeftOut>,
    /// Why there is no inventory of the dump.
    unavailable: Arc<OnceLock<String>>,
}

#[async_trait]
impl Snapshot for DumpSnapshot {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    async fn next_part(&mut self) -> Result<Option<Box<dyn PartReader>>> {
        Ok(self.parts.pop_front())
    }

    fn left_out(&self) -> Vec<LeftOut> {
        let mut left_out = self.left_out.clone();
        left_out.extend(self.unavailable.get().map(|reason| LeftOut {
            kind: "inventory".into(),
            name: "dump".into(),
            reason: reason.clone(),
        }));
        left_out
    }

    fn restore_steps(&self) -> String {
        guide::restore_steps(&self.info)
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        if self.parts.is_empty() {
            return Ok(());
        }
        Err(Error::new(&backup_core::error::codes::SOURCE_FAILED, "the dump was not read"))
    }
}
