//! Activations that a network spells out of others.
//!
//! Exporters take an activation apart in many orders. What is looked for here is therefore not a tree but the function: lines
//! around a clamp are two corners, and a product is factors of whose lines only the factor and the summand count.

mod gates;
mod lines;

use frit_ir::Op;
use frit_ir::ops::{Activation, Binary, Scalar};

use super::scalar::line;
use crate::egraph::language::{ENode, Kind};
use crate::egraph::rule::{Found, Rule, Site, Term};
use gates::{applied, gates};
use lines::{Line, lines, ramps};

/// `relu6(x + 3) / 6 = clip(x / 6 + 0.5, 0, 1) = hard_sigmoid(x)`, in any order.
pub(super) const NAME_HARD_SIGMOID: Rule = Rule {
    name: "name-hard-sigmoid",
    sound: "a clamp between two rising lines is flat, rises and is flat again: its corners say all, and these are (-3, 0) and \
            (3, 1) but for the rounding of a sixth",
    root: Kind::Activation,
    find: name_hard_sigmoid,
};

/// `log(exp(x) + 1) = softplus(x)`.
pub(super) const NAME_SOFTPLUS: Rule = Rule {
    name: "name-softplus",
    sound: "that is its definition, and also what it tends to where the exponential overflows",
    root: Kind::Activation,
    find: name_softplus,
};

/// `x * sigmoid(x) = swish(x)`, `x * hard_sigmoid(x) = hard_swish(x)`, `x * tanh(softplus(x)) = mish(x)` and
/// `x * (erf(x / sqrt(2)) + 1) / 2 = gelu(x)`.
pub(super) const NAME_GATED: Rule = Rule {
    name: "name-gated",
    sound: "these are their definitions: products commute, and factors multiply to one but for rounding; of minus infinity \
            the named ones are the limit",
    root: Kind::Binary,
    find: name_gated,
};

/// `(x * relu6(x + 3)) / 6 = hard_swish(x)`, and the others with a factor that stands last.
pub(super) const NAME_GATED_SCALED: Rule = Rule {
    name: "name-gated-scaled",
    sound: "a factor behind a product is a factor of the product",
    root: Kind::Activation,
    find: name_gated_scaled,
};

/// `max(x, x * a) = leaky_relu(x; a)`.
pub(super) const NAME_LEAKY_RELU: Rule = Rule {
    name: "name-leaky-relu",
    sound: "with a factor above 0 and up to 1 the product is the larger one just where x is negative",
    root: Kind::Binary,
    find: name_leaky_relu,
};

/// `prelu(x) = leaky_relu(x)` with the same slope everywhere.
pub(super) const NAME_PRELU: Rule = Rule {
    name: "name-prelu",
    sound: "both are x times the slope where x is negative, and x where it is not",
    root: Kind::Prelu,
    find: name_prelu,
};

fn name_hard_sigmoid(site: &Site<'_>, found: &mut Found<'_>) {
    let clamps: Vec<(Line<'_>, &ENode)> = match line(site.root) {
        None => vec![(Line::itself(site.class), site.root)],
        Some(outer) => lines(site, site.root.children[0])
            .iter()
            .map(|inner| inner.within(outer, site.root))
            .flat_map(|outer| site.inside(outer.of).iter().map(move |node| (outer.clone(), node)))
            .collect(),
    };
    for ramp in clamps.iter().flat_map(|(outer, clamp)| ramps(site, outer, clamp)) {
        if ramp.is_hard_sigmoid() {
            let function = ENode::layer(Op::Activation(Activation::HardSigmoid), &[ramp.of]);
            found.equal(&ramp.matched, Term::default(), function);
        }
    }
}

fn name_softplus(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Activation(Activation::Log)) = site.root.op() else { return };
    for line in lines(site, site.root.children[0]).iter().filter(|line| line.is(1.0, 1.0)) {
        for (exp, x) in applied(site, line.of, Activation::Exp) {
            let function = ENode::layer(Op::Activation(Activation::Softplus), &[x]);
            found.equal(&line.with(&[exp, site.root]), Term::default(), function);
        }
    }
}

fn name_gated(site: &Site<'_>, found: &mut Found<'_>) {
    gated(site, site.root, 1.0, &[site.root], found);
}

fn name_gated_scaled(site: &Site<'_>, found: &mut Found<'_>) {
    let Some([factor, 0.0]) = line(site.root) else { return };
    for product in site.inside(site.root.children[0]) {
        gated(site, product, factor, &[product, site.root], found);
    }
}

/// Finds what `factor` times `product` is.
fn gated(site: &Site<'_>, product: &ENode, factor: f64, matched: &[&ENode], found: &mut Found<'_>) {
    let Some(Op::Binary(Binary::Mul)) = product.op() else { return };
    let [first, second] = product.children[..] else { return };
    for (value, gate) in [(first, second), (second, first)] {
        for value in lines(site, value).iter().filter(|value| value.offset == 0.0) {
            for gate in gates(site, gate, factor * value.scale) {
                if site.egraph.find(gate.of) == site.egraph.find(value.of) {
                    let function = ENode::layer(Op::Activation(gate.activation), &[value.of]);
                    let matched = [&value.matched, &gate.matched, matched].concat();
                    found.equal(&matched, Term::default(), function);
                }
            }
        }
    }
}

fn name_leaky_relu(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Binary(Binary::Max)) = site.root.op() else { return };
    let [first, second] = site.root.children[..] else { return };
    for (x, scaled) in [(first, second), (second, first)] {
        for line in lines(site, scaled) {
            let is_same = site.egraph.find(line.of) == site.egraph.find(x) && !line.matched.is_empty();
            let slope = Scalar::nearest(line.scale);
            if is_same && line.offset == 0.0 && slope.get() > 0.0 && slope.get() <= 1.0 {
                found.equal(&line.with(&[site.root]), Term::default(), leaky_relu(slope, x));
            }
        }
    }
}

fn name_prelu(site: &Site<'_>, found: &mut Found<'_>) {
    let slope = site.known(site.root).and_then(|slopes| slopes.uniform());
    if let Some(slope) = slope.filter(|slope| slope.is_finite()) {
        found.equal(&[site.root], Term::default(), leaky_relu(slope, site.root.children[0]));
    }
}

fn leaky_relu(slope: Scalar, x: egg::Id) -> ENode {
    let leaky = Activation::LeakyRelu { slope, threshold: Scalar::default() };
    ENode::layer(Op::Activation(leaky), &[x])
}

#[cfg(test)]
mod tests;
