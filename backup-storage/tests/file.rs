//! `file://` on real file systems.

mod support;

use backup_core::digest::Sha256;
use backup_core::error::codes;
use backup_core::key::ObjectKey;
use backup_core::sink::Sink;
use backup_core::testing::sink::sink_conformance;
use backup_storage::{FileSink, StoreOptions, open};
use bytes::Bytes;
use futures::TryStreamExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use support::{create, key, keys};

async fn sink(root: &Path) -> Arc<dyn Sink> {
    open(&format!("file://{}", root.display()), &StoreOptions::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("not/there/yet");
    sink_conformance(sink(&root).await).await;
    let left: Vec<_> = std::fs::read_dir(&root).unwrap().collect();
    assert!(left.is_empty(), "empty folders go with their last object: {left:?}");
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_empty_and_stays_absent() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("absent");
    let sink = sink(&root).await;
    assert!(sink.list("").try_collect::<Vec<_>>().await.unwrap().is_empty());
    assert!(sink.read(&key("a"), None).await.unwrap_err().is(&codes::OBJECT_NOT_FOUND));
    sink.delete(&key("a")).await.unwrap();
    assert!(!root.exists());
    assert!(sink.is_local());
    assert_eq!(sink.location(), format!("file://{}", root.display()));
}

#[tokio::test]
async fn objects_are_plain_files_for_their_owner() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("r");
    create(&*sink(&root).await, "backups/app/segment.zst", b"data").await.unwrap();
    let file = root.join("backups/app/segment.zst");
    assert_eq!(std::fs::read(&file).unwrap(), b"data");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&root), mode(&root.join("backups"))), (0o600, 0o700, 0o700));
}

#[tokio::test]
async fn only_regular_files_with_the_names_of_keys_are_objects() {
    let folder = tempfile::tempdir().unwrap();
    let (root, outside) = (folder.path().join("r"), folder.path().join("outside"));
    std::fs::create_dir_all(outside.join("sub")).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    let sink = sink(&root).await;
    create(&*sink, "a/object", b"1").await.unwrap();
    std::fs::write(root.join("a/not a key"), "x").unwrap();
    std::fs::write(root.join("a/half~written"), "x").unwrap();
    std::fs::create_dir(root.join("a/lost+found")).unwrap();
    std::fs::write(root.join("a/lost+found/object"), "x").unwrap();
    symlink(outside.join("secret"), root.join("a/link")).unwrap();
    symlink(&outside, root.join("a/linked-folder")).unwrap();
    symlink(&root, root.join("a/round")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, root.join("a/pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    assert_eq!(keys(&*sink, "").await, ["a/object"]);
    assert_eq!(keys(&*sink, "a/linked-folder").await, [""; 0]);
    for not_an_object in ["a", "a/link", "a/pipe"] {
        let read = sink.read(&key(not_an_object), None).await;
        assert!(read.unwrap_err().is(&codes::OBJECT_NOT_FOUND), "{not_an_object}");
        assert!(sink.stat(&key(not_an_object)).await.unwrap_err().is(&codes::OBJECT_NOT_FOUND), "{not_an_object}");
        // Whatever it is, it is not replaced.
        assert!(create(&*sink, not_an_object, b"2").await.unwrap_err().is(&codes::ALREADY_EXISTS), "{not_an_object}");
    }
    for outside in ["../outside", "/etc", "a/../../outside", "a/"] {
        assert!(sink.list(outside).try_collect::<Vec<_>>().await.unwrap_err().is(&codes::INVALID_NAME), "{outside}");
    }
    // An object cannot be a folder.
    assert!(create(&*sink, "a/object/below", b"3").await.is_err());
    assert_eq!(sink.read(&key("a/object"), None).await.unwrap(), "1");
}

#[tokio::test]
async fn a_linked_root_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("disk")).unwrap();
    symlink(folder.path().join("disk"), folder.path().join("r")).unwrap();
    let sink = sink(&folder.path().join("r")).await;
    create(&*sink, "a/b", b"1").await.unwrap();
    assert_eq!(keys(&*sink, "").await, ["a/b"]);
    assert!(folder.path().join("disk/a/b").is_file());
}

/// Deleting takes empty folders away; creating beside it must not trip over that.
#[tokio::test(flavor = "multi_thread")]
async fn creating_and_deleting_in_the_same_folder_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(&folder.path().join("r")).await;
    let workers = (0..4).map(|worker| {
        let sink = sink.clone();
        tokio::spawn(async move {
            for round in 0..150 {
                let name = format!("x/y/z/{worker}-{round}");
                create(&*sink, &name, b"data").await.unwrap();
                assert_eq!(sink.read(&key(&name), None).await.unwrap(), "data");
                sink.delete(&key(&name)).await.unwrap();
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path().join("r")).unwrap().count(), 0);
}

#[test]
fn paths_that_cannot_be_a_root() {
    for path in ["relative/path", "", "/a/../b"] {
        assert!(FileSink::new(path).unwrap_err().is(&codes::INVALID_ARGUMENT), "{path}");
    }
}

/// The test runs itself again in a mount namespace of its own, with a small disk, and as `role`.
fn run_on_small_disk(test: &str, role: &str, mount: &str) -> Option<std::path::PathBuf> {
    const ROLE: &str = "BACKPROOF_TEST_SMALL_DISK";
    if std::env::var(ROLE).is_ok_and(|given| given == role) {
        return Some("/mnt".into());
    }
    let program = std::env::current_exe().unwrap();
    let user = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
    let script = format!("{mount} && exec {} --exact {test} --nocapture", program.display());
    let output = std::process::Command::new("unshare")
        .args([user, "sh", "-ec", &script])
        .env(ROLE, role)
        .output()
        .expect("`unshare` (Debian package util-linux) is needed");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "this test needs the right to mount in a namespace of its own (root, or user namespaces), or it failed: {said}"
    );
    None
}

#[tokio::test]
async fn a_full_disk_is_no_space_and_leaves_nothing() {
    let mount = "mount -t tmpfs -o size=2m tmpfs /mnt";
    let Some(root) = run_on_small_disk("a_full_disk_is_no_space_and_leaves_nothing", "full", mount) else { return };
    let sink = sink(&root.join("r")).await;
    create(&*sink, "small", b"fits").await.unwrap();
    let large = Bytes::from(vec![7; 4 << 20]);
    for name in ["large", "in/folders/large"] {
        let error = sink.create(&key(name), large.clone(), Sha256::of(&large)).await.unwrap_err();
        assert!(error.is(&codes::NO_SPACE), "{}", error.report());
        let error = sink.replace(&key(name), large.clone()).await.unwrap_err();
        assert!(error.is(&codes::NO_SPACE), "{}", error.report());
    }
    assert_eq!(keys(&*sink, "").await, ["small"]);
    // The space is free again: nothing unfinished stays.
    let fits = Bytes::from(vec![7; 1 << 20]);
    sink.create(&key("medium"), fits.clone(), Sha256::of(&fits)).await.unwrap();
}

#[tokio::test]
async fn a_read_only_disk_is_access_denied() {
    let mount = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/r && echo 1 > /mnt/r/a && mount -o remount,ro /mnt";
    let Some(root) = run_on_small_disk("a_read_only_disk_is_access_denied", "read-only", mount) else { return };
    let sink = sink(&root.join("r")).await;
    assert_eq!(sink.read(&key("a"), None).await.unwrap(), "1\n");
    for name in ["b", "folder/b"] {
        let error = create(&*sink, name, b"2").await.unwrap_err();
        assert!(error.is(&codes::ACCESS_DENIED), "{}", error.report());
    }
    let error = sink.delete(&key("a")).await.unwrap_err();
    assert!(error.is(&codes::ACCESS_DENIED), "{}", error.report());
    assert_eq!(keys(&*sink, "").await, ["a"]);
}

/// A process is killed while it creates objects: what is visible afterwards is whole.
#[tokio::test]
async fn a_killed_writer_leaves_no_half_object() {
    const ROOT: &str = "BACKPROOF_TEST_KILLED_WRITER";
    const SIZE: usize = 2 << 20;
    if let Ok(root) = std::env::var(ROOT) {
        let sink = FileSink::new(root).unwrap();
        let data = Bytes::from(vec![1; SIZE]);
        let sha256 = Sha256::of(&data);
        for number in 0.. {
            let at = ObjectKey::new(format!("a/{number}")).unwrap();
            sink.create(&at, data.clone(), sha256).await.unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    for round in 0..8 {
        let root = folder.path().join(round.to_string());
        let program = std::env::current_exe().unwrap();
        let mut writer = std::process::Command::new(program)
            .args(["--exact", "a_killed_writer_leaves_no_half_object"])
            .env(ROOT, &root)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Killed after a number of objects that differs from round to round, wherever it is then.
        let sink = FileSink::new(&root).unwrap();
        while keys(&sink, "").await.len() <= round {
            assert!(writer.try_wait().unwrap().is_none(), "the writer ended by itself");
            tokio::task::yield_now().await;
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let listed: Vec<_> = sink.list("").try_collect().await.unwrap();
        assert!(listed.len() > round);
        assert!(listed.iter().all(|info| info.size == SIZE as u64), "{listed:?}");
        let files = std::fs::read_dir(root.join("a")).unwrap().count();
        assert_eq!(files, listed.len(), "files without a name are gone with their process");
    }
}
