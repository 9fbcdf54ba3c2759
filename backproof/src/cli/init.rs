//! `backproof init`: a new repository.

use super::Context;
use super::args::InitArgs;
use crate::verbs::{InitOptions, InitResult};
use backup_core::Result;

pub(super) async fn run(context: &Context, args: &InitArgs) -> Result<u8> {
    let options = InitOptions { allow_unconditional_create: args.allow_unconditional_create };
    let made = context.session().init(&options).await?;
    let told = context.output.done("init", &made, || text(&made));
    // What the repository can promise anyway is worth knowing; the monitor has printed the rest.
    if made.is_promised() {
        made.lost.iter().for_each(|lost| context.output.notice(&format!("the store lacks {lost}")));
    }
    for key in &made.left {
        context.output.notice(&format!("the probe's object {key} is still there: these credentials may not delete it"));
    }
    Ok(told.max(made.exit_code()))
}

fn text(made: &InitResult) -> String {
    let yes = |can: bool| if can { "yes" } else { "no" };
    let InitResult { repository, installation, repository_id, store, .. } = made;
    format!(
        "created a repository at {repository}\n\
         the store: create-if-absent: {}, append-only: {}, ranged reads: {}, consistent listing: {}\n\n\
         for backproof.toml:\n\n\
         [repository]\n\
         url = \"{repository}\"\n\
         installation = \"{installation}\"\n\
         # on a host that may only write, these too:\n\
         # write_only = true\n\
         # repository_id = \"{repository_id}\"",
        yes(store.create_if_absent),
        yes(store.append_only),
        yes(store.ranged_reads),
        yes(store.consistent_listing),
    )
}
