//! The error codes that backup-storage adds to the core's.

/// The codes that backup-storage raises, beside those of [`backup_core::error::codes`].
pub mod codes {
    backup_core::codes! {
        /// The repository's URL is not one, or has something in it that does not belong there.
        INVALID_URL = "invalid_url", permanent, "give a URL such as file:///var/backups/app, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX";
        /// The URL's scheme names no kind of store that this version knows.
        UNKNOWN_SCHEME = "unknown_scheme", permanent, "use file://, s3://, gs://, az:// or memory:///";
        /// No credentials for the store were found.
        CREDENTIALS_MISSING = "credentials_missing", permanent, "set the variables that are named (docs/stores.md lists them for each store)";
        /// The credentials have a form that cannot be used, or the service that hands them out refused or did not answer.
        CREDENTIALS_FAILED = "credentials_failed", permanent, "check the variables, and the role or identity they name (docs/stores.md)";
        /// The bucket or container does not exist.
        BUCKET_NOT_FOUND = "bucket_not_found", permanent, "create the bucket first, or correct its name, the endpoint or the account";
        /// The bucket is in another region than the request was signed for.
        WRONG_REGION = "wrong_region", permanent, "set AWS_REGION, or the setting `region`, to the bucket's region";
        /// The store's certificate is not trusted, or there was no agreement on TLS.
        TLS_FAILED = "tls_failed", permanent, "check the endpoint's name; for a private certificate authority give its certificate with `ca_file`";
        /// A setting is given that has no effect on this store.
        USELESS_SETTING = "useless_setting", permanent, "remove the setting: one without effect would only look as if it protected something";
        /// The store computed another checksum than the one sent along, and did not store the object.
        CHECKSUM_REFUSED = "checksum_refused", transient, "the object changed on its way; look for a faulty proxy, network card or memory, then run it again";
        /// The store refused the request for a reason of its own.
        STORE_REFUSED = "store_refused", permanent, "the cause says why; check the endpoint and the settings of the store";
    }
}
