//! The output of a program as a source, its input as a target.

use super::snapshot::{OnePart, default_part};
use super::taking::{Taking, choose};
use crate::command::{CommandReader, CommandWriter};
use crate::error::{Error, Result, codes};
use crate::monitor::Monitor;
use crate::names::PartName;
use crate::source::{Snapshot, Source, SourceInfo};
use crate::target::{Restorable, RestorePlan, RestoreReport, Target};
use async_trait::async_trait;
use jiff::Timestamp;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// A program with its arguments. Shows neither arguments nor environment: both can hold secrets.
#[derive(Clone)]
struct Program {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
}

impl Program {
    fn new(program: impl Into<OsString>) -> Self {
        Program { program: program.into(), args: Vec::new(), env: Vec::new(), folder: None }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program.to_string_lossy())
    }
}

macro_rules! program_setters {
    () => {
        /// Adds an argument. Other users of the machine can see arguments: no secrets here.
        pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
            self.program.args.push(arg.as_ref().to_owned());
            self
        }

        /// Adds arguments.
        pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
            self.program.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
            self
        }

        /// Sets an environment variable, over those of this process.
        pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
            self.program.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
            self
        }

        /// Runs it in this folder.
        pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
            self.program.folder = Some(folder.into());
            self
        }
    };
}

/// Backs up what a program writes to its standard output. Kind `command`.
///
/// The backup is complete only if the program's exit status is 0. In a shell's pipe, say `set -o pipefail`: the shell's status is
/// all that is seen.
pub struct CommandSource {
    program: Program,
    part: PartName,
}

impl CommandSource {
    /// A program, found on PATH unless it is a path.
    pub fn new(program: impl Into<OsString>) -> Self {
        CommandSource { program: Program::new(program), part: default_part() }
    }

    program_setters!();

    /// Names the part; `data` otherwise.
    pub fn part(mut self, part: PartName) -> Self {
        self.part = part;
        self
    }
}

impl fmt::Debug for CommandSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandSource({})", self.program)
    }
}

#[async_trait]
impl Source for CommandSource {
    fn kind(&self) -> &str {
        "command"
    }

    async fn open(&self, _monitor: Arc<dyn Monitor>) -> Result<Box<dyn Snapshot>> {
        let mut info = SourceInfo::new(self.kind(), Timestamp::now());
        info.facts.insert("program".into(), self.program.to_string());
        let reader = CommandReader::spawn(self.part.clone(), self.program.command())?;
        Ok(Box::new(OnePart { info, part: Some(Box::new(reader)) }))
    }
}

/// Restores one part into the standard input of a program; what it prints goes nowhere.
///
/// Two things are checked: every byte of the part went into the program's pipe before the program ended or closed its input, and
/// its exit status is 0. What is not: that the program read what was in the pipe. A pipe holds up to 1 MiB, so a program that
/// ends with status 0 without having read its last MiB (or any of a smaller part) looks like one that read all. Give it a
/// program that reads its input to the end; `cat >file` does, `head` does not.
///
/// When the backup turns out to be damaged in the middle, the program is ended before its input is, so that it never takes half of
/// a part for the whole.
pub struct CommandTarget {
    program: Program,
    part: Option<PartName>,
}

impl CommandTarget {
    /// A program, found on PATH unless it is a path.
    pub fn new(program: impl Into<OsString>) -> Self {
        CommandTarget { program: Program::new(program), part: None }
    }

    program_setters!();

    /// Takes this part; otherwise the only one that the backup has.
    pub fn part(mut self, part: PartName) -> Self {
        self.part = Some(part);
        self
    }
}

impl fmt::Debug for CommandTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandTarget({})", self.program)
    }
}

#[async_trait]
impl Target for CommandTarget {
    async fn plan(&self, backup: &dyn Restorable) -> Result<RestorePlan> {
        let mut plan = RestorePlan { target: self.program.to_string(), ..RestorePlan::default() };
        match choose(backup, self.part.as_ref()) {
            Ok(part) => plan.steps.push(format!("run {} and give it part {part} as input", self.program)),
            Err(error) => plan.obstacles.push(error.to_string()),
        }
        Ok(plan)
    }

    async fn restore(&self, backup: &dyn Restorable, monitor: Arc<dyn Monitor>) -> Result<RestoreReport> {
        let part = choose(backup, self.part.as_ref())?;
        let mut taking = Taking::open(backup, &part, &*monitor).await?;
        let mut writer = CommandWriter::spawn(self.program.command())?;
        while let Some(piece) = taking.next().await? {
            if !writer.write(piece).await {
                break;
            }
        }
        let (ended, all) = writer.finish().await?;
        if !ended.success() {
            return Err(Error::new(&codes::TARGET_FAILED, ended.describe()));
        }
        if !all {
            return Err(Error::new(&codes::TARGET_FAILED, format!("{} did not read all of its input", ended.program)));
        }
        Ok(RestoreReport { target: self.program.to_string(), bytes: taking.bytes, warnings: Vec::new() })
    }
}
