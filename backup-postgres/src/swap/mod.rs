//! Restores that can be taken back: the restored database takes the live one's name, and the live one is kept under another.
//!
//! [`Swap::run`] is the recipe: look whether it can be done; prove the backup; back the live database up; restore beside it; judge what was
//! restored; then, in one transaction, after ending the connections to it, rename the live database to a dated name and the restored one to the
//! live name. Whatever fails before the commit leaves the live database as it was, under its own name; a server that loses us in the middle
//! rolls back. [`Rollback`] does the renaming again the other way round, and refuses where rows that came since would be lost.
//!
//! What happens outside of the server (proving, the safety backup, the restore itself) is the caller's: [`SwapSteps`].
//!
//! - what can stand in the way: `check`; the names: `names`; what goes over to the restored database: `properties`;
//! - the transaction, and ending connections: `exchange`; what is noted of it, in the kept database's comment: `record`;
//! - into the live database itself, where none can be renamed: `overwrite`;
//! - what was written since: `writes`; the way back: `rollback`; what is kept: `kept`; what a killed restore left: `left_behind`.

mod check;
mod exchange;
mod kept;
mod left_behind;
mod names;
mod overwrite;
mod properties;
mod record;
mod rollback;
mod writes;

pub use check::{Staying, SwapPlan};
pub use kept::{Kept, KeptKind};
pub use left_behind::left_behind;
pub(crate) use left_behind::{SETTING, STOPPED};
pub use overwrite::{Overwrite, Overwritten};
pub use rollback::{Newer, Rollback, RollbackPlan, RolledBack};

use crate::connection::{Connection, Session};
use crate::error::codes::{DATABASE_NOT_FOUND, SWAP_REFUSED};
use crate::pooler::refuse_pooler;
use crate::queries;
use async_trait::async_trait;
use backup_core::{Error, Result};
use exchange::{Exchange, Gets};
use jiff::Timestamp;
use kept::NewDatabase;
use names::Names;
use record::{Kind, Record};

/// The parts of a swap that are not the server's. An error of any of them ends the swap, with the live database untouched.
#[async_trait]
pub trait SwapSteps: Send + Sync {
    /// Proves the backup that will be restored, to the level that was chosen.
    async fn prove(&self) -> Result<()>;

    /// Backs up the live database, and gives the backup's id.
    async fn safety_backup(&self, live: &Connection) -> Result<String>;

    /// Restores the backup into a database that this connection names and that does not exist yet; gives the backup's id.
    async fn restore(&self, beside: &Connection) -> Result<String>;

    /// Judges what was restored: the comparison, the assertions.
    async fn judge(&self, beside: &Connection) -> Result<()>;
}

/// A restore in place of a live database. The connection names the live database.
#[derive(Clone, Debug)]
pub struct Swap {
    live: Connection,
    maintenance: Option<String>,
    ignore_slots: bool,
    at: Timestamp,
}

/// A swap that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swapped {
    /// The live name, which the restored database has now.
    pub live: String,
    /// The name under which the database that was live is kept.
    pub kept: String,
    /// The backup that was restored.
    pub backup: String,
    /// The safety backup of the database that was live.
    pub safety_backup: String,
    /// How many connections were ended.
    pub ended: u64,
    /// Worth knowing: what stayed with the kept database, what differs.
    pub warnings: Vec<String>,
}

impl Swap {
    /// A restore in place of the database that this connection names.
    pub fn new(live: Connection) -> Self {
        Swap { live, maintenance: None, ignore_slots: false, at: Timestamp::now() }
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

    /// Swaps although replication slots and subscriptions stay with the database that was live.
    pub fn ignore_slots(mut self, ignore: bool) -> Self {
        self.ignore_slots = ignore;
        self
    }

    /// What would be done, and what stands in the way; changes nothing.
    pub async fn plan(&self) -> Result<SwapPlan> {
        let session = connect(&self.live, self.maintenance.as_deref()).await?;
        refuse_pooler(&session).await?;
        self.plan_with(&session).await
    }

    async fn plan_with(&self, session: &Session) -> Result<SwapPlan> {
        let names = Names::new(self.live.database(), self.at);
        check::plan(session, &names, self.ignore_slots).await
    }

    /// The recipe.
    ///
    /// # Errors
    /// Any error leaves the live database as it was, and removes the one that was restored beside it. (One exception, which the message says:
    /// when the connection breaks at the very commit, and the server cannot be asked again.)
    pub async fn run(&self, steps: &dyn SwapSteps) -> Result<Swapped> {
        // 1. Whether it can be done at all: before anything that takes long.
        let session = connect(&self.live, self.maintenance.as_deref()).await?;
        refuse_pooler(&session).await?;
        let plan = self.plan_with(&session).await?;
        plan.require()?;
        match self.run_as_planned(session, &plan, steps).await {
            Err(error) => Err(self.unless_overtaken(&plan, error).await),
            done => done,
        }
    }

    async fn run_as_planned(&self, session: Session, plan: &SwapPlan, steps: &dyn SwapSteps) -> Result<Swapped> {
        check::try_renaming(session, &plan.names).await?;

        // 2. Nothing is replaced by what is not proven, nor without a way back.
        steps.prove().await?;
        let safety_backup = steps.safety_backup(&self.live).await?;

        // 3. Beside the live database; removed again whatever fails.
        let beside = NewDatabase::new(self.live.with_database(&plan.names.beside), self.maintenance.as_deref());
        let result = self.restore_and_swap(steps, plan, &beside.connection).await;
        match result {
            Ok((backup, ended, mut warnings)) => {
                beside.stays();
                warnings.splice(0..0, plan.warnings.iter().cloned());
                let names = plan.names.clone();
                Ok(Swapped { live: names.live, kept: names.kept, backup, safety_backup, ended, warnings })
            }
            Err(error) => Err(match beside.remove().await {
                Ok(()) => error,
                Err(second) => {
                    let name = &plan.names.beside;
                    let hint = format!("{}; drop database \"{name}\" yourself", error.hint());
                    let message =
                        format!("{}; database \"{name}\" is left, since dropping it failed: {second}", error.chain());
                    Error::new(error.code(), message).with_hint(hint)
                }
            }),
        }
    }

    /// Whoever put another database in this one's place ended our connections to it, or has its name now: whatever failed, that is what happened.
    async fn unless_overtaken(&self, plan: &SwapPlan, error: Error) -> Error {
        let Ok(session) = connect(&self.live, self.maintenance.as_deref()).await else { return error };
        let (live, kept) = (&plan.names.live, &plan.names.kept);
        let Ok(row) = session.query_one(queries::SWAP_OIDS, &[live, kept]).await else { return error };
        let (now, put_aside): (Option<u32>, Option<u32>) = (row.get(0), row.get(1));
        // Under our own name for it: that was us, and the answer was lost.
        if now == Some(plan.live_oid) || put_aside == Some(plan.live_oid) {
            return error;
        }
        error.with_hint(format!(
            "meanwhile somebody else put another database in the place of \"{live}\", by a swap or a rollback of their own, which ended the connections to it; this swap changed nothing. \
             See with `psql -l+` what is there and what is kept; run it again only if that is not what you wanted, one at a time"
        ))
    }

    async fn restore_and_swap(
        &self,
        steps: &dyn SwapSteps,
        plan: &SwapPlan,
        beside: &Connection,
    ) -> Result<(String, u64, Vec<String>)> {
        let backup = steps.restore(beside).await?;
        steps.judge(beside).await?;

        // 4. The names change hands. What stood in the way may have come since.
        let session = connect(&self.live, self.maintenance.as_deref()).await?;
        let now = self.plan_with(&session).await?;
        now.require_beside(&plan.names.beside)?;
        if now.live_oid != plan.live_oid {
            return Err(Error::new(
                &SWAP_REFUSED,
                format!("database \"{}\" is not the one that it was when this began", plan.names.live),
            )
            .with_hint("somebody else replaced it; look what is there before you run it again"));
        }
        let baseline = writes::count(beside).await?;
        let record = Record::new(Kind::Replaced, &plan.names.live, &backup, baseline, self.at);
        let exchange = Exchange {
            from: &plan.names.live,
            from_oid: plan.live_oid,
            to: &plan.names.kept,
            with: &plan.names.beside,
            gets: Gets::Properties,
        };
        let done = exchange.run(session, &record).await?;
        Ok((backup, done.ended, done.warnings))
    }
}

/// A connection to another database than the one that is renamed.
async fn connect(connection: &Connection, maintenance: Option<&str>) -> Result<Session> {
    if let Some(name) = maintenance {
        if name == connection.database() {
            return Err(Error::new(
                &SWAP_REFUSED,
                format!("database \"{name}\" cannot be renamed while we are connected to it"),
            )
            .with_hint("name another database of the server for the maintenance connection"));
        }
        return connection.with_database(name).connect_without_limits().await;
    }
    let candidates = ["postgres", "template1"].into_iter().filter(|name| *name != connection.database());
    let mut first = None;
    for name in candidates {
        match connection.with_database(name).connect_without_limits().await {
            Err(error) if error.is(&DATABASE_NOT_FOUND) => first = first.or(Some(error)),
            result => return result,
        }
    }
    Err(first.unwrap_or_else(|| Error::new(&DATABASE_NOT_FOUND, "there is no database to connect to")))
}
