//! What keeps the code in a backup away from everything else on this machine.
//!
//! A dump can run code when it is restored: a CHECK constraint calls a function, and a superuser's function may start programs. So the server
//! runs as a user that owns nothing else, without a network, in a root folder in which there is nothing but PostgreSQL. Linux gives all of
//! that to root, and to everybody where user namespaces are allowed; the programs are `unshare`, `mount` and `pivot_root` of util-linux, and
//! `setpriv`. What cannot be had is said ([`Isolation`]), and the scratch cluster works without it.

use super::folder::Folder;
use crate::connection::Env;
use crate::error::codes::SCRATCH_FAILED;
use backup_core::{Error, Result};
use rustix::process::{getegid, geteuid};
use serde::Serialize;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Makes the root folder.
const CAGE: &str = include_str!("cage.sh");
/// What every system needs for its programs to run.
const SHOWN: [&str; 19] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/share",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld-musl-x86_64.path",
    "/etc/localtime",
    "/etc/alternatives",
    "/etc/ssl/openssl.cnf",
    "/var/cache/postgresql/dicts",
];
/// User ids that systemd's list leaves "free for use" (UIDS-GIDS.md of systemd): nobody has them.
const FREE_IDS: std::ops::Range<u32> = 0x7FFE_0000..0x7FFF_0000;
/// The same where a container has only the first 65536.
const FEW_IDS: std::ops::Range<u32> = 64_000..65_500;
/// The user id inside of a user namespace of our own.
const INNER_ID: u32 = 70;
/// Trying a cage takes this long at most.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// One kind of isolation: how it was reached, or why it was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// It holds, in this way.
    Yes(String),
    /// It does not hold, for this reason.
    No(String),
}

impl Reached {
    /// Whether it holds.
    pub fn is_reached(&self) -> bool {
        matches!(self, Reached::Yes(_))
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reached::Yes(how) => write!(f, "yes ({how})"),
            Reached::No(why) => write!(f, "no ({why})"),
        }
    }
}

/// What the code in a backup was kept away from while it was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Isolation {
    /// Whether the server ran as a user that owns nothing else.
    pub uid: Reached,
    /// Whether it had no network.
    pub network: Reached,
    /// Whether it saw no files but PostgreSQL's and its own.
    pub files: Reached,
}

impl Isolation {
    /// Whether all of it holds.
    pub fn is_complete(&self) -> bool {
        [&self.uid, &self.network, &self.files].into_iter().all(Reached::is_reached)
    }

    /// None of it, for this reason.
    pub(crate) fn none(why: &str) -> Self {
        let no = || Reached::No(why.to_owned());
        Isolation { uid: no(), network: no(), files: no() }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "own user: {}; no network: {}; no other files: {}", self.uid, self.network, self.files)
    }
}

/// How a cage is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// The best one, whether it works here or not.
    Best,
    /// The best one in which PostgreSQL was seen to run.
    Tried,
}

/// A way to run a server: which of the things above it uses.
#[derive(Clone, Debug)]
pub(super) struct Cage {
    kind: Kind,
    /// What was tried before, and why it did not work.
    failed: Vec<String>,
    /// Who owns the cluster's files.
    pub(super) owner: Option<u32>,
    shown: Vec<PathBuf>,
    hidden: Vec<PathBuf>,
    path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Everything, as root.
    Root,
    /// Everything, in a user namespace.
    User,
    /// Another user and nothing else, as root; with this program.
    OtherUser(&'static str),
    /// Nothing.
    Open,
}

impl Cage {
    /// The best way that works here. `programs` is the folder with the server's programs.
    pub(super) async fn find(
        search: Search,
        folder: &Folder,
        programs: &Path,
        hidden: &[PathBuf],
        env: &Env,
    ) -> Result<Self> {
        let standard = "/usr/sbin:/usr/bin:/sbin:/bin";
        let path = env.get("PATH").map_or(standard.to_owned(), |path| format!("{path}:{standard}"));
        let mut cage =
            Cage { kind: Kind::Open, failed: Vec::new(), owner: None, shown: Vec::new(), hidden: Vec::new(), path };
        cage.shown = cage.paths_of(programs).await;
        // What is not below something that is shown is not there anyway; what holds the programs or the cluster cannot be hidden.
        let inner = folder.inner();
        cage.hidden = hidden.iter().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())).collect();
        cage.hidden.retain(|path| {
            let below = cage.shown.iter().any(|shown| path != shown && path.starts_with(shown));
            below && !programs.starts_with(path) && !inner.starts_with(path)
        });
        let as_root = geteuid().is_root();
        let kinds: &[Kind] = if as_root {
            &[
                Kind::Root,
                Kind::OtherUser("setpriv"),
                Kind::OtherUser("chroot"),
                Kind::OtherUser("gosu"),
                Kind::OtherUser("su-exec"),
            ]
        } else {
            &[Kind::User]
        };
        for kind in kinds {
            cage.kind = *kind;
            cage.owner = as_root.then(|| unused_id(folder.number()));
            if search == Search::Best {
                folder.give_to(cage.owner)?;
                return Ok(cage);
            }
            match cage.attempt(folder, programs).await {
                Ok(()) => return Ok(cage),
                Err(reason) => cage.failed.push(format!("{}: {reason}", kind.name())),
            }
        }
        cage.kind = Kind::Open;
        cage.owner = None;
        Ok(cage)
    }

    /// Whether the server could run at all: PostgreSQL refuses to be root.
    pub(super) fn is_possible(&self) -> bool {
        self.kind != Kind::Open || !geteuid().is_root()
    }

    /// Whether the user that initdb runs as has a name, as it wants.
    pub(super) fn names_its_user(&self) -> bool {
        matches!(self.kind, Kind::Root | Kind::User)
    }

    /// Whether a signal to the command ends everything in it at once.
    pub(super) fn is_namespace(&self) -> bool {
        matches!(self.kind, Kind::Root | Kind::User)
    }

    /// Why something is not as it should be.
    pub(super) fn failures(&self) -> String {
        if self.failed.is_empty() { "this system has no way to do it".into() } else { self.failed.join("; ") }
    }

    /// What it gives.
    pub(super) fn isolation(&self) -> Isolation {
        let no = || Reached::No(self.failures());
        let yes = |how: String| Reached::Yes(how);
        let caged = |uid| Isolation {
            uid,
            network: yes("a network namespace without interfaces".into()),
            files: yes("a root folder with PostgreSQL's programs and the cluster's own folder alone".into()),
        };
        match self.kind {
            Kind::Root => caged(yes(format!("user id {}", self.owner.unwrap_or_default()))),
            Kind::User => {
                caged(yes("a user namespace; files and processes of the user outside of it are out of reach".into()))
            }
            Kind::OtherUser(_) => Isolation {
                uid: yes(format!("user id {}", self.owner.unwrap_or_default())),
                network: no(),
                files: Reached::No(format!("files that everybody may read can be read; {}", self.failures())),
            },
            Kind::Open => Isolation { uid: no(), network: no(), files: no() },
        }
    }

    /// The command that runs this program with these arguments in the cage; nothing of our environment goes with it.
    pub(super) fn command(&self, folder: &Folder, program: &str) -> Command {
        let id = self.owner.unwrap_or(INNER_ID).to_string();
        let ids = [format!("--reuid={id}"), format!("--regid={id}"), "--clear-groups".into()];
        let nothing = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"];
        let apart =
            ["--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--propagation", "private", "--"];
        let mut command;
        match self.kind {
            Kind::Root | Kind::User => {
                command = Command::new("setpriv");
                // When the shell that watches over it is killed.
                command.args(["--pdeathsig", "KILL", "unshare"]);
                if self.kind == Kind::User {
                    command.args(["--user", "--map-root-user"]);
                }
                command.args(apart).args(["/bin/sh", "-c", CAGE, "backproof-cage"]);
                if self.kind == Kind::Root {
                    command.arg("setpriv").args(ids).args(nothing);
                } else {
                    // PostgreSQL does not run as root, not even as root of a namespace.
                    let user = [format!("--map-user={id}"), format!("--map-group={id}")];
                    command.args(["unshare", "--user"]).args(user).args(["setpriv", "--no-new-privs"]);
                }
            }
            Kind::OtherUser("setpriv") => {
                command = Command::new("setpriv");
                command.args(ids).args(nothing).args(["--pdeathsig", "KILL"]);
            }
            Kind::OtherUser("chroot") => {
                command = Command::new("chroot");
                command.arg(format!("--userspec=+{id}:+{id}")).args(["--groups=", "/"]);
            }
            Kind::OtherUser(other) => {
                command = Command::new(other);
                command.arg(format!("{id}:{id}"));
            }
            Kind::Open => command = Command::new("env"),
        }
        command.arg(program);
        command.env_clear().env("PATH", &self.path).env("LC_ALL", "C").env("TZ", "UTC").current_dir("/");
        if matches!(self.kind, Kind::Root | Kind::User) {
            command.env("CAGE_ROOT", folder.root()).env("CAGE_KEEP", folder.inner());
            command.env("CAGE_SHOW", lines(&self.shown)).env("CAGE_HIDE", lines(&self.hidden));
            command.env("CAGE_UID", &id).env("CAGE_GID", &id);
        }
        command
    }

    /// Makes the cluster in the name of an account that has no process, and gives it to the nameless user then: for root who may not mount.
    ///
    /// initdb runs nothing but PostgreSQL's own programs; nothing of a dump is there yet.
    pub(super) async fn borrow_name(&self, folder: &Folder, server: &Command) -> Result<()> {
        let failed = |what: String| Error::new(&SCRATCH_FAILED, format!("make the scratch cluster: {what}"));
        let busy = processes();
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let account =
            |line: &str| Some((line.split(':').next()? == "nobody", line.split(':').nth(2)?.parse::<u32>().ok()?));
        let idle = accounts.lines().filter_map(account).filter(|(_, id)| *id != 0 && !busy.contains(id)).max();
        let Some((_, lender)) = idle else {
            return Err(failed(format!(
                "initdb wants its user to have a name, and no account is idle: {}",
                self.failures()
            )));
        };
        folder.give_to(Some(lender))?;
        let lending = Cage { owner: Some(lender), ..self.clone() };
        let mut command = lending.command(folder, "/bin/sh");
        // What comes after the shell is the same for both.
        command.args(server.get_args().skip_while(|argument| *argument != "/bin/sh").skip(1));
        command.env("BACKPROOF_INITDB", "only").stdin(Stdio::null());
        let output = tokio::process::Command::from(command).kill_on_drop(true).output().await;
        let output = output.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        folder.give_all_to(self.owner)
    }

    /// Runs PostgreSQL in it, to see whether it works.
    async fn attempt(&self, folder: &Folder, programs: &Path) -> std::result::Result<(), String> {
        folder.give_to(self.owner).map_err(|error| error.chain())?;
        let server = programs.join("postgres");
        let mut command = self.command(folder, &server.to_string_lossy());
        command.arg("--version").stdin(Stdio::null());
        let mut command = tokio::process::Command::from(command);
        let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
        match output {
            Err(_) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
            Ok(Err(error)) => Err(error.to_string()),
            Ok(Ok(output)) if output.status.success() => Ok(()),
            Ok(Ok(output)) => {
                let words = String::from_utf8_lossy(&output.stderr);
                Err(words.trim().lines().last().map_or_else(|| output.status.to_string(), str::to_owned))
            }
        }
    }

    /// What has to be seen for these programs to run: the system's own folders, and those of PostgreSQL and its libraries.
    async fn paths_of(&self, programs: &Path) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = SHOWN.iter().map(PathBuf::from).collect();
        let mut more = BTreeSet::new();
        if let Some(prefix) = programs.parent() {
            more.extend(["bin", "lib", "lib64", "share"].map(|folder| prefix.join(folder)));
        }
        if programs.starts_with("/nix/store") {
            more.insert("/nix/store".into());
        }
        // Its own files need not lie beside its programs: an installation that was moved, or built with other folders, finds them elsewhere.
        let asked = [programs.join("pg_config").into_os_string(), "--sharedir".into(), "--pkglibdir".into()];
        if let Some(text) = self.answer(&asked).await {
            more.extend(text.lines().filter(|line| line.starts_with('/')).map(PathBuf::from));
        }
        // Its libraries may be anywhere.
        let asked = ["ldd".into(), programs.join("postgres").into(), programs.join("initdb").into()];
        if let Some(text) = self.answer(&asked).await {
            let libraries = text
                .lines()
                .filter_map(|line| line.split_once("=> /"))
                .filter_map(|(_, path)| path.split(" (0x").next());
            for library in libraries {
                let library = PathBuf::from(format!("/{library}"));
                let real = library.canonicalize().unwrap_or_else(|_| library.clone());
                let plain = |path: &&&PathBuf| !path.components().any(|part| part == std::path::Component::ParentDir);
                more.extend(
                    [&library, &real].iter().filter(plain).filter_map(|path| path.parent()).map(Path::to_owned),
                );
            }
        }
        for path in more.into_iter().filter(|path| path.is_dir()) {
            if !paths.iter().any(|shown| path.starts_with(shown)) {
                paths.push(path);
            }
        }
        paths
    }

    /// What a program of this system prints.
    async fn answer(&self, words: &[OsString]) -> Option<String> {
        let (program, arguments) = words.split_first()?;
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).env_clear().env("PATH", &self.path).env("LC_ALL", "C");
        command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Root => "namespaces",
            Kind::User => "user namespaces",
            Kind::OtherUser(program) => program,
            Kind::Open => "nothing",
        }
    }
}

fn lines(paths: &[PathBuf]) -> String {
    let paths: Vec<String> =
        paths.iter().map(|path| path.to_string_lossy().into_owned()).filter(|path| !path.contains('\n')).collect();
    paths.join("\n")
}

/// A user id that nobody has, different for every scratch cluster.
fn unused_id(number: u32) -> u32 {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let covers = |id: u32| {
        map.lines().any(|line| {
            let mut numbers = line.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
            let (Some(first), _, Some(count)) = (numbers.next(), numbers.next(), numbers.next()) else { return false };
            (first..first + count).contains(&id.into())
        })
    };
    let range = if map.is_empty() || covers(FREE_IDS.end - 1) { FREE_IDS } else { FEW_IDS };
    let taken = ids_in_use();
    let count = range.end - range.start;
    (0..count)
        .map(|step| range.start + (number.wrapping_add(step)) % count)
        .find(|id| !taken.contains(id))
        .unwrap_or(range.start)
}

/// The user ids of running processes.
fn processes() -> BTreeSet<u32> {
    use std::os::unix::fs::MetadataExt;
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.uid())
        .collect()
}

/// The user ids of running processes and of accounts.
fn ids_in_use() -> BTreeSet<u32> {
    let mut ids = processes();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    ids.extend(accounts.lines().filter_map(|line| line.split(':').nth(2)?.parse::<u32>().ok()));
    ids.extend([geteuid().as_raw(), getegid().as_raw()]);
    ids
}
