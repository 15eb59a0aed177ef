//! The end of memory as an error of the command: what can't ask before it allocates would otherwise abort the process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use frit_ir::diagnostic::codes;
use frit_ir::memory;

/// The system's allocator. Where it has no memory and nobody asked whether it has, the command says so and ends with 1.
pub(crate) struct Allocator;

/// Whether diagnostics are written for scripts.
static JSON: AtomicBool = AtomicBool::new(false);

/// Diagnostics are written for scripts from now on.
pub(crate) fn tell_in_json() {
    JSON.store(true, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came, and what that returns goes back; nothing unwinds.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by this function's contract.
        given(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: by this function's contract, and all memory is the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by this function's contract.
        given(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by this function's contract, and all memory is the system allocator's.
        given(unsafe { System.realloc(pointer, layout, size) }, size)
    }
}

/// `pointer`, which is null only where somebody asked.
fn given(pointer: *mut u8, bytes: usize) -> *mut u8 {
    if pointer.is_null() && !memory::is_asked_for() {
        refused(bytes);
    }
    pointer
}

/// Says that there is no memory, which takes none, and ends.
#[cold]
fn refused(bytes: usize) -> ! {
    let (code, mut stderr) = (codes::SYSTEM_REFUSES, std::io::stderr());
    // Where stderr is closed there is nobody to tell.
    let _ = if JSON.load(Ordering::Relaxed) {
        writeln!(
            stderr,
            r#"{{"code":"{code}","severity":"error","message":"the system refuses {bytes} bytes of memory","layers":[],"shapes":[],"help":[]}}"#
        )
    } else {
        writeln!(stderr, "error[{code}]: the system refuses {bytes} bytes of memory")
    };
    std::process::exit(1)
}
