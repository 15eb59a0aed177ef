//! The packed weights of a program, in memory of its own or in the file that it was loaded from.

use std::ops::Range;

use crate::map::MappedFile;
use crate::memory::Memory;

/// Packed weights.
#[derive(Debug)]
pub enum Weights {
    /// On pages of their own, huge ones where the system gives them.
    Own(Memory),
    /// On the pages of a file, shared with every process that has it mapped.
    Mapped(MappedValues),
}

/// f32 values that lie in a file.
#[derive(Debug)]
pub struct MappedValues {
    file: MappedFile,
    bytes: Range<usize>,
}

impl MappedValues {
    /// The values at `bytes` of `file`; none where they are not aligned, not whole, or beyond its end.
    pub fn new(file: MappedFile, bytes: Range<usize>) -> Option<MappedValues> {
        bytemuck::try_cast_slice::<u8, f32>(file.get(bytes.clone())?).ok()?;
        Some(MappedValues { file, bytes })
    }
}

impl Weights {
    /// The values.
    pub fn values(&self) -> &[f32] {
        match self {
            Weights::Own(memory) => memory.values(),
            Weights::Mapped(MappedValues { file, bytes }) => bytemuck::cast_slice(&file[bytes.clone()]),
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
    fn only_whole_and_aligned_values_within_the_file_are_taken() {
        let path = std::env::temp_dir().join(format!("frit-weights-{}", std::process::id()));
        let bytes: Vec<u8> = [1.5f32, -2.0, 8.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(&path, bytes).unwrap();
        let values = |range| MappedValues::new(MappedFile::open(&path).unwrap(), range).map(Weights::Mapped);
        assert_eq!(values(4..12).unwrap().values(), [-2.0, 8.0]);
        assert_eq!(values(4..4).unwrap().values(), [0.0; 0]);
        for range in [1..5, 0..3, 8..16, 16..20] {
            assert!(values(range.clone()).is_none(), "{range:?}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
