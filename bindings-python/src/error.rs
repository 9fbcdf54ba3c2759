//! The codes of the binding's own errors, and how errors reach Python.

use backproof::Error;
use serde_json::json;

/// The codes that this crate raises.
pub(crate) mod codes {
    backproof::core::codes! {
        /// The process was forked after the session was opened: the child has none of its threads.
        FORKED = "forked", permanent, "open a session in each process, after the fork";
        /// The session was closed.
        CLOSED = "closed", permanent, "open a new session";
        /// The work ended without a result: a defect of backproof.
        ABORTED = "aborted", permanent, "report it, with the text on stderr";
    }
}

/// What Python makes its exception of: code, message with causes, hint.
pub(crate) fn describe(error: &Error) -> String {
    json!({ "code": error.code().name(), "message": error.chain(), "hint": error.hint() }).to_string()
}
