//! How much memory the pipeline may use, and what that pays for.

use crate::error::{Error, Result, codes};
use crate::repository::manifest::Compression;
use std::time::Duration;

/// One mebibyte.
pub const MIB: u64 = 1 << 20;

/// What a worker needs beside its buffers: the contexts of the compressor and of the decoder that checks it.
const CONTEXTS: u64 = 8 * MIB;

/// Uploads under way at once, at the most: more than the workers, so that a slow store does not hold them up.
const UPLOADS_BEYOND_WORKERS: u64 = 4;

/// How a pipeline cuts, compresses and stores. The defaults suit a backup on a small machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PipelineOptions {
    /// Bytes of plaintext per segment: 16 MiB by default, 1 MiB to 256 MiB.
    pub segment_bytes: u64,
    /// zstd by default.
    pub compression: Compression,
    /// The zstd level, 1 to 19; [`DEFAULT_LEVEL`] by default.
    pub level: i32,
    /// Workers; by default the number of cores plus one, or fewer where the budget is small.
    pub workers: Option<usize>,
    /// The memory budget in bytes, for buffers, queues, contexts and uploads together: 256 MiB by default.
    pub memory: u64,
    /// How long one upload may take before the backup fails and frees its snapshot: 15 minutes by default.
    pub max_stall: Duration,
}

/// The zstd level of new backups. docs/benchmarks.md has the measurements behind it.
pub const DEFAULT_LEVEL: i32 = 1;

impl Default for PipelineOptions {
    fn default() -> Self {
        PipelineOptions {
            segment_bytes: 16 * MIB,
            compression: Compression::Zstd,
            level: DEFAULT_LEVEL,
            workers: None,
            memory: 256 * MIB,
            max_stall: Duration::from_secs(15 * 60),
        }
    }
}

impl PipelineOptions {
    pub(crate) fn check(&self) -> Result<()> {
        if !(MIB..=256 * MIB).contains(&self.segment_bytes) {
            return Err(Error::new(
                &codes::INVALID_ARGUMENT,
                format!("a segment of {} bytes is not possible", self.segment_bytes),
            )
            .with_hint("segments have 1 MiB to 256 MiB (1048576 to 268435456 bytes)"));
        }
        if !(1..=19).contains(&self.level) {
            return Err(Error::new(&codes::INVALID_ARGUMENT, format!("{} is not a zstd level", self.level))
                .with_hint("levels go from 1 (fastest) to 19 (smallest)"));
        }
        if self.workers == Some(0) {
            return Err(Error::new(&codes::INVALID_ARGUMENT, "0 workers can do no work")
                .with_hint("leave it out, or say 1 or more"));
        }
        Ok(())
    }

    fn wanted_workers(&self) -> u64 {
        let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
        self.workers.unwrap_or(cores + 1).min(256) as u64
    }
}

/// What a budget pays for when writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteBudget {
    /// Segments that are hashed, compressed and encrypted at once.
    pub(crate) workers: usize,
    /// Buffers of plaintext: one per worker, one being filled, one for `contents`.
    pub(crate) plain: usize,
    /// Buffers of sealed bytes: being written by workers or on their way to the store.
    pub(crate) sealed: usize,
}

impl WriteBudget {
    /// `sealed` is the greatest size of a sealed segment.
    pub(crate) fn plan(options: &PipelineOptions, sealed: u64) -> Result<Self> {
        options.check()?;
        let segment = options.segment_bytes;
        // A worker: its plaintext, its compressed bytes, its contexts, one sealed buffer. Beside them: one plaintext buffer
        // that is being filled and one that gathers `contents`.
        let worker = 2 * segment + sealed + CONTEXTS;
        let fixed = 2 * segment;
        let least = fixed + worker;
        if options.memory < least {
            return Err(too_small(options, least));
        }
        let workers = ((options.memory - fixed) / worker).min(options.wanted_workers());
        let left = options.memory - fixed - workers * worker;
        let uploads = (left / sealed).min(UPLOADS_BEYOND_WORKERS);
        Ok(WriteBudget { workers: workers as usize, plain: workers as usize + 2, sealed: (workers + uploads) as usize })
    }
}

/// What a budget pays for when reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadBudget {
    /// Segments that are checked and opened at once.
    pub(crate) workers: usize,
    /// Segments under way at once, from the request to the delivery.
    pub(crate) ahead: usize,
}

impl ReadBudget {
    /// The least memory that reads segments of this size.
    pub(crate) fn least(segment: u64, sealed: u64) -> u64 {
        // A worker's compressed bytes and contexts; a segment under way: as fetched, and as plaintext. One more piece of
        // plaintext is with the consumer.
        segment + (sealed + CONTEXTS) + (sealed + segment)
    }

    /// What is read ahead hides how long a distant store takes to answer. A local one answers at once, and a buffer less is
    /// faster: its memory is never touched.
    pub(crate) fn plan(options: &PipelineOptions, sealed: u64, local: bool) -> Result<Self> {
        options.check()?;
        let segment = options.segment_bytes;
        let worker = sealed + CONTEXTS;
        let ahead = sealed + segment;
        let least = Self::least(segment, sealed);
        if options.memory < least {
            return Err(too_small(options, least));
        }
        let workers = ((options.memory - segment) / (worker + ahead)).min(options.wanted_workers());
        let left = options.memory - segment - workers * (worker + ahead);
        let wanted = if local { 1 } else { UPLOADS_BEYOND_WORKERS };
        let more = (left / ahead).min(wanted);
        Ok(ReadBudget { workers: workers as usize, ahead: (workers + more) as usize })
    }
}

fn too_small(options: &PipelineOptions, least: u64) -> Error {
    let mib = |bytes: u64| bytes.div_ceil(MIB);
    // The need is close to linear in the segment's size.
    let fits = (options.memory.saturating_sub(CONTEXTS) / 6) / MIB;
    let mut hint = format!("give at least {} MiB", mib(least));
    if fits >= 1 {
        hint.push_str(&format!(", or segments of at most {fits} MiB"));
    }
    Error::new(
        &codes::BUDGET_TOO_SMALL,
        format!(
            "a memory budget of {} MiB does not hold one segment of {} MiB",
            options.memory / MIB,
            mib(options.segment_bytes)
        ),
    )
    .with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(memory_mib: u64, segment_mib: u64) -> PipelineOptions {
        PipelineOptions {
            memory: memory_mib * MIB,
            segment_bytes: segment_mib * MIB,
            workers: Some(3),
            ..Default::default()
        }
    }

    /// A sealed segment is a little larger than its plaintext in the worst case.
    fn sealed(options: &PipelineOptions) -> u64 {
        options.segment_bytes + options.segment_bytes / 200 + 4096
    }

    #[test]
    fn the_default_budget_feeds_three_workers_and_uploads_beside_them() {
        let options = options(256, 16);
        let budget = WriteBudget::plan(&options, sealed(&options)).unwrap();
        assert_eq!(budget.workers, 3);
        assert!(budget.sealed > budget.workers, "{budget:?}");
    }

    #[test]
    fn what_is_planned_never_exceeds_the_budget() {
        for memory in (1..400).step_by(3) {
            for segment in [1, 2, 5, 16, 33, 64] {
                let options = options(memory, segment);
                let sealed = sealed(&options);
                if let Ok(plan) = WriteBudget::plan(&options, sealed) {
                    let used = plan.plain as u64 * options.segment_bytes
                        + plan.sealed as u64 * sealed
                        + plan.workers as u64 * (options.segment_bytes + CONTEXTS);
                    assert!(used <= options.memory, "{memory} MiB, {segment} MiB: {plan:?} uses {used}");
                    assert!(plan.workers >= 1 && plan.sealed >= plan.workers);
                }
                if let Ok(plan) = ReadBudget::plan(&options, sealed, false) {
                    assert!(plan.workers >= 1 && plan.ahead >= plan.workers);
                }
            }
        }
    }

    #[test]
    fn a_budget_below_one_segment_says_what_would_fit() {
        let small = options(40, 16);
        let error = WriteBudget::plan(&small, sealed(&small)).unwrap_err();
        assert!(error.is(&codes::BUDGET_TOO_SMALL));
        // What the hint proposes must work.
        let numbers: Vec<u64> =
            error.hint().split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
        let enough = options(numbers[0], 16);
        WriteBudget::plan(&enough, sealed(&enough)).unwrap();
        let smaller = options(40, numbers[1]);
        WriteBudget::plan(&smaller, sealed(&smaller)).unwrap();
    }

    #[test]
    fn segments_outside_their_bounds_are_refused() {
        for segment_bytes in [0, MIB - 1, 256 * MIB + 1] {
            let options = PipelineOptions { segment_bytes, memory: u64::MAX / 4, ..Default::default() };
            assert!(WriteBudget::plan(&options, segment_bytes + 1).unwrap_err().is(&codes::INVALID_ARGUMENT));
        }
        for segment_bytes in [MIB, 256 * MIB] {
            let options = PipelineOptions { segment_bytes, memory: u64::MAX / 4, ..Default::default() };
            WriteBudget::plan(&options, segment_bytes + 1).unwrap();
        }
    }
}
