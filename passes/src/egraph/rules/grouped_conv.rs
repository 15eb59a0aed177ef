//! Convolutions whose results are concatenated: of slices, they are a grouped one (Xie et al., ResNeXt, 2017); of one map, they
//! are one with the filters of all.

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::{Conv2d, Epilogue, Scalar, Slice};

use crate::egraph::language::{ENode, Kind, Operator};
use crate::egraph::rule::{Found, Rule, Site, Term};

/// `concat(conv(slice(x; part 0)), conv(slice(x; part 1)), ..) = conv(x; groups)`.
pub(super) const GROUP_CONVS: Rule = Rule {
    name: "group-convs",
    sound: "the parts are all channels of one map, in order and of one size, each for one convolution that differs from the \
            others in its weights alone, and their filters follow one another in the same order",
    root: Kind::Concat,
    find: group_convs,
};

/// `concat(conv(x; a), conv(x; b), ..) = conv(x; a, b, ..)`.
pub(super) const JOIN_CONVS: Rule = Rule {
    name: "join-convs",
    sound: "no filter depends on another: convolutions of one map that differ in their filters alone are one with all of \
            them, in order",
    root: Kind::Concat,
    find: join_convs,
};

fn group_convs(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(children) = behind_one_another(site) else { return };
    for (conv, node) in site.inside(children[0]).iter().filter_map(plain) {
        for slice in site.inside(node.children[0]) {
            let Some(cut) = Cut::of(site, slice, children.len()) else { continue };
            let parts: Option<Vec<[&ENode; 2]>> =
                children.iter().enumerate().map(|(index, &id)| cut.part(site, id, index, &conv)).collect();
            if let Some(parts) = parts {
                let convs: Vec<&ENode> = parts.iter().map(|&[_, node]| node).collect();
                let grouped = Conv2d { groups: conv.groups * parts.len(), ..conv };
                put_joined(grouped, cut.of, &convs, &[&parts.concat()[..], &[site.root]].concat(), found);
            }
        }
    }
}

fn join_convs(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(children) = behind_one_another(site) else { return };
    for (conv, node) in site.inside(children[0]).iter().filter_map(plain) {
        let of = site.egraph.find(node.children[0]);
        let alike = |&id: &Id| {
            let mut convs = site.inside(id).iter().filter_map(plain);
            let is_alike = |(other, node): &(Conv2d, &ENode)| {
                Conv2d { filters: conv.filters, ..*other } == conv && site.egraph.find(node.children[0]) == of
            };
            convs.find(is_alike).map(|(_, node)| node)
        };
        let convs: Option<Vec<&ENode>> = children.iter().map(alike).collect();
        if let Some(convs) = convs.filter(|_| conv.groups == 1) {
            put_joined(conv, of, &convs, &[&convs[..], &[site.root]].concat(), found);
        }
    }
}

/// What the root joins, where that is several tensors along the channels of a map.
fn behind_one_another<'a>(site: &Site<'a>) -> Option<&'a [Id]> {
    let Some(Op::Concat(concat)) = site.root.op() else { return None };
    let is_along_channels = concat.axis == 2 && site.shape(site.class)?.rank() == 3;
    (is_along_channels && concat.inputs > 1).then_some(&site.root.children)
}

/// A convolution that may be one part of a larger one, without its bias, which parts may have or not.
fn plain(node: &ENode) -> Option<(Conv2d, &ENode)> {
    let Op::Conv2d(conv) = node.op()? else { return None };
    let plain = Conv2d { epilogue: Epilogue { bias: false, ..conv.epilogue }, ..*conv };
    (!conv.gate && !conv.epilogue.residual).then_some((plain, node))
}

/// A map cut into parts of so many channels.
struct Cut {
    of: Id,
    channels: usize,
}

impl Cut {
    /// What `slice` begins, where so many parts of its size are all there is.
    fn of(site: &Site<'_>, slice: &ENode, parts: usize) -> Option<Cut> {
        let Some(Op::Slice(Slice { spans })) = slice.op() else { return None };
        let of = site.egraph.find(slice.children[0]);
        let channels = spans.last()?.count;
        (channels.checked_mul(parts) == Some(site.shape(of)?.channels())).then_some(Cut { of, channels })
    }

    /// The slice of this index and its convolution, where the class `id` is `conv` of it.
    fn part<'a>(&self, site: &Site<'a>, id: Id, index: usize, conv: &Conv2d) -> Option<[&'a ENode; 2]> {
        let part = Slice::along(site.shape(self.of)?, 2, index * self.channels, self.channels);
        let is_part = |node: &&ENode| {
            matches!(node.op(), Some(Op::Slice(slice)) if *slice == part)
                && site.egraph.find(node.children[0]) == self.of
        };
        let alike = site.inside(id).iter().filter_map(plain).filter(|(other, _)| other == conv);
        alike.map(|(_, node)| node).find_map(|node| {
            let slice = site.inside(node.children[0]).iter().find(is_part)?;
            Some([slice, node])
        })
    }
}

/// Finds the root to be `conv` of the map `of`, with the filters of all `parts`.
fn put_joined(conv: Conv2d, of: Id, parts: &[&ENode], matched: &[&ENode], found: &mut Found<'_>) {
    let mut term = Term::default();
    let kernels: Vec<Id> = parts.iter().map(|part| part.weights()[0]).collect();
    let mut children = vec![of, term.push(ENode::new(Operator::Join, &kernels))];
    let filters: Vec<usize> = parts.iter().filter_map(|part| Some(plain(part)?.0.filters)).collect();
    let has_bias = parts.iter().any(|part| part.weights().len() > 1);
    if has_bias {
        let mut bias = |(part, &channels): (&&ENode, &usize)| match part.weights().get(1) {
            Some(&bias) => bias,
            None => term.push(ENode::new(Operator::Uniform { value: Scalar::default(), channels }, &[])),
        };
        let biases: Vec<Id> = parts.iter().zip(&filters).map(&mut bias).collect();
        children.push(term.push(ENode::new(Operator::Join, &biases)));
    }
    let epilogue = Epilogue { bias: has_bias, ..conv.epilogue };
    let joined = Conv2d { filters: filters.iter().sum(), epilogue, ..conv };
    found.equal(matched, term, ENode::layer(Op::Conv2d(joined), &children));
}

#[cfg(test)]
mod tests;
