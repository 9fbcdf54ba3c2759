//! Backup ids: the second of the snapshot and 64 random bits, e.g. `20261120T020000Z-7f3a9c51d2e8b604`.

use crate::error::{Error, Result, codes};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The id of a backup. Sorts by the time of its snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct BackupId(String);

const TIME: &str = "%Y%m%dT%H%M%SZ";
const TIME_LEN: usize = 16;

impl BackupId {
    /// A fresh id for a snapshot taken at this time.
    pub fn generate(snapshot: Timestamp) -> Result<Self> {
        Ok(BackupId(format!("{}-{}", snapshot.strftime(TIME), random_hex()?)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The second of the snapshot, UTC.
    pub fn time(&self) -> Timestamp {
        parse_time(&self.0[..TIME_LEN]).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// 64 random bits in hex: what makes ids and event names unique.
pub fn random_hex() -> Result<String> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::new(&codes::IO, format!("read random bytes: {error}")))?;
    Ok(hex::encode(bytes))
}

fn parse_time(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime(TIME, text).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

impl FromStr for BackupId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let valid = text.len() == TIME_LEN + 1 + 16
            && text.is_ascii()
            && text.as_bytes()[TIME_LEN] == b'-'
            && text[TIME_LEN + 1..].bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && parse_time(&text[..TIME_LEN]).is_some_and(|time| time.strftime(TIME).to_string() == text[..TIME_LEN]);
        if valid {
            Ok(BackupId(text.into()))
        } else {
            Err(Error::new(&codes::INVALID_NAME, format!("{text:?} is not a backup id"))
                .with_hint("an id looks like 20261120T020000Z-7f3a9c51d2e8b604; `backproof list` shows them"))
        }
    }
}

impl TryFrom<String> for BackupId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> String {
        id.0
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
