//! The private folder of a scratch cluster: made, owned, locked, and swept when its owner was killed.
//!
//! ```text
//! backproof-scratch-XXXXXXXX/    ours
//!     lock                       held (flock) as long as the cluster is in use; holds the process id of its supervisor
//!     log                        what the server says
//!     root/                      where the cage's root folder is mounted, seen by the cage alone
//!     s/                         the server's own: settings, data, socket
//! ```

use backup_core::error::io_error;
use backup_core::{Error, Result};
use rustix::fs::FlockOperation;
use rustix::process::{Pid, geteuid};
use std::fs::{File, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the folders are called. Nothing else is ever removed.
const PREFIX: &str = "backproof-scratch-";
/// The longest path of a unix socket, with its final zero left out (`sun_path` in unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;
/// A folder without a lock may be about to get one.
const YOUNG: Duration = Duration::from_secs(60);

/// A scratch cluster's folder. Dropping it removes it, unless a supervisor was told to.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lock: Option<File>,
    /// The supervisor removes it.
    left: bool,
}

impl Folder {
    /// Makes a folder on this disk, after sweeping what killed runs left there.
    pub(super) fn make(parent: &Path) -> Result<Self> {
        let parent =
            std::path::absolute(parent).map_err(|error| io_error(format!("find {}", parent.display()), error))?;
        let parent = parent.canonicalize().map_err(|error| {
            io_error(format!("look at the scratch folder {}", parent.display()), error)
                .with_hint("make the folder, or choose another one with --scratch-dir")
        })?;
        sweep(&parent);
        for _ in 0..100 {
            let failed = |error| {
                io_error(format!("make a folder for the scratch cluster in {}", parent.display()), error)
                    .with_hint("choose a folder that can be written to with --scratch-dir")
            };
            let path =
                tempfile::Builder::new().prefix(PREFIX).rand_bytes(8).tempdir_in(&parent).map_err(failed)?.keep();
            let mut folder = Folder { path, lock: None, left: false };
            let lock = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(folder.path.join("lock"))
                .map_err(failed)?;
            // Somebody who sweeps may have been quicker.
            if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
                folder.left = true;
                continue;
            }
            folder.lock = Some(lock);
            // Who runs the server may pass through, and see nothing else.
            std::fs::set_permissions(&folder.path, Permissions::from_mode(0o711)).map_err(failed)?;
            for inner in [folder.root(), folder.inner()] {
                std::fs::create_dir(&inner).map_err(failed)?;
                std::fs::set_permissions(&inner, Permissions::from_mode(0o700)).map_err(failed)?;
            }
            let longest = folder.inner().join(".s.PGSQL.5432").as_os_str().len();
            if longest > LONGEST_SOCKET_PATH {
                let message = format!("{} is too long for a socket in it", parent.display());
                return Err(Error::new(&backup_core::error::codes::INVALID_ARGUMENT, message)
                    .with_hint("choose a folder with a shorter path for the scratch cluster with --scratch-dir"));
            }
            return Ok(folder);
        }
        Err(Error::new(&backup_core::error::codes::IO, format!("no folder could be made in {}", parent.display())))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What belongs to the server.
    pub(super) fn inner(&self) -> PathBuf {
        self.path.join("s")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("s/data")
    }

    /// Is there, with the exit status, when the server ended.
    pub(super) fn ended(&self) -> PathBuf {
        self.path.join("ended")
    }

    /// Is there when a program of PostgreSQL ran in the cage.
    pub(super) fn caged(&self) -> PathBuf {
        self.path.join("s/caged")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where the cage's root folder is mounted.
    pub(super) fn root(&self) -> PathBuf {
        self.path.join("root")
    }

    /// A number that differs between folders.
    pub(super) fn number(&self) -> u32 {
        std::fs::metadata(&self.path).map_or(0, |metadata| (metadata.ino() ^ (metadata.ino() >> 32)) as u32)
    }

    /// Gives what belongs to the server to the user that it runs as.
    pub(super) fn give_to(&self, user: Option<u32>) -> Result<()> {
        let failed = |error| io_error(format!("give {} to the scratch cluster's user", self.inner().display()), error);
        match user {
            Some(id) => std::os::unix::fs::chown(self.inner(), Some(id), Some(id)).map_err(failed),
            None => Ok(()),
        }
    }

    /// The same with everything in it.
    pub(super) fn give_all_to(&self, user: Option<u32>) -> Result<()> {
        fn give(path: &Path, id: u32) -> std::io::Result<()> {
            if path.symlink_metadata()?.is_dir() {
                for entry in std::fs::read_dir(path)? {
                    give(&entry?.path(), id)?;
                }
            }
            std::os::unix::fs::lchown(path, Some(id), Some(id))
        }
        let Some(id) = user else { return Ok(()) };
        let failed = |error| io_error(format!("give {} to the scratch cluster's user", self.inner().display()), error);
        give(&self.inner(), id).map_err(failed)
    }

    /// Notes which process removes the folder, and leaves that to it.
    pub(super) fn leave_to(&mut self, supervisor: u32) -> Result<()> {
        let failed = |error| io_error("note the process of the scratch cluster", error);
        self.left = true;
        let Some(lock) = &mut self.lock else { return Ok(()) };
        lock.rewind().and_then(|()| write!(lock, "{supervisor}")).map_err(failed)
    }

    /// Bytes that are free on its disk.
    pub(super) fn free_space(&self) -> Option<u64> {
        let space = rustix::fs::statvfs(&self.path).ok()?;
        Some(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.left {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes what killed runs left: folders of ours whose lock nobody holds.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            // Not through a symbolic link that somebody else put there.
            && path.symlink_metadata().is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw());
        if ours && let Err(error) = sweep_one(&path) {
            tracing::warn!(%error, folder = %path.display(), "a leftover of a killed drill could not be removed");
        }
    }
}

fn sweep_one(path: &Path) -> std::io::Result<()> {
    let mut lock = match File::open(path.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let age = path.symlink_metadata()?.modified()?.elapsed().unwrap_or_default();
            return if age < YOUNG { Ok(()) } else { std::fs::remove_dir_all(path) };
        }
        Err(error) => return Err(error),
    };
    if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    let mut text = String::new();
    lock.read_to_string(&mut text)?;
    if let Some(supervisor) = text.trim().parse().ok().and_then(Pid::from_raw) {
        // The process of that number may be another one by now.
        let words = std::fs::read(format!("/proc/{}/cmdline", supervisor.as_raw_nonzero())).unwrap_or_default();
        let folder = path.as_os_str().as_encoded_bytes();
        if words.split(|byte| *byte == 0).any(|word| word == folder) {
            // It is at it: nobody holds the other end of its pipe.
            return Ok(());
        }
    }
    tracing::info!(folder = %path.display(), "removing what a killed drill left");
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
