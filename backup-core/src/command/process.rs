//! One child process: spawned, watched, ended and reaped.

use super::will::LastWill;
use crate::error::{Error, Result, codes, io_error};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is kept of the messages of a child: the last ones.
const STDERR_KEPT: usize = 64 << 10;

/// How much of its messages goes into an error.
const STDERR_SHOWN: usize = 2 << 10;

/// How long a child has to end itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);

/// How long messages are waited for after the child ended, when something that it started holds them open.
const STDERR_WAIT: Duration = Duration::from_secs(1);

/// The size of pipes to and from children: Linux's limit for ordinary users (`/proc/sys/fs/pipe-max-size`). The default of
/// 64 KiB makes writer and reader take turns.
const PIPE_SIZE: usize = 1 << 20;

/// How a child ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The program's name, without its folder.
    pub program: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// The last 64 KiB of what it wrote to its standard error.
    pub stderr: String,
}

impl Ended {
    /// Whether its exit status was 0.
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// How it ended, for people: `pg_dump exited with status 1: <its last messages>`.
    pub fn describe(&self) -> String {
        let mut text = format!("{} {}", self.program, self.manner());
        let messages = self.stderr.trim();
        if !messages.is_empty() {
            let mut from = messages.len().saturating_sub(STDERR_SHOWN);
            while !messages.is_char_boundary(from) {
                from += 1;
            }
            text.push_str(": ");
            text.push_str(&messages[from..]);
        }
        text
    }

    /// How it ended, without its messages: `exited with status 1`.
    pub fn manner(&self) -> String {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exited with status {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended in an unknown way".into(),
        }
    }
}

/// The end of what a child wrote to its standard error.
#[derive(Debug, Default)]
pub(super) struct Tail {
    state: Mutex<(VecDeque<u8>, bool)>,
    closed: Condvar,
}

impl Tail {
    fn read(&self, mut from: impl Read) {
        let mut piece = [0; 4096];
        loop {
            match from.read(&mut piece) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    let kept = &mut self.state.lock().unwrap_or_else(PoisonError::into_inner).0;
                    kept.extend(&piece[..count]);
                    let extra = kept.len().saturating_sub(STDERR_KEPT);
                    kept.drain(..extra);
                }
            }
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.closed.notify_all();
    }

    fn text(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, second) = state.0.as_slices();
        String::from_utf8_lossy(&[first, second].concat()).into_owned()
    }
}

/// Waits, blocking, until a child has ended and said its last words, and leaves it to be reaped.
pub(super) fn wait_for_exit(pid: Pid, stderr: &Tail) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(pid), options) {}
    let state = stderr.state.lock().unwrap_or_else(PoisonError::into_inner);
    drop(stderr.closed.wait_timeout_while(state, STDERR_WAIT, |state| !state.1));
}

/// A child that is ended and reaped when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Option<Child>,
    /// Ends the child when we are killed. Taken back before the child is reaped: the number may be another's then.
    will: Option<LastWill>,
    pub(super) pid: Pid,
    pub(super) program: String,
    pub(super) stderr: Arc<Tail>,
}

impl Process {
    /// Starts the command, with pipes for its standard error and for what is asked for.
    pub(super) fn spawn(
        mut command: Command,
        stdin: bool,
    ) -> Result<(Process, Option<ChildStdin>, Option<ChildStdout>)> {
        let path = command.get_program().to_owned();
        let program = std::path::Path::new(&path).file_name().unwrap_or(&path).to_string_lossy().into_owned();
        let pipe = |wanted: bool| if wanted { Stdio::piped() } else { Stdio::null() };
        command.stdin(pipe(stdin)).stdout(pipe(!stdin)).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| io_error(format!("run {}", path.to_string_lossy()), error))?;
        let (input, output, messages) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let stderr = Arc::new(Tail::default());
        let tail = stderr.clone();
        // From here on the child is ended whatever fails.
        let pid = Pid::from_child(&child);
        let will = LastWill::ends_group(child.id());
        let process = Process { child: Some(child), will, pid, program, stderr };
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            // Refused where the user's pipes have too many pages already: the pipe then stays as it is.
            let _ = input.as_ref().map(|pipe| rustix::pipe::fcntl_setpipe_size(pipe, PIPE_SIZE));
            let _ = output.as_ref().map(|pipe| rustix::pipe::fcntl_setpipe_size(pipe, PIPE_SIZE));
        }
        if let Some(messages) = messages {
            thread("messages", move || tail.read(messages))?;
        }
        Ok((process, input, output))
    }

    /// Reaps a child that is known to have ended (after [`wait_for_exit`]).
    pub(super) fn reap(mut self) -> Result<Ended> {
        let program = self.program.clone();
        let Some(mut child) = self.child.take() else {
            return Err(Error::new(&codes::IO, format!("{program} was reaped already")));
        };
        drop(self.will.take());
        let status = child.wait().map_err(|error| io_error(format!("wait for {program}"), error))?;
        Ok(Ended { program, status, stderr: self.stderr.text() })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = self.pid;
        let will = self.will.take();
        let _ = rustix::process::kill_process_group(pid, Signal::TERM);
        // Waiting must not block the caller, who may be a future.
        let end = move || {
            let patience = Instant::now() + GRACE;
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            let mut pause = Duration::from_millis(1);
            while matches!(rustix::process::waitid(WaitId::Pid(pid), options), Ok(None)) && Instant::now() < patience {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            // The child is not reaped yet, so its process group is still its own: what it started goes too.
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
            drop(will);
            let _ = child.wait();
        };
        if thread("reaper", end).is_err() {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Starts a thread of ours.
pub(super) fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = std::thread::Builder::new().name(format!("backproof-{name}")).spawn(run);
    started.map(drop).map_err(|error| io_error("start a thread", error))
}
