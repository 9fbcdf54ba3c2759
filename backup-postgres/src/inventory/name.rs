//! Names of objects, byte for byte as the archive has them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A name in the archive's encoding, unquoted.
///
/// In JSON it is a string when it is UTF-8, and `{"hex": "…"}` when it is not: no two names are written alike. Displayed, what is not UTF-8
/// is replaced and control characters are escaped.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// A name of these bytes.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Name(bytes.as_ref().into())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The name for people: what is not UTF-8 is replaced, control characters are escaped.
    pub fn lossy(&self) -> Cow<'_, str> {
        let text = String::from_utf8_lossy(&self.0);
        if text.chars().any(char::is_control) { escape_controls(&text).into() } else { text }
    }

    /// The name as SQL needs it, for people: in double quotes unless it is a plain one. Key words are not looked at.
    pub fn quoted(&self) -> Cow<'_, str> {
        let plain = |index: usize, byte: u8| {
            byte.is_ascii_lowercase() || byte == b'_' || index > 0 && (byte.is_ascii_digit() || byte == b'$')
        };
        if !self.0.is_empty() && self.0.iter().enumerate().all(|(index, byte)| plain(index, *byte)) {
            return self.lossy();
        }
        format!("\"{}\"", self.lossy().replace('"', "\"\"")).into()
    }
}

fn escape_controls(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, char| {
        if char.is_control() {
            out.extend(char.escape_default())
        } else {
            out.push(char)
        }
        out
    })
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Name::new(text)
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Name(text.into_bytes().into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lossy())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => Written::Hex { hex: hex(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Ok(Name::from(text)),
            Written::Hex { hex } => match unhex(&hex) {
                // A second spelling of a name would make two of one.
                Some(bytes) if std::str::from_utf8(&bytes).is_err() => Ok(Name(bytes.into())),
                _ => Err(D::Error::custom("a name in hex that is not one")),
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Written {
    Text(String),
    Hex { hex: String },
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        out.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
        out
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// The name of a table, with its schema. Displayed as SQL has it: `public.orders`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// Its schema.
    pub schema: Name,
    /// Its name within the schema.
    pub name: Name,
}

impl TableName {
    /// The table of this name.
    pub fn new(schema: impl Into<Name>, name: impl Into<Name>) -> Self {
        TableName { schema: schema.into(), name: name.into() }
    }

    /// Reads a name as people write it: `public.orders`, `"Odd ""schema"."Täble"`. Without quotes, letters from A to Z are made small as
    /// PostgreSQL does; without a schema, it is `public`. `None` when it is not a name.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, rest) = super::copy::identifier(text.as_bytes())?;
        if rest.is_empty() {
            return Some(TableName { schema: Name::from("public"), name: first });
        }
        let (second, rest) = super::copy::identifier(rest.strip_prefix(b".")?)?;
        rest.is_empty().then_some(TableName { schema: first, name: second })
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema.quoted(), self.name.quoted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_and_read_back() {
        for bytes in [&b"orders"[..], b"", "T\u{e4}ble \"x\"\n".as_bytes(), b"T\xe4ble", b"\xff"] {
            let name = Name::new(bytes);
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<Name>(&json).unwrap(), name, "{json}");
        }
        assert_eq!(serde_json::to_string(&Name::new(b"\xe4")).unwrap(), r#"{"hex":"e4"}"#);
        for wrong in [r#"{"hex":"61"}"#, r#"{"hex":"E4"}"#, r#"{"hex":"e"}"#, r#"{"hex":"+4"}"#, "1"] {
            serde_json::from_str::<Name>(wrong).unwrap_err();
        }
    }

    #[test]
    fn names_as_people_write_them() {
        let name = |text: &str| TableName::parse(text).map(|table| table.to_string());
        assert_eq!(name("public.orders").as_deref(), Some("public.orders"));
        assert_eq!(name("Orders").as_deref(), Some("public.orders"));
        assert_eq!(name("\"Odd \"\"s\".\"T.\u{e4}\"").as_deref(), Some("\"Odd \"\"s\".\"T.\u{e4}\""));
        assert_eq!(name("t\u{e4}ble").as_deref(), Some("public.\"t\u{e4}ble\""));
        for wrong in ["", ".", "a.", ".a", "a.b.c", "\"a", "a b", "a\"b\"", "\"\"", "a;"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
        assert_eq!(TableName::new("public", "a\nb\u{1b}[0m").to_string(), "public.\"a\\nb\\u{1b}[0m\"");
    }
}
