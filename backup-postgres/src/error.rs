//! Every error code of this crate.

/// The codes that backup-postgres raises.
pub mod codes {
    backup_core::codes! {
        /// An archive of pg_dump is of a version, format or compression that this program does not read.
        ARCHIVE_UNSUPPORTED = "archive_unsupported", permanent, "make the dump with pg_dump 12 to 18, custom format, without compression (-Fc -Z0), or install a newer backproof";
    }
}
