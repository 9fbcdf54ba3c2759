//! `verify-backups`: one question, for cron and CI: are there good backups?
//!
//! What the npm package brings beside `backproof`. It is [`verify`](super) with a limit for the age and one for the size of the newest
//! backup, and with everything else from the environment (or `backproof.toml`): nothing is checked here.

use clap::Parser;
use std::ffi::OsString;

/// How old the newest backup of each series may be.
pub const MAX_AGE: &str = "48h";

/// How large it must be, as stored.
pub const MIN_SIZE: &str = "1MB";

/// Check that there are good backups.
///
/// The newest backup of each series exists, is younger than 48 h and larger than 1 MB; the store can be reached, and every checksum is right.
#[derive(Debug, Parser)]
#[command(
    name = "verify-backups",
    version,
    after_help = "\
Settings come from the environment: BACKPROOF_REPO, or BACKUP_S3_BUCKET, S3_BUCKET or R2_BUCKET with AWS_* or R2_* beside it.
This is `backproof verify --max-age 48h --min-size 1MB`; that command takes other limits, levels and keys.
Exit status: 0 healthy, 1 warning, 2 error."
)]
struct Args {
    /// Say more
    #[arg(short, long)]
    verbose: bool,
    /// Alert somebody of any status but 0: Sentry, when SENTRY_DSN is set
    #[arg(long)]
    alert_on_failure: bool,
    /// Only repositories in a folder of this machine
    #[arg(long, conflicts_with = "cloud_only")]
    local_only: bool,
    /// Only repositories in an object store
    #[arg(long)]
    cloud_only: bool,
    /// Print one JSON document to stdout
    #[arg(long)]
    json: bool,
}

/// Runs it: from arguments (the first is the program's name) to the exit status: 0 healthy, 1 warning, 2 error, bad usage included.
///
/// As [`run`](super::run), it makes its own runtime.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    match Args::try_parse_from(&args) {
        Ok(args) => super::run(as_verify(&args).into_iter().map(OsString::from)),
        Err(error) => super::usage(&error, args.iter().any(|arg| arg == "--json")),
    }
}

/// The same, said to `backproof`.
fn as_verify(args: &Args) -> Vec<&'static str> {
    let mut line = vec!["backproof", "verify", "--max-age", MAX_AGE, "--min-size", MIN_SIZE];
    let flags = [
        (args.verbose, "--verbose"),
        (args.alert_on_failure, "--alert-on-failure"),
        (args.local_only, "--local-only"),
        (args.cloud_only, "--cloud-only"),
        (args.json, "--json"),
    ];
    line.extend(flags.into_iter().filter_map(|(given, flag)| given.then_some(flag)));
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};

    fn parsed(line: &[&str]) -> Cli {
        let args = Args::try_parse_from(line).unwrap();
        Cli::try_parse_from(as_verify(&args)).unwrap()
    }

    #[test]
    fn it_is_verify_with_two_limits() {
        let cli = parsed(&["verify-backups"]);
        let Command::Verify(verify) = cli.command else { panic!("{:?}", cli.command) };
        assert_eq!((verify.max_age.as_deref(), verify.min_size.as_deref()), (Some("48h"), Some("1MB")));
        assert!(verify.ids.is_empty() && verify.level.is_none() && !verify.alert_on_failure && !cli.common.json);
    }

    #[test]
    fn every_flag_arrives() {
        let cli = parsed(&["verify-backups", "--verbose", "--alert-on-failure", "--local-only", "--json"]);
        let Command::Verify(verify) = cli.command else { panic!("{:?}", cli.command) };
        assert!(verify.alert_on_failure && verify.local_only && !verify.cloud_only);
        assert!(cli.common.json && cli.common.verbose == 1);
        let cli = parsed(&["verify-backups", "--cloud-only"]);
        let Command::Verify(verify) = cli.command else { panic!("{:?}", cli.command) };
        assert!(verify.cloud_only);
    }

    #[test]
    fn what_it_does_not_know_is_a_mistake() {
        for line in [
            &["verify-backups", "--all"][..],
            &["verify-backups", "latest"],
            &["verify-backups", "--local-only", "--cloud-only"],
        ] {
            assert_eq!(run(line.iter().map(OsString::from)), 2, "{line:?}");
        }
    }
}
