//! A part of a tensor: on each axis, every so manyth element from a first one on.
//!
//! In text: `slice {start=N:..., step=N:..., count=N:...}`, where steps of 1 are left out.

use ndarray::{Axis, Slice as Indices};
use smallvec::SmallVec;

use super::{Given, Page};
use crate::diagnostic::{Diagnostic, codes};
use crate::element::Element;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, indices, joined};

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
}

impl Page for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
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

    fn element(&self, operands: &[Element]) -> Element {
        Element::joined(operands)
    }

    fn print(&self, to: &mut Written) {
        let of = |part: fn(&Span) -> usize| self.spans.iter().map(part).collect::<Vec<_>>();
        to.beside_shape("count", joined(&of(|span| span.count)));
        to.value("start", joined(&of(|span| span.start)));
        if self.spans.iter().any(|span| span.step != 1) {
            to.value("step", joined(&of(|span| span.step)));
        }
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Slice>, Diagnostic> {
        if name != "slice" {
            return Ok(None);
        }
        let said = from.shape.map(|shape| SmallVec::from_slice(shape.axes()));
        let counts = from.or_shape("count", said, indices)?;
        let starts = from.needed("start", indices)?;
        let steps = from.value("step", indices)?.unwrap_or_else(|| SmallVec::from_elem(1, counts.len()));
        if starts.len() != counts.len() || steps.len() != counts.len() {
            return Err(from.fault("start, step and count of a slice have one number for each axis"));
        }
        let spans = starts.iter().zip(&counts).zip(&steps);
        let span = |((&start, &count), &step)| Span { start, count, step };
        Ok(Some(Slice { spans: spans.map(span).collect() }))
    }

    /// The part.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let input = given.first();
        let mut view = input.view();
        for (axis, span) in self.spans.iter().enumerate() {
            let end = span.end().expect("the shape rule counted it");
            view.slice_axis_inplace(
                Axis(axis),
                Indices::new(span.start as isize, Some(end as isize), span.step as isize),
            );
        }
        Ok(view.as_standard_layout().into_owned())
    }
}
