//! The parser of archives and what is noted of them: no bytes make them panic, and how the bytes are cut makes no difference.
#![no_main]

use backup_postgres::inventory::{ArchiveTap, Digester, Recorded, RowKey, TableName};
use libfuzzer_sys::fuzz_target;

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<Recorded> {
    let table = TableName::new("public", "t");
    let key = RowKey::new([1; 32], [(table, vec!["b".into(), "a".into()])]);
    let mut tap = ArchiveTap::new(Digester::with_row_key(key));
    for piece in pieces {
        tap.feed(piece).ok()?;
    }
    tap.finish().ok().map(|(_, recorded)| recorded)
}

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_last() else { return };
    let whole = read(std::iter::once(bytes));
    let pieces = read(bytes.chunks(usize::from(*cut) + 1));
    assert_eq!(whole, pieces);
});
