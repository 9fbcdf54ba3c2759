//! The program: from arguments to an exit status.

mod args;
mod backup;
mod cat;
mod common;
mod config;
mod diff;
mod drill;
mod init;
mod keygen;
mod list;
mod manual;
mod output;
mod progress;
mod prompt;
mod restore;
mod rollback;
mod show;
mod signals;
mod verify;
pub mod verify_backups;

use crate::Backproof;
use crate::config::Settings;
use crate::error::codes;
use args::{Cli, Command};
use backup_core::{Error, Result};
use backup_storage::Environment;
use clap::Parser;
use output::Output;
use std::ffi::OsString;
use std::sync::Arc;

/// What the commands work with.
struct Context {
    backproof: Backproof,
    output: Output,
    signals: signals::Signals,
    /// A passphrase file was named as a flag: for this command alone.
    passphrase_file: bool,
}

impl Context {
    /// The session for one verb: its progress ends with it.
    fn session(&self) -> Backproof {
        let (monitor, bar) = progress::monitor(&self.output);
        let terminal = Arc::new(prompt::Terminal { bar });
        self.backproof.clone().monitor(monitor).prompt(terminal.clone()).confirm(terminal)
    }
}

/// Runs the program: parses the arguments (the first is the program's name), does what they say, prints, and returns the
/// exit status.
///
/// 0 fine, 1 warning, 2 failure or bad usage, 130 interrupted, 143 terminated. Makes its own runtime, so it must not be called
/// from within one.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    // What follows `--` is for another program.
    let wants_json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, wants_json),
    };
    let environment = Environment::from_process();
    let output = Output::new(&cli.common);
    output::start_logs(&cli.common, &environment);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = backup_core::error::io_error("start the runtime", error);
            return output.failed(&error, None);
        }
    };
    let status = runtime.block_on(dispatch(cli, environment, output));
    // Work on other threads ends with its segment; nothing waits for it any more.
    runtime.shutdown_background();
    status
}

async fn dispatch(cli: Cli, environment: Environment, output: Output) -> u8 {
    let signals = match signals::Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return output.failed(&error, None),
    };
    let settings = match Settings::load(&cli.common.overrides(), environment.clone()) {
        Ok(settings) => settings,
        Err(error) => {
            if matches!(&cli.command, Command::Verify(args) if args.alert_on_failure) {
                verify::alert(&environment, &error, &output).await;
            }
            return output.failed(&error, None);
        }
    };
    let passphrase_file = cli.common.passphrase_file.is_some();
    let context = Context { backproof: Backproof::new(settings), output, signals, passphrase_file };
    let result = command(&context, &cli.command).await;
    match result {
        Ok(status) => status,
        Err(error) => context.output.failed(&error, context.signals.caught()),
    }
}

async fn command(context: &Context, command: &Command) -> Result<u8> {
    // A backup ends itself when a signal comes, and cleans up; whatever else is going on is dropped.
    // So does a restore.
    match command {
        Command::Backup(args) => return backup::run(context, args).await,
        Command::Restore(args) => return restore::run(context, args).await,
        _ => {}
    }
    let work = async {
        match command {
            Command::Init(args) => init::run(context, args).await,
            Command::Keygen(args) => keygen::run(context, args).await,
            Command::Backup(args) => backup::run(context, args).await,
            Command::List => list::run(context).await,
            Command::Show(args) => show::run(context, args).await,
            Command::Cat(args) => cat::run(context, args).await,
            Command::Verify(args) => verify::run(context, args).await,
            Command::Restore(args) => restore::run(context, args).await,
            Command::Rollback(args) => rollback::run(context, args).await,
            Command::Diff(args) => diff::run(context, args).await,
            Command::Drill(args) => drill::run(context, args).await,
            Command::Config => config::run(context).await,
            Command::Completions { shell } => manual::completions(*shell),
            Command::Man { output } => manual::pages(context, output),
        }
    };
    tokio::select! {
        result = work => result,
        () = context.signals.wait() => Err(Error::new(&codes::INTERRUPTED, "the program was told to end")),
    }
}

/// Help and version go to stdout with status 0; mistakes to stderr, with --json as an error document to stdout too, with status 2.
fn usage(error: &clap::Error, json: bool) -> u8 {
    if !error.use_stderr() {
        let gone = |error: std::io::Error| error.kind() != std::io::ErrorKind::BrokenPipe;
        return if error.print().is_err_and(gone) { 2 } else { 0 };
    }
    let text = error.to_string();
    let (message, more) = text.split_once('\n').unwrap_or((&text, ""));
    output::say(&format!("{message} [{}]\n{}", codes::USAGE.name(), more.trim_end()));
    if json {
        output::print_error_document(&Error::new(&codes::USAGE, message.trim_start_matches("error: ").to_owned()));
    }
    2
}
