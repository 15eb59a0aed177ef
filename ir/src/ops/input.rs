//! What the caller hands in.
//!
//! In text: `input {shape=SHAPE}`.

use super::{Given, Page};
use crate::diagnostic::Diagnostic;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, as_shape};

/// An input of the network: dense f32, NHWC.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Input {
    /// Shape of one image.
    pub shape: Shape,
}

impl Page for Input {
    fn name(&self) -> &'static str {
        "input"
    }

    fn shape(&self, _: &[Shape]) -> Result<Shape, Diagnostic> {
        super::sized(self.shape.clone())
    }

    fn arity(&self) -> usize {
        0
    }

    fn print(&self, to: &mut Written) {
        to.beside_shape("shape", &self.shape);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Input>, Diagnostic> {
        if name != "input" {
            return Ok(None);
        }
        Ok(Some(Input { shape: from.or_shape("shape", from.shape.cloned(), as_shape)? }))
    }

    fn evaluate<T: Number>(&self, _: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        unreachable!("inputs are given, not computed")
    }
}
