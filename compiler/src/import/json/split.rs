//! A tensor in parts, each a layer of its own.

use frit_ir::ops::{Slice, Span};
use frit_ir::{Diagnostic, Op, Shape};

use super::kinds::Axis;
use crate::import::findings::wrong;

/// A split whose operand is not known yet.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) parts: Parts,
    pub(super) axis: Axis,
}

/// Its parts.
#[derive(Debug)]
pub(super) enum Parts {
    Alike(usize),
    Sizes(Vec<usize>),
}

impl Split {
    /// How many parts there are.
    pub(super) fn len(&self) -> usize {
        match &self.parts {
            Parts::Alike(parts) => *parts,
            Parts::Sizes(sizes) => sizes.len(),
        }
    }

    /// The parts of an operand of this shape, in order.
    ///
    /// # Errors
    /// They don't add up to the axis.
    pub(super) fn slices(&self, shape: &Shape) -> Result<Vec<Op>, Diagnostic> {
        let axis = self.axis.of(shape)?;
        let length = shape.axes()[axis];
        let sizes = match &self.parts {
            Parts::Alike(parts) if length.is_multiple_of(*parts) => vec![length / parts; *parts],
            Parts::Alike(parts) => {
                return Err(wrong(&format!("{parts} parts do not divide an axis of {length}")));
            }
            Parts::Sizes(sizes) => sizes.clone(),
        };
        let total = sizes.iter().fold(0usize, |total, &size| total.saturating_add(size));
        if total != length {
            return Err(wrong(&format!("the sizes add up to {total}, the axis has {length}")));
        }
        let mut start = 0;
        let slice = |count: usize| {
            let mut spans: Vec<Span> = shape.axes().iter().map(|&length| Span::all(length)).collect();
            spans[axis] = Span { start, count, step: 1 };
            start += count;
            Op::Slice(Slice { spans: spans.into_iter().collect() })
        };
        Ok(sizes.into_iter().map(slice).collect())
    }
}
