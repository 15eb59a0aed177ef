//! The ops. Each has a page with its attributes, validation, shape rule, reference evaluation and cost.

pub mod activation;
pub mod arg_max;
pub mod batch_norm;
pub mod binary;
pub mod concat;
pub mod constant;
pub mod conv2d;
pub mod conv2d_transpose;
pub mod dense;
pub mod epilogue;
pub mod global_pool;
pub mod input;
pub mod pad;
pub mod pool;
pub mod prelu;
pub mod reduce;
pub mod reshape;
pub mod resize;
pub mod scalar;
pub mod slice;
pub mod softmax;
pub mod squeeze_excite;
pub mod transpose;

pub use activation::Activation;
pub use arg_max::ArgMax;
pub use batch_norm::BatchNorm;
pub use binary::Binary;
pub use concat::Concat;
pub use constant::Constant;
pub use conv2d::{Conv2d, Padding};
pub use conv2d_transpose::Conv2dTranspose;
pub use dense::Dense;
pub use epilogue::Epilogue;
pub use global_pool::GlobalAveragePool;
pub use input::Input;
pub use pad::Pad;
pub use pool::{Pool, PoolKind};
pub use prelu::Prelu;
pub use reduce::{Reduce, ReduceKind};
pub use reshape::Reshape;
pub use resize::{Coordinates, Interpolation, Resize, Rounding};
pub use scalar::Scalar;
pub use slice::{Slice, Span};
pub use softmax::Softmax;
pub use squeeze_excite::SqueezeExcite;
pub use transpose::Transpose;

use smallvec::SmallVec;

use crate::diagnostic::{Diagnostic, codes};
use crate::element::Element;
use crate::tensor::{Shape, Type};

/// What a node computes. Attributes are hashed and compared exactly, so that an e-graph can hold an op as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// What the caller hands in.
    Input(Input),
    /// A weight as a tensor.
    Constant(Constant),
    /// A convolution with whatever was fused into it.
    Conv2d(Conv2d),
    /// A transposed convolution.
    Conv2dTranspose(Conv2dTranspose),
    /// Batch normalisation with the statistics of training.
    BatchNorm(BatchNorm),
    /// A function of each element.
    Activation(Activation),
    /// A leaky ReLU with learnt slopes.
    Prelu(Prelu),
    /// Two tensors, element by element.
    Binary(Binary),
    /// One value around a map.
    Pad(Pad),
    /// The largest or mean element of each window.
    Pool(Pool),
    /// The mean of each channel over the map.
    GlobalAveragePool(GlobalAveragePool),
    /// One number out of all elements along some axes.
    Reduce(Reduce),
    /// A map at another resolution.
    Resize(Resize),
    /// A fully connected layer with whatever was fused into it.
    Dense(Dense),
    /// Exponentials along the last axis that add up to one, or their logarithms.
    Softmax(Softmax),
    /// The index of the largest element along the last axis.
    ArgMax(ArgMax),
    /// Tensors one behind the other.
    Concat(Concat),
    /// A part of a tensor.
    Slice(Slice),
    /// The axes in another order.
    Transpose(Transpose),
    /// The same elements in another shape.
    Reshape(Reshape),
    /// A gate for each channel, made of the means of all.
    SqueezeExcite(SqueezeExcite),
    /// The operand.
    Identity,
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
            Op::Constant(_) => "constant",
            Op::Conv2d(_) => "conv2d",
            Op::Conv2dTranspose(_) => "conv2d_transpose",
            Op::BatchNorm(_) => "batch_norm",
            Op::Activation(activation) => activation.name(),
            Op::Prelu(_) => "prelu",
            Op::Binary(binary) => binary.name(),
            Op::Pad(_) => "pad",
            Op::Pool(pool) => pool.name(),
            Op::GlobalAveragePool(_) => "global_avg_pool",
            Op::Reduce(reduce) => reduce.name(),
            Op::Resize(_) => "resize",
            Op::Dense(_) => "dense",
            Op::Softmax(softmax) => softmax.name(),
            Op::ArgMax(_) => "arg_max",
            Op::Concat(_) => "concat",
            Op::Slice(_) => "slice",
            Op::Transpose(_) => "transpose",
            Op::Reshape(_) => "reshape",
            Op::SqueezeExcite(_) => "squeeze_excite",
            Op::Identity => "identity",
        }
    }

    /// Number of operands (tensors, not weights).
    pub fn arity(&self) -> usize {
        match self {
            Op::Input(_) | Op::Constant(_) => 0,
            Op::Binary(_) => 2,
            Op::Concat(concat) => concat.inputs,
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

    /// The type of the result.
    ///
    /// # Errors
    /// As [`Op::shape`].
    pub fn result(&self, operands: &[Type]) -> Result<Type, Diagnostic> {
        let shapes: SmallVec<[Shape; 4]> = operands.iter().map(|operand| operand.shape.clone()).collect();
        let elements: SmallVec<[Element; 4]> = operands.iter().map(|operand| operand.element).collect();
        Ok(Type { element: self.element(&elements), shape: self.shape(&shapes)? })
    }

    /// What the elements of the result are: [`Element`] has the rule.
    fn element(&self, operands: &[Element]) -> Element {
        match self {
            Op::ArgMax(_) => Element::I64,
            Op::Concat(_) | Op::Slice(_) | Op::Transpose(_) | Op::Reshape(_) | Op::Identity => {
                Element::joined(operands)
            }
            Op::Input(_)
            | Op::Constant(_)
            | Op::Conv2d(_)
            | Op::Conv2dTranspose(_)
            | Op::BatchNorm(_)
            | Op::Activation(_)
            | Op::Prelu(_)
            | Op::Binary(_)
            | Op::Pad(_)
            | Op::Pool(_)
            | Op::GlobalAveragePool(_)
            | Op::Reduce(_)
            | Op::Resize(_)
            | Op::Dense(_)
            | Op::Softmax(_)
            | Op::SqueezeExcite(_) => Element::F32,
        }
    }

    /// The shape of the result, which no element has a part in.
    ///
    /// Binary ops on shapes that don't fit each other return the first: such a join is legality's concern.
    ///
    /// # Errors
    /// An attribute that makes no sense, an operand that the op can't take, a result of no or too many elements; the
    /// caller adds the layer's name.
    pub fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        match self {
            Op::Input(input) => input.shape_rule(),
            Op::Constant(constant) => constant.shape_rule(),
            Op::Conv2d(conv) => conv.shape_rule(operands),
            Op::Conv2dTranspose(conv) => conv.shape_rule(operands),
            Op::BatchNorm(_) | Op::Activation(_) | Op::Softmax(_) | Op::Identity => Ok(operands[0].clone()),
            Op::Prelu(prelu) => prelu.shape_rule(operands),
            Op::Binary(_) => {
                binary::broadcast(&operands[0], &operands[1]).map_or(Ok(operands[0].clone()), sized)
            }
            Op::Pad(pad) => pad.shape_rule(operands),
            Op::Pool(pool) => pool.shape_rule(operands),
            Op::GlobalAveragePool(pool) => pool.shape_rule(operands),
            Op::Reduce(reduce) => reduce.shape_rule(operands),
            Op::Resize(resize) => resize.shape_rule(operands),
            Op::Dense(dense) => dense.shape_rule(operands),
            Op::ArgMax(arg_max) => Ok(arg_max.shape_rule(operands)),
            Op::Concat(concat) => concat.shape_rule(operands),
            Op::Slice(slice) => slice.shape_rule(operands),
            Op::Transpose(transpose) => transpose.shape_rule(operands),
            Op::Reshape(reshape) => reshape.shape_rule(operands),
            Op::SqueezeExcite(squeeze) => squeeze.shape_rule(operands),
        }
    }

    /// The weights that the op needs for these operands, in order.
    pub fn weight_roles(&self, operands: &[Shape]) -> Vec<WeightRole> {
        match self {
            Op::Constant(constant) => constant.weight_roles(),
            Op::Conv2d(conv) => conv.weight_roles(operands),
            Op::Conv2dTranspose(conv) => conv.weight_roles(operands),
            Op::BatchNorm(norm) => norm.weight_roles(operands),
            Op::Prelu(prelu) => prelu.weight_roles(),
            Op::Dense(dense) => dense.weight_roles(operands),
            Op::SqueezeExcite(squeeze) => squeeze.weight_roles(operands),
            _ => Vec::new(),
        }
    }

    /// Multiply-accumulates of one image: convolutions and dense layers count, also those inside another op; nothing else does.
    pub fn macs(&self, operands: &[Shape], result: &Shape) -> u64 {
        match self {
            Op::Conv2d(conv) => conv.macs(operands, result),
            Op::Conv2dTranspose(conv) => conv.macs(operands),
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
            Op::Conv2dTranspose(conv) => Some(&conv.epilogue),
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
            codes::TENSOR_SIZE,
            format!("a tensor of {shape} has no elements or more than 2^40"),
        )),
    }
}

/// Height, width and channels of what `op` needs to be a map.
fn as_map(op: &str, operand: &Shape) -> Result<[usize; 3], Diagnostic> {
    operand.map().ok_or_else(|| {
        let message = format!("{op} takes a map (height x width x channels), not {operand}");
        Diagnostic::error(codes::RANK, message)
    })
}

/// That a window's attribute has no zero.
fn check_pair(name: &str, pair: [usize; 2]) -> Result<(), Diagnostic> {
    if pair.contains(&0) {
        let message = format!("{name} {}x{} has a zero; the least is 1", pair[0], pair[1]);
        return Err(Diagnostic::error(codes::BAD_ATTRIBUTE, message));
    }
    Ok(())
}

/// That channels can be split into so many groups.
fn check_groups(groups: usize, channels: usize, filters: usize) -> Result<(), Diagnostic> {
    let message = if filters == 0 || groups == 0 {
        format!("{filters} filters in {groups} groups; the least is 1 of each")
    } else if !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
        format!("{groups} groups do not divide {channels} input channels and {filters} filters")
    } else {
        return Ok(());
    };
    Err(Diagnostic::error(codes::BAD_ATTRIBUTE, message))
}

/// That `operand` has this axis.
fn check_axis(op: &str, axis: usize, operand: &Shape) -> Result<(), Diagnostic> {
    if axis < operand.rank() {
        return Ok(());
    }
    let message = format!("{op} along axis {axis} of {operand}, which has {} axes", operand.rank());
    Err(Diagnostic::error(codes::BAD_ATTRIBUTE, message))
}

/// That `operand` has these axes, each named once and in order.
fn check_axes(op: &str, axes: &[usize], operand: &Shape) -> Result<(), Diagnostic> {
    if axes.is_empty() || !axes.is_sorted_by(|a, b| a < b) {
        let message = format!("{op} along the axes {axes:?}: at least one, ascending, each once");
        return Err(Diagnostic::error(codes::BAD_ATTRIBUTE, message));
    }
    axes.iter().try_for_each(|&axis| check_axis(op, axis, operand))
}
