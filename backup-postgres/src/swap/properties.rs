//! What belongs to a database's name in the eyes of its users, and goes over to the database that takes the name: owner, privileges, settings,
//! limits, comment, security labels.

use crate::connection::Session;
use crate::error::codes::{QUERY_FAILED, SWAP_FAILED};
use crate::queries;
use crate::restore::{quote_name, quote_string};
use backup_core::error::ResultExt;
use backup_core::{Error, Result};
use tokio_postgres::error::SqlState;

/// A privilege, without grantee for PUBLIC.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    grantor: String,
    grantee: Option<String>,
    privilege: String,
    grantable: bool,
}

/// The properties of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Properties {
    owner: String,
    template: bool,
    allows_connections: bool,
    connection_limit: i32,
    pub(super) comment: Option<String>,
    grants: Vec<Grant>,
    /// By role, or for everybody: `name=value`, as the server keeps it.
    settings: Vec<(Option<String>, Vec<String>)>,
    labels: Vec<(String, String)>,
    /// Encoding, locale and tablespace: a database is made with them.
    made_with: [String; 4],
}

/// Settings whose value is a list of quoted names (`GUC_LIST_QUOTE`; variable_is_guc_list_quote in src/bin/pg_dump/dumputils.c).
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

impl Properties {
    pub(super) async fn of(session: &Session, oid: u32) -> Result<Self> {
        let failed = || "ask for the properties of a database".to_owned();
        let row = session.query_one(queries::SWAP_PROPERTIES, &[&oid]).await.or_code(&QUERY_FAILED, failed)?;
        let grants = session.query(queries::SWAP_PRIVILEGES, &[&oid]).await.or_code(&QUERY_FAILED, failed)?;
        let settings = session.query(queries::SWAP_SETTINGS, &[&oid]).await.or_code(&QUERY_FAILED, failed)?;
        let labels = session.query(queries::SWAP_LABELS, &[&oid]).await.or_code(&QUERY_FAILED, failed)?;
        Ok(Properties {
            owner: row.get("owner"),
            template: row.get("datistemplate"),
            allows_connections: row.get("datallowconn"),
            connection_limit: row.get("datconnlimit"),
            comment: row.get("comment"),
            grants: grants
                .iter()
                .map(|row| Grant {
                    grantor: row.get(0),
                    grantee: row.get(1),
                    privilege: row.get(2),
                    grantable: row.get(3),
                })
                .collect(),
            settings: settings.iter().map(|row| (row.get(0), row.get(1))).collect(),
            labels: labels.iter().map(|row| (row.get(0), row.get(1))).collect(),
            made_with: ["encoding", "collate", "ctype", "tablespace"].map(|column| row.get(column)),
        })
    }

    /// What was decided when the database was made, and differs.
    pub(super) fn differences_for_good(&self, other: &Properties) -> Vec<String> {
        let names = ["encoding", "collation", "character type", "tablespace"];
        let pairs = names.iter().zip(self.made_with.iter().zip(&other.made_with));
        let differs = pairs.filter(|(_, (one, two))| one != two);
        differs
            .map(|(name, (one, two))| format!("the {name} was {one} and is {two}: that comes with the backup"))
            .collect()
    }

    fn same(&self, other: &Properties) -> bool {
        let Properties {
            owner, template, allows_connections, connection_limit, comment, grants, settings, labels, ..
        } = self;
        (owner, template, allows_connections, connection_limit, comment, grants, settings, labels)
            == (
                &other.owner,
                &other.template,
                &other.allows_connections,
                &other.connection_limit,
                &other.comment,
                &other.grants,
                &other.settings,
                &other.labels,
            )
    }

    /// Gives these properties to another database, and looks whether it has them then. Inside of the caller's transaction.
    pub(super) async fn give(&self, session: &Session, oid: u32, name: &str) -> Result<()> {
        let run = async |statement: String| {
            session.batch_execute(&statement).await.map_err(|error| {
                // Settings can hold what nobody should see: the first words alone.
                let words = statement.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
                refused(&format!("{words} … for database \"{name}\""), error)
            })
        };
        let database = quote_name(name);
        let before = Properties::of(session, oid).await?;
        if before.owner != self.owner {
            run(format!("ALTER DATABASE {database} OWNER TO {}", quote_name(&self.owner))).await?;
        }
        // The privileges changed with the owner.
        let before = Properties::of(session, oid).await?;
        if before.grants != self.grants {
            for grant in &before.grants {
                let grantee = grant.grantee.as_deref().map_or_else(|| "PUBLIC".to_owned(), quote_name);
                run(format!("REVOKE ALL ON DATABASE {database} FROM {grantee} CASCADE")).await?;
            }
            for grant in self.in_order() {
                let Grant { grantor, grantee, privilege, grantable } = grant;
                let grantee = grantee.as_deref().map_or_else(|| "PUBLIC".to_owned(), quote_name);
                let option = if *grantable { " WITH GRANT OPTION" } else { "" };
                let statement = format!("GRANT {privilege} ON DATABASE {database} TO {grantee}{option}");
                if *grantor == self.owner {
                    run(statement).await?;
                } else {
                    run(format!("SET LOCAL ROLE {}", quote_name(grantor))).await?;
                    run(statement).await?;
                    run("SET LOCAL ROLE NONE".to_owned()).await?;
                }
            }
        }
        if before.settings != self.settings {
            for (role, _) in &before.settings {
                run(format!("{} RESET ALL", alter(role.as_deref(), &database))).await?;
            }
            for (role, values) in &self.settings {
                for value in values {
                    let (setting, value) = value.split_once('=').unwrap_or((value, ""));
                    let value = setting_value(setting, value);
                    run(format!("{} SET {} TO {value}", alter(role.as_deref(), &database), quote_name(setting)))
                        .await?;
                }
            }
        }
        if before.connection_limit != self.connection_limit {
            run(format!("ALTER DATABASE {database} CONNECTION LIMIT {}", self.connection_limit)).await?;
        }
        if before.template != self.template {
            run(format!("ALTER DATABASE {database} IS_TEMPLATE {}", self.template)).await?;
        }
        if before.allows_connections != self.allows_connections {
            run(format!("ALTER DATABASE {database} ALLOW_CONNECTIONS {}", self.allows_connections)).await?;
        }
        if before.comment != self.comment {
            run(comment(&database, self.comment.as_deref())).await?;
        }
        if before.labels != self.labels {
            for (provider, _) in &before.labels {
                run(format!("SECURITY LABEL FOR {} ON DATABASE {database} IS NULL", quote_name(provider))).await?;
            }
            for (provider, label) in &self.labels {
                let (provider, label) = (quote_name(provider), quote_string(label));
                run(format!("SECURITY LABEL FOR {provider} ON DATABASE {database} IS {label}")).await?;
            }
        }
        if Properties::of(session, oid).await?.same(self) {
            return Ok(());
        }
        Err(Error::new(
            &SWAP_FAILED,
            format!(
                "the owner, privileges, settings, limits or comment of the live database could not be given to \"{name}\""
            ),
        ))
    }

    /// The grants, each after the one that it stands on: the owner's first, then those of grantees who may grant.
    fn in_order(&self) -> Vec<&Grant> {
        let mut rest: Vec<&Grant> = self.grants.iter().collect();
        let mut ordered: Vec<&Grant> = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            let stands = |grant: &&Grant| {
                grant.grantor == self.owner
                    || ordered.iter().any(|other| {
                        other.grantable
                            && other.grantee.as_deref() == Some(grant.grantor.as_str())
                            && other.privilege == grant.privilege
                    })
            };
            let (now, later): (Vec<&Grant>, Vec<&Grant>) = rest.iter().copied().partition(stands);
            if now.is_empty() {
                // Nobody knows what they stand on: the server will say.
                ordered.extend(later);
                break;
            }
            ordered.extend(now);
            rest = later;
        }
        ordered
    }
}

/// A comment, or its removal; the name is quoted already.
pub(super) fn comment(database: &str, comment: Option<&str>) -> String {
    let comment = comment.map_or_else(|| "NULL".to_owned(), quote_string);
    format!("COMMENT ON DATABASE {database} IS {comment}")
}

fn alter(role: Option<&str>, database: &str) -> String {
    match role {
        None => format!("ALTER DATABASE {database}"),
        Some(role) => format!("ALTER ROLE {} IN DATABASE {database}", quote_name(role)),
    }
}

/// The value as SQL: lists of names element by element, as pg_dump writes them (makeAlterConfigCommand in src/bin/pg_dump/dumputils.c).
fn setting_value(name: &str, value: &str) -> String {
    if !LISTS.iter().any(|list| name.eq_ignore_ascii_case(list)) {
        return quote_string(value);
    }
    let elements: Vec<String> = list_elements(value).iter().map(|element| quote_string(element)).collect();
    if elements.is_empty() { "''".to_owned() } else { elements.join(", ") }
}

/// The elements of a list, bare or in double quotes (SplitGUCList in src/backend/utils/adt/varlena.c).
fn list_elements(value: &str) -> Vec<String> {
    let mut elements = Vec::new();
    let mut rest = value.trim_start();
    while !rest.is_empty() {
        let mut element = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            while let Some((part, after)) = rest.split_once('"') {
                element.push_str(part);
                rest = after;
                match rest.strip_prefix('"') {
                    Some(more) => {
                        element.push('"');
                        rest = more;
                    }
                    None => break,
                }
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            element.push_str(rest[..end].trim());
            rest = &rest[end..];
        }
        elements.push(element);
        rest = rest.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    elements
}

pub(super) fn refused(doing: &str, error: tokio_postgres::Error) -> Error {
    let Some(said) = error.as_db_error() else {
        return Error::new(&SWAP_FAILED, doing.to_owned()).with_source(error);
    };
    let refused = Error::new(&SWAP_FAILED, format!("{doing}: {}", said.message()));
    let meanwhile = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::DUPLICATE_DATABASE,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::T_R_DEADLOCK_DETECTED,
        // "tuple concurrently updated": two at once changed the database's entry.
        SqlState::INTERNAL_ERROR,
    ];
    if meanwhile.contains(said.code()) {
        return refused.with_hint(
            "the databases have the names that they had. Somebody else works on them at the same time, such as another swap or rollback, or an administrator: wait until they are done, see with `psql -l+` what is there, \
             then run it again",
        );
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_quoted_one_by_one() {
        assert_eq!(setting_value("search_path", r#"app, "$user", "a ""b"", c""#), r#"'app', '$user', 'a "b", c'"#);
        assert_eq!(setting_value("search_path", r#""""#), "''");
        assert_eq!(setting_value("search_path", ""), "''");
        assert_eq!(setting_value("DateStyle", "ISO, DMY"), "'ISO, DMY'");
        assert_eq!(setting_value("app.x", r"it's \ "), r"E'it''s \\ '");
    }
}
