//! The language of the e-graph: an e-node is an operator with its attributes inside, and children.

use egg::{Id, Language};
use frit_ir::Op;
use frit_ir::ops::{Epilogue, Padding, Scalar};
use smallvec::SmallVec;

/// Children of an e-node.
pub(crate) type Children = SmallVec<[Id; 4]>;

/// What an e-node computes from its children.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Operator {
    /// The network's input of this index.
    Input(u32),
    /// The weight of this index among those of the network.
    Weight(u32),
    /// `gamma / sqrt(variance + epsilon)` for each channel. Children: variance, gamma where there is one.
    BatchNormScale { epsilon: Scalar, gamma: bool },
    /// `beta + (bias - mean) * scale` for each channel. Children: mean, scale, then beta and bias where there
    /// are any.
    BatchNormShift { beta: bool, bias: bool },
    /// The kernel with each filter (the last axis) times its scale. Children: kernel, scale.
    ScaleFilters,
    /// A layer's kernel in so many groups, with the weights of each input channel times its scale. Children: kernel,
    /// scale.
    ScaleInputs { groups: usize },
    /// For each filter the sum of its weights, each times the value of its input channel. Children: kernel, values.
    SumInputs { groups: usize },
    /// The same number for each of so many channels.
    Uniform { value: Scalar, channels: usize },
    /// One number a channel, of whatever axes it came: the elements as a vector.
    Vector,
    /// One divided by each number.
    Reciprocal,
    /// A dense layer's kernel as that of a 1×1 convolution.
    Pointwise,
    /// Kernels or biases one behind the other: the filters of all.
    Join,
    /// A kernel with zeros around its window.
    PadKernel { padding: Padding },
    /// The 1×1 kernel, in so many groups, of the convolution that leaves its input as it is.
    IdentityKernel { channels: usize, groups: usize },
    /// Kernels or biases of one shape added up.
    Total,
    /// A layer. Children: its operands, then its weights.
    Layer(Op),
    /// The network's output of this index: the child's value. Its users read this class, so that no rule
    /// looks behind it.
    Barrier(u32),
    /// All outputs.
    Outputs,
}

/// Kinds of operators that rules are rooted at; all others are one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Conv2d,
    Dense,
    BatchNorm,
    Activation,
    Binary,
    Prelu,
    Pad,
    Pool,
    GlobalAveragePool,
    Reduce,
    Concat,
    Slice,
    Transpose,
    Reshape,
    Identity,
    Other,
}

/// An operator with its children.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ENode {
    pub(crate) op: Operator,
    pub(crate) children: Children,
}

impl ENode {
    pub(crate) fn new(op: Operator, children: &[Id]) -> ENode {
        ENode { op, children: Children::from_slice(children) }
    }

    /// A layer with its operands and weights.
    pub(crate) fn layer(op: Op, children: &[Id]) -> ENode {
        ENode::new(Operator::Layer(op), children)
    }

    /// The op, where this is a layer.
    pub(crate) fn op(&self) -> Option<&Op> {
        match &self.op {
            Operator::Layer(op) => Some(op),
            _ => None,
        }
    }

    /// What was fused behind the sum, where this is a layer that can carry something.
    pub(crate) fn epilogue(&self) -> Option<&Epilogue> {
        self.op()?.epilogue()
    }

    /// The same layer with another epilogue; the caller brings the children into line.
    pub(crate) fn with_epilogue(&self, epilogue: Epilogue) -> ENode {
        let mut node = self.clone();
        let place = match &mut node.op {
            Operator::Layer(op) => op.epilogue_mut(),
            _ => None,
        };
        *place.expect("who asks has found an epilogue in it") = epilogue;
        node
    }

    /// The tensors that a layer reads.
    pub(crate) fn operands(&self) -> &[Id] {
        &self.children[..self.op().map_or(0, Op::arity)]
    }

    /// The weights that a layer reads.
    pub(crate) fn weights(&self) -> &[Id] {
        &self.children[self.op().map_or(0, Op::arity)..]
    }

    pub(crate) fn kind(&self) -> Kind {
        let Some(op) = self.op() else { return Kind::Other };
        match op {
            Op::Conv2d(_) => Kind::Conv2d,
            Op::Dense(_) => Kind::Dense,
            Op::BatchNorm(_) => Kind::BatchNorm,
            Op::Activation(_) => Kind::Activation,
            Op::Binary(_) => Kind::Binary,
            Op::Prelu(_) => Kind::Prelu,
            Op::Pad(_) => Kind::Pad,
            Op::Pool(_) => Kind::Pool,
            Op::GlobalAveragePool(_) => Kind::GlobalAveragePool,
            Op::Reduce(_) => Kind::Reduce,
            Op::Concat(_) => Kind::Concat,
            Op::Slice(_) => Kind::Slice,
            Op::Transpose(_) => Kind::Transpose,
            Op::Reshape(_) => Kind::Reshape,
            Op::Identity => Kind::Identity,
            Op::Input(_)
            | Op::Constant(_)
            | Op::Conv2dTranspose(_)
            | Op::Resize(_)
            | Op::Softmax(_)
            | Op::ArgMax(_)
            | Op::SqueezeExcite(_) => Kind::Other,
        }
    }
}

impl Language for ENode {
    type Discriminant = Kind;

    fn discriminant(&self) -> Kind {
        self.kind()
    }

    fn matches(&self, other: &ENode) -> bool {
        self.children.len() == other.children.len() && self.op == other.op
    }

    fn children(&self) -> &[Id] {
        &self.children
    }

    fn children_mut(&mut self) -> &mut [Id] {
        &mut self.children
    }
}
