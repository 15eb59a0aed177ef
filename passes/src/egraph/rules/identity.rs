//! Layers whose result is their operand.

use frit_ir::Op;
use frit_ir::ops::Padding;

use super::Rule;
use crate::egraph::language::{ENode, Kind};
use crate::egraph::saturate::{Found, Site, Term};

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

#[cfg(test)]
mod tests;
