//! What the table of contents of an archive asks of the server, and in which order it is restored.

use super::rehearsal::Witness;
use super::statement::{self, Statement, quote_name};
use crate::archive::{Block, Entry, Gaps, Header, Section, Text, Visitor};
use crate::swap::{SETTING, STOPPED};
use backup_core::error::codes::PART_INVALID;
use backup_core::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What to leave out, decided before the table of contents is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    /// Everything will belong to the restoring role.
    pub(super) no_owner: bool,
    /// Everything goes into the server's default tablespace.
    pub(super) no_tablespaces: bool,
    /// The roles that the server has, and whether the restoring role can give objects to them.
    pub(super) roles: BTreeMap<String, bool>,
    /// Whether the restoring role may act in the name of others (a superuser may).
    pub(super) is_superuser: bool,
    /// Whether it may change the settings of other roles.
    pub(super) may_alter_roles: bool,
}

/// How a role appears in an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// Objects that it owns.
    pub(super) owns: u64,
    /// Privileges, policies and settings that name it.
    pub(super) named: u64,
}

/// Everything that a restore has to know of an archive before it begins.
#[derive(Debug, Default)]
pub(super) struct Toc {
    pub(super) choices: Choices,
    pub(super) section: Option<Section>,
    pub(super) header: Option<Header>,
    /// Where the table of contents ends.
    pub(super) end: Option<u64>,
    /// Dump ids in the order of the archive, for `pg_restore -L`.
    pub(super) pre_data: Vec<i32>,
    pub(super) data: Vec<i32>,
    /// Whether any entry of [`data`](Toc::data) has a block.
    pub(super) has_blocks: bool,
    pub(super) post_data: Vec<i32>,
    /// What must not run beside other things.
    pub(super) alone: Alone,
    /// Privileges are restored last, as pg_restore does (`RESTORE_PASS_ACL`): an owner who has none left could not load data.
    pub(super) privileges: Vec<i32>,
    /// Statements of entries of privileges that name missing roles, those that name none.
    pub(super) other_privileges: Vec<String>,
    pub(super) roles: BTreeMap<String, Uses>,
    /// What the restoring role has no right to, for people.
    pub(super) beyond_rights: Vec<String>,
    pub(super) extensions: BTreeSet<String>,
    pub(super) tablespaces: BTreeSet<String>,
    /// What is left out, for people.
    pub(super) left_out: Vec<String>,
    /// The encoding of all texts.
    pub(super) encoding: Option<String>,
    pub(super) database: Database,
    /// Where entries can be put in.
    pub(super) gaps: Option<Gaps>,
    /// Indexes and constraints by schema and tag, as a restore over what is there wants to know them.
    pub(super) indexes: BTreeMap<(String, String), i32>,
    /// Tables, views and the like, by schema and name.
    pub(super) relations: Vec<(String, String)>,
    /// Schemas that a restore over what is there drops: all but `public`.
    pub(super) schemas: Vec<String>,
    /// Sees everything, too: for a restore that is compared with what was backed up.
    pub(super) witness: Option<Box<Witness>>,
}

/// The statements about the database itself, with the old name.
///
/// `T` is the archive's bytes, in the archive's encoding, or text.
#[derive(Debug, Default)]
pub(super) struct Database<T = Vec<u8>> {
    pub(super) name: Option<T>,
    pub(super) owner: Option<T>,
    pub(super) create: Option<T>,
    pub(super) others: Vec<T>,
}

/// The same with the new name, in the order in which they are run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recreation {
    pub(super) create: String,
    pub(super) owner: Option<String>,
    /// Settings, which the restore's own sessions should have too, as pg_restore's do.
    pub(super) before: Vec<String>,
    /// What would get into the restore's way: limits, privileges, settings that make it read-only.
    pub(super) after: Vec<String>,
}

/// Settings of a database that would break a restore into it, or change what comes back: without `array_nulls`, the NULLs in arrays are
/// loaded as strings; with `quote_all_identifiers`, the options of text search dictionaries are kept in other words; serializable transactions
/// that run side by side may be refused, and deferrable ones wait for others.
const DISTURBING: [&str; 8] = [
    "array_nulls",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "quote_all_identifiers",
    "role",
    "session_authorization",
    "default_transaction_read_only",
    "transaction_read_only",
];

/// What parallel workers of pg_restore must not do beside other things.
#[derive(Debug, Default)]
pub(super) struct Alone {
    /// Entries that change their table besides: `CREATE INDEX …; ALTER TABLE … CLUSTER ON` or `REPLICA IDENTITY USING INDEX`. Each is one
    /// transaction, and pg_restore takes no care that two of one table run apart, so that parallel workers run into a deadlock.
    pub(super) first: HashSet<i32>,
    /// Privileges. What somebody granted who owns nothing there is granted in that role's name, for which it needs USAGE of the schema: an
    /// entry of its own, which pg_restore lets another worker restore at the same time.
    pub(super) privileges: HashSet<i32>,
    /// What pg_restore does after the privileges (`RESTORE_PASS_POST_ACL`).
    pub(super) after_privileges: HashSet<i32>,
}

impl Toc {
    pub(super) fn new(choices: Choices) -> Self {
        Toc { choices, ..Toc::default() }
    }

    /// The roles that are named and not there.
    pub(super) fn missing_roles(&self) -> impl Iterator<Item = (&String, &Uses)> {
        self.roles.iter().filter(|(name, _)| !self.choices.roles.contains_key(*name))
    }

    fn is_missing(&self, role: &String) -> bool {
        !self.choices.roles.contains_key(role)
    }

    /// Whether the restoring role may run this statement, as far as its rights go beyond those of an owner.
    fn is_allowed(&self, statement: &Statement<'_>) -> bool {
        if statement.begins(&["set", "session", "authorization"]) {
            self.choices.is_superuser
        } else if statement.begins(&["alter", "role"]) {
            self.choices.may_alter_roles
        } else if statement.begins(&["alter", "default", "privileges"]) {
            // Of FOR ROLE, which pg_dump always writes, first.
            statement::roles(statement).first().is_none_or(|role| self.choices.roles.get(role) != Some(&false))
        } else {
            true
        }
    }

    fn owner(&mut self, owner: Option<&Text>) {
        if let Some(owner) = owner.filter(|owner| !owner.is_empty()).and_then(Text::as_str) {
            self.roles.entry(owner.to_owned()).or_default().owns += 1;
        }
    }

    fn named(&mut self, roles: &[String]) {
        for role in roles {
            self.roles.entry(role.clone()).or_default().named += 1;
        }
    }

    fn of_database(&mut self, entry: &Entry) -> Result<()> {
        let bytes = |text: Option<&Text>| match text.map(Text::bytes) {
            None => Ok(None),
            Some(Some(bytes)) => Ok(Some(bytes.to_vec())),
            Some(None) => Err(not_understood()),
        };
        if entry.desc.is("DATABASE") {
            self.database.name = bytes(Some(&entry.tag))?;
            self.database.owner = bytes(entry.owner.as_ref())?.filter(|owner| !owner.is_empty());
            self.database.create = bytes(entry.definition.as_ref())?;
        } else {
            self.database.others.extend(bytes(entry.definition.as_ref())?);
        }
        Ok(())
    }

    /// An entry of privileges. Under `no_owner`, the statements that name missing roles, or take a superuser, are left out, and
    /// only those: a REVOKE that was left out would open what was closed.
    fn of_privileges(&mut self, entry: &Entry) {
        let parsed = entry.definition.as_ref().and_then(Text::as_str).and_then(statement::statements);
        let Some(parsed) = parsed else { return self.privileges.push(entry.id) };
        let roles: Vec<String> = parsed.iter().flat_map(statement::roles).collect();
        self.named(&roles);
        let allowed = parsed.iter().all(|statement| self.is_allowed(statement));
        if !self.choices.no_owner {
            if !allowed {
                self.beyond_rights.push(format!("the privileges {}", entry.tag.lossy()));
            }
            return self.privileges.push(entry.id);
        }
        if allowed && !roles.iter().any(|role| self.is_missing(role)) {
            return self.privileges.push(entry.id);
        }
        let (kept, dropped) = self.without_missing(&parsed);
        self.other_privileges.extend(kept);
        self.left_out.push(format!(
            "{dropped} of {} statements of the privileges on {}",
            parsed.len(),
            entry.tag.lossy()
        ));
    }

    /// The statements that can be run here, and how many cannot.
    fn without_missing(&self, parsed: &[Statement<'_>]) -> (Vec<String>, usize) {
        let mut kept = Vec::new();
        let mut as_missing = false;
        let mut dropped = 0;
        for statement in parsed {
            let missing =
                statement::roles(statement).iter().any(|role| self.is_missing(role)) || !self.is_allowed(statement);
            if statement.begins(&["set", "session", "authorization"]) {
                as_missing = missing;
            }
            if as_missing || missing {
                dropped += 1;
            } else {
                kept.push(statement.sql.to_owned());
            }
            if statement.begins(&["reset", "session", "authorization"]) {
                as_missing = false;
            }
        }
        (kept, dropped)
    }
}

/// A name in front of which a kind of object stands, as in `DATABASE app`.
fn of_kind(entry: &Entry, kind: &str) -> bool {
    let about = ["ACL", "COMMENT", "SECURITY LABEL"].iter().any(|desc| entry.desc.is(desc));
    about
        && entry
            .tag
            .bytes()
            .is_some_and(|tag| tag.strip_prefix(kind.as_bytes()).is_some_and(|rest| rest.starts_with(b" ")))
}

impl Visitor for Toc {
    fn header(&mut self, header: &Header) -> Result<()> {
        self.header = Some(header.clone());
        self.witness.as_mut().map_or(Ok(()), |witness| witness.header(header))
    }

    /// The rules of `_tocEntryRequired` and `_tocEntryRestorePass` in `pg_backup_archiver.c`.
    fn entry(&mut self, entry: Entry) -> Result<()> {
        if let Some(witness) = &mut self.witness {
            witness.entry(entry.clone())?;
        }
        if let Some(header) = &self.header {
            let first = Gaps { version: header.version, count: 0, first: entry.position, last_id: 0 };
            let gaps = self.gaps.get_or_insert(first);
            (gaps.count, gaps.last_id) = (gaps.count.saturating_add(1), gaps.last_id.max(entry.id));
        }
        let desc = entry.desc.lossy().into_owned();
        if desc == "ENCODING" {
            // `SET client_encoding = 'UTF8';`
            let definition = entry.definition.as_ref().and_then(Text::as_str);
            self.encoding = definition.and_then(|text| text.split('\'').nth(1)).map(str::to_owned);
        }
        if matches!(desc.as_str(), "ENCODING" | "STDSTRINGS" | "SEARCHPATH") {
            return Ok(());
        }
        if matches!(desc.as_str(), "DATABASE" | "DATABASE PROPERTIES") || of_kind(&entry, "DATABASE") {
            return self.of_database(&entry);
        }
        let section = match entry.section {
            Section::None => self.section.unwrap_or(Section::PreData),
            section => {
                self.section = Some(section);
                section
            }
        };
        if desc.starts_with("SUBSCRIPTION") {
            self.left_out
                .push(format!("subscription {} (it could reach out to the production publisher)", entry.tag.lossy()));
            return Ok(());
        }
        if of_kind(&entry, "SUBSCRIPTION") {
            return Ok(());
        }
        if matches!(desc.as_str(), "ACL" | "DEFAULT ACL") {
            self.alone.privileges.insert(entry.id);
            self.of_privileges(&entry);
            return Ok(());
        }
        self.owner(entry.owner.as_ref());
        if let Some(tablespace) = entry.tablespace.as_ref().filter(|name| !name.is_empty()).and_then(Text::as_str)
            && tablespace != "pg_default"
            && !self.choices.no_tablespaces
        {
            self.tablespaces.insert(tablespace.to_owned());
        }
        if desc == "EXTENSION" {
            self.extensions.insert(entry.tag.lossy().into_owned());
        }
        if matches!(desc.as_str(), "POLICY" | "USER MAPPING") {
            let parsed = entry.definition.as_ref().and_then(Text::as_str).and_then(statement::statements);
            let roles: Vec<String> = parsed.iter().flatten().flat_map(statement::roles).collect();
            self.named(&roles);
            if self.choices.no_owner && roles.iter().any(|role| self.is_missing(role)) {
                let what = desc.to_lowercase();
                self.left_out.push(format!("{what} {} (it names a role that is missing)", entry.tag.lossy()));
                return Ok(());
            }
        }
        if let (Some(schema), Some(name)) = (entry.namespace.as_ref().and_then(Text::as_str), entry.tag.as_str()) {
            let name = || (schema.to_owned(), name.to_owned());
            match desc.as_str() {
                "INDEX" | "CONSTRAINT" => drop(self.indexes.insert(name(), entry.id)),
                "TABLE" | "VIEW" | "MATERIALIZED VIEW" | "FOREIGN TABLE" | "SEQUENCE" => self.relations.push(name()),
                _ => {}
            }
        }
        if desc == "SCHEMA" && !entry.tag.is("public") {
            self.schemas.extend(entry.tag.as_str().map(str::to_owned));
        }
        match section {
            Section::PreData | Section::None => self.pre_data.push(entry.id),
            Section::Data => {
                self.has_blocks |= entry.has_data;
                self.data.push(entry.id);
            }
            Section::PostData => {
                let definition = entry.definition.as_ref().and_then(Text::bytes).unwrap_or_default();
                if desc == "INDEX" && memchr::memmem::find(definition, b"\nALTER TABLE ").is_some() {
                    self.alone.first.insert(entry.id);
                }
                let kinds = ["EVENT TRIGGER", "MATERIALIZED VIEW DATA"];
                if kinds.contains(&desc.as_str()) || of_kind(&entry, "EVENT TRIGGER") {
                    self.alone.after_privileges.insert(entry.id);
                }
                self.post_data.push(entry.id);
            }
        }
        Ok(())
    }

    fn toc_end(&mut self, position: u64) -> Result<()> {
        self.end = Some(position);
        self.witness.as_mut().map_or(Ok(()), |witness| witness.toc_end(position))
    }

    fn block_start(&mut self, block: Block) -> Result<()> {
        self.witness.as_mut().map_or(Ok(()), |witness| witness.block_start(block))
    }

    fn object_start(&mut self, oid: u32, position: u64) -> Result<()> {
        self.witness.as_mut().map_or(Ok(()), |witness| witness.object_start(oid, position))
    }

    fn data(&mut self, bytes: &[u8], chunk_end: bool) -> Result<()> {
        self.witness.as_mut().map_or(Ok(()), |witness| witness.data(bytes, chunk_end))
    }

    fn object_end(&mut self) -> Result<()> {
        self.witness.as_mut().map_or(Ok(()), |witness| witness.object_end())
    }

    fn block_end(&mut self, position: u64) -> Result<()> {
        self.witness.as_mut().map_or(Ok(()), |witness| witness.block_end(position))
    }
}

fn not_understood() -> Error {
    Error::new(&PART_INVALID, "the archive's definition of the database is not understood")
        .with_hint("restore it with pg_restore --create, as the backup's RESTORE.md says")
}

/// What stops writes while a restore in place runs, and is in the safety backup that is made meanwhile: no setting of the database's owner.
fn is_stop(statement: &Statement<'_>) -> bool {
    let words: Vec<&str> = statement.sql.split_whitespace().collect();
    let value = format!("'{STOPPED}'");
    statement.begins(&["alter", "database"])
        && matches!(words.as_slice(), [.., "SET", setting, "TO", last] if *setting == SETTING && last.trim_end_matches(';') == value)
}

/// `TABLESPACE = name` in a CREATE DATABASE.
fn tablespace(statement: &Statement<'_>) -> Option<(std::ops::Range<usize>, Option<String>)> {
    let at = statement.tokens.iter().position(|token| token.is("tablespace"))?;
    Some((at..at + 3, statement.tokens.get(at + 2)?.name().map(str::to_owned)))
}

impl Toc {
    /// The statements that make the database again, under this name. Notes the roles and tablespaces that they name.
    pub(super) fn recreation(&mut self, name: &str, database: &Database<String>) -> Result<Recreation> {
        let old = database.name.as_deref().ok_or_else(not_understood)?;
        let create = database.create.as_deref().ok_or_else(not_understood)?;
        let parsed = statement::statements(create).ok_or_else(not_understood)?;
        let [statement] = parsed.as_slice() else { return Err(not_understood()) };
        if !statement.begins(&["create", "database"]) {
            return Err(not_understood());
        }
        if !self.choices.no_tablespaces {
            self.tablespaces.extend(tablespace(statement).and_then(|(_, name)| name));
        }
        if let Some(owner) = &database.owner {
            self.roles.entry(owner.clone()).or_default().owns += 1;
        }
        let renamed = |statement: &Statement<'_>| {
            let token = statement::database_name(statement).filter(|token| token.name() == Some(old));
            token.map(|token| statement.replacing(token, &quote_name(name))).ok_or_else(not_understood)
        };
        let mut result = Recreation { create: renamed(statement)?, ..Recreation::default() };
        if self.choices.no_tablespaces
            && let Some((range, _)) = tablespace(statement)
        {
            let without = statement.without(range);
            let parsed = statement::statements(&without).ok_or_else(not_understood)?;
            result.create = renamed(parsed.first().ok_or_else(not_understood)?)?;
        }
        if !self.choices.no_owner {
            let owner = database.owner.as_deref();
            result.owner =
                owner.map(|owner| format!("ALTER DATABASE {} OWNER TO {}", quote_name(name), quote_name(owner)));
        }
        let (mut settings, mut deferred) = (Vec::new(), false);
        for text in &database.others {
            let mut parsed = statement::statements(text).ok_or_else(not_understood)?;
            let roles: Vec<String> = parsed.iter().flat_map(statement::roles).collect();
            self.named(&roles);
            for statement in &parsed {
                let what = match statement.begins(&["alter"]) {
                    true => "settings of roles in this database",
                    false => "privileges on the database that somebody else granted",
                };
                let known = self.beyond_rights.iter().any(|known| known == what);
                if !self.choices.no_owner && !known && !self.is_allowed(statement) {
                    self.beyond_rights.push(what.to_owned());
                }
            }
            if self.choices.no_owner {
                let (kept, dropped) = self.without_missing(&parsed);
                if dropped > 0 {
                    self.left_out.push(format!("{dropped} statements of the database's properties and privileges"));
                    parsed.retain(|statement| kept.iter().any(|kept| kept == statement.sql));
                }
            }
            for statement in &parsed {
                if statement.begins(&["set", "session", "authorization"])
                    || statement.begins(&["reset", "session", "authorization"])
                {
                    result.after.push(statement.sql.to_owned());
                    continue;
                }
                let text = renamed(statement)?;
                if self.witness.is_none() && is_stop(statement) {
                    continue;
                }
                let setting =
                    statement.tokens.get(3..5).filter(|tokens| tokens[0].is("set")).and_then(|tokens| tokens[1].name());
                match setting {
                    Some(setting) if statement.begins(&["alter", "database"]) => {
                        if DISTURBING.contains(&setting) {
                            deferred = true;
                        } else {
                            result.before.push(text.clone());
                        }
                        settings.push(text);
                    }
                    _ => result.after.push(text),
                }
            }
        }
        if deferred {
            // The server keeps them in the order in which they were set, and pg_dump writes them in it.
            settings.insert(0, format!("ALTER DATABASE {} RESET ALL", quote_name(name)));
            result.after.splice(0..0, settings);
        }
        Ok(result)
    }
}
