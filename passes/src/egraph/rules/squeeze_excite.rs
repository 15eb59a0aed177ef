//! Squeeze and excite, and what becomes of its product: a pass over the map, or over the weights behind it.

use frit_ir::Op;
use frit_ir::ops::binary::is_gate;
use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{Binary, Conv2d, GlobalAveragePool, Padding, SqueezeExcite};

use super::Rule;
use crate::egraph::language::{ENode, Kind};
use crate::egraph::saturate::{Found, Site, Term};

/// `conv(conv(global_avg_pool(x))) = squeeze_excite(x)`, both convolutions 1×1.
pub(super) const SQUEEZE_EXCITE: Rule = Rule {
    name: "squeeze-excite",
    sound: "on a map of one pixel a 1x1 convolution is a layer over the channels, whatever its stride: the two \
            are those that squeeze_excite applies to the means",
    root: Kind::Conv2d,
    find: squeeze_excite,
};

/// `x * squeeze_excite(x) = squeeze_excite(x; scales)`.
pub(super) const SCALE_SQUEEZED: Rule = Rule {
    name: "scale-squeezed",
    sound: "that is what squeeze_excite does where it scales; multiplication commutes",
    root: Kind::Binary,
    find: scale_squeezed,
};

/// `conv(x * gate) = conv(x; gate)`.
pub(super) const FUSE_GATE: Rule = Rule {
    name: "fuse-gate",
    sound: "a gated convolution multiplies its input by the gate, channel by channel, before it sums",
    root: Kind::Conv2d,
    find: fuse_gate,
};

fn squeeze_excite(site: &Site<'_>, found: &mut Found<'_>) {
    let Some((channels, expand)) = small(site.root) else { return };
    for reduce_node in site.inside(site.root.children[0]) {
        let Some((squeezed, reduce)) = small(reduce_node) else { continue };
        for pool in site.inside(reduce_node.children[0]) {
            let Some(Op::GlobalAveragePool(GlobalAveragePool { keep_dims: true })) = pool.op() else {
                continue;
            };
            let map = pool.children[0];
            // Of another number of channels it would be no gate.
            if site.shape(map).is_none_or(|shape| shape.channels() != channels) {
                continue;
            }
            let squeeze = SqueezeExcite { squeezed, reduce, expand, scales: false };
            let mut fused = ENode::layer(Op::SqueezeExcite(squeeze), &[map]);
            fused.children.extend_from_slice(reduce_node.weights());
            fused.children.extend_from_slice(site.root.weights());
            found.equal(&[pool, reduce_node, site.root], Term::default(), fused);
        }
    }
}

/// Filters of a 1×1 convolution over one pixel's channels, and what follows its sums; `None` for another op.
fn small(node: &ENode) -> Option<(usize, Small)> {
    let Some(Op::Conv2d(conv)) = node.op() else { return None };
    let Conv2d { filters, kernel, padding, groups, gate, epilogue, .. } = *conv;
    let is_plain = kernel == [1, 1] && padding == Padding::default() && groups == 1 && !gate;
    let ends = !epilogue.residual && epilogue.activation_after.is_none();
    (is_plain && ends).then_some((filters, Small { bias: epilogue.bias, activation: epilogue.activation }))
}

fn scale_squeezed(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Binary(Binary::Mul)) = site.root.op() else { return };
    let [first, second] = site.root.children[..] else { return };
    for (map, gate) in [(first, second), (second, first)] {
        // A product of two maps of one pixel is found from either side.
        if site.shape(map) != site.shape(site.class) {
            continue;
        }
        for squeeze_node in site.inside(gate) {
            let Some(Op::SqueezeExcite(squeeze)) = squeeze_node.op() else { continue };
            if squeeze.scales || site.egraph.find(squeeze_node.children[0]) != site.egraph.find(map) {
                continue;
            }
            let scaling = SqueezeExcite { scales: true, ..*squeeze };
            let fused = ENode::layer(Op::SqueezeExcite(scaling), &squeeze_node.children);
            found.equal(&[squeeze_node, site.root], Term::default(), fused);
        }
    }
}

fn fuse_gate(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Conv2d(conv)) = site.root.op() else { return };
    if conv.gate || conv.prologue.is_some() || conv.groups != 1 {
        return;
    }
    for product in site.inside(site.root.children[0]) {
        let Some(Op::Binary(Binary::Mul)) = product.op() else { continue };
        let [map, gate] = product.children[..] else { continue };
        let fits = site.shape(map).zip(site.shape(gate)).is_some_and(|(map, gate)| is_gate(map, gate));
        if !fits {
            continue;
        }
        let mut fused = ENode::layer(Op::Conv2d(Conv2d { gate: true, ..*conv }), &[map, gate]);
        fused.children.extend_from_slice(&site.root.children[1..]);
        found.equal(&[product, site.root], Term::default(), fused);
    }
}

#[cfg(test)]
mod tests;
