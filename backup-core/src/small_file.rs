//! Reading files that are small by their nature: keys, lists, configurations.

use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Reads a file, or a pipe such as a shell's `<(…)`, of at most `limit` bytes. What has more (a device, by mistake) is an error, and is
/// not read into memory.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Error::new(
            ErrorKind::InvalidData,
            format!("it has more than {limit} bytes, too many for what it is to be"),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::read;
    use std::path::Path;

    #[test]
    fn what_is_too_long_is_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"0123456789");
        read(&path, 9).unwrap_err();
        read(Path::new("/dev/zero"), 1000).unwrap_err();
    }
}
