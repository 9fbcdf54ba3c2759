//! The metadata service of a cloud's machine, which hands out credentials where no variable does.

use std::time::Duration;
use tokio::net::TcpStream;

/// The address that AWS, Google Cloud and Azure share for it.
const ADDRESS: &str = "169.254.169.254:80";
/// On a machine that has one it answers in a few milliseconds; elsewhere, often nothing does at all.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether there is a metadata service here. `endpoint` is the URL of another than the usual one.
pub(crate) async fn answers(endpoint: Option<&str>) -> bool {
    let address = endpoint.and_then(|endpoint| {
        let url = url::Url::parse(endpoint).ok()?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
    });
    let address = address.as_deref().unwrap_or(ADDRESS);
    matches!(tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)))
}
