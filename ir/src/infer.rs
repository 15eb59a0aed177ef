//! Types over the whole graph, every fault in one go.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, codes};
use crate::ops::WeightRole;
use crate::weights::Data;
use crate::{Faults, Graph, NodeId, Shape, Type};

/// The type of every node.
///
/// # Errors
/// All faults of the graph (FR01xx, and FR0008 for a cycle), each with its layer's name; nodes behind a fault are passed
/// over.
pub fn infer(graph: &Graph) -> Result<BTreeMap<NodeId, Type>, Faults> {
    let (types, faults) = known(graph);
    faults.unless_errors(types).map(|(types, _)| types)
}

/// The types of the nodes that have one, and all faults.
pub fn known(graph: &Graph) -> (BTreeMap<NodeId, Type>, Faults) {
    let mut faults = Faults::new();
    let mut types: BTreeMap<NodeId, Type> = BTreeMap::new();
    let order = graph.topological();
    for &id in &order {
        let node = graph.node(id);
        let layer = format!("{} ({})", node.name, node.op.name());
        let operands = graph.operands(id);
        if operands.len() != node.op.arity() {
            let message =
                format!("{} takes {} operands, not {}", node.op.name(), node.op.arity(), operands.len());
            faults.push(Diagnostic::error(codes::OPERANDS, message).at(layer));
            continue;
        }
        let operands: Option<Vec<Type>> =
            operands.iter().map(|operand| types.get(operand).cloned()).collect();
        let Some(operands) = operands else { continue };
        match node.op.result(&operands) {
            Ok(result) => {
                types.insert(id, result);
            }
            Err(fault) => faults.push(fault.at(layer)),
        }
    }
    if order.len() < graph.len() {
        faults.push(cycle(graph, &order));
    }
    (types, faults)
}

/// The fault of a graph with nodes on a cycle, or behind one.
fn cycle(graph: &Graph, order: &[NodeId]) -> Diagnostic {
    let done: BTreeSet<NodeId> = order.iter().copied().collect();
    let names: Vec<&str> =
        graph.ids().filter(|id| !done.contains(id)).map(|id| graph.node(id).name.as_str()).collect();
    let listed = names.iter().take(8).copied().collect::<Vec<_>>().join(", ");
    let more = if names.len() > 8 { format!(" and {} more", names.len() - 8) } else { String::new() };
    Diagnostic::error(codes::CYCLE, format!("layers read each other in a cycle: {listed}{more}"))
}

/// Compares the weights of every node in `types` with what its op needs.
///
/// Faults: a weight that is missing or has another shape. Warnings: values that are NaN or infinite.
pub fn check_weights(graph: &Graph, types: &BTreeMap<NodeId, Type>, faults: &mut Faults) {
    for id in graph.topological().into_iter().filter(|id| types.contains_key(id)) {
        let node = graph.node(id);
        let operands: Option<Vec<Shape>> =
            graph.operands(id).iter().map(|operand| Some(types.get(operand)?.shape.clone())).collect();
        let Some(operands) = operands.filter(|operands| operands.len() == node.op.arity()) else { continue };
        let layer = format!("{} ({})", node.name, node.op.name());
        let roles = node.op.weight_roles(&operands);
        if roles.len() != node.weights.len() {
            let message =
                format!("{} needs {} weights, not {}", node.op.name(), roles.len(), node.weights.len());
            faults.push(Diagnostic::error(codes::WEIGHT_MISSING, message).at(layer));
            continue;
        }
        for (role, name) in roles.iter().zip(&node.weights) {
            if let Some(fault) = check_weight(graph, role, name) {
                faults.push(fault.at(layer.clone()));
            }
        }
    }
}

fn check_weight(graph: &Graph, role: &WeightRole, name: &str) -> Option<Diagnostic> {
    let Some(weight) = graph.weights.get(name) else {
        let message = format!("the weight {name} is missing");
        return Some(
            Diagnostic::error(codes::WEIGHT_MISSING, message)
                .note(format!("its {} is {}", role.role, role.shape)),
        );
    };
    if weight.shape != role.shape {
        return Some(
            Diagnostic::error(
                codes::WEIGHT_SHAPE,
                format!("the weight {name} has another shape than its layer needs"),
            )
            .operand("given", name, weight.shape.to_string())
            .operand("needed", name, role.shape.to_string()),
        );
    }
    let bad = match &weight.data {
        Data::Values(values) => values.iter().filter(|value| !value.is_finite()).count(),
        Data::Mapped(mapped) => mapped.stored().filter(|value| !value.is_finite()).count(),
        Data::Seeded(_) | Data::Digest(_) => 0,
    };
    (bad > 0).then(|| {
        Diagnostic::warning(
            codes::WEIGHT_NOT_FINITE,
            format!("{bad} values of the weight {name} are NaN or infinite"),
        )
    })
}

#[cfg(test)]
mod tests;
