//! Scales and shifts beside a sum into its weights.

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::{Activation, Conv2d, Epilogue, Padding, Scalar};

use super::Rule;
use crate::egraph::language::{ENode, Kind, Operator};
use crate::egraph::saturate::{Found, Site, Term};

/// `conv(x, w) + b) * scale + offset = conv(x, w * scale) + (b * scale + offset)`.
pub(super) const FOLD_RESCALE: Rule = Rule {
    name: "fold-rescale",
    sound: "a sum times a factor is the sum with its weights times the factor; nothing stands between the two",
    root: Kind::Activation,
    find: fold_rescale,
};

/// `conv(x * scale + shift, w) = conv(x, w * scale) + sum(w * shift)`, with a scale and a shift for each channel.
pub(super) const FOLD_SCALE_BEFORE: Rule = Rule {
    name: "fold-scale-before",
    sound: "each product of the sum has one input channel; without padding every sum has all of its products, and \
            where nothing is added to the map its padding may be any",
    root: Kind::Conv2d,
    find: fold_scale_before,
};

fn fold_rescale(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(&Op::Activation(Activation::Rescale { scale, offset })) = site.root.op() else { return };
    let Some(shape) = site.shape(site.class) else { return };
    for sum in site.inside(site.root.children[0]) {
        let Some(epilogue) = sum.epilogue().filter(|epilogue| epilogue.is_linear()) else { continue };
        let &[kernel, ref bias @ ..] = sum.weights() else { continue };
        let channels = shape.channels();
        let mut term = Term::default();
        let factor = term.push(uniform(scale, channels));
        let scaled = term.push(ENode::new(Operator::ScaleFilters, &[kernel, factor]));
        let has_bias = epilogue.bias || offset.get() != 0.0;
        let mut folded = sum.with_epilogue(Epilogue { bias: has_bias, ..*epilogue });
        folded.children.truncate(1);
        folded.children.push(scaled);
        if has_bias {
            let zero = term.push(uniform(Scalar::default(), channels));
            let summand = term.push(uniform(offset, channels));
            let shift = Operator::BatchNormShift { beta: true, bias: epilogue.bias };
            let mut shift = ENode::new(shift, &[zero, factor, summand]);
            shift.children.extend_from_slice(bias);
            folded.children.push(term.push(shift));
        }
        found.equal(&[sum, site.root], term, folded);
    }
}

fn uniform(value: Scalar, channels: usize) -> ENode {
    ENode::new(Operator::Uniform { value, channels }, &[])
}

fn fold_scale_before(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Conv2d(conv)) = site.root.op() else { return };
    if conv.prologue.is_some() || conv.gate {
        return;
    }
    for node in site.inside(site.root.children[0]) {
        let operand = node.children.first().copied();
        // A layer that could take it in itself does: a chain of n such layers has one form, not 2^n.
        let is_taken =
            |id: Id| site.inside(id).iter().any(|sum| sum.epilogue().is_some_and(Epilogue::is_linear));
        let Some(operand) = operand.filter(|&operand| !is_taken(operand)) else { continue };
        let mut term = Term::default();
        let Some(affine) = affine(site, node, &mut term) else { continue };
        if affine.shift.is_some() && conv.padding != Padding::default() {
            continue;
        }
        let folded = folded(site.root, conv, operand, &affine, &mut term);
        found.equal(&[node, site.root], term, folded);
    }
}

/// A factor for each channel, and a summand where there is one.
struct Affine {
    scale: Id,
    shift: Option<Id>,
}

/// What `node` does, where that is to scale and shift each channel.
fn affine(site: &Site<'_>, node: &ENode, term: &mut Term) -> Option<Affine> {
    match node.op()? {
        &Op::Activation(Activation::Rescale { scale, offset }) => {
            let channels = site.shape(node.children[0])?.channels();
            let scale = term.push(uniform(scale, channels));
            let shift = (offset.get() != 0.0).then(|| term.push(uniform(offset, channels)));
            Some(Affine { scale, shift })
        }
        Op::BatchNorm(norm) => {
            let [_, rest @ .., mean, variance] = &node.children[..] else { return None };
            let (gamma, beta) = rest.split_at(usize::from(norm.scale));
            let scale = Operator::BatchNormScale { epsilon: norm.epsilon, gamma: norm.scale };
            let scale = term.push(ENode::new(scale, &[&[*variance], gamma].concat()));
            let shift = Operator::BatchNormShift { beta: norm.center, bias: false };
            let shift = term.push(ENode::new(shift, &[&[*mean, scale], beta].concat()));
            Some(Affine { scale, shift: Some(shift) })
        }
        _ => None,
    }
}

/// `root`, a convolution, on `operand` instead of what is made of it by `affine`.
fn folded(root: &ENode, conv: &Conv2d, operand: Id, affine: &Affine, term: &mut Term) -> ENode {
    let groups = conv.groups;
    let (kernel, bias) = (root.weights()[0], root.weights().get(1).copied());
    let scaled = term.push(ENode::new(Operator::ScaleInputs { groups }, &[kernel, affine.scale]));
    let added = affine.shift.map(|shift| {
        let sum = term.push(ENode::new(Operator::SumInputs { groups }, &[kernel, shift]));
        let Some(bias) = bias else { return sum };
        let [zero, one] = [0.0, 1.0].map(|value| term.push(uniform(Scalar::new(value), conv.filters)));
        let both = Operator::BatchNormShift { beta: true, bias: true };
        term.push(ENode::new(both, &[zero, one, bias, sum]))
    });
    let bias = added.or(bias);
    let epilogue = Epilogue { bias: bias.is_some(), ..conv.epilogue };
    let mut children = root.operands().to_vec();
    children[0] = operand;
    children.push(scaled);
    children.extend(bias);
    ENode::layer(Op::Conv2d(Conv2d { epilogue, ..*conv }), &children)
}

#[cfg(test)]
mod tests;
