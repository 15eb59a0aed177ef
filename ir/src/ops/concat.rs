//! Tensors one behind the other along an axis.
//!
//! In text: `concat {axis=AXIS}`.

use ndarray::Axis;

use super::{Given, Page};
use crate::diagnostic::{Diagnostic, codes};
use crate::element::Element;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, number};

/// Attributes of a concatenation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Concat {
    /// The axis along which they follow one another; all other axes are alike.
    pub axis: usize,
    /// How many tensors, at least 1.
    pub inputs: usize,
}

impl Page for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
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

    fn arity(&self) -> usize {
        self.inputs
    }

    fn element(&self, operands: &[Element]) -> Element {
        Element::joined(operands)
    }

    fn print(&self, to: &mut Written) {
        to.value("axis", self.axis);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Concat>, Diagnostic> {
        if name != "concat" {
            return Ok(None);
        }
        Ok(Some(Concat { axis: from.needed("axis", number)?, inputs: from.tensors }))
    }

    /// The tensors, one behind the other.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let views: Vec<_> = given.operands.iter().map(|operand| operand.view()).collect();
        let joined = ndarray::concatenate(Axis(self.axis), &views).expect("the shape rule compared them");
        Ok(joined.as_standard_layout().into_owned())
    }
}
