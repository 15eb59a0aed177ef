//! Tensors one behind the other along an axis.

use ndarray::Axis;

use crate::diagnostic::{Diagnostic, codes};
use crate::interpret::Number;
use crate::tensor::{Shape, Tensor};

/// Attributes of a concatenation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Concat {
    /// The axis along which they follow one another; all other axes are alike.
    pub axis: usize,
    /// How many tensors, at least 1.
    pub inputs: usize,
}

impl Concat {
    pub(super) fn shape_rule(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let first = operands
            .first()
            .ok_or_else(|| Diagnostic::error(codes::BAD_ATTRIBUTE, "concat of no tensors; the least is 1"))?;
        super::check_axis("concat", self.axis, first)?;
        let mut axes = first.axes().to_vec();
        for (index, other) in operands.iter().enumerate().skip(1) {
            let alike = other.rank() == first.rank()
                && (0..first.rank()).all(|axis| axis == self.axis || other.axes()[axis] == axes[axis]);
            if !alike {
                let message =
                    format!("concat along axis {} joins tensors that differ in another axis", self.axis);
                return Err(Diagnostic::error(codes::CONCAT_SHAPES, message)
                    .operand("first", "operand 0", first.to_string())
                    .operand("other", format!("operand {index}"), other.to_string()));
            }
            axes[self.axis] = axes[self.axis].checked_add(other.axes()[self.axis]).ok_or_else(|| {
                Diagnostic::error(
                    codes::TENSOR_SIZE,
                    "the concatenated axis is longer than any tensor may be",
                )
            })?;
        }
        super::sized(Shape::new(&axes))
    }

    /// The tensors, one behind the other.
    pub(crate) fn evaluate<T: Number>(&self, operands: &[&Tensor<T>]) -> Tensor<T> {
        let views: Vec<_> = operands.iter().map(|operand| operand.view()).collect();
        let joined = ndarray::concatenate(Axis(self.axis), &views).expect("the shape rule compared them");
        joined.as_standard_layout().into_owned()
    }
}
