//! Scratch clusters: started, caged, and gone afterwards, whatever happens.

mod support;

use backup_core::error::codes::NO_SPACE;
use backup_postgres::error::codes::{SCRATCH_FAILED, TOOLS_NOT_FOUND};
use backup_postgres::scratch::Reached;
use backup_postgres::testing::find_bindir;
use backup_postgres::tools::Version;
use backup_postgres::{Scratch, ScratchOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::env;
use support::place::*;

const OLD: Version = Version { major: 12, minor: 0 };

fn options(place: &Path) -> ScratchOptions {
    ScratchOptions::new(OLD, OLD).folder(place).tools(find_bindir()).env(env())
}

async fn ask(scratch: &Scratch, sql: &str) -> String {
    let session = scratch.connection().connect().await.unwrap();
    session.query_one(sql, &[]).await.unwrap().get(0)
}

/// Debian's programs are not beside what they need, and find it where they are moved to.
#[tokio::test]
async fn an_installation_that_was_moved() {
    let place = place();
    let moved = place.path().join("moved");
    let asked = |what: &str| {
        let output = Command::new(find_bindir().join("pg_config")).arg(what).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    for folder in [asked("--bindir"), asked("--sharedir"), asked("--pkglibdir")] {
        let to = moved.join(folder.trim_start_matches('/'));
        std::fs::create_dir_all(&to).unwrap();
        let script = "for path in \"$0\"/*; do [ \"${path##*/}\" = bitcode ] || cp -R \"$path\" \"$1\"; done";
        assert!(Command::new("sh").args(["-c", script, &folder]).arg(&to).status().unwrap().success());
    }
    let programs = moved.join(asked("--bindir").trim_start_matches('/'));
    let scratch = Scratch::start(&options(place.path()).tools(&programs)).await.unwrap();
    assert!(scratch.isolation().is_complete(), "{}", scratch.isolation());
    let libraries = ask(&scratch, "SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'").await;
    assert!(libraries.starts_with(moved.to_str().unwrap()), "{libraries}");
    scratch.connection().connect().await.unwrap().batch_execute("DO 'BEGIN END'").await.unwrap();
}

#[tokio::test]
async fn a_scratch_cluster_is_caged_and_goes_away() {
    let place = place();
    let secret = place.path().join("identity.txt");
    std::fs::write(&secret, "AGE-SECRET-KEY-1\n").unwrap();
    let began = Instant::now();
    let scratch =
        Scratch::start(&options(place.path()).superuser("Some one").setting("work_mem", "7MB")).await.unwrap();
    eprintln!("started in {:?}: {}", began.elapsed(), scratch.isolation());
    assert!(scratch.isolation().is_complete(), "{}", scratch.isolation());
    assert_eq!(ask(&scratch, "SELECT current_user::text").await, "Some one");
    assert_eq!(ask(&scratch, "SHOW work_mem").await, "7MB");
    assert_eq!(ask(&scratch, "SHOW fsync").await, "off");

    // What a superuser's code sees from in there.
    let run = async |program: &str| {
        let session = scratch.connection().connect().await.unwrap();
        session.batch_execute("DROP TABLE IF EXISTS seen; CREATE TABLE seen (line text)").await.unwrap();
        session.batch_execute(&format!("COPY seen FROM PROGRAM '({program}) 2>&1; true'")).await.unwrap();
        session
            .query_one("SELECT COALESCE(string_agg(line, E'\\n'), '') FROM seen", &[])
            .await
            .unwrap()
            .get::<_, String>(0)
    };
    let seen = run(&format!("cat {} /etc/gshadow /etc/shadow", secret.display())).await;
    assert_eq!(seen.matches("No such file").count(), 3, "{seen}");
    assert_eq!(run("ls -A /usr/local /home /root /run /srv /opt 2>/dev/null").await, "");
    assert_eq!(
        run("ls /sys/class/net; cat /proc/net/dev | tail -n +3 | cut -d: -f1").await.lines().last().unwrap().trim(),
        "lo"
    );
    assert!(
        run("touch /usr/lib/x /x /tmp/x")
            .await
            .lines()
            .all(|line| line.contains("Read-only") || line.contains("denied"))
    );
    let environment = run("env | cut -d= -f1 | sort").await;
    assert!(
        !environment.contains("HOME") && !environment.contains("CARGO") && !environment.contains("CAGE"),
        "{environment}"
    );
    assert!(!run("cat /proc/*/cmdline | tr -cd a-z").await.contains("nextest"));
    let id: u32 = run("id -u").await.parse().unwrap();
    assert!(!std::fs::read_to_string("/etc/passwd").unwrap().contains(&format!(":{id}:")), "{id} is somebody's");

    let second = Scratch::start(
        &options(place.path())
            .low_priority(true)
            .hide("/usr/share/common-licenses")
            .hide("/usr/share/zoneinfo/Europe/Berlin")
            .hide("/")
            .hide(place.path())
            .hide("/usr/lib"),
    )
    .await
    .unwrap();
    let session = second.connection().connect().await.unwrap();
    session.batch_execute("CREATE TABLE seen (line text); COPY seen FROM PROGRAM '(ls /usr/share/common-licenses; cat /usr/share/zoneinfo/Europe/Berlin) 2>&1; true'").await.unwrap();
    let hidden: String = session.query_one("SELECT string_agg(line, ' ') FROM seen", &[]).await.unwrap().get(0);
    assert!(hidden.contains("Permission denied") && !hidden.contains("TZif"), "{hidden}");
    drop(session);
    assert_eq!(entries(place.path()).len(), 3, "two clusters at once");
    assert_ne!(scratch.isolation(), second.isolation(), "each has a user of its own");
    drop(second);
    assert_eq!(entries(place.path()).len(), 2, "gone when drop returns");
    assert!(scratch.died().is_none());
    scratch.stop().await;
    std::fs::remove_file(secret).unwrap();
    assert_nothing_is_left(place.path());
}

#[tokio::test]
async fn it_lets_everything_else_go_first_when_told_to() {
    let place = place();
    // Whoever runs the tests may have a low priority already.
    let own = std::fs::read_to_string("/proc/self/stat").unwrap();
    let own: u8 = own.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().parse().unwrap();
    let class = Command::new("ionice").args(["-p", &std::process::id().to_string()]).output();
    let class = String::from_utf8(class.expect("ionice must be installed (Debian: util-linux)").stdout).unwrap();
    for (low, nice, class) in [(false, own, class.trim()), (true, (own + 10).min(19), "idle")] {
        let scratch = Scratch::start(&options(place.path()).low_priority(low)).await.unwrap();
        let session = scratch.connection().connect().await.unwrap();
        // The parent of the program's shell serves this session; its parent, the fourth field of proc(5)'s stat, is the postmaster. The nineteenth is its nice value.
        session
            .batch_execute(
                "CREATE TABLE seen (line text);
                 COPY seen FROM PROGRAM 'master=$(cut -d \" \" -f 4 /proc/$PPID/stat); cat /proc/$master/comm; cut -d \" \" -f 19 /proc/$master/stat; cut -d \" \" -f 19 /proc/$PPID/stat; ionice -p $master'",
            )
            .await
            .unwrap();
        let seen = ask(&scratch, "SELECT string_agg(line, ' ') FROM seen").await;
        assert!(seen.starts_with(&format!("postgres {nice} {nice} {class}")), "low priority: {low}: {seen}");
        scratch.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_start_says_why_and_leaves_nothing() {
    let place = place();
    let error = Scratch::start(&options(place.path()).expect_bytes(1 << 60)).await.unwrap_err();
    assert!(error.is(&NO_SPACE) && error.hint().contains("--scratch-dir"), "{}", error.report());
    assert!(error.to_string().contains("about 11529215"), "{error}");
    let error = Scratch::start(&options(place.path()).setting("work_mem", "none of it")).await.unwrap_err();
    assert!(error.is(&SCRATCH_FAILED) && error.to_string().contains("work_mem"), "{}", error.report());
    let newer = ScratchOptions::new(Version { major: 99, minor: 0 }, OLD).folder(place.path()).tools(find_bindir());
    let error = Scratch::start(&newer).await.unwrap_err();
    assert!(error.is(&TOOLS_NOT_FOUND) && error.hint().contains("--scratch URL"), "{}", error.report());
    let error = Scratch::start(&options(&place.path().join("nowhere"))).await.unwrap_err();
    assert!(error.hint().contains("--scratch-dir"), "{}", error.report());
    // In the middle of starting.
    for milliseconds in [0, 50, 300, 700] {
        let options = options(place.path());
        let start = Scratch::start(&options);
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), start).await;
    }
    assert_nothing_is_left(place.path());
}

#[tokio::test]
async fn leftovers_of_killed_runs_are_removed_and_nothing_else() {
    let place = place();
    let folder = |name: &str| {
        let folder = place.path().join(name);
        std::fs::create_dir_all(folder.join("s/data")).unwrap();
        folder
    };
    let live = Scratch::start(&options(place.path())).await.unwrap();
    let live_folder = entries(place.path()).remove(0);
    let dead = folder("backproof-scratch-dead");
    std::fs::write(dead.join("lock"), "1").unwrap();
    let fresh = folder("backproof-scratch-fresh");
    let other = folder("something-else");
    std::fs::write(other.join("lock"), "").unwrap();
    symlink(&other, place.path().join("backproof-scratch-link")).unwrap();

    drop(Scratch::start(&options(place.path())).await.unwrap());
    assert!(!dead.exists());
    assert!(live_folder.exists() && fresh.exists() && other.join("s/data").exists());
    assert_eq!(ask(&live, "SELECT 'alive'").await, "alive");
}

/// Not a test: what other tests run as another user, or kill.
#[tokio::test]
#[ignore = "run by other tests"]
async fn child() {
    let place = std::env::var_os("BACKPROOF_TEST_PLACE").unwrap();
    match Scratch::start(&options(Path::new(&place))).await {
        Ok(scratch) => {
            println!("\nstarted: {}", scratch.isolation());
            assert_eq!(ask(&scratch, "SELECT 'alive'").await, "alive");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            scratch.stop().await;
        }
        Err(error) => println!("\nfailed: {}", error.report().replace('\n', " ")),
    }
}

/// Runs it with a command in front; gives what it said first.
fn run_child(place: &Path, before: &[&str], path: &str) -> (Child, String) {
    let exe = std::env::current_exe().unwrap();
    let mut command = Command::new(before.first().map_or(exe.as_os_str(), |program| program.as_ref()));
    if let Some(arguments) = before.get(1..) {
        command.args(arguments).arg(&exe);
    }
    command.args(["--exact", "child", "--ignored", "--nocapture"]).env("BACKPROOF_TEST_PLACE", place).env("PATH", path);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while !(said.starts_with("started: ") || said.starts_with("failed: ")) {
        said.clear();
        assert!(output.read_line(&mut said).unwrap() > 0, "it ended");
    }
    // What it says later must not break it.
    std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    (child, said)
}

fn finish(mut child: Child) {
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn path() -> String {
    std::env::var("PATH").unwrap()
}

#[test]
fn a_killed_drill_leaves_nothing() {
    let place = place();
    let (mut child, said) = run_child(place.path(), &[], &path());
    assert!(said.starts_with("started"), "{said}");
    assert!(runs(place.path()));
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert_nothing_is_left(place.path());
}

#[test]
fn as_an_ordinary_user() {
    let place = place();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let (child, said) = run_child(place.path(), &nobody, &path());
    assert!(said.contains("own user: yes (a user namespace"), "{said}");
    assert!(said.contains("no network: yes") && said.contains("no other files: yes"), "{said}");
    finish(child);

    // An id without a name, as in Kubernetes and OpenShift, in a container whose root folder cannot be written to.
    let read_only = format!(
        "mount -o remount,bind,ro / && mount -t tmpfs -o mode=1777 tmpfs {0} && exec setpriv --reuid=123456789 --regid=0 --clear-groups \"$@\"",
        place.path().display()
    );
    let nameless = ["unshare", "--mount", "--", "sh", "-ec", &read_only, "sh"];
    let (child, said) = run_child(place.path(), &nameless, &path());
    assert!(said.contains("own user: yes (a user namespace"), "{said}");
    finish(child);
    assert_nothing_is_left(place.path());
}

#[test]
fn where_there_are_no_namespaces() {
    let place = place();
    let path = no_namespaces(place.path());
    let (mut child, said) = run_child(place.path(), &[], &path);
    assert!(said.contains("own user: yes (user id") && said.contains("no network: no (namespaces: unshare:"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let (child, said) = run_child(place.path(), &nobody, &path);
    assert!(said.contains("own user: no (user namespaces: unshare:"), "{said}");
    finish(child);
    let nameless = ["setpriv", "--reuid=123456789", "--regid=0", "--clear-groups"];
    let (child, said) = run_child(place.path(), &nameless, &path);
    // With libnss_wrapper it works.
    assert!(said.contains("libnss_wrapper") || said.contains("own user: no"), "{said}");
    finish(child);
    std::fs::remove_dir_all(place.path().join("programs")).unwrap();
    assert_nothing_is_left(place.path());
}

#[test]
fn what_is_not_reached_is_said() {
    assert!(!Reached::No("x".into()).is_reached());
    assert_eq!(Reached::Yes("user id 7".into()).to_string(), "yes (user id 7)");
}
