//! Dense layers on the channels of one pixel.

use frit_ir::Op;
use frit_ir::ops::{Conv2d, Dense};

use crate::egraph::language::{ENode, Kind, Operator};
use crate::egraph::rule::{Found, Rule, Site, Term};

/// `reshape(dense(reshape(x))) = conv(x)` from pixel to pixel, by a kernel of 1×1.
pub(super) const DENSE_TO_CONV: Rule = Rule {
    name: "dense-to-conv",
    sound: "on a map of one pixel a 1x1 convolution is a dense layer over the channels, and the reshapes keep their order",
    root: Kind::Reshape,
    find: dense_to_conv,
};

fn dense_to_conv(site: &Site<'_>, found: &mut Found<'_>) {
    let is_pixel = |id| matches!(site.shape(id).map(frit_ir::Shape::axes), Some([1, 1, _]));
    if !is_pixel(site.class) {
        return;
    }
    for dense in site.inside(site.root.children[0]) {
        let Some(&Op::Dense(Dense { units, epilogue })) = dense.op() else { continue };
        let [vector, kernel, ref bias @ ..] = dense.children[..] else { continue };
        for before in site.inside(vector).iter().filter(|node| node.kind() == Kind::Reshape) {
            let pixel = before.children[0];
            if epilogue.residual || !is_pixel(pixel) {
                continue;
            }
            let mut term = Term::default();
            let kernel = term.push(ENode::new(Operator::Pointwise, &[kernel]));
            let mut conv = ENode::layer(Op::Conv2d(Conv2d::pointwise(units)), &[pixel, kernel]);
            conv.children.extend_from_slice(bias);
            found.equal(&[before, dense, site.root], term, conv.with_epilogue(epilogue));
        }
    }
}

#[cfg(test)]
mod tests;
