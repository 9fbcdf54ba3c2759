//! `gs://` against a small server of our own: there is no independent one to be had from a package registry.
//!
//! It speaks as much of the XML API as object_store uses: put (with `x-goog-if-generation-match`), get, ranges, head, delete,
//! list. So this tests that the parts fit, not that Google's service behaves like it.

mod support;

use backup_core::error::codes;
use backup_core::testing::sink::{SinkExpectations, sink_conformance_with};
use backup_storage::{StoreOptions, open};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, Response};
use std::collections::BTreeMap;
use std::sync::Mutex;
use support::answers::{answer, answering, refusal};
use support::{create, key, options};

const PREFIX: &str = "/bucket/";
const SERVICE_ACCOUNT: &str =
    r#"{"private_key": "very-secret", "private_key_id": "i", "client_email": "e", "disable_oauth": true}"#;

#[derive(Default)]
struct Bucket(Mutex<BTreeMap<String, Bytes>>);

impl Bucket {
    fn answer(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        let mut objects = self.0.lock().unwrap();
        let path = request.uri().path();
        // object_store escapes all but letters and digits.
        let escaped = format!("name={}", path.strip_prefix(PREFIX).unwrap_or_default());
        let name = url::form_urlencoded::parse(escaped.as_bytes()).next().unwrap().1.into_owned();
        let found = objects.get(&name).cloned();
        match (request.method(), found) {
            (&Method::GET, _) if name.is_empty() => list(&objects, request.uri().query().unwrap_or_default()),
            (&Method::PUT, Some(_)) if request.headers().contains_key("x-goog-if-generation-match") => {
                assert_eq!(request.headers()["x-goog-if-generation-match"], "0");
                refusal(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
            }
            (&Method::PUT, _) => {
                objects.insert(name, request.body().clone());
                with_meta(Response::builder(), Bytes::new())
            }
            (&Method::DELETE, Some(_)) => {
                objects.remove(&name);
                answer(204, "")
            }
            (&Method::GET | &Method::HEAD, Some(data)) => read(request, data),
            _ => refusal(404, "NoSuchKey", "The specified key does not exist."),
        }
    }
}

fn with_meta(builder: hyper::http::response::Builder, body: Bytes) -> Response<Full<Bytes>> {
    let now = jiff::Timestamp::now();
    let now = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap();
    builder
        .header("etag", "\"1\"")
        .header("x-goog-generation", "1")
        .header("last-modified", now)
        .body(body.into())
        .unwrap()
}

fn read(request: &Request<Bytes>, data: Bytes) -> Response<Full<Bytes>> {
    let Some(range) = request.headers().get("range").map(|range| range.to_str().unwrap().to_owned()) else {
        let length = data.len();
        let body = if request.method() == Method::HEAD { Bytes::new() } else { data };
        return with_meta(Response::builder().header("content-length", length), body);
    };
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let first: usize = first.parse().unwrap();
    if first >= data.len() {
        return refusal(416, "InvalidRange", "The requested range cannot be satisfied.");
    }
    let end = data.len().min(last.parse::<usize>().unwrap() + 1);
    let content_range = format!("bytes {first}-{}/{}", end - 1, data.len());
    with_meta(Response::builder().status(206).header("content-range", content_range), data.slice(first..end))
}

fn list(objects: &BTreeMap<String, Bytes>, query: &str) -> Response<Full<Bytes>> {
    let query: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let prefix = query.get("prefix").cloned().unwrap_or_default();
    let after = query.get("continuation-token").cloned().unwrap_or_default();
    // Pages of 100, so that there are several.
    let mut found: Vec<_> =
        objects.iter().filter(|(name, _)| name.starts_with(&prefix) && **name > after).take(101).collect();
    let more = found.len() > 100;
    found.truncate(100);
    let next =
        found.last().filter(|_| more).map(|(name, _)| format!("<NextContinuationToken>{name}</NextContinuationToken>"));
    let now = jiff::Timestamp::now();
    let contents: String = found
        .iter()
        .map(|(name, data)| {
            format!(
                "<Contents><Key>{name}</Key><Size>{}</Size><LastModified>{now}</LastModified><ETag>1</ETag></Contents>",
                data.len()
            )
        })
        .collect();
    answer(200, format!("<ListBucketResult>{contents}{}</ListBucketResult>", next.unwrap_or_default()))
}

async fn bucket() -> StoreOptions {
    let bucket = Bucket::default();
    let endpoint = answering(move |request| bucket.answer(&request)).await;
    let mut options = options(&[("GOOGLE_SERVICE_ACCOUNT_KEY", SERVICE_ACCOUNT)]);
    options.endpoint = Some(endpoint);
    options.allow_http = true;
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn gcs_keeps_the_contract() {
    let sink = open("gs://bucket/acme/prod", &bucket().await).await.unwrap();
    assert_eq!((sink.location().as_str(), sink.is_local()), ("gs://bucket/acme/prod", false));
    let expect = SinkExpectations { secrets: vec!["very-secret".into()], ..SinkExpectations::default() };
    sink_conformance_with(sink, expect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_condition_of_a_create_is_that_there_is_no_generation() {
    let sink = open("gs://bucket", &bucket().await).await.unwrap();
    create(&*sink, "a", b"1").await.unwrap();
    assert!(create(&*sink, "a", b"2").await.unwrap_err().is(&codes::ALREADY_EXISTS));
    assert_eq!(sink.read(&key("a"), None).await.unwrap(), "1");
    assert!(sink.clock().is_some(), "from the Date of the answers");
}

#[tokio::test]
async fn the_storage_class_goes_along() {
    let endpoint = answering(|request| {
        assert_eq!(request.headers()["x-goog-storage-class"], "NEARLINE");
        with_meta(Response::builder(), Bytes::new())
    })
    .await;
    let mut options = options(&[("GOOGLE_SERVICE_ACCOUNT_KEY", SERVICE_ACCOUNT)]);
    (options.endpoint, options.allow_http) = (Some(endpoint), true);
    options.storage_class = Some("NEARLINE".into());
    create(&*open("gs://bucket", &options).await.unwrap(), "a", b"1").await.unwrap();
}
