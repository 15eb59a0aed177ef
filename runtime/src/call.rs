//! Calls of generated code: the entry of a program, and one kernel for tests and benches.

use crate::abi::{ARENA, Context, Kernel, POINTERS, SCRATCH, TENSORS, VERSION, WEIGHTS};
use crate::code::Code;
use crate::gate::Meeting;
use crate::pool::Pool;
use crate::profile::Profile;
use crate::program::Program;

/// The memory of one call: one image.
pub(crate) struct Tensors<'a> {
    /// Of the lengths of the program's inputs.
    pub(crate) inputs: &'a [&'a [f32]],
    /// Of the lengths of the program's outputs.
    pub(crate) outputs: &'a mut [&'a mut [f32]],
    /// Of at least the program's arena.
    pub(crate) arena: &'a mut [f32],
    /// Of at least the program's scratch memory for each worker.
    pub(crate) scratch: &'a mut [f32],
}

/// The context, for all workers at once.
struct Shared<'a>(&'a Context);

// SAFETY: workers read the context only; what its pointers reach is split between them by the generated code, which
// separates by barriers what one writes and another reads.
unsafe impl Sync for Shared<'_> {}

impl Shared<'_> {
    fn context(&self) -> *const Context {
        self.0
    }
}

/// The workers of one call, and what they note.
pub(crate) struct Workers<'a> {
    pub(crate) pool: &'a mut Pool,
    /// For as many workers as the pool has.
    pub(crate) meeting: &'a Meeting,
    /// Where the time of each step is wanted.
    pub(crate) profile: Option<&'a mut Profile>,
}

/// Runs the program on one image with all workers.
pub(crate) fn entry(program: &Program, tensors: Tensors<'_>, workers: Workers<'_>) {
    let Workers { pool, meeting, mut profile } = workers;
    let regions = regions(program, tensors, pool.workers());
    let context = Context {
        version: VERSION,
        workers: pool.workers() as u32,
        regions: regions.as_ptr(),
        barrier: meet,
        meeting,
        profile: profile.as_deref_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut),
    };
    let shared = Shared(&context);
    let entry = program.code.entry();
    pool.run(&|worker| {
        // SAFETY: the session compared all lengths with the signature and owns the arena; the model compared the CPU's
        // features; whoever made the `Code` vouched for what it touches. All of it outlives `Pool::run`.
        unsafe { entry(shared.context(), worker) }
    });
    // There is no barrier after the last step: it ends with the call.
    if let Some(profile) = profile.filter(|_| !program.metadata.steps.is_empty()) {
        profile.mark();
    }
}

/// The regions of all workers, one after the other.
fn regions(program: &Program, tensors: Tensors<'_>, workers: usize) -> Vec<*mut u8> {
    let Tensors { inputs, outputs, arena, scratch } = tensors;
    let mut row: Vec<*mut u8> = vec![std::ptr::null_mut(); TENSORS];
    // Generated code reads weights and inputs only; one type of address keeps its table simple.
    row[WEIGHTS] = program.weights.values().as_ptr().cast_mut().cast();
    row[ARENA] = arena.as_mut_ptr().cast();
    row.extend(inputs.iter().map(|values| values.as_ptr().cast_mut().cast::<u8>()));
    row.extend(outputs.iter_mut().map(|values| values.as_mut_ptr().cast::<u8>()));
    let scratch: *mut u8 = scratch.as_mut_ptr().cast();
    let mut regions = Vec::with_capacity(workers * row.len());
    for worker in 0..workers {
        row[SCRATCH] = scratch.wrapping_add(worker * program.metadata.scratch_bytes);
        regions.extend_from_slice(&row);
    }
    regions
}

/// The barrier that generated code calls between steps.
extern "C" fn meet(context: *const Context, worker: u32) {
    // SAFETY: generated code passes on the context that `entry` above gave it, whose meeting and profile outlive the
    // call; the profile is null or touched by worker 0 alone.
    unsafe {
        (*(*context).meeting).wait();
        if worker == 0
            && let Some(profile) = (*context).profile.as_mut()
        {
            profile.mark();
        }
    }
}

/// Calls kernel `index` of `code` with pointers into `memory` (buffer, byte offset) and `items`.
///
/// # Safety
/// The kernel must use no more pointers than `arguments` has, and must stay inside the buffers that they point into.
///
/// # Panics
/// If there is no such kernel or buffer, an offset lies outside its buffer, or there are more than 5 arguments.
pub unsafe fn kernel(
    code: &Code,
    index: usize,
    memory: &mut [Vec<f32>],
    arguments: &[(usize, usize)],
    items: u64,
) {
    let address = code.kernel(index).expect("the caller names a kernel that exists").0;
    let buffers: Vec<(*mut u8, usize)> =
        memory.iter_mut().map(|values| (values.as_mut_ptr().cast(), 4 * values.len())).collect();
    assert!(
        arguments.len() <= POINTERS,
        "a kernel takes at most {POINTERS} pointers, not {}",
        arguments.len()
    );
    let mut pointers = [std::ptr::null_mut::<u8>(); POINTERS];
    for (pointer, &(buffer, offset)) in pointers.iter_mut().zip(arguments) {
        let (begin, bytes) = buffers[buffer];
        assert!(offset <= bytes, "argument at byte {offset} of {bytes}");
        *pointer = begin.wrapping_add(offset);
    }
    let [a, b, c, d, e] = pointers;
    // SAFETY: whoever made the `Code` vouched that its kernels have this type.
    let kernel: Kernel = unsafe { std::mem::transmute(address) };
    // SAFETY: by this function's contract the kernel stays inside the buffers; `memory` is borrowed mutably, so that
    // nobody else is in them.
    unsafe { kernel(a, b, c, d, e, items) }
}
