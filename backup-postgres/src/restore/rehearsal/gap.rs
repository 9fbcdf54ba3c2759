//! What a server lacks, and all that depends on it: left out, and told.

use super::witness::Outlined;
use super::{Rehearsal, features};
use crate::inventory::Name;
use crate::restore::programs::Refused;
use backup_core::text::printable;
use std::collections::HashMap;

/// Kinds that a server can be unable to make through no fault of the backup.
const SERVER_MAY_LACK: [&str; 3] = ["EXTENSION", "COLLATION", "SECURITY LABEL"];

/// What was not restored, and so cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// What the server lacks, as `accept` names it: `extension:pg_graphql`.
    pub(crate) cause: String,
    /// Why it is not there.
    pub(crate) reason: String,
}

/// An entry as `accept` names it: `extension:pg_graphql`, `collation:public.german`.
pub(crate) fn cause(kind: &str, schema: Option<&Name>, name: &Name) -> String {
    let schema = schema.map(|schema| format!("{}.", schema.lossy())).unwrap_or_default();
    format!("{}:{schema}{}", kind.to_lowercase().replace(' ', "_"), name.lossy())
}

/// The subscription that an entry is of, as `accept` names it.
pub(crate) fn subscription(kind: &str, name: &Name) -> Option<String> {
    let name = name.lossy();
    (kind.starts_with("SUBSCRIPTION") || name.starts_with("SUBSCRIPTION "))
        .then(|| format!("subscription:{}", name.strip_prefix("SUBSCRIPTION ").unwrap_or(&name).trim_matches('"')))
}

impl Rehearsal {
    /// What was left out: kind, schema and name of each entry, and why.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = (&str, Option<&Name>, &Name, &Gap)> {
        self.outline.iter().filter_map(|one| {
            let gap = self.skipped.get(&one.id)?;
            Some((one.kind.as_str(), one.schema.as_ref(), &one.name, gap))
        })
    }

    /// These entries without those that are left out.
    pub(super) fn wanted(&self, ids: &[i32]) -> Vec<i32> {
        ids.iter().copied().filter(|id| !self.skipped.contains_key(id)).collect()
    }

    /// What cannot be restored here, as far as it can be known before anything is tried.
    pub(super) fn skip_what_is_known(&mut self) {
        let mut gaps = Vec::new();
        for one in &self.outline {
            if one.kind == "EXTENSION" && !self.server.has_extension(&one.name.lossy()) {
                let reason = format!("the scratch server lacks extension \"{}\"", one.name.lossy());
                gaps.push((one.id, Gap { cause: one.as_cause(), reason }));
            } else if let Some(cause) = subscription(&one.kind, &one.name) {
                let reason =
                    "subscriptions are never restored: one could reach out to the production publisher".to_owned();
                gaps.push((one.id, Gap { cause, reason }));
            }
        }
        gaps.into_iter().for_each(|(id, gap)| self.skip(id, gap));
    }

    /// Leaves out an entry and everything that depends on it.
    pub(super) fn skip(&mut self, id: i32, gap: Gap) {
        let mut dependents: HashMap<i32, Vec<usize>> = HashMap::new();
        for (index, one) in self.outline.iter().enumerate() {
            for dependency in &one.dependencies {
                dependents.entry(*dependency).or_default().push(index);
            }
        }
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            if self.skipped.contains_key(&id) {
                continue;
            }
            self.skipped.insert(id, gap.clone());
            todo.extend(dependents.get(&id).into_iter().flatten().map(|index| self.outline[*index].id));
            // A base type's name is made before its functions, as a shell type: without the type it would be left there alone.
            if let Some(one) = self.outline.iter().find(|one| one.id == id && one.kind == "TYPE") {
                let shell = |other: &&Outlined| {
                    other.kind == "SHELL TYPE" && other.schema == one.schema && other.name == one.name
                };
                todo.extend(self.outline.iter().find(shell).map(|shell| shell.id));
            }
        }
    }

    /// Errors that say something of the server, not of the backup: by the entry's id.
    pub(super) fn excused(&self, errors: &[Refused]) -> Vec<(i32, Gap)> {
        let entries: HashMap<i32, &Outlined> = self.outline.iter().map(|one| (one.id, one)).collect();
        let mut gaps = Vec::new();
        for error in errors {
            let Some(entry) = error.entry.and_then(|id| entries.get(&id)) else { continue };
            // `COLLATION german app_owner: ERROR:  …`
            let Some((_, words)) = error.text.split_once(": ERROR: ") else { continue };
            let no_right = !self.own
                && ["permission denied", "must be superuser", "must be owner", "must be able to"]
                    .iter()
                    .any(|text| words.contains(text));
            let named = library(words).map(|file| format!("library:{file}")).or_else(|| features::lacking(words));
            let preloaded = words.contains("must be loaded via shared_preload_libraries");
            if SERVER_MAY_LACK.contains(&entry.kind.as_str()) || no_right || preloaded || named.is_some() {
                let cause = named.unwrap_or_else(|| entry.as_cause());
                let reason = format!("the scratch server refused it: {}", words.trim());
                gaps.push((entry.id, Gap { cause, reason: printable(&reason).into_owned() }));
            }
        }
        gaps
    }

    /// Leaves out what errors say that the server lacks, with all that depends on it. Gives the errors that are left.
    pub(super) fn excuse(&mut self, mut errors: Vec<Refused>) -> Vec<Refused> {
        self.excused(&errors).into_iter().for_each(|(id, gap)| self.skip(id, gap));
        errors.retain(|error| !error.entry.is_some_and(|id| self.skipped.contains_key(&id)));
        errors
    }
}

/// The file of functions in C that is not there (`load_external_function` and `internal_load_library` in src/backend/utils/fmgr/dfmgr.c).
fn library(words: &str) -> Option<&str> {
    words.split_once("could not access file \"")?.1.split_once("\": ").map(|(file, _)| file)
}
