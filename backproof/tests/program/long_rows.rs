//! A row much longer than a segment, and than our memory budget.

use crate::site::Site;
use backup_postgres::testing::Cluster;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

const MIB: u64 = 1 << 20;
/// A row of this many MiB; `BACKPROOF_TEST_ROW_MIB` says otherwise (PostgreSQL's own limit is just under 1024).
const ROW_MIB: u64 = 120;
const BUDGET_MIB: u64 = 96;

/// Runs the program to its end; gives the most memory that it held, in bytes.
fn peak_memory(site: &Site, args: &[&str]) -> u64 {
    let mut child = site.command(args).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        // The high-water mark never falls, and is gone when the program has ended: the last look counts.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mark =
            text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(mark.unwrap_or(0) * 1024);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(ended.success(), "{args:?}: {errors}");
    peak
}

#[test]
fn a_row_longer_than_the_memory_budget_comes_back_within_it() {
    let row_mib = std::env::var("BACKPROOF_TEST_ROW_MIB").map_or(ROW_MIB, |mib| mib.parse().unwrap());
    let cluster = Cluster::options().setting("max_wal_size", "4GB").start();
    cluster.create_database("long");
    cluster.psql(
        "long",
        &format!(
            "CREATE TABLE long (id int PRIMARY KEY, value text);
             ALTER TABLE long ALTER value SET STORAGE EXTERNAL;
             INSERT INTO long SELECT 1, 'before' UNION ALL
             SELECT 2, repeat((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 32768) i), {row_mib}) UNION ALL
             SELECT 3, 'after'"
        ),
    );
    let mut site = Site::new();
    site.set("DATABASE_URL", cluster.url("long"));
    let config = site.read("backproof.toml");
    let small = format!("{config}[backup]\nmemory = \"{BUDGET_MIB}MiB\"\nsegment_size = \"8MiB\"\n");
    site.write("backproof.toml", &small);

    let limit = (BUDGET_MIB + 64) * MIB;
    for args in [&["backup", "--name", "app"][..], &["verify", "latest", "--level", "readable"]] {
        let peak = peak_memory(&site, args);
        assert!(peak > 4 * MIB, "{args:?}: nothing was measured");
        assert!(peak <= limit, "{args:?}: {} MiB, at most {}", peak / MIB, limit / MIB);
        if row_mib != ROW_MIB {
            println!("{args:?}: {} MiB at the most", peak / MIB);
        }
    }
    let shown = site.run(&["show", "latest", "--json"]).ok().json();
    let parts = shown["manifest"]["parts"].as_array().unwrap();
    let dump = parts.iter().find(|part| part["name"] == "dump").unwrap();
    assert!(dump["plain_bytes"].as_u64().unwrap() > row_mib * MIB, "{shown:#}");
    let url = cluster.url("back");
    let peak = peak_memory(&site, &["restore", "latest", "--to", &url]);
    assert!(peak <= limit, "restore: {} MiB, at most {}", peak / MIB, limit / MIB);
    let rows = "SELECT id, length(value), md5(value) FROM long ORDER BY id";
    assert_eq!(cluster.psql("long", rows), cluster.psql("back", rows));
}
