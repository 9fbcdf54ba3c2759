//! What RESTORE.md says of a dump: roles first, then the database, with PostgreSQL's own programs.

use backup_core::source::SourceInfo;

/// Markdown; its `sh` blocks are bash. `open_part` and the reader's variables are explained before them.
pub(super) fn restore_steps(info: &SourceInfo) -> String {
    let version = info.versions.get("server").map_or("", String::as_str);
    let major = version.split(['.', ' ']).next().unwrap_or_default();
    let extensions = info.facts.get("extensions").map_or("", String::as_str);
    let mut text = format!(
        "The parts are `dump`, an archive in pg_dump's custom format, and `globals`, SQL that makes the roles and tablespaces. The\n\
         server was PostgreSQL {version}; restore with `pg_restore` and `psql` of version {major} or newer, into a server of version {major}\n\
         or newer, as a superuser (or a role that may create databases and roles). `PGHOST`, `PGUSER` and the like say which server.\n"
    );
    if !extensions.is_empty() {
        text.push_str(&format!("\nThe server must have these extensions installed: {extensions}.\n"));
    }
    text.push_str(
        "\nA dump can run code on the server it is restored into: restore only what a signer you trust has signed.\n\n\
         The roles. Errors that a role exists already are to be expected on a server in use; look at the others. Passwords are not in\n\
         it unless they were asked for.\n\n\
         ```sh\nopen_part globals | psql -X -d postgres > /dev/null\n```\n\n\
         The database. It must not exist; this makes it under the name it had, with its encoding, locale, settings and privileges.\n\
         `PGOPTIONS` lets it be filled where those settings make it read-only.\n\
         Subscriptions are left out: a restored one would connect to its publisher.\n\n\
         ```sh\nopen_part dump |\n  PGOPTIONS='-c default_transaction_read_only=off' pg_restore --create --no-subscriptions --exit-on-error -d postgres\n```\n\n\
         Instead, into an empty database that you made (its settings and privileges are then yours to set):\n\n\
         ```\ncreatedb -T template0 NAME\nopen_part dump | pg_restore --no-subscriptions --exit-on-error -d NAME\n```\n",
    );
    text
}
