//! How long the library itself takes for a backup: `library-seconds SETTINGS`, settings as JSON, prints the seconds of one `backup`.
//! `scripts/bench-bindings` puts it beside the Python and the npm package.

use backproof::Backproof;
use backproof::config::Overrides;
use backproof::verbs::BackupOptions;
use std::error::Error;
use std::time::Instant;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = std::env::args().nth(1).ok_or("library-seconds SETTINGS")?;
    let session = Backproof::open(serde_json::from_str::<Overrides>(&settings)?)?;
    let start = Instant::now();
    session.backup(&BackupOptions::default()).await?;
    println!("{}", start.elapsed().as_secs_f64());
    Ok(())
}
