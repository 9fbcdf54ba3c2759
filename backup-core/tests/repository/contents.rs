//! The sealed list of everything in a backup: whole, in order, and of this backup, or refused.

use crate::support::*;
use backup_core::digest::{Blake3, Sha256};
use backup_core::error::codes;
use backup_core::id::BackupId;
use backup_core::pipeline::read::PartStream;
use backup_core::repository::catalog::Selector;
use backup_core::repository::contents::{Contents, ContentsWriter};
use backup_core::testing::sink::MemorySink;
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;

const ID: &str = "20261120T020000Z-7f3a9c51d2e8b604";

fn segment(part: &str, number: u64, bytes: u64) -> String {
    let blake3 = Blake3::of(b"x");
    format!("{}\n", json!({ "segment": { "part": part, "number": number, "bytes": bytes, "blake3": blake3 } }))
}

fn first() -> String {
    format!("{{\"contents\":{{\"version\":1,\"backup\":\"{ID}\"}}}}\n")
}

/// These lines, with a right last one.
fn ended(lines: &[String]) -> String {
    let all = lines.concat();
    let end = json!({ "end": { "lines": lines.len(), "sha256": Sha256::of(all.as_bytes()) } });
    format!("{all}{end}\n")
}

async fn read(bytes: &str, piece: usize) -> backup_core::Result<Contents> {
    let pieces: Vec<_> = bytes.as_bytes().chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Contents::read(PartStream::new(futures::stream::iter(pieces)), &ID.parse::<BackupId>().unwrap()).await
}

fn good() -> Vec<String> {
    vec![
        first(),
        "{\"table\":{\"name\":\"public.orders\",\"rows\":120}}\n".into(),
        segment("dump", 0, 5),
        segment("dump", 1, 3),
        segment("globals", 0, 0),
        "{\"left_out\":{\"kind\":\"table\",\"name\":\"a\",\"reason\":\"b\"}}\n".into(),
    ]
}

#[tokio::test]
async fn whole_contents_are_read_however_they_are_cut() {
    let text = ended(&good());
    for piece in [1, 7, 100, 1 << 20] {
        let contents = read(&text, piece).await.unwrap();
        let lengths: Vec<u64> = contents.segments[&part("dump")].iter().map(|(bytes, _)| *bytes).collect();
        assert_eq!(lengths, [5, 3]);
        assert_eq!((contents.segments.len(), contents.left_out.len()), (2, 1));
    }
}

#[tokio::test]
async fn every_cut_and_every_changed_byte_is_refused() {
    let text = ended(&good());
    for cut in 0..text.len() {
        assert_code(read(&text[..cut], 1 << 20).await, &codes::INVALID_DOCUMENT);
    }
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] ^= 1;
        // Not even a change that stays JSON.
        let pieces = vec![Ok(Bytes::from(changed))];
        let stream = PartStream::new(futures::stream::iter(pieces));
        let result = Contents::read(stream, &ID.parse::<BackupId>().unwrap()).await;
        assert!(result.is_err(), "byte {at}");
    }
}

#[tokio::test]
async fn contents_that_do_not_hold_together_are_refused() {
    let other = first().replace("7f3a", "0000");
    let with = |change: fn(&mut Vec<String>)| {
        let mut lines = good();
        change(&mut lines);
        ended(&lines)
    };
    let end = ended(&good());
    let end_line = end.lines().last().unwrap().to_owned() + "\n";
    let cases = [
        ("of another backup", ended(&[other, segment("dump", 0, 1)])),
        ("without a first line", with(|lines| drop(lines.remove(0)))),
        ("with two first lines", with(|lines| lines.push(first()))),
        ("with segments in another order", with(|lines| lines.swap(2, 3))),
        ("with a segment missing", with(|lines| drop(lines.remove(2)))),
        ("with a segment twice", with(|lines| lines.insert(3, segment("dump", 0, 5)))),
        ("with a part that cannot be", with(|lines| lines.push(segment("../x", 0, 5)))),
        (
            "with a duplicate key",
            with(|lines| lines[2] = lines[2].replacen("\"number\":0", "\"number\":0,\"number\":0", 1)),
        ),
        ("with lines in another order under the same end", {
            let mut lines = good();
            lines.swap(1, 5);
            lines.concat() + &end_line
        }),
        ("with two ends", format!("{end}{end_line}")),
        ("that go on after the end", format!("{end}\n")),
        ("with a wrong count", ended(&good()).replace("\"lines\":6", "\"lines\":7")),
        ("with an empty line", format!("\n{end}")),
        ("of nothing", String::new()),
    ];
    for (what, text) in cases {
        let error = read(&text, 1 << 20).await.expect_err(what);
        assert!(error.is(&codes::INVALID_DOCUMENT) || error.is(&codes::INVALID_NAME), "{what}: {}", error.report());
    }
    let newer = ended(&[first().replace("\"version\":1", "\"version\":2")]);
    assert_code(read(&newer, 1 << 20).await, &codes::UNKNOWN_FORMAT);
    let long = format!("{}{{\"x\":\"{}\"}}\n", first(), "x".repeat(16 << 20));
    assert_code(read(&long, 1 << 20).await, &codes::INVALID_DOCUMENT);
}

#[tokio::test]
async fn a_source_adds_lines_and_no_others_than_its_own() {
    let mut contents = ContentsWriter::in_memory();
    contents.line(&json!({ "table": { "name": "a" } })).await.unwrap();
    for wrong in [
        json!({ "contents": 1 }),
        json!({ "segment": {} }),
        json!({ "left_out": {} }),
        json!({ "end": {} }),
        json!([1]),
        json!({}),
        json!("text"),
        json!({ "x": "y".repeat(16 << 20) }),
    ] {
        assert_code(contents.line(&wrong).await, &codes::INVALID_ARGUMENT);
    }
    assert_eq!(contents.into_memory(), b"{\"table\":{\"name\":\"a\"}}\n");
}

#[tokio::test]
async fn lines_of_a_source_come_back_over_many_segments() {
    let repository = create(Arc::new(MemorySink::new())).await;
    let mut source = TestSource::of_size(100);
    source.lines = (0..30_000)
        .map(|n| json!({ "table": { "name": format!("public.t{n}"), "rows": n, "hash": Sha256::of(&[n as u8]) } }))
        .collect();
    let lines = source.lines.clone();
    let report = back_up_sealed(&repository, source).await.unwrap();
    assert!(report.manifest.part(&part("contents")).unwrap().segments > 2);
    let id = Selector::Id(report.manifest.id.to_string());
    let opened = repository.read(id).open_with(opener(alice())).options(small()).open().await.unwrap();
    let mut found = Vec::new();
    let stream = opened.stream(&part("contents")).unwrap();
    let read = Contents::read_with(stream, &report.manifest.id, |line| {
        found.push(serde_json::from_slice::<serde_json::Value>(line).unwrap());
        Ok(())
    });
    assert_eq!(read.await.unwrap(), *opened.contents());
    assert_eq!(found, lines);
}

/// Contents of one backup in the place of another's, sealed with the same key even: the id gives them away.
#[tokio::test]
async fn contents_must_agree_with_the_manifest() {
    let memory = MemorySink::new();
    let repository = create(Arc::new(memory.clone())).await;
    let id = back_up(&repository, TestSource::of_size(10)).await.unwrap().manifest.id;
    let manifest = key(format!("catalog/app/{id}.manifest"));
    rewrite(&memory, &manifest, |json| json["left_out"] = 1.into());
    assert_code(read_all(&repository, &id, None).await, &codes::INVALID_DOCUMENT);
}
