//! Errors as JSON: the code, what it says, what to do, and the causes.

use backproof::Error;
use backproof::core::error::codes::INVALID_ARGUMENT;
use serde_json::{Value, json};
use std::error::Error as _;

/// What lib/error.cjs makes a `BackproofError` of.
pub(crate) fn describe(error: &Error) -> Value {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(match error.downcast_ref::<Error>() {
            Some(ours) => json!({ "message": ours.to_string(), "code": ours.code().name(), "hint": ours.hint(), "transient": ours.is_transient() }),
            None => json!({ "message": error.to_string() }),
        });
        cause = error.source();
    }
    json!({
        "code": error.code().name(),
        "message": error.to_string(),
        "hint": error.hint(),
        "transient": error.is_transient(),
        "causes": causes,
    })
}

/// The same, thrown: JavaScript's side parses the message.
pub(crate) fn thrown(error: &Error) -> napi::Error {
    napi::Error::from_reason(describe(error).to_string())
}

/// JSON that is not what it should be: a name that there is not, a value of another type.
pub(crate) fn unfit(what: &str, error: &serde_json::Error) -> Error {
    Error::new(&INVALID_ARGUMENT, format!("{what}: {error}"))
}
