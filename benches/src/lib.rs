//! Data for the benches: text and code as people wrote them, events as JSON, numbers with time stamps.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One segment of the default size.
pub const SEGMENT: usize = 16 << 20;

/// The kinds of data, by name, a segment of each.
pub fn kinds() -> [(&'static str, Vec<u8>); 3] {
    [("code", code()), ("json", json_events()), ("numbers", numbers())]
}

/// Rust sources: those that cargo has unpacked to build this, or else our own, over and over.
fn code() -> Vec<u8> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let mut bytes = Vec::with_capacity(SEGMENT);
    if let Some(home) = home {
        gather(&home.join("registry/src"), &mut bytes);
    }
    while bytes.len() < SEGMENT {
        gather(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")), &mut bytes);
    }
    bytes.truncate(SEGMENT);
    bytes
}

fn gather(folder: &Path, bytes: &mut Vec<u8>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        if bytes.len() >= SEGMENT {
            return;
        }
        if path.is_dir() && !path.ends_with("target") {
            gather(&path, bytes);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            // Bindings that a program wrote are no code of the common kind.
            bytes.extend(std::fs::read(&path).ok().filter(|text| text.len() < 200_000).unwrap_or_default());
        }
    }
}

/// A sequence without pattern, the same in every run (xorshift64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }
}

/// Rows of a jsonb column as COPY writes them.
fn json_events() -> Vec<u8> {
    const KINDS: [&str; 5] = ["view", "view", "search", "basket", "checkout"];
    let mut chance = Chance(1);
    let mut text = String::with_capacity(SEGMENT + 1024);
    for id in 0_u64.. {
        if text.len() >= SEGMENT {
            break;
        }
        let (kind, at) = (KINDS[chance.below(5) as usize], 1_789_000_000_000 + id * 11_000 + chance.below(10_000));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{id}\t{{\"at\": {at}, \"ok\": true, \"path\": \"/{kind}/{}\", \"client\": {{\"ip\": \"10.{}.{}.{}\", \"agent\": \"Shop/4.{} (Android 15; de-CH)\"}}, \
             \"session\": \"{:016x}\", \"timing\": {{\"dns\": {}.{}, \"ttfb\": {}}}}}",
            chance.below(5000),
            chance.below(13),
            chance.below(256),
            chance.below(256),
            chance.below(4),
            (id / 9).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            chance.below(20),
            chance.below(10),
            30 + chance.below(400),
        );
    }
    cut(text)
}

/// Readings of sensors as COPY writes them.
fn numbers() -> Vec<u8> {
    let mut chance = Chance(2);
    let mut text = String::with_capacity(SEGMENT + 1024);
    for id in 0_u64.. {
        if text.len() >= SEGMENT {
            break;
        }
        let second = id / 20 * 30;
        let celsius = 4.0 + 3.0 * (id as f64 / 14_400.0 + (id % 20) as f64).sin() + chance.below(250) as f64 / 1000.0;
        let _ = writeln!(
            text,
            "{}\t2026-10-{:02} {:02}:{:02}:{:02}+00\t{celsius:.3}\t{}.{}\t23{}.{:03}\tf",
            id % 20,
            1 + second / 86_400 % 31,
            second / 3600 % 24,
            second / 60 % 60,
            second % 60,
            40 + chance.below(40),
            chance.below(10),
            chance.below(4),
            chance.below(1000),
        );
    }
    cut(text)
}

fn cut(text: String) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    bytes.truncate(SEGMENT);
    bytes
}

/// An archive to parse: the file that `BACKPROOF_BENCH_DUMP` names (`pg_dump -Fc -Z0`), or a small one of the tests.
pub fn archive() -> std::io::Result<Vec<u8>> {
    match std::env::var_os("BACKPROOF_BENCH_DUMP").filter(|value| !value.is_empty()) {
        Some(path) => std::fs::read(path),
        None => std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../backup-postgres/tests/archives/rich-15.dump")),
    }
}
