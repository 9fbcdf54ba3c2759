//! The core of backproof: traits, the segment pipeline, the repository format and the recipes.
//!
//! It names no database, no cloud and no cipher. Where to find things:
//!
//! - the four traits: [`source::Source`], [`sink::Sink`], [`cipher::Cipher`], [`retention::RetentionPolicy`];
//! - beside them: [`target::Target`], [`signature::Signer`], [`signature::TrustPolicy`], [`prover::Prover`],
//!   [`monitor::Monitor`];
//! - sources and targets that need no database: [`general`]; programs as streams of bytes: [`command`];
//! - every error code of this crate: [`error::codes`].

pub mod backup;
pub mod cipher;
pub mod command;
pub mod digest;
pub mod drill;
pub mod error;
pub mod general;
pub mod id;
pub mod key;
pub mod level;
pub mod monitor;
pub mod names;
pub mod pipeline;
pub mod probe;
pub mod proof;
pub mod prover;
pub mod repository;
pub mod restore;
pub mod retention;
pub mod signature;
pub mod sink;
pub mod small_file;
pub mod source;
pub mod target;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;
pub mod verify;

pub use error::{Error, Result};
