//! A depthwise convolution with a multiplier makes more channels than it gets. Weights and joins behind it that were
//! made for as many channels as before don't fit; which layer changed the count, their own faults can't tell.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::diagnostic::codes;
use frit_ir::ops::Conv2d;
use frit_ir::{Diagnostic, Faults, Graph, NodeId, Op, Shape};

/// Layers that are named as expecting the old count.
const NAMED: usize = 8;

/// One fault for every multiplier behind which something expects the channels before it; `weight` is the shape of
/// the weight of a name, as it was given.
pub fn faults(
    graph: &Graph,
    shapes: &BTreeMap<NodeId, Shape>,
    weight: &dyn Fn(&str) -> Option<Shape>,
) -> Faults {
    let mut faults = Faults::new();
    for id in graph.topological() {
        let Op::Conv2d(conv) = &graph.node(id).op else { continue };
        let operand = graph.operands(id).first().and_then(|operand| shapes.get(operand));
        let (Some(from), Some(to)) = (operand, shapes.get(&id)) else { continue };
        let channels = from.channels();
        if conv.channel_multiplier(channels).is_none_or(|multiplier| multiplier == 1) {
            continue;
        }
        let search = Search { graph, shapes, weight, channels };
        let mut expecting = search.of_its_own(id, conv);
        expecting.extend(search.behind(id));
        if !expecting.is_empty() {
            faults.push(fault(graph, id, [from, to], &expecting));
        }
    }
    faults
}

/// A layer that expects the old count, and the shape that says so.
type Expecting = (NodeId, String);

fn fault(graph: &Graph, id: NodeId, [from, to]: [&Shape; 2], expecting: &[Expecting]) -> Diagnostic {
    let (old, new) = (from.channels(), to.channels());
    let multiplier = new / old.max(1);
    let name = |id: NodeId| graph.node(id).name.as_str();
    let message =
        format!("a multiplier of {multiplier} makes {new} channels of {old}, but {old} are expected");
    let fault = Diagnostic::error(codes::MULTIPLIER_CHANNELS, message)
        .at(super::described(graph.node(id)))
        .operand("changes", name(id), format!("{from} → multiplier {multiplier} → {to}"));
    let role = format!("expects {old}");
    let fault = expecting
        .iter()
        .take(NAMED)
        .fold(fault, |fault, (layer, shape)| fault.operand(role.as_str(), name(*layer), shape.as_str()));
    let fault = match expecting.len().saturating_sub(NAMED) {
        0 => fault,
        more => fault.note(format!("{more} more expect {old} channels")),
    };
    fault
        .help(format!("give {} a multiplier of 1, which keeps {old} channels", name(id)))
        .help(format!("or give what expects {old} channels weights for {new}"))
}

/// Looks for layers that expect `channels`.
struct Search<'a> {
    graph: &'a Graph,
    shapes: &'a BTreeMap<NodeId, Shape>,
    weight: &'a dyn Fn(&str) -> Option<Shape>,
    channels: usize,
}

impl Search<'_> {
    /// The convolution itself, where its kernel has filters for a multiplier of 1.
    fn of_its_own(&self, id: NodeId, conv: &Conv2d) -> Vec<Expecting> {
        let kernel = self.given(id, 0).filter(|kernel| {
            let axes = [conv.kernel[0], conv.kernel[1], 1, self.channels];
            kernel.axes() == axes
        });
        kernel.map(|kernel| (id, format!("kernel {kernel}"))).into_iter().collect()
    }

    /// The layers behind `id`, up to those that choose their channels themselves.
    fn behind(&self, id: NodeId) -> Vec<Expecting> {
        let mut found = Vec::new();
        let (mut seen, mut waiting) = (BTreeSet::new(), vec![id]);
        while let Some(at) = waiting.pop() {
            for user in self.graph.users(at) {
                if !seen.insert(user) {
                    continue;
                }
                found.extend(self.expects(user, at).map(|shape| (user, shape)));
                if matches!(
                    self.graph.node(user).op,
                    Op::BatchNorm(_) | Op::Activation(_) | Op::Pad(_) | Op::GlobalAveragePool(_)
                ) {
                    waiting.push(user);
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// What of `user` says that the tensor of `at` should have the old channels.
    fn expects(&self, user: NodeId, at: NodeId) -> Option<String> {
        // A kernel says nothing of a gate or of what is added to the sums.
        let is_map = self.graph.operands(user).first() == Some(&at);
        let op = &self.graph.node(user).op;
        if matches!(op, Op::BatchNorm(_)) {
            let gamma = self.given(user, 0).filter(|gamma| gamma.axes() == [self.channels])?;
            Some(format!("statistics of {gamma}"))
        } else if let Op::Conv2d(conv) = op
            && is_map
        {
            let expected = |axis: usize| axis.checked_mul(conv.groups) == Some(self.channels);
            let kernel =
                self.given(user, 0).filter(|kernel| kernel.rank() == 4 && expected(kernel.axes()[2]))?;
            Some(format!("kernel {kernel}"))
        } else if matches!(op, Op::Dense(_)) && is_map {
            let kernel =
                self.given(user, 0).filter(|kernel| kernel.axes().first() == Some(&self.channels))?;
            Some(format!("kernel {kernel}"))
        } else if matches!(op, Op::Binary(_)) {
            let other = self.graph.operands(user).into_iter().find(|&operand| operand != at)?;
            let shape = self.shapes.get(&other).filter(|shape| shape.channels() == self.channels)?;
            Some(format!("joins {shape}"))
        } else {
            None
        }
    }

    fn given(&self, id: NodeId, place: usize) -> Option<Shape> {
        (self.weight)(self.graph.node(id).weights.get(place)?)
    }
}
