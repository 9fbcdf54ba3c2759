//! Programs as streams of bytes.

use backup_core::command::{CommandReader, CommandStream, CommandWriter, LastWill};
use backup_core::error::codes;
use backup_core::names::PartName;
use backup_core::repository::contents::ContentsWriter;
use backup_core::source::PartReader;
use backup_core::{Error, Result};
use bytes::Bytes;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn shell(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.arg("-c").arg(script);
    command
}

fn part() -> PartName {
    PartName::new("data").unwrap()
}

async fn read(script: &str) -> (Vec<u8>, Result<()>) {
    let mut reader = Box::new(CommandReader::spawn(part(), shell(script)).unwrap());
    let mut all = Vec::new();
    loop {
        let mut buf = Vec::with_capacity(100_000);
        reader.fill(&mut buf).await.unwrap();
        all.extend_from_slice(&buf);
        if buf.len() < buf.capacity() {
            break;
        }
    }
    (all, reader.finish(&mut ContentsWriter::in_memory()).await)
}

/// Waits until a file has a line, which is a process id.
fn pid_in(path: &Path) -> u32 {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(pid) = std::fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')) {
            return pid.trim().parse().unwrap();
        }
        assert!(Instant::now() < deadline, "the program did not start");
        std::thread::yield_now();
    }
}

fn assert_ends(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Path::new(&format!("/proc/{pid}")).exists() {
        assert!(Instant::now() < deadline, "process {pid} is still there");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[tokio::test]
async fn all_bytes_come_in_order() {
    let (bytes, result) = read("seq 1 200000; printf end").await;
    let expected: String = (1..=200_000).map(|i| format!("{i}\n")).collect::<String>() + "end";
    assert!(bytes == expected.as_bytes());
    result.unwrap();
    let (bytes, result) = read("exit 0").await;
    assert!(bytes.is_empty());
    result.unwrap();
}

#[tokio::test]
async fn an_exit_status_other_than_0_is_an_error_with_the_last_messages() {
    let (bytes, result) = read("echo data; echo 'it went wrong' >&2; exit 3").await;
    assert_eq!(bytes, b"data\n", "the end of the stream proves nothing");
    let error = result.unwrap_err();
    assert!(error.is(&codes::SOURCE_FAILED));
    assert_eq!(error.to_string(), "bash exited with status 3: it went wrong");
    let error = read("kill -9 $$").await.1.unwrap_err();
    assert_eq!(error.to_string(), "bash was ended by signal 9");
}

#[tokio::test]
async fn messages_are_bounded() {
    let stream =
        CommandStream::spawn(shell("for i in {1..40000}; do echo message $i >&2; done; echo last >&2; exit 1"), None)
            .unwrap();
    let ended = stream.finish().await.unwrap();
    assert!(ended.stderr.len() <= 64 << 10 && ended.stderr.len() > 60 << 10);
    assert!(ended.describe().ends_with("last") && ended.describe().len() < 4 << 10);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error() {
    let error = CommandReader::spawn(part(), Command::new("/nowhere/at-all")).unwrap_err();
    assert!(error.is(&codes::FILE_NOT_FOUND));
    assert_eq!(error.to_string(), "run /nowhere/at-all");
}

#[tokio::test]
async fn a_program_does_not_hang_on_our_input() {
    assert_eq!(read("cat; echo done").await.0, b"done\n");
}

#[tokio::test]
async fn finishing_early_is_an_error() {
    let mut stream = CommandStream::spawn(shell("echo 12345"), None).unwrap();
    let mut buf = Vec::with_capacity(3);
    stream.fill(&mut buf).await.unwrap();
    assert_eq!(buf, b"123");
    assert!(stream.finish().await.unwrap_err().is(&codes::SOURCE_FAILED));
    let mut stream = CommandStream::spawn(shell("printf 123"), None).unwrap();
    let mut buf = Vec::with_capacity(3);
    stream.fill(&mut buf).await.unwrap();
    assert!(stream.finish().await.unwrap().success(), "exactly read, the end not yet seen");
}

#[tokio::test]
async fn a_tap_sees_every_byte_and_can_refuse() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tap = seen.clone();
    let tap = Box::new(move |bytes: &[u8]| {
        tap.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    });
    let mut stream = CommandStream::spawn(shell("seq 1 10000"), Some(tap)).unwrap();
    let mut buf = Vec::with_capacity(1 << 20);
    stream.fill(&mut buf).await.unwrap();
    assert!(*seen.lock().unwrap() == buf);
    assert!(stream.finish().await.unwrap().success());

    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let refuse = Box::new(|_: &[u8]| Err(Error::new(&codes::PART_INVALID, "not like this")));
    let mut stream =
        CommandStream::spawn(shell(&format!("echo $$ >{}; exec yes", pid.display())), Some(refuse)).unwrap();
    let mut buf = Vec::with_capacity(1 << 20);
    assert_eq!(stream.fill(&mut buf).await.unwrap_err().to_string(), "not like this");
    stream.fill(&mut buf).await.unwrap_err();
    drop(stream);
    assert_ends(pid_in(&pid));
}

#[tokio::test]
async fn dropping_the_reader_ends_the_program_and_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let (pid, child) = (folder.path().join("pid"), folder.path().join("child"));
    // Both hold the output open and write nothing; the child ignores SIGTERM.
    let script = format!(
        "bash -c 'trap \"\" TERM; echo $$ >{}; while :; do sleep 1000; done' & echo $$ >{}; wait",
        child.display(),
        pid.display()
    );
    let reader = CommandReader::spawn(part(), shell(&script)).unwrap();
    let (pid, child) = (pid_in(&pid), pid_in(&child));
    drop(reader);
    assert_ends(pid);
    assert_ends(child);
}

#[tokio::test]
async fn dropping_a_fill_ends_the_program_and_poisons_the_reader() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("echo $$ >{}; exec sleep 1000", pid.display());
    let mut stream = CommandStream::spawn(shell(&script), None).unwrap();
    let mut buf = Vec::with_capacity(1 << 20);
    tokio::select! {
        biased;
        _ = stream.fill(&mut buf) => panic!("nothing comes"),
        () = tokio::task::yield_now() => {}
    }
    let error = stream.fill(&mut buf).await.unwrap_err();
    assert!(error.is(&codes::CANCELLED));
    let pid = pid_in(&pid);
    drop(stream);
    assert_ends(pid);
}

#[tokio::test]
async fn a_writer_feeds_a_program() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut writer = CommandWriter::spawn(shell(&format!("cat >{}", out.display()))).unwrap();
    let piece = Bytes::from(vec![7; 3 << 20]);
    for _ in 0..3 {
        assert!(writer.write(piece.clone()).await);
    }
    let (ended, all) = writer.finish().await.unwrap();
    assert!(ended.success() && all);
    assert_eq!(std::fs::metadata(out).unwrap().len(), 9 << 20);
}

#[tokio::test]
async fn a_writer_tells_of_a_program_that_ends_early() {
    let mut writer = CommandWriter::spawn(shell("head -c 10 >/dev/null; echo enough >&2; exit 4")).unwrap();
    let piece = Bytes::from(vec![7; 3 << 20]);
    while writer.write(piece.clone()).await {}
    let (ended, all) = writer.finish().await.unwrap();
    assert!(!all);
    assert_eq!(ended.describe(), "bash exited with status 4: enough");
}

#[tokio::test]
async fn dropping_a_writer_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let mut writer = CommandWriter::spawn(shell(&format!("echo $$ >{}; exec sleep 1000", pid.display()))).unwrap();
    writer.write(Bytes::from(vec![7; 3 << 20])).await;
    let pid = pid_in(&pid);
    drop(writer);
    assert_ends(pid);
}

/// Runs when it is asked for by name only: what is killed in the test below.
#[tokio::test]
#[ignore = "a part of the next test"]
async fn starts_a_program_and_waits() {
    let Some(folder) = std::env::var_os("BACKPROOF_TEST_FOLDER").map(std::path::PathBuf::from) else { return };
    let script = format!("sleep 1000 & echo $! >{0}/child; echo $$ >{0}/pid; wait", folder.display());
    let mut stream = CommandStream::spawn(shell(&script), None).unwrap();
    let _will = LastWill::new("rm -r -- \"$1\"", folder.join("secrets")).unwrap();
    std::fs::write(folder.join("ready"), "").unwrap();
    stream.fill(&mut Vec::with_capacity(100)).await.unwrap();
}

/// It writes nothing and reads nothing, so that no pipe tells it.
#[test]
fn when_we_are_killed_the_program_and_what_it_started_ends_and_our_will_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    let mut ours = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "starts_a_program_and_waits", "--ignored", "--nocapture"])
        .env("BACKPROOF_TEST_FOLDER", folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let (pid, child) = (pid_in(&folder.path().join("pid")), pid_in(&folder.path().join("child")));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !folder.path().join("ready").exists() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert!(secrets.exists() && Path::new(&format!("/proc/{pid}")).exists());
    ours.kill().unwrap();
    ours.wait().unwrap();
    assert_ends(pid);
    assert_ends(child);
    while secrets.exists() {
        assert!(Instant::now() < deadline, "the folder is still there");
        std::thread::yield_now();
    }
}

#[test]
fn a_will_that_is_taken_back_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    drop(LastWill::new("echo >\"$1\"", &told).unwrap());
    assert!(!told.exists());
}
