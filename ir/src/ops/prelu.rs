//! A leaky ReLU whose slope is learnt (He et al., Delving Deep into Rectifiers, 2015): `x` where x ≥ 0, else `slope · x`.
//!
//! In text: `prelu {slope=SHAPE}`.

use super::{Given, Page, WeightRole, binary};
use crate::diagnostic::{Diagnostic, codes};
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, as_shape};

/// Attributes of a parametric ReLU; its weight is `slope`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prelu {
    /// The slope's shape: it is repeated along the operand's axes as a binary op's operand is.
    pub slope: Shape,
}

impl Page for Prelu {
    fn name(&self) -> &'static str {
        "prelu"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        match binary::broadcast(&operands[0], &self.slope) {
            Some(shape) if shape == operands[0] => Ok(shape),
            _ => Err(Diagnostic::error(
                codes::BAD_ATTRIBUTE,
                format!("slopes of {} do not fit a tensor of {}", self.slope, operands[0]),
            )),
        }
    }

    fn weight_roles(&self, _: &[Shape]) -> Vec<WeightRole> {
        vec![WeightRole { role: "slope", shape: self.slope.clone() }]
    }

    fn print(&self, to: &mut Written) {
        to.value("slope", &self.slope);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Prelu>, Diagnostic> {
        if name != "prelu" {
            return Ok(None);
        }
        Ok(Some(Prelu { slope: from.needed("slope", as_shape)? }))
    }

    /// The function of each element; NaN stays NaN.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let input = given.first();
        let slope = given.weights[0].clone();
        let slope = Tensor::from_shape_vec(self.slope.axes(), slope).expect("weights have their shape");
        let slope = slope.broadcast(input.raw_dim()).expect("the shape rule compared them");
        let mut output = input.clone();
        output.zip_mut_with(&slope, |x, &slope| {
            if *x < T::zero() {
                *x = *x * slope;
            }
        });
        Ok(output)
    }
}
