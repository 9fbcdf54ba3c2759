//! What was written to a database, by the server's own counters: whether a rollback would lose anything.

use crate::connection::{Connection, Session};
use crate::error::codes::QUERY_FAILED;
use crate::queries;
use backup_core::Result;
use backup_core::error::ResultExt;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Counters of a database's own tables and large objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Writes {
    /// Rows inserted, updated and deleted.
    pub(super) rows: i64,
    /// A digest of which tables there are and which files hold them: TRUNCATE, DROP and rewrites change it, and count no rows.
    pub(super) files: String,
    /// The values of all sequences, as a digest.
    pub(super) sequences: String,
    /// When the counters were set to zero, if ever: after that they say nothing of before.
    pub(super) reset: Option<String>,
    /// Whether the server counts at all.
    pub(super) counted: bool,
}

/// What changed between two looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Nothing,
    Rows(u64),
    Structure(&'static str),
    Unknown(&'static str),
}

impl Writes {
    pub(super) fn since(&self, before: &Writes) -> Since {
        if !self.counted || !before.counted {
            return Since::Unknown("the server does not count what is written (track_counts is off)");
        }
        if self.reset != before.reset || self.rows < before.rows {
            return Since::Unknown("the server's counters were set to zero since, by someone or by a crash");
        }
        match u64::try_from(self.rows - before.rows) {
            Ok(rows) if rows > 0 => Since::Rows(rows),
            _ if self.files != before.files => {
                Since::Structure("tables were made, dropped, truncated or rewritten since")
            }
            _ if self.sequences != before.sequences => Since::Structure("sequences moved on since"),
            _ => Since::Nothing,
        }
    }
}

/// The counters, once they stand still: sessions that ended just now may tell a little later.
pub(super) async fn count(connection: &Connection) -> Result<Writes> {
    let mut last = look(connection).await?;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = look(connection).await?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

/// Rows that were written to a database, asked from another one. Catalogs count too.
pub(super) async fn counter(session: &Session, database: u32) -> Result<i64> {
    let failed = || "ask what was written to a database".to_owned();
    let version =
        session.query_one("SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4", &[]).await;
    if version.or_code(&QUERY_FAILED, failed)?.get::<_, i32>(0) < 150_000 {
        // Until 15, sessions told a process of its own, which took its time (PGSTAT_STAT_INTERVAL, half a second).
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let row = session.query_one(queries::SWAP_COUNTER, &[&database]).await.or_code(&QUERY_FAILED, failed)?;
    Ok(row.get(0))
}

/// Each look has a connection of its own: a transaction sees the counters as they were when it first looked.
async fn look(connection: &Connection) -> Result<Writes> {
    let session = connection.connect_without_limits().await?;
    let failed = || format!("ask what was written to {connection}");
    let row = session.query_one(queries::SWAP_WRITES, &[]).await.or_code(&QUERY_FAILED, failed)?;
    Ok(Writes {
        rows: row.get("rows"),
        files: row.get("files"),
        sequences: row.get("sequences"),
        reset: row.get("reset"),
        counted: row.get("counted"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_only_when_it_is_known() {
        let before = Writes { rows: 10, files: "f".into(), sequences: "s".into(), reset: None, counted: true };
        let now = |change: fn(&mut Writes)| {
            let mut now = before.clone();
            change(&mut now);
            now.since(&before)
        };
        assert_eq!(now(|_| ()), Since::Nothing);
        assert_eq!(now(|now| now.rows = 12), Since::Rows(2));
        assert!(matches!(now(|now| now.files = "g".into()), Since::Structure(_)));
        assert!(matches!(now(|now| now.sequences = "t".into()), Since::Structure(_)));
        assert!(matches!(now(|now| now.rows = 9), Since::Unknown(_)));
        assert!(matches!(now(|now| now.reset = Some("today".into())), Since::Unknown(_)));
        assert!(matches!(now(|now| now.counted = false), Since::Unknown(_)));
    }
}
