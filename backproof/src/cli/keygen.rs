//! `backproof keygen`: an age identity, or an SSH signing key.

use super::Context;
use super::args::{KeygenArgs, PurposeArg};
use backup_core::error::{codes, io_error};
use backup_core::{Error, Result};
use backup_crypto::keygen::{AgeKey, Purpose, SigningKey, write_private, write_public};
use backup_crypto::paper;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::json;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

pub(super) fn run(context: &Context, args: &KeygenArgs) -> Result<u8> {
    if args.signing { signing(context, args) } else { identity(context, args) }
}

fn identity(context: &Context, args: &KeygenArgs) -> Result<u8> {
    if args.paper && context.output.json {
        return Err(Error::new(&codes::INVALID_ARGUMENT, "--paper prints a secret to read, and --json none")
            .with_hint("use one of them"));
    }
    let key = if args.from_paper { from_paper()? } else { AgeKey::generate() };
    let created = Timestamp::now();
    if args.passphrase {
        let passphrase = context.settings.new_passphrase(context.prompt.clone())?;
        let file = key.protected_identity_file(created, passphrase, backup_crypto::SCRYPT_LOG_N)?;
        write_private(&args.output, &file)?;
    } else {
        write_private(&args.output, key.identity_file(created).expose_secret().as_bytes())?;
    }
    let recipient = key.recipient();
    let file = args.output.display().to_string();
    let seen = context.output.seen("keygen", json!({ "identity_file": file, "recipient": recipient }), || {
        format!(
            "identity:  {file} (secret: it opens backups; keep it away from the host that makes them)\n\
             recipient: {recipient} (public: give it to `backup --recipient`)"
        )
    });
    let told = or_gone(seen, &[&args.output])?;
    if args.paper || paper_by_default(context, args) {
        super::output::print(&format!("\n{}", paper::form(&key.secret(), created)?.expose_secret()))?;
    } else if !context.output.json {
        context.output.notice(
            "Without the identity no backup can be opened: keep a second copy, on paper too (--paper prints a form).",
        );
    }
    Ok(told)
}

/// A key whose public half nobody saw is removed again.
fn or_gone(seen: Result<u8>, files: &[&Path]) -> Result<u8> {
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

/// The key on a form that is typed, or comes from a scan, on standard input.
fn from_paper() -> Result<AgeKey> {
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
    AgeKey::from_secret(&paper::read(&form)?)
}

fn signing(context: &Context, args: &KeygenArgs) -> Result<u8> {
    let mut public = args.output.clone().into_os_string();
    public.push(".pub");
    let public = PathBuf::from(public);
    if public.exists() {
        return Err(Error::new(&codes::ALREADY_EXISTS, format!("{} exists already", public.display()))
            .with_hint("nothing was written; choose another name"));
    }
    let (purpose, host) = match args.purpose {
        PurposeArg::Backup => (Purpose::Backup, "makes backups"),
        PurposeArg::Proof => (Purpose::Proof, "verifies and drills"),
    };
    let key = SigningKey::generate(&args.principal)?;
    let private = if args.passphrase {
        key.protected_private_file(&context.settings.new_passphrase(context.prompt.clone())?)?
    } else {
        key.private_file()?
    };
    let line = key.allowed_signers_line(&args.principal, purpose)?;
    write_private(&args.output, private.expose_secret().as_bytes())?;
    write_public(&public, key.public_file()?.as_bytes())?;
    let file = args.output.display().to_string();
    let body = json!({
        "signing_key_file": file,
        "public_key_file": public.display().to_string(),
        "fingerprint": key.fingerprint(),
        "trusted_signers_line": line.trim_end(),
    });
    let seen = context.output.seen("keygen", body, || {
        format!(
            "signing key: {file} (secret: it stays on the host that {host})\n\
             fingerprint: {}\n\
             Readers trust it by this line in the file that `trusted_signers` names:\n{}",
            key.fingerprint(),
            line.trim_end()
        )
    });
    or_gone(seen, &[&args.output, &public])
}
