//! `file://`: a folder, where an object is on disk before anyone can see it.

use async_trait::async_trait;
use backup_core::digest::Sha256;
use backup_core::error::{ResultExt, codes, io_error};
use backup_core::key::ObjectKey;
use backup_core::sink::{Capabilities, ObjectInfo, Sink};
use backup_core::{Error, Result};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Files and folders are for their owner alone: names and sizes tell something too.
const FILE_MODE: Mode = Mode::from_raw_mode(0o600);
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o700);
/// In the names of unfinished files, and in no [`ObjectKey`]: so they are never listed.
const UNFINISHED: char = '~';
/// How often a folder that somebody else removes is made again within one create.
const FOLDER_TRIES: u32 = 16;
/// Entries of a listing that wait for their reader.
const LISTING_AHEAD: usize = 1024;

/// A folder whose files are the objects: the key is the path.
///
/// An object is written to a file without a name (`O_TMPFILE`; where the file system has none, under a name with `~` in it),
/// flushed to disk, and then linked to its name, which fails if that exists; then the folder is flushed. So no reader and no
/// crash ever sees half an object, two creators never both win, and what is created has survived the next power cut. Only
/// regular files are objects; symbolic links are not followed. All of it runs on the runtime's blocking threads.
#[derive(Clone, Debug)]
pub struct FileSink {
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    root: PathBuf,
    /// Folders known to be on disk, so that they are flushed once and not for each object.
    durable: Mutex<HashSet<PathBuf>>,
    unnamed_files: bool,
}

/// What becomes of an object that exists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Keep,
    Replace,
}

/// Whether somebody still waits for an object to be written. A thread goes on when the future that waits for it is dropped; an object that
/// nobody waits for must not appear then: whoever cancelled a backup has tidied up in the meantime.
#[derive(Debug)]
struct Caller(Arc<Mutex<bool>>);

impl Default for Caller {
    fn default() -> Self {
        Caller(Arc::new(Mutex::new(true)))
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

impl FileSink {
    /// A sink in a folder, given by an absolute path. It is made when the first object is.
    ///
    /// # Errors
    /// [`INVALID_ARGUMENT`](codes::INVALID_ARGUMENT) if the path is relative, or has `..` in it.
    pub fn new(root: impl Into<PathBuf>) -> Result<Self> {
        Self::with(root.into(), cfg!(target_os = "linux"))
    }

    fn with(root: PathBuf, unnamed_files: bool) -> Result<Self> {
        let parents = root.components().any(|part| part == std::path::Component::ParentDir);
        if !root.is_absolute() || parents {
            let message = format!("{} is not an absolute path without `..`", root.display());
            return Err(Error::new(&codes::INVALID_ARGUMENT, message));
        }
        Ok(FileSink { folder: Arc::new(Folder { root, durable: Mutex::default(), unnamed_files }) })
    }

    async fn write(&self, key: &ObjectKey, data: Bytes, existing: Existing) -> Result<()> {
        let (key, caller) = (key.clone(), Caller::default());
        let still_there = caller.0.clone();
        self.blocking(move |folder| folder.write(&key, &data, existing, &still_there)).await
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Folder) -> Result<T> + Send + 'static) -> Result<T> {
        let folder = self.folder.clone();
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        done.or_code(&codes::CANCELLED, || "the runtime ended during work on a file".into())?
    }
}

#[async_trait]
impl Sink for FileSink {
    fn location(&self) -> String {
        // Escapes what a URL has to: the path alone would not always read back.
        url::Url::from_file_path(&self.folder.root).map_or_else(|()| "file://".into(), |url| url.to_string())
    }

    fn is_local(&self) -> bool {
        true
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn create(&self, key: &ObjectKey, data: Bytes, _sha256: Sha256) -> Result<()> {
        self.write(key, data, Existing::Keep).await
    }

    async fn replace(&self, key: &ObjectKey, data: Bytes) -> Result<()> {
        self.write(key, data, Existing::Replace).await
    }

    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes> {
        let key = key.clone();
        self.blocking(move |folder| folder.read(&key, range)).await
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        let key = key.clone();
        self.blocking(move |folder| folder.stat(key)).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo>> {
        let start = match prefix {
            "" => None,
            // A key's rules hold for prefixes too, so none leads out of the folder.
            prefix => match ObjectKey::new(prefix) {
                Ok(prefix) => Some(prefix),
                Err(error) => return stream::once(async { Err(error) }).boxed(),
            },
        };
        let folder = self.folder.clone();
        let (sender, receiver) = tokio::sync::mpsc::channel(LISTING_AHEAD);
        // Starts with the first poll, like any stream, and ends when the reader goes away.
        let walk = stream::once(async move {
            tokio::task::spawn_blocking(move || {
                let start = start.as_ref().map_or("", ObjectKey::as_str);
                if let Err(error) = folder.walk(start, &mut |info| sender.blocking_send(Ok(info)).is_ok()) {
                    let _ = sender.blocking_send(Err(error));
                }
            });
            stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|info| (info, receiver)) })
        });
        walk.flatten().boxed()
    }

    async fn delete(&self, key: &ObjectKey) -> Result<()> {
        let key = key.clone();
        self.blocking(move |folder| folder.delete(&key)).await
    }

    fn clock(&self) -> Option<Timestamp> {
        Some(Timestamp::now())
    }
}

impl Folder {
    fn path(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// Whether a folder on the way to this key is a link. One may lead to the repository as a whole, but not to a part of it.
    fn is_through_link(&self, key: &str) -> bool {
        let folders = key.match_indices('/').map(|(at, _)| &key[..at]);
        let mut folders = folders.map(|folder| self.root.join(folder));
        folders.any(|folder| std::fs::symlink_metadata(folder).is_ok_and(|found| found.is_symlink()))
    }

    fn write(&self, key: &ObjectKey, data: &[u8], existing: Existing, still_there: &Mutex<bool>) -> Result<()> {
        let path = self.path(key);
        if self.is_through_link(key.as_str()) {
            return Err(io_error(
                format!("write {}: a folder on the way is a link", path.display()),
                std::io::Error::from(std::io::ErrorKind::NotADirectory),
            ));
        }
        let parent = path.parent().unwrap_or(&self.root);
        let failed = |what: &str, errno: Errno| io_error(format!("{what} {}", path.display()), errno.into());
        for attempt in 1.. {
            check_wanted(*still_there.lock().unwrap_or_else(PoisonError::into_inner), &path)?;
            // Not needed for safety, since linking decides: it spares writing 16 MiB for nothing.
            if existing == Existing::Keep && rustix::fs::lstat(&path).is_ok() {
                return Err(exists(key, &path));
            }
            let made = self.make_durable(parent).map_err(|errno| (errno, "make the folder of"));
            let staged = made.and_then(|()| self.stage(parent, data).map_err(|errno| (errno, "write")));
            // Held until the object is there: it is seen before the future is dropped, or never.
            let waits = still_there.lock().unwrap_or_else(PoisonError::into_inner);
            check_wanted(*waits, &path)?;
            match staged.and_then(|staged| staged.publish(&path, existing).map_err(|errno| (errno, "write"))) {
                Ok(()) => break,
                Err((Errno::EXIST, "write")) => return Err(exists(key, &path)),
                // Somebody deleted the last object beside it, and with it the folder. (ext4 says "not permitted" when a file
                // without a name is to be made in a folder that is being removed.)
                Err((Errno::NOENT | Errno::PERM, _)) if attempt < FOLDER_TRIES => self.forget_folders(),
                Err((errno, doing)) => return Err(failed(doing, errno)),
            }
        }
        match sync_folder(parent) {
            // Deleted by somebody else in this very moment, and the folder with it.
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(failed("flush the folder of", errno)),
        }
    }

    /// Writes the bytes to a file that nobody can see as an object, down to the disk.
    fn stage(&self, parent: &Path, data: &[u8]) -> Result<Staged, Errno> {
        let staged = match self.unnamed_files.then(|| unnamed_file(parent)) {
            Some(Ok(file)) => Staged { file, name: None },
            Some(Err(errno)) if !lacks_unnamed_files(errno) => return Err(errno),
            _ => named_file(parent)?,
        };
        let mut file = &staged.file;
        file.write_all(data).and_then(|()| file.sync_all()).map_err(|error| errno(&error))?;
        Ok(staged)
    }

    /// Makes a folder and those above it, each flushed to disk: an object in a folder that a power cut takes away is lost.
    ///
    /// The root, if it is there, is taken as it is. Folders in it are flushed even if they exist: whoever made one a moment
    /// ago may not have got to that.
    fn make_durable(&self, folder: &Path) -> Result<(), Errno> {
        if self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(folder) {
            return Ok(());
        }
        let inside = folder != self.root && folder.starts_with(&self.root);
        if let Some(above) = folder.parent().filter(|_| inside || !folder.is_dir()) {
            self.make_durable(above)?;
            match rustix::fs::mkdir(folder, FOLDER_MODE) {
                Ok(()) => {}
                Err(Errno::EXIST) => match std::fs::metadata(folder) {
                    Ok(found) if found.is_dir() => {}
                    Ok(_) => return Err(Errno::NOTDIR),
                    Err(error) => return Err(errno(&error)),
                },
                Err(errno) => return Err(errno),
            }
            sync_folder(above)?;
        }
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        Ok(())
    }

    /// Folders known from before may be gone.
    fn forget_folders(&self) {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn open(&self, key: &ObjectKey) -> Result<(File, u64)> {
        let path = self.path(key);
        if self.is_through_link(key.as_str()) {
            return Err(absent(&path));
        }
        // Non-blocking, so that a pipe somebody put there does not hold the thread for ever.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Err(absent(&path)),
            Err(errno) => return Err(io_error(format!("open {}", path.display()), errno.into())),
        };
        let metadata = file.metadata().map_err(|error| io_error(format!("look at {}", path.display()), error))?;
        if metadata.is_file() { Ok((file, metadata.len())) } else { Err(absent(&path)) }
    }

    fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes> {
        let (mut file, size) = self.open(key)?;
        let range = range.unwrap_or(0..size);
        if range.start > range.end || range.end > size {
            return Err(Error::new(
                &codes::INVALID_ARGUMENT,
                format!("bytes {}..{} are not within {key}, which has {size}", range.start, range.end),
            ));
        }
        let failed = |error| io_error(format!("read {}", self.path(key).display()), error);
        let length = range.end - range.start;
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
        }
        let capacity = usize::try_from(length).map_err(|error| failed(std::io::Error::other(error)))?;
        let mut bytes = Vec::with_capacity(capacity);
        file.take(length).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() != capacity {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(bytes.into())
    }

    fn stat(&self, key: ObjectKey) -> Result<ObjectInfo> {
        let path = self.path(&key);
        match std::fs::symlink_metadata(&path) {
            Ok(_) if self.is_through_link(key.as_str()) => Err(absent(&path)),
            Ok(metadata) if metadata.is_file() => info(key, &path, &metadata),
            Ok(_) => Err(absent(&path)),
            Err(error) if is_absent(&error) => Err(absent(&path)),
            Err(error) => Err(io_error(format!("look at {}", path.display()), error)),
        }
    }

    /// Hands over every object below a key prefix until `take` says that it wants no more.
    fn walk(&self, start: &str, take: &mut dyn FnMut(ObjectInfo) -> bool) -> Result<()> {
        let mut folders = vec![start.to_owned()];
        while let Some(folder) = folders.pop() {
            let path = self.root.join(&folder);
            let failed = |error| io_error(format!("list {}", path.display()), error);
            // A link may lead to the folder as a whole, but not to a part of it.
            let linked = !folder.is_empty() && self.is_through_link(&format!("{folder}/"));
            let entries = match std::fs::read_dir(&path) {
                _ if linked => continue,
                Ok(entries) => entries,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(failed(error)),
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
                let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                let kind = entry.file_type().map_err(failed)?;
                // Unfinished files, and whatever else has a name that is no key's.
                let Ok(key) = ObjectKey::new(key) else { continue };
                if kind.is_dir() {
                    folders.push(key.to_string());
                } else if kind.is_file() {
                    match entry.metadata() {
                        Ok(metadata) => {
                            if !take(info(key, &entry.path(), &metadata)?) {
                                return Ok(());
                            }
                        }
                        // Deleted since.
                        Err(error) if is_absent(&error) => {}
                        Err(error) => return Err(failed(error)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes an object, then the folders that are empty without it.
    fn delete(&self, key: &ObjectKey) -> Result<()> {
        let path = self.path(key);
        if self.is_through_link(key.as_str()) {
            return Ok(());
        }
        match rustix::fs::unlink(&path) {
            Ok(()) => {}
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(errno) => return Err(io_error(format!("delete {}", path.display()), errno.into())),
        }
        let mut folder = path.parent();
        while let Some(empty) = folder.filter(|folder| *folder != self.root && folder.starts_with(&self.root)) {
            if rustix::fs::rmdir(empty).is_err() {
                break;
            }
            self.forget_folders();
            folder = empty.parent();
        }
        match folder.map(sync_folder) {
            // Gone meanwhile: whoever removed it flushes what is above.
            None | Some(Ok(()) | Err(Errno::NOENT)) => Ok(()),
            Some(Err(errno)) => Err(io_error(format!("flush the folder of {}", path.display()), errno.into())),
        }
    }
}

/// A file whose bytes are on disk, but which has no name yet, or one that is no key's.
struct Staged {
    file: File,
    name: Option<PathBuf>,
}

impl Staged {
    fn publish(mut self, path: &Path, existing: Existing) -> Result<(), Errno> {
        match (&self.name, existing) {
            (None, Existing::Keep) => link_unnamed(&self.file, path),
            (None, Existing::Replace) => {
                // A file without a name cannot take the place of another: it gets one of its own first.
                let name = unfinished_name(path.parent().unwrap_or(path));
                link_unnamed(&self.file, &name)?;
                self.name = Some(name);
                self.publish(path, existing)
            }
            (Some(name), Existing::Keep) => match rustix::fs::link(name, path) {
                // No hard links here (FAT, some network shares): rename, where the system can do it without replacing.
                Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
                    rename_without_replacing(name, path)?;
                    self.name = None;
                    Ok(())
                }
                linked => linked,
            },
            (Some(name), Existing::Replace) => {
                rustix::fs::rename(name, path)?;
                self.name = None;
                Ok(())
            }
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = rustix::fs::unlink(name);
        }
    }
}

#[cfg(target_os = "linux")]
fn unnamed_file(parent: &Path) -> Result<File, Errno> {
    rustix::fs::open(parent, OFlags::WRONLY | OFlags::CLOEXEC | OFlags::TMPFILE, FILE_MODE).map(File::from)
}

#[cfg(not(target_os = "linux"))]
fn unnamed_file(_parent: &Path) -> Result<File, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Whether an error says that the kernel or the file system has no files without names: open(2) under `O_TMPFILE`.
fn lacks_unnamed_files(errno: Errno) -> bool {
    matches!(errno, Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL)
}

/// Gives a file without a name one: open(2) shows this way, which needs no privilege but a mounted /proc.
fn link_unnamed(file: &File, path: &Path) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    let by_number = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, by_number, CWD, path, AtFlags::SYMLINK_FOLLOW)
}

fn named_file(parent: &Path) -> Result<Staged, Errno> {
    loop {
        let name = unfinished_name(parent);
        match rustix::fs::open(&name, OFlags::WRONLY | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL, FILE_MODE) {
            Ok(file) => return Ok(Staged { file: file.into(), name: Some(name) }),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// A name that no other thread and no other process takes, and no key has.
fn unfinished_name(parent: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    parent.join(format!("unfinished{UNFINISHED}{process}-{}-{number}", Timestamp::now().as_microsecond()))
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_without_replacing(from: &Path, to: &Path) -> Result<(), Errno> {
    rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn rename_without_replacing(_from: &Path, _to: &Path) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

fn sync_folder(folder: &Path) -> Result<(), Errno> {
    let folder = rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::fs::fsync(folder) {
        // Some network file systems cannot flush folders, and keep them on their server.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
        flushed => flushed,
    }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn absent(path: &Path) -> Error {
    Error::new(&codes::OBJECT_NOT_FOUND, format!("there is no file {}", path.display()))
}

fn check_wanted(waits: bool, path: &Path) -> Result<()> {
    let message = || format!("nobody waits for {} any more", path.display());
    if waits { Ok(()) } else { Err(Error::new(&codes::CANCELLED, message())) }
}

fn exists(key: &ObjectKey, path: &Path) -> Error {
    Error::new(&codes::ALREADY_EXISTS, format!("{key} exists: {}", path.display()))
}

fn info(key: ObjectKey, path: &Path, metadata: &Metadata) -> Result<ObjectInfo> {
    let modified = metadata.modified().map_err(|error| io_error(format!("look at {}", path.display()), error))?;
    // A time that no calendar has tells nothing.
    Ok(ObjectInfo::new(key, metadata.len(), Timestamp::try_from(modified).ok()))
}

#[cfg(test)]
#[path = "file/tests.rs"]
mod tests;
