//! The program: one library function from arguments to status.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(backproof::cli::run(std::env::args_os()))
}
