//! The ops. Each has a page with its attributes, validation, shape rule, reference evaluation and cost.

pub mod activation;
pub mod batch_norm;
pub mod binary;
pub mod conv2d;
pub mod dense;
pub mod epilogue;
pub mod global_pool;
pub mod input;
pub mod pad;
pub mod reshape;
pub mod scalar;
pub mod softmax;
pub mod squeeze_excite;

pub use activation::Activation;
pub use batch_norm::BatchNorm;
pub use binary::Binary;
pub use conv2d::{Conv2d, Padding};
pub use dense::Dense;
pub use epilogue::Epilogue;
pub use global_pool::GlobalAveragePool;
pub use input::Input;
pub use reshape::Reshape;
pub use scalar::Scalar;
pub use softmax::Softmax;
pub use squeeze_excite::SqueezeExcite;

use crate::diagnostic::Diagnostic;
use crate::tensor::Shape;

/// What a node computes. Attributes are hashed and compared exactly, so that an e-graph can hold an op as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// What the caller hands in.
    Input(Input),
    /// A convolution with whatever was fused into it.
    Conv2d(Conv2d),
    /// Batch normalisation with the statistics of training.
    BatchNorm(BatchNorm),
    /// A function of each element.
    Activation(Activation),
    /// Two tensors, element by element.
    Binary(Binary),
    /// Zeros around a map.
    Pad(Padding),
    /// The mean of each channel over the map.
    GlobalAveragePool(GlobalAveragePool),
    /// A fully connected layer with whatever was fused into it.
    Dense(Dense),
    /// Exponentials along the last axis that add up to one.
    Softmax(Softmax),
    /// The same elements in another shape.
    Reshape(Reshape),
    /// A gate for each channel, made of the means of all.
    SqueezeExcite(SqueezeExcite),
}

/// The part that a weight plays, and the shape that the op wants for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightRole {
    /// `kernel`, `bias`, `gamma`, `beta`, `mean` or `variance`, behind the layer's name where an op has several: the last
    /// part of the weight's name.
    pub role: &'static str,
    /// The shape that the op needs.
    pub shape: Shape,
}

impl Op {
    /// The op's name in the textual form and in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Input(_) => "input",
            Op::Conv2d(_) => "conv2d",
            Op::BatchNorm(_) => "batch_norm",
            Op::Activation(activation) => activation.name(),
            Op::Binary(binary) => binary.name(),
            Op::Pad(_) => "pad",
            Op::GlobalAveragePool(_) => "global_avg_pool",
            Op::Dense(_) => "dense",
            Op::Softmax(_) => "softmax",
            Op::Reshape(_) => "reshape",
            Op::SqueezeExcite(_) => "squeeze_excite",
        }
    }

    /// Number of operands (tensors, not weights).
    pub fn arity(&self) -> usize {
        match self {
            Op::Input(_) => 0,
            Op::Binary(_) => 2,
            _ => 1 + usize::from(self.gate().is_some()) + usize::from(self.residual().is_some()),
        }
    }

    /// Which operand is a gate that the first one's channels are multiplied by, where one was fused.
    pub fn gate(&self) -> Option<usize> {
        matches!(self, Op::Conv2d(conv) if conv.gate).then_some(1)
    }

    /// Which operand is added to the sum, where one was fused.
    pub fn residual(&self) -> Option<usize> {
        let adds = self.epilogue().is_some_and(|epilogue| epilogue.residual);
        adds.then(|| 1 + usize::from(self.gate().is_some()))
    }

    /// The shape of the result.
    ///
    /// Binary ops return the first operand's shape whatever the second is: a join of two shapes is legality's concern.
    ///
    /// # Errors
    /// An attribute that makes no sense, an operand that the op can't take, a result of no or too many elements; the
    /// caller adds the layer's name.
    pub fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        match self {
            Op::Input(input) => input.shape_rule(),
            Op::Conv2d(conv) => conv.shape_rule(operands),
            Op::BatchNorm(_) | Op::Activation(_) | Op::Binary(_) | Op::Softmax(_) => Ok(operands[0].clone()),
            Op::Pad(padding) => pad::shape_rule(padding, operands),
            Op::GlobalAveragePool(pool) => pool.shape_rule(operands),
            Op::Dense(dense) => dense.shape_rule(operands),
            Op::Reshape(reshape) => reshape.shape_rule(operands),
            Op::SqueezeExcite(squeeze) => squeeze.shape_rule(operands),
        }
    }

    /// The weights that the op needs for these operands, in order.
    pub fn weight_roles(&self, operands: &[Shape]) -> Vec<WeightRole> {
        match self {
            Op::Conv2d(conv) => conv.weight_roles(operands),
            Op::BatchNorm(norm) => norm.weight_roles(operands),
            Op::Dense(dense) => dense.weight_roles(operands),
            Op::SqueezeExcite(squeeze) => squeeze.weight_roles(operands),
            _ => Vec::new(),
        }
    }

    /// Multiply-accumulates of one image: convolutions and dense layers count, also those inside another op; nothing else does.
    pub fn macs(&self, operands: &[Shape], result: &Shape) -> u64 {
        match self {
            Op::Conv2d(conv) => conv.macs(operands, result),
            Op::Dense(dense) => dense.macs(operands, result),
            Op::SqueezeExcite(squeeze) => squeeze.macs(operands),
            _ => 0,
        }
    }

    /// The names of what it took in of other layers, in order, as reports show them.
    pub fn parts(&self) -> Vec<&'static str> {
        let gate = self.gate().map(|_| "mul");
        let behind = match self {
            Op::SqueezeExcite(squeeze) => squeeze.parts(),
            _ => self.epilogue().map(Epilogue::parts).unwrap_or_default(),
        };
        gate.into_iter().chain(behind).collect()
    }

    /// What was fused behind the op's sum, where it is an op that can carry something.
    pub fn epilogue(&self) -> Option<&Epilogue> {
        match self {
            Op::Conv2d(conv) => Some(&conv.epilogue),
            Op::Dense(dense) => Some(&dense.epilogue),
            _ => None,
        }
    }
}

/// `shape`, or the fault that it has no elements or too many.
fn sized(shape: Shape) -> Result<Shape, Diagnostic> {
    match shape.elements() {
        Some(_) => Ok(shape),
        None => Err(Diagnostic::error(
            crate::diagnostic::codes::TENSOR_SIZE,
            format!("a tensor of {shape} has no elements or more than 2^40"),
        )),
    }
}
