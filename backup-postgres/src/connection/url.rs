//! The settings as one URL, for programs that take nothing else.

use super::Connection;
use secrecy::SecretString;
use std::fmt::Write as _;

/// Our variables for PostgreSQL's programs that are parameters of a URL, too.
const PARAMETERS: [(&str, &str); 10] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGOPTIONS", "options"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLCRL", "sslcrl"),
    ("PGPASSFILE", "passfile"),
];

impl Connection {
    /// A URL that leads where these settings do, password included: secret. Pass it on by environment or file, never as an argument.
    pub fn url(&self) -> SecretString {
        let variables = self.environment();
        let get = |name: &str| variables.iter().find(|(variable, _)| variable == name).map(|(_, value)| value.as_str());
        let mut url = format!("postgresql://{}", encode(get("PGUSER").unwrap_or_default()));
        if let Some(password) = get("PGPASSWORD") {
            let _ = write!(url, ":{}", encode(password));
        }
        // A single host that is none of a socket's goes where every client looks for it.
        let plain = get("PGHOST")
            .filter(|host| !host.is_empty() && !host.contains(['/', ',', ':', '@']) && get("PGHOSTADDR").is_none());
        let port = get("PGPORT").unwrap_or_default();
        match plain {
            Some(host) => {
                let _ = write!(url, "@{}:{port}/", encode(host));
            }
            None => url.push_str("@/"),
        }
        url.push_str(&encode(get("PGDATABASE").unwrap_or_default()));
        let mut separator = '?';
        for (variable, parameter) in PARAMETERS {
            let in_place = plain.is_some() && matches!(parameter, "host" | "port");
            let unset = variable == "PGPASSFILE" && get("PGPASSWORD").is_some();
            if let Some(value) = get(variable).filter(|value| !value.is_empty() && !in_place && !unset) {
                let _ = write!(url, "{separator}{parameter}={}", encode(value));
                separator = '&';
            }
        }
        SecretString::from(url)
    }

    /// A text that someone else wrote, without this connection's password, in the clear or in a URL.
    pub(crate) fn without_password(&self, text: &str) -> String {
        let variables = self.environment();
        let password = variables.iter().find(|(name, value)| name == "PGPASSWORD" && !value.is_empty());
        match password {
            Some((_, password)) => text.replace(password.as_str(), "***").replace(&encode(password), "***"),
            None => text.to_owned(),
        }
    }
}

/// Percent-encodes all that is not unreserved (RFC 3986, section 2.3).
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Env;
    use secrecy::ExposeSecret;

    fn back(text: &str) -> String {
        let env: Env = [("PATH", "/bin")].into_iter().map(|(n, v)| (n, v.to_owned())).collect();
        let connection = Connection::resolve(Some(text), &env).unwrap();
        let url = connection.url().expose_secret().to_owned();
        let again = Connection::resolve(Some(&url), &env).unwrap();
        assert_eq!(format!("{connection}"), format!("{again}"));
        assert_eq!(again.url().expose_secret(), url);
        url
    }

    #[test]
    fn a_url_leads_where_the_settings_do() {
        let url = back("postgresql://me:p%40ss%2F@db.example.com:6543/shop?sslmode=require");
        assert!(url.starts_with("postgresql://me:p%40ss%2F@db.example.com:6543/shop?"), "{url}");
        assert!(url.contains("sslmode=require"), "{url}");
        let url = back("host=/run/postgresql port=5433 user='o\\'dd user' dbname='a b'");
        assert!(url.starts_with("postgresql://o%27dd%20user@/a%20b?host=%2Frun%2Fpostgresql&port=5433"), "{url}");
        back("host=one,two port=5432,5433 user=me dbname=shop");
    }

    #[test]
    fn a_password_is_taken_out_of_what_others_wrote() {
        let env: Env = [("PATH", "/bin")].into_iter().map(|(n, v)| (n, v.to_owned())).collect();
        let connection = Connection::resolve(Some("postgresql://me:p%40ss@h/d"), &env).unwrap();
        let text = "cannot open postgresql://me:p%40ss@h/d with p@ss";
        assert_eq!(connection.without_password(text), "cannot open postgresql://me:***@h/d with ***");
    }
}
