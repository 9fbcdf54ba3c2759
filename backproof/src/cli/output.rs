//! What the program prints: results to stdout, everything else to stderr.

use super::common::Common;
use backup_core::error::codes;
use backup_core::{Error, Result};
use backup_storage::Environment;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{IsTerminal, Write};

/// The version of the JSON documents.
const JSON_VERSION: u32 = 1;

/// How results are printed.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) json: bool,
    pub(super) quiet: bool,
    pub(super) verbose: u8,
}

#[derive(Serialize)]
struct Document<'a, T> {
    version: u32,
    command: &'a str,
    #[serde(flatten)]
    body: T,
}

impl Output {
    pub(super) fn new(common: &Common) -> Self {
        Output { json: common.json, quiet: common.quiet, verbose: common.verbose }
    }

    /// Whether someone watches who would like to see progress.
    pub(super) fn shows_progress(&self) -> bool {
        !self.quiet && !self.json && std::io::stderr().is_terminal()
    }

    /// Prints a result: the JSON document, or the text.
    pub(super) fn result(&self, command: &str, body: impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        print(&self.text(command, body, text)?)
    }

    /// Prints the result of what was done and cannot be done again, and gives the exit status: 1 where it could not be printed. Then it is on stderr.
    pub(super) fn done(&self, command: &str, body: impl Serialize, text: impl FnOnce() -> String) -> u8 {
        self.seen(command, body, text).unwrap_or(1)
    }

    /// As [`done`](Output::done); an error where stderr did not take it either.
    pub(super) fn seen(&self, command: &str, body: impl Serialize, text: impl FnOnce() -> String) -> Result<u8> {
        let text = self.text(command, body, text)?;
        let Err(error) = write_out(&text) else { return Ok(0) };
        let told = writeln!(
            std::io::stderr(),
            "warning: this was done, and could not be printed: write to stdout: {error}\n{text}"
        );
        told.map_err(|_| backup_core::error::io_error("write to stdout", error))?;
        Ok(1)
    }

    fn text(&self, command: &str, body: impl Serialize, text: impl FnOnce() -> String) -> Result<String> {
        Ok(if self.json {
            let document = Document { version: JSON_VERSION, command, body };
            serde_json::to_string_pretty(&document)
                .map_err(|error| Error::new(&codes::IO, "write the JSON document").with_source(error))?
        } else {
            printable(&text()).into_owned()
        })
    }

    /// Prints something that needs attention.
    pub(super) fn warning(&self, message: &str) {
        say(&format!("warning: {}", printable(message)));
    }

    /// Prints something worth knowing.
    pub(super) fn notice(&self, message: &str) {
        if !self.quiet {
            say(&printable(message));
        }
    }

    /// Prints an error, and gives the exit status.
    pub(super) fn failed(&self, error: &Error, signal: Option<u8>) -> u8 {
        if self.json {
            print_error_document(error);
        }
        if let Some(status) = signal {
            say(&format!("backproof: interrupted; {}", error.hint()));
            return status;
        }
        say(&format!("error: {}", printable(&error.report())));
        2
    }
}

/// Names come from databases and stores, and may hold what a terminal takes for commands: such characters are shown as escapes. Line feeds and tabs stay.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let commands = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(commands) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if commands(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Writes to stderr, and goes on where that cannot be written to: a backup does not end because nobody listens.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn write_out(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush())
}

/// Writes to stdout; a reader that went away (`| head`) is no error.
pub(super) fn print(text: &str) -> Result<()> {
    match write_out(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(backup_core::error::io_error("write to stdout", error))
        }
        _ => Ok(()),
    }
}

/// The document of an error.
pub(super) fn print_error_document(error: &Error) {
    let document = serde_json::json!({
        "version": JSON_VERSION,
        "error": { "code": error.code().name(), "message": error.chain(), "hint": error.hint() },
    });
    let _ = print(&format!("{document:#}"));
}

/// Logs go to stderr, as text or JSON lines: warnings, or more with -v.
pub(super) fn start_logs(common: &Common, environment: &Environment) {
    let level = match common.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = environment.get("BACKPROOF_LOG").map_or_else(|| format!("off,backproof={level},backup_core={level},backup_storage={level},backup_crypto={level},backup_postgres={level}"), str::to_owned);
    let filter = tracing_subscriber::EnvFilter::new(filter);
    // What cannot be logged ends nothing.
    let logs = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    let format = common.log_format.as_deref().or_else(|| environment.get("BACKPROOF_LOG_FORMAT"));
    // A program that calls this function may have set up logs of its own: those stay.
    let _ = match format {
        Some("json") => logs.json().with_writer(std::io::stderr).try_init(),
        // Without colours: then every command to the terminal is a stranger's.
        _ => logs.with_target(false).with_ansi(false).with_writer(|| Lines(std::io::stderr())).try_init(),
    };
}

/// Text logs: what is written at once is one line, whatever the names in it hold.
struct Lines<W>(W);

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let escape = |c: char| if c.is_control() && c != '\t' { c.escape_default().to_string() } else { c.to_string() };
        let line: String = text.trim_end_matches('\n').chars().map(escape).collect();
        self.0.write_all(format!("{line}\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Lines up columns with two spaces between them.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    // A line feed in a cell would begin a row of its own.
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| cell.replace(['\n', '\r'], " ")).collect()).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Lines, printable, table};
    use std::io::Write;

    #[test]
    fn a_logged_event_is_one_line() {
        let mut written = Vec::new();
        Lines(&mut written).write_all("WARN table a\u{1b}[2J\nERROR b\r\u{9b}31m left out\n".as_bytes()).unwrap();
        let line = String::from_utf8(written).unwrap();
        assert_eq!(line, "WARN table a\\u{1b}[2J\\nERROR b\\r\\u{9b}31m left out\n");
    }

    #[test]
    fn nothing_printed_commands_the_terminal_or_forges_a_row() {
        assert_eq!(printable("e\u{1b}]0;title\u{7}\r\n"), "e\\u{1b}]0;title\\u{7}\\r\n");
        assert_eq!(printable("Büro\t“x”\n"), "Büro\t“x”\n");
        assert_eq!(table(&[vec!["name".into(), "a\nforged  row".into()]]).lines().count(), 1);
    }
}
