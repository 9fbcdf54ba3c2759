//! The stages of a backup, one thread each, on a segment of 16 MiB: `cargo bench -p benches [-- NAME]`.
#![allow(missing_docs)] // criterion's macros make public functions without docs

use backproof::core::cipher::{Cipher, KeySealer, NoEncryption};
use backproof::core::digest::{Blake3, Sha256};
use backproof::core::general::FileSource;
use backproof::core::id::BackupId;
use backproof::core::pipeline::PipelineOptions;
use backproof::core::probe::probe;
use backproof::core::repository::Repository;
use backproof::core::repository::marker::Marker;
use backproof::crypto::OpenpgpCipher;
use backproof::crypto::keygen::AgeKey;
use backproof::postgres::archive::ArchiveObserver;
use backproof::storage::StoreOptions;
use benches::{SEGMENT, archive, kinds};
use criterion::{BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

fn sealer(runtime: &tokio::runtime::Runtime) -> Arc<dyn KeySealer> {
    runtime.block_on(backproof::recipients([AgeKey::generate().recipient()])).expect("a recipient")
}

/// What zstd costs, at the levels that are sensible for a backup.
fn compress(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compress");
    group.throughput(Throughput::Bytes(SEGMENT as u64)).sampling_mode(SamplingMode::Flat).sample_size(10);
    for (kind, data) in kinds() {
        for level in [1, 2, 3] {
            let mut compressor = zstd::bulk::Compressor::new(level).expect("zstd");
            compressor.include_checksum(true).expect("zstd");
            let mut out = Vec::with_capacity(zstd::zstd_safe::compress_bound(SEGMENT));
            group.bench_function(BenchmarkId::new(format!("level {level}"), kind), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    compressor.compress_to_buffer(&data, &mut out).expect("compresses")
                });
            });
        }
    }
    group.finish();
}

/// What the digests cost, over plaintext and over what is stored.
fn hash(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hash");
    group.throughput(Throughput::Bytes(SEGMENT as u64)).sample_size(20);
    let [(_, data), ..] = kinds();
    group.bench_function("BLAKE3", |bencher| bencher.iter(|| Blake3::of(black_box(&data))));
    group.bench_function("SHA-256", |bencher| bencher.iter(|| Sha256::of(black_box(&data))));
    group.finish();
}

/// What encryption costs, both ways. The data are as they come, since ciphers do not care.
fn seal_and_open(criterion: &mut Criterion) {
    let runtime = runtime();
    let id: BackupId = "20261120T020000Z-7f3a9c51d2e8b604".parse().expect("an id");
    let age = runtime.block_on(sealer(&runtime).new_key(&id)).expect("a backup key").cipher;
    let openpgp: Arc<dyn Cipher> = Arc::new(OpenpgpCipher::new("0123456789abcdef".repeat(4).into()));
    let [(_, data), ..] = kinds();
    for (name, cipher) in [("age", age), ("OpenPGP", openpgp)] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(SEGMENT as u64)).sample_size(20);
        let mut sealed = Vec::with_capacity(cipher.max_sealed_len(SEGMENT));
        let mut opened = Vec::with_capacity(cipher.max_sealed_len(SEGMENT));
        group.bench_function("seal", |bencher| bencher.iter(|| cipher.seal(&data, &mut sealed).expect("seals")));
        cipher.seal(&data, &mut sealed).expect("seals");
        group.bench_function("open", |bencher| {
            bencher.iter(|| cipher.open(&sealed, SEGMENT, &mut opened).expect("opens"))
        });
        group.finish();
    }
}

/// A whole backup of four segments by one worker into memory: hashed, compressed, checked, sealed, hashed, stored, published.
fn encode(criterion: &mut Criterion) {
    const SEGMENTS: usize = 4;
    let runtime = runtime();
    let sealer = sealer(&runtime);
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Bytes((SEGMENTS * SEGMENT) as u64)).sampling_mode(SamplingMode::Flat).sample_size(10);
    group.measurement_time(Duration::from_secs(8));
    for (kind, data) in kinds() {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        for _ in 0..SEGMENTS {
            file.write_all(&data).expect("writes");
        }
        for level in [1, 2, 3] {
            for (how, sealer) in [("age", sealer.clone()), ("plain", Arc::new(NoEncryption) as Arc<dyn KeySealer>)] {
                if how == "plain" && level != 1 {
                    continue; // what encryption adds does not depend on the level
                }
                let mut options = PipelineOptions::default();
                options.level = level;
                options.workers = Some(1);
                group.bench_function(BenchmarkId::new(format!("{how}, level {level}"), kind), |bencher| {
                    bencher.iter_batched(
                        || runtime.block_on(repository()),
                        |repository| {
                            let source = Arc::new(FileSource::new(file.path()));
                            let backup = repository.backup("bench".parse().expect("a name"), source);
                            let backup = backup.seal(sealer.clone()).options(options.clone());
                            runtime.block_on(backup.run()).expect("a backup")
                        },
                        BatchSize::PerIteration,
                    );
                });
            }
        }
    }
    group.finish();
}

async fn repository() -> Repository {
    let sink = backproof::storage::open("memory:///", &StoreOptions::default()).await.expect("a store in memory");
    let probed = probe(&*sink).await.expect("a probed store");
    let marker = Marker::new(None, probed.capabilities).expect("a marker");
    Repository::create(sink, marker).await.expect("a repository")
}

/// What looking at the archive costs as it passes.
fn parse(criterion: &mut Criterion) {
    let data = archive().expect("an archive");
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Bytes(data.len() as u64)).sample_size(20);
    group.bench_function("archive", |bencher| {
        bencher.iter(|| {
            let mut observer = ArchiveObserver::new();
            for chunk in data.chunks(1 << 20) {
                observer.feed(chunk).expect("an archive");
            }
            observer.survey().expect("a complete archive")
        });
    });
    group.finish();
}

criterion_group!(stages, hash, compress, seal_and_open, encode, parse);
criterion_main!(stages);
