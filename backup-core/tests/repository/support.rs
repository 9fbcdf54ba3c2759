//! What the tests of the repository share: a source that fails where it is told to, a cipher and signatures of their own
//! (backup-core names none), and small repositories in memory.

use async_trait::async_trait;
use backup_core::backup::BackupReport;
use backup_core::cipher::{Cipher, KeyFile, KeyOpener, KeySealer, NewKey, NoEncryption, RecipientName, Scheme};
use backup_core::digest::Sha256;
use backup_core::error::{Code, Error, Result, codes};
use backup_core::id::BackupId;
use backup_core::key::ObjectKey;
use backup_core::monitor::Monitor;
use backup_core::names::{PartName, Series};
use backup_core::pipeline::PipelineOptions;
use backup_core::repository::contents::ContentsWriter;
use backup_core::repository::marker::Marker;
use backup_core::repository::{OpenOptions, Repository};
use backup_core::signature::{DocumentKind, Signer, TrustPolicy, TrustedSignature};
use backup_core::sink::{Capabilities, Sink};
use backup_core::source::{LeftOut, PartReader, Snapshot, Source, SourceInfo};
use backup_core::testing::sink::MemorySink;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub(crate) const MIB: usize = 1 << 20;

/// Data that compresses to about a third and does not repeat: numbered lines with some noise.
pub(crate) fn data(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 64);
    let mut line = 0u64;
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        line += 1;
        bytes.extend_from_slice(format!("{line}\t{seed}\tsome text that is the same\t{state:016x}\n").as_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Where a [`TestSource`] fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailAt {
    Nowhere,
    Open,
    NextPart,
    /// In a part, after this many bytes.
    Fill(usize),
    PartFinish,
    Finish,
}

/// How a [`TestSource`] breaks the contract of a part's reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misbehaviour {
    /// Appends more than the buffer's capacity.
    Overfills,
    /// Gives another, larger buffer back.
    Exchanges,
    /// Gives another, smaller buffer back, filled to its capacity.
    ExchangesForSmaller,
}

/// A source of parts in memory.
#[derive(Clone, Debug)]
pub(crate) struct TestSource {
    pub(crate) kind: &'static str,
    pub(crate) parts: Vec<(PartName, Arc<Vec<u8>>)>,
    pub(crate) snapshot: Timestamp,
    pub(crate) facts: BTreeMap<String, String>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) fail: FailAt,
    pub(crate) misbehaviour: Option<Misbehaviour>,
    /// Bytes that arrive at once.
    pub(crate) piece: usize,
    /// Time between two pieces.
    pub(crate) pause: Option<Duration>,
    /// Lines that each part adds to the contents when it is finished.
    pub(crate) lines: Vec<serde_json::Value>,
    pub(crate) steps: String,
    /// Snapshots that are held now.
    pub(crate) held: Arc<AtomicUsize>,
}

impl TestSource {
    pub(crate) fn new<'a>(parts: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Self {
        TestSource {
            kind: "test",
            parts: parts.into_iter().map(|(name, bytes)| (PartName::new(name).unwrap(), Arc::new(bytes))).collect(),
            snapshot: Timestamp::now(),
            facts: BTreeMap::new(),
            left_out: Vec::new(),
            fail: FailAt::Nowhere,
            misbehaviour: None,
            piece: usize::MAX,
            pause: None,
            lines: Vec::new(),
            steps: "```sh\nfor part in $PARTS; do open_part \"$part\" > \"$OUT/$part\"; done\n```".into(),
            held: Arc::default(),
        }
    }

    /// One part `dump` of this many bytes.
    pub(crate) fn of_size(bytes: usize) -> Self {
        Self::new([("dump", data(bytes, 7))])
    }

    pub(crate) fn at(mut self, snapshot: Timestamp) -> Self {
        self.snapshot = snapshot;
        self
    }

    pub(crate) fn failing(mut self, fail: FailAt) -> Self {
        self.fail = fail;
        self
    }

    fn failed(&self, at: FailAt) -> Result<()> {
        if self.fail == at { Err(Error::new(&codes::SOURCE_FAILED, format!("failed as told: {at:?}"))) } else { Ok(()) }
    }
}

#[async_trait]
impl Source for TestSource {
    fn kind(&self) -> &str {
        self.kind
    }

    async fn open(&self, _monitor: Arc<dyn Monitor>) -> Result<Box<dyn Snapshot>> {
        self.failed(FailAt::Open)?;
        let mut info = SourceInfo::new(self.kind, self.snapshot);
        info.versions.insert("server".into(), "15.18".into());
        info.facts = self.facts.clone();
        self.held.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(TestSnapshot { source: self.clone(), info, next: 0 }))
    }
}

struct TestSnapshot {
    source: TestSource,
    info: SourceInfo,
    next: usize,
}

impl Drop for TestSnapshot {
    fn drop(&mut self) {
        self.source.held.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Snapshot for TestSnapshot {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    async fn next_part(&mut self) -> Result<Option<Box<dyn PartReader>>> {
        self.source.failed(FailAt::NextPart)?;
        let Some((name, bytes)) = self.source.parts.get(self.next) else { return Ok(None) };
        self.next += 1;
        Ok(Some(Box::new(TestPart {
            name: name.clone(),
            bytes: bytes.clone(),
            position: 0,
            source: self.source.clone(),
        })))
    }

    fn left_out(&self) -> Vec<LeftOut> {
        self.source.left_out.clone()
    }

    fn restore_steps(&self) -> String {
        self.source.steps.clone()
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        self.source.failed(FailAt::Finish)
    }
}

struct TestPart {
    name: PartName,
    bytes: Arc<Vec<u8>>,
    position: usize,
    source: TestSource,
}

#[async_trait]
impl PartReader for TestPart {
    fn name(&self) -> PartName {
        self.name.clone()
    }

    async fn fill(&mut self, buf: &mut Vec<u8>) -> Result<()> {
        while buf.len() < buf.capacity() && self.position < self.bytes.len() {
            if let FailAt::Fill(after) = self.source.fail
                && self.position >= after
            {
                return Err(Error::new(&codes::SOURCE_FAILED, "failed as told: fill"));
            }
            match self.source.pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => tokio::task::yield_now().await,
            }
            let room = buf.capacity() - buf.len();
            let rest = &self.bytes[self.position..];
            let piece = &rest[..room.min(rest.len()).min(self.source.piece)];
            buf.extend_from_slice(piece);
            self.position += piece.len();
        }
        match self.source.misbehaviour {
            Some(Misbehaviour::Overfills) => buf.resize(buf.capacity() + 1, b'x'),
            Some(Misbehaviour::Exchanges) => {
                let mut other = Vec::with_capacity(2 * buf.capacity());
                other.extend_from_slice(buf);
                *buf = other;
            }
            Some(Misbehaviour::ExchangesForSmaller) => {
                let mut other = Vec::with_capacity(100);
                other.extend_from_slice(&[b'x'; 100]);
                *buf = other;
            }
            None => {}
        }
        Ok(())
    }

    async fn finish(self: Box<Self>, contents: &mut ContentsWriter) -> Result<()> {
        for line in &self.source.lines {
            contents.line(line).await?;
        }
        self.source.failed(FailAt::PartFinish)
    }
}

/// Seals with a key stream and a code of BLAKE3's: real enough to notice every change. For these tests alone.
#[derive(Debug)]
pub(crate) struct ToyCipher([u8; 32]);

const NONCE: usize = 16;
const CODE: usize = 32;

impl ToyCipher {
    fn apply(&self, nonce: &[u8], bytes: &mut [u8]) {
        let mut stream = blake3::Hasher::new_keyed(&self.0).update(b"stream").update(nonce).finalize_xof();
        let mut block = [0; 4096];
        for chunk in bytes.chunks_mut(block.len()) {
            stream.fill(&mut block);
            chunk.iter_mut().zip(&block).for_each(|(byte, pad)| *byte ^= pad);
        }
    }

    fn code(&self, sealed: &[u8]) -> blake3::Hash {
        blake3::Hasher::new_keyed(&self.0).update(b"code").update(sealed).finalize()
    }
}

impl Cipher for ToyCipher {
    fn ending(&self) -> &'static str {
        "age"
    }

    fn max_sealed_len(&self, plain: usize) -> usize {
        plain + NONCE + CODE
    }

    fn seal(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).expect("random bytes");
        out.clear();
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        self.apply(&nonce, &mut out[NONCE..]);
        let code = self.code(out);
        out.extend_from_slice(code.as_bytes());
        Ok(())
    }

    fn open(&self, sealed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let failed = || Error::new(&codes::DECRYPT_FAILED, "the toy cipher cannot open this");
        let length = sealed.len().checked_sub(NONCE + CODE).ok_or_else(failed)?;
        let (body, code) = sealed.split_at(NONCE + length);
        if length > limit || self.code(body) != <[u8; 32]>::try_from(code).expect("32 bytes") {
            return Err(failed());
        }
        out.extend_from_slice(&body[NONCE..]);
        self.apply(&body[..NONCE], out);
        Ok(())
    }
}

/// A recipient and identity in one: who has it can open what was sealed to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToyIdentity(pub(crate) &'static str);

impl ToyIdentity {
    fn key(&self) -> [u8; 32] {
        blake3::derive_key("backproof tests: a toy identity", self.0.as_bytes())
    }

    fn name(&self) -> RecipientName {
        RecipientName { kind: "age".into(), id: format!("toy-{}", self.0) }
    }
}

/// Seals to identities, one key file for each.
#[derive(Clone, Debug)]
pub(crate) struct ToySealer(pub(crate) Vec<ToyIdentity>);

#[async_trait]
impl KeySealer for ToySealer {
    fn recipients(&self) -> Vec<RecipientName> {
        self.0.iter().map(ToyIdentity::name).collect()
    }

    async fn new_key(&self, backup: &BackupId) -> Result<NewKey> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("random bytes");
        let secret = hex::encode(key);
        let file = |identity: &ToyIdentity| {
            let mut bytes = Vec::new();
            ToyCipher(identity.key()).seal(secret.as_bytes(), &mut bytes)?;
            Ok(KeyFile { ending: "age".into(), recipients: vec![identity.name()], bytes })
        };
        Ok(NewKey {
            scheme: Scheme::AgeX25519,
            cipher: Arc::new(ToyCipher(key)),
            files: self.0.iter().map(file).collect::<Result<_>>()?,
            commitment: Some(backup_core::cipher::key_commitment(backup, &secret)),
        })
    }
}

/// Opens with identities.
#[derive(Clone, Debug)]
pub(crate) struct ToyOpener(pub(crate) Vec<ToyIdentity>);

#[async_trait]
impl KeyOpener for ToyOpener {
    async fn open_key(
        &self,
        backup: &BackupId,
        _scheme: Scheme,
        files: &[KeyFile],
        commitment: Sha256,
    ) -> Result<Arc<dyn Cipher>> {
        let mut damaged = false;
        for file in files {
            for identity in self.0.iter().filter(|identity| file.recipients.contains(&identity.name())) {
                let mut secret = Vec::new();
                if ToyCipher(identity.key()).open(&file.bytes, 1000, &mut secret).is_err() {
                    damaged = true;
                    continue;
                }
                let secret = String::from_utf8(secret).expect("a secret line");
                if backup_core::cipher::key_commitment(backup, &secret) != commitment {
                    return Err(Error::new(&codes::DECRYPT_FAILED, "the key is not the one that was committed to"));
                }
                let key = hex::decode(secret).expect("hex").try_into().expect("32 bytes");
                return Ok(Arc::new(ToyCipher(key)));
            }
        }
        let code = if damaged { &codes::DECRYPT_FAILED } else { &codes::WRONG_IDENTITY };
        Err(Error::new(code, "no identity opens any key file"))
    }
}

/// Signs in the shape of an SSH signature, with a key that whoever trusts it has too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToySigner(pub(crate) &'static str);

impl ToySigner {
    fn signature(&self, kind: DocumentKind, message: &[u8]) -> String {
        let key = blake3::derive_key("backproof tests: a toy signature", self.0.as_bytes());
        let mut hash = blake3::Hasher::new_keyed(&key);
        hash.update(kind.namespace().as_bytes()).update(b"\0").update(message);
        format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", hash.finalize())
    }
}

#[async_trait]
impl Signer for ToySigner {
    fn fingerprint(&self) -> String {
        format!("SHA256:{}", self.0)
    }

    async fn sign(&self, kind: DocumentKind, message: &[u8]) -> Result<String> {
        Ok(self.signature(kind, message))
    }
}

/// Trusts signers for some kinds of documents.
#[derive(Clone, Debug)]
pub(crate) struct ToyTrust(pub(crate) Vec<(ToySigner, DocumentKind)>);

impl ToyTrust {
    pub(crate) fn of_manifests_by(name: &'static str) -> Self {
        ToyTrust(vec![(ToySigner(name), DocumentKind::Manifest)])
    }
}

impl TrustPolicy for ToyTrust {
    fn check(&self, kind: DocumentKind, message: &[u8], signature: &str, _now: Timestamp) -> Result<TrustedSignature> {
        let by = self.0.iter().find(|(signer, of)| *of == kind && signer.signature(kind, message) == signature);
        let (signer, _) = by.ok_or_else(|| Error::new(&codes::BAD_SIGNATURE, "the toy signature is not trusted"))?;
        Ok(TrustedSignature { principal: signer.0.into(), fingerprint: signer.fingerprint() })
    }
}

pub(crate) fn alice() -> ToyIdentity {
    ToyIdentity("alice")
}

pub(crate) fn bob() -> ToyIdentity {
    ToyIdentity("bob")
}

pub(crate) fn app() -> Series {
    Series::new("app").unwrap()
}

pub(crate) fn part(name: &str) -> PartName {
    PartName::from_manifest(name).unwrap()
}

pub(crate) fn key(text: impl Into<String>) -> ObjectKey {
    ObjectKey::new(text.into()).unwrap()
}

/// The smallest segments, three workers.
pub(crate) fn small() -> PipelineOptions {
    let mut options = PipelineOptions::default();
    options.segment_bytes = MIB as u64;
    options.workers = Some(3);
    options.memory = 64 << 20;
    options
}

/// A new repository in a store.
pub(crate) async fn create(sink: Arc<dyn Sink>) -> Repository {
    let marker = Marker::new(Some("i-tests".into()), Capabilities::default()).unwrap();
    Repository::create(sink, marker).await.unwrap()
}

/// An existing repository, with nobody trusted.
pub(crate) async fn open(sink: &MemorySink) -> Repository {
    Repository::open(Arc::new(sink.clone()), OpenOptions::default()).await.unwrap()
}

/// An existing repository, for a reader who trusts these signers.
pub(crate) async fn open_trusting(sink: &MemorySink, trust: ToyTrust) -> Repository {
    let mut options = OpenOptions::default();
    options.trust = Some(Arc::new(trust));
    options.installation = Some("i-tests".into());
    Repository::open(Arc::new(sink.clone()), options).await.unwrap()
}

/// A backup in clear.
pub(crate) async fn back_up(repository: &Repository, source: TestSource) -> Result<BackupReport> {
    repository.backup(app(), Arc::new(source)).seal(Arc::new(NoEncryption)).options(small()).run().await
}

/// A backup sealed to Alice and Bob, signed by the host.
pub(crate) async fn back_up_sealed(repository: &Repository, source: TestSource) -> Result<BackupReport> {
    let request = repository.backup(app(), Arc::new(source)).options(small());
    request.seal(Arc::new(ToySealer(vec![alice(), bob()]))).sign(Arc::new(ToySigner("host"))).run().await
}

pub(crate) fn opener(identity: ToyIdentity) -> Option<Arc<dyn KeyOpener>> {
    Some(Arc::new(ToyOpener(vec![identity])))
}

/// The plaintext of every part but `contents`, read as a restore reads it.
pub(crate) async fn read_all(
    repository: &Repository,
    id: &BackupId,
    opener: Option<Arc<dyn KeyOpener>>,
) -> Result<BTreeMap<PartName, Vec<u8>>> {
    let selector = backup_core::repository::catalog::Selector::Id(id.to_string());
    let backup = repository.read(selector).open_with(opener).options(small()).open().await?;
    let mut parts = BTreeMap::new();
    for part in &backup.stored().manifest().parts {
        let name = PartName::from_manifest(&part.name)?;
        if name != PartName::contents() {
            parts.insert(name.clone(), backup.stream(&name)?.read_to_end().await?);
        }
    }
    Ok(parts)
}

/// The parts of a source, as [`read_all`] gives them back.
pub(crate) fn given(source: &TestSource) -> BTreeMap<PartName, Vec<u8>> {
    source.parts.iter().map(|(name, bytes)| (name.clone(), bytes.to_vec())).collect()
}

#[track_caller]
pub(crate) fn assert_code<T: std::fmt::Debug>(result: Result<T>, code: &'static Code) -> Error {
    let error = result.expect_err("this must fail");
    assert!(error.is(code), "{code} expected: {}", error.report());
    assert!(!error.hint().is_empty());
    error
}

/// Changes a document's JSON, and its hash with it; a signature is lost.
pub(crate) fn rewrite(memory: &MemorySink, at: &ObjectKey, change: impl FnOnce(&mut serde_json::Value)) {
    let bytes = memory.get(at).unwrap();
    let document = backup_core::repository::document::Document::parse(&bytes, "it").unwrap();
    let mut json = serde_json::from_slice(document.json()).unwrap();
    change(&mut json);
    let text = serde_json::to_string_pretty(&json).unwrap() + "\n";
    memory.put(at.clone(), with_hash(&text));
}

/// A document of this text, unsigned.
pub(crate) fn with_hash(json: &str) -> String {
    format!("{json}sha256 {}\n", Sha256::of(json.as_bytes()))
}
