//! The COPY statement of an entry with rows: `COPY public.orders (id, "odd, name") FROM stdin;`
//!
//! Written by `dumpTableData` and `fmtCopyColumnList` in `src/bin/pg_dump/pg_dump.c`: no list where a table has no column to copy.

use super::name::{Name, TableName};

/// The columns of a COPY statement of pg_dump's; `None` when it is not one.
pub(super) fn columns(statement: &[u8]) -> Option<Vec<Name>> {
    // A comment may come first (`-- load via partition root …`).
    let mut rest = statement;
    while let Some(comment) = rest.strip_prefix(b"--") {
        let end = memchr::memchr(b'\n', comment)?;
        rest = &comment[end + 1..];
    }
    let (_, rest) = identifier(rest.strip_prefix(b"COPY ")?)?;
    let rest = match rest.strip_prefix(b".") {
        Some(rest) => identifier(rest)?.1,
        None => rest,
    };
    let mut rest = rest.strip_prefix(b" ")?;
    let mut columns = Vec::new();
    if let Some(list) = rest.strip_prefix(b"(") {
        let mut list = list;
        loop {
            let (column, after) = identifier(list)?;
            columns.push(column);
            match after.strip_prefix(b", ") {
                Some(next) => list = next,
                None => {
                    rest = after.strip_prefix(b")")?;
                    break;
                }
            }
        }
    }
    (rest.strip_prefix(b" ").unwrap_or(rest) == b"FROM stdin;\n").then_some(columns)
}

/// The table that a COPY statement of pg_dump's names, with its schema: of a partition it can be the root.
pub(crate) fn table(statement: &[u8]) -> Option<TableName> {
    let mut rest = statement;
    while let Some(comment) = rest.strip_prefix(b"--") {
        let end = memchr::memchr(b'\n', comment)?;
        rest = &comment[end + 1..];
    }
    let (schema, rest) = identifier(rest.strip_prefix(b"COPY ")?)?;
    let (name, _) = identifier(rest.strip_prefix(b".")?)?;
    Some(TableName { schema, name })
}

/// An identifier at the start of this, and what follows it. Bytes above 127 are letters (`ident_start` in `scan.l`).
pub(super) fn identifier(text: &[u8]) -> Option<(Name, &[u8])> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let mut name = Vec::new();
        let mut rest = quoted;
        loop {
            let end = memchr::memchr(b'"', rest)?;
            name.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix(b"\"") {
                Some(more) => {
                    name.push(b'"');
                    rest = more;
                }
                None => return (!name.is_empty()).then(|| (Name::new(name), rest)),
            }
        }
    }
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80;
    let inner = |byte: &u8| letter(*byte) || byte.is_ascii_digit() || *byte == b'$';
    if !letter(*text.first()?) {
        return None;
    }
    let end = text.iter().position(|byte| !inner(byte)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!rest.starts_with(b"\"")).then(|| (Name::new(name.to_ascii_lowercase()), rest))
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn columns_of_statements() {
        let of = |statement: &str| {
            columns(statement.as_bytes()).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(of("COPY public.t (a) FROM stdin;\n"), some(&["a"]));
        assert_eq!(of("COPY public.t (a, \"b, \"\"c\"\")\", d) FROM stdin;\n"), some(&["a", "b, \"c\")", "d"]));
        assert_eq!(of("COPY \"s.(\".\"t (a) FROM stdin;\n\"  FROM stdin;\n"), some(&[]));
        assert_eq!(of("COPY public.t  FROM stdin;\n"), some(&[]));
        assert_eq!(of("-- load via partition root public.t\nCOPY public.t (a) FROM stdin;\n"), some(&["a"]));
        let named = |statement: &str| super::table(statement.as_bytes()).map(|table| table.to_string());
        assert_eq!(named("COPY public.\"A.b\" (a) FROM stdin;\n").as_deref(), Some("public.\"A.b\""));
        assert_eq!(named("COPY t (a) FROM stdin;\n"), None);
        for wrong in [
            "",
            "COPY public.t (a) FROM stdin",
            "COPY public.t (a TO stdout;\n",
            "COPY public.t () FROM stdin;\n",
            "INSERT INTO t\n",
            "COPY public.t (a) FROM stdin;\nx",
            "-- COPY",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
