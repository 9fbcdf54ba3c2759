//! `backproof init`: a new repository.

use super::Context;
use super::args::InitArgs;
use backup_core::error::codes;
use backup_core::repository::Repository;
use backup_core::repository::marker::Marker;
use backup_core::{Error, Result};
use serde_json::json;

pub(super) async fn run(context: &Context, args: &InitArgs) -> Result<u8> {
    let mut settings = context.settings.clone();
    settings.store.allow_unconditional_create |= args.allow_unconditional_create;
    let sink = settings.sink().await?;
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
    let location = repository.sink().location();
    let body = json!({
        "repository": location,
        "installation": marker.installation,
        "repository_id": marker.repository,
        "store": marker.store,
        "lost": lost,
    });
    let told = context.output.done("init", body, || {
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
    });
    // Two of these change what the repository can promise; the others are worth knowing.
    let promised = marker.store.create_if_absent && marker.store.consistent_listing;
    for lost in &lost {
        if promised {
            context.output.notice(&format!("the store lacks {lost}"));
        } else {
            context.output.warning(&format!("the store lacks {lost}"));
        }
    }
    for key in &probed.left {
        context.output.notice(&format!("the probe's object {key} is still there: these credentials may not delete it"));
    }
    if let Some(skew) = probed.clock_skew.filter(|_| probed.skew_is_large()) {
        context.output.warning(&format!("this machine's clock and the store's differ by {} seconds", skew.as_secs()));
    }
    Ok(told.max(u8::from(!promised || probed.skew_is_large())))
}
