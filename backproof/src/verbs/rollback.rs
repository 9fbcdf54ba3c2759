//! `rollback`: the last restore in place of a live database, taken back.

use super::{no_effect, usage};
use crate::Backproof;
use backup_core::Result;
use backup_core::monitor::Recorder;
use backup_postgres::Connection;
use backup_postgres::inventory::TableName;
use backup_postgres::swap::{Kept, Newer, Rollback, left_behind};
use backup_postgres::table_restore::{KeptTable, TableRestore};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// What [`rollback`](Backproof::rollback) takes.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("required" = ["to"])))]
#[serde(default, deny_unknown_fields)]
pub struct RollbackOptions {
    /// The live database: a URL or key=value pairs.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub to: SecretString,
    /// Put back the rows that a restore with `tables` and `replace` kept of these tables, named as in SQL, with `*` and `?` as patterns.
    pub tables: Vec<String>,
    /// Go back although rows were written since; they stay in the database that is put aside.
    pub lose_newer_data: bool,
    /// Do not go back: drop the databases that swaps and rollbacks put aside.
    pub drop_old: bool,
    /// Say what would be done, and change nothing.
    pub dry_run: bool,
    /// Do not ask.
    pub yes: bool,
}

/// What a rollback did, or, with `dry_run`, would do. Which fields are there depends on what was asked for.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RollbackResult {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Of a swap, with `dry_run`: what would be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<RollbackPlan>,
    /// Of a swap: what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<RolledBack>,
    /// Of tables: which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<RolledBackTable>>,
    /// With `drop_old`: the databases that were dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Vec<String>>,
    /// With `drop_old`: the databases that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Vec<String>>,
    /// What needs attention.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A table whose rows go back, or went.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RolledBackTable {
    /// The table, as SQL.
    pub table: String,
    /// With `dry_run`: the table that its rows are kept in, as SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// How many rows it has back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// What a rollback of a swap would do.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RollbackPlan {
    /// The live database, without secrets.
    pub target: String,
    /// The name of the database that would come back.
    pub kept: String,
    /// What the live database would be called.
    pub put_aside: String,
    /// What was written to the live database since the swap.
    pub newer: NewerData,
    /// What would be done, in order, one line each.
    pub steps: Vec<String>,
    /// What makes it impossible.
    pub obstacles: Vec<String>,
}

/// What was written to a live database since a swap: it would be lost there.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NewerData {
    /// Whether it can be told.
    pub known: bool,
    /// How many rows were inserted, updated or deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// What else was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
    /// Why it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A swap that was taken back.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RolledBack {
    /// The live name, which the database that was kept has again.
    pub live: String,
    /// The name under which the restored database is kept now.
    pub put_aside: String,
    /// How many connections were ended.
    pub ended_connections: u64,
}

impl From<Newer> for NewerData {
    fn from(newer: Newer) -> Self {
        let known = NewerData { known: true, ..NewerData::default() };
        match newer {
            Newer::Nothing => NewerData { rows: Some(0), ..known },
            Newer::Rows(rows) => NewerData { rows: Some(rows), ..known },
            Newer::Changed(what) => NewerData { changed: Some(what), ..known },
            Newer::Unknown(why) => NewerData { reason: Some(why), ..NewerData::default() },
            other => NewerData { reason: Some(format!("{other:?}")), ..NewerData::default() },
        }
    }
}

impl RollbackResult {
    /// The program's exit status: 1 with warnings, 2 for a plan that meets obstacles.
    pub fn exit_code(&self) -> u8 {
        match self.plan.as_ref().is_some_and(|plan| !plan.obstacles.is_empty()) {
            true => 2,
            false => u8::from(!self.warnings.is_empty()),
        }
    }
}

impl Backproof {
    /// Takes the last swap back: the database that was live before is live again, and the restored one is kept under a dated name. Or puts back the rows
    /// of one table; or drops what is kept.
    pub async fn rollback(&self, options: &RollbackOptions) -> Result<RollbackResult> {
        self.unless_cancelled(Box::pin(self.rolled_back(options))).await
    }

    async fn rolled_back(&self, options: &RollbackOptions) -> Result<RollbackResult> {
        if options.to.expose_secret().is_empty() {
            return Err(usage("say which database: --to URL"));
        }
        if options.drop_old && !options.tables.is_empty() {
            return Err(no_effect("--table puts rows back, and --drop-old drops databases"));
        }
        if options.drop_old && options.lose_newer_data {
            return Err(no_effect("--lose-newer-data goes back, and --drop-old does not"));
        }
        let recorder = self.recorder();
        let live = self.target(options.to.expose_secret(), &recorder)?;
        let mut result = if !options.tables.is_empty() {
            Box::pin(self.roll_tables_back(options, &live)).await?
        } else if options.drop_old {
            self.drop_kept(options, &live).await?
        } else {
            Box::pin(self.swap_back(options, &live, &recorder)).await?
        };
        result.dry_run = options.dry_run;
        result.warnings = recorder.warnings();
        Ok(result)
    }

    async fn swap_back(
        &self,
        options: &RollbackOptions,
        live: &Connection,
        recorder: &Recorder,
    ) -> Result<RollbackResult> {
        left_behind(live, None).await?.into_iter().for_each(|left| recorder.warn(left));
        let rollback = Rollback::new(live.clone()).lose_newer_data(options.lose_newer_data);
        let plan = rollback.plan().await?;
        if options.dry_run {
            let plan = RollbackPlan {
                target: live.to_string(),
                kept: plan.kept.name,
                put_aside: plan.undone,
                newer: plan.newer.into(),
                steps: plan.steps,
                obstacles: plan.obstacles,
            };
            return Ok(RollbackResult { plan: Some(plan), ..RollbackResult::default() });
        }
        // Refusals come before the question.
        if plan.obstacles.is_empty() {
            let what = format!("{live} will be \"{}\" again, as it was at {}", plan.kept.name, plan.kept.at);
            self.sure(options.yes, &what, live.database())?;
        }
        let done = rollback.run().await?;
        let rolled_back = RolledBack { live: done.live, put_aside: done.undone, ended_connections: done.ended };
        Ok(RollbackResult { rolled_back: Some(rolled_back), ..RollbackResult::default() })
    }

    async fn roll_tables_back(&self, options: &RollbackOptions, live: &Connection) -> Result<RollbackResult> {
        let rollback = TableRestore::new(live.clone());
        let kept = rollback.kept_of(&options.tables).await?;
        let tables = if options.dry_run {
            let would =
                |kept: KeptTable| RolledBackTable { table: kept.table.to_string(), kept: Some(kept.name), rows: None };
            kept.into_iter().map(would).collect()
        } else {
            let names: Vec<TableName> = kept.into_iter().map(|kept| kept.table).collect();
            let listed = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let what = format!("{live}: the rows of {listed} will be those that were kept");
            self.sure(options.yes, &what, live.database())?;
            let rows = rollback.roll_back_all(&names, options.lose_newer_data).await?;
            let done = |(name, rows): (&TableName, u64)| RolledBackTable {
                table: name.to_string(),
                kept: None,
                rows: Some(rows),
            };
            names.iter().zip(rows).map(done).collect()
        };
        Ok(RollbackResult { tables: Some(tables), ..RollbackResult::default() })
    }

    async fn drop_kept(&self, options: &RollbackOptions, live: &Connection) -> Result<RollbackResult> {
        let names: Vec<String> = Kept::list(live, None).await?.into_iter().map(|kept| kept.name).collect();
        let (dropped, kept) = if names.is_empty() || options.dry_run {
            (Vec::new(), names)
        } else {
            let listed = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            let what = format!("{listed} will be dropped: there is no way back to them");
            self.sure(options.yes, &what, live.database())?;
            for name in &names {
                Kept::drop(live, None, name).await?;
            }
            (names, Vec::new())
        };
        Ok(RollbackResult { dropped: Some(dropped), kept: Some(kept), ..RollbackResult::default() })
    }
}
