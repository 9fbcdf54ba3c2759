//! Definitions: what precedes the data, and what follows it.

use super::Rehearsal;
use super::witness::Outlined;
use crate::restore::database::failed;
use backup_core::Result;
use std::collections::HashSet;

/// Databases are made anew this often at most, with more left out each time.
const ATTEMPTS: usize = 5;

impl Rehearsal {
    /// Makes the database and restores what precedes the data. Gives the errors.
    pub(crate) async fn define(&mut self) -> Result<Vec<String>> {
        self.elevate(true).await?;
        loop {
            self.attempt += 1;
            self.create_database().await?;
            let (_, others) = self.data();
            let mut ids = self.wanted(&self.toc().pre_data);
            let late: HashSet<i32> = self.late();
            ids.extend(others.into_iter().filter(|id| !late.contains(id)));
            let list = format!("definitions-{}", self.attempt);
            let errors = self.program.read_file(&list, &ids, 1, &self.archive.path()).await?;
            let prefix = format!("{list}: ");
            let errors: Vec<String> =
                errors.iter().map(|error| error.strip_prefix(&prefix).unwrap_or(error).to_owned()).collect();
            let gaps = self.excused(&errors, &ids);
            if gaps.is_empty() || self.attempt >= ATTEMPTS {
                self.elevate(false).await?;
                return Ok(errors);
            }
            gaps.into_iter().for_each(|(id, gap)| self.skip(id, gap));
            if let Some(created) = self.created.take() {
                created.discard().await?;
            }
        }
    }

    /// Makes indexes, constraints and triggers, and restores privileges and the database's own properties. Gives the errors.
    pub(crate) async fn finish(&mut self) -> Result<Vec<String>> {
        self.elevate(true).await?;
        let mut ids = self.wanted(&self.toc().post_data);
        let late = self.late();
        ids.extend(self.data().1.into_iter().filter(|id| late.contains(id)));
        ids.extend(self.wanted(&self.toc().privileges));
        let mut errors = self
            .program
            .read_post_data("indexes", ids.clone(), &self.toc().alone, self.jobs, &self.archive.path())
            .await?;
        if !self.toc().other_privileges.is_empty() {
            let session = self.program.connection.connect_without_limits().await?;
            for statement in &self.toc().other_privileges {
                // In the name of roles that are there; what was left out is told.
                if let Err(error) = session.batch_execute(statement).await {
                    errors.push(failed("privileges", error).chain());
                }
            }
        }
        let plain: Vec<String> =
            errors.iter().map(|error| error.strip_prefix("indexes: ").unwrap_or(error).to_owned()).collect();
        let gaps = self.excused(&plain, &ids);
        if !gaps.is_empty() {
            let excused: HashSet<i32> = gaps.iter().map(|(id, _)| *id).collect();
            let labels: HashSet<String> =
                self.outline.iter().filter(|one| excused.contains(&one.id)).map(Outlined::label).collect();
            errors.retain(|error| {
                let error = error.strip_prefix("indexes: ").unwrap_or(error);
                !error.split_once(": ERROR: ").is_some_and(|(label, _)| labels.contains(label.trim_end()))
            });
            gaps.into_iter().for_each(|(id, gap)| self.skip(id, gap));
        }
        if let (true, Some(created)) = (self.own, &self.created) {
            created.complete(&self.recreation).await?;
        }
        Ok(errors)
    }

    /// Statistics come after the data that they are about.
    pub(super) fn late(&self) -> HashSet<i32> {
        self.outline.iter().filter(|one| one.kind == "STATISTICS DATA").map(|one| one.id).collect()
    }
}
