//! The lines of `contents` that hold an inventory: no lines make the reader panic.
#![no_main]

use backup_postgres::inventory::{InventoryReader, Recorded, compare};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut reader = InventoryReader::new();
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        if reader.line(line).is_err() {
            return;
        }
    }
    if let Ok(Recorded::Available(inventory)) = reader.finish() {
        assert!(compare(&inventory, &inventory).differences.is_empty());
    }
});
