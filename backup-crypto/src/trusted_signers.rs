//! Whom readers trust: [`TrustedSigners`], a list in OpenSSH's allowed_signers format.

use crate::error::codes::INVALID_TRUSTED_SIGNERS;
use crate::ssh_signer::strong_enough;
use backup_core::error::codes::BAD_SIGNATURE;
use backup_core::error::io_error;
use backup_core::signature::{DocumentKind, TrustPolicy, TrustedSignature};
use backup_core::{Error, Result};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, LineEnding, PublicKey, SshSig};
use std::path::Path;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----";
/// A signature by an RSA key of 16384 bits takes 6 KiB.
const MAX_SIGNATURE: usize = 16 << 10;
const MAX_FILE: u64 = 4 << 20;

/// The signers that a reader trusts, read from a list as `ssh-keygen -Y verify` reads it: a line each, with principals,
/// options (`namespaces`, `valid-after`, `valid-before`) and the public key.
///
/// Stricter than OpenSSH: `cert-authority` and every option that is not known refuse the whole list, since ignoring one
/// would trust more than its author meant. A line without `namespaces` trusts its key with everything, as in OpenSSH.
#[derive(Clone, Debug)]
pub struct TrustedSigners {
    signers: Vec<TrustedSigner>,
}

/// One line of the list.
#[derive(Clone, Debug)]
struct TrustedSigner {
    line: usize,
    principal: String,
    namespaces: Option<String>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
    key: PublicKey,
}

fn invalid(line: usize, reason: impl std::fmt::Display) -> Error {
    Error::new(&INVALID_TRUSTED_SIGNERS, format!("trusted signers, line {line}: {reason}"))
}

fn bad(message: impl Into<String>) -> Error {
    Error::new(&BAD_SIGNATURE, message)
}

impl TrustedSigners {
    /// Reads a list. Times without a trailing `Z` are in `zone`, for which OpenSSH takes the system's.
    ///
    /// # Errors
    /// [`INVALID_TRUSTED_SIGNERS`] with the line's number; also for a list that names nobody.
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Self> {
        let mut signers = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line_text = line.trim();
            if !line_text.is_empty() && !line_text.starts_with('#') {
                signers.push(parse_line(line_text, index + 1, zone).map_err(|reason| invalid(index + 1, reason))?);
            }
        }
        if signers.is_empty() {
            return Err(Error::new(&INVALID_TRUSTED_SIGNERS, "the list of trusted signers names nobody")
                .with_hint("add the line that `backproof keygen --signing` printed, or do not set trusted_signers"));
        }
        Ok(TrustedSigners { signers })
    }

    /// Reads a list from a file.
    pub async fn from_file(path: impl AsRef<Path>, zone: &TimeZone) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display();
        let read = |error| io_error(format!("read trusted signers {name}"), error);
        if tokio::fs::metadata(path).await.map_err(read)?.len() > MAX_FILE {
            return Err(Error::new(&INVALID_TRUSTED_SIGNERS, format!("{name} is too long for a list of signers")));
        }
        let text = String::from_utf8(crate::read_small(path.into(), MAX_FILE).await.map_err(read)?)
            .map_err(|_| Error::new(&INVALID_TRUSTED_SIGNERS, format!("{name} is not text")))?;
        Self::parse(&text, zone).map_err(|error| error.context(format!("read {name}")))
    }

    /// The keys that are trusted, by principal and fingerprint.
    pub fn signers(&self) -> impl Iterator<Item = TrustedSignature> + '_ {
        self.signers.iter().map(TrustedSigner::name)
    }
}

impl TrustedSigner {
    fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    fn name(&self) -> TrustedSignature {
        TrustedSignature { principal: self.principal.clone(), fingerprint: self.fingerprint() }
    }

    /// Why this line does not trust its key for this now.
    fn refusal(&self, namespace: &str, now: Timestamp) -> Option<String> {
        let whose = format!("the key of {} (trusted signers, line {})", self.principal, self.line);
        match (&self.namespaces, self.valid_after, self.valid_before) {
            (Some(namespaces), _, _) if !fits_list(namespaces, namespace) => {
                Some(format!("{whose} is not trusted for {namespace}"))
            }
            (_, Some(after), _) if now < after => Some(format!("{whose} is not valid before {after}")),
            (_, _, Some(before)) if now > before => Some(format!("{whose} was valid until {before}")),
            _ => None,
        }
    }
}

impl TrustPolicy for TrustedSigners {
    fn check(&self, kind: DocumentKind, message: &[u8], signature: &str, now: Timestamp) -> Result<TrustedSignature> {
        let signature = read_signature(signature)?;
        let namespace = kind.namespace();
        if signature.namespace() != namespace {
            return Err(bad(format!("the signature is for {:?} where {namespace} is needed", signature.namespace())));
        }
        let fingerprint = signature.public_key().fingerprint(HashAlg::Sha256);
        let mut refusal = None;
        for signer in self.signers.iter().filter(|signer| signer.key.key_data() == signature.public_key()) {
            signer.key.verify(&namespace, message, &signature).map_err(|error| {
                bad(format!(
                    "the signature of {} does not fit the {kind}: it was altered, or signed by someone else",
                    signer.principal
                ))
                .with_source(error.to_string())
            })?;
            if !touched(&signature) {
                return Err(bad(format!(
                    "the signature of {} was made without a touch of the device",
                    signer.principal
                )));
            }
            match signer.refusal(&namespace, now) {
                None => return Ok(signer.name()),
                reason => refusal = reason,
            }
        }
        Err(bad(refusal.unwrap_or_else(|| {
            format!("the {kind} is signed with {fingerprint}, which is not among the trusted signers")
        })))
    }
}

/// An armoured signature and nothing else.
fn read_signature(text: &str) -> Result<SshSig> {
    let unreadable = || bad("the signature is not an SSH signature that can be read");
    let body = text.trim_end().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)).ok_or_else(unreadable)?;
    if text.len() > MAX_SIGNATURE || body.contains('-') {
        return Err(unreadable());
    }
    let signature = SshSig::from_pem(text.trim_end()).map_err(|error| unreadable().with_source(error.to_string()))?;
    // The version and the lengths are not among the signed bytes, and the crate lets wrong ones pass: only the one way that
    // OpenSSH writes a signature is accepted.
    let canonical = signature.to_pem(LineEnding::LF).is_ok_and(|canonical| canonical.trim_end() == text.trim_end());
    if signature.version() != SshSig::VERSION || !signature.reserved().is_empty() || !canonical {
        return Err(unreadable());
    }
    Ok(signature)
}

/// Whether a hardware key's owner touched it (FIDO's flag for user presence, bit 0 of the byte before the counter; OpenSSH's
/// PROTOCOL.u2f). Other keys know no touch.
fn touched(signature: &SshSig) -> bool {
    match signature.public_key() {
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {
            signature.signature_bytes().iter().rev().nth(4).is_some_and(|flags| flags & 1 != 0)
        }
        _ => true,
    }
}

fn parse_line(text: &str, line: usize, zone: &TimeZone) -> Result<TrustedSigner, String> {
    let (principals, rest) = field(text)?;
    let mut signer = TrustedSigner {
        line,
        principal: dequote(principals)?,
        namespaces: None,
        valid_after: None,
        valid_before: None,
        key: PublicKey::from(ssh_key::public::Ed25519PublicKey([0; 32])),
    };
    if signer.principal.is_empty() {
        return Err("the principal is empty".into());
    }
    let (next, after) = field(rest)?;
    let key = if is_key_type(next) {
        rest
    } else {
        options(next, &mut signer, zone)?;
        after
    };
    signer.key = PublicKey::from_openssh(key.trim()).map_err(|error| {
        format!("the public key cannot be read ({error}); the form is: principal [options] type key")
    })?;
    strong_enough(&signer.key).map_err(|reason| format!("this {reason}"))?;
    if let (Some(after), Some(before)) = (signer.valid_after, signer.valid_before)
        && before <= after
    {
        return Err("valid-before is not later than valid-after".into());
    }
    Ok(signer)
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|start| word.starts_with(start)) && !word.contains(['=', ','])
}

/// Splits off what stands before the first space outside quotes.
fn field(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim_start();
    let (mut quoted, mut escaped) = (false, false);
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Ok((&text[..index], &text[index..])),
            _ => {}
        }
    }
    if quoted { Err("a quote is not closed".into()) } else { Ok((text, "")) }
}

fn dequote(text: &str) -> Result<String, String> {
    match text.strip_prefix('"') {
        None if text.contains('"') => Err("a quote stands in the middle of a word".into()),
        None => Ok(text.into()),
        Some(rest) => {
            let inner = rest.strip_suffix('"').ok_or("a quote is not closed")?;
            if inner.replace("\\\"", "").contains('"') {
                return Err("a quote stands in the middle of a word".into());
            }
            Ok(inner.replace("\\\"", "\""))
        }
    }
}

fn options(mut text: &str, signer: &mut TrustedSigner, zone: &TimeZone) -> Result<(), String> {
    loop {
        let end = end_of_option(text);
        let (option, rest) = (&text[..end], &text[end..]);
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        let quoted = || match value {
            // OpenSSH refuses a value without quotes, too.
            Some(value) if value.starts_with('"') => dequote(value),
            _ => Err(format!("the option {name} needs a value in quotes")),
        };
        // OpenSSH ignores the case of option names.
        let twice = match name.to_ascii_lowercase().as_str() {
            "namespaces" => signer.namespaces.replace(quoted()?).is_some(),
            "valid-after" => signer.valid_after.replace(time(&quoted()?, zone)?).is_some(),
            "valid-before" => signer.valid_before.replace(time(&quoted()?, zone)?).is_some(),
            "cert-authority" => return Err("cert-authority is not supported: list each key".into()),
            _ => return Err(format!("the option {name:?} is not known")),
        };
        if twice {
            return Err(format!("the option {name} is there twice"));
        }
        match rest.strip_prefix(',') {
            Some(rest) => text = rest,
            None => return Ok(()),
        }
    }
}

/// Where the first comma outside quotes stands.
fn end_of_option(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => return index,
            _ => {}
        }
    }
    text.len()
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, with `Z` for UTC (ssh-keygen(1), ALLOWED SIGNERS).
fn time(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let wrong = || format!("{text:?} is not a time; write YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]");
    let (digits, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, &TimeZone::UTC),
        None => (text, zone),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let full = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        14 => digits.into(),
        _ => return Err(wrong()),
    };
    let civil = DateTime::strptime("%Y%m%d%H%M%S", full).map_err(|_| wrong())?;
    zone.to_timestamp(civil).map_err(|_| wrong())
}

/// OpenSSH's match_pattern_list: one of the patterns fits, and none that begins with `!`.
fn fits_list(patterns: &str, text: &str) -> bool {
    let mut fits = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if fits_pattern(pattern.as_bytes(), text.as_bytes()) => return false,
            Some(_) => {}
            None => fits |= fits_pattern(pattern.as_bytes(), text.as_bytes()),
        }
    }
    fits
}

/// `*` stands for any number of characters, `?` for one.
fn fits_pattern(pattern: &[u8], text: &[u8]) -> bool {
    // Where the last star was, and how much of the text it had taken.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}
