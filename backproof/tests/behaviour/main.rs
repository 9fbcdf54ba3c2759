//! The behaviour suite of all languages (bindings/behaviour), in Rust: through `Backproof::call`, as the bindings call it.
//!
//! Needs PostgreSQL's server and its programs.

use backproof::Backproof;
use backproof::config::Overrides;
use backproof::core::general::StreamSource;
use backproof::core::source::Source;
use backproof::verbs::Answer;
use backup_postgres::testing::Cluster;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use matching::{differences, filled};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

mod matching;

macro_rules! files {
    ($($file:ident)*) => {
        const FILES: &[&str] = &[$(stringify!($file)),*];
        $(#[tokio::test] async fn $file() { run(stringify!($file)).await })*
    };
}
files! { repository sources database proof restore }

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn read(file: &str) -> Value {
    let path = root().join("bindings").join(file);
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} should be text"))
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// One case, while it runs.
struct Case<'a> {
    settings: Map<String, Value>,
    session: Option<Backproof>,
    cluster: Option<&'a Cluster>,
    known: Value,
}

impl Case<'_> {
    async fn step(&mut self, template: &Value) -> Vec<String> {
        let mut template = template.clone();
        let own = template.as_object_mut().unwrap().remove("settings");
        let step = filled(&template, &self.known);
        let mut found = Vec::new();
        if !step["setup"].is_null() {
            self.set_up(&step["setup"]);
        } else if !step["query"].is_null() {
            let gives = json!(self.cluster.unwrap().psql(text(&step["database"]), text(&step["query"])));
            differences(&step["gives"], &gives, "gives", &mut found);
        } else if !step["file"].is_null() {
            let path = Path::new(text(&step["file"]));
            let mut files: Vec<PathBuf> =
                files(path).iter().map(|file| file.strip_prefix(path).unwrap().into()).collect();
            files.sort();
            let holds = if path.is_dir() { json!(files) } else { json!(std::fs::read_to_string(path).unwrap()) };
            differences(&step["holds"], &holds, "holds", &mut found);
        } else {
            let (kind, outcome) = match self.call(&step, own).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    let (code, message) = (error.code().name(), error.chain());
                    let error = json!({ "code": code, "hint": error.hint(), "transient": error.is_transient(), "message": message });
                    ("error", error)
                }
            };
            let expected =
                ["expect", "bytes", "rows", "error", "cancelled"].into_iter().find(|kind| !step[kind].is_null());
            let expected = expected.unwrap();
            differences(
                &json!({ expected: step[expected] }),
                &json!({ kind: outcome }),
                text(&step["verb"]),
                &mut found,
            );
            if let Some(name) = step["keep"].as_str() {
                self.known[name] = outcome;
            }
        }
        found
    }

    fn set_up(&self, setup: &Value) {
        for (to, what) in entries(&setup["copy"]) {
            for file in files(Path::new(text(what))) {
                let to = Path::new(to).join(file.strip_prefix(text(what)).unwrap());
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::copy(file, to).unwrap();
            }
        }
        for (file, content) in entries(&setup["write"]) {
            std::fs::write(file, text(content)).unwrap();
        }
        for file in list(&setup["remove"]) {
            std::fs::remove_file(text(file)).unwrap();
        }
        for statement in list(&setup["sql"]) {
            self.cluster.unwrap().psql(text(&statement[0]), text(&statement[1]));
        }
    }

    fn open(&self, own: Option<Value>) -> backproof::Result<Backproof> {
        let mut settings = self.settings.clone();
        settings.extend(own.and_then(|own| own.as_object().cloned()).into_iter().flatten());
        settings.retain(|_, value| !value.is_null());
        let settings = filled(&json!(settings), &self.known);
        Backproof::open(serde_json::from_value::<Overrides>(settings).unwrap())
    }

    /// Calls the verb; gives what came of it.
    async fn call(&mut self, step: &Value, own: Option<Value>) -> backproof::Result<(&'static str, Value)> {
        let session = match (&self.session, own) {
            (_, own @ Some(_)) => self.open(own)?,
            (Some(session), None) => session.clone(),
            (None, None) => self.session.insert(self.open(None)?).clone(),
        };
        let cancel = CancellationToken::new();
        let session = session.cancel_with(cancel.clone());
        let source = step["source"]
            .is_object()
            .then(|| source(&step["source"], step["cancelled"].is_boolean().then_some(cancel)));
        let mut options = if step["options"].is_null() { json!({}) } else { step["options"].clone() };
        if step["rows"].is_array() {
            options["format"] = json!("json");
        }
        match session.call(text(&step["verb"]), options, source).await {
            Ok(Answer::Document(document)) => Ok(("expect", document)),
            Ok(Answer::Bytes(bytes)) => {
                let all = String::from_utf8(bytes.try_collect::<Vec<Bytes>>().await?.concat()).unwrap();
                let row = |line| serde_json::from_str::<Value>(line).unwrap();
                let rows = step["rows"].is_array().then(|| ("rows", all.lines().map(row).collect()));
                Ok(rows.unwrap_or_else(|| ("bytes", json!(all))))
            }
            Err(error) if error.code().name() == "cancelled" => Ok(("cancelled", json!(true))),
            Err(error) => Err(error),
        }
    }
}

/// A file, or all files of a folder.
fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    std::fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect()
}

/// A source of these pieces; what is to be cancelled does not end, and is cancelled when all was read.
fn source(source: &Value, cancel: Option<CancellationToken>) -> Arc<dyn Source> {
    let pieces: Vec<Bytes> = list(&source["pieces"]).iter().map(|piece| text(piece).to_owned().into()).collect();
    let times = source["times"].as_u64().unwrap_or(1) as usize;
    let pieces = std::iter::repeat_n(pieces, times).flatten().map(Ok);
    let failure = source["fails"].as_str().map(|why| Err(std::io::Error::other(why.to_owned())));
    let pieces = futures::stream::iter(pieces.chain(failure));
    match cancel {
        None => Arc::new(StreamSource::new(pieces)),
        Some(cancel) => Arc::new(StreamSource::new(pieces.chain(futures::stream::once(async move {
            cancel.cancel();
            std::future::pending().await
        })))),
    }
}

/// As scripts/cluster makes it for the other languages.
fn server() -> Cluster {
    let options = Cluster::options().initdb("--encoding=UTF8").initdb("--locale=C.UTF-8");
    options.setting("timezone", "UTC").start()
}

async fn run(file: &str) {
    let suite = read(&format!("behaviour/{file}.json"));
    let cluster = suite.to_string().contains("${socket}").then(server);
    let mut failures = Vec::new();
    for case in list(&suite["cases"]) {
        let folder = tempfile::tempdir().unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut known = json!({ "dir": folder.path(), "root": root(), "path": path });
        if let Some(cluster) = &cluster {
            (known["socket"], known["bindir"]) = (json!(cluster.socket_folder()), json!(cluster.bindir()));
        }
        let shapes = filled(&suite["shapes"], &known);
        known.as_object_mut().unwrap().extend(entries(&shapes).map(|(name, shape)| (name.clone(), shape.clone())));
        let mut settings =
            Map::from_iter([("env".into(), json!({ "PATH": path })), ("configuration".into(), json!({}))]);
        settings.extend(entries(&case["settings"]).map(|(name, value)| (name.clone(), value.clone())));
        let mut running = Case { settings, session: None, cluster: cluster.as_ref(), known };
        for (number, step) in list(&case["steps"]).iter().enumerate() {
            let found = running.step(step).await;
            if !found.is_empty() {
                failures.push(format!("{}, step {}:\n{}", text(&case["name"]), number + 1, found.join("\n")));
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_file_and_every_verb_is_in_it() {
    let in_folder =
        std::fs::read_dir(root().join("bindings/behaviour")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut found: Vec<String> =
        in_folder.filter_map(|name| Some(name.to_str()?.strip_suffix(".json")?.to_owned())).collect();
    found.sort();
    let mut named = FILES.to_vec();
    named.sort();
    assert_eq!(found, named, "name the file above");
    let suites: Vec<Value> = FILES.iter().map(|file| read(&format!("behaviour/{file}.json"))).collect();
    let cases = suites.iter().flat_map(|suite| list(&suite["cases"]));
    let steps: Vec<&Value> =
        cases.flat_map(|case| list(&case["steps"])).filter(|step| step["verb"].is_string()).collect();
    let words = ["verb", "options", "source", "settings", "keep", "expect", "error", "bytes", "rows", "cancelled"];
    for step in &steps {
        entries(step).for_each(|(word, _)| assert!(words.contains(&word.as_str()), "{word} in {step}"));
    }
    for (verb, _) in entries(&read("api.json")["verbs"]) {
        let of_it = |fails: bool| steps.iter().any(|step| step["verb"] == **verb && step["error"].is_null() != fails);
        assert!(of_it(false), "no step has {verb} succeed");
        assert!(of_it(true), "no step has {verb} fail");
    }
}
