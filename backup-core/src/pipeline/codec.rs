//! One segment: plaintext to sealed bytes, and back. Runs on worker threads, with contexts and buffers that live on.

use crate::cipher::Cipher;
use crate::digest::{Blake3, Sha256};
use crate::error::{Error, Result, ResultExt, codes};
use crate::repository::manifest::Compression;
use zstd::stream::raw::{Decoder as StreamDecoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe;

/// The greatest length of a segment of `plain` bytes once it is compressed.
pub(crate) fn max_compressed_len(plain: usize, compression: Compression) -> usize {
    match compression {
        Compression::Zstd => zstd_safe::compress_bound(plain),
        Compression::None => plain,
    }
}

/// What is noted of a segment when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentRecord {
    pub(crate) plain_bytes: u64,
    pub(crate) plain_hash: Blake3,
    pub(crate) stored_bytes: u64,
    pub(crate) stored_hash: Sha256,
}

/// Makes sealed segments.
pub(crate) struct Encoder {
    compressor: Option<zstd::bulk::Compressor<'static>>,
    checker: StreamDecoder<'static>,
    compressed: Vec<u8>,
    window: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new(compression: Compression, level: i32) -> Result<Self> {
        let fault = || "set up zstd".to_string();
        let compressor = match compression {
            Compression::None => None,
            Compression::Zstd => {
                let mut compressor = zstd::bulk::Compressor::new(level).or_code(&codes::IO, fault)?;
                compressor.include_checksum(true).or_code(&codes::IO, fault)?;
                compressor.include_contentsize(true).or_code(&codes::IO, fault)?;
                Some(compressor)
            }
        };
        Ok(Encoder {
            compressor,
            checker: StreamDecoder::new().or_code(&codes::IO, fault)?,
            compressed: Vec::new(),
            window: vec![0; 128 * 1024],
        })
    }

    /// Hashes, compresses, decodes again and compares, encrypts into `sealed`, and hashes.
    pub(crate) fn encode(&mut self, plain: &[u8], cipher: &dyn Cipher, sealed: &mut Vec<u8>) -> Result<SegmentRecord> {
        let plain_hash = Blake3::of(plain);
        match &mut self.compressor {
            None => cipher.seal(plain, sealed)?,
            Some(compressor) => {
                self.compressed.clear();
                self.compressed.reserve_exact(zstd_safe::compress_bound(plain.len()));
                compressor
                    .compress_to_buffer(plain, &mut self.compressed)
                    .or_code(&codes::SELF_CHECK_FAILED, || "compress a segment".into())?;
                self.check(plain)?;
                cipher.seal(&self.compressed, sealed)?;
            }
        }
        Ok(SegmentRecord {
            plain_bytes: plain.len() as u64,
            plain_hash,
            stored_bytes: sealed.len() as u64,
            stored_hash: Sha256::of(sealed),
        })
    }

    /// Decodes what was compressed, through a small window, and compares it with what went in.
    fn check(&mut self, plain: &[u8]) -> Result<()> {
        let differs = || Error::new(&codes::SELF_CHECK_FAILED, "a compressed segment does not decode to what went in");
        self.checker.reinit().or_code(&codes::SELF_CHECK_FAILED, || "set up zstd".into())?;
        let mut input = InBuffer::around(&self.compressed);
        let mut expected = plain;
        loop {
            let mut output = OutBuffer::around(&mut self.window[..]);
            let hint = self.checker.run(&mut input, &mut output);
            let remaining =
                hint.or_code(&codes::SELF_CHECK_FAILED, || "decode a segment that was just compressed".into())?;
            let decoded = output.as_slice();
            expected = expected.strip_prefix(decoded).ok_or_else(differs)?;
            if remaining == 0 {
                break;
            }
            if decoded.is_empty() && input.pos() == self.compressed.len() {
                return Err(differs());
            }
        }
        if expected.is_empty() && input.pos() == self.compressed.len() { Ok(()) } else { Err(differs()) }
    }
}

/// Opens sealed segments.
pub(crate) struct Decoder {
    decompressor: zstd::bulk::Decompressor<'static>,
    compressed: Vec<u8>,
}

impl Decoder {
    pub(crate) fn new() -> Result<Self> {
        let decompressor = zstd::bulk::Decompressor::new().or_code(&codes::IO, || "set up zstd".into())?;
        Ok(Decoder { decompressor, compressed: Vec::new() })
    }

    /// Decrypts and decompresses a segment that must have exactly `plain_bytes` of plaintext.
    ///
    /// Nothing longer is ever written: decoding stops at the declared size.
    pub(crate) fn decode(
        &mut self,
        sealed: &[u8],
        plain_bytes: usize,
        compression: Compression,
        cipher: &dyn Cipher,
        plain: &mut Vec<u8>,
    ) -> Result<()> {
        plain.clear();
        plain.reserve_exact(plain_bytes);
        match compression {
            Compression::None => cipher.open(sealed, plain_bytes, plain)?,
            Compression::Zstd => {
                let limit = zstd_safe::compress_bound(plain_bytes);
                cipher.open(sealed, limit, &mut self.compressed)?;
                self.decompress(plain_bytes, plain)?;
            }
        }
        if plain.len() == plain_bytes {
            Ok(())
        } else {
            Err(wrong_size(plain_bytes, format!("it has {}", plain.len())))
        }
    }

    fn decompress(&mut self, plain_bytes: usize, plain: &mut Vec<u8>) -> Result<()> {
        let not_zstd = || Error::new(&codes::DECOMPRESS_FAILED, "the segment is not one zstd frame");
        // One frame and nothing after it, which says its own size: what the format prescribes, and what stops a bomb early.
        let frame = zstd_safe::find_frame_compressed_size(&self.compressed).map_err(|_| not_zstd())?;
        if frame != self.compressed.len() {
            return Err(not_zstd());
        }
        let declared = zstd_safe::get_frame_content_size(&self.compressed).ok().flatten().ok_or_else(not_zstd)?;
        if declared != plain_bytes as u64 {
            return Err(wrong_size(plain_bytes, format!("it declares {declared}")));
        }
        // zstd writes neither beyond the buffer's capacity nor more than the frame declares.
        self.decompressor
            .decompress_to_buffer(&self.compressed, plain)
            .or_code(&codes::DECOMPRESS_FAILED, || "decompress a segment".into())?;
        Ok(())
    }
}

fn wrong_size(expected: usize, found: String) -> Error {
    Error::new(&codes::DECOMPRESS_FAILED, format!("the segment should have {expected} bytes of plaintext, and {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::Plain;

    fn round_trip(plain: &[u8], compression: Compression) -> Vec<u8> {
        let mut sealed = Vec::new();
        let record = Encoder::new(compression, 1).unwrap().encode(plain, &Plain, &mut sealed).unwrap();
        assert_eq!(record.stored_bytes, sealed.len() as u64);
        assert_eq!(record.stored_hash, Sha256::of(&sealed));
        let mut back = Vec::new();
        Decoder::new().unwrap().decode(&sealed, plain.len(), compression, &Plain, &mut back).unwrap();
        assert_eq!(back, plain);
        assert_eq!(record.plain_hash, Blake3::of(&back));
        sealed
    }

    #[test]
    fn segments_of_all_sizes_come_back() {
        for len in [0, 1, 127 * 1024, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 1 << 20] {
            let plain: Vec<u8> = (0..len).map(|i: u64| ((i * i) >> 7) as u8).collect();
            round_trip(&plain, Compression::Zstd);
            round_trip(&plain, Compression::None);
        }
    }

    #[test]
    fn a_fault_between_compressing_and_storing_is_caught() {
        let plain = b"all that went in".repeat(1000);
        let mut encoder = Encoder::new(Compression::Zstd, 1).unwrap();
        encoder
            .compressor
            .as_mut()
            .unwrap()
            .compress_to_buffer(&plain, {
                encoder.compressed.reserve(4096);
                &mut encoder.compressed
            })
            .unwrap();
        encoder.check(&plain).unwrap();
        let mut other = plain.clone();
        *other.last_mut().unwrap() ^= 1;
        assert!(encoder.check(&other).unwrap_err().is(&codes::SELF_CHECK_FAILED));
        assert!(encoder.check(&plain[..plain.len() - 1]).unwrap_err().is(&codes::SELF_CHECK_FAILED));
        other.push(0);
        assert!(encoder.check(&other).unwrap_err().is(&codes::SELF_CHECK_FAILED));
        for position in 0..encoder.compressed.len() {
            // Not 0x10: that bit of a frame's descriptor means nothing (RFC 8878, 3.1.1.1.1.3).
            encoder.compressed[position] ^= 0x40;
            assert!(encoder.check(&plain).is_err(), "byte {position}");
            encoder.compressed[position] ^= 0x40;
        }
        encoder.compressed.pop();
        assert!(encoder.check(&plain).is_err());
    }

    #[test]
    fn a_segment_that_holds_more_than_declared_is_refused() {
        let plain = vec![7u8; 1 << 20];
        let sealed = round_trip(&plain, Compression::Zstd);
        let mut out = Vec::new();
        let mut decoder = Decoder::new().unwrap();
        let error = decoder.decode(&sealed, plain.len() - 1, Compression::Zstd, &Plain, &mut out).unwrap_err();
        assert!(error.is(&codes::DECOMPRESS_FAILED), "{error:?}");
        assert!(out.capacity() < plain.len());
        // Two frames, an unfinished frame, a frame with something after it, no frame at all.
        let twice = [sealed.clone(), sealed.clone()].concat();
        let tail = [&sealed[..], b"x"].concat();
        for wrong in [&twice[..], &tail[..], &sealed[..sealed.len() - 1], b"", b"plain text"] {
            let error = decoder.decode(wrong, plain.len(), Compression::Zstd, &Plain, &mut out).unwrap_err();
            assert!(error.is(&codes::DECOMPRESS_FAILED), "{error:?}");
        }
        // Without a content size in the frame there is no early stop, so it is refused too.
        let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
        compressor.include_contentsize(false).unwrap();
        let unsized_frame = compressor.compress(&plain).unwrap();
        assert!(decoder.decode(&unsized_frame, plain.len(), Compression::Zstd, &Plain, &mut out).is_err());
    }
}
