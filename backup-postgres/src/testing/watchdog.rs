//! Ends a server and removes its folder when its owner goes away, in whatever way.

use super::account::Account;
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A running server with its folder. Dropping it ends the server at once and removes the folder.
///
/// A test that is killed drops nothing. So a small shell waits for the end of a pipe that we hold: when we die, it does the same.
#[derive(Debug)]
pub(super) struct Guarded {
    server: Child,
    watchdog: Child,
    folder: PathBuf,
}

const WATCH: &str = r#"
if read -r line; then exit 0; fi
kill -QUIT "$1"
tries=0
while kill -0 "$1" && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL "$1"
rm -rf "$2"
"#;

impl Guarded {
    pub(super) fn new(account: Account, server: Child, folder: PathBuf) -> Self {
        use std::os::unix::process::CommandExt;
        let watchdog = account
            .command("/bin/sh")
            .args(["-c", WATCH, "backproof-test-watchdog"])
            .arg(server.id().to_string())
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // a runner that kills our process group must not take the watchdog with it
            .spawn()
            .unwrap_or_else(|e| panic!("start /bin/sh: {e}"));
        Guarded { server, watchdog, folder }
    }

    /// The exit status, when the server ended by itself.
    pub(super) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.server.try_wait().ok().flatten()
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends the server without a checkpoint, as a crash would.
    pub(super) fn stop(&mut self) {
        if self.ended().is_none() {
            self.signal(Signal::QUIT);
            let asked = Instant::now();
            while self.ended().is_none() && asked.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(2));
            }
            if self.ended().is_none() {
                self.signal(Signal::KILL);
                let _ = self.server.wait();
            }
        }
    }
}

impl Guarded {
    /// Lets go of a server that ended by itself, without removing its folder.
    pub(super) fn forgive(mut self) {
        self.folder = PathBuf::new();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        use std::io::Write;
        self.stop();
        // Backends that outlive a killed postmaster may write for a moment.
        for _ in 0..50 {
            match std::fs::remove_dir_all(&self.folder) {
                Ok(()) => break,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => break,
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        if let Some(mut pipe) = self.watchdog.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.watchdog.wait();
    }
}
