//! What reading a file may cost: memory and work in proportion to its bytes, so that a small file can't ask for much.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

/// Bytes of memory that any file may take, however small.
const FLOOR_BYTES: u64 = 128 << 20;
/// Bytes of memory that each byte of a file allows beyond that.
const BYTES: u64 = 1;
/// Elements that may be read or written for any file, however small.
const FLOOR_WORK: u64 = 20_000_000;
/// Elements that each byte of a file allows beyond that: some passes over values of four bytes.
const WORK: u64 = 2;

/// The memory and the work that one file may take. Whatever is allocated or computed because the file says so is taken from
/// here first; nothing is given back, so that also what is dropped again is bounded.
#[derive(Debug, Default)]
pub struct Budget {
    /// Bytes of the file and of those that it names.
    file: AtomicU64,
    /// Bytes that were taken.
    bytes: AtomicU64,
    /// Elements that were taken.
    work: AtomicU64,
}

impl Budget {
    /// That of a file of `bytes`.
    pub fn of(bytes: u64) -> Budget {
        Budget { file: AtomicU64::new(bytes), ..Budget::default() }
    }

    /// Counts another file of `bytes`, which belongs to the first one: each is to be counted once.
    pub fn grow(&self, bytes: u64) {
        // The closure gives a value for each.
        let _ = self.file.fetch_update(Relaxed, Relaxed, |file| Some(file.saturating_add(bytes)));
    }

    /// Takes memory, before it is allocated.
    ///
    /// # Errors
    /// There is not as much left; from then on there is none.
    pub fn take_bytes(&self, bytes: usize) -> Result<(), Diagnostic> {
        let file = self.file.load(Relaxed);
        let most = FLOOR_BYTES.saturating_add(file.saturating_mul(BYTES));
        take(&self.bytes, bytes as u64, most).map_err(|left| {
            let message = format!("{bytes} bytes of memory are asked for where {left} of {most} are left");
            let rule = format!("{FLOOR_BYTES}, and {BYTES} for each of its own");
            Diagnostic::error(codes::LIMIT, message)
                .note(format!("a file of {file} bytes may take {most} bytes when it is read: {rule}"))
        })
    }

    /// Takes work, before it is done: so many elements are read or written.
    ///
    /// # Errors
    /// There is not as much left; from then on there is none.
    pub fn take_work(&self, elements: usize) -> Result<(), Diagnostic> {
        let file = self.file.load(Relaxed);
        let most = FLOOR_WORK.saturating_add(file.saturating_mul(WORK));
        take(&self.work, elements as u64, most).map_err(|left| {
            let message = format!("{elements} elements would be computed where {left} of {most} are left");
            let rule = format!("{FLOOR_WORK}, and {WORK} for each of its bytes");
            Diagnostic::error(codes::LIMIT, message)
                .note(format!("for a file of {file} bytes {most} elements are read and written: {rule}"))
        })
    }

    /// An empty list with room for `length` elements, whose memory is taken.
    ///
    /// # Errors
    /// There is not as much left here, or in the machine.
    pub fn list<T>(&self, length: usize) -> Result<Vec<T>, Diagnostic> {
        let bytes = length.saturating_mul(size_of::<T>());
        self.take_bytes(bytes)?;
        let mut list = Vec::new();
        list.try_reserve_exact(length).map_err(|_| {
            Diagnostic::error(codes::LIMIT, format!("the system has not {bytes} bytes of memory to give"))
        })?;
        Ok(list)
    }

    /// Whether more was asked for than there is.
    pub fn is_spent(&self) -> bool {
        [&self.bytes, &self.work].iter().any(|taken| taken.load(Relaxed) == u64::MAX)
    }
}

/// Adds `more` to what is `taken`.
///
/// # Errors
/// That would be more than `most`: how much was left. All is taken then.
fn take(taken: &AtomicU64, more: u64, most: u64) -> Result<(), u64> {
    let before = taken.fetch_update(Relaxed, Relaxed, |taken| {
        Some(taken.checked_add(more).filter(|&sum| sum <= most).unwrap_or(u64::MAX))
    });
    let (Ok(before) | Err(before)) = before;
    let left = most.saturating_sub(before);
    if more <= left { Ok(()) } else { Err(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_as_the_file_allows_and_nothing_behind_the_first_refusal() {
        let budget = Budget::of(1000);
        let most = usize::try_from(FLOOR_BYTES + 1000 * BYTES).unwrap();
        budget.take_bytes(most - 1).unwrap();
        budget.take_bytes(1).unwrap();
        assert!(!budget.is_spent());
        let fault = budget.take_bytes(2).unwrap_err();
        assert_eq!(fault.code, codes::LIMIT);
        assert!(
            fault.message.starts_with("2 bytes of memory are asked for where 0 of "),
            "{}",
            fault.message
        );
        assert!(fault.notes[0].contains("a file of 1000 bytes"), "{:?}", fault.notes);
        assert!(budget.is_spent());
        assert!(budget.take_bytes(1).is_err());
        budget.take_work(1).unwrap();
    }

    #[test]
    fn work_grows_with_the_files_that_belong_to_the_first() {
        let budget = Budget::of(0);
        budget.take_work(usize::try_from(FLOOR_WORK).unwrap()).unwrap();
        budget.grow(5);
        budget.take_work(usize::try_from(5 * WORK).unwrap()).unwrap();
        assert_eq!(budget.take_work(1).unwrap_err().code, codes::LIMIT);
    }

    #[test]
    fn lists_are_taken_before_they_are_allocated() {
        let budget = Budget::of(0);
        assert_eq!(budget.list::<u64>(16).unwrap().capacity(), 16);
        assert_eq!(budget.list::<u64>(usize::MAX).unwrap_err().code, codes::LIMIT);
        assert!(Budget::of(1 << 60).list::<u8>(1 << 59).unwrap_err().message.contains("system"));
    }
}
