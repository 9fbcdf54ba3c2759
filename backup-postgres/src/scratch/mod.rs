//! A PostgreSQL cluster of our own, for one restore: started from the installed programs, in a cage, and thrown away.
//!
//! It listens on a unix socket in a private folder and nowhere else. It goes away with [`Scratch`], and when this process ends in whatever
//! way: a small shell ([`supervise.sh`](https://github.com/backproof/backproof)) holds the other end of a pipe. What is left when
//! that shell is killed too is found and removed by the next start.

mod cage;
mod folder;
mod settings;

pub use cage::{Isolation, Reached};

use crate::connection::{Connection, Env};
use crate::error::codes::SCRATCH_FAILED;
use crate::tools::{Installed, Tools, Version};
use backup_core::error::codes::NO_SPACE;
use backup_core::error::io_error;
use backup_core::{Error, Result};
use cage::{Cage, Search};
use folder::Folder;
use settings::Sizes;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends the server when we are gone, and removes its folder.
const SUPERVISE: &str = include_str!("supervise.sh");
/// Makes the cluster and becomes its server.
const SERVE: &str = include_str!("serve.sh");
/// Starting takes a second; on a machine that is very busy, or with an emulated processor, longer.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Ending and removing a cluster may take this long before we go on without waiting.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// What is told of the server's log.
const SHOWN_LOG: usize = 4 << 10;

/// How to start a [`Scratch`].
#[derive(Clone, Debug)]
pub struct ScratchOptions {
    folder: Option<PathBuf>,
    tools: Option<PathBuf>,
    env: Env,
    archive: Version,
    server: Version,
    superuser: String,
    expected: Option<u64>,
    hidden: Vec<PathBuf>,
    settings: Vec<(String, String)>,
    low_priority: bool,
}

impl ScratchOptions {
    /// A cluster that an archive can be restored into: one made by this version of pg_dump, from this version of the server.
    pub fn new(archive: Version, server: Version) -> Self {
        ScratchOptions {
            folder: None,
            tools: None,
            env: Env::from_process(),
            archive,
            server,
            superuser: "postgres".into(),
            expected: None,
            hidden: Vec::new(),
            settings: Vec::new(),
            low_priority: false,
        }
    }

    /// The same for another archive.
    pub(crate) fn for_archive(mut self, archive: Version, server: Version) -> Self {
        (self.archive, self.server) = (archive, server);
        self
    }

    /// The PostgreSQL programs that are installed, as far as they may be used.
    pub(crate) async fn installed(&self) -> Installed {
        Installed::find(self.tools.as_deref(), &self.env).await
    }

    /// What programs are looked for with.
    pub(crate) fn environment(&self) -> &Env {
        &self.env
    }

    /// Makes it in a folder of this one; otherwise of `TMPDIR`, or `/tmp`. It chooses the disk.
    pub fn folder(mut self, parent: impl Into<PathBuf>) -> Self {
        self.folder = Some(parent.into());
        self
    }

    /// Uses the PostgreSQL programs of this folder only.
    pub fn tools(mut self, folder: impl Into<PathBuf>) -> Self {
        self.tools = Some(folder.into());
        self
    }

    /// Looks for programs with this environment.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// The name of its superuser, `postgres` unless set: what the system's own objects belong to. A name that initdb cannot take (with quotes,
    /// or `pg_` at its start) is left alone.
    pub fn superuser(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if !name.is_empty() && !name.starts_with("pg_") && !name.contains(['"', '\'', '\\', '\n']) {
            self.superuser = name;
        }
        self
    }

    /// About how many bytes the database will have on disk: it is not started where that does not fit.
    pub fn expect_bytes(mut self, bytes: u64) -> Self {
        self.expected = Some(bytes);
        self
    }

    /// Keeps this file or folder out of the cage's sight, wherever it is. (It sees little anyway: `/usr` and the like.)
    pub fn hide(mut self, path: impl Into<PathBuf>) -> Self {
        self.hidden.push(path.into());
        self
    }

    /// A setting of `postgresql.conf`, such as `shared_preload_libraries`.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Lets everything else on this machine go first (`nice`, `ionice`): no unless set.
    pub fn low_priority(mut self, low: bool) -> Self {
        self.low_priority = low;
        self
    }

    fn sizes(&self) -> Sizes {
        Sizes { memory: settings::spare_memory(), disk: self.expected }
    }

    /// Refuses a disk that is too small, before anything is written.
    fn check_space(&self, folder: &Folder) -> Result<()> {
        /// An empty cluster has 40 MB.
        const EMPTY: u64 = 64 << 20;
        let (Some(expected), Some(free)) = (self.expected, folder.free_space()) else { return Ok(()) };
        let needed = expected.saturating_add(self.sizes().log()).saturating_add(EMPTY);
        if free >= needed {
            return Ok(());
        }
        let parent = folder.path().parent().unwrap_or(folder.path()).display();
        let message = format!("the scratch cluster needs about {needed} bytes, and {parent} has {free} bytes free");
        Err(Error::new(&NO_SPACE, message)
            .with_hint("free some space there, or choose another disk with --scratch-dir"))
    }
}

/// A running scratch cluster. Dropping it ends the server and removes all of it.
#[derive(Debug)]
pub struct Scratch {
    /// The supervisor; it ends when `pipe` is closed.
    supervisor: Child,
    pipe: Option<ChildStdin>,
    folder: Folder,
    connection: Connection,
    isolation: Isolation,
    tools: Tools,
}

impl Scratch {
    /// Makes and starts a cluster.
    ///
    /// Dropping the future leaves nothing.
    ///
    /// # Errors
    /// `tools_not_found` when no server of a version that fits is installed; `no_space`; `scratch_failed` with the server's own words.
    pub async fn start(options: &ScratchOptions) -> Result<Self> {
        let tools = options.installed().await.for_scratch(options.archive, options.server)?;
        // The best cage works nearly everywhere: only where it does not, what does is found out beforehand.
        match Self::start_in(options, tools.clone(), Search::Best).await? {
            Some(scratch) => Ok(scratch),
            None => Self::start_in(options, tools, Search::Tried).await?.ok_or_else(|| {
                Error::new(&SCRATCH_FAILED, "the scratch cluster's cage worked when it was tried, and then did not")
            }),
        }
    }

    /// Starts it in the cage that is found in this way; `None` when the cage does not work here.
    async fn start_in(options: &ScratchOptions, tools: Tools, search: Search) -> Result<Option<Self>> {
        let parent =
            options.folder.clone().unwrap_or_else(|| options.env.get("TMPDIR").map_or("/tmp".into(), PathBuf::from));
        // Leftovers to be removed may be large.
        let logs = tracing::dispatcher::get_default(Clone::clone);
        let make = move || tracing::dispatcher::with_default(&logs, || Folder::make(&parent));
        let made = tokio::task::spawn_blocking(make).await;
        let mut folder =
            made.map_err(|error| Error::new(&SCRATCH_FAILED, "make the scratch cluster's folder").with_source(error))??;
        options.check_space(&folder)?;
        let programs = tools.pg_dump.path.parent().unwrap_or(Path::new("/")).to_owned();
        let cage = Cage::find(search, &folder, &programs, &options.hidden, &options.env).await?;
        if !cage.is_possible() {
            let message =
                format!("PostgreSQL refuses to run as root, and no other user could be used: {}", cage.failures());
            return Err(Error::new(&SCRATCH_FAILED, message)
                .with_hint("install setpriv (util-linux), or run this as an ordinary user"));
        }
        write_settings(options, &folder, tools.pg_dump.version.major)?;
        let mut server = cage.command(&folder, "/bin/sh");
        server.args(["-c", SERVE, "backproof-serve"]).arg(&programs).arg(folder.inner()).arg(&options.superuser);
        if tools.pg_dump.version.major >= 18 {
            // Off by default before 18; they cost time, and find faults of a disk that is used for minutes.
            server.arg("--no-data-checksums");
        }
        name_the_user(&cage, &folder, &mut server).await?;
        let (supervisor, pipe) = supervise(&mut folder, &cage, server, options.low_priority)?;
        let connection = Connection::on_socket(&folder.inner(), &options.superuser, "postgres")?
            .with_more_options(&settings::session_options(tools.pg_dump.version.major));
        let isolation = cage.isolation();
        let mut scratch = Scratch { supervisor, pipe: Some(pipe), folder, connection, isolation, tools };
        let began = Instant::now();
        let limit = if search == Search::Best { cage::PATIENCE } else { START_LIMIT };
        match scratch.wait_until_ready(limit).await {
            Ok(()) => {
                let seconds = began.elapsed().as_secs_f64();
                tracing::info!(seconds, version = %scratch.version(), "the scratch cluster takes connections");
                Ok(Some(scratch))
            }
            Err(_) if search == Search::Best && cage.is_namespace() && !scratch.folder.caged().exists() => {
                scratch.stop().await;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The database `postgres` of the cluster, for its superuser. No password is needed; nobody else can reach the socket.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The folder that is its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the code in a backup is kept away from.
    pub fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// The server's version.
    pub fn version(&self) -> Version {
        self.tools.pg_dump.version
    }

    /// PostgreSQL's programs of that version.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// Why the server ended, if it did: its last words.
    pub fn died(&self) -> Option<String> {
        self.folder.ended().exists().then(|| self.last_words())
    }

    /// Ends the server and removes all of it, and waits for that.
    pub async fn stop(mut self) {
        let logs = tracing::dispatcher::get_default(Clone::clone);
        let _ = tokio::task::spawn_blocking(move || tracing::dispatcher::with_default(&logs, || self.end())).await;
    }

    fn end(&mut self) {
        drop(self.pipe.take());
        let began = Instant::now();
        let mut pause = Duration::from_millis(1);
        while matches!(self.supervisor.try_wait(), Ok(None)) && began.elapsed() < STOP_LIMIT {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Waits, `limit` at most until something runs in the cage.
    async fn wait_until_ready(&mut self, limit: Duration) -> Result<()> {
        let began = Instant::now();
        let status = self.folder.data().join("postmaster.pid");
        loop {
            // Line 8 says `ready` when connections are taken (LOCK_FILE_LINE_PM_STATUS in miscadmin.h).
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            if text.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            let failed = |what: String| {
                Error::new(&SCRATCH_FAILED, format!("the scratch cluster {what}: {}", self.last_words()))
            };
            if self.folder.ended().exists() {
                return Err(self.refused(failed("did not start".into())));
            }
            if began.elapsed() > limit && (began.elapsed() > START_LIMIT || !self.folder.caged().exists()) {
                return Err(failed(format!("was not ready after {} s", began.elapsed().as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A full disk has a code of its own.
    fn refused(&self, error: Error) -> Error {
        if error.to_string().contains("No space left on device") {
            return Error::new(&NO_SPACE, error.to_string())
                .with_hint("free some space there, or choose another disk with --scratch-dir");
        }
        error
    }

    /// The end of what the server said.
    fn last_words(&self) -> String {
        let log = std::fs::read(self.folder.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log[log.len().saturating_sub(SHOWN_LOG)..]).into_owned();
        let words: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if words.is_empty() { "it said nothing".into() } else { words.join("; ") }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes what the server needs to know into its folder.
fn write_settings(options: &ScratchOptions, folder: &Folder, major: u32) -> Result<()> {
    let inner = folder.inner();
    let text = settings::configuration(&inner, major, options.sizes(), &options.settings);
    for (name, text) in [("postgresql.conf", text.as_str()), ("pg_hba.conf", "local all all trust\n")] {
        let path = inner.join(name);
        std::fs::write(&path, text).map_err(|error| io_error(format!("write {}", path.display()), error))?;
    }
    Ok(())
}

/// initdb asks the system for its user's name. In a cage it has one; elsewhere it needs help.
async fn name_the_user(cage: &Cage, folder: &Folder, server: &mut Command) -> Result<()> {
    if cage.names_its_user() {
        return Ok(());
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let id = cage.owner.unwrap_or_else(|| rustix::process::geteuid().as_raw());
    if accounts.lines().any(|line| line.split(':').nth(2) == Some(&id.to_string())) {
        return Ok(());
    }
    if cage.owner.is_some() {
        return cage.borrow_name(folder, server).await;
    }
    let folders = ["/usr/lib64", "/usr/lib", "/usr/local/lib"].map(PathBuf::from);
    let multiarch = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let wrapper =
        folders.into_iter().chain(multiarch).map(|folder| folder.join("libnss_wrapper.so")).find(|path| path.is_file());
    let Some(wrapper) = wrapper else {
        let message = format!("user id {id} has no name, and initdb wants one: {}", cage.failures());
        return Err(Error::new(&SCRATCH_FAILED, message).with_hint(
            "allow user namespaces, or install libnss_wrapper (Debian: libnss-wrapper), or add a line for this user to /etc/passwd",
        ));
    };
    server.env("LD_PRELOAD", wrapper);
    let group = rustix::process::getegid().as_raw();
    for (variable, name, line) in [
        ("NSS_WRAPPER_PASSWD", "passwd", format!("scratch:x:{id}:{group}::/:/bin/sh\n")),
        ("NSS_WRAPPER_GROUP", "group", format!("scratch:x:{group}:\n")),
    ] {
        let path = folder.inner().join(name);
        std::fs::write(&path, line).map_err(|error| io_error(format!("write {}", path.display()), error))?;
        server.env(variable, path);
    }
    Ok(())
}

/// Starts the server under a shell that outlives us just long enough.
fn supervise(folder: &mut Folder, cage: &Cage, server: Command, low_priority: bool) -> Result<(Child, ChildStdin)> {
    let failed = |error| io_error("start the scratch cluster", error);
    let log = std::fs::File::create_new(folder.log()).map_err(failed)?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SUPERVISE, "backproof-scratch"]).arg(folder.path());
    command.arg(if cage.is_namespace() { "KILL" } else { "QUIT" });
    if low_priority {
        command.args(["nice", "-n", "10"]);
        if std::env::split_paths("/usr/bin:/bin:/usr/sbin:/sbin").any(|path| path.join("ionice").is_file()) {
            command.args(["ionice", "-c", "3"]);
        }
    }
    command.arg(server.get_program()).args(server.get_args());
    command.env_clear().envs(server.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir("/");
    command.stdin(Stdio::piped()).stdout(log.try_clone().map_err(failed)?).stderr(log);
    // A Ctrl-C at the terminal reaches us alone.
    command.process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let pipe = child.stdin.take();
    folder.leave_to(child.id())?;
    match pipe {
        Some(pipe) => Ok((child, pipe)),
        None => Err(Error::new(&SCRATCH_FAILED, "the scratch cluster's supervisor has no input")),
    }
}
