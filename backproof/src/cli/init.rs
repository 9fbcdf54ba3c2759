//! `backproof init`: a new repository.

use super::Context;
use super::args::InitArgs;
use backup_core::repository::Repository;
use backup_core::repository::marker::Marker;
use backup_core::{Error, Result};
use serde_json::json;

pub(super) async fn run(context: &Context, args: &InitArgs) -> Result<u8> {
    let mut settings = context.settings.clone();
    settings.store.allow_unconditional_create |= args.allow_unconditional_create;
    let sink = settings.sink().await?;
    if Marker::read(&*sink).await.is_ok() {
        return Err(Error::new(
            &backup_core::error::codes::REPOSITORY_EXISTS,
            format!("there is a repository at {} already", sink.location()),
        ));
    }
    let probed = backup_core::probe::probe(&*sink).await?;
    let marker = Marker::new(settings.installation.clone(), probed.capabilities.clone())?;
    let repository = Repository::create(sink, marker).await?;
    let marker = repository.marker();
    let location = repository.sink().location();
    let body = json!({
        "repository": location,
        "installation": marker.installation,
        "repository_id": marker.repository,
        "store": marker.store,
        "lost": probed.lost,
    });
    context.output.result("init", body, || {
        let yes = |can: bool| if can { "yes" } else { "no" };
        format!(
            "created a repository at {location}\n\
             the store: create-if-absent: {}, append-only: {}, ranged reads: {}, consistent listing: {}\n\n\
             for backproof.toml:\n\n\
             [repository]\n\
             url = \"{location}\"\n\
             installation = \"{}\"\n\
             # on a host that may only write, these too:\n\
             # write_only = true\n\
             # repository_id = \"{}\"",
            yes(marker.store.create_if_absent),
            yes(marker.store.append_only),
            yes(marker.store.ranged_reads),
            yes(marker.store.consistent_listing),
            marker.installation,
            marker.repository,
        )
    })?;
    for lost in &probed.lost {
        context.output.warning(lost);
    }
    Ok(if probed.lost.is_empty() { 0 } else { 1 })
}
