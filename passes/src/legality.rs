//! What makes a network legal: known shapes, the right weights, and joins of equal shapes.

pub mod multiplier;
pub mod residual;
pub mod training;

use std::collections::BTreeMap;
use std::ops::Deref;

use frit_ir::diagnostic::codes;
use frit_ir::ops::binary::broadcast;
use frit_ir::{Diagnostic, Faults, Graph, Node, NodeId, Op, Shape, infer};

use crate::repair;
use residual::{Branches, Broken};

/// The name of the pass.
pub const NAME: &str = "legality";

/// Something that [`check`] found legal; nothing else makes one, and it can't be changed while it is one.
#[derive(Debug, Clone)]
pub struct Legal<T>(T);

impl<T> Legal<T> {
    /// The legal thing, as a thing of which nothing is known.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl Legal<Graph> {
    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.0
    }
}

impl<T> Deref for Legal<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Checks shapes, weights and joins of the whole network; what is legal comes back with the warnings.
///
/// # Errors
/// Every fault in one go: those of inference (FR01xx), of weights (FR02x) and of joins (FR02xx). Layers
/// behind a layer whose shape can't be known are passed over; behind a residual that is at fault the network is
/// checked as its main path alone would go on.
pub fn check(graph: Graph) -> Result<(Legal<Graph>, Faults), Faults> {
    let joins = joins(&graph);
    let settled = repair::without_shortcuts(&graph, &joins.broken);
    let (shapes, mut faults) = infer::known(&settled);
    infer::check_weights(&settled, &shapes, &mut faults);
    faults.extend(joins.faults);
    let given = |name: &str| graph.weights.get(name).map(|weight| weight.shape.clone());
    faults.extend(multiplier::faults(&graph, &joins.shapes, &given));
    faults.unless_errors(()).map(|((), warnings)| (Legal(graph), warnings))
}

/// The faults of the joins alone, as far as shapes are known.
pub fn join_faults(graph: &Graph) -> Faults {
    joins(graph).faults
}

/// The joins of a network that are at fault.
pub(crate) struct Joins {
    /// Residuals whose shortcut can't be the identity, in the order of the data.
    pub(crate) broken: Vec<Broken>,
    /// The shapes that can be known, a broken residual's being that of its main path.
    pub(crate) shapes: BTreeMap<NodeId, Shape>,
    /// A fault for each, those of joins that are no residuals among them.
    faults: Faults,
}

/// Finds the joins that are at fault.
pub(crate) fn joins(graph: &Graph) -> Joins {
    let mut joins = Joins { broken: Vec::new(), shapes: BTreeMap::new(), faults: Faults::new() };
    let mut branches = Branches::default();
    for id in graph.topological() {
        branches.push(id);
        let node = graph.node(id);
        let operands = graph.operands(id);
        let operands: Option<Vec<Shape>> =
            operands.iter().map(|operand| joins.shapes.get(operand).cloned()).collect();
        let shape = operands.filter(|o| o.len() == node.op.arity()).and_then(|o| node.op.shape(&o).ok());
        let Some(shape) = shape else { continue };
        joins.shapes.insert(id, shape);
        let Some(join) = join(graph, &joins.shapes, id).filter(|join| !join.fits(graph)) else { continue };
        let broken = branches.broken(graph, &joins.shapes, id);
        let fault = broken.as_ref().and_then(|b| residual::diagnose(&branches, graph, &joins.shapes, b));
        let fault = fault.unwrap_or_else(|| mismatch(graph, &join));
        joins.faults.push(fault.at(described(node)));
        if let Some(broken) = broken {
            joins.shapes.insert(id, Shape::new(&broken.to));
            joins.broken.push(broken);
        }
    }
    joins
}

/// Two tensors that an add joins: the layers and shapes of both sides.
struct Join<'a> {
    /// The layer that adds.
    at: NodeId,
    /// Who made the two tensors; a convolution that adds a residual to its own sum makes the first itself.
    sides: [NodeId; 2],
    /// Their shapes.
    shapes: [&'a Shape; 2],
}

impl Join<'_> {
    /// Whether the shapes go together.
    fn fits(&self, graph: &Graph) -> bool {
        let [first, second] = self.shapes;
        match graph.node(self.at).op {
            Op::Binary(_) => broadcast(first, second).is_some(),
            _ => first == second,
        }
    }
}

/// The join that `id` is, where both shapes are known.
fn join<'a>(graph: &Graph, shapes: &'a BTreeMap<NodeId, Shape>, id: NodeId) -> Option<Join<'a>> {
    let op = &graph.node(id).op;
    let fused = op.epilogue().is_some_and(|epilogue| epilogue.residual);
    if !fused && !matches!(op, Op::Binary(_)) {
        return None;
    }
    let &[first, second] = graph.operands(id).as_slice() else { return None };
    let sides = if fused { [id, second] } else { [first, second] };
    Some(Join { at: id, sides, shapes: [shapes.get(&sides[0])?, shapes.get(&sides[1])?] })
}

/// The fault of a join that is no residual.
fn mismatch(graph: &Graph, join: &Join<'_>) -> Diagnostic {
    let [first, second] = join.sides.map(|id| graph.node(id).name.as_str());
    let (name, note) = match &graph.node(join.at).op {
        Op::Binary(binary) => (
            binary.name(),
            "axes are compared from the last one on: an axis that is missing or 1 fits any, others must be alike",
        ),
        _ => ("add", "a fused add takes two tensors of one shape; neither is repeated to fit the other"),
    };
    Diagnostic::error(codes::JOIN_SHAPES, format!("{name} joins different shapes"))
        .operand("first", first, join.shapes[0].to_string())
        .operand("second", second, join.shapes[1].to_string())
        .note(note)
}

/// A layer as diagnostics name it.
fn described(node: &Node) -> String {
    format!("{} ({})", node.name, node.op.name())
}

#[cfg(test)]
mod tests;
