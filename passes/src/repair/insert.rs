//! Finds the blocks whose input could be added to their output, and adds it.
//!
//! A block is expand (1×1) → depthwise → squeeze and excite → project (1×1), or what there is of it: only the depthwise
//! and the projecting convolution must be there. Batch normalisations and activations may stand between; behind the
//! projecting one there is no activation (the block's end is linear). MobileNet's separable blocks end in one and are
//! therefore none.

use std::collections::BTreeMap;

use frit_ir::ops::{Binary, Conv2d};
use frit_ir::{Graph, Node, NodeId, Op, Shape};

use super::Workshop;
use crate::legality::{self, residual};
use crate::report::{Edit, Residual};

/// A block that lacks its residual.
pub(crate) struct MissingResidual {
    /// The layer that reads the block's input.
    pub(crate) first: NodeId,
    /// The convolution that projects.
    project: NodeId,
    /// The layer that makes the block's output.
    pub(crate) last: NodeId,
    /// The shape of both.
    pub(crate) shape: Shape,
}

/// Adds the missing residuals.
pub(super) fn insert(workshop: &mut Workshop) {
    let shapes = legality::joins(workshop.graph()).shapes;
    for block in &blocks(workshop.graph(), &shapes) {
        add(workshop, block);
    }
}

/// The blocks of `graph` whose residual is missing and would be legal, in the order of the data.
pub(crate) fn blocks(graph: &Graph, shapes: &BTreeMap<NodeId, Shape>) -> Vec<MissingResidual> {
    graph.topological().into_iter().filter_map(|project| block(graph, shapes, project)).collect()
}

fn add(workshop: &mut Workshop, block: &MissingResidual) {
    let project = workshop.name(block.project);
    let prefix = project.strip_suffix("/project").unwrap_or(&project);
    let at = workshop.names.free(&format!("{prefix}/add"));
    // The input may be the sum that was inserted for the block before.
    let input = workshop.graph().operands(block.first)[0];
    let sources = workshop.sources(&at, block.project);
    let node = Node { name: at.clone(), op: Op::Binary(Binary::Add), weights: Vec::new(), sources };
    let sum = workshop.repaired.graph.add(node, &[input, block.last]);
    workshop.repaired.graph.redirect(block.last, sum);
    let [main, shortcut] = [block.last, input].map(|id| workshop.name(id));
    let residual = Residual { at, main, shortcut, shapes: [block.shape.clone(), block.shape.clone()] };
    let output = workshop.graph().outputs().contains(&sum);
    workshop.repaired.repairs.push(Edit::Inserted { residual, output });
}

/// The block that ends with the convolution `project`, if there is one, its residual is missing and would be legal.
fn block(graph: &Graph, shapes: &BTreeMap<NodeId, Shape>, project: NodeId) -> Option<MissingResidual> {
    let projecting = pointwise(graph, project).filter(|conv| conv.epilogue.is_linear())?;
    let last = end(graph, project);
    if is_taken(graph, last) {
        return None;
    }
    let depthwise = before(graph, graph.operands(project)[0])?;
    let middle = convolution(graph, depthwise)?;
    let expanded = shapes.get(&graph.operands(depthwise)[0])?.channels();
    if !middle.is_depthwise(expanded) {
        return None;
    }
    let expand = expansion(graph, shapes, depthwise);
    let first = expand.unwrap_or(depthwise);
    let stride = [Some(projecting), Some(middle), expand.and_then(|at| convolution(graph, at))]
        .into_iter()
        .flatten()
        .fold([1usize; 2], |product, conv| {
            std::array::from_fn(|axis| product[axis].saturating_mul(conv.stride[axis]))
        });
    let (input, output) = (shapes.get(&graph.operands(first)[0])?, shapes.get(&last)?);
    residual::is_identity(stride, input.channels(), output.channels()).ok()?;
    // Without padding a map shrinks at stride 1 too.
    (input == output).then(|| MissingResidual { first, project, last, shape: output.clone() })
}

/// The convolution that `id` is, unless it adds a residual.
fn convolution(graph: &Graph, id: NodeId) -> Option<&Conv2d> {
    let Op::Conv2d(conv) = &graph.node(id).op else { return None };
    (!conv.epilogue.residual).then_some(conv)
}

/// The 1×1 convolution that `id` is.
fn pointwise(graph: &Graph, id: NodeId) -> Option<&Conv2d> {
    convolution(graph, id).filter(|conv| conv.kernel == [1, 1] && conv.groups == 1)
}

/// The 1×1 convolution that expands the channels for `depthwise`: it has an activation, so that it is not the end of the
/// block before, and no fewer channels than it gets.
fn expansion(graph: &Graph, shapes: &BTreeMap<NodeId, Shape>, depthwise: NodeId) -> Option<NodeId> {
    let input = graph.operands(depthwise)[0];
    let expand = before(graph, input)?;
    let filters = pointwise(graph, expand)?;
    let activated = is_activation(&graph.node(input).op) || !filters.epilogue.is_linear();
    let channels = shapes.get(&graph.operands(expand)[0])?.channels();
    (activated && channels <= filters.filters).then_some(expand)
}

/// The block's output: the batch normalisation behind `project`, or that itself.
fn end(graph: &Graph, project: NodeId) -> NodeId {
    match graph.users(project)[..] {
        [only] if matches!(graph.node(only).op, Op::BatchNorm(_)) => only,
        _ => project,
    }
}

/// Whether an activation, which makes the block's end non-linear, or a shortcut or gate already reads `last`, perhaps behind a
/// dropout.
fn is_taken(graph: &Graph, last: NodeId) -> bool {
    let mut at = last;
    loop {
        let users = graph.users(at);
        let takes = |&user: &NodeId| {
            matches!(graph.node(user).op, Op::Activation(_) | Op::Binary(_))
                || carries_residual(graph, user, at)
        };
        match users[..] {
            [only] if matches!(graph.node(only).op, Op::Identity) => at = only,
            _ => return users.iter().any(takes),
        }
    }
}

/// Whether `user` is a convolution that adds `id` to its sum.
fn carries_residual(graph: &Graph, user: NodeId, id: NodeId) -> bool {
    let fused = graph.node(user).op.epilogue().is_some_and(|epilogue| epilogue.residual);
    fused && graph.operands(user).get(1) == Some(&id)
}

/// The convolution before `id`: through a gate, an activation and a batch normalisation.
fn before(graph: &Graph, id: NodeId) -> Option<NodeId> {
    let mut at = id;
    for passes in [is_gated, is_activation, is_batch_norm] {
        if passes(&graph.node(at).op) {
            at = *graph.operands(at).first()?;
        }
    }
    convolution(graph, at).map(|_| at)
}

fn is_gated(op: &Op) -> bool {
    matches!(op, Op::Binary(Binary::Mul))
}

fn is_activation(op: &Op) -> bool {
    matches!(op, Op::Activation(_))
}

fn is_batch_norm(op: &Op) -> bool {
    matches!(op, Op::BatchNorm(_))
}
