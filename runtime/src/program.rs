//! What the compiler hands over.

use crate::code::Code;
use crate::memory::Memory;

/// A tensor at the border.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Border {
    /// Name in the source.
    pub name: String,
    /// Shape of one image, dense, last axis fastest.
    pub shape: Vec<usize>,
}

impl Border {
    /// Elements of one image.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A step of the program, for reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The optimised graph's node.
    pub node: String,
    /// The last node of the block that it belongs to; the node itself where it is in none.
    pub block: String,
    /// The source layers that it computes.
    pub sources: Vec<String>,
    /// Its kernels by name, in order.
    pub kernels: Vec<String>,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Bytes of the tensors that it reads and writes beyond itself, and of its weights.
    pub bytes: u64,
    /// Predicted milliseconds with 1 and with 2 workers.
    pub predicted_ms: [f64; 2],
}

/// A compiled network.
#[derive(Debug)]
pub struct Program {
    /// The model's name.
    pub name: String,
    /// Inputs in order.
    pub inputs: Vec<Border>,
    /// Outputs in order.
    pub outputs: Vec<Border>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Packed weights.
    pub weights: Memory,
    /// Bytes of memory between the steps.
    pub arena_bytes: usize,
    /// Bytes of memory of each worker, within a step.
    pub scratch_bytes: usize,
    /// CPU features that the code uses, by the names of [`crate::cpu`].
    pub features: Vec<&'static str>,
    /// The code.
    pub code: Code,
}
