//! Ops that put elements elsewhere: joined, cut out, in another order.

use frit_ir::ops::{Concat, Slice, Span, Transpose};
use frit_ir::{Diagnostic, Op, Shape};

use crate::import::findings::wrong;
use crate::import::json::defaults::Defaults;
use crate::import::json::entry::LayerSection;
use crate::import::json::kinds::{Axes, Axis, Counts, Integers};
use crate::import::json::layer::{Operation, Shaped};
use crate::import::json::section::{Rule, section};
use crate::import::json::split::{Parts, Split};
use crate::import::reader::Reader;

section! {
    /// Tensors one behind the other.
    ConcatFields {
        /// The axis along which they follow one another.
        axis: Axis = Axis(-1),
    }
}

impl LayerSection for ConcatFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Shaped(Box::new(self)))
    }
}

impl Shaped for ConcatFields {
    fn op(&self, operands: &[Shape]) -> Result<Op, Diagnostic> {
        Ok(Op::Concat(Concat { axis: self.axis.of(&operands[0])?, inputs: operands.len() }))
    }

    fn arity(&self, given: usize) -> usize {
        given.max(1)
    }
}

section! {
    /// A part of a tensor.
    SliceFields {
        /// The axis that is cut.
        axis: Option<Axis>,
        /// The axes that are cut.
        axes: Option<Axes>,
        /// The first index on each axis; from -1 on it counts from the end.
        start: Integers,
        /// The index behind the last on each axis; without it, the end.
        stop: Option<Integers>,
        /// From one index to the next.
        step: Option<Integers>,
    }
    [Rule::OneOf(&["axis", "axes"], "\"axis\": NUMBER, or \"axes\": [NUMBERS]")]
}

impl LayerSection for SliceFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Shaped(Box::new(self)))
    }
}

impl Shaped for SliceFields {
    fn op(&self, operands: &[Shape]) -> Result<Op, Diagnostic> {
        let shape = &operands[0];
        let axes = match (&self.axis, &self.axes) {
            (Some(axis), _) => vec![axis.of(shape)?],
            (None, axes) => axes.as_ref().map_or(Ok(Vec::new()), |axes| axes.of(shape))?,
        };
        for (name, list) in
            [("start", Some(&self.start)), ("stop", self.stop.as_ref()), ("step", self.step.as_ref())]
        {
            if let Some(list) = list.filter(|list| list.0.len() != axes.len()) {
                return Err(wrong(&format!("{name} has {} numbers for {} axes", list.0.len(), axes.len())));
            }
        }
        let mut spans: Vec<Span> = shape.axes().iter().map(|&length| Span::all(length)).collect();
        let of =
            |list: &Option<Integers>, place: usize| list.as_ref().and_then(|list| list.0.get(place).copied());
        for (place, &axis) in axes.iter().enumerate() {
            let bounds = (self.start.0[place], of(&self.stop, place));
            spans[axis] = span(bounds, of(&self.step, place).unwrap_or(1), shape.axes()[axis])?;
        }
        Ok(Op::Slice(Slice { spans: spans.into_iter().collect() }))
    }
}

/// The part from `start` to `stop` of an axis, as Python counts.
fn span((start, stop): (i64, Option<i64>), step: i64, length: usize) -> Result<Span, Diagnostic> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let place = |index: i64| if index < 0 { index + length } else { index }.clamp(0, length);
    let (first, last) = (place(start), place(stop.unwrap_or(length)));
    if step < 1 || first >= last {
        let stop = stop.map_or("the end".to_owned(), |stop| stop.to_string());
        return Err(wrong(&format!(
            "from {start} to {stop} by {step} there is nothing on an axis of {length}"
        )));
    }
    let number = |value: i64| usize::try_from(value).unwrap_or(0);
    let step = number(step);
    Ok(Span { start: number(first), count: number(last - first).div_ceil(step), step })
}

section! {
    /// The axes in another order.
    TransposeFields {
        /// For each axis of the result, the axis that it is.
        axes: Axes,
    }
}

impl LayerSection for TransposeFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Shaped(Box::new(self)))
    }
}

impl Shaped for TransposeFields {
    fn op(&self, operands: &[Shape]) -> Result<Op, Diagnostic> {
        Ok(Op::Transpose(Transpose { axes: self.axes.of(&operands[0])?.into_iter().collect() }))
    }
}

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

impl LayerSection for SplitFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        let parts = match (self.parts, self.sizes) {
            (Some(parts), _) => Parts::Alike(parts),
            (None, sizes) => Parts::Sizes(sizes?.0),
        };
        Some(Operation::Split(Split { parts, axis: self.axis }))
    }
}
