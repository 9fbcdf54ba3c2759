//! What can be said of a dump by reading it.

use crate::archive::ArchiveObserver;
use backup_core::names::PartName;
use backup_core::prover::{PartObserver, Prover};

/// Checks the archives of backups of kind `postgresql-dump`: that they parse to their end and are complete.
#[derive(Clone, Copy, Debug, Default)]
pub struct PgProver;

impl Prover for PgProver {
    fn knows(&self, kind: &str) -> bool {
        kind == crate::KIND
    }

    fn required_parts(&self) -> Vec<PartName> {
        vec![crate::dump_part()]
    }

    fn observer(&self, part: &PartName) -> Option<Box<dyn PartObserver>> {
        (*part == crate::dump_part()).then(|| Box::new(ArchiveObserver::new()) as Box<dyn PartObserver>)
    }
}
