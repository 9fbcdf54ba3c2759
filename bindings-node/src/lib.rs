//! The native module of the npm package `backproof`: types are converted here, nothing is decided.
//!
//! JavaScript's side is lib/: it knows the verbs from lib/shape.json, which is made from bindings/api.json, and calls all of them through
//! `Session::start` (session.rs). Options, results and errors cross as JSON, bytes as buffers.
//!
//! | file | holds |
//! | --- | --- |
//! | session.rs | the opened [`backproof::Backproof`] |
//! | operation.rs | one call of a verb: its messages, its cancellation, its result |
//! | source.rs | bytes from JavaScript, with back-pressure |
//! | output.rs | bytes to JavaScript, as they are asked for |
//! | log.rs | `tracing` events of one session as messages |
//! | failure.rs | errors as JSON |
//! | program.rs | the command-line programs |

// napi's macros register nothing where a test harness is built, which clippy does for all targets.
#![cfg_attr(test, allow(dead_code))]

mod failure;
mod log;
mod operation;
mod output;
mod program;
mod session;
mod source;
