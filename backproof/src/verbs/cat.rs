//! `cat`: one part's plaintext, or the rows of one table.

use super::new_file::NewFile;
use super::{Reading, part_name, table_name, usage};
use crate::Backproof;
use backup_core::Result;
use backup_core::monitor::Recorder;
use backup_core::pipeline::read::PartStream;
use backup_postgres::rows::{Format, TableRows, table_rows};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// What [`cat`](Backproof::cat) takes: a part or a table.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("required" = ["id"])))]
#[serde(default, deny_unknown_fields)]
pub struct CatOptions {
    /// An id, the start of one, or `latest`.
    pub id: String,
    /// The part: `dump`, `globals`, `contents`, …
    pub part: Option<String>,
    /// The rows of this table instead, named as in SQL: `public.orders`. Only the segments that hold them are read; no server is needed.
    pub table: Option<String>,
    /// How rows are written into `output`; `csv` by default.
    pub format: Option<RowFormat>,
    /// A file for the plaintext, created; never overwritten.
    pub output: Option<PathBuf>,
    /// Read a backup that no trusted signer signed; it must be named by its id.
    pub allow_unsigned: bool,
    /// The backup was sealed to a passphrase: from the settings, or asked for.
    pub passphrase: bool,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum RowFormat {
    /// Comma-separated values, with a header: NULL is nothing, an empty string is `""`.
    #[default]
    Csv,
    /// As COPY's text, byte for byte as in the dump.
    Copy,
    /// One JSON object a line; all values are strings or null.
    Json,
}

impl From<RowFormat> for Format {
    fn from(format: RowFormat) -> Format {
        match format {
            RowFormat::Csv => Format::Csv,
            RowFormat::Copy => Format::Copy,
            RowFormat::Json => Format::Json,
        }
    }
}

/// A file that was written.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CatResult {
    /// The part that is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The table whose rows are in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// How rows are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<RowFormat>,
    /// The file.
    pub file: String,
    /// Bytes of the part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Rows of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// What needs attention.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl CatResult {
    /// The program's exit status: 1 with warnings.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.warnings.is_empty())
    }
}

/// What `cat` gives.
#[derive(Debug)]
pub enum Cat {
    /// With [`output`](CatOptions::output): a file was written.
    Written(CatResult),
    /// A part, to be read. What was read is the whole part only when the stream ends without an error.
    Part(PartReader),
    /// The rows of a table, to be read. They are all of them only when the last was followed by no error.
    Rows(Box<RowReader>),
}

/// A part's plaintext.
#[derive(Debug)]
pub struct PartReader {
    /// Its bytes.
    pub stream: PartStream,
    recorder: Arc<Recorder>,
}

/// The rows of a table.
#[derive(Debug)]
pub struct RowReader {
    /// The rows.
    pub rows: TableRows,
    /// How they were asked to be written.
    pub format: Format,
    recorder: Arc<Recorder>,
}

impl PartReader {
    /// The warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        self.recorder.warnings()
    }
}

impl RowReader {
    /// What keeps the warnings, for when the rows were taken out.
    pub fn recorder(&self) -> Arc<Recorder> {
        self.recorder.clone()
    }

    /// The warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        self.recorder.warnings()
    }
}

impl Backproof {
    /// Opens the plaintext of one part, or the rows of one table; with [`output`](CatOptions::output) it is written into a file.
    pub async fn cat(&self, options: &CatOptions) -> Result<Cat> {
        self.unless_cancelled(Box::pin(self.opened(options))).await
    }

    async fn opened(&self, options: &CatOptions) -> Result<Cat> {
        match (&options.part, &options.table) {
            (Some(_), None) if options.format.is_some() => {
                return Err(usage("--format is for the rows of a table: say --table"));
            }
            (Some(_), None) | (None, Some(_)) => {}
            _ => return Err(usage("say which part, or which table")),
        }
        let repository = self.repository().await?;
        let recorder = self.recorder();
        let reading = Reading {
            id: &options.id,
            allow_unsigned: options.allow_unsigned,
            passphrase: options.passphrase,
            filter: self.settings().filter(),
        };
        let request = self.read(&repository, reading, &recorder).await?;
        let (part, table, output) = (options.part.clone(), options.table.as_deref(), options.output.as_deref());
        let mut written = CatResult {
            part,
            file: output.map(|path| path.display().to_string()).unwrap_or_default(),
            ..CatResult::default()
        };
        if let Some(part) = &written.part {
            let stream = request.part(&part_name(part)?).await?;
            let Some(path) = output else { return Ok(Cat::Part(PartReader { stream, recorder })) };
            let mut file = NewFile::create(path)?;
            written.bytes = Some(file.write(stream).await?);
            file.finish().await?;
        } else if let Some(table) = table {
            let table = table_name(table)?;
            let wanted = options.format.unwrap_or_default();
            let format = Format::from(wanted);
            let backup = request.open().await?;
            let rows = table_rows(&backup, &table).await?;
            let Some(path) = output else { return Ok(Cat::Rows(Box::new(RowReader { rows, format, recorder }))) };
            let mut file = NewFile::create(path)?;
            written.rows = Some(format.write(rows, &mut file.file).await?);
            file.finish().await?;
            (written.table, written.format) = (Some(table.to_string()), Some(wanted));
        }
        written.warnings = recorder.warnings();
        Ok(Cat::Written(written))
    }
}
