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
mod identity;
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
use crate::number::Number;
use crate::tensor::{Shape, Tensor, Type};
use crate::text::{Attributes, Written};
use identity::Identity;

/// What a page says of its op: the one place for all that is so of the op alone, whatever the network. What has a body here is
/// what most ops say.
pub(crate) trait Page {
    /// The op's name in the textual form and in reports.
    fn name(&self) -> &'static str;

    /// Number of operands, but those that were fused.
    fn arity(&self) -> usize {
        1
    }

    /// The shape of the result.
    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic>;

    /// What the elements of the result are: [`Element`] has the rule.
    fn element(&self, _: &[Element]) -> Element {
        Element::F32
    }

    /// The weights that the op needs for these operands, in order.
    fn weight_roles(&self, _: &[Shape]) -> Vec<WeightRole> {
        Vec::new()
    }

    /// Multiply-accumulates of one image.
    fn macs(&self, _: &[Shape], _: &Shape) -> u64 {
        0
    }

    /// Whether the second operand is a gate that was fused.
    fn gated(&self) -> bool {
        false
    }

    /// What was fused behind the op's sum, where it is an op that can carry something.
    fn epilogue(&self) -> Option<&Epilogue> {
        None
    }

    /// The same, to be changed.
    fn epilogue_mut(&mut self) -> Option<&mut Epilogue> {
        None
    }

    /// The names of the layers that it stands for, beside a gate.
    fn parts(&self) -> Vec<&'static str> {
        self.epilogue().map(Epilogue::parts).unwrap_or_default()
    }

    /// Writes the attributes in the textual form.
    fn print(&self, to: &mut Written);

    /// Reads the op back, where `name` is its own.
    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Self>, Diagnostic>
    where
        Self: Sized;

    /// The value, before what the epilogue makes of it.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic>
    where
        Self: Sized;
}

/// What an op is evaluated on.
pub(crate) struct Given<'a, T> {
    /// Its operands.
    pub(crate) operands: &'a [&'a Tensor<T>],
    /// Its weights, in the order of [`Op::weight_roles`].
    pub(crate) weights: &'a [Vec<T>],
    /// The shape of its result.
    pub(crate) result: &'a Shape,
}

impl<T> Given<'_, T> {
    /// The first operand.
    fn first(&self) -> &Tensor<T> {
        self.operands[0]
    }

    /// The bias behind the kernel, where `epilogue` has one.
    fn bias(&self, epilogue: &Epilogue) -> Option<&[T]> {
        if epilogue.bias { self.weights.get(1).map(Vec::as_slice) } else { None }
    }
}

/// Declares the ops, each with its page: a struct or enum of its attributes, of the same name. Nothing else lists them here.
macro_rules! ops {
    ($($(#[$about:meta])+ $page:ident,)+) => {
        /// What a node computes. Attributes are hashed and compared exactly, so that an e-graph can hold an op as it is.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Op {
            $($(#[$about])+ $page($page),)+
            /// The operand.
            Identity,
        }

        impl Op {
            fn page(&self) -> &dyn Page {
                match self {
                    $(Op::$page(page) => page,)+
                    Op::Identity => &Identity,
                }
            }

            /// What was fused behind the op's sum, to be changed.
            pub fn epilogue_mut(&mut self) -> Option<&mut Epilogue> {
                match self {
                    $(Op::$page(page) => page.epilogue_mut(),)+
                    Op::Identity => None,
                }
            }

            /// The op of this name, with its attributes.
            pub(crate) fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Op>, Diagnostic> {
                $(if let Some(page) = $page::parse(name, from)? {
                    return Ok(Some(Op::$page(page)));
                })+
                Ok(Identity::parse(name, from)?.map(|_| Op::Identity))
            }

            /// The value, before what the epilogue makes of it.
            pub(crate) fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
                match self {
                    $(Op::$page(page) => Page::evaluate(page, given),)+
                    Op::Identity => Identity.evaluate(given),
                }
            }
        }
    };
}

ops! {
    /// What the caller hands in.
    Input,
    /// A weight as a tensor.
    Constant,
    /// A convolution with whatever was fused into it.
    Conv2d,
    /// A transposed convolution.
    Conv2dTranspose,
    /// Batch normalisation with the statistics of training.
    BatchNorm,
    /// A function of each element.
    Activation,
    /// A leaky ReLU with learnt slopes.
    Prelu,
    /// Two tensors, element by element.
    Binary,
    /// One value around a map.
    Pad,
    /// The largest or mean element of each window.
    Pool,
    /// The mean of each channel over the map.
    GlobalAveragePool,
    /// One number out of all elements along some axes.
    Reduce,
    /// A map at another resolution.
    Resize,
    /// A fully connected layer with whatever was fused into it.
    Dense,
    /// Exponentials along the last axis that add up to one, or their logarithms.
    Softmax,
    /// The index of the largest element along the last axis.
    ArgMax,
    /// Tensors one behind the other.
    Concat,
    /// A part of a tensor.
    Slice,
    /// The axes in another order.
    Transpose,
    /// The same elements in another shape.
    Reshape,
    /// A gate for each channel, made of the means of all.
    SqueezeExcite,
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
        self.page().name()
    }

    /// Number of operands (tensors, not weights).
    pub fn arity(&self) -> usize {
        self.page().arity() + usize::from(self.gate().is_some()) + usize::from(self.residual().is_some())
    }

    /// Which operand is a gate that the first one's channels are multiplied by, where one was fused.
    pub fn gate(&self) -> Option<usize> {
        self.page().gated().then_some(1)
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

    /// The element of the result, which no shape has a part in.
    pub fn element(&self, operands: &[Element]) -> Element {
        self.page().element(operands)
    }

    /// The shape of the result, which no element has a part in.
    ///
    /// Binary ops on shapes that don't fit each other return the first: such a join is legality's concern.
    ///
    /// # Errors
    /// An attribute that makes no sense, an operand that the op can't take, a result of no or too many elements; the
    /// caller adds the layer's name.
    pub fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        self.page().shape(operands)
    }

    /// The weights that the op needs for these operands, in order.
    pub fn weight_roles(&self, operands: &[Shape]) -> Vec<WeightRole> {
        self.page().weight_roles(operands)
    }

    /// Multiply-accumulates of one image: convolutions and dense layers count, also those inside another op; nothing else does.
    pub fn macs(&self, operands: &[Shape], result: &Shape) -> u64 {
        self.page().macs(operands, result)
    }

    /// The names of what it took in of other layers, in order, as reports show them.
    pub fn parts(&self) -> Vec<&'static str> {
        self.gate().map(|_| "mul").into_iter().chain(self.page().parts()).collect()
    }

    /// What was fused behind the op's sum, where it is an op that can carry something.
    pub fn epilogue(&self) -> Option<&Epilogue> {
        self.page().epilogue()
    }

    /// Writes the attributes in the textual form.
    pub(crate) fn print(&self, to: &mut Written) {
        self.page().print(to);
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
