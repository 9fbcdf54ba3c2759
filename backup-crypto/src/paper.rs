//! An age identity on paper: four rows of letters and digits, each with a check of its own, and how to use them.
//!
//! The rows are the 58 characters after `AGE-SECRET-KEY-1` in groups of four. Their alphabet (Bech32, BIP 173) has no 1, B, I
//! or O; each of these read by mistake is taken for what it looks like. A row's check is the first 20 bits of SHA-256 of
//! `backproof-paper-1`, 0, the row's number, 0, the row, written in the same alphabet.

use crate::error::codes::INVALID_PAPER_KEY;
use age::x25519;
use backup_core::{Error, Result};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

const PREFIX: &str = "AGE-SECRET-KEY-1";
const ALPHABET: &[u8; 32] = b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
/// 256 bits and Bech32's six characters of checksum.
const KEY_LEN: usize = 58;
const ROW: usize = 16;
const ROWS: usize = KEY_LEN.div_ceil(ROW);
const GROUP: usize = 4;
const CHECK: usize = 4;

fn invalid(message: impl Into<String>) -> Error {
    Error::new(&INVALID_PAPER_KEY, message)
}

fn row_len(number: usize) -> usize {
    ROW.min(KEY_LEN - (number - 1) * ROW)
}

fn check(number: usize, row: &[u8]) -> [u8; CHECK] {
    let mut hash = Sha256::new();
    hash.update(b"backproof-paper-1\0");
    hash.update(number.to_string());
    hash.update(b"\0");
    hash.update(row);
    let hash = hash.finalize();
    let bits = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    std::array::from_fn(|index| ALPHABET[(bits >> (27 - 5 * index)) as usize & 31])
}

/// The form to print and keep: the key (an `AGE-SECRET-KEY-1…` line), its recipient, and the steps.
///
/// # Errors
/// [`INVALID_PAPER_KEY`] when the text is not an age identity.
pub fn form(key: &SecretString, created: Timestamp) -> Result<SecretString> {
    let identity: x25519::Identity = key
        .expose_secret()
        .trim()
        .parse()
        .map_err(|reason| invalid(format!("this is not an age identity: {reason}")))?;
    let line = identity.to_string();
    let characters = line
        .expose_secret()
        .strip_prefix(PREFIX)
        .filter(|characters| characters.len() == KEY_LEN)
        .ok_or_else(|| invalid("this is not an age identity of the usual length"))?;
    let mut rows = Zeroizing::new(String::with_capacity(400));
    for (index, row) in characters.as_bytes().chunks(ROW).enumerate() {
        rows.push_str(&format!("    {}   ", index + 1));
        for group in row.chunks(GROUP) {
            group.iter().for_each(|byte| rows.push(char::from(*byte)));
            rows.push(' ');
        }
        (row.len().div_ceil(GROUP)..ROW / GROUP).for_each(|_| rows.push_str("     "));
        let padding = row.len().next_multiple_of(GROUP) - row.len();
        rows.push_str(&" ".repeat(padding));
        rows.push_str("  check ");
        check(index + 1, row).iter().for_each(|byte| rows.push(char::from(*byte)));
        rows.push('\n');
    }
    Ok(SecretString::from(format!(
        "BACKUP KEY ON PAPER\n\
         \n\
         Whoever reads these rows can read the backups. Keep them where only few can go, away from the backups.\n\
         \n\
         recipient  {recipient}\n\
         created    {created}\n\
         \n\
         {rows}\n\
         To use it again, with backproof: `backproof keygen --from-paper --output key.txt`, then type the rows.\n\
         Without: write {PREFIX} and, right after it, the four rows without spaces and without the checks into a file, as\n\
         one line in capital letters. `age-keygen -y FILE` must print the recipient above; `age -d -i FILE` opens.\n\
         The letters B, I and O and the digit 1 do not occur.\n",
        recipient = identity.to_public(),
        created = created.strftime("%Y-%m-%d"),
        rows = rows.as_str(),
    )))
}

/// Reads the rows back, alone or with all of the form around them; spaces and letter case do not matter.
///
/// # Errors
/// [`INVALID_PAPER_KEY`] names the row that has the mistake.
pub fn read(text: &str) -> Result<SecretString> {
    let mut rows: [Option<Zeroizing<Vec<u8>>>; ROWS] = Default::default();
    for line in text.lines() {
        let Some((number, rest)) = row_start(line) else { continue };
        let mut characters = Zeroizing::new(Vec::with_capacity(rest.len()));
        for word in rest.split_whitespace().filter(|word| !word.eq_ignore_ascii_case("check")) {
            for character in word.chars().filter(|character| *character != '-') {
                characters.push(
                    normal(character)
                        .ok_or_else(|| invalid(format!("row {number} has a character that does not occur in keys")))?,
                );
            }
        }
        let len = row_len(number);
        if characters.len() != len + CHECK {
            return Err(invalid(format!(
                "row {number} has {} characters where {len} and {CHECK} of check belong",
                characters.len()
            )));
        }
        if check(number, &characters[..len]) != characters[len..] {
            return Err(invalid(format!("row {number} has a typing mistake")));
        }
        characters.truncate(len);
        if rows[number - 1].replace(characters).is_some() {
            return Err(invalid(format!("row {number} is there twice")));
        }
    }
    let mut line = String::with_capacity(PREFIX.len() + KEY_LEN);
    line.push_str(PREFIX);
    for (index, row) in rows.iter().enumerate() {
        let row = row.as_ref().ok_or_else(|| invalid(format!("row {} is missing", index + 1)))?;
        row.iter().for_each(|byte| line.push(char::from(*byte)));
    }
    let key = line.parse::<x25519::Identity>().map(|identity| identity.to_string());
    line.zeroize();
    key.map_err(|_| {
        invalid("each row is right by itself, but together they are no key: they come from different papers")
    })
}

/// A line that begins with a row's number alone.
fn row_start(line: &str) -> Option<(usize, &str)> {
    let (number, rest) = line.trim_start().split_once(char::is_whitespace)?;
    let number: usize = number.parse().ok()?;
    (1..=ROWS).contains(&number).then_some((number, rest))
}

fn normal(character: char) -> Option<u8> {
    let byte = u8::try_from(character.to_ascii_uppercase()).ok()?;
    let byte = match byte {
        b'O' => b'0',
        b'I' | b'1' => b'L',
        b'B' => b'8',
        other => other,
    };
    ALPHABET.contains(&byte).then_some(byte)
}
