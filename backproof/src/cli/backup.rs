//! `backproof backup`.

use super::Context;
use super::args::BackupArgs;
use crate::config::units::{show_duration, show_size};
use crate::verbs::BackupOptions;
use backup_core::error::codes::NO_EFFECT;
use backup_core::{Error, Result};
use jiff::SignedDuration;

pub(super) async fn run(context: &Context, args: &BackupArgs) -> Result<u8> {
    let options = BackupOptions {
        no_encryption: args.no_encryption,
        passphrase: args.passphrase,
        skip_unreadable: args.skip_unreadable,
        role_passwords: args.role_passwords,
        compression_level: args.compression_level,
        file: args.file.clone(),
        command: args.command.clone(),
    };
    if context.backproof.settings().database_flag.is_some() && (args.file.is_some() || !args.command.is_empty()) {
        let message = "--database has no effect on the backup of a file or a program";
        return Err(Error::new(&NO_EFFECT, message));
    }
    if context.passphrase_file && !args.passphrase {
        context.backproof.settings().needs_passphrase_file(true).await?;
    }
    let made = context.session().cancel_with(context.signals.token()).backup(&options).await?;
    let told = context.output.done("backup", &made, || {
        format!(
            "backup {} of {} ({}): {} of data, {} stored, in {}",
            made.id,
            made.series,
            made.label,
            show_size(made.plain_bytes),
            show_size(made.stored_bytes),
            show_duration(SignedDuration::from_secs_f64(made.seconds))
        )
    });
    if !made.signed {
        context.output.notice(
            "not signed: whoever can write to the store could put another backup in its place (`keygen --signing`)",
        );
    }
    // The monitor has printed the warnings.
    Ok(told.max(made.exit_code()))
}
