//! How long a writer has been silent: a sweep of orphans must never meet a backup that is about to be published.

use crate::error::{Error, Result, codes};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, PoisonError};

/// Orphans are swept 24 h after their newest object. A writer that was silent for half of that, because the machine slept or
/// the source gave nothing, does not publish: its first objects may be gone before its manifest is there.
const MAX_SILENCE: SignedDuration = SignedDuration::from_hours(12);

/// Watches the time between the puts of one backup, by this machine's wall clock (which goes on while the machine sleeps).
#[derive(Debug)]
pub(crate) struct Silence(Mutex<(Timestamp, SignedDuration)>);

impl Silence {
    pub(crate) fn begin(now: Timestamp) -> Self {
        Silence(Mutex::new((now, SignedDuration::ZERO)))
    }

    /// An object was stored.
    pub(crate) fn put(&self, now: Timestamp) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 = state.1.max(now.duration_since(state.0));
        state.0 = now;
    }

    /// Whether the backup may still be published.
    pub(crate) fn check(&self, now: Timestamp) -> Result<()> {
        self.put(now);
        let longest = self.0.lock().unwrap_or_else(PoisonError::into_inner).1;
        if longest <= MAX_SILENCE {
            return Ok(());
        }
        Err(Error::new(
            &codes::WRITER_TOO_OLD,
            format!("nothing was stored for {} minutes during the backup", longest.as_mins()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_of_more_than_twelve_hours_anywhere_ends_the_backup() {
        let start = Timestamp::UNIX_EPOCH;
        let at = |hours: i64, seconds: i64| start + SignedDuration::from_secs(hours * 3600 + seconds);
        let steady = Silence::begin(start);
        (1..100).for_each(|hours| steady.put(at(hours * 12, 0)));
        steady.check(at(100 * 12, 0)).unwrap();
        let early = Silence::begin(start);
        early.put(at(12, 1));
        early.put(at(12, 2));
        assert!(early.check(at(12, 3)).unwrap_err().is(&codes::WRITER_TOO_OLD));
        assert!(Silence::begin(start).check(at(12, 1)).unwrap_err().is(&codes::WRITER_TOO_OLD));
    }
}
