//! The command-line programs: the library's functions from arguments to a status.

use backproof::cli::verify_backups::{MAX_AGE, MIN_SIZE};
use napi_derive::napi;
use std::ffi::OsString;

/// `backproof`. Blocks, and must not be called while anything else goes on in this process.
#[napi]
pub(crate) fn run_backproof(args: Vec<String>) -> u8 {
    backproof::cli::run(args.into_iter().map(OsString::from))
}

/// `verify-backups`, likewise.
#[napi]
pub(crate) fn run_verify_backups(args: Vec<String>) -> u8 {
    backproof::cli::verify_backups::run(args.into_iter().map(OsString::from))
}

/// The limits of `verify-backups`, which are those of `verifyBackups`.
#[napi(object)]
pub(crate) struct VerifyBackupsDefaults {
    /// How old the newest backup may be.
    pub max_age: String,
    /// How large it must be.
    pub min_size: String,
}

/// What `verify-backups` asks of `verify`.
#[napi]
pub(crate) fn verify_backups_defaults() -> VerifyBackupsDefaults {
    VerifyBackupsDefaults { max_age: MAX_AGE.to_owned(), min_size: MIN_SIZE.to_owned() }
}
