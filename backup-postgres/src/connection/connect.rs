//! Connecting: which server, which protection, in libpq's order; and what goes wrong, in words.

use super::{Connection, Endpoint, Target};
use crate::error::codes::{AUTHENTICATION_FAILED, DATABASE_NOT_FOUND, DATABASE_UNREACHABLE, QUERY_FAILED, TLS_FAILED};
use crate::tls::Attempt;
use backup_core::{Error, Result};
use secrecy::ExposeSecret;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// An open connection to a database. Dropping it closes the connection.
pub struct Session {
    client: Client,
    driver: JoinHandle<()>,
    connection: Connection,
    encrypted: bool,
}

impl Session {
    /// The client, for queries; also by dereferencing.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The settings, narrowed to the very server that answered: what PostgreSQL's programs should use, so that they reach the same one.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether TLS protects this connection.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }
}

impl Session {
    /// Lifts the limits that role, database or server set on how long this session may work, wait or be idle. Not through a transaction
    /// pooler: the server connection that it hands out is somebody else's next.
    pub(crate) async fn lift_limits(&self) -> Result<()> {
        let failed = |error| crate::server::query_error("lift the session's time limits", error);
        self.client.batch_execute(crate::queries::NO_TIMEOUTS).await.map_err(failed)
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("connection", &self.connection).field("encrypted", &self.encrypted).finish()
    }
}

impl Target {
    pub(super) fn name(self) -> &'static str {
        match self {
            Target::Any => "any",
            Target::ReadWrite => "read-write",
            Target::ReadOnly => "read-only",
            Target::Primary => "primary",
            Target::Standby => "standby",
            Target::PreferStandby => "prefer-standby",
        }
    }
}

/// One failed attempt: the error, and whether libpq would go on to the next host.
struct Failure {
    error: Error,
    try_next: bool,
}

impl Connection {
    /// Connects, with libpq's order of hosts, addresses and protections. Needs a tokio runtime, which drives the connection.
    ///
    /// # Errors
    /// `database_unreachable`, `authentication_failed`, `database_not_found` or `database_tls_failed`; the message names host, port, user and
    /// database.
    pub async fn connect(&self) -> Result<Session> {
        let mut endpoints: Vec<&Endpoint> = self.endpoints.iter().collect();
        if self.shuffled {
            shuffle(&mut endpoints);
        }
        let passes: &[Target] = if self.target == Target::PreferStandby {
            &[Target::Standby, Target::Any]
        } else {
            std::slice::from_ref(&self.target)
        };
        let mut failures: Vec<Error> = Vec::new();
        for target in passes {
            for endpoint in &endpoints {
                match self.connect_endpoint(endpoint, *target).await {
                    Ok(session) => return Ok(session),
                    Err(Failure { error, try_next: false }) => return Err(error),
                    Err(Failure { error, .. }) => failures.push(error),
                }
            }
        }
        let last =
            failures.pop().unwrap_or_else(|| Error::new(&DATABASE_UNREACHABLE, format!("connect to {self}: no host")));
        let before: Vec<String> = failures.iter().map(Error::chain).collect();
        Err(if before.is_empty() { last } else { last.context(before.join("; ")) })
    }

    /// Connects for work that takes long, or waits for others: with no limits on time.
    pub(crate) async fn connect_without_limits(&self) -> Result<Session> {
        let session = self.connect().await?;
        session.lift_limits().await?;
        Ok(session)
    }

    async fn connect_endpoint(&self, endpoint: &Endpoint, target: Target) -> std::result::Result<Session, Failure> {
        let addresses = self.addresses(endpoint).await?;
        let mut failure = None;
        for address in &addresses {
            let mut endpoint = endpoint.clone();
            endpoint.address = *address;
            let mut narrowed = self.clone();
            narrowed.endpoints = vec![endpoint];
            narrowed.target = Target::Any;
            narrowed.shuffled = false;
            match narrowed.clone().connect_address(&addresses).await {
                Ok(session) => match is_what_was_wanted(&session, target).await {
                    Ok(true) => return Ok(session),
                    Ok(false) => {
                        let error = Error::new(
                            &DATABASE_UNREACHABLE,
                            format!("connect to {narrowed}: the server is not {}", target.name()),
                        )
                        .with_hint("check the hosts and target_session_attrs");
                        failure = Some(Failure { error, try_next: true });
                    }
                    Err(error) => failure = Some(Failure { error, try_next: true }),
                },
                Err(Failure { error, try_next: false }) => return Err(Failure { error, try_next: false }),
                Err(other) => {
                    // The first failure is kept: with `localhost` on two addresses, both say the same.
                    failure.get_or_insert(other);
                }
            }
        }
        Err(failure.unwrap_or_else(|| Failure {
            error: Error::new(
                &DATABASE_UNREACHABLE,
                format!("connect to {self}: \"{}\" has no address", endpoint.host),
            ),
            try_next: true,
        }))
    }

    /// The addresses of a host; `None` for a socket.
    async fn addresses(&self, endpoint: &Endpoint) -> std::result::Result<Vec<Option<IpAddr>>, Failure> {
        if endpoint.is_socket() {
            return Ok(vec![None]);
        }
        if endpoint.address.is_some() {
            return Ok(vec![endpoint.address]);
        }
        let lookup = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port));
        let limit = self.connect_timeout.unwrap_or(Duration::MAX);
        let found = match tokio::time::timeout(limit, lookup).await {
            Ok(Ok(found)) => found.map(|address: SocketAddr| Some(address.ip())).collect::<Vec<_>>(),
            Ok(Err(error)) => {
                let message = format!("connect to {self}: the host name \"{}\" cannot be resolved", endpoint.host);
                let error = Error::new(&DATABASE_UNREACHABLE, message).with_source(error);
                return Err(Failure { error, try_next: true });
            }
            Err(_) => {
                let message = format!("connect to {self}: no answer when resolving \"{}\"", endpoint.host);
                return Err(Failure { error: Error::new(&DATABASE_UNREACHABLE, message), try_next: true });
            }
        };
        let mut distinct = Vec::new();
        for address in found {
            if !distinct.contains(&address) {
                distinct.push(address);
            }
        }
        Ok(distinct)
    }

    /// Connects to the one endpoint that is left, without or with TLS, as `sslmode` orders.
    async fn connect_address(self, all: &[Option<IpAddr>]) -> std::result::Result<Session, Failure> {
        let endpoint = self.endpoints[0].clone();
        let attempts = if endpoint.is_socket() { &[Attempt::Plain] } else { self.tls.attempts() };
        // Of two failures, the one over TLS is told, unless it is that there is no TLS to be had.
        let mut told: Option<Failure> = None;
        for attempt in attempts {
            let failure = match self.attempt(&endpoint, *attempt).await {
                Ok((client, driver)) => {
                    let encrypted = *attempt == Attempt::Tls;
                    return Ok(Session { client, driver, connection: self, encrypted });
                }
                Err(error) => self.explain(&endpoint, all, error),
            };
            // As libpq: another protection is tried when the server said no, not when it could not be reached.
            let go_on = !failure.try_next || failure.error.is(&TLS_FAILED);
            let better = match *attempt {
                Attempt::Tls => !failure.error.is(&TLS_FAILED),
                Attempt::Plain => told.as_ref().is_some_and(|told| told.error.is(&TLS_FAILED)),
            };
            if told.is_none() || better {
                told = Some(failure);
            }
            if !go_on {
                break;
            }
        }
        Err(told.unwrap_or_else(|| Failure {
            error: Error::new(&DATABASE_UNREACHABLE, format!("connect to {self}")),
            try_next: true,
        }))
    }

    async fn attempt(
        &self,
        endpoint: &Endpoint,
        attempt: Attempt,
    ) -> std::result::Result<(Client, JoinHandle<()>), AttemptError> {
        let config = self.config(endpoint, attempt);
        let connecting = async {
            match attempt {
                Attempt::Plain => {
                    let (client, driver) = config.connect(NoTls).await?;
                    Ok((client, spawn(driver)))
                }
                Attempt::Tls => {
                    let tls = MakeRustlsConnect::new(self.tls.client_config().map_err(AttemptError::Settings)?);
                    let (client, driver) = config.connect(tls).await?;
                    Ok((client, spawn(driver)))
                }
            }
        };
        match self.connect_timeout {
            None => connecting.await,
            Some(limit) => tokio::time::timeout(limit, connecting).await.unwrap_or(Err(AttemptError::TimedOut(limit))),
        }
    }

    fn config(&self, endpoint: &Endpoint, attempt: Attempt) -> Config {
        let mut config = Config::new();
        config.user(&self.user).dbname(&self.database).application_name(&self.application_name).port(endpoint.port);
        if endpoint.is_socket() {
            config.host_path(&endpoint.host);
        } else {
            config.host(&endpoint.host);
            if let Some(address) = endpoint.address {
                config.hostaddr(address);
            }
        }
        if let Some(password) = self.password_for(endpoint) {
            config.password(password.expose_secret());
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
        config.channel_binding(match self.channel_binding.as_str() {
            "disable" => ChannelBinding::Disable,
            "require" => ChannelBinding::Require,
            _ => ChannelBinding::Prefer,
        });
        config.ssl_mode(match attempt {
            Attempt::Plain => SslMode::Disable,
            Attempt::Tls => SslMode::Require,
        });
        config.ssl_negotiation(if self.tls.is_direct() { SslNegotiation::Direct } else { SslNegotiation::Postgres });
        config.keepalives(!self.keep_alive.off);
        // 0 means the system's default in libpq.
        if let Some(seconds) = self.keep_alive.idle.filter(|n| *n > 0) {
            config.keepalives_idle(Duration::from_secs(seconds));
        }
        if let Some(seconds) = self.keep_alive.interval.filter(|n| *n > 0) {
            config.keepalives_interval(Duration::from_secs(seconds));
        }
        if let Some(count) = self.keep_alive.count.filter(|n| *n > 0) {
            config.keepalives_retries(count);
        }
        if let Some(milliseconds) = self.keep_alive.user_timeout.filter(|n| *n > 0) {
            config.tcp_user_timeout(Duration::from_millis(milliseconds));
        }
        config
    }

    /// Says in words what went wrong, with the code that fits.
    fn explain(&self, endpoint: &Endpoint, all: &[Option<IpAddr>], error: AttemptError) -> Failure {
        let error = match error {
            AttemptError::Settings(error) => return Failure { error, try_next: false },
            AttemptError::TimedOut(limit) => {
                let message = format!("connect to {self}: no answer within {} s", limit.as_secs());
                return Failure { error: Error::new(&DATABASE_UNREACHABLE, message), try_next: true };
            }
            AttemptError::Client(error) => error,
        };
        if let Some(server) = error.as_db_error() {
            return self.explain_refusal(server);
        }
        let cause = innermost_io(&error);
        let message = format!("connect to {self}");
        if is_tls(&error) {
            let text = error.source().map(ToString::to_string).unwrap_or_default();
            let mut explained = Error::new(&TLS_FAILED, message).with_source(text.clone());
            if let Some(hint) = tls_hint(&text) {
                explained = explained.with_hint(hint);
            }
            return Failure { error: explained, try_next: true };
        }
        // The client's words when it has no password to send, or the server wants a way to log in that it does not know.
        if matches!(error.to_string().as_str(), "authentication error" | "invalid configuration") {
            let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            let explained = Error::new(&AUTHENTICATION_FAILED, message).with_source(text.clone());
            let explained = if text.contains("password missing") {
                explained
                    .with_hint("the server asks for a password: give it in DATABASE_URL, PGPASSWORD or a password file")
            } else {
                explained
            };
            return Failure { error: explained, try_next: false };
        }
        let hint = cause.and_then(|cause| ipv6_hint(&endpoint.host, all, cause));
        let mut explained = Error::new(&DATABASE_UNREACHABLE, message).with_source(error);
        if let Some(hint) = hint {
            explained = explained.with_hint(hint);
        }
        Failure { error: explained, try_next: true }
    }

    fn explain_refusal(&self, server: &tokio_postgres::error::DbError) -> Failure {
        let text = server.message();
        let state = server.code();
        let (code, hint): (_, Option<String>) = if *state == SqlState::INVALID_CATALOG_NAME
            || text.starts_with("no such database")
            // PgBouncer says it with a code of its own.
            || text.starts_with("database \"") && text.ends_with("\" does not exist")
        {
            (&DATABASE_NOT_FOUND, None)
        } else if *state == SqlState::INSUFFICIENT_PRIVILEGE {
            let statement = format!("GRANT CONNECT ON DATABASE {} TO {};", quoted(&self.database), quoted(&self.user));
            (&DATABASE_NOT_FOUND, Some(format!("as the database's owner, run: {statement}")))
        } else if text.contains("no pg_hba.conf entry") && text.contains("no encryption") {
            (
                &AUTHENTICATION_FAILED,
                Some(
                    "the server may want TLS: set sslmode=require or stronger; or add a line to its pg_hba.conf".into(),
                ),
            )
        } else if state.code().starts_with("28")
            || text.starts_with("no such user")
            || text.contains("authentication failed")
            || text.contains("Tenant or user not found")
        {
            (&AUTHENTICATION_FAILED, None)
        } else if text.contains("unsupported startup parameter") {
            (&DATABASE_UNREACHABLE, Some("a pooler rejects the start-up options: remove options (PGOPTIONS), or set ignore_startup_parameters in the pooler's configuration".into()))
        } else {
            (&DATABASE_UNREACHABLE, None)
        };
        let mut error = Error::new(code, format!("connect to {self}: {text}"));
        if let Some(hint) = hint {
            error = error.with_hint(hint);
        }
        // Only a server that is starting, stopping or full may be worth another host.
        let try_next = state.code().starts_with("57P") || *state == SqlState::TOO_MANY_CONNECTIONS;
        Failure { error, try_next }
    }
}

enum AttemptError {
    Settings(Error),
    Client(tokio_postgres::Error),
    TimedOut(Duration),
}

impl From<tokio_postgres::Error> for AttemptError {
    fn from(error: tokio_postgres::Error) -> Self {
        AttemptError::Client(error)
    }
}

/// Drives a connection until its client is gone.
fn spawn<F, E>(driver: F) -> JoinHandle<()>
where
    F: Future<Output = std::result::Result<(), E>> + Send + 'static,
    E: fmt::Display,
{
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            // Every query that was under way gets the error too.
            tracing::debug!(%error, "a database connection ended");
        }
    })
}

async fn is_what_was_wanted(session: &Session, target: Target) -> Result<bool> {
    if target == Target::Any {
        return Ok(true);
    }
    let row = session.query_one(crate::queries::SERVER_STATE, &[]).await.map_err(|error| {
        Error::new(&QUERY_FAILED, format!("ask {} for its state", session.connection)).with_source(error)
    })?;
    let (in_recovery, read_only): (bool, bool) = (row.get(0), row.get(1));
    Ok(match target {
        Target::Any | Target::PreferStandby => true,
        Target::ReadWrite => !in_recovery && !read_only,
        Target::ReadOnly => in_recovery || read_only,
        Target::Primary => !in_recovery,
        Target::Standby => in_recovery,
    })
}

fn is_tls(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("error performing TLS handshake")
}

fn tls_hint(text: &str) -> Option<&'static str> {
    if text.contains("does not support TLS") {
        Some("the server has no TLS: switch it on there, or, on a network that you trust, set sslmode=disable")
    } else if text.contains("NotValidForName") || text.contains("not valid for name") {
        Some(
            "the certificate is for another name (only its subjectAltName counts): connect by that name, or set sslmode=verify-ca",
        )
    } else if text.contains("UnknownIssuer") {
        Some(
            "the certificate is not from an authority in sslrootcert: give the provider's CA file, or sslrootcert=system for public authorities",
        )
    } else if text.contains("Expired") || text.contains("expired") {
        Some("the server's certificate has expired, or this machine's clock is wrong")
    } else {
        None
    }
}

/// A host with IPv6 addresses only, on a machine that has no IPv6.
fn ipv6_hint(host: &str, addresses: &[Option<IpAddr>], cause: &io::Error) -> Option<String> {
    let only_ipv6 = !addresses.is_empty() && addresses.iter().all(|address| matches!(address, Some(IpAddr::V6(_))));
    let no_route = matches!(
        cause.kind(),
        io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::Unsupported
    );
    if !only_ipv6 || !no_route {
        return None;
    }
    Some(if host.ends_with(".supabase.co") {
        "Supabase's direct connection has an IPv6 address only, and this machine has no IPv6: use the session pooler's URL (press Connect in the dashboard; port 5432 of …pooler.supabase.com)".into()
    } else {
        format!(
            "\"{host}\" has an IPv6 address only, and this machine cannot reach IPv6: use a host with IPv4, or your provider's session pooler"
        )
    })
}

fn innermost_io(error: &tokio_postgres::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

/// A random order, from the standard library's randomly keyed hasher.
fn shuffle(endpoints: &mut [&Endpoint]) {
    use std::hash::{BuildHasher, RandomState};
    let state = RandomState::new();
    endpoints.sort_by_cached_key(|endpoint| state.hash_one((&endpoint.host, endpoint.address, endpoint.port)));
}

/// An SQL identifier in double quotes.
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_ipv6_only() {
        let six: IpAddr = "2001:db8::1".parse().unwrap();
        let four: IpAddr = "192.0.2.1".parse().unwrap();
        let unreachable = io::Error::from(io::ErrorKind::NetworkUnreachable);
        assert!(ipv6_hint("db.x.supabase.co", &[Some(six)], &unreachable).unwrap().contains("session pooler's URL"));
        assert!(ipv6_hint("db.example", &[Some(six)], &unreachable).unwrap().contains("IPv4"));
        assert!(ipv6_hint("db.example", &[Some(six), Some(four)], &unreachable).is_none());
        assert!(ipv6_hint("db.example", &[Some(four)], &unreachable).is_none());
        assert!(ipv6_hint("db.example", &[Some(six)], &io::Error::from(io::ErrorKind::ConnectionRefused)).is_none());
        assert!(ipv6_hint("/tmp", &[None], &unreachable).is_none());
    }
}
