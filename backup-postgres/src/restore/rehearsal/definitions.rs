//! Definitions: what precedes the data, and what follows it.

use super::Rehearsal;
use crate::restore::database::failed;
use crate::restore::programs::Refused;
use backup_core::Result;
use backup_core::text::printable;
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
            let gaps = self.excused(&errors);
            if gaps.is_empty() || self.attempt >= ATTEMPTS {
                self.elevate(false).await?;
                return Ok(errors.iter().map(|error| printable(&error.text).into_owned()).collect());
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
        let refused =
            self.program.read_post_data("indexes", ids, &self.toc().alone, self.jobs, &self.archive.path()).await?;
        let mut errors: Vec<String> = self.excuse(refused).iter().map(Refused::to_string).collect();
        if !self.toc().other_privileges.is_empty() {
            let session = self.program.connection.connect_without_limits().await?;
            for statement in &self.toc().other_privileges {
                // In the name of roles that are there; what was left out is told.
                if let Err(error) = session.batch_execute(statement).await {
                    errors.push(failed("privileges", error).chain());
                }
            }
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
