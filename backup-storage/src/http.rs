//! The HTTP client under all clouds: TLS, timeouts, what is retried, and the store's clock.

use crate::environment::Environment;
use crate::error::codes;
use crate::exchange::{self, Failure, TransportFailure};
use crate::options::{CONNECT_TIMEOUT, REQUEST_TIMEOUT, RETRY_FOR, StoreOptions, invalid};
use async_trait::async_trait;
use backup_core::error::{ResultExt, io_error};
use backup_core::{Error, Result};
use bytes::Bytes;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, DATE};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::error::Error as StdError;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A service that hands out credentials must answer within this time.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(5);
/// A store that has never answered is given up on after this many failed connections, or this time: then the endpoint is
/// more likely wrong than down.
const FIRST_CONNECTIONS: u32 = 3;
const FIRST_CONNECTION_WITHIN: Duration = Duration::from_secs(10);
/// The most of an error's answer that is read.
const MOST_OF_AN_ERROR: usize = 64 * 1024;

/// The clock of a store, from the `Date` of its answers (RFC 9110, 6.6.1), which has seconds.
#[derive(Debug, Default)]
pub(crate) struct StoreClock(Mutex<Option<(Timestamp, Instant)>>);

impl StoreClock {
    fn note(&self, date: &str) {
        if let Ok(date) = jiff::fmt::rfc2822::parse(date) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((date.timestamp(), Instant::now()));
        }
    }

    /// The latest date, carried forward to now.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        let (date, noted) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        date.checked_add(SignedDuration::try_from(noted.elapsed()).ok()?).ok()
    }
}

/// What is retried for how long inside object_store: answers of 408, 429 and 5xx, connections that fail, and for reads
/// timeouts and broken connections too.
pub(crate) fn retry_config(options: &StoreOptions) -> RetryConfig {
    let retry_for = options.retry_for.unwrap_or(RETRY_FOR);
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(15),
            base: 2.0,
        },
        max_retries: if retry_for.is_zero() { 0 } else { 30 },
        retry_timeout: retry_for,
    }
}

/// Makes the client for one store and hands it to object_store.
#[derive(Clone, Debug)]
pub(crate) struct Connector(HttpClient, Arc<StoreClock>);

impl Connector {
    /// `store_host` is the host of the store: requests to any other are for credentials.
    pub(crate) fn new(options: &StoreOptions, store_host: String) -> Result<Self> {
        let tls = tls(options.ca_file.as_deref().or(options.env.get("AWS_CA_BUNDLE").map(Path::new)))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // One connection per upload in flight: over HTTP/2 all would share one connection's flow control.
            .http1_only()
            .connect_timeout(options.connect_timeout.unwrap_or(CONNECT_TIMEOUT))
            .timeout(options.request_timeout.unwrap_or(REQUEST_TIMEOUT))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("backproof/", env!("CARGO_PKG_VERSION")))
            .no_proxy();
        let client = with_proxies(client, &options.env)?
            .build()
            .or_code(&backup_core::error::codes::INVALID_ARGUMENT, || "the HTTP client could not be set up".into())?;
        let clock = Arc::new(StoreClock::default());
        let service = StoreClient { client, store_host, clock: clock.clone(), first_connections: Mutex::default() };
        Ok(Connector(HttpClient::new(service), clock))
    }

    /// The clock that the client keeps.
    pub(crate) fn clock(&self) -> Arc<StoreClock> {
        self.1.clone()
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

/// A client for anything else than a store: TLS with the system's certificates, and the usual proxies. The whole of a request may take `timeout`.
pub fn http_client(env: &Environment, timeout: Duration) -> Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(None)?)
        .connect_timeout(timeout)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("backproof/", env!("CARGO_PKG_VERSION")))
        .no_proxy();
    with_proxies(client, env)?
        .build()
        .or_code(&backup_core::error::codes::INVALID_ARGUMENT, || "the HTTP client could not be set up".into())
}

/// TLS by rustls and ring, trusting the system's certificates and those of a file.
fn tls(ca_file: Option<&Path>) -> Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    // Certificates of the system that cannot be read or used are no reason to fail: the one needed may be among the others.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        let unusable = |error: &dyn std::fmt::Display| invalid(format!("ca_file {}: {error}", file.display()));
        let pem = std::fs::read(file).map_err(|error| io_error(format!("read ca_file {}", file.display()), error))?;
        let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|error| unusable(&error))?;
        if certificates.is_empty() {
            return Err(unusable(&"there is no certificate in it"));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .or_code(&codes::TLS_FAILED, || "TLS could not be set up".into())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The usual proxy variables. Services that hand out credentials on this machine or link are never behind a proxy.
fn with_proxies(mut client: reqwest::ClientBuilder, env: &Environment) -> Result<reqwest::ClientBuilder> {
    let except = env.first(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
    let except = reqwest::NoProxy::from_string(&format!("169.254.0.0/16,metadata.google.internal,{except}"));
    let everything = ["ALL_PROXY", "all_proxy"];
    for (scheme, names) in [("https", ["HTTPS_PROXY", "https_proxy"]), ("http", ["http_proxy", "HTTP_PROXY"])] {
        let Some(url) = env.first(&names).or_else(|| env.first(&everything)) else { continue };
        let proxy = if scheme == "https" { reqwest::Proxy::https(url) } else { reqwest::Proxy::http(url) };
        // The URL may hold a password, and the cause may repeat it.
        let proxy = proxy.map_err(|_| invalid(format!("{} is not a proxy's URL", names.join(" or "))))?;
        client = client.proxy(proxy.no_proxy(except.clone()));
    }
    Ok(client)
}

#[derive(Debug)]
struct StoreClient {
    client: reqwest::Client,
    store_host: String,
    clock: Arc<StoreClock>,
    first_connections: Mutex<FirstConnections>,
}

#[derive(Debug, Default)]
struct FirstConnections {
    answered: bool,
    failed: u32,
    since: Option<Instant>,
}

impl StoreClient {
    /// Whether another connection should be tried after one failed.
    fn try_again(&self) -> bool {
        let mut first = self.first_connections.lock().unwrap_or_else(PoisonError::into_inner);
        if first.answered {
            return true;
        }
        first.failed += 1;
        let since = *first.since.get_or_insert_with(Instant::now);
        first.failed < FIRST_CONNECTIONS && since.elapsed() < FIRST_CONNECTION_WITHIN
    }

    fn failed(&self, error: HttpError, for_credentials: bool) -> HttpError {
        let kind = match error.kind() {
            _ if is_tls(&error) => TransportFailure::Tls,
            HttpErrorKind::Connect => TransportFailure::Connect,
            HttpErrorKind::Timeout => TransportFailure::Timeout,
            _ => TransportFailure::Broken,
        };
        let failure = Failure::Transport { to_credentials_service: for_credentials, kind, detail: innermost(&error) };
        exchange::note_failure(failure);
        let connecting = error.kind() == HttpErrorKind::Connect || is_connect(&error);
        // What `Unknown` says to object_store: do not try again.
        match kind {
            TransportFailure::Tls => HttpError::new(HttpErrorKind::Unknown, error),
            _ if connecting && !for_credentials && !self.try_again() => HttpError::new(HttpErrorKind::Unknown, error),
            _ if connecting => HttpError::new(HttpErrorKind::Connect, error),
            _ => error,
        }
    }
}

#[async_trait]
impl HttpService for StoreClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let for_credentials = request.uri().host().is_some_and(|host| host != self.store_host);
        let call = HttpService::call(&self.client, request);
        let answer = if for_credentials {
            tokio::time::timeout(CREDENTIALS_TIMEOUT, call)
                .await
                .unwrap_or_else(|elapsed| Err(HttpError::new(HttpErrorKind::Unknown, elapsed)))
        } else {
            call.await
        };
        let mut answer = answer.map_err(|error| self.failed(error, for_credentials))?;
        if !for_credentials {
            self.first_connections.lock().unwrap_or_else(PoisonError::into_inner).answered = true;
            if let Some(date) = answer.headers().get(DATE).and_then(|date| date.to_str().ok()) {
                self.clock.note(date);
            }
        }
        let status = answer.status();
        if status.is_success() {
            if !for_credentials {
                exchange::note_success(answer.headers().contains_key("x-amz-server-side-encryption"));
            }
            // `rclone serve s3` sends a part with status 200; that it is the right part is checked where it is read.
            if answer.headers().contains_key(CONTENT_RANGE) {
                *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            }
            return Ok(answer);
        }
        let (mut parts, body) = answer.into_parts();
        let said = StoreError::read(&beginning(body).await);
        // Only the code and the message go on: whole answers can hold session tokens (S3's ExpiredToken does).
        let text = said.to_string();
        exchange::note_failure(Failure::Answer {
            from_credentials_service: for_credentials,
            status: status.as_u16(),
            code: said.code,
            message: said.message,
        });
        // These say "never", but look to object_store like any 5xx, which it tries again and again.
        if matches!(status, StatusCode::NOT_IMPLEMENTED | StatusCode::INSUFFICIENT_STORAGE) {
            parts.status = StatusCode::METHOD_NOT_ALLOWED;
        }
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(Bytes::from(text))))
    }
}

/// The first part of an answer's body; nothing if it breaks off.
async fn beginning(body: HttpResponseBody) -> Vec<u8> {
    let mut found = Vec::new();
    let mut stream = body.bytes_stream();
    while let Some(Ok(chunk)) = stream.next().await {
        found.extend_from_slice(&chunk);
        if found.len() >= MOST_OF_AN_ERROR {
            break;
        }
    }
    found.truncate(MOST_OF_AN_ERROR);
    found
}

/// What a store says about an error.
#[derive(Debug, Default, PartialEq, Eq)]
struct StoreError {
    code: Option<String>,
    message: Option<String>,
}

impl StoreError {
    /// From the XML of S3, GCS and Azure (`<Error><Code>…</Code><Message>…</Message>…`), or the JSON of token services
    /// (RFC 6749, 5.2).
    fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        if let Ok(json) = serde_json::from_str::<serde_json::Value>(&text) {
            let field = |name: &str| json.get(name).and_then(|value| value.as_str()).map(plain);
            return StoreError { code: field("error"), message: field("error_description") };
        }
        let element = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>"))?;
            let (value, _) = rest.split_once(&format!("</{name}>"))?;
            Some(plain(value))
        };
        StoreError { code: element("Code"), message: element("Message") }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<_> = [&self.code, &self.message].into_iter().flatten().map(String::as_str).collect();
        f.write_str(&parts.join(": "))
    }
}

/// The first line of a text from outside, made fit to print.
fn plain(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let line = line
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    line.chars().filter(|char| !char.is_control()).take(300).collect()
}

/// Goes down the causes, through `io::Error`, which hides the error it wraps from `source()`.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        if let Some(found) = wrapped.and_then(|wrapped| find::<T>(wrapped)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn is_tls(error: &HttpError) -> bool {
    find::<rustls::Error>(error).is_some()
}

fn is_connect(error: &HttpError) -> bool {
    find::<reqwest::Error>(error).is_some_and(reqwest::Error::is_connect)
}

/// The last cause, which says what happened ("Connection refused"); those above it only say that something did.
fn innermost(error: &HttpError) -> String {
    if let Some(tls) = find::<rustls::Error>(error) {
        return tls.to_string();
    }
    let mut error: &(dyn StdError + 'static) = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

/// Why an error without an exchange's failure came about: the body of an answer broke off.
pub(crate) fn is_broken_transport(error: &object_store::Error) -> bool {
    find::<HttpError>(error).is_some()
}

/// The error of a wrong setting that object_store found while a client was built.
pub(crate) fn build_error(what: &str, error: object_store::Error) -> Error {
    Error::new(&codes::CREDENTIALS_FAILED, format!("{what} cannot be used")).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stores_say() {
        let said = |body: &str| StoreError::read(body.as_bytes()).to_string();
        let s3 = "<?xml version=\"1.0\"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message>\
                  <Token-0>SECRETTOKEN</Token-0></Error>";
        assert_eq!(said(s3), "ExpiredToken: The provided token has expired.");
        let azure = "\u{feff}<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed.\n\
                     RequestId:1\nTime:2</Message><AuthenticationErrorDetail>sig</AuthenticationErrorDetail></Error>";
        assert_eq!(said(azure), "AuthenticationFailed: Server failed.");
        assert_eq!(
            said(r#"{"error":"invalid_grant","error_description":"Bad","id_token":"SECRET"}"#),
            "invalid_grant: Bad"
        );
        assert_eq!(said("<html>anything SECRET</html>"), "");
        assert_eq!(said(""), "");
        assert_eq!(said("<Error><Code>A&amp;B\u{1b}[2J</Code>"), "A&B[2J");
    }

    #[test]
    fn the_clock_goes_on_from_the_date() {
        let clock = StoreClock::default();
        assert_eq!(clock.now(), None);
        clock.note("not a date");
        assert_eq!(clock.now(), None);
        clock.note("Sun, 06 Nov 1994 08:49:37 GMT");
        let now = clock.now().unwrap();
        let date: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        assert!(now >= date && now < date + SignedDuration::from_secs(60));
    }
}
