//! Just enough of SQL's grammar to read what pg_dump itself wrote: statements about databases, privileges and roles.
//!
//! pg_dump writes definitions of databases with the old name in them, and pg_restore has no way to give another. So they are
//! taken apart into tokens (`src/backend/parser/scan.l` has the rules), the name is replaced where a known kind of statement has
//! it, and what is not known is refused rather than guessed at.

/// A token, with the place it has in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// As written.
    pub(crate) text: &'a str,
    pub(crate) at: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A key word or a plain name, in lower case.
    Word(String),
    /// A name in double quotes, unquoted.
    Quoted(String),
    /// A string.
    String,
    /// Anything else, one character each.
    Other(char),
}

impl Token<'_> {
    /// Whether it is this key word.
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(found) if found == word)
    }

    /// The name that it is, if it can be one.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(name) | Kind::Quoted(name) => Some(name),
            _ => None,
        }
    }
}

/// A statement: its tokens, the closing semicolon left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'a str,
    pub(crate) tokens: Vec<Token<'a>>,
}

impl<'a> Statement<'a> {
    /// Whether it begins with these key words.
    pub(crate) fn begins(&self, words: &[&str]) -> bool {
        self.tokens.len() >= words.len() && self.tokens.iter().zip(words).all(|(token, word)| token.is(word))
    }

    /// The statement with one token replaced.
    pub(crate) fn replacing(&self, token: &Token<'_>, with: &str) -> String {
        let start = self.tokens.first().map_or(0, |first| first.at);
        let (from, to) = (token.at - start, token.at - start + token.text.len());
        format!("{}{with}{}", &self.sql[..from], &self.sql[to..])
    }

    /// The statement without the tokens of this range.
    pub(super) fn without(&self, range: std::ops::Range<usize>) -> String {
        let start = self.tokens.first().map_or(0, |first| first.at);
        let from = self.tokens[range.start].at - start;
        let to = self.tokens.get(range.end).map_or(self.sql.len(), |token| token.at - start);
        format!("{}{}", &self.sql[..from], &self.sql[to..])
    }
}

/// Takes a script apart; `None` for what these few rules do not cover (dollar quotes, comments, an unclosed quote).
///
/// Strings without an E have no escapes but the doubled quote: backproof dumps with standard_conforming_strings on.
pub(crate) fn statements(sql: &str) -> Option<Vec<Statement<'_>>> {
    let mut statements = Vec::new();
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut at = 0;
    while at < sql.len() {
        let rest = &sql[at..];
        let first = rest.chars().next()?;
        let (kind, len) = match first {
            c if c.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            ';' => {
                close(sql, &mut tokens, &mut statements);
                at += 1;
                continue;
            }
            '"' => {
                let len = quoted(rest, '"', false)?;
                (Kind::Quoted(rest[1..len - 1].replace("\"\"", "\"")), len)
            }
            '\'' => (Kind::String, quoted(rest, '\'', false)?),
            'E' | 'e' if rest[1..].starts_with('\'') => (Kind::String, 1 + quoted(&rest[1..], '\'', true)?),
            c if c.is_alphabetic() || c == '_' || !c.is_ascii() => {
                let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
                let len = rest.find(|c| !word(c)).unwrap_or(rest.len());
                // What PostgreSQL folds is ASCII; pg_dump quotes every name that folding would change.
                (Kind::Word(rest[..len].to_ascii_lowercase()), len)
            }
            '$' => return None,
            '-' if rest.starts_with("--") => return None,
            '/' if rest.starts_with("/*") => return None,
            other => (Kind::Other(other), other.len_utf8()),
        };
        tokens.push(Token { kind, text: &rest[..len], at });
        at += len;
    }
    close(sql, &mut tokens, &mut statements);
    Some(statements)
}

fn close<'a>(sql: &'a str, tokens: &mut Vec<Token<'a>>, statements: &mut Vec<Statement<'a>>) {
    if let (Some(first), Some(last)) = (tokens.first(), tokens.last()) {
        let sql = &sql[first.at..last.at + last.text.len()];
        statements.push(Statement { sql, tokens: std::mem::take(tokens) });
    }
}

/// The length of a quoted text, both quotes included; a doubled quote stands for one.
fn quoted(text: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if escapes && c == '\\' {
            characters.next()?;
        } else if c == quote {
            match characters.peek() {
                Some((_, next)) if *next == quote => {
                    characters.next();
                }
                _ => return Some(at + quote.len_utf8()),
            }
        }
    }
    None
}

/// A name as SQL writes it, always in quotes.
pub(crate) fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string as SQL writes it, whatever standard_conforming_strings says.
pub(crate) fn quote_string(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// The place of the database's name in a statement about a database.
pub(super) fn database_name<'s, 'a>(statement: &'s Statement<'a>) -> Option<&'s Token<'a>> {
    let tokens = &statement.tokens;
    let index = if statement.begins(&["create", "database"]) || statement.begins(&["alter", "database"]) {
        2
    } else if statement.begins(&["comment", "on", "database"]) {
        3
    } else if statement.begins(&["alter", "role"])
        && matches!(tokens.get(3..5), Some([a, b]) if a.is("in") && b.is("database"))
    {
        5
    } else if ["grant", "revoke", "security"].iter().any(|word| statement.begins(&[word])) {
        // ON is a reserved word, so no name before it can be mistaken for it.
        2 + tokens.windows(2).position(|pair| pair[0].is("on") && pair[1].is("database"))?
    } else {
        return None;
    };
    tokens.get(index).filter(|token| token.name().is_some())
}

/// The roles that a statement of GRANT, REVOKE, ALTER DEFAULT PRIVILEGES, CREATE POLICY, CREATE USER MAPPING, ALTER ROLE or
/// SET SESSION AUTHORIZATION names, PUBLIC left out.
pub(super) fn roles(statement: &Statement<'_>) -> Vec<String> {
    let tokens = &statement.tokens;
    let mut roles = Vec::new();
    let mut add = |token: Option<&Token<'_>>| {
        if let Some(token) = token
            && !token.is("public")
            && let Some(name) = token.name()
        {
            roles.push(name.to_owned());
        }
    };
    if statement.begins(&["set", "session", "authorization"]) {
        match tokens.get(3) {
            Some(Token { kind: Kind::String, text, .. }) => roles.push(text[1..text.len() - 1].replace("''", "'")),
            token => add(token),
        }
    } else if statement.begins(&["create", "policy"]) {
        let mut depth = 0;
        let outside: Vec<&Token<'_>> = tokens
            .iter()
            .take_while(|token| !(token.is("using") || token.is("with")))
            .filter(|token| {
                match token.kind {
                    Kind::Other('(') => depth += 1,
                    Kind::Other(')') => depth -= 1,
                    _ => {}
                }
                depth == 0
            })
            .collect();
        if let Some(to) = outside.iter().position(|token| token.is("to")) {
            outside[to + 1..].iter().for_each(|token| add(Some(token)));
        }
    } else if statement.begins(&["create", "user", "mapping", "for"]) {
        add(tokens.get(4));
    } else if statement.begins(&["alter", "role"]) {
        add(tokens.get(2));
    } else if [&["grant"][..], &["revoke"], &["alter", "default", "privileges"]]
        .iter()
        .any(|words| statement.begins(words))
    {
        // FOR ROLE owner; TO or FROM, both reserved words, come last; GRANTED BY follows them.
        if let Some(at) = tokens.windows(2).position(|pair| pair[0].is("for") && pair[1].is("role")) {
            add(tokens.get(at + 2));
        }
        if let Some(at) = tokens.iter().rposition(|token| token.is("to") || token.is("from")) {
            add(tokens.get(at + 1));
        }
        if let Some(at) = tokens.windows(2).rposition(|pair| pair[0].is("granted") && pair[1].is("by")) {
            add(tokens.get(at + 2));
        }
    }
    roles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(sql: &str) -> Statement<'_> {
        let mut all = statements(sql).unwrap();
        assert_eq!(all.len(), 1, "{sql}");
        all.remove(0)
    }

    #[test]
    fn the_name_is_found_in_every_kind_of_statement() {
        for sql in [
            "CREATE DATABASE old WITH TEMPLATE = template0 ENCODING = 'UTF8'",
            "ALTER DATABASE old SET search_path TO 'DATABASE old', 'x'",
            "ALTER ROLE database IN DATABASE old SET work_mem TO '9MB'",
            "COMMENT ON DATABASE old IS 'it''s ON DATABASE old; \\'",
            "GRANT CONNECT,TEMPORARY ON DATABASE old TO database WITH GRANT OPTION",
            "REVOKE ALL ON DATABASE old FROM PUBLIC",
            "SECURITY LABEL FOR \"on database\" ON DATABASE old IS E'a\\'b'",
        ] {
            let statement = one(sql);
            let token = database_name(&statement).unwrap();
            assert_eq!(token.name(), Some("old"), "{sql}");
            let rewritten = statement.replacing(token, "\"new\"");
            let expected = match sql.split_once("DATABASE old") {
                Some((before, after)) => format!("{before}DATABASE \"new\"{after}"),
                None => unreachable!(),
            };
            // The first `DATABASE old` that is not inside a string is the name in each of these.
            assert_eq!(rewritten, expected, "{sql}");
        }
        for sql in [
            "DROP DATABASE old",
            "SELECT 1",
            "ALTER ROLE old SET x = 1",
            "COMMENT ON TABLE t IS 'x'",
            "ALTER DATABASE 'x'",
        ] {
            assert_eq!(database_name(&one(sql)), None, "{sql}");
        }
    }

    #[test]
    fn quotes() {
        let statement = one("ALTER DATABASE \"my \"\"app; --\" CONNECTION LIMIT = 7");
        let name = database_name(&statement).unwrap();
        assert_eq!(name.name(), Some("my \"app; --"));
        assert_eq!(statement.replacing(name, &quote_name("a\"b")), "ALTER DATABASE \"a\"\"b\" CONNECTION LIMIT = 7");
        assert_eq!(quote_string("it's"), "'it''s'");
        assert_eq!(quote_string("back\\slash'"), "E'back\\\\slash'''");
    }

    #[test]
    fn statements_are_split_outside_quotes_only() {
        let sql = "\n GRANT a ON DATABASE \"x;y\" TO b;\nCOMMENT ON DATABASE x IS ';''; ';; SET a = E'\\';'";
        let all = statements(sql).unwrap();
        let texts: Vec<&str> = all.iter().map(|statement| statement.sql).collect();
        assert_eq!(texts, ["GRANT a ON DATABASE \"x;y\" TO b", "COMMENT ON DATABASE x IS ';''; '", "SET a = E'\\';'"]);
        let (first, last) = (&all[1], &all[1].tokens[3]);
        assert_eq!(
            first.replacing(last, "\"new\""),
            "COMMENT ON DATABASE \"new\" IS ';''; '",
            "places count from the statement"
        );
    }

    #[test]
    fn what_is_not_covered_is_refused() {
        for sql in ["SELECT $$x$$", "SELECT 'open", "SELECT \"open", "-- comment", "/* comment */ x", "E'\\'"] {
            assert_eq!(statements(sql), None, "{sql}");
        }
        assert_eq!(statements("  \n;; "), Some(vec![]));
    }

    #[test]
    fn roles_are_found() {
        let cases: [(&str, &[&str]); 11] = [
            ("GRANT SELECT ON TABLE s.t TO PUBLIC", &[]),
            ("GRANT SELECT ON TABLE s.\"to\" TO \"Some \"\"one\" WITH GRANT OPTION", &["Some \"one"]),
            ("REVOKE ALL ON FUNCTION f(a integer) FROM bob", &["bob"]),
            ("ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA s GRANT ALL ON TABLES TO reader", &["owner", "reader"]),
            ("ALTER DEFAULT PRIVILEGES FOR ROLE owner REVOKE ALL ON FUNCTIONS FROM PUBLIC", &["owner"]),
            ("SET SESSION AUTHORIZATION 'it''s'", &["it's"]),
            ("SET SESSION AUTHORIZATION grantor", &["grantor"]),
            ("RESET SESSION AUTHORIZATION", &[]),
            ("CREATE POLICY p ON s.t AS RESTRICTIVE FOR SELECT TO a, \"B\" USING ((x = 1) OR to_ok(y))", &["a", "B"]),
            ("CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (a 'b')", &[]),
            ("ALTER ROLE r IN DATABASE d SET x TO 'y'", &["r"]),
        ];
        for (sql, expected) in cases {
            assert_eq!(roles(&one(sql)), expected, "{sql}");
        }
    }

    #[test]
    fn tokens_can_be_left_out() {
        let statement = one("CREATE DATABASE a WITH TEMPLATE = template0 TABLESPACE = x");
        let at = statement.tokens.iter().position(|token| token.is("tablespace")).unwrap();
        assert_eq!(statement.without(at..at + 3).trim_end(), "CREATE DATABASE a WITH TEMPLATE = template0");
    }
}
