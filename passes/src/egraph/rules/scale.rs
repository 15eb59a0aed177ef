//! Scales and shifts beside a sum into its weights.

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::{Activation, Binary, Epilogue, Padding, Scalar};

use super::scalar::{Order, beside};
use crate::egraph::language::{ENode, Kind, Operator};
use crate::egraph::rule::{Found, Known, Rule, Site, Term};

/// `(conv(x, w) + b) * scale + offset = conv(x, w * scale) + (b * scale + offset)`.
pub(super) const FOLD_RESCALE: Rule = Rule {
    name: "fold-rescale",
    sound: "a sum times a factor is the sum with its weights times the factor; nothing stands between the two",
    root: Kind::Activation,
    find: fold_behind,
};

/// `conv(x, w) + b + c = conv(x, w) + (b + c)`, and the same of a difference, product or quotient.
pub(super) const FOLD_CHANNELS: Rule = Rule {
    name: "fold-channels",
    sound: "the constant has one finite number for each filter and widens no axis: it adds to the bias, or multiplies \
            the filter's weights and bias",
    root: Kind::Binary,
    find: fold_behind,
};

/// `conv(x * scale + shift, w) = conv(x, w * scale) + sum(w * shift)`, with a scale and a shift for each channel.
pub(super) const FOLD_SCALE_BEFORE: Rule = Rule {
    name: "fold-scale-before",
    sound: "each product of the sum has one input channel; without padding every sum has all of its products, and \
            where nothing is added to the map its padding may be any",
    root: Kind::Conv2d,
    find: fold_scale_before,
};

/// The same before a dense layer.
pub(super) const FOLD_SCALE_BEFORE_DENSE: Rule = Rule {
    name: "fold-scale-before-dense",
    sound: "each product of the sum has one element of the vector, and every sum has all of its products",
    root: Kind::Dense,
    find: fold_scale_before,
};

/// `hard_sigmoid(conv(x, w; clamp)) = conv(x, w / 6; clamp)` with other bounds.
pub(super) const FOLD_HARD_SIGMOID: Rule = Rule {
    name: "fold-hard-sigmoid",
    sound: "a hard sigmoid is the line x / 6 + 1/2 between 0 and 1; a rising line of a clamp is the clamp of the line to \
            the line of its bounds, and the line goes into the weights; all but for the rounding of a sixth",
    root: Kind::Activation,
    find: fold_hard_sigmoid,
};

fn fold_behind(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(affine) = affine(site, site.class, site.root) else { return };
    let channels = site.shape(site.class).map_or(0, frit_ir::Shape::channels);
    for sum in site.inside(affine.of) {
        if !sum.epilogue().is_some_and(Epilogue::is_linear) {
            continue;
        }
        let mut affine = affine.clone();
        let folded = scaled(sum, &mut affine, channels);
        found.equal(&affine.matched(&[sum, site.root]), affine.term, folded);
    }
}

/// `sum` with what `affine` does behind its biased sums in its weights.
fn scaled(sum: &ENode, affine: &mut Affine<'_>, channels: usize) -> ENode {
    let (kernel, bias) = (sum.weights()[0], sum.weights().get(1).copied());
    let kernel = match affine.scale {
        Some(scale) => affine.term.push(ENode::new(Operator::ScaleFilters, &[kernel, scale])),
        None => kernel,
    };
    let bias = biased(bias, (affine.scale, affine.shift), channels, &mut affine.term);
    let epilogue = sum.epilogue().copied().unwrap_or_default();
    let mut scaled = sum.with_epilogue(Epilogue { bias: bias.is_some(), ..epilogue });
    scaled.children.truncate(sum.operands().len());
    scaled.children.push(kernel);
    scaled.children.extend(bias);
    scaled
}

fn fold_hard_sigmoid(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Activation(Activation::HardSigmoid)) = site.root.op() else { return };
    let channels = site.shape(site.class).map_or(0, frit_ir::Shape::channels);
    for sum in site.inside(site.root.children[0]) {
        let Some(epilogue) = sum.epilogue() else { continue };
        let Some((low, high)) = epilogue.activation.and_then(|activation| activation.bounds()) else {
            continue;
        };
        // False for NaN as well.
        let is_interval = low <= high;
        if epilogue.residual || epilogue.activation_after.is_some() || !is_interval {
            continue;
        }
        let mut affine = Affine::of(site.root.children[0]);
        affine.scale = Some(affine.term.push(uniform(Activation::SIXTH, channels)));
        affine.shift = Some(affine.term.push(uniform(Scalar::new(0.5), channels)));
        let [low, high] = [low, high].map(|bound| Scalar::new(Activation::HardSigmoid.apply(bound)));
        let activation = Some(super::activation::named(Activation::Clip { low, high }));
        let clamped = sum.with_epilogue(Epilogue { activation, ..*epilogue });
        let folded = scaled(&clamped, &mut affine, channels);
        found.equal(&[sum, site.root], affine.term, folded);
    }
}

fn fold_scale_before(site: &Site<'_>, found: &mut Found<'_>) {
    let (groups, padding) = if let Some(Op::Conv2d(conv)) = site.root.op()
        && conv.prologue.is_none()
        && !conv.gate
    {
        (conv.groups, conv.padding)
    } else if matches!(site.root.op(), Some(Op::Dense(_))) {
        (1, Padding::default())
    } else {
        return;
    };
    let operand = site.root.children[0];
    for node in site.inside(operand) {
        let Some(affine) = affine(site, operand, node) else { continue };
        // What could take it in itself does: a chain of n such layers has one form, not 2^n.
        let takes_rescale = is_rescale(node) || node.kind() == Kind::BatchNorm;
        let takes = |before: &ENode| {
            before.epilogue().is_some_and(Epilogue::is_linear) || is_rescale(before) && takes_rescale
        };
        let is_padded = affine.shift.is_some() && padding != Padding::default();
        if is_padded || site.ends_in(affine.of, takes) {
            continue;
        }
        let mut term = affine.term.clone();
        let folded = folded(site, groups, &affine, &mut term);
        found.equal(&affine.matched(&[node, site.root]), term, folded);
    }
}

fn is_rescale(node: &ENode) -> bool {
    matches!(node.op(), Some(Op::Activation(Activation::Rescale { .. })))
}

/// A factor and a summand for each channel of a tensor, where there are any.
#[derive(Clone)]
struct Affine<'a> {
    of: Id,
    /// Holds the two.
    term: Term,
    scale: Option<Id>,
    shift: Option<Id>,
    /// The constant that they come from.
    constant: Option<&'a ENode>,
}

impl<'a> Affine<'a> {
    fn of(of: Id) -> Affine<'a> {
        Affine { of, term: Term::default(), scale: None, shift: None, constant: None }
    }

    /// `nodes`, with the constant.
    fn matched(&self, nodes: &[&'a ENode]) -> Vec<&'a ENode> {
        nodes.iter().copied().chain(self.constant).collect()
    }
}

/// What `node`, of `class`, does, where that is to scale and shift each channel.
fn affine<'a>(site: &Site<'a>, class: Id, node: &'a ENode) -> Option<Affine<'a>> {
    let channels = site.shape(class)?.channels();
    if let &Op::Activation(Activation::Rescale { scale, offset }) = node.op()? {
        let mut affine = Affine::of(node.children[0]);
        affine.scale = (scale.get() != 1.0).then(|| affine.term.push(uniform(scale, channels)));
        affine.shift = (offset.get() != 0.0).then(|| affine.term.push(uniform(offset, channels)));
        Some(affine)
    } else if let Op::BatchNorm(norm) = node.op()? {
        let [x, rest @ .., mean, variance] = &node.children[..] else { return None };
        let (gamma, beta) = rest.split_at(usize::from(norm.scale));
        let mut affine = Affine::of(*x);
        let scale = Operator::BatchNormScale { epsilon: norm.epsilon, gamma: norm.scale };
        let scale = affine.term.push(ENode::new(scale, &[&[*variance], gamma].concat()));
        let shift = Operator::BatchNormShift { beta: norm.center, bias: false };
        let shift = affine.term.push(ENode::new(shift, &[&[*mean, scale], beta].concat()));
        (affine.scale, affine.shift) = (Some(scale), Some(shift));
        Some(affine)
    } else if let &Op::Binary(binary) = node.op()? {
        let (x, known, order) = beside(site, class, node)?;
        let mut affine = Affine { constant: Some(known.node), ..Affine::of(x) };
        let vector = vector(site, &known, channels, &mut affine.term)?;
        by_channel(&mut affine, (binary, order), (vector, &known), channels)?;
        Some(affine)
    } else {
        None
    }
}

/// A constant as a vector, where it has one finite number for each channel, and not the same for all: then it is a rescale.
fn vector(site: &Site<'_>, known: &Known<'_>, channels: usize, term: &mut Term) -> Option<Id> {
    let shape = site.shape(known.weight)?;
    let is_one_a_channel = shape.channels() == channels && shape.elements() == Some(channels);
    let is_finite = known.values.iter().all(|value| value.is_finite());
    if !is_one_a_channel || !is_finite || known.uniform().is_some() {
        return None;
    }
    Some(match shape.rank() {
        1 => known.weight,
        _ => term.push(ENode::new(Operator::Vector, &[known.weight])),
    })
}

/// What `binary` with `vector` on one side does to the other.
fn by_channel(
    affine: &mut Affine<'_>,
    (binary, order): (Binary, Order),
    (vector, known): (Id, &Known<'_>),
    channels: usize,
) -> Option<()> {
    let number = |value: Scalar| uniform(value, channels);
    match (binary, order) {
        (Binary::Add, _) => affine.shift = Some(vector),
        (Binary::Sub, Order::Second) => {
            let one = affine.term.push(number(Scalar::ONE));
            let negated = ENode::new(Operator::BatchNormShift { beta: false, bias: false }, &[vector, one]);
            affine.shift = Some(affine.term.push(negated));
        }
        (Binary::Sub, Order::First) => {
            affine.scale = Some(affine.term.push(number(-Scalar::ONE)));
            affine.shift = Some(vector);
        }
        (Binary::Mul, _) => affine.scale = Some(vector),
        (Binary::Div, Order::Second) if known.values.iter().all(|value| value.recip().is_normal()) => {
            affine.scale = Some(affine.term.push(ENode::new(Operator::Reciprocal, &[vector])));
        }
        _ => return None,
    }
    Some(())
}

fn uniform(value: Scalar, channels: usize) -> ENode {
    ENode::new(Operator::Uniform { value, channels }, &[])
}

/// `bias * scale + shift`, each where there is one.
fn biased(
    bias: Option<Id>,
    (scale, shift): (Option<Id>, Option<Id>),
    filters: usize,
    term: &mut Term,
) -> Option<Id> {
    let Some(bias) = bias.filter(|_| scale.is_some() || shift.is_some()) else { return bias.or(shift) };
    let zero = term.push(uniform(Scalar::default(), filters));
    let scale = scale.unwrap_or_else(|| term.push(uniform(Scalar::new(1.0), filters)));
    let mut sum = ENode::new(Operator::BatchNormShift { beta: shift.is_some(), bias: true }, &[zero, scale]);
    sum.children.extend(shift);
    sum.children.push(bias);
    Some(term.push(sum))
}

/// The root on what `affine` scales and shifts.
fn folded(site: &Site<'_>, groups: usize, affine: &Affine<'_>, term: &mut Term) -> ENode {
    let (kernel, bias) = (site.root.weights()[0], site.root.weights().get(1).copied());
    let scaled = match affine.scale {
        Some(scale) => term.push(ENode::new(Operator::ScaleInputs { groups }, &[kernel, scale])),
        None => kernel,
    };
    let added =
        affine.shift.map(|shift| term.push(ENode::new(Operator::SumInputs { groups }, &[kernel, shift])));
    let filters = site.shape(site.class).map_or(0, frit_ir::Shape::channels);
    let bias = biased(bias, (None, added), filters, term);
    let epilogue = site.root.epilogue().copied().unwrap_or_default();
    let mut folded = site.root.with_epilogue(Epilogue { bias: bias.is_some(), ..epilogue });
    folded.children.truncate(site.root.operands().len());
    folded.children[0] = affine.of;
    folded.children.push(scaled);
    folded.children.extend(bias);
    folded
}

#[cfg(test)]
mod tests;
