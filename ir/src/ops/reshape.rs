//! The same elements in another shape; `flatten` is the reshape to a vector.
//!
//! In text: `reshape {flatten}` or `reshape {to=SHAPE}`.

use super::{Given, Page};
use crate::diagnostic::{Diagnostic, codes};
use crate::element::Element;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, as_shape};

/// The result's shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reshape {
    /// To a vector of as many elements.
    Flatten,
    /// To this shape.
    To(Shape),
}

impl Page for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let elements = operands[0].elements().unwrap_or(0);
        match self {
            Reshape::Flatten => Ok(Shape::new(&[elements])),
            Reshape::To(shape) if shape.elements() == Some(elements) => Ok(shape.clone()),
            Reshape::To(shape) => Err(Diagnostic::error(
                codes::RESHAPE,
                format!("{} has {elements} elements, {shape} has another number", operands[0]),
            )),
        }
    }

    fn element(&self, operands: &[Element]) -> Element {
        Element::joined(operands)
    }

    fn print(&self, to: &mut Written) {
        match self {
            Reshape::Flatten => to.flag("flatten", true),
            Reshape::To(shape) => to.beside_shape("to", shape),
        }
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Reshape>, Diagnostic> {
        if name != "reshape" {
            return Ok(None);
        }
        if from.flag("flatten")? {
            return Ok(Some(Reshape::Flatten));
        }
        Ok(Some(Reshape::To(from.or_shape("to", from.shape.cloned(), as_shape)?)))
    }

    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        Ok(given.first().clone())
    }
}
