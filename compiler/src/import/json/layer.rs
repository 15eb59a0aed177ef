//! A layer as it is written, and what becomes nodes of a graph when the shapes that it reads are known.

use frit_ir::diagnostic::codes;
use frit_ir::ops::Activation;
use frit_ir::weights::Values;
use frit_ir::{Diagnostic, NodeId, Op, Shape};

use super::split::Split;
use crate::import::document::Value;
use crate::import::window::WindowRule;

/// A layer as it is written.
pub(super) struct WrittenLayer<'a> {
    pub(super) name: String,
    /// The whole of it.
    pub(super) value: Value<'a>,
    /// The names that it reads, each with its place; none where it takes the layer before.
    pub(super) inputs: Option<Vec<(String, Value<'a>)>>,
    /// None where a fault was found.
    pub(super) operation: Option<Operation>,
    /// What follows it under its name.
    pub(super) activation: Option<Activation>,
    /// The name of its op or stage.
    pub(super) word: String,
}

impl WrittenLayer<'_> {
    /// The fault of taking the layer for one tensor, where it has several results.
    pub(super) fn several(&self) -> Option<Diagnostic> {
        let Some(Operation::Split(split)) = &self.operation else { return None };
        let last = split.len().checked_sub(1).filter(|&last| last > 0)?;
        let message = format!("the layer {} has several results", self.name);
        let fault = Diagnostic::error(codes::UNKNOWN_LAYER, message);
        Some(fault.help(format!("name one: {0}/0 to {0}/{last}", self.name)))
    }
}

/// How many filters a convolution has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Filters {
    /// So many.
    Count {
        /// Output channels.
        filters: usize,
        /// Groups that the channels are split into.
        groups: usize,
    },
    /// So many for each input channel, each channel a group of its own.
    PerChannel(usize),
}

/// A convolution whose input is not known yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    pub(super) filters: Filters,
    pub(super) window: WindowRule,
    pub(super) bias: bool,
}

/// What a layer computes.
#[derive(Debug)]
pub(super) enum Operation {
    Plain(Op),
    /// An op that the shapes of its operands complete.
    Shaped(Box<dyn Shaped>),
    /// A constant, with its value where the description says it.
    Constant(Shape, Option<Values>),
    Convolution(Convolution),
    Split(Split),
    Stage(Box<dyn Stage>),
}

/// What becomes an op when the shapes of its operands are known.
pub(super) trait Shaped: std::fmt::Debug {
    /// The op on operands of these shapes.
    ///
    /// # Errors
    /// What does not fit these shapes.
    fn op(&self, operands: &[Shape]) -> Result<Op, Diagnostic>;

    /// How many operands it takes where it is given so many.
    fn arity(&self, _given: usize) -> usize {
        1
    }
}

impl Operation {
    /// How many operands it takes where it is given so many.
    pub(super) fn arity(&self, given: usize) -> usize {
        match self {
            Operation::Plain(op) => op.arity(),
            Operation::Shaped(shaped) => shaped.arity(given),
            Operation::Constant(..) => 0,
            Operation::Convolution(_) | Operation::Split(_) | Operation::Stage(_) => 1,
        }
    }
}

/// Blocks of layers in one line.
pub(super) trait Stage: std::fmt::Debug {
    /// How many layers they are at most.
    fn layers(&self) -> usize;

    /// Adds them behind `input`; the last one's result is the stage's.
    fn build(&self, nodes: &mut dyn Nodes, origin: Origin<'_>, input: NodeId) -> Option<NodeId>;
}

/// Where a node comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'s> {
    /// The node's name.
    pub(super) name: &'s str,
    /// The layer that it is, or is a part of.
    pub(super) layer: usize,
}

/// What a stage adds its layers to; their faults are told there.
pub(super) trait Nodes {
    /// Channels of the tensor that `node` makes.
    fn channels(&self, node: NodeId) -> usize;

    /// Adds a node, with its weights still without values.
    fn add(&mut self, origin: Origin<'_>, op: Op, inputs: &[NodeId]) -> Option<NodeId>;

    /// Adds a convolution, with its padding as numbers.
    fn convolution(&mut self, origin: Origin<'_>, convolution: &Convolution, input: NodeId)
    -> Option<NodeId>;

    /// Adds `activation` under the name of what it follows.
    fn activate(
        &mut self,
        origin: Origin<'_>,
        activation: Option<Activation>,
        input: NodeId,
    ) -> Option<NodeId> {
        let Some(activation) = activation else { return Some(input) };
        let name = format!("{}/{}", origin.name, activation.name());
        self.add(Origin { name: &name, ..origin }, Op::Activation(activation), &[input])
    }

    /// Tells at the layer of `origin` that one of its values is wrong.
    fn wrong(&mut self, origin: Origin<'_>, message: &str);
}
