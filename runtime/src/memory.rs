//! Zeroed memory on huge pages where the system gives them.

use std::io::ErrorKind;

/// What holds the bytes.
#[cfg(not(feature = "heap"))]
type Backing = memmap2::MmapMut;
/// What holds the bytes: a block of the heap, of as many 32 bytes as they need, since valgrind sees where such a block ends.
#[cfg(feature = "heap")]
type Backing = Vec<std::arch::x86_64::__m256>;

use crate::error::Refusal;

/// A huge page of x86-64; memory smaller than this is left on ordinary pages.
#[cfg(not(feature = "heap"))]
const HUGE_PAGE: usize = 2 << 20;

/// Owned bytes, aligned to a page, or to a huge page where they fill one.
#[derive(Debug)]
pub struct Memory {
    block: Backing,
    /// Bytes before the first that is used.
    skip: usize,
    len: usize,
}

impl Memory {
    /// `len` zeros.
    ///
    /// # Errors
    /// The system has not that much memory.
    pub fn zeroed(len: usize) -> Result<Memory, Refusal> {
        let (block, skip) = block(len).map_err(|reason| refusal(len, reason))?;
        Ok(Memory { block, skip, len })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        let bytes: &[u8] = bytemuck::cast_slice(&self.block[..]);
        &bytes[self.skip..self.skip + self.len]
    }

    /// The bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.block[..]);
        &mut bytes[self.skip..self.skip + self.len]
    }
}

/// A block with room for so many bytes, and how many of it to skip.
#[cfg(not(feature = "heap"))]
fn block(bytes: usize) -> std::io::Result<(Backing, usize)> {
    let is_huge = bytes >= HUGE_PAGE;
    let room = match is_huge {
        true => bytes.checked_next_multiple_of(HUGE_PAGE).and_then(|room| room.checked_add(HUGE_PAGE)),
        false => Some(bytes.max(1)),
    };
    let map = Backing::map_anon(room.ok_or(ErrorKind::OutOfMemory)?)?;
    let mut skip = 0;
    if is_huge {
        skip = map.as_ptr().align_offset(HUGE_PAGE);
        // Without huge pages everything works, a little slower.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
    }
    Ok((map, skip))
}

#[cfg(feature = "heap")]
fn block(bytes: usize) -> std::io::Result<(Backing, usize)> {
    let lines = bytes.div_ceil(size_of::<std::arch::x86_64::__m256>());
    let block = bytemuck::allocation::try_zeroed_vec(lines).map_err(|()| ErrorKind::OutOfMemory)?;
    Ok((block, 0))
}

fn refusal(len: usize, reason: std::io::Error) -> Refusal {
    Refusal { what: format!("{len} bytes of memory"), reason }
}

#[cfg(all(test, not(feature = "heap")))]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zero_aligned_and_as_long_as_asked() {
        for len in [0, 1, 1000, HUGE_PAGE, HUGE_PAGE + 1] {
            let mut memory = Memory::zeroed(len).unwrap();
            assert_eq!(memory.bytes().len(), len);
            assert!(memory.bytes().iter().all(|&byte| byte == 0));
            let alignment = if len >= HUGE_PAGE { HUGE_PAGE } else { 4096 };
            assert_eq!(memory.bytes_mut().as_ptr().align_offset(alignment), 0);
        }
    }

    #[test]
    fn more_than_there_can_be_is_refused() {
        for len in [usize::MAX, usize::MAX / 2, 1 << 62] {
            let refusal = Memory::zeroed(len).unwrap_err().to_string();
            assert!(refusal.contains(&format!("{len} bytes of memory")), "{refusal}");
        }
    }
}
