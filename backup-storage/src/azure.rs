//! `az://`: Azure Blob Storage.

use crate::environment::Environment;
use crate::error::codes;
use crate::http::{Connector, build_error, retry_config};
use crate::metadata;
use crate::options::{CLOUD_SETTINGS, StoreOptions, invalid};
use crate::store::StoreSink;
use backup_core::{Error, Result};
use object_store::azure::{AzureConfigKey as Key, MicrosoftAzureBuilder};
use object_store::path::Path;
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// The settings that have an effect here, besides those of every cloud.
const SETTINGS: &[&str] = &["tags"];

/// Opens `az://container/prefix`; the account comes from the variables.
pub(crate) async fn open(container: &str, prefix: Path, options: &StoreOptions) -> Result<StoreSink> {
    options.only("az://", &[CLOUD_SETTINGS, SETTINGS].concat())?;
    let from_string = ConnectionString::from_env(&options.env)?;
    let env = &options.env;
    let endpoint = (options.endpoint.as_deref())
        .or_else(|| env.first(&["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]))
        .map(str::to_owned)
        .or_else(|| from_string.get("BlobEndpoint").map(str::to_owned));
    options.check_endpoint(endpoint.as_deref())?;
    let account = (env.first(&["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"]))
        .or_else(|| from_string.get("AccountName"))
        .ok_or_else(|| missing("AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_CONNECTION_STRING"))?;
    let endpoint = endpoint.unwrap_or_else(|| {
        format!("https://{account}.blob.{}", from_string.get("EndpointSuffix").unwrap_or("core.windows.net"))
    });
    let host = Url::parse(&endpoint).ok().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.ok_or_else(|| invalid(format!("the account's name {account:?} makes no host's name")))?;
    let connector = Connector::new(options, host)?;
    let clock = connector.clock();
    let builder = MicrosoftAzureBuilder::new()
        .with_container_name(container)
        .with_account(account)
        .with_endpoint(endpoint)
        .with_http_connector(connector)
        .with_retry(retry_config(options));
    let (builder, from_machine) = credentials(builder, options, &from_string).await?;
    let store = builder.build().map_err(|error| build_error("the credentials for az://", error))?;
    if from_machine {
        metadata::try_credentials(store.credentials(), missing(LOOKED_AT)).await?;
    }

    let location = format!("az://{container}/{prefix}");
    Ok(StoreSink::in_cloud(Arc::new(store), prefix, &location, clock, options))
}

/// Credentials from the usual variables: the account's key, a shared access signature, a token, a client's secret, a
/// workload's identity, the machine's. Says whether they are the machine's.
async fn credentials(
    builder: MicrosoftAzureBuilder,
    options: &StoreOptions,
    from_string: &ConnectionString<'_>,
) -> Result<(MicrosoftAzureBuilder, bool)> {
    let env = &options.env;
    let one_of = [
        (env.first(&["AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_KEY"]), Key::AccessKey),
        (env.first(&["AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"]), Key::SasKey),
        (env.get("AZURE_STORAGE_TOKEN"), Key::Token),
        (from_string.get("AccountKey"), Key::AccessKey),
        (from_string.get("SharedAccessSignature"), Key::SasKey),
    ];
    if let Some((value, key)) = one_of.iter().find_map(|(value, key)| Some((value.as_ref()?, *key))) {
        return Ok((builder.with_config(key, *value), false));
    }
    let client = ("AZURE_CLIENT_ID", &["AZURE_CLIENT_ID", "AZURE_STORAGE_CLIENT_ID"][..], Key::ClientId);
    let tenant = ("AZURE_TENANT_ID", &["AZURE_TENANT_ID", "AZURE_STORAGE_TENANT_ID"][..], Key::AuthorityId);
    let secret =
        ("AZURE_CLIENT_SECRET", &["AZURE_CLIENT_SECRET", "AZURE_STORAGE_CLIENT_SECRET"][..], Key::ClientSecret);
    let federated = ("AZURE_FEDERATED_TOKEN_FILE", &["AZURE_FEDERATED_TOKEN_FILE"][..], Key::FederatedTokenFile);
    let authority = env.get("AZURE_AUTHORITY_HOST");
    for set in [[client, tenant, secret], [client, tenant, federated]] {
        let values: Option<Vec<_>> = set.iter().map(|(_, names, key)| Some((*key, env.first(names)?))).collect();
        if let Some(values) = values {
            let values = values.into_iter().chain(authority.map(|host| (Key::AuthorityHost, host)));
            return Ok((values.fold(builder, |builder, (key, value)| builder.with_config(key, value)), false));
        }
    }
    // On App Service and Functions, which have no metadata service at the usual address.
    let identity = env.first(&["IDENTITY_ENDPOINT", "AZURE_MSI_ENDPOINT"]);
    if identity.is_none() && !metadata::answers(options, None).await {
        return Err(missing(LOOKED_AT));
    }
    let set = [(identity, Key::MsiEndpoint), (env.get("AZURE_CLIENT_ID"), Key::ClientId)];
    let set = set.into_iter().filter_map(|(value, key)| Some((key, value?)));
    Ok((set.fold(builder, |builder, (key, value)| builder.with_config(key, value)), true))
}

/// Where credentials are looked for.
const LOOKED_AT: &str = "AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_ACCESS_KEY, AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, \
                         AZURE_STORAGE_SAS_KEY, AZURE_STORAGE_TOKEN, AZURE_STORAGE_CONNECTION_STRING, AZURE_CLIENT_ID with \
                         AZURE_TENANT_ID and AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE, the machine's metadata service";

fn missing(looked_at: &str) -> Error {
    Error::new(&codes::CREDENTIALS_MISSING, format!("no account or credentials for az://: looked at {looked_at}"))
        .with_hint("set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (docs/stores.md lists the other ways)")
}

/// `AZURE_STORAGE_CONNECTION_STRING`: `name=value` pairs between semicolons.
#[derive(Default)]
struct ConnectionString<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> ConnectionString<'a> {
    fn from_env(env: &'a Environment) -> Result<Self> {
        let text = env.get("AZURE_STORAGE_CONNECTION_STRING").unwrap_or_default();
        let pairs = text.split(';').filter(|pair| !pair.trim().is_empty()).map(|pair| pair.split_once('='));
        // A message must not repeat any of it: the account's key is in there.
        let pairs = pairs.collect::<Option<_>>();
        pairs.map(ConnectionString).ok_or_else(|| {
            Error::new(
                &codes::CREDENTIALS_FAILED,
                "AZURE_STORAGE_CONNECTION_STRING is not name=value pairs between semicolons",
            )
        })
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied().filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings() {
        let text = "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=abc==;EndpointSuffix=core.windows.net;";
        let env = [("AZURE_STORAGE_CONNECTION_STRING", text)].into_iter().collect();
        let parsed = ConnectionString::from_env(&env).unwrap();
        assert_eq!(parsed.get("AccountKey"), Some("abc=="));
        assert_eq!(parsed.get("AccountName"), Some("acme"));
        assert_eq!(parsed.get("BlobEndpoint"), None);
        let env = [("AZURE_STORAGE_CONNECTION_STRING", "AccountKey=SECRET;nonsense")].into_iter().collect();
        let error = ConnectionString::from_env(&env).err().unwrap();
        assert!(error.is(&codes::CREDENTIALS_FAILED) && !error.report().contains("SECRET"));
    }
}
