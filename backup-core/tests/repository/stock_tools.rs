//! Nobody needs this program: RESTORE.md's own commands, and the tools that everybody has, check and restore a backup.
//!
//! Needs bash, GNU's sha256sum, Perl's shasum, sed and zstd on PATH.

use crate::support::*;
use backup_core::id::BackupId;
use backup_core::repository::manifest::Compression;
use backup_core::testing::sink::MemorySink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use tempfile::TempDir;

/// A repository in a folder whose name needs quoting, and a place to restore to.
struct Stored {
    temp: TempDir,
    id: BackupId,
    source: TestSource,
}

async fn stored_with(compression: Compression) -> Stored {
    let memory = MemorySink::new();
    let repository = create(Arc::new(memory.clone())).await;
    let source = TestSource::new([("globals", data(700, 1)), ("dump", data(3 * MIB + 9, 2)), ("nothing", Vec::new())]);
    let mut options = small();
    options.compression = compression;
    let request = repository.backup(app(), Arc::new(source.clone())).options(options);
    let report = request.seal(Arc::new(backup_core::cipher::NoEncryption)).run().await.unwrap();
    let stored = Stored { temp: TempDir::new().unwrap(), id: report.manifest.id, source };
    for object in memory.keys() {
        let path = stored.repository().join(object.as_str());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, memory.get(&object).unwrap()).unwrap();
    }
    std::fs::create_dir(stored.out()).unwrap();
    stored
}

async fn stored() -> Stored {
    stored_with(Compression::Zstd).await
}

impl Stored {
    fn repository(&self) -> PathBuf {
        self.temp.path().join("our $backups & 'more'")
    }

    fn out(&self) -> PathBuf {
        self.temp.path().join("out")
    }

    fn folder(&self) -> PathBuf {
        self.repository().join("backups/app/manual").join(self.id.as_str())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The `sh` blocks of RESTORE.md.
    fn script(&self) -> String {
        let text = std::fs::read_to_string(self.file("RESTORE.md")).unwrap();
        let mut script = String::new();
        let mut inside = false;
        for line in text.lines() {
            match (inside, line) {
                (false, "```sh") => inside = true,
                (true, "```") => inside = false,
                (true, line) => script = script + line + "\n",
                _ => {}
            }
        }
        assert!(!inside && !script.is_empty());
        script
    }

    /// Runs a script as its reader would, in an empty folder, with this PATH.
    fn run(&self, script: &str, path: &str) -> Output {
        let work = self.temp.path().join("work place");
        let _ = std::fs::remove_dir_all(&work);
        std::fs::create_dir(&work).unwrap();
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-c", script]).current_dir(work).env_clear();
        bash.env("PATH", path).env("REPOSITORY", self.repository()).env("OUT", self.out());
        bash.env("PARTS", "globals dump nothing").output().expect("bash must be installed")
    }

    fn restore(&self) -> Output {
        self.run(&self.script(), &std::env::var("PATH").unwrap())
    }

    /// What was delivered, whole or not.
    fn delivered(&self) -> Vec<(String, Vec<u8>)> {
        let files = std::fs::read_dir(self.out()).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        files.map(|path| (name(&path), std::fs::read(path).unwrap())).collect()
    }

    fn assert_restored(&self, output: &Output) {
        assert!(output.status.success(), "{}", text(output));
        for (name, bytes) in &self.source.parts {
            assert!(std::fs::read(self.out().join(name.as_str())).unwrap() == **bytes, "{name} is not as it was");
        }
    }

    fn assert_stopped(&self, output: &Output, what: &str) {
        assert!(!output.status.success(), "{what}: {}", text(output));
        assert!(self.delivered().is_empty(), "{what}: something was delivered before the checks were done");
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], b"\n", &output.stderr[..]].concat()).into_owned()
}

/// A PATH with these programs alone.
fn path_of(folder: &Path, programs: &[&str]) -> String {
    std::fs::create_dir_all(folder).unwrap();
    for program in programs {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|dir| dir.join(program))
            .find(|path| path.exists())
            .unwrap_or_else(|| panic!("{program} must be installed"));
        std::os::unix::fs::symlink(found, folder.join(program)).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

const USED: [&str; 11] = ["bash", "sed", "grep", "cut", "cp", "mkdir", "rm", "cat", "head", "zstd", "perl"];

#[tokio::test]
async fn the_instructions_restore_every_part_byte_for_byte() {
    for compression in [Compression::Zstd, Compression::None] {
        let stored = stored_with(compression).await;
        stored.assert_restored(&stored.restore());
    }
}

/// What macOS has instead of sha256sum; and nothing is needed that is not named.
#[tokio::test]
async fn the_instructions_work_with_perls_shasum_too() {
    let stored = stored().await;
    let gnu = path_of(&stored.temp.path().join("gnu"), &[&USED[..], &["sha256sum"]].concat());
    stored.assert_restored(&stored.run(&stored.script(), &gnu));
    for entry in std::fs::read_dir(stored.out()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let perl = path_of(&stored.temp.path().join("perl"), &[&USED[..], &["shasum"]].concat());
    stored.assert_restored(&stored.run(&stored.script(), &perl));
}

#[tokio::test]
async fn the_instructions_stop_before_they_deliver_anything_of_a_damaged_backup() {
    let stored = stored().await;
    let flip = |name: &str| {
        let mut bytes = std::fs::read(stored.file(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(stored.file(name), bytes).unwrap();
    };
    let manifest = stored.repository().join(format!("catalog/app/{}.manifest", stored.id));
    let manifest_text = std::fs::read_to_string(&manifest).unwrap();
    let perl = path_of(&stored.temp.path().join("perl"), &[&USED[..], &["shasum"]].concat());
    let stops = |what: &str| {
        let output = stored.restore();
        stored.assert_stopped(&output, what);
        assert!(
            text(&output).contains("STOP: ") || text(&output).contains("cp:"),
            "{what} says why: {}",
            text(&output)
        );
        stored.assert_stopped(&stored.run(&stored.script(), &perl), what);
    };
    for name in ["dump/00000001.zst", "globals/00000000.zst", "contents/00000000.zst", "dump/SHA256SUMS", "SHA256SUMS"]
    {
        let good = std::fs::read(stored.file(name)).unwrap();
        flip(name);
        stops(&format!("{name} flipped"));
        std::fs::write(stored.file(name), &good[..good.len() - 1]).unwrap();
        stops(&format!("{name} cut"));
        std::fs::remove_file(stored.file(name)).unwrap();
        stops(&format!("{name} gone"));
        std::fs::write(stored.file(name), good).unwrap();
    }
    let sums = std::fs::read_to_string(stored.file("dump/SHA256SUMS")).unwrap();
    let lines: Vec<&str> = sums.split_inclusive('\n').collect();
    for (what, changed) in [
        ("a segment less", lines[..lines.len() - 2].concat()),
        ("a segment twice", sums.clone() + &lines[..2].concat()),
        ("two segments swapped", [&lines[2..4], &lines[..2], &lines[4..]].concat().concat()),
        ("nothing", String::new()),
    ] {
        std::fs::write(stored.file("dump/SHA256SUMS"), changed).unwrap();
        stops(what);
    }
    std::fs::write(stored.file("dump/SHA256SUMS"), sums).unwrap();
    for (what, changed) in [
        ("a changed manifest", manifest_text.replace("\"left_out\": 0", "\"left_out\": 1")),
        (
            "the manifest of another backup",
            with_hash(
                &manifest_text[..manifest_text.find("sha256 ").unwrap()]
                    .replace(stored.id.as_str(), "20200101T000000Z-0000000000000000"),
            ),
        ),
        ("no manifest", String::new()),
    ] {
        std::fs::write(&manifest, changed).unwrap();
        stops(what);
    }
    std::fs::write(&manifest, manifest_text).unwrap();
    stored.assert_restored(&stored.restore());
}

#[tokio::test]
async fn a_strangers_segment_is_not_read() {
    let stored = stored().await;
    for name in ["dump/00000004.zst", "dump/99999999.zst", "dump/0.zst"] {
        std::fs::copy(stored.file("globals/00000000.zst"), stored.file(name)).unwrap();
    }
    stored.assert_restored(&stored.restore());
}

/// Damage between the checks and the opening: the part ends with an error, whatever reads it.
#[tokio::test]
async fn an_error_within_a_part_ends_the_script() {
    let stored = stored().await;
    let script = stored.script();
    let (checks, rest) = script.split_at(script.find("for part in").unwrap());
    for (damage, steps) in [
        (format!("echo x > dump/{}", "00000001.zst"), rest.to_owned()),
        ("rm dump/00000002.zst".into(), "open_part dump | cat > \"$OUT/dump\"; echo reached".into()),
        (": > dump/SHA256SUMS".into(), "open_part dump > \"$OUT/dump\"; echo reached".into()),
        ("rm dump/SHA256SUMS".into(), "if open_part dump > \"$OUT/dump\"; then echo reached; else exit 1; fi".into()),
        (":".into(), "open_part nowhere > \"$OUT/dump\"; echo reached".into()),
    ] {
        let output = stored.run(&format!("{checks}\n{damage}\n{steps}"), &std::env::var("PATH").unwrap());
        assert!(!output.status.success(), "{damage}: {}", text(&output));
        assert!(!text(&output).contains("reached"), "{damage}");
    }
}

#[tokio::test]
async fn sums_and_documents_are_read_by_the_tools_everybody_has() {
    let stored = stored().await;
    let run = |folder: &Path, program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(folder).output();
        let output = output.unwrap_or_else(|error| panic!("{program} must be installed: {error}"));
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    for folder in [stored.folder(), stored.file("dump"), stored.file("contents"), stored.file("nothing")] {
        for (program, args) in
            [("sha256sum", &["-c", "--strict", "SHA256SUMS"][..]), ("shasum", &["-a", "256", "-c", "SHA256SUMS"])]
        {
            let (good, said) = run(&folder, program, args);
            assert!(good, "{program} in {}: {said}", folder.display());
            assert_eq!(said.lines().filter(|line| line.ends_with(": OK")).count(), said.lines().count(), "{said}");
        }
        // Sizes for who looks, as GNU's stat gives them.
        let sums = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
        for line in sums.lines().filter_map(|line| line.strip_prefix("# ")) {
            let (bytes, name) = line.split_once(' ').unwrap();
            assert_eq!(std::fs::metadata(folder.join(name)).unwrap().len().to_string(), bytes);
        }
    }
    std::fs::write(stored.file("dump/00000000.zst"), "x").unwrap();
    assert!(!run(&stored.file("dump"), "sha256sum", &["-c", "--strict", "SHA256SUMS"]).0);

    let catalog = stored.repository().join("catalog/app");
    let manifest = format!("{}.manifest", stored.id);
    let (_, json) = run(&catalog, "sed", &["/^}$/q", &manifest]);
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
    std::fs::write(stored.out().join("json"), &json).unwrap();
    let (_, digest) = run(&stored.out(), "sha256sum", &["json"]);
    let all = std::fs::read_to_string(catalog.join(&manifest)).unwrap();
    assert_eq!(all, format!("{json}sha256 {}\n", &digest[..64]));
}

/// What a stranger reads, as it is.
#[tokio::test]
async fn the_instructions_read_well() {
    let memory = MemorySink::new();
    let repository = create(Arc::new(memory.clone())).await;
    let snapshot = "2026-11-20T02:00:00.25Z".parse().unwrap();
    let mut source = TestSource::new([("globals", data(10, 1)), ("dump", data(MIB + 1, 2))]).at(snapshot);
    source.facts.insert("extensions".into(), "citext 1.6, `hstore`\n1.8".into());
    source.left_out.push(backup_core::source::LeftOut { kind: "table".into(), name: "a".into(), reason: "b".into() });
    let id = back_up_sealed(&repository, source).await.unwrap().manifest.id;
    let written = memory.get(&key(format!("backups/app/manual/{id}/RESTORE.md"))).unwrap();
    let written = String::from_utf8(written.to_vec()).unwrap();
    let written = written.replace(id.as_str(), "20261120T020000Z-7f3a9c51d2e8b604");
    let written = written.replace(concat!("backproof ", env!("CARGO_PKG_VERSION")), "backproof VERSION");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repository/RESTORE.golden.md");
    if std::env::var_os("BACKPROOF_WRITE_GOLDEN").is_some() {
        std::fs::write(&golden, &written).unwrap();
    }
    assert_eq!(written, std::fs::read_to_string(&golden).unwrap(), "BACKPROOF_WRITE_GOLDEN=1 writes it anew");
}
