//! The names of a repository: series, labels and parts.
//!
//! All match `[a-z0-9][a-z0-9_-]{0,62}`, so that no name can leave its folder, differ by letter case alone, or need
//! quoting in a shell.

use crate::error::{Error, Result, codes};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

fn check(kind: &str, text: &str) -> Result<()> {
    let bytes = text.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let valid = (1..=63).contains(&bytes.len())
        && plain(&bytes[0])
        && bytes.iter().all(|byte| plain(byte) || matches!(byte, b'-' | b'_'));
    if valid { Ok(()) } else { Err(Error::new(&codes::INVALID_NAME, format!("{text:?} is not a name for a {kind}"))) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $reserved:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks a name.
            pub fn new(text: impl Into<String>) -> Result<Self> {
                let text = text.into();
                check($kind, &text)?;
                let reserved: &[&str] = $reserved;
                if reserved.contains(&text.as_str()) {
                    return Err(Error::new(&codes::INVALID_NAME, format!("{text:?} is reserved and cannot name a {}", $kind))
                        .with_hint("choose another name"));
                }
                Ok($name(text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

name! {
    /// The backups of one database (or other source) under one name, e.g. `app`.
    Series, "series", &[]
}

name! {
    /// What a backup is for, e.g. `daily`; in the path, because buckets lock and expire by prefix.
    Label, "label", &[]
}

name! {
    /// One byte stream of a backup, e.g. `dump`. `keys` and `contents` are reserved.
    PartName, "part", &["keys", "contents"]
}

impl Default for Label {
    fn default() -> Self {
        Label("manual".into())
    }
}

impl Label {
    /// The reserved label of safety backups, which are made of a live database just before a restore replaces it. They hold what somebody wanted to be
    /// rid of, and come when a restore does: so they are never `latest` unless this label is asked for, and say nothing about whether backups are made.
    pub fn safety() -> Self {
        Label("safety".into())
    }

    /// Whether it is the label of safety backups.
    pub fn is_safety(&self) -> bool {
        self.0 == "safety"
    }
}

impl PartName {
    /// A name that is written in the program itself, and so known to be valid; debug builds check it.
    pub fn from_static(name: &'static str) -> Self {
        debug_assert!(PartName::new(name).is_ok(), "{name} is not a part's name");
        PartName(name.into())
    }

    /// The sealed list of everything in the backup: the one part that backproof writes itself.
    pub fn contents() -> Self {
        PartName("contents".into())
    }

    /// Reads a part's name from a manifest, where `contents` is allowed.
    pub fn from_manifest(text: &str) -> Result<Self> {
        if text == "contents" { Ok(Self::contents()) } else { Self::new(text) }
    }
}
