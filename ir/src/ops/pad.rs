//! Rows and columns of one value around a map.

use ndarray::Axis;

use super::{Padding, Scalar};
use crate::diagnostic::{Diagnostic, codes};
use crate::interpret::Number;
use crate::tensor::{Shape, Tensor};

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

    pub(super) fn shape_rule(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
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

    /// The map with the value around it.
    pub(crate) fn evaluate<T: Number>(&self, input: &Tensor<T>, result: &Shape) -> Tensor<T> {
        let Padding { top, left, .. } = self.padding;
        let mut output = Tensor::from_elem(result.axes(), T::of(self.value.get()));
        let (rows, columns) = (top..top + input.shape()[0], left..left + input.shape()[1]);
        let mut inside = output.view_mut();
        inside.slice_axis_inplace(Axis(0), rows.into());
        inside.slice_axis_inplace(Axis(1), columns.into());
        inside.assign(input);
        output
    }
}
