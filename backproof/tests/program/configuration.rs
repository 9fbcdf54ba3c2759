//! Settings: flag over environment over file, each with where it came from.

use crate::site::Site;
use std::collections::BTreeMap;

/// What `config --json` shows: name to (value, origin).
fn settings(site: &Site, args: &[&str]) -> BTreeMap<String, (String, String)> {
    let document = site.run(&[&["config", "--json"], args].concat()).ok().json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let all = document["settings"].as_array().unwrap().iter();
    all.map(|one| (text(&one["name"]), (text(&one["value"]), text(&one["origin"])))).collect()
}

#[track_caller]
fn assert_shows(site: &Site, args: &[&str], name: &str, value: &str, origin: &str) {
    let all = settings(site, args);
    assert_eq!(all.get(name), Some(&(value.to_owned(), origin.to_owned())), "{name} of {all:#?}");
}

#[test]
fn flag_over_environment_over_file() {
    for (name, flag, variable, file) in [
        ("repository.url", "--repo", "BACKPROOF_REPO", "[repository]\nurl = "),
        ("repository.recipients", "--recipient", "BACKPROOF_RECIPIENTS", "[repository]\nrecipients = "),
        ("repository.identity", "--identity", "BACKPROOF_IDENTITY", "[repository]\nidentity = "),
        ("repository.signing_key", "--signing-key", "BACKPROOF_SIGNING_KEY", "[repository]\nsigning_key = "),
        (
            "repository.trusted_signers",
            "--trusted-signers",
            "BACKPROOF_TRUSTED_SIGNERS",
            "[repository]\ntrusted_signers = ",
        ),
        ("repository.installation", "--installation", "BACKPROOF_INSTALLATION", "[repository]\ninstallation = "),
        (
            "repository.passphrase_file",
            "--passphrase-file",
            "BACKPROOF_PASSPHRASE_FILE",
            "[repository]\npassphrase_file = ",
        ),
        ("label", "--label", "BACKPROOF_LABEL", "[backup]\nlabel = "),
        ("backup.memory", "--memory", "BACKPROOF_MEMORY", "[backup]\nmemory = "),
        ("postgres.bindir", "--pg-bindir", "PG_BINDIR", "[postgres]\nbindir = "),
    ] {
        let mut site = Site::bare();
        let [in_file, in_variable, in_flag] =
            if name == "backup.memory" { ["1GiB", "2GiB", "3GiB"] } else { ["a", "b", "c"] };
        assert!(!settings(&site, &[]).contains_key(name), "{name} is not set");
        site.write("backproof.toml", &format!("{file}\"{in_file}\"\n"));
        assert_shows(&site, &[], name, in_file, "file (backproof.toml)");
        site.set(variable, "");
        assert_shows(&site, &[], name, in_file, "file (backproof.toml)");
        site.set(variable, in_variable);
        assert_shows(&site, &[], name, in_variable, &format!("environment ({variable})"));
        assert_shows(&site, &[flag, in_flag], name, in_flag, "flag");
        // The flag can stand before the command, too.
        let before = site.run(&[flag, in_flag, "config"]).ok().stdout;
        assert!(before.lines().any(|line| line.split_whitespace().eq([name, in_flag, "flag"])), "{before}");
    }
}

#[test]
fn variables_of_the_scripts_it_replaces() {
    let mut site = Site::bare();
    site.set("BACKUP_S3_BUCKET", "acme");
    let origin = "environment (BACKUP_S3_BUCKET, S3_BUCKET or R2_BUCKET)";
    assert_shows(&site, &[], "repository.url", "s3://acme/backproof", origin);
    assert_shows(&site, &["--repo", "file:///b"], "repository.url", "file:///b", "flag");
    site.set("BACKPROOF_REPO", "file:///a");
    assert_shows(&site, &[], "repository.url", "file:///a", "environment (BACKPROOF_REPO)");

    site.set("BACKUP_GPG_RECIPIENT", "backups@example.com, 0xABCDEF0123456789");
    let keys = "gpg:backups@example.com, gpg:0xABCDEF0123456789";
    assert_shows(&site, &[], "repository.recipients", keys, "environment (BACKUP_GPG_RECIPIENT)");
    site.set("BACKUP_GPG_RECIPIENT", "gpg:backups@example.com");
    assert_shows(&site, &[], "repository.recipients", "gpg:backups@example.com", "environment (BACKUP_GPG_RECIPIENT)");
    site.set("BACKPROOF_RECIPIENTS", "age1a,age1b\n# not a comment: one line each");
    let all = settings(&site, &[]);
    assert_eq!(all["repository.recipients"].1, "environment (BACKPROOF_RECIPIENTS)");
    assert!(all["repository.recipients"].0.starts_with("age1a, age1b"), "{all:#?}");
}

/// A key of that name in the keyring, though a file of the name is there.
#[test]
fn backup_gpg_recipient_means_the_keyring() {
    let mut site = Site::bare();
    site.run(&["keygen", "--output", "key"]).ok();
    site.write("ops", &site.run(&["keygen", "--output", "key2"]).ok().stdout);
    site.run(&["init", "--repo", &site.url()]).ok();
    site.set("BACKPROOF_REPO", site.url());
    site.set("BACKUP_GPG_RECIPIENT", "ops");
    site.set("GNUPGHOME", site.at("home"));
    let run = site.run(&["backup", "--name", "app", "--json", "--", "true"]);
    assert_eq!(run.code(), "invalid_recipient", "{run}");
    assert!(run.stderr.contains("keyring"), "{run}");
}

#[test]
fn secrets_are_redacted_and_nothing_else() {
    let site = Site::bare();
    for (given, shown) in [
        ("postgres://u:s3cret@h/db", "postgres://u:REDACTED@h/db"),
        ("postgres://u@h/db?sslmode=require", "postgres://u@h/db?sslmode=require"),
        ("postgres://u@h/db?password=s3cret&sslmode=require", "postgres://u@h/db?password=REDACTED&sslmode=require"),
        ("postgres:///app", "postgres:///app"),
        ("host=h user=u password=s3cret", "host=h user=u password=REDACTED"),
        ("host=h user=u", "host=h user=u"),
    ] {
        assert_shows(&site, &["--database", given], "series.database", shown, "flag");
    }
}

#[test]
fn what_the_file_says_is_in_effect() {
    let site = Site::new();
    let base = site.read("backproof.toml");
    site.write(
        "backproof.toml",
        &format!(
            "{base}[backup]\nlabel = \"weekly\"\nsegment_size = \"1MiB\"\ncompression = \"none\"\n\
             [verify]\nlevel = \"readable\"\nmax_age = \"1s\"\nmin_size = \"1GB\"\n[series.only]\n"
        ),
    );
    // The only series that is configured needs no name.
    let made = site.run(&["backup", "--json", "--", "head", "-c", "1048577", "/dev/zero"]).ok().json();
    assert_eq!((&made["series"], &made["label"]), (&"only".into(), &"weekly".into()));
    let shown = site.run(&["show", "latest", "--json"]).ok().json();
    assert_eq!(shown["manifest"]["segments"]["compression"], "none");
    assert_eq!(shown["manifest"]["parts"][0]["segments"], 2);
    let verdict = site.run(&["verify", "--json"]).ends(2).json();
    assert_eq!(verdict["verdict"]["level"], "readable");
    let codes: Vec<&str> =
        verdict["verdict"]["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"backup_too_small"), "{codes:?}");
    // A flag wins over the file.
    site.run(&["verify", "--max-age", "48h", "--min-size", "0", "--level", "present"]).ok();
    let used = site.run(&["backup", "--label", "daily", "--name", "other", "--json", "--", "true"]).ok().json();
    assert_eq!((&used["series"], &used["label"]), (&"other".into(), &"daily".into()));
}

#[test]
fn the_file_is_where_it_is_said_to_be() {
    let mut site = Site::bare();
    site.write("one.toml", "[backup]\nlabel = \"one\"\n");
    site.write("two.toml", "[backup]\nlabel = \"two\"\n");
    site.set("BACKPROOF_CONFIG", site.at("one.toml"));
    assert_eq!(settings(&site, &[])["label"].0, "one");
    assert_eq!(settings(&site, &["--config", "two.toml"])["label"].0, "two");
    assert_eq!(site.run(&["config", "--config", "three.toml", "--json"]).code(), "file_not_found");
}

#[test]
fn what_a_drill_accepts_and_expects() {
    let site = Site::bare();
    let all = "[drill]\nprofile = \"supabase\"\naccept = \"extension:vector\"\nrto = \"4h\"\nrpo = \"25h\"\n\
               scratch = \"postgres://admin:SECRET@h/postgres\"\n\
               [[assertions]]\nname = \"sound\"\nvalid_indexes = true\n\
               [[series.app.assertions]]\nname = \"many\"\ncount = { table = \"orders\", min = 1 }\n\
               [[series.other.assertions]]\nname = \"not this one\"\nvalid_indexes = true\n";
    site.write("backproof.toml", all);
    let shown = settings(&site, &["--name", "app"]);
    assert_eq!(shown["drill.profile"].0, "supabase");
    assert_eq!(shown["assertions"].0, "sound, many");
    assert!(!shown.values().any(|(value, _)| value.contains("SECRET")), "{shown:#?}");
    for (wrong, line) in [
        ("[drill]\nprofile = \"heroku\"\n", ""),
        ("[drill]\nrto = \"soon\"\n", ""),
        ("[drill]\nscratch_folder = \"x\"\n", "line 2"),
        ("[[assertions]]\nname = \"x\"\n", "line 1"),
        ("[[assertions]]\nname = \"x\"\nvalid_indexes = true\n[[assertions]]\nname = \"x\"\namcheck = true\n", ""),
    ] {
        site.write("backproof.toml", wrong);
        let run = site.run(&["config", "--json"]);
        assert!(run.status == 2 && run.stderr.contains(line), "{wrong}: {run}");
        run.code();
    }
}

/// The keys that a mistake in a table's key names: all that the program knows there.
fn known_keys(site: &Site, header: &str) -> Vec<String> {
    site.write("backproof.toml", &format!("{header}\nno_such_key = 1\n"));
    let run = site.run(&["config", "--json"]);
    assert_eq!(run.code(), "invalid_configuration", "{run}");
    let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
    let (_, expected) =
        message.split_once("unknown field `no_such_key`, expected ").unwrap_or_else(|| panic!("{message}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// docs/configuration.md has every key, and its example is one that the program takes.
#[test]
fn the_documented_example_is_taken_and_lacks_no_key() {
    let text = include_str!("../../../docs/configuration.md");
    let blocks: Vec<&str> = text.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    let [example] = blocks[..] else { panic!("{} examples", blocks.len()) };
    // What is commented out is an alternative, which has to be right, too.
    let alternative = |line: &str| {
        let setting = line.strip_prefix("# ").filter(|rest| {
            rest.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        });
        setting.unwrap_or(line).to_owned()
    };
    let all = example.lines().map(alternative).collect::<Vec<_>>().join("\n");
    assert_ne!(all, example.trim_end());
    let site = Site::bare();
    for example in [example, &all] {
        site.write("backproof.toml", example);
        let shown = settings(&site, &["--name", "shop"]);
        assert_eq!(shown["label"].0, "nightly");
        assert_eq!(shown["assertions"].0, "indexes are sound, orders are fresh");
    }

    let parsed: toml::Table = toml::from_str(&all).unwrap();
    let mut keys = 0;
    for table in ["", "repository", "repository.store", "backup", "verify", "postgres", "drill", "series.shop"] {
        let path = table.split('.').filter(|name| !name.is_empty());
        let in_example = path.fold(&parsed, |table, name| table[name].as_table().unwrap());
        let header = if table.is_empty() { String::new() } else { format!("[{table}]") };
        for key in known_keys(&site, &header) {
            assert!(in_example.contains_key(&key), "[{table}] {key} is not in the example");
            // In the reference: a row of its own, or a title.
            let there = text.contains(&format!("| `{key}` |")) || text.contains(&format!("[{key}"));
            assert!(there, "[{table}] {key} is not in the reference");
            keys += 1;
        }
    }
    assert!(keys > 40, "{keys}");
    let assertions = include_str!("../../../docs/assertions.md");
    for key in known_keys(&site, "[[assertions]]") {
        assert!(assertions.contains(&key), "{key} is not in docs/assertions.md");
    }
}
