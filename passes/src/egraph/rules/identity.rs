//! Layers whose result is their operand, and those that change no element.

use frit_ir::Op;
use frit_ir::ops::{Padding, Reshape, Slice, Span, Transpose};

use crate::egraph::language::{ENode, Kind};
use crate::egraph::rule::{Found, Rule, Site, Term};

/// `reshape(reshape(x)) = reshape(x)`.
pub(super) const MERGE_RESHAPES: Rule = Rule {
    name: "merge-reshapes",
    sound: "a reshape keeps the elements in their order, and the outer one alone decides the shape",
    root: Kind::Reshape,
    find: merge_reshapes,
};

/// `reshape(x) = x` where the shape stays; a flatten of a vector is such a one.
pub(super) const DROP_RESHAPE: Rule = Rule {
    name: "drop-reshape",
    sound: "a reshape keeps the elements in their order, and here it keeps the shape",
    root: Kind::Reshape,
    find: drop_reshape,
};

/// `identity(x) = x`; a dropout at inference is such a one.
pub(super) const DROP_IDENTITY: Rule = Rule {
    name: "drop-identity",
    sound: "an identity is its operand",
    root: Kind::Identity,
    find: drop_identity,
};

/// `pad(x) = x` where it pads by nothing.
pub(super) const DROP_PAD: Rule =
    Rule { name: "drop-pad", sound: "no zeros are added on any side", root: Kind::Pad, find: drop_pad };

/// `transpose(transpose(x)) = transpose(x)` with both orders in one.
pub(super) const MERGE_TRANSPOSES: Rule = Rule {
    name: "merge-transposes",
    sound: "an axis of the outer one is an axis of the inner one, and that an axis of the operand",
    root: Kind::Transpose,
    find: merge_transposes,
};

/// `transpose(x) = reshape(x)` where only axes of length 1 change places.
pub(super) const TRANSPOSE_TO_RESHAPE: Rule = Rule {
    name: "transpose-to-reshape",
    sound: "the axes with more than one element keep their order, and so do the elements",
    root: Kind::Transpose,
    find: transpose_to_reshape,
};

/// `slice(slice(x)) = slice(x)`.
pub(super) const MERGE_SLICES: Rule = Rule {
    name: "merge-slices",
    sound: "on each axis, every so manyth of every so manyth element from a first one on is such a choice as well",
    root: Kind::Slice,
    find: merge_slices,
};

/// `slice(x) = x` where all is kept.
pub(super) const DROP_SLICE: Rule = Rule {
    name: "drop-slice",
    sound: "a slice of as many elements as there are on every axis has all of them, in order",
    root: Kind::Slice,
    find: drop_slice,
};

/// `concat(x) = x`.
pub(super) const DROP_CONCAT: Rule = Rule {
    name: "drop-concat",
    sound: "a tensor with none behind it is itself",
    root: Kind::Concat,
    find: drop_concat,
};

fn merge_reshapes(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(outer @ Op::Reshape(_)) = site.root.op() else { return };
    for inner in site.inside(site.root.children[0]) {
        let Some(Op::Reshape(_)) = inner.op() else { continue };
        let operand = inner.children[0];
        // From the innermost outwards: else a chain of n reshapes would get an e-node for each of its n * n
        // spans.
        if site.egraph[operand].nodes.iter().all(|node| node.kind() == Kind::Reshape) {
            continue;
        }
        found.equal(&[inner, site.root], Term::default(), ENode::layer(outer.clone(), &[operand]));
    }
}

fn drop_reshape(site: &Site<'_>, found: &mut Found<'_>) {
    let operand = site.root.children[0];
    if site.shape(operand) == site.shape(site.class) {
        found.same(&[site.root], operand);
    }
}

fn drop_identity(site: &Site<'_>, found: &mut Found<'_>) {
    found.same(&[site.root], site.root.children[0]);
}

fn drop_pad(site: &Site<'_>, found: &mut Found<'_>) {
    if let Some(Op::Pad(pad)) = site.root.op()
        && pad.padding == Padding::default()
    {
        found.same(&[site.root], site.root.children[0]);
    }
}

fn merge_transposes(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Transpose(outer)) = site.root.op() else { return };
    for inner_node in site.inside(site.root.children[0]) {
        let Some(Op::Transpose(inner)) = inner_node.op() else { continue };
        let operand = inner_node.children[0];
        // From the innermost outwards, as with reshapes.
        if site.egraph[operand]
            .nodes
            .iter()
            .all(|node| matches!(node.kind(), Kind::Transpose | Kind::Reshape))
        {
            continue;
        }
        let axes = outer.axes.iter().map(|&axis| inner.axes[axis]).collect();
        let both = ENode::layer(Op::Transpose(Transpose { axes }), &[operand]);
        found.equal(&[inner_node, site.root], Term::default(), both);
    }
}

fn transpose_to_reshape(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Transpose(transpose)) = site.root.op() else { return };
    let operand = site.root.children[0];
    let (Some(before), Some(after)) = (site.shape(operand), site.shape(site.class)) else { return };
    let long = transpose.axes.iter().filter(|&&axis| before.axes()[axis] != 1);
    if long.is_sorted() {
        let reshape = ENode::layer(Op::Reshape(Reshape::To(after.clone())), &[operand]);
        found.equal(&[site.root], Term::default(), reshape);
    }
}

fn merge_slices(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Slice(outer)) = site.root.op() else { return };
    for inner_node in site.inside(site.root.children[0]) {
        let Some(Op::Slice(inner)) = inner_node.op() else { continue };
        let operand = inner_node.children[0];
        // From the innermost outwards, as with reshapes.
        if site.egraph[operand].nodes.iter().all(|node| node.kind() == Kind::Slice) {
            continue;
        }
        let spans = inner.spans.iter().zip(&outer.spans).map(|(inner, outer)| Span {
            start: inner.start + outer.start * inner.step,
            count: outer.count,
            // Of a single element the step says nothing, and may be any number.
            step: if outer.count == 1 { 1 } else { inner.step * outer.step },
        });
        let both = ENode::layer(Op::Slice(Slice { spans: spans.collect() }), &[operand]);
        found.equal(&[inner_node, site.root], Term::default(), both);
    }
}

fn drop_slice(site: &Site<'_>, found: &mut Found<'_>) {
    let operand = site.root.children[0];
    if site.shape(operand) == site.shape(site.class) {
        found.same(&[site.root], operand);
    }
}

fn drop_concat(site: &Site<'_>, found: &mut Found<'_>) {
    if let [operand] = site.root.children[..] {
        found.same(&[site.root], operand);
    }
}

#[cfg(test)]
mod tests;
