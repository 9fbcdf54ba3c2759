//! The settings of a session that change what pg_dump writes.
//!
//! pg_dump fixes DateStyle, IntervalStyle, extra_float_digits and row_security itself (`setup_connection` in src/bin/pg_dump/pg_dump.c), but
//! not these. TimeZone travels as `PGTZ`, a start-up parameter of its own that poolers pass on (tried with PgBouncer 1.18). The others need
//! PGOPTIONS, which PgBouncer rejects, so they are set only where they differ. The client encoding is `--encoding` of pg_dump: the database's own.

use crate::connection::{Connection, Session};
use crate::error::codes::UNSUPPORTED_CONNECTION_SETTING;
use crate::queries;
use crate::server::query_error;
use backup_core::{Error, Result};
use std::collections::BTreeMap;
use tokio_postgres::Client;

/// What a dump must be made with, and PostgreSQL's defaults are.
const WANTED: [(&str, &str); 3] =
    [("bytea_output", "hex"), ("quote_all_identifiers", "off"), ("standard_conforming_strings", "on")];
/// The time zone that values of type `timestamp with time zone` are written in.
const TIME_ZONE: &str = "UTC";
/// Recorded with the backup, not changed.
const RECORDED: [&str; 2] = ["lc_monetary", "server_encoding"];

/// The settings that a dump is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// By name, with the values that the dump is made with: what is pinned, and `lc_monetary` and `server_encoding` as they are.
    pub effective: BTreeMap<String, String>,
    /// What had to be pinned by PGOPTIONS, because role, database or server set it otherwise: name and value.
    pub pinned: Vec<(String, String)>,
}

impl SessionSettings {
    /// Asks for the login's settings, and decides what has to be pinned.
    pub async fn read(client: &Client) -> Result<Self> {
        let found = current(client).await?;
        let differs = |&&(name, wanted): &&(&str, &str)| found.get(name).is_some_and(|value| value != wanted);
        let pinned = WANTED.iter().filter(differs).map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let mut effective = found;
        effective.extend(WANTED.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        effective.insert("TimeZone".into(), TIME_ZONE.into());
        Ok(SessionSettings { effective, pinned })
    }

    /// The connection with which PostgreSQL's programs have these settings.
    pub fn apply(&self, connection: &Connection) -> Connection {
        let connection = connection.clone().with_program_setting("PGTZ", TIME_ZONE);
        match self.options() {
            Some(options) => connection.with_program_setting("PGOPTIONS", options),
            None => connection,
        }
    }

    fn options(&self) -> Option<String> {
        let options: Vec<String> = self.pinned.iter().map(|(name, value)| format!("-c {name}={value}")).collect();
        (!options.is_empty()).then(|| options.join(" "))
    }

    /// Opens one more connection, with what is pinned, and checks that it holds.
    ///
    /// # Errors
    /// `unsupported_connection_setting` with the ALTER ROLE that helps, when a pooler rejects or ignores the options.
    pub(crate) async fn connect_pinned(&self, connection: &Connection, role: &str) -> Result<Session> {
        let Some(options) = self.options() else { return connection.connect().await };
        let remedy = |error: Error| {
            let statements: Vec<String> = self
                .pinned
                .iter()
                .map(|(name, value)| format!("ALTER ROLE {} SET {name} = '{value}';", crate::connection::quoted(role)))
                .collect();
            error.with_hint(format!(
                "connect without the pooler, or let the role have the settings itself: {}",
                statements.join(" ")
            ))
        };
        let session = match connection.with_more_options(&options).connect().await {
            Ok(session) => session,
            Err(error) if error.to_string().contains("startup parameter") => {
                return Err(remedy(
                    Error::new(
                        &UNSUPPORTED_CONNECTION_SETTING,
                        format!("{connection}: a pooler rejects the settings that this dump needs ({options})"),
                    )
                    .with_source(error),
                ));
            }
            Err(error) => return Err(error),
        };
        let found = current(&session).await?;
        if self.pinned.iter().any(|(name, value)| found.get(name) != Some(value)) {
            return Err(remedy(Error::new(
                &UNSUPPORTED_CONNECTION_SETTING,
                format!("{connection}: a pooler ignores the settings that this dump needs ({options})"),
            )));
        }
        Ok(session)
    }
}

async fn current(client: &Client) -> Result<BTreeMap<String, String>> {
    let names: Vec<&str> = WANTED.iter().map(|(name, _)| *name).chain(RECORDED).collect();
    let rows = client
        .query(queries::SETTINGS, &[&names])
        .await
        .map_err(|error| query_error("read the session's settings", error))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
