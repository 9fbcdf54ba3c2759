//! Running pg_restore, and what it has to say.

use super::toc::Alone;
use crate::connection::Connection;
use crate::error::codes::RESTORE_FAILED;
use backup_core::command::{CommandStream, CommandWriter, Ended};
use backup_core::error::io_error;
use backup_core::text::printable;
use backup_core::{Error, Result};
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Messages of pg_restore that one error shows.
const SHOWN: usize = 20;

/// As much of one line of pg_restore is looked at: a name can be long, and statements are not wanted.
const LONGEST_LINE: usize = 16 << 10;
/// As much of its messages is kept.
const MOST_BYTES: usize = 4 << 20;

/// How pg_restore is run.
#[derive(Clone, Debug)]
pub(super) struct PgRestoreProgram {
    pub(super) program: PathBuf,
    /// The new database.
    pub(super) connection: Connection,
    pub(super) no_owner: bool,
    pub(super) no_tablespaces: bool,
    /// End at the first error, or go on and report all of them.
    pub(super) exit_on_error: bool,
    /// A private folder for lists of entries.
    pub(super) folder: PathBuf,
}

impl PgRestoreProgram {
    /// A run of the entries with these dump ids.
    ///
    /// A list (`-L`) rather than `--section`, so that privileges can come after everything else.
    fn command(&self, name: &str, ids: &[i32]) -> Result<Command> {
        let list = self.folder.join(name);
        write_list(&list, ids).map_err(|error| io_error(format!("write {}", list.display()), error))?;
        let mut command = Command::new(&self.program);
        command.args(["--format=custom", "--no-password", "--no-subscriptions"]).arg("-L").arg(&list);
        if self.no_owner {
            command.arg("--no-owner");
        }
        if self.no_tablespaces {
            command.arg("--no-tablespaces");
        }
        if self.exit_on_error {
            command.arg("--exit-on-error");
        }
        self.connection.apply(&mut command);
        command.arg("-d").arg(self.connection.argument());
        Ok(command)
    }

    /// Restores entries without data from a file with the table of contents.
    pub(super) async fn read_file(&self, name: &str, ids: &[i32], jobs: usize, archive: &Path) -> Result<Vec<Refused>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = self.command(name, ids)?;
        // Otherwise it does not say which entry an error is about.
        command.arg("--verbose");
        if jobs > 1 {
            command.arg(format!("--jobs={jobs}"));
        }
        command.arg(archive);
        let mut stream = CommandStream::spawn(messages_as_output(&command), None)?;
        // An entry that a worker fails at is counted once more by the leader (`ParseWorkerReply` in parallel.c, `mark_restore_job_done`).
        let mut messages = Messages { counts_twice: jobs > 1, ..Messages::default() };
        let mut output = Vec::with_capacity(4096);
        loop {
            output.clear();
            stream.fill(&mut output).await?;
            messages.feed(&output);
            if output.len() < output.capacity() {
                break;
            }
        }
        Ok(messages.judge(name, &stream.finish().await?))
    }

    /// Restores what comes after the data, this many entries at a time but for those that must be [`Alone`].
    pub(super) async fn read_post_data(
        &self,
        name: &str,
        ids: Vec<i32>,
        alone: &Alone,
        jobs: usize,
        archive: &Path,
    ) -> Result<Vec<Refused>> {
        if jobs <= 1 {
            return self.read_file(name, &ids, 1, archive).await;
        }
        let (first, ids): (Vec<i32>, Vec<i32>) = ids.into_iter().partition(|id| alone.first.contains(id));
        let (privileges, ids): (Vec<i32>, Vec<i32>) = ids.into_iter().partition(|id| alone.privileges.contains(id));
        let late = |id: &i32| !privileges.is_empty() && alone.after_privileges.contains(id);
        let (last, ids): (Vec<i32>, Vec<i32>) = ids.into_iter().partition(late);
        let mut errors = Vec::new();
        for (turn, ids, jobs) in
            [("-first", first, 1), ("", ids, jobs), ("-privileges", privileges, 1), ("-last", last, jobs)]
        {
            if errors.is_empty() || !self.exit_on_error {
                let list = format!("{name}{turn}");
                let mut failed = self.read_file(&list, &ids, jobs, archive).await?;
                failed.iter_mut().for_each(|error| error.phase = name.to_owned());
                errors.extend(failed);
            }
        }
        Ok(errors)
    }

    /// Starts restoring entries from an archive that comes through a pipe.
    pub(super) fn read_pipe(&self, name: &str, ids: &[i32]) -> Result<CommandWriter> {
        CommandWriter::spawn(self.command(name, ids)?)
    }
}

pub(super) fn write_list(path: &Path, ids: &[i32]) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(File::create_new(path)?);
    for id in ids {
        writeln!(file, "{id};")?;
    }
    file.flush()
}

/// The command with its messages where its output would be: they are read as they come, however many there are. (Of messages themselves, the last
/// ones are kept.) pg_restore has no output when it restores into a database.
fn messages_as_output(command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    // All that it may know of the environment is set (`Connection::apply`).
    shell.env_clear();
    shell.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// The errors of a run; none when it succeeded.
pub(super) fn judge(phase: &str, ended: &Ended) -> Vec<String> {
    let mut messages = Messages::default();
    messages.feed(ended.stderr.as_bytes());
    messages.judge(phase, ended).iter().map(Refused::to_string).collect()
}

/// One error of pg_restore's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    phase: String,
    /// The dump id of the entry that it is about.
    pub(super) entry: Option<i32>,
    /// That entry's kind, name and owner, where they are known, and the server's message and hint.
    pub(super) text: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.phase, printable(&self.text))
    }
}

/// The errors in what pg_restore wrote: each with the entry it is about, and the server's message and hint.
///
/// The statement that failed is left out, and DETAIL and CONTEXT too: the first can hold a secret (CREATE USER MAPPING), the others
/// rows of the database. The server's log has them.
#[derive(Debug, Default)]
struct Messages {
    line: Vec<u8>,
    errors: Vec<(Option<i32>, String)>,
    bytes: usize,
    /// How many errors it says that there were.
    counted: usize,
    /// Whether that can be up to twice as many as it told.
    counts_twice: bool,
    /// How many did not fit.
    dropped: usize,
    /// The entry that the next error is about, and those after it up to the next entry (`warn_or_exit_horribly` in pg_backup_archiver.c).
    entry: Option<(i32, String)>,
    /// Whether no error has told of that entry yet. When another one is named before, two workers speak at once, and who says what is not known.
    fresh: bool,
    /// Whether the current line continues the message before it.
    keep: bool,
}

impl Messages {
    fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.gather(&bytes[..end]);
            let line = std::mem::take(&mut self.line);
            self.take(&String::from_utf8_lossy(&line));
            bytes = &bytes[end + 1..];
        }
        self.gather(bytes);
    }

    fn gather(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take(&mut self, line: &str) {
        if let Some(text) = line.strip_prefix("pg_restore: ") {
            self.keep = false;
            if let Some(text) = text.strip_prefix("from TOC entry ") {
                // `221; 1259 16418 TABLE orders owner`
                let id = text.split(';').next().and_then(|id| id.parse().ok());
                let label = text.splitn(4, ' ').nth(3).unwrap_or(text).trim_end().to_owned();
                self.entry = id.map(|id| (id, label)).filter(|_| !self.fresh);
                self.fresh = true;
            } else if let Some(text) = text.strip_prefix("error: ") {
                let text = text.strip_prefix("could not execute query: ").unwrap_or(text);
                let (id, text) = match &self.entry {
                    Some((id, label)) => (Some(*id), format!("{label}: {text}")),
                    None => (None, text.to_owned()),
                };
                self.fresh = false;
                self.keep = self.bytes < MOST_BYTES;
                if self.keep {
                    self.bytes += text.len();
                    self.errors.push((id, text));
                } else {
                    self.dropped += 1;
                }
            } else if let Some(count) = text.strip_prefix("warning: errors ignored on restore: ") {
                self.counted = count.trim().parse().unwrap_or(0);
            }
        } else if ["Command was:", "DETAIL:", "CONTEXT:", "LINE "].iter().any(|start| line.starts_with(start)) {
            self.keep = false;
        } else if let Some(hint) = line.strip_prefix("HINT:") {
            self.add(&format!(" (hint: {})", hint.trim()));
        } else if self.keep {
            self.add(&format!(" {}", line.trim()));
        }
    }

    fn add(&mut self, text: &str) {
        if let (Some((_, last)), true) = (self.errors.last_mut(), self.dropped == 0) {
            self.bytes += text.len();
            last.push_str(text);
        }
    }

    /// The errors of a run that ended so; none when it succeeded.
    fn judge(mut self, phase: &str, ended: &Ended) -> Vec<Refused> {
        if ended.success() {
            return Vec::new();
        }
        let line = std::mem::take(&mut self.line);
        self.take(&String::from_utf8_lossy(&line));
        // What the leader of parallel workers says of the one that told its error.
        if self.errors.len() > 1 {
            self.errors.retain(|(_, error)| !error.ends_with("a worker process died unexpectedly"));
        }
        let counted = if self.counts_twice { self.counted.div_ceil(2) } else { self.counted };
        let more = self.dropped.max(counted.saturating_sub(self.errors.len()));
        if self.errors.is_empty() {
            self.errors.push((None, format!("pg_restore {}", ended.manner())));
        } else if more > 0 {
            self.errors.push((None, format!("{more} more errors, which pg_restore counted")));
        }
        // What an entry says after its first error follows from that: what was not made has no owner either.
        self.errors.dedup_by(|next, first| next.0.is_some() && next.0 == first.0);
        let refused = |(entry, text)| Refused { phase: phase.to_owned(), entry, text };
        self.errors.into_iter().map(refused).collect()
    }
}

/// The error of a restore that failed.
pub(super) fn failure(errors: &[String], what: &str) -> Error {
    let mut message = format!("{what}: {} errors", errors.len());
    if let [one] = errors {
        message = format!("{what}: {one}");
    } else {
        for error in errors.iter().take(SHOWN) {
            message.push_str("; ");
            message.push_str(error);
        }
        if errors.len() > SHOWN {
            message.push_str(&format!("; and {} more", errors.len() - SHOWN));
        }
    }
    Error::new(&RESTORE_FAILED, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[test]
    fn messages_hold_neither_statements_nor_rows() {
        let stderr = "\
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 221; 1259 16418 TABLE orders owner
pg_restore: error: could not execute query: ERROR:  type \"x\" does not exist
LINE 2:     secret x
            ^
Command was: CREATE TABLE public.orders (
    secret x
);

pg_restore: from TOC entry 3240; 2606 16421 FK CONSTRAINT orders fk owner
pg_restore: error: could not execute query: ERROR:  violates foreign key
DETAIL:  Key (secret)=(5) is not there.
HINT:  Look.
Command was: secret
pg_restore: from TOC entry 3241; 0 16418 TABLE DATA t owner
pg_restore: error: COPY failed for table \"t\": ERROR:  invalid input
more of it
CONTEXT:  COPY t, line 1: \"secret\"
pg_restore: warning: errors ignored on restore: 3
";
        let told = |stderr: &str| told(stderr.as_bytes()).into_iter().map(|one| one.text).collect::<Vec<_>>();
        assert_eq!(
            told(stderr),
            [
                "TABLE orders owner: ERROR:  type \"x\" does not exist",
                "FK CONSTRAINT orders fk owner: ERROR:  violates foreign key (hint: Look.)",
                "TABLE DATA t owner: COPY failed for table \"t\": ERROR:  invalid input more of it",
            ]
        );
        assert_eq!(told("Segmentation fault\n"), ["pg_restore exited with status 1"]);
    }

    fn told(stderr: &[u8]) -> Vec<Refused> {
        let mut messages = Messages::default();
        // In pieces, as it comes.
        stderr.chunks(7).for_each(|piece| messages.feed(piece));
        let status = ExitStatus::from_raw(1 << 8);
        messages.judge("definitions", &Ended { program: "pg_restore".into(), status, stderr: String::new() })
    }

    #[test]
    fn errors_belong_to_entries() {
        let stderr = b"\
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 7; 1255 16418 FUNCTION f() owner
pg_restore: error: could not execute query: ERROR:  could not access file
pg_restore: error: could not execute query: ERROR:  function f() does not exist
pg_restore: creating TABLE \"public.t\"
pg_restore: from TOC entry 8; 1259 16419 INDEX i owner
pg_restore: from TOC entry 9; 1259 16420 INDEX j owner
pg_restore: error: could not execute query: ERROR:  of i, or of j
pg_restore: error: could not execute query: ERROR:  of the other one
pg_restore: from TOC entry 10; 1259 16421 INDEX k owner
pg_restore: error: could not execute query: ERROR:  of k
pg_restore: warning: errors ignored on restore: 7";
        let told = told(stderr);
        let entries: Vec<Option<i32>> = told.iter().map(|one| one.entry).collect();
        assert_eq!(entries, [Some(7), None, None, Some(10), None]);
        assert_eq!(told[0].to_string(), "definitions: FUNCTION f() owner: ERROR:  could not access file");
        assert_eq!(told[4].text, "2 more errors, which pg_restore counted");
    }

    #[test]
    fn messages_without_end_take_no_memory() {
        let mut messages = Messages::default();
        for _ in 0..10 {
            messages.feed(&[b'x'; 4096]);
        }
        assert_eq!(messages.line.len(), LONGEST_LINE);
        let long = "x".repeat(1000);
        for number in 0..9_000 {
            messages.feed(
                format!("\npg_restore: from TOC entry {number}; 1 1 TABLE t o\npg_restore: error: {long}\nmore")
                    .as_bytes(),
            );
        }
        assert!(messages.bytes < MOST_BYTES + LONGEST_LINE && messages.dropped > 0, "{}", messages.bytes);
        let all = messages.errors.len() + messages.dropped;
        assert_eq!(all, 9_000);
    }
}
