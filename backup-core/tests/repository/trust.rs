//! Where signers are trusted, only what they signed counts.

use crate::support::*;
use backup_core::backup::BackupReport;
use backup_core::error::codes;
use backup_core::level::{Level, Outcome};
use backup_core::repository::Repository;
use backup_core::repository::catalog::{Authenticity, Filter, Selector};
use backup_core::signature::{DocumentKind, Signer};
use backup_core::testing::sink::MemorySink;
use jiff::Timestamp;
use std::sync::Arc;

async fn signed_by(repository: &Repository, signer: Option<ToySigner>, second: i64) -> BackupReport {
    let snapshot = Timestamp::from_second(Timestamp::now().as_second() - 1000 + second).unwrap();
    let source = TestSource::of_size(100).at(snapshot);
    let mut request = repository.backup(app(), Arc::new(source)).options(small());
    request = request.seal(Arc::new(ToySealer(vec![alice()])));
    if let Some(signer) = signer {
        request = request.sign(Arc::new(signer));
    }
    request.run().await.unwrap()
}

/// A trusted backup, and after it one that is not signed, one by a stranger, and one whose signature was for another kind.
async fn mixed() -> (MemorySink, Vec<BackupReport>) {
    let memory = MemorySink::new();
    let repository = create(Arc::new(memory.clone())).await;
    let mut backups = Vec::new();
    for (second, signer) in [(1, Some(ToySigner("host"))), (2, None), (3, Some(ToySigner("stranger"))), (4, None)] {
        backups.push(signed_by(&repository, signer, second).await);
    }
    let last = key(format!("catalog/app/{}.manifest", backups[3].manifest.id));
    let document = memory.get(&last).unwrap();
    let document = backup_core::repository::document::Document::parse(&document, "it").unwrap();
    let hold = ToySigner("host").sign(DocumentKind::Hold, document.json()).await.unwrap();
    let json = String::from_utf8(document.json().to_vec()).unwrap();
    memory.put(last, with_hash(&json) + &hold);
    (memory, backups)
}

#[tokio::test]
async fn what_no_trusted_signer_signed_passes_no_level_and_is_not_restored() {
    let (memory, backups) = mixed().await;
    let repository = open_trusting(&memory, ToyTrust::of_manifests_by("host")).await;
    let expected = [None, Some(&codes::UNSIGNED), Some(&codes::BAD_SIGNATURE), Some(&codes::BAD_SIGNATURE)];
    for (backup, expected) in backups.iter().zip(expected) {
        let id = || Selector::Id(backup.manifest.id.to_string());
        for level in [Level::Present, Level::Intact, Level::Readable] {
            let verify = repository.verify().only(id()).level(level).open_with(opener(alice())).options(small());
            let verdict = verify.run().await.unwrap();
            assert!(verdict.authenticity_checked);
            let found = &verdict.backups[0];
            match expected {
                None => {
                    assert_eq!((verdict.exit_code(), found.reached), (0, Some(level)), "{verdict}");
                    assert_eq!(found.authenticity, "trusted: host (SHA256:host)");
                }
                Some(code) => {
                    assert_eq!((verdict.exit_code(), found.reached), (2, None), "{verdict}");
                    assert_eq!(found.outcome, Outcome::Failed);
                    assert_eq!(found.findings[0].code, code.name(), "{verdict}");
                    assert!(found.authenticity.starts_with("refused"));
                }
            }
        }
        let read = repository.read(id()).open_with(opener(alice())).options(small());
        match expected {
            None => assert!(read.open().await.unwrap().stored().record().authenticity.is_acceptable()),
            Some(code) => {
                assert_code(read.open().await, code);
                let allowed = repository.read(id()).open_with(opener(alice())).options(small()).allow_unsigned(true);
                let opened = allowed.open().await.unwrap();
                assert!(!backup_core::target::Restorable::is_authentic(&opened), "a target is told");
            }
        }
    }
}

#[tokio::test]
async fn unsigned_backups_are_allowed_only_where_that_allows_something() {
    let (memory, backups) = mixed().await;
    let by_id = Selector::Id(backups[1].manifest.id.to_string());
    let trusting = open_trusting(&memory, ToyTrust::of_manifests_by("host")).await;
    assert!(trusting.find(&by_id, &Filter::default(), true).await.is_ok());
    assert_code(trusting.find(&Selector::Latest, &Filter::default(), true).await, &codes::NO_EFFECT);
    let unsuspecting = open(&memory).await;
    for selector in [by_id, Selector::Latest] {
        assert!(unsuspecting.find(&selector, &Filter::default(), false).await.is_ok());
        let error = assert_code(unsuspecting.find(&selector, &Filter::default(), true).await, &codes::NO_EFFECT);
        assert!(error.hint().contains("trusted_signers"), "{}", error.report());
    }
}

#[tokio::test]
async fn latest_is_the_newest_that_a_trusted_signer_signed() {
    let (memory, backups) = mixed().await;
    let trusting = open_trusting(&memory, ToyTrust::of_manifests_by("host")).await;
    let latest = trusting.find(&Selector::Latest, &Filter::default(), false).await.unwrap();
    assert_eq!(latest.manifest.id, backups[0].manifest.id);
    let verdict = trusting.verify().only(Selector::Latest).options(small()).run().await.unwrap();
    assert_eq!(verdict.backups[0].id, backups[0].manifest.id);
    assert_eq!(verdict.findings.iter().filter(|finding| finding.code == "newer_unusable").count(), 3, "{verdict}");
    assert_eq!(verdict.exit_code(), 1, "{verdict}");
    // Without trusted signers the newest is the newest, and it is said that nobody was asked.
    let latest = open(&memory).await.find(&Selector::Latest, &Filter::default(), false).await.unwrap();
    assert_eq!(latest.manifest.id, backups[3].manifest.id);
    assert_eq!(latest.authenticity, Authenticity::NotChecked { signed: true });
    let verdict = open(&memory).await.verify().options(small()).run().await.unwrap();
    assert_eq!(verdict.exit_code(), 0, "{verdict}");
    assert!(!verdict.authenticity_checked);
    assert!(verdict.to_string().contains("authenticity: not checked"), "{verdict}");
    // Nobody trusted signed anything: there is no backup.
    let nobody = open_trusting(&memory, ToyTrust(vec![])).await;
    assert_code(nobody.find(&Selector::Latest, &Filter::default(), false).await, &codes::BACKUP_NOT_FOUND);
    let verdict = nobody.verify().options(small()).run().await.unwrap();
    assert_eq!(verdict.exit_code(), 2);
    assert!(verdict.findings.iter().any(|finding| finding.code == "no_usable_backup"), "{verdict}");
}

/// A signature is over the whole JSON: nothing in it can be changed and kept.
#[tokio::test]
async fn a_changed_manifest_with_the_old_signature_is_refused() {
    let (memory, backups) = mixed().await;
    let manifest = key(format!("catalog/app/{}.manifest", backups[0].manifest.id));
    let text = String::from_utf8(memory.get(&manifest).unwrap().to_vec()).unwrap();
    let signature = &text[text.find("-----BEGIN").unwrap()..];
    let changed = text[..text.find("\n}\n").unwrap() + 3].replace("\"label\": \"manual\"", "\"label\": \"weekly\"");
    memory.put(manifest, with_hash(&changed) + signature);
    let trusting = open_trusting(&memory, ToyTrust::of_manifests_by("host")).await;
    let id = Selector::Id(backups[0].manifest.id.to_string());
    assert_code(trusting.find(&id, &Filter::default(), false).await, &codes::BAD_SIGNATURE);
}

/// A new backup is written behind the newest that counts, not behind a stranger's.
#[tokio::test]
async fn an_untrusted_backup_is_no_predecessor() {
    let (memory, backups) = mixed().await;
    let trusting = open_trusting(&memory, ToyTrust::of_manifests_by("host")).await;
    let next = signed_by(&trusting, Some(ToySigner("host")), 9).await;
    assert_eq!(next.manifest.previous.unwrap().id, backups[0].manifest.id);
}
