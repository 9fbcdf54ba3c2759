//! What the integration tests cannot see: the way without unnamed files.

use super::*;
use backup_core::testing::sink::sink_conformance;
use futures::TryStreamExt;

fn named(folder: &tempfile::TempDir) -> FileSink {
    FileSink::with(folder.path().join("repository"), false).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn file_systems_without_unnamed_files_keep_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    sink_conformance(Arc::new(named(&folder))).await;
    let left: Vec<_> = std::fs::read_dir(folder.path().join("repository")).unwrap().collect();
    assert!(left.is_empty(), "nothing is left, unfinished files included: {left:?}");
}

#[test]
fn what_nobody_waits_for_does_not_appear_later() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("repository")).unwrap();
    let data = Bytes::from(vec![7; 1 << 20]);
    let list = |sink: FileSink| async move { sink.list("").try_collect::<Vec<_>>().await.unwrap().len() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let seen = runtime.block_on(async {
        for number in 0..40 {
            let key = ObjectKey::new(format!("a/{number}")).unwrap();
            let create = sink.create(&key, data.clone(), Sha256::of(&data));
            assert!(futures::poll!(create).is_pending(), "a thread has it now, and the future is gone");
        }
        list(sink.clone()).await
    });
    drop(runtime); // waits for its threads
    let later = tokio::runtime::Runtime::new().unwrap().block_on(list(sink));
    assert_eq!(later, seen);
}

#[tokio::test]
async fn unfinished_files_are_no_objects_and_hinder_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sink = named(&folder);
    let root = folder.path().join("repository");
    std::fs::create_dir_all(root.join("a")).unwrap();
    // What a killed process leaves.
    let left = named_file(&root.join("a")).unwrap();
    (&left.file).write_all(b"half").unwrap();
    std::mem::forget(left);
    assert!(sink.list("").try_collect::<Vec<_>>().await.unwrap().is_empty());
    let key = ObjectKey::new("a/object").unwrap();
    sink.create(&key, Bytes::from_static(b"whole"), Sha256::of(b"whole")).await.unwrap();
    let listed: Vec<_> = sink.list("a").try_collect().await.unwrap();
    assert_eq!(listed.into_iter().map(|info| info.key).collect::<Vec<_>>(), [key]);
}

#[test]
fn renaming_does_not_replace() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a"), "a").unwrap();
    std::fs::write(path("b"), "b").unwrap();
    assert_eq!(rename_without_replacing(&path("a"), &path("b")), Err(Errno::EXIST));
    assert_eq!(std::fs::read(path("b")).unwrap(), b"b");
    rename_without_replacing(&path("a"), &path("c")).unwrap();
    assert_eq!(std::fs::read(path("c")).unwrap(), b"a");
}
