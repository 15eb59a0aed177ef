//! What the caller hands in.

use crate::diagnostic::Diagnostic;
use crate::tensor::Shape;

/// An input of the network: dense f32, NHWC.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Input {
    /// Shape of one image.
    pub shape: Shape,
}

impl Input {
    pub(super) fn shape_rule(&self) -> Result<Shape, Diagnostic> {
        super::sized(self.shape.clone())
    }
}
