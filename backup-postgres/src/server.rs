//! What a backup records of the server, the database and the role that reads it.

use crate::error::codes::{CONNECTION_LOST, QUERY_FAILED};
use crate::queries;
use crate::tools::Version;
use backup_core::text::printable;
use backup_core::{Error, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// Facts of a server and one of its databases, as seen by the role that asks. Nothing here is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerFacts {
    /// The server's version.
    pub version: Version,
    /// The server's version as it says it, e.g. `15.18 (Debian 15.18-0+deb12u1)`.
    pub version_text: String,
    /// Whether it is a standby.
    pub in_recovery: bool,
    /// The database's name.
    pub database: String,
    /// Its encoding, e.g. `UTF8`.
    pub encoding: String,
    /// `LC_COLLATE` of the database.
    pub collate: String,
    /// `LC_CTYPE` of the database.
    pub ctype: String,
    /// Who provides its locale.
    pub locale_provider: LocaleProvider,
    /// The provider's name of the locale, for ICU and the built-in provider.
    pub locale: Option<String>,
    /// Additional ICU rules.
    pub icu_rules: Option<String>,
    /// The version of the collation that the database was made with.
    pub collation_version: Option<String>,
    /// The database's owner.
    pub owner: String,
    /// Bytes of the database on disk, indexes included.
    pub size: u64,
    /// `lc_monetary`, which decides how values of type money are written.
    pub lc_monetary: String,
    /// The role that reads.
    pub role: String,
    /// Whether that role is a superuser.
    pub superuser: bool,
    /// Whether that role passes row-level security.
    pub bypass_row_security: bool,
    /// The extensions of the database.
    pub extensions: Vec<Extension>,
    /// Indexes that pg_dump leaves out because they are invalid (a `CREATE INDEX CONCURRENTLY` that failed), as `schema.name`.
    pub invalid_indexes: Vec<String>,
}

/// Who provides a database's locale (`pg_database.datlocprovider`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocaleProvider {
    /// The C library.
    Libc,
    /// ICU.
    Icu,
    /// PostgreSQL itself (17 and newer).
    Builtin,
}

impl LocaleProvider {
    /// The word that `CREATE DATABASE … LOCALE_PROVIDER` takes.
    pub fn name(self) -> &'static str {
        match self {
            LocaleProvider::Libc => "libc",
            LocaleProvider::Icu => "icu",
            LocaleProvider::Builtin => "builtin",
        }
    }
}

/// An extension that is installed in the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The schema of its objects.
    pub schema: String,
}

impl ServerFacts {
    /// Asks the server.
    pub async fn read(client: &Client) -> Result<Self> {
        let doing = "read the server's facts";
        let row = client.query_one(queries::SERVER_FACTS, &[]).await.map_err(|error| query_error(doing, error))?;
        let extensions = client.query(queries::EXTENSIONS, &[]).await.map_err(|error| query_error(doing, error))?;
        let invalid = client.query(queries::INVALID_INDEXES, &[]).await.map_err(|error| query_error(doing, error))?;
        let number: i32 = row.get("version_number");
        let provider: &str = row.get("locale_provider");
        Ok(ServerFacts {
            version: Version::from_number(number.unsigned_abs()),
            version_text: row.get("version"),
            in_recovery: row.get("in_recovery"),
            database: row.get("database"),
            encoding: row.get("encoding"),
            collate: row.get("collate"),
            ctype: row.get("ctype"),
            locale_provider: match provider {
                "c" => LocaleProvider::Libc,
                "i" => LocaleProvider::Icu,
                "b" => LocaleProvider::Builtin,
                other => {
                    return Err(Error::new(
                        &QUERY_FAILED,
                        format!("the database has the unknown locale provider \"{other}\""),
                    ));
                }
            },
            locale: row.get("locale"),
            icu_rules: row.get("icu_rules"),
            collation_version: row.get("collation_version"),
            owner: row.get("owner"),
            size: row.get::<_, i64>("size").unsigned_abs(),
            lc_monetary: row.get("lc_monetary"),
            role: row.get("role"),
            superuser: row.get("superuser"),
            bypass_row_security: row.get("bypass_row_security"),
            extensions: extensions
                .iter()
                .map(|row| Extension { name: row.get("name"), version: row.get("version"), schema: row.get("schema") })
                .collect(),
            invalid_indexes: invalid
                .iter()
                .map(|row| format!("{}.{}", row.get::<_, &str>("schema"), row.get::<_, &str>("name")))
                .collect(),
        })
    }
}

/// An error of a query of ours, with the server's message.
pub(crate) fn query_error(doing: &str, error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(server) if *server.code() == SqlState::ADMIN_SHUTDOWN => {
            Error::new(&CONNECTION_LOST, format!("{doing}: {}", printable(server.message()))).with_hint(
                "somebody ended the connection on the server: its shutdown, an administrator, or a swap or rollback of this database; see that it is still the one you mean, then run it again",
            )
        }
        Some(server) => Error::new(&QUERY_FAILED, format!("{doing}: {}", printable(server.message()))),
        None => Error::new(&CONNECTION_LOST, doing.to_owned()).with_source(error),
    }
}
