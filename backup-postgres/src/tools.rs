//! PostgreSQL's own programs, in a version that fits the server.
//!
//! The rule: the newest release of the server's own major version (an archive of pg_dump 18 is unreadable for pg_restore 15, and the two
//! render definitions differently). A newer major is taken only when there is none of the server's own; an older one never: pg_dump refuses
//! newer servers.

use crate::connection::{Env, clear_environment};
use crate::error::codes::TOOLS_NOT_FOUND;
use backup_core::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// A program that does not answer `--version` in this time is not one of PostgreSQL's.
const PATIENCE: Duration = Duration::from_secs(20);

/// A version of PostgreSQL's programs or of a server: 15.18 is major 15, minor 18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 15, 16, …
    pub major: u32,
    /// The release of that major version; 0 for betas.
    pub minor: u32,
}

impl Version {
    /// From `server_version_num`, such as 150018.
    pub fn from_number(number: u32) -> Self {
        Version { major: number / 10_000, minor: number % 10_000 }
    }

    /// From `15.18`, as manifests have it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().ok();
        let minor = text.split_once('.').and_then(|(_, minor)| digits(minor)).unwrap_or(0);
        Some(Version { major: digits(text)?, minor })
    }

    /// From what `--version` prints: `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `… 18beta1`.
    fn from_output(text: &str) -> Option<Self> {
        let word = text.split_once("(PostgreSQL)")?.1.split_whitespace().next()?;
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        let major = digits(word);
        let minor = word[major.len()..].strip_prefix('.').map(digits).unwrap_or_default();
        Some(Version { major: major.parse().ok()?, minor: minor.parse().unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// One program that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Where it is.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.version)
    }
}

/// The programs of PostgreSQL that this crate runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// Makes archives.
    PgDump,
    /// Makes the list of roles and tablespaces.
    PgDumpall,
    /// Restores archives.
    PgRestore,
    /// Runs scripts.
    Psql,
}

impl Program {
    const ALL: [Program; 4] = [Program::PgDump, Program::PgDumpall, Program::PgRestore, Program::Psql];

    /// The file's name.
    pub fn name(self) -> &'static str {
        match self {
            Program::PgDump => "pg_dump",
            Program::PgDumpall => "pg_dumpall",
            Program::PgRestore => "pg_restore",
            Program::Psql => "psql",
        }
    }
}

/// A set of programs, chosen for a server or an archive.
#[derive(Clone, Debug)]
pub struct Tools {
    /// `pg_dump`.
    pub pg_dump: Tool,
    /// `pg_dumpall`, from the same folder.
    pub pg_dumpall: Tool,
    /// `pg_restore`, from the same folder.
    pub pg_restore: Tool,
    /// `psql`, from the same folder.
    pub psql: Tool,
    /// What the user should be told: that only a newer major version was there.
    pub warning: Option<String>,
}

/// All of PostgreSQL's programs on this machine, by folder. Found once, chosen from often.
#[derive(Clone, Debug)]
pub struct Installed {
    folders: Vec<Folder>,
    looked_in: Vec<PathBuf>,
    only: bool,
}

#[derive(Clone, Debug)]
struct Folder {
    path: PathBuf,
    programs: BTreeMap<Program, Version>,
}

impl Tools {
    /// The folder that they are all in.
    pub fn folder(&self) -> &Path {
        self.pg_dump.path.parent().unwrap_or(Path::new("/"))
    }

    /// Finds the programs for dumping from a server of this version: an explicit folder (or `PG_BINDIR`), or whatever [`Installed::find`] finds.
    pub async fn find(server: Version, explicit: Option<&Path>, env: &Env) -> Result<Self> {
        Installed::find(explicit, env).await.for_server(server)
    }
}

impl Installed {
    /// Looks for the programs: in the explicit folder, or else in `PG_BINDIR`; or else on PATH, where `pg_config --bindir` says, and where Debian, Red Hat,
    /// PGDG, Homebrew and Postgres.app put them.
    pub async fn find(explicit: Option<&Path>, env: &Env) -> Self {
        let explicit = explicit.map(Path::to_owned).or_else(|| env.get("PG_BINDIR").map(PathBuf::from));
        let only = explicit.is_some();
        let candidates = match explicit {
            Some(folder) => vec![folder],
            None => candidates(env).await,
        };
        let mut looked_in: Vec<PathBuf> = Vec::new();
        let mut folders = Vec::new();
        for path in candidates {
            // /usr/lib/postgresql/15/bin may be reached by several ways.
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            if looked_in.contains(&real) {
                continue;
            }
            looked_in.push(real.clone());
            let folder = Folder::look(real).await;
            if !folder.programs.is_empty() {
                folders.push(folder);
            }
        }
        Installed { folders, looked_in, only }
    }

    /// The programs to dump from a server of this version with.
    ///
    /// # Errors
    /// `tools_not_found`, with what was seen, what is needed, and how to install it.
    pub fn for_server(&self, server: Version) -> Result<Tools> {
        let purpose = format!("to back up a server of version {server}");
        let mut tools = self.choose(server.major, server.major, &purpose)?;
        let found = tools.pg_dump.version;
        if found.major != server.major {
            tools.warning = Some(format!(
                "PostgreSQL's programs of version {} were not found; {} is used {purpose}, so restoring needs version {} or newer",
                server.major, tools.pg_dump, found.major
            ));
        }
        Ok(tools)
    }

    /// The programs to restore with: never older than the `pg_dump` that made the archive; of the target server's major version where there is a
    /// choice.
    ///
    /// # Errors
    /// `tools_not_found`, with what was seen, what is needed, and how to install it.
    pub fn for_restore(&self, archive: Version, server: Version) -> Result<Tools> {
        let purpose = format!("to restore an archive made by pg_dump {archive} into a server of version {server}");
        self.choose(archive.major, archive.major.max(server.major), &purpose)
    }

    /// The programs to run a scratch cluster with: those of a server of this version, or else of a newer one, that are as new as the `pg_dump` that
    /// made the archive; beside them are `initdb` and `postgres`.
    ///
    /// # Errors
    /// `tools_not_found`, with what was seen, what is needed, and how to install it.
    pub fn for_scratch(&self, archive: Version, server: Version) -> Result<Tools> {
        let least = archive.major.max(server.major);
        let servers = Installed {
            folders: self.folders.iter().filter(|folder| folder.has_server()).cloned().collect(),
            ..self.clone()
        };
        let purpose = format!("to restore an archive made by pg_dump {archive} into a scratch cluster");
        servers.choose(least, least, &purpose).map_err(|_| {
            let seen: Vec<String> = self.folders.iter().map(|folder| {
                let without = if folder.has_server() { "" } else { ", without a server" };
                format!("{}{without}", folder.describe())
            }).collect();
            let seen = if seen.is_empty() { "nothing was found".to_owned() } else { format!("found: {}", seen.join("; ")) };
            Error::new(
                &TOOLS_NOT_FOUND,
                format!("PostgreSQL's server of version {least} or newer (initdb and postgres, with pg_dump and pg_restore beside them) is needed {purpose}; {seen}"),
            )
            .with_hint(format!(
                "install it (Debian and Ubuntu: apt-get install postgresql-{least}, if need be from apt.postgresql.org; macOS: brew install postgresql@{least}), name its folder with PG_BINDIR, or give a server with --scratch URL"
            ))
        })
    }

    /// The set of the preferred major version; or else the lowest newer one; or else the highest older one that is not below the least.
    fn choose(&self, least: u32, preferred: u32, purpose: &str) -> Result<Tools> {
        let complete = self.folders.iter().filter_map(Folder::tools);
        let best = complete.filter(|tools| tools.pg_dump.version.major >= least).min_by_key(|tools| {
            let Version { major, minor } = tools.pg_dump.version;
            // Of equals, the first that was found.
            (major < preferred, major.abs_diff(preferred), std::cmp::Reverse(minor))
        });
        best.ok_or_else(|| self.none(least, purpose))
    }

    fn none(&self, major: u32, purpose: &str) -> Error {
        let seen: Vec<String> = self.folders.iter().map(Folder::describe).collect();
        let seen = if seen.is_empty() { "none was found".to_owned() } else { format!("found: {}", seen.join("; ")) };
        let folders: Vec<String> = self.looked_in.iter().map(|folder| folder.display().to_string()).collect();
        let place = if self.only { folders.join(", ") } else { format!("{} folders", folders.len()) };
        Error::new(
            &TOOLS_NOT_FOUND,
            format!("pg_dump, pg_dumpall, pg_restore and psql of version {major} are needed {purpose}; looked in {place}; {seen}"),
        )
        .with_hint(format!(
            "install them (Debian and Ubuntu: apt-get install postgresql-client-{major}, if need be from apt.postgresql.org; macOS: brew install postgresql@{major}), or name their folder with PG_BINDIR"
        ))
    }
}

impl Folder {
    async fn look(path: PathBuf) -> Self {
        let mut programs = BTreeMap::new();
        for program in Program::ALL {
            if let Some(version) = version_of(&path.join(program.name())).await {
                programs.insert(program, version);
            }
        }
        Folder { path, programs }
    }

    /// The set, if it is complete and of one version.
    fn tools(&self) -> Option<Tools> {
        let tool = |program: Program| {
            Some(Tool { path: self.path.join(program.name()), version: *self.programs.get(&program)? })
        };
        let tools = Tools {
            pg_dump: tool(Program::PgDump)?,
            pg_dumpall: tool(Program::PgDumpall)?,
            pg_restore: tool(Program::PgRestore)?,
            psql: tool(Program::Psql)?,
            warning: None,
        };
        let same = [&tools.pg_dumpall, &tools.pg_restore, &tools.psql]
            .iter()
            .all(|tool| tool.version == tools.pg_dump.version);
        same.then_some(tools)
    }

    fn has_server(&self) -> bool {
        ["initdb", "postgres"].iter().all(|program| self.path.join(program).is_file())
    }

    fn describe(&self) -> String {
        let mut versions: Vec<Version> = self.programs.values().copied().collect();
        versions.dedup();
        let versions: Vec<String> = versions.iter().map(Version::to_string).collect();
        let missing: Vec<&str> =
            Program::ALL.iter().filter(|p| !self.programs.contains_key(p)).map(|p| p.name()).collect();
        let missing = if missing.is_empty() { String::new() } else { format!(" (without {})", missing.join(", ")) };
        format!("{} in {}{missing}", versions.join(" and "), self.path.display())
    }
}

async fn version_of(program: &Path) -> Option<Version> {
    if !program.is_file() || is_debian_wrapper(program) {
        return None;
    }
    let mut command = Command::new(program);
    clear_environment(command.as_std_mut());
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    Version::from_output(&String::from_utf8_lossy(&output.stdout)).filter(|_| output.status.success())
}

/// Debian's /usr/bin/pg_dump is a Perl script (pg_wrapper of postgresql-client-common) that picks a version by rules of its own.
fn is_debian_wrapper(program: &Path) -> bool {
    program.canonicalize().is_ok_and(|real| real.file_name().is_some_and(|name| name == "pg_wrapper"))
}

async fn candidates(env: &Env) -> Vec<PathBuf> {
    let path: Vec<PathBuf> = env.get("PATH").map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
    let mut folders: Vec<PathBuf> = path.iter().filter(|folder| folder.is_absolute()).cloned().collect();
    for folder in &path {
        if let Some(bindir) = pg_config_bindir(&folder.join("pg_config")).await {
            folders.push(bindir);
        }
    }
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),         // Debian, Ubuntu
        ("/usr", "pgsql-"),                  // Red Hat, PGDG
        ("/opt/homebrew/opt", "postgresql"), // Homebrew on Apple silicon
        ("/opt/homebrew/opt", "libpq"),      //
        ("/usr/local/opt", "postgresql"),    // Homebrew on Intel
        ("/usr/local/opt", "libpq"),         //
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql"),
        ("/Applications/Postgres.app/Contents/Versions", ""),
    ] {
        let mut found: Vec<PathBuf> = std::fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .map(|entry| entry.path().join("bin"))
            .filter(|bin| bin.is_dir())
            .collect();
        found.sort();
        folders.extend(found);
    }
    folders.extend(["/usr/pgsql/bin", "/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    folders.retain(|folder| folder.is_dir());
    folders
}

async fn pg_config_bindir(program: &Path) -> Option<PathBuf> {
    if !program.is_file() {
        return None;
    }
    let mut command = Command::new(program);
    clear_environment(command.as_std_mut());
    command.arg("--bindir").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim())).filter(|folder| folder.is_absolute() && output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Option<(u32, u32)> {
        Version::from_output(text).map(|version| (version.major, version.minor))
    }

    #[test]
    fn versions() {
        assert_eq!(version("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some((15, 18)));
        assert_eq!(version("psql (PostgreSQL) 18beta1\n"), Some((18, 0)));
        assert_eq!(version("pg_dump (PostgreSQL) 16.4\n"), Some((16, 4)));
        assert_eq!(version("something else 15.1\n"), None);
        assert_eq!(Version::from_number(150018), Version { major: 15, minor: 18 });
        assert_eq!(Version::from_number(150018).to_string(), "15.18");
    }

    fn installed(folders: &[(&str, u32, u32)]) -> Installed {
        let folder = |&(path, major, minor): &(&str, u32, u32)| Folder {
            path: path.into(),
            programs: Program::ALL.into_iter().map(|program| (program, Version { major, minor })).collect(),
        };
        let folders: Vec<Folder> = folders.iter().map(folder).collect();
        Installed { looked_in: folders.iter().map(|f| f.path.clone()).collect(), folders, only: false }
    }

    fn chosen(installed: &Installed, major: u32) -> (PathBuf, bool) {
        let tools = installed.for_server(Version { major, minor: 3 }).unwrap();
        (tools.pg_dump.path, tools.warning.is_some())
    }

    #[test]
    fn equal_then_newer_never_older() {
        let some = installed(&[("/a", 18, 1), ("/b", 15, 2), ("/c", 15, 10), ("/d", 15, 10), ("/e", 16, 0)]);
        assert_eq!(chosen(&some, 15), ("/c/pg_dump".into(), false));
        assert_eq!(chosen(&some, 16), ("/e/pg_dump".into(), false));
        assert_eq!(chosen(&some, 17), ("/a/pg_dump".into(), true));
        assert_eq!(chosen(&some, 14), ("/c/pg_dump".into(), true));
        let error = some.for_server(Version { major: 19, minor: 0 }).unwrap_err();
        assert!(error.is(&TOOLS_NOT_FOUND));
        assert!(error.to_string().contains("version 19") && error.to_string().contains("18.1 in /a"), "{error}");
        assert!(error.hint().contains("postgresql-client-19"));
        let restore = |archive, server| {
            some.for_restore(Version { major: archive, minor: 0 }, Version { major: server, minor: 0 })
        };
        assert_eq!(restore(15, 16).unwrap().pg_restore.path, PathBuf::from("/e/pg_restore"));
        assert_eq!(restore(18, 15).unwrap().pg_restore.path, PathBuf::from("/a/pg_restore"));
        assert_eq!(restore(15, 19).unwrap().pg_restore.path, PathBuf::from("/a/pg_restore"));
        assert!(restore(19, 15).unwrap_err().is(&TOOLS_NOT_FOUND));
    }

    #[test]
    fn incomplete_folders_are_not_chosen() {
        let mut some = installed(&[("/a", 15, 1)]);
        some.folders[0].programs.remove(&Program::PgRestore);
        let error = some.for_server(Version { major: 15, minor: 0 }).unwrap_err();
        assert!(error.to_string().contains("15.1 in /a (without pg_restore)"), "{error}");
        some.folders[0].programs.insert(Program::PgRestore, Version { major: 14, minor: 9 });
        assert!(some.for_server(Version { major: 15, minor: 0 }).is_err());
    }
}
