//! Networks and inputs to test with.

use frit_ir::ops::{Conv2d, Epilogue, Input, Padding};
use frit_ir::{Graph, Node, NodeId, Op, Provenance, Shape, Tensor, Weight, weights::Data};

/// Inputs for `graph`, drawn from `seed`: between -2 and 2, the same in every run.
pub fn inputs(graph: &Graph, seed: u64) -> Vec<Tensor<f32>> {
    let mut state = seed;
    let shapes = graph.inputs().iter().copied().map(|id| match &graph.node(id).op {
        Op::Input(input) => input.shape.axes().to_vec(),
        other => unreachable!("{} is no input", other.name()),
    });
    shapes.map(|shape| Tensor::from_shape_simple_fn(shape, || draw(&mut state))).collect()
}

/// The next number of a SplitMix64 sequence (Steele, Lea and Flood, 2014), between -2 and 2.
fn draw(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^= word >> 31;
    (word >> 40) as f32 / (1u64 << 22) as f32 - 2.0
}

/// A convolution of `filters` with a square kernel and a bias that keeps the size of its map, where the kernel is odd.
pub fn conv(filters: usize, kernel: usize) -> Conv2d {
    let around = kernel / 2;
    Conv2d {
        filters,
        kernel: [kernel; 2],
        stride: [1; 2],
        padding: Padding { top: around, bottom: around, left: around, right: around },
        dilation: [1; 2],
        groups: 1,
        prologue: None,
        gate: false,
        epilogue: Epilogue::with_bias(true),
    }
}

/// A network under construction, with seeded weights.
pub struct Network {
    /// What is built.
    pub graph: Graph,
    seed: u64,
}

impl Network {
    /// Nothing yet; `seed` decides all weights.
    pub fn new(seed: u64) -> Network {
        Network { graph: Graph::new("network"), seed }
    }

    /// Adds an input.
    pub fn input(&mut self, axes: &[usize]) -> NodeId {
        self.layer("image", Op::Input(Input { shape: Shape::new(axes) }), &[])
    }

    /// Adds a layer with all weights that it needs.
    ///
    /// # Panics
    /// If the operands' shapes can't be known.
    pub fn layer(&mut self, name: &str, op: Op, operands: &[NodeId]) -> NodeId {
        let shapes = self.graph.shapes().expect("tests build networks whose shapes are known");
        let operand_shapes: Vec<Shape> = operands.iter().map(|operand| shapes[operand].clone()).collect();
        let mut weights = Vec::new();
        for role in op.weight_roles(&operand_shapes) {
            let weight = format!("{name}.{}", role.role);
            self.graph.weights.insert(weight.clone(), Weight::new(role.shape, Data::Seeded(self.seed)));
            weights.push(weight);
        }
        let node = Node { name: name.to_owned(), op, weights, sources: Provenance::source(name) };
        self.graph.add(node, operands)
    }

    /// The graph with `outputs`.
    pub fn finish(mut self, outputs: &[NodeId]) -> Graph {
        for &output in outputs {
            self.graph.add_output(output);
        }
        self.graph
    }
}
