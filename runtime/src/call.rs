//! Calls of generated code: the entry of a program, and one kernel for tests and benches.

use std::marker::PhantomData;

use crate::abi::{
    ARENA, Context, FEW_POINTERS, Kernel, POINTERS, SCRATCH, TENSORS, VERSION, WEIGHTS, WideKernel,
};
use crate::barrier::Barrier;
use crate::code::Code;
use crate::pool::Pool;
use crate::profile::Profile;
use crate::program::Program;

/// The memory of a session.
pub(crate) struct Own<'a> {
    /// Of at least the program's arena.
    pub(crate) arena: &'a mut [u8],
    /// Of at least the program's scratch memory for each worker.
    pub(crate) scratch: &'a mut [u8],
}

/// Room for the regions of all workers, kept from call to call.
#[derive(Debug)]
pub(crate) struct Regions {
    rows: Vec<*mut u8>,
    /// Bytes from one image to the next of each port.
    strides: Vec<usize>,
}

// SAFETY: the addresses are followed by `entry` alone, which gets them together with the borrows that they were made of.
unsafe impl Send for Regions {}
// SAFETY: as above.
unsafe impl Sync for Regions {}

impl Regions {
    /// Room for `ports` inputs and outputs together.
    pub(crate) fn new(ports: usize, workers: usize) -> Regions {
        Regions { rows: vec![std::ptr::null_mut(); workers * (TENSORS + ports)], strides: vec![0; ports] }
    }

    /// Begins a call.
    pub(crate) fn bind(&mut self) -> Bound<'_> {
        Bound { regions: self, ports: 0, borrowed: PhantomData }
    }
}

/// The caller's tensors of one call, input by input and then output by output.
pub(crate) struct Bound<'a> {
    regions: &'a mut Regions,
    ports: usize,
    borrowed: PhantomData<&'a mut [u8]>,
}

impl<'a> Bound<'a> {
    /// The next input: its images begin so many bytes apart.
    pub(crate) fn read(&mut self, images: &'a [u8], stride: usize) {
        // Generated code reads inputs only; one type of address keeps its table simple.
        self.put(images.as_ptr().cast_mut(), stride);
    }

    /// The next output.
    pub(crate) fn write(&mut self, images: &'a mut [u8], stride: usize) {
        self.put(images.as_mut_ptr(), stride);
    }

    fn put(&mut self, address: *mut u8, stride: usize) {
        self.regions.rows[TENSORS + self.ports] = address;
        self.regions.strides[self.ports] = stride;
        self.ports += 1;
    }
}

/// The context, for all workers at once.
struct Shared<'a>(&'a Context);

// SAFETY: workers read the context, and change their own row of its regions only; what these reach is split between them by
// the generated code, which separates by barriers what one writes and another reads.
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
    pub(crate) barrier: &'a Barrier,
    /// Where the time of each step is wanted.
    pub(crate) profile: Option<&'a mut Profile>,
}

/// Runs the program on `images` images, at least one, with all workers.
pub(crate) fn entry(
    program: &Program,
    tensors: Bound<'_>,
    own: Own<'_>,
    images: usize,
    workers: Workers<'_>,
) {
    let Workers { pool, barrier, mut profile } = workers;
    let regions = complete(program, tensors, own, pool.workers());
    let context = Context {
        version: VERSION,
        workers: pool.workers() as u32,
        images: images as u64,
        regions: regions.rows.as_mut_ptr(),
        strides: regions.strides.as_ptr(),
        wait,
        barrier,
        profile: profile.as_deref_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut),
    };
    let shared = Shared(&context);
    let entry = program.code.entry();
    pool.run(&|worker| {
        // SAFETY: the session compared all tensors with the signature and owns the arena; the model compared the CPU's
        // features; whoever made the `Code` vouched for what it touches. All of it outlives `Pool::run`.
        unsafe { entry(shared.context(), worker) }
    });
    // There is no barrier after the last step: it ends with the call.
    if let Some(profile) = profile.filter(|_| !program.metadata.steps.is_empty()) {
        profile.mark();
    }
}

/// The regions of all workers, one after the other.
fn complete<'a>(program: &Program, tensors: Bound<'a>, own: Own<'_>, workers: usize) -> &'a mut Regions {
    let Bound { regions, ports, .. } = tensors;
    assert_eq!(ports, regions.strides.len(), "a call has all of its tensors");
    let row = TENSORS + ports;
    // Generated code reads weights only.
    regions.rows[WEIGHTS] = program.weights.bytes().as_ptr().cast_mut();
    regions.rows[ARENA] = own.arena.as_mut_ptr();
    let scratch = own.scratch.as_mut_ptr();
    for worker in (0..workers).rev() {
        regions.rows.copy_within(..row, worker * row);
        regions.rows[worker * row + SCRATCH] = scratch.wrapping_add(worker * program.metadata.scratch_bytes);
    }
    regions
}

/// The barrier that generated code calls between steps.
extern "C" fn wait(context: *const Context, worker: u32) {
    // SAFETY: generated code passes on the context that `entry` above gave it, whose barrier and profile outlive the
    // call; the profile is null or touched by worker 0 alone.
    unsafe {
        (*(*context).barrier).wait();
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
/// If there is no such kernel or buffer, an offset lies outside its buffer, or there are more than [`POINTERS`] arguments.
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
    let [a, b, c, d, e, f, g, h] = pointers;
    if arguments.len() <= FEW_POINTERS {
        // SAFETY: whoever made the `Code` vouched that its kernels of so few pointers have this type.
        let kernel: Kernel = unsafe { std::mem::transmute(address) };
        // SAFETY: by this function's contract the kernel stays inside the buffers; `memory` is borrowed mutably, so that
        // nobody else is in them.
        unsafe { kernel(a, b, c, d, e, items) }
    } else {
        // SAFETY: as above, for kernels of more pointers.
        let kernel: WideKernel = unsafe { std::mem::transmute(address) };
        // SAFETY: as above.
        unsafe { kernel(a, b, c, d, e, items, f, g, h) }
    }
}
