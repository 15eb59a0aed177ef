//! Shapes over the whole graph, every fault in one go.

use std::collections::BTreeMap;

use crate::{Faults, Graph, NodeId, Shape};

/// The shape of every node whose shape can be known.
///
/// # Errors
/// All faults of the graph (FR01xx), each with its layer's name; nodes behind a fault are passed over.
pub fn infer(graph: &Graph) -> Result<BTreeMap<NodeId, Shape>, Faults> {
    let mut faults = Faults::new();
    let mut shapes: BTreeMap<NodeId, Shape> = BTreeMap::new();
    for id in graph.topological() {
        let node = graph.node(id);
        let operands: Option<Vec<Shape>> = graph.operands(id).iter().map(|o| shapes.get(o).cloned()).collect();
        let Some(operands) = operands else { continue };
        match node.op.shape(&operands) {
            Ok(shape) => {
                shapes.insert(id, shape);
            }
            Err(fault) => faults.push(fault.at(format!("{} ({})", node.name, node.op.name()))),
        }
    }
    faults.unless_errors(shapes).map(|(shapes, _)| shapes)
}
