//! The environment that settings are read from, as a value, so that tests can bring their own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Environment variables, with what else libpq asks the operating system for. An empty variable counts as unset.
///
/// Its `Debug` shows names only: values can be secret.
#[derive(Clone, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
    login: Option<String>,
}

impl Env {
    /// The environment of this process.
    pub fn from_process() -> Self {
        let variables = std::env::vars_os();
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        variables.map(|(name, value)| (text(name), text(value))).collect::<Env>().of_this_user()
    }

    /// The same with what libpq asks the operating system for: the user's name, and the home folder where no variable gives it.
    pub fn of_this_user(mut self) -> Self {
        if self.get("HOME").is_none()
            && let Some(home) = std::env::home_dir()
        {
            self.variables.insert("HOME".into(), home.to_string_lossy().into_owned());
        }
        self.login = login_name();
        self
    }

    /// The value of a variable, unless it is unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The same with one variable set.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The home folder.
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }

    /// A file in the home folder.
    pub(crate) fn in_home(&self, name: &str) -> Option<PathBuf> {
        self.home().map(|home| home.join(name))
    }

    /// The name of the operating system's user, which libpq takes as role when none is given.
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref().or_else(|| self.get("USER")).or_else(|| self.get("LOGNAME"))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Env { variables: variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect(), login: None }
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// The effective user's name, by the local user list. Users of a directory service come from `USER` instead.
fn login_name() -> Option<String> {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid))?;
    line.split(':').next().map(str::to_owned)
}
