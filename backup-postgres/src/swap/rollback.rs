//! Taking a swap back.

use super::check::{refuse, rename_obstacles};
use super::connect;
use super::exchange::{Exchange, Gets};
use super::kept::{Kept, KeptKind};
use super::names::Names;
use super::record::{Kind, Record};
use super::writes::{self, Since};
use crate::connection::Connection;
use crate::error::codes::{NOTHING_TO_ROLL_BACK, QUERY_FAILED, ROLLBACK_LOSES_DATA, SWAP_REFUSED};
use crate::pooler::refuse_pooler;
use crate::queries;
use backup_core::error::ResultExt;
use backup_core::{Error, Result};
use jiff::Timestamp;

/// Brings back the database that was live before the last swap. The connection names the live database.
#[derive(Clone, Debug)]
pub struct Rollback {
    live: Connection,
    maintenance: Option<String>,
    lose_newer: bool,
    at: Timestamp,
}

/// What was written to the live database since the swap. It would be lost: it stays in the database that is put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Newer {
    /// Nothing, by the server's counters.
    Nothing,
    /// So many rows were inserted, updated or deleted.
    Rows(u64),
    /// Something other than rows.
    Changed(String),
    /// It cannot be told.
    Unknown(String),
}

/// What a rollback would do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RollbackPlan {
    /// The database that would come back.
    pub kept: Kept,
    /// What the live database would be called.
    pub undone: String,
    /// What was written to it since the swap.
    pub newer: Newer,
    /// The steps, for people.
    pub steps: Vec<String>,
    /// What makes it impossible.
    pub obstacles: Vec<String>,
    live_oid: u32,
    counter: i64,
}

/// A rollback that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolledBack {
    /// The live name, which the database that was kept has again.
    pub live: String,
    /// The name under which the restored database is kept now.
    pub undone: String,
    /// How many connections were ended.
    pub ended: u64,
}

impl Rollback {
    /// A rollback of the database that this connection names.
    pub fn new(live: Connection) -> Self {
        Rollback { live, maintenance: None, lose_newer: false, at: Timestamp::now() }
    }

    /// The time that dates the names; now by default.
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = at;
        self
    }

    /// The database to connect to for renaming the others; otherwise `postgres`, or `template1`.
    pub fn maintenance_database(mut self, name: impl Into<String>) -> Self {
        self.maintenance = Some(name.into());
        self
    }

    /// Goes back although rows that came since the swap are lost to the live database (they stay in the one that is put aside).
    pub fn lose_newer_data(mut self, lose: bool) -> Self {
        self.lose_newer = lose;
        self
    }

    /// What would be done; changes nothing.
    ///
    /// # Errors
    /// `nothing_to_roll_back` when no database that is kept was replaced by the live one.
    pub async fn plan(&self) -> Result<RollbackPlan> {
        let session = connect(&self.live, self.maintenance.as_deref()).await?;
        refuse_pooler(&session).await?;
        let name = self.live.database();
        let names = Names::new(name, self.at);
        let failed = || format!("ask {} about database \"{name}\"", session.connection());
        let row = session.query_opt(queries::SWAP_DATABASE, &[&name]).await.or_code(&QUERY_FAILED, failed)?;
        let row = row.ok_or_else(|| Error::new(&SWAP_REFUSED, format!("there is no database \"{name}\"")))?;
        let live_oid: u32 = row.get("oid");
        let kept = Kept::list(&self.live, self.maintenance.as_deref()).await?;
        let others = kept.iter().map(|kept| format!("\"{}\"", kept.name)).collect::<Vec<_>>().join(", ");
        let replaced = |kept: &Kept| kept.kind == KeptKind::Replaced && kept.record.successor == live_oid;
        let kept = kept.into_iter().rfind(replaced).ok_or_else(|| {
            let seen = if others.is_empty() {
                String::new()
            } else {
                format!(" (what is kept was not replaced by it: {others})")
            };
            Error::new(
                &NOTHING_TO_ROLL_BACK,
                format!("database \"{name}\" did not take the place of one that is still kept{seen}"),
            )
        })?;
        let mut obstacles = rename_obstacles(&row, &names);
        for found in session.query(queries::SWAP_STAYING, &[&live_oid]).await.or_code(&QUERY_FAILED, failed)? {
            let (kind, what): (String, String) = (found.get(0), found.get(1));
            if kind == "prepared transaction" {
                obstacles.push(format!("prepared transaction {what} belongs to database \"{name}\": COMMIT PREPARED or ROLLBACK PREPARED it"));
            }
        }
        let counter = writes::counter(&session, live_oid).await?;
        let newer = match writes::count(&self.live).await?.since(&kept.record.writes) {
            Since::Nothing => Newer::Nothing,
            Since::Rows(rows) => Newer::Rows(rows),
            Since::Structure(what) => Newer::Changed(what.into()),
            Since::Unknown(why) => Newer::Unknown(why.into()),
        };
        let steps = vec![
            format!("end {} connections to database \"{name}\"", row.get::<_, i64>("connections")),
            format!(
                "in one transaction: rename \"{name}\" to \"{}\", and \"{}\" to \"{name}\"",
                names.undone, kept.name
            ),
        ];
        Ok(RollbackPlan { kept, undone: names.undone, newer, steps, obstacles, live_oid, counter })
    }

    /// Goes back. An error leaves the databases as they were.
    ///
    /// # Errors
    /// `rollback_loses_data` when something was written since the swap, or that cannot be told, unless
    /// [`lose_newer_data`](Rollback::lose_newer_data) says that it does not matter.
    pub async fn run(&self) -> Result<RolledBack> {
        let plan = self.plan().await?;
        refuse(plan.obstacles.clone())?;
        let name = self.live.database();
        let what = match &plan.newer {
            Newer::Nothing => None,
            Newer::Rows(rows) => Some(format!("{rows} rows were written to database \"{name}\" since the swap")),
            Newer::Changed(what) => Some(format!("database \"{name}\" has changed since the swap: {what}")),
            Newer::Unknown(why) => Some(format!(
                "whether anything was written to database \"{name}\" since the swap cannot be told: {why}"
            )),
        };
        if let Some(what) = what.filter(|_| !self.lose_newer) {
            return Err(Error::new(&ROLLBACK_LOSES_DATA, what));
        }
        let session = connect(&self.live, self.maintenance.as_deref()).await?;
        let mut record = Record::new(Kind::Undone, name, &plan.kept.backup, plan.kept.record.writes.clone(), self.at);
        record.successor = plan.live_oid;
        let exchange = Exchange {
            from: name,
            from_oid: plan.live_oid,
            to: &plan.undone,
            with: &plan.kept.name,
            gets: Gets::Comment {
                comment: plan.kept.record.comment.clone(),
                unwritten_since: (!self.lose_newer).then_some(plan.counter),
            },
        };
        let done = exchange.run(session, &record).await?;
        Ok(RolledBack { live: name.to_owned(), undone: plan.undone, ended: done.ended })
    }
}
