//! Creating the new database, and removing it when the restore fails.

use super::statement::{quote_name, quote_string};
use super::toc::Recreation;
use crate::connection::Session;
use crate::error::codes::{DATABASE_EXISTS, RESTORE_FAILED};
use backup_core::Error;
use backup_core::Result;
use backup_core::error::ResultExt;
use backup_core::text::printable;
use tokio_postgres::error::SqlState;
use tracing::instrument::WithSubscriber;

/// A database that was created for a restore and is not complete. It is dropped with this, unless it is kept.
pub(super) struct Created {
    session: Option<Session>,
    name: String,
}

impl Created {
    /// Creates the database.
    pub(super) async fn create(session: Session, name: &str, recreation: &Recreation) -> Result<Self> {
        let (statement, owned) = (recreation.create.clone(), name.to_owned());
        // The server goes on creating it when our caller is dropped. Then this task is alone with the answer, and removes what it made (and
        // nothing else: what exists already is not ours).
        let creating = tokio::spawn(async move {
            session.batch_execute(&statement).await.map(|()| Created { session: Some(session), name: owned })
        });
        let created = creating.await.or_code(&RESTORE_FAILED, || format!("create database \"{name}\""))?;
        created.map_err(|error| {
            // Of two at once, the second gets past the server's own look and fails at the index of pg_database.
            let exists = [&SqlState::DUPLICATE_DATABASE, &SqlState::UNIQUE_VIOLATION];
            if error.code().is_some_and(|code| exists.contains(&code)) {
                return Error::new(&DATABASE_EXISTS, format!("database \"{name}\" exists already"));
            }
            failed(&format!("create database \"{name}\""), error).with_hint(
                "where the server lacks the source's encoding or locale, install the locale there; otherwise see the cause",
            )
        })
    }

    /// Says in its comment that it is not complete, and gives it its owner and settings.
    pub(super) async fn prepare(&self, recreation: &Recreation, backup: &str) -> Result<()> {
        let comment = format!("backproof: restore of {backup} has not finished; this database is not complete");
        let comment = format!("COMMENT ON DATABASE {} IS {}", quote_name(&self.name), quote_string(&comment));
        self.run(std::iter::once(&comment).chain(&recreation.owner).chain(&recreation.before)).await
    }

    /// Runs statements about the database in the database itself: the server keeps their texts in its encoding.
    async fn run(&self, statements: impl Iterator<Item = &String>) -> Result<()> {
        let Some(session) = &self.session else { return Ok(()) };
        let inside = session.connection().with_database(&self.name).connect_without_limits().await?;
        // The statements are written as pg_dump writes them; the database may have a setting of its own by now.
        let plain = "SET standard_conforming_strings = on";
        inside.batch_execute(plain).await.map_err(|error| failed("set standard_conforming_strings", error))?;
        for statement in statements {
            // The statement itself is not shown: it may hold a value that nobody should see.
            let words: Vec<&str> = statement.split_whitespace().take(3).collect();
            inside.batch_execute(statement).await.map_err(|error| failed(&words.join(" "), error))?;
        }
        Ok(())
    }

    /// Gives it the rest of its properties, its own comment among them.
    pub(super) async fn complete(&self, recreation: &Recreation) -> Result<()> {
        let comment = format!("COMMENT ON DATABASE {} IS NULL", quote_name(&self.name));
        self.run(std::iter::once(&comment).chain(&recreation.after)).await
    }

    /// It is complete, and stays.
    pub(super) fn stays(mut self) {
        self.session = None;
    }

    /// Removes it when it is no longer needed.
    pub(super) async fn discard(mut self) -> Result<()> {
        let Some(session) = self.session.take() else { return Ok(()) };
        let name = std::mem::take(&mut self.name);
        drop_database(&session, &name).await
    }

    /// Leaves it as it is after a failure; the error says so.
    pub(super) fn keep(mut self, error: Error) -> Error {
        self.session = None;
        let name = std::mem::take(&mut self.name);
        Error::new(error.code(), format!("{error}; database \"{name}\" is left as it is, incomplete")).with_hint(
            format!("{}; drop database \"{name}\" when you do not need it any more", error.hint().to_owned()),
        )
    }

    /// Removes it after a failure; the error says whether that worked.
    pub(super) async fn remove(mut self, error: Error) -> Error {
        let Some(session) = self.session.take() else { return error };
        match drop_database(&session, &self.name).await {
            Ok(()) => error,
            Err(second) => {
                let name = std::mem::take(&mut self.name);
                let hint = format!("{}; drop database \"{name}\" yourself", error.hint().to_owned());
                let message =
                    format!("{error}; database \"{name}\" is left, incomplete, since dropping it failed too: {second}");
                Error::new(error.code(), message).with_hint(hint)
            }
        }
    }
}

/// A restore whose future is dropped removes its database in the background, as long as the runtime lives. Its comment tells what it
/// is otherwise.
impl Drop for Created {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let name = std::mem::take(&mut self.name);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let dropping = async move {
            if let Err(error) = drop_database(&session, &name).await {
                tracing::warn!(%error, database = name, "an incomplete database is left");
            }
        }
        .with_current_subscriber();
        runtime.spawn(dropping);
    }
}

/// Drops the database, over a new connection if the one that made it is gone by now.
async fn drop_database(session: &Session, name: &str) -> Result<()> {
    let doing = || format!("drop database \"{name}\"");
    match try_drop(session, name).await {
        Err(error) if session.is_closed() || ended_the_session(&error) => {
            let again = session.connection().connect_without_limits().await?;
            try_drop(&again, name).await.map_err(|error| failed(&doing(), error))
        }
        result => result.map_err(|error| failed(&doing(), error)),
    }
}

/// Whether the server ended the session: class 57P, "operator intervention", an idle session among it, and the end of an idle transaction. (The
/// client learns a moment later that the connection is closed.)
fn ended_the_session(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_none_or(|state| state.code().starts_with("57P") || *state == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT)
}

async fn try_drop(session: &Session, name: &str) -> Result<(), tokio_postgres::Error> {
    let name = quote_name(name);
    // Privileges are granted in the name of others: a statement of theirs may have failed.
    session.batch_execute("RESET SESSION AUTHORIZATION").await?;
    // FORCE came with 13: what is left of pg_restore's connections must not keep the database.
    match session.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await {
        Err(error) if error.code() == Some(&SqlState::SYNTAX_ERROR) => {
            session.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await
        }
        result => result,
    }
}

/// A statement failed; with the server's message.
pub(super) fn failed(doing: &str, error: tokio_postgres::Error) -> Error {
    let said = error.as_db_error().map(|said| said.message().to_owned());
    match said {
        Some(said) => Error::new(&RESTORE_FAILED, format!("{}: {}", printable(doing), printable(&said))),
        None => Error::new(&RESTORE_FAILED, printable(doing)).with_source(error),
    }
}
