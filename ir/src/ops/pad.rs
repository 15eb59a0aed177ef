//! Rows and columns of one value around a map.
//!
//! In text: `pad {pad=TOP:BOTTOM:LEFT:RIGHT, value=FLOAT}`, where 0 is left out.

use ndarray::Axis;

use super::{Given, Padding, Page, Scalar};
use crate::diagnostic::{Diagnostic, codes};
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, scalar, sides};

/// Attributes of a pad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pad {
    /// How many rows and columns.
    pub padding: Padding,
    /// What they are filled with.
    pub value: Scalar,
}

impl Pad {
    /// Zeros.
    pub fn zeros(padding: Padding) -> Pad {
        Pad { padding, value: Scalar::new(0.0) }
    }
}

impl Page for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let [height, width, channels] = super::as_map("pad", &operands[0])?;
        let grown =
            |length: usize, [before, after]: [usize; 2]| length.checked_add(before)?.checked_add(after);
        match (grown(height, self.padding.along(0)), grown(width, self.padding.along(1))) {
            (Some(rows), Some(columns)) => super::sized(Shape::new(&[rows, columns, channels])),
            _ => {
                Err(Diagnostic::error(codes::TENSOR_SIZE, "the padded map is larger than any tensor may be"))
            }
        }
    }

    fn print(&self, to: &mut Written) {
        to.sides("pad", &self.padding);
        if self.value.get() != 0.0 {
            to.value("value", self.value);
        }
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Pad>, Diagnostic> {
        if name != "pad" {
            return Ok(None);
        }
        let padding = from.needed("pad", sides)?;
        Ok(Some(Pad { padding, value: from.value("value", scalar)?.unwrap_or_default() }))
    }

    /// The map with the value around it.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let input = given.first();
        let Padding { top, left, .. } = self.padding;
        let mut output = Tensor::from_elem(given.result.axes(), T::of(self.value.get()));
        let (rows, columns) = (top..top + input.shape()[0], left..left + input.shape()[1]);
        let mut inside = output.view_mut();
        inside.slice_axis_inplace(Axis(0), rows.into());
        inside.slice_axis_inplace(Axis(1), columns.into());
        inside.assign(input);
        Ok(output)
    }
}
