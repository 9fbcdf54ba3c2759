//! What an archive does not show and a comparison needs, asked by SQL in the snapshot of the dump.

use crate::queries;
use crate::server::{Extension, query_error};
use backup_core::Result;
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

/// What an archive does not show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Extras {
    /// The extensions and their versions: an archive has `CREATE EXTENSION` without a version.
    pub extensions: Vec<Extension>,
    /// Indexes that are not in the dump because they are invalid (a `CREATE INDEX CONCURRENTLY` that failed), as `schema.name`.
    pub invalid_indexes: Vec<String>,
    /// The version of the database's default collation that its indexes were made with, where the provider has versions.
    pub collation_version: Option<String>,
    /// The same of other collations that belong to the database, as `schema.name`, with the version.
    pub collations: Vec<Collation>,
    /// Materialised views that hold no data (`WITH NO DATA`), as `schema.name`.
    pub unpopulated_views: Vec<String>,
    /// Tables with row-level security.
    pub row_security: Vec<RowSecurity>,
}

/// A collation and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collation {
    /// `schema.name`.
    pub name: String,
    /// `pg_collation.collversion`.
    pub version: String,
}

/// Row-level security of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSecurity {
    /// The table, as `schema.name`.
    pub table: String,
    /// Whether it is on.
    pub enabled: bool,
    /// Whether it holds for the owner, too.
    pub forced: bool,
}

impl Extras {
    /// Asks the server.
    pub async fn read(client: &Client) -> Result<Self> {
        let failed = |error| query_error("read what a dump does not show", error);
        let rows = client.query(queries::EXTRAS, &[]).await.map_err(failed)?;
        let mut extras = Extras::default();
        for row in &rows {
            let (name, text, flag): (String, Option<String>, Option<bool>) =
                (row.get("name"), row.get("text"), row.get("flag"));
            match row.get("kind") {
                "extension" => extras.extensions.push(Extension {
                    name,
                    version: text.unwrap_or_default(),
                    schema: row.get::<_, Option<String>>("schema").unwrap_or_default(),
                }),
                "invalid index" => extras.invalid_indexes.push(name),
                "database" => extras.collation_version = text,
                "collation" => extras.collations.push(Collation { name, version: text.unwrap_or_default() }),
                "unpopulated" => extras.unpopulated_views.push(name),
                "row security" => extras.row_security.push(RowSecurity {
                    table: name,
                    enabled: flag.unwrap_or_default(),
                    forced: text.is_some(),
                }),
                _ => {}
            }
        }
        Ok(extras)
    }
}
