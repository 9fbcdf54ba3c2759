//! Sources and targets that need no database: a program, a file, a stream.
//!
//! Each gives or takes one part, named `data` unless told otherwise.

mod command;
mod file;
mod snapshot;
mod stream;
mod taking;

pub use command::{CommandSource, CommandTarget};
pub use file::{FileSource, FileTarget};
pub use stream::{StreamSource, WriterTarget};
