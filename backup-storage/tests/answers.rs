//! What the clients make of answers that no server can be made to give at will.

mod support;

use backup_core::digest::Sha256;
use backup_core::error::codes;
use backup_core::sink::{Sink, SinkExt};
use backup_storage::error::codes as storage_codes;
use backup_storage::{ServerSideEncryption, StoreOptions, open};
use bytes::Bytes;
use futures::TryStreamExt;
use hyper::header::HeaderMap;
use hyper::{Method, Response};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::answers::{answer, answering, refusal};
use support::{SECRET, create, key, s3_options};

type Answer = Response<http_body_util::Full<Bytes>>;

/// An S3 store that gives these answers one after the other, the last again and again; and the requests it got.
struct Scripted {
    sink: Arc<dyn Sink>,
    requests: Arc<Mutex<Vec<(Method, HeaderMap)>>>,
}

impl Scripted {
    async fn new(answers: Vec<Answer>) -> Self {
        Self::with(answers, |_| {}).await
    }

    async fn with(answers: Vec<Answer>, change: impl FnOnce(&mut StoreOptions)) -> Self {
        let requests = Arc::<Mutex<Vec<_>>>::default();
        let answers = Mutex::new(VecDeque::from(answers));
        let seen = requests.clone();
        let endpoint = answering(move |request| {
            seen.lock().unwrap().push((request.method().clone(), request.headers().clone()));
            let mut answers = answers.lock().unwrap();
            let next = answers.pop_front().unwrap();
            if answers.is_empty() {
                answers.push_back(next.clone());
            }
            next
        })
        .await;
        let mut options = s3_options(&endpoint);
        change(&mut options);
        Scripted { sink: open("s3://bucket/p", &options).await.unwrap(), requests }
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for passing in
        [refusal(503, "SlowDown", "slow"), refusal(500, "InternalError", ""), answer(429, ""), answer(502, "<html>")]
    {
        let store = Scripted::new(vec![passing.clone(), passing, answer(200, "")]).await;
        create(&*store.sink, "a", b"1").await.unwrap();
        assert_eq!(store.count(), 3);
    }
}

/// S3 answers 409 to creators that meet: neither has won yet.
#[tokio::test]
async fn creators_that_meet_try_again() {
    let met = refusal(409, "ConditionalRequestConflict", "a conflicting operation occurred");
    let store = Scripted::new(vec![met.clone(), met.clone(), answer(200, "")]).await;
    create(&*store.sink, "a", b"1").await.unwrap();
    assert_eq!(store.count(), 3);
    let store = Scripted::new(vec![met, refusal(412, "PreconditionFailed", "exists")]).await;
    assert!(create(&*store.sink, "a", b"1").await.unwrap_err().is(&codes::ALREADY_EXISTS));
}

#[tokio::test]
async fn what_cannot_pass_is_not_tried_again() {
    for (lasting, code) in [
        (refusal(403, "AccessDenied", "Access Denied"), &codes::ACCESS_DENIED),
        (refusal(404, "NoSuchBucket", "no bucket"), &storage_codes::BUCKET_NOT_FOUND),
        (refusal(400, "BadDigest", "differs"), &storage_codes::CHECKSUM_REFUSED),
        (refusal(400, "InvalidRequest", "no"), &storage_codes::STORE_REFUSED),
        (refusal(501, "NotImplemented", "A header you provided implies functionality"), &codes::UNSUPPORTED_BY_STORE),
        (refusal(507, "XMinioStorageFull", "full"), &codes::NO_SPACE),
        (refusal(412, "PreconditionFailed", "exists"), &codes::ALREADY_EXISTS),
        (refusal(301, "PermanentRedirect", "elsewhere"), &storage_codes::WRONG_REGION),
        (refusal(400, "AuthorizationHeaderMalformed", "the region is wrong"), &storage_codes::WRONG_REGION),
        (refusal(403, "RequestTimeTooSkewed", "clock"), &codes::ACCESS_DENIED),
    ] {
        let store = Scripted::new(vec![lasting]).await;
        let error = create(&*store.sink, "a", b"1").await.unwrap_err();
        assert!(error.is(code), "{} is not {code}", error.report());
        assert_eq!(store.count(), 1, "{}", error.report());
        assert!(error.chain().contains("a in s3://bucket/p"), "names the object and the store: {}", error.report());
    }
}

#[tokio::test]
async fn tries_end() {
    let store = Scripted::with(vec![refusal(503, "SlowDown", "Reduce your request rate")], |options| {
        options.retry_for = Some(Duration::from_millis(700));
    })
    .await;
    let error = create(&*store.sink, "a", b"1").await.unwrap_err();
    assert!(error.is(&codes::STORE_UNAVAILABLE), "{}", error.report());
    assert!(store.count() > 1, "there were other tries");
    assert!(error.chain().ends_with("the store answered 503 Service Unavailable (SlowDown: Reduce your request rate)"));
    let store = Scripted::with(vec![answer(503, "")], |options| options.retry_for = Some(Duration::ZERO)).await;
    assert!(create(&*store.sink, "a", b"1").await.is_err());
    assert_eq!(store.count(), 1);
}

/// The answer to the first put is lost; the second put is told that the object exists.
#[tokio::test]
async fn a_put_whose_answer_was_lost_is_recognised_as_our_own() {
    let lost = refusal(500, "InternalError", "stored, but who knows");
    let exists = refusal(412, "PreconditionFailed", "exists");
    let store = Scripted::new(vec![lost.clone(), exists.clone(), answer_with_length("ours")]).await;
    store.sink.create_or_same(&key("a"), Bytes::from_static(b"ours")).await.unwrap();
    let store = Scripted::new(vec![lost.clone(), exists.clone(), answer_with_length("that")]).await;
    let error = store.sink.create_or_same(&key("a"), Bytes::from_static(b"ours")).await.unwrap_err();
    assert!(error.is(&codes::ALREADY_EXISTS), "{}", error.report());
    let store = Scripted::new(vec![lost, exists, refusal(403, "AccessDenied", "no")]).await;
    let error = store.sink.create_or_same(&key("a"), Bytes::from_static(b"ours")).await.unwrap_err();
    assert!(error.is(&codes::ALREADY_EXISTS) && error.chain().contains("cannot be read back"), "{}", error.report());
}

fn answer_with_length(body: &'static str) -> Answer {
    Response::builder()
        .header("etag", "\"1\"")
        .header("last-modified", "Fri, 06 Nov 2026 08:49:37 GMT")
        .body(Bytes::from_static(body.as_bytes()).into())
        .unwrap()
}

/// Stores without times of modification say the beginning of their calendar, and year 1 is beyond what nanoseconds can count.
#[tokio::test]
async fn an_object_without_a_time_is_listed_all_the_same() {
    let object = |name: &str, time: &str| {
        format!(
            "<Contents><Key>p/{name}</Key><LastModified>{time}</LastModified><Size>1</Size><ETag>\"1\"</ETag></Contents>"
        )
    };
    let objects =
        [("a", "0001-01-01T00:00:00.000Z"), ("b", "1970-01-01T00:00:00.000Z"), ("c", "2026-11-06T08:49:37.000Z")];
    let contents: String = objects.iter().map(|(name, time)| object(name, time)).collect();
    let body = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>");
    let mut listed: Vec<_> = Scripted::new(vec![answer(200, body)]).await.sink.list("").try_collect().await.unwrap();
    listed.sort_by(|a, b| a.key.cmp(&b.key));
    let times: Vec<_> = listed.iter().map(|object| object.modified.map(|time| time.to_string())).collect();
    assert_eq!(times, [None, None, Some("2026-11-06T08:49:37Z".to_owned())]);
}

#[tokio::test]
async fn the_store_gets_the_digest_made_when_the_segment_was_sealed() {
    let store = Scripted::new(vec![answer(200, "")]).await;
    let known = Sha256::of(b"made elsewhere");
    store.sink.create(&key("a"), Bytes::from(vec![1; 100_000]), known).await.unwrap();
    let (method, headers) = store.requests.lock().unwrap()[0].clone();
    assert_eq!(method, Method::PUT);
    assert_eq!(headers["x-amz-content-sha256"], known.to_string().as_str());
    assert_eq!(headers["x-amz-checksum-sha256"], support::servers::to_base64(known.as_bytes()).as_str());
    assert_eq!(headers["if-none-match"], "*");
    let signed = headers["authorization"].to_str().unwrap();
    assert!(signed.contains("x-amz-checksum-sha256") && signed.contains("if-none-match"), "{signed}");
}

#[tokio::test]
async fn without_checksums_the_header_is_left_out() {
    let store = Scripted::with(vec![answer(200, "")], |options| options.checksums = Some(false)).await;
    create(&*store.sink, "a", b"1").await.unwrap();
    assert!(!store.requests.lock().unwrap()[0].1.contains_key("x-amz-checksum-sha256"));
}

#[tokio::test]
async fn settings_become_headers_of_each_put() {
    let confirmed = || Response::builder().header("etag", "\"1\"").header("x-amz-server-side-encryption", "aws:kms");
    let store = Scripted::with(vec![confirmed().body(Bytes::new().into()).unwrap()], |options| {
        options.storage_class = Some("STANDARD_IA".into());
        options.tags = [("team".to_owned(), "a b&c".to_owned()), ("x".to_owned(), "1".to_owned())].into();
        options.server_side_encryption = Some(ServerSideEncryption::Kms { key_id: Some("alias/acme".into()) });
    })
    .await;
    create(&*store.sink, "a", b"1").await.unwrap();
    let (_, headers) = store.requests.lock().unwrap()[0].clone();
    for (name, value) in [
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-tagging", "team=a+b%26c&x=1"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "alias/acme"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_create_without_condition_looks_first() {
    let absent = answer(404, "");
    let there = answer_with_length("theirs");
    let change = |options: &mut StoreOptions| options.allow_unconditional_create = true;
    let store = Scripted::with(vec![absent, answer(200, "")], change).await;
    create(&*store.sink, "a", b"1").await.unwrap();
    let requests = store.requests.lock().unwrap().clone();
    assert_eq!(requests.iter().map(|(method, _)| method).collect::<Vec<_>>(), [Method::HEAD, Method::PUT]);
    assert!(!requests[1].1.contains_key("if-none-match"));
    let store = Scripted::with(vec![there], change).await;
    assert!(create(&*store.sink, "a", b"1").await.unwrap_err().is(&codes::ALREADY_EXISTS));
    assert_eq!(store.count(), 1, "nothing was written");
}

#[tokio::test]
async fn fewer_bytes_than_asked_for_are_an_error() {
    // The store ignores the range, or answers another one.
    let other = Response::builder()
        .status(206)
        .header("etag", "\"1\"")
        .header("last-modified", "Fri, 06 Nov 2026 08:49:37 GMT")
        .header("content-range", "bytes 0-1/100")
        .body(Bytes::from_static(b"ab").into())
        .unwrap();
    for wrong in [other, answer_with_length("abcdefghijkl")] {
        let store = Scripted::new(vec![wrong]).await;
        assert!(store.sink.read(&key("a"), Some(0..10)).await.is_err());
    }
}

/// S3's own answer to an expired session repeats the session's token.
#[tokio::test]
async fn secrets_in_answers_stay_there() {
    const TOKEN: &str = "FwoGZXIvYXdzEJr-session-token";
    let body = format!(
        "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message><Token-0>{TOKEN}</Token-0>\
         <StringToSign>AWS4-HMAC-SHA256 {SECRET}</StringToSign></Error>"
    );
    for result in [
        create(&*Scripted::new(vec![answer(400, body.clone())]).await.sink, "a", b"1").await.err(),
        Scripted::new(vec![answer(403, body.clone())]).await.sink.read(&key("a"), None).await.err(),
        Scripted::new(vec![answer(403, body.clone())]).await.sink.list("").try_collect::<Vec<_>>().await.err(),
        Scripted::new(vec![answer(403, body.clone())]).await.sink.delete(&key("a")).await.err(),
    ] {
        let error = result.unwrap();
        let texts = [error.report(), format!("{error:?}"), error.chain()];
        assert!(error.is(&codes::ACCESS_DENIED), "{}", error.report());
        assert!(error.chain().contains("The provided token has expired."), "{}", error.report());
        assert!(texts.iter().all(|text| !text.contains(TOKEN) && !text.contains(SECRET)), "{texts:?}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_in_time_is_unavailable() {
    // Accepts connections and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = s3_options(&format!("http://{}", listener.local_addr().unwrap()));
    options.request_timeout = Some(Duration::from_millis(200));
    options.retry_for = Some(Duration::from_millis(300));
    let sink = open("s3://bucket", &options).await.unwrap();
    let error = create(&*sink, "a", b"1").await.unwrap_err();
    assert!(error.is(&codes::STORE_UNAVAILABLE), "{}", error.report());
    assert!(error.chain().contains("did not answer in time"), "{}", error.report());
}

/// Nobody listens: with the usual patience for failures that may pass, the wrong endpoint is still told within seconds.
#[tokio::test]
async fn an_endpoint_that_never_answered_is_told_soon() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sink = open("s3://bucket", &s3_options(&format!("http://{closed}"))).await.unwrap();
    let began = Instant::now();
    let error = sink.read(&key("a"), None).await.unwrap_err();
    assert!(error.is(&codes::STORE_UNAVAILABLE), "{}", error.report());
    assert!(error.chain().contains("Connection refused"), "{}", error.report());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_host_that_does_not_exist() {
    let mut options = s3_options("http://no-such-host.invalid");
    options.retry_for = Some(Duration::from_millis(300));
    let sink = open("s3://bucket", &options).await.unwrap();
    let error = create(&*sink, "a", b"1").await.unwrap_err();
    assert!(error.is(&codes::STORE_UNAVAILABLE), "{}", error.report());
}
