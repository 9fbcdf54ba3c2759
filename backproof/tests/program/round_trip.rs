//! A database backed up by an ordinary role, looked at, verified, and restored: every row and every definition is the same.

use crate::database::{assert_same, contents, make_rich, properties};
use crate::site::Site;
use backup_postgres::testing::Cluster;

const SOURCE: &str = "the source";

/// A role that owns nothing and may read everything.
pub(crate) fn make_keeper(cluster: &Cluster, database: &str) {
    cluster.psql("postgres", "CREATE ROLE keeper LOGIN BYPASSRLS IN ROLE pg_read_all_data");
    cluster.psql("postgres", &format!("GRANT CONNECT ON DATABASE \"{database}\" TO keeper"));
    // pg_read_all_data says nothing of large objects. The database is read-only by default.
    cluster.psql(
        database,
        "SET default_transaction_read_only = off;
         DO $$ DECLARE one oid; BEGIN FOR one IN SELECT oid FROM pg_largeobject_metadata LOOP
            EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO keeper', one); END LOOP; END $$",
    );
}

#[test]
fn an_ordinary_role_backs_up_and_everything_comes_back() {
    let cluster = Cluster::start();
    make_rich(&cluster, SOURCE);
    make_keeper(&cluster, SOURCE);
    let mut site = Site::new();
    site.set("DATABASE_URL", cluster.url_as("keeper", SOURCE));
    let before = contents(&cluster, SOURCE);

    let made = site.run(&["backup", "--name", "app", "--label", "daily", "--json"]).ok();
    assert_eq!(made.stderr, "", "nothing to warn of: {made}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(made.json()["left_out"], 0);

    assert_eq!(site.ids(), [id.as_str()]);
    let shown = site.run(&["show", &id[..12]]).ok().stdout;
    for expected in [&id, "daily", "signed by backup-host (SHA256:", "part dump", "part globals", "hstore"] {
        assert!(shown.contains(expected), "no {expected} in\n{shown}");
    }
    for level in ["present", "intact", "readable"] {
        let verified = site.run(&["verify", "--level", level, "--json"]).ok().json();
        assert_eq!(verified["status"], "healthy");
        let backup = &verified["verdict"]["backups"][0];
        assert_eq!((&backup["outcome"], &backup["reached"]), (&"passed".into(), &level.into()), "{verified:#}");
    }

    let plan = site.run(&["restore", "latest", "--to", &cluster.url("back"), "--dry-run"]).ok().stdout;
    assert!(plan.contains("nothing was changed") && plan.contains("create database \"back\""), "{plan}");
    assert_eq!(cluster.psql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'back'"), "0");

    site.run(&["restore", "latest", "--to", &cluster.url("back")]).ok();
    assert_same(&before, &contents(&cluster, "back"));
    assert_eq!(
        properties(&cluster, SOURCE).replace(SOURCE, "DB"),
        properties(&cluster, "back").replace(SOURCE, "DB"),
        "the comment names the source still"
    );

    // What exists is never touched: neither what was just restored, nor the source.
    for existing in ["back", SOURCE] {
        let refused = site.run(&["restore", "latest", "--to", &cluster.url(existing), "--json"]);
        assert_eq!(refused.code(), "database_exists", "{refused}");
        assert_same(&before, &contents(&cluster, existing));
    }
}

#[test]
fn a_file_and_a_programs_output_come_back_byte_for_byte() {
    let site = Site::new();
    let bytes: Vec<u8> = (0..3_000_000u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()).collect();
    std::fs::write(site.path("data"), &bytes).unwrap();
    site.write("empty", "");
    // More than one segment, and none at all.
    site.write("backproof.toml", &format!("{}[backup]\nsegment_size = \"1MiB\"\n", site.read("backproof.toml")));
    for (name, flags, expected) in [
        ("file", ["--file", "data"], &bytes),
        ("empty", ["--file", "empty"], &Vec::new()),
        ("command", ["--", "cat data"], &bytes),
    ] {
        let mut args = vec!["backup", "--name", name];
        match flags {
            ["--", _] => args.extend(["--", "cat", "data"]),
            flags => args.extend(flags),
        }
        site.run(&args).ok();
        site.run(&["verify", "latest", "--name", name, "--level", "readable"]).ok();
        let manifest = site.run(&["show", "latest", "--name", name, "--json"]).ok().json();
        let part = manifest["manifest"]["parts"][0]["name"].as_str().unwrap().to_owned();
        let output = site.at(name) + ".out";
        site.run(&["cat", "latest", &part, "--name", name, "--output", &output]).ok();
        assert!(std::fs::read(&output).unwrap() == *expected, "{name}: other bytes");
        let folder = site.at(name) + ".folder";
        site.run(&["restore", "latest", "--name", name, "--to-directory", &folder]).ok();
        assert!(std::fs::read(format!("{folder}/{part}")).unwrap() == *expected, "{name}: other bytes");
    }
}

#[test]
fn a_program_that_fails_makes_no_backup() {
    let site = Site::new();
    let before = site.objects();
    for (command, code) in [
        (&["sh", "-c", "echo half; exit 3"][..], "source_failed"),
        (&["sh", "-c", "echo half; kill -9 $$"], "source_failed"),
        (&["/no/such/program"], "file_not_found"),
    ] {
        let run = site.run(&[&["backup", "--name", "app", "--json", "--"], command].concat());
        assert_eq!(run.code(), code, "{run}");
        assert_eq!(site.objects(), before, "left behind");
    }
}
