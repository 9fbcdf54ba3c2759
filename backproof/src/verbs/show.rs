//! `show`: one backup.

use super::selector;
use crate::Backproof;
use backup_core::Result;
use backup_core::digest::Sha256;
use backup_core::id::BackupId;
use backup_core::repository::catalog::Authenticity;
use backup_core::repository::manifest::Manifest;
use backup_core::source::LeftOut;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What [`show`](Backproof::show) takes.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("required" = ["id"])))]
#[serde(default, deny_unknown_fields)]
pub struct ShowOptions {
    /// An id, the start of one, or `latest`.
    pub id: String,
    /// Show a backup that no trusted signer signed; it must be named by its id.
    pub allow_unsigned: bool,
    /// Read its RESTORE.md, too.
    pub restore_md: bool,
}

/// One backup.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ShowResult {
    /// Its id.
    pub id: BackupId,
    /// Its manifest.
    pub manifest: Manifest,
    /// The SHA-256 of its manifest.
    pub manifest_sha256: Sha256,
    /// Who signed it, and whether that counts.
    pub authenticity: String,
    /// What could not be captured, by name; null without an identity, and where nothing was left out.
    pub left_out: Option<Vec<LeftOut>>,
    /// When it was taken; where a wrong clock dated it, by the store's.
    pub taken: Timestamp,
    /// What is wrong with its date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dated_ahead: Option<String>,
    /// Its RESTORE.md, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_md: Option<String>,
    /// What needs attention.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl ShowResult {
    /// The program's exit status: 1 with warnings.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.warnings.is_empty())
    }
}

impl Backproof {
    /// Shows one backup.
    pub async fn show(&self, options: &ShowOptions) -> Result<ShowResult> {
        self.unless_cancelled(Box::pin(self.shown(options))).await
    }

    async fn shown(&self, options: &ShowOptions) -> Result<ShowResult> {
        let settings = self.settings();
        let selector = selector(&options.id)?;
        let recorder = self.recorder();
        let repository = self.repository().await?;
        let (record, doubts) =
            repository.find_with_doubts(&selector, &settings.filter(), options.allow_unsigned).await?;
        doubts.into_iter().for_each(|doubt| recorder.warn(doubt));
        let stored = repository.stored(record.clone()).await?;
        let (mut restore_md, mut left_out) = (None, None);
        if options.restore_md {
            restore_md = Some(String::from_utf8_lossy(&stored.restore_md().await?).into_owned());
        } else if record.manifest.left_out > 0 && settings.may_open(&record.manifest) {
            // The names of what was left out are sealed: with an identity they are shown, without one the count is.
            let opener = settings.opener(false, self.prompter()).await?;
            let backup = stored.unseal(opener.as_deref(), &settings.pipeline, recorder.clone()).await?;
            left_out = Some(backup.contents().left_out.clone());
        }
        Ok(ShowResult {
            id: record.manifest.id.clone(),
            manifest_sha256: record.sha256,
            authenticity: authenticity(&record.authenticity),
            left_out,
            taken: record.taken(),
            dated_ahead: record.dated_ahead(),
            restore_md,
            warnings: recorder.warnings(),
            manifest: record.manifest,
        })
    }
}

fn authenticity(authenticity: &Authenticity) -> String {
    match authenticity {
        Authenticity::NotChecked { signed: true } => "signed; not checked, since no signers are trusted".into(),
        Authenticity::NotChecked { signed: false } => "not signed".into(),
        Authenticity::Trusted(signature) => format!("signed by {} ({})", signature.principal, signature.fingerprint),
        Authenticity::Refused { code, reason } => format!("NOT TRUSTED: {reason} [{code}]"),
    }
}
