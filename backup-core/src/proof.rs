//! What came of restoring a backup into a scratch place and comparing it: the levels restorable and identical.

use crate::level::{Level, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A step of a proof, timed by the clock of this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Phase {
    /// `provision`, `load`, `indexes`, `compare`, `assertions`, …
    pub name: String,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Phase {
    /// A phase that took this long.
    pub fn new(name: impl Into<String>, took: Duration) -> Self {
        Phase { name: name.into(), seconds: took.as_secs_f64() }
    }
}

/// An object that did not come back as it was backed up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// The object: its kind and name, e.g. `table public.orders`.
    pub object: String,
    /// What differs, e.g. `120 rows in the backup, 119 restored`. Never a definition, which can hold secrets.
    pub what: String,
}

/// Something that was not compared, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Untested {
    /// The object, e.g. `extension:pg_graphql` or `tablespace fast`: the name to accept it by.
    pub object: String,
    /// Why it was not compared.
    pub reason: String,
    /// Whether the configuration accepts exactly this, by its name.
    pub accepted: bool,
}

/// What came of one of the user's own checks of the restored data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AssertionResult {
    /// Its name in the configuration.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether its failing is only a warning.
    pub warning_only: bool,
    /// What was found, or why nothing could be.
    pub detail: String,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What is known after a backup was restored into a scratch place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Proof {
    /// Where it was restored, for people, without secrets.
    pub scratch: String,
    /// How the scratch place was kept apart from everything else, each as `what: how far`.
    pub isolation: Vec<String>,
    /// The versions of what took part: `server`, `scratch_server`, `pg_dump`, …
    pub versions: BTreeMap<String, String>,
    /// The timed steps, in order.
    pub phases: Vec<Phase>,
    /// Errors of the restore. Not empty: the backup is not restorable.
    pub errors: Vec<String>,
    /// What did not come back as it was backed up.
    pub differences: Vec<Difference>,
    /// What was not compared.
    pub untested: Vec<Untested>,
    /// The user's own checks.
    pub assertions: Vec<AssertionResult>,
    /// What was compared, for people, e.g. `19 tables with 1500000 rows, 20 large objects, 199 definitions`.
    pub compared: String,
    /// Worth knowing; changes no outcome.
    pub notes: Vec<String>,
}

impl Proof {
    /// How long the restore itself took, in seconds: all phases but those that judge what came back.
    pub fn restore_seconds(&self) -> f64 {
        let judging = |phase: &&Phase| !matches!(phase.name.as_str(), "compare" | "assertions");
        self.phases.iter().filter(judging).map(|phase| phase.seconds).sum()
    }

    /// What this proof says of the backup at a level: an error or a difference fails it; what was not tested, and is not accepted by name,
    /// leaves it unverified. Assertions are judged apart.
    pub fn outcome(&self, level: Level) -> Outcome {
        if !self.errors.is_empty() || (level >= Level::Identical && !self.differences.is_empty()) {
            return Outcome::Failed;
        }
        if self.untested.iter().any(|untested| !untested.accepted) {
            return Outcome::Unverified;
        }
        // What compared nothing has shown nothing.
        if level >= Level::Identical && self.compared.is_empty() {
            return Outcome::Unverified;
        }
        Outcome::Passed
    }
}
