//! The mean of each channel over the whole map.

use crate::diagnostic::{Diagnostic, codes};
use crate::tensor::Shape;

/// Global average pooling: a map becomes a vector, or a map of one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GlobalAveragePool {
    /// Whether the result is `1x1xC` instead of `C`.
    pub keep_dims: bool,
}

impl GlobalAveragePool {
    pub(super) fn shape_rule(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let [_, _, channels] = operands[0].map().ok_or_else(|| {
            Diagnostic::error(codes::RANK, format!("global_avg_pool takes a map (height x width x channels), not {}", operands[0]))
        })?;
        Ok(if self.keep_dims { Shape::new(&[1, 1, channels]) } else { Shape::new(&[channels]) })
    }
}
