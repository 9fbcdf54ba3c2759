//! PostgreSQL backups that prove themselves.
//!
//! This is the crate that services depend on; it brings the others together:
//!
//! - [`core`]: traits, the repository format and the recipes;
//! - [`storage`]: folders, S3 and compatible stores, Google Cloud Storage, Azure;
//! - [`crypto`]: age and OpenPGP, SSH signatures;
//! - [`postgres`]: dumps, restores and proofs.
//!
//! [`Backproof`] is a repository with its settings, and every [verb](verbs) is a method of it: what the program does, and what the bindings for other
//! languages call.
//!
//! ```no_run
//! # async fn example() -> backproof::Result<()> {
//! use backproof::verbs::{BackupOptions, VerifyOptions};
//! use backproof::{Backproof, config::Overrides, core::level::Level};
//!
//! let backproof = Backproof::open(Overrides {
//!     repo: Some("s3://acme-backups/prod".into()),
//!     name: Some("app".into()),
//!     recipients: vec!["age1…".into()],
//!     identities: vec!["key.txt".into()],
//!     ..Overrides::default()
//! })?;
//! let backup = backproof.backup(&BackupOptions::default()).await?; // the database that DATABASE_URL names
//! let proof = VerifyOptions { ids: vec![backup.id.to_string()], level: Some(Level::Identical), ..VerifyOptions::default() };
//! println!("{}", backproof.verify(&proof).await?.verdict);
//! # Ok(())
//! # }
//! ```
//!
//! The parts can be put together by hand, too: [`open`] opens a repository by its URL, with credentials from the environment.
//!
//! ```no_run
//! # async fn example() -> backproof::Result<()> {
//! use backproof::core::level::Level;
//! use std::sync::Arc;
//!
//! let repo = backproof::open("s3://acme-backups/prod").await?;
//! let recipients = backproof::recipients(["age1…"]).await?;
//! let source = backproof::postgres::PgDump::new(backproof::postgres::Connection::from_env()?);
//! let backup = repo.backup("app".parse()?, Arc::new(source)).label("daily".parse()?).seal(recipients).run().await?;
//! let identity = backproof::identities(["key.txt"]).await?;
//! let verdict = repo
//!     .verify()
//!     .only(backup.manifest.id.as_str().parse()?)
//!     .level(Level::Readable)
//!     .open_with(Some(identity))
//!     .prover(Arc::new(backproof::postgres::PgProver::new()))
//!     .run()
//!     .await?;
//! println!("{verdict}");
//! # Ok(())
//! # }
//! ```

pub use backup_core as core;
pub use backup_crypto as crypto;
pub use backup_postgres as postgres;
pub use backup_storage as storage;

pub use backup_core::{Error, Result};

pub mod alerts;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod error;
#[cfg(feature = "schema")]
pub mod schema;
mod session;
pub mod verbs;
mod wiring;

pub use session::{Backproof, Confirm, NobodyToAsk};

use backup_core::cipher::{KeyOpener, KeySealer};
use backup_core::repository::{OpenOptions, Repository};
use std::path::Path;
use std::sync::Arc;

/// Opens a repository by its URL, with the store's credentials from the environment (docs/stores.md).
///
/// Trusts no signers: every verdict says `authenticity: not checked`. Where signers are trusted, use
/// [`Repository::open`] with [`OpenOptions::trust`], or [`config::Settings`].
pub async fn open(url: &str) -> Result<Repository> {
    let sink = backup_storage::open(url, &backup_storage::StoreOptions::from_env()).await?;
    Repository::open(sink, OpenOptions::default()).await
}

/// Recipients, in any form that [`crypto::Recipients::parse`] knows.
pub async fn recipients<S: Into<String>>(recipients: impl IntoIterator<Item = S>) -> Result<Arc<dyn KeySealer>> {
    let specs: Vec<String> = recipients.into_iter().map(Into::into).collect();
    Ok(Arc::new(crypto::Recipients::parse(&specs, &crypto::RecipientOptions::default()).await?))
}

/// Identities, from files that need no passphrase.
pub async fn identities<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Result<Arc<dyn KeyOpener>> {
    let mut identities = crypto::Identities::new();
    for file in files {
        identities = identities.file(file).await?;
    }
    Ok(Arc::new(identities))
}
