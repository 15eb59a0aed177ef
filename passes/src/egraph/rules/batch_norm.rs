//! Batch normalisation (Ioffe and Szegedy, 2015) into the weights before it.

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::{Activation, BatchNorm, Epilogue};

use super::scalar::{line, rounds};
use crate::egraph::language::{ENode, Kind, Operator};
use crate::egraph::rule::{Found, Rule, Site, Term};

/// `batch_norm(conv(x, w) + b) = conv(x, w * s) + (beta + (b - mean) * s)`, where
/// `s = gamma / sqrt(variance + epsilon)`.
pub(super) const FOLD_BATCH_NORM: Rule = Rule {
    name: "fold-batch-norm",
    sound: "a sum times its filter's factor is the sum with that filter's weights times the factor; for any \
            groups, as the kernel's last axis counts filters",
    root: Kind::BatchNorm,
    find: fold_batch_norm,
};

/// `batch_norm(x * scale + offset) = batch_norm(x)` with another mean and factor.
pub(super) const FOLD_RESCALE_BEFORE_NORM: Rule = Rule {
    name: "fold-rescale-before-norm",
    sound: "x * scale + offset - mean is scale times x - (mean - offset) / scale, where the scale is not zero",
    root: Kind::BatchNorm,
    find: fold_rescale_before_norm,
};

fn fold_batch_norm(site: &Site<'_>, found: &mut Found<'_>) {
    for sum in site.inside(site.root.children[0]) {
        let Some(epilogue) = sum.epilogue().filter(|epilogue| epilogue.is_linear()) else { continue };
        let &[kernel, ref bias @ ..] = sum.weights() else { continue };
        let mut term = Term::default();
        let Some([scale, shift]) = scale_and_shift(site.root, bias, &mut term) else { return };
        let scaled = term.push(ENode::new(Operator::ScaleFilters, &[kernel, scale]));
        let mut folded = sum.with_epilogue(Epilogue { bias: true, ..*epilogue });
        folded.children.truncate(sum.operands().len());
        folded.children.extend([scaled, shift]);
        found.equal(&[sum, site.root], term, folded);
    }
}

/// What the batch norm `node` multiplies each channel by, and what it then adds, where it is applied to sums with `bias`, if
/// any; `None` where it is no batch norm.
pub(super) fn scale_and_shift(node: &ENode, bias: &[Id], term: &mut Term) -> Option<[Id; 2]> {
    let Op::BatchNorm(norm) = node.op()? else { return None };
    // Its children: x, gamma where it scales, beta where it centres, mean, variance.
    let [_, rest @ .., mean, variance] = &node.children[..] else { return None };
    let (gamma, beta) = rest.split_at(usize::from(norm.scale));
    let scale = Operator::BatchNormScale { epsilon: norm.epsilon, gamma: norm.scale };
    let scale = term.push(ENode::new(scale, &[&[*variance], gamma].concat()));
    let shift = Operator::BatchNormShift { beta: norm.center, bias: !bias.is_empty() };
    let shift = term.push(ENode::new(shift, &[&[*mean, scale], beta, bias].concat()));
    Some([scale, shift])
}

fn fold_rescale_before_norm(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::BatchNorm(norm)) = site.root.op() else { return };
    let [before, rest @ .., mean, variance] = &site.root.children[..] else { return };
    let (gamma, beta) = rest.split_at(usize::from(norm.scale));
    for rescale in site.inside(*before) {
        let Some(&Op::Activation(Activation::Rescale { scale, offset })) = rescale.op() else { continue };
        let operand = rescale.children[0];
        // What takes it in otherwise does: the weights behind it have one form.
        let takes = |node: &ENode| line(node).is_some() || node.epilogue().is_some_and(Epilogue::is_linear);
        let keeps_all = scale.get().recip().is_normal() && !line(rescale).is_some_and(rounds);
        if !keeps_all || site.ends_in(operand, takes) {
            continue;
        }
        let mut term = Term::default();
        let channels = site.shape(*mean).map_or(0, frit_ir::Shape::channels);
        let [factor, shift] =
            [scale, offset].map(|value| term.push(ENode::new(Operator::Uniform { value, channels }, &[])));
        let scaled = match gamma {
            [gamma] => term.push(ENode::new(Operator::ScaleFilters, &[*gamma, factor])),
            _ => factor,
        };
        let inverse = term.push(ENode::new(Operator::Reciprocal, &[factor]));
        let moved = Operator::BatchNormShift { beta: false, bias: true };
        let moved = term.push(ENode::new(moved, &[shift, inverse, *mean]));
        let folded = Op::BatchNorm(BatchNorm { scale: true, ..*norm });
        let children = [&[operand, scaled], beta, &[moved, *variance]].concat();
        found.equal(&[rescale, site.root], term, ENode::layer(folded, &children));
    }
}

#[cfg(test)]
mod tests;
