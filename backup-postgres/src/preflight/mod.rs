//! Before a dump: can this login read everything that belongs into it?
//!
//! pg_dump stops at the first table that it may not lock, and leaves some things out with a warning at most (subscriptions, the options of
//! user mappings, on standbys the rows of unlogged tables). Here all of them are found first, each with the statement that helps.

mod exclusions;

pub use exclusions::Exclusions;

use crate::connection::{Connection, Session, quoted};
use crate::error::codes::UNREADABLE_OBJECTS;
use crate::pooler::refuse_transaction_pooler;
use crate::queries;
use crate::server::{ServerFacts, query_error};
use crate::settings::SessionSettings;
use backup_core::source::LeftOut;
use backup_core::text::printable;
use backup_core::{Error, Result};
use std::fmt;
use tokio_postgres::Client;

/// More unreadable large objects than this are reported together.
const LARGE_OBJECTS_NAMED: i64 = 100;

/// How a preflight judges.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PreflightOptions {
    /// Leave out what cannot be read, and what depends on it, instead of failing.
    pub skip_unreadable: bool,
}

impl PreflightOptions {
    /// Leaves out what cannot be read, and what depends on it, instead of failing.
    pub fn skip_unreadable(mut self, skip: bool) -> Self {
        self.skip_unreadable = skip;
        self
    }
}

/// What kind of thing cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// A schema with tables or sequences in it, without USAGE.
    Schema,
    /// A table without SELECT.
    Table,
    /// A table whose row-level security would hide rows.
    RowSecurity,
    /// A sequence without SELECT.
    Sequence,
    /// A large object without SELECT, or many of them.
    LargeObject,
    /// A subscription, which only superusers can dump.
    Subscription,
    /// A user mapping whose options are hidden.
    UserMapping,
    /// An unlogged table on a standby, which has no rows there.
    UnloggedTable,
}

impl FindingKind {
    /// A word for messages and [`LeftOut::kind`].
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::Schema => "schema",
            FindingKind::Table => "table",
            FindingKind::RowSecurity => "rows",
            FindingKind::Sequence => "sequence value",
            FindingKind::LargeObject => "large object",
            FindingKind::Subscription => "subscription",
            FindingKind::UserMapping => "user mapping options",
            FindingKind::UnloggedTable => "unlogged table",
        }
    }
}

/// One thing that the login cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// Its name, e.g. `public.orders`.
    pub name: String,
    /// Why it cannot be read.
    pub reason: String,
    /// The SQL statement that helps, run by its owner or a superuser; `None` where no privilege would.
    pub statement: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.kind.name(), printable(&self.name), printable(&self.reason))?;
        match &self.statement {
            Some(statement) => write!(f, "; this helps: {}", printable(statement)),
            None => Ok(()),
        }
    }
}

/// The result of a preflight that lets the dump go on.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Preflight {
    /// What cannot be read. Empty unless it is to be skipped.
    pub findings: Vec<Finding>,
    /// What pg_dump must be told to leave out.
    pub exclusions: Exclusions,
    /// All that will be missing after a restore, by name: for the backup's contents.
    pub left_out: Vec<LeftOut>,
}

/// Everything that is known once a dump can begin.
#[derive(Debug)]
#[non_exhaustive]
pub struct Prepared {
    /// The connection that looked, with an empty `search_path`. It holds no snapshot.
    pub session: Session,
    /// Settings for PostgreSQL's programs: the one server that answered, with what must be pinned.
    pub connection: Connection,
    /// The server, the database and the role.
    pub facts: ServerFacts,
    /// The settings that the dump is made with.
    pub settings: SessionSettings,
    /// What is left out.
    pub preflight: Preflight,
}

/// Connects and checks everything that must hold before a dump.
///
/// # Errors
/// All of [`Connection::connect`]'s; `transaction_pooler`; `unreadable_objects`, which names every object and the statement that helps;
/// `unsupported_connection_setting` when a pooler keeps settings of the dump from the server.
pub async fn prepare(connection: &Connection, options: &PreflightOptions) -> Result<Prepared> {
    let session = connection.connect().await?;
    let second = session.connection().connect().await?;
    refuse_transaction_pooler(&session, &second).await?;
    drop(second);
    session.lift_limits().await?;
    session
        .batch_execute(queries::EMPTY_SEARCH_PATH)
        .await
        .map_err(|error| query_error("set the search path", error))?;
    let facts = ServerFacts::read(&session).await?;
    let settings = SessionSettings::read(&session).await?;
    if !settings.pinned.is_empty() {
        drop(settings.connect_pinned(session.connection(), session.connection().user()).await?);
    }
    let preflight = preflight(&session, options).await?;
    let connection = settings.apply(session.connection());
    Ok(Prepared { session, connection, facts, settings, preflight })
}

/// Looks for everything that the login cannot read.
///
/// # Errors
/// `unreadable_objects` when there is something, and it is not to be skipped or cannot be.
pub async fn preflight(client: &Client, options: &PreflightOptions) -> Result<Preflight> {
    let inspection = inspect(client).await?;
    if inspection.findings.is_empty() {
        return Ok(Preflight::default());
    }
    if !options.skip_unreadable {
        return Err(failure(&inspection.role, &inspection.findings));
    }
    exclusions::leave_out(client, inspection).await
}

/// One table or sequence that cannot be read.
struct Relation {
    oid: u32,
    schema: String,
    name: String,
    problem: Problem,
    in_extension: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    /// The table can be locked and its definition read, but not (all) its rows.
    RowsHidden,
    /// A table that cannot even be locked.
    NoAccess,
    /// A sequence whose value cannot be read.
    SequenceValue,
}

struct Inspection {
    role: String,
    findings: Vec<Finding>,
    relations: Vec<Relation>,
}

async fn inspect(client: &Client) -> Result<Inspection> {
    let doing = "look for what the login cannot read";
    let failed = |error| query_error(doing, error);
    let role: String = client.query_one(queries::CURRENT_ROLE, &[]).await.map_err(failed)?.get(0);
    let to = quoted(&role);
    let mut findings: Vec<Finding> = Vec::new();
    let mut relations = Vec::new();
    for row in client.query(queries::UNREADABLE_RELATIONS, &[]).await.map_err(failed)? {
        let (schema, name): (String, String) = (row.get("schema"), row.get("name"));
        let (is_sequence, usable, selectable, hidden): (bool, bool, bool, bool) =
            (row.get("is_sequence"), row.get("schema_usage"), row.get("selectable"), row.get("rows_hidden"));
        let shown = format!("{schema}.{name}");
        let qualified = format!("{}.{}", quoted(&schema), quoted(&name));
        if !usable && !findings.iter().any(|finding| finding.kind == FindingKind::Schema && finding.name == schema) {
            findings.push(Finding {
                kind: FindingKind::Schema,
                name: schema.clone(),
                reason: format!("{to} has no USAGE on it"),
                statement: Some(format!("GRANT USAGE ON SCHEMA {} TO {to};", quoted(&schema))),
            });
        }
        if !selectable {
            let (kind, word) =
                if is_sequence { (FindingKind::Sequence, "SEQUENCE") } else { (FindingKind::Table, "TABLE") };
            findings.push(Finding {
                kind,
                name: shown.clone(),
                reason: format!("{to} has no SELECT on it"),
                statement: Some(format!("GRANT SELECT ON {word} {qualified} TO {to};")),
            });
        }
        if hidden {
            findings.push(Finding {
                kind: FindingKind::RowSecurity,
                name: shown,
                reason: format!("row-level security would hide rows from {to}"),
                statement: Some(format!("ALTER ROLE {to} BYPASSRLS;")),
            });
        }
        let problem = match (is_sequence, usable && selectable) {
            (true, _) => Problem::SequenceValue,
            (false, true) => Problem::RowsHidden,
            (false, false) => Problem::NoAccess,
        };
        relations.push(Relation { oid: row.get("oid"), schema, name, problem, in_extension: row.get("in_extension") });
    }
    findings.extend(large_objects(client, &role).await?);
    for row in client.query(queries::HIDDEN_SUBSCRIPTIONS, &[]).await.map_err(failed)? {
        findings.push(Finding {
            kind: FindingKind::Subscription,
            name: row.get("name"),
            reason: "only a superuser can dump subscriptions".into(),
            statement: Some(format!("ALTER ROLE {to} SUPERUSER;")),
        });
    }
    for row in client.query(queries::HIDDEN_USER_MAPPINGS, &[]).await.map_err(failed)? {
        let (server, mapped, owner): (String, String, String) =
            (row.get("server"), row.get("mapped"), row.get("server_owner"));
        let statement = if row.get("is_own") {
            format!("GRANT USAGE ON FOREIGN SERVER {} TO {to};", quoted(&server))
        } else if row.get("is_public") {
            format!("GRANT {} TO {to};", quoted(&owner))
        } else {
            format!("ALTER ROLE {to} SUPERUSER;")
        };
        findings.push(Finding {
            kind: FindingKind::UserMapping,
            name: format!("{mapped} on server {server}"),
            reason: format!(
                "its options (which can hold a password) are hidden from {to} and would silently be missing"
            ),
            statement: Some(statement),
        });
    }
    for row in client.query(queries::UNLOGGED_ON_STANDBY, &[]).await.map_err(failed)? {
        findings.push(Finding {
            kind: FindingKind::UnloggedTable,
            name: format!("{}.{}", row.get::<_, &str>("schema"), row.get::<_, &str>("name")),
            reason: "the server is a standby, which has no rows of unlogged tables: back up the primary to have them"
                .into(),
            statement: None,
        });
    }
    Ok(Inspection { role, findings, relations })
}

async fn large_objects(client: &Client, role: &str) -> Result<Vec<Finding>> {
    let rows = client
        .query(queries::UNREADABLE_LARGE_OBJECTS, &[&LARGE_OBJECTS_NAMED])
        .await
        .map_err(|error| query_error("look for large objects that the login cannot read", error))?;
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let to = quoted(role);
    let reason = format!("{to} has no SELECT on it (pg_read_all_data does not cover large objects)");
    let total: i64 = first.get("total");
    if total <= LARGE_OBJECTS_NAMED {
        let finding = |oid: u32| Finding {
            kind: FindingKind::LargeObject,
            name: oid.to_string(),
            reason: reason.clone(),
            statement: Some(format!("GRANT SELECT ON LARGE OBJECT {oid} TO {to};")),
        };
        return Ok(rows.iter().map(|row| finding(row.get("oid"))).collect());
    }
    let literal = role.replace('\'', "''");
    let loid: u32 = first.get("oid");
    Ok(vec![Finding {
        kind: FindingKind::LargeObject,
        name: format!("{loid} and {} others", total - 1),
        reason,
        // `E''` is not needed: format(%I) and standard strings treat backslashes as themselves.
        statement: Some(format!(
            "DO $grant$ DECLARE lo oid; BEGIN FOR lo IN SELECT oid FROM pg_catalog.pg_largeobject_metadata LOOP \
             EXECUTE pg_catalog.format('GRANT SELECT ON LARGE OBJECT %s TO %I', lo, '{literal}'); END LOOP; END $grant$;"
        )),
    }])
}

fn failure(role: &str, findings: &[Finding]) -> Error {
    let lines: Vec<String> = findings.iter().map(|finding| format!("\n  {finding}")).collect();
    let many = match findings.len() {
        1 => "one thing that belongs".to_owned(),
        count => format!("{count} things that belong"),
    };
    Error::new(
        &UNREADABLE_OBJECTS,
        format!("the role {} cannot read {many} into the backup:{}", printable(&quoted(role)), lines.concat()),
    )
}
