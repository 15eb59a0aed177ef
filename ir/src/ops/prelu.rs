//! A leaky ReLU whose slope is learnt (He et al., Delving Deep into Rectifiers, 2015): `x` where x ≥ 0, else `slope · x`.

use super::{WeightRole, binary};
use crate::diagnostic::{Diagnostic, codes};
use crate::interpret::Number;
use crate::tensor::{Shape, Tensor};

/// Attributes of a parametric ReLU; its weight is `slope`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prelu {
    /// The slope's shape: it is repeated along the operand's axes as a binary op's operand is.
    pub slope: Shape,
}

impl Prelu {
    pub(super) fn shape_rule(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        match binary::broadcast(&operands[0], &self.slope) {
            Some(shape) if shape == operands[0] => Ok(shape),
            _ => Err(Diagnostic::error(
                codes::BAD_ATTRIBUTE,
                format!("slopes of {} do not fit a tensor of {}", self.slope, operands[0]),
            )),
        }
    }

    pub(super) fn weight_roles(&self) -> Vec<WeightRole> {
        vec![WeightRole { role: "slope", shape: self.slope.clone() }]
    }

    /// The function of each element; NaN stays NaN.
    pub(crate) fn evaluate<T: Number>(&self, input: &Tensor<T>, slope: &[T]) -> Tensor<T> {
        let slope =
            Tensor::from_shape_vec(self.slope.axes(), slope.to_vec()).expect("weights have their shape");
        let slope = slope.broadcast(input.raw_dim()).expect("the shape rule compared them");
        let mut output = input.clone();
        output.zip_mut_with(&slope, |x, &slope| {
            if *x < T::zero() {
                *x = *x * slope;
            }
        });
        output
    }
}
