//! Networks for tests: a builder with drawn weights, and the comparison of two graphs in the interpreter.

use frit_ir::ops::{
    Activation, BatchNorm, Binary, Constant, Conv2d, Dense, Epilogue, GlobalAveragePool, Input, Pad, Padding,
    Reshape, Scalar, Softmax,
};
use frit_ir::weights::Data;
use frit_ir::{Graph, Node, NodeId, Op, Provenance, Shape, Tensor, Weight, interpret};

use crate::egraph::{CostModel, Limits, optimise};
use crate::legality::{self, Legal};
use crate::report::Rewriting;

/// A graph under construction; shapes are kept along, so that convolutions know their channels.
pub(crate) struct Net {
    pub(crate) graph: Graph,
    drawn: Draw,
}

/// Numbers that look random and are the same in every run (SplitMix64: Steele, Lea and Flood, 2014).
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// From `low` to `high`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.next() >> 40) as f32 / (1u64 << 24) as f32)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// One of `items`.
    pub(crate) fn one<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// A convolution of `filters` with a square kernel; the rest as in most layers.
pub(crate) fn conv(filters: usize, kernel: usize) -> Conv2d {
    Conv2d {
        filters,
        kernel: [kernel; 2],
        stride: [1; 2],
        padding: Padding::default(),
        dilation: [1; 2],
        groups: 1,
        gate: false,
        prologue: None,
        epilogue: Epilogue::default(),
    }
}

/// The same number of zeros on each side.
pub(crate) fn around(zeros: usize) -> Padding {
    Padding { top: zeros, bottom: zeros, left: zeros, right: zeros }
}

impl Net {
    pub(crate) fn new(seed: u64) -> Net {
        Net { graph: Graph::new("net"), drawn: Draw::new(seed) }
    }

    pub(crate) fn input(&mut self, name: &str, axes: &[usize]) -> NodeId {
        self.add(name, Op::Input(Input { shape: Shape::new(axes) }), &[])
    }

    pub(crate) fn conv(&mut self, name: &str, conv: Conv2d, x: NodeId) -> NodeId {
        self.add(name, Op::Conv2d(conv), &[x])
    }

    pub(crate) fn dense(&mut self, name: &str, units: usize, x: NodeId) -> NodeId {
        self.add(name, Op::Dense(Dense { units, epilogue: Epilogue::with_bias(true) }), &[x])
    }

    pub(crate) fn batch_norm(&mut self, name: &str, x: NodeId) -> NodeId {
        self.add(
            name,
            Op::BatchNorm(BatchNorm { epsilon: Scalar::new(EPSILON), scale: true, center: true }),
            &[x],
        )
    }

    pub(crate) fn activation(&mut self, name: &str, activation: Activation, x: NodeId) -> NodeId {
        self.add(name, Op::Activation(activation), &[x])
    }

    pub(crate) fn sum(&mut self, name: &str, first: NodeId, second: NodeId) -> NodeId {
        self.add(name, Op::Binary(Binary::Add), &[first, second])
    }

    /// A constant of these values, repeated as often as its shape asks for.
    pub(crate) fn constant(&mut self, name: &str, axes: &[usize], values: &[f32]) -> NodeId {
        let shape = Shape::new(axes);
        let constant = self.add(name, Op::Constant(Constant { shape: shape.clone() }), &[]);
        let count = shape.elements().expect("tests are small");
        let data = Data::Values(values.iter().copied().cycle().take(count).collect());
        self.graph.weights.insert(format!("{name}.value"), Weight::new(shape, data));
        constant
    }

    pub(crate) fn binary(&mut self, name: &str, binary: Binary, first: NodeId, second: NodeId) -> NodeId {
        self.add(name, Op::Binary(binary), &[first, second])
    }

    pub(crate) fn pad(&mut self, name: &str, padding: Padding, x: NodeId) -> NodeId {
        self.add(name, Op::Pad(Pad::zeros(padding)), &[x])
    }

    pub(crate) fn pool(&mut self, name: &str, keep_dims: bool, x: NodeId) -> NodeId {
        self.add(name, Op::GlobalAveragePool(GlobalAveragePool { keep_dims }), &[x])
    }

    pub(crate) fn reshape(&mut self, name: &str, reshape: Reshape, x: NodeId) -> NodeId {
        self.add(name, Op::Reshape(reshape), &[x])
    }

    pub(crate) fn softmax(&mut self, name: &str, x: NodeId) -> NodeId {
        self.add(name, Op::Softmax(Softmax::default()), &[x])
    }

    /// Adds any layer, with weights of its own.
    pub(crate) fn add(&mut self, name: &str, op: Op, operands: &[NodeId]) -> NodeId {
        let shapes = self.graph.shapes().expect("tests build networks whose shapes are known");
        let shapes: Vec<Shape> = operands.iter().map(|operand| shapes[operand].clone()).collect();
        let mut weights = Vec::new();
        for role in op.weight_roles(&shapes) {
            let weight = format!("{name}.{}", role.role);
            let elements = role.shape.elements().expect("tests are small");
            let values: Vec<f32> =
                (0..elements).map(|_| value(&mut self.drawn, role.role, &role.shape)).collect();
            self.graph.weights.insert(weight.clone(), Weight::new(role.shape, Data::Values(values.into())));
            weights.push(weight);
        }
        self.graph
            .add(Node { name: name.to_owned(), op, weights, sources: Provenance::source(name) }, operands)
    }

    /// The graph with these outputs, found legal.
    pub(crate) fn finish(mut self, outputs: &[NodeId]) -> Legal<Graph> {
        for &output in outputs {
            self.graph.add_output(output);
        }
        legality::check(self.graph).unwrap_or_else(|faults| panic!("{faults:?}")).0
    }
}

/// A value for a weight of this role. All are multiples of small powers of two, and a variance plus
/// [`EPSILON`] is a power of four: what is folded is exact in f32, so that a difference is that of the rule
/// and not of rounding. Kernels keep the size of sums from layer to layer.
fn value(drawn: &mut Draw, role: &str, shape: &Shape) -> f32 {
    let grid = |value: f32, steps: f32| (value * steps).round() / steps;
    match role.rsplit('.').next().unwrap_or(role) {
        "kernel" => {
            let summed: usize = shape.axes().iter().rev().skip(1).product();
            let bound = (3.0 / summed as f32).sqrt() * 1.4;
            grid(drawn.between(-bound, bound), 1024.0)
        }
        "variance" => drawn.one(&[0.75, 3.75, 0.0]),
        "gamma" => drawn.one(&[0.5, 1.0, 1.5, -1.0]),
        _ => grid(drawn.between(-0.5, 0.5), 16.0),
    }
}

/// The epsilon of batch normalisations in tests.
pub(crate) const EPSILON: f32 = 0.25;

/// Optimises with the default costs, all rules on.
pub(crate) fn optimised(graph: &Legal<Graph>) -> (Graph, Rewriting) {
    let (graph, report) =
        optimise(graph, &CostModel::default(), &Limits::default()).expect("no rule is wrong");
    (graph.into_inner(), report.rewriting.expect("this pass has an e-graph"))
}

/// The ops of a graph by their names, epilogue parts joined on, in order; inputs left out.
pub(crate) fn ops(graph: &Graph) -> Vec<String> {
    let ids = graph.topological().into_iter().filter(|&id| !matches!(graph.node(id).op, Op::Input(_)));
    ids.map(|id| {
        let op = &graph.node(id).op;
        std::iter::once(op.name()).chain(op.parts()).collect::<Vec<_>>().join("+")
    })
    .collect()
}

/// What an optimised graph may differ from its source by: the same sums in another order, in f64.
pub(crate) const TOLERANCE: f64 = 1e-9;

/// Asserts that both graphs compute the same.
pub(crate) fn assert_equal(first: &Graph, second: &Graph) {
    let difference = difference(first, second);
    assert!(difference <= TOLERANCE, "outputs differ by {difference:e}");
}

/// What folded weights, rounded to f32 once, may move an output by.
pub(crate) const ROUNDED: f64 = 1e-5;

/// Asserts that what was optimised computes what it was made of. Of all factors that tests have or rules make of them, a
/// sixth alone is not exact.
pub(crate) fn assert_kept(source: &Graph, optimised: &Graph, rewriting: &Rewriting) {
    let is_exact = !rewriting.firings.contains_key("fold-hard-sigmoid");
    let bound = if is_exact { TOLERANCE } else { ROUNDED + rounding(source) };
    let difference = difference(source, optimised);
    assert!(difference <= bound, "outputs differ by {difference:e}");
}

/// Asserts that both graphs compute the same of what is no number, has no end, is close to nothing or far away, in f32.
pub(crate) fn assert_same_limits(first: &Graph, second: &Graph) {
    const LIMITS: [f32; 9] =
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e-30, 90.0, -90.0, 1e30];
    let mut next = LIMITS.iter().copied().cycle();
    let inputs: Vec<Tensor<f32>> = (first.inputs().iter())
        .map(|&id| match &first.node(id).op {
            Op::Input(input) => Tensor::from_shape_simple_fn(input.shape.axes().to_vec(), || {
                next.next().expect("a cycle has no end")
            }),
            other => unreachable!("{} is no input", other.name()),
        })
        .collect();
    for (one, other) in run(first, &inputs).iter().zip(&run(second, &inputs)) {
        for (a, b) in one.iter().zip(other) {
            let near = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-5 * a.abs().max(1e-6);
            assert!(near, "{a} is not {b}");
        }
    }
}

/// The largest difference of all outputs of two graphs on drawn inputs, relative to the largest magnitude.
pub(crate) fn difference(first: &Graph, second: &Graph) -> f64 {
    let inputs = drawn_inputs(first);
    relative(&run(first, &inputs), &run(second, &inputs))
}

/// The same, of a graph and itself in f32, several times: what is lost to rounding whoever computes it. Where random values
/// cancel each other, that is more than any fixed tolerance.
pub(crate) fn rounding(graph: &Graph) -> f64 {
    let inputs = drawn_inputs(graph);
    let rounded: Vec<Tensor<f32>> = inputs.iter().map(|input| input.mapv(|value| value as f32)).collect();
    let rounded: Vec<Tensor<f64>> =
        run(graph, &rounded).iter().map(|output| output.mapv(f64::from)).collect();
    4.0 * relative(&run(graph, &inputs), &rounded)
}

fn drawn_inputs(graph: &Graph) -> Vec<Tensor<f64>> {
    let mut drawn = Draw::new(99);
    let inputs = graph.inputs().iter().copied().map(|id| match &graph.node(id).op {
        Op::Input(input) => {
            Tensor::from_shape_simple_fn(input.shape.axes().to_vec(), || f64::from(drawn.between(-2.0, 2.0)))
        }
        other => unreachable!("{} is no input", other.name()),
    });
    inputs.collect()
}

fn run<T: frit_ir::number::Number>(graph: &Graph, inputs: &[Tensor<T>]) -> Vec<Tensor<T>> {
    interpret::run(graph, inputs).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn relative(first: &[Tensor<f64>], second: &[Tensor<f64>]) -> f64 {
    assert_eq!(first.len(), second.len(), "outputs");
    let relative = |(one, other): (&Tensor<f64>, &Tensor<f64>)| {
        assert_eq!(one.shape(), other.shape());
        let largest = one.iter().fold(f64::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
        one.iter().zip(other).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f64::max)
    };
    first.iter().zip(second).map(relative).fold(0.0, f64::max)
}
