//! How backups are restored for a proof: what the configuration and the flags say of it, and the prover that it means.

use super::file::{DrillSection, OneOrMore};
use super::profiles::PROFILES;
use super::{Resolver, Settings};
use crate::error::codes;
use backup_core::{Error, Result};
use backup_postgres::PgProver;
use backup_postgres::assertions::{Assertion, validate};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;

/// Where backups are restored for a proof, and what need not be tested.
#[derive(Clone, Debug, Default)]
pub struct ProofOptions {
    /// A server to restore into, in place of a cluster of its own.
    pub scratch: Option<SecretString>,
    /// The folder for the scratch cluster.
    pub scratch_dir: Option<PathBuf>,
    /// What cannot be tested here and need not be, by the names that proofs give.
    pub accept: Vec<String>,
    /// Work with low priority.
    pub low_priority: bool,
    /// What must hold of a restored database.
    pub assertions: Vec<Assertion>,
}

impl Resolver {
    pub(super) fn proof(&mut self, section: &DrillSection) -> Result<ProofOptions> {
        let scratch = section.scratch.as_ref().map(|url| url.expose_secret().to_owned());
        let scratch = self.file_only("drill.scratch", scratch);
        let scratch_dir = self.file_only("drill.scratch_dir", section.scratch_dir.clone());
        let mut accept = section.accept.clone().map(OneOrMore::into_vec).unwrap_or_default();
        if !accept.is_empty() {
            let origin = self.file_origin();
            self.show("drill.accept", accept.join(", "), origin);
        }
        if let Some(name) = self.file_only("drill.profile", section.profile.clone()) {
            let known = PROFILES.iter().find(|profile| profile.name == name);
            let known = known.ok_or_else(|| {
                let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
                super::invalid("drill.profile", &name, &names.join(" or "))
            })?;
            accept.extend(known.accept.iter().map(|name| (*name).to_owned()));
        }
        Ok(ProofOptions {
            scratch: scratch.map(SecretString::from),
            scratch_dir: scratch_dir.map(PathBuf::from),
            accept,
            low_priority: self.file_only("drill.low_priority", section.low_priority).unwrap_or(false),
            assertions: Vec::new(),
        })
    }

    /// Those of every database, and those of this series.
    pub(super) fn assertions(&mut self, all: Vec<Assertion>, own: Vec<Assertion>) -> Result<Vec<Assertion>> {
        let assertions = [all, own].concat();
        validate(&assertions)
            .map_err(|error| Error::new(&codes::INVALID_CONFIGURATION, "[[assertions]]").with_source(error))?;
        if !assertions.is_empty() {
            let names: Vec<&str> = assertions.iter().map(|assertion| assertion.name.as_str()).collect();
            let origin = self.file_origin();
            self.show("assertions", names.join(", "), origin);
        }
        Ok(assertions)
    }
}

impl Settings {
    /// The prover that these settings mean; what `flags` say goes before the configuration, and what they accept is added to it. The code in a
    /// backup does not get to see the identities, the keys, the configuration or the repository.
    pub fn prover(&self, flags: &ProofOptions) -> Result<PgProver> {
        let own = &self.proof;
        let mut prover = PgProver::new()
            .env(self.postgres_env.clone())
            .accept(own.accept.iter().chain(&flags.accept).cloned())
            .assertions(own.assertions.iter().chain(&flags.assertions).cloned())
            .low_priority(own.low_priority || flags.low_priority);
        if let Some(folder) = &self.pg_bindir {
            prover = prover.tools(folder);
        }
        // A folder given as a flag wants a cluster, whatever server the configuration names.
        let server = match (&flags.scratch, &flags.scratch_dir) {
            (Some(url), _) => Some(url),
            (None, Some(_)) => None,
            (None, None) => own.scratch.as_ref(),
        };
        if server.is_some() && flags.low_priority {
            return Err(Error::new(
                &codes::NO_EFFECT,
                "a low priority is for a scratch cluster of its own, and a server is named",
            )
            .with_hint("leave out --low-priority, or name a folder with --scratch-dir in place of the server"));
        }
        if let Some(url) = server {
            prover = prover.scratch(self.connection(url.expose_secret())?);
        }
        if let Some(folder) = flags.scratch_dir.as_ref().or(own.scratch_dir.as_ref()) {
            prover = prover.scratch_folder(folder);
        }
        let keys = [&self.signing_key, &self.passphrase_file, &self.trusted_signers];
        for path in self.identities.iter().chain(keys.into_iter().flatten()) {
            prover = prover.hide(path);
        }
        if let Some(folder) = self.repo.as_deref().and_then(|url| url.strip_prefix("file://")) {
            prover = prover.hide(folder);
        }
        Ok(prover)
    }
}
