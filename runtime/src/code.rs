//! Executable code and the owner that keeps it.

use std::any::Any;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use memmap2::MmapOptions;

use crate::abi::Entry;
use crate::error::Refusal;

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

    /// Code that is executed where it lies: bytes `code` of `file`, mapped to be read and executed and never written. The
    /// entry is at byte `entry` of them. Its kernels can't be called one by one.
    ///
    /// # Errors
    /// The system does not map the file so.
    ///
    /// # Panics
    /// If the entry lies outside of the code.
    ///
    /// # Safety
    /// The bytes must be position-independent code for this CPU whose entry is as [`Code::new`] says, and must not change for
    /// as long as any clone of the result lives.
    pub unsafe fn mapped(file: &File, code: Range<usize>, entry: usize) -> Result<Code, Refusal> {
        assert!(entry < code.len(), "the entry lies inside of the code");
        // SAFETY: by this function's contract the bytes stay what they are.
        let map = unsafe { MmapOptions::new().offset(code.start as u64).len(code.len()).map_exec(file) };
        let what = || "to execute code of this file".to_owned();
        let map = map.map_err(|reason| Refusal { what: what(), reason })?;
        let entry = map.as_ptr().wrapping_add(entry);
        // SAFETY: by this function's contract there is a function of this type; the map is the owner that keeps it.
        Ok(unsafe { Code::new(std::mem::transmute::<*const u8, Entry>(entry), Vec::new(), Arc::new(map)) })
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

/// A program whose code is written here, for tests of what runs programs.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::abi::{ARENA, Context, SCRATCH, TENSORS, WEIGHTS};
    use crate::memory::Memory;
    use crate::port::Port;
    use crate::program::{Metadata, Program, Step, Target};

    /// Elements of the input and of the output.
    pub(crate) const LENGTH: usize = 5;

    /// Adds the weight to each element of the input, into the worker's scratch memory and from there into the arena, and
    /// then writes the arena's elements in reverse: each worker reads what another one wrote.
    unsafe extern "C" fn add_and_reverse(context: *const Context, worker: u32) {
        // SAFETY: `program` below states the memory that is touched here; a worker writes its own elements only.
        unsafe {
            let (own, workers) = (worker as usize, (*context).workers as usize);
            let region = |index: usize| (*context).regions.add(own * (TENSORS + 2) + index);
            let values = |index: usize| (*region(index)).cast::<f32>();
            let (arena, scratch) = (values(ARENA), values(SCRATCH));
            let share = LENGTH * own / workers..LENGTH * (own + 1) / workers;
            for image in 0..(*context).images {
                if image > 0 {
                    ((*context).wait)(context, worker);
                    for port in 0..2 {
                        let moved = region(TENSORS + port);
                        *moved = (*moved).add(*(*context).strides.add(port));
                    }
                }
                for index in share.clone() {
                    *scratch.add(index) = *values(TENSORS).add(index) + *values(WEIGHTS);
                }
                ((*context).wait)(context, worker);
                for index in share.clone() {
                    *arena.add(index) = *scratch.add(index);
                }
                ((*context).wait)(context, worker);
                for index in share.clone() {
                    *values(TENSORS + 1).add(index) = *arena.add(LENGTH - 1 - index);
                }
            }
        }
    }

    /// The program of [`add_and_reverse`], with `weight`, for CPUs with `features`.
    pub(crate) fn program(weight: f32, features: Vec<&'static str>) -> Program {
        let port = |name: &str| Port::new(name, &[LENGTH]);
        let features = features.into_iter().map(str::to_owned).collect();
        let mut weights = Memory::zeroed(4).unwrap();
        weights.bytes_mut().copy_from_slice(&weight.to_ne_bytes());
        let step = |node: &str| Step {
            node: node.into(),
            block: node.into(),
            sources: vec![node.into()],
            kernels: Vec::new(),
            macs: 0,
            bytes: 0,
            predicted_ms: [0.0; 2],
        };
        Program {
            metadata: Metadata {
                name: "reverse".into(),
                inputs: vec![port("x")],
                outputs: vec![port("y")],
                steps: vec![step("add"), step("keep"), step("turn")],
                arena_bytes: 4 * LENGTH,
                scratch_bytes: 4 * LENGTH,
                target: Target { features, ..Target::default() },
                ..Metadata::default()
            },
            weights: weights.into(),
            // SAFETY: a function of this very crate needs no owner, and touches what the program states.
            code: unsafe { Code::new(add_and_reverse, Vec::new(), Arc::new(())) },
        }
    }
}
