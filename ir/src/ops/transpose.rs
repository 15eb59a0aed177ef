//! The axes of a tensor in another order.

use smallvec::SmallVec;

use crate::diagnostic::{Diagnostic, codes};
use crate::interpret::Number;
use crate::tensor::{Shape, Tensor};

/// Attributes of a transpose.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Transpose {
    /// For each axis of the result, the operand's axis that it is.
    pub axes: SmallVec<[usize; 4]>,
}

impl Transpose {
    pub(super) fn shape_rule(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let shape = &operands[0];
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..shape.rank()) {
            let message = format!("{:?} is no order of the axes of {shape}", self.axes.as_slice());
            return Err(Diagnostic::error(codes::BAD_ATTRIBUTE, message));
        }
        let axes: SmallVec<[usize; 4]> = self.axes.iter().map(|&axis| shape.axes()[axis]).collect();
        Ok(Shape::new(&axes))
    }

    /// The same elements in the new order.
    pub(crate) fn evaluate<T: Number>(&self, input: &Tensor<T>) -> Tensor<T> {
        input.view().permuted_axes(self.axes.as_slice()).as_standard_layout().into_owned()
    }
}
