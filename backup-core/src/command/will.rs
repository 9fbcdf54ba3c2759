//! What is still to be done when we are killed.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Waits for the end of its input, which is the end of us, whatever ended us; nothing else ends it.
const WAIT: &str = "trap '' HUP INT QUIT TERM; read -r line; exec </dev/null; ";

/// Ends a process group, gently first.
const END: &str = "kill -TERM \"-$1\"; tries=0; \
    while [ \"$tries\" -lt 30 ] && kill -0 \"-$1\"; do sleep 0.1; tries=$((tries + 1)); done; kill -KILL \"-$1\"";

/// A shell that does something when this process ends without dropping this: after a SIGKILL, nobody else can.
///
/// Dropping it takes it back. It is an extra: where no shell can be started, there is none.
#[derive(Debug)]
pub struct LastWill {
    shell: Child,
    /// Never written to; the shell sees it close.
    _pipe: Option<ChildStdin>,
}

impl LastWill {
    /// Will run this script with `/bin/sh`, with this argument as `$1`, and `PATH` alone for an environment.
    pub fn new(script: &str, argument: impl AsRef<OsStr>) -> Option<Self> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("{WAIT}{script}")).arg("backproof-will").arg(argument);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        // In a group of its own, so that a Ctrl-C at the terminal does not reach it.
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut shell = command.spawn().ok()?;
        let pipe = shell.stdin.take();
        Some(LastWill { shell, _pipe: pipe })
    }

    /// Will end this process group.
    pub(super) fn ends_group(group: u32) -> Option<Self> {
        LastWill::new(END, group.to_string())
    }
}

impl Drop for LastWill {
    fn drop(&mut self) {
        // SIGKILL, while its input is open: it does nothing more.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
