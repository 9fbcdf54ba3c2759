//! One user's place: a folder with keys, a configuration and a repository, and the program run in it.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// How a run of the program ended.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}

impl Run {
    #[track_caller]
    pub(crate) fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.ends(0)
    }

    /// The one JSON document on stdout, of version 1.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let document: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"));
        assert_eq!(document["version"], 1, "{self}");
        document
    }

    /// The code of the error document of a run with `--json` that failed: it has a message and a hint too, and so does stderr.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.status, 2, "{self}");
        let document = self.json();
        let error = &document["error"];
        for field in ["code", "message", "hint"] {
            assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "no {field}: {self}");
        }
        // Mistakes on the command line have the parser's own hint.
        let hint = if error["code"] == "usage" { "--help" } else { error["hint"].as_str().unwrap() };
        assert!(self.stderr.contains(hint), "{self}");
        error["code"].as_str().unwrap().to_owned()
    }
}

/// A folder with all that one installation has.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) recipient: String,
    pub(crate) installation: String,
}

impl Site {
    /// A folder with a home in it, and nothing else.
    pub(crate) fn bare() -> Self {
        let folder = tempfile::Builder::new().prefix("bp-site-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        let home = folder.path().join("home").display().to_string();
        let path = std::env::var("PATH").unwrap();
        let env = [("HOME".into(), home), ("PATH".into(), path), ("TZ".into(), "UTC".into())].into();
        Site { folder, env, recipient: String::new(), installation: String::new() }
    }

    /// A repository in `repo`, keys that the program made (`key.txt`, `signing-key`, `signers`), and a configuration with all of them.
    pub(crate) fn new() -> Self {
        let mut site = Self::bare();
        let key = site.run(&["keygen", "--output", "key.txt", "--json"]).ok().json();
        site.recipient = key["recipient"].as_str().unwrap().to_owned();
        let key = site.run(&["keygen", "--signing", "--output", "signing-key", "--json"]).ok().json();
        site.write("signers", &format!("{}\n", key["trusted_signers_line"].as_str().unwrap()));
        let made = site.run(&["init", "--repo", &site.url(), "--json"]).ok().json();
        site.installation = made["installation"].as_str().unwrap().to_owned();
        site.write(
            "backproof.toml",
            &format!(
                "[repository]\nurl = \"{}\"\ninstallation = \"{}\"\nrecipients = \"{}\"\nidentity = \"key.txt\"\n\
                 signing_key = \"signing-key\"\ntrusted_signers = \"signers\"\n",
                site.url(),
                site.installation,
                site.recipient
            ),
        );
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text.
    pub(crate) fn at(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The repository's URL.
    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.at("repo"))
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8(std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.insert(name.to_owned(), value.into());
    }

    /// The program, in this folder, with this site's variables and no other.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backproof"));
        command.args(args);
        self.prepare(&mut command);
        command
    }

    /// Any program, in the same way.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.env_clear().envs(&self.env).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }

    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        finish(self.command(args))
    }

    /// The same with text on standard input.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &str) -> Run {
        use std::io::Write;
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        ended(child.wait_with_output().unwrap())
    }

    /// Backs up a text as series `app`, with these flags besides; gives the id.
    #[track_caller]
    pub(crate) fn backup(&self, text: &str, flags: &[&str]) -> String {
        let mut args = vec!["backup", "--json"];
        if !flags.contains(&"--name") {
            args.extend(["--name", "app"]);
        }
        args.extend(flags);
        args.extend(["--", "printf", "%s", text]);
        self.run(&args).ok().json()["id"].as_str().unwrap().to_owned()
    }

    /// Every file of the repository, from there.
    pub(crate) fn objects(&self) -> Vec<String> {
        files(&self.path("repo"))
    }

    /// The only object of the repository whose name ends so.
    #[track_caller]
    pub(crate) fn object(&self, end: &str) -> PathBuf {
        let found: Vec<_> = self.objects().into_iter().filter(|name| name.ends_with(end)).collect();
        assert_eq!(found.len(), 1, "objects that end with {end}: {found:?}");
        self.path("repo").join(&found[0])
    }

    /// The ids that `list` shows as good, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        let list = self.run(&["list", "--json"]);
        let list = list.json();
        let backups = list["backups"].as_array().unwrap().iter();
        backups.filter(|b| b["problem"].is_null()).map(|b| b["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// Runs a command to its end.
pub(crate) fn finish(mut command: Command) -> Run {
    ended(command.output().unwrap_or_else(|error| panic!("{command:?}: {error}")))
}

fn ended(output: std::process::Output) -> Run {
    use std::os::unix::process::ExitStatusExt;
    Run {
        status: output.status.code().unwrap_or_else(|| 1000 + output.status.signal().unwrap_or(0)),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Every file under a folder, from there, sorted.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, "", &mut found);
    found.sort();
    found
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    for name in files(from) {
        std::fs::create_dir_all(to.join(&name).parent().unwrap()).unwrap();
        std::fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// A disk of its own that is soon full; gone when dropped.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Puts one of this size at a folder.
    #[track_caller]
    pub(crate) fn at(folder: PathBuf, size: &str) -> Self {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=1777"), "tmpfs"]).arg(&folder);
        let output = mount.output().expect("mount must be installed (Debian: mount)");
        assert!(
            output.status.success(),
            "a full disk cannot be tried: no small tmpfs can be mounted here: {}\nrun the tests as root with the right to mount (CAP_SYS_ADMIN; in a container: --cap-add SYS_ADMIN)",
            String::from_utf8_lossy(&output.stderr)
        );
        SmallDisk(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}
