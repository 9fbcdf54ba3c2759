//! Recognising poolers that give every transaction another server connection.
//!
//! Behind one, nothing that belongs to a session can be relied on: settings reach other connections, a snapshot cannot be held. Tried with
//! PgBouncer: half of the trial dumps through transaction mode silently lacked rows that row-level security hid.

use crate::connection::Session;
use crate::error::codes::{DATABASE_UNREACHABLE, TRANSACTION_POOLER};
use crate::queries;
use crate::server::query_error;
use backup_core::{Error, Result};
use std::time::Duration;
use tokio_postgres::{Client, SimpleQueryMessage};

/// How often both connections are asked. A pooler that rotates its connections shows within two rounds.
const ROUNDS: usize = 5;
/// How long a second connection may wait for a server process.
const PATIENCE: Duration = Duration::from_secs(30);

/// Refuses a transaction pooler: two connections that are open at once must have a server process each, always the same.
///
/// # Errors
/// `transaction_pooler` with the hint to use the direct or session port.
pub async fn refuse_transaction_pooler(session: &Session, second: &Session) -> Result<()> {
    let asking = async {
        let mut seen: Option<(String, String)> = None;
        for _ in 0..ROUNDS {
            let now = (process(session).await?, process(second).await?);
            if now.0 == now.1 || seen.as_ref().is_some_and(|seen| *seen != now) {
                return Err(refusal(session));
            }
            seen = Some(now);
        }
        Ok(())
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(
            &DATABASE_UNREACHABLE,
            format!(
                "{}: a second connection got no server process within {} s",
                session.connection(),
                PATIENCE.as_secs()
            ),
        )
        .with_hint(
            "backups and restores need two connections at once: raise the pooler's pool size, or connect directly",
        )),
    }
}

/// The same for one connection, with a second one made for the question.
pub(crate) async fn refuse_pooler(session: &Session) -> Result<()> {
    let second = session.connection().connect().await?;
    refuse_transaction_pooler(session, &second).await
}

/// The process that answers, asked by the simple protocol: poolers in transaction mode mix up prepared statements.
async fn process(client: &Client) -> Result<String> {
    let answer = client
        .simple_query(queries::BACKEND_PID)
        .await
        .map_err(|error| query_error("ask for the server process", error))?;
    let pid = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(pid.unwrap_or_default())
}

fn refusal(session: &Session) -> Error {
    let connection = session.connection();
    let error = Error::new(
        &TRANSACTION_POOLER,
        format!("{connection} is a transaction pooler: two connections that are open at once share a server process"),
    );
    let supabase = connection.host().ends_with(".supabase.com") || connection.host().ends_with(".supabase.co");
    if supabase && connection.port() == 6543 {
        error.with_hint("port 6543 is Supabase's transaction pooler: use port 5432 of the same host (the session pooler), or the direct connection")
    } else if connection.host().contains("-pooler.") && connection.host().ends_with(".neon.tech") {
        error.with_hint("use the direct connection: the same host name without \"-pooler\"")
    } else {
        error
    }
}
