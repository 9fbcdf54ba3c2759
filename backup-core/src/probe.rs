//! What a store really does, found out by trying: `init` records it in the repository's marker.

use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::id::random_hex;
use crate::key::ObjectKey;
use crate::sink::{Capabilities, Sink};
use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How many creators of one key there are at once, and how often that is tried.
const CREATORS: usize = 8;
const ROUNDS: usize = 4;
/// The size of the objects: some network packets, so that creators at once really overlap.
const SIZE: usize = 48 * 1024;
/// A skew above this is worth a warning, and would confuse `latest`.
const LARGEST_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What [`probe`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeReport {
    /// What the store can do, with these credentials.
    pub capabilities: Capabilities,
    /// Whether an object can be replaced with these credentials.
    pub can_replace: bool,
    /// Whether an object can be deleted with these credentials.
    pub can_delete: bool,
    /// How far the store's clock is ahead of ours (negative: behind), to about a second. `None` if the store has not told.
    pub clock_skew: Option<SignedDuration>,
    /// The probe's own objects that are still there, because these credentials may not delete them.
    pub left: Vec<ObjectKey>,
}

impl ProbeReport {
    /// What a repository in this store has to do without, in sentences for people. Empty for a store that can do all.
    pub fn lost(&self) -> Vec<&'static str> {
        let can = &self.capabilities;
        [
            (!can.create_if_absent).then_some(
                "create-if-absent: two writers at once can overwrite each other's objects unnoticed, so only one may write to \
                 this repository, at one time",
            ),
            (!can.ranged_reads).then_some("ranged reads: every object is read as a whole, even where a part would do"),
            (!can.consistent_listing).then_some(
                "consistent listing: a backup may not be listed right after it was made, or still be after it was deleted",
            ),
            (!can.upload_checksums).then_some(
                "checksums on upload: the store does not notice when an object changes on its way to it; verify does",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Whether the clocks differ by more than five minutes.
    pub fn skew_is_large(&self) -> bool {
        self.clock_skew.is_some_and(|skew| skew.abs() > LARGEST_SKEW)
    }
}

/// Tries what a repository relies on, under `probes/<unique>/`, and deletes what it made, where it may.
///
/// It creates, reads and lists, so credentials that may only put cannot run it: the one who sets up the repository does.
///
/// # Errors
/// Those of the sink, if creating, reading or listing is not possible at all;
/// [`UNSUPPORTED_BY_STORE`](codes::UNSUPPORTED_BY_STORE) if the store does not give back what was put into it. What may be
/// deleted is deleted then too.
pub async fn probe(sink: &dyn Sink) -> Result<ProbeReport> {
    let mut probe = Probe { sink, root: format!("probes/{}", random_hex()?), made: Vec::new() };
    let found = probe.run().await;
    let left = probe.clean().await;
    let mut report = found?;
    report.left = left;
    Ok(report)
}

struct Probe<'a> {
    sink: &'a dyn Sink,
    root: String,
    made: Vec<ObjectKey>,
}

impl Probe<'_> {
    async fn run(&mut self) -> Result<ProbeReport> {
        let ranged_reads = self.reads().await?;
        let create_if_absent = self.creates_if_absent().await?;
        let upload_checksums = self.checks_checksums().await?;
        let can_replace = self.replaces().await?;
        let (can_delete, consistent_listing) = self.lists_and_deletes().await?;
        let clock_skew = self.sink.clock().map(|clock| clock.duration_since(Timestamp::now()));
        let capabilities = Capabilities {
            create_if_absent,
            append_only: !can_replace && !can_delete,
            ranged_reads,
            consistent_listing,
            upload_checksums,
        };
        Ok(ProbeReport { capabilities, can_replace, can_delete, clock_skew, left: Vec::new() })
    }

    /// The key of one of the probe's objects, noted for the cleaning up.
    fn key(&mut self, name: &str) -> Result<ObjectKey> {
        let key = ObjectKey::new(format!("{}/{name}", self.root))?;
        self.made.push(key.clone());
        Ok(key)
    }

    async fn create(&self, key: &ObjectKey, data: &Bytes) -> Result<()> {
        self.sink.create(key, data.clone(), Sha256::of(data)).await
    }

    /// Whether parts of an object can be read; that the whole can is required.
    async fn reads(&mut self) -> Result<bool> {
        let key = self.key("read")?;
        let data = pattern(0);
        self.create(&key, &data).await.map_err(doing("create an object"))?;
        let found = self.sink.read(&key, None).await.map_err(doing("read an object"))?;
        if found != data {
            return Err(Error::new(
                &codes::UNSUPPORTED_BY_STORE,
                format!("{} gave back other bytes than were put into {key}", self.sink.location()),
            ));
        }
        match self.sink.read(&key, Some(1_000..2_000)).await {
            Ok(part) => Ok(part == data.slice(1_000..2_000)),
            Err(error) if error.is_transient() => Err(doing("read a part of an object")(error)),
            Err(_) => Ok(false),
        }
    }

    /// Whether a second creator fails, one after the other and many at once, and changes nothing.
    async fn creates_if_absent(&mut self) -> Result<bool> {
        let key = self.key("second")?;
        let (first, second) = (pattern(1), pattern(2));
        self.create(&key, &first).await.map_err(doing("create an object"))?;
        let kept = match self.create(&key, &second).await {
            Ok(()) => false,
            Err(error) if error.is(&codes::ALREADY_EXISTS) => self.sink.read(&key, None).await? == first,
            Err(error) => return Err(doing("create an object that exists")(error)),
        };
        if !kept {
            return Ok(false);
        }
        for round in 0..ROUNDS {
            let key = self.key(&format!("race-{round}"))?;
            let offers: Vec<Bytes> = (0..CREATORS).map(|number| pattern(10 + number)).collect();
            let mut winners = Vec::new();
            for (answer, offer) in
                join_all(offers.iter().map(|offer| self.create(&key, offer))).await.into_iter().zip(&offers)
            {
                match answer {
                    Ok(()) => winners.push(offer),
                    Err(error) if error.is(&codes::ALREADY_EXISTS) => {}
                    Err(error) => return Err(doing("create an object by eight creators at once")(error)),
                }
            }
            let found = self.sink.read(&key, None).await.map_err(doing("read an object"))?;
            let sound = match winners[..] {
                // The answer to the winner was lost, and it was told "exists" when it asked again.
                [] => offers.contains(&found),
                [winner] => *winner == found,
                _ => false,
            };
            if !sound {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the store refuses an object whose checksum is not the one that came with it.
    async fn checks_checksums(&mut self) -> Result<bool> {
        let key = self.key("checksum")?;
        match self.sink.create(&key, pattern(3), Sha256::of(b"something else")).await {
            Ok(()) => Ok(false),
            Err(error) if error.is(&codes::ACCESS_DENIED) => {
                Err(doing("create an object with a wrong checksum")(error))
            }
            // A store that stumbles over a wrong checksum (500) is not known to check it; one that is away fails next.
            Err(error) => Ok(!error.is_transient()),
        }
    }

    /// Whether an object can be overwritten with these credentials.
    async fn replaces(&mut self) -> Result<bool> {
        let key = self.key("replace")?;
        let (first, second) = (pattern(4), pattern(5));
        self.create(&key, &first).await.map_err(doing("create an object"))?;
        match self.sink.replace(&key, second.clone()).await {
            Ok(()) => Ok(self.sink.read(&key, None).await.map_err(doing("read an object"))? != first),
            Err(error) if error.is_transient() => Err(doing("overwrite an object")(error)),
            Err(_) => Ok(false),
        }
    }

    /// Whether an object can be deleted with these credentials, and whether listings show what was written and deleted.
    async fn lists_and_deletes(&mut self) -> Result<(bool, bool)> {
        let (goes, stays) = (self.key("list/goes")?, self.key("list/stays")?);
        for key in [&goes, &stays] {
            self.create(key, &pattern(6)).await.map_err(doing("create an object"))?;
        }
        let both = BTreeMap::from([(goes.clone(), SIZE as u64), (stays.clone(), SIZE as u64)]);
        let mut consistent = self.list().await? == both;
        let deleted = match self.sink.delete(&goes).await {
            Ok(()) => true,
            Err(error) if error.is_transient() => return Err(doing("delete an object")(error)),
            Err(_) => false,
        };
        if deleted {
            consistent &= self.list().await? == BTreeMap::from([(stays, SIZE as u64)]);
            // A store that keeps objects may say that it deleted, and have hidden it at most.
            let gone = self.sink.read(&goes, None).await.is_err_and(|error| error.is(&codes::OBJECT_NOT_FOUND));
            return Ok((gone, consistent));
        }
        Ok((false, consistent))
    }

    async fn list(&self) -> Result<BTreeMap<ObjectKey, u64>> {
        let listed = self.sink.list(&format!("{}/list", self.root)).map_ok(|info| (info.key, info.size));
        listed.try_collect().await.map_err(doing("list objects"))
    }

    /// Deletes what was made; gives what is still there or may be.
    async fn clean(&mut self) -> Vec<ObjectKey> {
        let mut left = Vec::new();
        for key in std::mem::take(&mut self.made) {
            if self.sink.delete(&key).await.is_err() {
                match self.sink.stat(&key).await {
                    Err(error) if error.is(&codes::OBJECT_NOT_FOUND) => {}
                    _ => left.push(key),
                }
            }
        }
        left
    }
}

fn doing(what: &'static str) -> impl Fn(Error) -> Error {
    move |error| error.context(format!("probe the store: {what}"))
}

/// Bytes that differ from those of any other number at every place.
fn pattern(number: usize) -> Bytes {
    (0..SIZE).map(|at| (at.wrapping_mul(31) as u8) ^ (number as u8).wrapping_mul(37)).collect()
}
