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
    assert!(error.to_string().contains("\"missing\""), "{error}");
}
