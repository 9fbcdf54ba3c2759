//! The metadata service of a cloud's machine, which hands out credentials where no variable does.

use crate::error::codes;
use crate::exchange::Exchange;
use crate::failure;
use crate::options::StoreOptions;
use backup_core::{Error, Result};
use object_store::CredentialProvider;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// The address that AWS, Google Cloud and Azure share for it.
const ADDRESS: &str = "169.254.169.254:80";
/// On a machine that has one it can be connected to in a few milliseconds; elsewhere, often nothing answers at all.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long it may take to hand out credentials.
const PATIENCE_FOR_CREDENTIALS: Duration = Duration::from_secs(5);

/// Whether there is a metadata service here, and it may be used. `endpoint` is the URL of another than the usual one.
pub(crate) async fn answers(options: &StoreOptions, endpoint: Option<&str>) -> bool {
    if options.metadata_service == Some(false) {
        return false;
    }
    let address = endpoint.and_then(|endpoint| {
        let url = url::Url::parse(endpoint).ok()?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
    });
    let address = address.as_deref().unwrap_or(ADDRESS);
    matches!(tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)))
}

/// Lets the metadata service hand out credentials now: if it has none, the error says so, and which variables were looked at.
pub(crate) async fn try_credentials<C>(
    provider: &Arc<dyn CredentialProvider<Credential = C>>,
    missing: Error,
) -> Result<()> {
    let exchange = Exchange::new();
    match tokio::time::timeout(PATIENCE_FOR_CREDENTIALS, exchange.scope(provider.get_credential())).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            let doing = "get credentials from the machine's metadata service".to_owned();
            Err(missing.with_source(failure::error(doing, error, &exchange)))
        }
        Err(elapsed) => Err(missing.with_source(Error::new(
            &codes::CREDENTIALS_FAILED,
            format!("the machine's metadata service did not answer: {elapsed}"),
        ))),
    }
}
