//! A throw-away PgBouncer in front of a cluster.

use super::account::Account;
use super::cluster::{Cluster, encode, private_folder};
use super::watchdog::Guarded;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// When a server connection goes back to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// When the client goes: safe for backups.
    Session,
    /// After each transaction: what backups must refuse.
    Transaction,
}

/// A running PgBouncer (`pgbouncer` on PATH, in `/usr/sbin`, or `BACKPROOF_TEST_PGBOUNCER`). It goes away when dropped.
#[derive(Debug)]
pub struct PgBouncer {
    server: Guarded,
    folder: PathBuf,
    port: u16,
}

impl PgBouncer {
    /// A pooler before this cluster, for all its databases and roles, on a unix socket, trusting everybody there; with more lines for its `[pgbouncer]` section.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(cluster: &Cluster, mode: PoolMode, settings: &[&str]) -> Self {
        let account = Account::for_servers();
        let folder = private_folder();
        account.own(&folder);
        let port = 6432; // of a socket in our own folder only
        let mode = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
        };
        let shown = folder.display();
        let text = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nunix_socket_dir = {shown}\nlisten_addr =\nlisten_port = {port}\n\
             auth_type = trust\nauth_file = {shown}/users\npool_mode = {mode}\nserver_lifetime = 600\nlogfile = {shown}/log\n{}\n",
            cluster.socket_folder().display(),
            cluster.port(),
            settings.join("\n")
        );
        account.write_private(&folder.join("pgbouncer.ini"), &text);
        let roles =
            cluster.psql("postgres", "SELECT '\"' || replace(rolname, '\"', '\"\"') || '\" \"\"' FROM pg_roles");
        account.write_private(&folder.join("users"), &format!("{roles}\n"));
        let program = program();
        let child = account
            .command(&program)
            .arg("-q")
            .arg(folder.join("pgbouncer.ini"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| {
                panic!(
                    "start {}: {e} (Debian: apt-get install pgbouncer; or set BACKPROOF_TEST_PGBOUNCER)",
                    program.display()
                )
            });
        let mut server = Guarded::new(account, child, folder.clone());
        let began = Instant::now();
        while UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).is_err() {
            let ended = server.ended();
            if ended.is_some() || began.elapsed() > Duration::from_secs(20) {
                panic!("PgBouncer did not start:\n{}", std::fs::read_to_string(folder.join("log")).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        PgBouncer { server, folder, port }
    }

    /// The URL of a database for this role, through the pooler.
    pub fn url_as(&self, role: &str, database: &str) -> String {
        format!(
            "postgresql://{}@/{}?host={}&port={}",
            encode(role),
            encode(database),
            encode(&self.folder.to_string_lossy()),
            self.port
        )
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        self.server.stop();
    }
}

fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("BACKPROOF_TEST_PGBOUNCER").filter(|value| !value.is_empty()) {
        return path.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).map(|folder| folder.join("pgbouncer"));
    candidates.find(|candidate| candidate.is_file()).unwrap_or_else(|| "/usr/sbin/pgbouncer".into())
}
