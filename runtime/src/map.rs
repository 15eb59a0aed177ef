//! Read-only bytes of a file, mapped instead of copied.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use crate::file;

/// A file's bytes. Whoever changes the file meanwhile changes the bytes; whoever truncates it ends the process.
#[derive(Debug)]
pub struct MappedFile(Mmap);

impl MappedFile {
    /// Maps the whole file.
    ///
    /// # Errors
    /// The file can't be opened or mapped, or is none: see [`file::open`].
    pub fn open(path: &Path) -> std::io::Result<MappedFile> {
        MappedFile::of(&file::open(path)?)
    }

    /// Maps all of an open file.
    ///
    /// # Errors
    /// The file can't be mapped.
    pub fn of(file: &File) -> std::io::Result<MappedFile> {
        // SAFETY: the bytes are only read, as plain bytes of any value; that nobody truncates a model while it is read
        // is what the user of a model file grants, as the type's documentation says.
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
