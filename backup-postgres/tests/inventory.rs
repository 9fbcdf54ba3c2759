//! What a digester notes of archives, and how two inventories are compared: on frozen archives of the real pg_dump.

use backup_core::digest::Blake3;
use backup_core::error::codes::{INVALID_DOCUMENT, PART_INVALID};
use backup_core::repository::contents::ContentsWriter;
use backup_postgres::archive::{Block, BlockKind, Parser, Visitor};
use backup_postgres::inventory::{
    ArchiveTap, Change, Digester, Inventory, InventoryReader, Name, Recorded, RowKey, RowSum, TableName, compare,
    read_line_by_line,
};
use proptest::prelude::*;

static RICH: [&[u8]; 3] = [
    include_bytes!("archives/rich-15.dump"),
    include_bytes!("archives/rich-16.dump"),
    include_bytes!("archives/rich-18.dump"),
];
static SMALL: [&[u8]; 3] = [
    include_bytes!("archives/small-15.dump"),
    include_bytes!("archives/small-16.dump"),
    include_bytes!("archives/small-18.dump"),
];

fn digest<'a>(digester: Digester, pieces: impl IntoIterator<Item = &'a [u8]>) -> Inventory {
    let mut parser = Parser::new(digester);
    pieces.into_iter().for_each(|piece| parser.feed(piece).unwrap());
    match parser.finish().unwrap().finish() {
        Recorded::Available(inventory) => *inventory,
        Recorded::Unavailable { reason } => panic!("{reason}"),
    }
}

fn inventory(bytes: &[u8]) -> Inventory {
    digest(Digester::new(), [bytes])
}

fn table(text: &str) -> TableName {
    TableName::parse(text).unwrap()
}

/// The data of each block and each large object.
#[derive(Default)]
struct Data(Vec<Vec<u8>>);

impl Visitor for Data {
    fn block_start(&mut self, block: Block) -> backup_core::Result<()> {
        if block.kind == BlockKind::Rows {
            self.0.push(Vec::new());
        }
        Ok(())
    }
    fn object_start(&mut self, _: u32, _: u64) -> backup_core::Result<()> {
        self.0.push(Vec::new());
        Ok(())
    }
    fn data(&mut self, bytes: &[u8], _: bool) -> backup_core::Result<()> {
        self.0.last_mut().unwrap().extend_from_slice(bytes);
        Ok(())
    }
}

#[test]
fn a_rich_database_is_noted() {
    for bytes in RICH {
        let inventory = inventory(bytes);
        let mut parser = Parser::new(Data::default());
        parser.feed(bytes).unwrap();
        let data = parser.finish().unwrap().0;
        assert_eq!(inventory.tables.len(), 6);
        for record in &inventory.tables {
            let block = &bytes[record.block.from as usize..record.block.to as usize];
            assert_eq!(block[0], 1, "a block of rows begins with 1");
            let rows = data.iter().find(|data| Blake3::of(&data[..data.len() - 5]) == record.blake3);
            let rows = rows.expect("the digest is that of the rows without the terminator");
            assert_eq!(record.bytes, rows.len() as u64 - 5);
            assert_eq!(record.rows, rows.iter().filter(|byte| **byte == b'\n').count() as u64 - 3);
        }
        let rows = |name: &str| inventory.table(&table(name)).unwrap().rows;
        assert_eq!((rows("plain"), rows("empty"), rows("no_columns")), (1000, 0, 2));
        let columns = |name: &str| inventory.table(&table(name)).unwrap().columns.clone();
        assert_eq!(columns("plain"), ["id", "text", "quoted name", "mood"].map(Name::from));
        assert_eq!(columns("no_columns"), []);
        assert_eq!(rows("\"Odd \"\"schema\".\"T\u{e4}ble\""), 2);

        let large: Vec<_> = inventory.large_objects.objects.iter().map(|one| (one.oid, one.bytes)).collect();
        assert_eq!(large, [(70_000, 14), (70_001, 0), (4_000_000_000, 300_000)]);
        assert_eq!(inventory.large_objects.objects[0].blake3, Blake3::of(b"a large object"));
        let holder = inventory.large_objects.holder(&inventory.large_objects.objects[0]).unwrap();
        assert_eq!(holder.owner, Some("postgres".into()));

        for (kind, name) in [
            ("ENCODING", "ENCODING"),
            ("DATABASE", "rich"),
            ("POLICY", "plain all_rows"),
            ("ACL", "TABLE plain"),
            ("COMMENT", "LARGE OBJECT 70000"),
            ("COMMENT", "FUNCTION twice(integer)"),
            ("SEQUENCE SET", "numbers"),
            ("MATERIALIZED VIEW DATA", "summed"),
            ("DATABASE PROPERTIES", "rich"),
        ] {
            let found =
                inventory.objects.iter().filter(|object| object.kind == kind && object.name == name.into()).count();
            assert_eq!(found, 1, "{kind} {name}");
        }
        let numbers = inventory.objects.iter().find_map(|object| object.sequence).unwrap();
        assert_eq!((numbers.last, numbers.called), (7, false));
        assert!(compare(&inventory, &inventory).is_equal());
    }
}

#[test]
fn versions_that_group_large_objects_differently_are_compared_one_by_one() {
    let all = RICH.map(inventory);
    for (left, right) in [(&all[0], &all[1]), (&all[0], &all[2]), (&all[2], &all[1])] {
        let comparison = compare(left, right);
        assert_eq!(comparison.undecided, []);
        let other: Vec<_> = comparison
            .differences
            .iter()
            .filter(|one| matches!(one.kind.as_str(), "TABLE DATA" | "BLOB" | "ACL" | "SEQUENCE SET" | "COMMENT"))
            .map(ToString::to_string)
            .collect();
        assert_eq!(other, [] as [&str; 0]);
    }
}

#[tokio::test]
async fn the_lines_of_contents_give_the_inventory_back() {
    for bytes in RICH {
        let inventory = inventory(bytes);
        let mut contents = ContentsWriter::in_memory();
        Recorded::Available(Box::new(inventory.clone())).write(&mut contents).await.unwrap();
        let lines = contents.into_memory();
        assert_eq!(read_line_by_line(&lines).unwrap(), Recorded::Available(Box::new(inventory)));

        let all: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
        for left_out in 0..all.len() {
            let rest: Vec<u8> = [&all[..left_out], &all[left_out + 1..]].concat().concat();
            let error = read_line_by_line(&rest).expect_err("a line is missing");
            assert!(error.is(&INVALID_DOCUMENT), "{error:?}");
        }
        let twice: Vec<u8> = [&all[..], &all[..1]].concat().concat();
        assert!(read_line_by_line(&twice).unwrap_err().is(&INVALID_DOCUMENT));
    }
}

#[tokio::test]
async fn no_inventory_has_a_reason() {
    let reason = |lines: &[u8]| match read_line_by_line(lines).unwrap() {
        Recorded::Unavailable { reason } => reason,
        Recorded::Available(_) => panic!("an inventory"),
    };
    let old = b"{\"database\":{\"name\":\"x\"}}\n{\"archive\":{\"entries\":3}}\n";
    assert!(reason(old).contains("did not note"));
    assert!(InventoryReader::new().finish().unwrap().inventory().is_none());
    assert!(reason(b"{\"inventory\":{\"version\":2,\"new\":1}}\n{\"table\":{\"other\":1}}\n").contains("version 2"));

    let mut newer = RICH[2].to_vec();
    newer[6] = 17;
    let mut tap = ArchiveTap::default();
    newer.chunks(100).for_each(|piece| tap.feed(piece).unwrap());
    let (survey, recorded) = tap.finish().unwrap();
    assert_eq!(survey, None);
    let mut contents = ContentsWriter::in_memory();
    recorded.write(&mut contents).await.unwrap();
    assert!(reason(&contents.into_memory()).contains("version 1.17"));

    let mut cut = ArchiveTap::default();
    cut.feed(&RICH[0][..100_000]).unwrap();
    assert!(cut.finish().unwrap_err().is(&PART_INVALID), "an archive that can be followed must be whole");
}

#[test]
fn rows_that_do_not_end_as_pg_dump_ends_them_are_not_counted() {
    for bytes in SMALL {
        let end = bytes.windows(5).position(|window| window == b"\\.\n\n\n").unwrap();
        for (at, byte) in [(end, b'x'), (end + 2, b'x'), (end + 4, b'x'), (end - 6, b'x')] {
            let mut changed = bytes.to_vec();
            changed[at] = byte;
            let mut tap = ArchiveTap::default();
            tap.feed(&changed).unwrap();
            let (survey, recorded) = tap.finish().unwrap();
            assert!(survey.is_some());
            assert!(
                matches!(&recorded, Recorded::Unavailable { reason } if reason.contains("table public.t do not end")),
                "{at}: {recorded:?}"
            );
        }
    }
}

/// Changes an inventory and gives what the comparison says.
fn said(change: impl Fn(&mut Inventory)) -> Vec<String> {
    let before = inventory(RICH[2]);
    let mut after = before.clone();
    change(&mut after);
    let comparison = compare(&before, &after);
    comparison
        .differences
        .iter()
        .map(ToString::to_string)
        .chain(comparison.undecided.iter().map(|table| format!("undecided: {table}")))
        .collect()
}

#[test]
fn differences_name_the_object() {
    let object = |inventory: &mut Inventory, kind: &str, name: &str| {
        inventory.objects.iter().position(|one| one.kind == kind && one.name == name.into()).unwrap()
    };
    let plain =
        |inventory: &mut Inventory| inventory.tables.iter().position(|one| one.table == table("plain")).unwrap();
    assert_eq!(said(|_| {}), [] as [&str; 0]);
    assert_eq!(
        said(|all| {
            let at = plain(all);
            all.tables[at].rows = 999;
        }),
        ["table public.plain: 1000 rows in the backup, 999 restored"]
    );
    assert_eq!(
        said(|all| {
            let at = plain(all);
            all.tables[at].blake3 = Blake3::of(b"other");
        }),
        ["undecided: public.plain"]
    );
    assert_eq!(
        said(|all| {
            let at = plain(all);
            all.tables[at].columns.swap(0, 1);
        }),
        ["undecided: public.plain"],
        "even when the bytes are the same"
    );
    assert_eq!(
        said(|all| {
            let at = plain(all);
            all.tables[at].columns[0] = "number".into();
        }),
        ["table public.plain: columns only in the backup: id; columns only restored: number"]
    );
    assert_eq!(
        said(|all| {
            let at = plain(all);
            all.tables.remove(at);
        }),
        ["rows of table public.plain: in the backup, not restored"]
    );
    assert_eq!(
        said(|all| {
            let at = object(all, "POLICY", "plain all_rows");
            all.objects[at].definition = Blake3::of(b"");
        }),
        ["policy all_rows on public.plain: definition differs"]
    );
    assert_eq!(
        said(|all| {
            let at = object(all, "TABLE", "plain");
            all.objects[at].owner = Some("other".into());
            all.objects[at].tablespace = Some("fast".into());
        }),
        [
            "table public.plain: owner postgres in the backup, other restored",
            "table public.plain: tablespace the database's own in the backup, fast restored"
        ]
    );
    assert_eq!(
        said(|all| {
            let at = object(all, "ACL", "TABLE plain");
            all.objects.remove(at);
        }),
        ["privileges on table public.plain: in the backup, not restored"]
    );
    assert_eq!(
        said(|all| {
            let at = object(all, "INDEX", "plain_text_idx");
            let again = all.objects[at].clone();
            all.objects.push(again);
        }),
        ["index public.plain_text_idx: restored, not in the backup"]
    );
    assert_eq!(
        said(|all| {
            let at = object(all, "SEQUENCE SET", "numbers");
            all.objects[at].sequence.as_mut().unwrap().last = 8;
        }),
        ["value of sequence public.numbers: value 7 (not given out yet) in the backup, 8 (not given out yet) restored"]
    );
    assert_eq!(
        said(|all| {
            let large = &mut all.large_objects;
            large.objects[0].blake3 = Blake3::of(b"");
            large.objects[1].bytes = 1;
            large.objects.pop();
        }),
        [
            "large object 70000: 14 bytes on both sides, not the same",
            "large object 70001: 0 bytes in the backup, 1 restored",
            "large object 4000000000: in the backup, not restored"
        ]
    );
    assert_eq!(
        said(|all| {
            all.large_objects.holders[0].owner = Some("other".into());
            all.large_objects.holders[0].acl = Some(Blake3::of(b"x"));
            all.large_objects.objects.truncate(1);
        })[..2],
        ["large object 70000: owner postgres in the backup, other restored", "large object 70000: privileges differ"]
    );
    assert_eq!(
        said(|all| {
            all.objects.reverse();
            all.tables.reverse();
        }),
        [] as [&str; 0],
        "order means nothing"
    );
}

#[test]
fn rows_that_were_not_dumped_come_back_as_an_empty_table() {
    let mut before = inventory(RICH[2]);
    let after = before.clone();
    before.tables.retain(|one| one.rows > 0);
    assert!(compare(&before, &after).is_equal());
    before.tables.clear();
    let said: Vec<_> = compare(&before, &after).differences.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 5, "{said:?}");
    assert!(said.iter().all(|one| one.ends_with("restored, not in the backup")), "{said:?}");
}

/// An archive with one table, from that of a small database: other columns and other rows, in chunks of this many bytes.
fn archive(columns: &[&str], rows: &[u8], chunk: usize) -> Vec<u8> {
    let small = SMALL[0];
    let toc = small.windows(6).position(|window| window == [1, 0, 14, 12, 0, 0]);
    let statement = b"COPY public.t (a) FROM stdin;\n";
    let at = small.windows(statement.len()).position(|window| window == statement).unwrap();
    let inventory = inventory(small);
    assert!(toc.is_none() || toc == Some(inventory.tables[0].block.from as usize));
    let list = if columns.is_empty() { String::new() } else { format!("({})", columns.join(", ")) };
    let changed = format!("COPY public.t {list} FROM stdin;\n");
    let block = inventory.tables[0].block;
    let int = |number: usize| [&[0][..], &(number as u32).to_le_bytes()[..]].concat();
    let mut bytes = small[..at - 5].to_vec();
    bytes.extend(int(changed.len()));
    bytes.extend(changed.as_bytes());
    bytes.extend(&small[at + statement.len()..block.from as usize + 6]);
    for chunk in [rows, b"\\.\n\n\n"].concat().chunks(chunk) {
        bytes.extend(int(chunk.len()));
        bytes.extend(chunk);
    }
    bytes.extend(int(0));
    bytes.extend(&small[block.to as usize..]);
    bytes
}

fn sum(columns: &[&str], order: &[&str], rows: &[u8], chunk: usize, piece: usize) -> Option<RowSum> {
    let key = RowKey::new([7; 32], [(table("t"), order.iter().map(|name| Name::from(*name)).collect())]);
    let bytes = archive(columns, rows, chunk);
    let inventory = digest(Digester::with_row_key(key), bytes.chunks(piece));
    let record = &inventory.tables[0];
    assert_eq!(record.rows, rows.iter().filter(|byte| **byte == b'\n').count() as u64);
    assert_eq!((record.bytes, record.blake3), (rows.len() as u64, Blake3::of(rows)));
    record.row_sum
}

#[test]
fn long_rows_are_hashed_wherever_they_are_cut() {
    for length in [(128 << 10) - 6, 128 << 10, (1 << 20) - 3, (1 << 20) - 2, (1 << 20) - 1, 2 << 20] {
        let field: Vec<u8> = (0..length).map(|index| b'a' + (index % 23) as u8).collect();
        let rows = [b"1\t", &field[..], b"\n2\tx\n"].concat();
        let turned = [b"x\t2\n", &field[..], b"\t1\n"].concat();
        let whole = sum(&["a", "b"], &["a", "b"], &rows, rows.len() + 5, usize::MAX).unwrap();
        for (chunk, piece) in [(1000, 1 << 20), (rows.len(), 70_001), (1 << 19, 333_333)] {
            assert_eq!(sum(&["a", "b"], &["a", "b"], &rows, chunk, piece), Some(whole), "{length} {chunk} {piece}");
            assert_eq!(sum(&["b", "a"], &["a", "b"], &turned, chunk, piece), Some(whole), "{length} {chunk} {piece}");
        }
        assert_ne!(sum(&["b", "a"], &["b", "a"], &turned, 1000, 1 << 20), Some(whole));
    }
}

#[test]
fn a_table_with_other_columns_is_not_summed() {
    assert_eq!(sum(&["a", "b"], &["a", "c"], b"1\t2\n", 9, 9), None);
    assert_eq!(sum(&["a", "b"], &["a"], b"1\t2\n", 9, 9), None);
    assert_eq!(sum(&["a", "b"], &["a", "a"], b"1\t2\n", 9, 9), None);
    assert!(sum(&[], &[], b"\n\n", 9, 9).is_some());
    let key = RowKey::new([7; 32], [(table("t"), vec!["b".into(), "a".into()])]);
    let mut tap = ArchiveTap::new(Digester::with_row_key(key));
    tap.feed(&archive(&["a", "b"], b"1\t2\n3\n", 9)).unwrap();
    assert!(matches!(tap.finish().unwrap().1, Recorded::Unavailable { reason } if reason.contains("a value for each")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_give_the_same_inventory(
        which in 0usize..3, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..200), tiny in 1usize..64) {
        let bytes = RICH[which];
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        prop_assert_eq!(digest(Digester::new(), at.windows(2).map(|pair| &bytes[pair[0]..pair[1]])), inventory(bytes));
        prop_assert_eq!(digest(Digester::new(), SMALL[which].chunks(tiny)), inventory(SMALL[which]));
    }

    #[test]
    fn the_sum_does_not_depend_on_the_order_and_on_nothing_else(
        rows in prop::collection::vec(("[a-c]{0,3}", "[a-c]{0,3}", "[a-c]{0,3}"), 0..20),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..10),
        chunk in 1usize..40, piece in 1usize..40, changed in any::<prop::sample::Index>()) {
        let text = |rows: &[(String, String, String)]| rows.iter().map(|(a, b, c)| format!("{a}\t{b}\t{c}\n")).collect::<String>();
        let turned = |rows: &[(String, String, String)]| rows.iter().map(|(a, b, c)| format!("{c}\t{a}\t{b}\n")).collect::<String>();
        let order = ["a", "b", "c"];
        let whole = sum(&order, &order, text(&rows).as_bytes(), 1000, usize::MAX);
        prop_assert!(whole.is_some());
        let mut other = rows.clone();
        for (one, two) in &swaps {
            if !other.is_empty() {
                let (one, two) = (one.index(other.len()), two.index(other.len()));
                other.swap(one, two);
            }
        }
        prop_assert_eq!(sum(&order, &order, text(&other).as_bytes(), chunk, piece), whole);
        prop_assert_eq!(sum(&["c", "a", "b"], &order, turned(&other).as_bytes(), chunk, piece), whole);
        if !other.is_empty() {
            let at = changed.index(other.len());
            other[at].1.push('x');
            prop_assert_ne!(sum(&order, &order, text(&other).as_bytes(), chunk, piece), whole);
            other.remove(at);
            prop_assert_ne!(sum(&order, &order, text(&other).as_bytes(), chunk, piece), whole);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_never_panics(
        which in 0usize..3,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..8),
        piece in 1usize..5000,
    ) {
        let mut bytes = SMALL[which].to_vec();
        for (at, mask) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        let key = RowKey::of([1; 32], &inventory(SMALL[which]));
        let mut tap = ArchiveTap::new(Digester::with_row_key(key));
        if bytes.chunks(piece).try_for_each(|piece| tap.feed(piece)).is_ok() {
            let _ = tap.finish();
        }
    }
}

#[test]
fn changes_are_machine_readable() {
    let mut before = inventory(RICH[0]);
    let after = before.clone();
    before.tables[0].rows += 1;
    let difference = &compare(&before, &after).differences[0];
    assert!(matches!(difference.change, Change::Rows { .. }));
    let json = serde_json::to_value(difference).unwrap();
    assert_eq!(json["change"], "rows");
    assert_eq!(json["expected"], before.tables[0].rows);
}

#[tokio::test]
async fn long_lists_of_extras_fit_into_lines() {
    let mut inventory = inventory(SMALL[0]);
    let mut extras = backup_postgres::inventory::Extras::default();
    extras.collation_version = Some("2.36".into());
    extras.invalid_indexes = (0..10_000).map(|number| format!("public.index_{number}")).collect();
    extras.unpopulated_views = vec!["public.view".into()];
    inventory.extras = Some(extras);
    let mut contents = ContentsWriter::in_memory();
    Recorded::Available(Box::new(inventory.clone())).write(&mut contents).await.unwrap();
    let lines = contents.into_memory();
    assert_eq!(lines.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"extras\"")).count(), 3);
    assert_eq!(read_line_by_line(&lines).unwrap(), Recorded::Available(Box::new(inventory)));
}

/// The lines are a format: what was once written is read for ever.
#[tokio::test]
async fn the_lines_are_as_they_were() {
    let mut contents = ContentsWriter::in_memory();
    Recorded::Available(Box::new(inventory(SMALL[0]))).write(&mut contents).await.unwrap();
    let lines = String::from_utf8(contents.into_memory()).unwrap();
    let golden = include_str!("archives/small-15.contents");
    for (line, golden) in lines.lines().zip(golden.lines()) {
        assert_eq!(line, golden);
    }
    assert_eq!(lines, golden);
}
