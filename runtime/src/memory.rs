//! Zeroed f32 memory on huge pages where the system gives them.

use memmap2::MmapMut;

/// A huge page of x86-64; memory smaller than this is left on ordinary pages.
const HUGE_PAGE: usize = 2 << 20;

/// Owned f32 values, aligned to a page, or to a huge page where they fill one.
#[derive(Debug)]
pub struct Memory {
    map: MmapMut,
    /// Bytes before the first value.
    skip: usize,
    len: usize,
}

impl Memory {
    /// `len` zeros.
    ///
    /// # Errors
    /// The system has not that much memory.
    pub fn zeroed(len: usize) -> std::io::Result<Memory> {
        let bytes = len.checked_mul(4).ok_or(std::io::ErrorKind::OutOfMemory)?;
        let is_huge = bytes >= HUGE_PAGE;
        let room = match is_huge {
            true => bytes.checked_next_multiple_of(HUGE_PAGE).and_then(|bytes| bytes.checked_add(HUGE_PAGE)),
            false => Some(bytes.max(1)),
        };
        let room = room.ok_or(std::io::ErrorKind::OutOfMemory)?;
        let map = MmapMut::map_anon(room)?;
        let mut skip = 0;
        if is_huge {
            skip = map.as_ptr().align_offset(HUGE_PAGE);
            // Without huge pages everything works, a little slower.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Ok(Memory { map, skip, len })
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        bytemuck::cast_slice(&self.map[self.skip..self.skip + 4 * self.len])
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.map[self.skip..self.skip + 4 * self.len])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zero_aligned_and_as_long_as_asked() {
        for len in [0, 1, 1000, 1 << 19, (1 << 19) + 1] {
            let mut memory = Memory::zeroed(len).unwrap();
            assert_eq!(memory.values().len(), len);
            assert!(memory.values().iter().all(|&v| v == 0.0));
            let alignment = if len >= 1 << 19 { HUGE_PAGE } else { 4096 };
            assert_eq!(memory.values_mut().as_ptr().align_offset(alignment), 0);
        }
        for len in [usize::MAX, usize::MAX / 4, 1 << 60] {
            assert!(Memory::zeroed(len).is_err(), "{len} values");
        }
    }
}
