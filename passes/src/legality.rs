//! What makes a network legal: known shapes, the right weights, and joins of equal shapes.

pub mod multiplier;
mod numbers;
pub mod residual;
pub mod training;

use std::collections::BTreeMap;
use std::ops::Deref;

use frit_ir::diagnostic::codes;
use frit_ir::ops::Binary;
use frit_ir::ops::binary::{broadcast, is_gate};
use frit_ir::{Diagnostic, Faults, Graph, Node, NodeId, Op, Shape, infer};

use residual::{Branches, Broken};

/// The name of the pass.
pub const NAME: &str = "legality";

/// Something that [`check`] found legal, or that a pass made of that and keeps it so; nothing else makes one, and it can't be
/// changed while it is one.
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

    /// `graph`, which a pass made of this one: that it is legal, [`crate::pipeline::verify`] finds in debug builds.
    pub(crate) fn rewritten(&self, graph: Graph) -> Legal<Graph> {
        Legal(graph)
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
/// Every fault in one go: those of inference (FR01xx), of weights (FR002x) and of joins (FR02xx). Layers
/// behind a layer whose shape can't be known are passed over; behind a residual that is at fault the network is
/// checked as its main path alone would go on.
pub fn check(graph: Graph) -> Result<(Legal<Graph>, Faults), Faults> {
    let joins = joins(&graph);
    let settled = residual::without_shortcuts(&graph, &joins.broken);
    let (types, mut faults) = infer::known(&settled);
    infer::check_weights(&settled, &types, &mut faults);
    faults.extend(numbers::faults(&settled, types.keys()));
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
        let misfits: Vec<Join<'_>> =
            joined(graph, &joins.shapes, id).into_iter().filter(|join| !join.fits()).collect();
        let mut broken = None;
        for join in &misfits {
            let residual = branches.broken(graph, join);
            let fault = residual
                .as_ref()
                .and_then(|b| residual::diagnose(&branches, graph, &joins.shapes, (join, b)));
            joins.faults.push(fault.unwrap_or_else(|| mismatch(graph, join)).at(described(node)));
            broken = broken.or(residual);
        }
        if let Some(broken) = broken {
            joins.shapes.insert(id, Shape::new(&broken.to));
            joins.broken.push(broken);
        }
    }
    joins
}

/// Two tensors that a layer joins: the layers and shapes of both sides.
struct Join<'a> {
    /// The layer that joins.
    at: NodeId,
    /// How.
    by: By,
    /// Who made the two tensors; a convolution that adds a residual to its own sum makes the first itself.
    sides: [NodeId; 2],
    /// Their shapes.
    shapes: [&'a Shape; 2],
}

/// How two tensors are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// Element by element, one of them repeated where it must be.
    Op(Binary),
    /// A sum that a layer carries.
    Residual,
    /// A product that a layer carries, with one value for each channel and nothing else.
    Gate,
}

impl Join<'_> {
    /// Whether it may be a residual: other functions than a sum are none.
    fn is_sum(&self) -> bool {
        matches!(self.by, By::Op(Binary::Add) | By::Residual)
    }

    /// Whether the shapes go together.
    fn fits(&self) -> bool {
        let [first, second] = self.shapes;
        match self.by {
            By::Op(_) => broadcast(first, second).is_some(),
            By::Residual => first == second,
            By::Gate => is_gate(first, second),
        }
    }
}

/// The joins that `id` makes, where both shapes are known.
fn joined<'a>(graph: &Graph, shapes: &'a BTreeMap<NodeId, Shape>, id: NodeId) -> Vec<Join<'a>> {
    let op = &graph.node(id).op;
    let operands = graph.operands(id);
    if operands.len() != op.arity() {
        return Vec::new();
    }
    let whole =
        if let Op::Binary(binary) = op { Some((By::Op(*binary), [operands[0], operands[1]])) } else { None };
    let gate = op.gate().map(|gate| (By::Gate, [operands[0], operands[gate]]));
    let residual = op.residual().map(|residual| (By::Residual, [id, operands[residual]]));
    let join = |(by, sides): (By, [NodeId; 2])| {
        Some(Join { at: id, by, sides, shapes: [shapes.get(&sides[0])?, shapes.get(&sides[1])?] })
    };
    whole.into_iter().chain(gate).chain(residual).filter_map(join).collect()
}

/// The fault of a join that is no residual.
fn mismatch(graph: &Graph, join: &Join<'_>) -> Diagnostic {
    let [first, second] = join.sides.map(|id| graph.node(id).name.as_str());
    let (name, note) = match join.by {
        By::Op(binary) => (
            binary.name(),
            "axes are compared from the last one on: an axis that is missing or 1 fits any, others must be alike",
        ),
        By::Residual => {
            ("add", "a fused add takes two tensors of one shape; neither is repeated to fit the other")
        }
        By::Gate => ("gate", "a gate has one value for each channel of the map"),
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
