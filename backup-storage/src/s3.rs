//! `s3://`: AWS, Cloudflare R2, and whatever speaks the same protocol.

use crate::environment::Environment;
use crate::error::codes;
use crate::http::{Connector, build_error, retry_config};
use crate::known_digest::KnownDigests;
use crate::metadata;
use crate::options::{CLOUD_SETTINGS, ServerSideEncryption, StoreOptions};
use crate::store::StoreSink;
use backup_core::{Error, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key, Checksum};
use object_store::path::Path;
use std::sync::Arc;
use url::Url;

/// The settings that have an effect here, besides those of every cloud.
const SETTINGS: &[&str] = &["region", "path_style", "server_side_encryption", "tags", "checksums"];
/// R2 encrypts everything, knows no tags, and has one region: <https://developers.cloudflare.com/r2/api/s3/api/>.
const NOT_FOR_R2: &[&str] = &["region", "server_side_encryption", "tags"];

/// Where requests go, and for which region they are signed.
#[derive(Debug, PartialEq, Eq)]
struct Service {
    r2: bool,
    /// `None`: AWS's own.
    endpoint: Option<String>,
    region: String,
    /// The bucket is part of the host's name.
    virtual_hosted: bool,
}

/// Opens `s3://bucket/prefix`.
pub(crate) async fn open(bucket: &str, prefix: Path, options: &StoreOptions) -> Result<StoreSink> {
    let service = service(bucket, options)?;
    let name = if service.r2 { "Cloudflare R2" } else { "s3://" };
    let settings =
        CLOUD_SETTINGS.iter().chain(SETTINGS).filter(|setting| !(service.r2 && NOT_FOR_R2.contains(setting)));
    options.only(name, &settings.copied().collect::<Vec<_>>())?;
    options.check_endpoint(service.endpoint.as_deref())?;

    let (endpoint, host) = addressed(bucket, &service)?;
    let connector = Connector::new(options, host)?;
    let clock = connector.clock();
    // R2's list of what it takes (see above) did not always have this header; it checks the signed SHA-256 in any case.
    let checksums = options.checksums.unwrap_or(!service.r2);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&service.region)
        .with_endpoint(endpoint)
        .with_virtual_hosted_style_request(service.virtual_hosted)
        .with_crypto_provider(Arc::new(KnownDigests))
        .with_http_connector(connector)
        .with_retry(retry_config(options))
        // Plain DELETE of one key: every store has it, and it needs no other right.
        .with_config(Key::DisableBulkDelete, "true");
    if checksums {
        builder = builder.with_checksum_algorithm(Checksum::SHA256);
    }
    builder = match &options.server_side_encryption {
        None => builder,
        Some(ServerSideEncryption::Aes256) => {
            builder.with_config(encryption_key("aws_server_side_encryption")?, "AES256")
        }
        Some(ServerSideEncryption::Kms { key_id }) => {
            let builder = builder.with_config(encryption_key("aws_server_side_encryption")?, "aws:kms");
            match key_id {
                Some(key_id) => builder.with_config(encryption_key("aws_sse_kms_key_id")?, key_id),
                None => builder,
            }
        }
    };
    let (builder, from_machine) = credentials(builder, service.r2, options).await?;
    let store = builder.build().map_err(|error| build_error("the settings of this s3:// store", error))?;
    if from_machine {
        metadata::try_credentials(store.credentials(), missing(LOOKED_AT, &options.env)).await?;
    }

    let location = format!("s3://{bucket}/{prefix}");
    let mut sink = StoreSink::in_cloud(Arc::new(store), prefix, &location, clock, options);
    sink.capabilities.upload_checksums = checksums;
    sink.must_encrypt = options.server_side_encryption.is_some();
    Ok(sink)
}

/// These keys have no public name in object_store, but for their text.
fn encryption_key(name: &str) -> Result<Key> {
    name.parse().map_err(|error| build_error(name, error))
}

fn service(bucket: &str, options: &StoreOptions) -> Result<Service> {
    let env = &options.env;
    let aws_endpoint = env.first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]);
    let r2_bucket = env.get("R2_BUCKET").map(|name| name.strip_prefix("s3://").unwrap_or(name));
    let r2_bucket = r2_bucket.map(|name| name.split('/').next().unwrap_or(name));
    let r2_endpoint = env.get("R2_ENDPOINT");
    // R2's variables are meant where they name this bucket, or where they name no bucket and nothing else says where to go.
    let r2_variables = r2_bucket == Some(bucket)
        || r2_bucket.is_none()
            && r2_endpoint.is_some()
            && aws_endpoint.is_none()
            && env.get("AWS_ACCESS_KEY_ID").is_none();
    let endpoint = match (&options.endpoint, r2_variables) {
        (Some(endpoint), _) => Some(endpoint.as_str()),
        (None, true) if r2_endpoint.is_none() && aws_endpoint.is_none() => {
            return Err(Error::new(
                &codes::CREDENTIALS_MISSING,
                format!("R2_BUCKET is {bucket}, but R2_ENDPOINT is not set"),
            )
            .with_hint("set R2_ENDPOINT to https://ACCOUNT_ID.r2.cloudflarestorage.com"));
        }
        (None, true) => r2_endpoint.or(aws_endpoint),
        (None, false) => aws_endpoint,
    };
    let is_r2 = |endpoint: &str| {
        let host = Url::parse(endpoint).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.is_some_and(|host| host.ends_with(".r2.cloudflarestorage.com"))
    };
    let r2 = match (&options.endpoint, endpoint) {
        (Some(chosen), _) => is_r2(chosen) || Some(chosen.as_str()) == r2_endpoint,
        (None, endpoint) => r2_variables || endpoint.is_some_and(is_r2),
    };
    let region = match r2 {
        true => "auto",
        false => (options.region.as_deref())
            .or_else(|| env.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
            .unwrap_or("us-east-1"),
    };
    let endpoint = endpoint.map(|endpoint| endpoint.trim_end_matches('/'));
    // The dashboard shows the endpoint with the bucket at its end.
    let endpoint = endpoint.map(|endpoint| match endpoint.strip_suffix(&format!("/{bucket}")) {
        Some(shorter) if r2 => shorter.to_owned(),
        _ => endpoint.to_owned(),
    });
    // A dot in the bucket's name would not match the certificate of *.s3.REGION.amazonaws.com.
    let path_style = options.path_style.unwrap_or(endpoint.is_some() || bucket.contains('.'));
    Ok(Service { r2, endpoint, region: region.to_owned(), virtual_hosted: !path_style })
}

/// The endpoint as object_store wants it (with the bucket, if that is part of the host), and the host of requests.
fn addressed(bucket: &str, service: &Service) -> Result<(String, String)> {
    let endpoint = service.endpoint.clone().unwrap_or_else(|| {
        let region = &service.region;
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://s3.{region}.{domain}")
    });
    let unusable = || crate::options::invalid(format!("{bucket:?} and the endpoint make no host's name"));
    let mut url = Url::parse(&endpoint).map_err(|_| unusable())?;
    let host = url.host_str().ok_or_else(unusable)?.to_owned();
    if !service.virtual_hosted {
        return Ok((endpoint, host));
    }
    let host = format!("{bucket}.{host}");
    url.set_host(Some(&host)).map_err(|_| unusable())?;
    Ok((url.as_str().trim_end_matches('/').to_owned(), host))
}

/// Where credentials for AWS and its kin are looked for.
const LOOKED_AT: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI with AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "the machine's metadata service",
];

/// Credentials from the usual variables, in AWS's order: keys, a web identity, a container's, the machine's. Says whether it
/// is the machine's.
async fn credentials(builder: AmazonS3Builder, r2: bool, options: &StoreOptions) -> Result<(AmazonS3Builder, bool)> {
    const AWS_KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    const R2_KEYS: [&str; 2] = ["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"];
    let env = &options.env;
    if r2 && env.first(&R2_KEYS).is_some() {
        return Ok((keys(builder, env, R2_KEYS, env.get("R2_SESSION_TOKEN"))?, false));
    }
    if env.first(&AWS_KEYS).is_some() {
        return Ok((keys(builder, env, AWS_KEYS, env.get("AWS_SESSION_TOKEN"))?, false));
    }
    if r2 {
        return Err(missing(&[R2_KEYS, AWS_KEYS].concat(), env));
    }
    let web_identity = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", Key::WebIdentityTokenFile),
        ("AWS_ROLE_ARN", Key::RoleArn),
        ("AWS_ROLE_SESSION_NAME", Key::RoleSessionName),
        ("AWS_ENDPOINT_URL_STS", Key::StsEndpoint),
    ];
    let relative = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Key::ContainerCredentialsRelativeUri)];
    let full = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Key::ContainerCredentialsFullUri),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Key::ContainerAuthorizationTokenFile),
    ];
    for (variables, needed) in [(&web_identity[..], 2), (&relative[..], 1), (&full[..], 2)] {
        if variables[..needed].iter().all(|(name, _)| env.get(name).is_some()) {
            let set = variables.iter().filter_map(|(name, key)| Some((*key, env.get(name)?)));
            return Ok((set.fold(builder, |builder, (key, value)| builder.with_config(key, value)), false));
        }
    }
    let metadata = env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    if env.is_yes("AWS_EC2_METADATA_DISABLED") || !metadata::answers(options, metadata).await {
        return Err(missing(LOOKED_AT, env));
    }
    let builder = match metadata {
        Some(endpoint) => builder.with_metadata_endpoint(endpoint.trim_end_matches('/')),
        None => builder,
    };
    Ok((builder, true))
}

fn keys(
    builder: AmazonS3Builder,
    env: &Environment,
    [id, secret]: [&str; 2],
    token: Option<&str>,
) -> Result<AmazonS3Builder> {
    let (Some(id), Some(secret)) = (env.get(id), env.get(secret)) else {
        let (set, unset) = if env.get(id).is_some() { (id, secret) } else { (secret, id) };
        return Err(Error::new(&codes::CREDENTIALS_MISSING, format!("{set} is set and {unset} is not")));
    };
    let builder = builder.with_access_key_id(id).with_secret_access_key(secret);
    Ok(match token {
        Some(token) => builder.with_token(token),
        None => builder,
    })
}

fn missing(looked_at: &[&str], env: &Environment) -> Error {
    let error = Error::new(
        &codes::CREDENTIALS_MISSING,
        format!("no credentials for s3://: looked at {}", looked_at.join(", ")),
    );
    match env.get("AWS_PROFILE") {
        Some(_) => error.with_hint(
            "AWS_PROFILE and the files in ~/.aws are not read; `eval \"$(aws configure export-credentials --format env)\"` \
             sets the variables from them",
        ),
        None => error.with_hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (docs/stores.md lists the other ways)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> StoreOptions {
        StoreOptions { env: variables.iter().copied().collect(), ..StoreOptions::default() }
    }

    fn addresses(bucket: &str, options: &StoreOptions) -> (String, String, String) {
        let service = service(bucket, options).unwrap();
        let (endpoint, host) = addressed(bucket, &service).unwrap();
        (endpoint, host, service.region)
    }

    #[test]
    fn aws_addresses() {
        let found = addresses("acme", &options(&[("AWS_REGION", "eu-west-1")]));
        assert_eq!(found.0, "https://acme.s3.eu-west-1.amazonaws.com");
        assert_eq!(found.1, "acme.s3.eu-west-1.amazonaws.com");
        assert_eq!(addresses("acme", &options(&[])).2, "us-east-1");
        assert_eq!(
            addresses("acme", &options(&[("AWS_DEFAULT_REGION", "eu-west-3"), ("AWS_REGION", "")])).2,
            "eu-west-3"
        );
        assert_eq!(addresses("a.b", &options(&[])).0, "https://s3.us-east-1.amazonaws.com", "dots: in the path");
        let china = addresses("acme", &options(&[("AWS_REGION", "cn-north-1")]));
        assert_eq!(china.0, "https://acme.s3.cn-north-1.amazonaws.com.cn");
        let mut path_style = options(&[]);
        path_style.path_style = Some(true);
        assert_eq!(addresses("acme", &path_style).0, "https://s3.us-east-1.amazonaws.com");
    }

    #[test]
    fn endpoints_name_the_bucket_in_the_path_unless_told_otherwise() {
        let mut garage = options(&[("AWS_ENDPOINT_URL", "https://garage.example:3900/")]);
        assert_eq!(addresses("acme", &garage).0, "https://garage.example:3900");
        garage.path_style = Some(false);
        assert_eq!(addresses("acme", &garage).0, "https://acme.garage.example:3900");
        garage.endpoint = Some("https://other.example".into());
        assert_eq!(addresses("acme", &garage).0, "https://acme.other.example", "settings come before variables");
    }

    #[test]
    fn r2_is_recognised() {
        const R2: &str = "https://0123.r2.cloudflarestorage.com";
        let is_r2 = |bucket: &str, variables: &[(&str, &str)]| service(bucket, &options(variables)).unwrap().r2;
        assert!(is_r2("b", &[("R2_ENDPOINT", R2), ("R2_BUCKET", "b"), ("AWS_ACCESS_KEY_ID", "x")]));
        assert!(is_r2("b", &[("R2_ENDPOINT", R2)]));
        assert!(is_r2("b", &[("AWS_ENDPOINT_URL", R2)]));
        assert!(is_r2("b", &[("AWS_ENDPOINT_URL", "https://0123.eu.r2.cloudflarestorage.com")]));
        assert!(!is_r2("other", &[("R2_ENDPOINT", R2), ("R2_BUCKET", "b")]), "R2's variables name another bucket");
        assert!(!is_r2("b", &[("R2_ENDPOINT", R2), ("AWS_ACCESS_KEY_ID", "x")]));
        assert!(!is_r2("b", &[("AWS_ENDPOINT_URL", "https://r2.cloudflarestorage.com.example")]));
        let found = addresses(
            "b",
            &options(&[("R2_ENDPOINT", "https://0123.r2.cloudflarestorage.com/b"), ("AWS_REGION", "eu-west-1")]),
        );
        assert_eq!(found, (R2.into(), "0123.r2.cloudflarestorage.com".into(), "auto".into()));
        let error = service("b", &options(&[("R2_BUCKET", "b")])).unwrap_err();
        assert!(error.is(&codes::CREDENTIALS_MISSING) && error.chain().contains("R2_ENDPOINT"));
    }
}
