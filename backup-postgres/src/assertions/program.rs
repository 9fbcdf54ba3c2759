//! A program that judges the restored database: it holds when it ends with status 0.

use super::verdict::Verdict;
use crate::connection::Connection;
use backup_core::command::{CommandStream, Ended};
use backup_core::{Error, Result as CoreResult};
use secrecy::ExposeSecret;
use std::process::Command;
use std::time::Duration;

/// What is left of our environment beside what [`Connection::apply`] leaves: nothing in it opens a repository or a live database.
const KEPT: [&str; 2] = ["LANG", "TERM"];

pub(super) async fn judge(connection: &Connection, command: &[String], limit: Duration) -> Result<Verdict, Verdict> {
    let Some((program, args)) = command.split_first() else {
        return Err(Verdict::Unverified("no program is named".into()));
    };
    let mut command = Command::new(program);
    command.args(args);
    connection.apply(&mut command);
    command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    let url = connection.url();
    command.env("DATABASE_URL", url.expose_secret());
    // Dropped when the time is over: that ends the program and what it started.
    match tokio::time::timeout(limit, run(command)).await {
        Ok(Ok(ended)) if ended.success() => Ok(Verdict::Passed(format!("{program} ended with status 0"))),
        Ok(Ok(ended)) => Ok(Verdict::Failed(connection.without_password(&ended.describe()))),
        Ok(Err(error)) => Err(Verdict::Unverified(error.chain())),
        Err(_) => Err(Verdict::timed_out(limit)),
    }
}

async fn run(command: Command) -> CoreResult<Ended, Error> {
    let mut output = CommandStream::spawn(command, None)?;
    let mut piece = Vec::with_capacity(64 << 10);
    loop {
        piece.clear();
        output.fill(&mut piece).await?;
        if piece.is_empty() {
            return output.finish().await;
        }
    }
}
