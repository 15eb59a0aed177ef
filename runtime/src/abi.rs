//! The one struct that generated code and the runtime share.

/// Increased with every change of [`Context`].
pub const VERSION: u32 = 3;

/// The index of the packed weights among a worker's regions.
pub const WEIGHTS: usize = 0;
/// The index of the memory for tensors between the steps.
pub const ARENA: usize = 1;
/// The index of the memory that only this worker uses, and only within a step.
pub const SCRATCH: usize = 2;
/// The index of the first input; all other inputs and then the outputs follow.
pub const TENSORS: usize = 3;

/// What the entry gets. The compiler takes the offsets of its fields from this type.
#[repr(C)]
#[derive(Debug)]
pub struct Context {
    /// [`VERSION`].
    pub version: u32,
    /// Workers that run the entry at once; each has a number below this.
    pub workers: u32,
    /// Images that the entry computes, one after the other; at least 1.
    pub images: u64,
    /// The regions of worker 0: packed weights ([`WEIGHTS`]), memory for tensors between the steps ([`ARENA`]), the worker's
    /// own memory ([`SCRATCH`]), then the caller's inputs and outputs, each image dense, in the signature's order
    /// ([`TENSORS`]). Those of the next worker follow. A worker moves its inputs and outputs on from image to image.
    pub regions: *mut *mut u8,
    /// Bytes from one image to the next of each input and output, in the signature's order.
    pub strides: *const usize,
    /// Returns when all workers have called it; the second argument is the worker.
    pub wait: extern "C" fn(*const Context, u32),
    /// What it waits on; of no concern to generated code.
    pub barrier: *const crate::barrier::Barrier,
    /// Not null where the time of each step is wanted; of no concern to generated code.
    pub profile: *mut crate::profile::Profile,
}

/// A compiled model: every worker calls it once an inference, with the same context and its own number.
pub type Entry = unsafe extern "C" fn(*const Context, u32);

/// A kernel: it gets the addresses of its first items and how many items to compute. One that uses fewer addresses looks at
/// no others.
pub type Kernel = unsafe extern "C" fn(*mut u8, *mut u8, *mut u8, *mut u8, *mut u8, u64);

/// A kernel of more addresses than [`FEW_POINTERS`]: the rest stands behind the number of items.
pub type WideKernel =
    unsafe extern "C" fn(*mut u8, *mut u8, *mut u8, *mut u8, *mut u8, u64, *mut u8, *mut u8, *mut u8);

/// Addresses of a [`Kernel`]: as many as, with the number of items, travel in registers everywhere.
pub const FEW_POINTERS: usize = 5;

/// The most addresses that a kernel gets.
pub const POINTERS: usize = 8;
