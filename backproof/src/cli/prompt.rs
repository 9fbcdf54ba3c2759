//! Asks a person at the terminal.

use crate::Confirm;
use crate::error::codes::CONFIRMATION_REQUIRED;
use backup_core::{Error, Result};
use backup_crypto::Prompt;
use backup_crypto::error::codes::PASSPHRASE_REQUIRED;
use indicatif::ProgressBar;
use secrecy::SecretString;
use std::io::{BufRead, IsTerminal, Write};

/// The terminal, where there is one.
#[derive(Clone, Debug)]
pub(super) struct Terminal {
    /// What moves there, and makes room for a question.
    pub(super) bar: Option<ProgressBar>,
}

impl Terminal {
    fn alone<T>(&self, ask: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(ask),
            None => ask(),
        }
    }
}

impl Prompt for Terminal {
    fn passphrase(&self, what: &str) -> Result<SecretString> {
        if !std::io::stdin().is_terminal() {
            return Err(Error::new(
                &PASSPHRASE_REQUIRED,
                format!("{what} needs a passphrase, and there is no terminal to ask at"),
            ));
        }
        let answer = self.alone(|| rpassword::prompt_password(format!("Passphrase of {what}: ")));
        answer.map(SecretString::from).map_err(|error| backup_core::error::io_error("read the passphrase", error))
    }

    fn message(&self, text: &str) {
        self.alone(|| super::output::say(text));
    }

    fn confirm(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let answer = self.alone(|| ask(&format!("{question} [{yes}/{}] ", no.unwrap_or("no"))))?;
        Some(answer.eq_ignore_ascii_case(yes))
    }

    fn text(&self, question: &str) -> Option<String> {
        self.alone(|| ask(&format!("{question}: ")))
    }
}

/// Asks to type a word before live data is replaced.
impl Confirm for Terminal {
    fn confirm(&self, what: &str, word: &str) -> Result<()> {
        self.alone(|| confirm(what, word))
    }
}

fn confirm(what: &str, word: &str) -> Result<()> {
    match ask(&format!("{what}\nType {word} to go on: ")) {
        Some(answer) if answer == word => Ok(()),
        Some(_) => Err(Error::new(&CONFIRMATION_REQUIRED, format!("{word} was not typed"))),
        None => Err(Error::new(&CONFIRMATION_REQUIRED, format!("{what}, and there is no terminal to ask at"))),
    }
}

fn ask(question: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "{question}").and_then(|()| stderr.flush()).ok()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim().to_owned())
}
