//! `verify --alert-on-failure`: one event to Sentry for any status but 0, and never a better or a worse status because of it.

use crate::site::Site;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

/// A request as it came: its head, and the lines of its body.
struct Posted {
    head: String,
    lines: Vec<Value>,
}

/// Answers one request with this status.
fn sentry(status: &'static str) -> (String, JoinHandle<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("http://public:secret@{}/42", listener.local_addr().unwrap());
    let answered = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while reader.read_line(&mut head).unwrap() > 2 {}
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().trim().parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        write!(&stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        let body = String::from_utf8(body).unwrap();
        Posted { head, lines: body.lines().map(|line| serde_json::from_str(line).unwrap()).collect() }
    });
    (dsn, answered)
}

#[test]
fn somebody_is_told_of_any_status_but_healthy() {
    let mut site = Site::new();
    let id = site.backup("data", &[]);
    let (dsn, asked) = sentry("200 OK");
    site.set("SENTRY_DSN", dsn);
    site.set("SENTRY_ENVIRONMENT", "production");
    // Nobody is told that all is well.
    site.run(&["verify", "--alert-on-failure"]).ok();
    let run = site.run(&["verify", "--alert-on-failure", "--min-size", "1TB", "--json"]).ends(2);
    assert_eq!(run.json()["status"], "error", "{run}");
    let Posted { head, lines } = asked.join().unwrap();
    assert!(head.starts_with("post /api/42/envelope/ http/1.1"), "{head}");
    assert!(head.contains("x-sentry-auth: sentry sentry_version=7,") && head.contains("sentry_key=public"), "{head}");
    assert!(head.contains("content-type: application/x-sentry-envelope"), "{head}");
    let [envelope, item, event] = lines.try_into().unwrap();
    assert_eq!(envelope["event_id"], event["event_id"]);
    assert_eq!(event["event_id"].as_str().unwrap().len(), 32);
    assert_eq!((&item["type"], &event["level"]), (&"event".into(), &"error".into()));
    assert_eq!(item["length"], event.to_string().len());
    assert_eq!((&event["environment"], &event["tags"]["status"]), (&"production".into(), &"error".into()));
    let finding = &event["extra"]["findings"][0];
    assert_eq!(finding["code"], "backup_too_small", "{event:#}");
    assert!(
        event["logentry"]["formatted"].as_str().unwrap().contains(finding["message"].as_str().unwrap()),
        "{event:#}"
    );
    assert!(!head.contains("secret") && !event.to_string().contains("secret"));
    assert!(!id.is_empty());
}

/// A store that is gone is what an alert is for.
#[test]
fn somebody_is_told_of_an_error() {
    let mut site = Site::new();
    std::fs::remove_dir_all(site.path("repo")).unwrap();
    let (dsn, asked) = sentry("200 OK");
    site.set("SENTRY_DSN", dsn);
    assert_eq!(site.run(&["verify", "--alert-on-failure", "--json"]).code(), "no_repository");
    let event = asked.join().unwrap().lines.pop().unwrap();
    assert_eq!((&event["level"], &event["extra"]["code"]), (&"error".into(), &"no_repository".into()), "{event:#}");
}

/// Settings that cannot be used are a failure like any other.
#[test]
fn somebody_is_told_of_a_broken_configuration() {
    let mut site = Site::new();
    site.write("backproof.toml", "[repository]\nurl = 3\n");
    let (dsn, asked) = sentry("200 OK");
    site.set("SENTRY_DSN", dsn);
    assert_eq!(site.run(&["verify", "--alert-on-failure", "--json"]).code(), "invalid_configuration");
    let event = asked.join().unwrap().lines.pop().unwrap();
    assert_eq!(event["extra"]["code"], "invalid_configuration", "{event:#}");
}

#[test]
fn an_alert_that_fails_is_a_warning_and_changes_no_status() {
    let mut site = Site::new();
    site.backup("data", &[]);
    let (dsn, asked) = sentry("429 Too Many Requests");
    site.set("SENTRY_DSN", dsn);
    let verify = ["verify", "--alert-on-failure", "--min-size", "1TB", "--json"];
    let run = site.run(&verify).ends(2);
    asked.join().unwrap();
    assert!(run.stderr.contains("warning: nobody was alerted") && run.stderr.contains("429"), "{run}");
    assert!(run.json()["warnings"][0].as_str().unwrap().contains("[alert_failed]"), "{run}");
    // A port that nobody listens at.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    site.set("SENTRY_DSN", format!("http://public@127.0.0.1:{port}/42"));
    let run = site.run(&verify).ends(2);
    assert!(run.stderr.contains("warning: nobody was alerted"), "{run}");
    site.set("SENTRY_DSN", "https://sentry.example.com/42");
    let run = site.run(&verify);
    assert_eq!(run.code(), "invalid_argument");
}
