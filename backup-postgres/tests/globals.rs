//! Roles and tablespaces, as an ordinary role and as a superuser.

use backup_postgres::testing::Cluster;
use backup_postgres::tools::Version;
use backup_postgres::{Connection, Env, Tools, globals};

async fn script(cluster: &Cluster, url: &str, with_passwords: bool) -> backup_core::Result<String> {
    let connection = Connection::resolve(Some(url), &Env::default()).unwrap();
    let tools = Tools::find(Version { major: 0, minor: 0 }, Some(cluster.bindir()), &Env::default()).await.unwrap();
    globals(&tools, &connection, with_passwords, &backup_core::monitor::Silent)
        .await
        .map(|bytes| String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn an_ordinary_role_gets_everything_but_passwords() {
    let cluster = Cluster::options().role("app", "s3cret").start();
    let folder = cluster.folder().join("space");
    std::fs::create_dir(&folder).unwrap();
    cluster.own(&folder);
    cluster.psql(
        "postgres",
        &format!(
            "CREATE ROLE staff; GRANT staff TO app; COMMENT ON ROLE staff IS 'people'; ALTER ROLE app SET work_mem = '7MB';
             CREATE TABLESPACE space LOCATION '{}'; COMMENT ON TABLESPACE space IS 'roomy';
             CREATE DATABASE \"only one\"; REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;",
            folder.display()
        ),
    );
    let text = script(&cluster, &cluster.url_as("app", "only one"), false).await.unwrap();
    for expected in
        ["CREATE ROLE app;", "GRANT staff TO app", "'people'", "work_mem", "CREATE TABLESPACE space", "'roomy'"]
    {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    assert!(!text.contains("SCRAM") && !text.contains("PASSWORD"), "{text}");

    let refused = script(&cluster, &cluster.url_as("app", "only one"), true).await.unwrap_err();
    assert_eq!(refused.code().name(), "source_failed");
    assert!(refused.hint().contains("superuser"), "{}", refused.report());
    let with = script(&cluster, &cluster.url("only one"), true).await.unwrap();
    assert!(with.contains("PASSWORD 'SCRAM-SHA-256"));
}

#[tokio::test]
async fn failures_say_what_pg_dumpall_said() {
    let cluster = Cluster::start();
    let error = script(&cluster, &cluster.url("missing"), false).await.unwrap_err();
    assert!(error.to_string().contains("dbname='missing'"), "{error}");
}

/// `--database` of pg_dumpall takes a connection string too: a name that reads as one must not lead to another server.
#[tokio::test]
async fn a_database_named_like_a_connection_string_is_a_name() {
    let (cluster, other) = (Cluster::start(), Cluster::start());
    other.psql("postgres", "CREATE ROLE of_another_server");
    cluster.psql("postgres", "CREATE ROLE of_this_server");
    let names = [
        format!("host={} dbname=postgres", other.socket_folder().display()),
        format!("postgres://postgres@/postgres?host={}", other.socket_folder().display()),
        "a=b".to_owned(),
        "it's \\ here".to_owned(),
    ];
    for name in names {
        assert!(name.len() < 64, "{name}");
        cluster.psql("postgres", &format!("CREATE DATABASE \"{name}\""));
        let connection =
            Connection::resolve(Some(&cluster.url("postgres")), &Env::default()).unwrap().with_database(&name);
        let tools = Tools::find(Version { major: 0, minor: 0 }, Some(cluster.bindir()), &Env::default()).await.unwrap();
        let text = globals(&tools, &connection, false, &backup_core::monitor::Silent).await.unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("of_this_server") && !text.contains("of_another_server"), "{name}: {text}");
    }
}
