//! Before a dump: what the login cannot read, and connections that cannot be trusted.

use crate::site::Site;
use backup_postgres::testing::{Cluster, PgBouncer, PoolMode};

fn site_with_a_secret_table(cluster: &Cluster) -> Site {
    cluster.psql(
        "postgres",
        "CREATE ROLE clerk LOGIN; CREATE TABLE open AS SELECT 1 AS a; CREATE TABLE secret AS SELECT 2 AS b;
         GRANT SELECT ON open TO clerk",
    );
    let mut site = Site::new();
    site.set("DATABASE_URL", cluster.url_as("clerk", "postgres"));
    site
}

#[test]
fn an_unreadable_table_fails_the_backup_unless_it_is_to_be_skipped() {
    let cluster = Cluster::start();
    let site = site_with_a_secret_table(&cluster);
    let before = site.objects();
    let refused = site.run(&["backup", "--name", "app", "--json"]);
    assert_eq!(refused.code(), "unreadable_objects");
    assert!(refused.stderr.contains("public.secret"), "{refused}");
    assert!(refused.stderr.contains(r#"GRANT SELECT ON TABLE "public"."secret" TO "clerk";"#), "{refused}");
    assert_eq!(site.objects(), before, "something was stored");

    let made = site.run(&["backup", "--name", "app", "--skip-unreadable", "--json"]).ends(1);
    assert_eq!(made.json()["left_out"], 1);
    assert!(made.stderr.contains("warning: 1 thing"), "{made}");
    let shown = site.run(&["show", "latest", "--json"]).ok().json();
    assert_eq!(shown["left_out"][0]["name"], "public.secret", "{shown:#}");
    // Its name is sealed: nothing says it without an identity.
    site.write("nobody.toml", &site.read("backproof.toml").replace("identity = \"key.txt\"\n", ""));
    let public = site.run(&["show", "latest", "--config", "nobody.toml"]).ok();
    assert!(public.stdout.contains("1 thing") && !public.stdout.contains("secret"), "{public}");
    let verdict = site.run(&["verify", "--level", "readable", "--json"]).ends(1).json();
    assert_eq!(verdict["verdict"]["backups"][0]["findings"][0]["code"], "left_out");
    assert!(site.run(&["list"]).ok().stdout.contains("1 left out"));
    site.run(&["restore", "latest", "--to", &cluster.url("back")]).ok();
    assert_eq!(cluster.psql("back", "SELECT a FROM open"), "1");
    assert_eq!(cluster.psql("back", "SELECT to_regclass('secret') IS NULL"), "t");

    // The file can say it for a series; and once it is not needed any more, all is well.
    site.write("backproof.toml", &format!("{}[series.app]\nskip_unreadable = true\n", site.read("backproof.toml")));
    site.run(&["backup"]).ends(1);
    cluster.psql("postgres", "GRANT SELECT ON TABLE public.secret TO clerk");
    site.run(&["backup"]).ok();
}

/// A pg_dump that writes down what it is given.
fn with_noted_arguments(site: &mut Site, cluster: &Cluster) {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (programs, real) = (site.path("programs"), cluster.bindir());
    std::fs::create_dir(&programs).unwrap();
    for program in std::fs::read_dir(real).unwrap().flatten().filter(|program| program.file_name() != "pg_dump") {
        symlink(program.path(), programs.join(program.file_name())).unwrap();
    }
    let script =
        format!("#!/bin/sh\necho \"$@\" >> '{}'\nexec '{}' \"$@\"\n", site.at("given"), real.join("pg_dump").display());
    site.write("programs/pg_dump", &script);
    std::fs::set_permissions(programs.join("pg_dump"), std::fs::Permissions::from_mode(0o755)).unwrap();
    site.set("PG_BINDIR", programs.display().to_string());
}

#[test]
fn a_dump_waits_a_minute_for_locks_unless_told_otherwise() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "CREATE TABLE t (a int)");
    let mut site = Site::new();
    with_noted_arguments(&mut site, &cluster);
    let configuration = site.read("backproof.toml");
    for (setting, given) in
        [("", "--lock-wait-timeout=60000"), ("[postgres]\nlock_wait_timeout = \"2m\"\n", "--lock-wait-timeout=120000")]
    {
        site.write("backproof.toml", &format!("{configuration}{setting}"));
        site.write("given", "");
        site.run(&["backup", "--name", "app", "--json", "--database", &cluster.url("postgres")]).ok();
        let dumps: Vec<String> = site
            .read("given")
            .lines()
            .filter(|line| *line != "--version" && *line != "-V")
            .map(str::to_owned)
            .collect();
        assert!(
            !dumps.is_empty() && dumps.iter().all(|line| line.split(' ').any(|word| word == given)),
            "{given}: {dumps:?}"
        );
    }
}

#[test]
fn a_transaction_pooler_is_refused_and_a_session_pooler_works() {
    let cluster = Cluster::start();
    let mut site = site_with_a_secret_table(&cluster);
    let before = site.objects();
    let pooler = PgBouncer::start(&cluster, PoolMode::Transaction, &["default_pool_size = 1"]);
    site.set("DATABASE_URL", pooler.url_as("postgres", "postgres"));
    let refused = site.run(&["backup", "--name", "app", "--json"]);
    assert_eq!(refused.code(), "transaction_pooler");
    assert_eq!(site.objects(), before);
    drop(pooler);
    let pooler =
        PgBouncer::start(&cluster, PoolMode::Session, &["ignore_startup_parameters = extra_float_digits,options"]);
    site.set("DATABASE_URL", pooler.url_as("postgres", "postgres"));
    site.run(&["backup", "--name", "app"]).ok();
    site.run(&["verify", "latest", "--level", "readable"]).ok();
}
