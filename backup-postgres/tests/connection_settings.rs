//! Where settings come from, which source wins, and that no secret shows. No server needed.

use backup_postgres::{Connection, Env};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const PASSWORD: &str = "s3cr:et p'ass";

fn env(variables: &[(&str, &str)]) -> Env {
    variables.iter().copied().chain([("USER", "me")]).collect()
}

fn resolve(explicit: Option<&str>, variables: &[(&str, &str)]) -> Connection {
    Connection::resolve(explicit, &env(variables)).unwrap()
}

fn shown(explicit: Option<&str>, variables: &[(&str, &str)]) -> String {
    resolve(explicit, variables).to_string()
}

/// The variables that a program would get.
fn applied(connection: &Connection) -> BTreeMap<String, Option<String>> {
    let mut command = Command::new("true");
    connection.apply(&mut command);
    command
        .get_envs()
        .map(|(name, value)| (name.to_str().unwrap().to_owned(), value.map(|v| v.to_str().unwrap().to_owned())))
        .collect()
}

fn applied_value(connection: &Connection, name: &str) -> String {
    applied(connection).get(name).cloned().flatten().unwrap_or_default()
}

#[test]
fn the_first_source_wins() {
    let all: &[(&str, &str)] = &[
        ("DATABASE_URL", "postgres://a@ha/da"),
        ("SUPABASE_DB_URL", "postgres://b@hb/db"),
        ("PGHOST", "hc"),
        ("PGDATABASE", "dc"),
        ("POSTGRES_HOST", "hd"),
        ("POSTGRES_DB", "dd"),
        ("POSTGRES_USER", "d"),
    ];
    assert_eq!(shown(Some("postgres://x@hx:1/dx"), all), "database \"dx\" on hx:1 as \"x\"");
    assert_eq!(shown(None, all), "database \"da\" on ha:5432 as \"a\"");
    assert_eq!(shown(None, &all[1..]), "database \"db\" on hb:5432 as \"b\"");
    assert_eq!(shown(None, &all[2..]), "database \"dc\" on hc:5432 as \"d\"");
    assert_eq!(shown(None, &all[4..]), "database \"dd\" on hd:5432 as \"d\"");
    assert_eq!(resolve(None, all).origin(), "DATABASE_URL");
}

#[test]
fn variables_fill_what_a_url_leaves_open_but_not_those_of_docker() {
    let connection = resolve(
        Some("postgres://app@h/d"),
        &[
            ("PGPASSWORD", PASSWORD),
            ("PGPORT", "7"),
            ("PGSSLMODE", "require"),
            ("POSTGRES_PORT", "8"),
            ("POSTGRES_PASSWORD", "other"),
        ],
    );
    assert_eq!(connection.port(), 7);
    assert_eq!(connection.tls_mode().name(), "require");
    assert_eq!(applied_value(&connection, "PGPASSWORD"), PASSWORD);
    let connection = resolve(Some("postgres://app@h/d"), &[("POSTGRES_PASSWORD", "of another server")]);
    assert_eq!(applied_value(&connection, "PGPASSWORD"), "");
}

#[test]
fn empty_variables_are_unset() {
    let variables: &[(&str, &str)] = &[("DATABASE_URL", ""), ("PGHOST", ""), ("POSTGRES_HOST", "h"), ("PGSSLMODE", "")];
    assert_eq!(shown(None, variables), "database \"me\" on h:5432 as \"me\"");
}

#[test]
fn nothing_named_is_an_error() {
    let code = |variables: &[(&str, &str)]| Connection::resolve(None, &env(variables)).unwrap_err();
    assert_eq!(code(&[]).code().name(), "database_not_configured");
    assert_eq!(code(&[("PGPASSWORD", "x"), ("PGSSLMODE", "require")]).code().name(), "database_not_configured");
    let supabase = code(&[("SUPABASE_URL", "https://x.supabase.co"), ("SUPABASE_SERVICE_KEY", PASSWORD)]);
    assert_eq!(supabase.code().name(), "database_not_configured");
    assert!(supabase.hint().contains("Session pooler"));
    assert!(!supabase.report().contains(PASSWORD));
    assert_eq!(resolve(None, &[("PGDATABASE", "d")]).database(), "d");
}

#[test]
fn a_password_in_the_argument_is_warned_about() {
    let with = resolve(Some("postgres://app:pw@h/d"), &[]);
    assert!(with.password_in_argument() && with.warnings()[0].contains("process list"));
    let without = resolve(Some("postgres://app@h/d"), &[("PGPASSWORD", "pw")]);
    assert!(!without.password_in_argument() && without.warnings().is_empty());
    assert!(!resolve(None, &[("DATABASE_URL", "postgres://app:pw@h/d")]).password_in_argument());
}

#[test]
fn services() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("services");
    std::fs::write(&file, format!("[prod]\nhost=hs\nuser=us\ndbname=ds\npassword={PASSWORD}\nsslmode=require\n"))
        .unwrap();
    let file = file.to_str().unwrap();
    let expected = "database \"ds\" on hs:5432 as \"us\"";
    assert_eq!(shown(None, &[("PGSERVICE", "prod"), ("PGSERVICEFILE", file)]), expected);
    assert_eq!(shown(Some("service=prod"), &[("PGSERVICEFILE", file), ("PGHOST", "other")]), expected);
    let mixed = resolve(Some("postgres://u@/d2?service=prod"), &[("PGSERVICEFILE", file)]);
    assert_eq!(mixed.to_string(), "database \"d2\" on hs:5432 as \"u\"");
    assert_eq!(applied_value(&mixed, "PGPASSWORD"), PASSWORD);
    let missing = Connection::resolve(None, &env(&[("PGSERVICE", "none"), ("PGSERVICEFILE", file)])).unwrap_err();
    assert_eq!(missing.code().name(), "invalid_argument");
}

#[test]
fn password_files() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".pgpass");
    std::fs::write(&file, "h:*:d:app:one\nlocalhost:*:d:app:local\n*:6000:*:app:port\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let home_variable = ("HOME", home.path().to_str().unwrap());
    let password = |url: &str| applied_value(&resolve(Some(url), &[home_variable]), "PGPASSWORD");
    assert_eq!(password("postgres://app@h/d"), "one");
    assert_eq!(password("postgres://app@h:6000/other"), "port");
    assert_eq!(password("postgres://app@h/other"), "");
    assert_eq!(password("host=/var/run/postgresql user=app dbname=d"), "local");
    // The line for the database that was named serves for the others on the same server too.
    let other = resolve(Some("postgres://app@h/d"), &[home_variable]).with_database("postgres");
    assert_eq!(applied_value(&other, "PGPASSWORD"), "one");

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ignored = resolve(Some("postgres://app@h/d"), &[home_variable]);
    assert_eq!(applied_value(&ignored, "PGPASSWORD"), "");
    assert!(ignored.warnings()[0].contains("chmod 0600"));
}

#[test]
fn several_hosts() {
    let connection = resolve(Some("postgres://u@h1,h2:7,[::1]:8/d"), &[]);
    assert_eq!(connection.to_string(), "database \"d\" on h1:5432,h2:7,[::1]:8 as \"u\"");
    assert_eq!(applied_value(&connection, "PGHOST"), "h1,h2,::1");
    assert_eq!(applied_value(&connection, "PGPORT"), "5432,7,8");
    for wrong in [
        "host=a,b hostaddr=127.0.0.1",
        "host=a,b port=1,2,3",
        "hostaddr=name",
        "host=h port=0",
        "host=h port=70000",
        "host=@x",
    ] {
        assert!(Connection::resolve(Some(wrong), &env(&[])).is_err(), "{wrong}");
    }
}

#[test]
fn what_only_libpq_can_do_is_refused() {
    for (setting, variable) in [
        ("gssencmode=require", ("PGGSSENCMODE", "require")),
        ("require_auth=scram-sha-256", ("PGREQUIREAUTH", "scram-sha-256")),
        ("requirepeer=postgres", ("PGREQUIREPEER", "postgres")),
        ("sslcertmode=require", ("PGSSLCERTMODE", "require")),
        ("sslcrldir=/x", ("PGSSLCRLDIR", "/x")),
    ] {
        let error = Connection::resolve(Some(&format!("host=h {setting}")), &env(&[])).unwrap_err();
        assert_eq!(error.code().name(), "unsupported_connection_setting", "{setting}");
        let error = Connection::resolve(Some("host=h"), &env(&[variable])).unwrap_err();
        assert_eq!(error.code().name(), "unsupported_connection_setting", "{variable:?}");
    }
    for wrong in ["client_encoding=LATIN1", "sslpassword=x", "replication=database"] {
        assert!(Connection::resolve(Some(&format!("host=h {wrong}")), &env(&[])).is_err(), "{wrong}");
    }
    // A variable that every psql user may have set does not stop a backup: dumps have the database's encoding anyway.
    assert_eq!(applied_value(&resolve(Some("host=h"), &[("PGCLIENTENCODING", "LATIN1")]), "PGCLIENTENCODING"), "");
}

#[test]
fn tls_settings() {
    let wrong: &[&str] = &[
        "sslmode=always",
        "sslmode=require sslrootcert=system",
        "sslnegotiation=direct",
        "sslmode=require ssl_max_protocol_version=TLSv1.1",
        "ssl_min_protocol_version=SSLv3",
        "sslkey=engine:key",
    ];
    for wrong in wrong {
        assert!(Connection::resolve(Some(&format!("host=h {wrong}")), &env(&[])).is_err(), "{wrong}");
    }
    assert_eq!(resolve(Some("host=h sslrootcert=system"), &[]).tls_mode().name(), "verify-full");
    let connection = resolve(
        Some("host=h sslmode=verify-ca sslrootcert=/x/ca.pem sslcert=/x/c.pem sslkey=/x/k.pem"),
        &[("HOME", "/home/me")],
    );
    assert_eq!(applied_value(&connection, "PGSSLMODE"), "verify-ca");
    assert_eq!(applied_value(&connection, "PGSSLROOTCERT"), "/x/ca.pem");
    assert_eq!(applied_value(&connection, "PGSSLCERT"), "/x/c.pem");
    assert_eq!(applied_value(&connection, "PGSSLKEY"), "/x/k.pem");
    let defaults = resolve(Some("host=h"), &[("HOME", "/home/me")]);
    assert_eq!(applied_value(&defaults, "PGSSLROOTCERT"), "/home/me/.postgresql/root.crt");
}

#[test]
fn programs_get_these_settings_and_no_others() {
    let connection = resolve(
        Some("host=h dbname='d b' user=u options='-c x=1' application_name=app connect_timeout=1 keepalives_idle=30"),
        &[("PGPASSWORD", PASSWORD)],
    )
    .with_program_setting("PGTZ", "UTC")
    .with_program_setting("PGOPTIONS", "-c bytea_output=hex");
    assert_eq!(applied_value(&connection, "PGOPTIONS"), "-c x=1 -c bytea_output=hex");
    assert_eq!(applied_value(&connection, "PGTZ"), "UTC");
    assert_eq!(applied_value(&connection, "PGAPPNAME"), "app");
    assert_eq!(applied_value(&connection, "PGCONNECT_TIMEOUT"), "2");
    assert_eq!(connection.argument(), "dbname='d b' keepalives_idle='30'");
    assert!(!connection.argument().contains(PASSWORD));
    // Whatever PG variable our own process has is either set or removed.
    let set = applied(&connection);
    for (name, _) in std::env::vars() {
        assert!(!name.starts_with("PG") || set.contains_key(&name), "{name}");
    }
}

#[test]
fn no_secret_in_debug_display_or_warnings() {
    let url = "postgres://app:s3cret-word@h/d";
    let variables = [("PGPASSWORD", "s3cret-word"), ("DATABASE_URL", url)];
    for connection in [resolve(Some(url), &[]), resolve(None, &variables)] {
        let text = format!(
            "{connection} {connection:?} {connection:#?} {:?} {}",
            connection.warnings(),
            connection.argument()
        );
        assert!(!text.contains("s3cret-word"), "{text}");
        assert!(text.contains("app") && text.contains('h'));
    }
    assert!(!format!("{:?}", env(&variables)).contains("s3cret-word"));
}

/// Keys of repositories, tokens and the like are not for PostgreSQL's programs to know. (cargo gives each test variables of its own.)
#[test]
fn programs_get_nothing_of_our_environment_but_what_they_need() {
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "run this with cargo");
    let mut command = Command::new("env");
    command.env("AWS_SECRET_ACCESS_KEY", "s3cret-word");
    resolve(Some("postgres://u@h/d"), &[]).apply(&mut command);
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let names: Vec<&str> = output.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(names.contains(&"PATH") && names.contains(&"PGHOST") && names.contains(&"LC_ALL"), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("CARGO") || name.starts_with("AWS")), "{names:?}");
}

#[test]
fn names_command_no_terminal() {
    let connection = resolve(Some("dbname='a\n\u{1b}[2Jb' user='\u{9b}x' host=h"), &[]);
    assert_eq!(connection.to_string(), "database \"a\\n\\u{1b}[2Jb\" on h:5432 as \"\\u{9b}x\"");
}
