//! In place of a live database: by a swap of names, or into the database itself.

use super::in_place::{InPlace, request, target};
use super::{Overwritten, RestoreOptions, RestorePlan, RestoreResult, Swapped};
use crate::Backproof;
use backup_core::error::codes::UNSIGNED;
use backup_core::level::Level;
use backup_core::monitor::Recorder;
use backup_core::repository::Repository;
use backup_core::repository::catalog::ManifestRecord;
use backup_core::restore::ReadRequest;
use backup_core::{Error, Result};
use backup_postgres::Connection;
use backup_postgres::swap::{Kept, Overwrite, Swap, left_behind};
use std::sync::Arc;

/// A restore in place of a live database.
pub(super) struct Live<'a> {
    pub(super) session: &'a Backproof,
    pub(super) options: &'a RestoreOptions,
    pub(super) repository: &'a Repository,
    pub(super) recorder: &'a Arc<Recorder>,
}

impl<'a> Live<'a> {
    /// Refusals come before anything is done: without these, there is no safety backup that is a way back.
    async fn require_way_back(&self) -> Result<()> {
        let settings = self.session.settings();
        if self.repository.trust().is_some() && settings.signing_key.is_none() && !self.options.allow_unsigned {
            let message =
                "signers are trusted, and there is no key to sign the safety backup with: nobody could restore it";
            return Err(Error::new(&UNSIGNED, message).with_hint("give --signing-key, or set repository.signing_key"));
        }
        drop(settings.sealer(self.options.no_encryption, false, self.session.prompter()).await?);
        Ok(())
    }

    /// What comes before the restore, for people.
    fn prove_first(&self) -> String {
        format!("prove the backup, to level {}", self.options.level.unwrap_or(Level::Readable))
    }

    pub(super) async fn swap(self, record: ManifestRecord, live: Connection) -> Result<RestoreResult> {
        self.require_way_back().await?;
        let swap = Swap::new(live.clone()).ignore_slots(self.options.ignore_slots);
        let plan = swap.plan().await?;
        let id = record.manifest.id.clone();
        if self.options.dry_run {
            let beside = target(self.session, self.options, &live.with_database(plan.beside()));
            let restore = self.request(&record).await?.plan(&beside).await?;
            let before = [self.prove_first(), "back the live database up".to_owned()];
            let plan = RestorePlan {
                target: live.to_string(),
                kept: Some(plan.kept().to_owned()),
                steps: before.into_iter().chain(restore.steps).chain(plan.steps).collect(),
                warnings: [plan.warnings, restore.warnings].concat(),
                obstacles: [plan.obstacles, restore.obstacles].concat(),
                backup: Some(id),
                connections: Some(plan.connections),
            };
            return Ok(RestoreResult { plan: Some(plan), ..RestoreResult::default() });
        }
        plan.require()?;
        let what = format!(
            "{live} will be replaced by backup {id} of {}; {} connections to it will be ended",
            record.manifest.source.snapshot, plan.connections
        );
        self.session.sure(self.options.yes, &what, live.database())?;
        let steps = self.steps(record, None).await?;
        let done = swap.run(&steps).await?;
        done.warnings.iter().for_each(|warning| self.recorder.warn(warning.clone()));
        let mut kept = Some(done.kept);
        if self.options.drop_old
            && let Some(name) = &kept
        {
            match Kept::drop(&live, None, name).await {
                Ok(()) => kept = None,
                Err(error) => self.recorder.warn(format!("the old database is still there: {}", error.chain())),
            }
        }
        let swapped = Swapped {
            live: done.live,
            kept,
            backup: done.backup,
            safety_backup: done.safety_backup,
            ended_connections: done.ended,
            warnings: done.warnings,
            assertions: steps.assertion_results(),
        };
        Ok(RestoreResult { swapped: Some(swapped), ..RestoreResult::default() })
    }

    pub(super) async fn overwrite(self, record: ManifestRecord, live: Connection) -> Result<RestoreResult> {
        self.require_way_back().await?;
        let overwrite = Overwrite::new(live.clone());
        let mut plan = RestorePlan { target: live.to_string(), ..RestorePlan::default() };
        (plan.steps, plan.obstacles) = overwrite.plan().await?;
        plan.warnings = left_behind(&live, None).await?;
        plan.warnings.iter().for_each(|left| self.recorder.warn(left.clone()));
        if self.options.dry_run {
            let backup = self.request(&record).await?.open().await?;
            let restore = target(self.session, self.options, &live).plan_overwrite(&backup).await?;
            plan.steps.splice(0..0, std::iter::once(self.prove_first()).chain(restore.steps));
            plan.obstacles.extend(restore.obstacles);
            plan.warnings.extend(restore.warnings);
            return Ok(RestoreResult { plan: Some(plan), ..RestoreResult::default() });
        }
        // Refusals come before the question.
        if plan.obstacles.is_empty() {
            let what = format!(
                "what {live} has will be dropped where backup {} of {} has it too, and restored from there",
                record.manifest.id, record.manifest.source.snapshot
            );
            self.session.sure(self.options.yes, &what, live.database())?;
        }
        let steps = self.steps(record, Some(live)).await?;
        let done = overwrite.run(&steps).await?;
        let overwritten = Overwritten {
            live: done.live,
            backup: done.backup,
            safety_backup: done.safety_backup,
            assertions: steps.assertion_results(),
        };
        Ok(RestoreResult { overwritten: Some(overwritten), ..RestoreResult::default() })
    }

    async fn request(&self, record: &ManifestRecord) -> Result<ReadRequest<'a>> {
        let opener = self.session.settings().opener(self.options.passphrase, self.session.prompter()).await?;
        Ok(request(self.session, self.options, self.repository, record, self.recorder).open_with(opener))
    }

    /// What is done outside of the server.
    async fn steps(&self, record: ManifestRecord, overwrite: Option<Connection>) -> Result<InPlace<'a>> {
        let Live { session, options, repository, recorder } = *self;
        let settings = session.settings();
        Ok(InPlace {
            session,
            options,
            repository,
            recorder: recorder.clone(),
            record,
            overwrite,
            sealer: settings.sealer(options.no_encryption, false, session.prompter()).await?,
            signer: settings.signer(session.prompter()).await?,
            opener: settings.opener(options.passphrase, session.prompter()).await?,
            results: Default::default(),
        })
    }
}
