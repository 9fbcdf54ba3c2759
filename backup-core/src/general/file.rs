//! A file as a source and as a target.

use super::snapshot::{OnePart, default_part};
use super::taking::{Taking, choose};
use crate::error::{Error, Result, codes, io_error};
use crate::monitor::Monitor;
use crate::names::PartName;
use crate::repository::contents::ContentsWriter;
use crate::source::{PartReader, Snapshot, Source, SourceInfo};
use crate::target::{Restorable, RestorePlan, RestoreReport, Target};
use async_trait::async_trait;
use jiff::Timestamp;
use std::fs::{File, Metadata};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Backs up one file. Kind `file`.
///
/// A file that changes while it is read (its size or its time of modification does) fails the backup.
#[derive(Clone, Debug)]
pub struct FileSource {
    path: PathBuf,
    part: PartName,
}

impl FileSource {
    /// The file at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileSource { path: path.into(), part: default_part() }
    }

    /// Names the part; `data` otherwise.
    pub fn part(mut self, part: PartName) -> Self {
        self.part = part;
        self
    }
}

#[async_trait]
impl Source for FileSource {
    fn kind(&self) -> &str {
        "file"
    }

    async fn open(&self, _monitor: Arc<dyn Monitor>) -> Result<Box<dyn Snapshot>> {
        let (path, part) = (self.path.clone(), self.part.clone());
        let reader = blocking(move || FileReader::open(path, part)).await??;
        let info = SourceInfo::new(self.kind(), Timestamp::now());
        Ok(Box::new(OnePart { info, part: Some(Box::new(reader)) }))
    }
}

struct FileReader {
    name: PartName,
    path: PathBuf,
    file: Arc<File>,
    opened: Metadata,
    bytes: u64,
    /// A fill is under way, or its future was dropped and with it bytes that nobody saw.
    filling: bool,
}

impl FileReader {
    fn open(path: PathBuf, name: PartName) -> Result<Self> {
        let message = || format!("read {}", path.display());
        let file = File::open(&path).map_err(|error| io_error(message(), error))?;
        let opened = file.metadata().map_err(|error| io_error(message(), error))?;
        if !opened.is_file() {
            let message = format!("{} is not a regular file", path.display());
            return Err(Error::new(&codes::INVALID_ARGUMENT, message));
        }
        Ok(FileReader { name, path, file: Arc::new(file), opened, bytes: 0, filling: false })
    }
}

#[async_trait]
impl PartReader for FileReader {
    fn name(&self) -> PartName {
        self.name.clone()
    }

    fn size_hint(&self) -> Option<u64> {
        Some(self.opened.len())
    }

    async fn fill(&mut self, buf: &mut Vec<u8>) -> Result<()> {
        if std::mem::replace(&mut self.filling, true) {
            return Err(Error::new(&codes::CANCELLED, format!("the reading of {} was cancelled", self.path.display())));
        }
        let (file, path, mut filled) = (self.file.clone(), self.path.clone(), std::mem::take(buf));
        let before = filled.len();
        *buf = blocking(move || {
            while filled.len() < filled.capacity() {
                match rustix::io::read(&*file, rustix::buffer::spare_capacity(&mut filled)) {
                    Ok(0) => break,
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(io_error(format!("read {}", path.display()), error.into())),
                }
            }
            Ok(filled)
        })
        .await??;
        self.bytes += (buf.len() - before) as u64;
        self.filling = false;
        Ok(())
    }

    async fn finish(self: Box<Self>, _contents: &mut ContentsWriter) -> Result<()> {
        let path = self.path.display().to_string();
        let opened = self.opened;
        let file = self.file;
        let now = blocking(move || file.metadata()).await?.map_err(|error| io_error(format!("read {path}"), error))?;
        let same_time = matches!((now.modified(), opened.modified()), (Ok(now), Ok(opened)) if now == opened);
        if now.len() == opened.len() && self.bytes == opened.len() && same_time {
            return Ok(());
        }
        let message = format!("{} changed while it was read, or was not read to its end", self.path.display());
        Err(Error::new(&codes::SOURCE_FAILED, message).with_hint("back it up when nothing writes to it"))
    }
}

/// Restores one part into a new file, which only its owner can read.
///
/// The bytes go into a temporary file beside it, which gets the name when all are there and on disk: a file of that name
/// is complete. An existing file is never touched.
#[derive(Clone, Debug)]
pub struct FileTarget {
    path: PathBuf,
    part: Option<PartName>,
}

impl FileTarget {
    /// The file to be.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileTarget { path: path.into(), part: None }
    }

    /// Takes this part; otherwise the only one that the backup has.
    pub fn part(mut self, part: PartName) -> Self {
        self.part = Some(part);
        self
    }

    fn folder(&self) -> PathBuf {
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    fn exists(&self) -> Error {
        Error::new(&codes::ALREADY_EXISTS, format!("{} exists already", self.path.display()))
            .with_hint("nothing was overwritten; choose another name, or move the file away")
    }
}

#[async_trait]
impl Target for FileTarget {
    async fn plan(&self, backup: &dyn Restorable) -> Result<RestorePlan> {
        let mut plan = RestorePlan { target: self.path.display().to_string(), ..RestorePlan::default() };
        match choose(backup, self.part.as_ref()) {
            Ok(part) => plan.steps.push(format!("write part {part} to the new file {}", self.path.display())),
            Err(error) => plan.obstacles.push(error.to_string()),
        }
        let (path, folder) = (self.path.clone(), self.folder());
        let (taken, room) = blocking(move || (path.symlink_metadata().is_ok(), folder.is_dir())).await?;
        if taken {
            let error = self.exists();
            plan.obstacles.push(format!("{error}: {}", error.hint()));
        }
        if !room {
            plan.obstacles.push(format!("there is no folder {}: create it first", self.folder().display()));
        }
        Ok(plan)
    }

    async fn restore(&self, backup: &dyn Restorable, monitor: Arc<dyn Monitor>) -> Result<RestoreReport> {
        let part = choose(backup, self.part.as_ref())?;
        let path = self.path.clone();
        if blocking(move || path.symlink_metadata().is_ok()).await? {
            return Err(self.exists());
        }
        let message = format!("write {}", self.path.display());
        let folder = self.folder();
        let mut temporary = {
            let folder = folder.clone();
            let make = move || tempfile::Builder::new().prefix(".backproof-").tempfile_in(folder);
            blocking(make).await?.map_err(|error| io_error(message.clone(), error))?
        };
        let mut taking = Taking::open(backup, &part, &*monitor).await?;
        while let Some(piece) = taking.next().await? {
            temporary = blocking(move || temporary.write_all(&piece).map(|()| temporary))
                .await?
                .map_err(|error| io_error(message.clone(), error))?;
        }
        let path = self.path.clone();
        blocking(move || -> std::io::Result<()> {
            temporary.as_file().sync_all()?;
            temporary.persist_noclobber(&path).map_err(|error| error.error)?;
            File::open(folder)?.sync_all()
        })
        .await?
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => self.exists(),
            _ => io_error(message, error),
        })?;
        Ok(RestoreReport { target: self.path.display().to_string(), bytes: taking.bytes, warnings: Vec::new() })
    }
}

/// Runs what blocks on the runtime's threads for that.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(run)
        .await
        .map_err(|error| Error::new(&codes::IO, "a thread that reads or writes a file is gone").with_source(error))
}
