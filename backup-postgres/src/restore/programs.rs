//! Running pg_restore, and what it has to say.

use super::toc::Alone;
use crate::connection::Connection;
use crate::error::codes::RESTORE_FAILED;
use backup_core::command::{CommandStream, CommandWriter, Ended};
use backup_core::error::io_error;
use backup_core::text::printable;
use backup_core::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Messages of pg_restore that one error shows.
const SHOWN: usize = 20;

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
    pub(super) async fn read_file(&self, name: &str, ids: &[i32], jobs: usize, archive: &Path) -> Result<Vec<String>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = self.command(name, ids)?;
        if jobs > 1 {
            command.arg(format!("--jobs={jobs}"));
        }
        command.arg(archive);
        let mut stream = CommandStream::spawn(command, None)?;
        let mut output = Vec::with_capacity(4096);
        loop {
            output.clear();
            stream.fill(&mut output).await?;
            if output.len() < output.capacity() {
                break;
            }
        }
        Ok(judge(name, &stream.finish().await?))
    }

    /// Restores what comes after the data, this many entries at a time but for those that must be [`Alone`].
    pub(super) async fn read_post_data(
        &self,
        name: &str,
        ids: Vec<i32>,
        alone: &Alone,
        jobs: usize,
        archive: &Path,
    ) -> Result<Vec<String>> {
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
                let failed = self.read_file(&list, &ids, jobs, archive).await?;
                errors.extend(failed.into_iter().map(|error| error.replacen(&list, name, 1)));
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

/// The errors of a run; none when it succeeded.
pub(super) fn judge(phase: &str, ended: &Ended) -> Vec<String> {
    if ended.success() {
        return Vec::new();
    }
    let mut errors = messages(&ended.stderr);
    // What the leader of parallel workers says of the one that told its error.
    if errors.len() > 1 {
        errors.retain(|error| error != "a worker process died unexpectedly");
    }
    if errors.is_empty() {
        errors.push(format!("pg_restore {}", ended.manner()));
    }
    errors.iter_mut().for_each(|error| *error = format!("{phase}: {}", printable(error)));
    errors
}

/// The errors in what pg_restore wrote: each with the entry it is about, and the server's message and hint.
///
/// The statement that failed is left out, and DETAIL and CONTEXT too: the first can hold a secret (CREATE USER MAPPING), the others
/// rows of the database. The server's log has them.
fn messages(stderr: &str) -> Vec<String> {
    let mut errors: Vec<String> = Vec::new();
    let mut entry: Option<&str> = None;
    // Whether the current line continues the message before it.
    let mut keep = false;
    for line in stderr.lines() {
        let own = line.strip_prefix("pg_restore: ");
        if let Some(text) = own {
            keep = false;
            if let Some(text) = text.strip_prefix("from TOC entry ") {
                // `221; 1259 16418 TABLE public orders owner`
                entry = Some(text.splitn(4, ' ').nth(3).unwrap_or(text));
            } else if let Some(text) = text.strip_prefix("error: ") {
                let text = text.strip_prefix("could not execute query: ").unwrap_or(text);
                errors.push(match entry.take() {
                    Some(entry) => format!("{entry}: {text}"),
                    None => text.to_owned(),
                });
                keep = true;
            }
        } else if ["Command was:", "DETAIL:", "CONTEXT:", "LINE "].iter().any(|start| line.starts_with(start)) {
            keep = false;
        } else if let Some(hint) = line.strip_prefix("HINT:") {
            if let Some(last) = errors.last_mut() {
                last.push_str(&format!(" (hint: {})", hint.trim()));
            }
        } else if keep && let Some(last) = errors.last_mut() {
            last.push(' ');
            last.push_str(line.trim());
        }
    }
    errors
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

    #[test]
    fn messages_hold_neither_statements_nor_rows() {
        let stderr = "\
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 221; 1259 16418 TABLE public orders owner
pg_restore: error: could not execute query: ERROR:  type \"x\" does not exist
LINE 2:     secret x
            ^
Command was: CREATE TABLE public.orders (
    secret x
);

pg_restore: from TOC entry 3240; 2606 16421 FK CONSTRAINT public orders fk owner
pg_restore: error: could not execute query: ERROR:  violates foreign key
DETAIL:  Key (secret)=(5) is not there.
HINT:  Look.
Command was: secret
pg_restore: error: COPY failed for table \"t\": ERROR:  invalid input
more of it
CONTEXT:  COPY t, line 1: \"secret\"
pg_restore: warning: errors ignored on restore: 3
";
        assert_eq!(
            messages(stderr),
            [
                "TABLE public orders owner: ERROR:  type \"x\" does not exist",
                "FK CONSTRAINT public orders fk owner: ERROR:  violates foreign key (hint: Look.)",
                "COPY failed for table \"t\": ERROR:  invalid input more of it",
            ]
        );
        assert_eq!(messages("Segmentation fault\n"), Vec::<String>::new());
    }
}
