//! Batch normalisation at inference (Ioffe and Szegedy, 2015): `(x - mean) / sqrt(variance + epsilon) * gamma + beta`.
//!
//! In text: `batch_norm {eps=FLOAT, no_scale, no_center}`.

use super::{Given, Page, Scalar, WeightRole};
use crate::diagnostic::Diagnostic;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, scalar};

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

impl Page for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        Ok(operands[0].clone())
    }

    fn weight_roles(&self, operands: &[Shape]) -> Vec<WeightRole> {
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

    fn print(&self, to: &mut Written) {
        to.value("eps", self.epsilon);
        to.flag("no_scale", !self.scale);
        to.flag("no_center", !self.center);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<BatchNorm>, Diagnostic> {
        if name != "batch_norm" {
            return Ok(None);
        }
        let epsilon = from.needed("eps", scalar)?;
        Ok(Some(BatchNorm { epsilon, scale: !from.flag("no_scale")?, center: !from.flag("no_center")? }))
    }

    /// The formula, for each element; `weights` are in the order of the roles.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let (input, weights) = (given.first(), given.weights);
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
        Ok(output)
    }
}
