//! Zeros around a map.

use ndarray::Axis;

use super::Padding;
use crate::diagnostic::{Diagnostic, codes};
use crate::interpret::Number;
use crate::tensor::{Shape, Tensor};

pub(super) fn shape_rule(padding: &Padding, operands: &[Shape]) -> Result<Shape, Diagnostic> {
    let [height, width, channels] = operands[0].map().ok_or_else(|| {
        Diagnostic::error(
            codes::RANK,
            format!("pad takes a map (height x width x channels), not {}", operands[0]),
        )
    })?;
    let grown = |length: usize, before: usize, after: usize| length.checked_add(before)?.checked_add(after);
    let rows = grown(height, padding.top, padding.bottom);
    let columns = grown(width, padding.left, padding.right);
    match (rows, columns) {
        (Some(rows), Some(columns)) => super::sized(Shape::new(&[rows, columns, channels])),
        _ => Err(Diagnostic::error(codes::TENSOR_SIZE, "the padded map is larger than any tensor may be")),
    }
}

/// The map with zeros around it.
pub(crate) fn evaluate<T: Number>(padding: &Padding, input: &Tensor<T>, result: &Shape) -> Tensor<T> {
    let mut output = Tensor::zeros(result.axes());
    let [height, width] = [input.shape()[0], input.shape()[1]];
    let (rows, columns) = (padding.top..padding.top + height, padding.left..padding.left + width);
    let mut inside = output.view_mut();
    inside.slice_axis_inplace(Axis(0), rows.into());
    inside.slice_axis_inplace(Axis(1), columns.into());
    inside.assign(input);
    output
}
