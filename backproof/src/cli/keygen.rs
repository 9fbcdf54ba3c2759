//! `backproof keygen`: an age identity, or an SSH signing key.

use super::Context;
use super::args::KeygenArgs;
use crate::verbs::{KeyPurpose, KeygenOptions, KeygenResult};
use backup_core::error::{codes, io_error};
use backup_core::{Error, Result};
use secrecy::{ExposeSecret, SecretString};
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use zeroize::Zeroizing;

pub(super) async fn run(context: &Context, args: &KeygenArgs) -> Result<u8> {
    if args.paper && context.output.json {
        return Err(Error::new(&codes::INVALID_ARGUMENT, "--paper prints a secret to read, and --json none")
            .with_hint("use one of them"));
    }
    let options = KeygenOptions {
        output: args.output.clone(),
        signing: args.signing,
        passphrase: args.passphrase,
        from_paper: args.from_paper.then(from_paper).transpose()?,
        purpose: args.signing.then_some(args.purpose.unwrap_or_default()),
        principal: args.principal.clone().filter(|_| args.signing),
    };
    if context.passphrase_file && !args.passphrase {
        context.backproof.settings().needs_passphrase_file(false).await?;
    }
    let made = context.session().keygen(&options).await?;
    let seen = context.output.seen("keygen", &made, || text(&made, options.purpose.unwrap_or_default()));
    let told = or_gone(seen, &made.files)?;
    let Some(paper) = made.paper.filter(|_| args.paper || paper_by_default(context, args)) else {
        if !args.signing && !context.output.json {
            context.output.notice(
                "Without the identity no backup can be opened: keep a second copy, on paper too (--paper prints a form).",
            );
        }
        return Ok(told);
    };
    super::output::print(&format!("\n{}", paper.expose_secret()))?;
    Ok(told)
}

fn text(made: &KeygenResult, purpose: KeyPurpose) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    if made.identity_file.is_some() {
        return format!(
            "identity:  {} (secret: it opens backups; keep it away from the host that makes them)\n\
             recipient: {} (public: give it to `backup --recipient`)",
            text(&made.identity_file),
            text(&made.recipient)
        );
    }
    let host = match purpose {
        KeyPurpose::Backup => "makes backups",
        KeyPurpose::Proof => "verifies and drills",
    };
    format!(
        "signing key: {} (secret: it stays on the host that {host})\n\
         fingerprint: {}\n\
         Readers trust it by this line in the file that `trusted_signers` names:\n{}",
        text(&made.signing_key_file),
        text(&made.fingerprint),
        text(&made.trusted_signers_line)
    )
}

/// A key whose public half nobody saw is removed again.
fn or_gone(seen: Result<u8>, files: &[PathBuf]) -> Result<u8> {
    seen.map_err(|error| {
        files.iter().for_each(|path| drop(std::fs::remove_file(path)));
        error.with_hint("no key was made; give stdout or stderr a place to go")
    })
}

/// A person at a terminal gets the form with the key; a pipe, which may end in somebody's log, does not, nor does a key that
/// a passphrase protects, nor one that comes from paper.
fn paper_by_default(context: &Context, args: &KeygenArgs) -> bool {
    let person = std::io::stdout().is_terminal() && !context.output.json;
    person && !args.no_paper && !args.passphrase && !args.from_paper
}

/// The form of a key that is typed, or comes from a scan, on standard input.
fn from_paper() -> Result<SecretString> {
    let mut stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        super::output::say(
            "Type the four rows, each with its number first and its check last, then Ctrl-D on a line of its own:",
        );
    }
    let mut form = Zeroizing::new(String::new());
    // A page has under 2 kB; whatever is much longer is none.
    let read = stdin.by_ref().take(64 << 10).read_to_string(&mut form);
    read.map_err(|error| io_error("read the form from standard input", error))?;
    Ok(SecretString::from(form.as_str()))
}
