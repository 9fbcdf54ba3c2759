//! Restoring into a database that exists, in one transaction of one pg_restore: `--clean --if-exists --single-transaction`.

use super::programs::{failure, judge, write_list};
use super::server::Server;
use super::{ArchiveHead, Choices, PgRestore, Toc, part_bytes, quote_name, version};
use crate::archive::{Spliced, splice};
use crate::connection::Session;
use crate::error::codes::{QUERY_FAILED, RESTORE_REFUSED};
use crate::pooler::refuse_pooler;
use crate::queries;
use crate::tools::{Installed, Tools, Version};
use backup_core::command::CommandWriter;
use backup_core::error::codes::{CANCELLED, PART_INVALID};
use backup_core::error::{ResultExt, io_error};
use backup_core::monitor::{Event, Monitor};
use backup_core::target::{Restorable, RestorePlan, RestoreReport};
use backup_core::text::printable;
use backup_core::{Error, Result};
use std::collections::BTreeSet;
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
        let Prepared { mut archive, tools, obstacles, warnings, pieces, .. } = self.prepare_clean(backup).await?;
        let tools = match (tools, obstacles.as_slice()) {
            (Ok(tools), []) => tools,
            (Err(error), []) => return Err(error),
            _ => return Err(Error::new(&RESTORE_REFUSED, obstacles.join("; "))),
        };
        let bytes = part_bytes(backup);
        monitor.event(Event::PartStarted { part: crate::dump_part(), expected: Some(bytes) });
        let toc = std::mem::take(archive.parser.visitor_mut());
        for message in &warnings {
            monitor.event(Event::Warning { message: message.clone() });
        }
        let list = archive.folder.path().join("all");
        let spliced = self.splice(&archive, &toc)?;
        // pg_restore drops from the end of this list to its beginning. Pieces come first in what follows the data, the deepest first: what they are
        // pieces of is dropped before, and they with it.
        let post_data: Vec<i32> = toc.post_data.iter().copied().filter(|id| !pieces.contains(id)).collect();
        let (before, after) = ([spliced.before], [spliced.after]);
        let ids: Vec<i32> =
            [&before[..], &toc.pre_data, &toc.data, &pieces, &post_data, &toc.privileges, &after].concat();
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
                "it was one transaction: nothing was changed. Objects that came after the backup may depend on what has to be dropped: drop them. Otherwise pg_restore cannot drop what the backup has: restore with --swap, or into a new database",
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

    /// Puts into the table of contents what pg_restore has no option for: that the live database's default privileges do not apply to what is restored, and
    /// privileges whose entries name missing roles, without those.
    fn splice(&self, archive: &ArchiveHead, toc: &Toc) -> Result<Spliced> {
        let path = archive.path();
        let failed = |doing: &str, error| io_error(format!("{doing} {}", path.display()), error);
        let mut head = std::fs::read(&path).map_err(|error| failed("read", error))?;
        let others = toc.other_privileges.iter().map(|statement| format!("{};\n", statement.trim_end_matches(';')));
        let after: String = std::iter::once("SELECT 1;\n".to_owned()).chain(others).collect();
        let before = format!("{};", queries::CLEAN_DEFAULTS.trim_end());
        let spliced = toc.gaps.and_then(|gaps| splice(&mut head, gaps, &before, &after));
        let spliced =
            spliced.ok_or_else(|| Error::new(&PART_INVALID, "the archive's table of contents is not understood"))?;
        std::fs::write(&path, head).map_err(|error| failed("write", error))?;
        Ok(spliced)
    }

    /// What [`overwrite`](PgRestore::overwrite) would do, as far as that can be known before; nothing is changed.
    pub async fn plan_overwrite(&self, backup: &dyn Restorable) -> Result<RestorePlan> {
        let prepared = self.prepare_clean(backup).await?;
        let mut plan = RestorePlan::default();
        plan.target = self.connection.to_string();
        let from = prepared.dumped_from.map_or("an unknown version".to_owned(), |version| version.to_string());
        plan.steps = vec![format!(
            "restore {} bytes of data of PostgreSQL {from} into PostgreSQL {}",
            part_bytes(backup),
            prepared.server.version
        )];
        if let Some(free) = prepared.server.free_space() {
            plan.steps.push(format!("{free} bytes are free on the server's disk; until the commit, both are on it"));
        }
        (plan.obstacles, plan.warnings) = (prepared.obstacles, prepared.warnings);
        if let Err(error) = prepared.tools {
            plan.obstacles.push(format!("{error}: {}", error.hint()));
        }
        Ok(plan)
    }

    /// Looks at both sides; nothing is changed.
    async fn prepare_clean(&self, backup: &dyn Restorable) -> Result<Prepared> {
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
        let mut obstacles = server.obstacles_in_database(toc, self.no_owner, newer);
        obstacles.extend(dependents(&session, toc).await?);
        let mut warnings = server.warnings(toc, None, backup.is_authentic(), part_bytes(backup));
        let tools = Installed::find(self.tools.as_deref(), &self.env)
            .await
            .for_restore(dumped_by.unwrap_or(server.version), server.version);
        if let Ok(tools) = &tools {
            warnings.extend(tools.warning.clone());
        }
        let pieces = pieces(&session, toc).await?;
        Ok(Prepared { archive, server, dumped_from, tools, obstacles, warnings, pieces })
    }
}

/// What was found out before anything is changed.
struct Prepared {
    archive: ArchiveHead,
    server: Server,
    dumped_from: Option<Version>,
    tools: Result<Tools>,
    obstacles: Vec<String>,
    warnings: Vec<String>,
    /// Entries of what is a piece of something else in the live database, the deepest first.
    pieces: Vec<i32>,
}

/// `DROP` of an index of a partition fails where it is a piece of the table's, and that of the table's takes it along.
async fn pieces(session: &Session, toc: &Toc) -> Result<Vec<i32>> {
    let rows = session.query(queries::CLEAN_PIECES, &[]).await;
    let rows = rows.or_code(&QUERY_FAILED, || "ask for the indexes of partitions".to_owned())?;
    let mut found = Vec::new();
    for row in rows {
        let (schema, table, index): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        // Of an index, the tag is its name; of a constraint, the table's is in front of it.
        for tag in [format!("{table} {index}"), index] {
            found.extend(toc.indexes.get(&(schema.clone(), tag)).copied());
        }
    }
    let mut once = BTreeSet::new();
    found.retain(|id| once.insert(*id));
    Ok(found)
}

/// Relations that came after the backup and depend on what has to be dropped.
async fn dependents(session: &Session, toc: &Toc) -> Result<Vec<String>> {
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        toc.relations.iter().map(|(schema, name)| (schema.as_str(), name.as_str())).unzip();
    let rows = session.query(queries::CLEAN_DEPENDENTS, &[&schemas, &names, &toc.schemas]).await;
    let rows = rows.or_code(&QUERY_FAILED, || "ask what depends on the backup's tables".to_owned())?;
    let name = |schema: &str, name: &str| format!("{}.{}", quote_name(schema), quote_name(name));
    let said = rows.iter().map(|row| {
        let one = name(row.get("schema"), row.get("name"));
        let on = match row.get::<_, Option<&str>>("on_name") {
            Some(relation) => name(row.get("on_schema"), relation),
            None => format!("schema {}", quote_name(row.get("on_schema"))),
        };
        let (how, of, way) = match row.get::<_, &str>("how") {
            "partition" => ("partition", "belongs to", "detach or drop it"),
            "relation" => ("relation", "lies in", "move or drop it"),
            how => (how, "depends on", "drop it"),
        };
        let text = format!("{how} {one} came after the backup and {of} {on}, which has to be dropped: {way} first");
        printable(&text).into_owned()
    });
    Ok(said.collect())
}
