//! Calls of generated code: the entry of a program, and one kernel for tests and benches.

use crate::abi::{Context, VERSION};
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
    let inputs: Vec<*const f32> = tensors.inputs.iter().map(|values| values.as_ptr()).collect();
    let outputs: Vec<*mut f32> = tensors.outputs.iter_mut().map(|values| values.as_mut_ptr()).collect();
    let context = Context {
        version: VERSION,
        workers: pool.workers() as u32,
        inputs: inputs.as_ptr(),
        outputs: outputs.as_ptr(),
        weights: program.weights.values().as_ptr(),
        arena: tensors.arena.as_mut_ptr(),
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
    if let Some(profile) = profile.filter(|_| !program.steps.is_empty()) {
        profile.mark();
    }
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
/// The kernel must take as many pointers as `arguments` has, at most 5, and must stay inside the buffers that they
/// point into.
///
/// # Panics
/// If there is no such kernel or buffer, an offset lies outside its buffer, or the number of arguments is not 1 to 5.
pub unsafe fn kernel(
    code: &Code,
    index: usize,
    memory: &mut [Vec<f32>],
    arguments: &[(usize, usize)],
    items: u64,
) {
    let address = code.kernel(index).expect("the caller names a kernel that exists").0;
    type P = *mut u8;
    let buffers: Vec<(P, usize)> =
        memory.iter_mut().map(|values| (values.as_mut_ptr().cast(), 4 * values.len())).collect();
    let pointer = |&(buffer, offset): &(usize, usize)| {
        let (begin, bytes) = buffers[buffer];
        assert!(offset <= bytes, "argument at byte {offset} of {bytes}");
        begin.wrapping_add(offset)
    };
    let pointers: Vec<P> = arguments.iter().map(pointer).collect();
    macro_rules! call {
        ($($ty:ident),+; $($index:literal),+) => {{
            // SAFETY: by this function's contract the kernel takes these arguments and stays inside the buffers.
            let kernel: unsafe extern "C" fn($($ty),+, u64) = unsafe { std::mem::transmute(address) };
            // SAFETY: as above; `memory` is borrowed mutably, so that nobody else is in the buffers.
            unsafe { kernel($(pointers[$index]),+, items) }
        }};
    }
    match pointers.len() {
        1 => call!(P; 0),
        2 => call!(P, P; 0, 1),
        3 => call!(P, P, P; 0, 1, 2),
        4 => call!(P, P, P, P; 0, 1, 2, 3),
        5 => call!(P, P, P, P, P; 0, 1, 2, 3, 4),
        other => panic!("a kernel takes 1 to 5 pointers, not {other}"),
    }
}
