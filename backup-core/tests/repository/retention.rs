//! The suite for retention policies takes a right one and refuses wrong ones.

use backup_core::retention::{Candidate, Decision, RetentionPolicy};
use backup_core::testing::retention::retention_conformance;
use jiff::Zoned;

type Decide = fn(&Zoned, &[Candidate]) -> Vec<Decision>;

#[derive(Debug)]
struct Policy(Decide);

impl RetentionPolicy for Policy {
    fn decide(&self, now: &Zoned, backups: &[Candidate]) -> Vec<Decision> {
        self.0(now, backups)
    }
}

fn each(backups: &[Candidate], keep: impl Fn(&Candidate) -> bool) -> Vec<Decision> {
    let decision = |backup: &Candidate| {
        let keep = keep(backup);
        Decision { id: backup.id.clone(), keep, reasons: vec![if keep { "kept" } else { "too old" }.into()] }
    };
    backups.iter().map(decision).collect()
}

#[test]
fn keeping_everything_keeps_the_contract() {
    retention_conformance(&Policy(|_, backups| each(backups, |_| true)));
    retention_conformance(&Policy(|now, backups| {
        let month = now.timestamp() - jiff::SignedDuration::from_hours(24 * 30);
        each(backups, |backup| backup.snapshot > month)
    }));
}

#[test]
fn every_breach_is_noticed() {
    let breaches: [(&str, Decide); 7] = [
        ("forgets one", |_, backups| each(backups, |_| true).into_iter().skip(1).collect()),
        ("another order", |_, backups| each(backups, |_| true).into_iter().rev().collect()),
        ("no reason", |_, backups| {
            let mut decisions = each(backups, |_| true);
            decisions.iter_mut().for_each(|decision| decision.reasons.clear());
            decisions
        }),
        ("lets the future go", |now, backups| each(backups, |backup| backup.snapshot <= now.timestamp())),
        ("by position", |_, backups| {
            let first = backups.first().map(|backup| backup.id.clone());
            each(backups, |backup| Some(&backup.id) == first.as_ref())
        }),
        ("the future counts", |now, backups| {
            let future = backups.iter().any(|backup| backup.snapshot > now.timestamp());
            each(backups, |backup| backup.snapshot > now.timestamp() || !future)
        }),
        ("not twice the same", |_, backups| {
            use std::sync::atomic::{AtomicBool, Ordering};
            static FLIP: AtomicBool = AtomicBool::new(false);
            let keep = FLIP.fetch_xor(true, Ordering::SeqCst);
            each(backups, |_| keep)
        }),
    ];
    for (what, breach) in breaches {
        let caught = std::panic::catch_unwind(|| retention_conformance(&Policy(breach)));
        assert!(caught.is_err(), "{what} went unnoticed");
    }
}
