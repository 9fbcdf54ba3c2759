//! Telling somebody that a verification failed: by one event to Sentry.
//!
//! The event is an envelope with one item, as <https://develop.sentry.dev/sdk/data-model/envelopes/> and
//! <https://develop.sentry.dev/sdk/overview/> (parsing the DSN, authentication) have it. It holds what the verdict says, and no secrets.

use crate::error::codes::ALERT_FAILED;
use backup_core::error::codes::{INVALID_ARGUMENT, NO_EFFECT};
use backup_core::verify::{Finding, Severity, Status, Verdict};
use backup_core::{Error, Result};
use backup_storage::Environment;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// How long the whole of an alert may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many findings an alert tells of; Sentry takes events of up to 1 MB.
const MOST_FINDINGS: usize = 100;
const CLIENT: &str = concat!("backproof/", env!("CARGO_PKG_VERSION"));

/// Where alerts go.
#[derive(Debug)]
pub struct Alerts {
    /// Where envelopes are posted.
    endpoint: Url,
    /// The public key of the DSN.
    key: SecretString,
    environment: Option<String>,
    client: reqwest::Client,
}

/// What somebody is alerted of.
#[derive(Clone, Debug)]
pub struct Alert {
    status: Status,
    message: String,
    details: Value,
}

impl Alerts {
    /// The channel that the environment names: Sentry, by `SENTRY_DSN`; `SENTRY_ENVIRONMENT` goes with each event.
    ///
    /// # Errors
    /// [`NO_EFFECT`] without one, and [`INVALID_ARGUMENT`] where it is not a DSN.
    pub fn from_env(env: &Environment) -> Result<Self> {
        let Some(dsn) = env.get("SENTRY_DSN") else {
            return Err(Error::new(&NO_EFFECT, "--alert-on-failure: no channel for alerts is configured")
                .with_hint("set SENTRY_DSN, or act on the exit status, or on --json"));
        };
        let (endpoint, key) = parse(dsn).ok_or_else(|| {
            // Not repeated: what is mistyped may be a secret.
            Error::new(&INVALID_ARGUMENT, "SENTRY_DSN is not a DSN").with_hint(
                "it looks like https://PUBLIC_KEY@HOST/PROJECT, in Sentry's settings of the project under Client Keys",
            )
        })?;
        Ok(Alerts {
            endpoint,
            key,
            environment: env.get("SENTRY_ENVIRONMENT").map(str::to_owned),
            client: backup_storage::http_client(env, TIMEOUT)?,
        })
    }

    /// Sends it, within ten seconds.
    ///
    /// # Errors
    /// [`ALERT_FAILED`] where it was not taken.
    pub async fn send(&self, alert: &Alert) -> Result<()> {
        let host = self.endpoint.host_str().unwrap_or_default().to_owned();
        let failed = |what: &str| Error::new(&ALERT_FAILED, format!("Sentry at {host} {what}"));
        let request = self
            .client
            .post(self.endpoint.clone())
            .header(
                "X-Sentry-Auth",
                format!("Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key={}", self.key.expose_secret()),
            )
            .header("Content-Type", "application/x-sentry-envelope")
            .body(self.envelope(alert, Timestamp::now())?);
        let answer = request.send().await.map_err(|error| {
            let what = if error.is_timeout() { "did not answer in time" } else { "could not be reached" };
            failed(what).with_source(error.without_url())
        })?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(failed(&format!("answered {status}"))),
        }
    }

    /// Lines of JSON: the envelope's header, the item's header, the event.
    fn envelope(&self, alert: &Alert, now: Timestamp) -> Result<Vec<u8>> {
        let id = [backup_core::id::random_hex()?, backup_core::id::random_hex()?].concat();
        let event = json!({
            "event_id": id,
            "timestamp": now,
            "platform": "other",
            "logger": "backproof",
            "level": match alert.status { Status::Error => "error", _ => "warning" },
            "release": concat!("backproof@", env!("CARGO_PKG_VERSION")),
            "environment": self.environment,
            "logentry": { "formatted": alert.message },
            "tags": { "status": alert.status },
            "extra": alert.details,
        })
        .to_string();
        let head = json!({ "event_id": id, "sent_at": now });
        let item = json!({ "type": "event", "length": event.len() });
        Ok(format!("{head}\n{item}\n{event}\n").into_bytes())
    }
}

impl Alert {
    /// What a verification found.
    pub fn of_verdict(verdict: &Verdict) -> Self {
        let of_backups = verdict
            .backups
            .iter()
            .flat_map(|backup| backup.findings.iter().map(move |finding| (Some(backup.id.to_string()), finding)));
        let of_all = verdict.findings.iter().map(|finding| (None, finding));
        let mut findings: Vec<(Option<String>, &Finding)> =
            of_all.chain(of_backups).filter(|(_, finding)| finding.severity > Severity::Notice).collect();
        findings.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.severity));
        let worst = findings.first().map_or_else(String::new, |(_, finding)| format!(": {}", finding.message));
        let count = findings.len();
        let findings: Vec<Value> = findings
            .into_iter()
            .take(MOST_FINDINGS)
            .map(|(id, finding)| json!({ "backup": id, "severity": finding.severity, "code": finding.code, "message": finding.message }))
            .collect();
        Alert {
            status: verdict.status(),
            message: format!("backups at {}: {}{worst}", verdict.location, verdict.status()),
            details: json!({
                "repository": verdict.location,
                "level": verdict.level,
                "verified_at": verdict.verified_at,
                "findings": findings,
                "findings_in_all": count,
            }),
        }
    }

    /// Why a verification could not be made.
    pub fn of_error(error: &Error) -> Self {
        Alert {
            status: Status::Error,
            message: format!("backups could not be verified: {}", error.chain()),
            details: json!({ "code": error.code().name(), "hint": error.hint() }),
        }
    }
}

/// `{SCHEME}://{PUBLIC_KEY}[:{SECRET_KEY}]@{HOST}[:{PORT}]{PATH}/{PROJECT}`: where its envelopes go, and the public key.
fn parse(dsn: &str) -> Option<(Url, SecretString)> {
    let dsn = Url::parse(dsn).ok()?;
    let (path, project) = dsn.path().rsplit_once('/')?;
    let key = SecretString::from(dsn.username().to_owned());
    if !["http", "https"].contains(&dsn.scheme()) || key.expose_secret().is_empty() || project.is_empty() {
        return None;
    }
    let mut endpoint = dsn.clone();
    endpoint.set_username("").ok()?;
    endpoint.set_password(None).ok()?;
    endpoint.set_path(&format!("{path}/api/{project}/envelope/"));
    endpoint.set_query(None);
    endpoint.set_fragment(None);
    Some((endpoint, key))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use secrecy::ExposeSecret;

    #[test]
    fn where_envelopes_go() {
        for (dsn, endpoint, key) in [
            ("https://abc@o1.ingest.sentry.io/42", "https://o1.ingest.sentry.io/api/42/envelope/", "abc"),
            (
                "https://abc:old@sentry.example.com:9000/sub/folder/7",
                "https://sentry.example.com:9000/sub/folder/api/7/envelope/",
                "abc",
            ),
            ("http://abc@[::1]:8000/1", "http://[::1]:8000/api/1/envelope/", "abc"),
        ] {
            let (found, public) = parse(dsn).unwrap();
            assert_eq!((found.as_str(), public.expose_secret()), (endpoint, key));
        }
        for wrong in
            ["", "abc", "https://o1.ingest.sentry.io/42", "https://abc@host/", "https://abc@host", "ftp://abc@host/1"]
        {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
