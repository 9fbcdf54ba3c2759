//! Which backups are kept: the [`RetentionPolicy`] trait and its types.

use crate::id::BackupId;
use crate::names::{Label, Series};
use jiff::{Timestamp, Zoned};
use serde::Serialize;
use std::fmt::Debug;

/// What a policy may know of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Its id.
    pub id: BackupId,
    /// Its series: policies look at one series at a time.
    pub series: Series,
    /// Its label.
    pub label: Label,
    /// When its snapshot was taken.
    pub snapshot: Timestamp,
    /// Whether it could be restored as far as is known (a failed verification makes this false).
    pub restorable: bool,
}

impl Candidate {
    /// A backup that is not known to be broken.
    pub fn new(id: BackupId, series: Series, label: Label, snapshot: Timestamp) -> Self {
        Candidate { id, series, label, snapshot, restorable: true }
    }
}

/// What a policy wants for one backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Which backup.
    pub id: BackupId,
    /// Keep it (`true`), or let it go.
    pub keep: bool,
    /// Why, e.g. `daily 3 of 7`; never empty.
    pub reasons: Vec<String>,
}

/// Decides which backups of a series are kept.
///
/// # Contract
/// - A pure function: the same arguments give the same decisions, whatever the order of `backups`; no clock, no I/O.
/// - Exactly one decision for each backup, in the order given, each with at least one reason.
/// - Days, weeks and months are counted in the time zone of `now`.
/// - A backup dated after `now` is kept and counts for nothing else.
///
/// `testing::retention_conformance` (feature `testing`) checks all of this.
pub trait RetentionPolicy: Debug + Send + Sync {
    /// Keep or let go, for each backup of one series.
    fn decide(&self, now: &Zoned, backups: &[Candidate]) -> Vec<Decision>;
}
