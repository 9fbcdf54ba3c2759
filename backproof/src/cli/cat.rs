//! `backproof cat`: one part's plaintext, or the rows of one table.

use super::Context;
use super::args::CatArgs;
use backup_core::error::{codes, io_error};
use backup_core::names::PartName;
use backup_core::pipeline::read::PartStream;
use backup_core::restore::ReadRequest;
use backup_core::{Error, Result};
use backup_postgres::inventory::TableName;
use backup_postgres::rows::{Format, table_rows};
use serde_json::json;
use std::path::Path;
use tokio::io::AsyncWriteExt;

pub(super) async fn run(context: &Context, args: &CatArgs) -> Result<u8> {
    if context.output.json && args.output.is_none() {
        return Err(Error::new(
            &codes::INVALID_ARGUMENT,
            "cat --json needs --output: stdout can hold one of them only",
        )
        .with_hint("say --output FILE"));
    }
    let settings = &context.settings;
    let repository = settings.repository().await?;
    let filter = settings.filter();
    let request = repository
        .read(args.id.parse()?)
        .filter(filter)
        .allow_unsigned(args.allow_unsigned)
        .open_with(settings.opener(args.passphrase, context.prompt.clone()).await?)
        .options(settings.pipeline.clone())
        .monitor(context.monitor());
    match (&args.part, &args.table) {
        (Some(_), None) if args.format.is_some() => {
            return Err(Error::new(&crate::error::codes::USAGE, "--format is for the rows of a table: say --table"));
        }
        (Some(part), None) => cat_part(context, args, &request, part).await?,
        (None, Some(table)) => cat_table(context, args, &request, table).await?,
        _ => return Err(Error::new(&crate::error::codes::USAGE, "say which part, or which table")),
    }
    Ok(u8::from(!request.warnings().is_empty()))
}

async fn cat_part(context: &Context, args: &CatArgs, request: &ReadRequest<'_>, part: &str) -> Result<()> {
    let stream = request.part(&PartName::from_manifest(part)?).await?;
    let Some(path) = &args.output else {
        return copy(stream, &mut tokio::io::stdout(), "stdout").await.map(drop);
    };
    let bytes = to_file(stream, path).await?;
    let file = path.display().to_string();
    context.output.result("cat", json!({ "part": part, "file": file, "bytes": bytes }), || {
        format!("{bytes} bytes of {part} written to {file}")
    })
}

async fn cat_table(context: &Context, args: &CatArgs, request: &ReadRequest<'_>, table: &str) -> Result<()> {
    let format: Format = args.format.as_deref().map(str::parse).transpose()?.unwrap_or_default();
    let table = TableName::parse(table).ok_or_else(|| {
        Error::new(&codes::INVALID_ARGUMENT, format!("{table:?} is not the name of a table"))
            .with_hint("write it as in SQL: public.orders, or public.\"Odd name\"")
    })?;
    let backup = request.open().await?;
    let rows = table_rows(&backup, &table).await?;
    let Some(path) = &args.output else {
        return format.write(rows, &mut tokio::io::stdout()).await.map(drop);
    };
    let rows = new_file(path, async |file| format.write(rows, file).await).await?;
    let file = path.display().to_string();
    let body = json!({ "table": table.to_string(), "format": format.name(), "file": file, "rows": rows });
    context.output.result("cat", body, || format!("{rows} rows of {table} written to {file}"))
}

async fn copy(mut stream: PartStream, out: &mut (impl AsyncWriteExt + Unpin), name: &str) -> Result<u64> {
    let failed = |error| io_error(format!("write to {name}"), error);
    let mut bytes = 0;
    while let Some(piece) = stream.next().await? {
        bytes += piece.len() as u64;
        out.write_all(&piece).await.map_err(failed)?;
    }
    out.flush().await.map_err(failed)?;
    Ok(bytes)
}

/// Writes a new file, private, whole or not at all: it gets its name when all is in it, and is removed when that does not come
/// to be (after a SIGKILL a hidden `.backproof-…` is left).
pub(super) async fn to_file(stream: PartStream, path: &Path) -> Result<u64> {
    new_file(path, async |file| copy(stream, file, &path.display().to_string()).await).await
}

async fn new_file(path: &Path, fill: impl AsyncFnOnce(&mut tokio::fs::File) -> Result<u64>) -> Result<u64> {
    let name = path.display().to_string();
    let exists = || Error::new(&codes::ALREADY_EXISTS, format!("{name} exists already"));
    if path.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error| io_error(format!("write to {name}"), error);
    // Readable by its owner alone.
    let temporary = tempfile::Builder::new().prefix(".backproof-").tempfile_in(folder).map_err(failed)?;
    let mut file = tokio::fs::File::from_std(temporary.reopen().map_err(failed)?);
    let written = fill(&mut file).await?;
    file.sync_all().await.map_err(failed)?;
    temporary.persist_noclobber(path).map_err(|refused| {
        if refused.error.kind() == std::io::ErrorKind::AlreadyExists { exists() } else { failed(refused.error) }
    })?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(written)
}
