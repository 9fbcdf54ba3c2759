//! The definitions of a backup once more, as the server that they were restored to writes them.

use super::{Rehearsal, run};
use crate::connection::Connection;
use crate::restore::database::Created;
use crate::restore::programs::Refused;
use crate::restore::statement::{self, quote_name};
use crate::restore::toc::Recreation;
use backup_core::Result;
use std::collections::HashSet;

/// The definitions of a backup in a database of their own.
pub(crate) struct Rendering {
    /// The database.
    pub(crate) connection: Connection,
    created: Created,
    /// What could not be made.
    pub(crate) errors: Vec<String>,
    aside: Option<String>,
}

impl Rehearsal {
    /// Makes the database once more, without data, beside the restored one: how this server writes the definitions of the backup.
    pub(crate) async fn render(&mut self) -> Result<Rendering> {
        let session = self.connection.connect_without_limits().await?;
        let aside = format!("{}_aside", self.name.chars().take(40).collect::<String>());
        if self.own {
            // The definitions of the database itself have its name in them.
            let sql = format!("ALTER DATABASE {} RENAME TO {}", quote_name(&self.name), quote_name(&aside));
            run(&session, "set the restored database aside", &sql).await?;
        }
        let name = if self.own { self.name.clone() } else { format!("{}_2", self.name) };
        let mut recreation = Recreation {
            create: self.recreation.create.clone(),
            owner: self.recreation.owner.clone(),
            before: self.recreation.before.clone(),
            after: self.recreation.after.clone(),
        };
        if !self.own
            && let Some(create) = renamed(&recreation.create, &name)
        {
            recreation.create = create;
        }
        self.elevate(true).await?;
        let created = Created::create(session, &name, &recreation).await?;
        created.prepare(&recreation, &self.backup).await?;
        let mut program = self.program.clone();
        program.connection = self.connection.with_database(&name);
        let (data, others) = self.data();
        let without_rows: HashSet<i32> = self.outline.iter().filter(|one| one.has_data).map(|one| one.id).collect();
        let late = self.late();
        let mut ids = self.wanted(&self.toc().pre_data);
        ids.extend(others.into_iter().filter(|id| !late.contains(id)));
        ids.extend(data.into_iter().filter(|id| !without_rows.contains(id)));
        let mut errors = program.read_file("render-definitions", &ids, 1, &self.archive.path()).await?;
        let mut ids = self.wanted(&self.toc().post_data);
        ids.extend(self.wanted(&self.toc().privileges));
        errors.extend(
            program.read_post_data("render-indexes", ids, &self.toc().alone, self.jobs, &self.archive.path()).await?,
        );
        if self.own {
            created.complete(&recreation).await?;
        }
        let errors = errors.iter().map(Refused::to_string).collect();
        Ok(Rendering { connection: program.connection, created, errors, aside: self.own.then_some(aside) })
    }

    /// Removes what [`render`](Self::render) made.
    pub(crate) async fn rendered(&mut self, rendering: Rendering) -> Result<()> {
        rendering.created.discard().await?;
        if let Some(aside) = rendering.aside {
            let sql = format!("ALTER DATABASE {} RENAME TO {}", quote_name(&aside), quote_name(&self.name));
            run(&self.connection.connect_without_limits().await?, "take the restored database back", &sql).await?;
        }
        Ok(())
    }
}

/// CREATE DATABASE with another name.
fn renamed(create: &str, name: &str) -> Option<String> {
    let parsed = statement::statements(create)?;
    let [statement] = parsed.as_slice() else { return None };
    Some(statement.replacing(statement::database_name(statement)?, &quote_name(name)))
}

#[cfg(test)]
mod tests {
    use super::renamed;

    #[test]
    fn databases_are_renamed() {
        assert_eq!(
            renamed("CREATE DATABASE a ENCODING = 'UTF8'", "b c").unwrap(),
            "CREATE DATABASE \"b c\" ENCODING = 'UTF8'"
        );
    }
}
