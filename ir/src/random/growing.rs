//! A graph that grows layer by layer.

use std::collections::BTreeSet;

use crate::ops::Input;
use crate::ops::binary::is_gate;
use crate::weights::{Data, Weight};
use crate::{Graph, Node, NodeId, Op, Provenance, Shape};

/// What a graph may still take, so that the interpreter takes milliseconds.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    /// Elements of each tensor.
    pub(super) elements: usize,
    /// Multiply-accumulates of all layers together.
    pub(super) macs: u64,
}

/// That of graphs whose layers are small.
const SMALL: Budget = Budget { elements: 4_000, macs: u64::MAX };

/// A graph under construction, with every value so far.
#[derive(Clone)]
pub(super) struct Growing {
    pub(super) graph: Graph,
    pub(super) values: Vec<(NodeId, Shape)>,
    pub(super) fused: bool,
    pub(super) left: Budget,
    /// Values that are outputs though layers read them.
    pub(super) read_outputs: BTreeSet<usize>,
    pub(super) seed: u64,
}

impl Growing {
    /// Nothing but a small input.
    pub(super) fn new(input: [u8; 3], seed: u64, fused: bool) -> Growing {
        let [height, width, channels] = input.map(usize::from);
        let growing = Growing::on(&[1 + height % 12, 1 + width % 12, 1 + channels % 20], seed);
        Growing { fused, ..growing }
    }

    /// Nothing but an input of these axes.
    pub(super) fn on(input: &[usize], seed: u64) -> Growing {
        let (graph, values, read_outputs) = (Graph::new("random"), Vec::new(), BTreeSet::new());
        let mut growing = Growing { graph, values, fused: false, left: SMALL, read_outputs, seed };
        growing.push(Op::Input(Input { shape: Shape::new(input) }), &[]);
        growing
    }

    /// The values of this shape.
    pub(super) fn alike(&self, shape: &Shape) -> Vec<usize> {
        (0..self.values.len()).filter(|&index| self.values[index].1 == *shape).collect()
    }

    /// The values that have one element for each channel of `map`.
    pub(super) fn gates(&self, map: usize) -> Vec<usize> {
        (0..self.values.len()).filter(|&gate| is_gate(&self.values[map].1, &self.values[gate].1)).collect()
    }

    /// Adds `op` with its weights, unless it is illegal here or more than what is left; the value that it makes.
    pub(super) fn put(&mut self, op: Op, operands: &[usize]) -> Option<usize> {
        let shapes = self.shapes(operands);
        let result = op.shape(&shapes).ok()?;
        let macs = self.left.macs.checked_sub(op.macs(&shapes, &result))?;
        if result.elements()? > self.left.elements {
            return None;
        }
        self.left.macs = macs;
        self.push(op, operands);
        Some(self.values.len() - 1)
    }

    /// The same, where it is of no matter whether it is added.
    pub(super) fn add(&mut self, op: Op, operands: &[usize]) {
        self.put(op, operands);
    }

    /// Adds `op` with its weights, unless it is illegal here.
    pub(super) fn push(&mut self, op: Op, operands: &[usize]) {
        let shapes = self.shapes(operands);
        let Ok(result) = op.shape(&shapes) else { return };
        let name = format!("{}{}", op.name(), self.values.len());
        let mut weights = Vec::new();
        for role in op.weight_roles(&shapes) {
            let weight = format!("{name}.{}", role.role);
            self.graph.weights.insert(&weight, Weight::new(role.shape, Data::Seeded(self.seed)));
            weights.push(weight);
        }
        let operands: Vec<NodeId> = operands.iter().map(|&operand| self.values[operand].0).collect();
        let node = Node { sources: Provenance::source(&name), name, op, weights };
        let id = self.graph.add(node, &operands);
        self.values.push((id, result));
    }

    fn shapes(&self, values: &[usize]) -> Vec<Shape> {
        values.iter().map(|&value| self.values[value].1.clone()).collect()
    }

    /// The graph; what no layer reads is an output.
    pub(super) fn finish(mut self) -> Graph {
        for (value, (id, _)) in self.values.into_iter().enumerate() {
            if self.graph.users(id).is_empty() || self.read_outputs.contains(&value) {
                self.graph.add_output(id);
            }
        }
        self.graph
    }
}
