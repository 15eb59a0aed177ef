//! Read-only bytes of a file, mapped instead of copied.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use crate::file;

/// A file's bytes, as the file has them: they are not copied.
///
/// # What the file's owner grants
/// Nobody writes to the file or truncates it while it is mapped. Bytes that are written meanwhile are seen, and were not
/// checked; a byte behind a new end is not there, and to read it ends the process with SIGBUS, on every system that maps
/// files. A file that is *replaced*, as frit itself does with what it writes, or removed, stays what it was for whoever has
/// mapped it. Where that is not granted, read the file instead.
#[derive(Debug)]
pub struct MappedFile(Mmap);

impl MappedFile {
    /// Maps the whole file, which nobody may truncate while the result lives.
    ///
    /// # Errors
    /// The file can't be opened or mapped, or is none: see [`file::open`].
    pub fn open(path: &Path) -> std::io::Result<MappedFile> {
        MappedFile::of(&file::open(path)?)
    }

    /// Maps all of an open file, which nobody may truncate while the result lives.
    ///
    /// # Errors
    /// The file can't be mapped.
    pub fn of(file: &File) -> std::io::Result<MappedFile> {
        // SAFETY: the bytes are only read, as plain bytes of any value; that nobody writes to a model or truncates it while
        // it is mapped is what its owner grants, as the type's documentation says.
        Ok(MappedFile(unsafe { Mmap::map(file)? }))
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_file_has_the_bytes_of_the_file() {
        let path = std::env::temp_dir().join(format!("frit-map-{}", std::process::id()));
        for bytes in [vec![], vec![7_u8], vec![3; 10_000]] {
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(&*MappedFile::open(&path).unwrap(), bytes.as_slice());
        }
        std::fs::remove_file(&path).unwrap();
        assert!(MappedFile::open(&path).is_err(), "a file that is gone can't be mapped");
    }
}
