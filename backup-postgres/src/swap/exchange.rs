//! The transaction in which two databases change their names.

use super::properties::{Properties, comment, refused};
use super::record::Record;
use super::{Session, writes};
use crate::error::codes::{QUERY_FAILED, ROLLBACK_LOSES_DATA, SWAP_FAILED};
use crate::queries;
use crate::restore::quote_name;
use backup_core::error::ResultExt;
use backup_core::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

/// The server waits five seconds for connections to end (CountOtherDBBackends in src/backend/storage/ipc/procarray.c), and we ask it so often.
const TRIES: u32 = 4;

/// `from` becomes `to`, and then `with` becomes `from`.
pub(super) struct Exchange<'a> {
    /// The live name.
    pub(super) from: &'a str,
    /// The database that has it.
    pub(super) from_oid: u32,
    /// What that will be called.
    pub(super) to: &'a str,
    /// The database that gets the live name.
    pub(super) with: &'a str,
    /// What the database that gets the name has besides.
    pub(super) gets: Gets,
}

/// What comes with the live name.
pub(super) enum Gets {
    /// The properties of the database that has the name now.
    Properties,
    /// Its own comment again. Nothing may have been written to the other since this counter was read.
    Comment { comment: Option<String>, unwritten_since: Option<i64> },
}

pub(super) struct Exchanged {
    /// Connections that were ended.
    pub(super) ended: u64,
    pub(super) warnings: Vec<String>,
}

impl Exchange<'_> {
    /// Does it, on a connection to another database. An error leaves all names as they were.
    pub(super) async fn run(&self, session: Session, record: &Record) -> Result<Exchanged> {
        let second = session.connection().connect().await?;
        session
            .batch_execute("BEGIN READ WRITE; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = '30s'")
            .await
            .map_err(|error| refused("begin the swap", error))?;
        let done = self.run_in(&session, second, record).await;
        if done.is_err() {
            // Without an answer, the end of the connection does it.
            let _ = session.batch_execute("ROLLBACK").await;
        }
        done
    }

    async fn run_in(&self, session: &Session, second: Session, record: &Record) -> Result<Exchanged> {
        let [from_oid, with_oid] = oids(session, [self.from, self.with]).await?;
        let (Some(with_oid), true) = (with_oid, from_oid == Some(self.from_oid)) else {
            return Err(self.changed());
        };
        let old = Properties::of(session, self.from_oid).await?;
        let mut warnings = Vec::new();
        match &self.gets {
            Gets::Properties => {
                warnings.extend(old.differences_for_good(&Properties::of(session, with_oid).await?));
                old.give(session, with_oid, self.with).await?;
            }
            Gets::Comment { comment: text, .. } => {
                let statement = comment(&quote_name(self.with), text.as_deref());
                session.batch_execute(&statement).await.map_err(|error| refused("restore the comment", error))?;
            }
        }

        // While the server waits for the connections to end, and lets no new ones in, they are ended.
        let ending = Ending::begin(second, vec![self.from_oid, with_oid]);
        self.rename(session, self.from, self.to).await?;
        if let Gets::Comment { unwritten_since: Some(before), .. } = self.gets {
            let written = writes::counter(ending.session(), self.from_oid).await?;
            if written != before {
                return Err(Error::new(
                    &ROLLBACK_LOSES_DATA,
                    format!("something was written to database \"{}\" while this began", self.from),
                )
                .with_hint("nothing was changed; run it again to see what would be lost"));
            }
        }
        self.rename(session, self.with, self.from).await?;
        let ended = ending.stop().await;

        let note = Record { successor: with_oid, comment: old.comment.clone(), ..record.clone() }.write();
        let note = comment(&quote_name(self.to), Some(&note));
        session.batch_execute(&note).await.map_err(|error| refused("note the swap", error))?;
        if oids(session, [self.from, self.to]).await? != [Some(with_oid), Some(self.from_oid)] {
            return Err(self.changed());
        }
        if let Err(error) = session.batch_execute("COMMIT").await {
            return self.look_after(session, with_oid, error).await.map(|()| Exchanged { ended, warnings });
        }
        Ok(Exchanged { ended, warnings })
    }

    async fn rename(&self, session: &Session, from: &str, to: &str) -> Result<()> {
        let doing = format!("rename database \"{from}\" to \"{to}\"");
        let statement = format!("ALTER DATABASE {} RENAME TO {}", quote_name(from), quote_name(to));
        for attempt in 1.. {
            session.batch_execute("SAVEPOINT rename").await.map_err(|error| refused(&doing, error))?;
            match session.batch_execute(&statement).await {
                Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) && attempt < TRIES => {
                    session.batch_execute("ROLLBACK TO rename").await.map_err(|error| refused(&doing, error))?;
                }
                Err(error) => {
                    let detail = error.as_db_error().and_then(|said| said.detail().map(str::to_owned));
                    let error = refused(&doing, error);
                    return Err(match detail {
                        Some(detail) => {
                            error.with_hint(format!("{detail} End them, then run it again; nothing was changed"))
                        }
                        None => error,
                    });
                }
                Ok(()) => break,
            }
        }
        Ok(())
    }

    fn changed(&self) -> Error {
        Error::new(&SWAP_FAILED, format!("databases \"{}\" and \"{}\" are not what they were", self.from, self.with))
            .with_hint("somebody else renamed or dropped one; nothing was changed by this")
    }

    /// The answer to the commit was lost: what the server says now counts.
    async fn look_after(&self, session: &Session, with_oid: u32, error: tokio_postgres::Error) -> Result<()> {
        let unknown = |error: tokio_postgres::Error| {
            refused("commit the swap", error).with_hint(format!(
                "the server's answer was lost: look with `psql -l+` whether there is a database \"{}\"; if so, it was done",
                self.to
            ))
        };
        let Ok(again) = session.connection().connect().await else { return Err(unknown(error)) };
        match oids(&again, [self.from, self.to]).await {
            Ok(found) if found == [Some(with_oid), Some(self.from_oid)] => Ok(()),
            Ok(found) if found == [Some(self.from_oid), None] => Err(refused("commit the swap", error)),
            _ => Err(unknown(error)),
        }
    }
}

async fn oids(session: &Session, names: [&str; 2]) -> Result<[Option<u32>; 2]> {
    let row = session.query_one(queries::SWAP_OIDS, &[&names[0], &names[1]]).await;
    let row = row.or_code(&QUERY_FAILED, || format!("ask for databases \"{}\" and \"{}\"", names[0], names[1]))?;
    Ok([row.get(0), row.get(1)])
}

/// Ends the connections to some databases, again and again, until it is told to stop or dropped.
struct Ending {
    session: Arc<Session>,
    ended: Arc<AtomicU64>,
    enough: CancellationToken,
    task: JoinHandle<()>,
}

impl Ending {
    fn begin(session: Session, databases: Vec<u32>) -> Self {
        let (session, ended) = (Arc::new(session), Arc::new(AtomicU64::new(0)));
        let (asks, counts) = (session.clone(), ended.clone());
        let enough = CancellationToken::new();
        let stop = enough.clone();
        let task = tokio::spawn(async move {
            loop {
                match asks.query_one(queries::SWAP_END_CONNECTIONS, &[&databases]).await {
                    Ok(row) => counts.fetch_add(row.get::<_, i64>(0).unsigned_abs(), Ordering::Relaxed),
                    // Without it the server waits in vain, and the renaming says who is there.
                    Err(error) => return tracing::debug!(%error, "connections could not be ended"),
                };
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(50)) => {}
                }
            }
        });
        Ending { session, ended, enough, task }
    }

    fn session(&self) -> &Session {
        &self.session
    }

    /// How many were ended; the answer that is under way counts, too.
    async fn stop(mut self) -> u64 {
        self.enough.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(5), &mut self.task).await;
        self.ended.load(Ordering::Relaxed)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.task.abort();
    }
}
