//! The axes of a tensor in another order.
//!
//! In text: `transpose {axes=AXIS:...}`.

use smallvec::SmallVec;

use super::{Given, Page};
use crate::diagnostic::{Diagnostic, codes};
use crate::element::Element;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, indices, joined};

/// Attributes of a transpose.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Transpose {
    /// For each axis of the result, the operand's axis that it is.
    pub axes: SmallVec<[usize; 4]>,
}

impl Page for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
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

    fn element(&self, operands: &[Element]) -> Element {
        Element::joined(operands)
    }

    fn print(&self, to: &mut Written) {
        to.value("axes", joined(&self.axes));
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Transpose>, Diagnostic> {
        if name != "transpose" {
            return Ok(None);
        }
        Ok(Some(Transpose { axes: from.needed("axes", indices)? }))
    }

    /// The same elements in the new order.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let input = given.first();
        Ok(input.view().permuted_axes(self.axes.as_slice()).as_standard_layout().into_owned())
    }
}
