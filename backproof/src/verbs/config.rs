//! `config`: the settings in effect.

use crate::Backproof;
use crate::config::Shown;
use backup_core::Result;
use serde::{Deserialize, Serialize};

/// What [`config`](Backproof::config) takes: nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ConfigOptions {}

/// The settings in effect.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ConfigResult {
    /// Each with where it comes from, with secrets redacted.
    pub settings: Vec<Shown>,
}

impl Backproof {
    /// Shows the settings in effect.
    pub async fn config(&self, _options: &ConfigOptions) -> Result<ConfigResult> {
        Ok(ConfigResult { settings: self.settings().shown.clone() })
    }
}
