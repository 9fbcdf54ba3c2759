//! The data: loaded by several connections from where it lies, or from the stream.

use super::Rehearsal;
use crate::inventory::{Inventory, Name, Recorded, TableRecord};
use crate::restore::database::failed;
use crate::restore::load::{self, Job, Load, Objects};
use crate::restore::programs::{PgRestoreProgram, Refused, judge};
use backup_core::error::codes::PART_INVALID;
use backup_core::monitor::Monitor;
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use std::collections::{HashMap, HashSet};

/// Where the data lies.
struct Places {
    tables: Vec<Job>,
    objects: Objects,
}

impl Rehearsal {
    /// Entries of the data that a role without rights can load, and those that need more (large objects are made and given away; statistics).
    pub(super) fn data(&self) -> (Vec<i32>, Vec<i32>) {
        let loadable: HashSet<i32> =
            self.outline.iter().filter(|one| one.has_data || one.kind == "SEQUENCE SET").map(|one| one.id).collect();
        self.wanted(&self.toc().data).into_iter().partition(|id| loadable.contains(id))
    }

    /// Loads the data, and checks it against what was noted when the backup was made, where that is known. Gives the errors.
    pub(crate) async fn load(
        &mut self,
        backup: &dyn Restorable,
        noted: Option<&Inventory>,
        monitor: &dyn Monitor,
    ) -> Result<Vec<String>> {
        self.leave_out_xml().await?;
        match noted.map(|noted| self.places(noted)) {
            Some(Ok(Some(places))) => self.load_tables(backup, places, monitor).await,
            Some(Err(error)) => Ok(vec![error.chain()]),
            _ => self.load_stream(monitor).await,
        }
    }

    /// The role that loads data, in the new database.
    fn loader(&self) -> PgRestoreProgram {
        let mut loader = self.program.clone();
        if let Some(role) = &self.loader {
            loader.connection = loader.connection.with_user(role);
        }
        loader
    }

    /// Where everything lies in the archive; `None` when statements cannot be sent as they are: in other encodings, names must be converted.
    fn places(&self, noted: &Inventory) -> Result<Option<Places>> {
        if noted.encoding.as_deref() != Some("UTF8") {
            return Ok(None);
        }
        let Some(start) = self.toc().end else { return Ok(None) };
        let records: HashMap<(&Name, &Name), &TableRecord> =
            noted.tables.iter().map(|record| ((&record.table.schema, &record.table.name), record)).collect();
        let mut places = Places { tables: Vec::new(), objects: Objects::default() };
        let mut entries = Vec::new();
        for one in self.outline.iter().filter(|one| one.has_data) {
            let record = one.schema.as_ref().and_then(|schema| records.get(&(schema, &one.name)));
            let wanted = !self.skipped.contains_key(&one.id);
            match (one.kind.as_str(), record, &one.copy) {
                ("TABLE DATA", Some(record), Some(copy)) if record.block.id == one.id => {
                    entries.push((one.id, Some(record.block.from..record.block.to)));
                    if wanted {
                        places.tables.push(Job { record: (*record).clone(), copy: copy.clone() });
                    }
                }
                ("TABLE DATA", ..) => {
                    let what = format!(
                        "the backup does not hold what was noted when it was made: rows of {}",
                        one.name.lossy()
                    );
                    return Err(Error::new(&PART_INVALID, what));
                }
                _ => {
                    entries.push((one.id, None));
                    if wanted {
                        places.objects.ids.push(one.id);
                    }
                }
            }
        }
        places.objects.gaps = load::gaps(start..self.bytes, &entries)?;
        places.objects.noted = noted.large_objects.objects.clone();
        Ok(Some(places))
    }

    /// Loads the tables by several connections, from the segments that hold them.
    async fn load_tables(
        &mut self,
        backup: &dyn Restorable,
        places: Places,
        monitor: &dyn Monitor,
    ) -> Result<Vec<String>> {
        let loader = self.loader();
        let session = self.program.connection.connect_without_limits().await?;
        if let (true, Some(role)) = (self.own, &self.loader) {
            load::allow_emptying(&session, role).await;
        }
        self.archive.close();
        let lc_monetary = self.lc_monetary.clone();
        let load = Load::new(backup, monitor, &loader.connection, lc_monetary.as_deref(), self.jobs);
        let head = self.archive.path();
        let objects = async {
            match places.objects.ids.is_empty() {
                true => Ok(Vec::new()),
                false => load::large_objects(backup, &loader, &head, places.objects).await,
            }
        };
        let ((mut errors, waited), more) = futures::future::try_join(load.tables(places.tables), objects).await?;
        errors.extend(more);
        self.archive.waited += waited;
        if self.own {
            load::forbid_emptying(&session).await.map_err(|error| failed("remove what loading needed", error))?;
        }
        if !errors.is_empty() {
            return Ok(errors);
        }
        let sequences: Vec<i32> = self
            .data()
            .0
            .into_iter()
            .filter(|id| self.outline.iter().any(|one| one.id == *id && !one.has_data))
            .collect();
        let refused = loader.read_file("sequences", &sequences, 1, &self.archive.path()).await?;
        errors.extend(refused.iter().map(Refused::to_string));
        let witness = self.archive.parser.visitor_mut().witness.take();
        self.recorded = witness.map(|witness| witness.digester.finish_without_data());
        self.data_was_checked = true;
        Ok(errors)
    }

    /// Loads the data from the stream, and reads it to its checked end.
    async fn load_stream(&mut self, monitor: &dyn Monitor) -> Result<Vec<String>> {
        let mut errors = Vec::new();
        let (ids, _) = self.data();
        let loader = self.loader();
        if self.toc().has_blocks {
            let mut writer = loader.read_pipe("data", &ids)?;
            self.archive.send(monitor, &mut writer).await?;
            let (ended, all) = writer.finish().await?;
            errors.extend(judge("data", &ended));
            let has_data: HashSet<i32> = self.outline.iter().filter(|one| one.has_data).map(|one| one.id).collect();
            if ended.success() && !all && ids.iter().any(|id| has_data.contains(id)) {
                errors.push("data: pg_restore did not read all of it".into());
            }
        } else {
            let refused = loader.read_file("data", &ids, 1, &self.archive.path()).await?;
            errors.extend(refused.iter().map(Refused::to_string));
        }
        // The parser's end says whether the archive was complete; what it saw is needed after that.
        while self.archive.next(monitor).await?.is_some() {}
        let mut toc = self.archive.conclude()?;
        self.recorded = toc.witness.take().map(|witness| witness.digester.finish());
        self.archive.replace(toc);
        Ok(errors)
    }

    /// Whether the rows and large objects were compared with what was noted while they were loaded, so that [`recorded`](Self::recorded) has nothing
    /// of them.
    pub(crate) fn data_was_checked(&self) -> bool {
        self.data_was_checked
    }

    /// What the archive was seen to hold. Once, after [`load`](Self::load).
    pub(crate) fn recorded(&mut self) -> Option<Recorded> {
        self.recorded.take()
    }
}
