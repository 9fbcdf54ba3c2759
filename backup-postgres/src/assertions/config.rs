//! Assertions as they are configured.

use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::{Error, Result};
use jiff::SpanRelativeTo;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long an assertion may take unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(300);

/// One named check of a restored database.
///
/// As TOML, with exactly one of the checks; unknown keys are errors:
///
/// ```toml
/// [[assertions]]
/// name = "orders of every customer"
/// severity = "fail"                # or "warn"
/// timeout = "5m"
/// sql = "SELECT bool_and(orders > 0) FROM customers"   # must give true
/// # or one of:
/// # count = { table = "public.orders", min = 1000 }              # rows of a table
/// # count = { sql = "SELECT count(*) FROM orders", min = 1, max = 9 }
/// # fresh = { table = "orders", column = "created_at", within = "24h" }  # before the backup's snapshot
/// # no_gaps = { table = "invoices", column = "number", by = "year", from = 1 }
/// # function = "public.total(bigint)"                            # exists; without parentheses: any of that name
/// # command = ["/etc/backproof/check-shop", "--quick"]           # gets DATABASE_URL; status 0 passes
/// # tables = ["public.orders", "public.customers"]               # exist
/// # row_level_security = ["public.customers", "tenants.*"]       # is on
/// # valid_constraints = true                                     # none is NOT VALID
/// # valid_indexes = true
/// # amcheck = true
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Entry")]
#[non_exhaustive]
pub struct Assertion {
    /// Its name, in results.
    pub name: String,
    /// What its failing means.
    pub severity: Severity,
    /// How long it may take; five minutes by default. An assertion that takes longer is unverified.
    pub timeout: Duration,
    /// What is checked.
    pub check: Check,
}

/// What it means when an assertion does not pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AssertionSeverity"))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A failure.
    #[default]
    Fail,
    /// A warning.
    Warn,
}

/// What an assertion checks. Names of tables and functions are SQL: `public.orders`, `"Odd name"."t"`; unqualified ones are found as
/// the database's own `search_path` says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Check {
    /// One SQL statement that must give one row with one column, true.
    Sql(String),
    /// A number that must lie in a range.
    Count(Count),
    /// A table whose newest row must be new.
    Fresh(Fresh),
    /// Numbers that must follow one another: a sequence of invoices, an audit trail.
    NoGaps(NoGaps),
    /// A function or procedure that must exist: with the types of its arguments, or any of that name.
    Function(String),
    /// A program with its arguments, run without a shell. It gets the database's URL as `DATABASE_URL` and libpq's variables, and of our own
    /// environment `PATH`, `HOME`, `USER`, `LANG`, `TERM`, `TMPDIR` and `TZ` alone. It passes when it ends with status 0. What it may do to the
    /// database is up to its login: it is not held to reading.
    Command(Vec<String>),
    /// Tables (partitioned and foreign ones too) that must exist.
    Tables(Vec<String>),
    /// Tables that must have row-level security on; `schema.*` for all of a schema.
    RowLevelSecurity(Vec<String>),
    /// No constraint may be `NOT VALID` or `NOT ENFORCED`, foreign keys among them. (Valid ones were checked by the server against the restored
    /// rows when it made them.)
    ValidConstraints,
    /// No index may be invalid.
    ValidIndexes,
    /// The extension amcheck must find nothing wrong with B-tree indexes, and, from PostgreSQL 14 on, with tables. Where it is not in the
    /// database, it is created in a transaction that is rolled back; where that is not possible, the assertion is unverified.
    Amcheck,
}

/// A number that must lie in a range; one end of it may be open.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Count {
    /// What is counted.
    pub(super) of: Counted,
    /// The least that passes.
    pub(super) min: Option<i64>,
    /// The most that passes.
    pub(super) max: Option<i64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Counted {
    Table(String),
    Sql(String),
}

/// A table whose newest row must be new: not older than `within` before the time that the data is of.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Fresh {
    /// The table.
    pub table: String,
    /// Its column with the time: a `timestamptz`, or what PostgreSQL casts to one.
    pub column: String,
    /// How old the newest row may be.
    #[serde(deserialize_with = "duration")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub within: Duration,
}

/// Whole numbers that must follow one another without gaps and repetitions.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoGaps {
    /// The table.
    pub table: String,
    /// Its column with the numbers.
    pub column: String,
    /// Each value of this column has numbers of its own.
    pub by: Option<String>,
    /// What the first number must be. Otherwise rows that are missing before the first are not noticed; those after the last never are.
    pub from: Option<i64>,
}

impl Assertion {
    /// A check with a name, whose failing is a failure.
    pub fn new(name: impl Into<String>, check: Check) -> Self {
        Assertion { name: name.into(), severity: Severity::Fail, timeout: TIMEOUT, check }
    }

    /// Makes its failing a warning.
    pub fn warn(mut self) -> Self {
        self.severity = Severity::Warn;
        self
    }

    /// How long it may take.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Count {
    /// The rows of a table, in this range.
    pub fn of_table(table: impl Into<String>, min: Option<i64>, max: Option<i64>) -> Self {
        Count { of: Counted::Table(table.into()), min, max }
    }

    /// What one SQL statement gives, in this range.
    pub fn of_sql(sql: impl Into<String>, min: Option<i64>, max: Option<i64>) -> Self {
        Count { of: Counted::Sql(sql.into()), min, max }
    }
}

/// Checks what one assertion alone does not show: each needs a name of its own.
pub fn validate(assertions: &[Assertion]) -> Result<()> {
    let mut names = BTreeSet::new();
    match assertions.iter().find(|assertion| !names.insert(&assertion.name)) {
        None => Ok(()),
        Some(twice) => Err(Error::new(&INVALID_ARGUMENT, format!("two assertions have the name {:?}", twice.name))
            .with_hint("give each a name of its own: results are told by it")),
    }
}

/// One named check of a restored database: exactly one of the checks is given.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Assertion"))]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Its name, in results.
    name: String,
    /// What its failing means.
    #[serde(default)]
    severity: Severity,
    /// How long it may take, e.g. `5m`; an assertion that takes longer is unverified.
    #[serde(default, deserialize_with = "maybe_duration")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    timeout: Option<Duration>,
    /// One SQL statement that must give one row with one column, true.
    sql: Option<String>,
    /// A number that must lie in a range.
    count: Option<CountEntry>,
    /// A table whose newest row must be new.
    fresh: Option<Fresh>,
    /// Numbers that must follow one another.
    no_gaps: Option<NoGaps>,
    /// A function or procedure that must exist: with the types of its arguments, or any of that name.
    function: Option<String>,
    /// A program with its arguments, run without a shell; it gets the database's URL as `DATABASE_URL`.
    command: Option<Vec<String>>,
    /// Tables that must exist.
    tables: Option<Vec<String>>,
    /// Tables that must have row-level security on; `schema.*` for all of a schema.
    row_level_security: Option<Vec<String>>,
    /// No constraint may be `NOT VALID`.
    valid_constraints: Option<bool>,
    /// No index may be invalid.
    valid_indexes: Option<bool>,
    /// The extension amcheck must find nothing wrong.
    amcheck: Option<bool>,
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Assertion {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Entry::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Entry::json_schema(generator)
    }
}

/// A number that must lie in a range: of a table's rows, or what one SQL statement gives.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Count"))]
#[serde(deny_unknown_fields)]
struct CountEntry {
    /// The table whose rows are counted.
    table: Option<String>,
    /// The SQL statement that gives the number.
    sql: Option<String>,
    /// The least that passes.
    min: Option<i64>,
    /// The most that passes.
    max: Option<i64>,
}

const CHECKS: &str = "sql, count, fresh, no_gaps, function, command, tables, row_level_security, valid_constraints, valid_indexes, amcheck";

impl TryFrom<Entry> for Assertion {
    type Error = String;

    fn try_from(entry: Entry) -> std::result::Result<Self, String> {
        let (name, severity, timeout) = (entry.name, entry.severity, entry.timeout);
        let wrong = |what: &str| Err(format!("assertion {name:?}: {what}"));
        if name.trim().is_empty() {
            return Err("an assertion needs a name".into());
        }
        if timeout == Some(Duration::ZERO) {
            return wrong("timeout must be longer than nothing");
        }
        let mut checks = Vec::new();
        checks.extend(entry.sql.map(Check::Sql));
        if let Some(count) = entry.count {
            let of = match (count.table, count.sql) {
                (Some(table), None) => Counted::Table(table),
                (None, Some(sql)) => Counted::Sql(sql),
                _ => return wrong("count takes either table or sql"),
            };
            match (count.min, count.max) {
                (None, None) => return wrong("count needs min, max or both"),
                (Some(min), Some(max)) if min > max => return wrong("min is greater than max, so nothing passes"),
                (min, max) => checks.push(Check::Count(Count { of, min, max })),
            }
        }
        checks.extend(entry.fresh.map(Check::Fresh));
        checks.extend(entry.no_gaps.map(Check::NoGaps));
        checks.extend(entry.function.map(Check::Function));
        for (list, check) in [
            (entry.command, Check::Command as fn(Vec<String>) -> Check),
            (entry.tables, Check::Tables),
            (entry.row_level_security, Check::RowLevelSecurity),
        ] {
            match list {
                Some(list) if list.is_empty() => return wrong("an empty list checks nothing"),
                Some(list) => checks.push(check(list)),
                None => {}
            }
        }
        for (set, check) in [
            (entry.valid_constraints, Check::ValidConstraints),
            (entry.valid_indexes, Check::ValidIndexes),
            (entry.amcheck, Check::Amcheck),
        ] {
            match set {
                Some(true) => checks.push(check),
                Some(false) => return wrong("a check that is false checks nothing: leave it out"),
                None => {}
            }
        }
        let timeout = timeout.unwrap_or(TIMEOUT);
        match (checks.pop(), checks.is_empty()) {
            (Some(check), true) => Ok(Assertion { name, severity, timeout, check }),
            _ => wrong(&format!("say exactly one of {CHECKS}")),
        }
    }
}

/// A duration as text: `24h`, `90s`, `7d`, `2w`; a day has 24 hours.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let span: Option<jiff::Span> = text.parse().ok();
    let duration = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    duration
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| D::Error::custom(format!("{text:?} is not a duration: durations look like 24h, 90s, 7d or 2w")))
}

fn maybe_duration<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}
