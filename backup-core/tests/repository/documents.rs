//! What readers refuse of a manifest, a marker and their spelling.

use crate::support::*;
use backup_core::error::{Code, codes};
use backup_core::id::BackupId;
use backup_core::key::ObjectKey;
use backup_core::repository::{OpenOptions, Repository};
use backup_core::testing::sink::MemorySink;
use serde_json::{Value, json};
use std::sync::Arc;

async fn one_backup() -> (MemorySink, BackupId, ObjectKey) {
    let memory = MemorySink::new();
    let repository = create(Arc::new(memory.clone())).await;
    let id = back_up_sealed(&repository, TestSource::of_size(10)).await.unwrap().manifest.id;
    let manifest = key(format!("catalog/app/{id}.manifest"));
    (memory, id, manifest)
}

/// What reading the one manifest says.
async fn reading(memory: &MemorySink, id: &BackupId) -> backup_core::Result<()> {
    let read = open(memory).await.read_manifest(&app(), id).await.map(drop);
    // A catalog with it says the same of it, and of nothing else.
    let catalog = open(memory).await.catalog(None).await.unwrap();
    assert_eq!(catalog.entries().len(), 1);
    assert_eq!(catalog.entries()[0].record.is_ok(), read.is_ok());
    let verdict = open(memory).await.verify().options(small()).run().await.unwrap();
    assert_eq!(verdict.exit_code() == 0, read.is_ok(), "{verdict}");
    read
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let (memory, id, manifest) = one_backup().await;
    rewrite(&memory, &manifest, |json| {
        json["tomorrow"] = json!({ "a": [1, null, 1.5, -3, true] });
        json["source"]["more"] = 1.into();
        json["parts"][0]["colour"] = "red".into();
    });
    reading(&memory, &id).await.unwrap();
    read_all(&open(&memory).await, &id, opener(alice())).await.unwrap();
}

#[tokio::test]
async fn what_no_manifest_can_say_is_refused() {
    let (memory, id, manifest) = one_backup().await;
    let (other, later) = ("20200101T000000Z-0000000000000000", "2020-01-01T00:00:00Z");
    type Change = Box<dyn Fn(&mut Value)>;
    let set = |pointer: &'static str, value: Value| -> Change {
        Box::new(move |json: &mut Value| {
            *json.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value.clone()
        })
    };
    let invalid = &codes::INVALID_DOCUMENT;
    let cases: Vec<(&'static Code, Change)> = vec![
        (&codes::UNKNOWN_FORMAT, set("/format", 2.into())),
        (&codes::UNKNOWN_FORMAT, set("/format", 0.into())),
        (&codes::UNKNOWN_FORMAT, set("/requires", json!(["time-travel"]))),
        (invalid, set("/format", "1".into())),
        (invalid, set("/kind", "hold".into())),
        (invalid, set("/installation", "i-other".into())),
        (invalid, set("/series", "other".into())),
        (invalid, set("/series", "../app".into())),
        (invalid, set("/id", other.into())),
        (invalid, set("/id", "latest".into())),
        (invalid, set("/label", "a/b".into())),
        (invalid, set("/label", "Daily".into())),
        (invalid, set("/source/snapshot", later.into())),
        (invalid, set("/source/snapshot", "yesterday".into())),
        (invalid, set("/segments/bytes", 0.into())),
        (invalid, set("/segments/bytes", (MIB - 1).into())),
        (invalid, set("/segments/bytes", (257 * MIB).into())),
        (invalid, set("/segments/compression", "lzma".into())),
        (invalid, set("/encryption/scheme", "none".into())),
        (invalid, set("/encryption/scheme", "rot13".into())),
        (invalid, set("/encryption/scheme", "openpgp-aes256".into())),
        (invalid, set("/encryption/key_commitment", Value::Null)),
        (invalid, set("/encryption/key_files", json!([]))),
        (invalid, set("/encryption/key_files/0/name", "../0001.age".into())),
        (invalid, set("/encryption/key_files/0/name", "0001.txt".into())),
        (invalid, set("/encryption/key_files/0/name", ".age".into())),
        (invalid, set("/parts", json!([]))),
        (invalid, set("/parts/0/name", "keys".into())),
        (invalid, set("/parts/0/name", "contents".into())),
        (invalid, set("/parts/0/name", "..".into())),
        (invalid, set("/parts/0/segments", 2.into())),
        (invalid, set("/parts/0/segments", 0.into())),
        (invalid, set("/parts/0/plain_bytes", (MIB + 1).into())),
        (invalid, set("/parts/0/plain_bytes", (-1).into())),
        (invalid, set("/parts/0/ending", ".zst".into())),
        (invalid, set("/parts/0/ending", "/../x.zst.age".into())),
        (invalid, set("/sha256sums", "abc".into())),
        (invalid, set("/left_out", (-1).into())),
        (invalid, set("/previous", json!({ "id": "x", "sha256": "y" }))),
    ];
    for (number, (code, change)) in cases.into_iter().enumerate() {
        let changed = memory.fork();
        rewrite(&changed, &manifest, |json| change(json));
        let error = reading(&changed, &id).await.expect_err(&format!("case {number}"));
        assert!(error.is(code), "case {number}: {}", error.report());
    }
    // A field that is missing.
    for field in
        ["format", "kind", "installation", "series", "id", "label", "source", "segments", "encryption", "parts"]
    {
        let changed = memory.fork();
        rewrite(&changed, &manifest, |json| drop(json.as_object_mut().unwrap().remove(field)));
        assert_code(reading(&changed, &id).await, invalid);
    }
}

#[tokio::test]
async fn spellings_that_two_readers_could_take_differently_are_refused() {
    let (memory, id, manifest) = one_backup().await;
    let text = String::from_utf8(memory.get(&manifest).unwrap().to_vec()).unwrap();
    let json = &text[..text.find("\n}\n").unwrap() + 3];
    let tail = &text[json.len()..];
    let with = |json: String| with_hash(&json);
    let deep = |levels: usize| format!("{{\n  \"deep\": {}{},{}", "[".repeat(levels), "]".repeat(levels), &json[1..]);
    // 31 levels below the document's own are the most.
    memory.put(manifest.clone(), with(deep(31)));
    reading(&memory, &id).await.unwrap();
    let big = |bytes: usize| format!("{{\n  \"big\": \"{}\",{}", "x".repeat(bytes), &json[1..]);
    let wrong = [
        ("32 levels below its own", with(deep(32))),
        ("a duplicate key", with(json.replacen("  \"label\"", "  \"label\": \"manual\",\n  \"label\"", 1))),
        (
            "a duplicate key, spelt otherwise",
            with(json.replacen("  \"label\"", "  \"l\\u0061bel\": \"x\",\n  \"label\"", 1)),
        ),
        ("too large", with(big(16 << 20))),
        ("no end", json[..json.len() - 3].to_owned()),
        ("nothing", String::new()),
        ("no hash", json.to_owned()),
        ("no line feed after the hash", with(json.to_owned()).trim_end().to_owned()),
        ("a forged hash", tail.replace("sha256 ", "sha256 0").chars().take(72).collect::<String>() + "\n"),
        ("the hash of something else", format!("{json}{}", tail.replacen("sha256 ", "sha256  ", 1))),
        (
            "an upper-case hash",
            format!("{json}{}", with(json.into())[json.len()..].to_uppercase().replace("SHA256", "sha256")),
        ),
        ("changed text under the old hash", format!("{}{tail}", json.replacen("manual", "weekly", 1))),
        ("something after the hash", with(json.to_owned()) + "and more\n"),
        ("something after the signature", text.clone() + "and more\n"),
        ("two signatures", text.clone() + tail.split_once('\n').unwrap().1),
        ("half a signature", text[..text.len() - 5].to_owned()),
        ("Windows line ends", with(json.replace('\n', "\r\n"))),
        ("two values", with(format!("{}\n}}\n", json))),
        ("not JSON", with("{\n  hello\n}\n".into())),
    ];
    for (what, bytes) in wrong {
        let changed = memory.fork();
        assert_ne!(bytes, text, "{what}");
        changed.put(manifest.clone(), bytes);
        let error = reading(&changed, &id).await.expect_err(what);
        assert!(error.is(&codes::INVALID_DOCUMENT), "{what}: {}", error.report());
    }
    let changed = memory.fork();
    changed.put(manifest.clone(), vec![0xff; 100]);
    assert_code(reading(&changed, &id).await, &codes::INVALID_DOCUMENT);
}

#[tokio::test]
async fn a_manifest_at_another_place_is_refused() {
    let (memory, id, manifest) = one_backup().await;
    let bytes = memory.get(&manifest).unwrap();
    let elsewhere = [
        "catalog/other/ID.manifest".replace("ID", id.as_str()),
        format!("catalog/app/{}-0000000000000000.manifest", &id.as_str()[..16]),
    ];
    for place in elsewhere {
        let moved = memory.fork();
        moved.put(key(place), bytes.clone());
        let catalog = open(&moved).await.catalog(None).await.unwrap();
        let readable = catalog.entries().iter().filter(|entry| entry.record.is_ok()).count();
        assert_eq!((catalog.entries().len(), readable), (2, 1));
        let verdict = open(&moved).await.verify().options(small()).run().await.unwrap();
        assert_eq!(verdict.exit_code(), 2, "{verdict}");
    }
}

#[tokio::test]
async fn names_in_the_catalog_that_are_no_manifests_are_no_backups() {
    let (memory, id, manifest) = one_backup().await;
    let bytes = memory.get(&manifest).unwrap();
    for place in [
        format!("catalog/app/{id}.manifest.old"),
        format!("catalog/app/{id}.manifest-1"),
        format!("catalog/app/{id}.hold-0123456789abcdef"),
        format!("catalog/app/old/{id}.manifest"),
        format!("catalog/app/x{id}.manifest"),
        format!("catalog/App/{id}.manifest"),
        format!("catalog/{id}.manifest"),
        format!("catalogue/app/{id}.manifest"),
    ] {
        memory.put(key(place), bytes.clone());
    }
    assert_eq!(open(&memory).await.catalog(None).await.unwrap().entries().len(), 1);
}

#[tokio::test]
async fn markers_that_are_refused() {
    let marker = key("backproof.json");
    let opened = |bytes: Option<String>| {
        let marker = marker.clone();
        async move {
            let memory = MemorySink::new();
            if let Some(bytes) = bytes {
                memory.put(marker, bytes);
            }
            Repository::open(Arc::new(memory), OpenOptions::default()).await.map(drop)
        }
    };
    assert_code(opened(None).await, &codes::NO_REPOSITORY);
    let memory = MemorySink::new();
    create(Arc::new(memory.clone())).await;
    let good = String::from_utf8(memory.get(&marker).unwrap().to_vec()).unwrap();
    opened(Some(good.clone())).await.unwrap();
    opened(Some(good.replacen('{', "{\"unknown\": {\"field\": 1},", 1))).await.unwrap();
    assert_code(opened(Some(good.replace("\"format\": 1", "\"format\": 2"))).await, &codes::UNKNOWN_FORMAT);
    assert_code(opened(Some(good.replace("\"requires\": []", "\"requires\": [\"x\"]"))).await, &codes::UNKNOWN_FORMAT);
    for wrong in [
        String::new(),
        "hello".into(),
        good.replace("\"repository\",", "\"manifest\","),
        good.replacen('{', "{\"format\": 1,", 1),
        good.clone() + "}",
        format!("{good}{}", " ".repeat(16 << 20)),
    ] {
        assert_code(opened(Some(wrong)).await, &codes::INVALID_DOCUMENT);
    }
}

#[tokio::test]
async fn a_second_repository_at_the_same_place_is_refused() {
    let memory = MemorySink::new();
    create(Arc::new(memory.clone())).await;
    let before = memory.get(&key("backproof.json"));
    let marker = backup_core::repository::marker::Marker::new(None, Default::default()).unwrap();
    let again = Repository::create(Arc::new(memory.clone()), marker).await;
    assert_code(again, &codes::REPOSITORY_EXISTS);
    assert_eq!(memory.get(&key("backproof.json")), before);
}

#[tokio::test]
async fn an_installation_that_is_not_ours_is_refused() {
    let (memory, _, _) = one_backup().await;
    let options = |installation: Option<&str>, trust: bool| {
        let mut options = OpenOptions::default();
        options.installation = installation.map(str::to_owned);
        options.trust = trust.then(|| Arc::new(ToyTrust::of_manifests_by("host")) as Arc<_>);
        options
    };
    let open = async |options| Repository::open(Arc::new(memory.clone()), options).await;
    open(options(Some("i-tests"), false)).await.unwrap();
    assert_code(open(options(Some("i-other"), false)).await, &codes::INVALID_DOCUMENT);
    // With trusted signers the configuration decides, never the marker.
    assert_code(open(options(None, true)).await, &codes::INVALID_ARGUMENT);
    let ours = open(options(Some("i-other"), true)).await.unwrap();
    let catalog = ours.catalog(None).await.unwrap();
    assert!(catalog.entries()[0].record.as_ref().is_err_and(|error| error.is(&codes::INVALID_DOCUMENT)));
}
