//! SHA256SUMS: digests that `sha256sum -c --strict` checks, each after a comment with the size.
//!
//! ```text
//! # 16777432 00000000.zst.age
//! 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  00000000.zst.age
//! ```

use crate::digest::Sha256;
use crate::error::{Error, Result, codes};
use crate::key::ObjectKey;
use std::fmt::Write;

/// One line of a SHA256SUMS with the comment before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The file's name, relative to the folder of the SHA256SUMS.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// Writes a SHA256SUMS.
pub fn write<'a>(sums: impl Iterator<Item = (std::borrow::Cow<'a, str>, u64, Sha256)>) -> Vec<u8> {
    let mut text = String::new();
    for (name, bytes, sha256) in sums {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# {bytes} {name}\n{sha256}  {name}");
    }
    text.into_bytes()
}

/// Reads a SHA256SUMS entry by entry, and takes nothing that [`write()`] would not have written.
pub fn read<'a>(bytes: &'a [u8], what: &'a str) -> impl Iterator<Item = Result<Sum>> + 'a {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (sum, read) = first(rest, what);
        rest = if sum.is_ok() { &rest[read..] } else { &[] };
        Some(sum)
    })
}

/// The first entry, and how many bytes it takes.
pub(crate) fn first(bytes: &[u8], what: &str) -> (Result<Sum>, usize) {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let (comment, line) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let sum = parse(comment, line);
    let sum =
        sum.ok_or_else(|| Error::new(&codes::INVALID_DOCUMENT, format!("{what} is not a list of sums with sizes")));
    (sum, comment.len() + line.len())
}

fn parse(comment: &[u8], line: &[u8]) -> Option<Sum> {
    let text = |line: &'_ [u8]| Some(std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?.to_owned());
    let comment = text(comment)?;
    let line = text(line)?;
    let (bytes, name) = comment.strip_prefix("# ")?.split_once(' ')?;
    let (sha256, same) = line.split_once("  ")?;
    let sum = Sum { name: name.to_owned(), bytes: bytes.parse().ok()?, sha256: sha256.parse().ok()? };
    // Nothing but the canonical spelling: no sign or leading zero before the size, no other name in the second line.
    // The name is a path within the folder: no carriage return, nothing that `sha256sum` would escape.
    (same == name && sum.bytes.to_string() == bytes && ObjectKey::new(name).is_ok()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<Sum> {
        ["a", "b/c.zst.age"]
            .iter()
            .zip([0, 77])
            .map(|(name, bytes)| Sum { name: name.to_string(), bytes, sha256: Sha256::of(name.as_bytes()) })
            .collect()
    }

    fn written(sums: &[Sum]) -> Vec<u8> {
        write(sums.iter().map(|sum| (sum.name.as_str().into(), sum.bytes, sum.sha256)))
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = written(&example());
        let read: Vec<Sum> = read(&bytes, "it").collect::<Result<_>>().unwrap();
        assert_eq!(read, example());
    }

    #[test]
    fn every_cut_but_one_between_entries_is_refused() {
        let bytes = written(&example());
        let boundary = written(&example()[..1]).len();
        for cut in 1..bytes.len() {
            let result: Result<Vec<Sum>> = read(&bytes[..cut], "it").collect();
            assert_eq!(result.is_ok(), cut == boundary, "cut at {cut}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = String::from_utf8(written(&example()[..1])).unwrap();
        for wrong in [
            good.replace("# 0 a", "# 00 a"),
            good.replace("# 0 a", "# +0 a"),
            good.replace("# 0 a", "# 0 b"),
            good.replace("  a", " *a"),
            good.to_uppercase(),
            good.replace('\n', "\r\n"),
        ] {
            assert!(read(wrong.as_bytes(), "it").any(|sum| sum.is_err()), "{wrong:?}");
        }
    }
}
