//! Finding PostgreSQL's programs on this machine and in folders of the tests' own.

use backup_postgres::Env;
use backup_postgres::testing::find_bindir;
use backup_postgres::tools::{Tools, Version};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn env(path: &str) -> Env {
    Env::from_iter([("PATH", path)])
}

/// A folder with programs that answer `--version` as PostgreSQL's do.
fn fake(folder: &Path, version: &str, programs: &[&str]) {
    for program in programs {
        let file = folder.join(program);
        std::fs::write(&file, format!("#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

const ALL: [&str; 4] = ["pg_dump", "pg_dumpall", "pg_restore", "psql"];

#[tokio::test]
async fn the_real_ones() {
    let bindir = find_bindir();
    let output = std::process::Command::new(bindir.join("psql")).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let major: u32 = text.split("(PostgreSQL) ").nth(1).unwrap().split('.').next().unwrap().trim().parse().unwrap();
    let explicit = Tools::find(Version { major, minor: 0 }, Some(&bindir), &env("")).await.unwrap();
    assert_eq!(explicit.pg_dump.version.major, major);
    assert!(explicit.warning.is_none());
    // Behind Debian's wrapper in /usr/bin, the real programs are found.
    let path = format!("/usr/bin:{}", bindir.display());
    let found = Tools::find(Version { major, minor: 0 }, None, &env(&path)).await.unwrap();
    assert_eq!(found.pg_dump.version.major, major);
    assert_ne!(std::fs::canonicalize(&found.pg_dump.path).unwrap().file_name().unwrap(), "pg_wrapper");
}

#[tokio::test]
async fn an_explicit_folder_is_the_only_one() {
    let folder = tempfile::tempdir().unwrap();
    fake(folder.path(), "9.6.3", &ALL);
    let variable = Env::from_iter([("PG_BINDIR", folder.path().to_str().unwrap()), ("PATH", "/usr/bin")]);
    for (explicit, env) in [(Some(folder.path()), env("/usr/bin")), (None, variable)] {
        let error = Tools::find(Version { major: 15, minor: 1 }, explicit, &env).await.unwrap_err();
        assert_eq!(error.code().name(), "tools_not_found");
        assert!(error.to_string().contains("9.6") && error.to_string().contains("15.1"), "{error}");
        assert!(error.hint().contains("PG_BINDIR"));
    }
}

#[tokio::test]
async fn too_new_a_server() {
    let folder = tempfile::tempdir().unwrap();
    fake(folder.path(), "98.4", &ALL);
    let env = env(folder.path().to_str().unwrap());
    let error = Tools::find(Version { major: 99, minor: 2 }, None, &env).await.unwrap_err();
    assert!(error.to_string().contains("98.4 in"), "{error}");
    let newer = Tools::find(Version { major: 97, minor: 0 }, None, &env).await.unwrap();
    assert!(newer.warning.unwrap().contains("98"));
}

#[tokio::test]
async fn incomplete_and_broken_folders() {
    let folder = tempfile::tempdir().unwrap();
    fake(folder.path(), "15.3", &ALL[..3]);
    std::fs::write(folder.path().join("psql"), "not a program").unwrap();
    let error = Tools::find(Version { major: 15, minor: 0 }, Some(folder.path()), &env("")).await.unwrap_err();
    assert!(error.to_string().contains("without psql"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = Tools::find(Version { major: 15, minor: 0 }, Some(empty.path()), &env("")).await.unwrap_err();
    assert!(error.to_string().contains("none was found"), "{error}");
}
