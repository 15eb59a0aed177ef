//! The same elements in another shape; `flatten` is the reshape to a vector.

use crate::diagnostic::{Diagnostic, codes};
use crate::tensor::Shape;

/// The result's shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reshape {
    /// To a vector of as many elements.
    Flatten,
    /// To this shape.
    To(Shape),
}

impl Reshape {
    pub(super) fn shape_rule(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
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
}
