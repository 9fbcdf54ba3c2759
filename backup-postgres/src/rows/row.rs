//! One row, its values taken out of COPY's text.
//!
//! The rules are those of `CopyReadAttributesText` in `src/backend/commands/copyfromparse.c`.

use crate::inventory::Name;
use std::sync::Arc;

/// One row.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    columns: Arc<[Name]>,
    values: Vec<Option<Vec<u8>>>,
    text: Vec<u8>,
}

impl Row {
    /// Takes a line apart, its line feed left out; `None` when it has another number of values than there are columns.
    pub(super) fn parse(line: &[u8], columns: Arc<[Name]>) -> Option<Self> {
        let values: Vec<_> = if columns.is_empty() {
            if !line.is_empty() {
                return None;
            }
            Vec::new()
        } else {
            line.split(|byte| *byte == b'\t').map(value).collect()
        };
        (values.len() == columns.len()).then(|| Row { columns, values, text: line.to_vec() })
    }

    /// The same row with its columns in another order: where each of them is now.
    pub(super) fn in_order(mut self, order: &[usize], columns: Arc<[Name]>) -> Self {
        let fields: Vec<&[u8]> = self.text.split(|byte| *byte == b'\t').collect();
        let text = order.iter().map(|place| fields[*place]).collect::<Vec<_>>().join(&b'\t');
        let values = order.iter().map(|place| self.values[*place].take()).collect();
        Row { columns, values, text }
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[Name] {
        &self.columns
    }

    /// The values in the order of the columns, as the text that the type writes; `None` is NULL.
    pub fn values(&self) -> &[Option<Vec<u8>>] {
        &self.values
    }

    /// The value of a column as the text that its type writes: `Some(None)` is NULL, `None` that there is no such column.
    pub fn get(&self, column: &str) -> Option<Option<&[u8]>> {
        let index = self.columns.iter().position(|name| name.as_bytes() == column.as_bytes())?;
        Some(self.values[index].as_deref())
    }

    /// The row as COPY's text, without its line feed.
    pub fn as_copy_text(&self) -> &[u8] {
        &self.text
    }
}

/// Shows the columns alone: values can be anything.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("columns", &self.columns).finish_non_exhaustive()
    }
}

/// A field of COPY's text; `\N` is NULL.
fn value(field: &[u8]) -> Option<Vec<u8>> {
    if field == b"\\N" {
        return None;
    }
    let Some(first) = memchr::memchr(b'\\', field) else { return Some(field.to_vec()) };
    let mut out = Vec::with_capacity(field.len());
    out.extend_from_slice(&field[..first]);
    let mut rest = &field[first..];
    loop {
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..plain]);
        let Some((escaped, after)) = rest.get(plain + 1..).and_then(|escape| escape.split_first()) else {
            // A backslash at the very end stands for itself.
            out.extend_from_slice(&rest[plain..]);
            return Some(out);
        };
        rest = after;
        let byte = match escaped {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'0'..=b'7' => number(u32::from(escaped - b'0'), &mut rest, 8, 2),
            b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => number(0, &mut rest, 16, 2),
            other => *other,
        };
        out.push(byte);
    }
}

/// Up to so many more digits of a number.
fn number(first: u32, rest: &mut &[u8], radix: u32, most: usize) -> u8 {
    let mut value = first;
    for _ in 0..most {
        let Some((digit, after)) =
            rest.split_first().and_then(|(byte, after)| Some((char::from(*byte).to_digit(radix)?, after)))
        else {
            break;
        };
        value = value * radix + digit;
        *rest = after;
    }
    value as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes() {
        for (field, expected) in [
            (&b""[..], Some(&b""[..])),
            (b"plain", Some(b"plain")),
            (b"\\N", None),
            (b"\\\\N", Some(b"\\N")),
            (b"x\\N", Some(b"xN")),
            (b"\\b\\f\\n\\r\\t\\v\\\\", Some(b"\x08\x0c\n\r\t\x0b\\")),
            (b"\\x41\\x4g\\x\\xg\\x414", Some(b"A\x04gxxgA4")),
            (b"\\101\\0\\19\\1011\\777", Some(b"A\0\x019A1\xff")),
            (b"\\.\\q", Some(b".q")),
            (b"a\\", Some(b"a\\")),
        ] {
            assert_eq!(value(field).as_deref(), expected, "{:?}", String::from_utf8_lossy(field));
        }
    }

    /// `CopyAttributeOutText` in `src/backend/commands/copyto.c`.
    fn written(values: &[Option<Vec<u8>>]) -> Vec<u8> {
        let field = |value: &Option<Vec<u8>>| match value {
            None => b"\\N".to_vec(),
            Some(value) => value
                .iter()
                .flat_map(|byte| match byte {
                    8 => b"\\b".to_vec(),
                    12 => b"\\f".to_vec(),
                    b'\n' => b"\\n".to_vec(),
                    b'\r' => b"\\r".to_vec(),
                    b'\t' => b"\\t".to_vec(),
                    11 => b"\\v".to_vec(),
                    b'\\' => b"\\\\".to_vec(),
                    other => vec![*other],
                })
                .collect(),
        };
        values.iter().map(field).collect::<Vec<_>>().join(&b'\t')
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_written_is_read(
            values in prop::collection::vec(prop::option::of(prop::collection::vec(
                prop_oneof![1u8..15, prop::sample::select(&b"\\\\\\Nbfnrtvx01."[..]), any::<u8>()], 0..12)), 1..5),
            noise in prop::collection::vec(prop::sample::select(&b"\\\\\\Nx01\t."[..]), 0..12),
        ) {
            let columns: Arc<[Name]> = (0..values.len()).map(|index| Name::from(index.to_string())).collect();
            let row = Row::parse(&written(&values), columns.clone()).unwrap();
            prop_assert_eq!(row.values(), &values[..]);
            // Whatever it is, it does not panic.
            let _ = Row::parse(&noise, columns);
        }
    }

    #[test]
    fn columns_in_another_order() {
        let columns = |names: &[&str]| -> Arc<[Name]> { names.iter().map(|name| Name::from(*name)).collect() };
        let row = Row::parse(b"1\t\\N\ta\\tb", columns(&["a", "b", "c"])).unwrap();
        let row = row.in_order(&[2, 0, 1], columns(&["c", "a", "b"]));
        assert_eq!(row.as_copy_text(), b"a\\tb\t1\t\\N");
        assert_eq!(
            (row.get("c"), row.get("a"), row.get("b")),
            (Some(Some(&b"a\tb"[..])), Some(Some(&b"1"[..])), Some(None))
        );
    }

    #[test]
    fn values_by_name() {
        let columns: Arc<[Name]> = vec![Name::from("a"), Name::from("b")].into();
        let row = Row::parse(b"1\t\\N", columns.clone()).unwrap();
        assert_eq!((row.get("a"), row.get("b"), row.get("c")), (Some(Some(&b"1"[..])), Some(None), None));
        assert_eq!(row.as_copy_text(), b"1\t\\N");
        assert!(!format!("{row:?}").contains('1'));
        assert!(Row::parse(b"1", columns.clone()).is_none() && Row::parse(b"1\t2\t3", columns).is_none());
        let none: Arc<[Name]> = Vec::new().into();
        assert_eq!(Row::parse(b"", none.clone()).unwrap().values(), []);
        assert!(Row::parse(b"x", none).is_none());
    }
}
