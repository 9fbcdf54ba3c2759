//! A new file, private, whole or not at all.

use backup_core::error::{codes, io_error};
use backup_core::pipeline::read::PartStream;
use backup_core::{Error, Result};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

/// It gets its name when all is in it, and is removed when that does not come to be (after a SIGKILL a hidden `.backproof-…` is left).
pub(super) struct NewFile {
    path: PathBuf,
    temporary: NamedTempFile,
    /// What is written.
    pub(super) file: tokio::fs::File,
}

impl NewFile {
    /// Readable by its owner alone; there must be nothing of this name.
    pub(super) fn create(path: &Path) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        let failed = |error| failed(path, error);
        let temporary = tempfile::Builder::new().prefix(".backproof-").tempfile_in(folder(path)).map_err(failed)?;
        let file = tokio::fs::File::from_std(temporary.reopen().map_err(failed)?);
        Ok(NewFile { path: path.to_owned(), temporary, file })
    }

    /// Writes all of a stream, and gives the number of bytes.
    pub(super) async fn write(&mut self, mut stream: PartStream) -> Result<u64> {
        let mut bytes = 0;
        while let Some(piece) = stream.next().await? {
            bytes += piece.len() as u64;
            self.file.write_all(&piece).await.map_err(|error| failed(&self.path, error))?;
        }
        Ok(bytes)
    }

    /// Gives it its name, durably.
    pub(super) async fn finish(mut self) -> Result<()> {
        let path = self.path;
        self.file.flush().await.map_err(|error| failed(&path, error))?;
        self.file.sync_all().await.map_err(|error| failed(&path, error))?;
        self.temporary.persist_noclobber(&path).map_err(|refused| match refused.error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(&path),
            _ => failed(&path, refused.error),
        })?;
        std::fs::File::open(folder(&path)).and_then(|folder| folder.sync_all()).map_err(|error| failed(&path, error))
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn exists(path: &Path) -> Error {
    Error::new(&codes::ALREADY_EXISTS, format!("{} exists already", path.display()))
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    io_error(format!("write to {}", path.display()), error)
}
