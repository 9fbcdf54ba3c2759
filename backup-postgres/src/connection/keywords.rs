//! libpq's connection keywords, and what we do with each.

use super::environment::Env;
use crate::error::codes::UNSUPPORTED_CONNECTION_SETTING;
use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::{Error, Result};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// What becomes of a keyword.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Honoured by our connection and by PostgreSQL's programs alike.
    Honoured,
    /// Only these values are; anything else is an error.
    Only(&'static [&'static str], &'static str),
    /// Without meaning for a backup: an error in a connection string, not looked at in the environment.
    Meaningless(&'static str),
}

struct Keyword {
    name: &'static str,
    variable: Option<&'static str>,
    treatment: Use,
}

const fn honoured(name: &'static str, variable: &'static str) -> Keyword {
    Keyword { name, variable: Some(variable), treatment: Use::Honoured }
}

const fn honoured_without_variable(name: &'static str) -> Keyword {
    Keyword { name, variable: None, treatment: Use::Honoured }
}

const fn only(
    name: &'static str,
    variable: &'static str,
    values: &'static [&'static str],
    why: &'static str,
) -> Keyword {
    Keyword { name, variable: Some(variable), treatment: Use::Only(values, why) }
}

const NO_GSS: &str = "GSSAPI is not supported";

/// `PQconninfoOptions` in src/interfaces/libpq/fe-connect.c of PostgreSQL 18, and docs "Database Connection Control Functions".
const KEYWORDS: &[Keyword] = &[
    honoured("application_name", "PGAPPNAME"),
    honoured("channel_binding", "PGCHANNELBINDING"),
    honoured("connect_timeout", "PGCONNECT_TIMEOUT"),
    honoured("dbname", "PGDATABASE"),
    honoured_without_variable("fallback_application_name"),
    honoured("host", "PGHOST"),
    honoured("hostaddr", "PGHOSTADDR"),
    honoured_without_variable("keepalives"),
    honoured_without_variable("keepalives_count"),
    honoured_without_variable("keepalives_idle"),
    honoured_without_variable("keepalives_interval"),
    honoured("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    honoured("options", "PGOPTIONS"),
    honoured("passfile", "PGPASSFILE"),
    honoured("password", "PGPASSWORD"),
    honoured("port", "PGPORT"),
    honoured("service", "PGSERVICE"),
    honoured("servicefile", "PGSERVICEFILE"),
    honoured("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    honoured("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    honoured("sslcert", "PGSSLCERT"),
    honoured("sslcrl", "PGSSLCRL"),
    honoured("sslkey", "PGSSLKEY"),
    honoured("sslmode", "PGSSLMODE"),
    honoured("sslnegotiation", "PGSSLNEGOTIATION"),
    honoured("sslrootcert", "PGSSLROOTCERT"),
    honoured("sslsni", "PGSSLSNI"),
    honoured("target_session_attrs", "PGTARGETSESSIONATTRS"),
    honoured_without_variable("tcp_user_timeout"),
    honoured("user", "PGUSER"),
    // Things that libpq does and the Rust client cannot: refused, so that both never connect in different ways.
    only("gssencmode", "PGGSSENCMODE", &["disable", "prefer"], NO_GSS),
    only("gssdelegation", "PGGSSDELEGATION", &["0"], NO_GSS),
    only("gsslib", "PGGSSLIB", &[], NO_GSS),
    only("krbsrvname", "PGKRBSRVNAME", &["postgres"], NO_GSS),
    only("require_auth", "PGREQUIREAUTH", &[], "the Rust client cannot restrict the ways to log in"),
    only("requirepeer", "PGREQUIREPEER", &[], "the Rust client does not check the peer of a socket"),
    only(
        "sslcertmode",
        "PGSSLCERTMODE",
        &["allow", "disable"],
        "the Rust client does not see whether the server asked for a certificate",
    ),
    only("sslcompression", "PGSSLCOMPRESSION", &["0", "1"], "it has no effect since OpenSSL dropped compression"),
    only("sslcrldir", "PGSSLCRLDIR", &[], "revocation lists are read from the one file that sslcrl names"),
    Keyword {
        name: "sslpassword",
        variable: None,
        treatment: Use::Only(
            &[],
            "keys that need a password are not supported: remove the password from a copy of the key",
        ),
    },
    only("min_protocol_version", "PGMINPROTOCOLVERSION", &["3.0"], "the Rust client speaks protocol 3.0"),
    only(
        "max_protocol_version",
        "PGMAXPROTOCOLVERSION",
        &["3.0", "3.2", "latest"],
        "the Rust client speaks protocol 3.0",
    ),
    only("sslkeylogfile", "PGSSLKEYLOGFILE", &[], "it writes the connection's keys to a file"),
    Keyword { name: "replication", variable: None, treatment: Use::Meaningless("a dump uses ordinary connections") },
    Keyword {
        name: "client_encoding",
        variable: Some("PGCLIENTENCODING"),
        treatment: Use::Meaningless("dumps are made in the database's own encoding"),
    },
    Keyword { name: "datestyle", variable: Some("PGDATESTYLE"), treatment: Use::Meaningless("pg_dump sets it") },
];

/// Settings by libpq's keyword: what a string, a service or the environment says, before it is understood.
#[derive(Clone, Default)]
pub(super) struct Settings {
    values: BTreeMap<&'static str, String>,
    password: Option<SecretString>,
}

impl Settings {
    /// Takes a value from a connection string or service file, called `place` in errors. An empty value counts as not given.
    pub(super) fn set(&mut self, place: &str, name: &str, value: String) -> Result<()> {
        // JDBC's spelling, as libpq takes it in URLs (conninfo_uri_parse_params).
        let (name, value) =
            if name == "ssl" && value == "true" { ("sslmode", "require".to_owned()) } else { (name, value) };
        let Some(keyword) = KEYWORDS.iter().find(|keyword| keyword.name == name) else {
            return Err(unknown(place, name));
        };
        if value.is_empty() {
            return Ok(());
        }
        match keyword.treatment {
            Use::Honoured => {}
            Use::Only(values, why) => check_only(place, name, values, &value, why)?,
            Use::Meaningless(why) => {
                return Err(Error::new(
                    &UNSUPPORTED_CONNECTION_SETTING,
                    format!("{place} sets {name}, which has no effect: {why}"),
                ));
            }
        }
        if name == "password" {
            self.password = Some(value.into());
        } else {
            self.values.insert(keyword.name, value);
        }
        Ok(())
    }

    /// Takes what is not set yet from PG variables.
    pub(super) fn fill_from_environment(&mut self, env: &Env) -> Result<()> {
        for keyword in KEYWORDS {
            let Some((variable, value)) = keyword.variable.and_then(|name| Some((name, env.get(name)?))) else {
                continue;
            };
            match keyword.treatment {
                Use::Honoured => self.fill(keyword.name, value),
                Use::Only(values, why) if !self.values.contains_key(keyword.name) => {
                    check_only("the environment", variable, values, value, why)?;
                    self.fill(keyword.name, value);
                }
                Use::Only(..) | Use::Meaningless(_) => {}
            }
        }
        Ok(())
    }

    /// Sets a value unless it is set already.
    pub(super) fn fill(&mut self, name: &'static str, value: &str) {
        if name == "password" {
            self.password.get_or_insert_with(|| value.to_owned().into());
        } else {
            self.values.entry(name).or_insert_with(|| value.to_owned());
        }
    }

    /// Takes what is not set yet from other settings.
    pub(super) fn fill_from(&mut self, other: Settings) {
        for (name, value) in other.values {
            self.values.entry(name).or_insert(value);
        }
        self.password = self.password.take().or(other.password);
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn has_password(&self) -> bool {
        self.password.as_ref().is_some_and(|password| !password.expose_secret().is_empty())
    }

    pub(super) fn password(&self) -> Option<SecretString> {
        self.password.clone()
    }
}

/// Whether any variable of libpq names a server, a database or a service.
pub(super) fn environment_names_a_database(env: &Env) -> bool {
    ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE", "PGUSER"].iter().any(|name| env.get(name).is_some())
}

fn check_only(place: &str, name: &str, values: &[&str], value: &str, why: &str) -> Result<()> {
    if values.contains(&value) {
        return Ok(());
    }
    Err(Error::new(&UNSUPPORTED_CONNECTION_SETTING, format!("{place} sets {name}, which cannot be honoured: {why}")))
}

fn unknown(place: &str, name: &str) -> Error {
    let shown: String = name.chars().take(40).collect();
    let error =
        Error::new(&INVALID_ARGUMENT, format!("{place} has the parameter \"{shown}\", which PostgreSQL does not know"));
    match name {
        "pgbouncer" => error.with_hint(
            "pgbouncer=true marks the URL of a transaction pooler, which cannot be used for backups: give the direct or the session URL",
        ),
        "schema" | "connection_limit" | "pool_timeout" | "sslaccept" | "sslidentity" | "socket_timeout" | "statement_cache_size"
        | "supa" | "uselibpqcompat" | "charset" | "serverVersion" => {
            error.with_hint(format!("{name} is a setting of another client library: remove it from the URL"))
        }
        _ => error.with_hint("remove it; docs/postgres.md lists the parameters"),
    }
}
