//! What is padded before a convolution or a pool becomes its own padding.

use frit_ir::Op;
use frit_ir::ops::{Activation, Conv2d, Epilogue, Pad, Padding, Pool, PoolKind, Scalar};

use crate::egraph::language::{ENode, Kind};
use crate::egraph::rule::{Found, Rule, Site, Term};

/// `conv(pad(x)) = conv(x)` with both paddings added up.
pub(super) const FUSE_PAD_CONV2D: Rule = Rule {
    name: "fuse-pad-conv2d",
    sound: "pad writes the zeros that a convolution's padding stands for, inside those of the convolution \
            itself, so that each side's rows and columns add up",
    root: Kind::Conv2d,
    find: fuse_pad_conv2d,
};

/// `pool(pad(x)) = pool(x)` with both paddings added up.
pub(super) const FUSE_PAD_POOL: Rule = Rule {
    name: "fuse-pad-pool",
    sound: "zeros before a mean count, as its counted padding does; minus infinity before a maximum is its padding, and so             are zeros where no element is below them and every window has one",
    root: Kind::Pool,
    find: fuse_pad_pool,
};

fn fuse_pad_conv2d(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Conv2d(conv)) = site.root.op() else { return };
    for pad in site.inside(site.root.children[0]) {
        let Some(Op::Pad(before)) = pad.op() else { continue };
        // What comes before the convolution must leave the zeros as they are.
        let keeps_zero = conv.prologue.is_none_or(|prologue| prologue.apply(0.0f64) == 0.0);
        if before.value != Scalar::default() || !keeps_zero {
            continue;
        }
        let Some(padding) = sum(&before.padding, &conv.padding) else { continue };
        let mut children = site.root.children.clone();
        children[0] = pad.children[0];
        let fused = ENode::layer(Op::Conv2d(Conv2d { padding, ..*conv }), &children);
        found.equal(&[pad, site.root], Term::default(), fused);
    }
}

fn fuse_pad_pool(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Pool(pool)) = site.root.op() else { return };
    for pad in site.inside(site.root.children[0]) {
        let Some(Op::Pad(before)) = pad.op() else { continue };
        if let Some(fused) = padded(site, pool, before, pad) {
            let fused = ENode::layer(Op::Pool(fused), &pad.children);
            found.equal(&[pad, site.root], Term::default(), fused);
        }
    }
}

/// `pool` with what `before`, the op of `node`, pads as its own padding.
fn padded(site: &Site<'_>, pool: &Pool, before: &Pad, node: &ENode) -> Option<Pool> {
    let padding = sum(&before.padding, &pool.padding)?;
    let kind = match pool.kind {
        PoolKind::Average { counted } if before.value == Scalar::default() => {
            PoolKind::Average { counted: sum(&before.padding, &counted)? }
        }
        PoolKind::Max if before.value == Scalar::NEG_INFINITY => PoolKind::Max,
        PoolKind::Max if before.value == Scalar::default() => {
            let is_met = |axis: usize| padding.along(axis).into_iter().all(|side| side < pool.kernel[axis]);
            let meets_all = pool.dilation == [1, 1] && is_met(0) && is_met(1);
            (meets_all && site.is_made_by(node.children[0], is_never_negative)).then_some(PoolKind::Max)?
        }
        _ => return None,
    };
    Some(Pool { kind, padding, ..*pool })
}

/// Whether the last that a layer does leaves no element below 0.
fn is_never_negative(node: &ENode) -> bool {
    let last = |epilogue: &Epilogue| match epilogue.residual {
        true => epilogue.activation_after,
        false => epilogue.activation_after.or(epilogue.activation),
    };
    let last = if let Some(Op::Activation(activation)) = node.op() {
        Some(*activation)
    } else {
        node.epilogue().and_then(last)
    };
    last.is_some_and(|activation| match activation {
        Activation::Sigmoid | Activation::HardSigmoid | Activation::Exp | Activation::Softplus => true,
        Activation::Abs | Activation::Sqrt => true,
        _ => activation.bounds().is_some_and(|(low, high)| low >= 0.0 && high >= low),
    })
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
