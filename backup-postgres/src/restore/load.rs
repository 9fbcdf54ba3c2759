//! Loading data by several connections at once: table by table, the largest first, each from the segments that hold it.
//!
//! As `pg_restore -j` does from a file; from an object store there is no file. Where the blocks lie is known from what was noted when the backup was
//! made, and each table's rows are compared with what was noted as they pass. A table that is emptied in the transaction that loads it needs no log
//! (`wal_level = minimal`) and its rows no second look (`FREEZE`).

use super::programs::{PgRestoreProgram, judge};
use super::statement::{quote_name, quote_string};
use crate::archive::{Parser, Visitor};
use crate::connection::{Connection, Session};
use crate::inventory::rows::RowsInOrder;
use crate::inventory::{LargeObject, TableName, TableRecord};
use backup_core::digest::Blake3;
use backup_core::error::codes::{IO, PART_INVALID};
use backup_core::monitor::{Event, Monitor};
use backup_core::pipeline::read::PartStream;
use backup_core::target::Restorable;
use backup_core::{Error, Result};
use bytes::{Bytes, BytesMut};
use futures::SinkExt;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Rows are handed over in messages of this size.
const MESSAGE: usize = 256 << 10;
/// Tables that lie side by side and have no more bytes than this are read together.
const RUN: u64 = 8 << 20;
/// Where the function is that empties tables for a role that may not.
const SCHEMA: &str = "backproof_loading";

/// As pg_restore sets its sessions (`_doSetFixedOutputState` in pg_backup_archiver.c). Parameters that not all servers have are set one by one.
const SETTINGS: [&str; 8] = [
    "SET statement_timeout = 0",
    "SET lock_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "SET transaction_timeout = 0",
    "SET xmloption = content",
    "SET row_security = off",
    // Quicker than the default where the server knows it; no part of a dump.
    "SET default_toast_compression = lz4",
    "SELECT pg_catalog.set_config('search_path', '', false)",
];

/// A table to be loaded.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) record: TableRecord,
    /// The COPY statement of the archive.
    pub(super) copy: String,
}

impl Job {
    fn bytes(&self) -> u64 {
        self.record.block.to - self.record.block.from
    }
}

/// Tables that lie side by side: a segment that holds several small ones is fetched and opened once.
#[derive(Debug, Default)]
struct Run {
    jobs: Vec<Job>,
    bytes: u64,
}

/// Puts the tables that lie side by side together; gives the largest runs first.
fn runs(mut tables: Vec<Job>) -> VecDeque<Run> {
    tables.sort_by_key(|job| job.record.block.from);
    let mut runs: Vec<Run> = Vec::new();
    let mut end = None;
    for job in tables {
        let (block, bytes) = (job.record.block, job.bytes());
        match runs.last_mut() {
            Some(run) if end == Some(block.from) && run.bytes + bytes <= RUN => {
                run.bytes += bytes;
                run.jobs.push(job);
            }
            _ => runs.push(Run { jobs: vec![job], bytes }),
        }
        end = Some(block.to);
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.bytes));
    runs.into()
}

/// The bytes of a run, block by block.
struct Blocks {
    stream: PartStream,
    /// What was read beyond the current block.
    rest: Bytes,
    /// How long the backup was waited for.
    waited: Duration,
}

impl Blocks {
    async fn open(backup: &dyn Restorable, run: &Run) -> Result<Self> {
        let from = run.jobs.first().map_or(0, |job| job.record.block.from);
        let stream = backup.open_range(&crate::dump_part(), from..from + run.bytes).await?;
        Ok(Blocks { stream, rest: Bytes::new(), waited: Duration::ZERO })
    }

    /// The next piece of a block of which so many bytes are left.
    async fn next(&mut self, left: &mut u64) -> Result<Option<Bytes>> {
        if *left == 0 {
            return Ok(None);
        }
        if self.rest.is_empty() {
            let began = Instant::now();
            let piece = self.stream.next().await?;
            self.waited += began.elapsed();
            self.rest = piece.ok_or_else(|| Error::new(&PART_INVALID, "the dump ends inside a table's rows"))?;
        }
        let length = usize::try_from(*left).unwrap_or(usize::MAX).min(self.rest.len());
        let piece = self.rest.split_to(length);
        *left -= piece.len() as u64;
        Ok(Some(piece))
    }
}

/// Large objects to be loaded.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// The entries whose blocks hold them.
    pub(super) ids: Vec<i32>,
    /// Where blocks are that are of no table.
    pub(super) gaps: Vec<(Vec<i32>, Range<u64>)>,
    /// What was noted of them.
    pub(super) noted: Vec<LargeObject>,
}

/// What a load needs.
pub(super) struct Load<'a> {
    pub(super) backup: &'a dyn Restorable,
    pub(super) monitor: &'a dyn Monitor,
    /// The role that loads, in the new database.
    pub(super) connection: &'a Connection,
    pub(super) lc_monetary: Option<&'a str>,
    pub(super) jobs: usize,
    queue: Mutex<VecDeque<Run>>,
    errors: Mutex<Vec<String>>,
    waited: Mutex<Duration>,
}

impl<'a> Load<'a> {
    pub(super) fn new(
        backup: &'a dyn Restorable,
        monitor: &'a dyn Monitor,
        connection: &'a Connection,
        lc_monetary: Option<&'a str>,
        jobs: usize,
    ) -> Self {
        let (queue, errors, waited) = Default::default();
        Load { backup, monitor, connection, lc_monetary, jobs, queue, errors, waited }
    }

    /// Loads the tables. Gives the errors, and how long the backup was waited for, by the connection that waited longest.
    pub(super) async fn tables(self, tables: Vec<Job>) -> Result<(Vec<String>, Duration)> {
        let runs = runs(tables);
        let workers = self.jobs.min(runs.len());
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = runs;
        futures::future::try_join_all((0..workers).map(|_| self.worker())).await?;
        let errors = self.errors.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((errors, self.waited.into_inner().unwrap_or_else(PoisonError::into_inner)))
    }

    async fn worker(&self) -> Result<()> {
        let session = self.connection.connect().await?;
        for setting in SETTINGS {
            let _ = session.batch_execute(setting).await;
        }
        if let Some(value) = self.lc_monetary {
            let _ = session.batch_execute(&format!("SET lc_monetary = {}", quote_string(value))).await;
        }
        let mut waited = Duration::ZERO;
        loop {
            let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(run) = next else { break };
            let mut blocks = Blocks::open(self.backup, &run).await?;
            for job in &run.jobs {
                if let Err(words) = self.table(&session, job, &mut blocks).await? {
                    self.errors.lock().unwrap_or_else(PoisonError::into_inner).push(words);
                    // Nothing that follows could make it good.
                    self.queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    break;
                }
            }
            waited += blocks.waited;
        }
        let mut longest = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = waited.max(*longest);
        Ok(())
    }

    /// Loads one table in one transaction. `Ok(Err)`: it does not go in, or is not what was noted.
    async fn table(
        &self,
        session: &Session,
        job: &Job,
        blocks: &mut Blocks,
    ) -> Result<std::result::Result<(), String>> {
        let Job { record, copy } = job;
        let refused = |error: tokio_postgres::Error| {
            let words = error
                .as_db_error()
                .map_or_else(|| with_causes(&error), |said| format!("{}:  {}", said.severity(), said.message()));
            format!("data: COPY failed for table \"{}\": {words}", record.table.name.lossy())
        };
        if let Err(error) = session.batch_execute("BEGIN").await {
            return Ok(Err(refused(error)));
        }
        let mut copy = copy.trim_end().trim_end_matches(';').to_owned();
        // Rows that go in by the root of their partitions may lie in this one already.
        let own = crate::inventory::copy::table(copy.as_bytes()).is_some_and(|table| table == record.table);
        if own && empty(session, &record.table).await {
            copy.push_str(" WITH (FREEZE)");
        }
        let sink = match session.copy_in::<str, Bytes>(&copy).await {
            Ok(sink) => sink,
            Err(error) => return Ok(Err(refused(error))),
        };
        let mut sink = std::pin::pin!(sink);
        let mut left = job.bytes();
        let mut parser = Parser::at_block(Rows::default(), record.block.id, record.block.from);
        let mut pending: Vec<Bytes> = Vec::new();
        let mut taken = true;
        loop {
            let piece = blocks.next(&mut left).await?;
            let ended = piece.is_none();
            // The next rows are taken apart while those before are sent.
            let parse = async {
                let Some(piece) = piece else { return Ok((parser, Vec::new())) };
                self.monitor.event(Event::Progress { plain: piece.len() as u64, stored: 0 });
                let work = tokio::task::spawn_blocking(move || {
                    parser.feed(&piece)?;
                    let ready = std::mem::take(&mut parser.visitor_mut().ready);
                    Ok::<_, Error>((parser, ready))
                });
                work.await.map_err(|error| Error::new(&IO, "a reader of rows died").with_source(error))?
            };
            let send = async {
                for message in std::mem::take(&mut pending) {
                    if taken && sink.send(message).await.is_err() {
                        taken = false;
                    }
                }
            };
            let (parsed, ()) = tokio::join!(parse, send);
            (parser, pending) = parsed?;
            if ended || !taken {
                break;
            }
        }
        if taken {
            let mut rows = parser.finish()?;
            let rest = rows.building.split().freeze();
            if !rest.is_empty() {
                taken = sink.send(rest).await.is_ok();
            }
            let digest = rows.digest.finish();
            let noted = digest.is_some_and(|found| {
                (found.rows, found.bytes, found.blake3) == (record.rows, record.bytes, record.blake3)
            });
            if taken && !noted {
                return Ok(Err(format!(
                    "the backup does not hold what was noted when it was made: table {}: other rows",
                    record.table
                )));
            }
        }
        if let Err(error) = sink.finish().await {
            return Ok(Err(refused(error)));
        }
        Ok(session.batch_execute("COMMIT").await.map_err(refused))
    }
}

/// Puts the rows of a block together in messages, and hashes them.
#[derive(Default)]
struct Rows {
    digest: RowsInOrder,
    building: BytesMut,
    ready: Vec<Bytes>,
}

impl Visitor for Rows {
    fn data(&mut self, bytes: &[u8], _chunk_end: bool) -> Result<()> {
        self.digest.feed(bytes);
        self.building.extend_from_slice(bytes);
        if self.building.len() >= MESSAGE {
            self.ready.push(self.building.split().freeze());
            self.building.reserve(MESSAGE + MESSAGE / 4);
        }
        Ok(())
    }
}

fn with_causes(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Empties a table in the current transaction; false when that cannot be.
async fn empty(session: &Session, table: &TableName) -> bool {
    let (Some(schema), Some(name)) = (table.schema.as_str(), table.name.as_str()) else { return false };
    let name = quote_string(&format!("{}.{}", quote_name(schema), quote_name(name)));
    let sql = format!("SAVEPOINT before; SELECT {SCHEMA}.empty({name})");
    match session.simple_query(&sql).await {
        Ok(answers) => {
            let emptied = answers.iter().any(
                |answer| matches!(answer, tokio_postgres::SimpleQueryMessage::Row(row) if row.get(0) == Some("t")),
            );
            // FREEZE wants the table to be emptied in the very same (sub)transaction.
            emptied
        }
        Err(_) => {
            let _ = session.batch_execute("ROLLBACK TO SAVEPOINT before").await;
            false
        }
    }
}

/// Makes the function that empties tables for the loading role; it has no other way to.
pub(super) async fn allow_emptying(session: &Session, role: &str) -> bool {
    let role = quote_name(role);
    let sql = format!(
        "CREATE SCHEMA {SCHEMA};
         CREATE FUNCTION {SCHEMA}.empty(t regclass) RETURNS bool LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
         $$ BEGIN
             IF (SELECT relkind FROM pg_class WHERE oid = t) <> 'r' THEN RETURN false; END IF;
             EXECUTE format('TRUNCATE ONLY %s', t);
             RETURN true;
         END $$;
         REVOKE ALL ON FUNCTION {SCHEMA}.empty(regclass) FROM PUBLIC;
         GRANT USAGE ON SCHEMA {SCHEMA} TO {role};
         GRANT EXECUTE ON FUNCTION {SCHEMA}.empty(regclass) TO {role}"
    );
    session.batch_execute(&sql).await.is_ok()
}

/// Removes it again.
pub(super) async fn forbid_emptying(session: &Session) -> std::result::Result<(), tokio_postgres::Error> {
    session.batch_execute(&format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")).await
}

/// Feeds large objects to pg_restore: the head of the archive, and the blocks that are theirs alone. Gives the errors.
pub(super) async fn large_objects(
    backup: &dyn Restorable,
    program: &PgRestoreProgram,
    head: &std::path::Path,
    objects: Objects,
) -> Result<Vec<String>> {
    let failed = |error| backup_core::error::io_error("read the table of contents from a temporary file", error);
    let mut writer = program.read_pipe("large-objects", &objects.ids)?;
    let head = tokio::fs::read(head).await.map_err(failed)?;
    let mut found: Vec<(u32, u64, Blake3)> = Vec::new();
    let mut taken = writer.write(head.into()).await;
    for (ids, range) in objects.gaps {
        let mut parser = Parser::at_blocks(Seen::default(), ids, range.start);
        let mut stream: PartStream = backup.open_range(&crate::dump_part(), range).await?;
        while let Some(piece) = stream.next().await? {
            parser.feed(&piece)?;
            taken = taken && writer.write(piece).await;
        }
        found.extend(parser.finish()?.objects);
    }
    let (ended, _) = writer.finish().await?;
    let mut errors = judge("large-objects", &ended);
    found.sort_unstable();
    if !errors.is_empty() {
        return Ok(errors);
    }
    let noted: Vec<(u32, u64, Blake3)> = objects.noted.iter().map(|one| (one.oid, one.bytes, one.blake3)).collect();
    if found != noted {
        let other =
            found.iter().zip(&noted).find(|(found, noted)| found != noted).map(|(found, noted)| found.0.min(noted.0));
        let which = other.or_else(|| found.get(noted.len()).or(noted.get(found.len())).map(|one| one.0));
        errors.push(format!(
            "the backup does not hold what was noted when it was made: large object {}",
            which.map_or_else(|| "unknown".into(), |oid| oid.to_string())
        ));
    }
    Ok(errors)
}

/// Notes large objects as they pass.
#[derive(Default)]
struct Seen {
    objects: Vec<(u32, u64, Blake3)>,
    oid: u32,
    bytes: u64,
    hasher: blake3::Hasher,
}

impl Visitor for Seen {
    fn object_start(&mut self, oid: u32, _position: u64) -> Result<()> {
        (self.oid, self.bytes) = (oid, 0);
        self.hasher.reset();
        Ok(())
    }

    fn data(&mut self, bytes: &[u8], _chunk_end: bool) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.hasher.update(bytes);
        Ok(())
    }

    fn object_end(&mut self) -> Result<()> {
        self.objects.push((self.oid, self.bytes, (*self.hasher.finalize().as_bytes()).into()));
        Ok(())
    }
}

/// The stretches of the data that no table's block covers, with the entries whose blocks must lie there, in order; an error when the places do not
/// add up.
pub(super) fn gaps(data: Range<u64>, entries: &[(i32, Option<Range<u64>>)]) -> Result<Vec<(Vec<i32>, Range<u64>)>> {
    let wrong = || Error::new(&PART_INVALID, "the blocks of the archive do not lie where they were noted");
    let mut gaps = Vec::new();
    let (mut at, mut ids) = (data.start, Vec::new());
    for (id, place) in entries {
        let Some(place) = place else {
            ids.push(*id);
            continue;
        };
        if place.start < at || place.end < place.start || place.end > data.end || ids.is_empty() != (place.start == at)
        {
            return Err(wrong());
        }
        if !ids.is_empty() {
            gaps.push((std::mem::take(&mut ids), at..place.start));
        }
        at = place.end;
    }
    if ids.is_empty() != (at == data.end) {
        return Err(wrong());
    }
    if !ids.is_empty() {
        gaps.push((ids, at..data.end));
    }
    Ok(gaps)
}

#[cfg(test)]
mod tests {
    use super::gaps;

    #[test]
    fn what_is_not_a_table() {
        let table = |id, from, to| (id, Some(from..to));
        assert_eq!(gaps(10..10, &[]).unwrap(), vec![]);
        assert_eq!(gaps(10..30, &[table(1, 10, 20), table(2, 20, 30)]).unwrap(), vec![]);
        let some =
            gaps(10..50, &[(7, None), table(1, 15, 20), (8, None), (9, None), table(2, 30, 40), (3, None)]).unwrap();
        assert_eq!(some, vec![(vec![7], 10..15), (vec![8, 9], 20..30), (vec![3], 40..50)]);
        for wrong in [
            vec![table(1, 11, 30)],
            vec![table(1, 10, 29)],
            vec![table(1, 10, 31)],
            vec![(7, None), table(1, 10, 30)],
            vec![table(1, 10, 30), (7, None)],
            vec![table(1, 20, 30), table(2, 10, 20)],
        ] {
            assert!(gaps(10..30, &wrong).is_err(), "{wrong:?}");
        }
    }
}
