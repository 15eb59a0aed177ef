//! Grouped convolutions that a network makes of slices, convolutions and a concatenation (Xie et al., ResNeXt, 2017).

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::{Conv2d, Epilogue, Scalar, Slice};

use super::Rule;
use crate::egraph::language::{ENode, Kind, Operator};
use crate::egraph::saturate::{Found, Site, Term};

/// `concat(conv(slice(x; part 0)), conv(slice(x; part 1)), ..) = conv(x; groups)`.
pub(super) const GROUP_CONVS: Rule = Rule {
    name: "group-convs",
    sound: "the parts are all channels of one map, in order and of one size, each for one convolution that differs from the \
            others in its weights alone, and their filters follow one another in the same order",
    root: Kind::Concat,
    find: group_convs,
};

fn group_convs(site: &Site<'_>, found: &mut Found<'_>) {
    let (Some(Op::Concat(concat)), [first, ..]) = (site.root.op(), &site.root.children[..]) else { return };
    let is_along_channels = concat.axis == 2 && site.shape(site.class).is_some_and(|shape| shape.rank() == 3);
    if !is_along_channels || concat.inputs < 2 {
        return;
    }
    for (conv, node) in site.inside(*first).iter().filter_map(plain) {
        for slice in site.inside(node.children[0]) {
            let Some(cut) = Cut::of(site, slice, concat.inputs) else { continue };
            let parts: Option<Vec<Part<'_>>> = (site.root.children.iter().enumerate())
                .map(|(index, &id)| cut.part(site, id, index, &conv))
                .collect();
            if let Some(parts) = parts {
                let mut term = Term::default();
                let grouped = joined(&conv, cut.of, &parts, &mut term);
                let nodes = parts.iter().flat_map(|part| [part.slice, part.node]).chain([site.root]);
                found.equal(&nodes.collect::<Vec<_>>(), term, grouped);
            }
        }
    }
}

/// A convolution that may be one part of a larger one, without its bias, which parts may have or not.
fn plain(node: &ENode) -> Option<(Conv2d, &ENode)> {
    match node.op()? {
        Op::Conv2d(conv) if !conv.gate && !conv.epilogue.residual => {
            Some((Conv2d { epilogue: Epilogue { bias: false, ..conv.epilogue }, ..*conv }, node))
        }
        _ => None,
    }
}

/// A map cut into parts of so many channels.
struct Cut {
    of: Id,
    channels: usize,
}

/// One part: its slice, and the convolution of that.
struct Part<'a> {
    slice: &'a ENode,
    node: &'a ENode,
}

impl Cut {
    /// What `slice` begins, where so many parts of its size are all there is.
    fn of(site: &Site<'_>, slice: &ENode, parts: usize) -> Option<Cut> {
        let Some(Op::Slice(Slice { spans })) = slice.op() else { return None };
        let of = site.egraph.find(slice.children[0]);
        let channels = spans.last()?.count;
        (channels.checked_mul(parts) == Some(site.shape(of)?.channels())).then_some(Cut { of, channels })
    }

    /// The part of this index, where the class `id` is `conv` of it.
    fn part<'a>(&self, site: &Site<'a>, id: Id, index: usize, conv: &Conv2d) -> Option<Part<'a>> {
        let part = Slice::along(site.shape(self.of)?, 2, index * self.channels, self.channels);
        let is_part = |node: &&ENode| {
            matches!(node.op(), Some(Op::Slice(slice)) if *slice == part)
                && site.egraph.find(node.children[0]) == self.of
        };
        let alike = site.inside(id).iter().filter_map(plain).filter(|(other, _)| other == conv);
        alike.map(|(_, node)| node).find_map(|node| {
            let slice = site.inside(node.children[0]).iter().find(is_part)?;
            Some(Part { slice, node })
        })
    }
}

/// All parts as one convolution of the map `of`.
fn joined(conv: &Conv2d, of: Id, parts: &[Part<'_>], term: &mut Term) -> ENode {
    let kernels: Vec<Id> = parts.iter().map(|part| part.node.weights()[0]).collect();
    let mut children = vec![of, term.push(ENode::new(Operator::Join, &kernels))];
    let has_bias = parts.iter().any(|part| part.node.weights().len() > 1);
    if has_bias {
        let zeros = Operator::Uniform { value: Scalar::default(), channels: conv.filters };
        let zeros = term.push(ENode::new(zeros, &[]));
        let biases: Vec<Id> =
            parts.iter().map(|part| part.node.weights().get(1).copied().unwrap_or(zeros)).collect();
        children.push(term.push(ENode::new(Operator::Join, &biases)));
    }
    let grouped = Conv2d {
        filters: conv.filters * parts.len(),
        groups: conv.groups * parts.len(),
        epilogue: Epilogue { bias: has_bias, ..conv.epilogue },
        ..*conv
    };
    ENode::layer(Op::Conv2d(grouped), &children)
}

#[cfg(test)]
mod tests;
