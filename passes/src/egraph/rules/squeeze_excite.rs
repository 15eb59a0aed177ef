//! Squeeze and excite, and what becomes of its product: a pass over the map, or over the weights behind it.

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::binary::is_gate;
use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{Binary, Conv2d, Dense, Padding, SqueezeExcite};

use super::Rule;
use crate::egraph::language::{ENode, Kind, Operator};
use crate::egraph::saturate::{Found, Site, Term};

/// `layer(layer(global_avg_pool(x))) = squeeze_excite(x)`, each a 1×1 convolution or a dense layer.
pub(super) const SQUEEZE_EXCITE: Rule = Rule {
    name: "squeeze-excite",
    sound: "on a map of one pixel a 1x1 convolution is a layer over the channels, whatever its stride, and so is a dense \
            layer on their vector: the two are those that squeeze_excite applies to the means",
    root: Kind::Conv2d,
    find: squeeze_excite,
};

/// `reshape(dense(layer(global_avg_pool(x)))) = squeeze_excite(x)`.
pub(super) const SQUEEZE_EXCITE_DENSE: Rule = Rule {
    name: "squeeze-excite-dense",
    sound: "the reshape makes a map of one pixel of the vector, with its elements in order, as squeeze_excite does",
    root: Kind::Reshape,
    find: squeeze_excite_dense,
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
    sound: "a gated convolution multiplies its input by the gate, channel by channel, before it sums",
    root: Kind::Conv2d,
    find: fuse_gate,
};

fn squeeze_excite(site: &Site<'_>, found: &mut Found<'_>) {
    for excited in excited(site, site.root) {
        found.equal(&excited.matched, excited.term, excited.fused);
    }
}

fn squeeze_excite_dense(site: &Site<'_>, found: &mut Found<'_>) {
    if !site.shape(site.class).is_some_and(|shape| matches!(shape.axes(), [1, 1, _])) {
        return;
    }
    for dense in site.inside(site.root.children[0]).iter().filter(|node| node.kind() == Kind::Dense) {
        for excited in excited(site, dense) {
            let matched: Vec<&ENode> = excited.matched.iter().copied().chain([site.root]).collect();
            found.equal(&matched, excited.term, excited.fused);
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
    let Some(expand) = Layer::of(site, node) else { return all };
    for (reduce_node, between) in elements(site, node.children[0]) {
        let Some(reduce) = Layer::of(site, reduce_node) else { continue };
        for (pool, before) in elements(site, reduce_node.children[0]) {
            let Some(Op::GlobalAveragePool(_)) = pool.op() else { continue };
            let map = pool.children[0];
            // Of another number of channels it would be no gate.
            if site.shape(map).is_none_or(|shape| shape.channels() != expand.units) {
                continue;
            }
            let (squeezed, reduce, expand) = (reduce.units, reduce.small, expand.small);
            let squeeze = SqueezeExcite { squeezed, reduce, expand, scales: false };
            let mut term = Term::default();
            let mut fused = ENode::layer(Op::SqueezeExcite(squeeze), &[map]);
            for layer in [reduce_node, node] {
                fused.children.extend(pointwise(layer, &mut term));
            }
            let matched = [pool, reduce_node, node].into_iter().chain(before).chain(between).collect();
            all.push(Excited { squeeze, term, fused, matched });
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

/// One of the two layers.
struct Layer {
    units: usize,
    small: Small,
}

impl Layer {
    /// A 1×1 convolution over one pixel's channels, or a dense layer; `None` for another op.
    fn of(site: &Site<'_>, node: &ENode) -> Option<Layer> {
        let (units, epilogue) = match node.op()? {
            Op::Conv2d(conv) => {
                let Conv2d { filters, kernel, padding, groups, gate, prologue, epilogue, .. } = *conv;
                let is_plain = kernel == [1, 1] && padding == Padding::default() && groups == 1 && !gate;
                let is_pixel = matches!(site.shape(node.children[0])?.axes(), [1, 1, _]);
                (is_plain && is_pixel && prologue.is_none()).then_some((filters, epilogue))?
            }
            &Op::Dense(Dense { units, epilogue }) => (units, epilogue),
            _ => return None,
        };
        let ends = !epilogue.residual && epilogue.activation_after.is_none();
        let small = Small { bias: epilogue.bias, activation: epilogue.activation };
        ends.then_some(Layer { units, small })
    }
}

fn scale_squeezed(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Binary(Binary::Mul)) = site.root.op() else { return };
    let [first, second] = site.root.children[..] else { return };
    for (map, gate) in [(first, second), (second, first)] {
        // A product of two maps of one pixel is found from either side.
        if site.shape(map) != site.shape(site.class) {
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
    match node.op() {
        Some(Op::SqueezeExcite(squeeze)) => {
            let (term, fused) = (Term::default(), node.clone());
            vec![Excited { squeeze: *squeeze, term, fused, matched: vec![node] }]
        }
        Some(Op::Dense(_)) => excited(site, node),
        _ => Vec::new(),
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
