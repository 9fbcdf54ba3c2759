//! How deeply a backup is proven, and what came of it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How deeply a backup is proven. Each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The manifest (rightly signed, where signers are trusted), every segment and at least one valid key file are there, in
    /// their sizes.
    Present,
    /// The stored bytes hash as the manifest says.
    Intact,
    /// Every segment decrypts, decompresses and hashes as recorded at backup time, and the data parses to its end.
    Readable,
    /// Restored into a scratch cluster without error.
    Restorable,
    /// The restored database has the same contents.
    Identical,
}

impl Level {
    /// All levels, the shallowest first.
    pub const ALL: [Level; 5] = [Level::Present, Level::Intact, Level::Readable, Level::Restorable, Level::Identical];

    /// The level's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Present => "present",
            Level::Intact => "intact",
            Level::Readable => "readable",
            Level::Restorable => "restorable",
            Level::Identical => "identical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Level {
    type Err = crate::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Level::ALL.into_iter().find(|level| level.as_str() == text).ok_or_else(|| {
            crate::Error::new(&crate::error::codes::INVALID_ARGUMENT, format!("{text:?} is not a level"))
                .with_hint("the levels are present, intact, readable, restorable and identical")
        })
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was checked, and holds.
    Passed,
    /// It could not be checked: never a pass.
    Unverified,
    /// It was checked, and does not hold.
    Failed,
}

impl Outcome {
    /// The outcome's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Unverified => "unverified",
            Outcome::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
