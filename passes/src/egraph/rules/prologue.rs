//! A clamp into the convolution behind it.

use frit_ir::Op;
use frit_ir::ops::Conv2d;

use crate::egraph::language::{ENode, Kind};
use crate::egraph::rule::{Found, Rule, Site, Term};

/// `conv(clamp(x)) = conv(x; before clamp)`, where the convolution is depthwise: its kernel reads each element a few times,
/// and clamps it while it does.
pub(super) const FUSE_PROLOGUE: Rule = Rule {
    name: "fuse-prologue",
    sound: "a convolution applies its prologue to each element that it reads, and its padding is zeros either way",
    root: Kind::Conv2d,
    find: fuse_prologue,
};

fn fuse_prologue(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Conv2d(conv)) = site.root.op() else { return };
    let operand = site.root.children[0];
    let channels = site.shape(operand).map_or(0, frit_ir::Shape::channels);
    if !conv.is_depthwise(channels) || conv.prologue.is_some() {
        return;
    }
    for node in site.inside(operand) {
        let Some(Op::Activation(activation)) = node.op() else { continue };
        // Of the forms of one clamp, its normal form.
        let is_clamp = activation.bounds().is_some_and(|(low, high)| low <= high);
        if !is_clamp || super::activation::named(*activation) != *activation {
            continue;
        }
        let mut children = site.root.children.clone();
        children[0] = node.children[0];
        let fused = Op::Conv2d(Conv2d { prologue: Some(*activation), ..*conv });
        found.equal(&[node, site.root], Term::default(), ENode::layer(fused, &children));
    }
}

#[cfg(test)]
mod tests;
