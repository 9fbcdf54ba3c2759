//! The frozen repository of format 1 under `fixtures/format-1/` is read by this and every later version: with our code, and
//! with stock tools alone, by the RESTORE.md that was written with it.
//!
//! Needs age, gpg, zstd, ssh-keygen and bash on PATH. `BACKPROOF_WRITE_FIXTURE=1` writes the repository where there is none.

use async_trait::async_trait;
use backup_core::cipher::{KeySealer, NoEncryption};
use backup_core::digest::Sha256;
use backup_core::id::BackupId;
use backup_core::key::ObjectKey;
use backup_core::level::{Level, Outcome};
use backup_core::monitor::Monitor;
use backup_core::names::{Label, PartName, Series};
use backup_core::pipeline::PipelineOptions;
use backup_core::repository::catalog::Selector;
use backup_core::repository::contents::ContentsWriter;
use backup_core::repository::manifest::Compression;
use backup_core::repository::marker::Marker;
use backup_core::repository::{OpenOptions, Repository};
use backup_core::sink::Capabilities;
use backup_core::source::{LeftOut, PartReader, Snapshot, Source, SourceInfo};
use backup_core::testing::sink::MemorySink;
use backup_crypto::{Identities, RecipientOptions, Recipients, SshSigner, TrustedSigners};
use secrecy::{SecretSlice, SecretString};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const INSTALLATION: &str = "i-f0f0f0f0f0f0f0f0";
const PASSPHRASE: &str = "format one";
const SEGMENT: usize = 1 << 20;
/// SHA-256 over the path and the digest of every object, as [`fingerprint`] makes it. It never changes again.
const FROZEN: &str = "4d8410c29598c1d819324b2b832fc1f1f2dfdba622d7fb6c8b41390b98345069";

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/format-1").join(path)
}

fn key_file(name: &str) -> Vec<u8> {
    std::fs::read(fixture("keys").join(name)).unwrap()
}

/// The parts of each backup, by the second of its snapshot.
fn parts(backup: u8) -> Vec<(&'static str, Vec<u8>)> {
    let line = |number: usize| format!("{:05}\tformat 1, backup {backup}\n", number / 1000);
    let dump: String = (0..50_000).map(line).collect();
    let globals = format!("CREATE ROLE reader_of_backup_{backup};\n").into_bytes();
    match backup {
        3 => vec![("data", b"in clear\n".to_vec()), ("nothing", Vec::new())],
        _ => vec![("globals", globals), ("dump", dump.into_bytes())],
    }
}

fn snapshot(backup: u8) -> jiff::Timestamp {
    ["2026-11-20T02:00:00.5Z", "2026-11-21T02:00:00Z", "2026-11-20T03:00:00Z"][usize::from(backup) - 1].parse().unwrap()
}

#[derive(Debug)]
struct Fixed(u8);

struct FixedSnapshot {
    info: SourceInfo,
    backup: u8,
    parts: Vec<(&'static str, Vec<u8>)>,
}

struct FixedPart(&'static str, Vec<u8>);

#[async_trait]
impl Source for Fixed {
    fn kind(&self) -> &str {
        "fixture"
    }
    async fn open(&self, _: Arc<dyn Monitor>) -> backup_core::Result<Box<dyn Snapshot>> {
        let mut info = SourceInfo::new("fixture", snapshot(self.0));
        info.versions.insert("server".into(), "15.18".into());
        info.facts.insert("encoding".into(), "UTF8".into());
        let mut parts = parts(self.0);
        parts.reverse();
        Ok(Box::new(FixedSnapshot { info, backup: self.0, parts }))
    }
}

#[async_trait]
impl Snapshot for FixedSnapshot {
    fn info(&self) -> &SourceInfo {
        &self.info
    }
    async fn next_part(&mut self) -> backup_core::Result<Option<Box<dyn PartReader>>> {
        Ok(self.parts.pop().map(|(name, bytes)| Box::new(FixedPart(name, bytes)) as Box<dyn PartReader>))
    }
    fn left_out(&self) -> Vec<LeftOut> {
        let one = LeftOut { kind: "table".into(), name: "public.vault".into(), reason: "may not be read".into() };
        if self.backup == 1 { vec![one] } else { Vec::new() }
    }
    fn restore_steps(&self) -> String {
        let names: Vec<&str> = parts(self.backup).into_iter().map(|(name, _)| name).collect();
        format!("```sh\nfor part in {}; do open_part \"$part\" > \"../$part\"; done\n```", names.join(" "))
    }
    async fn finish(self: Box<Self>) -> backup_core::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl PartReader for FixedPart {
    fn name(&self) -> PartName {
        PartName::new(self.0).unwrap()
    }
    async fn fill(&mut self, buf: &mut Vec<u8>) -> backup_core::Result<()> {
        let room = (buf.capacity() - buf.len()).min(self.1.len());
        buf.extend(self.1.drain(..room));
        Ok(())
    }
    async fn finish(self: Box<Self>, contents: &mut ContentsWriter) -> backup_core::Result<()> {
        contents.line(&serde_json::json!({ "note": { "part": self.0 } })).await
    }
}

/// Writes the three backups, in a place where there is nothing.
async fn write() {
    let root = fixture("repository");
    assert!(!root.exists(), "the fixture is frozen: it is never written again");
    let memory = MemorySink::new();
    let marker = Marker::new(Some(INSTALLATION.into()), Capabilities::default()).unwrap();
    let repository = Repository::create(Arc::new(memory.clone()), marker).await.unwrap();
    let text = SecretSlice::from(key_file("TEST-KEY-signing"));
    let signer = Arc::new(SshSigner::from_openssh("the test key", &text, &backup_crypto::NoPrompt).unwrap());
    let openpgp = fixture("keys/TEST-KEY-openpgp-public.asc").display().to_string();
    let age = String::from_utf8(key_file("TEST-KEY-age.txt")).unwrap();
    let age = age.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    let fast = |passphrase| RecipientOptions { passphrase, scrypt_log_n: 10, ..Default::default() };
    let mixed = Recipients::parse(&[age, openpgp.clone()], &fast(Some(SecretString::from(PASSPHRASE)))).await.unwrap();
    let only_openpgp = Recipients::parse(&[openpgp], &fast(None)).await.unwrap();
    let sealers: [Arc<dyn KeySealer>; 3] = [Arc::new(mixed), Arc::new(only_openpgp), Arc::new(NoEncryption)];
    for (backup, sealer) in (1..).zip(sealers) {
        let series = Series::new(if backup == 3 { "clear" } else { "app" }).unwrap();
        let mut options = PipelineOptions::default();
        options.segment_bytes = SEGMENT as u64;
        if backup == 3 {
            options.compression = Compression::None;
        }
        let request = repository.backup(series, Arc::new(Fixed(backup))).label(Label::new("daily").unwrap());
        let mut request = request.options(options).seal(sealer);
        if backup != 3 {
            request = request.sign(signer.clone());
        }
        request.run().await.unwrap();
    }
    for object in memory.keys() {
        let path = root.join(object.as_str());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, memory.get(&object).unwrap()).unwrap();
    }
}

fn objects(folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            objects(&path, found);
        } else {
            let name = path.strip_prefix(fixture("repository")).unwrap().to_str().unwrap().to_owned();
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

async fn frozen() -> MemorySink {
    if std::env::var_os("BACKPROOF_WRITE_FIXTURE").is_some() && !fixture("repository").exists() {
        write().await;
    }
    let mut found = BTreeMap::new();
    objects(&fixture("repository"), &mut found);
    let list: String = found.iter().map(|(name, bytes)| format!("{}  {name}\n", Sha256::of(bytes))).collect();
    assert_eq!(Sha256::of(list.as_bytes()).to_string(), FROZEN, "a frozen object was changed");
    let memory = MemorySink::new();
    for (name, bytes) in found {
        memory.put(ObjectKey::new(name).unwrap(), bytes);
    }
    memory
}

async fn opened() -> Repository {
    let mut options = OpenOptions::default();
    let trusted = String::from_utf8(key_file("allowed_signers")).unwrap();
    options.trust = Some(Arc::new(TrustedSigners::parse(&trusted, &jiff::tz::TimeZone::UTC).unwrap()));
    options.installation = Some(INSTALLATION.into());
    Repository::open(Arc::new(frozen().await), options).await.unwrap()
}

async fn id(repository: &Repository, backup: u8) -> BackupId {
    let catalog = repository.catalog(None).await.unwrap();
    assert_eq!(catalog.entries().len(), 3);
    let entry = catalog
        .entries()
        .iter()
        .find(|entry| entry.record.as_ref().unwrap().manifest.source.snapshot == snapshot(backup));
    entry.unwrap().id.clone()
}

fn identity(name: &str) -> Identities {
    Identities::new().text(name, &SecretSlice::from(key_file(name))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recipient_reads_it() {
    let repository = opened().await;
    let ways = [
        (1, identity("TEST-KEY-age.txt"), "trusted: test-host"),
        (1, identity("TEST-KEY-openpgp-secret.asc"), "trusted: test-host"),
        (1, Identities::new().passphrase(SecretString::from(PASSPHRASE)), "trusted: test-host"),
        (2, identity("TEST-KEY-openpgp-secret.asc"), "trusted: test-host"),
        (3, Identities::new(), "refused"),
    ];
    for (backup, identities, authenticity) in ways {
        let id = id(&repository, backup).await;
        let selector = || Selector::Id(id.to_string());
        let opener: Option<Arc<dyn backup_core::cipher::KeyOpener>> = Some(Arc::new(identities));
        let verify = repository.verify().only(selector()).level(Level::Readable).open_with(opener.clone());
        let verdict = verify.run().await.unwrap();
        let found = &verdict.backups[0];
        assert!(found.authenticity.starts_with(authenticity), "{verdict}");
        let trusted = authenticity.starts_with("trusted");
        assert_eq!(found.outcome, if trusted { Outcome::Passed } else { Outcome::Failed }, "{verdict}");
        let read = repository.read(selector()).open_with(opener).allow_unsigned(!trusted);
        let opened = read.open().await.unwrap();
        assert_eq!(opened.contents().left_out.len(), usize::from(backup == 1));
        for (name, bytes) in parts(backup) {
            let part = opened.stream(&PartName::new(name).unwrap()).unwrap().read_to_end().await.unwrap();
            assert!(part == bytes, "{name} of backup {backup}");
        }
    }
    let first = repository.read_manifest(&Series::new("app").unwrap(), &id(&repository, 1).await).await.unwrap();
    let second = repository.read_manifest(&Series::new("app").unwrap(), &id(&repository, 2).await).await.unwrap();
    let previous = second.manifest.previous.unwrap();
    assert_eq!((previous.id, previous.sha256), (first.manifest.id, first.sha256));
}

/// The `sh` blocks of a RESTORE.md.
fn script(text: &str) -> String {
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn its_own_instructions_restore_it() {
    let repository = opened().await;
    let gnupg = tempfile::Builder::new().prefix("bp").tempdir_in("/tmp").unwrap();
    let mut gpg = Command::new("gpg");
    gpg.args(["--batch", "--quiet", "--import"]).arg(fixture("keys/TEST-KEY-openpgp-secret.asc"));
    let import = gpg.env("GNUPGHOME", gnupg.path()).output().expect("gpg must be installed");
    assert!(import.status.success(), "{import:?}");
    for (backup, with_identity) in [(1, true), (1, false), (2, false), (3, false)] {
        let work = tempfile::tempdir().unwrap();
        let id = id(&repository, backup).await;
        let series = if backup == 3 { "clear" } else { "app" };
        let restore_md = fixture(&format!("repository/backups/{series}/daily/{id}/RESTORE.md"));
        let mut bash = Command::new("bash");
        bash.args(["-c", &script(&std::fs::read_to_string(restore_md).unwrap())]).current_dir(work.path());
        bash.env("REPOSITORY", fixture("repository")).env("SIGNERS", fixture("keys/allowed_signers"));
        bash.env("GNUPGHOME", gnupg.path()).env_remove("IDENTITY");
        if with_identity {
            bash.env("IDENTITY", fixture("keys/TEST-KEY-age.txt"));
        }
        let output = bash.output().expect("bash must be installed");
        assert!(output.status.success(), "backup {backup}: {}", String::from_utf8_lossy(&output.stderr));
        for (name, bytes) in parts(backup) {
            assert!(std::fs::read(work.path().join(name)).unwrap() == bytes, "{name} of backup {backup}");
        }
        assert!(!work.path().join(id.as_str()).join("key").exists(), "the key is not left behind");
    }
    let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", gnupg.path()).status();
}
