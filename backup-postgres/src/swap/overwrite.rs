//! A restore into the live database itself, for servers that let no database be renamed.

use super::check::refuse;
use super::left_behind::{SETTING, STOPPED, read_only};
use super::{SwapSteps, connect};
use crate::connection::{Connection, Session};
use crate::error::codes::{OVERWRITTEN_AND_REFUSED, QUERY_FAILED, SWAP_REFUSED};
use crate::pooler::refuse_pooler;
use crate::queries;
use crate::restore::{quote_name, quote_string};
use backup_core::error::ResultExt;
use backup_core::{Error, Result};
use std::time::Duration;

/// A restore into the live database itself, in one transaction. There is no rollback but the safety backup, and what was restored can be judged only when it is
/// there: where databases can be renamed, use [`Swap`](super::Swap).
///
/// The steps are those of a swap, but for [`restore`](SwapSteps::restore) and [`judge`](SwapSteps::judge): they get the live database, and restoring means
/// [`PgRestore::overwrite`](crate::PgRestore::overwrite).
#[derive(Clone, Debug)]
pub struct Overwrite {
    live: Connection,
    maintenance: Option<String>,
}

/// A live database that was overwritten.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overwritten {
    /// The database.
    pub live: String,
    /// The backup that was restored.
    pub backup: String,
    /// The safety backup of what was there: the way back.
    pub safety_backup: String,
}

impl Overwrite {
    /// A restore into the database that this connection names.
    pub fn new(live: Connection) -> Self {
        Overwrite { live, maintenance: None }
    }

    /// The database to connect to for stopping writes; otherwise `postgres`, or `template1`.
    pub fn maintenance_database(mut self, name: impl Into<String>) -> Self {
        self.maintenance = Some(name.into());
        self
    }

    /// What would be done, and what stands in the way; changes nothing.
    pub async fn plan(&self) -> Result<(Vec<String>, Vec<String>)> {
        let session = connect(&self.live, self.maintenance.as_deref()).await?;
        refuse_pooler(&session).await?;
        let name = self.live.database();
        let row = session.query_opt(queries::SWAP_DATABASE, &[&name]).await;
        let row = row.or_code(&QUERY_FAILED, || format!("ask about database \"{name}\""))?;
        let row =
            row.ok_or_else(|| Error::new(&SWAP_REFUSED, format!("there is no database \"{name}\" to restore into")))?;
        let role: String = row.get("role");
        let mut obstacles = Vec::new();
        if row.get("in_recovery") {
            obstacles.push("the server is a standby: restore on its primary".to_owned());
        }
        if matches!(name, "template0" | "template1") {
            obstacles.push(format!("\"{name}\" is a template that the server needs"));
        }
        if !row.get::<_, bool>("owns") {
            obstacles.push(format!("role \"{role}\" does not own database \"{name}\", so it may not stop writes: connect as its owner or a superuser"));
        }
        let steps = vec![
            format!(
                "stop writes: make database \"{name}\" read-only by default, and end {} connections",
                row.get::<_, i64>("connections")
            ),
            "back it up".to_owned(),
            "in one transaction: drop what the backup has, and restore it; what the backup does not have stays"
                .to_owned(),
            "compare, and allow writes again".to_owned(),
        ];
        Ok((steps, obstacles))
    }

    /// The recipe. An error before the restore's commit leaves the database as it was, and writes are allowed again.
    ///
    /// # Errors
    /// `overwritten_and_refused` when what was restored does not pass the judgement: it is there, and the safety backup has what was there before.
    pub async fn run(&self, steps: &dyn SwapSteps) -> Result<Overwritten> {
        refuse(self.plan().await?.1)?;
        steps.prove().await?;
        let stopped =
            Stopped::begin(connect(&self.live, self.maintenance.as_deref()).await?, self.live.database()).await?;
        let restored = async {
            let safety_backup = steps.safety_backup(&self.live).await?;
            // Readers came again meanwhile; the restore would wait for them.
            stopped.end_connections().await?;
            let backup = steps.restore(&self.live).await?;
            Ok((safety_backup, backup))
        };
        let restored = restored.await;
        let judged = match &restored {
            Ok(_) => steps.judge(&self.live).await,
            Err(_) => Ok(()),
        };
        let allowed = stopped.allow().await;
        let (safety_backup, backup) = restored?;
        let name = self.live.database();
        if let Err(error) = judged {
            return Err(Error::new(
                &OVERWRITTEN_AND_REFUSED,
                format!("database \"{name}\" was restored, and does not pass: {}", error.chain()),
            )
            .with_hint(format!("backup {safety_backup} has what was there before: restore that")));
        }
        allowed?;
        Ok(Overwritten { live: name.to_owned(), backup, safety_backup })
    }
}

/// Writes to a database are stopped, for whoever does not insist, until this is dropped.
struct Stopped {
    session: Option<Session>,
    database: String,
    oid: u32,
    /// The value of the setting before, if it had one.
    before: Option<String>,
}

impl Stopped {
    async fn begin(session: Session, database: &str) -> Result<Self> {
        let failed = || format!("stop writes to database \"{database}\"");
        let row =
            session.query_one(queries::SWAP_OIDS, &[&database, &database]).await.or_code(&QUERY_FAILED, failed)?;
        let oid: Option<u32> = row.get(0);
        let oid = oid.ok_or_else(|| Error::new(&SWAP_REFUSED, format!("there is no database \"{database}\"")))?;
        // What one of ours left when it was killed is not what the database's owner wants back.
        let before = read_only(&session, oid).await?.filter(|value| value != STOPPED);
        let statement = format!("ALTER DATABASE {} SET {SETTING} = '{STOPPED}'", quote_name(database));
        let stopped = Stopped { session: Some(session), database: database.to_owned(), oid, before };
        if let Some(session) = &stopped.session {
            session.batch_execute(&statement).await.or_code(&QUERY_FAILED, failed)?;
        }
        stopped.end_connections().await?;
        Ok(stopped)
    }

    /// Ends the connections, which still write as before, until there are none that we may end.
    async fn end_connections(&self) -> Result<()> {
        let Some(session) = &self.session else { return Ok(()) };
        for _ in 0..100 {
            let ended = session.query_one(queries::SWAP_END_CONNECTIONS, &[&vec![self.oid]]).await;
            let ended =
                ended.or_code(&QUERY_FAILED, || format!("end the connections to database \"{}\"", self.database))?;
            if ended.get::<_, i64>(0) == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn again(&self) -> String {
        let database = quote_name(&self.database);
        match &self.before {
            Some(value) => format!("ALTER DATABASE {database} SET {SETTING} = {}", quote_string(value)),
            None => format!("ALTER DATABASE {database} RESET {SETTING}"),
        }
    }

    async fn allow(mut self) -> Result<()> {
        let statement = self.again();
        let Some(session) = self.session.take() else { return Ok(()) };
        let done = session.batch_execute(&statement).await;
        done.or_code(&QUERY_FAILED, || format!("allow writes to database \"{}\" again: run {statement}", self.database))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let statement = self.again();
        let (Some(session), Ok(runtime)) = (self.session.take(), tokio::runtime::Handle::try_current()) else { return };
        runtime.spawn(async move {
            if let Err(error) = session.batch_execute(&statement).await {
                tracing::warn!(%error, statement, "a database is left read-only");
            }
        });
    }
}
