//! What makes an activation of what it is multiplied by.

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::{Activation, Binary, Scalar};
use smallvec::smallvec;

use super::lines::{Line, Nodes, Ramp, lines, ramps};
use crate::egraph::language::ENode;
use crate::egraph::rule::Site;

/// A factor that makes `activation` of what it is multiplied by, if that is what it was made of.
pub(super) struct Gate<'a> {
    pub(super) activation: Activation,
    pub(super) of: Id,
    pub(super) matched: Nodes<'a>,
}

/// All ways to read `factor` times a class as a gate.
pub(super) fn gates<'a>(site: &Site<'a>, class: Id, factor: f64) -> Vec<Gate<'a>> {
    let mut gates = Vec::new();
    for outer in lines(site, class).iter().map(|line| line.times(factor)) {
        for node in site.inside(outer.of) {
            for (activation, of, below) in gate(site, &outer, node) {
                let matched = outer.with(&[node]).iter().chain(&below).copied().collect();
                gates.push(Gate { activation, of, matched });
            }
            let ramps = ramps(site, &outer, node).into_iter().filter(Ramp::is_hard_sigmoid);
            gates.extend(ramps.map(|ramp| Gate {
                activation: Activation::HardSwish,
                of: ramp.of,
                matched: ramp.matched,
            }));
        }
    }
    gates
}

/// What `outer` of `node` makes an activation of, and the e-nodes below `node` that say so.
fn gate<'a>(site: &Site<'a>, outer: &Line<'a>, node: &'a ENode) -> Vec<(Activation, Id, Nodes<'a>)> {
    let Some(Op::Activation(function)) = node.op() else { return Vec::new() };
    let (operand, is_plain, is_half) = (node.children[0], outer.is(1.0, 0.0), outer.is(0.5, 0.5));
    match function {
        Activation::Sigmoid if is_plain => vec![(Activation::Swish, operand, smallvec![])],
        Activation::HardSigmoid if is_plain => vec![(Activation::HardSwish, operand, smallvec![])],
        Activation::Tanh if is_plain => {
            let of = applied(site, operand, Activation::Softplus);
            of.map(|(node, x)| (Activation::Mish, x, smallvec![node])).collect()
        }
        Activation::Erf if is_half => {
            let inner = lines(site, operand).into_iter();
            let inner = inner.filter(|line| line.is(std::f64::consts::FRAC_1_SQRT_2, 0.0));
            inner.map(|line| (Activation::Gelu, line.of, line.matched)).collect()
        }
        Activation::Tanh if is_half => {
            bent(site, operand).into_iter().map(|(x, nodes)| (Activation::GeluTanh, x, nodes)).collect()
        }
        _ => Vec::new(),
    }
}

/// The e-nodes of a class that apply `activation`, and to what.
pub(super) fn applied<'a>(
    site: &Site<'a>,
    class: Id,
    activation: Activation,
) -> impl Iterator<Item = (&'a ENode, Id)> {
    let is = move |node: &&ENode| node.op() == Some(&Op::Activation(activation));
    site.inside(class).iter().filter(is).map(|node| (node, node.children[0]))
}

/// What a class is `sqrt(2 / pi) * (x + 0.044715 x^3)` of.
fn bent<'a>(site: &Site<'a>, class: Id) -> Vec<(Id, Nodes<'a>)> {
    let mut found = Vec::new();
    for outer in lines(site, class).iter().filter(|line| line.is(std::f64::consts::FRAC_2_PI.sqrt(), 0.0)) {
        for sum in site.inside(outer.of).iter().filter(|node| node.op() == Some(&Op::Binary(Binary::Add))) {
            let [first, second] = sum.children[..] else { continue };
            for (x, cubed) in [(first, second), (second, first)] {
                for line in lines(site, cubed).iter().filter(|line| line.is(0.044_715, 0.0)) {
                    if let Some(cube) = cube(site, line.of, x) {
                        let nodes = outer.with(&[sum]).into_iter().chain(line.matched.clone()).chain(cube);
                        found.push((x, nodes.collect()));
                    }
                }
            }
        }
    }
    found
}

/// The e-nodes by which a class is the third power of `x`.
fn cube<'a>(site: &Site<'a>, class: Id, x: Id) -> Option<Nodes<'a>> {
    let is_x = |id: Id| site.egraph.find(id) == site.egraph.find(x);
    site.inside(class).iter().find_map(|node| {
        let [first, second] = node.children[..] else { return None };
        if matches!(node.op()?, Op::Binary(Binary::Pow)) && is_x(first) {
            let three = site.constant(second).filter(|known| known.uniform() == Some(Scalar::new(3.0)))?;
            Some(smallvec![node, three.node])
        } else if matches!(node.op()?, Op::Binary(Binary::Mul)) {
            let square = [(first, second), (second, first)].into_iter().find(|&(one, _)| is_x(one))?.1;
            let is_square = |node: &&ENode| {
                node.op() == Some(&Op::Binary(Binary::Mul)) && node.children.iter().all(|&child| is_x(child))
            };
            Some(smallvec![node, site.inside(square).iter().find(is_square)?])
        } else {
            None
        }
    })
}
