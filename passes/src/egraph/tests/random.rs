//! Random networks: what is optimised computes what the source computes, and loses no layer.

use frit_ir::ops::{Activation, BatchNorm, Binary, Conv2d, Dense, Epilogue, Padding, Reshape, Scalar};
use frit_ir::{Graph, NodeId, Op, Shape};
use proptest::prelude::*;

use super::names::assert_complete;
use crate::legality::{self, Legal};
use crate::testing::{Draw, EPSILON, Net, ROUNDED, assert_kept, conv, difference, optimised, rounding};

/// A network under construction, with every value so far.
struct Growing {
    net: Net,
    drawn: Draw,
    values: Vec<(NodeId, Shape)>,
}

impl Growing {
    /// One more layer, over one of the last few values or any.
    fn grow(&mut self) {
        let any = self.drawn.below(self.values.len());
        let last = self.values.len() - 1 - self.drawn.below(self.values.len().min(3));
        let (x, shape) = self.values[if self.drawn.below(4) == 0 { any } else { last }].clone();
        let same: Vec<NodeId> =
            self.values.iter().filter(|(_, other)| *other == shape).map(|&(id, _)| id).collect();
        if self.drawn.below(6) == 0 {
            return self.grow_arithmetic(x, &shape);
        }
        let (op, operands) = match (self.drawn.below(8), shape.map()) {
            (0 | 1, Some([_, _, channels])) => (self.convolution(channels), vec![x]),
            (0 | 1, None) if shape.rank() == 1 => (self.dense(), vec![x]),
            (2, Some(_)) => (Op::Pad(frit_ir::ops::Pad::zeros(self.padding())), vec![x]),
            (3, Some(_)) => {
                let keep_dims = self.drawn.below(2) == 0;
                (Op::GlobalAveragePool(frit_ir::ops::GlobalAveragePool { keep_dims }), vec![x])
            }
            (4, _) => (self.activation(), vec![x]),
            (5, _) => (self.norm(), vec![x]),
            (6, _) => {
                let other = self.drawn.one(&same);
                (Op::Binary(self.drawn.one(&[Binary::Add, Binary::Mul, Binary::Max])), vec![x, other])
            }
            (7, _) => (self.reshape(&shape), vec![x]),
            _ => (self.activation(), vec![x]),
        };
        let mut shapes = operands.iter().map(|_| shape.clone()).collect::<Vec<_>>();
        shapes.truncate(op.arity());
        let Ok(result) = op.shape(&shapes) else { return };
        if result.elements().is_none_or(|elements| elements > 2_000) {
            return;
        }
        let name = format!("n{}", self.values.len());
        let id = self.net.add(&name, op, &operands);
        self.values.push((id, result));
    }

    /// `x` and a constant, joined: one number for all, for each channel or for another axis.
    fn grow_arithmetic(&mut self, x: NodeId, shape: &Shape) {
        let name = format!("n{}", self.values.len());
        let kept = self.drawn.below(shape.rank() + 1);
        let mut axes = shape.axes().to_vec();
        axes.iter_mut().enumerate().filter(|(axis, _)| *axis != kept).for_each(|(_, length)| *length = 1);
        // Exact with the other weights, whatever is multiplied.
        let numbers = [0.5, 2.0, -1.0, 4.0, -0.25];
        let drawn = [self.drawn.one(&numbers), self.drawn.one(&numbers)];
        let constant = self.net.constant(&format!("{name}.number"), &axes, &drawn);
        let binary = self.drawn.one(&[Binary::Add, Binary::Sub, Binary::Mul, Binary::Min, Binary::Max]);
        let (first, second) = if self.drawn.below(2) == 0 { (x, constant) } else { (constant, x) };
        let id = self.net.binary(&name, binary, first, second);
        self.values.push((id, shape.clone()));
    }

    fn convolution(&mut self, channels: usize) -> Op {
        let grouped = (2..=channels).filter(|groups| channels.is_multiple_of(*groups)).collect::<Vec<_>>();
        let groups =
            if grouped.is_empty() || self.drawn.below(2) == 0 { 1 } else { self.drawn.one(&grouped) };
        let filters = if self.drawn.below(2) == 0 { channels } else { groups * (1 + self.drawn.below(3)) };
        let kernel = 1 + self.drawn.below(3);
        let padding =
            if self.drawn.below(2) == 0 { self.padding() } else { crate::testing::around(kernel / 2) };
        let stride = [1 + self.drawn.below(2), 1];
        let epilogue = Epilogue::with_bias(self.drawn.below(2) == 0);
        Op::Conv2d(Conv2d { groups, padding, stride, epilogue, ..conv(filters, kernel) })
    }

    fn dense(&mut self) -> Op {
        let epilogue = Epilogue::with_bias(self.drawn.below(2) == 0);
        Op::Dense(Dense { units: 1 + self.drawn.below(6), epilogue })
    }

    fn padding(&mut self) -> Padding {
        let [top, bottom, left, right] = std::array::from_fn(|_| self.drawn.below(3).saturating_sub(1));
        Padding { top, bottom, left, right }
    }

    fn activation(&mut self) -> Op {
        let (low, high) =
            self.drawn.one(&[(0.0, 6.0), (-1.0, 1.0), (0.5, 2.0), (f32::NEG_INFINITY, f32::INFINITY)]);
        let clip = Activation::Clip { low: Scalar::new(low), high: Scalar::new(high) };
        let named = self.drawn.one(&Activation::BY_NAME);
        Op::Activation(if self.drawn.below(3) == 0 { clip } else { named })
    }

    fn norm(&mut self) -> Op {
        let [scale, center] = std::array::from_fn(|_| self.drawn.below(4) > 0);
        Op::BatchNorm(BatchNorm { epsilon: Scalar::new(EPSILON), scale, center })
    }

    fn reshape(&mut self, shape: &Shape) -> Op {
        let elements = shape.elements().expect("values have elements");
        let to = [Shape::new(&[elements]), Shape::new(&[1, 1, elements]), shape.clone()][self.drawn.below(3)]
            .clone();
        Op::Reshape(if self.drawn.below(2) == 0 { Reshape::Flatten } else { Reshape::To(to) })
    }
}

/// A network of up to `layers` layers with one to three outputs; some layers may be needed by none.
fn network(seed: u64, layers: usize) -> Legal<Graph> {
    let mut net = Net::new(seed);
    let mut drawn = Draw::new(!seed);
    let axes = [2 + drawn.below(4), 2 + drawn.below(4), 1 + drawn.below(6)];
    let x = net.input("x", &axes);
    let mut growing = Growing { net, drawn, values: vec![(x, Shape::new(&axes))] };
    for _ in 0..layers {
        growing.grow();
    }
    let Growing { net, mut drawn, values } = growing;
    let mut outputs = vec![values[values.len() - 1].0];
    for _ in 0..drawn.below(3) {
        outputs.push(values[drawn.below(values.len())].0);
    }
    net.finish(&outputs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn optimising_changes_no_value_and_loses_no_layer(seed in any::<u64>(), layers in 1..40usize) {
        let source = network(seed, layers);
        let (graph, rewriting) = optimised(&source);
        assert_kept(&source, &graph, &rewriting);
        assert_complete(&source, &graph, &rewriting);
        prop_assert_eq!(rewriting.reached, None);
        let names = |graph: &Graph| graph.outputs().iter().map(|&id| graph.node(id).name.clone()).collect::<Vec<_>>();
        prop_assert_eq!(names(&source), names(&graph));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_legal_graph_keeps_its_values(graph in frit_ir::random::graphs()) {
        let source = legality::check(graph).expect("they are legal").0;
        let (graph, rewriting) = optimised(&source);
        let bound = ROUNDED + rounding(&source);
        prop_assert!(difference(&source, &graph) <= bound, "{:e}", difference(&source, &graph));
        assert_complete(&source, &graph, &rewriting);
    }

    #[test]
    fn a_graph_that_is_fused_already_keeps_its_values(graph in frit_ir::random::fused_graphs()) {
        let source = legality::check(graph).expect("they are legal").0;
        let (graph, rewriting) = optimised(&source);
        let bound = ROUNDED + rounding(&source);
        prop_assert!(difference(&source, &graph) <= bound, "{:e}", difference(&source, &graph));
        assert_complete(&source, &graph, &rewriting);
    }
}
