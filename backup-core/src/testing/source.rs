//! The conformance suite for [`Source`]s.

use crate::monitor::Silent;
use crate::names::PartName;
use crate::repository::contents::ContentsWriter;
use crate::source::Source;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads a source to its end with buffers of this size, checking the contract on the way: the bytes of each part.
///
/// # Panics
/// When the source fails or breaks its contract.
pub async fn read_source(source: &dyn Source, capacity: usize) -> BTreeMap<PartName, Vec<u8>> {
    read_source_and_lines(source, capacity).await.0
}

/// As [`read_source`], with the lines that the source wrote to `contents`.
///
/// # Panics
/// When the source fails or breaks its contract.
pub async fn read_source_and_lines(source: &dyn Source, capacity: usize) -> (BTreeMap<PartName, Vec<u8>>, Vec<u8>) {
    let mut snapshot = source.open(Arc::new(Silent)).await.expect("open the source");
    assert_eq!(snapshot.info().kind, source.kind(), "SourceInfo::kind is the source's kind");
    let mut contents = ContentsWriter::in_memory();
    let mut parts = BTreeMap::new();
    while let Some(mut part) = snapshot.next_part().await.expect("open the next part") {
        let name = part.name();
        assert_ne!(name, PartName::contents(), "`contents` is written by backproof itself");
        let mut bytes = Vec::new();
        let mut buffer = Vec::with_capacity(capacity);
        loop {
            buffer.clear();
            // Something is in the buffer already now and then: it must stay.
            if bytes.len() % 2 == 1 && capacity > 3 {
                buffer.extend_from_slice(b"abc");
            }
            let (before, place, room) = (buffer.len(), buffer.as_ptr(), buffer.capacity());
            part.fill(&mut buffer).await.expect("fill a buffer");
            assert!(buffer.as_ptr() == place && buffer.capacity() == room, "the buffer is never reallocated");
            assert!(buffer.len() >= before && buffer[..before] == b"abc"[..before], "what was in the buffer stays");
            bytes.extend_from_slice(&buffer[before..]);
            if buffer.len() < room {
                break;
            }
        }
        for _ in 0..2 {
            let end = buffer.len();
            part.fill(&mut buffer).await.expect("fill after the end");
            assert_eq!(buffer.len(), end, "nothing comes after the end");
        }
        part.finish(&mut contents).await.expect("finish the part");
        assert!(parts.insert(name.clone(), bytes).is_none(), "two parts are named {name}");
    }
    assert!(snapshot.next_part().await.expect("ask for a part after the last").is_none(), "None stays None");
    let _ = snapshot.left_out();
    snapshot.finish().await.expect("finish the snapshot");
    let lines = contents.into_memory();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let value: serde_json::Value = serde_json::from_slice(line).expect("a line of contents is JSON");
        let object = value.as_object().expect("a line of contents is an object");
        assert_eq!(object.len(), 1, "a line of contents has one key, which says what it is");
        for reserved in ["contents", "segment", "left_out", "end"] {
            assert!(!object.contains_key(reserved), "the line {reserved} is backproof's own");
        }
    }
    (parts, lines)
}

/// Checks a kind of source; `make` makes the same source again and again, whose parts are `expected`.
///
/// # Panics
/// When a check fails.
pub async fn source_conformance<S: Source>(make: impl Fn() -> S, expected: &[(&str, &[u8])]) {
    let expected: BTreeMap<PartName, Vec<u8>> =
        expected.iter().map(|(name, bytes)| (PartName::new(*name).expect("a part's name"), bytes.to_vec())).collect();
    for capacity in [1 << 20, 4093, 64] {
        let parts = read_source(&make(), capacity).await;
        assert!(parts == expected, "the parts are not as expected with buffers of {capacity} bytes");
    }
    // A capacity that is exactly the length: the end shows only with the next fill.
    for bytes in expected.values().filter(|bytes| !bytes.is_empty()) {
        let parts = read_source(&make(), bytes.len()).await;
        assert!(parts == expected, "the parts are not as expected with buffers of exactly a part's size");
    }
    // Dropped at any point, nothing hangs and nothing panics.
    let source = make();
    drop(source.open(Arc::new(Silent)).await.expect("open the source"));
    drop(source);
    let source = make();
    let mut snapshot = source.open(Arc::new(Silent)).await.expect("open the source");
    if let Some(mut part) = snapshot.next_part().await.expect("open the next part") {
        let mut buffer = Vec::with_capacity(1);
        part.fill(&mut buffer).await.expect("fill a buffer");
    }
}
