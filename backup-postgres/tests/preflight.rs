//! What an ordinary role cannot read is found before the dump, and what is said to help does help.

use backup_core::source::LeftOut;
use backup_postgres::preflight::{FindingKind, Preflight, PreflightOptions, Prepared, prepare};
use backup_postgres::testing::Cluster;
use backup_postgres::{Connection, Env, Tools};
use std::process::Command;

/// A role with a name that needs quotes.
const ROLE: &str = "back \"up\"";
const QUOTED: &str = "\"back \"\"up\"\"\"";

fn connection(cluster: &Cluster, database: &str) -> Connection {
    Connection::resolve(Some(&cluster.url_as(ROLE, database)), &Env::default()).unwrap()
}

async fn check(cluster: &Cluster, database: &str) -> backup_core::Result<Prepared> {
    prepare(&connection(cluster, database), &PreflightOptions::default()).await
}

async fn skipping(cluster: &Cluster, database: &str) -> Prepared {
    prepare(&connection(cluster, database), &PreflightOptions::default().skip_unreadable(true)).await.unwrap()
}

/// The statements that an error or its findings recommend.
fn statements(message: &str) -> Vec<String> {
    message
        .lines()
        .filter_map(|line| line.split_once("; this helps: "))
        .map(|(_, statement)| statement.to_owned())
        .collect()
}

/// Dumps as the backup would, and gives pg_dump's words when it fails.
async fn dump(cluster: &Cluster, prepared: &Prepared) -> Result<String, String> {
    let tools = Tools::find(prepared.facts.version, Some(cluster.bindir()), &Env::default()).await.unwrap();
    let mut command = Command::new(&tools.pg_dump.path);
    prepared.connection.apply(&mut command);
    let output = command
        .args(prepared.preflight.exclusions.arguments(tools.pg_dump.version))
        .arg("--no-password")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Restores a script, and gives the server's complaints.
fn complaints(cluster: &Cluster, script: &str) -> Vec<String> {
    cluster.create_database("restored");
    let file = cluster.folder().join("script.sql");
    std::fs::write(&file, script).unwrap();
    let mut psql = cluster.command("psql");
    let output = psql.args(["-Xq", "-d", &cluster.url("restored"), "-f"]).arg(&file).output().unwrap();
    String::from_utf8_lossy(&output.stderr).lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect()
}

fn names(left_out: &[LeftOut], kind: &str) -> Vec<String> {
    left_out.iter().filter(|left| left.kind == kind).map(|left| left.name.clone()).collect()
}

fn kinds(preflight: &Preflight) -> Vec<FindingKind> {
    let mut kinds: Vec<FindingKind> = preflight.findings.iter().map(|finding| finding.kind).collect();
    kinds.dedup();
    kinds
}

const EVERYTHING: &str = r#"
    CREATE SCHEMA "hid den"; CREATE SCHEMA empty;
    CREATE TABLE "o'Rei""lly" (id serial PRIMARY KEY, v bytea);
    CREATE TABLE readable (id int); GRANT SELECT ON readable TO PUBLIC;
    CREATE TABLE "hid den"."Tab.le" (a int); CREATE SEQUENCE "hid den".seq;
    CREATE SEQUENCE counter;
    CREATE TABLE rows (a int); ALTER TABLE rows ENABLE ROW LEVEL SECURITY; GRANT SELECT ON rows TO PUBLIC;
    CREATE TABLE parted (a int) PARTITION BY RANGE (a);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
    CREATE VIEW a_view AS SELECT * FROM readable; CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM readable;
    SELECT lo_create(4242); SELECT lo_create(4243); GRANT SELECT ON LARGE OBJECT 4243 TO PUBLIC;
    CREATE FOREIGN DATA WRAPPER fdw; CREATE SERVER "s 1" FOREIGN DATA WRAPPER fdw;
    CREATE FOREIGN TABLE a_foreign_table (a int) SERVER "s 1";
    CREATE USER MAPPING FOR PUBLIC SERVER "s 1" OPTIONS (password 'a'); CREATE USER MAPPING FOR postgres SERVER "s 1" OPTIONS (password 'b');
    CREATE TEMPORARY TABLE passing (a int);
"#;

#[tokio::test]
async fn every_statement_helps() {
    let cluster = Cluster::options().role(ROLE, "x").start();
    cluster.create_database("app");
    cluster.psql("app", EVERYTHING);
    cluster.psql("app", &format!("CREATE USER MAPPING FOR {QUOTED} SERVER \"s 1\" OPTIONS (password 'c')"));
    cluster.psql("app", "CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)");

    let error = check(&cluster, "app").await.unwrap_err();
    assert_eq!(error.code().name(), "unreadable_objects");
    let message = error.to_string();
    let expected = [
        "schema hid den: ",
        "GRANT USAGE ON SCHEMA \"hid den\" TO \"back \"\"up\"\"\";",
        "table public.o'Rei\"lly: ",
        "GRANT SELECT ON TABLE \"public\".\"o'Rei\"\"lly\" TO",
        "GRANT SELECT ON TABLE \"hid den\".\"Tab.le\" TO",
        "sequence value public.counter",
        "GRANT SELECT ON SEQUENCE \"hid den\".\"seq\" TO",
        "rows public.rows: ",
        "ALTER ROLE \"back \"\"up\"\"\" BYPASSRLS;",
        "table public.parted: ",
        "table public.parted_1: ",
        "GRANT SELECT ON LARGE OBJECT 4242 TO",
        "subscription sub: ",
        "user mapping options PUBLIC on server s 1",
        "user mapping options postgres on server s 1",
        "user mapping options back \"up\" on server s 1",
    ];
    for expected in expected {
        assert!(message.contains(expected), "{expected} is not in {message}");
    }
    for unexpected in ["readable", "a_view", "a_matview", "a_foreign_table", "4243", "empty", "passing", "pg_catalog"] {
        assert!(!message.contains(unexpected), "{unexpected} is in {message}");
    }
    // Without what only a superuser can see, everything but that is cured by grants.
    let statements = statements(&message);
    let (last_resort, grants): (Vec<_>, Vec<_>) =
        statements.into_iter().partition(|statement| statement.contains("SUPERUSER"));
    for statement in &grants {
        cluster.psql("app", statement);
    }
    // The public mapping asked for its server's owner, a superuser, to be granted.
    let rest = skipping(&cluster, "app").await;
    assert_eq!(kinds(&rest.preflight), [FindingKind::Subscription, FindingKind::UserMapping]);
    assert_eq!(rest.preflight.findings[1].name, "postgres on server s 1");
    for statement in &last_resort {
        cluster.psql("app", statement);
    }
    let prepared = check(&cluster, "app").await.unwrap();
    assert!(prepared.preflight.exclusions.is_empty() && prepared.preflight.left_out.is_empty());
    assert!(dump(&cluster, &prepared).await.unwrap().contains("CREATE SUBSCRIPTION sub"));
}

#[tokio::test]
async fn pg_read_all_data_is_not_all() {
    let cluster = Cluster::options().role(ROLE, "x").start();
    cluster.create_database("app");
    cluster.psql("app", EVERYTHING);
    cluster.psql("app", &format!("GRANT pg_read_all_data TO {QUOTED}; DROP USER MAPPING FOR PUBLIC SERVER \"s 1\"; DROP USER MAPPING FOR postgres SERVER \"s 1\""));
    let message = check(&cluster, "app").await.unwrap_err().to_string();
    let statements = statements(&message);
    assert_eq!(
        statements,
        [format!("ALTER ROLE {QUOTED} BYPASSRLS;"), format!("GRANT SELECT ON LARGE OBJECT 4242 TO {QUOTED};")],
        "{message}"
    );
    for statement in statements {
        cluster.psql("app", &statement);
    }
    let prepared = check(&cluster, "app").await.unwrap();
    assert!(!prepared.facts.superuser && prepared.facts.bypass_row_security);
    let script = dump(&cluster, &prepared).await.unwrap();
    assert!(script.contains("lo_create('4242')") && script.contains("COPY public.rows "));
    assert_eq!(complaints(&cluster, &script), [""; 0]);
}

#[tokio::test]
async fn what_is_skipped_takes_its_dependents_along() {
    let cluster = Cluster::options().role(ROLE, "x").start();
    cluster.create_database("app");
    cluster.psql(
        "app",
        r#"
        CREATE TABLE secret (id int PRIMARY KEY, v text);
        CREATE TABLE with_identity (id int GENERATED ALWAYS AS IDENTITY, s serial);
        CREATE VIEW v1 AS SELECT id FROM secret; CREATE VIEW "v 2.*" AS SELECT * FROM v1;
        CREATE MATERIALIZED VIEW m AS SELECT * FROM "v 2.*";
        CREATE TABLE parted (a int) PARTITION BY RANGE (a);
        CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
        CREATE TABLE half (a int PRIMARY KEY) PARTITION BY RANGE (a);
        CREATE TABLE half_1 PARTITION OF half FOR VALUES FROM (0) TO (10);
        CREATE TABLE half_2 PARTITION OF half FOR VALUES FROM (10) TO (20);
        INSERT INTO half VALUES (1), (11);
        CREATE TABLE parent (a int); CREATE TABLE child () INHERITS (parent);
        CREATE TABLE hidden (id int PRIMARY KEY); INSERT INTO hidden VALUES (1); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
        CREATE VIEW on_hidden AS SELECT * FROM hidden;
        CREATE SEQUENCE counter START 5;
        CREATE TABLE counting (n bigint DEFAULT nextval('counter'), id int);
        SELECT nextval('counter');
        -- In the backup, but in need of what is not.
        CREATE TABLE pointing (s int CONSTRAINT to_secret REFERENCES secret, h int CONSTRAINT to_hidden REFERENCES hidden, p int CONSTRAINT to_half REFERENCES half);
        INSERT INTO hidden VALUES (2); INSERT INTO pointing VALUES (NULL, 2, 11);
        CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM secret; END;
        CREATE VIEW on_function AS SELECT counted();
        SELECT lo_create(77);
        CREATE FOREIGN DATA WRAPPER w; CREATE SERVER srv FOREIGN DATA WRAPPER w;
        "#,
    );
    cluster.psql("app", "CREATE USER MAPPING FOR postgres SERVER srv OPTIONS (password 'p')");
    cluster.psql(
        "app",
        &format!(
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {QUOTED}; REVOKE SELECT ON secret, parted, half_2, with_identity, parent FROM {QUOTED}"
        ),
    );

    let prepared = skipping(&cluster, "app").await;
    let preflight = &prepared.preflight;
    assert_eq!(
        names(&preflight.left_out, "table"),
        [
            "public.child",
            "public.half_2",
            "public.parent",
            "public.parted",
            "public.parted_1",
            "public.secret",
            "public.with_identity",
        ]
    );
    assert_eq!(names(&preflight.left_out, "view"), ["public.on_function", "public.v 2.*", "public.v1"]);
    assert_eq!(names(&preflight.left_out, "materialized view"), ["public.m"]);
    assert_eq!(names(&preflight.left_out, "sequence"), ["public.with_identity_id_seq", "public.with_identity_s_seq"]);
    assert_eq!(names(&preflight.left_out, "sequence value"), ["public.counter"]);
    assert_eq!(names(&preflight.left_out, "rows"), ["public.hidden"]);
    assert_eq!(names(&preflight.left_out, "large objects"), ["all"]);
    assert_eq!(names(&preflight.left_out, "function"), ["public.counted()"]);
    assert_eq!(names(&preflight.left_out, "user mapping options"), ["postgres on server srv"]);
    assert_eq!(
        names(&preflight.left_out, "table constraint"),
        ["to_half on public.pointing", "to_hidden on public.pointing", "to_secret on public.pointing"]
    );
    assert_eq!(preflight.left_out.len(), 7 + 3 + 1 + 2 + 1 + 1 + 1 + 1 + 1 + 3, "{:#?}", preflight.left_out);

    let script = dump(&cluster, &prepared).await.unwrap();
    assert!(script.contains("COPY public.pointing ") && script.contains("COPY public.half_1 "));
    for gone in ["COPY public.hidden ", "secret (", "half_2", "child", "setval('public.counter'"] {
        assert!(!script.contains(gone), "{gone}");
    }
    // On restore, exactly what was named complains.
    let complaints = complaints(&cluster, &script);
    let expected = ["counted", "secret", "to_hidden", "to_half"];
    for complaint in &complaints {
        assert!(expected.iter().any(|name| complaint.contains(name)), "{complaint}");
    }
    assert_eq!(complaints.len(), 5, "{complaints:#?}"); // create and own the function; three foreign keys
}

#[tokio::test]
async fn configuration_tables_of_extensions_cannot_be_skipped() {
    let cluster = Cluster::options().role(ROLE, "x").start();
    cluster.create_database("app");
    // A member of an extension is not read by pg_dump, unless it is one of its configuration tables.
    cluster
        .psql("app", "CREATE EXTENSION citext; CREATE TABLE member (a int); ALTER EXTENSION citext ADD TABLE member");
    let prepared = check(&cluster, "app").await.unwrap();
    dump(&cluster, &prepared).await.unwrap();
    cluster.psql("app", "UPDATE pg_extension SET extconfig = ARRAY['member'::regclass::oid], extcondition = ARRAY[''] WHERE extname = 'citext'");
    assert_eq!(check(&cluster, "app").await.unwrap_err().code().name(), "unreadable_objects");
    let skip = PreflightOptions::default().skip_unreadable(true);
    let error = prepare(&connection(&cluster, "app"), &skip).await.unwrap_err();
    assert!(
        error.to_string().contains("configuration tables") && error.to_string().contains("public.member"),
        "{error}"
    );
    for statement in statements(&error.to_string()) {
        cluster.psql("app", &statement);
    }
    dump(&cluster, &check(&cluster, "app").await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn many_large_objects_are_one_finding() {
    let cluster = Cluster::options().role(ROLE, "x").start();
    let create = |many: u32| format!("SELECT count(lo_create(n)) FROM generate_series(50001, {}) n", 50000 + many);
    cluster.psql("postgres", &create(100));
    let all = skipping(&cluster, "postgres").await.preflight.findings;
    assert_eq!(all.len(), 100);
    cluster.psql("postgres", "SELECT lo_create(50101)");
    let one = skipping(&cluster, "postgres").await.preflight.findings;
    assert_eq!((one.len(), one[0].name.as_str()), (1, "50001 and 100 others"));
    cluster.psql("postgres", one[0].statement.as_ref().unwrap());
    let prepared = check(&cluster, "postgres").await.unwrap();
    dump(&cluster, &prepared).await.unwrap();
}

#[tokio::test]
async fn row_security_of_an_owner_counts_when_it_is_forced() {
    let cluster = Cluster::options().role(ROLE, "x").start();
    cluster.psql(
        "postgres",
        &format!(
            "CREATE TABLE own (a int); ALTER TABLE own OWNER TO {QUOTED}; ALTER TABLE own ENABLE ROW LEVEL SECURITY"
        ),
    );
    dump(&cluster, &check(&cluster, "postgres").await.unwrap()).await.unwrap();
    cluster.psql("postgres", "ALTER TABLE own FORCE ROW LEVEL SECURITY");
    assert!(check(&cluster, "postgres").await.unwrap_err().to_string().contains("BYPASSRLS"));
    let prepared = skipping(&cluster, "postgres").await;
    assert!(!dump(&cluster, &prepared).await.unwrap().contains("COPY public.own"));
}

#[tokio::test]
async fn facts_of_the_server() {
    let cluster = Cluster::options().role(ROLE, "x").start();
    cluster.psql("postgres", "CREATE DATABASE app OWNER postgres ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    cluster.psql("app", "CREATE EXTENSION citext; CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)");
    // An index that could not be made unique stays behind, invalid.
    assert!(cluster.psql_as("postgres", "app", "CREATE UNIQUE INDEX CONCURRENTLY broken ON t (a)").is_err());
    let prepared = prepare(
        &Connection::resolve(Some(&cluster.url("app")), &Env::default()).unwrap(),
        &PreflightOptions::default(),
    )
    .await
    .unwrap();
    let facts = prepared.facts;
    assert_eq!(
        facts.version.major.to_string(),
        cluster.psql("postgres", "SELECT current_setting('server_version_num')::int / 10000")
    );
    assert_eq!((facts.database.as_str(), facts.encoding.as_str(), facts.collate.as_str()), ("app", "LATIN1", "C"));
    assert_eq!((facts.owner.as_str(), facts.role.as_str(), facts.superuser), ("postgres", "postgres", true));
    assert_eq!(facts.locale_provider.name(), "libc");
    assert!(facts.extensions.iter().any(|extension| extension.name == "citext" && extension.schema == "public"));
    assert_eq!(facts.invalid_indexes, ["public.broken"]);
    assert!(facts.size > 1_000_000 && !facts.in_recovery);
}

#[tokio::test]
async fn a_standby_has_no_rows_of_unlogged_tables() {
    let mut cluster = Cluster::options().role(ROLE, "x").start();
    cluster.psql(
        "postgres",
        &format!("GRANT pg_read_all_data TO {QUOTED}; CREATE TABLE logged (a int); INSERT INTO logged VALUES (1)"),
    );
    cluster.psql("postgres", "CREATE UNLOGGED TABLE passing (a int); INSERT INTO passing VALUES (1)");
    assert!(dump(&cluster, &check(&cluster, "postgres").await.unwrap()).await.unwrap().contains("COPY public.passing"));
    cluster.become_standby();
    let error = check(&cluster, "postgres").await.unwrap_err();
    assert!(error.to_string().contains("unlogged table public.passing: the server is a standby"), "{error}");
    let prepared = skipping(&cluster, "postgres").await;
    assert!(prepared.facts.in_recovery);
    assert_eq!(names(&prepared.preflight.left_out, "unlogged table"), ["public.passing"]);
    let script = dump(&cluster, &prepared).await.unwrap();
    assert!(script.contains("COPY public.logged") && !script.contains("COPY public.passing"));
}

/// Whoever may create a table chooses its name.
#[tokio::test]
async fn names_in_messages_command_no_terminal() {
    let cluster = Cluster::options().role("reader", "x").start();
    cluster.psql("postgres", "CREATE TABLE \"a\x1b[2J\nb\" ()");
    let reader = Connection::resolve(Some(&cluster.url_as("reader", "postgres")), &Env::default()).unwrap();
    let error = prepare(&reader, &PreflightOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("public.a\\u{1b}[2J\\nb"), "{error}");
    assert!(!error.report().contains('\u{1b}'));
    assert_eq!(error.to_string().lines().count(), 2, "{error}");
}
