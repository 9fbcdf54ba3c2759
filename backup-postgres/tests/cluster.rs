//! The throw-away cluster itself: it starts, serves, and leaves nothing behind.

use backup_postgres::testing::{Cluster, PgBouncer, PoolMode};

fn alive(pid: &str) -> bool {
    std::path::Path::new("/proc").join(pid).exists()
}

#[test]
fn starts_and_leaves_nothing() {
    let cluster = Cluster::options().role("o'reilly \"q\"", "pa'ss").setting("work_mem", "5MB").start();
    cluster.create_database("na me");
    assert_eq!(
        cluster.psql("na me", "SELECT current_database(), current_setting('work_mem'), current_user"),
        "na me|5MB|postgres"
    );
    assert_eq!(cluster.psql_as("o'reilly \"q\"", "na me", "SELECT session_user").unwrap(), "o'reilly \"q\"");
    assert!(cluster.psql_as("postgres", "na me", "SELECT 1/0").unwrap_err().contains("division by zero"));
    let folder = cluster.folder().to_owned();
    let pid =
        std::fs::read_to_string(cluster.data().join("postmaster.pid")).unwrap().lines().next().unwrap().to_owned();
    assert!(alive(&pid));
    drop(cluster);
    assert!(!folder.exists());
    assert!(!alive(&pid));
}

#[test]
fn a_panic_leaves_nothing_either() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let result = std::thread::spawn(move || {
        let cluster = Cluster::start();
        sender.send(cluster.folder().to_owned()).unwrap();
        panic!("a test that fails");
    })
    .join();
    assert!(result.is_err());
    assert!(!receiver.recv().unwrap().exists());
}

#[test]
fn listens_with_tls() {
    let cluster = Cluster::options().tls(&["localhost"]).role("app", "s3cret").start();
    let url = format!(
        "{}?sslmode=verify-ca&sslrootcert={}",
        cluster.tcp_url("app", "s3cret", "postgres"),
        cluster.certificates().authority().display()
    );
    let output = cluster
        .command("psql")
        .args(["-XAtc", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "-d"])
        .arg(url)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "t\n", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn pooler_serves() {
    let cluster = Cluster::start();
    let pooler = PgBouncer::start(&cluster, PoolMode::Session, &[]);
    let output = cluster
        .command("psql")
        .args(["-XAtc", "SELECT 7", "-d"])
        .arg(pooler.url_as("postgres", "postgres"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "7\n",
        "{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        pooler.log()
    );
}

/// Not a test by itself: [`a_killed_test_leaves_nothing`] runs it in a process of its own, and kills that.
#[test]
#[ignore = "run by a_killed_test_leaves_nothing"]
fn says_its_folder_and_waits() {
    let cluster = Cluster::start();
    println!("\nfolder={}", cluster.folder().display());
    std::thread::park();
}

#[test]
fn a_killed_test_leaves_nothing() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "says_its_folder_and_waits", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let folder = lines.find_map(|line| line.strip_prefix("folder=").map(std::path::PathBuf::from)).unwrap();
    assert!(folder.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    // The watchdog works while we look; it needs well under a second.
    let killed = std::time::Instant::now();
    while folder.exists() {
        assert!(killed.elapsed().as_secs() < 20, "{} is still there", folder.display());
        std::thread::yield_now();
    }
}
