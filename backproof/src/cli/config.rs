//! `backproof config`: the settings in effect.

use super::Context;
use super::output::table;
use backup_core::Result;
use serde_json::json;

pub(super) fn run(context: &Context) -> Result<u8> {
    let shown = &context.settings.shown;
    context.output.result("config", json!({ "settings": shown }), || {
        if shown.is_empty() {
            return "no settings: no flag, variable or configuration file gives any".into();
        }
        let row = |setting: &crate::config::Shown| {
            vec![setting.name.to_owned(), setting.value.clone(), setting.origin.clone()]
        };
        table(&shown.iter().map(row).collect::<Vec<_>>())
    })?;
    Ok(0)
}
