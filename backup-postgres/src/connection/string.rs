//! Connection strings in libpq's two forms: URLs and `key=value` lists.
//!
//! Rules: docs "Connection Strings" (libpq-connect.html), and `conninfo_parse` and `conninfo_uri_parse_options` in
//! src/interfaces/libpq/fe-connect.c. No error repeats the string: it may hold a password.

use super::keywords::Settings;
use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::{Error, Result};

/// Reads a URL, a `key=value` string, or a plain database name. `place` is what errors call it, e.g. `DATABASE_URL`.
pub(super) fn parse(place: &str, text: &str) -> Result<Settings> {
    let text = text.trim();
    if text.is_empty() {
        return Err(invalid(place, "is empty"));
    }
    if let Some(rest) = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        return url(place, rest);
    }
    if let Some((scheme, _)) = text.split_once("://") {
        // A `key=value` string may hold "://" in a value; a scheme has neither '=' nor spaces.
        if !scheme.contains(['=', ' ']) {
            let scheme: String = scheme.chars().take(30).collect();
            let error = invalid(place, &format!("has the scheme \"{scheme}\", not postgresql"));
            return Err(if scheme.starts_with("postgres") {
                error.with_hint("write postgresql:// (what stands after '+' or differs is for another client library)")
            } else {
                error.with_hint("a PostgreSQL URL reads postgresql://USER@HOST:PORT/DATABASE")
            });
        }
    }
    if text.contains('=') {
        return key_values(place, text);
    }
    // A URL with a slip in it: as a database's name it would be shown, and made, with the password in it.
    if text.contains(":/") || text.split_once('@').is_some_and(|(login, _)| login.contains(':')) {
        return Err(invalid(place, "looks like a URL and is none")
            .with_hint("a PostgreSQL URL reads postgresql://USER@HOST:PORT/DATABASE; a database whose name looks so is given as dbname='NAME'"));
    }
    let mut settings = Settings::default();
    settings.set(place, "dbname", text.to_owned())?;
    Ok(settings)
}

fn url(place: &str, rest: &str) -> Result<Settings> {
    let mut settings = Settings::default();
    // Up to an '@' before the first '/', as libpq looks for it.
    let (login, rest) = match rest.find(['@', '/']) {
        Some(at) if rest[at..].starts_with('@') => (Some(&rest[..at]), &rest[at + 1..]),
        _ => (None, rest),
    };
    let (rest, query) = match rest.split_once('?') {
        Some((before, after)) => (before, Some(after)),
        None => (rest, None),
    };
    let (hosts, database) = match rest.split_once('/') {
        Some((hosts, database)) => (hosts, Some(database)),
        None => (rest, None),
    };
    if login.is_none() && hosts.contains(':') && database.is_some_and(|database| database.contains('@')) {
        return Err(invalid(place, "has a '/' in its user or password").with_hint("write it as %2F"));
    }
    if hosts.contains('@') {
        return Err(invalid(place, "has an '@' in its user or password").with_hint("write it as %40"));
    }
    if let Some(login) = login {
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        settings.set(place, "user", decode(place, user)?)?;
        if let Some(password) = password {
            settings.set(place, "password", decode(place, password)?)?;
        }
    }
    if !hosts.is_empty() {
        let (mut names, mut ports) = (Vec::new(), Vec::new());
        for host in hosts.split(',') {
            let (name, port) = host_and_port(place, host)?;
            names.push(decode(place, name)?);
            ports.push(decode(place, port)?);
        }
        // Commas alone (",") would be several default hosts: keep them, but leave a list of nothing unset.
        if names.len() > 1 || !names[0].is_empty() {
            settings.set(place, "host", names.join(","))?;
        }
        if ports.iter().any(|port| !port.is_empty()) {
            settings.set(place, "port", ports.join(","))?;
        }
    }
    if let Some(database) = database {
        settings.set(place, "dbname", decode(place, database)?)?;
    }
    for parameter in query.into_iter().flat_map(|query| query.split('&')).filter(|parameter| !parameter.is_empty()) {
        let Some((name, value)) = parameter.split_once('=') else {
            return Err(invalid(place, "has a parameter without '=' after its '?'"));
        };
        settings.set(place, &decode(place, name)?, decode(place, value)?)?;
    }
    Ok(settings)
}

/// Splits `host:port`, `[::1]:port`, `host` or nothing.
fn host_and_port<'a>(place: &str, text: &'a str) -> Result<(&'a str, &'a str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, rest)) = rest.split_once(']') else {
            return Err(invalid(place, "has a '[' without ']'"));
        };
        return match rest.strip_prefix(':') {
            Some(port) => Ok((address, port)),
            None if rest.is_empty() => Ok((address, "")),
            None => Err(invalid(place, "has something other than a port after ']'")),
        };
    }
    Ok(text.split_once(':').unwrap_or((text, "")))
}

/// Percent-decodes; `+` stays as it is, and `%00` is refused, as in libpq (conninfo_uri_decode).
fn decode(place: &str, text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = tail
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if byte != 0 => bytes.push(byte),
            _ => {
                return Err(invalid(place, "has a '%' that is not followed by two hexadecimal digits")
                    .with_hint("write a plain '%' as %25"));
            }
        }
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| invalid(place, "is not UTF-8 when decoded"))
}

fn key_values(place: &str, text: &str) -> Result<Settings> {
    let mut settings = Settings::default();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(settings);
        }
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_ascii_whitespace()) {
            name.push(c);
        }
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        if chars.next() != Some('=') {
            return Err(invalid(place, "has a word that is not followed by '='")
                .with_hint("put values with spaces in single quotes"));
        }
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        let mut value = String::new();
        if chars.next_if_eq(&'\'').is_some() {
            loop {
                match chars.next() {
                    Some('\'') => break,
                    Some('\\') => value.extend(chars.next()),
                    Some(c) => value.push(c),
                    None => return Err(invalid(place, "has a single quote that is never closed")),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| !c.is_ascii_whitespace()) {
                match c {
                    '\\' => value.extend(chars.next()),
                    c => value.push(c),
                }
            }
        }
        settings.set(place, &name, value)?;
    }
}

/// Writes `key='value'` for each pair, with the quotes that [`parse`] and libpq read.
pub(super) fn write_key_values<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let pairs =
        pairs.into_iter().map(|(name, value)| format!("{name}='{}'", value.replace('\\', "\\\\").replace('\'', "\\'")));
    pairs.collect::<Vec<_>>().join(" ")
}

fn invalid(place: &str, problem: &str) -> Error {
    Error::new(&INVALID_ARGUMENT, format!("{place} {problem}"))
        .with_hint("a PostgreSQL URL reads postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full, with special characters percent-encoded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn get(text: &str, name: &str) -> String {
        let settings = parse("the URL", text).unwrap();
        match name {
            "password" => settings.password().map(|p| p.expose_secret().to_owned()),
            _ => settings.get(name).map(str::to_owned),
        }
        .unwrap_or_default()
    }

    #[test]
    fn urls() {
        let url = "postgresql://us%40er:p%3Aw%2F@h1:1,[::1],h3:3/d%20b?sslmode=require&options=-c%20a%3Db+c";
        assert_eq!(get(url, "user"), "us@er");
        assert_eq!(get(url, "password"), "p:w/");
        assert_eq!(get(url, "host"), "h1,::1,h3");
        assert_eq!(get(url, "port"), "1,,3");
        assert_eq!(get(url, "dbname"), "d b");
        assert_eq!(get(url, "sslmode"), "require");
        assert_eq!(get(url, "options"), "-c a=b+c");
        assert_eq!(get("postgres:///db?host=/tmp/x&port=5", "host"), "/tmp/x");
        assert_eq!(get("postgres://%2Ftmp%2Fx/db", "host"), "/tmp/x");
        assert_eq!(get("postgres://h?ssl=true", "sslmode"), "require");
        assert_eq!(get("postgres://h:7", "port"), "7");
        assert_eq!(get("postgres://u@", "host"), "");
        assert_eq!(get("postgres://u:a:b?c@h", "password"), "a:b?c");
        assert_eq!(get("postgres://h:1/d?user=a@b", "user"), "a@b");
        assert_eq!(get("postgres://", "host"), "");
    }

    #[test]
    fn lists() {
        let text = r"host=h  user = 'o\'re il' password=a\ b=c dbname='' port=1";
        assert_eq!(get(text, "user"), "o're il");
        assert_eq!(get(text, "password"), "a b=c");
        assert_eq!(get(text, "dbname"), "");
        assert_eq!(get(text, "port"), "1");
        assert_eq!(get("app", "dbname"), "app");
        assert_eq!(get(&write_key_values([("dbname", r"a'b\c d".to_owned())]), "dbname"), r"a'b\c d");
    }

    #[test]
    fn mistakes_do_not_repeat_the_password() {
        for text in [
            "postgres://u:s3cr@et@h/d",
            "postgres://u:s3cr/et@h/d",
            "postgres://u:s3cr%et@h/d",
            "postgres://u:s3cret@[::1/d",
            "postgres://u:s3cret@h/d?schema=x",
            "postgres://u:s3cret@h/d?pgbouncer=true",
            "postgres+asyncpg://u:s3cret@h/d",
            "mysql://u:s3cret@h/d",
            "host=h password='s3cret",
            "host=h password=s3cret and more",
            "host=h password=s3cret gssencmode=require",
            "",
            "  ",
        ] {
            let error = parse("the URL", text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(!error.report().contains("s3cr"), "{}", error.report());
        }
    }
}
