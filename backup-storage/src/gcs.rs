//! `gs://`: Google Cloud Storage.

use crate::error::codes;
use crate::http::{Connector, build_error, retry_config};
use crate::metadata;
use crate::options::{CLOUD_SETTINGS, StoreOptions};
use crate::store::StoreSink;
use backup_core::{Error, Result};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use std::sync::Arc;
use url::Url;

const ENDPOINT: &str = "https://storage.googleapis.com";

/// Opens `gs://bucket/prefix`.
pub(crate) async fn open(bucket: &str, prefix: Path, options: &StoreOptions) -> Result<StoreSink> {
    options.only("gs://", CLOUD_SETTINGS)?;
    let endpoint = options.endpoint.as_deref().or_else(|| options.env.get("GOOGLE_BASE_URL"));
    options.check_endpoint(endpoint)?;
    let endpoint = endpoint.unwrap_or(ENDPOINT).trim_end_matches('/');
    let host = Url::parse(endpoint).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let connector = Connector::new(options, host)?;
    let clock = connector.clock();
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_base_url(endpoint)
        .with_http_connector(connector)
        .with_retry(retry_config(options));
    let (builder, from_machine) = credentials(builder, options).await?;
    let store = builder.build().map_err(|error| build_error("the credentials for gs://", error))?;
    if from_machine {
        metadata::try_credentials(store.credentials(), missing()).await?;
    }

    let location = format!("gs://{bucket}/{prefix}");
    Ok(StoreSink::in_cloud(Arc::new(store), prefix, &location, clock, options))
}

/// Credentials in Google's order ("Application Default Credentials"), after the key of a service account given as such. Says
/// whether they are the machine's.
async fn credentials(
    builder: GoogleCloudStorageBuilder,
    options: &StoreOptions,
) -> Result<(GoogleCloudStorageBuilder, bool)> {
    let env = &options.env;
    if let Some(key) = env.get("GOOGLE_SERVICE_ACCOUNT_KEY") {
        return Ok((builder.with_service_account_key(key), false));
    }
    if let Some(path) = env.first(&["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"]) {
        return Ok((builder.with_service_account_path(path), false));
    }
    if let Some(path) = env.get("GOOGLE_APPLICATION_CREDENTIALS") {
        return Ok((builder.with_application_credentials(path), false));
    }
    // Where `gcloud auth application-default login` leaves them.
    let home = env.get("HOME").map(|home| format!("{home}/.config/gcloud/application_default_credentials.json"));
    if let Some(path) = home.filter(|path| std::path::Path::new(path).is_file()) {
        return Ok((builder.with_application_credentials(path), false));
    }
    if metadata::answers(options, None).await { Ok((builder, true)) } else { Err(missing()) }
}

fn missing() -> Error {
    Error::new(
        &codes::CREDENTIALS_MISSING,
        "no credentials for gs://: looked at GOOGLE_SERVICE_ACCOUNT_KEY, GOOGLE_SERVICE_ACCOUNT, \
         GOOGLE_SERVICE_ACCOUNT_PATH, GOOGLE_APPLICATION_CREDENTIALS, gcloud's application_default_credentials.json, the \
         machine's metadata service",
    )
    .with_hint("set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account's key")
}
