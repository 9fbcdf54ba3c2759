//! The marker `backproof.json`: what makes a prefix a repository.

use super::{json, layout};
use crate::error::{Error, Result, codes};
use crate::key::ObjectKey;
use crate::sink::{Capabilities, Sink, SinkExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The contents of `backproof.json`.
///
/// Anyone who can write to the store can change it, so nothing that protects readers is taken from it: recipients never, and
/// the installation id only where no signers are trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The repository format, 1.
    pub format: u32,
    /// `repository`: what this document is.
    pub kind: String,
    /// What a reader must understand beyond the format.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Shared by all copies of a repository.
    pub installation: String,
    /// This repository's own id.
    pub repository: String,
    /// When it was created, by the creator's clock.
    pub created: Timestamp,
    /// What the store was found to be able to do.
    pub store: Capabilities,
}

impl Marker {
    /// A marker for a new repository; `installation` is given when it is to be a copy of another one.
    pub fn new(installation: Option<String>, store: Capabilities) -> Result<Self> {
        let installation = match installation {
            Some(id) => id,
            None => format!("i-{}", crate::id::random_hex()?),
        };
        Ok(Marker {
            format: super::manifest::FORMAT,
            kind: "repository".into(),
            requires: Vec::new(),
            installation,
            repository: format!("r-{}", crate::id::random_hex()?),
            created: Timestamp::now(),
            store,
        })
    }

    /// Reads the marker of the repository in this sink.
    pub async fn read(sink: &dyn Sink) -> Result<Self> {
        let key = ObjectKey::new(layout::MARKER)?;
        let bytes = sink.read_small(&key, json::MAX_BYTES).await.map_err(|error| {
            if error.is(&codes::OBJECT_NOT_FOUND) {
                Error::new(&codes::NO_REPOSITORY, format!("there is no repository at {}", sink.location()))
            } else {
                error.context("read backproof.json")
            }
        })?;
        super::check_format(&bytes, "repository", layout::MARKER)?;
        json::parse(&bytes, layout::MARKER)
    }

    /// Writes it where there is none yet.
    pub(crate) async fn create(&self, sink: &dyn Sink) -> Result<()> {
        let key = ObjectKey::new(layout::MARKER)?;
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::new(&codes::INVALID_ARGUMENT, "write backproof.json").with_source(error))?;
        bytes.push(b'\n');
        sink.create_or_same(&key, bytes.into()).await.map_err(|error| {
            if error.is(&codes::ALREADY_EXISTS) {
                Error::new(&codes::REPOSITORY_EXISTS, format!("there is a repository at {} already", sink.location()))
            } else {
                error.context("write backproof.json")
            }
        })
    }
}
