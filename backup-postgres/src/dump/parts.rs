//! The parts of a dump: pg_dump's archive, parsed as it passes, and the script of the roles.

use super::About;
use super::locks::{self, Replaced};
use crate::archive::Survey;
use crate::connection::Session;
use crate::error::codes::{DUMP_FAILED, LOCK_TIMEOUT};
use crate::inventory::{ArchiveTap, Digester, Extras, Recorded};
use async_trait::async_trait;
use backup_core::command::{CommandStream, Ended};
use backup_core::error::codes::SOURCE_FAILED;
use backup_core::monitor::{Event, Monitor};
use backup_core::names::PartName;
use backup_core::repository::contents::ContentsWriter;
use backup_core::source::PartReader;
use backup_core::text::printable;
use backup_core::{Error, Result};
use serde::Serialize;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The part `dump`.
pub(super) struct Archive {
    stream: CommandStream,
    observer: Arc<Mutex<ArchiveTap>>,
    about: About,
    extras: Extras,
    /// Why there is no inventory, once that is known.
    unavailable: Arc<OnceLock<String>>,
    size: u64,
    held: Option<Holding>,
    /// Tables that are not those of the snapshot.
    replaced: Vec<Replaced>,
    monitor: Arc<dyn Monitor>,
}

/// Holds the exported snapshot, and locks, until pg_dump has them.
pub(super) struct Holding {
    pub(super) session: Session,
    /// Whether rows are dumped.
    pub(super) has_rows: bool,
}

impl Holding {
    /// Lets go, once pg_dump has what it needs; not before it was seen that its tables are those of the snapshot.
    async fn release(self) -> Result<Vec<Replaced>> {
        let replaced = if self.has_rows { locks::replaced(&self.session).await? } else { Vec::new() };
        // If this connection is gone, the snapshot is pg_dump's by now.
        let _ = self.session.batch_execute("COMMIT").await;
        Ok(replaced)
    }
}

/// What is known when pg_dump ended well.
pub(super) struct Concluded {
    about: About,
    survey: Option<Survey>,
    pub(super) recorded: Recorded,
}

/// The line of `contents` about the archive.
#[derive(Serialize)]
struct Counted {
    archive: CountedArchive,
}

#[derive(Serialize)]
struct CountedArchive {
    entries: u64,
    tables: u64,
    large_objects: u64,
    data_bytes: u64,
    server_version: Option<String>,
    dump_version: Option<String>,
}

impl From<Survey> for Counted {
    fn from(survey: Survey) -> Self {
        Counted {
            archive: CountedArchive {
                entries: survey.entries,
                tables: survey.tables,
                large_objects: survey.large_objects,
                data_bytes: survey.data_bytes,
                server_version: survey.server_version,
                dump_version: survey.dump_version,
            },
        }
    }
}

impl Archive {
    pub(super) fn start(
        command: Command,
        about: About,
        extras: Extras,
        digester: Digester,
        size: u64,
        held: Holding,
        monitor: Arc<dyn Monitor>,
    ) -> Result<Self> {
        let observer = Arc::new(Mutex::new(ArchiveTap::new(digester)));
        let tap = observer.clone();
        let tap = move |bytes: &[u8]| tap.lock().unwrap_or_else(PoisonError::into_inner).feed(bytes);
        let stream = CommandStream::spawn(command, Some(Box::new(tap)))?;
        Ok(Archive {
            stream,
            observer,
            about,
            extras,
            unavailable: Arc::default(),
            size,
            held: Some(held),
            replaced: Vec::new(),
            monitor,
        })
    }

    /// Checks that all went well, after the end, and gives what was noted.
    pub(super) async fn conclude(self) -> Result<Concluded> {
        let Archive { stream, observer, about, extras, unavailable, monitor, replaced, .. } = self;
        let ended = stream.finish().await?;
        if !ended.success() {
            return Err(failure(&ended));
        }
        for line in ended.stderr.lines().filter_map(|line| line.strip_prefix("pg_dump: warning: ")) {
            monitor.event(Event::Warning { message: format!("pg_dump: {}", printable(line)) });
        }
        let observer = std::mem::take(&mut *observer.lock().unwrap_or_else(PoisonError::into_inner));
        let (survey, mut recorded) = observer.finish().map_err(|error| {
            Error::new(&DUMP_FAILED, "pg_dump ended well, but its archive is not complete").with_source(error)
        })?;
        locks::refuse(&replaced, &recorded)?;
        match &mut recorded {
            Recorded::Available(inventory) => inventory.extras = Some(extras),
            Recorded::Unavailable { reason } => {
                let message =
                    "what the dump holds could not be noted, so that no restore of it can be compared with it";
                monitor.event(Event::Warning { message: format!("{message}: {reason}") });
                let _ = unavailable.set(reason.clone());
            }
        }
        Ok(Concluded { about, survey, recorded })
    }

    /// Where it will be said why there is no inventory.
    pub(super) fn unavailable(&self) -> Arc<OnceLock<String>> {
        self.unavailable.clone()
    }
}

#[async_trait]
impl PartReader for Archive {
    fn name(&self) -> PartName {
        crate::dump_part()
    }

    fn size_hint(&self) -> Option<u64> {
        Some(self.size)
    }

    async fn fill(&mut self, buf: &mut Vec<u8>) -> Result<()> {
        let before = buf.len();
        self.stream.fill(buf).await?;
        // pg_dump writes nothing before it has its snapshot and all its locks.
        if buf.len() > before
            && let Some(held) = self.held.take()
        {
            self.replaced = held.release().await?;
        }
        Ok(())
    }

    async fn finish(self: Box<Self>, contents: &mut ContentsWriter) -> Result<()> {
        let Concluded { about, survey, recorded } = self.conclude().await?;
        contents.line(&about).await?;
        if let Some(survey) = survey {
            contents.line(&Counted::from(survey)).await?;
        }
        recorded.write(contents).await
    }
}

/// Why pg_dump failed, in its own words.
fn failure(ended: &Ended) -> Error {
    let mut message = format!("{} {}", ended.program, ended.manner());
    let words = words(&ended.stderr);
    if words.is_empty() {
        message.push_str(" and said nothing");
    } else {
        message.push_str(": ");
        message.push_str(&words);
    }
    // pg_dump sets statement_timeout while it locks; the server or the role may have a lock_timeout besides.
    let locking = ended.stderr.contains("LOCK TABLE") && ended.stderr.contains("due to statement timeout");
    if locking || ended.stderr.contains("due to lock timeout") {
        return Error::new(&LOCK_TIMEOUT, message);
    }
    let error = Error::new(&DUMP_FAILED, message);
    if ended.stderr.contains("invalid snapshot identifier")
        || ended.stderr.contains("does not exist") && ended.stderr.contains("snapshot")
    {
        return error
            .with_hint("pg_dump reached another server than we did: connect to one server, not to a group of them");
    }
    error
}

/// The errors that pg_dump told, without the statements; or else the last that it said.
fn words(stderr: &str) -> String {
    let mut said: Vec<&str> = Vec::new();
    let mut keep = false;
    for line in stderr.lines() {
        if let Some(text) = line.strip_prefix("pg_dump: ") {
            keep = text.starts_with("error: ") || text.starts_with("detail: Error message");
            if keep {
                said.push(text.strip_prefix("error: ").or(text.strip_prefix("detail: ")).unwrap_or(text));
            } else if let Some(table) = text.strip_prefix("detail: Query was: LOCK TABLE ") {
                said.push(table);
            }
        } else if keep && !line.trim().is_empty() {
            said.push(line.trim());
        }
    }
    let mut text = if said.is_empty() { stderr.trim().to_owned() } else { said.join("; ") };
    let mut limit = text.len().min(2000);
    while !text.is_char_boundary(limit) {
        limit -= 1;
    }
    text.truncate(limit);
    text
}

/// A part that is in memory: a script of some kilobytes.
pub(super) struct Script {
    name: &'static str,
    bytes: Vec<u8>,
    at: usize,
}

impl Script {
    pub(super) fn new(name: &'static str, bytes: Vec<u8>) -> Self {
        Script { name, bytes, at: 0 }
    }
}

#[async_trait]
impl PartReader for Script {
    fn name(&self) -> PartName {
        PartName::from_static(self.name)
    }

    fn size_hint(&self) -> Option<u64> {
        Some(self.bytes.len() as u64)
    }

    async fn fill(&mut self, buf: &mut Vec<u8>) -> Result<()> {
        let count = (buf.capacity() - buf.len()).min(self.bytes.len() - self.at);
        buf.extend_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Ok(())
    }

    async fn finish(self: Box<Self>, _contents: &mut ContentsWriter) -> Result<()> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(Error::new(&SOURCE_FAILED, format!("part {} was not read to its end", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::{failure, words};
    use backup_core::command::Ended;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[test]
    fn a_program_that_was_killed_has_said_nothing() {
        let ended = Ended { program: "pg_dump".into(), status: ExitStatus::from_raw(9), stderr: "\n".into() };
        assert_eq!(failure(&ended).to_string(), "pg_dump was ended by signal 9 and said nothing");
        let ended = Ended { stderr: "Killed\n".into(), ..ended };
        assert_eq!(failure(&ended).to_string(), "pg_dump was ended by signal 9: Killed");
    }

    #[test]
    fn statements_are_left_out() {
        let killed = "pg_dump: error: Dumping the contents of table \"a\" failed: PQgetResult() failed.\n\
                      pg_dump: detail: Error message from server: FATAL:  terminating connection\nserver closed\n\
                      pg_dump: detail: Command was: COPY public.a (i) TO stdout;\n";
        assert_eq!(
            words(killed),
            "Dumping the contents of table \"a\" failed: PQgetResult() failed.; Error message from server: FATAL:  terminating connection; server closed"
        );
        let locked = "pg_dump: error: query failed: ERROR:  canceling statement due to lock timeout\n\
                      pg_dump: detail: Query was: LOCK TABLE public.t IN ACCESS SHARE MODE\n";
        assert_eq!(
            words(locked),
            "query failed: ERROR:  canceling statement due to lock timeout; public.t IN ACCESS SHARE MODE"
        );
        assert_eq!(words("Segmentation fault\n"), "Segmentation fault");
    }
}
