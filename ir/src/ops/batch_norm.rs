//! Batch normalisation at inference (Ioffe and Szegedy, 2015): `(x - mean) / sqrt(variance + epsilon) * gamma + beta`.

use super::{Scalar, WeightRole};
use crate::tensor::Shape;

/// Attributes of a batch normalisation over the last axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchNorm {
    /// Added to the variance.
    pub epsilon: Scalar,
    /// Whether there is a gamma.
    pub scale: bool,
    /// Whether there is a beta.
    pub center: bool,
}

impl BatchNorm {
    pub(super) fn weight_roles(&self, operands: &[Shape]) -> Vec<WeightRole> {
        let shape = Shape::new(&[operands[0].channels()]);
        let mut roles = Vec::new();
        if self.scale {
            roles.push("gamma");
        }
        if self.center {
            roles.push("beta");
        }
        roles.extend(["mean", "variance"]);
        roles.into_iter().map(|role| WeightRole { role, shape: shape.clone() }).collect()
    }
}
