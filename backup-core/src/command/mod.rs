//! Running other programs: their output as a fast byte source, their input as a sink, and no process left behind.
//!
//! A child runs in a process group of its own, so that a Ctrl-C at the terminal reaches us alone, and all that it started can
//! be ended with it. It is ended (SIGTERM, then SIGKILL for the whole group after a grace) and reaped when what holds it is
//! dropped, in the middle of a read too. When we are killed ourselves, nothing of ours runs any more: a small shell of its own
//! ([`LastWill`]) then ends the group. (Linux's `PR_SET_PDEATHSIG` would need `unsafe` between fork and exec, and goes by threads.)

mod process;
mod reader;
mod will;
mod writer;

pub use process::Ended;
pub use reader::{CommandReader, CommandStream, Tap};
pub use will::LastWill;
pub use writer::CommandWriter;
