//! JSON as repositories hold it: strict, and bounded before it is looked at.

use crate::error::{Error, Result, codes};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// JSON documents are read up to this many bytes.
pub const MAX_BYTES: u64 = 16 << 20;
/// JSON documents may nest this deep.
pub const MAX_DEPTH: usize = 32;

/// Reads JSON of at most [`MAX_BYTES`] and [`MAX_DEPTH`] levels, in which no object has a key twice.
///
/// A duplicate key is refused because two readers could take different values from it (RFC 8259, section 4).
pub fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    check(bytes)
        .and_then(|()| serde_json::from_slice(bytes))
        .map_err(|error| Error::new(&codes::INVALID_DOCUMENT, format!("{what} is not valid")).with_source(error))
}

fn check(bytes: &[u8]) -> std::result::Result<(), serde_json::Error> {
    use serde::de::Error as _;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(serde_json::Error::custom(format!("it is larger than {MAX_BYTES} bytes")));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Strict { depth: MAX_DEPTH }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Walks over a value and keeps nothing but the keys of the objects it is in.
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> std::result::Result<usize, E> {
        self.depth.checked_sub(1).ok_or_else(|| E::custom(format!("it nests deeper than {MAX_DEPTH} levels")))
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(), A::Error> {
        let depth = self.deeper()?;
        while seq.next_element_seed(Strict { depth })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        use serde::de::Error as _;
        let depth = self.deeper()?;
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format!("the key {key:?} occurs twice in one object")));
            }
            keys.insert(key);
            map.next_value_seed(Strict { depth })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn nested(levels: usize) -> Vec<u8> {
        [vec![b'['; levels], vec![b']'; levels]].concat()
    }

    #[test]
    fn nesting_stops_at_the_limit() {
        for levels in [1, MAX_DEPTH - 1, MAX_DEPTH] {
            parse::<Value>(&nested(levels), "it").unwrap();
        }
        for levels in [MAX_DEPTH + 1, 100_000] {
            assert!(parse::<Value>(&nested(levels), "it").unwrap_err().is(&codes::INVALID_DOCUMENT));
        }
    }

    #[test]
    fn a_key_that_occurs_twice_is_refused_wherever_it_is() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":{"a":1,"b":2,"a":3}}"#, r#"[{"a":[],"\u0061":2}]"#] {
            let error = parse::<Value>(text.as_bytes(), "it").unwrap_err();
            assert!(error.chain().contains("occurs twice"), "{error:?}");
        }
        parse::<Value>(br#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#, "it").unwrap();
    }

    #[test]
    fn what_follows_the_value_is_refused() {
        assert!(parse::<Value>(b"{} {}", "it").is_err());
        assert!(parse::<Value>(b"{\"a\":1", "it").is_err());
        parse::<Value>(b" {} \n", "it").unwrap();
    }
}
