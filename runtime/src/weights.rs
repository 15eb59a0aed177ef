//! The packed weights of a program, in memory of its own or in the file that it was loaded from.

use std::ops::Range;

use crate::map::MappedFile;
use crate::memory::Memory;

/// Weights begin at a multiple of this many bytes.
const ALIGNMENT: usize = 64;

/// Packed weights.
#[derive(Debug)]
pub enum Weights {
    /// On pages of their own, huge ones where the system gives them.
    Own(Memory),
    /// On the pages of a file, shared with every process that has it mapped.
    Mapped(MappedBytes),
}

/// Bytes that lie in a file, from a place on where any element may begin.
#[derive(Debug)]
pub struct MappedBytes {
    file: MappedFile,
    bytes: Range<usize>,
}

impl MappedBytes {
    /// The bytes `bytes` of `file`; none where they are not aligned to a cache line, or beyond its end.
    pub fn new(file: MappedFile, bytes: Range<usize>) -> Option<MappedBytes> {
        let begin = file.get(bytes.clone())?.as_ptr();
        (begin.align_offset(ALIGNMENT) == 0).then_some(MappedBytes { file, bytes })
    }
}

impl Weights {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Weights::Own(memory) => memory.bytes(),
            Weights::Mapped(MappedBytes { file, bytes }) => &file[bytes.clone()],
        }
    }
}

impl From<Memory> for Weights {
    fn from(memory: Memory) -> Weights {
        Weights::Own(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aligned_bytes_within_the_file_are_taken() {
        let path = std::env::temp_dir().join(format!("frit-weights-{}", std::process::id()));
        std::fs::write(&path, (0..100).collect::<Vec<u8>>()).unwrap();
        let of = |range| MappedBytes::new(MappedFile::open(&path).unwrap(), range).map(Weights::Mapped);
        assert_eq!(of(64..68).unwrap().bytes(), [64, 65, 66, 67]);
        assert_eq!(of(64..64).unwrap().bytes(), [0; 0]);
        for range in [1..5, 4..8, 64..101, 128..132] {
            assert!(of(range.clone()).is_none(), "{range:?}");
        }
        std::fs::remove_file(path).unwrap();
    }
}
