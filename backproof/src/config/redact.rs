//! What may be shown of a setting: everything but passwords and keys.

/// What may be shown of a connection string or of a URL's query: everything else may be a secret, or one that is misspelt.
const SHOWN: [&str; 17] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "dbname",
    "service",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "connect_timeout",
    "application_name",
    "target_session_attrs",
    "channel_binding",
    "gssencmode",
    "keepalives",
    "options",
    "passfile",
];

/// Takes passwords and keys out of URLs and connection strings, by their text: what cannot be parsed must not be shown either.
pub(super) fn redact(text: &str) -> String {
    const REDACTED: &str = "REDACTED";
    let secret_key =
        |text: &str| ["AGE-SECRET-KEY-", "AGE-PLUGIN-", "PRIVATE KEY"].iter().any(|mark| text.contains(mark));
    if secret_key(&text.to_ascii_uppercase()) {
        return REDACTED.into();
    }
    let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| !scheme.contains(['=', ' '])) else {
        return if text.contains('=') { redact_pairs(text) } else { text.to_owned() };
    };
    let (rest, fragment) = rest.split_once('#').map_or((rest, false), |(rest, _)| (rest, true));
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let mut shown = match place.rsplit_once('@') {
        Some((login, host)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:{REDACTED}@{host}"),
            None => place.to_owned(),
        },
        // Without `@`, what follows a colon is a port, or a password whose host was forgotten.
        None => match place.split_once(':') {
            Some((host, port))
                if !port.split(['/', ',']).next().unwrap_or_default().bytes().all(|b| b.is_ascii_digit())
                    && !host.contains('[')
                    && !host.contains('/') =>
            {
                format!("{host}:{REDACTED}")
            }
            _ => place.to_owned(),
        },
    };
    if let Some(query) = query {
        let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if !SHOWN.contains(&name.to_ascii_lowercase().as_str()) => format!("{name}={REDACTED}"),
            _ => parameter.to_owned(),
        });
        shown.push('?');
        shown.push_str(&parameters.collect::<Vec<_>>().join("&"));
    }
    if fragment {
        shown.push_str(&format!("#{REDACTED}"));
    }
    format!("{scheme}://{shown}")
}

/// `key=value` pairs: a value can be quoted, so all that follows the first name that is not known to be harmless goes.
fn redact_pairs(text: &str) -> String {
    let mut from = 0;
    while let Some(equals) = text[from..].find('=').map(|at| at + from) {
        let name = text[from..equals].trim_end();
        let name = name.rsplit([' ', '\t', '\n']).next().unwrap_or_default();
        if !name.is_empty() && !SHOWN.contains(&name.to_ascii_lowercase().as_str()) {
            return format!("{}REDACTED", &text[..=equals]);
        }
        from = equals + 1;
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn no_form_of_a_database_shows_its_password() {
        for text in [
            "postgres://u:SECRET@h/db",
            "postgres://u:SECRET@/db?host=/cloudsql/x",
            "postgres://u:SECRET@h1:5432,h2:5433/db",
            "postgres://u:SE@CRET@h/db",
            "postgres://h/db?user=u&password=SECRET&sslmode=require",
            "postgres://h/db?PASSWORD=SECRET",
            "host=h password=SECRET",
            "host=h password = 'SECRET with blanks' user=u",
            "host=h sslpassword=SECRET",
            "host=h passwd=SECRET",
            "postgres://h/db?pasword=SECRET",
            "postgres://u:SECRET",
            "postgres://u:SECRET/db",
            "s3://bucket/prefix?secret=SECRET",
            "az://container/prefix#SECRET",
            "AGE-SECRET-KEY-1SECRET",
            "age-secret-key-1SECRET",
        ] {
            let shown = redact(text);
            assert!(!shown.contains("SECRET") && !shown.contains("CRET"), "{shown}");
            assert!(shown.contains("REDACTED"), "{shown}");
        }
    }

    #[test]
    fn what_holds_no_password_is_shown_as_it_is() {
        for text in [
            "s3://acme/prod",
            "postgres://u@h/db",
            "postgres://h:5432/db?sslmode=require",
            "host=h port=5432 user=u",
            "postgres:///db?host=/run/x",
            "file:///var/backups",
            "daily",
            "/etc/password_file",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
