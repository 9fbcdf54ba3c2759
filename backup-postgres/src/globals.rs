//! Roles and tablespaces, which belong to the whole server and are in no database's dump: pg_dumpall's script.

use crate::connection::Connection;
use crate::tools::Tools;
use backup_core::error::codes::SOURCE_FAILED;
use backup_core::monitor::{Event, Monitor};
use backup_core::text::printable_lines;
use backup_core::{Error, Result};
use std::process::Stdio;
use tokio::process::Command;

/// Roles, memberships, their settings, tablespaces and parameter privileges as an SQL script, for the part `globals`.
///
/// Any role can have it (tried with one that owns nothing): without passwords, pg_dumpall reads pg_roles. With passwords (their SCRAM
/// verifiers), it reads pg_authid, which takes a superuser; the bytes are then secret. pg_dumpall connects to the given database, not to
/// `postgres` and `template1`, to which the role may not be let. Since the minor releases of August 2025 the script has a random
/// `\restrict` key: two scripts of the same roles differ.
///
/// # Errors
/// `source_failed` with pg_dumpall's words.
pub async fn globals(
    tools: &Tools,
    connection: &Connection,
    with_passwords: bool,
    monitor: &dyn Monitor,
) -> Result<Vec<u8>> {
    let program = &tools.pg_dumpall.path;
    let mut command = Command::new(program);
    connection.apply(command.as_std_mut());
    command.args([
        "--globals-only",
        "--no-password",
        "--dbname",
        &connection.argument(),
        "--database",
        // A bare name with `=` or `://` in it would be a connection string, to whatever server it names.
        &connection.database_argument(),
    ]);
    if !with_passwords {
        command.arg("--no-role-passwords");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = command
        .output()
        .await
        .map_err(|error| Error::new(&SOURCE_FAILED, format!("start {}", program.display())).with_source(error))?;
    let words = String::from_utf8_lossy(&output.stderr);
    let words = words.trim();
    if !output.status.success() {
        let said = if words.is_empty() { " and said nothing".to_owned() } else { format!(": {words}") };
        let error = Error::new(&SOURCE_FAILED, format!("pg_dumpall of the roles ended with {}{said}", output.status));
        return Err(if words.contains("pg_authid") {
            error.with_hint("role passwords can be read by a superuser only: back up without them, or as a superuser")
        } else {
            error
        });
    }
    if !words.is_empty() {
        monitor.event(Event::Warning { message: format!("pg_dumpall: {}", printable_lines(words)) });
    }
    // Its last line, in all versions: a script that was cut is no script.
    if !output.stdout.trim_ascii_end().ends_with(b"--\n-- PostgreSQL database cluster dump complete\n--") {
        return Err(Error::new(&SOURCE_FAILED, "pg_dumpall's script of the roles has no end"));
    }
    Ok(output.stdout)
}
