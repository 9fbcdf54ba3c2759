//! The input of a program.

use super::process::{Ended, Process, thread, wait_for_exit};
use crate::error::{Error, Result, codes, io_error};
use bytes::Bytes;
use std::io::{ErrorKind, Write};
use std::process::Command;
use tokio::sync::{mpsc, oneshot};

/// A program that is fed through its standard input, by a thread of its own. Dropping it ends the program.
///
/// What the program writes to its standard output goes nowhere.
pub struct CommandWriter {
    // The first field to be dropped: the program is told to end before its input does, and takes no end for a complete one.
    process: Process,
    pieces: mpsc::Sender<Bytes>,
    outcome: oneshot::Receiver<std::io::Result<()>>,
}

impl std::fmt::Debug for CommandWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandWriter").field("program", &self.process.program).finish_non_exhaustive()
    }
}

impl CommandWriter {
    /// Starts the command.
    pub fn spawn(command: Command) -> Result<Self> {
        let (process, input, _) = Process::spawn(command, true)?;
        let Some(mut input) = input else { return Err(Error::new(&codes::IO, "the command has no input")) };
        let (pieces, mut receiver) = mpsc::channel::<Bytes>(1);
        let (tell, outcome) = oneshot::channel();
        let (pid, stderr) = (process.pid, process.stderr.clone());
        thread("writer", move || {
            let mut result = Ok(());
            while let Some(piece) = receiver.blocking_recv() {
                result = input.write_all(&piece);
                if result.is_err() {
                    break;
                }
            }
            drop((input, receiver));
            if !tell.is_closed() {
                wait_for_exit(pid, &stderr);
                let _ = tell.send(result);
            }
        })?;
        Ok(CommandWriter { process, pieces, outcome })
    }

    /// Hands over the next bytes. False: the program takes no more; [`finish`](Self::finish) says how it ended.
    pub async fn write(&mut self, bytes: Bytes) -> bool {
        bytes.is_empty() || self.pieces.send(bytes).await.is_ok()
    }

    /// Ends the input and waits for the program. The flag is true when all that it was given went into
    /// its pipe; whether it read the last of it, up to 1 MiB that the pipe holds, cannot be seen from here.
    pub async fn finish(self) -> Result<(Ended, bool)> {
        drop(self.pieces);
        let program = self.process.program.clone();
        let written = match self.outcome.await {
            Ok(Ok(())) => true,
            // It ended, or closed its input, before it had all: how it ended says more.
            Ok(Err(error)) if error.kind() == ErrorKind::BrokenPipe => false,
            Ok(Err(error)) => return Err(io_error(format!("write the input of {program}"), error)),
            Err(_) => return Err(Error::new(&codes::IO, "the thread that writes a program's input is gone")),
        };
        Ok((self.process.reap()?, written))
    }
}
