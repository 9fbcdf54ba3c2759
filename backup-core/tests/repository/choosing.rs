//! Which backup is meant: `latest`, ids and their beginnings.

use crate::support::*;
use backup_core::error::codes;
use backup_core::id::BackupId;
use backup_core::names::{Label, Series};
use backup_core::repository::Repository;
use backup_core::repository::catalog::{Filter, ManifestRecord, Selector};
use backup_core::testing::sink::MemorySink;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

const NOON: &str = "2026-11-20T12:00:00Z";

/// A repository whose store's clock stands at noon.
async fn at_noon() -> (MemorySink, Repository) {
    let memory = MemorySink::new();
    memory.set_time(Some(NOON.parse().unwrap()));
    let repository = create(Arc::new(memory.clone())).await;
    (memory, repository)
}

/// A backup of a series with a snapshot so many seconds after noon.
async fn made(repository: &Repository, series: &str, label: &str, seconds: i64) -> BackupId {
    let noon: Timestamp = NOON.parse().unwrap();
    let source = TestSource::of_size(10).at(noon + SignedDuration::from_secs(seconds));
    let request = repository.backup(Series::new(series).unwrap(), Arc::new(source)).label(Label::new(label).unwrap());
    let request = request.seal(Arc::new(backup_core::cipher::NoEncryption)).options(small());
    request.run().await.unwrap().manifest.id
}

fn filter(series: Option<&str>, label: Option<&str>) -> Filter {
    let series = series.map(|name| Series::new(name).unwrap());
    Filter { series, label: label.map(|name| Label::new(name).unwrap()), before: None }
}

async fn latest(repository: &Repository, filter: &Filter) -> backup_core::Result<BackupId> {
    repository.find(&Selector::Latest, filter, false).await.map(|record| record.manifest.id)
}

#[tokio::test]
async fn latest_is_by_snapshot_and_not_from_the_future() {
    let (_, repository) = at_noon().await;
    assert_code(latest(&repository, &Filter::default()).await, &codes::BACKUP_NOT_FOUND);
    let newest = made(&repository, "app", "manual", -60).await;
    let older = made(&repository, "app", "manual", -7200).await;
    assert_eq!(latest(&repository, &Filter::default()).await.unwrap(), newest);
    // A clock that is a little ahead is fine, one that is off is not.
    let ahead = made(&repository, "app", "manual", 300).await;
    assert_eq!(latest(&repository, &Filter::default()).await.unwrap(), ahead);
    made(&repository, "app", "manual", 301).await;
    made(&repository, "app", "manual", 10 * 365 * 86_400).await;
    assert_eq!(latest(&repository, &Filter::default()).await.unwrap(), ahead);
    let before = |seconds: i64| Filter {
        before: Some(NOON.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)),
        ..Filter::default()
    };
    assert_eq!(latest(&repository, &before(300)).await.unwrap(), newest);
    assert_eq!(latest(&repository, &before(-60)).await.unwrap(), older);
    assert_code(latest(&repository, &before(-7200)).await, &codes::BACKUP_NOT_FOUND);
}

/// The clock of a database server was three days ahead. Once that time has come, the backup is as old as it is.
#[tokio::test]
async fn a_wrong_clock_makes_no_backup_the_newest_for_ever() {
    const DAY: i64 = 86_400;
    let (memory, repository) = at_noon().await;
    let noon: Timestamp = NOON.parse().unwrap();
    let at = |seconds: i64| noon + SignedDuration::from_secs(seconds);
    let manifest = |id: &BackupId| key(format!("catalog/app/{id}.manifest"));
    let all = Filter::default();
    let newest = async || repository.find_with_doubts(&Selector::Latest, &all, false).await.unwrap();

    let before = made(&repository, "app", "manual", -60).await;
    let ahead = made(&repository, "app", "manual", 3 * DAY).await;
    memory.set_time(Some(at(DAY)));
    let after = made(&repository, "app", "manual", DAY - 60).await;
    // Its time has come, and there is one that was made later.
    memory.set_time(Some(at(4 * DAY)));
    let (found, doubts) = newest().await;
    assert_eq!(found.manifest.id, after);
    assert!(doubts.len() == 1 && doubts[0].contains(&format!("{ahead} was dated by a wrong clock")), "{doubts:?}");
    assert_eq!(latest(&repository, &Filter { before: Some(at(DAY / 2)), ..all.clone() }).await.unwrap(), ahead);
    let catalog = repository.catalog(None).await.unwrap();
    let order: Vec<BackupId> = catalog.entries().iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(order, [&before, &ahead, &after].map(Clone::clone));
    assert_eq!(catalog.before(&found).unwrap().manifest.id, ahead);
    // It is two days younger by its own word than by the store's: too old all the same, and that is said of the one made after it.
    let verdict = repository.verify().options(small()).run().await.unwrap();
    let codes: Vec<&str> = verdict.findings.iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&"dated_ahead") && codes.contains(&"backup_too_old"), "{verdict}");
    assert!(verdict.to_string().contains(&format!("the newest backup of series app, {after}")), "{verdict}");
    // The next one follows on what was made last, not on what says so.
    let next = made(&repository, "app", "manual", 4 * DAY - 60).await;
    let previous = repository.read_manifest(&Series::new("app").unwrap(), &next).await.unwrap().manifest.previous;
    assert_eq!(previous.unwrap().id, after);
    let (found, doubts) = newest().await;
    assert_eq!((found.manifest.id, doubts), (next.clone(), Vec::new()), "what it claims is over");

    // Alone, it is the newest there is, and as old as the store says.
    for id in [&before, &after, &next] {
        memory.remove(&manifest(id));
    }
    let (found, doubts) = newest().await;
    assert_eq!((&found.manifest.id, found.taken() <= noon), (&ahead, true));
    assert!(doubts[0].contains("wrong clock"), "{doubts:?}");
    let verdict = repository.verify().options(small()).run().await.unwrap();
    assert!(verdict.findings.iter().any(|finding| finding.code == "backup_too_old"), "{verdict}");
}

/// Copies are written later than their snapshots were taken; some stores keep no times at all.
#[tokio::test]
async fn neither_copies_nor_stores_without_times_look_like_wrong_clocks() {
    let (memory, repository) = at_noon().await;
    let older = made(&repository, "app", "manual", -7200).await;
    let newest = made(&repository, "app", "manual", -60).await;
    let manifest = |id: &BackupId| key(format!("catalog/app/{id}.manifest"));
    let noon: Timestamp = NOON.parse().unwrap();
    // The older one was copied last.
    memory.set_modified(&manifest(&older), noon + SignedDuration::from_hours(9));
    let nothing =
        |found: (ManifestRecord, Vec<String>)| assert_eq!((found.0.manifest.id, found.1), (newest.clone(), Vec::new()));
    nothing(repository.find_with_doubts(&Selector::Latest, &Filter::default(), false).await.unwrap());
    // A little ahead is no wrong clock.
    memory.set_modified(&manifest(&newest), noon - SignedDuration::from_secs(360));
    nothing(repository.find_with_doubts(&Selector::Latest, &Filter::default(), false).await.unwrap());
    for none in ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1980-01-01T00:00:00Z", "2000-01-01T00:00:00Z"] {
        memory.set_modified(&manifest(&newest), none.parse().unwrap());
        nothing(repository.find_with_doubts(&Selector::Latest, &Filter::default(), false).await.unwrap());
        let verdict = repository.verify().options(small()).run().await.unwrap();
        assert!(!verdict.findings.iter().any(|finding| finding.code == "dated_ahead"), "{verdict}");
    }
}

/// Ids of one second are in any order; the snapshots are not.
#[tokio::test]
async fn within_one_second_the_snapshots_have_the_order() {
    let (memory, repository) = at_noon().await;
    let noon: Timestamp = NOON.parse().unwrap();
    let mut made = Vec::new();
    for milliseconds in 1..=8 {
        let source = TestSource::of_size(10).at(noon + SignedDuration::from_millis(milliseconds));
        let request = repository.backup(Series::new("app").unwrap(), Arc::new(source));
        let request = request.seal(Arc::new(backup_core::cipher::NoEncryption)).options(small());
        let manifest = request.run().await.unwrap().manifest;
        assert_eq!(manifest.previous.map(|previous| previous.id), made.last().cloned(), "{made:?}");
        assert_eq!(latest(&repository, &Filter::default()).await.unwrap(), manifest.id);
        made.push(manifest.id);
    }
    let catalog = repository.catalog(None).await.unwrap();
    assert_eq!(catalog.entries().iter().map(|entry| entry.id.clone()).collect::<Vec<_>>(), made);
    for pair in made.windows(2) {
        let find = |id: &BackupId| catalog.entries().iter().find(|entry| entry.id == *id).unwrap().usable().unwrap();
        assert_eq!(catalog.before(find(&pair[1])).unwrap().manifest.id, pair[0]);
    }
    let (newest, doubts) = repository.find_with_doubts(&Selector::Latest, &Filter::default(), false).await.unwrap();
    assert_eq!((newest.manifest.id, doubts), (made[7].clone(), Vec::new()));
    let verdict = repository.verify().options(small()).run().await.unwrap();
    assert_eq!(verdict.backups.iter().map(|backup| backup.id.clone()).collect::<Vec<_>>(), made);

    // Of one that cannot be read, only the second is known: it may be the newest.
    let key = memory.keys().into_iter().find(|key| key.as_str().ends_with(&format!("{}.manifest", made[0]))).unwrap();
    memory.put(key, "no manifest");
    let (newest, doubts) = repository.find_with_doubts(&Selector::Latest, &Filter::default(), false).await.unwrap();
    assert_eq!(newest.manifest.id, made[7]);
    assert!(doubts[0].contains(&format!("{} may be newer than {}", made[0], made[7])), "{doubts:?}");
}

#[tokio::test]
async fn labels_and_series_choose() {
    let (_, repository) = at_noon().await;
    let daily = made(&repository, "app", "daily", -100).await;
    let manual = made(&repository, "app", "manual", -50).await;
    assert_eq!(latest(&repository, &filter(None, None)).await.unwrap(), manual);
    assert_eq!(latest(&repository, &filter(None, Some("daily"))).await.unwrap(), daily);
    assert_code(latest(&repository, &filter(None, Some("weekly"))).await, &codes::BACKUP_NOT_FOUND);
    let other = made(&repository, "app-2", "daily", -10).await;
    let error = assert_code(latest(&repository, &filter(None, None)).await, &codes::SERIES_REQUIRED);
    assert!(error.hint().contains("app, app-2"), "{}", error.report());
    assert_eq!(latest(&repository, &filter(Some("app-2"), None)).await.unwrap(), other);
    // `app` is not a prefix of anything.
    assert_eq!(latest(&repository, &filter(Some("app"), None)).await.unwrap(), manual);
    assert_code(latest(&repository, &filter(Some("ap"), None)).await, &codes::BACKUP_NOT_FOUND);
}

#[tokio::test]
async fn ids_may_be_cut_short_while_they_are_clear() {
    let (_, repository) = at_noon().await;
    let first = made(&repository, "app", "daily", -100).await;
    let second = made(&repository, "other", "daily", -200).await;
    let find = async |text: &str, filter: Filter| {
        let selector: Selector = text.parse()?;
        repository.find(&selector, &filter, false).await.map(|record| record.manifest.id)
    };
    assert_eq!(find(first.as_str(), Filter::default()).await.unwrap(), first);
    assert_eq!(find(&second.as_str()[..18], Filter::default()).await.unwrap(), second);
    assert_code(find("2026", Filter::default()).await, &codes::AMBIGUOUS_ID);
    assert_eq!(find("2026", filter(Some("other"), None)).await.unwrap(), second);
    assert_code(find("2025", Filter::default()).await, &codes::BACKUP_NOT_FOUND);
    for wrong in ["", "latest ", "../x", "newest", "2026/11"] {
        assert_code(find(wrong, Filter::default()).await, &codes::INVALID_ARGUMENT);
    }
    let verdict = repository.verify().only("2026".parse().unwrap()).options(small()).run().await;
    assert_code(verdict.map(drop), &codes::AMBIGUOUS_ID);
}

/// What a restore replaced was backed up just before: it is neither the newest backup, nor a sign that backups are made.
#[tokio::test]
async fn safety_backups_are_never_latest_unless_asked_for() {
    let (_, repository) = at_noon().await;
    let all = Filter::default();
    let safety = made(&repository, "app", "safety", -10).await;
    let none = repository.find(&Selector::Latest, &all, false).await.unwrap_err();
    assert!(none.is(&codes::BACKUP_NOT_FOUND) && none.hint().contains(safety.as_str()), "{none:?}");
    let verdict = repository.verify().options(small()).run().await.unwrap();
    assert!(verdict.findings.iter().any(|finding| finding.code == "no_usable_backup"), "{verdict}");

    let old = made(&repository, "app", "manual", -50 * 3600).await;
    let huge = {
        let source = TestSource::of_size(5000).at(NOON.parse::<Timestamp>().unwrap() - SignedDuration::from_hours(49));
        let request = repository.backup(Series::new("app").unwrap(), Arc::new(source)).label(Label::safety());
        let request = request.seal(Arc::new(backup_core::cipher::NoEncryption)).options(small());
        request.run().await.unwrap().manifest.id
    };
    assert_eq!(latest(&repository, &all).await.unwrap(), old);
    assert_eq!(latest(&repository, &filter(None, Some("safety"))).await.unwrap(), safety);
    let verdict = repository.verify().options(small()).run().await.unwrap();
    // This machine's clock is another one than the store's.
    let codes = |verdict: &backup_core::verify::Verdict| -> Vec<&'static str> {
        verdict.findings.iter().map(|finding| finding.code).filter(|code| *code != "clock_skew").collect()
    };
    assert_eq!(codes(&verdict), ["backup_too_old"], "a fresh safety backup does not make it younger: {verdict}");
    let only = repository.verify().only(Selector::Latest).options(small()).run().await.unwrap();
    assert_eq!(only.backups[0].id, old, "{only}");
    // Nor is the next one compared with a safety backup.
    let next = made(&repository, "app", "manual", -5).await;
    let verdict = repository.verify().options(small()).run().await.unwrap();
    assert_eq!(codes(&verdict), [""; 0], "{verdict}");
    let catalog = repository.catalog(None).await.unwrap();
    let record = |id: &BackupId| catalog.entries().iter().find(|entry| entry.id == *id).unwrap().usable().unwrap();
    assert_eq!(catalog.before(record(&next)).unwrap().manifest.id, old);
    assert_eq!(catalog.before(record(&safety)).unwrap().manifest.id, huge);
}
