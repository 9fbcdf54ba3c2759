//! Repository URLs.

use crate::environment::Environment;
use crate::error::codes;
use backup_core::{Error, Result};
use object_store::path::Path;
use std::fmt;
use std::path::PathBuf;
use url::Url;

/// Where a repository is: what a URL such as `s3://BUCKET/PREFIX` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// `file:///var/backups/app`
    File(PathBuf),
    /// `memory:///`: new and empty each time it is opened.
    Memory,
    /// `s3://`, `gs://`, `az://`
    Bucket { cloud: Cloud, bucket: String, prefix: Path },
}

/// The kinds of object stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cloud {
    S3,
    Gcs,
    Azure,
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cloud::S3 => "s3",
            Cloud::Gcs => "gs",
            Cloud::Azure => "az",
        })
    }
}

impl Location {
    /// Reads a URL. Messages never repeat the URL as a whole: someone may have put a password into it.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let Some((scheme, _)) = text.split_once("://") else {
            let error = invalid("the repository's location is not a URL");
            let looks_like_path = text.starts_with('/');
            return Err(if looks_like_path {
                error.with_hint(format!("for a folder, write file://{text}"))
            } else {
                error
            });
        };
        let cloud = match scheme.to_ascii_lowercase().as_str() {
            "file" | "memory" => None,
            "s3" => Some(Cloud::S3),
            "gs" => Some(Cloud::Gcs),
            "az" => Some(Cloud::Azure),
            _ => {
                let message = format!("{:?} is not a kind of store", format!("{scheme}://"));
                return Err(Error::new(&codes::UNKNOWN_SCHEME, message));
            }
        };
        let url = Url::parse(text).map_err(|error| invalid(format!("the {scheme}:// URL cannot be read: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(format!("the {scheme}:// URL has credentials in it"))
                .with_hint("take them out and set the cloud's usual variables (docs/stores.md lists them)"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid(format!("the {scheme}:// URL has a query or a fragment in it"))
                .with_hint("settings of a store are not part of its URL (docs/stores.md lists them)"));
        }
        let host = url.host_str().unwrap_or_default();
        let Some(cloud) = cloud else {
            return if scheme.eq_ignore_ascii_case("file") { file(&url, host) } else { memory(&url, host) };
        };
        if host.is_empty() || url.port().is_some() {
            return Err(invalid(format!("the URL must name a bucket, as in {cloud}://BUCKET/PREFIX")));
        }
        let prefix = Path::from_url_path(url.path())
            .map_err(|error| invalid(format!("the prefix in the {scheme}:// URL cannot be used: {error}")))?;
        // The host as written: a bucket's name can have upper-case letters, which `Url` keeps for schemes like these.
        Ok(Location::Bucket { cloud, bucket: host.to_owned(), prefix })
    }
}

fn file(url: &Url, host: &str) -> Result<Location> {
    if !host.is_empty() && host != "localhost" {
        return Err(invalid(format!("the file:// URL names {host:?} as its host"))
            .with_hint("a folder's URL has three slashes: file:///var/backups/app"));
    }
    let path = url.to_file_path().map_err(|()| invalid("the file:// URL is not a path on this machine"))?;
    Ok(Location::File(path.components().collect()))
}

fn memory(url: &Url, host: &str) -> Result<Location> {
    if host.is_empty() && matches!(url.path(), "" | "/") {
        Ok(Location::Memory)
    } else {
        Err(invalid("a store in memory has no name").with_hint("write memory:///"))
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(&codes::INVALID_URL, message)
}

/// The repository that variables name where no URL is given: `s3://BUCKET/backproof` for the first set of
/// `BACKUP_S3_BUCKET`, `S3_BUCKET` and `R2_BUCKET`.
///
/// For R2, `R2_ENDPOINT`, `R2_ACCESS_KEY_ID` and `R2_SECRET_ACCESS_KEY` are set beside it. The bucket may be given as
/// `s3://BUCKET` too, or with a prefix of its own, which then takes the place of `backproof`.
pub fn repository_url_from_env(env: &Environment) -> Option<String> {
    let bucket = env.first(&["BACKUP_S3_BUCKET", "S3_BUCKET", "R2_BUCKET"])?;
    let bucket = bucket.strip_prefix("s3://").unwrap_or(bucket).trim_end_matches('/');
    Some(if bucket.contains('/') { format!("s3://{bucket}") } else { format!("s3://{bucket}/backproof") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        Location::parse(text).expect_err(text).code().name()
    }

    #[test]
    fn urls_of_each_store() {
        let bucket = |cloud, bucket: &str, prefix: &str| Location::Bucket {
            cloud,
            bucket: bucket.into(),
            prefix: Path::parse(prefix).unwrap(),
        };
        for (text, expected) in [
            ("file:///var/backups/app", Location::File("/var/backups/app".into())),
            ("file:///var/backups/app/", Location::File("/var/backups/app".into())),
            ("file://localhost/var/b", Location::File("/var/b".into())),
            ("file:///with%20space", Location::File("/with space".into())),
            ("memory:///", Location::Memory),
            ("memory://", Location::Memory),
            ("s3://acme/prod", bucket(Cloud::S3, "acme", "prod")),
            ("S3://acme/prod/", bucket(Cloud::S3, "acme", "prod")),
            ("s3://acme", bucket(Cloud::S3, "acme", "")),
            ("s3://acme.with.dots/a/b", bucket(Cloud::S3, "acme.with.dots", "a/b")),
            ("gs://acme/prod", bucket(Cloud::Gcs, "acme", "prod")),
            ("az://container/prod", bucket(Cloud::Azure, "container", "prod")),
        ] {
            assert_eq!(Location::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn urls_that_cannot_be_used() {
        for text in
            ["", "acme", "/var/backups", "s3:acme", "s3://", "s3:///prefix", "file://var/backups", "s3://acme:9000/x"]
        {
            assert_eq!(code(text), "invalid_url", "{text}");
        }
        for text in ["memory://name/", "memory:///name", "s3://acme/?region=x", "s3://acme/#x", "file:///a?b"] {
            assert_eq!(code(text), "invalid_url", "{text}");
        }
        for text in ["ftp://host/x", "https://s3.amazonaws.com/acme", "s4://acme", "://x"] {
            assert_eq!(code(text), "unknown_scheme", "{text}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        let error = Location::parse("s3://AKIA:hunter2secret@acme/prod").unwrap_err();
        assert_eq!(error.code().name(), "invalid_url");
        assert!(!error.report().contains("hunter2secret") && !error.report().contains("AKIA"), "{}", error.report());
        let error = Location::parse("s3://acme/prod?secret=hunter2secret").unwrap_err();
        assert!(!error.report().contains("hunter2secret"), "{}", error.report());
    }

    #[test]
    fn a_path_gets_the_url_as_a_hint() {
        assert_eq!(Location::parse("/srv/backups").unwrap_err().hint(), "for a folder, write file:///srv/backups");
    }

    #[test]
    fn repository_from_variables() {
        let url = |variables: &[(&str, &str)]| repository_url_from_env(&variables.iter().copied().collect());
        assert_eq!(url(&[]), None);
        assert_eq!(url(&[("BACKUP_S3_BUCKET", "")]), None, "empty is unset");
        assert_eq!(url(&[("S3_BUCKET", "b")]).as_deref(), Some("s3://b/backproof"));
        assert_eq!(url(&[("S3_BUCKET", "b"), ("BACKUP_S3_BUCKET", "a")]).as_deref(), Some("s3://a/backproof"));
        assert_eq!(url(&[("S3_BUCKET", "b"), ("BACKUP_S3_BUCKET", "")]).as_deref(), Some("s3://b/backproof"));
        assert_eq!(url(&[("R2_BUCKET", "r")]).as_deref(), Some("s3://r/backproof"));
        assert_eq!(url(&[("S3_BUCKET", "s3://b/")]).as_deref(), Some("s3://b/backproof"));
        assert_eq!(url(&[("S3_BUCKET", "s3://b/own/prefix")]).as_deref(), Some("s3://b/own/prefix"));
    }
}
