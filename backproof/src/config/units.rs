//! Sizes and durations as people write them.

use backup_core::error::codes;
use backup_core::{Error, Result};
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer};
use std::str::FromStr;

/// A size in bytes: a number, or text as [`size`] reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub u64);

/// A time span: a number of seconds, or text as [`duration`] reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan(pub SignedDuration);

impl FromStr for ByteSize {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        size(text).map(ByteSize)
    }
}

impl FromStr for TimeSpan {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        duration(text).map(TimeSpan)
    }
}

/// A size: bytes as a number, or text such as `16MiB` (2^20), `1MB` (10^6) or `500k` (2^10).
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Size"))]
#[serde(untagged)]
enum WrittenSize {
    Bytes(u64),
    Text(String),
}

/// A time span: seconds as a number, or text such as `90s`, `15m`, `48h`, `7d` or `2w`.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Duration"))]
#[serde(untagged)]
enum WrittenSpan {
    Seconds(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match WrittenSize::deserialize(deserializer)? {
            WrittenSize::Bytes(bytes) => Ok(ByteSize(bytes)),
            WrittenSize::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        use serde::de::Error;
        match WrittenSpan::deserialize(deserializer)? {
            WrittenSpan::Seconds(seconds) if seconds >= 0.0 => {
                SignedDuration::try_from_secs_f64(seconds).map(TimeSpan).map_err(D::Error::custom)
            }
            WrittenSpan::Seconds(seconds) => Err(D::Error::custom(format!("{seconds} seconds are no time span"))),
            WrittenSpan::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

#[cfg(feature = "schema")]
mod schema {
    use super::{ByteSize, TimeSpan, WrittenSize, WrittenSpan};
    use schemars::{JsonSchema, Schema, SchemaGenerator};
    use std::borrow::Cow;

    impl JsonSchema for ByteSize {
        fn schema_name() -> Cow<'static, str> {
            WrittenSize::schema_name()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            WrittenSize::json_schema(generator)
        }
    }

    impl JsonSchema for TimeSpan {
        fn schema_name() -> Cow<'static, str> {
            WrittenSpan::schema_name()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            WrittenSpan::json_schema(generator)
        }
    }
}

/// Reads a size in bytes: `16MiB`, `1MB`, `500k`, `1048576`. `MB` is 10^6 bytes, `MiB` (and `M`, as in most programs) 2^20.
pub fn size(text: &str) -> Result<u64> {
    let (number, unit) = split(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(invalid(text, "a size", "sizes look like 16MiB, 1MB or 1048576")),
    };
    scale(number, factor).ok_or_else(|| invalid(text, "a size", "sizes look like 16MiB, 1MB or 1048576"))
}

/// Reads a duration: `48h`, `15m`, `90s`, `7d`, `2w`.
pub fn duration(text: &str) -> Result<SignedDuration> {
    let (number, unit) = split(text);
    let factor = match unit {
        "s" => Some(1),
        "m" | "min" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        "w" => Some(7 * 86_400),
        _ => None,
    };
    let seconds = factor.and_then(|factor| scale(number, factor)).and_then(|seconds| i64::try_from(seconds).ok());
    seconds
        .map(SignedDuration::from_secs)
        .ok_or_else(|| invalid(text, "a duration", "durations look like 48h, 15m, 90s, 7d or 2w"))
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

/// A whole number, or one with a fraction, times a factor.
fn scale(number: &str, factor: u64) -> Option<u64> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let value = number.parse::<f64>().ok()? * factor as f64;
    (value.is_finite() && (0.0..=9e15).contains(&value)).then_some(value as u64)
}

fn invalid(text: &str, what: &str, hint: &'static str) -> Error {
    Error::new(&codes::INVALID_ARGUMENT, format!("{text:?} is not {what}")).with_hint(hint)
}

/// A size for people, in binary units with one decimal: `1.5 GiB`.
pub fn show_size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = "";
    for next in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// A duration for people, in its two largest units: `3 d 4 h`.
pub fn show_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let (sign, seconds) = if seconds < 0 { ("-", -seconds) } else { ("", seconds) };
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let text = match (days, hours, minutes) {
        (0, 0, 0) if duration.is_zero() || seconds > 0 => format!("{seconds} s"),
        (0, 0, 0) => format!("{:.1} s", duration.abs().as_secs_f64()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("1MB", 1_000_000),
            ("16MiB", 16 << 20),
            ("1.5 GiB", 3 << 29),
            ("2k", 2048),
        ] {
            assert_eq!(size(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "MB", "-1", "1 XB", "1e5", "99999999999T", "1..5M", "NaN"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("48h", 172_800), ("7d", 604_800), ("1.5h", 5400)] {
            assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "48", "h", "-1h", "1y", "1 fortnight"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shown() {
        assert_eq!(show_size(1023), "1023 B");
        assert_eq!(show_size(1024), "1.0 KiB");
        assert_eq!(show_size(3 << 29), "1.5 GiB");
        assert_eq!(show_duration(SignedDuration::from_secs(59)), "59 s");
        assert_eq!(show_duration(SignedDuration::from_secs(3 * 86_400 + 4 * 3600)), "3 d 4 h");
    }
}
