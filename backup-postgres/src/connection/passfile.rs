//! libpq's password file (docs "The Password File", libpq-pgpass.html).

use secrecy::SecretString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a password is looked up for.
pub(super) struct Wanted<'a> {
    /// Host name, address, or `localhost` for the default socket folder.
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// Why a password file that exists is not used, as libpq's rule: others must not be able to read it.
pub(super) fn refused(file: &Path) -> Option<String> {
    let metadata = std::fs::metadata(file).ok()?;
    if !metadata.is_file() {
        return Some(format!("the password file {} is not a plain file and is ignored", file.display()));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Some(format!(
            "the password file {} can be read by others and is ignored, as PostgreSQL's programs do; run: chmod 0600 {0}",
            file.display()
        ));
    }
    None
}

/// The first line that fits. A file that is missing, unreadable or [`refused`] has none.
pub(super) fn lookup(file: &Path, wanted: &Wanted<'_>) -> Option<SecretString> {
    if refused(file).is_some() {
        return None;
    }
    let text = String::from_utf8_lossy(&std::fs::read(file).ok()?).into_owned();
    let port = wanted.port.to_string();
    let tokens = [wanted.host, &port, wanted.database, wanted.user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line;
        for token in tokens {
            let (field, tail) = split_field(rest)?;
            if field != "*" && unescape(field) != token {
                return None;
            }
            rest = tail;
        }
        let password = unescape(rest);
        (!password.is_empty()).then(|| password.into())
    })
}

/// The text before the first ':' that no backslash escapes, and what follows it.
fn split_field(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            ':' if !escaped => return Some((&text[..at], &text[at + 1..])),
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn find(text: &str, host: &str, database: &str, user: &str) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        lookup(file.path(), &Wanted { host, port: 5432, database, user }).map(|found| found.expose_secret().to_owned())
    }

    #[test]
    fn lines() {
        let text = "# a:comment\nshort:line\nh:5433:d:u:port\n::1:5432:*:u:six\n\\:\\:1:5432:*:u:six\nh:*:d\\\\x:u:back\nh:*:*:u:p\\:w\\\\:d\r\nh:*:*:u:second\n";
        assert_eq!(find(text, "h", "d", "u").unwrap(), "p:w\\:d");
        assert_eq!(find(text, "::1", "d", "u").unwrap(), "six");
        assert_eq!(find(text, "h", "d\\x", "u").unwrap(), "back");
        assert_eq!(find(text, "h", "d", "other"), None);
        assert_eq!(find("\\*:*:*:*:x\n", "h", "d", "u"), None);
    }

    #[test]
    fn others_must_not_read_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "*:*:*:*:x\n").unwrap();
        let wanted = Wanted { host: "h", port: 1, database: "d", user: "u" };
        assert!(refused(file.path()).is_none() && lookup(file.path(), &wanted).is_some());
        for mode in [0o640, 0o604, 0o601] {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(refused(file.path()).unwrap().contains("chmod 0600"));
            assert!(lookup(file.path(), &wanted).is_none());
        }
        assert!(lookup(Path::new("/nonexistent/pgpass"), &wanted).is_none());
    }
}
