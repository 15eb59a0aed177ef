//! What runs, in which order, on which memory: the value between the schedule and the code.

pub mod interpret;

use crate::vector::Program;

/// Where a pointer argument of a kernel begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Region {
    /// The caller's input `index`, dense NHWC without the batch.
    Input(usize),
    /// The caller's output `index`, dense NHWC without the batch.
    Output(usize),
    /// The session's arena of intermediate tensors.
    Arena,
    /// The packed weights.
    Weights,
}

/// One pointer argument of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    /// The memory that it points into.
    pub region: Region,
    /// Bytes from the region's begin to where item 0 begins.
    pub offset: usize,
    /// Bytes from one item to the next (0: all items share it).
    pub stride: usize,
}

/// One call of a kernel, its items split over the workers: worker `w` of `n` takes items
/// `items * w / n .. items * (w + 1) / n`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Index into [`Plan::kernels`].
    pub kernel: usize,
    /// One for each of the kernel's pointer parameters.
    pub arguments: Vec<Argument>,
    /// How many items there are in all; at least 1.
    pub items: usize,
}

/// Calls that may run in any order and at once; the workers meet at a barrier after them.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The optimised graph's node, by name.
    pub node: String,
    /// Source layers that this step computes, in graph order.
    pub sources: Vec<String>,
    /// Multiply-accumulates of the step.
    pub macs: u64,
    /// The calls.
    pub calls: Vec<Call>,
}

/// A named tensor at the border: its place in the caller's list is its index in [`Plan::inputs`] or [`Plan::outputs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Border {
    /// Name in the source.
    pub name: String,
    /// Shape without the batch, dense, last axis fastest.
    pub shape: Vec<usize>,
}

/// Everything that code generation needs, and nothing else.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The model's name.
    pub name: String,
    /// Inputs in order.
    pub inputs: Vec<Border>,
    /// Outputs in order.
    pub outputs: Vec<Border>,
    /// Distinct kernels, in the order of their first call.
    pub kernels: Vec<Program>,
    /// Steps in execution order.
    pub steps: Vec<Step>,
    /// Packed weights, in the order in which kernels read them.
    pub weights: Vec<f32>,
    /// Bytes of the arena, a multiple of 64.
    pub arena_bytes: usize,
}
