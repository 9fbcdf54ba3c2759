//! The damage matrix: every object of a small backup, damaged in every way, at every level.

use crate::support::*;
use backup_core::error::codes;
use backup_core::id::BackupId;
use backup_core::key::ObjectKey;
use backup_core::level::{Level, Outcome};
use backup_core::repository::catalog::Selector;
use backup_core::testing::sink::{FaultySink, MemorySink, Operation};
use backup_core::verify::{BackupVerdict, Severity, Status, Verdict};
use bytes::Bytes;
use std::sync::Arc;

/// Two backups of the same parts; the first is damaged.
struct Specimen {
    memory: MemorySink,
    source: TestSource,
    id: BackupId,
    other: BackupId,
}

async fn specimen() -> Specimen {
    let memory = MemorySink::new();
    let repository = create(Arc::new(memory.clone())).await;
    let source = TestSource::new([("globals", data(500, 1)), ("dump", data(2 * MIB + 300, 2))]);
    let id = back_up_sealed(&repository, source.clone()).await.unwrap().manifest.id;
    let changed = TestSource::new([("globals", data(500, 3)), ("dump", data(2 * MIB + 300, 4))]);
    let other = back_up_sealed(&repository, changed).await.unwrap().manifest.id;
    Specimen { memory, source, id, other }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Manifest,
    Sums,
    Restore,
    Key(usize),
    Contents,
    Segment,
}

fn kind(key: &ObjectKey) -> Kind {
    let name = key.as_str();
    match key.file_name() {
        "SHA256SUMS" => Kind::Sums,
        "RESTORE.md" => Kind::Restore,
        "0001.age" => Kind::Key(0),
        "0002.age" => Kind::Key(1),
        _ if name.ends_with(".manifest") => Kind::Manifest,
        _ if name.contains("/contents/") => Kind::Contents,
        _ => Kind::Segment,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Gone,
    Empty,
    CutByOne,
    Longer,
    FlippedFirst,
    FlippedMiddle,
    FlippedLast,
    FromAnotherBackup,
}

const DAMAGES: [Damage; 8] = [
    Damage::Gone,
    Damage::Empty,
    Damage::CutByOne,
    Damage::Longer,
    Damage::FlippedFirst,
    Damage::FlippedMiddle,
    Damage::FlippedLast,
    Damage::FromAnotherBackup,
];

impl Specimen {
    fn objects(&self) -> Vec<ObjectKey> {
        self.memory.keys().into_iter().filter(|key| key.as_str().contains(self.id.as_str())).collect()
    }

    fn damaged(&self, object: &ObjectKey, damage: Damage) -> MemorySink {
        let memory = self.memory.fork();
        let mut bytes = memory.get(object).unwrap().to_vec();
        let flip = |bytes: &mut Vec<u8>, at: usize| bytes[at] ^= 0x10;
        let last = bytes.len() - 1;
        match damage {
            Damage::Gone => {
                memory.remove(object);
                return memory;
            }
            Damage::Empty => bytes.clear(),
            Damage::CutByOne => bytes.truncate(last),
            Damage::Longer => bytes.push(b'\n'),
            Damage::FlippedFirst => flip(&mut bytes, 0),
            Damage::FlippedMiddle => flip(&mut bytes, last / 2),
            Damage::FlippedLast => flip(&mut bytes, last),
            Damage::FromAnotherBackup => {
                let there = key(object.as_str().replace(self.id.as_str(), self.other.as_str()));
                bytes = memory.get(&there).unwrap().to_vec();
            }
        }
        assert_ne!(bytes, memory.get(object).unwrap());
        memory.put(object.clone(), bytes);
        memory
    }
}

async fn verify(memory: &MemorySink, id: &BackupId, level: Level) -> backup_core::Result<Verdict> {
    let repository = open(memory).await;
    let request = repository.verify().only(Selector::Id(id.to_string())).level(level);
    request.open_with(opener(alice())).options(small()).run().await
}

fn codes_of(backup: &BackupVerdict) -> Vec<&'static str> {
    backup.findings.iter().filter(|finding| finding.severity > Severity::Notice).map(|finding| finding.code).collect()
}

/// What a level says of a damaged object.
fn expected(kind: Kind, same_size: bool, level: Level) -> (Outcome, Status) {
    match kind {
        // The levels are checked from the manifest downwards: nothing below a damaged list counts.
        Kind::Manifest | Kind::Sums => (Outcome::Failed, Status::Error),
        // Another recipient's key file still opens the backup: present, but not intact.
        Kind::Key(_) if level == Level::Present => (Outcome::Passed, Status::Warning),
        Kind::Key(_) => (Outcome::Failed, Status::Error),
        Kind::Restore | Kind::Contents | Kind::Segment if level == Level::Present && same_size => {
            (Outcome::Passed, Status::Healthy)
        }
        Kind::Restore | Kind::Contents | Kind::Segment => (Outcome::Failed, Status::Error),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_damaged_in_every_way() {
    let specimen = specimen().await;
    let objects = specimen.objects();
    assert_eq!(objects.len(), 13, "{objects:?}");
    for object in &objects {
        for damage in DAMAGES {
            let memory = specimen.damaged(object, damage);
            let (kind, what) = (kind(object), format!("{object} {damage:?}"));
            if (kind, damage) == (Kind::Manifest, Damage::Gone) {
                continue; // There is no backup then: below.
            }
            let before = specimen.memory.get(object).unwrap().len();
            let same_size = memory.get(object).is_some_and(|bytes| bytes.len() == before);
            for level in [Level::Present, Level::Intact, Level::Readable] {
                let verdict = verify(&memory, &specimen.id, level).await.unwrap();
                let backup = &verdict.backups[0];
                let (outcome, status) = expected(kind, same_size, level);
                assert_eq!((backup.outcome, verdict.status()), (outcome, status), "{what} at {level}: {verdict}");
                assert_eq!(verdict.exit_code(), status as u8);
                match outcome {
                    Outcome::Passed => assert_eq!(backup.reached, Some(level), "{what}: {verdict}"),
                    _ => assert!(backup.reached < Some(level), "{what}: {verdict}"),
                }
                if status == Status::Error {
                    let mut known = vec!["segment_damaged", "invalid_document", "decrypt_failed"];
                    if kind == Kind::Key(0) {
                        known.push("wrong_identity"); // What is left is sealed to others.
                    }
                    let codes = codes_of(backup);
                    assert!(!codes.is_empty() && codes.iter().all(|code| known.contains(code)), "{what}: {codes:?}");
                    let name = if kind == Kind::Manifest { specimen.id.as_str() } else { object.as_str() };
                    assert!(verdict.to_string().contains(name), "{what} is not named: {verdict}");
                }
            }
            // A restore gives the right bytes or an error, never others.
            for (index, identity) in [alice(), bob()].into_iter().enumerate() {
                let result = read_all(&open(&memory).await, &specimen.id, opener(identity)).await;
                let right = match kind {
                    Kind::Restore => true,
                    Kind::Key(number) => number != index,
                    // What was appended to a segment is never looked at.
                    Kind::Contents | Kind::Segment => damage == Damage::Longer,
                    Kind::Manifest | Kind::Sums => false,
                };
                match result {
                    Ok(parts) => assert!(right && parts == given(&specimen.source), "{what} was restored"),
                    Err(error) => assert!(!right, "{what}: {}", error.report()),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_manifest_that_is_gone_is_a_backup_that_went_missing() {
    let specimen = specimen().await;
    let manifest = specimen.objects().into_iter().find(|key| kind(key) == Kind::Manifest).unwrap();
    let memory = specimen.damaged(&manifest, Damage::Gone);
    assert_code(verify(&memory, &specimen.id, Level::Present).await, &codes::BACKUP_NOT_FOUND);
    assert_code(read_all(&open(&memory).await, &specimen.id, opener(alice())).await, &codes::BACKUP_NOT_FOUND);
    // The backup after it names it: whoever looks at the repository is told.
    for request in [None, Some(Selector::Latest), Some(Selector::Id(specimen.other.to_string()))] {
        let repository = open(&memory).await;
        let mut verify = repository.verify().options(small());
        if let Some(selector) = request {
            verify = verify.only(selector);
        }
        let verdict = verify.run().await.unwrap();
        assert_eq!(verdict.exit_code(), 2, "{verdict}");
        assert_eq!(verdict.findings[0].code, "backup_missing");
        assert!(verdict.findings[0].message.contains(specimen.id.as_str()));
    }
}

/// Somebody who cannot sign put another manifest in the place of an old one: the next one has its hash.
#[tokio::test]
async fn a_manifest_that_is_not_the_one_that_was_followed_is_noticed() {
    let specimen = specimen().await;
    let manifest = specimen.objects().into_iter().find(|key| kind(key) == Kind::Manifest).unwrap();
    let memory = specimen.memory.fork();
    rewrite(&memory, &manifest, |json| json["writer"] = "somebody else".into());
    let verdict = open(&memory).await.verify().options(small()).run().await.unwrap();
    assert_eq!(verdict.exit_code(), 2, "{verdict}");
    assert_eq!(verdict.findings[0].code, "manifest_replaced", "{verdict}");
}

#[tokio::test]
async fn swapped_segments_fail() {
    let specimen = specimen().await;
    let segment = |number: usize| key(format!("backups/app/manual/{}/dump/{number:08}.zst.age", specimen.id));
    let globals = key(format!("backups/app/manual/{}/globals/00000000.zst.age", specimen.id));
    for (one, two) in [(segment(0), segment(1)), (segment(1), segment(2)), (segment(2), globals)] {
        let memory = specimen.memory.fork();
        let (first, second) = (memory.get(&one).unwrap(), memory.get(&two).unwrap());
        memory.put(one.clone(), second);
        memory.put(two.clone(), first);
        for level in [Level::Intact, Level::Readable] {
            let verdict = verify(&memory, &specimen.id, level).await.unwrap();
            assert_eq!(verdict.exit_code(), 2, "{verdict}");
            assert!(codes_of(&verdict.backups[0]).contains(&"segment_damaged"));
        }
        let error = read_all(&open(&memory).await, &specimen.id, opener(alice())).await;
        assert_code(error, &codes::SEGMENT_DAMAGED);
    }
}

/// Somebody who can write to the store re-sealed nothing but made every list agree: without trusted signers only the key
/// stands in the way.
#[tokio::test]
async fn segments_reordered_with_all_lists_forged_do_not_open() {
    let specimen = specimen().await;
    let memory = specimen.memory.fork();
    let folder = format!("backups/app/manual/{}", specimen.id);
    let (zero, one) = (key(format!("{folder}/dump/00000000.zst.age")), key(format!("{folder}/dump/00000001.zst.age")));
    let (first, second) = (memory.get(&zero).unwrap(), memory.get(&one).unwrap());
    memory.put(zero, second);
    memory.put(one, first);
    forge_sums(&memory, &folder, "dump");
    let manifest = key(format!("catalog/app/{}.manifest", specimen.id));
    let sums = backup_core::digest::Sha256::of(&memory.get(&key(format!("{folder}/SHA256SUMS"))).unwrap());
    rewrite(&memory, &manifest, |json| json["sha256sums"] = sums.to_string().into());
    // Every stored byte hashes as the forged manifest says.
    let verdict = verify(&memory, &specimen.id, Level::Intact).await.unwrap();
    assert_eq!(verdict.backups[0].reached, Some(Level::Intact), "{verdict}");
    let verdict = verify(&memory, &specimen.id, Level::Readable).await.unwrap();
    assert_eq!(verdict.exit_code(), 2);
    assert_eq!(verdict.backups[0].outcome, Outcome::Failed, "{verdict}");
    assert_code(read_all(&open(&memory).await, &specimen.id, opener(alice())).await, &codes::SEGMENT_DAMAGED);
}

/// Writes a part's SHA256SUMS, and the folder's, as they would be for what is there.
fn forge_sums(memory: &MemorySink, folder: &str, part: &str) {
    use backup_core::digest::Sha256;
    use backup_core::repository::sums;
    for dir in [format!("{folder}/{part}"), folder.to_owned()] {
        let list = key(format!("{dir}/SHA256SUMS"));
        let old = memory.get(&list).unwrap();
        let sums: Vec<_> = sums::read(&old, "it").collect::<Result<_, _>>().unwrap();
        let sums = sums.into_iter().map(|sum| {
            let bytes = memory.get(&key(format!("{dir}/{}", sum.name))).unwrap();
            (sum.name.into(), bytes.len() as u64, Sha256::of(&bytes))
        });
        memory.put(list, sums::write(sums));
    }
}

#[tokio::test]
async fn what_does_not_belong_there_is_never_read() {
    let specimen = specimen().await;
    let memory = specimen.memory.fork();
    let folder = format!("backups/app/manual/{}", specimen.id);
    let extras = ["dump/00000003.zst.age", "dump/x", "keys/0003.age", "extra/00000000.zst.age", "README"];
    for name in extras {
        memory.put(key(format!("{folder}/{name}")), "a stranger's");
    }
    let sink = FaultySink::new(Arc::new(memory));
    let repository =
        backup_core::repository::Repository::open(Arc::new(sink.clone()), Default::default()).await.unwrap();
    let id = Selector::Id(specimen.id.to_string());
    let verify = repository.verify().only(id).level(Level::Readable).open_with(opener(alice())).options(small());
    let verdict = verify.run().await.unwrap();
    assert_eq!(verdict.backups[0].outcome, Outcome::Passed, "{verdict}");
    assert_eq!(verdict.status(), Status::Warning, "it is told: {verdict}");
    assert_eq!(
        verdict.backups[0].findings.iter().filter(|finding| finding.code == "unexpected_object").count(),
        extras.len()
    );
    assert_eq!(read_all(&repository, &specimen.id, opener(alice())).await.unwrap(), given(&specimen.source));
    for (operation, at) in sink.calls() {
        let touched = extras.iter().any(|name| at.ends_with(&format!("/{name}")));
        assert!(!touched || operation == Operation::List, "{operation:?} of {at}");
    }
}

/// An object in the place of an empty one can be of any size: it is not read to find out.
#[tokio::test]
async fn an_object_in_the_place_of_an_empty_segment_is_refused_unread() {
    let memory = MemorySink::new();
    let sink = FaultySink::new(Arc::new(memory.clone()));
    let repository = create(Arc::new(sink.clone())).await;
    let mut options = small();
    options.compression = backup_core::repository::manifest::Compression::None;
    let request = repository.backup(app(), Arc::new(TestSource::of_size(0))).options(options);
    let id = request.seal(Arc::new(backup_core::cipher::NoEncryption)).run().await.unwrap().manifest.id;
    assert!(read_all(&repository, &id, None).await.unwrap()[&part("dump")].is_empty());
    let segment = key(format!("backups/app/manual/{id}/dump/00000000"));
    assert_eq!(memory.get(&segment).unwrap(), Bytes::new());
    memory.put(segment.clone(), "huge");
    let before = sink.calls().len();
    assert_code(read_all(&repository, &id, None).await, &codes::SEGMENT_DAMAGED);
    assert!(!sink.calls()[before..].contains(&(Operation::Read, segment.to_string())));
}

/// A forged list can say any size; what no segment can have is not fetched.
#[tokio::test]
async fn a_segment_that_is_said_to_be_larger_than_any_can_be_is_not_fetched() {
    use backup_core::digest::Sha256;
    use backup_core::repository::sums;
    let memory = MemorySink::new();
    let sink = FaultySink::new(Arc::new(memory.clone()));
    let repository = create(Arc::new(sink.clone())).await;
    let id = back_up(&repository, TestSource::of_size(10)).await.unwrap().manifest.id;
    let folder = format!("backups/app/manual/{id}");
    let huge = vec![0u8; 2 * MIB];
    memory.put(key(format!("{folder}/dump/00000000.zst")), huge.clone());
    let list = sums::write([("00000000.zst".into(), huge.len() as u64, Sha256::of(&huge))].into_iter());
    memory.put(key(format!("{folder}/dump/SHA256SUMS")), list);
    forge_sums(&memory, &folder, "dump");
    let sums = Sha256::of(&memory.get(&key(format!("{folder}/SHA256SUMS"))).unwrap());
    rewrite(&memory, &key(format!("catalog/app/{id}.manifest")), |json| {
        json["sha256sums"] = sums.to_string().into();
        json["parts"][0]["stored_bytes"] = huge.len().into();
    });
    let before = sink.calls().len();
    assert_code(read_all(&repository, &id, None).await, &codes::SEGMENT_DAMAGED);
    let verdict = repository.verify().options(small()).run().await.unwrap();
    assert_eq!(verdict.exit_code(), 2, "{verdict}");
    let fetched = |(operation, at): &(Operation, String)| *operation == Operation::Read && at.contains("dump/0000");
    assert!(!sink.calls()[before..].iter().any(fetched));
}

#[tokio::test]
async fn a_list_that_names_more_or_something_twice_is_refused() {
    use backup_core::digest::Sha256;
    let specimen = specimen().await;
    let folder = format!("backups/app/manual/{}", specimen.id);
    let list = key(format!("{folder}/SHA256SUMS"));
    let old = String::from_utf8(specimen.memory.get(&list).unwrap().to_vec()).unwrap();
    let entry = |name: &str| format!("# 1 {name}\n{}  {name}\n", Sha256::of(b"x"));
    let twice = old.split_inclusive('\n').take(2).collect::<String>();
    for more in [entry("extra"), entry("../../../x"), entry("keys/0009.age"), twice] {
        let memory = specimen.memory.fork();
        memory.put(list.clone(), format!("{old}{more}"));
        let sums = Sha256::of(&memory.get(&list).unwrap());
        let manifest = key(format!("catalog/app/{}.manifest", specimen.id));
        rewrite(&memory, &manifest, |json| json["sha256sums"] = sums.to_string().into());
        assert_code(read_all(&open(&memory).await, &specimen.id, opener(alice())).await, &codes::INVALID_DOCUMENT);
        let verdict = verify(&memory, &specimen.id, Level::Present).await.unwrap();
        assert_eq!((verdict.exit_code(), verdict.backups[0].reached), (2, None), "{verdict}");
    }
}
