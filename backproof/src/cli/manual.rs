//! Completion scripts and man pages, made from the command line's own description.

use super::Context;
use super::args::Cli;
use backup_core::Result;
use backup_core::error::io_error;
use clap::CommandFactory;
use std::path::Path;

pub(super) fn completions(shell: clap_complete::Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "backproof", &mut script);
    super::output::print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(0)
}

pub(super) fn pages(context: &Context, folder: &Path) -> Result<u8> {
    let failed = |error| io_error(format!("write man pages into {}", folder.display()), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    context.output.notice(&format!("man pages are in {}", folder.display()));
    Ok(0)
}
