//! The environment in which PostgreSQL's programs connect just as we do.

use super::{Connection, NOWHERE, string::write_key_values};
use secrecy::ExposeSecret;
use std::process::Command;

impl Connection {
    /// Makes this command connect as these settings say, through its environment alone: what it had of an environment, ours included, is
    /// cleared first ([`clear_environment`]), so that nothing else has a say. Nothing secret is in the arguments; pass
    /// [`Connection::argument`] where a program needs `-d`.
    ///
    /// For a tokio command: `connection.apply(command.as_std_mut())`.
    pub fn apply(&self, command: &mut Command) {
        clear_environment(command);
        for (name, value) in self.environment() {
            command.env(name, value);
        }
    }

    /// What to give as `-d` (or `--dbname`) to the programs that need it: the database and what no variable can say. Nothing secret.
    pub fn argument(&self) -> String {
        let mut pairs = vec![("dbname", self.database.clone())];
        if self.keep_alive.off {
            pairs.push(("keepalives", "0".into()));
        }
        pairs.extend(self.keep_alive.idle.map(|n| ("keepalives_idle", n.to_string())));
        pairs.extend(self.keep_alive.interval.map(|n| ("keepalives_interval", n.to_string())));
        pairs.extend(self.keep_alive.count.map(|n| ("keepalives_count", n.to_string())));
        pairs.extend(self.keep_alive.user_timeout.map(|n| ("tcp_user_timeout", n.to_string())));
        write_key_values(pairs)
    }

    /// The database alone, as a connection string: for options that take one or the other, and would read some names as the other.
    pub(crate) fn database_argument(&self) -> String {
        write_key_values([("dbname", self.database.clone())])
    }

    /// The variables. The value of `PGPASSWORD` is secret.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = Vec::new();
        let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
        let join = |parts: Vec<String>| parts.join(",");
        set("PGHOST", join(self.endpoints.iter().map(|endpoint| endpoint.host.clone()).collect()));
        if self.endpoints.iter().any(|endpoint| endpoint.address.is_some()) {
            let addresses =
                self.endpoints.iter().map(|endpoint| endpoint.address.map(|a| a.to_string()).unwrap_or_default());
            set("PGHOSTADDR", join(addresses.collect()));
        }
        set("PGPORT", join(self.endpoints.iter().map(|endpoint| endpoint.port.to_string()).collect()));
        set("PGUSER", self.user.clone());
        set("PGDATABASE", self.database.clone());
        let password = match self.endpoints.as_slice() {
            [endpoint] => self.password_for(endpoint),
            _ => self.password.clone(),
        };
        match (&password, &self.passfile) {
            (Some(password), _) => {
                set("PGPASSWORD", password.expose_secret().to_owned());
                set("PGPASSFILE", NOWHERE.into());
            }
            (None, Some(file)) => set("PGPASSFILE", file.to_string_lossy().into_owned()),
            (None, None) => set("PGPASSFILE", NOWHERE.into()),
        }
        set("PGSERVICEFILE", NOWHERE.into());
        set("PGSYSCONFDIR", NOWHERE.into());
        set("PGAPPNAME", self.application_name.clone());
        set("PGCHANNELBINDING", self.channel_binding.clone());
        set("PGCONNECT_TIMEOUT", self.connect_timeout.map_or(0, |limit| limit.as_secs()).to_string());
        set("PGGSSENCMODE", "disable".into());
        if self.target != super::Target::Any {
            set("PGTARGETSESSIONATTRS", self.target.name().into());
        }
        if self.shuffled {
            set("PGLOADBALANCEHOSTS", "random".into());
        }
        for (name, value) in self.tls.environment() {
            set(name, value);
        }
        let more_options =
            self.program_settings.iter().filter(|(name, _)| name == "PGOPTIONS").map(|(_, value)| value.as_str());
        let options: Vec<&str> = self.options.as_deref().into_iter().chain(more_options).collect();
        if !options.is_empty() {
            set("PGOPTIONS", options.join(" "));
        }
        for (name, value) in self.program_settings.iter().filter(|(name, _)| name != "PGOPTIONS") {
            set(name, value.clone());
        }
        variables
    }
}

/// What PostgreSQL's programs get of our environment: how to run on this machine. Keys of repositories, passwords and other databases' URLs
/// are not theirs to know. What libpq needs is set anew ([`Connection::apply`]).
const KEPT: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TZ",
    "TZDIR",
    // Where libraries are, and one that gives a user without a name one (libnss_wrapper).
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "LD_PRELOAD",
    // Where OpenSSL finds the system's authorities (`sslrootcert=system`) and its own settings.
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
];

/// Gives a program of PostgreSQL's nothing of our environment but what it needs to run. Its messages are read by people and, in part, by
/// us: always in English.
pub(crate) fn clear_environment(command: &mut Command) {
    let wrapper = |name: &str| name.starts_with("NSS_WRAPPER_");
    let kept =
        std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| KEPT.contains(&name) || wrapper(name)));
    command.env_clear().envs(kept).env("LC_ALL", "C");
}
