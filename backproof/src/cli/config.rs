//! `backproof config`: the settings in effect.

use super::Context;
use super::output::table;
use crate::verbs::ConfigOptions;
use backup_core::Result;

pub(super) async fn run(context: &Context) -> Result<u8> {
    let shown = context.session().config(&ConfigOptions::default()).await?;
    context.output.result("config", &shown, || {
        if shown.settings.is_empty() {
            return "no settings: no flag, variable or configuration file gives any".into();
        }
        let row = |setting: &crate::config::Shown| {
            vec![setting.name.to_owned(), setting.value.clone(), setting.origin.clone()]
        };
        table(&shown.settings.iter().map(row).collect::<Vec<_>>())
    })?;
    Ok(0)
}
