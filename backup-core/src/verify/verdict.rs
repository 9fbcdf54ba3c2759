//! What a verification found.

use crate::id::BackupId;
use crate::level::{Level, Outcome};
use crate::names::Series;
use crate::proof::Proof;
use crate::repository::catalog::Authenticity;
use crate::text::printable;
use jiff::Timestamp;
use serde::Serialize;
use std::fmt;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; does not change the status.
    Notice,
    /// Needs attention.
    Warning,
    /// A backup that should be good is not, or is not there.
    Failure,
}

/// Something that a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A stable name: an error code, or one of `no_backups`, `no_usable_backup`, `backup_missing`, `manifest_replaced`, `backup_too_old`,
    /// `backup_too_small`, `backup_shrank`, `newer_unusable`, `clock_skew`, `future_dated`, `dated_ahead`, `unexpected_object`, `left_out`,
    /// `structure_not_checked`, `restore_failed`, `difference`, `untested`, `assertion_failed`, `assertion_unverified`, `proof`,
    /// `proof_not_recorded`.
    pub code: &'static str,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Finding {
    pub(crate) fn failure(code: &'static str, message: impl Into<String>) -> Self {
        Finding { severity: Severity::Failure, code, message: message.into(), hint: String::new() }
    }

    pub(crate) fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Finding { severity: Severity::Warning, ..Self::failure(code, message) }
    }

    pub(crate) fn notice(code: &'static str, message: impl Into<String>) -> Self {
        Finding { severity: Severity::Notice, ..Self::failure(code, message) }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Finding { hint: hint.into(), ..self }
    }
}

/// The status of a verification, worst finding first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that was asked for was checked, and holds.
    Healthy,
    /// Something needs attention, or could not be verified.
    Warning,
    /// Something failed.
    Error,
}

impl Status {
    /// The exit status: 0, 1 or 2.
    pub fn exit_code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Healthy => "healthy",
            Status::Warning => "warning",
            Status::Error => "error",
        })
    }
}

/// What is known of one backup.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BackupVerdict {
    /// Its series.
    pub series: Series,
    /// Its id.
    pub id: BackupId,
    /// The deepest level that was reached.
    pub reached: Option<Level>,
    /// Whether the level that was asked for was reached.
    pub outcome: Outcome,
    /// `trusted by NAME (FINGERPRINT)`, `not checked`, or why it was refused.
    pub authenticity: String,
    /// What each part was found to hold, as `part: what`, at level readable.
    pub held: Vec<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What restoring it showed, at the levels restorable and identical.
    pub proof: Option<Proof>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl BackupVerdict {
    /// The status of this backup alone.
    pub fn status(&self) -> Status {
        let outcome = match self.outcome {
            Outcome::Passed => Status::Healthy,
            Outcome::Unverified => Status::Warning,
            Outcome::Failed => Status::Error,
        };
        outcome.max(worst(&self.findings))
    }
}

pub(crate) fn describe(authenticity: &Authenticity) -> String {
    match authenticity {
        Authenticity::NotChecked { signed: true } => "not checked (signed, but no signers are trusted)".into(),
        Authenticity::NotChecked { signed: false } => "not checked (not signed)".into(),
        Authenticity::Trusted(signature) => format!("trusted: {} ({})", signature.principal, signature.fingerprint),
        Authenticity::Refused { reason, .. } => format!("refused: {reason}"),
    }
}

/// The result of a verification.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Verdict {
    /// The repository.
    pub location: String,
    /// The level that was asked for.
    pub level: Level,
    /// When it ended, by this machine's clock.
    pub verified_at: Timestamp,
    /// Whether signatures were looked at: false when no signers are trusted.
    pub authenticity_checked: bool,
    /// Each backup that was looked at, by series and id.
    pub backups: Vec<BackupVerdict>,
    /// What was found of the repository, and of the newest backup of each series.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// The status of it all.
    pub fn status(&self) -> Status {
        let backups = self.backups.iter().map(BackupVerdict::status).max().unwrap_or(Status::Healthy);
        backups.max(worst(&self.findings))
    }

    /// The exit status: 0 healthy, 1 warning, 2 error.
    pub fn exit_code(&self) -> u8 {
        self.status().exit_code()
    }
}

fn worst(findings: &[Finding]) -> Status {
    match findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Failure) => Status::Error,
        Some(Severity::Warning) => Status::Warning,
        Some(Severity::Notice) | None => Status::Healthy,
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for backup in &self.backups {
            write!(f, "{backup}")?;
        }
        for what in &self.findings {
            what.write(f, "")?;
        }
        if !self.authenticity_checked {
            writeln!(f, "authenticity: not checked (no trusted signers are configured)")?;
        }
        let count = self.backups.len();
        let passed = self.backups.iter().filter(|backup| backup.outcome == Outcome::Passed).count();
        write!(f, "{}: {passed} of {count} backups passed level {}", self.status(), self.level)
    }
}

impl Finding {
    fn write(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        let severity = match self.severity {
            Severity::Notice => "notice",
            Severity::Warning => "warning",
            Severity::Failure => "FAILURE",
        };
        // One line, whatever names are in it: a name with line feeds could forge a verdict.
        writeln!(f, "{indent}{severity}: {} [{}]", printable(&self.message), self.code)?;
        if !self.hint.is_empty() {
            writeln!(f, "{indent}  hint: {}", self.hint)?;
        }
        Ok(())
    }
}

/// Several lines, each ended.
impl fmt::Display for BackupVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reached = self.reached.map_or("nothing", Level::as_str);
        writeln!(f, "{}  {}  {:<10}  proven: {reached}", self.id, self.series, self.outcome)?;
        for held in &self.held {
            writeln!(f, "  {}", printable(held))?;
        }
        if let Some(proof) = &self.proof {
            if !proof.compared.is_empty() {
                writeln!(f, "  compared: {}", printable(&proof.compared))?;
            }
            let seconds: f64 = proof.phases.iter().map(|phase| phase.seconds).sum();
            writeln!(f, "  restored into {}, in {seconds:.1} s", proof.scratch)?;
        }
        let mut hint = "";
        for what in &self.findings {
            // A hint that is the same for many is said once.
            let said =
                Finding { hint: if what.hint == hint { String::new() } else { what.hint.clone() }, ..what.clone() };
            said.write(f, "  ")?;
            hint = &what.hint;
        }
        Ok(())
    }
}
