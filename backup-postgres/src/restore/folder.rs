//! The private folder of a restore: the archive's table of contents, and lists of its entries.

use backup_core::command::LastWill;
use rustix::fs::FlockOperation;
use rustix::process::geteuid;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tempfile::TempDir;

/// How the folders are called.
const PREFIX: &str = "backproof-restore-";
/// Held (flock) as long as the folder is in use.
const LOCK: &str = "lock";

/// A folder of our own, readable by its owner alone: definitions can hold secrets. It is removed when this is dropped, and when we are
/// killed; what is left all the same (of a machine that stopped) is removed when the next one is made.
#[derive(Debug)]
pub(super) struct PrivateFolder {
    // The first to be dropped: the folder is then ours to remove.
    _will: Option<LastWill>,
    folder: TempDir,
    _lock: File,
}

impl PrivateFolder {
    /// Makes one where temporary files are.
    pub(super) fn make() -> io::Result<Self> {
        Self::make_in(&std::env::temp_dir())
    }

    fn make_in(parent: &Path) -> io::Result<Self> {
        sweep(parent);
        loop {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let lock = File::create_new(folder.path().join(LOCK))?;
            // Somebody who sweeps may have been quicker.
            if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() && folder.path().exists() {
                let will = LastWill::new("rm -rf -- \"$1\"", folder.path());
                return Ok(PrivateFolder { _will: will, folder, _lock: lock });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes folders of ours whose lock nobody holds. One without a lock has no secret yet: it may be about to get both.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            // Not through a symbolic link that somebody else put there.
            && path.symlink_metadata().is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw());
        let lock = if ours { File::open(path.join(LOCK)).ok() } else { None };
        if let Some(lock) = lock
            && rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            tracing::info!(folder = %path.display(), "removing what a killed restore left");
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_runs_left_is_swept_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let used = PrivateFolder::make_in(parent.path()).unwrap();
        std::fs::write(used.path().join("toc"), "secret").unwrap();
        let left = parent.path().join(format!("{PREFIX}left"));
        let other = parent.path().join("other");
        for folder in [&left, &other] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join(LOCK), "").unwrap();
        }
        let second = PrivateFolder::make_in(parent.path()).unwrap();
        assert!(!left.exists() && other.exists() && second.path().exists() && used.path().join("toc").exists());
        let path = used.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }
}
