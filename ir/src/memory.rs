//! Memory whose size a file or a caller decides: asked for, and never taken for granted.

use std::cell::Cell;

use crate::diagnostic::{Diagnostic, codes};

thread_local! {
    static ASKED_FOR: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is asking for memory and takes no for an answer: an allocator that ends the process for want of memory
/// returns null then.
pub fn is_asked_for() -> bool {
    ASKED_FOR.get()
}

/// An empty vector that holds `count` values without growing; `what` says what they are for.
///
/// # Errors
/// The system has no memory for them.
pub fn reserved<T>(count: usize, what: &str) -> Result<Vec<T>, Diagnostic> {
    let mut values = Vec::new();
    let before = ASKED_FOR.replace(true);
    let reserved = values.try_reserve_exact(count);
    ASKED_FOR.set(before);
    match reserved {
        Ok(()) => Ok(values),
        Err(_) => Err(refused(count, size_of::<T>(), what)),
    }
}

/// Whether the system has memory for `count` values of `T` now, for what can't ask before it allocates.
///
/// # Errors
/// It has none.
pub fn room<T>(count: usize, what: &str) -> Result<(), Diagnostic> {
    reserved::<T>(count, what).map(drop)
}

fn refused(count: usize, size: usize, what: &str) -> Diagnostic {
    let bytes = count as u128 * size as u128;
    Diagnostic::error(codes::SYSTEM_REFUSES, format!("the system refuses {bytes} bytes of memory for {what}"))
        .help("raise the limit of memory, or ask for less")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_there_and_what_can_not_be_is_refused() {
        assert!(reserved::<f32>(1000, "the input").unwrap().capacity() >= 1000);
        for count in [usize::MAX, usize::MAX / 4, usize::MAX / 64] {
            let fault = room::<f32>(count, "the input").unwrap_err();
            assert_eq!(fault.code, codes::SYSTEM_REFUSES);
            assert!(fault.message.ends_with("bytes of memory for the input"), "{}", fault.message);
        }
    }
}
