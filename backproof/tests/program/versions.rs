//! PostgreSQL 16 and 18: each by its own programs, and from the older to the newer.

use crate::database::{assert_same, contents, make_rich, properties};
use crate::site::Site;
use backup_postgres::testing::Cluster;

const ROLES: &str = "CREATE ROLE app_owner; CREATE ROLE app_reader; CREATE ROLE \"Odd \"\"role\"";

fn bindir(cluster: &Cluster) -> String {
    cluster.bindir().display().to_string()
}

/// A site with a backup of the rich database, made and read by the cluster's own programs.
fn backed_up(cluster: &Cluster) -> Site {
    make_rich(cluster, "rich");
    let mut site = Site::new();
    site.set("DATABASE_URL", cluster.url("rich"));
    site.set("PG_BINDIR", bindir(cluster));
    let made = site.run(&["backup", "--name", "app", "--json"]).ok();
    assert_eq!(made.stderr, "", "nothing to warn of: {made}");
    site.run(&["verify", "latest", "--level", "readable"]).ok();
    site
}

/// Rows and large objects, without the schema's text, which versions render differently.
fn rows(all: &[(String, String)]) -> Vec<(String, String)> {
    let (schema, rows) = all.split_first().unwrap();
    assert_eq!(schema.0, "schema");
    rows.to_vec()
}

fn comes_back(major: u32) {
    let cluster = Cluster::options().version(major).start();
    assert!(cluster.psql("postgres", "SHOW server_version").starts_with(&format!("{major}.")));
    let site = backed_up(&cluster);
    let shown = site.run(&["show", "latest"]).ok().stdout;
    assert!(shown.contains(&format!(" {major}.")), "{shown}");
    site.run(&["restore", "latest", "--to", &cluster.url("back")]).ok();
    assert_same(&contents(&cluster, "rich"), &contents(&cluster, "back"));
    assert_eq!(
        properties(&cluster, "rich").replace("rich", "DB"),
        properties(&cluster, "back").replace("rich", "DB"),
        "the comment names the source still"
    );
}

#[test]
fn postgresql_16_comes_back() {
    comes_back(16);
}

#[test]
fn postgresql_18_comes_back() {
    comes_back(18);
}

#[test]
fn a_backup_of_16_is_restored_into_18() {
    let (old, new) = (Cluster::options().version(16).start(), Cluster::options().version(18).start());
    let mut site = backed_up(&old);
    new.psql("postgres", ROLES);
    site.set("PG_BINDIR", bindir(&new));
    site.run(&["restore", "latest", "--to", &new.url("back")]).ok();
    assert_same(&rows(&contents(&old, "rich")), &rows(&contents(&new, "back")));
}

/// What 18's pg_dump writes, 16's pg_restore cannot read: said before anything is made.
#[test]
fn a_backup_of_18_is_refused_by_the_programs_of_16() {
    let (old, new) = (Cluster::options().version(16).start(), Cluster::options().version(18).start());
    let mut site = backed_up(&new);
    old.psql("postgres", ROLES);
    site.set("PG_BINDIR", bindir(&old));
    let refused = site.run(&["restore", "latest", "--to", &old.url("back"), "--json"]);
    assert_eq!((refused.status, refused.code().as_str()), (2, "restore_refused"), "{refused}");
    assert!(refused.stderr.contains("pg_restore and psql of version 18 are needed"), "{refused}");
    assert_eq!(old.psql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'back'"), "0");
}
