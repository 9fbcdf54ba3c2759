//! Sources and targets that need no database, against the conformance suites.

use backup_core::error::codes;
use backup_core::general::{CommandSource, CommandTarget, FileSource, FileTarget, StreamSource, WriterTarget};
use backup_core::monitor::Silent;
use backup_core::names::PartName;
use backup_core::repository::contents::ContentsWriter;
use backup_core::source::{Source, SourceInfo};
use backup_core::target::Target;
use backup_core::testing::source::{read_source, source_conformance};
use backup_core::testing::target::{MemoryBackup, target_conformance};
use bytes::Bytes;
use jiff::Timestamp;
use std::io;
use std::sync::Arc;

fn sample() -> Vec<u8> {
    // More than a pipe holds (1 MiB at the most), so that a program that reads nothing is noticed each time.
    (0..500_000u32).flat_map(u32::to_be_bytes).collect()
}

fn backup() -> MemoryBackup {
    MemoryBackup::new(SourceInfo::new("stream", Timestamp::now()), [(PartName::new("data").unwrap(), sample())])
}

/// Reads the one part to its end: what `finish` said.
async fn outcome(source: &dyn Source, between: impl FnOnce()) -> backup_core::Result<()> {
    let mut snapshot = source.open(Arc::new(Silent)).await?;
    let mut part = snapshot.next_part().await?.unwrap();
    let mut buf = Vec::with_capacity(1000);
    part.fill(&mut buf).await?;
    between();
    while buf.len() == buf.capacity() {
        buf.clear();
        part.fill(&mut buf).await?;
    }
    part.finish(&mut ContentsWriter::in_memory()).await
}

#[tokio::test]
async fn a_command_is_a_source() {
    let text: String = (1..=50_000).map(|i| format!("{i}\n")).collect();
    source_conformance(|| CommandSource::new("seq").args(["1", "50000"]), &[("data", text.as_bytes())]).await;
    let named =
        CommandSource::new("sh").args(["-c", "printf \"$X\""]).env("X", "value").part(PartName::new("out").unwrap());
    assert_eq!(read_source(&named, 100).await[&PartName::new("out").unwrap()], b"value");
    let error = outcome(&CommandSource::new("sh").args(["-c", "seq 1 10000; exit 1"]), || ()).await.unwrap_err();
    assert!(error.is(&codes::SOURCE_FAILED), "{error:?}");
}

#[tokio::test]
async fn commands_show_no_secrets() {
    let source = CommandSource::new("sh").arg("hunter2").env("PASSWORD", "hunter2");
    let target = CommandTarget::new("sh").arg("hunter2").env("PASSWORD", "hunter2");
    assert_eq!(format!("{source:?} {target:?}"), "CommandSource(sh) CommandTarget(sh)");
}

#[tokio::test]
async fn a_file_is_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, sample()).unwrap();
    source_conformance(|| FileSource::new(&path), &[("data", &sample())]).await;
    std::fs::write(&path, b"").unwrap();
    source_conformance(|| FileSource::new(&path), &[("data", b"")]).await;
    let error = FileSource::new(folder.path().join("none")).open(Arc::new(Silent)).await.err().unwrap();
    assert!(error.is(&codes::FILE_NOT_FOUND));
    let error = FileSource::new(folder.path()).open(Arc::new(Silent)).await.err().unwrap();
    assert!(error.is(&codes::INVALID_ARGUMENT));
}

#[tokio::test]
async fn a_file_that_changes_is_not_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for change in [sample().len() + 1, 50_000] {
        std::fs::write(&path, sample()).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        let error = outcome(&FileSource::new(&path), || file.set_len(change as u64).unwrap()).await.unwrap_err();
        assert!(error.is(&codes::SOURCE_FAILED), "{error:?}");
    }
}

#[tokio::test]
async fn a_stream_is_a_source() {
    let pieces =
        || sample().chunks(777).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect::<Vec<io::Result<Bytes>>>();
    source_conformance(|| StreamSource::new(futures::stream::iter(pieces())), &[("data", &sample())]).await;
    source_conformance(|| StreamSource::from_reader(io::Cursor::new(sample())), &[("data", &sample())]).await;
    let source = StreamSource::new(futures::stream::iter(pieces()));
    read_source(&source, 1 << 20).await;
    assert!(source.open(Arc::new(Silent)).await.err().unwrap().is(&codes::INVALID_ARGUMENT), "a stream is read once");
}

#[tokio::test]
async fn a_stream_that_fails_is_not_complete() {
    let mut pieces: Vec<io::Result<Bytes>> = vec![Ok(Bytes::from_static(&[0; 1500]))];
    pieces.push(Err(io::Error::other("cable")));
    let error = outcome(&StreamSource::new(futures::stream::iter(pieces)), || ()).await.unwrap_err();
    assert!(error.is(&codes::SOURCE_FAILED) && error.chain().ends_with("cable"), "{error:?}");
}

#[tokio::test]
async fn a_file_is_a_target() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("restored");
    let read = || {
        let bytes = std::fs::read(&path).ok();
        let _ = std::fs::remove_file(&path);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no temporary file stays");
        bytes
    };
    target_conformance(|| FileTarget::new(&path), read).await;
}

#[tokio::test]
async fn an_existing_file_is_not_touched() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("there");
    std::fs::write(&path, "precious").unwrap();
    let target = FileTarget::new(&path);
    assert_eq!(target.plan(&backup()).await.unwrap().obstacles.len(), 1);
    assert!(target.restore(&backup(), Arc::new(Silent)).await.unwrap_err().is(&codes::ALREADY_EXISTS));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    let nowhere = FileTarget::new(folder.path().join("no/folder"));
    assert_eq!(nowhere.plan(&backup()).await.unwrap().obstacles.len(), 1);
    assert!(nowhere.restore(&backup(), Arc::new(Silent)).await.unwrap_err().is(&codes::FILE_NOT_FOUND));
    let new = folder.path().join("new");
    FileTarget::new(&new).restore(&backup(), Arc::new(Silent)).await.unwrap();
    assert_eq!(std::fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_command_is_a_target() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("restored");
    let script = format!("cat >{0}.partial && mv {0}.partial {0}", path.display());
    let read = || {
        let bytes = std::fs::read(&path).ok();
        let _ = std::fs::remove_file(&path);
        bytes
    };
    target_conformance(|| CommandTarget::new("bash").args(["-c", &script]), read).await;
    for (script, message) in [
        ("cat >/dev/null; echo no >&2; exit 9", "status 9: no"),
        ("exec 0<&-; exit 0", "did not read all of its input"),
    ] {
        let target = CommandTarget::new("sh").args(["-c", script]);
        let error = target.restore(&backup(), Arc::new(Silent)).await.unwrap_err();
        assert!(error.is(&codes::TARGET_FAILED) && error.to_string().contains(message), "{error:?}");
    }
}

#[tokio::test]
async fn a_writer_is_a_target() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("restored");
    let target = WriterTarget::new(tokio::fs::File::create(&path).await.unwrap());
    target.restore(&backup(), Arc::new(Silent)).await.unwrap();
    assert!(std::fs::read(&path).unwrap() == sample());
    assert_eq!(target.plan(&backup()).await.unwrap().obstacles.len(), 1);
    assert!(target.restore(&backup(), Arc::new(Silent)).await.unwrap_err().is(&codes::INVALID_ARGUMENT));
}

#[tokio::test]
async fn which_part_goes_to_a_target_is_asked() {
    let part = |name: &str| PartName::new(name).unwrap();
    let two = MemoryBackup::new(
        SourceInfo::new("stream", Timestamp::now()),
        [(part("one"), b"1".to_vec()), (part("two"), b"2".to_vec())],
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("restored");
    let target = FileTarget::new(&path);
    assert!(target.plan(&two).await.unwrap().obstacles[0].contains("one, two"));
    assert!(target.restore(&two, Arc::new(Silent)).await.unwrap_err().is(&codes::PART_NOT_FOUND));
    FileTarget::new(&path).part(part("two")).restore(&two, Arc::new(Silent)).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"2");
}
