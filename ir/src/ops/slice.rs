//! A part of a tensor: on each axis, every so manyth element from a first one on.

use ndarray::{Axis, Slice as Indices};
use smallvec::SmallVec;

use crate::diagnostic::{Diagnostic, codes};
use crate::interpret::Number;
use crate::tensor::{Shape, Tensor};

/// What is kept of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first index.
    pub start: usize,
    /// How many, at least 1.
    pub count: usize,
    /// From one to the next, at least 1.
    pub step: usize,
}

impl Span {
    /// All of an axis.
    pub fn all(length: usize) -> Span {
        Span { start: 0, count: length, step: 1 }
    }

    /// The index behind the last, or `None` where that is past all numbers.
    fn end(&self) -> Option<usize> {
        self.count.checked_sub(1)?.checked_mul(self.step)?.checked_add(self.start)?.checked_add(1)
    }
}

/// Attributes of a slice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slice {
    /// What is kept of each axis, in their order.
    pub spans: SmallVec<[Span; 4]>,
}

impl Slice {
    /// `count` elements from `start` on along `axis` of a tensor of `shape`.
    pub fn along(shape: &Shape, axis: usize, start: usize, count: usize) -> Slice {
        let mut spans: SmallVec<[Span; 4]> = shape.axes().iter().map(|&length| Span::all(length)).collect();
        if let Some(span) = spans.get_mut(axis) {
            *span = Span { start, count, step: 1 };
        }
        Slice { spans }
    }

    pub(super) fn shape_rule(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let bad = |message: String| Err(Diagnostic::error(codes::BAD_ATTRIBUTE, message));
        let shape = &operands[0];
        if self.spans.len() != shape.rank() {
            return bad(format!("a slice of {} axes, of a tensor of {shape}", self.spans.len()));
        }
        for (axis, (span, &length)) in self.spans.iter().zip(shape.axes()).enumerate() {
            let Span { start, count, step } = span;
            if *step == 0 || span.end().is_none_or(|end| end > length) {
                return bad(format!(
                    "a slice of {count} elements from {start} on in steps of {step} along axis {axis}, which has {length}"
                ));
            }
        }
        super::sized(Shape::new(&self.spans.iter().map(|span| span.count).collect::<SmallVec<[usize; 4]>>()))
    }

    /// The part.
    pub(crate) fn evaluate<T: Number>(&self, input: &Tensor<T>) -> Tensor<T> {
        let mut view = input.view();
        for (axis, span) in self.spans.iter().enumerate() {
            let end = span.end().expect("the shape rule counted it");
            view.slice_axis_inplace(
                Axis(axis),
                Indices::new(span.start as isize, Some(end as isize), span.step as isize),
            );
        }
        view.as_standard_layout().into_owned()
    }
}
