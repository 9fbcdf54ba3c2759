//! Errors: one type for all crates of the workspace, with a stable code, a hint, and a cause.
//!
//! Each crate lists the codes it raises in its own `error.rs` with [`codes!`](crate::codes); a code never changes its name
//! or its meaning. Programs match on the code, people read the message and the hint.

use crate::text::printable_lines;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// What went wrong, as a stable name that programs can match on.
///
/// Compared by name. Declared with [`codes!`](crate::codes).
#[derive(Debug)]
pub struct Code {
    name: &'static str,
    transient: bool,
    meaning: &'static str,
    hint: &'static str,
}

impl Code {
    /// Declares a code; use [`codes!`](crate::codes) instead.
    #[doc(hidden)]
    pub const fn declare(name: &'static str, transient: bool, meaning: &'static str, hint: &'static str) -> Self {
        Code { name, transient, meaning, hint }
    }

    /// The stable snake_case name, e.g. `object_not_found`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the same call may succeed later with nothing changed.
    pub const fn is_transient(&self) -> bool {
        self.transient
    }

    /// What the code means, for the reference documentation.
    pub const fn meaning(&self) -> &'static str {
        self.meaning.trim_ascii()
    }

    /// What to do, unless the error brings a hint of its own.
    pub const fn hint(&self) -> &'static str {
        self.hint
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Code {}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Declares the error codes of a crate: `/// meaning`, then `NAME = "name", permanent | transient, "hint";`.
///
/// Makes one `pub static` per code and `pub static ALL: &[&Code]`.
#[macro_export]
macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $name:ident = $text:literal, $kind:ident, $hint:literal; )+) => {
        $(
            $(#[doc = $doc])+
            pub static $name: $crate::error::Code =
                $crate::error::Code::declare($text, $crate::codes!(@$kind), concat!($($doc),+), $hint);
        )+
        /// Every code declared here.
        pub static ALL: &[&$crate::error::Code] = &[$(&$name),+];
    };
    (@permanent) => { false };
    (@transient) => { true };
}

/// The codes that backup-core raises.
pub mod codes {
    codes! {
        /// An argument or a setting has a value that cannot be used.
        INVALID_ARGUMENT = "invalid_argument", permanent, "correct the value that is named and run it again";
        /// A setting or flag is given that has no effect here.
        NO_EFFECT = "no_effect", permanent, "remove the setting that is named";
        /// A name (series, label or part) does not match `[a-z0-9][a-z0-9_-]{0,62}`, or is reserved.
        INVALID_NAME = "invalid_name", permanent, "use lower-case letters, digits, '-' and '_', starting with a letter or a digit, at most 63 characters";
        /// The memory budget is too small for one segment.
        BUDGET_TOO_SMALL = "budget_too_small", permanent, "raise the memory budget or make the segments smaller";
        /// An object that should be there is not.
        OBJECT_NOT_FOUND = "object_not_found", permanent, "check the repository's URL and the id";
        /// A file or folder of this machine that was named is not there.
        FILE_NOT_FOUND = "file_not_found", permanent, "check the path: there is nothing of that name";
        /// An object of that name exists already, with other contents.
        ALREADY_EXISTS = "already_exists", permanent, "nothing was overwritten; choose another name, or look at what is there";
        /// The store refused the credentials, or they lack a right.
        ACCESS_DENIED = "access_denied", permanent, "check the credentials and their rights (docs/permissions.md lists what each command needs)";
        /// The store could not be reached, or answered that it is not able to right now.
        STORE_UNAVAILABLE = "store_unavailable", transient, "check the network and the endpoint, then run it again";
        /// The store does not support what was asked for.
        UNSUPPORTED_BY_STORE = "unsupported_by_store", permanent, "remove the setting, or use a store that has it";
        /// The disk or the store's quota is full.
        NO_SPACE = "no_space", permanent, "free some space and run it again";
        /// An upload made no progress for longer than `max_stall`.
        UPLOAD_STALLED = "upload_stalled", transient, "check the store and the network; raise max_stall if the line is that slow";
        /// Reading or writing failed in the operating system.
        IO = "io", permanent, "see the cause";
        /// There is no repository at this place.
        NO_REPOSITORY = "no_repository", permanent, "check the URL, or create one with `backproof init`";
        /// There is a repository at this place already.
        REPOSITORY_EXISTS = "repository_exists", permanent, "use it as it is, or choose another prefix";
        /// The repository or document is of a format, or needs a feature, that this version does not know.
        UNKNOWN_FORMAT = "unknown_format", permanent, "install a newer version of backproof";
        /// A document is not what the format says: not JSON, wrong hash, duplicate keys, too large, or found at the wrong place.
        INVALID_DOCUMENT = "invalid_document", permanent, "the object was damaged or tampered with; verify the repository and look at another copy";
        /// A manifest or record carries no signature although signers are trusted.
        UNSIGNED = "unsigned", permanent, "sign new backups with a signing key; one that you know the origin of can be read, restored and drilled with --allow-unsigned";
        /// A signature is wrong, or by a key that is not trusted for this.
        BAD_SIGNATURE = "bad_signature", permanent, "do not restore it; check trusted_signers and who can write to the store";
        /// There is no such backup.
        BACKUP_NOT_FOUND = "backup_not_found", permanent, "`backproof list` shows the backups that exist";
        /// The id fits several backups.
        AMBIGUOUS_ID = "ambiguous_id", permanent, "give more characters of the id";
        /// `latest` needs a name when there are several series.
        SERIES_REQUIRED = "series_required", permanent, "say which one with --name";
        /// The backup has no such part.
        PART_NOT_FOUND = "part_not_found", permanent, "`backproof show ID` lists the parts";
        /// A segment is missing, or not of the recorded size or hash.
        SEGMENT_DAMAGED = "segment_damaged", permanent, "this backup is damaged; use another one or another copy, and find out what changed the object";
        /// A segment or key file cannot be decrypted with the backup's key.
        DECRYPT_FAILED = "decrypt_failed", permanent, "the object was damaged or replaced; use another backup or copy";
        /// A segment does not decompress to what was recorded.
        DECOMPRESS_FAILED = "decompress_failed", permanent, "the object was damaged or replaced; use another backup or copy";
        /// Compressed or encrypted data did not read back as what went in: a fault of memory, processor or library.
        SELF_CHECK_FAILED = "self_check_failed", permanent, "nothing was published; test this machine's memory before the next backup";
        /// None of the identities given opens this backup.
        WRONG_IDENTITY = "wrong_identity", permanent, "give the identity, or the passphrase, of one of the recipients that `backproof show ID` lists";
        /// Reading needs an identity and none was given.
        IDENTITY_REQUIRED = "identity_required", permanent, "give one with --identity FILE or BACKPROOF_IDENTITY, or --passphrase where it is sealed to one";
        /// No recipient was given, and encryption was not switched off.
        RECIPIENT_REQUIRED = "recipient_required", permanent, "give a recipient with --recipient, make one with `backproof keygen`, or say --no-encryption";
        /// The source ended badly, so its output cannot be trusted to be complete.
        SOURCE_FAILED = "source_failed", permanent, "nothing was published; see the cause and the source's own messages";
        /// The data of a part is not what its kind says (for example a dump that ends early).
        PART_INVALID = "part_invalid", permanent, "this backup cannot be restored as it is; use another one";
        /// The restore's target refused or failed.
        TARGET_FAILED = "target_failed", permanent, "see the cause; the target may hold half of the data and should not be used";
        /// The backup took so long between two writes that a sweep might have removed its first objects.
        WRITER_TOO_OLD = "writer_too_old", permanent, "nothing was published; run the backup again";
        /// The operation was cancelled.
        CANCELLED = "cancelled", permanent, "nothing was published; run it again";
    }
}

struct Inner {
    code: &'static Code,
    message: String,
    hint: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Messages name objects, and repeat what servers said: nothing in them may command a terminal.
fn fit(text: String) -> String {
    match printable_lines(&text) {
        Cow::Owned(escaped) => escaped,
        Cow::Borrowed(_) => text,
    }
}

/// An error with a stable [`Code`], a message that names the object, a hint and, where there is one, a cause.
///
/// `Display` prints the message alone; [`Error::report`] prints the message, its causes and the hint.
pub struct Error(Box<Inner>);

/// The result of everything in this workspace.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with this code; the message names the object it is about.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        let message = fit(message.into());
        Error(Box::new(Inner { code, message, hint: None, source: None }))
    }

    /// Replaces the code's hint.
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(match hint.into() {
            Cow::Owned(hint) => Cow::Owned(fit(hint)),
            ours => ours,
        });
        self
    }

    /// Adds the cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Puts what was being done, a verb phrase such as `read manifest`, before the message.
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.0.message = fit(format!("{doing}: {}", self.0.message));
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static Code {
        self.0.code
    }

    /// Whether this is an error of that code.
    pub fn is(&self, code: &Code) -> bool {
        self.0.code == code
    }

    /// Whether the same call may succeed later with nothing changed.
    pub fn is_transient(&self) -> bool {
        self.0.code.transient
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        self.0.hint.as_deref().unwrap_or(self.0.code.hint)
    }

    /// The message, each cause after a colon, without the hint: one line for logs.
    pub fn chain(&self) -> String {
        let mut text = self.0.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            let part = fit(error.to_string());
            if !text.ends_with(&part) {
                text.push_str(": ");
                text.push_str(&part);
            }
            cause = error.source();
        }
        text
    }

    /// What a person reads: the message with its causes, then the hint on a line of its own.
    pub fn report(&self) -> String {
        format!("{} [{}]\nhint: {}", self.chain(), self.0.code.name, self.hint())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.name, self.chain())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Attaches a code and what was being done to the errors of other libraries.
pub trait ResultExt<T> {
    /// Wraps the error as the cause of one with this code and message.
    fn or_code(self, code: &'static Code, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> ResultExt<T> for std::result::Result<T, E> {
    fn or_code(self, code: &'static Code, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::new(code, message()).with_source(error))
    }
}

/// Wraps an operating-system error: a full disk and a missing right get their own codes.
pub fn io_error(message: impl Into<String>, error: std::io::Error) -> Error {
    use std::io::ErrorKind;
    let code = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => &codes::NO_SPACE,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => &codes::ACCESS_DENIED,
        ErrorKind::NotFound => &codes::FILE_NOT_FOUND,
        _ => &codes::IO,
    };
    Error::new(code, message).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_an_error_commands_a_terminal() {
        let cause = std::io::Error::other("a \u{1b}[31mcause");
        let error = Error::new(&codes::IO, "table \u{1b}[2J\rt:\n  more")
            .with_source(cause)
            .with_hint("GRANT \u{9b}31m".to_owned())
            .context("read \u{7}");
        assert_eq!(
            error.report(),
            "read \\u{7}: table \\u{1b}[2J\\rt:\n  more: a \\u{1b}[31mcause [io]\nhint: GRANT \\u{9b}31m"
        );
    }
}
