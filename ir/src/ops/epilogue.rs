//! What an op does with its sum before it stores it.

use super::Activation;

/// What was fused behind a sum, in this order: bias, activation, residual, second activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Epilogue {
    /// Adds a bias, the weight after the kernel.
    pub bias: bool,
    /// Applied to the biased sum.
    pub activation: Option<Activation>,
    /// Adds the second operand.
    pub residual: bool,
    /// Applied after the residual.
    pub activation_after: Option<Activation>,
}

impl Epilogue {
    /// Only a bias, or nothing.
    pub fn with_bias(bias: bool) -> Epilogue {
        Epilogue { bias, ..Epilogue::default() }
    }

    /// Whether nothing follows the biased sum.
    pub fn is_linear(&self) -> bool {
        self.activation.is_none() && !self.residual && self.activation_after.is_none()
    }

    /// The names of its parts, in order, as reports show them.
    pub fn parts(&self) -> Vec<&'static str> {
        let mut parts = Vec::new();
        if self.bias {
            parts.push("bias");
        }
        parts.extend(self.activation.iter().map(Activation::name));
        if self.residual {
            parts.push("add");
        }
        parts.extend(self.activation_after.iter().map(Activation::name));
        parts
    }
}
