//! `backproof cat`: one part's plaintext, or the rows of one table.

use super::Context;
use super::args::CatArgs;
use crate::verbs::{Cat, CatOptions, CatResult};
use backup_core::error::{codes, io_error};
use backup_core::{Error, Result};
use std::error::Error as _;
use tokio::io::AsyncWriteExt;

/// 128 and the number of SIGPIPE, as shells tell it.
const BROKEN_PIPE: u8 = 141;

pub(super) async fn run(context: &Context, args: &CatArgs) -> Result<u8> {
    if context.output.json && args.output.is_none() {
        return Err(Error::new(
            &codes::INVALID_ARGUMENT,
            "cat --json needs --output: stdout can hold one of them only",
        )
        .with_hint("say --output FILE"));
    }
    let options = CatOptions {
        id: args.id.clone(),
        part: args.part.clone(),
        table: args.table.clone(),
        format: args.format,
        output: args.output.clone(),
        allow_unsigned: args.allow_unsigned,
        passphrase: args.passphrase,
    };
    let session = context.session();
    let mut stdout = tokio::io::stdout();
    let opened = session.cat(&options).await?;
    let written = async {
        Ok(match opened {
            Cat::Written(written) => {
                drop(session);
                context.output.result("cat", &written, || text(&written))?;
                written.exit_code()
            }
            Cat::Part(mut part) => {
                let failed = |error| io_error("write to stdout", error);
                while let Some(piece) = part.stream.next().await? {
                    stdout.write_all(&piece).await.map_err(failed)?;
                }
                stdout.flush().await.map_err(failed)?;
                u8::from(!part.warnings().is_empty())
            }
            Cat::Rows(table) => {
                let warnings = table.recorder();
                table.format.write(table.rows, &mut stdout).await?;
                u8::from(!warnings.warnings().is_empty())
            }
        })
    };
    match written.await {
        // `| head`: whoever reads has enough. As with any program that a pipe ends, the status tells that it was not all.
        Err(error) if is_broken_pipe(&error) => Ok(BROKEN_PIPE),
        written => written,
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    error.is(&codes::IO) && cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

fn text(written: &CatResult) -> String {
    let file = &written.file;
    match (&written.part, &written.table) {
        (_, Some(table)) => format!("{} rows of {table} written to {file}", written.rows.unwrap_or_default()),
        (part, None) => format!(
            "{} bytes of {} written to {file}",
            written.bytes.unwrap_or_default(),
            part.as_deref().unwrap_or_default()
        ),
    }
}
