//! Squeeze and excite, and what becomes of its product: a pass over the map, or over the weights behind it.

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::binary::is_gate;
use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{Activation, Binary, Conv2d, Dense, Padding, SqueezeExcite};

use crate::egraph::language::{ENode, Kind, Operator};
use crate::egraph::rule::{Found, Rule, Site, Term};

/// `layer(layer(global_avg_pool(x))) = squeeze_excite(x)`, each a 1×1 convolution or a dense layer.
pub(super) const SQUEEZE_EXCITE: Rule = Rule {
    name: "squeeze-excite",
    sound: "on a map of one pixel a 1x1 convolution is a layer over the channels, whatever its stride, and so is a dense \
            layer on their vector: the two are those that squeeze_excite applies to the means",
    root: Kind::Conv2d,
    find: squeeze_excite,
};

/// The same, where a reshape makes the pixel.
pub(super) const SQUEEZE_EXCITE_RESHAPED: Rule = Rule {
    name: "squeeze-excite-reshaped",
    sound: "a reshape keeps the elements in their order, and an activation is of each element whatever the shape",
    root: Kind::Reshape,
    find: squeeze_excite,
};

/// The same, where the gate's activation is of the pixel.
pub(super) const SQUEEZE_EXCITE_ACTIVATED: Rule = Rule {
    name: "squeeze-excite-activated",
    sound: "an activation is of each element, before a reshape as behind it",
    root: Kind::Activation,
    find: squeeze_excite,
};

/// `x * squeeze_excite(x) = squeeze_excite(x; scales)`.
pub(super) const SCALE_SQUEEZED: Rule = Rule {
    name: "scale-squeezed",
    sound: "that is what squeeze_excite does where it scales; multiplication commutes",
    root: Kind::Binary,
    find: scale_squeezed,
};

/// `x * reshape(gate) = x * gate`, where the gate is a vector or a map of one pixel either way.
pub(super) const DROP_GATE_RESHAPE: Rule = Rule {
    name: "drop-gate-reshape",
    sound: "both shapes have one element a channel, in order, and are repeated over the map alike",
    root: Kind::Binary,
    find: drop_gate_reshape,
};

/// `conv(x * gate) = conv(x; gate)`.
pub(super) const FUSE_GATE: Rule = Rule {
    name: "fuse-gate",
    sound: "a gated convolution multiplies its input by the gate, channel by channel, before it sums; multiplication \
            commutes",
    root: Kind::Conv2d,
    find: fuse_gate,
};

fn squeeze_excite(site: &Site<'_>, found: &mut Found<'_>) {
    if site.shape(site.class).is_some_and(|shape| matches!(shape.axes(), [1, 1, _])) {
        for excited in excited(site, site.root) {
            found.equal(&excited.matched, excited.term, excited.fused);
        }
    }
}

/// What a layer is the second of.
struct Excited<'a> {
    squeeze: SqueezeExcite,
    term: Term,
    fused: ENode,
    matched: Vec<&'a ENode>,
}

/// All squeezes and excitations that `node` ends.
fn excited<'a>(site: &Site<'a>, node: &'a ENode) -> Vec<Excited<'a>> {
    let mut all = Vec::new();
    for expand in layers(site, node) {
        for reduce in site.inside(expand.node.children[0]).iter().flat_map(|node| layers(site, node)) {
            for (pool, before) in elements(site, reduce.node.children[0]) {
                let Some(Op::GlobalAveragePool(_)) = pool.op() else { continue };
                let map = pool.children[0];
                // Of another number of channels it would be no gate.
                if site.shape(map).is_none_or(|shape| shape.channels() != expand.units) {
                    continue;
                }
                let mut term = Term::default();
                let (squeezed, reduced, expanded) = (reduce.units, reduce.small, expand.small);
                let squeeze = SqueezeExcite { squeezed, reduce: reduced, expand: expanded, scales: false };
                let mut fused = ENode::layer(Op::SqueezeExcite(squeeze), &[map]);
                for layer in [&reduce, &expand] {
                    fused.children.extend(pointwise(layer.node, &mut term));
                }
                let matched = [&[pool], &reduce.matched[..], &expand.matched[..]].concat();
                let matched = matched.into_iter().chain(before).collect();
                all.push(Excited { squeeze, term, fused, matched });
            }
        }
    }
    all
}

/// The weights of a layer, its kernel that of a 1×1 convolution.
fn pointwise(node: &ENode, term: &mut Term) -> Vec<Id> {
    let mut weights = node.weights().to_vec();
    if let (Kind::Dense, Some(kernel)) = (node.kind(), weights.first_mut()) {
        *kernel = term.push(ENode::new(Operator::Pointwise, &[*kernel]));
    }
    weights
}

/// The e-nodes that compute the elements of a class in their order: its own, and those below a reshape, with the reshape.
fn elements<'a>(site: &Site<'a>, class: Id) -> impl Iterator<Item = (&'a ENode, Option<&'a ENode>)> {
    let below =
        |reshape: &'a ENode| site.inside(reshape.children[0]).iter().map(move |node| (node, Some(reshape)));
    let reshapes = site.inside(class).iter().filter(|node| node.kind() == Kind::Reshape);
    site.inside(class).iter().map(|node| (node, None)).chain(reshapes.flat_map(below))
}

/// One of the two layers, with what is behind its sums.
struct Layer<'a> {
    node: &'a ENode,
    units: usize,
    small: Small,
    /// It, and all between it and where it was looked for.
    matched: Vec<&'a ENode>,
}

/// How many reshapes and activations are looked through for a layer.
const BETWEEN: usize = 4;

/// The layers whose elements `node` computes, in their order, behind an activation or none.
fn layers<'a>(site: &Site<'a>, node: &'a ENode) -> Vec<Layer<'a>> {
    let mut found = Vec::new();
    let mut open: Vec<(&ENode, Option<Activation>, Vec<&ENode>)> = vec![(node, None, Vec::new())];
    while let Some((node, activation, mut matched)) = open.pop() {
        matched.push(node);
        let below = if matches!(node.op(), Some(Op::Reshape(_))) {
            activation
        } else if matches!(node.op(), Some(Op::Activation(Activation::Rescale { .. }))) {
            // That goes into the weights.
            continue;
        } else if let Some(Op::Activation(outer)) = node.op()
            && activation.is_none()
        {
            Some(super::activation::named(*outer))
        } else {
            found.extend(Layer::of(site, node, activation, matched));
            continue;
        };
        if matched.len() <= BETWEEN {
            let nodes = site.inside(node.children[0]).iter();
            open.extend(nodes.map(|node| (node, below, matched.clone())));
        }
    }
    found
}

impl<'a> Layer<'a> {
    /// A 1×1 convolution over one pixel's channels, or a dense layer, with no activation of its own if one follows.
    fn of(
        site: &Site<'_>,
        node: &'a ENode,
        behind: Option<Activation>,
        matched: Vec<&'a ENode>,
    ) -> Option<Layer<'a>> {
        let (units, epilogue) = if let Op::Conv2d(conv) = node.op()? {
            let Conv2d { filters, kernel, padding, groups, gate, prologue, epilogue, .. } = *conv;
            let is_plain = kernel == [1, 1] && padding == Padding::default() && groups == 1 && !gate;
            let is_pixel = matches!(site.shape(node.children[0])?.axes(), [1, 1, _]);
            (is_plain && is_pixel && prologue.is_none()).then_some((filters, epilogue))?
        } else if let &Op::Dense(Dense { units, epilogue }) = node.op()? {
            (units, epilogue)
        } else {
            return None;
        };
        let has_two = epilogue.activation.is_some() && behind.is_some();
        let ends = !epilogue.residual && epilogue.activation_after.is_none() && !has_two;
        let small = Small { bias: epilogue.bias, activation: epilogue.activation.or(behind) };
        ends.then_some(Layer { node, units, small, matched })
    }
}

fn scale_squeezed(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Binary(Binary::Mul)) = site.root.op() else { return };
    let [first, second] = site.root.children[..] else { return };
    for (map, gate) in [(first, second), (second, first)] {
        // A product of two maps of one pixel is found from either side.
        if !site.shape(map).zip(site.shape(gate)).is_some_and(|(map, gate)| is_gate(map, gate)) {
            continue;
        }
        for node in site.inside(gate) {
            for Excited { squeeze, term, fused, mut matched } in gates(site, node) {
                if !squeeze.scales && site.egraph.find(fused.children[0]) == site.egraph.find(map) {
                    let scaling = Op::SqueezeExcite(SqueezeExcite { scales: true, ..squeeze });
                    matched.push(site.root);
                    found.equal(&matched, term, ENode::layer(scaling, &fused.children));
                }
            }
        }
    }
}

/// What `node` is as a gate: itself, or for a vector what its layers are.
fn gates<'a>(site: &Site<'a>, node: &'a ENode) -> Vec<Excited<'a>> {
    if let Some(Op::SqueezeExcite(squeeze)) = node.op() {
        let (term, fused) = (Term::default(), node.clone());
        vec![Excited { squeeze: *squeeze, term, fused, matched: vec![node] }]
    } else if matches!(node.op(), Some(Op::Dense(_) | Op::Reshape(_) | Op::Activation(_))) {
        excited(site, node)
    } else {
        Vec::new()
    }
}

fn drop_gate_reshape(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Binary(binary)) = site.root.op() else { return };
    let [first, second] = site.root.children[..] else { return };
    for (place, map, gate) in [(1, first, second), (0, second, first)] {
        let gates =
            |id: Id| site.shape(map).zip(site.shape(id)).is_some_and(|(map, gate)| is_gate(map, gate));
        for reshape in site.inside(gate).iter().filter(|node| node.kind() == Kind::Reshape) {
            if gates(gate) && gates(reshape.children[0]) {
                let mut plain = ENode::layer(Op::Binary(*binary), &[first, second]);
                plain.children[place] = reshape.children[0];
                found.equal(&[reshape, site.root], Term::default(), plain);
            }
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
        let [first, second] = product.children[..] else { continue };
        for (map, gate) in [(first, second), (second, first)] {
            if site.shape(map).zip(site.shape(gate)).is_some_and(|(map, gate)| is_gate(map, gate)) {
                let mut fused = ENode::layer(Op::Conv2d(Conv2d { gate: true, ..*conv }), &[map, gate]);
                fused.children.extend_from_slice(&site.root.children[1..]);
                found.equal(&[product, site.root], Term::default(), fused);
            }
        }
    }
}

#[cfg(test)]
mod tests;
