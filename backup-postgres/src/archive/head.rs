//! The head of an archive (`ReadHead`).

use super::entry::Version;
use super::parser::{Parser, Step};
use super::visitor::Visitor;
use backup_core::Result;

impl<V: Visitor> Parser<V> {
    /// One step of the head or of the table of contents; false when more bytes are needed.
    pub(super) fn head_or_toc(&mut self, bytes: &mut &[u8]) -> Result<bool> {
        macro_rules! next {
            ($value:expr) => {
                match $value {
                    Some(value) => value,
                    None => return Ok(false),
                }
            };
        }
        self.step = match self.step {
            Step::Magic => {
                let head = next!(self.fixed(bytes, 11));
                self.magic(head)?;
                Step::Compression
            }
            Step::Compression => {
                // The level as a number up to 1.14, the algorithm as a byte from 1.15 on.
                let compression = if self.version.minor < 15 {
                    next!(self.int(bytes)?)
                } else {
                    i64::from(next!(self.fixed(bytes, 1))[0])
                };
                if compression != 0 {
                    return Err(self.unsupported("its data is compressed, and backproof's dumps are not (pg_dump -Z0)"));
                }
                Step::Date(0)
            }
            Step::Date(index) => {
                let value = next!(self.int(bytes)?);
                self.date[index] = value as i32;
                if index + 1 < self.date.len() { Step::Date(index + 1) } else { Step::Database }
            }
            Step::Database => {
                self.header.database = next!(self.string(bytes)?);
                Step::ServerVersion
            }
            Step::ServerVersion => {
                self.header.server_version = next!(self.string(bytes)?);
                Step::DumpVersion
            }
            Step::DumpVersion => {
                self.header.dump_version = next!(self.string(bytes)?);
                self.header.created = self.created();
                self.visitor.header(&self.header)?;
                Step::Count
            }
            Step::Count => {
                let count = next!(self.int(bytes)?);
                match u32::try_from(count) {
                    Ok(count) if count <= i32::MAX as u32 => self.entries_left = count,
                    _ => return Err(self.invalid("its table of contents has a size below 0")),
                }
                self.next_entry()?
            }
            Step::Entry(field) => {
                if !self.field(field, bytes)? {
                    return Ok(false);
                }
                return Ok(true);
            }
            step => step,
        };
        Ok(true)
    }

    /// `ReadHead`, up to the compression.
    fn magic(&mut self, head: [u8; 11]) -> Result<()> {
        let [b'P', b'G', b'D', b'M', b'P', major, minor, revision, int_size, offset_size, format] = head else {
            return Err(self.invalid("it does not begin with PGDMP"));
        };
        self.version = Version { major, minor, revision };
        self.header.version = self.version;
        if major != 1 || !(14..=16).contains(&minor) {
            return Err(self.unsupported(format!("version {} (1.14 to 1.16 are known)", self.version)));
        }
        if (int_size, offset_size) != (4, 8) {
            return Err(self.unsupported(format!(
                "numbers of {int_size} bytes and offsets of {offset_size} bytes (4 and 8 are known)"
            )));
        }
        if format != 1 {
            return Err(self.unsupported(format!("format {format} (custom, 1, is known)")));
        }
        Ok(())
    }

    fn created(&self) -> Option<jiff::civil::DateTime> {
        let [second, minute, hour, day, month, year, _] = self.date;
        let small = |value: i32| i8::try_from(value).ok();
        jiff::civil::DateTime::new(
            i16::try_from(year.checked_add(1900)?).ok()?,
            small(month.checked_add(1)?)?,
            small(day)?,
            small(hour)?,
            small(minute)?,
            small(second)?,
            0,
        )
        .ok()
    }
}
