//! A residual add into one of the layers that it joins.

use frit_ir::Op;
use frit_ir::ops::{Binary, Epilogue};

use crate::egraph::language::Kind;
use crate::egraph::rule::{Found, Rule, Site, Term};

/// `conv(..) + y = conv(..; + y)`, whichever side the layer is on.
pub(super) const FUSE_RESIDUAL: Rule = Rule {
    name: "fuse-residual",
    sound: "addition commutes, and the epilogue adds the residual between its two activations",
    root: Kind::Binary,
    find: fuse_residual,
};

fn fuse_residual(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Binary(Binary::Add)) = site.root.op() else { return };
    let [first, second] = site.root.children[..] else { return };
    // An operand that is repeated is no residual.
    if site.shape(first) != site.shape(second) {
        return;
    }
    // x + x needs x as an operand whatever is fused: fusing could only compute it twice.
    if site.egraph.find(first) == site.egraph.find(second) {
        return;
    }
    for (into, other) in [(first, second), (second, first)] {
        for sum in site.inside(into) {
            let Some(epilogue) = sum.epilogue() else { continue };
            if epilogue.residual || epilogue.activation_after.is_some() {
                continue;
            }
            let mut fused = sum.with_epilogue(Epilogue { residual: true, ..*epilogue });
            fused.children.insert(sum.operands().len(), other);
            found.equal(&[sum, site.root], Term::default(), fused);
        }
    }
}

#[cfg(test)]
mod tests;
