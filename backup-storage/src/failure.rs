//! From what a store answered to an error with a code.

use crate::error::codes;
use crate::exchange::{Exchange, Failure, TransportFailure};
use crate::http::is_broken_transport;
use backup_core::Error;
use backup_core::error::{Code, codes as core};
use std::error::Error as StdError;
use std::fmt;

/// What the store did, as the cause of an error: no addresses and no headers, so no secrets.
#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}

/// Makes the error of a call that failed. `doing` is a verb phrase that names the object and the store.
pub(crate) fn error(doing: String, cause: object_store::Error, exchange: &Exchange) -> Error {
    let message = format!("could not {doing}");
    let Some(failure) = exchange.failure() else {
        let code = without_answer(&cause);
        return Error::new(code, message).with_source(cause);
    };
    let (code, hint) = judge(&failure);
    let error = Error::new(code, message).with_source(Cause(describe(&failure)));
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// For errors that did not come from an answer to our HTTP client.
fn without_answer(error: &object_store::Error) -> &'static Code {
    use object_store::Error as E;
    match error {
        E::NotFound { .. } => &core::OBJECT_NOT_FOUND,
        E::AlreadyExists { .. } | E::Precondition { .. } => &core::ALREADY_EXISTS,
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => &core::ACCESS_DENIED,
        E::NotSupported { .. } | E::NotImplemented { .. } => &core::UNSUPPORTED_BY_STORE,
        E::InvalidPath { .. } => &core::INVALID_NAME,
        _ if is_broken_transport(error) => &core::STORE_UNAVAILABLE,
        _ => io_code(error),
    }
}

/// A library user's own store may be on a disk: a full one is told from the others.
fn io_code(error: &object_store::Error) -> &'static Code {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            // The kind alone decides.
            return backup_core::error::io_error("", std::io::Error::from(io.kind())).code();
        }
        next = error.source();
    }
    &core::IO
}

fn judge(failure: &Failure) -> (&'static Code, Option<&'static str>) {
    match failure {
        Failure::Transport { to_credentials_service: true, .. } => (&codes::CREDENTIALS_FAILED, None),
        Failure::Answer { from_credentials_service: true, .. } => (&codes::CREDENTIALS_FAILED, None),
        Failure::Transport { kind: TransportFailure::Tls, .. } => (&codes::TLS_FAILED, None),
        Failure::Transport { .. } => (&core::STORE_UNAVAILABLE, None),
        Failure::Answer { status, code, .. } => by_answer(*status, code.as_deref().unwrap_or_default()),
    }
}

/// By the store's code first, then by the status.
///
/// Codes: S3's "Error responses", Azure's "Blob service error codes", GCS's XML API "HTTP status and error codes"; MinIO's
/// begin with `XMinio`.
fn by_answer(status: u16, code: &str) -> (&'static Code, Option<&'static str>) {
    match (status, code) {
        (_, "NoSuchBucket" | "ContainerNotFound" | "InvalidBucketName" | "ContainerBeingDeleted") => {
            (&codes::BUCKET_NOT_FOUND, None)
        }
        (_, "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed") | (301 | 307, _) => {
            (&codes::WRONG_REGION, None)
        }
        (
            _,
            "BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch" | "Md5Mismatch",
        ) => (&codes::CHECKSUM_REFUSED, None),
        (507, _)
        | (_, "QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded") => {
            (&core::NO_SPACE, None)
        }
        (_, "RequestTimeTooSkewed") => (
            &core::ACCESS_DENIED,
            Some("this machine's clock differs from the store's by more than 15 minutes: set it right"),
        ),
        (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => {
            (&core::ACCESS_DENIED, Some("the session's credentials have expired or were cut: get new ones"))
        }
        (_, "InvalidStorageClass" | "NotImplemented" | "UnsupportedHeader") | (405 | 501, _) => (
            &core::UNSUPPORTED_BY_STORE,
            Some(
                "the cause names what it is; `checksums = false` leaves the checksum header out, and a store without \
                 create-if-absent can be used by a single writer with `allow_unconditional_create`",
            ),
        ),
        (_, "BlobImmutableDueToPolicy" | "RetentionPolicyNotMet" | "ObjectUnderActiveHold") => {
            (&core::ACCESS_DENIED, Some("the store keeps this object until its retention ends"))
        }
        (_, code) if is_conflict(status, code) => (&core::STORE_UNAVAILABLE, None),
        (404, _) => (&core::OBJECT_NOT_FOUND, None),
        (304 | 409 | 412, _) => (&core::ALREADY_EXISTS, None),
        (401 | 403, _) => (&core::ACCESS_DENIED, None),
        (416, _) => (&core::INVALID_ARGUMENT, Some("the range does not lie within the object")),
        (408 | 429 | 500..=599, _) => (&core::STORE_UNAVAILABLE, None),
        _ => (&codes::STORE_REFUSED, None),
    }
}

/// Whether the store says that another request for the same key was under way, so that this one did nothing and should be
/// sent again (S3: "409 ConditionalRequestConflict … retry the upload").
fn is_conflict(status: u16, code: &str) -> bool {
    status == 409 && matches!(code, "ConditionalRequestConflict" | "OperationAborted")
}

/// Whether sending a put again may help, although object_store did not: it cannot know that we read back what "exists".
pub(crate) fn put_may_be_repeated(exchange: &Exchange) -> bool {
    match exchange.failure() {
        Some(Failure::Answer { from_credentials_service: false, status, code, .. }) => {
            is_conflict(status, code.as_deref().unwrap_or_default())
        }
        Some(Failure::Transport { to_credentials_service: false, kind, .. }) => {
            matches!(kind, TransportFailure::Timeout | TransportFailure::Broken)
        }
        _ => false,
    }
}

fn describe(failure: &Failure) -> String {
    let service = |for_credentials: bool| {
        if for_credentials { "the service that hands out credentials" } else { "the store" }
    };
    match failure {
        Failure::Answer { from_credentials_service, status, code, message } => {
            let mut text = format!("{} answered {status}", service(*from_credentials_service));
            if let Some(reason) =
                reqwest::StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason())
            {
                text.push_str(&format!(" {reason}"));
            }
            match (code, message) {
                (Some(code), Some(message)) => text.push_str(&format!(" ({code}: {message})")),
                (Some(one), None) | (None, Some(one)) => text.push_str(&format!(" ({one})")),
                (None, None) => {}
            }
            text
        }
        Failure::Transport { to_credentials_service, kind, detail } => {
            let service = service(*to_credentials_service);
            match kind {
                TransportFailure::Connect => format!("no connection to {service}: {detail}"),
                TransportFailure::Tls => format!("no trusted connection to {service}: {detail}"),
                TransportFailure::Timeout => format!("{service} did not answer in time: {detail}"),
                TransportFailure::Broken => format!("the connection to {service} broke: {detail}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_codes() {
        for (status, code, expected) in [
            (404, "NoSuchKey", "object_not_found"),
            (404, "", "object_not_found"),
            (404, "NoSuchBucket", "bucket_not_found"),
            (404, "ContainerNotFound", "bucket_not_found"),
            (403, "AccessDenied", "access_denied"),
            (403, "", "access_denied"),
            (401, "", "access_denied"),
            (403, "RequestTimeTooSkewed", "access_denied"),
            (400, "ExpiredToken", "access_denied"),
            (301, "PermanentRedirect", "wrong_region"),
            (400, "AuthorizationHeaderMalformed", "wrong_region"),
            (400, "BadDigest", "checksum_refused"),
            (400, "XAmzContentSHA256Mismatch", "checksum_refused"),
            (507, "", "no_space"),
            (403, "QuotaExceeded", "no_space"),
            (501, "NotImplemented", "unsupported_by_store"),
            (405, "", "unsupported_by_store"),
            (400, "InvalidStorageClass", "unsupported_by_store"),
            (412, "PreconditionFailed", "already_exists"),
            (409, "BlobAlreadyExists", "already_exists"),
            (409, "ConditionalRequestConflict", "store_unavailable"),
            (409, "BlobImmutableDueToPolicy", "access_denied"),
            (416, "InvalidRange", "invalid_argument"),
            (503, "SlowDown", "store_unavailable"),
            (500, "InternalError", "store_unavailable"),
            (429, "", "store_unavailable"),
            (400, "InvalidRequest", "store_refused"),
        ] {
            assert_eq!(by_answer(status, code).0.name(), expected, "{status} {code}");
        }
    }
}
