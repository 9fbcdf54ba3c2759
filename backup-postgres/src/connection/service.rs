//! libpq's connection service file (docs "The Connection Service File", libpq-pgservice.html).

use super::environment::Env;
use super::keywords::Settings;
use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::{Error, Result};
use std::path::{Path, PathBuf};

/// Reads a service's settings: from the user's file, or else from the system's.
pub(super) fn load(service: &str, file: Option<&str>, env: &Env) -> Result<Settings> {
    let user_file = file.map(PathBuf::from).or_else(|| env.in_home(".pg_service.conf"));
    let system_folders = match env.get("PGSYSCONFDIR") {
        Some(folder) => vec![PathBuf::from(folder)],
        // What Debian's, PGDG's and a self-built libpq were built with.
        None => {
            ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/etc", "/etc"].map(PathBuf::from).to_vec()
        }
    };
    let files: Vec<PathBuf> =
        user_file.into_iter().chain(system_folders.into_iter().map(|folder| folder.join("pg_service.conf"))).collect();
    for path in &files {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                if let Some(settings) = find(path, &text, service)? {
                    return Ok(settings);
                }
            }
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound && file.is_none_or(|file| Path::new(file) != path) => {}
            Err(error) => {
                return Err(backup_core::error::io_error(format!("read service file {}", path.display()), error));
            }
        }
    }
    let looked: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    Err(Error::new(&INVALID_ARGUMENT, format!("there is no service \"{service}\" in {}", looked.join(", ")))
        .with_hint("check PGSERVICE and PGSERVICEFILE"))
}

fn find(path: &Path, text: &str, service: &str) -> Result<Option<Settings>> {
    let mut settings: Option<Settings> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            if settings.is_some() {
                return Ok(settings);
            }
            if section.strip_suffix(']') == Some(service) {
                settings = Some(Settings::default());
            }
            continue;
        }
        let Some(settings) = &mut settings else { continue };
        let place = format!("line {} of {}", number + 1, path.display());
        if line.starts_with("ldap://") {
            return Err(Error::new(
                &crate::error::codes::UNSUPPORTED_CONNECTION_SETTING,
                format!("{place} asks for an LDAP look-up"),
            ));
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(
                Error::new(&INVALID_ARGUMENT, format!("{place} has no '='")).with_hint("correct the service file")
            );
        };
        if matches!(name, "service" | "servicefile") {
            return Err(Error::new(&INVALID_ARGUMENT, format!("{place} names another service"))
                .with_hint("correct the service file"));
        }
        // libpq keeps the first value that it sees (parseServiceFile).
        if settings.get(name).is_none() && !(name == "password" && settings.has_password()) {
            settings.set(&place, name, value.to_owned())?;
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("services");
        std::fs::write(
            &file,
            "# x\n[a]\nhost=ha\n\n[b]\nhost=hb\nhost=second\nport=7\n[bad]\nnonsense\n[worse]\nfoo=1\n",
        )
        .unwrap();
        let file = file.to_str();
        let env = Env::from_iter([("PGSYSCONFDIR", folder.path().to_str().unwrap())]);
        let b = load("b", file, &env).unwrap();
        assert_eq!((b.get("host"), b.get("port")), (Some("hb"), Some("7")));
        assert_eq!(load("a", file, &env).unwrap().get("port"), None);
        for service in ["c", "bad", "worse"] {
            assert_eq!(load(service, file, &env).err().unwrap().code().name(), "invalid_argument");
        }
        assert_eq!(load("a", Some("/nonexistent/file"), &env).err().unwrap().code().name(), "file_not_found");
    }

    #[test]
    fn the_users_file_comes_before_the_systems() {
        let (home, system) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(home.path().join(".pg_service.conf"), "[a]\nhost=mine\n").unwrap();
        std::fs::write(system.path().join("pg_service.conf"), "[a]\nhost=theirs\n[b]\nhost=b\n").unwrap();
        let env = Env::from_iter([
            ("PGSYSCONFDIR", system.path().to_str().unwrap()),
            ("HOME", home.path().to_str().unwrap()),
        ]);
        assert_eq!(load("a", None, &env).unwrap().get("host"), Some("mine"));
        assert_eq!(load("b", None, &env).unwrap().get("host"), Some("b"));
    }
}
