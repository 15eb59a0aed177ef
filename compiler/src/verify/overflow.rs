//! Where a network leaves what f32 holds.

use std::collections::BTreeSet;

use frit_ir::diagnostic::codes;
use frit_ir::ops::Scalar;
use frit_ir::{Diagnostic, Graph, NodeId, Op, Tensor};

/// The first layer that makes a number which no f32 holds out of numbers that some do.
#[derive(Debug, Clone, PartialEq)]
pub struct Overflow {
    /// The layer.
    pub layer: String,
    /// The number, in f64; infinite where that does not hold it either.
    pub value: f64,
    /// Which image, from 0.
    pub sample: usize,
}

impl Overflow {
    /// The warning that says so.
    pub fn warning(&self) -> Diagnostic {
        let Overflow { layer, value, sample } = self;
        let message = format!(
            "{layer} makes {value:.2e} of image {sample}; the largest f32 is {:.2e}",
            Scalar::MAX.get()
        );
        Diagnostic::warning(codes::VERIFY_OVERFLOW, message).at(layer.clone()).note(
            "behind it the network is infinity or no number in f32 arithmetic, in every implementation; \
             what is compiled is held against that there",
        )
    }
}

/// Looks on while an image is interpreted.
pub(super) struct Watch<'a> {
    graph: &'a Graph,
    /// Nodes with a value past what f32 holds.
    past: BTreeSet<NodeId>,
    first: Option<(NodeId, f64)>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(graph: &'a Graph) -> Watch<'a> {
        Watch { graph, past: BTreeSet::new(), first: None }
    }

    /// Looks at the value of a node; operands come first.
    pub(super) fn see(&mut self, id: NodeId, value: &Tensor<f64>) {
        let Some(&far) = value.iter().find(|value| is_past(**value)) else { return };
        self.past.insert(id);
        // Infinity may be meant: as a mask, or around a maximum.
        let is_given = matches!(self.graph.node(id).op, Op::Input(_) | Op::Constant(_) | Op::Pad(_));
        let is_passed_on = self.graph.operands(id).iter().any(|operand| self.past.contains(operand));
        if !is_given && !is_passed_on {
            self.first.get_or_insert((id, far));
        }
    }

    /// What was seen of image `sample`.
    pub(super) fn overflow(&self, sample: usize) -> Option<Overflow> {
        self.first.map(|(id, value)| Overflow { layer: self.graph.node(id).name.clone(), value, sample })
    }
}

/// Whether f32 has infinity for a number.
pub(super) fn is_past(value: f64) -> bool {
    Scalar::nearest(value).get().is_infinite()
}
