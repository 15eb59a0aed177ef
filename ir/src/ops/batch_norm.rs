//! Batch normalisation at inference (Ioffe and Szegedy, 2015): `(x - mean) / sqrt(variance + epsilon) * gamma + beta`.

use super::{Scalar, WeightRole};
use crate::interpret::Number;
use crate::tensor::{Shape, Tensor};

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

impl BatchNorm {
    /// The formula, for each element; `weights` are in the order of the roles.
    pub(crate) fn evaluate<T: Number>(&self, input: &Tensor<T>, weights: &[Vec<T>]) -> Tensor<T> {
        let mut next = weights.iter();
        let gamma = if self.scale { next.next() } else { None };
        let beta = if self.center { next.next() } else { None };
        let (mean, variance) = (&weights[weights.len() - 2], &weights[weights.len() - 1]);
        let epsilon = T::of(self.epsilon.get());
        let mut output = input.clone();
        for (index, value) in output.iter_mut().enumerate() {
            let channel = index % mean.len();
            let normal = (*value - mean[channel]) / (variance[channel] + epsilon).sqrt();
            let scaled = gamma.map_or(normal, |gamma| normal * gamma[channel]);
            *value = beta.map_or(scaled, |beta| scaled + beta[channel]);
        }
        output
    }
}
