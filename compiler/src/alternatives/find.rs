//! The blocks of a network, found in its optimised graph, where each convolution has its activation and sum.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::ops::{Conv2d, SqueezeExcite};
use frit_ir::{Faults, Graph, NodeId, Op, Shape};

use super::design::{Design, Mixing, Shortcut, Spatial};
use crate::cost;

/// The blocks of `fused` by name, in its order, once each. `source` is the network as it came.
///
/// # Errors
/// Faults of shape inference.
pub(super) fn find(source: &Graph, fused: &Graph) -> Result<Vec<(String, Design)>, Faults> {
    let ops = source.ids().map(|id| (source.node(id).name.as_str(), &source.node(id).op)).collect();
    let mut search = Search { graph: fused, ops, shapes: fused.shapes()?, taken: BTreeSet::new() };
    let order = fused.topological();
    Ok(order.into_iter().filter_map(|id| Some((search.name(id), search.block(id)?))).collect())
}

struct Search<'g> {
    graph: &'g Graph,
    /// The layers of the source.
    ops: BTreeMap<&'g str, &'g Op>,
    shapes: BTreeMap<NodeId, Shape>,
    /// 1×1 convolutions that are part of a block.
    taken: BTreeSet<NodeId>,
}

/// The layers of a block around its window.
struct Parts {
    /// The 1×1 convolution before it.
    inner: Option<NodeId>,
    squeeze: Option<SqueezeExcite>,
    projects: bool,
    shortcut: Shortcut,
    /// What makes its output.
    end: NodeId,
}

/// What stands behind the window of a block.
struct Behind {
    squeeze: Option<SqueezeExcite>,
    project: NodeId,
}

impl<'g> Search<'g> {
    /// The block of a stage that its source layer is in, else that layer: what stands before a `/` in another file's names may be
    /// all of the network.
    fn name(&self, id: NodeId) -> String {
        let node = self.graph.node(id);
        let is_conv = |layer: &&str| matches!(self.ops.get(layer), Some(Op::Conv2d(_)));
        let layer = node.sources.layers().find(is_conv).unwrap_or(&node.name);
        let block = cost::block(layer);
        if block.contains('/') { block.to_owned() } else { layer.to_owned() }
    }

    /// The block around the convolution `spatial`, if that has a square window.
    fn block(&mut self, spatial: NodeId) -> Option<Design> {
        let conv = self.conv(spatial)?;
        let ([kernel, width], [stride, across]) = (conv.kernel, conv.stride);
        if kernel != width || stride != across || kernel == 1 || conv.dilation != [1, 1] {
            return None;
        }
        let before = self.graph.operands(spatial)[0];
        let mixing = match conv.channel_multiplier(self.shapes[&before].map()?[2]) {
            Some(1) => Mixing::Depthwise,
            _ => Mixing::Groups(conv.groups),
        };
        let Parts { inner, squeeze, projects, shortcut, end } = self.parts(spatial, before, mixing)?;
        let start = inner.map_or(before, |inner| self.graph.operands(inner)[0]);
        let epilogue = self.conv(end)?.epilogue;
        let last = epilogue.activation_after.or(epilogue.activation);
        Some(Design {
            input: self.shapes[&start].map()?,
            output: self.shapes[&end].map()?,
            inner: inner.map(|inner| self.shapes[&inner].channels()),
            spatial: Spatial { mixing, kernel, stride, padding: Some(conv.padding) },
            projects,
            stacked: 1,
            squeeze,
            shortcut,
            normalised: self.is_normalised(spatial),
            activation: if projects { conv.epilogue.activation } else { last },
            last,
        })
    }

    /// What stands around `spatial`, which reads `before`.
    fn parts(&mut self, spatial: NodeId, before: NodeId, mixing: Mixing) -> Option<Parts> {
        let inner = self.inner(before).filter(|inner| !self.taken.contains(inner));
        let start = inner.map_or(before, |inner| self.graph.operands(inner)[0]);
        let alone =
            Parts { inner: None, squeeze: None, projects: false, shortcut: Shortcut::None, end: spatial };
        let Some(Behind { squeeze, project }) = self.behind(spatial) else {
            // A depthwise convolution alone is no block.
            return (mixing != Mixing::Depthwise).then_some(alone);
        };
        let (shortcut, end) = self.sum(start, project);
        // Without a shortcut these are layers in a row, and no bottleneck.
        if mixing != Mixing::Depthwise && (inner.is_none() || shortcut == Shortcut::None) {
            return Some(alone);
        }
        self.taken.extend(inner.into_iter().chain([project, end]));
        Some(Parts { inner, squeeze, projects: true, shortcut, end })
    }

    fn conv(&self, id: NodeId) -> Option<&'g Conv2d> {
        let Op::Conv2d(conv) = &self.graph.node(id).op else { return None };
        Some(conv)
    }

    /// `id`, if it is a 1×1 convolution that one layer reads.
    fn inner(&self, id: NodeId) -> Option<NodeId> {
        let fits = self.is_one_by_one(id) && self.conv(id)?.stride == [1, 1];
        (fits && !self.conv(id)?.epilogue.residual && self.graph.users(id).len() == 1).then_some(id)
    }

    /// Whether it is a 1×1 convolution of all channels, of any stride.
    fn is_one_by_one(&self, id: NodeId) -> bool {
        self.conv(id).is_some_and(|conv| conv.kernel == [1, 1] && conv.groups == 1)
    }

    /// The 1×1 convolution that alone reads `spatial`, perhaps through squeeze and excite.
    fn behind(&self, spatial: NodeId) -> Option<Behind> {
        let readers: BTreeSet<NodeId> = self.graph.users(spatial).into_iter().collect();
        let squeezed = readers.iter().find_map(|&reader| {
            let Op::SqueezeExcite(squeeze) = &self.graph.node(reader).op else { return None };
            Some((reader, *squeeze))
        });
        let only = |id: NodeId| match self.graph.users(id)[..] {
            [reader] => Some(reader),
            _ => None,
        };
        let project = match squeezed {
            None => only(spatial)?,
            Some((gate, _)) => only(gate)?,
        };
        let read = match squeezed {
            Some((gate, squeeze)) if squeeze.scales => [gate].into(),
            Some((gate, _)) => [gate, project].into(),
            None => [project].into(),
        };
        let squeeze = squeezed.map(|(_, squeeze)| squeeze);
        (readers == read && self.is_one_by_one(project)).then_some(Behind { squeeze, project })
    }

    /// What is added to `project` in a block that begins with `start`, and where: the sum is made by the convolution of either
    /// side.
    fn sum(&self, start: NodeId, project: NodeId) -> (Shortcut, NodeId) {
        let added = |id: NodeId| {
            let adds = self.conv(id).is_some_and(|conv| conv.epilogue.residual);
            self.graph.operands(id).last().copied().filter(|_| adds)
        };
        let is_projection = |id: NodeId| self.is_one_by_one(id) && self.graph.operands(id)[0] == start;
        match added(project) {
            Some(side) if side == start => (Shortcut::Identity, project),
            Some(side) if is_projection(side) => (Shortcut::Projection, project),
            Some(_) => (Shortcut::None, project),
            None => match self.graph.users(project)[..] {
                [side] if added(side) == Some(project) && is_projection(side) => (Shortcut::Projection, side),
                _ => (Shortcut::None, project),
            },
        }
    }

    /// Whether a batch normalisation went into the convolution `id`.
    fn is_normalised(&self, id: NodeId) -> bool {
        let mut layers = self.graph.node(id).sources.layers();
        layers.any(|layer| matches!(self.ops.get(layer), Some(Op::BatchNorm(_))))
    }
}
