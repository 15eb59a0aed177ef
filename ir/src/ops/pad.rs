//! Zeros around a map.

use super::Padding;
use crate::diagnostic::{Diagnostic, codes};
use crate::tensor::Shape;

pub(super) fn shape_rule(padding: &Padding, operands: &[Shape]) -> Result<Shape, Diagnostic> {
    let [height, width, channels] = operands[0].map().ok_or_else(|| {
        Diagnostic::error(codes::RANK, format!("pad takes a map (height x width x channels), not {}", operands[0]))
    })?;
    let grown = |length: usize, before: usize, after: usize| length.checked_add(before)?.checked_add(after);
    let rows = grown(height, padding.top, padding.bottom);
    let columns = grown(width, padding.left, padding.right);
    match (rows, columns) {
        (Some(rows), Some(columns)) => super::sized(Shape::new(&[rows, columns, channels])),
        _ => Err(Diagnostic::error(codes::TENSOR_SIZE, "the padded map is larger than any tensor may be")),
    }
}
