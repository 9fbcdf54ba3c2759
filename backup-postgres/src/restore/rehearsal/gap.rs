//! What a server lacks, and all that depends on it: left out, and told.

use super::Rehearsal;
use super::witness::Outlined;
use crate::inventory::Name;
use std::collections::{HashMap, HashSet};

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
        }
    }

    /// Errors that say something of the server, not of the backup: by the entry's id.
    pub(super) fn excused(&self, errors: &[String], ids: &[i32]) -> Vec<(i32, Gap)> {
        let ids: HashSet<i32> = ids.iter().copied().collect();
        let entries: HashMap<String, &Outlined> =
            self.outline.iter().filter(|one| ids.contains(&one.id)).map(|one| (one.label(), one)).collect();
        let mut gaps = Vec::new();
        for error in errors {
            // `COLLATION german app_owner: ERROR:  …`
            let Some((label, words)) = error.split_once(": ERROR: ") else { continue };
            let Some(entry) = entries.get(label.trim_end()) else { continue };
            let no_right = !self.own
                && ["permission denied", "must be superuser", "must be owner", "must be able to"]
                    .iter()
                    .any(|text| words.contains(text));
            let library = words.contains("could not access file")
                || words.contains("must be loaded via shared_preload_libraries");
            if SERVER_MAY_LACK.contains(&entry.kind.as_str()) || no_right || library {
                gaps.push((
                    entry.id,
                    Gap { cause: entry.as_cause(), reason: format!("the scratch server refused it: {}", words.trim()) },
                ));
            }
        }
        gaps
    }
}
