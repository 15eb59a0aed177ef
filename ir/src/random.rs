//! Random legal graphs for property tests: small, connected, every op, weights from a seed.
//!
//! A graph grows from a list of bytes, so that a failing one shrinks to fewer and simpler layers. Any bytes make a legal graph:
//! a layer that would not be one is left out.

mod arrangements;

use proptest::prelude::*;

use crate::ops::binary::is_gate;
use crate::ops::squeeze_excite::Small;
use crate::ops::{
    Activation, BatchNorm, Binary, Constant, Conv2d, Conv2dTranspose, Dense, Epilogue, GlobalAveragePool,
    Input, Pad, Padding, Prelu, Reshape, Scalar, Softmax, SqueezeExcite,
};
use crate::weights::{Data, Weight};
use crate::{Graph, Node, NodeId, Op, Provenance, Shape};

/// The most elements of a tensor, so that the interpreter takes milliseconds.
const MOST_ELEMENTS: usize = 4_000;

/// Graphs as a front end makes them: layers carry a bias at most. One input, one or more outputs, up to 12 layers.
pub fn graphs() -> impl Strategy<Value = Graph> {
    grown(false)
}

/// Graphs as rewriting makes them: layers also carry activations and residuals.
pub fn fused_graphs() -> impl Strategy<Value = Graph> {
    grown(true)
}

fn grown(fused: bool) -> impl Strategy<Value = Graph> {
    let layer = prop::collection::vec(any::<u8>(), 24);
    (prop::array::uniform3(any::<u8>()), any::<u8>(), prop::collection::vec(layer, 1..12)).prop_map(
        move |(input, seed, layers)| {
            let mut growing = Growing::new(input, u64::from(seed), fused);
            layers.iter().for_each(|bytes| growing.grow(&mut Choices(bytes.iter())));
            growing.finish()
        },
    )
}

/// Bounds of [`blocks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSizes {
    /// The most rows and columns of the input; at least 5.
    pub size: usize,
    /// The most channels, of the input, expanded and projected; at least 8.
    pub channels: usize,
}

/// Inverted residual blocks and their relatives: a convolution of 1×1 or 3×3, or none, a depthwise one of 3×3, 5×5 or 7×7
/// at stride 1 or 2 with any padding up to 3, often a gate, mostly that of squeeze and excite, a pointwise one, and where the
/// shapes agree an addition of the input.
pub fn blocks(most: BlockSizes) -> impl Strategy<Value = Graph> {
    let sizes = ([5..=most.size, 5..=most.size], [8..=most.channels, 8..=most.channels, 8..=most.channels]);
    let windows = (prop::sample::select(&[0usize, 1, 1, 3][..]), prop::sample::select(&[3usize, 5, 7][..]));
    let rest = (1usize..=2, [0usize..=3, 0..=3, 0..=3, 0..=3], any::<bool>(), vec_of_bytes(), any::<u8>());
    (sizes, windows, rest).prop_filter_map("the window fits", |(sizes, windows, rest)| {
        let ((size, channels), (expand, kernel)) = (sizes, windows);
        let (stride, pads, residual, bytes, seed) = rest;
        let [top, bottom, left, right] = pads;
        let padding = Padding { top, bottom, left, right };
        let prologue = match seed % 8 {
            1 => Some(Activation::Relu),
            3 => Some(Activation::Clip { low: Scalar::new(-0.5), high: Scalar::new(1.5) }),
            5 => Some(Activation::HardSwish),
            _ => None,
        };
        let depthwise = Conv2d { kernel: [kernel; 2], stride: [stride; 2], padding, prologue, ..plain(0) };
        let gate = match seed % 4 {
            0 => None,
            1 => Some(Gate::Mean),
            _ => Some(Gate::Squeeze(1 + usize::from(seed) % 37)),
        };
        let mut block = Block { expand, depthwise, channels, residual, gate };
        // Where the shapes let the input be added, it often is.
        if residual && stride == 1 {
            let around = kernel / 2;
            block.depthwise.padding = Padding { top: around, bottom: around, left: around, right: around };
            block.channels[2] = block.channels[0];
        }
        let mut growing = Growing::on(&[size[0], size[1], block.channels[0]], u64::from(seed));
        growing.inverted_residual(&block, &mut Choices(bytes.iter()));
        (growing.values.len() > 2).then(|| growing.finish())
    })
}

fn vec_of_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 8)
}

/// A pointwise convolution with a bias.
fn plain(filters: usize) -> Conv2d {
    Conv2d {
        filters,
        kernel: [1; 2],
        stride: [1; 2],
        padding: Padding::default(),
        dilation: [1; 2],
        groups: 1,
        gate: false,
        prologue: None,
        epilogue: Epilogue::with_bias(true),
    }
}

/// What a random block is made of.
struct Block {
    /// The window of the expansion; 0 for none.
    expand: usize,
    depthwise: Conv2d,
    /// Of the input, expanded, projected.
    channels: [usize; 3],
    residual: bool,
    /// What stands before the projection.
    gate: Option<Gate>,
}

/// What the depthwise convolution's result is multiplied by.
#[derive(Clone, Copy)]
enum Gate {
    /// Its own mean.
    Mean,
    /// What squeeze and excite makes of that, with so many channels in between.
    Squeeze(usize),
}

/// The bytes that one layer is made of.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    /// A number below `count`; 0 where the bytes are used up.
    fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % count
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    fn padding(&mut self) -> Padding {
        if self.flag() {
            return Padding::default();
        }
        let [top, bottom, left, right] = std::array::from_fn(|_| self.below(4));
        Padding { top, bottom, left, right }
    }

    fn activation(&mut self) -> Activation {
        let clip = |low, high| Activation::Clip { low: Scalar::new(low), high: Scalar::new(high) };
        let clips = [clip(-1.0, 1.0), clip(0.5, 2.0), clip(-0.5, f32::INFINITY)];
        let others = [
            Activation::LeakyRelu { slope: Scalar::new(0.1), threshold: Scalar::new(0.0) },
            Activation::LeakyRelu { slope: Scalar::new(-0.5), threshold: Scalar::new(0.25) },
            Activation::Elu { alpha: Scalar::new(1.5) },
            Activation::Rescale { scale: Scalar::new(0.5), offset: Scalar::new(-1.0) },
        ];
        let tame: Vec<Activation> = Activation::BY_NAME.into_iter().filter(|a| !is_wild(a)).collect();
        self.one(&[&tame[..], &clips, &others].concat())
    }

    fn maybe_activation(&mut self) -> Option<Activation> {
        self.flag().then(|| self.activation())
    }
}

/// Whether errors grow without a bound behind it, or most of its results are no numbers.
fn is_wild(activation: &Activation) -> bool {
    matches!(activation, Activation::Exp | Activation::Log | Activation::Sqrt)
}

/// A graph under construction, with every value so far.
struct Growing {
    graph: Graph,
    values: Vec<(NodeId, Shape)>,
    seed: u64,
    fused: bool,
}

impl Growing {
    fn new(input: [u8; 3], seed: u64, fused: bool) -> Growing {
        let [height, width, channels] = input.map(usize::from);
        let growing = Growing::on(&[1 + height % 12, 1 + width % 12, 1 + channels % 20], seed);
        Growing { fused, ..growing }
    }

    /// Nothing but an input.
    fn on(input: &[usize], seed: u64) -> Growing {
        let mut growing = Growing { graph: Graph::new("random"), values: Vec::new(), seed, fused: false };
        growing.push(Op::Input(Input { shape: Shape::new(input) }), &[]);
        growing
    }

    /// The layers of `block`, as far as they are legal, with random activations.
    fn inverted_residual(&mut self, block: &Block, choices: &mut Choices<'_>) {
        let [channels, expanded, projected] = block.channels;
        let mut layer = |growing: &mut Growing, conv: Conv2d, residual: bool| {
            let activation = choices.maybe_activation();
            let epilogue = Epilogue { activation, residual, ..Epilogue::with_bias(choices.flag()) };
            let last = growing.values.len() - 1;
            let operands: &[usize] = if residual { &[last, 0] } else { &[last] };
            growing.push(Op::Conv2d(Conv2d { epilogue, ..conv }), operands);
        };
        let middle = if block.expand == 0 { channels } else { expanded };
        if block.expand > 0 {
            let around = block.expand / 2;
            let padding = Padding { top: around, bottom: around, left: around, right: around };
            layer(self, Conv2d { kernel: [block.expand; 2], padding, ..plain(expanded) }, false);
        }
        layer(self, Conv2d { filters: middle, groups: middle, ..block.depthwise }, false);
        let depthwise = self.values.len() - 1;
        if let Some(gate) = block.gate {
            self.push(Op::GlobalAveragePool(GlobalAveragePool { keep_dims: true }), &[depthwise]);
            if let Gate::Squeeze(squeezed) = gate {
                layer(self, plain(squeezed), false);
                layer(self, plain(middle), false);
            }
            self.push(Op::Binary(Binary::Mul), &[depthwise, self.values.len() - 1]);
        }
        let shape = self.values.last().map(|(_, shape)| shape.axes().to_vec()).unwrap_or_default();
        let agrees = self.values[0].1.axes() == [&shape[..shape.len() - 1], &[projected]].concat();
        layer(self, plain(projected), block.residual && agrees);
    }

    /// One more layer (two where it is a residual block), on the last value or an earlier one.
    fn grow(&mut self, choices: &mut Choices<'_>) {
        let last = self.values.len() - 1;
        let operand = if choices.below(4) == 3 { choices.below(last + 1) } else { last };
        let shape = self.values[operand].1.clone();
        match (choices.below(26), shape.map()) {
            (0..5, Some([_, _, channels])) => self.convolution(operand, channels, choices),
            (5, Some([height, width, channels])) => self.block(operand, [height, width, channels], choices),
            (6, Some(_)) => self.add(Op::Pad(Pad::zeros(choices.padding())), &[operand]),
            (7, Some(_)) if self.fused && choices.flag() => {
                let squeeze = squeeze_excite(choices);
                self.add(Op::SqueezeExcite(squeeze), &[operand]);
            }
            (7, Some(_)) => {
                self.add(Op::GlobalAveragePool(GlobalAveragePool { keep_dims: choices.flag() }), &[operand]);
                if choices.flag() {
                    self.add(Op::Binary(Binary::Mul), &[operand, self.values.len() - 1]);
                }
            }
            (0..6, None) if shape.rank() == 1 => {
                let dense = Dense { units: 1 + choices.below(20), epilogue: Epilogue::default() };
                let (epilogue, operands) = self.epilogue(operand, &Shape::new(&[dense.units]), choices);
                self.add(Op::Dense(Dense { epilogue, ..dense }), &operands);
            }
            (8..11, _) => self.add(Op::BatchNorm(norm(choices)), &[operand]),
            (11 | 12, _) => {
                let other = choices.one(&self.alike(&shape));
                let binary = choices.one(&[Binary::Add, Binary::Add, Binary::Mul]);
                self.add(Op::Binary(binary), &[operand, other]);
            }
            (13, _) => self.add(Op::Reshape(reshape(&shape, choices)), &[operand]),
            (14, _) => self.add(Op::Softmax(Softmax { log: choices.flag() }), &[operand]),
            (15, Some([_, _, channels])) => self.add(transposed(channels, choices), &[operand]),
            (16, _) if shape.rank() > 0 => {
                let slopes = [Shape::new(&[shape.channels()]), Shape::new(&[1]), shape.clone()];
                self.add(Op::Prelu(Prelu { slope: choices.one(&slopes) }), &[operand]);
            }
            (17, _) => {
                self.add(Op::Constant(Constant { shape: shape.clone() }), &[]);
                self.add(Op::Binary(Binary::Mul), &[operand, self.values.len() - 1]);
            }
            (18..24, _) => self.arrangement(operand, choices),
            _ => self.add(Op::Activation(choices.activation()), &[operand]),
        }
    }

    fn convolution(&mut self, operand: usize, channels: usize, choices: &mut Choices<'_>) {
        let conv = self.fitting(operand, conv(channels, choices));
        let shape = Op::Conv2d(conv).shape(&[self.values[operand].1.clone()]);
        let Ok(shape) = shape else { return };
        let (epilogue, mut operands) = self.epilogue(operand, &shape, choices);
        let prologue = if self.fused { choices.maybe_activation() } else { None };
        let gates = self.gates(operand);
        let gate = self.fused && conv.groups == 1 && !gates.is_empty() && choices.flag();
        let prologue = prologue.filter(|_| !gate);
        if gate {
            operands.insert(1, choices.one(&gates));
        }
        self.add(Op::Conv2d(Conv2d { prologue, gate, epilogue, ..conv }), &operands);
    }

    /// The values that have one element for each channel of `map`.
    fn gates(&self, map: usize) -> Vec<usize> {
        (0..self.values.len()).filter(|&gate| is_gate(&self.values[map].1, &self.values[gate].1)).collect()
    }

    /// `conv` with a kernel that fits into the padded map.
    fn fitting(&self, operand: usize, mut conv: Conv2d) -> Conv2d {
        let [height, width, _] = self.values[operand].1.map().expect("convolutions are put on maps");
        let padding = conv.padding;
        let room = [height + padding.top + padding.bottom, width + padding.left + padding.right];
        for (axis, room) in room.into_iter().enumerate() {
            conv.kernel[axis] = conv.kernel[axis].min(room);
            if (conv.kernel[axis] - 1) * conv.dilation[axis] >= room {
                conv.dilation[axis] = 1;
            }
        }
        conv
    }

    /// A convolution that keeps the shape, and the addition of what went into it.
    fn block(&mut self, operand: usize, [_, _, channels]: [usize; 3], choices: &mut Choices<'_>) {
        let around = choices.below(3);
        let conv = Conv2d {
            filters: channels,
            kernel: [2 * around + 1; 2],
            stride: [1, 1],
            padding: Padding { top: around, bottom: around, left: around, right: around },
            dilation: [1, 1],
            groups: choices.one(&[1, channels]),
            gate: false,
            prologue: None,
            epilogue: Epilogue::with_bias(choices.flag()),
        };
        self.add(Op::Conv2d(conv), &[operand]);
        self.add(Op::Binary(Binary::Add), &[self.values.len() - 1, operand]);
    }

    /// An epilogue for a layer on `operand` whose result is `shape`, and the layer's operands with it.
    fn epilogue(&self, operand: usize, shape: &Shape, choices: &mut Choices<'_>) -> (Epilogue, Vec<usize>) {
        let bias = choices.flag();
        if !self.fused {
            return (Epilogue::with_bias(bias), vec![operand]);
        }
        let alike = self.alike(shape);
        let other = if choices.flag() && !alike.is_empty() { Some(choices.one(&alike)) } else { None };
        let activation = choices.maybe_activation();
        let activation_after = if other.is_some() { choices.maybe_activation() } else { None };
        let epilogue = Epilogue { bias, activation, residual: other.is_some(), activation_after };
        (epilogue, std::iter::once(operand).chain(other).collect())
    }

    /// The values of this shape.
    fn alike(&self, shape: &Shape) -> Vec<usize> {
        (0..self.values.len()).filter(|&index| self.values[index].1 == *shape).collect()
    }

    /// Adds `op` with its weights, unless it is illegal here or makes too much.
    fn add(&mut self, op: Op, operands: &[usize]) {
        let shapes: Vec<Shape> = operands.iter().map(|&operand| self.values[operand].1.clone()).collect();
        if op.shape(&shapes).is_ok_and(|shape| shape.elements().is_some_and(|count| count <= MOST_ELEMENTS)) {
            self.push(op, operands);
        }
    }

    /// Adds `op` with its weights, unless it is illegal here.
    fn push(&mut self, op: Op, operands: &[usize]) {
        let shapes: Vec<Shape> = operands.iter().map(|&operand| self.values[operand].1.clone()).collect();
        let Ok(result) = op.shape(&shapes) else { return };
        let name = format!("{}{}", op.name(), self.values.len());
        let mut weights = Vec::new();
        for role in op.weight_roles(&shapes) {
            let weight = format!("{name}.{}", role.role);
            self.graph.weights.insert(&weight, Weight { shape: role.shape, data: Data::Seeded(self.seed) });
            weights.push(weight);
        }
        let operands: Vec<NodeId> = operands.iter().map(|&operand| self.values[operand].0).collect();
        let node = Node { sources: Provenance::source(&name), name, op, weights };
        let id = self.graph.add(node, &operands);
        self.values.push((id, result));
    }

    /// The graph; what no layer reads is an output.
    fn finish(mut self) -> Graph {
        for (id, _) in self.values {
            if self.graph.users(id).is_empty() {
                self.graph.add_output(id);
            }
        }
        self.graph
    }
}

fn conv(channels: usize, choices: &mut Choices<'_>) -> Conv2d {
    let divisors: Vec<usize> = (1..=channels).filter(|groups| channels.is_multiple_of(*groups)).collect();
    // Dense, depthwise and something between, each as often.
    let groups = match choices.below(3) {
        0 => 1,
        1 => channels,
        _ => choices.one(&divisors),
    };
    let most = if groups == channels { 3 } else { (20 / groups).max(1) };
    Conv2d {
        filters: groups * (1 + choices.below(most)),
        kernel: std::array::from_fn(|_| 1 + choices.below(5)),
        stride: std::array::from_fn(|_| 1 + choices.below(3)),
        padding: choices.padding(),
        dilation: std::array::from_fn(|_| choices.one(&[1, 1, 2])),
        groups,
        gate: false,
        prologue: None,
        epilogue: Epilogue::default(),
    }
}

fn transposed(channels: usize, choices: &mut Choices<'_>) -> Op {
    let Conv2d { filters, kernel, stride, padding, dilation, groups, .. } = conv(channels, choices);
    let output_padding = stride.map(|stride| choices.below(stride));
    let epilogue = Epilogue::with_bias(choices.flag());
    Op::Conv2dTranspose(Conv2dTranspose {
        filters,
        kernel,
        stride,
        padding,
        output_padding,
        dilation,
        groups,
        epilogue,
    })
}

fn squeeze_excite(choices: &mut Choices<'_>) -> SqueezeExcite {
    let small =
        |choices: &mut Choices<'_>| Small { bias: choices.flag(), activation: choices.maybe_activation() };
    SqueezeExcite {
        squeezed: 1 + choices.below(20),
        reduce: small(choices),
        expand: small(choices),
        scales: choices.flag(),
    }
}

fn norm(choices: &mut Choices<'_>) -> BatchNorm {
    let epsilon = Scalar::new(choices.one(&[1e-3, 1e-5]));
    BatchNorm { epsilon, scale: !choices.flag(), center: !choices.flag() }
}

fn reshape(shape: &Shape, choices: &mut Choices<'_>) -> Reshape {
    let elements = shape.elements().expect("every value has elements");
    let to = [
        Shape::new(&[1, 1, elements]),
        Shape::new(&[elements, 1]),
        Shape::new(&[1, elements, 1]),
        shape.clone(),
    ];
    if choices.flag() { Reshape::To(choices.one(&to)) } else { Reshape::Flatten }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::Faults;

    /// The ops that come up.
    const OPS: [&str; 47] = [
        "abs",
        "add",
        "arg_max",
        "avg_pool",
        "batch_norm",
        "clip",
        "concat",
        "constant",
        "conv2d",
        "conv2d_transpose",
        "dense",
        "elu",
        "erf",
        "gelu",
        "gelu_tanh",
        "global_avg_pool",
        "hard_sigmoid",
        "hard_swish",
        "identity",
        "input",
        "leaky_relu",
        "log_softmax",
        "max",
        "max_pool",
        "min",
        "mish",
        "mul",
        "pad",
        "prelu",
        "reduce_max",
        "reduce_mean",
        "reduce_min",
        "reduce_sum",
        "relu",
        "relu6",
        "rescale",
        "reshape",
        "resize",
        "sigmoid",
        "slice",
        "softmax",
        "softplus",
        "squeeze_excite",
        "sub",
        "swish",
        "tanh",
        "transpose",
    ];

    /// What they carry.
    const PARTS: [&str; 20] = [
        "abs",
        "add",
        "bias",
        "clip",
        "elu",
        "erf",
        "gelu",
        "gelu_tanh",
        "hard_sigmoid",
        "hard_swish",
        "leaky_relu",
        "mish",
        "mul",
        "relu",
        "relu6",
        "rescale",
        "sigmoid",
        "softplus",
        "swish",
        "tanh",
    ];

    #[test]
    fn every_graph_is_legal_and_every_op_comes_up() {
        let mut runner = TestRunner::deterministic();
        let (mut ops, mut parts) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..1_000 {
            let graph = fused_graphs().new_tree(&mut runner).unwrap().current();
            let shapes = graph.shapes().unwrap();
            let mut faults = Faults::new();
            crate::infer::check_weights(&graph, &shapes, &mut faults);
            assert!(faults.is_empty(), "{faults}");
            assert!(!graph.outputs().is_empty());
            for id in graph.ids() {
                let op = &graph.node(id).op;
                ops.insert(op.name());
                parts.extend(op.epilogue().into_iter().flat_map(Epilogue::parts));
                parts.extend(op.gate().map(|_| "mul"));
            }
        }
        assert_eq!(ops.into_iter().collect::<Vec<_>>(), OPS);
        assert_eq!(parts.into_iter().collect::<Vec<_>>(), PARTS);
    }

    proptest! {
        #[test]
        fn a_source_graph_carries_biases_only(graph in graphs()) {
            for id in graph.ids() {
                prop_assert!(graph.node(id).op.epilogue().is_none_or(Epilogue::is_linear));
            }
        }
    }
}
