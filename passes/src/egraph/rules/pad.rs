//! Zeros before a convolution become its own padding.

use frit_ir::Op;
use frit_ir::ops::{Conv2d, Padding, Scalar};

use super::Rule;
use crate::egraph::language::{ENode, Kind};
use crate::egraph::saturate::{Found, Site, Term};

/// `conv(pad(x)) = conv(x)` with both paddings added up.
pub(super) const FUSE_PAD_CONV2D: Rule = Rule {
    name: "fuse-pad-conv2d",
    sound: "pad writes the zeros that a convolution's padding stands for, inside those of the convolution \
            itself, so that each side's rows and columns add up",
    root: Kind::Conv2d,
    find: fuse_pad_conv2d,
};

fn fuse_pad_conv2d(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Conv2d(conv)) = site.root.op() else { return };
    for pad in site.inside(site.root.children[0]) {
        let Some(Op::Pad(before)) = pad.op() else { continue };
        if before.value != Scalar::default() {
            continue;
        }
        let Some(padding) = sum(&before.padding, &conv.padding) else { continue };
        let mut children = site.root.children.clone();
        children[0] = pad.children[0];
        let fused = ENode::layer(Op::Conv2d(Conv2d { padding, ..*conv }), &children);
        found.equal(&[pad, site.root], Term::default(), fused);
    }
}

fn sum(first: &Padding, second: &Padding) -> Option<Padding> {
    Some(Padding {
        top: first.top.checked_add(second.top)?,
        bottom: first.bottom.checked_add(second.bottom)?,
        left: first.left.checked_add(second.left)?,
        right: first.right.checked_add(second.right)?,
    })
}

#[cfg(test)]
mod tests;
