//! What makes a network legal: known shapes, the right weights, and joins of equal shapes.

pub mod residual;

use std::collections::BTreeMap;
use std::ops::Deref;

use frit_ir::diagnostic::codes;
use frit_ir::ops::Binary;
use frit_ir::ops::binary::broadcast;
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

/// Two tensors that an add joins: the layers and shapes of both sides.
struct Join<'a> {
    /// The layer that adds.
    at: NodeId,
    /// Who made the two tensors; a convolution that adds a residual to its own sum makes the first itself.
    sides: [NodeId; 2],
    /// Their shapes.
    shapes: [&'a Shape; 2],
}

fn check_joins(graph: &Graph, shapes: &BTreeMap<NodeId, Shape>, faults: &mut Faults) {
    let order = graph.topological();
    let branches = residual::Branches::new(graph, &order);
    for &id in &order {
        let Some(join) = join(graph, shapes, id) else { continue };
        let [first, second] = join.shapes;
        let fits = match graph.node(id).op {
            Op::Binary(_) => broadcast(first, second).is_some(),
            _ => first == second,
        };
        if fits {
            continue;
        }
        // Only a sum is a residual.
        let residual = match graph.node(id).op {
            Op::Binary(Binary::Add) | Op::Conv2d(_) | Op::Conv2dTranspose(_) | Op::Dense(_) => {
                residual::diagnose(&branches, shapes, &join)
            }
            _ => None,
        };
        let fault = residual.unwrap_or_else(|| mismatch(graph, &join));
        faults.push(fault.at(described(graph.node(id))));
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
