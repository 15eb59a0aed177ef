//! A tensor that is a weight: what does not depend on the input.
//!
//! In text: `constant {shape=SHAPE}`.

use super::{Given, Page, WeightRole};
use crate::diagnostic::Diagnostic;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, as_shape};

/// Attributes of a constant; its weight is `value`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Constant {
    /// Its shape.
    pub shape: Shape,
}

impl Page for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn shape(&self, _: &[Shape]) -> Result<Shape, Diagnostic> {
        super::sized(self.shape.clone())
    }

    fn weight_roles(&self, _: &[Shape]) -> Vec<WeightRole> {
        vec![WeightRole { role: "value", shape: self.shape.clone() }]
    }

    fn arity(&self) -> usize {
        0
    }

    fn print(&self, to: &mut Written) {
        to.beside_shape("shape", &self.shape);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Constant>, Diagnostic> {
        if name != "constant" {
            return Ok(None);
        }
        Ok(Some(Constant { shape: from.or_shape("shape", from.shape.cloned(), as_shape)? }))
    }

    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        Ok(Tensor::from_shape_vec(given.result.axes(), given.weights[0].clone())
            .expect("weights have their shape"))
    }
}
