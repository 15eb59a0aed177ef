//! Activations: their normal form, clamps of clamps, and into the layer before.

use frit_ir::Op;
use frit_ir::ops::{Activation, Epilogue, Scalar};

use crate::egraph::language::{ENode, Kind};
use crate::egraph::rule::{Found, Rule, Site, Term};

/// `clip(x, 0, 6) = relu6(x)`, `clip(x, 0, inf) = relu(x)`, `clip(x, -inf, inf) = x`.
pub(super) const NAME_CLAMP: Rule = Rule {
    name: "name-clamp",
    sound: "a clamp is its two bounds, and 0, 6 and infinity are exact in f32",
    root: Kind::Activation,
    find: name_clamp,
};

/// `outer(inner(x)) = both(x)`.
pub(super) const MERGE_CLAMPS: Rule = Rule {
    name: "merge-clamps",
    sound: "clamps are monotone: one after another is the clamp to the inner bounds, clamped by the outer",
    root: Kind::Activation,
    find: merge_clamps,
};

/// `activation(conv(..)) = conv(..; activation)`, also behind a residual that the layer adds.
pub(super) const FUSE_ACTIVATION: Rule = Rule {
    name: "fuse-activation",
    sound: "the epilogue applies its activations to each element, in the order of the graph",
    root: Kind::Activation,
    find: fuse_activation,
};

fn name_clamp(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Activation(activation)) = site.root.op() else { return };
    let operand = site.root.children[0];
    let named = named(*activation);
    if named == (Activation::Clip { low: Scalar::NEG_INFINITY, high: Scalar::INFINITY }) {
        found.same(&[site.root], operand);
    } else if named != *activation {
        found.equal(&[site.root], Term::default(), ENode::layer(Op::Activation(named), &[operand]));
    }
}

fn merge_clamps(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Activation(outer)) = site.root.op() else { return };
    let child = site.root.children[0];
    for inner_node in site.inside(child) {
        let Some(Op::Activation(inner)) = inner_node.op() else { continue };
        let operand = inner_node.children[0];
        // From the innermost outwards: else a chain of n clamps would get an e-node for each of its n * n
        // spans.
        if site.ends_in(operand, is_clamp) {
            continue;
        }
        let Some(both) = merged(*inner, *outer) else { continue };
        if both == named(*inner) {
            found.same(&[inner_node, site.root], child);
        } else {
            found.equal(
                &[inner_node, site.root],
                Term::default(),
                ENode::layer(Op::Activation(both), &[operand]),
            );
        }
    }
}

fn fuse_activation(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Activation(activation)) = site.root.op() else { return };
    for sum in site.inside(site.root.children[0]) {
        // That goes into the weights.
        let is_scaled = matches!(activation, Activation::Rescale { .. });
        if is_scaled && sum.epilogue().is_some_and(Epilogue::is_linear) {
            continue;
        }
        if let Some(epilogue) = sum.epilogue().and_then(|epilogue| extended(*epilogue, *activation)) {
            found.equal(&[sum, site.root], Term::default(), sum.with_epilogue(epilogue));
        }
    }
}

/// `epilogue` with `activation` behind all that it does; `None` where its place is taken by what it can't
/// merge with.
fn extended(epilogue: Epilogue, activation: Activation) -> Option<Epilogue> {
    let last = epilogue.residual || epilogue.activation_after.is_some();
    let place = if last { epilogue.activation_after } else { epilogue.activation };
    let activation = match place {
        Some(inner) => merged(inner, activation)?,
        None => named(activation),
    };
    Some(if last {
        Epilogue { activation_after: Some(activation), ..epilogue }
    } else {
        Epilogue { activation: Some(activation), ..epilogue }
    })
}

fn is_clamp(node: &ENode) -> bool {
    matches!(node.op(), Some(Op::Activation(activation)) if activation.bounds().is_some())
}

/// `outer` after `inner`, in normal form; `None` where one of them is no clamp, or its bounds no interval.
fn merged(inner: Activation, outer: Activation) -> Option<Activation> {
    let ((low, high), (floor, ceiling)) = (inner.bounds()?, outer.bounds()?);
    // False for NaN as well.
    let ordered = low <= high && floor <= ceiling;
    ordered.then(|| clamp([low, high].map(|bound| Scalar::new(bound.max(floor).min(ceiling)))))
}

/// The same clamp in normal form; what is no clamp has only one form.
pub(super) fn named(activation: Activation) -> Activation {
    activation.bounds().map_or(activation, |(low, high)| clamp([low, high].map(Scalar::new)))
}

fn clamp([low, high]: [Scalar; 2]) -> Activation {
    let clip = Activation::Clip { low, high };
    let named = [Activation::Relu, Activation::Relu6];
    named.into_iter().find(|named| named.bounds() == clip.bounds()).unwrap_or(clip)
}

#[cfg(test)]
mod tests;
