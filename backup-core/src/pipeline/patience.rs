//! How long a store is waited for. A store that does not answer must not pin the source's snapshot for ever.

use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::key::ObjectKey;
use crate::sink::{Sink, SinkExt};
use bytes::Bytes;
use std::time::Duration;

/// The first pause before an object is sent again; each further one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Stores an object. Sinks retry for a while themselves; beyond that, what may pass is tried again until `max_stall` is over.
pub(crate) async fn store(
    sink: &dyn Sink,
    key: &ObjectKey,
    data: Bytes,
    sha256: Sha256,
    max_stall: Duration,
) -> Result<()> {
    let mut last = None;
    let attempts = async {
        let mut pause = FIRST_PAUSE;
        loop {
            match sink.create_or_same_as(key, data.clone(), sha256).await {
                Err(error) if error.is_transient() => {
                    tracing::warn!(%key, error = error.chain(), "the store is away; trying again");
                    last = Some(error);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                outcome => return outcome,
            }
        }
    };
    match tokio::time::timeout(max_stall, attempts).await {
        Ok(outcome) => outcome.map_err(|error| error.context(format_args!("store {key}"))),
        Err(_) => {
            let message = format!("{key} could not be stored within {} seconds", max_stall.as_secs());
            let stalled = Error::new(&codes::UPLOAD_STALLED, message);
            Err(match last {
                Some(cause) => stalled.with_source(cause),
                None => stalled,
            })
        }
    }
}
