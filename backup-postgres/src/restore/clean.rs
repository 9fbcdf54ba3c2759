//! Restoring into a database that exists, in one transaction of one pg_restore: `--clean --if-exists --single-transaction`.

use super::programs::{failure, judge, write_list};
use super::server::Server;
use super::{ArchiveHead, Choices, PgRestore, Toc, part_bytes, version};
use crate::error::codes::RESTORE_REFUSED;
use crate::pooler::refuse_pooler;
use crate::tools::{Installed, Tools};
use backup_core::command::CommandWriter;
use backup_core::error::codes::CANCELLED;
use backup_core::error::io_error;
use backup_core::monitor::{Event, Monitor};
use backup_core::target::{Restorable, RestoreReport};
use backup_core::{Error, Result};
use std::process::Command;

impl PgRestore {
    /// Restores into the database that the connection names, which exists: what the backup has is dropped and made again, in one transaction. For
    /// servers that let no database be renamed; see [`Overwrite`](crate::swap::Overwrite), which stops writes and takes a safety backup before.
    ///
    /// Objects that the backup does not have stay. Where one of them depends on what is dropped, and after any other error, nothing is changed. The
    /// database's own properties (owner, settings, privileges, comment) stay as they are.
    pub async fn overwrite(&self, backup: &dyn Restorable, monitor: &dyn Monitor) -> Result<RestoreReport> {
        tokio::select! {
            done = self.clean(backup, monitor) => done,
            () = self.cancel.cancelled() => {
                Err(Error::new(&CANCELLED, "the restore was cancelled").with_hint("nothing was changed; run it again"))
            }
        }
    }

    async fn clean(&self, backup: &dyn Restorable, monitor: &dyn Monitor) -> Result<RestoreReport> {
        let (mut archive, tools, mut warnings) = self.prepare_clean(backup).await?;
        let bytes = part_bytes(backup);
        monitor.event(Event::PartStarted { part: crate::dump_part(), expected: Some(bytes) });
        let toc = std::mem::take(archive.parser.visitor_mut());
        if !toc.other_privileges.is_empty() {
            warnings.push(format!(
                "{} privileges whose statements name missing roles are left out",
                toc.other_privileges.len()
            ));
        }
        for message in &warnings {
            monitor.event(Event::Warning { message: message.clone() });
        }
        let list = archive.folder.path().join("all");
        let ids: Vec<i32> = [&toc.pre_data[..], &toc.data, &toc.post_data, &toc.privileges].concat();
        write_list(&list, &ids).map_err(|error| io_error(format!("write {}", list.display()), error))?;
        let mut command = Command::new(&tools.pg_restore.path);
        command.args(["--format=custom", "--no-password", "--no-subscriptions"]);
        command.args(["--clean", "--if-exists", "--single-transaction", "-L"]).arg(&list);
        if self.no_owner {
            command.arg("--no-owner");
        }
        if self.no_tablespaces {
            command.arg("--no-tablespaces");
        }
        // The database may have been made read-only for everybody else.
        let connection =
            self.connection.clone().with_program_setting("PGOPTIONS", "-c default_transaction_read_only=off");
        connection.apply(&mut command);
        command.arg("-d").arg(connection.argument());

        monitor.event(Event::Step { doing: "drop what the backup has, and restore it, in one transaction".to_owned() });
        let mut writer = CommandWriter::spawn(command)?;
        archive.send(monitor, &mut writer).await?;
        let (ended, all) = writer.finish().await?;
        let mut errors = judge("restore", &ended);
        if ended.success() && !all {
            errors.push("pg_restore did not read all of it".into());
        }
        if !errors.is_empty() {
            return Err(failure(&errors, "pg_restore failed").with_hint(
                "it was one transaction: nothing was changed. Objects that came after the backup may depend on what has to be dropped: drop them, or restore into a new database",
            ));
        }
        archive.drain(monitor).await?;
        monitor.event(Event::PartFinished { part: crate::dump_part(), plain: archive.bytes, stored: 0 });
        let mut report = RestoreReport::default();
        report.target = self.connection.to_string();
        report.bytes = archive.bytes;
        report.warnings = warnings;
        Ok(report)
    }

    /// Looks at both sides; nothing is changed.
    async fn prepare_clean(&self, backup: &dyn Restorable) -> Result<(ArchiveHead, Tools, Vec<String>)> {
        let session = self.connection.connect().await?;
        refuse_pooler(&session).await?;
        let server = Server::ask(&session, self.connection.database()).await?;
        let choices = Choices {
            no_owner: self.no_owner,
            no_tablespaces: self.no_tablespaces,
            roles: server.roles.clone(),
            is_superuser: server.is_superuser,
            may_alter_roles: server.may_alter_roles,
        };
        let archive = ArchiveHead::read(backup, Toc::new(choices)).await?;
        let toc = archive.parser.visitor();
        let header = toc.header.as_ref();
        let dumped_from = header.and_then(|header| version(header.server_version.as_ref()?));
        let dumped_by = header.and_then(|header| version(header.dump_version.as_ref()?));
        let newer = dumped_from.filter(|dumped| dumped.major > server.version.major);
        let obstacles = server.obstacles_in_database(toc, self.no_owner, newer);
        if !obstacles.is_empty() {
            return Err(Error::new(&RESTORE_REFUSED, obstacles.join("; ")));
        }
        let mut warnings = server.warnings(toc, None, backup.is_authentic(), part_bytes(backup));
        let tools = Installed::find(self.tools.as_deref(), &self.env)
            .await
            .for_restore(dumped_by.unwrap_or(server.version), server.version)?;
        warnings.extend(tools.warning.clone());
        Ok((archive, tools, warnings))
    }
}
