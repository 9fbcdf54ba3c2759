//! PostgreSQL and PgBouncer refuse to run as root: the account that they step down to.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The user that servers run as: ourselves, or, when we are root, `postgres` (or `nobody` where there is none).
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    step_down: Option<(u32, u32)>,
}

impl Account {
    pub(super) fn for_servers() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Account { step_down: None };
        }
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = |name: &str| {
            passwd
                .lines()
                .map(|line| line.split(':').collect::<Vec<_>>())
                .find(|fields| fields[0] == name)
                .and_then(|fields| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))
        };
        match ids("postgres").or_else(|| ids("nobody")) {
            Some(ids) => Account { step_down: Some(ids) },
            None => panic!("running as root, and there is neither a user `postgres` nor `nobody` to run PostgreSQL as"),
        }
    }

    /// A command that will run as this user.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        if let Some((uid, gid)) = self.step_down {
            command.uid(uid).gid(gid);
        }
        command.current_dir("/");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Gives a file or folder to this user.
    pub(super) fn own(&self, path: &Path) {
        if let Some((uid, gid)) = self.step_down {
            std::os::unix::fs::chown(path, Some(uid), Some(gid))
                .unwrap_or_else(|e| panic!("chown {}: {e}", path.display()));
        }
    }

    /// The same programs where this user can run them: a root's work tree may lie where nobody else may go, and then what was unpacked
    /// there (`…/PACKAGE/INSTALL/bin`) is copied into the cluster's folder, with the libraries beside it.
    pub(super) fn reachable(&self, bindir: PathBuf, folder: &Path) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let open = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0);
        let (Some(_), Some(install)) = (self.step_down, bindir.parent()) else { return bindir };
        let (Some(package), Some(name)) = (install.parent(), install.file_name()) else { return bindir };
        let (Some(site), Some(package_name)) = (package.parent(), package.file_name()) else { return bindir };
        if bindir.ancestors().all(open) {
            return bindir;
        }
        let own = folder.join("programs").join(package_name);
        std::fs::create_dir_all(&own).unwrap_or_else(|e| panic!("make {}: {e}", own.display()));
        let copy = |from: PathBuf, to: &Path| {
            let done = Command::new("cp").arg("-rL").arg(&from).arg(to).status();
            assert!(done.is_ok_and(|status| status.success()), "copy {} into {}", from.display(), to.display());
        };
        copy(install.to_owned(), &own);
        let libraries = site.join(format!("{}.libs", package_name.to_string_lossy()));
        if libraries.is_dir() {
            copy(libraries, &folder.join("programs"));
        }
        own.join(name).join("bin")
    }

    /// Writes a file that only this user can read.
    pub(super) fn write_private(&self, path: &Path, text: &str) {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .unwrap_or_else(|e| panic!("write {}: {e}", path.display()));
        self.own(path);
    }
}
