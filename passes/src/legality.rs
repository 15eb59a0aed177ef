//! What makes a network legal: known shapes, the right weights, and joins of equal shapes.

pub mod residual;

use std::collections::BTreeMap;
use std::ops::Deref;

use frit_ir::diagnostic::codes;
use frit_ir::ops::Binary;
use frit_ir::ops::binary::is_gate;
use frit_ir::{Diagnostic, Faults, Graph, Node, NodeId, Op, Shape, infer};

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
/// behind a layer whose shape can't be known are passed over.
pub fn check(graph: Graph) -> Result<(Legal<Graph>, Faults), Faults> {
    let mut faults = Faults::new();
    let shapes = match infer::infer(&graph) {
        Ok(shapes) => shapes,
        Err(found) => {
            faults.extend(found);
            known_shapes(&graph)
        }
    };
    infer::check_weights(&graph, &shapes, &mut faults);
    check_joins(&graph, &shapes, &mut faults);
    faults.unless_errors(()).map(|((), warnings)| (Legal(graph), warnings))
}

/// The shapes that can be known in a graph with faults: joins and weights are checked wherever they are.
fn known_shapes(graph: &Graph) -> BTreeMap<NodeId, Shape> {
    let mut shapes = BTreeMap::new();
    for id in graph.topological() {
        let operands: Option<Vec<Shape>> =
            graph.operands(id).iter().map(|o| shapes.get(o).cloned()).collect();
        let node = graph.node(id);
        let shape = operands.filter(|o| o.len() == node.op.arity()).and_then(|o| node.op.shape(&o).ok());
        if let Some(shape) = shape {
            shapes.insert(id, shape);
        }
    }
    shapes
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
    Sum,
    Product,
    /// A product with one value for each channel, and nothing else.
    Gate,
}

impl Join<'_> {
    fn fits(&self) -> bool {
        let [first, second] = self.shapes;
        match self.by {
            By::Sum => Binary::Add.joins(first, second),
            By::Product => Binary::Mul.joins(first, second),
            By::Gate => is_gate(first, second),
        }
    }
}

fn check_joins(graph: &Graph, shapes: &BTreeMap<NodeId, Shape>, faults: &mut Faults) {
    let order = graph.topological();
    let branches = residual::Branches::new(graph, &order);
    for &id in &order {
        for join in joins(graph, shapes, id).into_iter().filter(|join| !join.fits()) {
            // A product is no residual.
            let residual = match join.by {
                By::Sum => residual::diagnose(&branches, shapes, &join),
                By::Product | By::Gate => None,
            };
            let fault = residual.unwrap_or_else(|| mismatch(graph, &join));
            faults.push(fault.at(described(graph.node(id))));
        }
    }
}

/// The joins that `id` makes, where both shapes are known.
fn joins<'a>(graph: &Graph, shapes: &'a BTreeMap<NodeId, Shape>, id: NodeId) -> Vec<Join<'a>> {
    let op = &graph.node(id).op;
    let operands = graph.operands(id);
    if operands.len() != op.arity() {
        return Vec::new();
    }
    let whole = match op {
        Op::Binary(Binary::Add) => Some((By::Sum, [operands[0], operands[1]])),
        Op::Binary(Binary::Mul) => Some((By::Product, [operands[0], operands[1]])),
        _ => None,
    };
    let gate = op.gate().map(|gate| (By::Gate, [operands[0], operands[gate]]));
    let residual = op.residual().map(|residual| (By::Sum, [id, operands[residual]]));
    let join = |(by, sides): (By, [NodeId; 2])| {
        Some(Join { at: id, by, sides, shapes: [shapes.get(&sides[0])?, shapes.get(&sides[1])?] })
    };
    whole.into_iter().chain(gate).chain(residual).filter_map(join).collect()
}

/// The fault of a join that is no residual.
fn mismatch(graph: &Graph, join: &Join<'_>) -> Diagnostic {
    let [first, second] = join.sides.map(|id| graph.node(id).name.as_str());
    let (name, note) = match join.by {
        By::Sum => ("add", "an add takes two tensors of one shape; neither is repeated to fit the other"),
        By::Product => {
            ("mul", "a mul takes two tensors of one shape, or a map and one value for each of its channels")
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
