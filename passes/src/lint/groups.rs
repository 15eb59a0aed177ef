//! Branches over slices of one map: grouped convolutions written out, rightly and wrongly.

use std::collections::BTreeMap;

use frit_ir::ops::{Conv2d, Slice};
use frit_ir::{NodeId, Op};

use super::network::Network;
use super::{Found, Sure, counted, percent};

/// Branches that all read the same channels, while others are read by none: a loop whose variable was bound too late.
pub(super) fn same_slice(network: &Network<'_>) -> Vec<Found> {
    let mut slices: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for &id in &network.order {
        if let (Op::Slice(_), Some(of)) = (network.op(id), network.operand(id)) {
            slices.entry(of).or_default().push(id);
        }
    }
    slices.iter().filter_map(|(&of, slices)| late_bound(network, of, slices)).collect()
}

fn late_bound(network: &Network<'_>, of: NodeId, slices: &[NodeId]) -> Option<Found> {
    let [_, _, channels] = network.map(of)?;
    if network.readers(of).len() != slices.len() || network.graph.outputs().contains(&of) {
        return None;
    }
    let mut spans: Vec<(usize, usize)> = Vec::new();
    let mut branches: BTreeMap<&Slice, Vec<NodeId>> = BTreeMap::new();
    for &id in slices {
        let Op::Slice(slice) = network.op(id) else { continue };
        let span = slice.spans.last().filter(|span| span.step == 1)?;
        spans.push((span.start, span.start + span.count));
        branches.entry(slice).or_default().extend(convolutions(network, id));
    }
    let lost = channels - covered(spans);
    let (slice, branches) = branches.into_iter().max_by_key(|(_, branches)| branches.len())?;
    let join = network.only_reader(*branches.first()?)?;
    let joined = branches.iter().all(|&branch| network.only_reader(branch) == Some(join));
    if lost == 0 || branches.len() < 2 || !joined || !matches!(network.op(join), Op::Concat(_)) {
        return None;
    }
    let span = slice.spans.last()?;
    let (count, first, last) = (branches.len(), span.start, span.start + span.count);
    let same = slices.iter().filter(|&&id| matches!(network.op(id), Op::Slice(other) if other == slice));
    let layers = same.map(|&id| ("slice", id)).chain(branches.into_iter().map(|id| ("branch", id)));
    let name = network.name(of);
    Some(Found {
        layers: layers.chain([("joined by", join), ("map", of)]).collect(),
        message: format!("all {count} branches read channels {first}..{last} of {name}"),
        why: format!(
            "{lost} of its {channels} channels ({}) reach nothing; a loop made the branches, and its variable had \
             its last value when the slices were taken",
            percent(lost as u64, channels as u64)
        ),
        what: format!(
            "use one convolution with groups={count}, or slice with the numbers themselves (x[..., a:b]), and train \
             again"
        ),
        sure: if span.count * count == channels { Sure::Certain } else { Sure::Likely },
    })
}

/// How many numbers lie in at least one of `spans`, each from a first to before an end.
fn covered(mut spans: Vec<(usize, usize)>) -> usize {
    spans.sort_unstable();
    let count = |(covered, reached): (usize, usize), (first, end): (usize, usize)| {
        (covered + end.saturating_sub(first.max(reached)), end.max(reached))
    };
    spans.into_iter().fold((0, 0), count).0
}

/// The convolutions that read `slice`.
fn convolutions(network: &Network<'_>, slice: NodeId) -> Vec<NodeId> {
    network.readers(slice).into_iter().filter(|&reader| matches!(network.op(reader), Op::Conv2d(_))).collect()
}

/// Slices, equal convolutions and a concatenation that are one grouped convolution.
pub(super) fn split_convolution(network: &Network<'_>) -> Vec<Found> {
    network.order.iter().filter_map(|&id| written_out(network, id)).collect()
}

/// A branch: what is sliced, from which channel on, the convolution, and what follows it.
#[derive(PartialEq)]
struct Branch<'a> {
    of: NodeId,
    channels: usize,
    conv: Conv2d,
    behind: Vec<&'a Op>,
}

fn written_out(network: &Network<'_>, join: NodeId) -> Option<Found> {
    let Op::Concat(concat) = network.op(join) else { return None };
    let ends = network.operands(join);
    if concat.axis != 2 || ends.len() < 2 {
        return None;
    }
    let (first, mut layers) = branch(network, ends[0], 0)?;
    for (index, &end) in ends.iter().enumerate().skip(1) {
        let (branch, more) = branch(network, end, index)?;
        if branch != first {
            return None;
        }
        layers.extend(more);
    }
    let channels = network.channels(first.of)?;
    if first.channels.checked_mul(ends.len()) != Some(channels) {
        return None;
    }
    let (groups, name) = (first.conv.groups.max(1) * ends.len(), network.name(first.of));
    let [count, gone] = [layers.len() + 1, layers.len() - first.behind.len()];
    Some(Found {
        layers: [("joined by", join)].into_iter().chain(layers).collect(),
        message: format!("{count} layers are one convolution in {groups} groups"),
        why: format!(
            "{} of {channels} channels of {name}, each with a convolution of its own to {} filters; frit runs them \
             as one, other runtimes mostly one by one",
            counted(ends.len(), "slice"),
            first.conv.filters
        ),
        what: format!(
            "write Conv2D(filters={}, groups={groups}) instead, its kernels one behind the other: the same numbers, \
             {} fewer",
            first.conv.filters * ends.len(),
            counted(gone, "layer")
        ),
        sure: Sure::Certain,
    })
}

/// The branch of this index that ends with `end`, and its layers.
fn branch<'a>(
    network: &Network<'a>,
    end: NodeId,
    index: usize,
) -> Option<(Branch<'a>, Vec<(&'static str, NodeId)>)> {
    let (mut at, mut behind, mut layers) = (end, Vec::new(), Vec::new());
    while let Op::BatchNorm(_) | Op::Activation(_) = network.op(at) {
        behind.push(network.op(at));
        layers.push(("behind", at));
        at = network.operand(at).filter(|_| behind.len() <= 4)?;
    }
    let (conv, slice) = network.convolution(at)?;
    let Op::Slice(Slice { spans }) = network.op(slice) else { return None };
    let of = network.operand(slice)?;
    let [rows, columns, _] = network.map(of)?;
    let [down, across, span] = spans[..] else { return None };
    let whole = [down.count, across.count] == [rows, columns];
    if !whole
        || span.step != 1
        || span.start != index.checked_mul(span.count)?
        || conv.gate
        || conv.epilogue.residual
    {
        return None;
    }
    layers.extend([("convolution", at), ("slice", slice)]);
    layers.reverse();
    Some((Branch { of, channels: span.count, conv: *conv, behind }, layers))
}
