//! The output of a program.

use super::process::{Ended, Process, Tail, thread, wait_for_exit};
use crate::error::{Error, Result, codes, io_error};
use crate::names::PartName;
use crate::repository::contents::ContentsWriter;
use crate::source::PartReader;
use async_trait::async_trait;
use rustix::process::Pid;
use std::process::{ChildStdout, Command};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Sees every byte of the output, in order, in the pieces that were read, before the reader's caller does. Runs on the
/// reader's own thread. An error ends the reading with it.
pub type Tap = Box<dyn FnMut(&[u8]) -> Result<()> + Send>;

/// After a read of less than this, the reader pauses.
const SHORT_READ: usize = 256 << 10;

/// How long it pauses, so that a source that writes 4 KiB at a time does not wake us for each of them. The pipe holds what
/// comes meanwhile: 1 MiB in 1 ms.
const PAUSE: Duration = Duration::from_millis(1);

struct Request {
    buf: Vec<u8>,
    reply: oneshot::Sender<(Vec<u8>, Result<bool>)>,
}

/// The output of a program, read by a thread of its own straight into the buffers it is given.
///
/// (The prototype measured a third of the processor time of tokio's `ChildStdout`.) Dropping it ends the program.
pub struct CommandStream {
    requests: mpsc::Sender<Request>,
    exited: oneshot::Receiver<()>,
    process: Process,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// A fill is under way, or its future was dropped and with it bytes that nobody saw.
    Filling,
    End,
}

impl std::fmt::Debug for CommandStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandStream").field("program", &self.process.program).finish_non_exhaustive()
    }
}

impl CommandStream {
    /// Starts the command. Its standard input is empty, its standard output is what is read.
    pub fn spawn(command: Command, tap: Option<Tap>) -> Result<Self> {
        let (process, _, output) = Process::spawn(command, false)?;
        let Some(output) = output else { return Err(Error::new(&codes::IO, "the command has no output")) };
        let (requests, receiver) = mpsc::channel(1);
        let (exit, exited) = oneshot::channel();
        let (pid, stderr) = (process.pid, process.stderr.clone());
        thread("reader", move || serve(output, receiver, tap, pid, &stderr, exit))?;
        Ok(CommandStream { requests, exited, process, state: State::Reading })
    }

    /// As [`PartReader::fill`]. When its future is dropped, bytes are lost, and all that follows is an error.
    pub async fn fill(&mut self, buf: &mut Vec<u8>) -> Result<()> {
        match self.state {
            State::End => return Ok(()),
            State::Filling => {
                return Err(Error::new(
                    &codes::CANCELLED,
                    format!("the reading of {} was cancelled", self.process.program),
                ));
            }
            State::Reading => self.state = State::Filling,
        }
        let (reply, replied) = oneshot::channel();
        let request = Request { buf: std::mem::take(buf), reply };
        let gone = || Error::new(&codes::IO, "the thread that reads a program's output is gone");
        self.requests.send(request).await.map_err(|_| gone())?;
        let (filled, result) = replied.await.map_err(|_| gone())?;
        *buf = filled;
        self.state = if result? { State::End } else { State::Reading };
        Ok(())
    }

    /// Waits for the program's end. The output must have been read to its end: what is left is an error.
    pub async fn finish(mut self) -> Result<Ended> {
        if self.state != State::End {
            let mut rest = Vec::with_capacity(1);
            self.fill(&mut rest).await?;
            if !rest.is_empty() {
                return Err(Error::new(
                    &codes::SOURCE_FAILED,
                    format!("the output of {} was not read to its end", self.process.program),
                ));
            }
        }
        let _ = self.exited.await;
        self.process.reap()
    }
}

/// The thread: fills buffers until the end, then waits for the program's.
fn serve(
    output: ChildStdout,
    mut requests: mpsc::Receiver<Request>,
    mut tap: Option<Tap>,
    pid: Pid,
    stderr: &Tail,
    exit: oneshot::Sender<()>,
) {
    while let Some(Request { mut buf, reply }) = requests.blocking_recv() {
        let result = fill(&output, &mut buf, &mut tap);
        let more = matches!(result, Ok(false));
        let ended = matches!(result, Ok(true));
        let heard = reply.send((buf, result)).is_ok();
        if more && heard {
            continue;
        }
        drop(output);
        drop(tap);
        if ended && heard {
            wait_for_exit(pid, stderr);
            let _ = exit.send(());
        }
        return;
    }
}

/// Reads until the buffer is full; true at the end of the output.
fn fill(output: &ChildStdout, buf: &mut Vec<u8>, tap: &mut Option<Tap>) -> Result<bool> {
    while buf.len() < buf.capacity() {
        let from = buf.len();
        match rustix::io::read(output, rustix::buffer::spare_capacity(buf)) {
            Ok(0) => return Ok(true),
            Ok(count) => {
                if let Some(tap) = tap {
                    tap(&buf[from..])?;
                }
                if count < SHORT_READ && buf.len() < buf.capacity() {
                    std::thread::sleep(PAUSE);
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io_error("read the output of a program", error.into())),
        }
    }
    Ok(false)
}

/// A part that is the output of a program. It is complete only if the program's exit status is 0.
#[derive(Debug)]
pub struct CommandReader {
    name: PartName,
    stream: CommandStream,
}

impl CommandReader {
    /// Starts the command.
    pub fn spawn(name: PartName, command: Command) -> Result<Self> {
        Ok(CommandReader { name, stream: CommandStream::spawn(command, None)? })
    }
}

#[async_trait]
impl PartReader for CommandReader {
    fn name(&self) -> PartName {
        self.name.clone()
    }

    async fn fill(&mut self, buf: &mut Vec<u8>) -> Result<()> {
        self.stream.fill(buf).await
    }

    async fn finish(self: Box<Self>, _contents: &mut ContentsWriter) -> Result<()> {
        let ended = self.stream.finish().await?;
        if ended.success() { Ok(()) } else { Err(Error::new(&codes::SOURCE_FAILED, ended.describe())) }
    }
}
