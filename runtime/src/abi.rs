//! The one struct that generated code and the runtime share.

/// Increased with every change of [`Context`].
pub const VERSION: u32 = 1;

/// What the entry gets. The compiler takes the offsets of its fields from this type.
#[repr(C)]
#[derive(Debug)]
pub struct Context {
    /// [`VERSION`].
    pub version: u32,
    /// Workers that run the entry at once; each has a number below this.
    pub workers: u32,
    /// The caller's inputs, dense, in the signature's order.
    pub inputs: *const *const f32,
    /// The caller's outputs, dense, in the signature's order.
    pub outputs: *const *mut f32,
    /// The packed weights.
    pub weights: *const f32,
    /// Memory for tensors between the steps.
    pub arena: *mut f32,
    /// Returns when all workers have called it; the second argument is the worker.
    pub barrier: extern "C" fn(*const Context, u32),
    /// What the barrier waits on; of no concern to generated code.
    pub meeting: *const crate::gate::Meeting,
    /// Not null where the time of each step is wanted; of no concern to generated code.
    pub profile: *mut crate::profile::Profile,
}

/// A compiled model: every worker calls it once an inference, with the same context and its own number.
pub type Entry = unsafe extern "C" fn(*const Context, u32);
