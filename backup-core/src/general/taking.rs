//! What targets that take one part have in common: which part, and whether all of it came.

use crate::error::{Error, Result, codes};
use crate::monitor::{Event, Monitor};
use crate::names::PartName;
use crate::pipeline::read::PartStream;
use crate::target::Restorable;
use bytes::Bytes;

/// The part that is meant: the one that was named, or the only one beside `contents`.
pub(super) fn choose(backup: &dyn Restorable, wanted: Option<&PartName>) -> Result<PartName> {
    let parts: Vec<&str> =
        backup.manifest().parts.iter().map(|part| part.name.as_str()).filter(|name| *name != "contents").collect();
    match (wanted, parts.as_slice()) {
        (Some(wanted), parts) if parts.contains(&wanted.as_str()) => Ok(wanted.clone()),
        (Some(wanted), _) => {
            Err(Error::new(&codes::PART_NOT_FOUND, format!("backup {} has no part {wanted}", backup.manifest().id)))
        }
        (None, [part]) => PartName::new(*part),
        (None, parts) => Err(Error::new(
            &codes::PART_NOT_FOUND,
            format!(
                "backup {} has {} parts, and one goes here: {}",
                backup.manifest().id,
                parts.len(),
                parts.join(", ")
            ),
        )
        .with_hint("name the part")),
    }
}

/// The bytes of one part, counted, so that a stream that ends early is not taken for the whole.
pub(super) struct Taking<'a> {
    stream: PartStream,
    part: PartName,
    expected: u64,
    pub(super) bytes: u64,
    monitor: &'a dyn Monitor,
}

impl<'a> Taking<'a> {
    pub(super) async fn open(backup: &dyn Restorable, part: &PartName, monitor: &'a dyn Monitor) -> Result<Self> {
        let entry = backup.manifest().parts.iter().find(|entry| entry.name == part.as_str());
        let expected = entry.map(|entry| entry.plain_bytes).unwrap_or_default();
        let stream = backup.open(part).await?;
        monitor.event(Event::PartStarted { part: part.clone(), expected: Some(expected) });
        Ok(Taking { stream, part: part.clone(), expected, bytes: 0, monitor })
    }

    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.stream.next().await? {
            Some(piece) => {
                self.bytes += piece.len() as u64;
                self.monitor.event(Event::Progress { plain: piece.len() as u64, stored: 0 });
                Ok(Some(piece))
            }
            None if self.bytes == self.expected => {
                self.monitor.event(Event::PartFinished { part: self.part.clone(), plain: self.bytes, stored: 0 });
                Ok(None)
            }
            None => Err(Error::new(
                &codes::PART_INVALID,
                format!("part {} ends after {} bytes of {}", self.part, self.bytes, self.expected),
            )),
        }
    }
}
