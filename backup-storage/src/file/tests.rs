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
