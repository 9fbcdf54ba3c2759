//! How the library asks a person: for passphrases, and what age plugins want to know.
//!
//! Nothing here reads a terminal; the program does, or a service answers from its configuration.

use crate::error::codes::PASSPHRASE_REQUIRED;
use backup_core::{Error, Result};
use secrecy::SecretString;

/// Answers questions that come up while keys are sealed or opened.
///
/// Called on a thread that may block; an async program can answer with `Handle::block_on`.
pub trait Prompt: Send + Sync + 'static {
    /// The passphrase of `what`, e.g. `identity file key.age`; an error if nobody can be asked.
    fn passphrase(&self, what: &str) -> Result<SecretString>;

    /// Shows what an age plugin says, e.g. `touch your key`.
    fn message(&self, text: &str) {
        tracing::info!(message = text, "age plugin");
    }

    /// Answers a plugin's question with yes or no; `None` if nobody can be asked.
    fn confirm(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let _ = (question, yes, no);
        None
    }

    /// Answers a plugin's question whose answer is no secret; `None` if nobody can be asked.
    fn text(&self, question: &str) -> Option<String> {
        let _ = question;
        None
    }
}

/// Nobody can be asked: every passphrase is [`PASSPHRASE_REQUIRED`].
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPrompt;

impl Prompt for NoPrompt {
    fn passphrase(&self, what: &str) -> Result<SecretString> {
        Err(Error::new(&PASSPHRASE_REQUIRED, format!("{what} needs a passphrase and nobody can be asked for it")))
    }
}

/// One passphrase for everything that asks: what `--passphrase-file` means.
#[derive(Clone, Debug)]
pub struct FixedPassphrase(pub SecretString);

impl Prompt for FixedPassphrase {
    fn passphrase(&self, _what: &str) -> Result<SecretString> {
        Ok(self.0.clone())
    }
}

impl<F: Fn(&str) -> Result<SecretString> + Send + Sync + 'static> Prompt for F {
    fn passphrase(&self, what: &str) -> Result<SecretString> {
        self(what)
    }
}

/// The same, in the form that the age crate asks for.
#[derive(Clone)]
pub(crate) struct AgeCallbacks(pub(crate) std::sync::Arc<dyn Prompt>);

impl age::Callbacks for AgeCallbacks {
    fn display_message(&self, message: &str) {
        self.0.message(message);
    }

    fn confirm(&self, message: &str, yes_string: &str, no_string: Option<&str>) -> Option<bool> {
        self.0.confirm(message, yes_string, no_string)
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        self.0.text(description)
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        self.0.passphrase(description).ok()
    }
}
