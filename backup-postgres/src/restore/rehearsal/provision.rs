//! The place: roles, tablespaces and the database, before anything is in it.

use super::{Gap, Rehearsal, run};
use crate::error::codes::{RESTORE_FAILED, SCRATCH_FAILED};
use crate::restore::database::Created;
use crate::restore::statement::{self, quote_name, quote_string};
use crate::restore::toc::Recreation;
use backup_core::{Error, Result};
use std::collections::BTreeSet;

/// Kinds whose owner must be a superuser: `EVENT TRIGGER`, and publications for all tables (checked by PostgreSQL at `OWNER TO`).
const OF_SUPERUSERS: [&str; 3] = ["EVENT TRIGGER", "FOREIGN DATA WRAPPER", "PUBLICATION"];

impl Rehearsal {
    /// Makes roles and tablespaces, as far as the server is ours.
    pub(crate) async fn provision(&mut self) -> Result<()> {
        if !self.own {
            return Ok(());
        }
        let session = self.connection.connect_without_limits().await?;
        let mut script = String::new();
        let roles: Vec<String> =
            self.toc().roles.keys().filter(|role| !self.server.roles.contains_key(*role)).cloned().collect();
        for role in roles {
            script.push_str(&format!("CREATE ROLE {} NOLOGIN;", quote_name(&role)));
            self.stand_ins.insert(role);
        }
        if self.server.version.major >= 14 {
            let mut loader = "backproof_loader".to_owned();
            while self.server.roles.contains_key(&loader) || self.stand_ins.contains(&loader) {
                loader.push('_');
            }
            script.push_str(&format!(
                "CREATE ROLE {0} LOGIN NOSUPERUSER BYPASSRLS; GRANT pg_write_all_data TO {0};",
                quote_name(&loader)
            ));
            self.loader = Some(loader);
        }
        run(&session, "make the roles", &script).await?;
        if !self.without_tablespaces() {
            let tablespaces: Vec<String> =
                self.toc().tablespaces.iter().filter(|name| !self.server.has_tablespace(name)).cloned().collect();
            for tablespace in tablespaces {
                let sql = format!("CREATE TABLESPACE {} LOCATION ''", quote_name(&tablespace));
                run(&session, "make a tablespace", &sql).await?;
            }
        }
        if self.server.has_database() {
            // A database that every cluster has: the archive brings its own.
            let name = quote_name(&self.name);
            for sql in
                [format!("ALTER DATABASE {name} IS_TEMPLATE false"), format!("DROP DATABASE {name} WITH (FORCE)")]
            {
                run(&session, "remove the cluster's own database", &sql).await?;
            }
        }
        Ok(())
    }

    /// Lets stand-ins own what only superusers may own; and takes it from them again, so that no function of theirs runs with such rights while data
    /// is loaded.
    pub(super) async fn elevate(&mut self, superusers: bool) -> Result<()> {
        let owners: BTreeSet<&String> = self
            .outline
            .iter()
            .filter(|one| OF_SUPERUSERS.contains(&one.kind.as_str()))
            .filter_map(|one| one.owner.as_ref())
            .filter(|owner| self.stand_ins.contains(*owner))
            .collect();
        if owners.is_empty() {
            return Ok(());
        }
        let word = if superusers { "SUPERUSER" } else { "NOSUPERUSER" };
        let script: String = owners.iter().map(|owner| format!("ALTER ROLE {} {word};", quote_name(owner))).collect();
        run(&self.connection.connect_without_limits().await?, "give rights to stand-ins", &script).await
    }

    pub(super) async fn create_database(&mut self) -> Result<()> {
        let session = self.connection.connect_without_limits().await?;
        let created = match Created::create(session, &self.name, &self.recreation).await {
            Err(error) if error.is(&RESTORE_FAILED) && self.own => {
                // Most likely a locale that this machine does not have.
                let Some(create) = without_locale(&self.recreation.create, self.server.version.major) else {
                    return Err(error);
                };
                let plain = Recreation { create, ..Recreation::default() };
                let created = Created::create(self.connection.connect_without_limits().await?, &self.name, &plain)
                    .await
                    .map_err(|_| Error::new(error.code(), error.chain()))?;
                if !self.lacks_locale() {
                    self.lacking.push(Gap {
                        cause: "locale".into(),
                        reason: format!(
                            "the scratch server lacks the database's locale, and C is used for it: {error}"
                        ),
                    });
                }
                self.recreation.create = plain.create;
                created
            }
            // What a server of somebody else's refuses (the right to make databases, say) tells nothing of the backup.
            Err(error) if error.is(&RESTORE_FAILED) => {
                return Err(Error::new(&SCRATCH_FAILED, format!("no database could be made on the scratch server: {}", error.chain()))
                    .with_hint("give the scratch server's login the right to create databases (ALTER ROLE … CREATEDB), and see the cause"));
            }
            result => result?,
        };
        created.prepare(&self.recreation, &self.backup).await?;
        self.created = Some(created);
        self.leave_out_libraries().await
    }

    /// Whether the database has another locale than it should: text sorts differently, and constraints may not hold.
    pub(crate) fn lacks_locale(&self) -> bool {
        self.lacking.iter().any(|gap| gap.cause == "locale")
    }
}

/// CREATE DATABASE with locale C.
fn without_locale(create: &str, major: u32) -> Option<String> {
    const LOCALES: [&str; 7] =
        ["locale", "lc_collate", "lc_ctype", "locale_provider", "icu_locale", "icu_rules", "builtin_locale"];
    let mut sql = create.to_owned();
    loop {
        let parsed = statement::statements(&sql)?;
        let [statement] = parsed.as_slice() else { return None };
        let place = statement.tokens.iter().position(|token| LOCALES.iter().any(|word| token.is(word)));
        let Some(at) = place else { break };
        sql = statement.without(at..at + 3);
    }
    let provider = if major >= 15 { " LOCALE_PROVIDER = libc" } else { "" };
    Some(format!("{}{provider} LC_COLLATE = {c} LC_CTYPE = {c}", sql.trim_end(), c = quote_string("C")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_replaced() {
        let create = "CREATE DATABASE \"a b\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'xx' ICU_LOCALE = 'xx-x-icu'";
        assert_eq!(
            without_locale(create, 16).unwrap(),
            "CREATE DATABASE \"a b\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LC_COLLATE = 'C' LC_CTYPE = 'C'"
        );
        assert_eq!(
            without_locale("CREATE DATABASE a", 14).unwrap(),
            "CREATE DATABASE a LC_COLLATE = 'C' LC_CTYPE = 'C'"
        );
    }
}
