//! `backproof cat`: one part's plaintext, or the rows of one table.

use super::Context;
use super::args::CatArgs;
use crate::verbs::{Cat, CatOptions, CatResult};
use backup_core::error::{codes, io_error};
use backup_core::{Error, Result};
use tokio::io::AsyncWriteExt;

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
    let warnings = match session.cat(&options).await? {
        Cat::Written(written) => {
            drop(session);
            context.output.result("cat", &written, || text(&written))?;
            return Ok(written.exit_code());
        }
        Cat::Part(mut part) => {
            let failed = |error| io_error("write to stdout", error);
            while let Some(piece) = part.stream.next().await? {
                stdout.write_all(&piece).await.map_err(failed)?;
            }
            stdout.flush().await.map_err(failed)?;
            part.warnings()
        }
        Cat::Rows(table) => {
            let warnings = table.recorder();
            table.format.write(table.rows, &mut stdout).await?;
            warnings.warnings()
        }
    };
    Ok(u8::from(!warnings.is_empty()))
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
