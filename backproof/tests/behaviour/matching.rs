//! What is expected: templates that are filled with what is known, and placeholders for what nobody can know.

use crate::text;
use backproof::core::id::BackupId;
use serde_json::{Value, json};

/// The value, with what is known in the place of each `${name}`.
pub(crate) fn filled(value: &Value, known: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(|value| filled(value, known)).collect(),
        Value::Object(map) => {
            let fill =
                |(key, value): (&String, &Value)| (text(&filled(&json!(key), known)).to_owned(), filled(value, known));
            Value::Object(map.iter().map(fill).collect())
        }
        Value::String(template) => {
            let mut pieces = template.split("${");
            let mut made = pieces.next().unwrap_or_default().to_owned();
            for piece in pieces {
                let (name, rest) = piece.split_once('}').unwrap();
                let found = known.pointer(&format!("/{}", name.replace('.', "/")));
                let found = found.unwrap_or_else(|| panic!("nothing is known of {name}"));
                if template.len() == name.len() + 3 {
                    return found.clone();
                }
                made += found.as_str().map_or_else(|| found.to_string(), str::to_owned).as_str();
                made += rest;
            }
            Value::String(made)
        }
        other => other.clone(),
    }
}

/// Whether this is text that a placeholder stands for.
fn stands_for(placeholder: &str, text: &str) -> bool {
    match placeholder {
        "id" => text.parse::<BackupId>().is_ok(),
        "time" => text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(),
        "stamp" => text.len() == 16 && jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).is_ok(),
        "sha256" => text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
        "number" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
        "text" => !text.is_empty(),
        other => panic!("there is no placeholder ${other}"),
    }
}

fn fits(expected: &str, found: &str) -> bool {
    let Some((before, after)) = expected.split_once('$') else { return expected == found };
    let Some(found) = found.strip_prefix(before) else { return false };
    let end = after.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()).unwrap_or(after.len());
    let (placeholder, rest) = after.split_at(end);
    let mut ends = found.char_indices().map(|(at, _)| at).chain([found.len()]);
    ends.any(|at| stands_for(placeholder, &found[..at]) && fits(rest, &found[at..]))
}

/// Where what was found is not what was expected: the path, and both values.
pub(crate) fn differences(expected: &Value, found: &Value, at: &str, into: &mut Vec<String>) {
    let same = match (expected, found) {
        (Value::Object(one), Value::Object(other)) => {
            for (key, expected) in one {
                match other.get(key) {
                    Some(found) => differences(expected, found, &format!("{at}.{key}"), into),
                    None => into.push(format!("{at}.{key}: is missing; expected {expected}")),
                }
            }
            let more = other.iter().filter(|(key, _)| !one.contains_key(*key));
            into.extend(more.map(|(key, found)| format!("{at}.{key}: is not expected: {found}")));
            return;
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (number, (expected, found)) in one.iter().zip(other).enumerate() {
                differences(expected, found, &format!("{at}.{number}"), into);
            }
            return;
        }
        (Value::String(kind), Value::Number(number)) if kind == "$number" => number.is_u64(),
        (Value::String(kind), Value::Number(number)) if kind == "$seconds" => number.as_f64() >= Some(0.0),
        (Value::String(expected), Value::String(found)) => fits(expected, found),
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        _ => expected == found,
    };
    if !same {
        into.push(format!("{at}: expected {expected}, found {found}"));
    }
}
