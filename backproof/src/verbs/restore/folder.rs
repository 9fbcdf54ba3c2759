//! Into a folder, each part a file.

use super::{Report, RestoreOptions, RestorePlan, RestoreResult, WrittenPart};
use crate::verbs::new_file::NewFile;
use crate::verbs::part_name;
use backup_core::error::{codes, io_error};
use backup_core::restore::ReadRequest;
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub(super) async fn restore(
    options: &RestoreOptions,
    request: &ReadRequest<'_>,
    folder: &Path,
) -> Result<RestoreResult> {
    let name = folder.display().to_string();
    let failed = |error| io_error(format!("write into {name}"), error);
    let occupied =
        || Error::new(&codes::ALREADY_EXISTS, format!("{name} is not an empty folder")).with_hint("choose another one");
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Ok(false) => return Err(occupied()),
        Err(_) if folder.exists() => return Err(occupied()),
        Err(error) => return Err(failed(error)),
    }
    let backup = request.open().await?;
    let parts = &backup.manifest().parts;
    if options.dry_run {
        let steps = parts.iter().map(|part| format!("write {name}/{} ({} bytes)", part.name, part.plain_bytes));
        let plan = RestorePlan { steps: steps.collect(), target: name, ..RestorePlan::default() };
        return Ok(RestoreResult { plan: Some(plan), ..RestoreResult::default() });
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mut written = Written { files: Vec::new(), complete: false };
    let mut files = Vec::new();
    for part in parts {
        let path = folder.join(&part.name);
        let mut file = NewFile::create(&path)?;
        let bytes = file.write(backup.stream(&part_name(&part.name)?)?).await?;
        file.finish().await?;
        written.files.push(path.clone());
        files.push(WrittenPart { part: part.name.clone(), file: path.display().to_string(), bytes });
    }
    written.complete = true;
    let report = Report { target: name, files: Some(files), ..Report::default() };
    Ok(RestoreResult { report: Some(report), ..RestoreResult::default() })
}

/// The files of a restore: removed again, unless all of them came to be.
struct Written {
    files: Vec<PathBuf>,
    complete: bool,
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.complete {
            self.files.iter().for_each(|path| drop(std::fs::remove_file(path)));
        }
    }
}
