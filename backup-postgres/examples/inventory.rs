//! What a dump holds: `cargo run --release -p backup-postgres --example inventory -- FILE [--sum]`.
//!
//! FILE is an archive of `pg_dump -Fc -Z0`. Prints its tables with their rows, and how fast it was read; with `--sum`, the rows are summed without order,
//! too, as a proof does for tables whose rows came back in another order.

use backup_postgres::inventory::{ArchiveTap, Digester, Inventory, Recorded, RowKey};
use std::error::Error;
use std::io::Read;
use std::time::Instant;

fn read(path: &str, digester: Digester) -> Result<Inventory, Box<dyn Error>> {
    let mut file = std::fs::File::open(path)?;
    let mut tap = ArchiveTap::new(digester);
    let mut piece = vec![0; 1 << 20];
    let started = Instant::now();
    let mut bytes = 0;
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            break;
        }
        tap.feed(&piece[..count])?;
        bytes += count;
    }
    let (_, recorded) = tap.finish()?;
    let seconds = started.elapsed().as_secs_f64();
    eprintln!("{bytes} bytes in {seconds:.2} s: {:.0} MB/s", bytes as f64 / 1e6 / seconds);
    match recorded {
        Recorded::Available(inventory) => Ok(*inventory),
        Recorded::Unavailable { reason } => Err(reason.into()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name an archive of pg_dump -Fc -Z0")?;
    let mut inventory = read(&path, Digester::new())?;
    if arguments.next().as_deref() == Some("--sum") {
        // A real proof takes a key from the system's random source.
        let key = RowKey::of([0; 32], &inventory);
        inventory = read(&path, Digester::with_row_key(key))?;
    }
    for table in &inventory.tables {
        println!("{}: {} rows, {} bytes, {}", table.table, table.rows, table.bytes, table.blake3);
    }
    println!("{} large objects, {} other objects", inventory.large_objects.len(), inventory.objects.len());
    Ok(())
}
