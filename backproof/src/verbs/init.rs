//! `init`: a new repository.

use crate::Backproof;
use backup_core::error::codes;
use backup_core::repository::Repository;
use backup_core::repository::marker::Marker;
use backup_core::sink::Capabilities;
use backup_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// What [`init`](Backproof::init) takes.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct InitOptions {
    /// Use a store that cannot create an object only if it is absent: safe with one writer only.
    pub allow_unconditional_create: bool,
}

/// A repository that was created.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct InitResult {
    /// The repository.
    pub repository: String,
    /// The installation's id: readers that trust signers need it.
    pub installation: String,
    /// The repository's own id: writers that may only write need it.
    pub repository_id: String,
    /// What the store can do.
    pub store: Capabilities,
    /// What the repository has to do without, in sentences.
    pub lost: Vec<String>,
    /// What needs attention.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Objects of the probe that are still there, because these credentials may not delete them.
    #[serde(skip)]
    pub left: Vec<String>,
}

impl InitResult {
    /// The program's exit status: 1 with warnings.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.warnings.is_empty())
    }

    /// Whether the store can do what the repository promises: the rest is worth knowing, and no more.
    pub fn is_promised(&self) -> bool {
        self.store.create_if_absent && self.store.consistent_listing
    }
}

impl Backproof {
    /// Creates the repository, after probing what its store can do.
    pub async fn init(&self, options: &InitOptions) -> Result<InitResult> {
        self.unless_cancelled(Box::pin(self.created(options))).await
    }

    async fn created(&self, options: &InitOptions) -> Result<InitResult> {
        let mut settings = self.settings().clone();
        if options.allow_unconditional_create && !settings.store.allow_unconditional_create {
            settings.store.allow_unconditional_create = true;
            self.use_sink(settings.sink().await?).await;
        }
        let sink = self.sink().await?;
        match Marker::read(&*sink).await {
            Err(error) if error.is(&codes::NO_REPOSITORY) => {}
            Err(error) => return Err(error),
            Ok(_) => {
                let message = format!("there is a repository at {} already", sink.location());
                return Err(Error::new(&codes::REPOSITORY_EXISTS, message));
            }
        }
        let probed = backup_core::probe::probe(&*sink).await?;
        let lost = probed.lost();
        if !probed.capabilities.create_if_absent && !settings.store.allow_unconditional_create {
            return Err(Error::new(
                &codes::UNSUPPORTED_BY_STORE,
                format!("the store at {} lacks {}", sink.location(), lost.join("; ")),
            )
            .with_hint("use another store, or, with one writer only, say --allow-unconditional-create"));
        }
        let marker = Marker::new(settings.installation.clone(), probed.capabilities.clone())?;
        let repository = Repository::create(sink, marker).await?;
        let marker = repository.marker();
        let mut result = InitResult {
            repository: repository.sink().location(),
            installation: marker.installation.clone(),
            repository_id: marker.repository.clone(),
            store: marker.store.clone(),
            lost: lost.into_iter().map(str::to_owned).collect(),
            warnings: Vec::new(),
            left: probed.left.iter().map(ToString::to_string).collect(),
        };
        let recorder = self.recorder();
        if !result.is_promised() {
            result.lost.iter().for_each(|lost| recorder.warn(format!("the store lacks {lost}")));
        }
        if let Some(skew) = probed.clock_skew.filter(|_| probed.skew_is_large()) {
            recorder.warn(format!("this machine's clock and the store's differ by {} seconds", skew.as_secs()));
        }
        result.warnings = recorder.warnings();
        Ok(result)
    }
}
