//! The databases that swaps and rollbacks put aside.

use super::connect;
use super::record::{Kind, Record};
use crate::connection::Connection;
use crate::error::codes::{NOTHING_TO_ROLL_BACK, QUERY_FAILED};
use crate::queries;
use crate::restore::quote_name;
use backup_core::error::ResultExt;
use backup_core::{Error, Result};
use jiff::Timestamp;
use tokio_postgres::error::SqlState;

/// Why a database was put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeptKind {
    /// It was live, and a restored one took its place.
    Replaced,
    /// It was restored, and a rollback took it away again.
    Undone,
}

/// A database that a swap or a rollback put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// Its name now.
    pub name: String,
    /// Why it is here.
    pub kind: KeptKind,
    /// The name that it had.
    pub live: String,
    /// The backup that took its place, or that it was restored from.
    pub backup: String,
    /// When it was put aside.
    pub at: Timestamp,
    pub(super) record: Record,
}

impl Kept {
    /// All that are kept of the database that this connection names, the oldest first.
    pub async fn list(live: &Connection, maintenance: Option<&str>) -> Result<Vec<Kept>> {
        let session = connect(live, maintenance).await?;
        let rows = session.query(queries::SWAP_NAMES, &[&0u32]).await;
        let rows = rows.or_code(&QUERY_FAILED, || format!("ask {} for its databases", session.connection()))?;
        let mut all: Vec<Kept> = rows
            .iter()
            .filter_map(|row| {
                let record = Record::read(row.get::<_, Option<&str>>(1)?)?;
                let kind = match record.kind {
                    Kind::Replaced => KeptKind::Replaced,
                    Kind::Undone => KeptKind::Undone,
                };
                let Record { live, backup, at, .. } = record.clone();
                Some(Kept { name: row.get(0), kind, live, backup, at, record })
            })
            .filter(|kept| kept.live == live.database())
            .collect();
        all.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
        Ok(all)
    }

    /// Drops a database that was put aside, and nothing else: its comment must say that it is one. The connection names the live database.
    ///
    /// # Errors
    /// `nothing_to_roll_back` when there is no such database; when someone is connected to it, it stays.
    pub async fn drop(live: &Connection, maintenance: Option<&str>, name: &str) -> Result<()> {
        if !Kept::list(live, maintenance).await?.iter().any(|kept| kept.name == name) {
            return Err(Error::new(
                &NOTHING_TO_ROLL_BACK,
                format!("no database \"{name}\" is kept of database \"{}\"", live.database()),
            ));
        }
        let session = connect(live, maintenance).await?;
        let dropped = session.batch_execute(&format!("DROP DATABASE {}", quote_name(name))).await;
        dropped.map_err(|error| super::properties::refused(&format!("drop database \"{name}\""), error))
    }
}

/// A database that we make and nobody knows yet. It is removed, in the background, when this is dropped, unless it stays.
pub(super) struct NewDatabase {
    pub(super) connection: Connection,
    maintenance: Option<String>,
    remove: bool,
}

impl NewDatabase {
    pub(super) fn new(connection: Connection, maintenance: Option<&str>) -> Self {
        NewDatabase { connection, maintenance: maintenance.map(str::to_owned), remove: true }
    }

    pub(super) fn stays(mut self) {
        self.remove = false;
    }

    /// Removes it, if it is there.
    pub(super) async fn remove(mut self) -> Result<()> {
        let removed = drop_database(&self.connection, self.maintenance.as_deref()).await;
        self.remove = false;
        removed
    }
}

impl Drop for NewDatabase {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.remove {
            return;
        }
        let (connection, maintenance) = (self.connection.clone(), self.maintenance.clone());
        runtime.spawn(async move {
            if let Err(error) = drop_database(&connection, maintenance.as_deref()).await {
                tracing::warn!(error = error.chain(), database = connection.database(), "a database of ours is left");
            }
        });
    }
}

/// Drops the database that this connection names, if it is there, whoever is connected to it.
async fn drop_database(connection: &Connection, maintenance: Option<&str>) -> Result<()> {
    let session = connect(connection, maintenance).await?;
    let name = quote_name(connection.database());
    // FORCE came with 13. What the connection that made it was doing may still be under way on the server: it can come later.
    let dropped = match session.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await {
        Err(error) if error.code() == Some(&SqlState::SYNTAX_ERROR) => {
            session.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await
        }
        result => result,
    };
    dropped.map_err(|error| super::properties::refused(&format!("drop database {name}"), error))
}
