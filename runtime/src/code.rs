//! Executable code and the owner that keeps it.

use std::any::Any;
use std::sync::Arc;

use crate::abi::Entry;

/// A kernel's address; how many arguments it takes is known to whoever compiled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) *const u8);

/// The code of one program.
#[derive(Clone)]
pub struct Code {
    entry: Entry,
    kernels: Vec<Address>,
    /// Frees the code's memory when the last clone goes.
    _owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: the addresses are of immutable code that the owner keeps; the owner itself is Send and Sync.
unsafe impl Send for Code {}
// SAFETY: as above.
unsafe impl Sync for Code {}

impl Code {
    /// Takes over finalised code.
    ///
    /// # Safety
    /// `entry` and `kernels` must be functions of the conventions in [`crate::abi`] and [`crate::call`], executable for as
    /// long as `owner` lives, and must touch no memory but what their arguments give them.
    pub unsafe fn new(entry: Entry, kernels: Vec<*const u8>, owner: Arc<dyn Any + Send + Sync>) -> Code {
        Code { entry, kernels: kernels.into_iter().map(Address).collect(), _owner: owner }
    }

    pub(crate) fn entry(&self) -> Entry {
        self.entry
    }

    pub(crate) fn kernel(&self, index: usize) -> Option<Address> {
        self.kernels.get(index).copied()
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("kernels", &self.kernels.len()).finish_non_exhaustive()
    }
}
