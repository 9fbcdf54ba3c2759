//! The processor time of each stage of a backup, single-threaded, over a file: `stage-seconds FILE [LEVEL]` prints rows of a
//! table in Markdown. `make bench` gives it the demo's dump.
//!
//! The stages are those of the pipeline's encoder, in segments of 16 MiB, one after the other on one thread; its time alone counts, so
//! other load on the machine matters little.

use backproof::core::digest::{Blake3, Sha256};
use backproof::core::id::BackupId;
use backproof::core::pipeline::PipelineOptions;
use backproof::crypto::keygen::AgeKey;
use backproof::postgres::archive::ArchiveObserver;
use benches::SEGMENT;
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

const MIB: f64 = (1 << 20) as f64;
const STAGES: [(&str, &str); 7] = [
    ("read", "read the dump from the file"),
    ("parse", "parse the archive as it passes"),
    ("hash", "BLAKE3 of the plaintext"),
    ("compress", "zstd"),
    ("decode", "decode again and compare"),
    ("encrypt", "age"),
    ("sha256", "SHA-256 of what is stored"),
];

/// The processor time of this thread so far, in seconds.
fn now() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Processor time by stage.
struct Stages([f64; STAGES.len()]);

impl Stages {
    fn time<T>(&mut self, name: &str, run: impl FnOnce() -> T) -> T {
        let before = now();
        let result = black_box(run());
        let stage = STAGES.iter().position(|(stage, _)| *stage == name).expect("a stage that is listed");
        self.0[stage] += now() - before;
        result
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let mut file = File::open(args.next().ok_or("say stage-seconds FILE [LEVEL]")?)?;
    let level = match args.next() {
        Some(level) => level.to_string_lossy().parse()?,
        None => PipelineOptions::default().level,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let id: BackupId = "20261120T020000Z-7f3a9c51d2e8b604".parse()?;
    let recipients = runtime.block_on(backproof::recipients([AgeKey::generate().recipient()]))?;
    let cipher = runtime.block_on(recipients.new_key(&id))?.cipher;
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    compressor.include_checksum(true)?;
    let mut decoder = Decoder::new()?;
    let mut observer = ArchiveObserver::new();

    let mut stages = Stages([0.0; STAGES.len()]);
    let mut plain = Vec::with_capacity(SEGMENT);
    let mut compressed = Vec::with_capacity(zstd::zstd_safe::compress_bound(SEGMENT));
    let mut sealed = Vec::with_capacity(cipher.max_sealed_len(compressed.capacity()));
    let mut window = vec![0; 128 << 10];
    let (mut total, mut stored) = (0u64, 0u64);
    loop {
        plain.clear();
        stages.time("read", || file.by_ref().take(SEGMENT as u64).read_to_end(&mut plain))?;
        if plain.is_empty() {
            break;
        }
        stages.time("parse", || plain.chunks(1 << 20).try_for_each(|chunk| observer.feed(chunk)))?;
        stages.time("hash", || Blake3::of(&plain));
        compressed.clear();
        stages.time("compress", || compressor.compress_to_buffer(&plain, &mut compressed))?;
        let same = stages.time("decode", || decodes_to(&mut decoder, &compressed, &plain, &mut window))?;
        assert!(same, "zstd gave something else back");
        stages.time("encrypt", || cipher.seal(&compressed, &mut sealed))?;
        stages.time("sha256", || Sha256::of(&sealed));
        total += plain.len() as u64;
        stored += sealed.len() as u64;
    }
    let mib = total as f64 / MIB;
    println!("| stage | CPU seconds | ms per MiB of dump | share |");
    println!("| --- | --- | --- | --- |");
    let all: f64 = stages.0.iter().sum();
    for ((name, what), seconds) in STAGES.iter().zip(stages.0) {
        println!("| {name}: {what} | {seconds:.3} | {:.3} | {:.0} % |", seconds * 1e3 / mib, 100.0 * seconds / all);
    }
    println!("| all | {all:.3} | {:.3} | 100 % |", all * 1e3 / mib);
    println!("\n{mib:.0} MiB of dump, {:.0} MiB stored, zstd level {level}, one thread.", stored as f64 / MIB);
    Ok(())
}

/// Decodes through a small window and compares, as the pipeline does.
fn decodes_to(decoder: &mut Decoder<'_>, compressed: &[u8], plain: &[u8], window: &mut [u8]) -> std::io::Result<bool> {
    decoder.reinit()?;
    let mut input = InBuffer::around(compressed);
    let mut expected = plain;
    loop {
        let mut output = OutBuffer::around(&mut *window);
        let remaining = decoder.run(&mut input, &mut output)?;
        let decoded = output.as_slice();
        match expected.strip_prefix(decoded) {
            Some(rest) => expected = rest,
            None => return Ok(false),
        }
        if remaining == 0 || (decoded.is_empty() && input.pos() == compressed.len()) {
            return Ok(remaining == 0 && expected.is_empty());
        }
    }
}
