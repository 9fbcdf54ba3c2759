//! The conformance suite for [`RetentionPolicy`]s.

use crate::id::BackupId;
use crate::names::{Label, Series};
use crate::retention::{Candidate, RetentionPolicy};
use jiff::{SignedDuration, Timestamp, Zoned};

/// Histories that policies are tried with: none, one, several a day over years, and some from the future.
fn histories(now: &Zoned) -> Vec<Vec<Candidate>> {
    let label = |number: i64| Label::new(["daily", "weekly", "manual"][number as usize % 3]).expect("a name");
    let candidate = |number: i64, snapshot: Timestamp| {
        // Ids of their own, the same in each run.
        let id = format!("{}-{number:016x}", snapshot.strftime("%Y%m%dT%H%M%SZ"));
        let series = Series::new("app").expect("a name");
        Candidate::new(id.parse::<BackupId>().expect("an id"), series, label(number), snapshot)
    };
    let ago = |hours: i64| now.timestamp() - SignedDuration::from_hours(hours);
    let years: Vec<Candidate> = (0..400).map(|number| candidate(number, ago(number * 53))).collect();
    let mut broken: Vec<Candidate> = (0..40).map(|number| candidate(number, ago(number * 5))).collect();
    broken.iter_mut().step_by(3).for_each(|each| each.restorable = false);
    let all_broken = broken.iter().cloned().map(|mut each| {
        each.restorable = false;
        each
    });
    let mut future: Vec<Candidate> = (1..20).map(|number| candidate(number, ago(number * 7))).collect();
    future.extend((20..25).map(|number| candidate(number, ago(-number))));
    let same_moment = (0..5).map(|number| candidate(number, ago(30))).collect();
    vec![Vec::new(), vec![candidate(0, ago(1))], years, all_broken.collect(), broken, future, same_moment]
}

/// Checks everything that [`RetentionPolicy`]'s contract says.
///
/// # Panics
/// When the contract is broken; the message says where.
pub fn retention_conformance(policy: &dyn RetentionPolicy) {
    for now in [
        "2026-11-20T12:00:00Z[UTC]",
        "2026-03-29T03:30:00+02:00[Europe/Berlin]",
        "2024-02-29T23:59:59-08:00[America/Los_Angeles]",
    ] {
        let now: Zoned = now.parse().expect("a time with its zone");
        for history in histories(&now) {
            check(policy, &now, &history);
        }
    }
}

fn check(policy: &dyn RetentionPolicy, now: &Zoned, history: &[Candidate]) {
    let decisions = policy.decide(now, history);
    let ids = |candidates: &[Candidate]| candidates.iter().map(|each| each.id.clone()).collect::<Vec<_>>();
    let decided: Vec<BackupId> = decisions.iter().map(|decision| decision.id.clone()).collect();
    assert_eq!(decided, ids(history), "exactly one decision for each backup, in the order given");
    for decision in &decisions {
        assert!(
            !decision.reasons.is_empty() && decision.reasons.iter().all(|reason| !reason.trim().is_empty()),
            "{} is decided without a reason",
            decision.id
        );
    }
    assert_eq!(policy.decide(now, history), decisions, "the same arguments give the same decisions");
    // In any order the same: turned round, and dealt like cards.
    let reversed: Vec<Candidate> = history.iter().rev().cloned().collect();
    let dealt: Vec<Candidate> = (0..7).flat_map(|start| history.iter().skip(start).step_by(7)).cloned().collect();
    for order in [reversed, dealt] {
        for decision in policy.decide(now, &order) {
            assert!(decisions.contains(&decision), "{} is decided otherwise in another order", decision.id);
        }
    }
    // What is dated after now is kept, and nothing else is decided otherwise because of it.
    let future = |candidate: &&Candidate| candidate.snapshot > now.timestamp();
    for candidate in history.iter().filter(future) {
        let decision = decisions.iter().find(|decision| decision.id == candidate.id);
        assert!(decision.is_some_and(|decision| decision.keep), "{} is from the future and not kept", candidate.id);
    }
    let past: Vec<Candidate> = history.iter().filter(|each| !future(each)).cloned().collect();
    if past.len() < history.len() {
        for decision in policy.decide(now, &past) {
            assert!(decisions.contains(&decision), "{} is decided otherwise because of the future", decision.id);
        }
    }
}
