//! Sums of linear layers of one map are one convolution (Ding et al., RepVGG, 2021; Vasu et al., MobileOne, 2023).

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::{Conv2d, Epilogue, Padding};

use super::batch_norm::scale_and_shift;
use crate::egraph::language::{ENode, Kind, Operator};
use crate::egraph::rule::{Found, Rule, Site, Term};

/// `conv(x; a) + conv(x; b) = conv(x; a + b)`, and so with `x` itself and `batch_norm(x)` for `conv(x; b)`.
pub(super) const SUM_CONVS: Rule = Rule {
    name: "sum-convs",
    sound: "convolution is linear in its kernel: with the same strides and groups, kernels add up once zeros around each bring \
            the taps that read the same element onto one another; a map itself and its batch norm are 1×1 convolutions of it",
    root: Kind::Conv2d,
    find: sum_convs,
};

/// One linear layer of a map as a convolution.
struct Branch {
    conv: Conv2d,
    kernel: Id,
    bias: Option<Id>,
}

fn sum_convs(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(&Op::Conv2d(conv)) = site.root.op() else { return };
    // What a sum takes in, it takes in before anything but a bias is behind it.
    let plain = Conv2d { epilogue: Epilogue { residual: false, ..conv.epilogue }, ..conv };
    if !conv.epilogue.residual || !mergeable(&plain) {
        return;
    }
    let &[x, residual] = site.root.operands() else { return };
    let main = || branch(plain, site.root);
    let x = site.egraph.find(x);
    let keeps_shape = conv.stride == [1, 1] && site.shape(x) == site.shape(site.class);
    if site.egraph.find(residual) == x && keeps_shape {
        let mut term = Term::default();
        let kernel = identity(&conv, &mut term);
        let branches = [main(), Branch { conv: unit(&conv), kernel, bias: None }];
        put_sum(x, branches, &[site.root], term, found);
    }
    for other in site.inside(residual).iter().filter(|other| reads(site, other, x)) {
        let mut term = Term::default();
        let beside = if let Some(Op::Conv2d(beside)) = other.op() {
            (mergeable(beside) && are_alike(&plain, beside)).then(|| branch(*beside, other))
        } else {
            keeps_shape.then(|| normed(&conv, other, &mut term)).flatten()
        };
        let Some(beside) = beside else { continue };
        let mut branches = [main(), beside];
        // Either may be the one that takes the other as its residual: the sum has one form. Kernels of this term come last.
        branches.sort_by_key(|branch| branch.kernel);
        put_sum(x, branches, &[other, site.root], term, found);
    }
}

/// Whether a layer's operand is the class `x`.
fn reads(site: &Site<'_>, node: &ENode, x: Id) -> bool {
    matches!(node.operands(), [operand] if site.egraph.find(*operand) == x)
}

/// Whether a convolution is linear in its input, and its taps are neighbours.
fn mergeable(conv: &Conv2d) -> bool {
    !conv.gate && conv.prologue.is_none() && conv.dilation == [1, 1] && conv.epilogue.is_linear()
}

/// Whether two convolutions differ in nothing but their windows and biases.
fn are_alike(first: &Conv2d, second: &Conv2d) -> bool {
    (first.filters, first.groups, first.stride) == (second.filters, second.groups, second.stride)
}

fn branch(conv: Conv2d, node: &ENode) -> Branch {
    let weights = node.weights();
    Branch { conv, kernel: weights[0], bias: weights.get(1).copied() }
}

/// The kernel of the 1×1 convolution of [`unit`].
fn identity(conv: &Conv2d, term: &mut Term) -> Id {
    term.push(ENode::new(Operator::IdentityKernel { channels: conv.filters, groups: conv.groups }, &[]))
}

/// The batch norm `node` as a convolution in the groups of `conv`; `None` where it is no batch norm.
fn normed(conv: &Conv2d, node: &ENode, term: &mut Term) -> Option<Branch> {
    let [scale, shift] = scale_and_shift(node, &[], term)?;
    let identity = identity(conv, term);
    let kernel = term.push(ENode::new(Operator::ScaleFilters, &[identity, scale]));
    Some(Branch { conv: unit(conv), kernel, bias: Some(shift) })
}

/// The 1×1 convolution in the groups of `conv`.
fn unit(conv: &Conv2d) -> Conv2d {
    Conv2d { groups: conv.groups, ..Conv2d::pointwise(conv.filters) }
}

/// Finds the root to be one convolution of the map `x` with the kernels and biases of both branches.
fn put_sum(x: Id, branches: [Branch; 2], matched: &[&ENode], mut term: Term, found: &mut Found<'_>) {
    let [first, second] = &branches;
    let windows = [&first.conv, &second.conv];
    let (Some(rows), Some(columns)) = (Union::of(windows, 0), Union::of(windows, 1)) else { return };
    let mut kernels = [first.kernel, second.kernel];
    for (index, kernel) in kernels.iter_mut().enumerate() {
        let ([top, bottom], [left, right]) = (rows.around[index], columns.around[index]);
        let padding = Padding { top, bottom, left, right };
        if padding != Padding::default() {
            *kernel = term.push(ENode::new(Operator::PadKernel { padding }, &[*kernel]));
        }
    }
    let mut children = vec![x, term.push(ENode::new(Operator::Total, &kernels))];
    let biases: Vec<Id> = branches.iter().filter_map(|branch| branch.bias).collect();
    match biases[..] {
        [] => {}
        [bias] => children.push(bias),
        _ => children.push(term.push(ENode::new(Operator::Total, &biases))),
    }
    let ([top, bottom], [left, right]) = (rows.padding, columns.padding);
    let summed = Conv2d {
        kernel: [rows.length, columns.length],
        padding: Padding { top, bottom, left, right },
        epilogue: Epilogue { bias: !biases.is_empty(), ..Epilogue::default() },
        ..first.conv
    };
    found.equal(matched, term, ENode::layer(Op::Conv2d(summed), &children));
}

/// The window over those of two convolutions along one axis.
struct Union {
    length: usize,
    padding: [usize; 2],
    /// The zeros before and behind each of the two kernels that make it this window.
    around: [[usize; 2]; 2],
}

impl Union {
    /// `None` where it is longer than can be counted. Both have as many places: so has this one.
    fn of(convs: [&Conv2d; 2], axis: usize) -> Option<Union> {
        let [first, second] = convs.map(|conv| conv.padding.along(axis));
        let before = first[0].max(second[0]);
        let starts = [before - first[0], before - second[0]];
        let ends =
            [starts[0].checked_add(convs[0].kernel[axis])?, starts[1].checked_add(convs[1].kernel[axis])?];
        let length = ends[0].max(ends[1]);
        let rests = ends.map(|end| length - end);
        let behind = first[1].checked_add(rests[0])?.min(second[1].checked_add(rests[1])?);
        let around = [[starts[0], rests[0]], [starts[1], rests[1]]];
        Some(Union { length, padding: [before, behind], around })
    }
}

#[cfg(test)]
mod tests;
