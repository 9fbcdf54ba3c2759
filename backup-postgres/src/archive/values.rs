//! The values that archives are made of: bytes, integers and strings, which may come in pieces.

use super::entry::Text;
use super::parser::Parser;
use super::visitor::Visitor;
use backup_core::Result;

/// A string that is being read.
#[derive(Debug)]
pub(super) struct Building {
    kept: Vec<u8>,
    hasher: Option<Box<blake3::Hasher>>,
    len: u32,
    left: u32,
}

/// `ReadInt`: a sign byte, then four bytes, least significant first. The sign byte is written as 0 or 1.
pub(super) fn int(bytes: &[u8]) -> Option<i64> {
    let &[sign, a, b, c, d] = bytes else { return None };
    let magnitude = i64::from(u32::from_le_bytes([a, b, c, d]));
    match sign {
        0 => Some(magnitude),
        1 => Some(-magnitude),
        _ => None,
    }
}

impl<V: Visitor> Parser<V> {
    /// The next `count` bytes, once they are there.
    #[inline]
    pub(super) fn fixed(&mut self, bytes: &mut &[u8], count: usize) -> Option<[u8; 11]> {
        let take = bytes.len().min(count - self.have);
        let (piece, rest) = bytes.split_at(take);
        self.scratch[self.have..self.have + take].copy_from_slice(piece);
        *bytes = rest;
        self.have += take;
        self.position += take as u64;
        if self.have < count {
            return None;
        }
        self.have = 0;
        Some(self.scratch)
    }

    /// The next integer, once it is there.
    #[inline]
    pub(super) fn int(&mut self, bytes: &mut &[u8]) -> Result<Option<i64>> {
        let Some(raw) = self.fixed(bytes, 5) else { return Ok(None) };
        match int(&raw[..5]) {
            Some(value) => Ok(Some(value)),
            None => Err(self.invalid("a number has no proper sign")),
        }
    }

    /// The next string, once it is there; grows as its bytes come.
    pub(super) fn string(&mut self, bytes: &mut &[u8]) -> Result<Option<Option<Text>>> {
        let mut text = match self.text.take() {
            Some(text) => text,
            None => match self.int(bytes)? {
                None => return Ok(None),
                Some(-1) => return Ok(Some(None)),
                Some(length) => match u32::try_from(length) {
                    Ok(len) if len <= i32::MAX as u32 => Building { kept: Vec::new(), hasher: None, len, left: len },
                    _ => return Err(self.invalid("a string has a length below 0")),
                },
            },
        };
        let (mut piece, rest) = bytes.split_at(bytes.len().min(text.left as usize));
        *bytes = rest;
        text.left -= piece.len() as u32;
        self.position += piece.len() as u64;
        if text.hasher.is_none() {
            let (kept, more) = piece.split_at(piece.len().min(self.kept_text - text.kept.len()));
            text.kept.extend_from_slice(kept);
            piece = more;
        }
        if !piece.is_empty() {
            let kept = &text.kept;
            let hasher = text.hasher.get_or_insert_with(|| {
                let mut hasher = Box::new(blake3::Hasher::new());
                hasher.update(kept);
                hasher
            });
            hasher.update(piece);
        }
        if text.left > 0 {
            self.text = Some(text);
            return Ok(None);
        }
        let digest = text.hasher.map(|hasher| hasher.finalize());
        Ok(Some(Some(Text { kept: text.kept, len: text.len, digest })))
    }
}
