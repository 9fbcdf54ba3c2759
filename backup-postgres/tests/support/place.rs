//! A folder for scratch clusters, in which nothing may be left.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder for scratch clusters, with a short path, that everybody may use.
pub(crate) fn place() -> TempDir {
    let folder = tempfile::Builder::new().prefix("bp-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
    folder
}

pub(crate) fn entries(place: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The processes that have this in their command line.
pub(crate) fn processes(words: &Path) -> Vec<i32> {
    let words = words.to_string_lossy();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let id = entry.file_name().to_str()?.parse().ok()?;
        String::from_utf8_lossy(&line).replace('\0', " ").contains(words.as_ref()).then_some(id)
    })
    .collect()
}

/// Whether a process has this in its command line.
pub(crate) fn runs(words: &Path) -> bool {
    !processes(words).is_empty()
}

pub(crate) fn assert_nothing_is_left(place: &Path) {
    let began = Instant::now();
    while (!entries(place).is_empty() || runs(place)) && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(entries(place), Vec::<PathBuf>::new());
    assert!(!runs(place), "a process is left");
}

/// A folder with an `unshare` that works as in a container without rights; a PATH with it.
pub(crate) fn no_namespaces(place: &Path) -> String {
    let programs = place.join("programs");
    std::fs::create_dir(&programs).unwrap();
    let unshare = programs.join("unshare");
    std::fs::write(&unshare, "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
        .unwrap();
    std::fs::set_permissions(&unshare, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", programs.display(), std::env::var("PATH").unwrap())
}
