//! Restoring a dump into a new database.
//!
//! The archive is read once, as a stream, and no row of it touches the disk. Its table of contents goes to a private temporary
//! file; from there come, in this order: what precedes the data; the data, through a pipe; indexes, constraints and the like in
//! parallel; privileges, event triggers and materialised views. (pg_restore in sections, each fed as it likes best: faster than
//! `pg_restore -j 2` from a file.) Privileges wait until the end, as pg_restore orders it.
//!
//! Errors: pg_restore goes on after an error in what precedes the data, so that all of them can be told at once; then the
//! restore ends. With [`PgRestore::keep_incomplete`] it goes on to the end whatever fails, and still fails.

mod clean;
mod database;
mod folder;
mod load;
mod programs;
pub(crate) mod rehearsal;
mod server;
pub(crate) mod statement;
mod toc;

use crate::archive::Parser;
use crate::connection::{Connection, Env, Session};
use crate::error::codes::{DATABASE_EXISTS, RESTORE_REFUSED};
use crate::pooler::refuse_pooler;
use crate::tools::{Installed, Tools, Version};
use async_trait::async_trait;
use backup_core::command::CommandWriter;
use backup_core::error::codes::{CANCELLED, INVALID_ARGUMENT, PART_INVALID};
use backup_core::error::io_error;
use backup_core::monitor::{Event, Monitor};
use backup_core::names::PartName;
use backup_core::pipeline::read::PartStream;
use backup_core::target::{Restorable, RestorePlan, RestoreReport, Target};
use backup_core::{Error, Result};
use bytes::Bytes;
use database::{Created, failed};
use folder::PrivateFolder;
use futures::StreamExt;
use programs::{PgRestoreProgram, Refused, failure, judge};
use server::Server;
pub(crate) use statement::{quote_name, quote_string};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use toc::{Choices, Recreation, Toc};
use tokio_util::sync::CancellationToken;

/// The setting that ends idle sessions.
const IDLE_LIMIT: &str = "idle_session_timeout";

/// Restores a dump into a new database of a server. Kind of backup: `postgresql-dump`.
///
/// The connection names the database to be; it must not exist. It is created with the encoding, locale and owner of the source, and gets
/// its settings, privileges and comment. Subscriptions are never restored. A restore that fails drops the database again; one whose
/// future is dropped does so in the background.
#[derive(Clone, Debug)]
pub struct PgRestore {
    connection: Connection,
    maintenance: Option<String>,
    tools: Option<PathBuf>,
    env: Env,
    jobs: usize,
    no_owner: bool,
    no_tablespaces: bool,
    keep_incomplete: bool,
    cancel: CancellationToken,
}

impl PgRestore {
    /// Restores into the database that this connection names.
    pub fn new(connection: Connection) -> Self {
        let jobs = std::thread::available_parallelism().map_or(2, |count| count.get().min(8));
        PgRestore {
            connection,
            maintenance: None,
            tools: None,
            env: Env::from_process(),
            jobs,
            no_owner: false,
            no_tablespaces: false,
            keep_incomplete: false,
            cancel: CancellationToken::new(),
        }
    }

    /// Ends the restore when it is cancelled, and removes the database that it made.
    pub fn cancel_with(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// The database to connect to for creating the new one; otherwise `postgres`, or `template1` where there is none.
    pub fn maintenance_database(mut self, name: impl Into<String>) -> Self {
        self.maintenance = Some(name.into());
        self
    }

    /// Uses the PostgreSQL programs of this folder only.
    pub fn tools(mut self, folder: impl Into<PathBuf>) -> Self {
        self.tools = Some(folder.into());
        self
    }

    /// Looks for PostgreSQL's programs with this environment.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// How many indexes and constraints are made at once; otherwise as many as this machine has cores, at most 8. At most 64.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.clamp(1, 64);
        self
    }

    /// Everything will belong to the restoring role. Statements that name missing roles (privileges, settings), and policies
    /// and user mappings that do, are left out, each told as a warning.
    pub fn no_owner(mut self, no_owner: bool) -> Self {
        self.no_owner = no_owner;
        self
    }

    /// Everything goes into the server's default tablespace.
    pub fn no_tablespaces(mut self, no_tablespaces: bool) -> Self {
        self.no_tablespaces = no_tablespaces;
        self
    }

    /// Goes on after errors, and leaves what could be restored when the restore fails: the last resort for a damaged backup.
    pub fn keep_incomplete(mut self, keep: bool) -> Self {
        self.keep_incomplete = keep;
        self
    }

    /// A connection to a database that exists already.
    async fn connect(&self) -> Result<Session> {
        if let Some(name) = &self.maintenance {
            return self.connection.with_database(name).connect_without_limits().await;
        }
        match self.connection.with_database("postgres").connect_without_limits().await {
            Err(error) if error.is(&crate::error::codes::DATABASE_NOT_FOUND) => {
                self.connection.with_database("template1").connect_without_limits().await.map_err(|_| error)
            }
            result => result,
        }
    }

    /// Looks at both sides: all that happens before anything is changed.
    async fn prepare(&self, backup: &dyn Restorable) -> Result<Prepared> {
        let name = self.connection.database().to_owned();
        if name.len() > 63 || name.is_empty() {
            let message = format!("\"{name}\" cannot be the name of a database: it has {} bytes", name.len());
            return Err(Error::new(&INVALID_ARGUMENT, message).with_hint("choose a name of 1 to 63 bytes"));
        }
        let session = self.connect().await?;
        refuse_pooler(&session).await?;
        let server = Server::ask(&session, &name).await?;
        let choices = Choices {
            no_owner: self.no_owner,
            no_tablespaces: self.no_tablespaces,
            roles: server.roles.clone(),
            is_superuser: server.is_superuser,
            may_alter_roles: server.may_alter_roles,
        };
        let mut archive = ArchiveHead::read(backup, Toc::new(choices)).await?;
        let toc = archive.parser.visitor_mut();
        let database = server::decode(&session, &toc.database, toc.encoding.as_deref()).await?;
        let recreation = toc.recreation(&name, &database)?;
        let toc = archive.parser.visitor();
        let header = toc.header.as_ref();
        let dumped_from = header.and_then(|header| version(header.server_version.as_ref()?));
        let dumped_by = header.and_then(|header| version(header.dump_version.as_ref()?));
        let bytes = part_bytes(backup);
        let newer = dumped_from.filter(|dumped| dumped.major > server.version.major);
        // pg_restore 17 and newer sets a parameter that older servers do not have, so that each run has an error at least.
        let (forbidden, risky) = if self.keep_incomplete { (None, newer) } else { (newer, None) };
        let mut obstacles = server.obstacles(toc, &name, self.no_owner, forbidden);
        let mut warnings = server.warnings(toc, risky, backup.is_authentic(), bytes);
        let tools = Installed::find(self.tools.as_deref(), &self.env)
            .await
            .for_restore(dumped_by.unwrap_or(server.version), server.version);
        let tools = match tools {
            Ok(tools) => {
                warnings.extend(tools.warning.clone());
                Some(tools)
            }
            Err(error) => {
                obstacles.push(format!("{error}: {}", error.hint()));
                None
            }
        };
        Ok(Prepared { name, session, server, archive, recreation, dumped_from, bytes, obstacles, warnings, tools })
    }
}

/// What was found out before anything is changed.
struct Prepared {
    name: String,
    session: Session,
    server: Server,
    archive: ArchiveHead,
    recreation: Recreation,
    dumped_from: Option<Version>,
    bytes: u64,
    obstacles: Vec<String>,
    warnings: Vec<String>,
    tools: Option<Tools>,
}

impl Prepared {
    fn plan(&self, target: &PgRestore) -> RestorePlan {
        let toc = self.archive.parser.visitor();
        let mut plan = RestorePlan::default();
        plan.target = target.connection.to_string();
        let from = self.dumped_from.map_or("an unknown version".to_owned(), |version| version.to_string());
        plan.steps = vec![
            format!(
                "create database \"{}\" on PostgreSQL {} (the backup is of {from})",
                self.name, self.server.version
            ),
            format!("restore {} definitions", toc.pre_data.len()),
            format!("load the data: {} bytes, through a pipe", self.bytes),
            format!("make {} indexes, constraints and triggers, {} at once", toc.post_data.len(), target.jobs),
            format!(
                "restore {} privileges and the database's properties",
                toc.privileges.len() + toc.other_privileges.len()
            ),
        ];
        if let Some(free) = self.server.free_space() {
            plan.steps.insert(0, format!("check the space: {free} bytes are free on the server's disk"));
        }
        plan.warnings.clone_from(&self.warnings);
        plan.obstacles.clone_from(&self.obstacles);
        plan
    }

    fn refusal(&self) -> Option<Error> {
        let message = match self.obstacles.as_slice() {
            [] => return None,
            _ if self.server.has_database() => {
                let message = format!("database \"{}\" exists already", self.name);
                return Some(match self.server.is_unfinished() {
                    false => Error::new(&DATABASE_EXISTS, message),
                    true => Error::new(
                        &DATABASE_EXISTS,
                        format!("{message}: its comment says that it is a restore that did not finish"),
                    )
                    .with_hint(format!(
                        "if none is running into it now, DROP DATABASE {} removes it; or choose another name",
                        quote_name(&self.name)
                    )),
                });
            }
            obstacles => obstacles.join("; "),
        };
        Some(Error::new(&RESTORE_REFUSED, message))
    }
}

#[async_trait]
impl Target for PgRestore {
    async fn plan(&self, backup: &dyn Restorable) -> Result<RestorePlan> {
        Ok(self.prepare(backup).await?.plan(self))
    }

    async fn restore(&self, backup: &dyn Restorable, monitor: Arc<dyn Monitor>) -> Result<RestoreReport> {
        let step = |doing: &str| monitor.event(Event::Step { doing: doing.to_owned() });
        step("look at the server and the backup");
        let prepared = tokio::select! {
            prepared = self.prepare(backup) => prepared?,
            () = self.cancel.cancelled() => {
                return Err(Error::new(&CANCELLED, "the restore was cancelled").with_hint("nothing was changed; run it again"));
            }
        };
        if let Some(refusal) = prepared.refusal() {
            return Err(refusal);
        }
        let Prepared { name, session, server, mut archive, recreation, bytes, warnings, tools: Some(tools), .. } =
            prepared
        else {
            return Err(Error::new(&RESTORE_REFUSED, "there is no pg_restore"));
        };
        for message in &warnings {
            monitor.event(Event::Warning { message: message.clone() });
        }
        let mut connection = session.connection().with_database(&name);
        let will_end = recreation.before.iter().any(|statement| statement.contains(IDLE_LIMIT));
        if server.ends_idle_sessions || will_end && server.version.major >= 14 {
            // The only limit that no archive lifts; workers are idle while they wait for each other.
            connection = connection.with_program_setting("PGOPTIONS", format!("-c {IDLE_LIMIT}=0"));
        }
        let pg_restore = PgRestoreProgram {
            program: tools.pg_restore.path,
            connection,
            no_owner: self.no_owner,
            no_tablespaces: self.no_tablespaces,
            exit_on_error: !self.keep_incomplete,
            folder: archive.folder.path().to_owned(),
        };

        step("create the database");
        let created = Created::create(session, &name, &recreation).await?;
        monitor.event(Event::PartStarted { part: dump_part(), expected: Some(bytes) });
        let filled = async {
            created.prepare(&recreation, backup.manifest().id.as_str()).await?;
            self.fill(&pg_restore, &mut archive, &*monitor).await?;
            created.complete(&recreation).await
        };
        let filled = tokio::select! {
            filled = filled => filled,
            () = self.cancel.cancelled() => Err(Error::new(&CANCELLED, "the restore was cancelled")
                .with_hint("the new database was removed; run it again")),
        };
        match filled {
            Ok(()) => created.stays(),
            Err(error) if self.keep_incomplete => return Err(created.keep(error)),
            Err(error) => return Err(created.remove(error).await),
        }
        monitor.event(Event::PartFinished { part: dump_part(), plain: archive.bytes, stored: 0 });
        Ok({
            let mut report = RestoreReport::default();
            report.target = self.connection.to_string();
            report.bytes = archive.bytes;
            report.warnings = warnings;
            report
        })
    }
}

impl PgRestore {
    /// Fills the new database, phase by phase.
    async fn fill(
        &self,
        pg_restore: &PgRestoreProgram,
        archive: &mut ArchiveHead,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        let step = |doing: &str| monitor.event(Event::Step { doing: doing.to_owned() });
        let mut errors = Vec::new();
        let give_up = |errors: &[String]| !errors.is_empty() && !self.keep_incomplete;
        let end = |errors: &[String]| failure(errors, "pg_restore failed");
        let toc = std::mem::take(archive.parser.visitor_mut());

        step("restore definitions");
        let all_errors = PgRestoreProgram { exit_on_error: false, ..pg_restore.clone() };
        let words = |refused: Vec<Refused>| refused.into_iter().map(|one| one.to_string());
        errors.extend(words(all_errors.read_file("definitions", &toc.pre_data, 1, &archive.path()).await?));
        if give_up(&errors) {
            return Err(end(&errors));
        }

        step("load the data");
        if toc.has_blocks {
            let mut writer = pg_restore.read_pipe("data", &toc.data)?;
            archive.send(monitor, &mut writer).await?;
            let (ended, all) = writer.finish().await?;
            errors.extend(judge("data", &ended));
            if ended.success() && !all {
                errors.push("data: pg_restore did not read all of it".into());
            }
        } else {
            errors.extend(words(pg_restore.read_file("data", &toc.data, 1, &archive.path()).await?));
        }
        if give_up(&errors) {
            return Err(end(&errors));
        }
        archive.drain(monitor).await?;

        if !toc.other_privileges.is_empty() {
            step("restore privileges of roles that exist");
            let session = pg_restore.connection.connect_without_limits().await?;
            for statement in &toc.other_privileges {
                if let Err(error) = session.batch_execute(statement).await {
                    errors.push(failed("privileges", error).chain());
                }
            }
        }

        step("make indexes, constraints and triggers, restore privileges");
        let mut last = toc.post_data;
        last.extend(toc.privileges);
        let refused = pg_restore.read_post_data("indexes", last, &toc.alone, self.jobs, &archive.path()).await?;
        errors.extend(words(refused));
        if errors.is_empty() { Ok(()) } else { Err(end(&errors)) }
    }
}

/// The part `dump` of a backup, read up to the end of its table of contents, which is in a private file.
struct ArchiveHead {
    parser: Parser<Toc>,
    stream: PartStream,
    /// What was read beyond the table of contents.
    rest: Bytes,
    folder: PrivateFolder,
    bytes: u64,
    ended: bool,
    /// How long the backup was waited for.
    waited: Duration,
}

impl ArchiveHead {
    async fn read(backup: &dyn Restorable, toc: Toc) -> Result<Self> {
        Self::read_stream(backup.open(&dump_part()).await?, toc).await
    }

    /// The same where the table of contents is known to end about there: what follows is not fetched ahead.
    async fn read_up_to(backup: &dyn Restorable, end: u64, toc: Toc) -> Result<Self> {
        let dump = dump_part();
        let [head, rest] =
            [backup.open_range(&dump, 0..end).await?, backup.open_range(&dump, end..part_bytes(backup)).await?];
        Self::read_stream(PartStream::new(head.into_stream().chain(rest.into_stream())), toc).await
    }

    async fn read_stream(stream: PartStream, toc: Toc) -> Result<Self> {
        let failed = |error| io_error("write the table of contents to a temporary file", error);
        let folder = PrivateFolder::make().map_err(failed)?;
        let mut head = ArchiveHead {
            parser: Parser::new(toc),
            stream,
            rest: Bytes::new(),
            folder,
            bytes: 0,
            ended: false,
            waited: Duration::ZERO,
        };
        let mut file = private_file(&head.path()).map_err(failed)?;
        loop {
            let Some(mut piece) = head.stream.next().await? else {
                head.ended = true;
                return match head.parser.visitor().end {
                    Some(_) => Ok(head),
                    None => Err(Error::new(&PART_INVALID, "the archive ends inside its table of contents")),
                };
            };
            let before = head.bytes;
            head.parser.feed(&piece)?;
            head.bytes += piece.len() as u64;
            if let Some(end) = head.parser.visitor().end {
                // The end lies in this piece, so the difference is at most its length.
                head.rest = piece.split_off((end - before) as usize);
            }
            file.write_all(&piece).map_err(failed)?;
            if head.parser.visitor().end.is_some() {
                return Ok(head);
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("toc")
    }

    /// What follows the table of contents is read elsewhere.
    fn close(&mut self) {
        self.rest = Bytes::new();
        self.stream = PartStream::new(futures::stream::empty());
        self.ended = true;
    }

    /// Gives the whole archive, from its start, until it ends or the program takes no more.
    async fn send(&mut self, monitor: &dyn Monitor, to: &mut CommandWriter) -> Result<()> {
        let failed = |error| io_error("read the table of contents from a temporary file", error);
        let mut file = std::fs::File::open(self.path()).map_err(failed)?;
        loop {
            let mut piece = Vec::with_capacity(1 << 20);
            std::io::Read::read_to_end(&mut std::io::Read::take(&mut file, 1 << 20), &mut piece).map_err(failed)?;
            if piece.is_empty() {
                break;
            }
            if !to.write(piece.into()).await {
                return Ok(());
            }
        }
        if !to.write(std::mem::take(&mut self.rest)).await {
            return Ok(());
        }
        while let Some(piece) = self.next(monitor).await? {
            if !to.write(piece).await {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The next piece of data, seen by the parser.
    async fn next(&mut self, monitor: &dyn Monitor) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let began = Instant::now();
        let piece = self.stream.next().await?;
        self.waited += began.elapsed();
        let Some(piece) = piece else {
            self.ended = true;
            return Ok(None);
        };
        self.parser.feed(&piece)?;
        self.bytes += piece.len() as u64;
        monitor.event(Event::Progress { plain: piece.len() as u64, stored: 0 });
        Ok(Some(piece))
    }

    /// Reads what is left, and checks that the archive was complete.
    async fn drain(&mut self, monitor: &dyn Monitor) -> Result<()> {
        while self.next(monitor).await?.is_some() {}
        self.conclude().map(drop)
    }

    /// Checks, after its end, that the archive was complete. Its table of contents is gone then, unless it is put back.
    fn conclude(&mut self) -> Result<Toc> {
        std::mem::replace(&mut self.parser, Parser::new(Toc::default())).finish()
    }

    fn replace(&mut self, toc: Toc) {
        self.parser = Parser::new(toc);
    }
}

fn private_file(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn dump_part() -> PartName {
    crate::dump_part()
}

fn part_bytes(backup: &dyn Restorable) -> u64 {
    let dump = dump_part();
    backup.manifest().parts.iter().find(|part| part.name == dump.as_str()).map_or(0, |part| part.plain_bytes)
}

/// `15.18 (Debian …)`, `18beta1`.
fn version(text: &crate::archive::Text) -> Option<Version> {
    let text = text.as_str()?;
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>();
    let major = number(text).ok()?;
    let minor = text.split_once('.').and_then(|(_, minor)| number(minor).ok()).unwrap_or(0);
    Some(Version { major, minor })
}
