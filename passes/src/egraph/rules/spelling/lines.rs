//! Lines of a value, and what is flat, rises and is flat again.

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::Scalar;
use smallvec::{SmallVec, smallvec};

use crate::egraph::language::ENode;
use crate::egraph::rule::Site;
use crate::egraph::rules::scalar::{line, rounds};

pub(super) type Nodes<'a> = SmallVec<[&'a ENode; 4]>;

/// `of * scale + offset`, and the e-nodes that it was read from.
#[derive(Clone)]
pub(super) struct Line<'a> {
    pub(super) scale: f64,
    pub(super) offset: f64,
    pub(super) of: Id,
    pub(super) matched: Nodes<'a>,
}

impl<'a> Line<'a> {
    pub(super) fn itself(of: Id) -> Line<'a> {
        Line { scale: 1.0, offset: 0.0, of, matched: smallvec![] }
    }

    /// This line within another, which is the e-node `node`.
    pub(super) fn within(&self, [scale, offset]: [f64; 2], node: &'a ENode) -> Line<'a> {
        Line {
            scale: scale * self.scale,
            offset: scale * self.offset + offset,
            of: self.of,
            matched: self.with(&[node]),
        }
    }

    pub(super) fn times(&self, factor: f64) -> Line<'a> {
        Line { scale: self.scale * factor, offset: self.offset * factor, ..self.clone() }
    }

    pub(super) fn is(&self, scale: f64, offset: f64) -> bool {
        near(self.scale, scale) && near(self.offset, offset)
    }

    pub(super) fn with(&self, nodes: &[&'a ENode]) -> Nodes<'a> {
        self.matched.iter().chain(nodes).copied().collect()
    }
}

/// All ways to read a class as a line of another, itself among them.
pub(super) fn lines<'a>(site: &Site<'a>, class: Id) -> Vec<Line<'a>> {
    let mut lines = vec![Line::itself(class)];
    // A factor and a summand are two layers in many networks.
    for depth in 0..2 {
        for outer in lines.clone().into_iter().filter(|line| line.matched.len() == depth) {
            for node in site.inside(outer.of) {
                let Some([scale, offset]) = line(node).filter(|&line| !rounds(line)) else { continue };
                let (scale, offset) = (outer.scale * scale, outer.scale * offset + outer.offset);
                lines.push(Line { scale, offset, of: node.children[0], matched: outer.with(&[node]) });
            }
        }
    }
    lines
}

/// Flat, then rising, then flat again: the two corners, x and y, and what it is a function of.
pub(super) struct Ramp<'a> {
    low: [f64; 2],
    high: [f64; 2],
    pub(super) of: Id,
    pub(super) matched: Nodes<'a>,
}

impl Ramp<'_> {
    pub(super) fn is_hard_sigmoid(&self) -> bool {
        let corners = [(self.low, [-3.0, 0.0]), (self.high, [3.0, 1.0])];
        corners.iter().all(|(is, wanted)| near(is[0], wanted[0]) && near(is[1], wanted[1]))
    }
}

/// The ramps that `clamp` is with a line of it and lines below.
pub(super) fn ramps<'a>(site: &Site<'a>, outer: &Line<'a>, clamp: &'a ENode) -> Vec<Ramp<'a>> {
    let bounds = if let Some(Op::Activation(activation)) = clamp.op() { activation.bounds() } else { None };
    // False for NaN as well.
    let Some((low, high)) = bounds.filter(|(low, high)| low < high && outer.scale > 0.0) else {
        return Vec::new();
    };
    let rising = lines(site, clamp.children[0]).into_iter().filter(|inner| inner.scale > 0.0);
    rising
        .map(|inner| {
            let corner =
                |bound: f64| [(bound - inner.offset) / inner.scale, outer.scale * bound + outer.offset];
            let matched = outer.with(&[clamp]).iter().chain(&inner.matched).copied().collect();
            Ramp { low: corner(low.into()), high: corner(high.into()), of: inner.of, matched }
        })
        .collect()
}

/// Equal but for the rounding of a few constants to f32.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 4.0 * f64::from(Scalar::EPSILON) * b.abs().max(1.0)
}
