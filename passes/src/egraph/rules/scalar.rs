//! Arithmetic with one number, and lines of lines: `x * scale + offset`.

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::{Activation, Binary, Epilogue, Scalar};

use super::activation::named;
use crate::egraph::fold::ROUNDING;
use crate::egraph::language::{ENode, Kind};
use crate::egraph::rule::{Found, Known, Rule, Site, Term};

/// `x + 2 = rescale(x; 1, 2)`, `max(x, 0) = relu(x)`, and so on.
pub(super) const NAME_ARITHMETIC: Rule = Rule {
    name: "name-arithmetic",
    sound: "with the same number everywhere a sum, difference, product or quotient is x * scale + offset, and min and \
            max are clamps; the number widens no axis; a reciprocal is rounded to f32 once, as folded weights are",
    root: Kind::Binary,
    find: name_arithmetic,
};

/// `x ^ 2 = x * x`.
pub(super) const SQUARE: Rule = Rule {
    name: "square",
    sound: "the second power of a number is the number times itself",
    root: Kind::Binary,
    find: square,
};

/// `(x * a + b) * c + d = x * ac + (bc + d)`.
pub(super) const MERGE_RESCALES: Rule = Rule {
    name: "merge-rescales",
    sound: "a line of a line is a line; factor and summand are rounded to f32 once, as folded weights are, and f32 holds both \
            as well as their parts",
    root: Kind::Activation,
    find: merge_rescales,
};

/// `x * 1 + 0 = x`.
pub(super) const DROP_RESCALE: Rule = Rule {
    name: "drop-rescale",
    sound: "a number times one plus zero is the number",
    root: Kind::Activation,
    find: drop_rescale,
};

fn name_arithmetic(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(&Op::Binary(binary)) = site.root.op() else { return };
    let Some((x, known, order)) = beside(site, site.class, site.root) else { return };
    if let Some(activation) = known.uniform().and_then(|value| function(binary, value, order)) {
        let function = ENode::layer(Op::Activation(activation), &[x]);
        found.equal(&[known.node, site.root], Term::default(), function);
    }
}

/// Which operand is the constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    First,
    Second,
}

/// The tensor that `node`, of `class`, joins with a constant, and the constant; `None` where that would repeat the tensor.
pub(super) fn beside<'a>(site: &Site<'a>, class: Id, node: &ENode) -> Option<(Id, Known<'a>, Order)> {
    let [first, second] = node.children[..] else { return None };
    let orders = [(first, second, Order::Second), (second, first, Order::First)];
    orders
        .into_iter()
        .filter(|&(x, ..)| site.shape(x) == site.shape(class))
        .find_map(|(x, constant, order)| site.constant(constant).map(|known| (x, known, order)))
}

/// What `binary` with `value` makes of the other operand.
fn function(binary: Binary, value: Scalar, order: Order) -> Option<Activation> {
    let is_second = order == Order::Second;
    Some(match binary {
        Binary::Min if !value.is_nan() => named(Activation::clip(Scalar::NEG_INFINITY, value)),
        Binary::Max if !value.is_nan() => named(Activation::clip(value, Scalar::INFINITY)),
        _ if !value.is_finite() => return None,
        Binary::Add => Activation::rescale(1.0, value),
        Binary::Sub if is_second => Activation::rescale(1.0, -value),
        Binary::Sub => Activation::rescale(-1.0, value),
        Binary::Mul => Activation::rescale(value, 0.0),
        Binary::Div if is_second && value.recip().is_normal() => Activation::rescale(value.recip(), 0.0),
        Binary::Pow if is_second && value == Scalar::ONE => Activation::rescale(1.0, 0.0),
        _ => return None,
    })
}

fn square(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Binary(Binary::Pow)) = site.root.op() else { return };
    let Some((x, known, Order::Second)) = beside(site, site.class, site.root) else { return };
    if known.uniform() == Some(Scalar::new(2.0)) {
        let product = ENode::layer(Op::Binary(Binary::Mul), &[x, x]);
        found.equal(&[known.node, site.root], Term::default(), product);
    }
}

fn merge_rescales(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(outer) = line(site.root) else { return };
    for inner_node in site.inside(site.root.children[0]) {
        let Some(inner) = line(inner_node) else { continue };
        let operand = inner_node.children[0];
        // From the innermost outwards: else a chain of n lines would get an e-node for each of its n * n spans. What a sum
        // takes into its weights it takes one by one, so that they have one form.
        if site
            .ends_in(operand, |node| line(node).is_some() || node.epilogue().is_some_and(Epilogue::is_linear))
        {
            continue;
        }
        if let Some([scale, offset]) = merged(outer, inner) {
            let both = ENode::layer(Op::Activation(Activation::rescale(scale, offset)), &[operand]);
            found.equal(&[inner_node, site.root], Term::default(), both);
        }
    }
}

/// `outer` of `inner` as one line; `None` where f32 does not hold it, or where `inner` rounds for all that follow.
fn merged(outer: [f64; 2], inner: [f64; 2]) -> Option<[Scalar; 2]> {
    let [scale, offset] = [outer[0] * inner[0], outer[0] * inner[1] + outer[1]].map(Scalar::nearest);
    let had_range = [outer[0], inner[0]].iter().all(|&factor| Scalar::nearest(factor).is_normal());
    let has_range = scale.is_normal() || !had_range;
    (scale.is_finite() && has_range && offset.is_finite() && !rounds(inner)).then_some([scale, offset])
}

/// Whether a line adds so much that what it adds to loses half of its digits: `(x + c) - c` is how some files round, and no
/// sum of theirs may leave the `c` out.
pub(super) fn rounds([scale, offset]: [f64; 2]) -> bool {
    scale != 0.0 && offset.abs() >= ROUNDING * scale.abs()
}

/// Factor and summand of a line.
pub(super) fn line(node: &ENode) -> Option<[f64; 2]> {
    let &Op::Activation(Activation::Rescale { scale, offset }) = node.op()? else { return None };
    Some([scale, offset].map(f64::from))
}

fn drop_rescale(site: &Site<'_>, found: &mut Found<'_>) {
    if line(site.root) == Some([1.0, 0.0]) {
        found.same(&[site.root], site.root.children[0]);
    }
}

#[cfg(test)]
mod tests;
