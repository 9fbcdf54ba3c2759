//! Which options of a restore go together.

use super::RestoreOptions;
use crate::verbs::{no_effect, selector, usage};
use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::repository::catalog::Selector;
use backup_core::{Error, Result};

/// Connections at once.
const JOBS: std::ops::RangeInclusive<usize> = 1..=64;

pub(super) fn nowhere() -> Error {
    usage("say --to URL or --to-directory DIR")
}

/// An option that would be taken and do nothing is refused.
pub(super) fn check(options: &RestoreOptions) -> Result<()> {
    if options.before.is_some() && selector(&options.id)? != Selector::Latest {
        return Err(no_effect("--before chooses what `latest` is, and an id was given"));
    }
    let live = options.swap || options.in_place;
    let tables = !options.tables.is_empty();
    let into_database = [
        (options.swap, "--swap"),
        (options.in_place, "--in-place"),
        (tables, "--table"),
        (options.no_owner, "--no-owner"),
        (options.no_tablespaces, "--no-tablespaces"),
        (options.jobs.is_some(), "--jobs"),
    ];
    let first = |given: &[(bool, &'static str)]| given.iter().find(|(given, _)| *given).map(|(_, name)| *name);
    match (&options.to, &options.to_directory) {
        (None, None) => return Err(nowhere()),
        (Some(_), Some(_)) => return Err(no_effect("--to names a database, and --to-directory a folder")),
        (Some(_), None) => {}
        (None, Some(_)) => {
            if let Some(name) = first(&into_database).or(first(&[(options.yes, "--yes")])) {
                return Err(no_effect(format!("{name} has no effect on a restore into a folder")));
            }
        }
    }
    if options.jobs.is_some_and(|jobs| !JOBS.contains(&jobs)) {
        let message = format!("--jobs takes {} to {}", JOBS.start(), JOBS.end());
        return Err(Error::new(&INVALID_ARGUMENT, message));
    }
    if options.swap && options.in_place {
        return Err(no_effect("--swap and --in-place are two ways: choose one"));
    }
    let way = match (options.swap, options.in_place, tables) {
        (true, ..) => "--swap",
        (_, true, _) => "--in-place",
        (.., true) => "--table",
        _ => "a restore into a new database",
    };
    let unfit: &[(bool, &'static str)] = if live {
        &[(tables, "--table"), (options.jobs.is_some(), "--jobs")]
    } else if tables {
        &[
            (options.no_owner, "--no-owner"),
            (options.no_tablespaces, "--no-tablespaces"),
            (options.jobs.is_some(), "--jobs"),
        ]
    } else {
        &[]
    };
    if let Some(name) = first(unfit) {
        return Err(no_effect(format!("{name} has no effect with {way}")));
    }
    let of_tables = [
        (options.schema.is_some(), "--schema"),
        (options.replace, "--replace"),
        (options.missing_rows, "--missing-rows"),
    ];
    if let Some(name) = first(&of_tables).filter(|_| !tables) {
        return Err(no_effect(format!("{name} has no effect without --table")));
    }
    if of_tables.iter().filter(|(given, _)| *given).count() > 1 {
        return Err(no_effect("--schema, --replace and --missing-rows are three ways: choose one"));
    }
    let of_live = [
        (options.level.is_some(), "--level"),
        (options.skip_unreadable, "--skip-unreadable"),
        (options.no_encryption, "--no-encryption"),
    ];
    if let Some(name) = first(&of_live).filter(|_| !live) {
        return Err(no_effect(format!("{name} has no effect without --swap or --in-place")));
    }
    let of_swap = [(options.ignore_slots, "--ignore-slots"), (options.drop_old, "--drop-old")];
    if let Some(name) = first(&of_swap).filter(|_| !options.swap) {
        return Err(no_effect(format!("{name} has no effect without --swap")));
    }
    if options.yes && !live && !tables {
        return Err(no_effect("--yes: a restore into a new database replaces nothing"));
    }
    Ok(())
}
