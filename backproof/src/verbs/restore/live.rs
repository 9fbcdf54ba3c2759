//! In place of a live database: by a swap of names, or into the database itself.

use super::in_place::InPlace;
use super::{Overwritten, RestoreOptions, RestorePlan, RestoreResult, Swapped};
use crate::Backproof;
use backup_core::Result;
use backup_core::monitor::Recorder;
use backup_core::repository::Repository;
use backup_core::repository::catalog::ManifestRecord;
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
    pub(super) async fn swap(self, record: ManifestRecord, live: Connection) -> Result<RestoreResult> {
        let swap = Swap::new(live.clone()).ignore_slots(self.options.ignore_slots);
        let plan = swap.plan().await?;
        let id = record.manifest.id.clone();
        if self.options.dry_run {
            let plan = RestorePlan {
                target: live.to_string(),
                kept: Some(plan.kept().to_owned()),
                steps: plan.steps,
                warnings: plan.warnings,
                obstacles: plan.obstacles,
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
        let steps = self.steps(record).await?;
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
        let overwrite = Overwrite::new(live.clone());
        let mut plan = RestorePlan { target: live.to_string(), ..RestorePlan::default() };
        (plan.steps, plan.obstacles) = overwrite.plan().await?;
        plan.warnings = left_behind(&live, None).await?;
        plan.warnings.iter().for_each(|left| self.recorder.warn(left.clone()));
        if self.options.dry_run {
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
        let steps = self.steps(record).await?;
        let done = overwrite.run(&steps).await?;
        let overwritten = Overwritten {
            live: done.live,
            backup: done.backup,
            safety_backup: done.safety_backup,
            assertions: steps.assertion_results(),
        };
        Ok(RestoreResult { overwritten: Some(overwritten), ..RestoreResult::default() })
    }

    /// What is done outside of the server.
    async fn steps(&self, record: ManifestRecord) -> Result<InPlace<'a>> {
        let Live { session, options, repository, recorder } = *self;
        let settings = session.settings();
        Ok(InPlace {
            session,
            options,
            repository,
            recorder: recorder.clone(),
            record,
            sealer: settings.sealer(options.no_encryption, false, session.prompter()).await?,
            signer: settings.signer(session.prompter()).await?,
            opener: settings.opener(options.passphrase, session.prompter()).await?,
            results: Default::default(),
        })
    }
}
