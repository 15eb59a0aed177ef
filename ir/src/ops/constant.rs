//! A tensor that is a weight: what does not depend on the input.

use super::WeightRole;
use crate::diagnostic::Diagnostic;
use crate::tensor::Shape;

/// Attributes of a constant; its weight is `value`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Constant {
    /// Its shape.
    pub shape: Shape,
}

impl Constant {
    pub(super) fn shape_rule(&self) -> Result<Shape, Diagnostic> {
        super::sized(self.shape.clone())
    }

    pub(super) fn weight_roles(&self) -> Vec<WeightRole> {
        vec![WeightRole { role: "value", shape: self.shape.clone() }]
    }
}
