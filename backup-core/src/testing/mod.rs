//! In-memory implementations and one conformance suite for each trait, for our own tests and for other implementors'.
//!
//! What is here panics where a check fails: it is meant for tests alone.

pub mod cipher;
pub mod retention;
pub mod sink;
pub mod source;
pub mod target;
