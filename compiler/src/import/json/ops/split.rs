//! A tensor in parts, each a layer of its own.

use frit_ir::ops::{Slice, Span};
use frit_ir::{Diagnostic, Op, Shape};

use crate::import::json::attributes::{Defaults, Kind, Layer};
use crate::import::json::fields::{Reader, wrong};
use crate::import::json::kinds::{Axis, Counts};
use crate::import::json::section::{Rule, section};

section! {
    /// A tensor in parts.
    SplitFields {
        /// How many parts of one size.
        parts: Option<usize>,
        /// The sizes of the parts.
        sizes: Option<Counts>,
        /// The axis that is cut.
        axis: Axis = Axis(-1),
    }
    [Rule::OneOf(&["parts", "sizes"], "\"parts\": NUMBER, or \"sizes\": [NUMBERS]")]
}

/// A split whose operand is not known yet.
#[derive(Debug)]
pub(in crate::import::json) struct Split {
    parts: Parts,
    axis: Axis,
}

#[derive(Debug)]
enum Parts {
    Alike(usize),
    Sizes(Vec<usize>),
}

impl Layer for SplitFields {
    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        let parts = match (self.parts, self.sizes) {
            (Some(parts), _) => Parts::Alike(parts),
            (None, sizes) => Parts::Sizes(sizes?.0),
        };
        Some(Kind::Split(Split { parts, axis: self.axis }))
    }
}

impl Split {
    /// How many parts there are.
    pub(in crate::import::json) fn len(&self) -> usize {
        match &self.parts {
            Parts::Alike(parts) => *parts,
            Parts::Sizes(sizes) => sizes.len(),
        }
    }

    /// The parts of an operand of this shape, in order.
    ///
    /// # Errors
    /// They don't add up to the axis.
    pub(in crate::import::json) fn slices(&self, shape: &Shape) -> Result<Vec<Op>, Diagnostic> {
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
