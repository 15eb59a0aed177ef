//! What the compiler hands over.

use crate::code::Code;
use crate::port::Port;
use crate::weights::Weights;

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

/// How a block goes through the caches, for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockWay {
    /// Its layers by the names of the optimised graph's nodes, in order.
    pub layers: Vec<String>,
    /// The way that it takes, by its name on the command line.
    pub way: String,
}

/// What the code was compiled for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// The level of instruction sets, by its name on the command line.
    pub level: String,
    /// The lowering, by its name on the command line.
    pub lowering: String,
    /// f32 values of one vector.
    pub lanes: usize,
    /// CPU features that the code uses, by the names of [`crate::cpu`]; the architecture is among them.
    pub features: Vec<String>,
}

/// How a picture becomes the input of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocess {
    /// Whether the picture is first cropped to its centre square.
    pub crop_center_square: bool,
    /// Whether it is resized by a bicubic filter (else bilinear).
    pub bicubic: bool,
    /// The interval onto which 0..=255 is mapped.
    pub range: [f32; 2],
    /// Subtracted from each channel after that.
    pub mean: [f32; 3],
    /// Divides each channel after that.
    pub std: [f32; 3],
}

/// What the source says beyond what is computed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Source {
    /// Where the weights came from, in words.
    pub weights: String,
    /// Multiply-accumulates of one image, by the source.
    pub macs: u64,
    /// How pictures become inputs.
    pub preprocess: Option<Preprocess>,
    /// Names of the classes, by index.
    pub labels: Option<Vec<String>>,
    /// Whether the last output adds up to one because a softmax made it.
    pub gives_probabilities: bool,
}

/// All that is known of a program beside its code and its weights.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    /// The model's name.
    pub name: String,
    /// What compiled it, with its version.
    pub producer: String,
    /// What the source says.
    pub source: Source,
    /// What it was compiled for.
    pub target: Target,
    /// Whether layers were fused.
    pub fused: bool,
    /// Inputs in order.
    pub inputs: Vec<Port>,
    /// Outputs in order.
    pub outputs: Vec<Port>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Blocks in order.
    pub blocks: Vec<BlockWay>,
    /// Bytes of memory between the steps.
    pub arena_bytes: usize,
    /// Bytes of memory of each worker, within a step.
    pub scratch_bytes: usize,
    /// The byte behind the last that the program touches of each region of [`crate::abi::Context`], by the compiler's proof.
    pub reach: Vec<usize>,
}

/// A compiled network.
#[derive(Debug)]
pub struct Program {
    /// What is known of it.
    pub metadata: Metadata,
    /// Packed weights.
    pub weights: Weights,
    /// The code.
    pub code: Code,
}
