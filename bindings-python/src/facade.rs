//! The one place where the facade is called.

use crate::exchange::Exchange;
use backproof::core::cipher::NoEncryption;
use backproof::core::error::codes;
use backproof::core::monitor::Monitor;
use backproof::core::repository::{OpenOptions, Repository};
use backproof::core::source::Source;
use backproof::{Error, Result};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(crate) struct Io {
    pub(crate) source: Option<Arc<dyn Source>>,
    pub(crate) monitor: Arc<dyn Monitor>,
    pub(crate) cancel: CancellationToken,
}

#[derive(Clone)]
pub(crate) struct Backproof(Arc<Inner>);
struct Inner {
    url: String,
    sink: tokio::sync::OnceCell<Arc<dyn backproof::core::sink::Sink>>,
}

pub(crate) fn open(settings: &str, _environment: Option<&str>) -> Result<Backproof> {
    let settings: Value = serde_json::from_str(settings)
        .map_err(|e| Error::new(&codes::INVALID_ARGUMENT, "settings").with_source(e))?;
    let url = settings["repo"].as_str().unwrap_or_default().to_owned();
    Ok(Backproof(Arc::new(Inner { url, sink: tokio::sync::OnceCell::new() })))
}

pub(crate) async fn call(
    facade: &Backproof,
    verb: &str,
    options: &str,
    io: Io,
    exchange: &Arc<Exchange>,
) -> Result<String> {
    let options: Value = serde_json::from_str(options)
        .map_err(|e| Error::new(&codes::INVALID_ARGUMENT, "options").with_source(e))?;
    let sink = facade
        .0
        .sink
        .get_or_try_init(|| async {
            backproof::storage::open(&facade.0.url, &backproof::storage::StoreOptions::from_env()).await
        })
        .await?
        .clone();
    if verb == "init" {
        let marker = backproof::core::repository::marker::Marker::new(None, sink.capabilities())?;
        Repository::create(sink, marker).await?;
        return Ok("{}".into());
    }
    let repo = Repository::open(sink, OpenOptions::default()).await?;
    match verb {
        "backup" => {
            let source = io.source.ok_or_else(|| Error::new(&codes::INVALID_ARGUMENT, "no source"))?;
            let mut pipeline = backproof::core::pipeline::PipelineOptions::default();
            if options["none"].as_bool() == Some(true) {
                pipeline.compression = backproof::core::repository::manifest::Compression::None;
            }
            let report = repo
                .backup("app".parse()?, source)
                .seal(Arc::new(NoEncryption))
                .options(pipeline)
                .monitor(io.monitor)
                .cancel_with(io.cancel)
                .run()
                .await?;
            Ok(json!({"id": report.manifest.id, "plain_bytes": report.manifest.plain_bytes()}).to_string())
        }
        "cat" => {
            let request = repo.read(options["id"].as_str().unwrap_or("latest").parse()?);
            let mut stream = request.part(&"data".parse()?).await?;
            while let Some(piece) = stream.next().await? {
                exchange.give(Bytes::from_owner(piece)).await;
            }
            Ok("{}".into())
        }
        "list" => {
            let catalog = repo.catalog(None).await?;
            Ok(json!({"backups": catalog.entries().iter().map(|e| json!({"id": e.id})).collect::<Vec<_>>()}).to_string())
        }
        _ => Err(Error::new(&codes::INVALID_ARGUMENT, format!("no verb {verb}"))),
    }
}
