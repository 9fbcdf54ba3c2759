//! Repository format 1: what lies where, and how it is read and written. docs/format.md describes every byte.

pub mod catalog;
pub mod contents;
pub mod document;
pub mod event;
pub mod json;
pub mod layout;
pub mod manifest;
pub mod marker;
pub(crate) mod restore_md;
pub mod stored;
pub mod sums;

use crate::error::{Error, Result, codes};
use crate::signature::TrustPolicy;
use crate::sink::Sink;
use jiff::Timestamp;
use marker::Marker;
use serde::Deserialize;
use std::sync::Arc;

/// How a reader or writer looks at a repository.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Whom to trust. Without it, signatures are not looked at, and every verdict says so.
    pub trust: Option<Arc<dyn TrustPolicy>>,
    /// The installation whose documents count. Required with [`trust`](OpenOptions::trust), since anyone who can write to the
    /// store can change the marker.
    pub installation: Option<String>,
    /// What the marker would say, from the configuration, for hosts that may only write: nothing is read.
    pub write_only: Option<Marker>,
}

/// A repository that was opened.
#[derive(Clone, Debug)]
pub struct Repository {
    sink: Arc<dyn Sink>,
    marker: Marker,
    trust: Option<Arc<dyn TrustPolicy>>,
    write_only: bool,
}

impl Repository {
    /// Makes a new, empty repository.
    pub async fn create(sink: Arc<dyn Sink>, marker: Marker) -> Result<Self> {
        marker.create(&*sink).await?;
        Ok(Repository { sink, marker, trust: None, write_only: false })
    }

    /// Opens an existing repository.
    pub async fn open(sink: Arc<dyn Sink>, options: OpenOptions) -> Result<Self> {
        let (mut marker, write_only) = match options.write_only {
            Some(marker) => (marker, true),
            None => (Marker::read(&*sink).await?, false),
        };
        match options.installation {
            Some(expected) if options.trust.is_none() && expected != marker.installation => {
                return Err(Error::new(
                    &codes::INVALID_DOCUMENT,
                    format!("{} is of installation {}, not {expected}", sink.location(), marker.installation),
                )
                .with_hint("check the repository's URL and `installation` in the configuration"));
            }
            Some(expected) => marker.installation = expected,
            None if options.trust.is_some() => {
                return Err(Error::new(&codes::INVALID_ARGUMENT, "trusted signers are set, but no installation id").with_hint(
                    format!(
                        "the marker says installation = {:?}; if that is yours, put it into [repository] in backproof.toml or \
                         into BACKPROOF_INSTALLATION",
                        marker.installation
                    ),
                ));
            }
            None => {}
        }
        Ok(Repository { sink, marker, trust: options.trust, write_only })
    }

    /// Where it is.
    pub fn sink(&self) -> &Arc<dyn Sink> {
        &self.sink
    }

    /// Its marker; where the configuration names the installation, that one.
    pub fn marker(&self) -> &Marker {
        &self.marker
    }

    /// Whom this reader trusts.
    pub fn trust(&self) -> Option<&Arc<dyn TrustPolicy>> {
        self.trust.as_ref()
    }

    /// Whether nothing may be read or listed.
    pub fn is_write_only(&self) -> bool {
        self.write_only
    }

    /// Now by the store's clock, and whether that is the store's own.
    pub fn now(&self) -> (Timestamp, bool) {
        match self.sink.clock() {
            Some(now) => (now, true),
            None => (Timestamp::now(), false),
        }
    }
}

/// What every document says first.
#[derive(Deserialize)]
struct Head {
    format: u32,
    kind: String,
    #[serde(default)]
    requires: Vec<String>,
}

/// What this version understands beyond the format's number.
const KNOWN_REQUIREMENTS: &[&str] = &[];

/// Refuses documents of another kind, of an unknown format, or that require something unknown.
pub(crate) fn check_format(bytes: &[u8], kind: &str, what: &str) -> Result<()> {
    let head: Head = json::parse(bytes, what)?;
    if head.format != manifest::FORMAT {
        return Err(Error::new(
            &codes::UNKNOWN_FORMAT,
            format!("{what} is of format {}; this version reads format {}", head.format, manifest::FORMAT),
        ));
    }
    if head.kind != kind {
        return Err(Error::new(&codes::INVALID_DOCUMENT, format!("{what} is a {:?}, not a {kind:?}", head.kind)));
    }
    if let Some(unknown) = head.requires.iter().find(|name| !KNOWN_REQUIREMENTS.contains(&name.as_str())) {
        return Err(Error::new(
            &codes::UNKNOWN_FORMAT,
            format!("{what} requires {unknown:?}, which this version does not know"),
        ));
    }
    Ok(())
}
