//! The command line, and the words that teach it.

use super::common::Common;
use crate::verbs::{KeyPurpose, RowFormat};
use clap::{ArgGroup, Args, Parser, Subcommand};
use std::path::PathBuf;

/// PostgreSQL backups that prove themselves.
///
/// Streams a database into encrypted, immutable objects in any object store, restores it, and checks that what is there can
/// be read back. A backup exists exactly when its manifest does; every backup carries its own RESTORE.md, which needs no
/// program of ours.
#[derive(Debug, Parser)]
#[command(
    name = "backproof",
    version,
    propagate_version = true,
    disable_help_subcommand = false,
    after_help = "\
A first backup:
  backproof keygen --output key.txt            # keep it safe; it prints the recipient, age1…
  backproof init --repo file:///var/backups/pg
  backproof backup --repo file:///var/backups/pg --recipient age1… --name app --database postgres:///app
  backproof verify latest --repo file:///var/backups/pg --level readable --identity key.txt
  backproof restore latest --repo file:///var/backups/pg --identity key.txt --to postgres:///app_restored

Settings: a flag wins over the environment, that over backproof.toml; `backproof config` shows what is in effect.
Exit status: 0 fine, 1 warning, 2 failure or bad usage, 130 interrupted, 143 terminated."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a repository, after probing what its store can do
    Init(InitArgs),
    /// Make a key: an age identity, or an SSH signing key
    Keygen(KeygenArgs),
    /// Back up a database
    Backup(BackupArgs),
    /// List the backups
    List,
    /// Show one backup
    Show(ShowArgs),
    /// Write one part's plaintext, or the rows of one table, to stdout or a file
    Cat(CatArgs),
    /// Check backups: that they are there, intact, and readable
    Verify(VerifyArgs),
    /// Restore a backup into a new database or a folder
    Restore(RestoreArgs),
    /// Take the last `restore --swap` back
    Rollback(RollbackArgs),
    /// Show what differs between two backups, or between a backup and a database
    Diff(DiffArgs),
    /// Restore backups into a scratch cluster, compare them row by row, and time it
    Drill(DrillArgs),
    /// Show the settings in effect and where each comes from, with secrets redacted
    Config,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a folder
    Man {
        /// The folder, e.g. /usr/local/share/man/man1
        #[arg(long, value_name = "DIR")]
        output: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Use a store that cannot create an object only if it is absent: safe with one writer only
    #[arg(long)]
    pub(crate) allow_unconditional_create: bool,
}

#[derive(Args, Debug)]
pub(crate) struct KeygenArgs {
    /// The file for the secret key; never overwritten
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Make an SSH key that signs manifests and evidence, instead of an age identity
    #[arg(long)]
    pub(crate) signing: bool,
    /// Protect the secret key with a passphrase (asked for, or from --passphrase-file)
    #[arg(long)]
    pub(crate) passphrase: bool,
    /// Print the form of the secret to keep on paper where it would not be printed: into a pipe, or with --passphrase
    #[arg(long, conflicts_with = "signing")]
    pub(crate) paper: bool,
    /// Do not print the form on a terminal either
    #[arg(long, conflicts_with_all = ["signing", "paper", "from_paper"])]
    pub(crate) no_paper: bool,
    /// Read the key back from its form on paper: the rows, typed or scanned, on standard input
    #[arg(long, conflicts_with_all = ["signing", "paper"])]
    pub(crate) from_paper: bool,
    /// What the signing key is for: `backup` (manifests) on a host that backs up, `proof` on one that verifies and drills [default: backup]
    #[arg(long = "for", value_name = "PURPOSE", value_enum, hide_possible_values = true, requires = "signing")]
    pub(crate) purpose: Option<KeyPurpose>,
    /// The name of the key's holder in the list of trusted signers [default: backup-host]
    #[arg(long, value_name = "NAME", requires = "signing")]
    pub(crate) principal: Option<String>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
The backup is published only after pg_dump ended well and every object was confirmed stored. Until then it does not exist.

Examples:
  backproof backup --name app --label daily
  backproof backup --name app --database postgres://backup@db.example.com/app --recipient age1…
  backproof backup --name etc -- tar -C / -cf - etc")]
pub(crate) struct BackupArgs {
    /// Do not encrypt: whoever reads the store reads the data
    #[arg(long)]
    pub(crate) no_encryption: bool,
    /// Seal to a passphrase too (asked for, or from --passphrase-file)
    #[arg(long)]
    pub(crate) passphrase: bool,
    /// Leave out what the login cannot read, list it in the backup, and end with a warning
    #[arg(long)]
    pub(crate) skip_unreadable: bool,
    /// Include the roles' password hashes in the globals (needs a superuser)
    #[arg(long)]
    pub(crate) role_passwords: bool,
    /// The zstd level, 1 (fastest) to 19 (smallest)
    #[arg(long, value_name = "N")]
    pub(crate) compression_level: Option<i32>,
    /// Back up this file instead of a database
    #[arg(long, value_name = "FILE", conflicts_with_all = ["skip_unreadable", "role_passwords", "command"])]
    pub(crate) file: Option<PathBuf>,
    /// Back up the output of this program instead of a database; it must exit with 0
    #[arg(last = true, value_name = "PROGRAM [ARG]…", conflicts_with_all = ["skip_unreadable", "role_passwords"])]
    pub(crate) command: Vec<std::ffi::OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// An id, the start of one, or `latest`
    pub(crate) id: String,
    /// Show a backup that no trusted signer signed; it must be named by its id
    #[arg(long)]
    pub(crate) allow_unsigned: bool,
    /// Print its RESTORE.md instead
    #[arg(long)]
    pub(crate) restore_md: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
With --table no server is needed, and only the segments that hold the table's rows are read.

Examples:
  backproof cat latest dump --identity key.txt | pg_restore --list
  backproof cat latest --table public.orders --identity key.txt > orders.csv
  backproof cat 20261120T02 --table 'public.\"Odd name\"' --format json --identity key.txt | jq .")]
pub(crate) struct CatArgs {
    /// An id, the start of one, or `latest`
    pub(crate) id: String,
    /// The part: `dump`, `globals`, `contents`, …
    #[arg(required_unless_present = "table")]
    pub(crate) part: Option<String>,
    /// The rows of this table instead, named as in SQL: public.orders
    #[arg(long, value_name = "TABLE", conflicts_with = "part")]
    pub(crate) table: Option<String>,
    /// How rows are written: csv (with a header), copy (as COPY's text), json (an object a line; all values are strings or null)
    #[arg(long, value_name = "FORMAT", requires = "table", value_enum, hide_possible_values = true)]
    pub(crate) format: Option<RowFormat>,
    /// A file for the plaintext, created; never overwritten
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Read a backup that no trusted signer signed; it must be named by its id
    #[arg(long)]
    pub(crate) allow_unsigned: bool,
    /// The backup was sealed to a passphrase (asked for, or from --passphrase-file)
    #[arg(long)]
    pub(crate) passphrase: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Levels: present < intact < readable < restorable < identical. Present needs a listing, intact reads every object, readable needs
an identity; restorable and identical restore each backup into a scratch cluster of its own, which needs PostgreSQL's programs.
Without arguments: all backups, to level intact, the newest of each series younger than 48 h.
What is found at level readable and deeper is kept in the repository, signed with --signing-key, and shown by `list`.

Examples:
  backproof verify
  backproof verify latest --name app --level readable --identity key.txt
  backproof verify latest --name app --level identical --identity key.txt
  backproof verify --max-age 25h --min-size 1MB --json")]
pub(crate) struct VerifyArgs {
    /// Ids, starts of them, or `latest`; all backups when there is none
    pub(crate) ids: Vec<String>,
    /// All backups
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// How deeply: present, intact, readable, restorable or identical [default: intact]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) level: Option<String>,
    /// How old the newest backup of each series may be, e.g. 25h [default: 48h]
    #[arg(long, value_name = "DURATION")]
    pub(crate) max_age: Option<String>,
    /// How large the newest backup of each series must be, as stored, e.g. 1MB
    #[arg(long, value_name = "SIZE")]
    pub(crate) min_size: Option<String>,
    /// Only repositories in a folder of this machine
    #[arg(long, conflicts_with = "cloud_only")]
    pub(crate) local_only: bool,
    /// Only repositories in an object store
    #[arg(long)]
    pub(crate) cloud_only: bool,
    /// Alert somebody of any status but 0: Sentry, by SENTRY_DSN; refused while no channel is configured
    #[arg(long)]
    pub(crate) alert_on_failure: bool,
    #[command(flatten)]
    pub(crate) scratch: ScratchArgs,
    /// The backups were sealed to a passphrase (asked for, or from --passphrase-file)
    #[arg(long)]
    pub(crate) passphrase: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
The database must not exist: it is created, with the encoding, locale, settings and privileges of the one that was backed up.
With --swap it must exist: the backup is proven, the live database backed up, the restore made beside it and compared with what was backed
up; then the two change names, in one transaction, and `rollback` changes them back. Until then the live database is not touched.
Where no database can be renamed, --in-place restores into the live database itself, in one transaction; the way back is the safety backup.
With --table the database must exist, too: single tables go into a schema of their own there, or, with --replace, in place of the rows that
are there, which are kept for `rollback`, or, with --missing-rows, only rows whose key is gone.

Examples:
  backproof restore latest --name app --to postgres://admin@db.example.com/app_restored --dry-run
  backproof restore 20261120T02 --to postgres:///app_restored --no-owner
  backproof restore latest --name app --swap --to postgres://admin@db.example.com/app
  backproof restore latest --name app --table public.orders --to postgres://admin@db.example.com/app
  backproof restore latest --to-directory ./restored")]
#[command(group(ArgGroup::new("live").args(["swap", "in_place"])))]
pub(crate) struct RestoreArgs {
    /// An id, the start of one, or `latest`
    pub(crate) id: String,
    /// The new database
    #[arg(long, value_name = "URL", required_unless_present = "to_directory")]
    pub(crate) to: Option<String>,
    /// Restore in place of the live database that --to names
    #[arg(long, requires = "to")]
    pub(crate) swap: bool,
    /// Restore into the live database itself, where --swap is not possible: in one transaction, with writes stopped
    #[arg(long, requires = "to", conflicts_with = "jobs")]
    pub(crate) in_place: bool,
    /// Restore this table alone, named as in SQL, with * and ? as patterns; may be given several times
    #[arg(long = "table", value_name = "TABLE", requires = "to", conflicts_with_all = ["swap", "in_place", "no_owner", "no_tablespaces", "jobs", "level", "ignore_slots", "drop_old", "skip_unreadable", "no_encryption"])]
    pub(crate) tables: Vec<String>,
    /// With --table: the new schema for the tables [default: restored_<time>]
    #[arg(long, value_name = "SCHEMA", requires = "tables", conflicts_with_all = ["replace", "missing_rows"])]
    pub(crate) schema: Option<String>,
    /// With --table: in place of the rows that are there, which are kept
    #[arg(long, requires = "tables", conflicts_with = "missing_rows")]
    pub(crate) replace: bool,
    /// With --table: put back only the rows whose key is gone
    #[arg(long, requires = "tables")]
    pub(crate) missing_rows: bool,
    /// With --swap and --in-place: how deeply the backup is proven first: intact, readable, restorable or identical [default: readable]
    #[arg(long, value_name = "LEVEL", requires = "live")]
    pub(crate) level: Option<String>,
    /// With --swap: go on although replication slots and subscriptions stay with the old database
    #[arg(long, requires = "swap", conflicts_with = "in_place")]
    pub(crate) ignore_slots: bool,
    /// With --swap: drop the old database afterwards; there is no way back then but the safety backup
    #[arg(long, requires = "swap", conflicts_with = "in_place")]
    pub(crate) drop_old: bool,
    /// With --swap and --in-place: leave out of the safety backup what the login cannot read
    #[arg(long, requires = "live")]
    pub(crate) skip_unreadable: bool,
    /// With --swap and --in-place: do not encrypt the safety backup
    #[arg(long, requires = "live")]
    pub(crate) no_encryption: bool,
    /// Do not ask before live data is replaced (also: FORCE=true)
    #[arg(long, requires = "to")]
    pub(crate) yes: bool,
    /// Write each part to a file in this folder instead; the folder must not exist or be empty
    // What conflicts with another option waives what that one requires: so each is named.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["to", "tables", "schema", "replace", "missing_rows", "swap", "in_place", "level", "ignore_slots", "drop_old", "skip_unreadable", "no_encryption", "yes"])]
    pub(crate) to_directory: Option<PathBuf>,
    /// With `latest`: the newest backup whose snapshot is older than this time, e.g. 2026-11-20T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) before: Option<String>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Restore without owners and privileges, for servers that lack the roles
    #[arg(long, conflicts_with = "to_directory")]
    pub(crate) no_owner: bool,
    /// Restore everything into the server's default tablespace
    #[arg(long, conflicts_with = "to_directory")]
    pub(crate) no_tablespaces: bool,
    /// Connections that build indexes and constraints at once, 1 to 64
    #[arg(long, value_name = "N", conflicts_with = "to_directory", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: Option<u8>,
    /// Restore a backup that no trusted signer signed; it must be named by its id
    #[arg(long)]
    pub(crate) allow_unsigned: bool,
    /// The backup was sealed to a passphrase (asked for, or from --passphrase-file)
    #[arg(long)]
    pub(crate) passphrase: bool,
}

/// Where backups are restored for a proof.
#[derive(Args, Debug)]
pub(crate) struct ScratchArgs {
    /// Restore into a database of this server instead of a cluster of its own; it is dropped afterwards
    #[arg(long, value_name = "URL")]
    pub(crate) scratch: Option<String>,
    /// The folder for the scratch cluster, on a disk with room for the database [default: the system's temporary folder]
    #[arg(long, value_name = "DIR", conflicts_with = "scratch")]
    pub(crate) scratch_dir: Option<PathBuf>,
    /// Accept that this cannot be tested, by the name that a proof gives it, e.g. extension:pg_graphql; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) accept: Vec<String>,
    /// Work with low priority for processor and disk
    #[arg(long)]
    pub(crate) low_priority: bool,
    /// Do not keep the result in the repository
    #[arg(long)]
    pub(crate) no_record: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
A drill does what has to be done on the worst day: it fetches a backup, decrypts it, restores it, compares every table row by row with
what was noted when the backup was made, runs the assertions of the configuration, and times each step. The scratch cluster is a
private one, without network, and is removed afterwards.

Examples:
  backproof drill latest --name app --identity key.txt
  backproof drill --sample 3 --identity key.txt --output /var/lib/backproof/evidence
  backproof drill 20261120T02 --scratch postgres://admin@scratch.example.com/postgres --rto 4h")]
pub(crate) struct DrillArgs {
    /// An id, the start of one, or `latest` [default: latest]
    #[arg(conflicts_with = "sample")]
    pub(crate) id: Option<String>,
    /// This many backups, those whose proof is the longest ago first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sample: Option<u32>,
    /// The longest that the restore may take, e.g. 4h
    #[arg(long, value_name = "DURATION")]
    pub(crate) rto: Option<String>,
    /// The oldest that the newest restorable backup may be, e.g. 1h
    #[arg(long, value_name = "DURATION")]
    pub(crate) rpo: Option<String>,
    /// Also write the result into this folder, as test-<time>.json
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) scratch: ScratchArgs,
    /// Drill a backup that no trusted signer signed: a dump can run code when it is restored
    #[arg(long)]
    pub(crate) allow_unsigned: bool,
    /// The backup was sealed to a passphrase (asked for, or from --passphrase-file)
    #[arg(long)]
    pub(crate) passphrase: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
What changed since Tuesday: tables with their rows in each, and every other object that was added, removed or changed. Two backups
are compared by what was noted when they were made; no database is needed. Definitions are not printed: they can hold secrets.
Exit status: 0 equal, 1 different, 2 failure.

Examples:
  backproof diff 20261117T02 latest --name app --identity key.txt
  backproof diff latest --database postgres:///app --identity key.txt --json")]
pub(crate) struct DiffArgs {
    /// An id, the start of one, or `latest`
    pub(crate) before: String,
    /// Another one; the configured database, when there is none
    pub(crate) after: Option<String>,
    /// Read backups that no trusted signer signed; they must be named by their ids
    #[arg(long)]
    pub(crate) allow_unsigned: bool,
    /// The backups were sealed to a passphrase (asked for, or from --passphrase-file)
    #[arg(long)]
    pub(crate) passphrase: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Changes the names back: the database that was live before the last `restore --swap` is live again, and the restored one is kept under a
dated name. Refused when rows were written since, unless you say that they may go.

Examples:
  backproof rollback --to postgres://admin@db.example.com/app --dry-run
  backproof rollback --to postgres://admin@db.example.com/app
  backproof rollback --to postgres://admin@db.example.com/app --drop-old      # keep what was restored, for good")]
pub(crate) struct RollbackArgs {
    /// The live database
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// Put back the rows that `restore --table --replace` kept of this table, named as in SQL, with * and ? as patterns; may be given several times
    #[arg(long = "table", value_name = "TABLE", conflicts_with = "drop_old")]
    pub(crate) tables: Vec<String>,
    /// Go back although rows were written since; they stay in the database that is put aside
    #[arg(long)]
    pub(crate) lose_newer_data: bool,
    /// Do not go back: drop the databases that swaps and rollbacks put aside
    #[arg(long, conflicts_with = "lose_newer_data")]
    pub(crate) drop_old: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask (also: FORCE=true)
    #[arg(long)]
    pub(crate) yes: bool,
}
