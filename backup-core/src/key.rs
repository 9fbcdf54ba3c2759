//! Keys of objects in a store: relative paths that cannot leave the repository.

use crate::error::{Error, Result, codes};
use std::fmt;

/// The key of an object, relative to the repository: segments of `[A-Za-z0-9._-]` with `/` between them.
///
/// Never empty, never absolute, no `.` or `..` segment, at most 512 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Checks a key.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let segment = |segment: &str| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        };
        if text.len() <= 512 && text.split('/').all(segment) {
            Ok(ObjectKey(text))
        } else {
            Err(Error::new(&codes::INVALID_NAME, format!("{text:?} is not an object key")))
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for ObjectKey {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}
