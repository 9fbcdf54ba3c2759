//! The archive parser, on archives of the real pg_dump and on damaged ones.

use backup_core::Result;
use backup_core::error::codes::PART_INVALID;
use backup_postgres::archive::{ArchiveObserver, Block, BlockKind, Entry, Header, Parser, Section, Visitor};
use backup_postgres::error::codes::ARCHIVE_UNSUPPORTED;
use proptest::prelude::*;

/// Archives of one version of pg_dump, frozen; tests/archives/make.sh makes them.
#[derive(Clone, Copy, Debug)]
struct Archives {
    rich: &'static [u8],
    bare: &'static [u8],
    small: &'static [u8],
    compressed: &'static [u8],
    minor: u8,
}

macro_rules! archives {
    ($major:literal, $minor:literal) => {
        Archives {
            rich: include_bytes!(concat!("archives/rich-", $major, ".dump")),
            bare: include_bytes!(concat!("archives/bare-", $major, ".dump")),
            small: include_bytes!(concat!("archives/small-", $major, ".dump")),
            compressed: include_bytes!(concat!("archives/compressed-", $major, ".dump")),
            minor: $minor,
        }
    };
}

static ALL: [Archives; 3] = [archives!(15, 14), archives!(16, 15), archives!(18, 16)];

/// Remembers everything that it is told, data joined per object, so that two ways of feeding can be compared.
#[derive(Debug, Default, PartialEq)]
struct Record {
    header: Option<Header>,
    entries: Vec<Entry>,
    toc_end: Option<u64>,
    blocks: Vec<(Block, u64)>,
    objects: Vec<(u32, u64)>,
    data: Vec<Vec<u8>>,
    chunks: u64,
}

impl Visitor for Record {
    fn header(&mut self, header: &Header) -> Result<()> {
        self.header = Some(header.clone());
        Ok(())
    }
    fn entry(&mut self, entry: Entry) -> Result<()> {
        self.entries.push(entry);
        Ok(())
    }
    fn toc_end(&mut self, position: u64) -> Result<()> {
        self.toc_end = Some(position);
        Ok(())
    }
    fn block_start(&mut self, block: Block) -> Result<()> {
        self.blocks.push((block, 0));
        if block.kind == BlockKind::Rows {
            self.data.push(Vec::new());
        }
        Ok(())
    }
    fn object_start(&mut self, oid: u32, position: u64) -> Result<()> {
        self.objects.push((oid, position));
        self.data.push(Vec::new());
        Ok(())
    }
    fn data(&mut self, bytes: &[u8], chunk_end: bool) -> Result<()> {
        self.data.last_mut().expect("data comes after a start").extend_from_slice(bytes);
        self.chunks += u64::from(chunk_end);
        Ok(())
    }
    fn block_end(&mut self, position: u64) -> Result<()> {
        self.blocks.last_mut().expect("an end comes after a start").1 = position;
        Ok(())
    }
}

fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Record> {
    let mut parser = Parser::new(Record::default());
    for piece in pieces {
        parser.feed(piece)?;
    }
    parser.finish()
}

fn survey(bytes: &[u8]) -> Result<String> {
    let mut observer = ArchiveObserver::new();
    observer.feed(bytes)?;
    Ok(observer.survey()?.to_string())
}

#[test]
fn a_rich_database_parses_to_its_end() {
    for archives in &ALL {
        let bytes = archives.rich;
        let record = parse([bytes]).unwrap();

        let header = record.header.unwrap();
        assert!((header.version.major, header.version.minor) == (1, archives.minor), "{}", header.version);
        assert!(header.database.unwrap().is("rich"));
        assert!(header.created.is_some());

        let with_data: Vec<i32> = record.entries.iter().filter(|entry| entry.has_data).map(|entry| entry.id).collect();
        assert_eq!(with_data, record.blocks.iter().map(|(block, _)| block.id).collect::<Vec<_>>());
        assert_eq!(record.toc_end, Some(record.blocks[0].0.position), "the first block begins where the contents end");
        for pair in record.blocks.windows(2) {
            assert_eq!(pair[0].1, pair[1].0.position, "blocks follow each other");
        }
        assert_eq!(record.blocks.last().unwrap().1, bytes.len() as u64);
        for (block, _) in &record.blocks {
            assert!(
                matches!(bytes[block.position as usize], 1 | 3),
                "the position of a block is that of its type byte"
            );
        }

        let table = |name: &str| {
            let entry = record.entries.iter().find(|entry| entry.desc.is("TABLE DATA") && entry.tag.is(name)).unwrap();
            let rows = record.blocks.iter().position(|(block, _)| block.id == entry.id).unwrap();
            (entry, record.data[rows].as_slice())
        };
        let (entry, rows) = table("plain");
        assert_eq!(entry.section, Section::Data);
        assert!(
            entry
                .copy
                .as_ref()
                .unwrap()
                .as_str()
                .unwrap()
                .starts_with("COPY public.plain (id, text, \"quoted name\", mood) FROM")
        );
        assert_eq!(
            rows.iter().filter(|byte| **byte == b'\n').count(),
            1000 + 3,
            "the rows, and \\. with two empty lines"
        );
        assert_eq!(table("empty").1, b"\\.\n\n\n");
        assert_eq!(table("no_columns").1.split(|byte| *byte == b'\n').take(2).collect::<Vec<_>>(), [b"", b""]);
        assert_eq!(
            record.objects.iter().map(|(oid, _)| *oid).collect::<Vec<_>>(),
            [4_000_000_000, 70_000, 70_001].sorted()
        );
        assert!(record.data.iter().any(|data| data.len() == 300_000), "the large object of 300000 bytes");
    }
}

trait Sorted {
    fn sorted(self) -> Self;
}
impl<const N: usize> Sorted for [u32; N] {
    fn sorted(mut self) -> Self {
        self.sort();
        self
    }
}

#[test]
fn a_survey_counts() {
    for archives in &ALL {
        let entries = parse([archives.rich]).unwrap().entries.len();
        assert_eq!(survey(archives.rich).unwrap(), format!("6 tables, 3 large objects, {entries} entries"));
    }
}

#[test]
fn a_database_without_tables_has_no_block() {
    for archives in &ALL {
        let record = parse([archives.bare]).unwrap();
        assert!(record.blocks.is_empty());
        assert_eq!(record.toc_end, Some(archives.bare.len() as u64));
        assert!(survey(archives.bare).unwrap().starts_with("0 tables, 0 large objects, "));
    }
}

#[test]
fn other_formats_are_refused_with_a_reason() {
    for archives in &ALL {
        let rich = archives.rich;
        let mut newer = rich.to_vec();
        newer[6] = 17;
        let mut older = rich.to_vec();
        older[6] = 13;
        let mut wide = rich.to_vec();
        wide[8] = 8;
        let mut tar = rich.to_vec();
        tar[10] = 3;
        for (name, bytes, reason) in [
            ("newer", &newer[..], "version 1.17"),
            ("older", &older[..], "version 1.13"),
            ("wide", &wide[..], "numbers of 8 bytes"),
            ("tar", &tar[..], "format 3"),
            ("compressed", archives.compressed, "compressed"),
        ] {
            let error = survey(bytes).unwrap_err();
            assert!(error.is(&ARCHIVE_UNSUPPORTED), "{name}: {error:?}");
            assert!(error.to_string().contains(reason), "{name}: {error:?}");
        }
        for text in [&b"--\n-- PostgreSQL database dump\n--\n\n"[..], b"", b"PGDM"] {
            assert!(survey(text).unwrap_err().is(&PART_INVALID));
        }
    }
}

#[test]
fn every_truncation_is_an_error() {
    for archives in &ALL {
        let bytes = archives.small;
        let boundaries: Vec<u64> = {
            let record = parse([bytes]).unwrap();
            record.toc_end.into_iter().chain(record.blocks.iter().map(|(_, end)| *end)).collect()
        };
        assert!(boundaries.len() > 2);
        for cut in 0..bytes.len() {
            let error = survey(&bytes[..cut]).expect_err("a truncated archive passed");
            assert!(error.is(&PART_INVALID), "cut at {cut}: {error:?}");
            if boundaries.contains(&(cut as u64)) {
                assert!(error.to_string().contains("it ends after the data of"), "cut at {cut}: {error:?}");
            }
        }
        survey(bytes).unwrap();
    }
}

#[test]
fn what_follows_the_last_block_is_an_error() {
    for archives in &ALL {
        let mut bytes = archives.small.to_vec();
        bytes.push(1);
        assert!(survey(&bytes).is_err());
        bytes.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(survey(&bytes).unwrap_err().to_string().contains("more data than its table of contents"));
    }
}

#[test]
fn after_an_error_nothing_is_accepted() {
    for archives in &ALL {
        let mut observer = ArchiveObserver::new();
        observer.feed(b"this is not an archive").unwrap_err();
        observer.feed(archives.small).unwrap_err();
        observer.survey().unwrap_err();
    }
}

#[test]
fn an_error_of_the_visitor_ends_the_parsing() {
    for archives in &ALL {
        struct Refuses;
        impl Visitor for Refuses {
            fn data(&mut self, _: &[u8], _: bool) -> Result<()> {
                Err(backup_core::Error::new(&PART_INVALID, "no"))
            }
        }
        let mut parser = Parser::new(Refuses);
        assert_eq!(parser.feed(archives.rich).unwrap_err().to_string(), "no");
        assert!(parser.finish().is_err());
    }
}

#[test]
fn a_long_string_is_hashed_and_not_kept() {
    for archives in &ALL {
        let bytes = archives.rich;
        let whole = parse([bytes]).unwrap();
        let mut parser = Parser::with_kept_text(Record::default(), 16);
        for piece in bytes.chunks(7) {
            parser.feed(piece).unwrap();
        }
        let short = parser.finish().unwrap();
        let mut cut = 0;
        for (whole, short) in whole.entries.iter().zip(&short.entries) {
            let (Some(whole), Some(short)) = (&whole.definition, &short.definition) else { continue };
            assert_eq!(whole.digest(), short.digest());
            assert_eq!(whole.len(), short.len());
            if short.len() > 16 {
                cut += 1;
                assert_eq!(short.bytes(), None);
                assert_eq!(short.lossy().len(), 16);
            }
        }
        assert!(cut > 5);
    }
}

#[test]
fn a_length_that_lies_takes_no_memory() {
    for archives in &ALL {
        let rich = archives.rich;
        let record = parse([rich]).unwrap();
        // A string of 2 GiB - 1, of which 3 bytes come: the archive's name of the database.
        let at = rich.windows(4).position(|window| window == b"rich").unwrap() - 5;
        let mut bytes = rich[..at].to_vec();
        bytes.extend_from_slice(&[0, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3]);
        assert!(survey(&bytes).unwrap_err().to_string().contains("ends inside its head"));
        // A chunk of 2 GiB - 1.
        let mut bytes = rich[..record.toc_end.unwrap() as usize + 6].to_vec();
        bytes.extend_from_slice(&[0, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3]);
        assert!(survey(&bytes).unwrap_err().to_string().contains("ends inside a block"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_give_the_same_events(
        archives in prop::sample::select(&ALL[..]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..200), tiny in 1usize..64) {
        let bytes = archives.rich;
        let whole = parse([bytes]).unwrap();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(&parse(pieces).unwrap(), &whole);
        prop_assert_eq!(&parse(archives.small.chunks(tiny)).unwrap(), &parse([archives.small]).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_never_panics(
        archives in prop::sample::select(&ALL[..]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..8),
        cut in any::<prop::sample::Index>(),
        splice in prop::option::of((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..40))),
        piece in 1usize..5000,
    ) {
        let mut bytes = archives.small.to_vec();
        for (at, mask) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        if let Some((at, extra)) = splice {
            let at = at.index(bytes.len());
            bytes.splice(at..at, extra);
        }
        if cut.index(2) == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = parse(bytes.chunks(piece));
    }
}
