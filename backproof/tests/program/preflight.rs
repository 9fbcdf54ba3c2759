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
