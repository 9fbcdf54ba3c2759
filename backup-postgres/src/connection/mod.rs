//! How a database is reached: settings resolved once, the same for our connection and for PostgreSQL's programs.
//!
//! Sources, the first that says something wins:
//!
//! 1. an explicit connection string (`--database`), or else `DATABASE_URL`, or else `SUPABASE_DB_URL`;
//! 2. what a service (`service=…`, `PGSERVICE`) says of what the string leaves open;
//! 3. libpq's PG variables;
//! 4. only without a string: `POSTGRES_HOST`, `POSTGRES_PORT`, `POSTGRES_DB`, `POSTGRES_USER`, `POSTGRES_PASSWORD`;
//! 5. the password file; libpq's defaults.
//!
//! An empty variable counts as unset.

mod command;
mod connect;
mod environment;
mod keywords;
mod passfile;
mod service;
mod string;
mod url;

pub(crate) use command::clear_environment;
pub use connect::Session;
pub(crate) use connect::quoted;
pub use environment::Env;

use crate::error::codes::{DATABASE_NOT_CONFIGURED, UNSUPPORTED_CONNECTION_SETTING};
use crate::tls::{Tls, TlsMode};
use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::text::printable;
use backup_core::{Error, Result};
use keywords::Settings;
use secrecy::SecretString;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// libpq waits for ever; a backup that nobody watches should not.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// A file that is never there: given to PostgreSQL's programs so that they look nowhere else.
const NOWHERE: &str = "/nonexistent/backproof";

/// One server that may be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Endpoint {
    /// A host name, an address, or a socket's folder (starts with '/').
    host: String,
    /// The address to use instead of resolving the name.
    address: Option<IpAddr>,
    port: u16,
}

impl Endpoint {
    fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }
}

/// What kind of server is wanted when there are several hosts (`target_session_attrs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

#[derive(Clone, Debug, Default)]
struct KeepAlive {
    off: bool,
    idle: Option<u64>,
    interval: Option<u64>,
    count: Option<u32>,
    /// Milliseconds.
    user_timeout: Option<u64>,
}

/// Resolved connection settings: which server, which database, as whom, and how.
///
/// It connects ([`connect`](Connection::connect)) and prepares PostgreSQL's programs to connect in the same way
/// ([`apply`](Connection::apply)). `Debug` and `Display` show host, port, user and database, never the password.
#[derive(Clone)]
pub struct Connection {
    endpoints: Vec<Endpoint>,
    user: String,
    database: String,
    password: Option<SecretString>,
    passfile: Option<PathBuf>,
    /// The database that the settings named, before [`Connection::with_database`]: its line in the password file serves too.
    named_database: String,
    tls: Tls,
    channel_binding: String,
    connect_timeout: Option<Duration>,
    keep_alive: KeepAlive,
    application_name: String,
    options: Option<String>,
    target: Target,
    shuffled: bool,
    /// More variables for PostgreSQL's programs, see [`Connection::with_program_setting`].
    program_settings: Vec<(String, String)>,
    origin: String,
    password_in_argument: bool,
    warnings: Vec<String>,
}

impl Connection {
    /// The settings of this process's environment.
    pub fn from_env() -> Result<Self> {
        Self::resolve(None, &Env::from_process())
    }

    /// The settings that this string (a URL, `key=value` pairs, or a database's name) and this environment give.
    ///
    /// # Errors
    /// `database_not_configured` when nothing names a database; `invalid_argument` and `unsupported_connection_setting` for settings that
    /// cannot be understood or honoured. None repeats a password.
    pub fn resolve(explicit: Option<&str>, env: &Env) -> Result<Self> {
        let (origin, string) = match explicit {
            Some(text) => ("the database argument", Some(text)),
            None => ["DATABASE_URL", "SUPABASE_DB_URL"]
                .into_iter()
                .find_map(|name| Some((name, Some(env.get(name)?))))
                .unwrap_or(("the environment", None)),
        };
        let mut settings = match string {
            Some(text) => string::parse(origin, text)?,
            None => Settings::default(),
        };
        let password_in_argument = explicit.is_some() && settings.has_password();
        if string.is_none() && !keywords::environment_names_a_database(env) {
            check_something_is_named(env)?;
        }
        let service = settings.get("service").or_else(|| env.get("PGSERVICE")).map(str::to_owned);
        if let Some(service) = &service {
            let file = settings.get("servicefile").or_else(|| env.get("PGSERVICEFILE")).map(str::to_owned);
            settings.fill_from(service::load(service, file.as_deref(), env)?);
        }
        settings.fill_from_environment(env)?;
        if string.is_none() && service.is_none() {
            for (keyword, variable) in POSTGRES_VARIABLES {
                if let Some(value) = env.get(variable) {
                    settings.fill(keyword, value);
                }
            }
        }
        let mut connection = Self::understand(&settings, env, origin)?;
        connection.password_in_argument = password_in_argument;
        if password_in_argument {
            connection.warnings.push(
                "the password in the database argument can be seen in the process list and the shell's history: give the URL in DATABASE_URL, or the password in PGPASSWORD or a password file".into(),
            );
        }
        Ok(connection)
    }

    /// A server of our own, by its socket's folder; nothing of the environment has a say.
    pub(crate) fn on_socket(folder: &Path, user: &str, database: &str) -> Result<Self> {
        let pairs = [
            ("host", folder.to_string_lossy().into_owned()),
            ("user", user.to_owned()),
            ("dbname", database.to_owned()),
        ];
        Self::resolve(Some(&string::write_key_values(pairs)), &Env::default())
    }

    /// The same server and database for another role, who needs no password.
    pub(crate) fn with_user(&self, name: impl Into<String>) -> Self {
        let mut other = self.clone();
        other.user = name.into();
        other.password = None;
        other
    }

    fn understand(settings: &Settings, env: &Env, origin: &str) -> Result<Self> {
        let user = match settings.get("user").or_else(|| env.login()) {
            Some(user) => user.to_owned(),
            None => {
                return Err(invalid("no user is given, and the operating system's user has no name")
                    .with_hint("give it in the URL or in PGUSER"));
            }
        };
        let database = settings.get("dbname").unwrap_or(&user).to_owned();
        let passfile = settings.get("passfile").map(PathBuf::from).or_else(|| env.in_home(".pgpass"));
        let mut warnings = Vec::new();
        if !settings.has_password() {
            warnings.extend(passfile.as_deref().and_then(passfile::refused));
        }
        let channel_binding = one_of(settings, "channel_binding", &["prefer", "disable", "require"])?;
        Ok(Connection {
            endpoints: endpoints(settings)?,
            named_database: database.clone(),
            user,
            database,
            password: settings.password(),
            passfile,
            tls: Tls::resolve(&|name| settings.get(name).map(str::to_owned), env)?,
            channel_binding: channel_binding.to_owned(),
            connect_timeout: connect_timeout(settings)?,
            keep_alive: KeepAlive {
                off: settings.get("keepalives") == Some("0"),
                idle: number(settings, "keepalives_idle")?,
                interval: number(settings, "keepalives_interval")?,
                count: number(settings, "keepalives_count")?,
                user_timeout: number(settings, "tcp_user_timeout")?,
            },
            application_name: settings
                .get("application_name")
                .or_else(|| settings.get("fallback_application_name"))
                .unwrap_or("backproof")
                .to_owned(),
            options: settings.get("options").map(str::to_owned),
            target: match one_of(
                settings,
                "target_session_attrs",
                &["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
            )? {
                "read-write" => Target::ReadWrite,
                "read-only" => Target::ReadOnly,
                "primary" => Target::Primary,
                "standby" => Target::Standby,
                "prefer-standby" => Target::PreferStandby,
                _ => Target::Any,
            },
            shuffled: one_of(settings, "load_balance_hosts", &["disable", "random"])? == "random",
            program_settings: Vec::new(),
            origin: origin.to_owned(),
            password_in_argument: false,
            warnings,
        })
    }

    /// The host (name, address or socket folder); of several, the first. After connecting, the one that was reached.
    pub fn host(&self) -> &str {
        &self.endpoints[0].host
    }

    /// The port that belongs to [`host`](Connection::host).
    pub fn port(&self) -> u16 {
        self.endpoints[0].port
    }

    /// The role that logs in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Where the settings came from, for messages: `DATABASE_URL`, `the database argument`, `the environment`, …
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether the password was given inside an explicit connection string, where others can see it.
    pub fn password_in_argument(&self) -> bool {
        self.password_in_argument
    }

    /// What the user should be told about the settings: a visible password, an ignored password file.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How the connection is protected.
    pub fn tls_mode(&self) -> TlsMode {
        self.tls.mode()
    }

    /// The same server and login with another database.
    pub fn with_database(&self, name: impl Into<String>) -> Self {
        let mut other = self.clone();
        other.database = name.into();
        other
    }

    /// Sets one more environment variable for PostgreSQL's programs, such as `PGTZ`; `PGOPTIONS` is added to the options of the settings.
    pub fn with_program_setting(mut self, variable: impl Into<String>, value: impl Into<String>) -> Self {
        self.program_settings.push((variable.into(), value.into()));
        self
    }

    /// The same settings with more start-up options, for our own connection.
    pub(crate) fn with_more_options(&self, options: &str) -> Self {
        let mut other = self.clone();
        other.options = Some(match &self.options {
            Some(before) => format!("{before} {options}"),
            None => options.to_owned(),
        });
        other
    }

    /// The password for this endpoint, as libpq finds it.
    fn password_for(&self, endpoint: &Endpoint) -> Option<SecretString> {
        if self.password.is_some() {
            return self.password.clone();
        }
        let address = endpoint.address.map(|address| address.to_string()).unwrap_or_default();
        let host = match endpoint.host.as_str() {
            // libpq calls its built-in socket folder `localhost` (passwordFromFile).
            folder if DEFAULT_SOCKET_FOLDERS.contains(&folder) => "localhost",
            "" => &address,
            host => host,
        };
        let file = self.passfile.as_deref()?;
        [&self.database, &self.named_database].into_iter().find_map(|database| {
            passfile::lookup(file, &passfile::Wanted { host, port: endpoint.port, database, user: &self.user })
        })
    }
}

/// What docker images, compose files and frameworks call libpq's settings.
const POSTGRES_VARIABLES: [(&str, &str); 5] = [
    ("host", "POSTGRES_HOST"),
    ("port", "POSTGRES_PORT"),
    ("dbname", "POSTGRES_DB"),
    ("user", "POSTGRES_USER"),
    ("password", "POSTGRES_PASSWORD"),
];

/// Where builds of libpq look for the socket: Debian, Red Hat and PGDG; upstream.
const DEFAULT_SOCKET_FOLDERS: [&str; 3] = ["/var/run/postgresql", "/run/postgresql", "/tmp"];

fn check_something_is_named(env: &Env) -> Result<()> {
    if POSTGRES_VARIABLES.iter().any(|(keyword, variable)| *keyword != "password" && env.get(variable).is_some()) {
        return Ok(());
    }
    if env.get("SUPABASE_URL").is_some()
        || env.get("SUPABASE_SERVICE_KEY").is_some()
        || env.get("SUPABASE_SERVICE_ROLE_KEY").is_some()
    {
        return Err(Error::new(
            &DATABASE_NOT_CONFIGURED,
            "SUPABASE_URL and SUPABASE_SERVICE_KEY give access to Supabase's API, not to its database",
        )
        .with_hint(
            "set SUPABASE_DB_URL to the session pooler's URL: in the project's dashboard, press Connect and copy \"Session pooler\" (port 5432 of …pooler.supabase.com), with the database's password in it",
        ));
    }
    Err(Error::new(
        &DATABASE_NOT_CONFIGURED,
        "no database is named: neither an argument nor DATABASE_URL, SUPABASE_DB_URL, PG variables or POSTGRES variables",
    ))
}

/// The servers to try, by libpq's rules for lists of hosts (docs "Specifying Multiple Hosts").
fn endpoints(settings: &Settings) -> Result<Vec<Endpoint>> {
    let list =
        |name| settings.get(name).map(|text| text.split(',').map(str::trim).collect::<Vec<_>>()).unwrap_or_default();
    let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return Err(invalid(format!("there are {} hosts and {} addresses (hostaddr)", hosts.len(), addresses.len()))
            .with_hint("give as many addresses as hosts"));
    }
    let count = hosts.len().max(addresses.len()).max(1);
    if ports.len() > 1 && ports.len() != count {
        return Err(invalid(format!("there are {count} hosts and {} ports", ports.len()))
            .with_hint("give one port, or one for each host"));
    }
    (0..count)
        .map(|index| {
            // The text of a port is not repeated: in a badly encoded URL it is a piece of the password.
            let port = match ports.get(index).or(ports.first()).copied().unwrap_or_default() {
                "" => 5432,
                text => match text.parse() {
                    Ok(port) if port > 0 => port,
                    _ => {
                        return Err(invalid("the port is not a number between 1 and 65535").with_hint(
                            "check the port; special characters in a URL's password must be percent-encoded",
                        ));
                    }
                },
            };
            let address = match addresses.get(index).copied().unwrap_or_default() {
                "" => None,
                text => Some(text.parse::<IpAddr>().map_err(|_| {
                    invalid("hostaddr is not an IP address").with_hint("give a numeric address, or a name as host")
                })?),
            };
            let host = match (hosts.get(index).copied().unwrap_or_default(), address) {
                ("", Some(address)) => address.to_string(),
                ("", None) => default_socket_folder(port),
                (host, _) if host.starts_with('@') => {
                    return Err(Error::new(
                        &UNSUPPORTED_CONNECTION_SETTING,
                        "the host is a socket in the abstract namespace",
                    ));
                }
                (host, _) => host.to_owned(),
            };
            Ok(Endpoint { host, address, port })
        })
        .collect()
}

/// The folder with the local server's socket.
fn default_socket_folder(port: u16) -> String {
    let socket = format!(".s.PGSQL.{port}");
    let with_socket = DEFAULT_SOCKET_FOLDERS.iter().find(|folder| Path::new(folder).join(&socket).exists());
    let existing = || DEFAULT_SOCKET_FOLDERS.iter().find(|folder| Path::new(folder).exists());
    with_socket.or_else(existing).copied().unwrap_or("/tmp").to_owned()
}

/// libpq's rules: 0, negative or absent means no limit, 1 means 2 (docs, `connect_timeout`); absent means our default here.
fn connect_timeout(settings: &Settings) -> Result<Option<Duration>> {
    Ok(match settings.get("connect_timeout").map(|text| text.trim().parse::<i64>()) {
        None => Some(DEFAULT_CONNECT_TIMEOUT),
        Some(Ok(seconds)) if seconds <= 0 => None,
        Some(Ok(seconds)) => Some(Duration::from_secs(seconds.max(2).unsigned_abs())),
        Some(Err(_)) => return Err(invalid("connect_timeout is not a number of seconds")),
    })
}

fn number<N: std::str::FromStr>(settings: &Settings, name: &str) -> Result<Option<N>> {
    settings
        .get(name)
        .map(|text| text.trim().parse().map_err(|_| invalid(format!("{name} is not a number"))))
        .transpose()
}

/// The value of a keyword that takes one of these; the first is the default.
fn one_of<'a>(settings: &'a Settings, name: &str, values: &[&'static str]) -> Result<&'a str> {
    match settings.get(name) {
        None => Ok(values[0]),
        Some(value) if values.contains(&value) => Ok(value),
        Some(_) => {
            Err(invalid(format!("{name} has an unknown value"))
                .with_hint(format!("it is one of {}", values.join(", "))))
        }
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(&INVALID_ARGUMENT, message)
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database \"{}\" on ", printable(&self.database))?;
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let colon = if endpoint.host.contains(':') { ("[", "]") } else { ("", "") };
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}{}{}:{}", colon.0, printable(&endpoint.host), colon.1, endpoint.port)?;
        }
        write!(f, " as \"{}\"", printable(&self.user))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("endpoints", &self.endpoints)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("tls", &self.tls.mode())
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
