//! Connecting to real servers: logins, TLS modes, several hosts, and what goes wrong.

use backup_postgres::testing::{Certificates, Cluster};
use backup_postgres::{Connection, Env, Session};
use std::net::TcpListener;
use std::process::{Command, Stdio};

fn env(variables: &[(&str, &str)]) -> Env {
    variables.iter().copied().chain([("USER", "me")]).collect()
}

fn resolve(text: &str) -> Connection {
    Connection::resolve(Some(text), &env(&[])).unwrap()
}

async fn connect(text: &str) -> backup_core::Result<Session> {
    resolve(text).connect().await
}

async fn code(text: &str) -> &'static str {
    connect(text).await.expect_err(text).code().name()
}

async fn value(session: &Session, sql: &str) -> String {
    session.query_one(sql, &[]).await.unwrap().get(0)
}

/// What psql says with the environment that these settings make.
fn psql(cluster: &Cluster, connection: &Connection, sql: &str) -> Result<String, String> {
    let mut command = Command::new(cluster.bindir().join("psql"));
    connection.apply(&mut command);
    let output = command.args(["-XAtw", "-c", sql, "-d", &connection.argument()]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim_end().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[tokio::test]
async fn by_socket_and_by_password() {
    let cluster = Cluster::options().listen().role("app", "s3cr:et/@").start();
    cluster.create_database("na me");
    for url in [cluster.url_as("app", "na me"), cluster.tcp_url("app", "s3cr:et/@", "na me")] {
        let session = connect(&url).await.unwrap();
        let who = "SELECT current_user || '|' || current_database()";
        assert_eq!(value(&session, who).await, "app|na me");
        assert_eq!(psql(&cluster, session.connection(), who).unwrap(), "app|na me");
        assert_eq!(psql(&cluster, &session.connection().with_database("postgres"), who).unwrap(), "app|postgres");
        assert!(!session.is_encrypted());
        assert!(!format!("{session:?}").contains("s3cr"));
    }
}

#[tokio::test]
async fn by_service_and_password_file() {
    use std::os::unix::fs::PermissionsExt;
    let cluster = Cluster::options().listen().role("app", "in:the\\file").start();
    let home = tempfile::tempdir().unwrap();
    let (passfile, services) = (home.path().join(".pgpass"), home.path().join(".pg_service.conf"));
    std::fs::write(&passfile, format!("127.0.0.1:{}:postgres:app:in\\:the\\\\file\n", cluster.port())).unwrap();
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&services, format!("[mine]\nhost=127.0.0.1\nport={}\nuser=app\ndbname=postgres\n", cluster.port()))
        .unwrap();
    let variables = [("HOME", home.path().to_str().unwrap()), ("PGSERVICE", "mine")];
    let connection = Connection::resolve(None, &env(&variables)).unwrap();
    let session = connection.connect().await.unwrap();
    for connection in [&connection, session.connection()] {
        assert_eq!(psql(&cluster, connection, "SELECT current_user").unwrap(), "app");
    }
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Connection::resolve(None, &env(&variables)).unwrap().connect().await.unwrap_err();
    assert_eq!(error.code().name(), "authentication_failed");
}

#[tokio::test]
async fn what_goes_wrong_has_a_code() {
    let cluster = Cluster::options().listen().role("app", "right-password").start();
    cluster.psql("postgres", "CREATE DATABASE closed; REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
    let port = cluster.port();

    let wrong = connect(&cluster.tcp_url("app", "wrong-password", "postgres")).await.unwrap_err();
    assert_eq!(wrong.code().name(), "authentication_failed");
    assert!(wrong.to_string().contains("127.0.0.1") && wrong.to_string().contains("\"app\""), "{wrong}");
    assert!(!wrong.report().contains("wrong-password") && !format!("{wrong:?}").contains("wrong-password"));

    let none = connect(&format!("host=127.0.0.1 port={port} user=app dbname=postgres")).await.unwrap_err();
    assert_eq!(none.code().name(), "authentication_failed");
    assert!(none.hint().contains("password file"), "{}", none.report());

    assert_eq!(code(&cluster.tcp_url("nobody", "x", "postgres")).await, "authentication_failed");
    assert_eq!(code(&cluster.tcp_url("app", "right-password", "missing")).await, "database_not_found");
    let closed = connect(&cluster.tcp_url("app", "right-password", "closed")).await.unwrap_err();
    assert_eq!(closed.code().name(), "database_not_found");
    assert!(closed.hint().contains("GRANT CONNECT ON DATABASE \"closed\" TO \"app\";"), "{}", closed.report());

    // A port that nobody listens on: bound, so that nobody else takes it, but not listening.
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = connect(&format!("host=127.0.0.1 port={unused} user=app")).await.unwrap_err();
    assert_eq!(refused.code().name(), "database_unreachable");
    assert!(refused.is_transient() && refused.chain().contains("refused"), "{}", refused.report());
    assert_eq!(code("host=/nonexistent/folder user=app").await, "database_unreachable");
    assert_eq!(code("host=no-such-host.invalid user=app").await, "database_unreachable");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = connect(&format!("host=127.0.0.1 port={port} user=app connect_timeout=2")).await.unwrap_err();
    assert_eq!(error.code().name(), "database_unreachable");
    assert!(error.chain().contains("2 s"), "{}", error.report());
}

#[tokio::test]
async fn tls_modes() {
    let cluster = Cluster::options()
        .tls(&["localhost"])
        .role("app", "pw")
        .role("plain", "pw")
        .role("only_tls", "pw")
        .role("by_cert", "")
        .hba("hostnossl all plain 127.0.0.1/32 scram-sha-256\nhost all plain 127.0.0.1/32 reject")
        .hba("hostssl all only_tls 127.0.0.1/32 scram-sha-256\nhost all only_tls 127.0.0.1/32 reject")
        .hba("hostssl all by_cert 127.0.0.1/32 cert")
        .start();
    let port = cluster.port();
    let authority = cluster.certificates().authority();
    let authority = authority.to_str().unwrap();
    let other = tempfile::tempdir().unwrap();
    let stranger = Certificates::new(other.path()).authority();
    let stranger = stranger.to_str().unwrap();
    let client = cluster.client_certificate("by_cert");
    let (certificate, key) = (client.certificate.to_str().unwrap(), client.key.to_str().unwrap());

    let by = |host: &str, user: &str, rest: &str| {
        format!("host={host} hostaddr=127.0.0.1 port={port} user={user} password=pw dbname=postgres {rest}")
    };
    let cases = [
        // what, expected: TLS or not, or the code
        (by("localhost", "app", "sslmode=disable"), Ok(false)),
        (by("localhost", "app", "sslmode=allow"), Ok(false)),
        (by("localhost", "app", "sslmode=prefer"), Ok(true)),
        (by("localhost", "app", ""), Ok(true)),
        (by("127.0.0.1", "app", "sslmode=require"), Ok(true)),
        (by("localhost", "only_tls", "sslmode=allow"), Ok(true)),
        (by("localhost", "only_tls", "sslmode=disable"), Err("authentication_failed")),
        (by("localhost", "plain", "sslmode=prefer"), Ok(false)),
        (by("localhost", "plain", "sslmode=require"), Err("authentication_failed")),
        (by("localhost", "app", &format!("sslmode=verify-full sslrootcert={authority}")), Ok(true)),
        (by("127.0.0.1", "app", &format!("sslmode=verify-full sslrootcert={authority}")), Err("database_tls_failed")),
        (by("db.example", "app", &format!("sslmode=verify-full sslrootcert={authority}")), Err("database_tls_failed")),
        (by("db.example", "app", &format!("sslmode=verify-ca sslrootcert={authority}")), Ok(true)),
        (by("localhost", "app", &format!("sslmode=verify-ca sslrootcert={stranger}")), Err("database_tls_failed")),
        (by("localhost", "app", &format!("sslmode=verify-full sslrootcert={stranger}")), Err("database_tls_failed")),
        // As in libpq, a root certificate makes `require` look at the certificate.
        (by("localhost", "app", &format!("sslmode=require sslrootcert={stranger}")), Err("database_tls_failed")),
        (by("localhost", "app", &format!("sslmode=require sslrootcert={authority}")), Ok(true)),
        (by("localhost", "app", "sslmode=verify-full"), Err("database_tls_failed")),
        (by("localhost", "app", "sslmode=verify-full sslrootcert=/nonexistent/ca.crt"), Err("database_tls_failed")),
        (by("localhost", "app", "sslmode=verify-full sslrootcert=system"), Err("database_tls_failed")),
        (by("localhost", "app", "sslmode=require channel_binding=require"), Ok(true)),
        (by("localhost", "app", "sslmode=disable channel_binding=require"), Err("authentication_failed")),
        (by("localhost", "app", "sslmode=require ssl_max_protocol_version=TLSv1.2"), Ok(true)),
        (by("localhost", "by_cert", &format!("sslmode=require sslcert={certificate} sslkey={key}")), Ok(true)),
        (by("localhost", "by_cert", "sslmode=require"), Err("authentication_failed")),
        (by("localhost", "by_cert", &format!("sslmode=require sslcert={certificate}")), Err("database_tls_failed")),
        (
            by(
                "localhost",
                "by_cert",
                &format!("sslmode=require sslcert={certificate} sslkey={key} sslcertmode=disable"),
            ),
            Err("authentication_failed"),
        ),
    ];
    for (text, expected) in cases {
        let found = connect(&text).await;
        match (&found, expected) {
            (Ok(session), Ok(encrypted)) => {
                assert_eq!(session.is_encrypted(), encrypted, "{text}");
                let by_server = value(session, "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await;
                assert_eq!(by_server, encrypted.to_string(), "{text}");
            }
            (Err(error), Err(code)) => assert_eq!(error.code().name(), code, "{text}: {}", error.report()),
            _ => panic!("{text}: {found:?}, expected {expected:?}"),
        }
        // psql agrees, whatever libpq itself makes of the same settings.
        let by_psql = psql(&cluster, &resolve(&text), "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
        assert_eq!(by_psql.is_ok(), found.is_ok(), "{text}: {by_psql:?}");
        if let (Ok(by_psql), Ok(session)) = (&by_psql, &found) {
            assert_eq!(by_psql == "t", session.is_encrypted(), "{text}");
        }
    }

    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&client.key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = connect(&by("localhost", "by_cert", &format!("sslmode=require sslcert={certificate} sslkey={key}")))
        .await
        .unwrap_err();
    assert!(open.hint().contains("chmod 0600"), "{}", open.report());
}

#[tokio::test]
async fn a_self_signed_certificate_can_be_its_own_root() {
    // As PostgreSQL's documentation makes it: `openssl req -new -x509` gives an authority that serves.
    let cluster = Cluster::options().tls(&["localhost"]).role("app", "pw").start();
    let data = cluster.data();
    let made = Command::new("openssl")
        .args([
            "req",
            "-new",
            "-x509",
            "-days",
            "2",
            "-nodes",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .arg("-out")
        .arg(data.join("server.crt"))
        .arg("-keyout")
        .arg(data.join("server.key"))
        .stderr(Stdio::null())
        .status()
        .expect("openssl is missing (Debian: apt-get install openssl)");
    assert!(made.success());
    cluster.psql("postgres", "SELECT pg_reload_conf()");
    let root = cluster.folder().join("self.crt");
    std::fs::copy(data.join("server.crt"), &root).unwrap();
    let by = |host: &str, mode: &str| {
        format!(
            "host={host} hostaddr=127.0.0.1 port={} user=app password=pw dbname=postgres sslmode={mode} sslrootcert={}",
            cluster.port(),
            root.display()
        )
    };
    // The reload happens a moment after pg_reload_conf() returns.
    let began = std::time::Instant::now();
    let mut result = connect(&by("localhost", "verify-full")).await;
    while result.is_err() && began.elapsed().as_secs() < 20 {
        tokio::task::yield_now().await;
        result = connect(&by("localhost", "verify-full")).await;
    }
    assert!(result.unwrap().is_encrypted());
    assert!(connect(&by("other", "verify-ca")).await.unwrap().is_encrypted());
    assert_eq!(code(&by("other", "verify-full")).await, "database_tls_failed");
}

#[tokio::test]
async fn without_tls_on_the_server() {
    let cluster = Cluster::options().listen().role("app", "pw").start();
    let url = cluster.tcp_url("app", "pw", "postgres");
    assert!(!connect(&url).await.unwrap().is_encrypted());
    let error = connect(&format!("{url}?sslmode=require")).await.unwrap_err();
    assert_eq!(error.code().name(), "database_tls_failed");
    assert!(error.hint().contains("sslmode=disable"), "{}", error.report());
    // Not hidden behind "the server has no TLS", which `prefer` accepts.
    assert_eq!(code(&cluster.tcp_url("app", "wrong", "postgres")).await, "authentication_failed");
}

#[tokio::test]
async fn several_hosts_and_which_kind_of_server() {
    let cluster = Cluster::options().listen().role("app", "pw").start();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = cluster.port();
    let url = format!("postgres://app:pw@127.0.0.1:{unused},127.0.0.1:{port}/postgres");
    let session = connect(&url).await.unwrap();
    assert_eq!(session.connection().port(), port);
    // The programs get the one server that answered.
    assert_eq!(psql(&cluster, session.connection(), "SELECT 1").unwrap(), "1");
    assert_eq!(session.connection().to_string(), format!("database \"postgres\" on 127.0.0.1:{port} as \"app\""));
    for (wanted, works) in
        [("read-write", true), ("primary", true), ("prefer-standby", true), ("standby", false), ("read-only", false)]
    {
        let result = connect(&format!("{url}?target_session_attrs={wanted}&load_balance_hosts=random")).await;
        assert_eq!(result.is_ok(), works, "{wanted}: {result:?}");
    }
    let none = connect(&format!("host=127.0.0.1,127.0.0.1 port={unused},{unused} user=app")).await.unwrap_err();
    assert_eq!(none.code().name(), "database_unreachable");
}

#[tokio::test]
async fn dropping_closes_the_connection() {
    let cluster = Cluster::start();
    let watcher = connect(&cluster.url("postgres")).await.unwrap();
    let session = connect(&cluster.url("postgres")).await.unwrap();
    let pid: i32 = session.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let there = async || -> bool {
        watcher.query_one("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", &[&pid]).await.unwrap().get(0)
    };
    assert!(there().await);
    drop(session);
    let began = std::time::Instant::now();
    while there().await {
        assert!(began.elapsed().as_secs() < 20);
    }
}

#[tokio::test]
async fn the_password_is_in_no_argument() {
    let cluster = Cluster::options().listen().role("app", "s3cret-word").start();
    let connection = resolve(&cluster.tcp_url("app", "s3cret-word", "postgres"));
    let mut command = Command::new(cluster.bindir().join("psql"));
    connection.apply(&mut command);
    let mut child = command
        .args(["-XAtw", "-d", &connection.argument()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Once it has answered, psql has exec'ed and connected.
    use std::io::{BufRead, BufReader, Write};
    let mut pipe = child.stdin.take().unwrap();
    writeln!(pipe, "SELECT 'connected';").unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "connected\n");
    let arguments = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
    assert!(arguments.contains("dbname") && !arguments.contains("s3cret-word"), "{arguments}");
    drop(pipe);
    assert!(child.wait().unwrap().success());
}
