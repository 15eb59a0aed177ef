//! Batch normalisation (Ioffe and Szegedy, 2015) into the weights before it.

use frit_ir::Op;
use frit_ir::ops::Epilogue;

use super::Rule;
use crate::egraph::language::{ENode, Kind, Operator};
use crate::egraph::saturate::{Found, Site, Term};

/// `batch_norm(conv(x, w) + b) = conv(x, w * s) + (beta + (b - mean) * s)`, where
/// `s = gamma / sqrt(variance + epsilon)`.
pub(super) const FOLD_BATCH_NORM: Rule = Rule {
    name: "fold-batch-norm",
    sound: "a sum times its filter's factor is the sum with that filter's weights times the factor; for any \
            groups, as the kernel's last axis counts filters",
    root: Kind::BatchNorm,
    find: fold_batch_norm,
};

fn fold_batch_norm(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::BatchNorm(norm)) = site.root.op() else { return };
    // The norm's children: x, gamma where it scales, beta where it centres, mean, variance.
    let children = &site.root.children;
    let [.., mean, variance] = children[..] else { return };
    let (gamma, beta) =
        (norm.scale.then(|| children[1]), norm.center.then(|| children[1 + usize::from(norm.scale)]));
    for sum in site.inside(children[0]) {
        let Some(epilogue) = sum.epilogue().filter(|epilogue| epilogue.is_linear()) else { continue };
        let &[kernel, ref bias @ ..] = sum.weights() else { continue };
        let mut term = Term::default();
        let mut scale =
            ENode::new(Operator::BatchNormScale { epsilon: norm.epsilon, gamma: norm.scale }, &[variance]);
        scale.children.extend(gamma);
        let scale = term.push(scale);
        let scaled = term.push(ENode::new(Operator::ScaleFilters, &[kernel, scale]));
        let shift = Operator::BatchNormShift { beta: norm.center, bias: epilogue.bias };
        let mut shift = ENode::new(shift, &[mean, scale]);
        shift.children.extend(beta);
        shift.children.extend_from_slice(bias);
        let shift = term.push(shift);
        let mut folded = sum.with_epilogue(Epilogue { bias: true, ..*epilogue });
        folded.children.truncate(sum.operands().len());
        folded.children.extend([scaled, shift]);
        found.equal(&[sum, site.root], term, folded);
    }
}

#[cfg(test)]
mod tests;
